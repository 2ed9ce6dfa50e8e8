//! PostgreSQL.
//!
//! A transactional migration is one message of the simple query protocol: `BEGIN`, the lock check, the script, the reset of the
//! session settings, the record, `COMMIT`. The lock is a session-level advisory lock, acquired by polling: a blocking wait would
//! hold a snapshot, and the holder's `CREATE INDEX CONCURRENTLY` would wait for that snapshot in turn.
//!
//! Through a pooler, each transaction may run in another server session. There the lock is a lease, no setting outlives its
//! transaction, and the transaction that changes a setting resets it.

pub mod address;
mod brief_lock;
mod builds;
mod concurrent;
mod connector;
mod endpoint;
pub mod history_dialect;
mod lent_session;
mod lock;
mod pooled_session;
mod presence;
mod run_session;
mod session_state;
mod table_list;
mod trigger_list;
mod trust;

pub use connector::PgConnector;

use crate::backend::{
    Backend, BuildChange, ConnectionState, Presence, Recorded, Remains, RenewedSession, SequenceValues, SessionReset, UnitError,
    UnitRun,
};
use crate::backend_error::{BackendError, BackendErrorKind, LOCK_LOST, SESSION_CHANGED, shortened};
use crate::connection::{ANSWER_TIMEOUT, ConnectionGuard, TextRow, note_time, rows};
use crate::endpoint::Endpoint;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql, SystemNames};
use crate::lease::{self, Lease, LeaseConnection};
use crate::mentions::{Mention, Mentions};
use crate::session::only_row;
use crate::sql_message::SqlMessage;
use async_trait::async_trait;
use lent_session::LentSession;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::session_effect::{self, SessionEffect};
use migrate_model::token::{Quoting, Tokens};
use presence::presence_query;
use session_state::{KeptState, SessionComparison};
use sqlx::postgres::{PgDatabaseError, PgErrorPosition, PgSeverity};
use std::time::{Duration, Instant};
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

/// Which characters the encoding of a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Charset {
    /// All of Unicode.
    All,
    /// Those of another encoding: ASCII, and perhaps more.
    Some,
}

/// A connection to PostgreSQL.
#[derive(Debug)]
pub struct Postgres<'c> {
    connection: ConnectionGuard<'c, sqlx::Postgres>,
    connector: PgConnector,
    /// How a new session of the server reads quotes.
    server_quoting: Quoting,
    database: String,
    /// How long the step took, as its record says.
    recorded_time: Option<Duration>,
    reset: SessionReset,
    /// The `session` statements, which a new session, or each transaction through a pooler, starts with.
    session: Vec<String>,
    /// Those at its start that set what the driver has overruled.
    driver_settings: Vec<String>,
    /// What a lent session contained before `prepare`.
    original: LentSession,
    /// The role of this run, as SQL.
    role: String,
    endpoint: Endpoint,
    /// Which characters the encoding of the database has.
    charset: Charset,
    /// Whether transactions are read-only by default: on a replica, or with `default_transaction_read_only`.
    read_only: bool,
    /// Whether the application has lent a session whose transactions are read-only.
    must_not_write: bool,
    /// When the transaction of the current unit began in a session that others use.
    pooled_unit: Option<Instant>,
    /// Whether the session holds its state as it is before the next unit.
    kept_state: KeptState,
    /// The migration lock, unless it is a session-level lock.
    lease: Option<Lease>,
}

/// Operators and functions that no other user can replace.
const SYSTEM: &SystemNames = &history_dialect::DIALECT.names;

/// Keeps the role for the rest of the transaction, in custom settings.
const SAVE_ROLE: &str = "SELECT pg_catalog.set_config('migrate.user', pg_catalog.current_setting('session_authorization'), true), \
    pg_catalog.set_config('migrate.role', pg_catalog.current_setting('role'), true)";

/// Undoes what follows [`SAVE_ROLE`].
const RESTORE_ROLE: &str = "SELECT pg_catalog.set_config('session_authorization', pg_catalog.current_setting('migrate.user'), true), \
    pg_catalog.set_config('role', pg_catalog.current_setting('migrate.role'), true)";

