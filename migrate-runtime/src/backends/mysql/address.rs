//! MySQL and MariaDB by URL: connecting, and creating and dropping the database.

use super::{MySql, error_number};
use crate::backend::Backend;
use crate::backends::{Address, AddressError, Destination, OpenOptions, change_database, in_time, not_connected};
use crate::connection::ConnectionGuard;
use crate::connection_parameters::{self, CertificateFiles, Parameter, ParameterRule::*};
use crate::database_source::Driver;
use crate::database_url::DatabaseUrl;
use crate::error::Error;
use async_trait::async_trait;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};
use std::str::FromStr;
use std::sync::Arc;

/// The parameters of sqlx, and spellings of other clients.
const PARAMETERS: &[Parameter] = &[
    Parameter::new(&["ssl-mode", "sslmode"], OneOf(&["DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"])),
    Parameter::new(&["ssl-ca", "sslca"], File),
    Parameter::new(&["ssl-cert", "sslcert"], File),
    Parameter::new(&["ssl-key", "sslkey"], File),
    Parameter::new(&["socket"], Honoured),
    Parameter::new(&["charset"], Honoured),
    Parameter::new(&["collation"], Honoured),
    Parameter::new(&["statement-cache-capacity"], Honoured),
    // Scripts find the time zone of the server.
    Parameter::new(&["timezone", "time-zone"], Ignored),
    Parameter::new(&["connect-timeout", "connect_timeout", "connectTimeout"], Ignored),
    Parameter::new(&["ssl-crl", "ssl-crlpath"], IgnoredIf(&[""], "the driver does not read revocation lists")),
    Parameter::new(&["ssl"], Instead(TLS_INSTEAD)),
    Parameter::new(&["tls"], Instead(TLS_INSTEAD)),
    Parameter::new(&["useSSL"], Instead(TLS_INSTEAD)),
    Parameter::new(&["requireSSL"], Instead(TLS_INSTEAD)),
    Parameter::new(&["verifyServerCertificate"], Instead("`ssl-mode=VERIFY_IDENTITY`")),
    Parameter::new(&["ssl-verify-server-cert"], Instead("`ssl-mode=VERIFY_IDENTITY`")),
];

const TLS_INSTEAD: &str = "`ssl-mode=REQUIRED`, or `ssl-mode=DISABLED`";

/// Parses a URL with the scheme `mysql` or `mariadb`.
///
/// # Errors
/// When a parameter cannot be honoured, or sqlx rejects the URL.
pub fn parse(url: &str) -> Result<Box<dyn Address>, AddressError> {
    let rest = url.split_once(':').map_or(url, |(_, rest)| rest);
    let (url, parameters) = connection_parameters::parse(&format!("mysql:{rest}"), PARAMETERS)?;
    let files = [("ssl-ca", None), ("ssl-cert", None), ("ssl-key", None)];
    let url = parameters.applied_to(&url);
    // The parser keeps no options without a database but those of a URL without one.
    let mut server = url.clone();
    server.set_path("");
    // As in the clients of the server.
    let implies_verification = parameters.get("ssl-ca").is_some() && parameters.get("ssl-mode").is_none();
    // The driver would look up the brackets of an IPv6 address as a part of a name.
    let ip = server.host_str().and_then(connection_parameters::ipv6).map(|ip| ip.to_string());
    let options = |url: &str| {
        let options = MySqlConnectOptions::from_str(url).map(with_settings_of_server);
        let options = options.map(|options| ip.iter().fold(options, |options, ip| options.host(ip)));
        options.map(|options| if implies_verification { options.ssl_mode(MySqlSslMode::VerifyCa) } else { options })
    };
    Ok(Box::new(MySqlAddress {
        options: options(url.as_str())?,
        server_options: options(server.as_str())?,
        files: CertificateFiles::of(&parameters, &files, &|_| None),
    }))
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
    files: CertificateFiles,
}

