//! SQLite by URL: opening, and creating and removing the file.

use super::Sqlite;
use crate::backend::Backend;
use crate::backends::{Address, OpenOptions, not_connected};
use crate::codes;
use crate::connection::ConnectionGuard;
use crate::database_url::DatabaseUrl;
use crate::error::{Error, ErrorKind};
use async_trait::async_trait;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::str::FromStr;
use std::time::Duration;

/// Parses a URL.
///
/// # Errors
/// When sqlx rejects it.
pub fn parse(url: &str) -> Result<Box<dyn Address>, sqlx::Error> {
    let options = SqliteConnectOptions::from_str(url)?.disable_statement_logging();
    let in_memory = options.get_filename().as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory");
    Ok(Box::new(SqliteAddress { options, in_memory }))
}

#[derive(Debug)]
struct SqliteAddress {
    options: SqliteConnectOptions,
    in_memory: bool,
}

#[async_trait]
impl Address for SqliteAddress {
    async fn open(&self, open: OpenOptions, url: &DatabaseUrl) -> Result<Box<dyn Backend>, Error> {
        let file = self.options.get_filename();
        if !open.create && !self.in_memory && !file.exists() {
            let message = format!("database file `{}` does not exist", file.display());
            return Err(Error::new(ErrorKind::NoDatabase, &codes::CONNECTION, message)
                .help("`cargo migrate up` creates it, and so does `cargo migrate db create`"));
        }
        // Waiting is done here, where it can be reported and ended.
        let options = self.options.clone().busy_timeout(open.max_wait.min(Duration::from_millis(100)));
        let connection = options.create_if_missing(open.create).connect().await;
        let connection = connection.map_err(|error| not_connected(url, error))?;
        Ok(Box::new(Sqlite::new(ConnectionGuard::owned(connection), open.max_wait)))
    }

    async fn create_database(&self) -> Result<Option<bool>, sqlx::Error> {
        if self.in_memory {
            return Ok(None);
        }
        let existed = self.options.get_filename().exists();
        self.options.clone().create_if_missing(true).connect().await?.close().await?;
        Ok(Some(!existed))
    }

    async fn drop_database(&self) -> Result<Option<bool>, sqlx::Error> {
        if self.in_memory {
            return Ok(None);
        }
        let file = self.options.get_filename();
        let existed = file.exists();
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            match std::fs::remove_file(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Some(existed))
    }

    fn connection_help(&self, code: &str) -> Option<&'static str> {
        match code {
            // SQLITE_READONLY, SQLITE_CANTOPEN
            "8" | "14" => Some("check that the file and its folder exist and are writable"),
            _ => None,
        }
    }

    fn is_in_memory(&self) -> bool {
        self.in_memory
    }
}