/// A change of a row that a policy hides is an error, and not a change of nothing.
const ALL_ROWS: &str = "SET LOCAL row_security = off;\n";

/// The size of a message, in bytes of the script.
const MAX_CHUNK: usize = 1 << 20;

/// How long a transaction that holds the row of a lease may be idle.
const MAX_IDLE: Duration = Duration::from_secs(60);

impl<'c> Postgres<'c> {
    /// A backend over this connection, before `prepare`.
    pub fn new(connection: ConnectionGuard<'c, sqlx::Postgres>, connector: PgConnector) -> Self {
        Postgres {
            connection,
            connector,
            server_quoting: Quoting::of(Dialect::Postgres),
            database: String::new(),
            recorded_time: None,
            reset: SessionReset::default(),
            session: Vec::new(),
            driver_settings: Vec::new(),
            original: LentSession::default(),
            role: String::new(),
            endpoint: Endpoint::SINGLE_SERVER,
            charset: Charset::All,
            read_only: false,
            must_not_write: false,
            pooled_unit: None,
            kept_state: KeptState::Outdated,
            lease: None,
        }
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.query_within(ANSWER_TIMEOUT, sql).await
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let recorded = &mut self.recorded_time;
        let (completed, error) = self.connection.run_with(sql, |row| note_time(row, recorded)).await;
        let mut error = error.map(read_error);
        if let Some(error) = &mut error {
            // read_only_sql_transaction. In a writable session, the script itself has started a read-only transaction.
            if self.read_only && error.code.as_deref() == Some("25006") {
                error.kind = BackendErrorKind::ReadOnly;
            }
        }
        (completed, error)
    }

    async fn execute(&mut self, sql: &str) -> Result<(), BackendError> {
        match tokio::time::timeout(ANSWER_TIMEOUT, self.execute_for_script(sql)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(read_error(self.connection.note_overdue(ANSWER_TIMEOUT))),
        }
    }

    /// Runs statements that may take as long as their script.
    async fn execute_for_script(&mut self, sql: &str) -> Result<(), BackendError> {
        self.run(sql).await.1.map_or(Ok(()), Err)
    }

    /// Rolls back the transaction of a unit, and what a rollback does not undo in a session that others use.
    async fn roll_back_unit(&mut self) {
        let Some(since) = self.pooled_unit.take() else { return self.roll_back().await };
        let sql = pooled_session::roll_back_sql(self.is_lent(), since.elapsed());
        if let Err(error) = self.execute_for_script(&sql).await {
            tracing::debug!(message = error.message, "rolling back");
            self.roll_back().await;
        }
    }

    async fn roll_back(&mut self) {
        // Outside a transaction the server warns of it, but the migration did not cause this.
        let unheard = self.execute_for_script("ROLLBACK").with_subscriber(NoSubscriber::default());
        if let Err(error) = unheard.await {
            tracing::debug!(message = error.message, "rolling back");
        }
    }

    /// Runs SQL in a transaction, if the lock is still held.
    async fn commit(&mut self, history_sql: &HistorySql, sql: &str) -> Result<(), BackendError> {
        self.commit_after(history_sql, "", sql, SequenceValues::Forgotten).await
    }

    /// The same, with statements that run first, as the role of the script.
    async fn commit_after(
        &mut self,
        history_sql: &HistorySql,
        first: &str,
        sql: &str,
        values: SequenceValues,
    ) -> Result<(), BackendError> {
        let own_role = self.own_role_sql();
        let guard = self.guard(history_sql).join(";\n");
        let end = self.after_record(values);
        let outcome = self.execute(&format!("BEGIN READ WRITE;\n{first}{own_role}{guard};\n{ALL_ROWS}{sql}{end}COMMIT;")).await;
        if outcome.is_err() {
            self.roll_back().await;
        }
        outcome
    }

    /// The SQL of a change, without the texts of scripts if the encoding of the database lacks some of their characters.
    fn record_sql(&self, history_sql: &HistorySql, change: HistoryChange<'_>) -> String {
        let sql = history_sql.write(&change);
        let fits = self.charset == Charset::All || sql.is_ascii();
        if fits { sql } else { history_sql.write(&change.without_texts()) }
    }

