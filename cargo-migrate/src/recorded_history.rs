//! What the database has recorded, for commands that work on files and can do without it.

use crate::command::Context;
use crate::database_url;
use crate::harmless_session;
use crate::loaded_project;
use migrate_cli::CommandError;
use migrate_model::dialect::Dialect;
use migrate_model::files::project::Project;
use migrate_runtime::{ErrorKind, History, Migrator, Version};
use std::time::Duration;

/// How long to wait for the database. Without an answer, the files alone decide.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// The records of a database.
pub struct DatabaseRecords(History);

impl DatabaseRecords {
    /// The highest version.
    pub fn latest_version(&self) -> Option<Version> {
        self.0.records().iter().filter_map(|record| record.key.version().cloned()).max()
    }

    /// Is there a record with this version and name?
    pub fn contains(&self, version: &Version, name: &str) -> bool {
        self.0.records().iter().any(|record| record.key.version() == Some(version) && record.name == name)
    }
}

/// The history, for a command that cannot do without it; empty if the database does not exist yet.
///
/// # Errors
/// If no database is configured, or it cannot be reached.
pub async fn required(context: &Context<'_>, project: &Project) -> Result<DatabaseRecords, CommandError> {
    let dialect = loaded_project::dialect_without_database(context, project)?;
    let url = database_url::of(context, project)?;
    match migrator(project, dialect).status(&url).await {
        Ok(status) => Ok(DatabaseRecords(status.history().clone())),
        Err(error) if error.kind() == ErrorKind::NoDatabase => Ok(DatabaseRecords(History::default())),
        Err(error) => Err(error.into()),
    }
}

fn migrator(project: &Project, dialect: Dialect) -> Migrator {
    Migrator::new(harmless_session::of(project, dialect).read(dialect).set)
}

/// The history, if a database is configured and can be asked quickly.
pub async fn read(context: &Context<'_>, project: &Project) -> Option<DatabaseRecords> {
    let dialect = loaded_project::dialect_without_database(context, project).ok()?;
    let url = database_url::of(context, project).ok()?;
    let status = tokio::time::timeout(MAX_WAIT, migrator(project, dialect).status(&url)).await.ok()?;
    match status {
        Ok(status) => Some(DatabaseRecords(status.history().clone())),
        Err(error) => {
            context.output.verbose(format!("cannot query `{url}` for recorded versions: {}", error.message()));
            None
        }
    }
}
