//! The result of a successful run.

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
    /// The duration, including gates and retries.
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