    /// Statements that give the rest of a transaction the role of this run, whatever role a script has set. Afterwards the
    /// role of the script is in effect again.
    fn own_role(&self) -> Vec<String> {
        if !self.endpoint.preserves_session() || self.role.is_empty() {
            return Vec::new();
        }
        vec!["SET LOCAL SESSION AUTHORIZATION DEFAULT".to_owned(), format!("SET LOCAL ROLE {}", self.role)]
    }

    fn own_role_sql(&self) -> String {
        self.own_role().iter().map(|statement| format!("{statement};\n")).collect()
    }

    async fn is_true(&mut self, query: &str) -> Result<bool, BackendError> {
        let rows = self.rows(query).await?;
        Ok(rows.first().and_then(|row| row.first()?.as_deref()) == Some("true"))
    }

    fn is_lent(&self) -> bool {
        matches!(self.connector, PgConnector::Lent)
    }

    /// Follows the record of a change, which may have taken a value of a sequence. Behind a pooler, a script that reads such a value
    /// later does not run.
    fn after_record(&self, values: SequenceValues) -> &'static str {
        let is_kept = values == SequenceValues::Kept && self.endpoint.preserves_session();
        if is_kept { "" } else { pooled_session::forget_sequences(self.is_lent()) }
    }

    /// A message with the statements that start a transaction. `sets_isolation`: see [`sets_transaction`].
    fn transaction_start(
        &self,
        unit_run: &UnitRun<'_>,
        guard: &[String],
        sets_isolation: bool,
        comparison: Option<&SessionComparison>,
    ) -> SqlMessage {
        let mut message = SqlMessage::default();
        message.prepend(unit_run.unit.begin_statement.map_or("BEGIN", |at| unit_run.statements[at].sql(unit_run.text)));
        // The isolation level must be set before the first query, and the guard is a query.
        if !sets_isolation {
            guard.iter().for_each(|statement| message.prepend(statement));
        }
        if self.lease.is_some() {
            // If this process is suspended in the middle, the server ends the transaction and so unlocks the row of the lease.
            message.prepend(&format!("SET LOCAL idle_in_transaction_session_timeout = '{}s'", MAX_IDLE.as_secs()));
        }
        for statement in self.session.iter().filter(|_| !self.endpoint.preserves_session()) {
            message.prepend(&format!("{statement}\n"));
        }
        for limit in limits(unit_run, self.session_mentions(), "LOCAL") {
            message.prepend(&limit);
        }
        let preserves = self.endpoint.preserves_session();
        let is_kept = preserves && self.kept_state == KeptState::Current;
        if let Some(state) = comparison.filter(|_| !is_kept) {
            message.prepend(&state.keep_sql(!preserves));
        }
        message
    }

    /// Sends `message` and the statements of a transaction, except for the last chunk. Returns the message with that chunk, to
    /// which the caller appends the record.
    async fn run_chunks(&mut self, mut message: SqlMessage, unit_run: &UnitRun<'_>) -> Result<SqlMessage, UnitError> {
        // The server parses a message completely before it runs any of it, so a setting that changes how strings are parsed has
        // no effect on later statements of the same message.
        let changes_parsing = unit_run.mentions.has(Mention::StringSyntax);
        if changes_parsing || unit_run.numbered_statements().any(|(_, statement)| statement.copy_data.is_some()) {
            self.run_each(&message, unit_run).await?;
            return Ok(SqlMessage::default());
        }
        let mut chunks = unit_run.chunks(MAX_CHUNK);
        let last = chunks.pop().unwrap_or_default();
        for chunk in chunks {
            message.add_statements_with(unit_run, chunk, |at| brief_lock::before(unit_run, at));
            if let (completed, Some(error)) = self.run(&message.sql).await {
                return Err(self.message_error(&message, completed, error).await);
            }
            message = SqlMessage::default();
        }
        message.add_statements_with(unit_run, last, |at| brief_lock::before(unit_run, at));
        Ok(message)
    }

    /// Runs each statement in a message of its own, as `COPY ... FROM stdin` requires; `message` before them.
    async fn run_each(&mut self, message: &SqlMessage, unit_run: &UnitRun<'_>) -> Result<(), UnitError> {
        if let (_, Some(error)) = self.run(&message.sql).await {
            self.roll_back_unit().await;
            return Err(UnitError::RecordFailed(error));
        }
        for (number, statement) in unit_run.numbered_statements() {
            if let Some(limit) = brief_lock::before(unit_run, number)
                && let (_, Some(error)) = self.run(&limit).await
            {
                return Err(self.unit_error(Some(number), None, error).await);
            }
            let sql = statement.sql(unit_run.text);
            // A statement outside a transaction may outlive this process. The comment lets other processes detect that.
            let lease = self.lease.as_ref().filter(|_| !unit_run.unit.in_transaction);
            let comment = lease.map(Lease::holder_comment).unwrap_or_default();
            let error = match &statement.copy_data {
                None => self.run(&format!("{comment}{sql}")).await.1,
                Some(data) => self.copy(sql, &unit_run.text[data.clone()]).await.err().map(read_error),
            };
            if let Some(error) = error {
                let in_sql = error.position.and_then(|position| position.checked_sub(1 + comment.len()));
                let offset = in_sql.and_then(|position| sql.char_indices().nth(position));
                let offset = offset.map(|(at, _)| statement.range.start + at);
                return Err(self.unit_error(Some(number), offset, error).await);
            }
        }
        Ok(())
    }

    async fn copy(&mut self, sql: &str, data: &str) -> Result<(), sqlx::Error> {
        let mut copy = self.connection.copy_in_raw(sql).await?;
        copy.send(data.as_bytes()).await?;
        copy.finish().await.map(drop)
    }

    /// The error of the message that ends with `COMMIT`, after a rollback.
    async fn commit_error(&mut self, message: &SqlMessage, completed: usize, error: BackendError) -> UnitError {
        // Class 23 after the script is a deferred constraint, which `COMMIT` checks. A syntax error (42601) is reported before
        // any statement runs; then only the position shows whether it is in the script. A serialization
        // failure has no statement.
        let by_script = message.failed(completed).is_some()
            || script_offset(message, &error).is_some()
            || error.kind == BackendErrorKind::LockTimeout
            || error.code.as_deref().is_some_and(|code| code.starts_with("23"));
        match self.message_error(message, completed, error).await {
            UnitError::StatementFailed { error, .. } if message.script_done(completed) && !by_script => {
                UnitError::RecordFailed(error)
            }
            error => error,
        }
    }

    /// The error of a message of a transaction, after a rollback.
    async fn message_error(&mut self, message: &SqlMessage, completed: usize, error: BackendError) -> UnitError {
        let (statement, offset) = (message.failed(completed), script_offset(message, &error));
        match self.unit_error(statement, offset, error).await {
            // The guard failed, not the script.
            UnitError::StatementFailed { error, .. } if error.kind == BackendErrorKind::LockLost => UnitError::NotStarted(error),
            error => error,
        }
    }

    /// The error of a statement, after a rollback.
    async fn unit_error(&mut self, statement: Option<usize>, offset: Option<usize>, error: BackendError) -> UnitError {
        if error.is_connection_lost() {
            return UnitError::ConnectionLost(error);
        }
        self.roll_back_unit().await;
        UnitError::StatementFailed { statement, offset, error, remains: Remains::Nothing }
    }
}

