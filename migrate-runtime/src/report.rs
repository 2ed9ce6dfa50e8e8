//! The result of a successful run.

use crate::error::Error;
use migrate_model::divergence::Divergence;
use migrate_model::key::MigrationKey;
use migrate_model::target::Direction;
use std::time::Duration;

/// A migration that this run applied or reverted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CompletedMigration {
    /// The version or, for a repeatable migration, its name.
    pub key: MigrationKey,
    /// The file name; without a file, version and name.
    pub title: String,
    /// `Up` if it was applied, `Down` if it was reverted.
    pub direction: Direction,
    /// The duration, including gates and retries; of an applied migration, the one that the history records.
    pub took: Duration,
    /// Whether the SQL is the stored copy in the history, instead of a local file.
    pub from_history: bool,
}

/// The outcome of a successful run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunReport {
    /// The migrations, in the order in which they ran. Empty if none was pending, or another process has applied them.
    pub done: Vec<CompletedMigration>,
    /// Mismatches between files and history that do not prevent a run.
    pub warnings: Vec<Divergence>,
}

impl RunReport {
    /// Adds to an error what this run has done before, for a command that consists of several runs, such as `redo`.
    #[must_use]
    pub fn add_to(&self, error: Error) -> Error {
        if self.done.is_empty() { error } else { error.note(self.done_label(), self.done_text()) }
    }

    /// For the note of an error: what was done.
    fn done_label(&self) -> &'static str {
        let of = |direction| !self.done.is_empty() && self.done.iter().all(|done| done.direction == direction);
        if of(Direction::Up) {
            "applied earlier in this run"
        } else if of(Direction::Down) {
            "reverted earlier in this run"
        } else {
            "applied and reverted earlier in this run"
        }
    }

    /// For the note of an error: how many migrations, and which.
    fn done_text(&self) -> String {
        match self.done.as_slice() {
            [] => "none".to_owned(),
            [only] => format!("`{}`", only.title),
            [first, .., last] => format!("{} migrations, `{}` to `{}`", self.done.len(), first.title, last.title),
        }
    }
}
