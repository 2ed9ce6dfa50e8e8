//! The settings of `migrate.toml` that affect how migrations run: they travel with the set.

use crate::lock_settings::LockSettings;
use crate::policy::Policy;
use std::time::Duration;

/// The settings of `migrate.toml` that affect how migrations run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunSettings {
    /// The names of the history tables.
    pub history: HistoryTables,
    /// Which histories beside it do not prevent a first run: names of other tools, `other-schema`, `other-service`.
    pub ignored_histories: Vec<String>,
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
}

/// The names of the history tables.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryTables {
    /// The schema (MySQL: database) of the tables; the default of the connection if `None`.
    pub schema: Option<String>,
    /// One row for each migration.
    pub records: String,
    /// One row for each service.
    pub versions: String,
    /// One row for each event, such as `applied` and `reverted`.
    pub events: String,
    /// One row for each lease, where the lock is a lease.
    pub locks: String,
}

impl Default for HistoryTables {
    fn default() -> Self {
        HistoryTables {
            schema: None,
            records: "migration_records".into(),
            versions: "schema_versions".into(),
            events: "migration_events".into(),
            locks: "migration_locks".into(),
        }
    }
}
