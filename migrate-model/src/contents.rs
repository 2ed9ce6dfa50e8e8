//! The contents of a migration set: the migrations, and the settings in `migrate.toml` that affect how they run.

use crate::dialect::Dialect;
use crate::lock_settings::LockSettings;
use crate::migration::Migration;
use crate::policy::Policy;
use crate::settings::HistoryTables;
use std::time::Duration;

/// The contents of a migration set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// The name under which the history is stored.
    pub service: String,
    /// The SQL dialect of the migrations.
    pub dialect: Dialect,
    /// The names of the history tables.
    pub history: HistoryTables,
    /// How out-of-order migrations are treated.
    pub policy: Policy,
    /// How concurrent runs exclude each other.
    pub locking: LockSettings,
    /// SQL statements that each session executes first.
    pub session: Vec<String>,
    /// How long a statement waits for a table lock, unless its file sets a limit.
    pub lock_timeout: Option<Duration>,
    /// How long a migration may run, unless its file sets a limit.
    pub timeout: Option<Duration>,
    /// In version order, without duplicate versions.
    pub migrations: Vec<Migration>,
}
