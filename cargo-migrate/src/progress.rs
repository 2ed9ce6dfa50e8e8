//! What is said while migrations run: a bar on a terminal, a line for each elsewhere.

use crate::output::Output;
use indicatif::{ProgressBar, ProgressStyle};
use migrate_model::duration;
use migrate_runtime::{Direction, Event, describe_holder};
use std::sync::{Arc, Mutex};

/// Makes an observer for a run; among several services, each line says whose it is.
pub fn observer(output: &Output, service: &str, among_others: bool) -> impl Fn(&Event<'_>) + Send + Sync + 'static {
    let bar = output.shows_progress().then(|| Arc::new(Mutex::new(None::<ProgressBar>)));
    let lines = Lines::of(output);
    let whose = if among_others { format!("{service}: ") } else { String::new() };
    let service = service.to_owned();
    move |event| {
        let bar = bar.as_ref().and_then(|bar| bar.lock().ok());
        match event {
            Event::Waiting { holder } => {
                let who = holder.map_or("another process".to_owned(), describe_holder);
                lines.say(
                    bar.as_deref().and_then(Option::as_ref),
                    "Waiting",
                    &format!("for the lock of `{service}`, held by {who}"),
                );
            }
            Event::Planned { steps } => {
                if let Some(mut bar) = bar {
                    let style = ProgressStyle::with_template("{prefix:>12.cyan.bold} [{bar:28}] {pos}/{len} {wide_msg}");
                    let new = ProgressBar::new(*steps as u64).with_prefix("Migrating");
                    *bar = Some(match style {
                        Ok(style) => new.with_style(style.progress_chars("=> ")),
                        Err(_) => new,
                    });
                }
            }
            Event::Started { title, .. } => {
                if let Some(bar) = bar.as_deref().and_then(Option::as_ref) {
                    bar.set_message(format!("{whose}{title}"));
                }
            }
            Event::Blocked { title, blockers, tries, pause } => {
                let bar = bar.as_deref().and_then(Option::as_ref);
                let again = format!(
                    "{whose}{title} did not get its lock; trying again in {} (try {} of 10)",
                    duration::show(*pause),
                    tries + 1
                );
                lines.say(bar, "Blocked", &again);
                for blocker in *blockers {
                    lines.say(bar, "by", &describe_holder(blocker));
                }
            }
            Event::Finished { title, direction, took } => {
                let verb = match direction {
                    Direction::Up => "Applied",
                    Direction::Down => "Reverted",
                };
                let bar = bar.as_deref().and_then(Option::as_ref);
                lines.say(bar, verb, &format!("{whose}{title} ({})", duration::show(*took)));
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

/// Lines that do not tear a bar apart.
struct Lines {
    silent: bool,
    plain: Output,
}

impl Lines {
    fn of(output: &Output) -> Self {
        Lines { silent: output.is_json(), plain: output.clone() }
    }

    fn say(&self, bar: Option<&ProgressBar>, verb: &str, text: &str) {
        if self.silent {
            return;
        }
        match bar {
            Some(bar) => bar.suspend(|| self.plain.status(verb, text)),
            None => self.plain.status(verb, text),
        }
    }
}
