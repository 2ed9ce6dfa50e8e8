//! SQLite.
//!
//! There is no lock that outlives a transaction, and none is needed: every transaction begins with `BEGIN IMMEDIATE` and
//! looks whether the history still is what the plan was made from. Whoever comes second sees that and plans anew.

use crate::backend::{Backend, Ending, Failure, Presence, Stop, Work};
use crate::change::{Change, Elapsed};
use crate::connection::{Held, rows, run};
use crate::error::Error;
use crate::event::Holder;
use crate::ledger::Ledger;
use crate::message::Message;
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::history::History;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::target::Direction;
use std::time::{Duration, Instant};

/// What scripts set and leave so.
const SETTINGS: [&str; 5] =
    ["foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints", "writable_schema"];

/// A connection to SQLite.
#[derive(Debug)]
pub struct Sqlite<'c> {
    connection: Held<'c, sqlx::Sqlite>,
    /// Sets every setting to what it was when the connection was taken.
    original: String,
    /// The same, and then what `session` in `migrate.toml` says.
    restoring: String,
    patience: Duration,
}

impl<'c> Sqlite<'c> {
    /// Takes a connection; waits up to `patience` for other writers.
    pub fn new(connection: Held<'c, sqlx::Sqlite>, patience: Duration) -> Self {
        Sqlite { connection, original: String::new(), restoring: String::new(), patience }
    }

