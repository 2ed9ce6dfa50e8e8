//! What migrations can run on: a URL, a pool, connect options, or a connection that the application lends.

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::backends::OpenOptions;
use crate::codes;
use crate::connection::ConnectionGuard;
use crate::database_url::DatabaseUrl;
use crate::error::{Error, ErrorKind};
use sqlx::pool::PoolConnection;
use sqlx::{Pool, Transaction};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Opening a backend.
pub type BackendFuture<'c> = Pin<Box<dyn Future<Output = Result<Box<dyn Backend + 'c>, Error>> + Send + 'c>>;

/// What migrations can run on:
/// - a URL: `&str`, `&String` or `&DatabaseUrl`;
/// - a pool: `&PgPool`, `PgPool`, `&Arc<PgPool>` or `Arc<PgPool>`, and the same for `MySqlPool` and `SqlitePool`. A run opens a
///   connection of its own with the options of the pool;
/// - connect options: `&PgConnectOptions` or `PgConnectOptions`, and the same for MySQL and SQLite, for what a URL cannot express,
///   such as certificates in memory or a token as password;
/// - a connection: `&mut PgConnection` or `&mut PoolConnection<Postgres>`, and the same for MySQL and SQLite. It must not be in a
///   transaction, which a run would commit: a `&mut Transaction` is an error at run time.
///
/// Sealed: only this crate implements it.
#[diagnostic::on_unimplemented(
    message = "migrations cannot run on `{Self}`",
    label = "not a database",
    note = "pass a URL (`&str`, `&DatabaseUrl`), a pool (`&PgPool`), connect options (`&PgConnectOptions`), or a connection (`&mut PgConnection`, for a pooled connection `&mut *connection`)",
    note = "`migrate-runtime` and the application must use the same version of sqlx, and the feature of the database (`postgres`, `mysql`, `sqlite`) must be enabled"
)]
pub trait Database<'c>: sealed::Open<'c> {}

pub(crate) mod sealed {
    use super::{BackendFuture, OpenOptions};

    /// Opens a backend.
    #[diagnostic::on_unimplemented(message = "migrations cannot run on `{Self}`", label = "not a database")]
    pub trait Open<'c> {
        #[doc(hidden)]
        fn open(self, options: OpenOptions) -> BackendFuture<'c>;
    }
}

/// A database whose pools and connections can be used.
pub trait Driver: sqlx::Database {
    /// Uses a connection of a pool that has these options.
    fn on_pooled<'c>(
        connection: ConnectionGuard<'c, Self>,
        options: <Self::Connection as sqlx::Connection>::Options,
        open: OpenOptions,
    ) -> Box<dyn Backend + 'c>;

    /// Uses a connection that the application has lent.
    fn on_lent<'c>(connection: ConnectionGuard<'c, Self>, open: OpenOptions) -> Box<dyn Backend + 'c>;
}

/// The timers and sockets of a run need Tokio.
///
/// # Errors
/// If the current thread is not in a runtime, or the runtime lacks one of them.
pub fn require_runtime() -> Result<(), Error> {
    // Without timers or sockets, making one panics; there is no question to ask.
    let has_timers = || std::panic::catch_unwind(|| drop(tokio::time::sleep(Duration::ZERO))).is_ok();
    let has_sockets = || std::panic::catch_unwind(|| drop(udp_socket())).is_ok();
    let is_running = tokio::runtime::Handle::try_current().is_ok() && has_timers() && has_sockets();
    if is_running {
        return Ok(());
    }
    let message = "migrations need a Tokio runtime with timers and I/O, and this program has none at this place";
    Err(Error::new(ErrorKind::NoRuntime, &codes::NO_RUNTIME, message)
        .help("call it from `#[tokio::main]`, or within a runtime that `tokio::runtime::Builder` built with `enable_all()`"))
}

/// A socket that is registered with the runtime; it sends nothing.
fn udp_socket() -> std::io::Result<tokio::net::UdpSocket> {
    let socket = std::net::UdpSocket::bind(("127.0.0.1", 0))?;
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(socket)
}

/// Implements `Database` by an expression that opens a backend, once there is a runtime.
macro_rules! open {
    ([$($generics:tt)*] $source:ty, |$self:ident, $options:ident| $open:expr) => {
        impl<'c, $($generics)*> Database<'c> for $source {}

        impl<'c, $($generics)*> sealed::Open<'c> for $source {
            fn open($self, $options: OpenOptions) -> BackendFuture<'c> {
                Box::pin(async move {
                    require_runtime()?;
                    $open
                })
            }
        }
    };
}

open!([] &'c DatabaseUrl, |self, options| on_url(self, options).await);
open!([] &'c str, |self, options| on_url(&self.parse()?, options).await);
open!([] &'c String, |self, options| on_url(&self.parse()?, options).await);
open!([DB: Driver] &'c Pool<DB>, |self, options| on_pool(self, options).await);
open!([DB: Driver] Pool<DB>, |self, options| on_pool(&self, options).await);
open!([DB: Driver] &'c Arc<Pool<DB>>, |self, options| on_pool(self, options).await);
open!([DB: Driver] Arc<Pool<DB>>, |self, options| on_pool(&self, options).await);
open!([DB: Driver] &'c mut PoolConnection<DB>, |self, options| on_connection::<DB>(self, options).await);
open!(['t, DB: Driver] &'c mut Transaction<'t, DB>, |self, options| on_connection::<DB>(self, options).await);

/// The types of one database, of which sqlx has no generic form.
macro_rules! open_on {
    ($feature:literal, $driver:ty, $connection:ty, $options:ty) => {
        #[cfg(feature = $feature)]
        open!([] &'c mut $connection, |self, options| on_connection::<$driver>(self, options).await);
        #[cfg(feature = $feature)]
        open!([] &'c $options, |self, options| on_url(&DatabaseUrl::from(self.clone()), options).await);
        #[cfg(feature = $feature)]
        open!([] $options, |self, options| on_url(&DatabaseUrl::from(self), options).await);
    };
}

open_on!("postgres", sqlx::Postgres, sqlx::PgConnection, sqlx::postgres::PgConnectOptions);
open_on!("mysql", sqlx::MySql, sqlx::MySqlConnection, sqlx::mysql::MySqlConnectOptions);
open_on!("sqlite", sqlx::Sqlite, sqlx::SqliteConnection, sqlx::sqlite::SqliteConnectOptions);

async fn on_url<'c>(url: &DatabaseUrl, options: OpenOptions) -> Result<Box<dyn Backend + 'c>, Error> {
    let backend: Box<dyn Backend> = url.address().open(options, url).await?;
    Ok(backend)
}

async fn on_pool<'c, DB: Driver>(pool: &Pool<DB>, options: OpenOptions) -> Result<Box<dyn Backend + 'c>, Error> {
    let connection = pool.acquire().await;
    let connection =
        connection.map_err(|error| BackendError::of(error).into_connection_error("cannot get a connection from the pool"))?;
    Ok(DB::on_pooled(ConnectionGuard::pooled(connection), (*pool.connect_options()).clone(), options))
}

async fn on_connection<DB: Driver>(
    connection: &mut DB::Connection,
    options: OpenOptions,
) -> Result<Box<dyn Backend + '_>, Error> {
    let mut backend = DB::on_lent(ConnectionGuard::borrowed(connection), options);
    let checked = backend.refuse_open_transaction().await;
    checked.map_err(|error| error.into_history_error("cannot use the connection"))?;
    Ok(backend)
}
