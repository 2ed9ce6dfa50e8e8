//! SQLite.
//!
//! SQLite has no lock that outlives a transaction, and none is needed: every transaction starts with `BEGIN IMMEDIATE` and checks
//! that the history has not changed since the plan was made. If it has, the engine plans again.

pub mod address;
pub mod history_dialect;
mod table_list;

use crate::backend::{Backend, BuildChange, ConnectionState, Expected, Presence, SessionReset, UnitError, UnitRun};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::connection::{ConnectionGuard, TextRow, rows, run};
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql};
use crate::sql_message::SqlMessage;
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use std::time::{Duration, Instant};

/// Settings that scripts are known to change without a reset.
const SETTINGS: [&str; 5] =
    ["foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints", "writable_schema"];

/// A connection to SQLite.
#[derive(Debug)]
pub struct Sqlite<'c> {
    connection: ConnectionGuard<'c, sqlx::Sqlite>,
    reset: SessionReset,
    /// How long to wait for other writers.
    max_wait: Duration,
}

impl<'c> Sqlite<'c> {
    /// A backend over this connection, before `prepare`; waits up to `max_wait` for other writers.
    pub fn new(connection: ConnectionGuard<'c, sqlx::Sqlite>, max_wait: Duration) -> Self {
        Sqlite { connection, reset: SessionReset::default(), max_wait }
    }

