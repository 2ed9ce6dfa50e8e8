//! A service with its migrations and its database, as commands see it.

use crate::failure::CommandError;
use migrate_model::directives::Requirement;
use migrate_model::finding::Finding;
use migrate_model::migration::Migration;
use migrate_runtime::{DatabaseUrl, MigrationKey, SetSettings, SetSummary, SharedSet};
use std::fmt;

/// A service with its migrations and its database.
pub struct Service {
    /// The name of its history.
    pub name: String,
    /// Its migrations, parsed in the dialect of the database.
    pub set: SharedSet,
    /// The database.
    pub url: DatabaseUrl,
    /// The up scripts that are drafts: `Script::file` of each. Empty for an embedded set, which was checked when it was
    /// compiled.
    pub drafts: Vec<String>,
    /// Errors and warnings in down scripts; they do not prevent `up`.
    pub down_findings: Vec<Finding>,
    /// Whether several services are selected, so that each line must name its service.
    pub show_name: bool,
    /// The path of a file as the user knows it: from the current folder.
    pub shown_path: Box<dyn Fn(&str) -> String + Send + Sync>,
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).field("url", &self.url).finish_non_exhaustive()
    }
}

impl Service {
    /// A service with a migration set that was checked before, such as an embedded one.
    pub fn new(set: impl Into<SharedSet>, url: DatabaseUrl) -> Self {
        let set = set.into();
        Service {
            name: set.service().to_owned(),
            set,
            url,
            drafts: Vec::new(),
            down_findings: Vec::new(),
            show_name: false,
            shown_path: Box::new(str::to_owned),
        }
    }
}

impl Service {
    /// Where its history is: services with the same place see what the others have applied. Without a schema in `migrate.toml`,
    /// `search_path` may still separate two of one place; then each finds the other's migrations missing, which prevents a run.
    pub fn history_place(&self) -> String {
        let tables = &self.set.settings().run.history;
        format!("{} {:?} {}", self.url.place(), tables.schema, tables.records)
    }

    /// A finding whose place is shown as the user knows it.
    #[must_use]
    pub fn located(&self, mut finding: Finding) -> Finding {
        if let Some(place) = &mut finding.place {
            place.file = (self.shown_path)(&place.file);
        }
        finding
    }
}

/// A service of which the migrations have not been parsed.
#[derive(Debug)]
pub struct SummarizedService {
    /// The name of its history, the dialect, and how its migrations run.
    pub settings: SetSettings,
    /// The number and the checksums of its migrations.
    pub summary: SetSummary,
    /// The database.
    pub url: DatabaseUrl,
}

/// Where commands get the services that they work on.
pub trait ServiceSource {
    /// The selected services, sorted so that a required service precedes the services that require it.
    ///
    /// # Errors
    /// If a service has no database URL, or if its files contain errors.
    fn services(&self) -> Result<Vec<Service>, CommandError>;

    /// The selected services without parsing their migrations, if that is much faster and no problem is seen. For a command that has
    /// nothing to do if exactly these migrations are applied.
    fn summarized(&self) -> Option<Vec<SummarizedService>> {
        None
    }

    /// A service that is not selected. `None` if it is not known, or left out on purpose.
    ///
    /// # Errors
    /// If it has no database URL, or if its files contain errors.
    fn service(&self, _name: &str) -> Result<Option<Service>, CommandError> {
        Ok(None)
    }

    /// The services that are not selected, and in whose files a migration requires one of these.
    ///
    /// # Errors
    /// As for [`service`](Self::service).
    fn dependent_services(&self, _migrations: &[(String, MigrationKey)]) -> Result<Vec<Service>, CommandError> {
        Ok(Vec::new())
    }

    /// What is wrong with requirements on services that are not selected, for each of these.
    ///
    /// # Errors
    /// If settings cannot be read.
    fn unresolved(&self, references: &[(&Migration, &Requirement)]) -> Result<Vec<Option<Finding>>, CommandError> {
        Ok(vec![None; references.len()])
    }

    /// The names of the selected services, without reading their migrations; empty if only a database is known.
    ///
    /// # Errors
    /// If the selection is not valid.
    fn names(&self) -> Result<Vec<String>, CommandError> {
        Ok(self.services()?.into_iter().map(|service| service.name).collect())
    }

    /// The databases of the selected services, without reading their migrations.
    ///
    /// # Errors
    /// If a service has no database URL.
    fn urls(&self) -> Result<Vec<DatabaseUrl>, CommandError>;
}