fn destination(options: &MySqlConnectOptions) -> Destination {
    let host = options.get_host();
    // An IPv6 address.
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    Destination {
        user: options.get_username().to_owned(),
        server: options.get_socket().map_or(format!("{host}:{}", options.get_port()), |socket| socket.display().to_string()),
        socket_parameter: "socket",
        // Without one, no database is selected.
        database: options.get_database().unwrap_or_default().to_owned(),
    }
}

impl From<MySqlConnectOptions> for DatabaseUrl {
    /// The database of these options, for what a URL cannot express.
    fn from(options: MySqlConnectOptions) -> Self {
        let options = with_settings_of_server(options);
        let destination = destination(&options);
        // Each user may use this database; the one of the options need not exist.
        let server_options = options.clone().database("information_schema");
        let address = MySqlAddress { options, server_options, files: CertificateFiles::default() };
        DatabaseUrl::of_address("mysql", &destination, Arc::new(address))
    }
}

impl Driver for sqlx::MySql {
    fn on_pooled<'c>(
        connection: ConnectionGuard<'c, Self>,
        options: MySqlConnectOptions,
        _: OpenOptions,
    ) -> Box<dyn Backend + 'c> {
        Box::new(MySql::new(connection, Some(options)))
    }

    fn on_lent<'c>(connection: ConnectionGuard<'c, Self>, _: OpenOptions) -> Box<dyn Backend + 'c> {
        Box::new(MySql::new(connection, None))
    }
}

#[async_trait]
impl Address for MySqlAddress {
    fn place(&self) -> String {
        destination(&self.options).place()
    }

    fn destination(&self) -> Option<Destination> {
        self.options.get_socket().map(|_| destination(&self.options))
    }

    async fn open(&self, _: OpenOptions, url: &DatabaseUrl) -> Result<Box<dyn Backend>, Error> {
        self.files.check().map_err(|error| not_connected(url, error))?;
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
        self.files.check()?;
        let sql = format!("{verb} DATABASE `{name}`");
        let connecting = self.server_options.connect();
        let outcome =
            change_database(connecting, async |connection| sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop))
                .await;
        match outcome {
            Ok(_) => Ok(Some(true)),
            Err(error) if error_number(&error) == Some(unchanged) => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_honoured_or_rejected() {
        for (query, message, help) in [
            ("sslMode=REQUIRED", "`sslMode` is unknown", "`ssl-mode=WORD`"),
            ("SSL-MODE=REQUIRED", "`SSL-MODE` is unknown", "`ssl-mode=WORD`"),
            ("ssl=true", "`ssl`", "ssl-mode=REQUIRED"),
            ("tls=true", "`tls`", "ssl-mode=REQUIRED"),
            ("useSSL=true", "`useSSL`", "ssl-mode=REQUIRED"),
            ("usessl=true", "`usessl`", "ssl-mode=REQUIRED"),
            ("ssl-mode=verify-full", "`ssl-mode` must be one of", "ssl-mode"),
            ("ssl-mode=DISABLED&sslmode=REQUIRED", "more than once", "once"),
            ("ssl-crl=x", "`ssl-crl`", "remove"),
            ("ssl-mod=REQUIRED", "`ssl-mod` is unknown", "did you mean `ssl-mode`?"),
            ("password=x", "`password` is unknown", "`socket`"),
        ] {
            let error = parse(&format!("mysql://u:p@h/n?{query}")).unwrap_err();
            assert!(error.message.contains(message), "{query}: {error:?}");
            assert!(error.help.iter().any(|text| text.contains(help)), "{query}: {error:?}");
        }
    }

    #[test]
    fn an_authority_implies_verification() {
        for (query, mode, database) in [
            ("ssl-ca=ca.pem", "VerifyCa", "n"),
            ("ssl-ca=", "Preferred", "n"),
            ("ssl-ca=ca.pem&ssl-mode=required", "Required", "n"),
            ("charset=utf8mb4&timezone=%2B00:00&connect_timeout=3", "Preferred", "n"),
            ("", "Preferred", ""),
        ] {
            let address = format!("{:?}", parse(&format!("mariadb://u:p@h/{database}?{query}")).unwrap());
            assert_eq!(address.matches(&format!("ssl_mode: {mode},")).count(), 2, "{query}: {address}");
        }
    }
}
