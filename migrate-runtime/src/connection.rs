//! A connection from any source, and the two operations of all backends on it: run SQL, and read rows as text.

use crate::backend::ConnectionState;
use futures_util::{FutureExt, StreamExt};
use migrate_model::duration;
use sqlx::pool::PoolConnection;
use sqlx::{AssertSqlSafe, Column, ColumnIndex, Connection, Database, Decode, Either, Executor, Row};
use std::io;
use std::ops::{Deref, DerefMut};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

/// A connection that returns to its pool only through [`release`](Self::release).
///
/// If a run is dropped in the middle, the connection may hold the lock or an open transaction, so dropping the guard closes it.
pub struct ConnectionGuard<'c, DB: Database> {
    handle: Option<Handle<'c, DB>>,
    answers: Answers,
}

/// Whether the server of a connection answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    InTime,
    /// An answer has not come in time. What comes later is not that of a later statement, so there must be none.
    Overdue(Duration),
    /// The connection was closed or lost, and no other one has replaced it.
    Closed,
}

enum Handle<'c, DB: Database> {
    Pooled(PoolConnection<DB>),
    Owned(DB::Connection),
    Borrowed(&'c mut DB::Connection),
}

impl<'c, DB: Database> ConnectionGuard<'c, DB> {
    /// A connection of a pool, to which it returns if its state is known.
    pub fn pooled(connection: PoolConnection<DB>) -> Self {
        ConnectionGuard { handle: Some(Handle::Pooled(connection)), answers: Answers::InTime }
    }

    /// A connection that was opened for this run.
    pub fn owned(connection: DB::Connection) -> Self {
        ConnectionGuard { handle: Some(Handle::Owned(connection)), answers: Answers::InTime }
    }

    /// A connection that the application has lent. It is never closed here.
    pub fn borrowed(connection: &'c mut DB::Connection) -> Self {
        ConnectionGuard { handle: Some(Handle::Borrowed(connection)), answers: Answers::InTime }
    }

    /// Waits for an answer for a limited time. After one that has not come, every further statement fails at once.
    pub async fn in_time<T>(
        &mut self,
        limit: Duration,
        ask: impl AsyncFnOnce(&mut DB::Connection) -> Result<T, sqlx::Error>,
    ) -> Result<T, sqlx::Error> {
        self.still_answers()?;
        let Ok(answer) = tokio::time::timeout(limit, without_panic(ask(&mut **self))).await else {
            return Err(self.note_overdue(limit));
        };
        self.note_lost(answer.as_ref().err());
        answer
    }

    /// Runs statements, as [`run`] does. After a lost connection, every further statement fails at once.
    pub async fn run(&mut self, sql: &str) -> (usize, Option<sqlx::Error>)
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        self.run_with(sql, |_| {}).await
    }

    /// The same, and passes on each row.
    pub async fn run_with(&mut self, sql: &str, on_row: impl FnMut(&DB::Row)) -> (usize, Option<sqlx::Error>)
    where
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        if let Err(error) = self.still_answers() {
            return (0, Some(error));
        }
        let (completed, error) = run(&mut **self, sql, on_row).await;
        self.note_lost(error.as_ref());
        (completed, error)
    }

    /// A server may keep a connection open on which it has sent what cannot be read. No further answer would come.
    fn note_lost(&mut self, error: Option<&sqlx::Error>) {
        if error.is_some_and(is_lost) {
            self.answers = Answers::Closed;
        }
    }

    /// Notes that an answer has not come within this time. Returns the error about it.
    pub fn note_overdue(&mut self, limit: Duration) -> sqlx::Error {
        self.answers = Answers::Overdue(limit);
        no_answer(limit)
    }

    /// An error if an earlier answer has not come.
    fn still_answers(&self) -> Result<(), sqlx::Error> {
        match self.answers {
            Answers::InTime => Ok(()),
            Answers::Overdue(limit) => Err(no_answer(limit)),
            Answers::Closed => Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::NotConnected, "the connection is closed"))),
        }
    }

    /// Whether the connection was opened for this run, so that no other code uses its session afterwards.
    pub fn is_owned(&self) -> bool {
        matches!(self.handle, Some(Handle::Owned(_)))
    }

    /// Continues with another connection, opened for this run. One of a pool returns there as it is, so nothing may have
    /// changed its session; one of this run is closed.
    pub async fn replace(&mut self, connection: DB::Connection) {
        self.answers = Answers::InTime;
        let previous = self.handle.replace(Handle::Owned(connection));
        if let Some(Handle::Owned(previous)) = previous
            && let Err(error) = previous.close().await
        {
            tracing::debug!(%error, "closing the connection");
        }
    }

    /// Closes the connection before another one replaces it. Until then, every statement fails.
    pub async fn close(&mut self) {
        let outcome = match self.handle.take() {
            Some(Handle::Owned(connection)) => connection.close().await,
            Some(Handle::Pooled(connection)) => connection.detach().close().await,
            borrowed => return self.handle = borrowed,
        };
        self.answers = Answers::Closed;
        if let Err(error) = outcome {
            tracing::debug!(%error, "closing the connection");
        }
    }

    /// Ends the use of the connection: returns a clean one to its pool, and closes any other. A borrowed one stays open.
    pub async fn release(mut self, state: ConnectionState) {
        let clean = state == ConnectionState::Clean && self.answers == Answers::InTime;
        let outcome = match self.handle.take() {
            Some(Handle::Pooled(connection)) if clean => {
                drop(connection);
                Ok(())
            }
            Some(Handle::Pooled(connection)) => connection.detach().close_hard().await,
            Some(Handle::Owned(connection)) if clean => connection.close().await,
            Some(Handle::Owned(connection)) => connection.close_hard().await,
            Some(Handle::Borrowed(_)) | None => Ok(()),
        };
        if let Err(error) = outcome {
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
        match self.handle.as_ref().expect("the handle is only taken from a connection that is no longer used") {
            Handle::Pooled(connection) => connection,
            Handle::Owned(connection) => connection,
            Handle::Borrowed(connection) => connection,
        }
    }
}