/// The byte of the script at which an error of this message points.
fn script_offset(message: &SqlMessage, error: &BackendError) -> Option<usize> {
    error.position.and_then(|position| message.script_offset(position))
}

/// Converts an error: its kind from the SQLSTATE, and its detail, hint and position.
/// The error of an open session. After class 08 (connection exception) and after every fatal error, it is gone, and what has become
/// of its transaction is not known: a pooler sends such errors in the name of the server, which may still be at work.
fn read_error(error: sqlx::Error) -> BackendError {
    let mut error = read_connecting_error(error);
    let source = error.source.as_ref().and_then(|error| error.as_database_error());
    if let Some(source) = source.and_then(|error| error.try_downcast_ref::<PgDatabaseError>())
        && (source.code().starts_with("08") || matches!(source.severity(), PgSeverity::Fatal | PgSeverity::Panic))
    {
        error.kind = BackendErrorKind::ConnectionLost;
    }
    error
}

/// The error of an attempt to connect.
fn read_connecting_error(error: sqlx::Error) -> BackendError {
    let mut error = BackendError::of(error);
    let mut lengths = [0; 2];
    let source = error.source.as_ref().and_then(|error| error.as_database_error());
    if let Some(source) = source.and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
        lengths = [source.detail(), source.hint()].map(|text| text.map_or(0, str::len));
        error.detail = source.detail().map(shortened);
        error.hint = source.hint().map(shortened);
        error.position = match source.position() {
            Some(PgErrorPosition::Original(position)) => Some(position),
            _ => None,
        };
        error.kind = match source.code() {
            // admin_shutdown, crash_shutdown, cannot_connect_now, idle_session_timeout, idle_in_transaction_session_timeout: the server answers, but the session has ended.
            "57P01" | "57P02" | "57P03" | "57P05" | "25P03" => BackendErrorKind::ConnectionLost,
            // lock_not_available, deadlock_detected, serialization_failure: the server rolls back in each case.
            "55P03" | "40P01" | "40001" => BackendErrorKind::LockTimeout,
            // invalid_text_representation: the guard casts this text of ours to an integer. A script can cause the same code, so
            // only our own text in the message shows that it was the guard.
            "22P02" if error.message.contains(LOCK_LOST) => BackendErrorKind::LockLost,
            "22P02" if error.message.contains(SESSION_CHANGED) => BackendErrorKind::SessionChanged,
            _ => BackendErrorKind::Rejected,
        };
    }
    error.limited(&lengths)
}

