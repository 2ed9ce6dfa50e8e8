//! PostgreSQL by URL: connecting, and creating and dropping the database.

use super::{PgConnector, Postgres, connector};
use crate::backend::Backend;
use crate::backends::{Address, AddressError, Destination, OpenOptions, change_database, in_time, not_connected};
use crate::connection::{ConnectionGuard, is_code};
use crate::connection_parameters::{self, CertificateFiles, Parameter, ParameterRule::*};
use crate::database_source::Driver;
use crate::database_url::DatabaseUrl;
use crate::error::Error;
use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions};
use std::str::FromStr;
use std::sync::Arc;

/// The parameters of libpq and of sqlx. libpq knows further ones, which are unknown here: a service, a file of passwords.
const PARAMETERS: &[Parameter] = &[
    Parameter::new(&["sslmode", "ssl-mode"], OneOf(&["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])),
    Parameter::new(&["sslrootcert", "ssl-root-cert", "ssl-ca"], File),
    Parameter::new(&["sslcert", "ssl-cert"], File),
    Parameter::new(&["sslkey", "ssl-key"], File),
    // For sqlx, the two are one: it cannot connect to an address and verify another name.
    Parameter::new(&["host", "hostaddr"], Honoured),
    Parameter::new(&["port"], Honoured),
    Parameter::new(&["dbname"], Honoured),
    Parameter::new(&["user"], Honoured),
    Parameter::new(&["password"], Honoured),
    Parameter::new(&["search_path", "schema", "currentSchema"], Instead("`options[search_path]=NAME`")),
    Parameter::new(&["application_name"], Honoured),
    Parameter::new(&["options"], Repeated),
    Parameter::new(&["statement-cache-capacity"], Honoured),
    Parameter::new(&["fallback_application_name"], Ignored),
    Parameter::new(&["connect_timeout"], Ignored),
    Parameter::new(&["keepalives"], Ignored),
    Parameter::new(&["keepalives_idle"], Ignored),
    Parameter::new(&["keepalives_interval"], Ignored),
    Parameter::new(&["keepalives_count"], Ignored),
    Parameter::new(&["tcp_user_timeout"], Ignored),
    Parameter::new(&["load_balance_hosts"], Ignored),
    Parameter::new(&["sslcompression"], Ignored),
    // These concern GSSAPI, which sqlx does not use.
    Parameter::new(&["krbsrvname"], Ignored),
    Parameter::new(&["gsslib"], Ignored),
    Parameter::new(&["gssdelegation"], Ignored),
    Parameter::new(&["gssencmode"], IgnoredIf(&["prefer", "disable"], TLS_INSTEAD)),
    Parameter::new(&["channel_binding"], IgnoredIf(&["prefer", "disable"], TLS_INSTEAD)),
    Parameter::new(&["require_auth"], IgnoredIf(&[""], TLS_INSTEAD)),
    Parameter::new(&["requirepeer"], IgnoredIf(&[""], TLS_INSTEAD)),
    Parameter::new(&["sslcrl"], IgnoredIf(&[""], "the driver does not read revocation lists")),
    Parameter::new(&["sslcrldir"], IgnoredIf(&[""], "the driver does not read revocation lists")),
    Parameter::new(&["sslcertmode"], IgnoredIf(&["allow"], "specify the client certificate with `sslcert` and `sslkey`")),
    Parameter::new(&["sslpassword"], IgnoredIf(&[""], "`sslkey` must not be encrypted")),
    Parameter::new(&["sslnegotiation"], IgnoredIf(&["postgres"], "the driver always asks the server for TLS first")),
    Parameter::new(&["sslsni"], IgnoredIf(&["1"], "the driver always sends the host name (SNI)")),
    Parameter::new(&["ssl_min_protocol_version"], IgnoredIf(&[""], "configure the TLS versions on the server")),
    Parameter::new(&["ssl_max_protocol_version"], IgnoredIf(&[""], "configure the TLS versions on the server")),
    Parameter::new(&["ssl"], Instead("`sslmode=require`, or `sslmode=disable`")),
    Parameter::new(&["requiressl"], IgnoredIf(&["", "0"], "use `sslmode=require`")),
    // Migrations fail on a server that is read-only, so that those words say nothing new.
    Parameter::new(
        &["target_session_attrs"],
        IgnoredIf(&["any", "read-write", "primary", "prefer-standby"], "specify the host of the primary"),
    ),
    Parameter::new(&["client_encoding"], IgnoredIf(&["auto", "utf8", "utf-8", "unicode"], "migration files are UTF-8")),
    Parameter::new(&["replication"], IgnoredIf(&["", "false", "off", "no", "0"], "migrations need a normal connection")),
    Parameter::new(&["service"], IgnoredIf(&[], "write the parameters that the service file sets into the URL")),
    Parameter::new(&["passfile"], IgnoredIf(&[""], "set `PGPASSFILE` in the environment")),
];

const TLS_INSTEAD: &str = "to verify the identity of the server, use `sslmode=verify-full` with `sslrootcert`";

/// The variables of libpq that can make a connection safer or change where it leads, and their parameters.
const VARIABLES: &[(&str, &str)] = &[
    ("PGSSLMODE", "sslmode"),
    ("PGREQUIRESSL", "requiressl"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGREQUIREPEER", "requirepeer"),
    ("PGSSLCRL", "sslcrl"),
    ("PGSSLCRLDIR", "sslcrldir"),
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLSNI", "sslsni"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLMAXPROTOCOLVERSION", "ssl_max_protocol_version"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGSERVICE", "service"),
];

/// Parses a URL.
///
/// # Errors
/// When a parameter or a variable of libpq cannot be honoured, or sqlx rejects the URL.
pub fn parse(url: &str) -> Result<Box<dyn Address>, AddressError> {
    Ok(Box::new(address(url, &connection_parameters::environment)?))
}

fn address(url: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<PgAddress, AddressError> {
    let (url, parameters) = connection_parameters::parse(&DatabaseUrl::with_user_as_parameter(url), PARAMETERS)?;
    parameters.check_environment(VARIABLES, PARAMETERS, environment)?;
    let port = environment("PGPORT").filter(|port| !port.is_empty() && url.port().is_none() && parameters.get("port").is_none());
    // sqlx would use another port, and send the password there.
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return Err(AddressError::new("`PGPORT` in the environment is not a valid port number")
            .help("correct or unset `PGPORT`, or write the port into the URL"));
    }
    let files = [("sslrootcert", Some("PGSSLROOTCERT")), ("sslcert", Some("PGSSLCERT")), ("sslkey", Some("PGSSLKEY"))];
    let files = CertificateFiles::of(&parameters, &files, environment);
    let options = PgConnectOptions::from_str(parameters.applied_to(&url).as_str())?.disable_statement_logging();
    // The driver would look up the brackets of an IPv6 address as a part of a name.
    let ip = url.host_str().and_then(connection_parameters::ipv6).filter(|_| parameters.get("host").is_none());
    let options = ip.map_or(options.clone(), |ip| options.host(&ip.to_string()));
    let root_certificate = parameters.get("sslrootcert").map(str::to_owned).or_else(|| environment("PGSSLROOTCERT"));
    if root_certificate.is_some_and(|name| name == "system") {
        // libpq 16 verifies the server with the certificates of the system, whatever the mode; sqlx would read a file.
        return Err(AddressError::new("`sslrootcert=system` is not supported")
            .help("set `sslrootcert` to a file with the certificates of the system, and `sslmode=verify-full`"));
    }
    let has_root_certificate =
        parameters.get("sslrootcert").is_some() || environment("PGSSLROOTCERT").is_some_and(|path| !path.is_empty());
    // sqlx would read a file with an empty name; a text without certificates adds none.
    let options = if has_root_certificate { options } else { options.ssl_root_cert_from_pem(Vec::new()) };
    let mode = tls_mode(options.get_ssl_mode(), has_root_certificate);
    let is_overridden = ["host", "port", "user", "dbname"].into_iter().any(|name| parameters.get(name).is_some());
    let destination = is_overridden.then(|| destination(&options));
    Ok(PgAddress { options: options.ssl_mode(mode), files, destination })
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
    files: CertificateFiles,
    /// Where the connection leads, if parameters override a part of the URL.
    destination: Option<Destination>,
}

fn destination(options: &PgConnectOptions) -> Destination {
    let host = options.get_host();
    // An IPv6 address.
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    Destination {
        user: options.get_username().to_owned(),
        server: options.get_socket().map_or(format!("{host}:{}", options.get_port()), |socket| socket.display().to_string()),
        socket_parameter: "host",
        // Without one, the server opens the database with the name of the user.
        database: options.get_database().unwrap_or_default().to_owned(),
    }
}

impl From<PgConnectOptions> for DatabaseUrl {
    /// The database of these options, for what a URL cannot express.
    fn from(options: PgConnectOptions) -> Self {
        let options = options.disable_statement_logging();
        let destination = destination(&options);
        let address = PgAddress { options, files: CertificateFiles::default(), destination: Some(destination.clone()) };
        DatabaseUrl::of_address("postgres", &destination, Arc::new(address))
    }
}

impl Driver for sqlx::Postgres {
    fn on_pooled<'c>(connection: ConnectionGuard<'c, Self>, options: PgConnectOptions, _: OpenOptions) -> Box<dyn Backend + 'c> {
        Box::new(Postgres::new(connection, PgConnector::Pooled(options)))
    }

    fn on_lent<'c>(connection: ConnectionGuard<'c, Self>, _: OpenOptions) -> Box<dyn Backend + 'c> {
        Box::new(Postgres::new(connection, PgConnector::Lent))
    }
}

