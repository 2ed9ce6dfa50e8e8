//! The list of databases, and how each is reached: by URL, from a pool, or over a connection that the application lends.

#[cfg(test)]
pub mod fake;
#[cfg(feature = "mysql")]
mod mysql;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;

use crate::backend::{Backend, BackendError};
use crate::codes;
use crate::connection::ConnectionGuard;
use crate::error::{Error, ErrorKind};
use migrate_model::dialect::Dialect;
use sqlx::{ConnectOptions, Pool};
use std::future::Future;
use std::pin::Pin;
use std::str::FromStr;
use std::time::Duration;

/// A backend, soon.
pub type BackendFuture<'c> = Pin<Box<dyn Future<Output = Result<Box<dyn Backend + 'c>, Error>> + Send + 'c>>;

/// How a database is to be reached.
#[derive(Debug, Clone, Copy)]
pub struct OpenOptions {
    /// May a SQLite file be made that is not there?
    pub create: bool,
    /// How long SQLite waits for other writers.
    pub max_wait: Duration,
}

/// What migrations can run on: a URL (`&str`), a pool (`&PgPool`, `&MySqlPool`, `&SqlitePool`), or a connection
/// (`&mut PgConnection`, `&mut MySqlConnection`, `&mut SqliteConnection`).
///
/// Sealed: only this crate implements it.
pub trait Database<'c>: sealed::Open<'c> {}

impl<'c, T: sealed::Open<'c>> Database<'c> for T {}

pub(crate) mod sealed {
    use super::{BackendFuture, OpenOptions};

    /// Opens a backend.
    pub trait Open<'c> {
        #[doc(hidden)]
        fn open(self, access: OpenOptions) -> BackendFuture<'c>;
    }
}

impl<'c> sealed::Open<'c> for &'c str {
    fn open(self, access: OpenOptions) -> BackendFuture<'c> {
        Box::pin(open_url(self, access))
    }
}

impl<'c> sealed::Open<'c> for &'c String {
    fn open(self, access: OpenOptions) -> BackendFuture<'c> {
        Box::pin(open_url(self, access))
    }
}

/// The URL without its password, for people.
pub fn url_without_password(url: &str) -> String {
    let (scheme, rest) = match url.split_once("://") {
        Some(parts) => parts,
        None if url.starts_with("sqlite:") => return url.split('?').next().unwrap_or_default().to_owned(),
        // No URL; what of it is a password, nobody knows.
        None => return "...".to_owned(),
    };
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    match place.rsplit_once('@') {
        Some((user, place)) => format!("{scheme}://{}@{place}", user.split(':').next().unwrap_or_default()),
        // A `?` or a `#` in a password that is not written as `%3F` or `%23`.
        None if rest.contains('@') => format!("{scheme}://..."),
        None => format!("{scheme}://{place}"),
    }
}

/// How long a server may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// A server that accepts and never answers must not hold up a start for ever.
async fn in_time<T>(url: &str, connecting: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, Error> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(connected) => connected.map_err(|error| not_connected(url, error)),
        Err(_) => {
            let message =
                format!("cannot connect to `{}`: no answer within {} s", url_without_password(url), CONNECT_TIMEOUT.as_secs());
            Err(Error::new(ErrorKind::Connection, &codes::CONNECTION, message)
                .help("check host and port, and whether another kind of server listens there"))
        }
    }
}

fn not_connected(url: &str, error: sqlx::Error) -> Error {
    let refused = error.as_database_error().is_some();
    let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
    let mut error = BackendError::of(error).into_connection_error(&format!("cannot connect to `{}`", url_without_password(url)));
    if let Some(help) = code.as_deref().and_then(|code| connection_help(code, url.starts_with("sqlite"))) {
        error = error.help(help);
    }
    if !refused {
        error =
            error.help("check host, port and whether the server runs; `cargo migrate wait` waits until it accepts connections");
    }
    error
}

/// What to do when the server answers, but not with a session. MySQL's codes are SQLSTATEs here.
fn connection_help(code: &str, sqlite: bool) -> Option<&'static str> {
    match code {
        "8" | "14" if sqlite => Some("see that the file and its folder are there and may be written to"),
        "3D000" | "42000" => Some("make the database: `cargo migrate db create`; or correct its name in the URL"),
        "28P01" | "28000" => Some("check user and password in the URL, and whether this user may connect from here"),
        "53300" | "08004" => Some("too many connections are open; end some, or try again"),
        "57P03" => Some("the server is starting or stopping; `cargo migrate wait` waits until it accepts connections"),
        _ => None,
    }
}

fn bad_url(url: &str, why: &str) -> Error {
    Error::new(ErrorKind::Connection, &codes::CONNECTION, format!("`{}` is no database URL: {why}", url_without_password(url)))
        .help(
            "write `postgres://user:password@host:5432/name`, `mysql://user:password@host:3306/name` or `sqlite:path/to/file.db`",
        )
}