fn is_missing(error: &BackendError) -> bool {
    // undefined_table, invalid_schema_name
    matches!(error.code.as_deref(), Some("42P01" | "3F000"))
}

/// Whether a unit sets the isolation level of its transaction, as the server allows it before the first query: `SET TRANSACTION`
/// or `SET [LOCAL] transaction_isolation`, after statements that take no snapshot.
fn sets_transaction(unit_run: &UnitRun<'_>) -> bool {
    const WITHOUT_SNAPSHOT: [&str; 9] = ["SET", "RESET", "SHOW", "LOCK", "LISTEN", "UNLISTEN", "NOTIFY", "SAVEPOINT", "RELEASE"];
    const OF_TRANSACTION: [&str; 4] = ["TRANSACTION", "transaction_isolation", "transaction_read_only", "transaction_deferrable"];
    for (_, statement) in unit_run.numbered_statements() {
        let sql = statement.sql(unit_run.text);
        let words: Vec<&str> =
            Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank()).take(3).map(|token| token.text(sql)).collect();
        let is = |at: usize, names: &[&str]| {
            words.get(at).is_some_and(|word| names.iter().any(|name| word.eq_ignore_ascii_case(name)))
        };
        let scoped = usize::from(is(1, &["LOCAL", "SESSION"]));
        if is(0, &["SET"]) && is(1 + scoped, &OF_TRANSACTION) {
            return true;
        }
        if !is(0, &WITHOUT_SNAPSHOT) {
            return false;
        }
    }
    false
}

fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis().clamp(1, i32::MAX as u128)
}

/// Statements that set the time limits of a unit, in the scope `LOCAL` or `SESSION`. A limit that the script sets itself is not
/// overridden.
fn limits(unit_run: &UnitRun<'_>, session: Mentions, scope: &str) -> Vec<String> {
    let mentions = unit_run.mentions.and(session.without(unit_run.stated_limits));
    let mut limits = Vec::new();
    if !mentions.has(Mention::StatementTimeout) {
        limits.push(format!("SET {scope} statement_timeout = {}", milliseconds(unit_run.timeout)));
    }
    // Outside a transaction, 0 overrides the limit of the previous statement and the default of the role: a concurrent build
    // waits for a long time, but blocks no traffic.
    let without_limit = (scope == "SESSION").then_some(0);
    let lock_timeout = match unit_run.lock_timeout {
        Some(lock_timeout) if lock_timeout.is_zero() => Some(0),
        Some(lock_timeout) => Some(milliseconds(lock_timeout)),
        None => without_limit,
    };
    if let Some(lock_timeout) = lock_timeout.filter(|_| !mentions.has(Mention::LockTimeout)) {
        limits.push(format!("SET {scope} lock_timeout = {lock_timeout}"));
    }
    limits
}