impl<DB: Database> DerefMut for ConnectionGuard<'_, DB> {
    fn deref_mut(&mut self) -> &mut DB::Connection {
        match self.handle.as_mut().expect("the handle is only taken from a connection that is no longer used") {
            Handle::Pooled(connection) => connection,
            Handle::Owned(connection) => connection,
            Handle::Borrowed(connection) => connection,
        }
    }
}

/// Whether an error is an answer of the server with this code: SQLSTATE, or for SQLite the result code.
pub fn is_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(code)
}

/// Whether an error is neither an answer of the server nor about a value in one.
pub fn is_lost(error: &sqlx::Error) -> bool {
    !matches!(error, sqlx::Error::Database(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. })
}

/// A row with every column as text; `None` is NULL.
pub type TextRow = Vec<Option<String>>;

/// How long a server may take to answer a query or a statement of this crate. Without this limit, a server or a network that goes
/// silent would delay the start of an application for ever.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How many bytes an answer may have.
const ANSWER_LIMIT: usize = 64 << 20;

/// How many results an answer may have: a query and the checks before it are a few statements.
const RESULT_LIMIT: usize = 1000;

fn no_answer(limit: Duration) -> sqlx::Error {
    let message = format!("the server has not answered within {}", duration::show(limit));
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, message))
}

/// A value that is not text.
fn unreadable(column: &str, error: &sqlx::Error) -> sqlx::Error {
    let reason = match error {
        sqlx::Error::ColumnDecode { source, .. } => source.to_string(),
        error => error.to_string(),
    };
    sqlx::Error::Decode(format!("the column `{column}` contains a value that cannot be read: {reason}").into())
}

/// Awaits the driver. It panics at some invalid answers; that is the error of a connection that cannot be used any longer.
///
/// # Errors
/// Those of the driver, and a panic.
pub async fn without_panic<T>(driver: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    AssertUnwindSafe(driver).catch_unwind().await.unwrap_or_else(|_| Err(invalid_answer()))
}

fn invalid_answer() -> sqlx::Error {
    sqlx::Error::Protocol("the answer of the server is not valid, and the driver has panicked".to_owned())
}

/// Runs a query in the simple query protocol. All columns must be text, or types that this protocol sends as text.
pub async fn rows<'e, DB, E>(executor: E, sql: &str) -> Result<Vec<TextRow>, sqlx::Error>
where
    DB: Database,
    E: Executor<'e, Database = DB>,
    for<'r> String: Decode<'r, DB> + sqlx::Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    let mut answer = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(executor);
    let mut rows = Vec::new();
    let (mut size, mut results) = (0, 0);
    while let Some(result) = answer.next().await.transpose()? {
        let Either::Right(row) = result else {
            results += 1;
            if results > RESULT_LIMIT {
                let message = format!("the server has answered with more than {RESULT_LIMIT} results");
                return Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::InvalidData, message)));
            }
            continue;
        };
        let texts = (0..row.len()).map(|at| {
            let text = row.try_get_unchecked::<Option<String>, _>(at);
            text.map_err(|error| unreadable(row.column(at).name(), &error))
        });
        let texts = texts.collect::<Result<TextRow, sqlx::Error>>()?;
        size += size_of::<TextRow>()
            + texts.iter().map(|text| size_of_val(text) + text.as_deref().map_or(0, str::len)).sum::<usize>();
        if size > ANSWER_LIMIT {
            let message = format!("the server has answered with more than {} MiB", ANSWER_LIMIT >> 20);
            return Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::InvalidData, message)));
        }
        rows.push(texts);
    }
    Ok(rows)
}

/// Notes the time that the record of an applied migration returns, in milliseconds. A script may return rows, too; its record is
/// after them. If it cannot be read, the run reports its own measurement: the time is only for people.
pub fn note_time<R>(row: &R, recorded: &mut Option<Duration>)
where
    R: Row,
    usize: ColumnIndex<R>,
    for<'r> Option<String>: Decode<'r, R::Database>,
{
    if row.columns().first().is_some_and(|column| column.name() == "execution_ms") {
        let text = row.try_get_unchecked::<Option<String>, _>(0).ok().flatten();
        *recorded = text.and_then(|text| text.parse().ok()).map(Duration::from_millis);
    }
}

/// Runs statements in the simple query protocol. Returns how many completed, and the error of the first one that did not.
async fn run<'e, DB, E>(executor: E, sql: &str, mut on_row: impl FnMut(&DB::Row)) -> (usize, Option<sqlx::Error>)
where
    DB: Database,
    E: Executor<'e, Database = DB>,
{
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(executor);
    let mut completed = 0;
    loop {
        let Ok(result) = AssertUnwindSafe(results.next()).catch_unwind().await else {
            return (completed, Some(invalid_answer()));
        };
        let Some(result) = result else { return (completed, None) };
        match result {
            Ok(Either::Left(_)) => completed += 1,
            Ok(Either::Right(row)) => on_row(&row),
            Err(error) => return (completed, Some(error)),
        }
    }
}
