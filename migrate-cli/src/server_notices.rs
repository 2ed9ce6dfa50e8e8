//! What a server says while a migration runs: warnings and notices. The driver and the runtime pass them to `tracing` only.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// The targets of the events: of the PostgreSQL driver, and of the runtime for MySQL and MariaDB.
const NOTICES: [&str; 2] = ["sqlx::postgres::notice", "migrate_runtime::server"];

/// The span that the engine opens for each migration. What the server says outside it concerns our own statements.
const MIGRATION: &str = "migration";

/// How many notices are kept: a loop of a script may raise millions.
const MAX_NOTICES: usize = 1000;

static COLLECTED: Mutex<Collected> = Mutex::new(Collected { notices: Vec::new(), omitted: 0 });

#[derive(Debug)]
struct Collected {
    notices: Vec<ServerNotice>,
    omitted: usize,
}

/// A message of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerNotice {
    /// The migration that was running.
    pub migration: String,
    /// Its severity.
    pub severity: NoticeSeverity,
    /// The text of the server.
    pub message: String,
}

/// The severity of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeSeverity {
    /// `WARNING` of PostgreSQL, `Warning` or `Error` of MySQL: shown by default.
    Warning,
    /// `Note` of MySQL; `NOTICE`, `INFO`, `LOG` or `DEBUG` of PostgreSQL, as far as `client_min_messages` lets the server send them.
    Notice,
}

impl NoticeSeverity {
    /// Its name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            NoticeSeverity::Warning => "warning",
            NoticeSeverity::Notice => "notice",
        }
    }
}

/// Collects the messages of the servers in this process. For a program that does not use `tracing` otherwise: it becomes the global
/// subscriber, unless there is one.
pub fn collect() {
    let _ = tracing::subscriber::set_global_default(NoticeCollector::default());
}

/// Removes and returns the messages that have been collected, and the number of those that were too many to keep.
pub fn take() -> (Vec<ServerNotice>, usize) {
    let Ok(mut collected) = COLLECTED.lock() else { return (Vec::new(), 0) };
    (std::mem::take(&mut collected.notices), std::mem::take(&mut collected.omitted))
}

/// The subscriber. All migrations of the process run one after another, on one thread.
#[derive(Debug, Default)]
struct NoticeCollector {
    spans: AtomicU64,
    /// The span that was opened last, and its title.
    opened: Mutex<(u64, String)>,
    entered: AtomicU64,
}

impl Subscriber for NoticeCollector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        NOTICES.contains(&metadata.target()) || (metadata.is_span() && metadata.name() == MIGRATION)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let number = self.spans.fetch_add(1, Ordering::Relaxed) + 1;
        let mut title = FieldText::of("title");
        span.record(&mut title);
        if let Ok(mut opened) = self.opened.lock() {
            *opened = (number, title.text);
        }
        Id::from_u64(number)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let entered = self.entered.load(Ordering::Relaxed);
        let Ok(opened) = self.opened.lock() else { return };
        let Ok(mut collected) = COLLECTED.lock() else { return };
        if entered == 0 || opened.0 != entered {
            return;
        }
        if collected.notices.len() >= MAX_NOTICES {
            collected.omitted += 1;
            return;
        }
        let mut message = FieldText::of("message");
        event.record(&mut message);
        let is_warning = *event.metadata().level() <= Level::WARN;
        let severity = if is_warning { NoticeSeverity::Warning } else { NoticeSeverity::Notice };
        collected.notices.push(ServerNotice { migration: opened.1.clone(), severity, message: message.text });
    }

    fn enter(&self, span: &Id) {
        self.entered.store(span.into_u64(), Ordering::Relaxed);
    }

    fn exit(&self, _: &Id) {
        self.entered.store(0, Ordering::Relaxed);
    }
}

/// Reads one field as text.
struct FieldText {
    name: &'static str,
    text: String,
}

impl FieldText {
    fn of(name: &'static str) -> Self {
        FieldText { name, text: String::new() }
    }
}

impl Visit for FieldText {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == self.name {
            value.clone_into(&mut self.text);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == self.name && self.text.is_empty() {
            self.text = format!("{value:?}");
        }
    }
}