    /// Runs a query, and retries it while the database is busy.
    async fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        let deadline = Instant::now() + self.max_wait;
        loop {
            match rows(&mut *self.connection, sql).await.map_err(read_error) {
                Err(error) if error.kind == BackendErrorKind::Busy && Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let (completed, error) = run(&mut *self.connection, sql).await;
        (completed, error.map(read_error))
    }

    async fn execute(&mut self, sql: &str) -> Result<(), BackendError> {
        match self.run(sql).await.1 {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Runs a statement, and retries it while the database is busy.
    async fn execute_when_free(&mut self, sql: &str) -> Result<(), BackendError> {
        let deadline = Instant::now() + self.max_wait;
        loop {
            match self.execute(sql).await {
                Err(error) if error.kind == BackendErrorKind::Busy && Instant::now() < deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    async fn execute_in_transaction(&mut self, sql: &str) -> Result<(), BackendError> {
        self.execute_when_free("BEGIN IMMEDIATE").await?;
        let outcome = match self.execute(sql).await {
            Ok(()) => self.execute_when_free("COMMIT").await,
            failed => failed,
        };
        if outcome.is_err() {
            self.roll_back().await;
        }
        outcome
    }

    async fn roll_back(&mut self) {
        // After some errors SQLite has already rolled back. Then this `ROLLBACK` fails, which changes nothing.
        if let (_, Some(error)) = self.run("ROLLBACK").await {
            tracing::debug!(message = error.message, "rolling back");
        }
    }

    /// Runs a message of a transaction; the last one ends with `COMMIT`. The `first` one starts with `BEGIN IMMEDIATE` and the
    /// check of the history.
    async fn transact(&mut self, message: &SqlMessage, first: bool) -> Result<(), UnitError> {
        let deadline = Instant::now() + self.max_wait;
        loop {
            let (completed, Some(error)) = self.run(&message.sql).await else { return Ok(()) };
            if first && completed == 0 && error.kind == BackendErrorKind::Busy && Instant::now() < deadline {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // The transaction holds the write lock, so only its commit can be busy, while other connections still read.
            let at_commit = message.script_done(completed);
            if at_commit && error.kind == BackendErrorKind::Busy && self.execute_when_free("COMMIT").await.is_ok() {
                return Ok(());
            }
            if completed > 0 || !first {
                self.roll_back().await;
            }
            return Err(match completed {
                0 if first => UnitError::NotStarted(error),
                1 if first && error.message == HISTORY_CHANGED => UnitError::HistoryChanged,
                1 if first => UnitError::NotStarted(error),
                // SQLITE_CONSTRAINT_FOREIGNKEY: `COMMIT` checks deferred foreign keys, which are the script's.
                _ if at_commit && error.code.as_deref() != Some("787") => UnitError::RecordFailed(error),
                _ => UnitError::StatementFailed { statement: message.failed(completed), offset: None, error },
            });
        }
    }

    /// Starts a transaction that fails unless the history is the expected one.
    fn begin_if_unchanged(history_sql: &HistorySql, Expected { version, fingerprint }: Expected<'_>) -> SqlMessage {
        let current = history_sql.select_fingerprint(version);
        let current = current.strip_prefix("SELECT ").unwrap_or(&current);
        let mut message = SqlMessage::default();
        message.prepend("BEGIN IMMEDIATE");
        // `RAISE` works only in a trigger. The absolute value of the smallest integer is an error anywhere.
        message.prepend(&format!(
            "SELECT CASE WHEN {current} IS NOT {} THEN abs(-9223372036854775807 - 1) END",
            history_sql.text(fingerprint)
        ));
        message
    }
}

/// The message of SQLite when the check of the history fails. Its result code is the generic SQLITE_ERROR, so only the message
/// distinguishes it; the position of the failed statement confirms that it is the check.
const HISTORY_CHANGED: &str = "integer overflow";

/// The size of a message, in bytes of the script. For each statement, SQLite copies the rest of the message.
const MAX_CHUNK: usize = 16 << 10;

/// How long to wait before a retry while the database is busy.
const PAUSE: Duration = Duration::from_millis(20);

/// Converts an error: its kind from the primary result code, which is the low byte of the extended one.
fn read_error(error: sqlx::Error) -> BackendError {
    let mut error = BackendError::of(error);
    let code: Option<u32> = error.code.as_deref().and_then(|code| code.parse().ok());
    match code.map(|code| code & 0xff) {
        // SQLITE_BUSY, SQLITE_LOCKED.
        Some(5 | 6) => error.kind = BackendErrorKind::Busy,
        // SQLITE_READONLY.
        Some(8) => error.kind = BackendErrorKind::ReadOnly,
        _ => {}
    }
    error
}

fn is_missing(error: &BackendError) -> bool {
    // The result code is the generic SQLITE_ERROR, so only the message shows that a table is missing.
    error.message.starts_with("no such table")
}

#[async_trait]
impl Backend for Sqlite<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn history_dialect(&self) -> &'static HistoryDialect {
        &history_dialect::DIALECT
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.rows(sql).await
    }

    fn is_missing_table(&self, error: &BackendError) -> bool {
        is_missing(error)
    }

    fn is_missing_column(&self, error: &BackendError) -> bool {
        // As for a missing table, only the message shows it.
        error.message.starts_with("no such column")
    }

    async fn prepare(&mut self, _: &mut HistorySql, session: &[String], _: LockSettings) -> Result<(), BackendError> {
        let mut reset = String::new();
        for name in SETTINGS {
            let rows = self.rows(&format!("PRAGMA {name}")).await?;
            if let Some(value) = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()) {
                reset.push_str(&format!("PRAGMA {name} = {value};\n"));
            }
        }
        self.reset.prepared.clone_from(&reset);
        self.reset.original = reset;
        for statement in session {
            self.execute(statement).await?;
            self.reset.add(statement);
        }
        Ok(())
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.execute_in_transaction(&history_sql.create().join(";\n")).await
    }

    async fn try_lock(&mut self, _: &HistorySql) -> Result<bool, BackendError> {
        Ok(true)
    }

    async fn holder(&mut self, _: &HistorySql) -> Option<SessionInfo> {
        None
    }

    async fn blockers(&mut self, _: &HistorySql, _: &[Name]) -> Vec<SessionInfo> {
        Vec::new()
    }

    async fn unlock(&mut self, _: &HistorySql) -> Result<(), BackendError> {
        Ok(())
    }

    async fn presence(&mut self, _: &HistorySql, _: &Object) -> Result<Option<Presence>, BackendError> {
        // Every statement that creates an object shares a transaction with its checkpoint, so its outcome is always known.
        Ok(None)
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        let mut chunks = unit_run.chunks(MAX_CHUNK);
        let last = chunks.pop().unwrap_or_default();
        let mut message = Self::begin_if_unchanged(history_sql, unit_run.expected);
        let mut first = true;
        for chunk in chunks {
            message.add_statements(unit_run, chunk);
            self.transact(&message, first).await?;
            (message, first) = (SqlMessage::default(), false);
        }
        message.add_statements(unit_run, last);
        message.append(&history_sql.write(&build_change(Elapsed::Transaction(unit_run.since.elapsed()))));
        message.append("COMMIT;");
        self.transact(&message, first).await
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        let mut message = SqlMessage::default();
        message.add_statements(unit_run, unit_run.unit.statements.clone());
        if let (completed, Some(error)) = self.run(&message.sql).await {
            return Err(UnitError::StatementFailed { statement: message.failed(completed), offset: None, error });
        }
        let change = build_change(Elapsed::Measured(unit_run.since.elapsed()));
        self.write_if_unchanged(history_sql, &change, unit_run.expected).await.map_err(|error| match error {
            UnitError::NotStarted(error) => UnitError::RecordFailed(error),
            error => error,
        })
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError> {
        self.execute(sql).await
    }

    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        self.execute_in_transaction(&history_sql.write(change)).await
    }

    async fn write_if_unchanged(
        &mut self,
        history_sql: &HistorySql,
        change: &HistoryChange<'_>,
        expected: Expected<'_>,
    ) -> Result<(), UnitError> {
        let mut message = Self::begin_if_unchanged(history_sql, expected);
        message.append(&history_sql.write(change));
        message.append("COMMIT;");
        self.transact(&message, true).await.map_err(|error| match error {
            // The message contains no script, so nothing has run.
            UnitError::RecordFailed(error) => UnitError::NotStarted(error),
            error => error,
        })
    }

    fn session_reset(&self) -> Option<&SessionReset> {
        Some(&self.reset)
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        self.connection.release(state).await;
    }
}
