//! The progress of a run: a line for each migration, and a progress bar on a terminal.

use crate::output::Output;
use crate::server_notices::{self, NoticeSeverity, ServerNotice};
use indicatif::{ProgressBar, ProgressStyle};
use migrate_model::duration;
use migrate_model::plural::count_of;
use migrate_model::visible;
use migrate_runtime::{Direction, Event};
use std::sync::{Arc, Mutex};

/// Creates the observer of a run. If several services are selected, each line starts with the service name.
pub fn observer(output: &Output, service: &str, show_service: bool) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
    let bar = output.shows_progress().then(|| Arc::new(Mutex::new(None::<ProgressBar>)));
    let lines = StatusLines::of(output);
    let prefix = if show_service { format!("{service}: ") } else { String::new() };
    let service = service.to_owned();
    move |event| {
        let bar = bar.as_ref().and_then(|bar| bar.lock().ok());
        lines.print_notices(bar.as_deref().and_then(Option::as_ref), &prefix);
        match event {
            Event::Waiting { holder, .. } => {
                let holder = holder.map_or("another process".to_owned(), |holder| holder.to_string());
                lines.print(
                    bar.as_deref().and_then(Option::as_ref),
                    "Waiting",
                    &format!("for the migration lock of `{service}`, held by {holder}"),
                );
            }
            Event::WaitingFor { title, requirement, .. } => {
                let bar = bar.as_deref().and_then(Option::as_ref);
                lines.print(bar, "Waiting", &format!("for {requirement}, which {prefix}{title} requires"));
            }
            Event::Planned { steps, .. } => {
                if let Some(mut bar) = bar {
                    *bar = Some(progress_bar(*steps));
                }
            }
            Event::Started { title, .. } => {
                if let Some(bar) = bar.as_deref().and_then(Option::as_ref) {
                    bar.set_message(visible::one_line(&format!("{prefix}{title}")).into_owned());
                }
            }
            Event::Blocked { title, blockers, tries, pause, .. } => {
                let bar = bar.as_deref().and_then(Option::as_ref);
                let (pause, attempt) = (duration::show(*pause), tries + 1);
                let retry =
                    format!("{prefix}{title} timed out waiting for a lock; retrying in {pause} (attempt {attempt} of 10)");
                lines.print(bar, "Blocked", &retry);
                for blocker in *blockers {
                    lines.print(bar, "by", &blocker.to_string());
                }
            }
            Event::Finished { title, direction, took, .. } => {
                let verb = match direction {
                    Direction::Up => "Applied",
                    Direction::Down => "Reverted",
                };
                let bar = bar.as_deref().and_then(Option::as_ref);
                lines.print(bar, verb, &format!("{prefix}{title} ({})", duration::show(*took)));
                if let Some(bar) = bar {
                    bar.inc(1);
                    if Some(bar.position()) == bar.length() {
                        bar.finish_and_clear();
                    }
                }
            }
            _ => {}
        }
    }
}

/// Prints what the server has said since the last line, at the end of a run.
pub fn print_notices(output: &Output, service: &str, show_service: bool) {
    let prefix = if show_service { format!("{service}: ") } else { String::new() };
    StatusLines::of(output).print_notices(None, &prefix);
}

/// A verb and a text for each message of the server: warnings, and notices with `--verbose`.
fn notice_lines(output: &Output, prefix: &str) -> Vec<(&'static str, String)> {
    let (notices, omitted) = server_notices::take();
    let is_visible = |notice: &ServerNotice| notice.severity == NoticeSeverity::Warning || output.is_verbose();
    let mut lines = Vec::new();
    for notice in notices.into_iter().filter(is_visible) {
        let verb = match notice.severity {
            NoticeSeverity::Warning => "Warning",
            NoticeSeverity::Notice => "Notice",
        };
        lines.push((verb, format!("{prefix}{}: {}", notice.migration, notice.message)));
    }
    if omitted > 0 {
        lines.push(("Warning", format!("{prefix}{} of the server not shown", count_of(omitted, "more message"))));
    }
    lines
}

fn progress_bar(steps: usize) -> ProgressBar {
    let bar = ProgressBar::new(steps as u64).with_prefix("Migrating");
    match ProgressStyle::with_template("{prefix:>12.cyan.bold} [{bar:28}] {pos}/{len} {wide_msg}") {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}

/// Prints status lines without disturbing a progress bar.
struct StatusLines {
    suppressed: bool,
    output: Output,
}

impl StatusLines {
    fn of(output: &Output) -> Self {
        StatusLines { suppressed: output.is_json(), output: output.clone() }
    }

    /// What the server has said since the last line.
    fn print_notices(&self, bar: Option<&ProgressBar>, prefix: &str) {
        if self.suppressed {
            return;
        }
        for line in notice_lines(&self.output, prefix) {
            self.print(bar, line.0, &line.1);
        }
    }

    fn print(&self, bar: Option<&ProgressBar>, verb: &str, text: &str) {
        if self.suppressed {
            return;
        }
        match bar {
            Some(bar) => bar.suspend(|| self.output.status(verb, text)),
            None => self.output.status(verb, text),
        }
    }
}
