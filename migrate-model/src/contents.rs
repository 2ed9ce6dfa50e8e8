//! What a set of migrations holds: the migrations, and what `migrate.toml` says about how they run.

use crate::dialect::Dialect;
use crate::lock_settings::LockSettings;
use crate::migration::Migration;
use crate::policy::Policy;
use crate::settings::HistoryTables;
use std::time::Duration;

/// What a set holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// Under which name the history of these migrations is kept.
    pub service: String,
    /// The SQL they are written in.
    pub dialect: Dialect,
    /// The tables that keep their history.
    pub history: HistoryTables,
    /// What is allowed.
    pub policy: Policy,
    /// How runs are kept apart.
    pub locking: LockSettings,
    /// Statements that every session runs first.
    pub session: Vec<String>,
    /// How long a statement may wait for a lock, where the file says nothing else.
    pub lock_timeout: Option<Duration>,
    /// How long a migration may take, where the file says nothing else.
    pub timeout: Option<Duration>,
    /// In version order, no version twice.
    pub migrations: Vec<Migration>,
}
