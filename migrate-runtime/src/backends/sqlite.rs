//! SQLite.
//!
//! There is no lock that outlives a transaction, and none is needed: every transaction begins with `BEGIN IMMEDIATE` and
//! looks whether the history still is what the plan was made from. Whoever comes second sees that and plans anew.

pub mod address;
pub mod history_dialect;

use crate::backend::{Backend, BuildChange, ConnectionState, Expected, Presence, UnitError, UnitRun};
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

/// What scripts set and leave so.
const SETTINGS: [&str; 5] =
    ["foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints", "writable_schema"];

/// A connection to SQLite.
#[derive(Debug)]
pub struct Sqlite<'c> {
    connection: ConnectionGuard<'c, sqlx::Sqlite>,
    /// Sets every setting to what it was when the connection was taken.
    original: String,
    /// The same, and then what `session` in `migrate.toml` says.
    restoring: String,
    patience: Duration,
}

impl<'c> Sqlite<'c> {
    /// Takes a connection; waits up to `patience` for other writers.
    pub fn new(connection: ConnectionGuard<'c, sqlx::Sqlite>, patience: Duration) -> Self {
        Sqlite { connection, original: String::new(), restoring: String::new(), patience }
    }

    /// Asks again and again while another connection is in the way.
    async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, BackendError> {
        let until = Instant::now() + self.patience;
        loop {
            match rows(&mut *self.connection, sql).await.map_err(read_error) {
                Err(error) if error.kind == BackendErrorKind::Busy && Instant::now() < until => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let (completed, error) = run(&mut *self.connection, sql).await;
        (completed, error.map(read_error))
    }

    async fn do_all(&mut self, sql: &str) -> Result<(), BackendError> {
        match self.run(sql).await.1 {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Runs one statement again and again while another connection is in the way.
    async fn insist(&mut self, sql: &str) -> Result<(), BackendError> {
        let until = Instant::now() + self.patience;
        loop {
            match self.do_all(sql).await {
                Err(error) if error.kind == BackendErrorKind::Busy && Instant::now() < until => tokio::time::sleep(PAUSE).await,
                outcome => return outcome,
            }
        }
    }

    async fn roll_back(&mut self) {
        // SQLite ends some transactions by itself; then there is nothing to roll back.
        if let (_, Some(error)) = self.run("ROLLBACK").await {
            tracing::debug!(message = error.message, "rolling back");
        }
    }

    /// Runs a message that ends with `COMMIT`, or a part of it. The first begins with `BEGIN IMMEDIATE` and a check of the
    /// token.
    async fn transact(&mut self, message: &SqlMessage, first: bool) -> Result<(), UnitError> {
        let until = Instant::now() + self.patience;
        loop {
            let (completed, Some(error)) = self.run(&message.sql).await else { return Ok(()) };
            if first && completed == 0 && error.kind == BackendErrorKind::Busy && Instant::now() < until {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // In the middle of a transaction nobody is in the way: only at its end, when others still read.
            let at_commit = message.script_done(completed);
            if at_commit && error.kind == BackendErrorKind::Busy && self.insist("COMMIT").await.is_ok() {
                return Ok(());
            }
            if completed > 0 || !first {
                self.roll_back().await;
            }
            return Err(match completed {
                0 if first => UnitError::NotStarted(error),
                1 if first && error.message == OVERTAKEN => UnitError::HistoryChanged,
                1 if first => UnitError::NotStarted(error),
                // A deferred foreign key is checked at the end.
                _ if at_commit && error.code.as_deref() != Some("787") => UnitError::RecordFailed(error),
                _ => UnitError::StatementFailed { statement: message.failed(completed), offset: None, error },
            });
        }
    }

    /// Begins a transaction that goes on only if the history still is what the plan was made from.
    fn begin(history_sql: &HistorySql, Expected { version, fingerprint }: Expected<'_>) -> SqlMessage {
        let now = history_sql.select_fingerprint(version);
        let now = now.strip_prefix("SELECT ").unwrap_or(&now);
        let mut message = SqlMessage::default();
        message.prepend("BEGIN IMMEDIATE");
        // SQLite knows no way to raise an error outside a trigger, but this sum has none that it could hold.
        message.prepend(&format!(
            "SELECT CASE WHEN {now} IS NOT {} THEN abs(-9223372036854775807 - 1) END",
            history_sql.text(fingerprint)
        ));
        message
    }
}

/// What SQLite says when the check of the token fails.
const OVERTAKEN: &str = "integer overflow";

/// How many bytes of a script are given at once: for each statement, SQLite copies all that stands behind it.
const PIECE: usize = 16 << 10;

/// How long to leave another connection alone before trying again.
const PAUSE: Duration = Duration::from_millis(20);

/// Reads an error, and its kind from the primary result code: the low byte of an extended one.
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

    async fn prepare(&mut self, _: &mut HistorySql, session: &[String], _: LockSettings) -> Result<(), BackendError> {
        let mut restore = String::new();
        for name in SETTINGS {
            let rows = self.rows(&format!("PRAGMA {name}")).await?;
            if let Some(value) = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten()) {
                restore.push_str(&format!("PRAGMA {name} = {value};\n"));
            }
        }
        self.restoring = restore.clone();
        self.original = restore;
        for statement in session {
            self.do_all(statement).await?;
            self.restoring.push_str(statement.trim_end().trim_end_matches(';'));
            self.restoring.push_str(";\n");
        }
        Ok(())
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.insist("BEGIN IMMEDIATE").await?;
        let made = match self.do_all(&history_sql.create().join(";\n")).await {
            Ok(()) => self.insist("COMMIT").await,
            failed => failed,
        };
        if made.is_err() {
            self.roll_back().await;
        }
        made
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
        // Whatever makes something shares a transaction with its mark, so nobody needs to ask.
        Ok(None)
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        let mut pieces = work.chunks(PIECE);
        let last = pieces.pop().unwrap_or_default();
        let mut message = Self::begin(history_sql, work.expected);
        let mut first = true;
        for piece in pieces {
            message.add_statements(work, piece);
            self.transact(&message, first).await?;
            (message, first) = (SqlMessage::default(), false);
        }
        message.add_statements(work, last);
        message.append(&history_sql.write(&ending(Elapsed::Transaction(work.since.elapsed()))));
        message.append("COMMIT;");
        self.transact(&message, first).await
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        let mut message = SqlMessage::default();
        message.add_statements(work, work.unit.statements.clone());
        if let (completed, Some(error)) = self.run(&message.sql).await {
            return Err(UnitError::StatementFailed { statement: message.failed(completed), offset: None, error });
        }
        let change = ending(Elapsed::Measured(work.since.elapsed()));
        self.write_if_unchanged(history_sql, &change, work.expected).await.map_err(|stop| match stop {
            UnitError::NotStarted(error) => UnitError::RecordFailed(error),
            stop => stop,
        })
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError> {
        self.do_all(sql).await
    }

    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        self.insist("BEGIN IMMEDIATE").await?;
        let written = match self.do_all(&history_sql.write(change)).await {
            Ok(()) => self.insist("COMMIT").await,
            failed => failed,
        };
        if written.is_err() {
            self.roll_back().await;
        }
        written
    }

    async fn write_if_unchanged(
        &mut self,
        history_sql: &HistorySql,
        change: &HistoryChange<'_>,
        expected: Expected<'_>,
    ) -> Result<(), UnitError> {
        let mut message = Self::begin(history_sql, expected);
        message.append(&history_sql.write(change));
        message.append("COMMIT;");
        self.transact(&message, true).await.map_err(|stop| match stop {
            // There is no script whose record this could be.
            UnitError::RecordFailed(error) => UnitError::NotStarted(error),
            stop => stop,
        })
    }

    async fn restore(&mut self) -> Result<(), BackendError> {
        match self.restoring.is_empty() {
            true => Ok(()),
            false => self.do_all(&self.restoring.clone()).await,
        }
    }

    async fn restore_original(&mut self) -> Result<(), BackendError> {
        match self.original.is_empty() {
            true => Ok(()),
            false => self.do_all(&self.original.clone()).await,
        }
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        self.connection.release(state).await;
    }
}
