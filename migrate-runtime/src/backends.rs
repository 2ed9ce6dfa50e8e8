//! The list of databases, and how each is reached.

#[cfg(test)]
pub mod fake;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::codes;
use crate::connection::{ConnectionGuard, without_panic};
use crate::database_url::DatabaseUrl;
use crate::error::{Error, ErrorKind};
use crate::stop_signal::StopSignal;
use async_trait::async_trait;
use futures_util::future::BoxFuture;
use migrate_model::dialect::Dialect;
use std::fmt;
use std::future::Future;
use std::time::{Duration, Instant};

/// Parses the URL of a database.
pub type ParseUrl = fn(&str) -> Result<Box<dyn Address>, AddressError>;

/// Why a URL is rejected. Contains no value of the URL.
#[derive(Debug)]
pub struct AddressError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Vec<String>,
}

impl AddressError {
    /// An error without help.
    pub fn new(message: impl Into<String>) -> Self {
        AddressError { message: message.into(), help: Vec::new() }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

impl From<sqlx::Error> for AddressError {
    fn from(error: sqlx::Error) -> Self {
        AddressError::new(error.to_string())
    }
}

/// A database that can be reached by URL.
pub struct BackendEntry {
    /// The schemes of its URLs; the first is the usual one.
    pub schemes: &'static [&'static str],
    /// The SQL that it reads.
    pub dialect: Dialect,
    /// Whether `//` must follow the scheme.
    pub needs_authority: bool,
    /// Parses a URL; `None` when this crate was built without the database.
    pub parse: Option<ParseUrl>,
}

/// All databases. Two of them may read the same dialect.
static BACKENDS: &[BackendEntry] = &[
    BackendEntry {
        schemes: &["postgres", "postgresql"],
        dialect: Dialect::Postgres,
        needs_authority: true,
        #[cfg(feature = "postgres")]
        parse: Some(postgres::address::parse),
        #[cfg(not(feature = "postgres"))]
        parse: None,
    },
    BackendEntry {
        schemes: &["mysql", "mariadb"],
        dialect: Dialect::MySql,
        needs_authority: true,
        #[cfg(feature = "mysql")]
        parse: Some(mysql::address::parse),
        #[cfg(not(feature = "mysql"))]
        parse: None,
    },
    BackendEntry {
        schemes: &["sqlite"],
        dialect: Dialect::Sqlite,
        needs_authority: false,
        #[cfg(feature = "sqlite")]
        parse: Some(sqlite::address::parse),
        #[cfg(not(feature = "sqlite"))]
        parse: None,
    },
];

/// The SQL of the history of PostgreSQL, MySQL and SQLite.
#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
pub fn dialects() -> [&'static crate::history_sql::HistoryDialect; 3] {
    [&postgres::history_dialect::DIALECT, &mysql::history_dialect::DIALECT, &sqlite::history_dialect::DIALECT]
}

/// The database of a scheme, and the scheme.
pub fn of_scheme(scheme: &str) -> Option<(&'static str, &'static BackendEntry)> {
    let schemes = BACKENDS.iter().flat_map(|entry| entry.schemes.iter().map(move |scheme| (*scheme, entry)));
    schemes.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme))
}

/// All schemes.
pub fn schemes() -> impl Iterator<Item = &'static str> {
    BACKENDS.iter().flat_map(|entry| entry.schemes.iter().copied())
}

/// A URL as its database parsed it: how to connect, and what to do with the database as a whole.
#[async_trait]
pub trait Address: fmt::Debug + Send + Sync {
    /// Opens a connection.
    async fn open(&self, options: OpenOptions, url: &DatabaseUrl) -> Result<Box<dyn Backend>, Error>;

    /// Creates the database. `None` if the URL names none; false if it exists.
    async fn create_database(&self) -> Result<Option<bool>, sqlx::Error>;

    /// Drops the database. `None` if the URL names none; false if it does not exist.
    async fn drop_database(&self) -> Result<Option<bool>, sqlx::Error>;

    /// What to do when the database rejects the connection with this code.
    fn connection_help(&self, code: &str) -> Option<&'static str> {
        sqlstate_help(code)
    }

    /// Whether the database is gone with its connection.
    fn is_in_memory(&self) -> bool {
        false
    }

    /// Which database it is, independent of the user: host, port and name, or the file.
    fn place(&self) -> String;

    /// Where the connection leads, if parameters of the URL override its host, port, user or database.
    fn destination(&self) -> Option<Destination> {
        None
    }
}

/// Where a connection leads.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The user.
    pub user: String,
    /// The host with the port, or the path of a socket, which contains a `/`.
    pub server: String,
    /// The parameter of a URL that names a socket.
    pub socket_parameter: &'static str,
    /// The database; empty if the server chooses it.
    pub database: String,
}

impl Destination {
    /// Which database it is, independent of the user. The names of this machine count as one.
    pub fn place(&self) -> String {
        let server = self.server.to_ascii_lowercase();
        let server = match server.rsplit_once(':') {
            Some(("localhost" | "127.0.0.1" | "[::1]", port)) => format!("localhost:{port}"),
            _ => server,
        };
        format!("{server}/{}", self.database)
    }
}

