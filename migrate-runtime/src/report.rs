//! What a run did.

use migrate_model::divergence::Divergence;
use migrate_model::key::MigrationKey;
use migrate_model::target::Direction;
use std::time::Duration;

/// One migration that was applied or reverted.
#[derive(Debug, Clone)]
pub struct CompletedMigration {
    /// Its version.
    pub key: MigrationKey,
    /// What people call it.
    pub title: String,
    /// Up or down.
    pub direction: Direction,
    /// How long it took.
    pub took: Duration,
    /// Did its SQL come from the history rather than from the files?
    pub from_history: bool,
}

/// The outcome of a run that did not fail.
#[derive(Debug, Clone, Default)]
pub struct RunReport {
    /// What this run did, in order. Empty when there was nothing to do, or another process did it meanwhile.
    pub done: Vec<CompletedMigration>,
    /// Disagreements of files and history that hold nothing up.
    pub warnings: Vec<Divergence>,
}