#[cfg_attr(
    all(feature = "postgres", feature = "mysql", feature = "sqlite"),
    expect(unreachable_patterns, reason = "with all features on, every dialect has its arm")
)]
async fn open_url<'c>(url: &'c str, access: OpenOptions) -> Result<Box<dyn Backend + 'c>, Error> {
    let dialect = Dialect::of_url(url);
    if dialect.is_some_and(|dialect| dialect != Dialect::Sqlite) && !url.contains("://") {
        return Err(bad_url(url, "there is no `://` behind its scheme"));
    }
    match dialect {
        #[cfg(feature = "postgres")]
        Some(Dialect::Postgres) => {
            let options = sqlx::postgres::PgConnectOptions::from_str(url).map_err(|error| bad_url(url, &error.to_string()))?;
            let (connection, access) = in_time(url, postgres::open(options.disable_statement_logging())).await?;
            Ok(Box::new(postgres::Postgres::new(ConnectionGuard::owned(connection), access)))
        }
        #[cfg(feature = "mysql")]
        Some(Dialect::MySql) => {
            let options = mysql_options(url)?;
            let options = options.disable_statement_logging();
            let connection = in_time(url, options.connect()).await?;
            Ok(Box::new(mysql::MySql::new(ConnectionGuard::owned(connection), Some(options))))
        }
        #[cfg(feature = "sqlite")]
        Some(Dialect::Sqlite) => {
            let options = sqlx::sqlite::SqliteConnectOptions::from_str(url).map_err(|error| bad_url(url, &error.to_string()))?;
            let missing = !access.create
                && !options.get_filename().as_os_str().is_empty()
                && !url.contains(":memory:")
                && !options.get_filename().exists();
            if missing {
                let message = format!("there is no database file `{}`", options.get_filename().display());
                return Err(Error::new(ErrorKind::NoDatabase, &codes::CONNECTION, message)
                    .help("`cargo migrate up` makes it, and so does `cargo migrate db create`"));
            }
            // Waiting is done here, where it can be seen and ended.
            let options = options.busy_timeout(access.max_wait.min(Duration::from_millis(100)));
            let options = options.create_if_missing(access.create).disable_statement_logging();
            let connection = options.connect().await.map_err(|error| not_connected(url, error))?;
            Ok(Box::new(sqlite::Sqlite::new(ConnectionGuard::owned(connection), access.max_wait)))
        }
        Some(dialect) => Err(bad_url(url, &format!("this program was built without {dialect}"))),
        None => Err(bad_url(url, "its scheme is none of `postgres`, `mysql`, `mariadb`, `sqlite`")),
    }
}

/// sqlx changes some settings of a new session for its own queries; scripts are to see the server's.
#[cfg(feature = "mysql")]
pub(crate) fn mysql_options(url: &str) -> Result<sqlx::mysql::MySqlConnectOptions, Error> {
    let url = url.strip_prefix("mariadb:").map_or(url.to_owned(), |rest| format!("mysql:{rest}"));
    let options = sqlx::mysql::MySqlConnectOptions::from_str(&url).map_err(|error| bad_url(&url, &error.to_string()))?;
    Ok(options.pipes_as_concat(false).no_engine_substitution(false).timezone(None))
}

macro_rules! impl_database {
    ($feature:literal, $database:ty, $connection:ty, |$held:ident, $access:ident, $options:ident| $backend:expr) => {
        #[cfg(feature = $feature)]
        impl<'c> sealed::Open<'c> for &'c Pool<$database> {
            fn open(self, $access: OpenOptions) -> BackendFuture<'c> {
                Box::pin(async move {
                    let connection = self.acquire().await;
                    let connection = connection.map_err(|error| {
                        BackendError::of(error).into_connection_error("cannot get a connection from the pool")
                    })?;
                    let $held = ConnectionGuard::pooled(connection);
                    let $options = Some((*self.connect_options()).clone());
                    let backend: Box<dyn Backend + 'c> = Box::new($backend);
                    Ok(backend)
                })
            }
        }

        #[cfg(feature = $feature)]
        impl<'c> sealed::Open<'c> for &'c mut $connection {
            fn open(self, $access: OpenOptions) -> BackendFuture<'c> {
                Box::pin(async move {
                    let $held = ConnectionGuard::borrowed(self);
                    let $options: Option<<$connection as sqlx::Connection>::Options> = None;
                    let backend: Box<dyn Backend + 'c> = Box::new($backend);
                    Ok(backend)
                })
            }
        }
    };
}

impl_database!("postgres", sqlx::Postgres, sqlx::PgConnection, |held, _access, options| {
    postgres::Postgres::new(held, options.map_or(postgres::PgConnector::Lent, postgres::PgConnector::Pooled))
});
impl_database!("mysql", sqlx::MySql, sqlx::MySqlConnection, |held, _access, options| mysql::MySql::new(held, options));
impl_database!("sqlite", sqlx::Sqlite, sqlx::SqliteConnection, |held, access, _options| sqlite::Sqlite::new(
    held,
    access.max_wait
));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, safe) in [
            ("postgres://me:secret@host:5432/db?sslmode=require&password=x", "postgres://me@host:5432/db"),
            ("postgres://me:p@ss@host/db", "postgres://me@host/db"),
            ("mysql://host/db", "mysql://host/db"),
            ("sqlite:app.db?mode=rwc", "sqlite:app.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("postgres://u:se#cret@h/db", "postgres://..."),
            ("postgres://u:se?cret@h/db", "postgres://..."),
            ("postgres://h/db?password=a@b", "postgres://..."),
            ("postgres:/u:secret@h/db", "..."),
            ("u:secret@h/db", "..."),
            ("host=h password=secret", "..."),
        ] {
            assert_eq!(url_without_password(url), safe);
        }
    }
}