/// How a database is to be reached.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// Whether a SQLite file that does not exist is created.
    pub create: bool,
    /// How long SQLite waits for other writers.
    pub max_wait: Duration,
    /// Ends the waiting.
    pub stop: StopSignal,
}

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Connects; a server that accepts and never answers must not delay a start for ever.
async fn in_time<T>(url: &DatabaseUrl, connecting: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(CONNECT_TIMEOUT, without_panic(connecting)).await {
        Ok(connected) => connected.map_err(|error| not_connected(url, error)),
        Err(_) => {
            let message = format!("cannot connect to `{url}`: no answer within {} s", CONNECT_TIMEOUT.as_secs());
            Err(Error::new(ErrorKind::Connection, &codes::CONNECTION, message)
                .help("check the host and port; a program that is not a database server of this type may listen on this port"))
        }
    }
}

/// Opens another connection of a run, with the same limit.
async fn connect_in_time<T>(connecting: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    within(CONNECT_TIMEOUT, connecting).await
}

/// How long to wait until a server has freed the place of a closed connection.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a connection that replaces another one. If the server allows no further connection, the other one is closed first.
async fn connect_instead<DB: sqlx::Database, T>(
    replaced: &mut ConnectionGuard<'_, DB>,
    open: impl Fn() -> BoxFuture<'static, Result<T, sqlx::Error>>,
    is_full: fn(&sqlx::Error) -> bool,
) -> Result<T, sqlx::Error> {
    let mut opened = connect_in_time(open()).await;
    if opened.as_ref().is_err_and(is_full) {
        replaced.close().await;
        let since = Instant::now();
        while opened.as_ref().is_err_and(is_full) && since.elapsed() < ROOM_TIMEOUT {
            tokio::time::sleep(Duration::from_millis(20)).await;
            opened = connect_in_time(open()).await;
        }
    }
    opened
}

/// How long a server may take to create or drop a database.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a server may take to end a session.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Creates or drops a database over a connection that is opened for this.
async fn change_database<C: sqlx::Connection, T>(
    connecting: impl Future<Output = Result<C, sqlx::Error>>,
    change: impl AsyncFnOnce(&mut C) -> Result<T, sqlx::Error>,
) -> Result<T, sqlx::Error> {
    let mut connection = connect_in_time(connecting).await?;
    let outcome = within(CHANGE_TIMEOUT, change(&mut connection)).await;
    // What the server has done stays done, even if it does not end the session properly.
    within(CLOSE_TIMEOUT, connection.close()).await.ok();
    outcome
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    let elapsed = |_| {
        let message = format!("no answer within {} s", limit.as_secs());
        Err(sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, message)))
    };
    tokio::time::timeout(limit, without_panic(work)).await.unwrap_or_else(elapsed)
}

/// An error about a connection that could not be made, with what usually helps.
fn not_connected(url: &DatabaseUrl, error: sqlx::Error) -> Error {
    let early_help = help_before_an_answer(&error);
    let error = BackendError::of(error);
    let help = if early_help.is_some() {
        early_help
    } else if error.is_connection_lost() {
        Some(
            "check the host and port, and that the server is running; `cargo migrate wait` waits until the server accepts connections",
        )
    } else {
        error.code.as_deref().and_then(|code| url.address().connection_help(code))
    };
    let error = error.into_connection_error(&format!("cannot connect to `{url}`"));
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// What to do about an error that comes before the server answers, by its kind.
fn help_before_an_answer(error: &sqlx::Error) -> Option<&'static str> {
    match error {
        // What the verification of a certificate reports.
        sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Some(
            "check the certificates: `sslrootcert` (MySQL: `ssl-ca`) must specify the certificate of the CA that signed the server certificate. A self-signed server certificate is not accepted as its own CA (`CaUsedAsEndEntity`): create a CA, sign the server certificate with it, and specify the certificate of this CA",
        ),
        sqlx::Error::Tls(_) if !cfg!(any(feature = "tls-rustls", feature = "tls-native-tls")) => Some(
            "check that the server supports TLS, and that the application was built with TLS: enable the feature `tls-rustls` or `tls-native-tls` of `migrate-runtime`, or a TLS feature of `sqlx`",
        ),
        sqlx::Error::Tls(_) => Some(
            "check that the server supports TLS, and that the files that the TLS parameters specify contain valid certificates and keys",
        ),
        // MySQL has one SQLSTATE for this and for a database that does not exist.
        #[cfg(feature = "mysql")]
        error if mysql::is_full(error) => sqlstate_help("53300"),
        error if is_missing_database(error) => sqlstate_help("3D000"),
        sqlx::Error::Configuration(_) => Some("correct this parameter of the URL, or this environment variable"),
        _ => None,
    }
}

/// Whether a server of MySQL has no database of this name: other errors have the same SQLSTATE.
pub fn is_missing_database(_error: &sqlx::Error) -> bool {
    #[cfg(feature = "mysql")]
    let is_missing = mysql::is_missing_database(_error);
    #[cfg(not(feature = "mysql"))]
    let is_missing = false;
    is_missing
}

/// What to do when a server answers, but rejects the connection, by SQLSTATE. MySQL sends SQLSTATEs for these errors, too.
fn sqlstate_help(code: &str) -> Option<&'static str> {
    match code {
        "3D000" => Some("create the database with `cargo migrate db create`, or correct the database name in the URL"),
        "28P01" | "28000" | "42000" => Some(
            "check the user and password in the URL (special characters are percent-encoded there), and whether the server allows this user to connect from this host",
        ),
        "53300" | "08004" => Some("too many connections are open; close some, or try again later"),
        "57P03" => Some("the server is starting or stopping; `cargo migrate wait` waits until the server accepts connections"),
        _ => None,
    }
}
