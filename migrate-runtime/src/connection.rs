//! One connection, wherever it came from, and the two ways in which all backends use it: run SQL, and read rows as text.

use crate::backend::ConnectionState;
use futures_util::StreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, ColumnIndex, Connection, Database, Decode, Either, Executor, Row};
use std::ops::{Deref, DerefMut};

/// A connection and what becomes of it.
///
/// Dropped in the middle of a run, it is closed: it may hold the lock, or an open transaction. Only `release` gives one
/// back to its pool.
pub struct ConnectionGuard<'c, DB: Database> {
    handle: Option<Handle<'c, DB>>,
}

enum Handle<'c, DB: Database> {
    Pooled(PoolConnection<DB>),
    Owned(DB::Connection),
    Borrowed(&'c mut DB::Connection),
}

impl<'c, DB: Database> ConnectionGuard<'c, DB> {
    /// From a pool; goes back when its state is known.
    pub fn pooled(connection: PoolConnection<DB>) -> Self {
        ConnectionGuard { handle: Some(Handle::Pooled(connection)) }
    }

    /// Opened for this run.
    pub fn owned(connection: DB::Connection) -> Self {
        ConnectionGuard { handle: Some(Handle::Owned(connection)) }
    }

    /// Lent by the application.
    pub fn borrowed(connection: &'c mut DB::Connection) -> Self {
        ConnectionGuard { handle: Some(Handle::Borrowed(connection)) }
    }

    /// Ends the use of it: back to the pool if it is clean, else closed. What is lent cannot be closed.
    pub async fn release(mut self, state: ConnectionState) {
        let clean = state == ConnectionState::Clean;
        let ended = match self.handle.take() {
            Some(Handle::Pooled(connection)) if clean => {
                drop(connection);
                Ok(())
            }
            Some(Handle::Pooled(connection)) => connection.detach().close_hard().await,
            Some(Handle::Owned(connection)) if clean => connection.close().await,
            Some(Handle::Owned(connection)) => connection.close_hard().await,
            Some(Handle::Borrowed(_)) | None => Ok(()),
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "closing the connection");
        }
    }
}

impl<DB: Database> std::fmt::Debug for ConnectionGuard<'_, DB> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionGuard").finish_non_exhaustive()
    }
}

impl<DB: Database> Drop for ConnectionGuard<'_, DB> {
    fn drop(&mut self) {
        if let Some(Handle::Pooled(connection)) = self.handle.take() {
            drop(connection.detach());
        }
    }
}

impl<DB: Database> Deref for ConnectionGuard<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &DB::Connection {
        match self.handle.as_ref().expect("only `release` and `drop` take it") {
            Handle::Pooled(connection) => connection,
            Handle::Owned(connection) => connection,
            Handle::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for ConnectionGuard<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self.handle.as_mut().expect("only `release` and `drop` take it") {
            Handle::Pooled(connection) => connection,
            Handle::Owned(connection) => connection,
            Handle::Borrowed(connection) => connection,
        }
    }
}

/// Whether the server answered with this code.
pub fn is_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(code)
}

/// A row, every column as text.
pub type TextRow = Vec<Option<String>>;

/// Runs a query without preparing it; all columns must be texts, or numbers that the protocol sends as text.
pub async fn rows<'e, DB, E>(executor: E, sql: &str) -> Result<Vec<TextRow>, sqlx::Error>
where
    DB: Database,
    E: Executor<'e, Database = DB>,
    for<'r> String: Decode<'r, DB> + sqlx::Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(executor).await?;
    let text = |row: &DB::Row| (0..row.len()).map(|at| row.try_get_unchecked::<Option<String>, _>(at)).collect();
    rows.iter().map(text).collect()
}

/// Runs statements without preparing them: how many were carried out, and why not all were.
pub async fn run<'e, DB, E>(executor: E, sql: &str) -> (usize, Option<sqlx::Error>)
where
    DB: Database,
    E: Executor<'e, Database = DB>,
{
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(executor);
    let mut completed = 0;
    while let Some(result) = results.next().await {
        match result {
            Ok(Either::Left(_)) => completed += 1,
            Ok(Either::Right(_)) => {}
            Err(error) => return (completed, Some(error)),
        }
    }
    (completed, None)
}
