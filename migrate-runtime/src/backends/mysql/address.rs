//! MySQL and MariaDB by URL: connecting, and creating and dropping the database.

use super::MySql;
use crate::backend::Backend;
use crate::backends::{Address, OpenOptions, in_time};
use crate::connection::ConnectionGuard;
use crate::database_url::DatabaseUrl;
use crate::error::Error;
use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlDatabaseError};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;

/// Parses a URL with the scheme `mysql` or `mariadb`.
///
/// # Errors
/// When sqlx rejects it.
pub fn parse(url: &str) -> Result<Box<dyn Address>, sqlx::Error> {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    // The parser keeps no options without a database but those of a URL without one.
    let (base, query) = rest.split_once('?').map_or((rest, None), |(base, query)| (base, Some(query)));
    let server = base.rsplit_once('/').map_or(base, |(server, _)| server);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Ok(Box::new(MySqlAddress {
        options: options(&format!("mysql:{rest}"))?,
        server_options: options(&format!("mysql:{server}/{query}"))?,
    }))
}

fn options(url: &str) -> Result<MySqlConnectOptions, sqlx::Error> {
    MySqlConnectOptions::from_str(url).map(with_settings_of_server)
}

/// sqlx changes some settings of a new session for its own queries; scripts are to find the server's.
pub fn with_settings_of_server(options: MySqlConnectOptions) -> MySqlConnectOptions {
    options.pipes_as_concat(false).no_engine_substitution(false).timezone(None).disable_statement_logging()
}

#[derive(Debug)]
struct MySqlAddress {
    options: MySqlConnectOptions,
    /// Without the database.
    server_options: MySqlConnectOptions,
}

#[async_trait]
impl Address for MySqlAddress {
    async fn open(&self, _: OpenOptions, url: &DatabaseUrl) -> Result<Box<dyn Backend>, Error> {
        let connection = in_time(url, self.options.connect()).await?;
        Ok(Box::new(MySql::new(ConnectionGuard::owned(connection), Some(self.options.clone()))))
    }

    async fn create_database(&self) -> Result<Option<bool>, sqlx::Error> {
        // ER_DB_CREATE_EXISTS
        self.change("CREATE", 1007).await
    }

    async fn drop_database(&self) -> Result<Option<bool>, sqlx::Error> {
        // ER_DB_DROP_EXISTS
        self.change("DROP", 1008).await
    }
}

impl MySqlAddress {
    /// False if the server answers with the number that there is nothing to change.
    async fn change(&self, verb: &str, unchanged: u16) -> Result<Option<bool>, sqlx::Error> {
        let name = self.options.get_database().filter(|name| !name.is_empty());
        let Some(name) = name.map(|name| name.replace('`', "``")) else { return Ok(None) };
        let mut connection = self.server_options.connect().await?;
        let outcome = sqlx::raw_sql(AssertSqlSafe(format!("{verb} DATABASE `{name}`"))).execute(&mut connection).await;
        connection.close().await?;
        let number = |error: &sqlx::Error| {
            let error = error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>()?;
            Some(error.number())
        };
        match outcome {
            Ok(_) => Ok(Some(true)),
            Err(error) if number(&error) == Some(unchanged) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }
}
