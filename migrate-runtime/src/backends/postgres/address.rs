//! PostgreSQL by URL: connecting, and creating and dropping the database.

use super::{PgConnector, Postgres, connector};
use crate::backend::Backend;
use crate::backends::{Address, OpenOptions, in_time};
use crate::connection::{ConnectionGuard, is_code};
use crate::database_url::DatabaseUrl;
use crate::error::Error;
use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use std::str::FromStr;

/// Parses a URL.
///
/// # Errors
/// When sqlx rejects it.
pub fn parse(url: &str) -> Result<Box<dyn Address>, sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?.disable_statement_logging();
    let mode = tls_mode(options.get_ssl_mode(), names_root_certificate(url));
    Ok(Box::new(PgAddress { options: options.ssl_mode(mode) }))
}

/// Whether the URL or the environment names the certificates of authorities. sqlx does not say.
fn names_root_certificate(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    let is_named = |parameter: &str| {
        let key = parameter.split('=').next().unwrap_or_default().replace("%2D", "-").replace("%2d", "-");
        ["sslrootcert", "ssl-root-cert", "ssl-ca"].contains(&&*key)
    };
    query.split('&').any(is_named) || std::env::var_os("PGSSLROOTCERT").is_some_and(|path| !path.is_empty())
}

/// What libpq means by a mode: `require` with the certificates of authorities verifies the server, as `verify-ca` does
/// (PostgreSQL 15, 34.19.1), and `allow` uses TLS with a server that requires it, which `prefer` of sqlx does and its
/// `allow` does not.
fn tls_mode(mode: PgSslMode, has_root_certificate: bool) -> PgSslMode {
    match mode {
        PgSslMode::Require if has_root_certificate => PgSslMode::VerifyCa,
        PgSslMode::Allow => PgSslMode::Prefer,
        other => other,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn require_with_a_root_certificate_verifies_the_server() {
        for (url, expected) in [
            ("postgres://h/n?sslmode=require", "Require"),
            ("postgres://h/n?sslmode=require&sslrootcert=ca.pem", "VerifyCa"),
            ("postgres://h/n?ssl-ca=ca.pem&sslmode=require", "VerifyCa"),
            ("postgres://h/n?ssl%2Droot-cert=ca.pem&ssl-mode=require#x", "VerifyCa"),
            ("postgres://h/n?sslmode=verify-full&sslrootcert=ca.pem", "VerifyFull"),
            ("postgres://h/n?sslmode=prefer&sslrootcert=ca.pem", "Prefer"),
            ("postgres://h/n?sslmode=disable&sslrootcert=ca.pem", "Disable"),
            ("postgres://h/n?sslmode=allow", "Prefer"),
        ] {
            let address = format!("{:?}", parse(url).unwrap());
            assert!(address.contains(&format!("ssl_mode: {expected},")), "{url}: {address}");
        }
    }
}
