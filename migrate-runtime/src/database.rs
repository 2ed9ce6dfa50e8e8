//! Creates and drops whole databases.

use crate::backend::ConnectionState;
use crate::backend_error::BackendError;
use crate::backends::OpenOptions;
use crate::codes;
use crate::database_source::require_runtime;
use crate::database_url::DatabaseUrl;
use crate::error::{Error, ErrorKind};
use crate::first_run;
use crate::history_sql::HistorySql;
use crate::stop_signal::StopSignal;
use migrate_model::run_settings::HistoryTables;
use std::time::Duration;

/// A service, or another migration tool, that has recorded migrations in a database.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resident {
    /// The service or the tool.
    pub name: String,
    /// The table in which it has recorded them.
    pub table: String,
    /// How many migrations are applied; `None` if this user may not read the table.
    pub applied: Option<usize>,
}

/// The services and other migration tools that have recorded migrations in the database that a URL names, in any schema. Empty if the
/// database does not exist.
///
/// # Errors
/// When the server cannot be reached, or its catalog cannot be read.
pub async fn residents(url: &DatabaseUrl) -> Result<Vec<Resident>, Error> {
    require_runtime()?;
    let options = OpenOptions { create: false, max_wait: Duration::from_secs(5), stop: StopSignal::new() };
    let mut backend = match url.address().open(options, url).await {
        Ok(backend) => backend,
        Err(error) if error.is_missing_database() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let history_sql = HistorySql::new(backend.history_dialect(), "cargo-migrate", &HistoryTables::default())?;
    let residents = first_run::residents(&mut *backend, &history_sql).await;
    backend.release(ConnectionState::Clean).await;
    residents
}

/// Creates the database that a URL names. True if it was created, false if it exists.
///
/// # Errors
/// When the server cannot be reached, or refuses; when the URL names no database.
pub async fn create(url: &DatabaseUrl) -> Result<bool, Error> {
    require_runtime()?;
    changed(url, "create", url.address().create_database().await)
}

/// Drops the database that a URL names, with everything in it. True if it was dropped, false if it does not exist.
///
/// # Errors
/// When the server cannot be reached, or refuses: PostgreSQL does while others are connected to it. When the URL names no
/// database.
pub async fn drop(url: &DatabaseUrl) -> Result<bool, Error> {
    require_runtime()?;
    changed(url, "drop", url.address().drop_database().await)
}

fn changed(url: &DatabaseUrl, verb: &str, outcome: Result<Option<bool>, sqlx::Error>) -> Result<bool, Error> {
    match outcome {
        Ok(Some(changed)) => Ok(changed),
        Ok(None) => {
            let message = format!("`{url}` contains no database name");
            Err(Error::new(ErrorKind::Setting, &codes::CONNECTION, message).help("append the database name after the last `/`"))
        }
        Err(error) => Err(BackendError::of(error).into_connection_error(&format!("cannot {verb} the database of `{url}`"))),
    }
}