#[async_trait]
impl Backend for Postgres<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn history_dialect(&self) -> &'static HistoryDialect {
        &history_dialect::DIALECT
    }

    async fn query_within(&mut self, limit: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.connection.in_time(limit, async |connection| rows(connection, sql).await).await.map_err(read_error)
    }

    async fn triggers(&mut self, names: &[&str]) -> Result<Vec<TextRow>, BackendError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.query(&trigger_list::triggers_sql(&self.history_dialect().literals(names))).await
    }

    fn routines_sql(&self, names: &[&str], _near: &[&str]) -> Option<String> {
        Some(trigger_list::routines_sql(&self.history_dialect().literals(names)))
    }

    async fn refuse_open_transaction(&mut self) -> Result<(), BackendError> {
        match self.is_true(lent_session::IN_TRANSACTION).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(BackendError::in_transaction()),
            // in_failed_sql_transaction
            Err(error) if error.code.as_deref() == Some("25P02") => Err(BackendError::in_transaction()),
            Err(error) => Err(error),
        }
    }

    fn is_missing_table(&self, error: &BackendError) -> bool {
        is_missing(error)
    }

    fn is_missing_column(&self, error: &BackendError) -> bool {
        // undefined_column
        error.code.as_deref() == Some("42703")
    }

    fn preserves_session(&self) -> bool {
        self.endpoint.preserves_session()
    }

    async fn prepare(
        &mut self,
        history_sql: &mut HistorySql,
        session: &[String],
        locking: LockSettings,
    ) -> Result<(), BackendError> {
        self.prepare_session(history_sql, session, locking).await
    }

    fn server_quoting(&self) -> Quoting {
        self.server_quoting
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.create_tables_locked(history_sql, history_sql.create()).await
    }

    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        if self.must_not_write {
            return Err(BackendError::read_only_session());
        }
        match self.lease.take() {
            None => self.try_session_lock(history_sql).await,
            Some(mut lease) => {
                let acquired = lease.try_acquire(self, history_sql).await;
                if let (Ok(true), Some(options)) = (&acquired, self.connector.options()) {
                    lease.keep_alive::<sqlx::Postgres>(history_sql, options.clone());
                }
                self.lease = Some(lease);
                acquired
            }
        }
    }

    async fn is_locked(&mut self, history_sql: &HistorySql) -> Result<Option<bool>, BackendError> {
        let mut history_sql = history_sql.clone();
        let place = format!("SELECT pg_catalog.current_database()::pg_catalog.text, {}", table_list::place(&history_sql));
        let mut columns = only_row(self.rows(&place).await?).ok_or_else(BackendError::unanswered)?.into_iter();
        self.database = columns.next().flatten().unwrap_or_default();
        if let Some(schema) = columns.next().flatten() {
            history_sql.set_schema(schema);
        }
        let is_leased = self.has_leases(&history_sql).await? && lease::is_held(self, &history_sql).await?;
        Ok(Some(is_leased || self.session_lock_is_held(&history_sql).await?))
    }

    async fn holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo> {
        self.find_holder(history_sql).await
    }

    async fn blockers(&mut self, history_sql: &HistorySql, tables: &[Name]) -> Vec<SessionInfo> {
        self.find_blockers(history_sql, tables).await
    }

    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        // The lease stays known: without it, the next lock would be one of the session.
        if let Some(lease) = self.lease.as_mut() {
            lease.stop_heartbeat();
            let release = lease.release_sql(history_sql);
            if !self.is_lent() {
                return self.execute(&release).await;
            }
            // The role of the application may lack the privilege.
            let outcome = self.execute(&format!("{}{release}", self.reset.prepared)).await;
            return outcome.and(self.put_back(history_sql).await);
        }
        let sql = format!("SELECT pg_catalog.pg_advisory_unlock({})::pg_catalog.text", self.lock_key(history_sql));
        if self.is_true(&sql).await? { Ok(()) } else { Err(BackendError::own("the lock was no longer held")) }
    }

    async fn is_hiding_another(&mut self, history_sql: &HistorySql, object: &Object) -> Result<bool, BackendError> {
        let Some(query) = presence::namesakes_query(history_sql, object) else { return Ok(false) };
        self.is_true(&query).await
    }

    async fn presence(
        &mut self,
        history_sql: &HistorySql,
        paths: &[&str],
        object: &Object,
    ) -> Result<Option<Presence>, BackendError> {
        let Some(query) = presence_query(history_sql, object) else { return Ok(None) };
        let paths: String = paths.iter().map(|path| format!("{path}\n;\n")).collect();
        // The rollback undoes the settings.
        let rows = self.rows(&format!("BEGIN READ ONLY;\n{paths}{query};\nROLLBACK")).await;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                self.roll_back().await;
                return Err(error);
            }
        };
        // `set_config` returns a row, too: the answer is the last one.
        Ok(Some(Presence::of(rows.last().and_then(|row| row.first()?.as_deref()))))
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<Recorded, UnitError> {
        // The limit of `session` takes precedence.
        let is_limited = self.session_mentions().has(Mention::LockTimeout);
        let unit_run = &if is_limited { UnitRun { brief_locks: &[], ..*unit_run } } else { *unit_run };
        let guard = self.guard(history_sql);
        let sets_isolation = sets_transaction(unit_run);
        let comparison = SessionComparison::of_unit(unit_run).filter(|_| !sets_isolation);
        let start = self.transaction_start(unit_run, &guard, sets_isolation, comparison.as_ref());
        // The check before the commit is the first one after `SET TRANSACTION`, detects a lock that the script has released, and
        // renews a lease for its full duration.
        let may_release_lock = unit_run.mentions.has(Mention::Unlock);
        let check = if sets_isolation || may_release_lock || self.lease.is_some() {
            format!("{};\n", guard.join(";\n"))
        } else {
            String::new()
        };
        let record = self.record_sql(history_sql, build_change(Elapsed::Transaction(unit_run.since.elapsed())));
        let changes = self.session_changes(comparison.as_ref());
        self.kept_state = KeptState::Outdated;
        let (limit, reset) = (brief_lock::after(unit_run), self.reset_after(unit_run));
        let end =
            format!("{limit}{changes}{reset}{check}{ALL_ROWS}{record}{}COMMIT;", self.after_record(unit_run.sequence_values));
        self.pooled_unit = (!self.endpoint.preserves_session()).then(Instant::now);
        let mut message = self.run_chunks(start, unit_run).await?;
        message.append(&end);
        let outcome = match self.run(&message.sql).await {
            (_, None) => Ok(Recorded::alone(self.recorded_time.take())),
            (completed, Some(error)) => Err(self.commit_error(&message, completed, error).await),
        };
        self.pooled_unit = None;
        if let Some(comparison) = comparison.filter(|_| outcome.is_ok()) {
            self.kept_state = comparison.kept_after();
        }
        outcome
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: Option<BuildChange<'_>>,
    ) -> Result<Recorded, UnitError> {
        let invalid_before = self.before_build(unit_run).await?;
        if let Some(lease) = self.lease.as_mut().filter(|_| self.connector.options().is_none()) {
            // There is no heartbeat without a second connection.
            lease.set_duration(lease.duration().max(unit_run.timeout));
        }
        let mut start = SqlMessage::default();
        self.guard(history_sql).iter().for_each(|statement| start.prepend(statement));
        if self.endpoint.preserves_session() {
            limits(unit_run, self.session_mentions(), "SESSION").iter().for_each(|limit| start.prepend(limit));
        }
        let state = SessionComparison::of_unit(unit_run).filter(|_| self.endpoint.preserves_session());
        if let Some(state) = state.as_ref().filter(|_| self.kept_state == KeptState::Outdated) {
            start.prepend(&state.keep_sql(false));
        }
        self.kept_state = KeptState::Outdated;
        let checked_at = Instant::now();
        if let (_, Some(error)) = self.run(&start.sql).await {
            return Err(UnitError::NotStarted(error));
        }
        // The statement cannot be in one message with the guard. If the process was suspended in between, its own clock shows
        // that the lease may have expired.
        if self.lease.as_ref().is_some_and(|lease| checked_at.elapsed() >= lease.duration()) {
            return Err(UnitError::NotStarted(BackendError::lock_lost()));
        }
        // A message of several statements is an implicit transaction, so each statement has a message of its own.
        let outcome = self.run_or_continue(history_sql, unit_run).await;
        self.after_build(unit_run, &invalid_before, outcome).await?;
        if unit_run.session_effect == SessionEffect::Reset || unit_run.mentions.has(Mention::Unlock) {
            // `DISCARD ALL` has reset what the `session` statements set.
            let resets = |sql: &str| session_effect::of_statement(sql, Dialect::Postgres) == SessionEffect::Reset;
            if unit_run.numbered_statements().any(|(_, statement)| resets(statement.sql(unit_run.text))) {
                self.run_session(history_sql).await.map_err(UnitError::RecordFailed)?;
            }
        }
        if self.lease.is_none() && unit_run.mentions.has(Mention::Unlock) {
            self.reacquire_lock(history_sql).await.map_err(UnitError::RecordFailed)?;
        }
        let took = unit_run.since.elapsed();
        let Some(build_change) = build_change else { return Ok(Recorded::alone(Some(took))) };
        let record = self.record_sql(history_sql, build_change(Elapsed::Measured(took)));
        let record = format!("{}{record}", self.reset_after(unit_run));
        let changes = state.as_ref().map_or_else(String::new, |state| format!("{};\n", state.compare_sql()));
        self.commit_after(history_sql, &changes, &record, unit_run.sequence_values).await.map_err(UnitError::from_write)?;
        self.kept_state = state.map_or(KeptState::Outdated, |state| state.kept_after());
        Ok(Recorded::alone(Some(took)))
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError> {
        self.kept_state = KeptState::Outdated;
        self.execute_for_script(sql).await
    }

    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        self.commit(history_sql, &self.record_sql(history_sql, change.clone())).await
    }

    fn session_reset(&self) -> Option<&SessionReset> {
        Some(&self.reset)
    }

    fn hidden_names(&self) -> Vec<&str> {
        self.original.relations().collect()
    }

    fn may_differ_from_new_session(&self) -> bool {
        self.is_lent()
    }

    fn new_session_condition(&self) -> Option<String> {
        let is_pooled = matches!(self.connector, PgConnector::Pooled(_));
        is_pooled.then(|| {
            let equal = SYSTEM.equal;
            format!(
                "pg_catalog.current_setting('search_path') {equal} (SELECT s.reset_val FROM pg_catalog.pg_settings s \
                 WHERE s.name {equal} 'search_path') AND CURRENT_USER {equal} SESSION_USER"
            )
        })
    }

    fn resets_in_transaction(&self) -> bool {
        self.owns_session()
    }

    fn owns_session(&self) -> bool {
        self.connection.is_owned() && self.endpoint.preserves_session()
    }

    async fn renew_session(&mut self, history_sql: &HistorySql) -> Result<RenewedSession, BackendError> {
        match self.connector.options().cloned().filter(|_| self.owns_session()) {
            Some(options) => {
                self.kept_state = KeptState::Outdated;
                if self.lease.is_none()
                    && let Err(error) = self.unlock(history_sql).await
                {
                    tracing::debug!(error = error.message, "releasing the lock of the session that is replaced");
                }
                self.reconnect(options).await?;
                self.renew_driver_settings(history_sql).await?;
                self.run_session(history_sql).await?;
                Ok(if self.lease.is_some() { RenewedSession::Locked } else { RenewedSession::Unlocked })
            }
            None if self.is_lent() => {
                self.put_back(history_sql).await?;
                self.execute(&self.reset.prepared.clone()).await?;
                Ok(RenewedSession::Locked)
            }
            // Through a pooler, each transaction resets what it has changed.
            None => {
                self.renew_driver_settings(history_sql).await?;
                Ok(RenewedSession::Locked)
            }
        }
    }

    async fn restore_original(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        if self.reset.original.is_empty() || self.owns_session() {
            return Ok(());
        }
        if self.endpoint.preserves_session() {
            self.execute(&self.reset.original.clone()).await?;
        }
        if self.is_lent() { self.put_back(history_sql).await } else { Ok(()) }
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        self.connection.release(state).await;
    }
}