    /// Asks again and again while another connection is in the way.
    async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Failure> {
        let until = Instant::now() + self.patience;
        loop {
            match rows(&mut *self.connection, sql).await.map_err(failure) {
                Err(failure) if failure.busy && Instant::now() < until => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<Failure>) {
        let (completed, error) = run(&mut *self.connection, sql).await;
        (completed, error.map(failure))
    }

    async fn do_all(&mut self, sql: &str) -> Result<(), Failure> {
        match self.run(sql).await.1 {
            Some(failure) => Err(failure),
            None => Ok(()),
        }
    }

    /// Runs one statement again and again while another connection is in the way.
    async fn insist(&mut self, sql: &str) -> Result<(), Failure> {
        let until = Instant::now() + self.patience;
        loop {
            match self.do_all(sql).await {
                Err(failure) if failure.busy && Instant::now() < until => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    async fn roll_back(&mut self) {
        // SQLite ends some transactions by itself; then there is nothing to roll back.
        if let (_, Some(failure)) = self.run("ROLLBACK").await {
            tracing::debug!(message = failure.message, "rolling back");
        }
    }

    /// Runs a message that ends with `COMMIT`, or a part of it. The first begins with `BEGIN IMMEDIATE` and a check of the
    /// token.
    async fn transact(&mut self, message: &Message, first: bool) -> Result<(), Stop> {
        let until = Instant::now() + self.patience;
        loop {
            let (completed, Some(failure)) = self.run(&message.sql).await else { return Ok(()) };
            if first && completed == 0 && failure.busy && Instant::now() < until {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // In the middle of a transaction nobody is in the way: only at its end, when others still read.
            let at_commit = message.script_done(completed);
            if at_commit && failure.busy && self.insist("COMMIT").await.is_ok() {
                return Ok(());
            }
            if completed > 0 || !first {
                self.roll_back().await;
            }
            return Err(match completed {
                0 if first => Stop::Before(failure),
                1 if first && failure.message == OVERTAKEN => Stop::Overtaken,
                1 if first => Stop::Before(failure),
                // A deferred foreign key is checked at the end.
                _ if at_commit && failure.code.as_deref() != Some("787") => Stop::Record(failure),
                _ => Stop::Refused { statement: message.failed(completed), offset: None, failure },
            });
        }
    }

    /// Begins a transaction that goes on only if the history still is what the plan was made from.
    fn begin(ledger: &Ledger, (version, token): (&str, &str)) -> Message {
        let now = ledger.select_token(version);
        let now = now.strip_prefix("SELECT ").unwrap_or(&now);
        let mut message = Message::default();
        message.begin("BEGIN IMMEDIATE");
        // SQLite knows no way to raise an error outside a trigger, but this sum has none that it could hold.
        message.begin(&format!("SELECT CASE WHEN {now} IS NOT {} THEN abs(-9223372036854775807 - 1) END", ledger.text(token)));
        message
    }
}

/// What SQLite says when the check of the token fails.
const OVERTAKEN: &str = "integer overflow";

/// How many bytes of a script are given at once: for each statement, SQLite copies all that stands behind it.
const PIECE: usize = 16 << 10;

/// How long to leave another connection alone before trying again.
const PAUSE: Duration = Duration::from_millis(20);

/// Notes whether another connection was in the way: SQLITE_BUSY (5) and SQLITE_LOCKED (6), with their extended codes.
fn failure(error: sqlx::Error) -> Failure {
    let mut failure = Failure::of(error);
    let code: Option<u32> = failure.code.as_deref().and_then(|code| code.parse().ok());
    // SQLITE_READONLY.
    failure.read_only = code.map(|code| code & 0xff) == Some(8);
    failure.busy = matches!(code.map(|code| code & 0xff), Some(5 | 6));
    failure
}

fn is_missing(failure: &Failure) -> bool {
    failure.message.starts_with("no such table")
}

#[async_trait]
impl Backend for Sqlite<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    async fn digest(&mut self, ledger: &Ledger) -> Result<Option<String>, Failure> {
        match self.rows(&ledger.select_digest()).await {
            Ok(rows) => Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten())),
            Err(failure) if is_missing(&failure) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn history(&mut self, ledger: &Ledger, service: Option<&str>) -> Result<Option<History>, Error> {
        match self.rows(&ledger.select_records(service)).await {
            Ok(rows) => ledger.read_records(&rows).map(Some),
            Err(failure) if is_missing(&failure) => Ok(None),
            Err(failure) => Err(failure.about_history("cannot read the history")),
        }
    }

    async fn stored_script(&mut self, ledger: &Ledger, version: &str, direction: Direction) -> Result<Option<String>, Failure> {
        let rows = self.rows(&ledger.select_script(version, direction)).await?;
        Ok(rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    async fn prepare(&mut self, _: &mut Ledger, session: &[String], _: LockSettings) -> Result<(), Failure> {
        let mut restore = String::new();
        for name in SETTINGS {
            let rows = self.rows(&format!("PRAGMA {name}")).await?;
            if let Some(value) = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()) {
                restore.push_str(&format!("PRAGMA {name} = {value};\n"));
            }
        }
        self.restoring = restore.clone();
        self.original = restore;
        for statement in session {
            self.do_all(statement).await?;
            self.restoring.push_str(statement.trim_end().trim_end_matches(';'));
            self.restoring.push_str(";\n");
        }
        Ok(())
    }

    async fn create_tables(&mut self, ledger: &Ledger) -> Result<(), Failure> {
        self.insist("BEGIN IMMEDIATE").await?;
        let made = match self.do_all(&ledger.create().join(";\n")).await {
            Ok(()) => self.insist("COMMIT").await,
            failed => failed,
        };
        if made.is_err() {
            self.roll_back().await;
        }
        made
    }

    async fn try_lock(&mut self, _: &Ledger) -> Result<bool, Failure> {
        Ok(true)
    }

    async fn holder(&mut self, _: &Ledger) -> Option<Holder> {
        None
    }

    async fn blockers(&mut self, _: &Ledger, _: &[Name]) -> Vec<Holder> {
        Vec::new()
    }

    async fn unlock(&mut self, _: &Ledger) -> Result<(), Failure> {
        Ok(())
    }

    async fn gate(&mut self, query: &str) -> Result<bool, Failure> {
        let rows = self.rows(query).await?;
        let value = rows.first().and_then(|row| row.first()).and_then(|value| value.as_deref());
        Ok(rows.len() == 1 && value == Some("1"))
    }

    async fn presence(&mut self, _: &Ledger, _: &Object) -> Result<Option<Presence>, Failure> {
        // Whatever makes something shares a transaction with its mark, so nobody needs to ask.
        Ok(None)
    }

    async fn run_in_transaction(&mut self, ledger: &Ledger, work: &Work<'_>, ending: Ending<'_>) -> Result<(), Stop> {
        let mut pieces = work.pieces(PIECE);
        let last = pieces.pop().unwrap_or_default();
        let mut message = Self::begin(ledger, work.token);
        let mut first = true;
        for piece in pieces {
            message.script(work, piece);
            self.transact(&message, first).await?;
            (message, first) = (Message::default(), false);
        }
        message.script(work, last);
        message.end(&ledger.write(&ending(Elapsed::Transaction(work.since.elapsed()))));
        message.end("COMMIT;");
        self.transact(&message, first).await
    }

    async fn run_alone(&mut self, ledger: &Ledger, work: &Work<'_>, ending: Ending<'_>) -> Result<(), Stop> {
        let mut message = Message::default();
        message.script(work, work.unit.statements.clone());
        if let (completed, Some(failure)) = self.run(&message.sql).await {
            return Err(Stop::Refused { statement: message.failed(completed), offset: None, failure });
        }
        let change = ending(Elapsed::Measured(work.since.elapsed()));
        self.write_unless_overtaken(ledger, &change, work.token).await.map_err(|stop| match stop {
            Stop::Before(failure) => Stop::Record(failure),
            stop => stop,
        })
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), Failure> {
        self.do_all(sql).await
    }

    async fn write(&mut self, ledger: &Ledger, change: &Change<'_>) -> Result<(), Failure> {
        self.insist("BEGIN IMMEDIATE").await?;
        let written = match self.do_all(&ledger.write(change)).await {
            Ok(()) => self.insist("COMMIT").await,
            failed => failed,
        };
        if written.is_err() {
            self.roll_back().await;
        }
        written
    }

    async fn write_unless_overtaken(&mut self, ledger: &Ledger, change: &Change<'_>, token: (&str, &str)) -> Result<(), Stop> {
        let mut message = Self::begin(ledger, token);
        message.end(&ledger.write(change));
        message.end("COMMIT;");
        self.transact(&message, true).await.map_err(|stop| match stop {
            // There is no script whose record this could be.
            Stop::Record(failure) => Stop::Before(failure),
            stop => stop,
        })
    }

    async fn restore(&mut self) -> Result<(), Failure> {
        match self.restoring.is_empty() {
            true => Ok(()),
            false => self.do_all(&self.restoring.clone()).await,
        }
    }

    async fn leave(&mut self) -> Result<(), Failure> {
        match self.original.is_empty() {
            true => Ok(()),
            false => self.do_all(&self.original.clone()).await,
        }
    }

    async fn release(self: Box<Self>, clean: bool) {
        self.connection.release(clean).await;
    }
}
