//! The contents of a migration set: the migrations, and the settings that affect how they run.

use crate::dialect::Dialect;
use crate::migration::Migration;
use crate::run_settings::RunSettings;
use crate::statement::Reading;

/// The contents of a migration set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// The name under which the history is stored.
    pub service: String,
    /// The SQL dialect of the migrations.
    pub dialect: Dialect,
    /// How they run.
    pub run: RunSettings,
    /// In version order, without duplicate versions.
    pub migrations: Vec<Migration>,
}

impl Contents {
    /// Migrations that run with the default settings. [`MigrationSet::new`](crate::migration_set::MigrationSet::new) sorts them.
    pub fn new(service: impl Into<String>, dialect: Dialect, migrations: Vec<Migration>) -> Self {
        Contents { service: service.into(), dialect, run: RunSettings::default(), migrations }
    }

    /// How the texts of the migrations are read.
    pub fn reading(&self) -> Reading<'_> {
        Reading::after(&self.run.session, self.dialect)
    }
}
