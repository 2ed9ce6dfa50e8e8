//! PostgreSQL by URL: connecting, and creating and dropping the database.

use super::{PgConnector, Postgres, connector};
use crate::backend::Backend;
use crate::backends::{Address, OpenOptions, in_time};
use crate::connection::{ConnectionGuard, is_code};
use crate::database_url::DatabaseUrl;
use crate::error::Error;
use async_trait::async_trait;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;

/// Parses a URL.
///
/// # Errors
/// When sqlx rejects it.
pub fn parse(url: &str) -> Result<Box<dyn Address>, sqlx::Error> {
    Ok(Box::new(PgAddress { options: PgConnectOptions::from_str(url)?.disable_statement_logging() }))
}

#[derive(Debug)]
struct PgAddress {
    options: PgConnectOptions,
}

#[async_trait]
impl Address for PgAddress {
    async fn open(&self, _: OpenOptions, url: &DatabaseUrl) -> Result<Box<dyn Backend>, Error> {
        let (connection, connector): (_, PgConnector) = in_time(url, connector::open(self.options.clone())).await?;
        Ok(Box::new(Postgres::new(ConnectionGuard::owned(connection), connector)))
    }

    async fn create_database(&self) -> Result<Option<bool>, sqlx::Error> {
        // duplicate_database
        self.change("CREATE", "42P04").await
    }

    async fn drop_database(&self) -> Result<Option<bool>, sqlx::Error> {
        // invalid_catalog_name
        self.change("DROP", "3D000").await
    }
}

impl PgAddress {
    /// False if the server answers with the code that there is nothing to change.
    async fn change(&self, verb: &str, unchanged: &str) -> Result<Option<bool>, sqlx::Error> {
        let Some(name) = self.options.get_database().map(str::to_owned) else { return Ok(None) };
        // The maintenance database; one cannot be dropped from within.
        let maintenance = if name == "postgres" { "template1" } else { "postgres" };
        let (mut connection, _) = connector::open(self.options.clone().database(maintenance)).await?;
        let sql = format!("{verb} DATABASE \"{}\"", name.replace('"', "\"\""));
        let outcome = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await;
        connection.close().await?;
        match outcome {
            Ok(_) => Ok(Some(true)),
            Err(error) if is_code(&error, unchanged) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }
}
