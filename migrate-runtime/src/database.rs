//! Creates and drops whole databases.

use crate::backend_error::BackendError;
use crate::codes;
use crate::database_source::require_runtime;
use crate::database_url::DatabaseUrl;
use crate::error::{Error, ErrorKind};

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
