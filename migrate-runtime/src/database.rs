//! Making and removing whole databases, by URL.

use crate::backend::BackendError;
use crate::backends::url_without_password;
use crate::codes;
use crate::error::{Error, ErrorKind};
use migrate_model::dialect::Dialect;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;

/// Makes the database that a URL names. True if it was made, false if it was there already.
///
/// # Errors
/// When the server cannot be reached, or refuses.
pub async fn create(url: &str) -> Result<bool, Error> {
    change(url, true).await
}

/// Removes the database that a URL names, with everything in it. True if it was removed, false if there was none.
///
/// # Errors
/// When the server cannot be reached, or refuses: PostgreSQL does while others are connected to it.
pub async fn drop(url: &str) -> Result<bool, Error> {
    change(url, false).await
}

fn failed(url: &str, create: bool, error: sqlx::Error) -> Error {
    let verb = if create { "create" } else { "drop" };
    BackendError::of(error).into_connection_error(&format!("cannot {verb} the database of `{}`", url_without_password(url)))
}

fn nameless(url: &str) -> Error {
    let message = format!("`{}` names no database", url_without_password(url));
    Error::new(ErrorKind::Connection, &codes::CONNECTION, message).help("put its name behind the last `/`")
}

async fn change(url: &str, create: bool) -> Result<bool, Error> {
    let outcome = match Dialect::of_url(url) {
        #[cfg(feature = "postgres")]
        Some(Dialect::Postgres) => postgres(url, create).await,
        #[cfg(feature = "mysql")]
        Some(Dialect::MySql) => mysql(url, create).await,
        #[cfg(feature = "sqlite")]
        Some(Dialect::Sqlite) => sqlite(url, create).await,
        _ => return Err(nameless(url).help("use a `postgres:`, `mysql:` or `sqlite:` URL")),
    };
    match outcome {
        Ok(Some(changed)) => Ok(changed),
        Ok(None) => Err(nameless(url)),
        Err(error) => Err(failed(url, create, error)),
    }
}

/// Is it an error that says the database is there already, or is not there?
fn code_is(error: &sqlx::Error, codes: &[&str]) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| codes.contains(&code.as_ref()))
}

#[cfg(feature = "postgres")]
async fn postgres(url: &str, create: bool) -> Result<Option<bool>, sqlx::Error> {
    let options = sqlx::postgres::PgConnectOptions::from_str(url)?;
    let Some(name) = options.get_database().map(str::to_owned) else { return Ok(None) };
    // The maintenance database; one cannot be dropped from within.
    let other = if name == "postgres" { "template1" } else { "postgres" };
    let mut connection = options.database(other).disable_statement_logging().connect().await?;
    let verb = if create { "CREATE" } else { "DROP" };
    let sql = format!("{verb} DATABASE \"{}\"", name.replace('"', "\"\""));
    let outcome = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
    connection.close().await?;
    match outcome {
        Ok(_) => Ok(Some(true)),
        Err(error) if create && code_is(&error, &["42P04"]) => Ok(Some(false)),
        Err(error) if !create && code_is(&error, &["3D000"]) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

#[cfg(feature = "mysql")]
async fn mysql(url: &str, create: bool) -> Result<Option<bool>, sqlx::Error> {
    let url = url.strip_prefix("mariadb:").map_or(url.to_owned(), |rest| format!("mysql:{rest}"));
    let options = sqlx::mysql::MySqlConnectOptions::from_str(&url)?;
    let Some(name) = options.get_database().filter(|name| !name.is_empty()).map(str::to_owned) else {
        return Ok(None);
    };
    let quoted = format!("`{}`", name.replace('`', "``"));
    // The parser keeps no options without a database but those of a URL without one.
    let (base, query) = match url.split_once('?') {
        Some((base, query)) => (base, format!("?{query}")),
        None => (url.as_str(), String::new()),
    };
    let server = base.rsplit_once('/').map_or(base, |(server, _)| server);
    let options = sqlx::mysql::MySqlConnectOptions::from_str(&format!("{server}/{query}"))?;
    let mut connection = options.disable_statement_logging().connect().await?;
    let (sql, known) = match create {
        true => (format!("CREATE DATABASE {quoted}"), 1007),
        false => (format!("DROP DATABASE {quoted}"), 1008),
    };
    let outcome = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
    connection.close().await?;
    let number = |error: &sqlx::Error| {
        let error = error.as_database_error()?.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?;
        Some(error.number())
    };
    match outcome {
        Ok(_) => Ok(Some(true)),
        Err(error) if number(&error) == Some(known) => Ok(Some(false)),
        Err(error) => Err(error),
    }
}

#[cfg(feature = "sqlite")]
async fn sqlite(url: &str, create: bool) -> Result<Option<bool>, sqlx::Error> {
    let options = sqlx::sqlite::SqliteConnectOptions::from_str(url)?;
    let file = options.get_filename().to_owned();
    if file.as_os_str().is_empty() || url.contains(":memory:") {
        return Ok(None);
    }
    let there = file.exists();
    if create {
        options.create_if_missing(true).connect().await?.close().await?;
        return Ok(Some(!there));
    }
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = file.clone().into_os_string();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    Ok(Some(there))
}
