//! The settings of a migration set: whose history it is, the SQL dialect, and how the migrations run.

use crate::dialect::Dialect;
use crate::run_settings::RunSettings;
use crate::statement::Reading;

/// The settings of a migration set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetSettings {
    /// The name under which the history is stored.
    pub service: String,
    /// The SQL dialect of the migrations.
    pub dialect: Dialect,
    /// How the migrations run.
    pub run: RunSettings,
}

impl SetSettings {
    /// The default settings.
    pub fn new(service: impl Into<String>, dialect: Dialect) -> Self {
        SetSettings { service: service.into(), dialect, run: RunSettings::default() }
    }

    /// How the texts of the migrations are read.
    pub fn reading(&self) -> Reading<'_> {
        Reading::after(&self.run.session, self.dialect)
    }
}