#[async_trait]
impl Address for PgAddress {
    fn place(&self) -> String {
        let mut destination = destination(&self.options);
        if destination.database.is_empty() {
            destination.database.clone_from(&destination.user);
        }
        destination.place()
    }

    fn destination(&self) -> Option<Destination> {
        self.destination.clone()
    }

    async fn open(&self, _: OpenOptions, url: &DatabaseUrl) -> Result<Box<dyn Backend>, Error> {
        self.files.check().map_err(|error| not_connected(url, error))?;
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
        self.files.check()?;
        // The maintenance database; one cannot be dropped from within.
        let maintenance = if name == "postgres" { "template1" } else { "postgres" };
        let sql = format!("{verb} DATABASE \"{}\"", name.replace('"', "\"\""));
        let options = self.options.clone().database(maintenance);
        let connecting = async move { connector::open(options).await.map(|(connection, _)| connection) };
        let outcome =
            change_database(connecting, async |connection| sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop))
                .await;
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
            ("postgres://h/n?ssl%2Droot-cert=ca.pem&ssl-mode=require", "VerifyCa"),
            ("postgres://h/n?sslmode=verify-full&sslrootcert=ca.pem", "VerifyFull"),
            ("postgres://h/n?sslmode=prefer&sslrootcert=ca.pem", "Prefer"),
            ("postgres://h/n?sslmode=disable&sslrootcert=ca.pem", "Disable"),
            ("postgres://h/n?sslmode=allow", "Prefer"),
            ("postgres://h/n?sslmode=require&sslrootcert=", "Require"),
        ] {
            let address = format!("{:?}", parse(url).unwrap());
            assert!(address.contains(&format!("ssl_mode: {expected},")), "{url}: {address}");
        }
    }

    #[test]
    fn parameters_are_honoured_or_rejected() {
        for (query, variable, message, help) in [
            ("channel_binding=require", "", "`channel_binding`", "`prefer`, `disable`"),
            ("gssencmode=require", "", "`gssencmode`", "`prefer`, `disable`"),
            ("require_auth=scram-sha-256", "", "`require_auth`", "sslmode=verify-full"),
            ("sslcrl=crl.pem", "", "`sslcrl`", "remove"),
            ("ssl_min_protocol_version=TLSv1.3", "", "`ssl_min_protocol_version`", "remove"),
            ("sslmode=disable&ssl_mode=verify-full", "", "`ssl_mode` is unknown", "`sslmode=WORD`"),
            ("sslmode=disable&ssl-mode=verify-full", "", "more than once", "once"),
            ("sslrootcert=a&ssl-ca=b", "", "more than once", "once"),
            ("sslmode=verify_full", "", "`sslmode` must be one of", "sslmode"),
            ("sslmode=", "", "`sslmode` must be one of `disable`", "sslmode"),
            ("SSLMODE=require", "", "`SSLMODE` is unknown", "`sslmode=WORD`"),
            ("ssl=true", "", "`ssl`", "sslmode=require"),
            ("sslmod=require", "", "`sslmod` is unknown", "did you mean `sslmode`?"),
            ("schema=app", "", "`schema`", "`options[search_path]=NAME`"),
            ("service=x", "", "`service`", "into the URL"),
            ("target_session_attrs=standby", "", "`target_session_attrs`", "`primary`"),
            ("options[x=1", "", "unknown parameter", "`options`"),
            ("sslmode=require#", "", "`#`", "%23"),
            ("", "PGSSLMODE=verify_full", "`PGSSLMODE` must be one of", "environment"),
            ("", "PGSSLMODE=", "`PGSSLMODE` must be one of", "environment"),
            ("", "PGCHANNELBINDING=require", "`PGCHANNELBINDING`", "environment"),
            ("", "PGREQUIRESSL=1", "`PGREQUIRESSL`", "sslmode=require"),
            ("", "PGPORT=5433x", "`PGPORT`", "PGPORT"),
        ] {
            let error = address_of(query, variable).unwrap_err();
            assert!(error.message.contains(message), "{query} {variable}: {error:?}");
            assert!(error.help.iter().any(|text| text.contains(help)), "{query} {variable}: {error:?}");
        }
    }

    #[test]
    fn parameters_that_change_nothing_are_accepted() {
        for (query, variable) in [
            ("application_name=a%40b&connect_timeout=3&keepalives=1&channel_binding=prefer&gssencmode=disable", ""),
            ("target_session_attrs=read-write&client_encoding=UTF8&options=-c%20a.b%3D1&options[c.d]=2", ""),
            ("sslmode=require&ssl-mode=REQUIRE", ""),
            ("sslmode=disable", "PGSSLMODE=bogus"),
            ("port=1", "PGPORT=bogus"),
            ("", "PGCHANNELBINDING=prefer"),
            ("", "PGPORT="),
        ] {
            address_of(query, variable).unwrap();
        }
    }

    #[test]
    fn an_empty_file_name_means_that_no_file_is_set() {
        for (query, variable) in [("sslmode=verify-full", "PGSSLROOTCERT="), ("sslmode=verify-full&sslrootcert=", "")] {
            let address = format!("{:?}", address_of(query, variable).unwrap());
            assert!(address.contains("ssl_root_cert: Some(Inline([]))"), "{query} {variable}: {address}");
        }
    }

    fn address_of(query: &str, variable: &str) -> Result<PgAddress, AddressError> {
        let (name, value) = variable.split_once('=').unwrap_or_default();
        address(&format!("postgres://u:p@h/n?{query}"), &|asked| Some(value.to_owned()).filter(|_| asked == name))
    }
}
