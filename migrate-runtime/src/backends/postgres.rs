//! PostgreSQL.
//!
//! A transactional migration is one message of the simple query protocol: `BEGIN`, the lock check, the script, the reset of the
//! session settings, the record, `COMMIT`. The lock is a session-level advisory lock, acquired by polling: a blocking wait would
//! hold a snapshot, and the holder's `CREATE INDEX CONCURRENTLY` would wait for that snapshot in turn.
//!
//! Through a pooler, each transaction may run in another server session. There the lock is a lease, no setting outlives its
//! transaction, and the transaction that changes a setting resets it.

pub mod address;
mod connector;
mod endpoint;
pub mod history_dialect;
mod presence;
mod table_list;

pub use connector::PgConnector;

use crate::backend::{Backend, BuildChange, ConnectionState, Presence, SessionReset, UnitError, UnitRun};
use crate::backend_error::{BackendError, BackendErrorKind, LOCK_LOST};
use crate::connection::{ConnectionGuard, TextRow, rows, run};
use crate::endpoint::Endpoint;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql};
use crate::lease::{self, Lease, LeaseConnection};
use crate::sql_message::{SqlMessage, contains_word, strip_own_sql};
use async_trait::async_trait;
use connector::PARAMETER;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::lock_settings::{LockSettings, LockStrategy};
use migrate_model::name::Name;
use migrate_model::token::Tokens;
use presence::{built_index, presence_query};
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
use std::time::{Duration, Instant};

/// Settings that scripts are known to change without a reset. `session_replication_role` is not among them: setting it needs a
/// privilege, even to its current value.
const SETTINGS: [&str; 20] = [
    "role",
    "search_path",
    "timezone",
    "datestyle",
    "intervalstyle",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "client_min_messages",
    "client_encoding",
    "check_function_bodies",
    "row_security",
    "default_tablespace",
    "default_table_access_method",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "standard_conforming_strings",
    "bytea_output",
    "xmloption",
    "synchronous_commit",
];

/// A connection to PostgreSQL.
#[derive(Debug)]
pub struct Postgres<'c> {
    connection: ConnectionGuard<'c, sqlx::Postgres>,
    connector: PgConnector,
    database: String,
    reset: SessionReset,
    /// Through a pooler: the `session` statements, which every transaction starts with.
    transaction_session: Vec<String>,
    endpoint: Endpoint,
    /// Whether transactions are read-only by default: on a replica, or with `default_transaction_read_only`.
    read_only: bool,
    /// The migration lock, unless it is a session-level lock.
    lease: Option<Lease>,
}

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
            database: String::new(),
            reset: SessionReset::default(),
            transaction_session: Vec::new(),
            endpoint: Endpoint::SINGLE_SERVER,
            read_only: false,
            lease: None,
        }
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        rows(&mut *self.connection, sql).await.map_err(read_error)
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let (completed, error) = run(&mut *self.connection, sql).await;
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
        match self.run(sql).await.1 {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    async fn roll_back(&mut self) {
        if let (_, Some(error)) = self.run("ROLLBACK").await {
            tracing::debug!(message = error.message, "rolling back");
        }
    }

    /// Runs SQL in a transaction, if the lock is still held.
    async fn commit(&mut self, history_sql: &HistorySql, sql: &str) -> Result<(), BackendError> {
        let guard = self.guard(history_sql).join(";\n");
        let outcome = self.execute(&format!("BEGIN;\n{guard};\n{sql}COMMIT;")).await;
        if outcome.is_err() {
            self.roll_back().await;
        }
        outcome
    }

    /// The key of the advisory lock.
    fn lock_key(&self, history_sql: &HistorySql) -> i64 {
        let checksum = history_sql.lock_name(&self.database);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&checksum.as_bytes()[..8]);
        i64::from_be_bytes(bytes)
    }

    /// Statements that fail if another process holds the lock by now. They also renew a lease.
    fn guard(&self, history_sql: &HistorySql) -> Vec<String> {
        let held = match &self.lease {
            Some(lease) => lease.held_condition(history_sql),
            None => {
                let (high, low) = self.lock_key_halves(history_sql);
                format!(
                    "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
                     AND pid = pg_catalog.pg_backend_pid() AND classid = {high} AND objid = {low})"
                )
            }
        };
        let check = format!("SELECT CAST(CASE WHEN {held} THEN '1' ELSE '{LOCK_LOST}' END AS integer)");
        self.lease.iter().map(|lease| lease.renew_sql(history_sql)).chain([check]).collect()
    }

    /// The key as the columns `classid` and `objid` of `pg_locks` contain it.
    fn lock_key_halves(&self, history_sql: &HistorySql) -> (u32, u32) {
        let key = self.lock_key(history_sql);
        ((key >> 32) as u32, key as u32)
    }

    /// Runs `CREATE` statements of history tables under a lock of their own. `IF NOT EXISTS` does not prevent two sessions from
    /// creating a table at the same time, and services share the tables but not the migration lock.
    async fn create_tables_locked(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        let name = history_sql.text(history_sql.records_name());
        let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({name}, 0))");
        // `CREATE SCHEMA IF NOT EXISTS` needs the CREATE privilege on the database even if the schema exists.
        let schema = history_sql.text(history_sql.schema().unwrap_or_default());
        let schemas = self.rows(&format!("SELECT 1::text FROM pg_catalog.pg_namespace WHERE nspname = {schema}")).await?;
        let create_schema = history_sql.create_schema().filter(|_| schemas.is_empty());
        let statements: Vec<String> = create_schema.into_iter().chain(statements).collect();
        let outcome = self.execute(&format!("BEGIN;\n{lock};\n{};\nCOMMIT;", statements.join(";\n"))).await;
        if outcome.is_err() {
            self.roll_back().await;
        }
        outcome
    }

    async fn try_session_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let key = self.lock_key(history_sql);
        if !self.is_true(&format!("SELECT pg_catalog.pg_try_advisory_lock({key})::text")).await? {
            return Ok(false);
        }
        // The lock comes first: see `lease::is_held`. Querying a table that does not exist would log an error on the server.
        let has_leases = format!("SELECT (pg_catalog.to_regclass({}) IS NOT NULL)::text", history_sql.text(&history_sql.locks()));
        if self.is_true(&has_leases).await? && lease::is_held(self, history_sql).await? {
            self.execute(&format!("SELECT pg_catalog.pg_advisory_unlock({key})")).await?;
            return Ok(false);
        }
        Ok(true)
    }

    async fn is_true(&mut self, query: &str) -> Result<bool, BackendError> {
        let rows = self.rows(query).await?;
        Ok(rows.first().and_then(|row| row.first()?.as_deref()) == Some("true"))
    }

    /// Acquires the lock again if a statement that cannot be rolled back has released it, unless another process holds it by
    /// now.
    async fn reacquire_lock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        let guard = self.guard(history_sql).join(";\n");
        match self.execute(&guard).await {
            Err(error) if error.kind == BackendErrorKind::LockLost => {
                if self.try_session_lock(history_sql).await? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            outcome => outcome,
        }
    }

    /// SQL that resets the session before the record is written. Empty in the middle of a script, whose later units rely on its
    /// settings.
    fn reset_after(&self, unit_run: &UnitRun<'_>) -> String {
        if unit_run.last || !self.endpoint.preserves_session() {
            format!("{}{}", reset_authorization(unit_run.text), self.reset.prepared)
        } else {
            String::new()
        }
    }

    /// Drops the invalid index that a failed concurrent build of this statement leaves. `IF NOT EXISTS` would accept it.
    async fn drop_invalid_index(&mut self, sql: &str) -> Result<(), BackendError> {
        let Some((name, table)) = built_index(sql) else { return Ok(()) };
        let find = format!(
            "SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE NOT i.indisvalid AND c.relname = {name} AND i.indrelid = pg_catalog.to_regclass({table})"
        );
        for index in self.rows(&find).await?.into_iter().flatten().flatten() {
            tracing::warn!(index, "dropping the invalid index of a failed build");
            self.execute(&format!("DROP INDEX CONCURRENTLY {index}")).await?;
        }
        Ok(())
    }

    /// A message with the statements that start a transaction. `sets_isolation`: the script begins with `SET TRANSACTION`.
    fn transaction_start(&self, unit_run: &UnitRun<'_>, guard: &[String], sets_isolation: bool) -> SqlMessage {
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
        for statement in &self.transaction_session {
            message.prepend(statement.trim_end().trim_end_matches(';'));
        }
        for limit in limits(unit_run, "LOCAL") {
            message.prepend(&limit);
        }
        message
    }

    /// Sends `message` and the statements of a transaction, except for the last chunk. Returns the message with that chunk, to
    /// which the caller appends the record.
    async fn run_chunks(&mut self, mut message: SqlMessage, unit_run: &UnitRun<'_>) -> Result<SqlMessage, UnitError> {
        // The server parses a message completely before it runs any of it, so a setting that changes how strings are parsed has
        // no effect on later statements of the same message.
        let changes_parsing = contains_word(unit_run.text, "standard_conforming_strings");
        if changes_parsing || unit_run.numbered_statements().any(|(_, statement)| statement.copy_data.is_some()) {
            self.run_each(&message, unit_run).await?;
            return Ok(SqlMessage::default());
        }
        let mut chunks = unit_run.chunks(MAX_CHUNK);
        let last = chunks.pop().unwrap_or_default();
        for chunk in chunks {
            message.add_statements(unit_run, chunk);
            if let (completed, Some(error)) = self.run(&message.sql).await {
                return Err(self.message_error(&message, completed, error).await);
            }
            message = SqlMessage::default();
        }
        message.add_statements(unit_run, last);
        Ok(message)
    }

    /// Runs each statement in a message of its own, as `COPY ... FROM stdin` requires; `message` before them.
    async fn run_each(&mut self, message: &SqlMessage, unit_run: &UnitRun<'_>) -> Result<(), UnitError> {
        if let (_, Some(error)) = self.run(&message.sql).await {
            self.roll_back().await;
            return Err(UnitError::RecordFailed(error));
        }
        for (number, statement) in unit_run.numbered_statements() {
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
        self.roll_back().await;
        UnitError::StatementFailed { statement, offset, error }
    }

    /// Determines the endpoint from `version()` and the start-up parameter of this session, and with it the kind of lock.
    async fn detect_endpoint(&mut self, history_sql: &HistorySql, locking: LockSettings, version: &str, parameter: Option<&str>) {
        // `lock = "session"` states that the session belongs to this connection alone.
        if locking.strategy != LockStrategy::Session {
            let passes_parameters = self.connector.passes_parameters(parameter).await;
            self.endpoint = endpoint::detect(version, passes_parameters);
        }
        if locking.strategy == LockStrategy::Lease || !self.endpoint.supports_session_locks() {
            tracing::info!(endpoint = %self.endpoint, "using a lease as the migration lock");
            self.lease = Some(Lease::new(history_sql, locking.lease));
        }
    }
}

/// The byte of the script at which an error of this message points.
fn script_offset(message: &SqlMessage, error: &BackendError) -> Option<usize> {
    error.position.and_then(|position| message.script_offset(position))
}

/// Converts an error: its kind from the SQLSTATE, and its detail, hint and position.
fn read_error(error: sqlx::Error) -> BackendError {
    let mut error = BackendError::of(error);
    let source = error.source.as_ref().and_then(|error| error.as_database_error());
    if let Some(source) = source.and_then(|error| error.try_downcast_ref::<PgDatabaseError>()) {
        error.detail = source.detail().map(str::to_owned);
        error.hint = source.hint().map(str::to_owned);
        error.position = match source.position() {
            Some(PgErrorPosition::Original(position)) => Some(position),
            _ => None,
        };
        error.kind = match source.code() {
            // admin_shutdown, crash_shutdown, cannot_connect_now: the server answers, but the session has ended.
            "57P01" | "57P02" | "57P03" => BackendErrorKind::ConnectionLost,
            // lock_not_available, deadlock_detected, serialization_failure: the server rolls back in each case.
            "55P03" | "40P01" | "40001" => BackendErrorKind::LockTimeout,
            // invalid_text_representation: the guard casts this text of ours to an integer. A script can cause the same code, so
            // only our own text in the message shows that it was the guard.
            "22P02" if error.message.contains(LOCK_LOST) => BackendErrorKind::LockLost,
            _ => BackendErrorKind::Rejected,
        };
    }
    error
}

/// Reads the columns connection, user, host, age and statement.
fn read_session(row: TextRow) -> Option<SessionInfo> {
    let mut columns = row.into_iter();
    let connection = columns.next().flatten()?;
    Some(SessionInfo {
        how_to_end: Some(format!("end it: `SELECT pg_terminate_backend({connection})`")),
        connection,
        user: columns.next().flatten(),
        from: columns.next().flatten(),
        since: columns.next().flatten(),
        statement: columns.next().flatten().map(|text| strip_own_sql(&text).to_owned()).filter(|text| !text.is_empty()),
    })
}

fn is_missing(error: &BackendError) -> bool {
    // undefined_table, invalid_schema_name
    matches!(error.code.as_deref(), Some("42P01" | "3F000"))
}

/// SQL that resets the session user and `session_replication_role`, if the script may have changed them: other users may lack
/// the privilege for it.
fn reset_authorization(text: &str) -> &'static str {
    match (contains_word(text, "session authorization"), contains_word(text, "session_replication_role")) {
        (false, false) => "",
        (true, false) => "RESET SESSION AUTHORIZATION;\n",
        (false, true) => "RESET session_replication_role;\n",
        (true, true) => "RESET SESSION AUTHORIZATION;\nRESET session_replication_role;\n",
    }
}

/// Whether a statement is `SET TRANSACTION ...`.
fn sets_transaction(sql: &str) -> bool {
    let mut tokens = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank());
    ["SET", "TRANSACTION"].iter().all(|word| tokens.next().is_some_and(|token| token.is_word(sql, word)))
}

fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis().clamp(1, i32::MAX as u128)
}

/// Statements that set the time limits of a unit, in the scope `LOCAL` or `SESSION`. A limit that the script sets itself is not
/// overridden.
fn limits(unit_run: &UnitRun<'_>, scope: &str) -> Vec<String> {
    let mut limits = Vec::new();
    if !contains_word(unit_run.text, "statement_timeout") {
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
    if let Some(lock_timeout) = lock_timeout.filter(|_| !contains_word(unit_run.text, "lock_timeout")) {
        limits.push(format!("SET {scope} lock_timeout = {lock_timeout}"));
    }
    limits
}

#[async_trait]
impl LeaseConnection for Postgres<'_> {
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        self.create_tables_locked(history_sql, statements).await
    }

    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError> {
        self.execute(sql).await.map(|()| true)
    }

    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let (high, low) = self.lock_key_halves(history_sql);
        let sql = format!(
            "SELECT count(*)::text FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
             AND classid = {high} AND objid = {low} \
             AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
        );
        Ok(self.rows(&sql).await?.first().and_then(|row| row[0].as_deref()) != Some("0"))
    }

    fn running_query(&self, pattern: &str) -> String {
        format!(
            "SELECT count(*)::text FROM pg_catalog.pg_stat_activity WHERE state = 'active' AND pid <> pg_catalog.pg_backend_pid() \
             AND query LIKE '{pattern}'"
        )
    }
}

#[async_trait]
impl Backend for Postgres<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
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
        let schema = table_list::place(history_sql);
        let settings: Vec<String> = SETTINGS.iter().map(|name| format!("pg_catalog.current_setting('{name}')")).collect();
        let sql = format!(
            "SELECT pg_catalog.version(), pg_catalog.current_setting('{PARAMETER}', true), \
             pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_database()::text, \
             {schema}, {}",
            settings.join(", ")
        );
        let row = self.rows(&sql).await?.into_iter().next().unwrap_or_default();
        let mut columns = row.into_iter();
        let (version, parameter) = (columns.next().flatten().unwrap_or_default(), columns.next().flatten());
        self.read_only = columns.next().flatten().as_deref() == Some("on");
        self.detect_endpoint(history_sql, locking, &version, parameter.as_deref()).await;
        self.database = columns.next().flatten().unwrap_or_default();
        match columns.next().flatten() {
            Some(schema) => history_sql.set_schema(schema),
            None => {
                let mut error = BackendError::own("no schema of `search_path` exists, so the history tables cannot be located");
                error.hint = Some("set `schema` under `[history]` in `migrate.toml`".into());
                return Err(error);
            }
        }
        let reset = SETTINGS.iter().zip(columns).map(|(name, value)| {
            let value = history_sql.text(&value.unwrap_or_default());
            format!("pg_catalog.set_config('{name}', {value}, false)")
        });
        self.reset.original = format!("SELECT {};\n", reset.collect::<Vec<_>>().join(", "));
        self.reset.prepared = self.reset.original.clone();
        if !self.endpoint.preserves_session() {
            self.transaction_session = session.to_vec();
            return Ok(());
        }
        for statement in session {
            self.execute(statement).await?;
            self.reset.add(statement);
        }
        Ok(())
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.create_tables_locked(history_sql, history_sql.create()).await
    }

    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
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

    async fn holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo> {
        if let Some(holder) = lease::holder(self, history_sql).await {
            return Some(holder);
        }
        let (high, low) = self.lock_key_halves(history_sql);
        let sql = format!(
            "SELECT a.pid::text, a.usename::text, concat_ws(' ', coalesce(host(a.client_addr), 'local'), nullif(a.application_name, '')), \
             to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), left(a.query, 2000) \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = {high} AND l.objid::bigint = {low} AND l.objsubid = 1 \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) LIMIT 1"
        );
        // If the query fails, the message lacks the holder; the run continues to wait.
        self.rows(&sql).await.ok()?.into_iter().next().and_then(read_session)
    }

    async fn blockers(&mut self, history_sql: &HistorySql, tables: &[Name]) -> Vec<SessionInfo> {
        let relation = |name: &Name| {
            let schema = name.schema.as_ref().map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
            format!("pg_catalog.to_regclass({})", history_sql.text(&format!("{schema}{}", history_sql.name(&name.name))))
        };
        if tables.is_empty() {
            return Vec::new();
        }
        let relations: Vec<String> = tables.iter().map(relation).collect();
        let sql = format!(
            "SELECT DISTINCT a.pid::text, a.usename::text, \
             concat_ws(' ', coalesce(host(a.client_addr), 'local'), nullif(a.application_name, '')), \
             round(extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.backend_start)))::text || ' s ago', \
             left(CASE WHEN a.state LIKE 'idle%' THEN a.state || ', last ' || a.query ELSE a.query END, 200) \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.granted AND l.locktype = 'relation' AND l.pid <> pg_catalog.pg_backend_pid() \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             AND l.relation IN ({}) ORDER BY 4 DESC LIMIT 5",
            relations.join(", ")
        );
        // If the query fails, the message lacks the sessions; the statement is retried anyway.
        self.rows(&sql).await.unwrap_or_default().into_iter().filter_map(read_session).collect()
    }

    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        if let Some(mut lease) = self.lease.take() {
            lease.stop_heartbeat();
            return self.execute(&lease.release_sql(history_sql)).await;
        }
        let sql = format!("SELECT pg_catalog.pg_advisory_unlock({})::text", self.lock_key(history_sql));
        if self.is_true(&sql).await? { Ok(()) } else { Err(BackendError::own("the lock was no longer held")) }
    }

    async fn presence(&mut self, history_sql: &HistorySql, object: &Object) -> Result<Option<Presence>, BackendError> {
        let Some(query) = presence_query(history_sql, object) else { return Ok(None) };
        let rows = self.rows(&query).await?;
        Ok(Some(Presence::of(rows.first().and_then(|row| row.first()?.as_deref()))))
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        let guard = self.guard(history_sql);
        let mut statements = unit_run.numbered_statements();
        let sets_isolation = statements.next().is_some_and(|(_, first)| sets_transaction(first.sql(unit_run.text)));
        let start = self.transaction_start(unit_run, &guard, sets_isolation);
        // The check before the commit is the first one after `SET TRANSACTION`, detects a lock that the script has released, and
        // renews a lease for its full duration.
        let may_release_lock = ["unlock", "discard"].iter().any(|word| contains_word(unit_run.text, word));
        let check = if sets_isolation || may_release_lock || self.lease.is_some() {
            format!("{};\n", guard.join(";\n"))
        } else {
            String::new()
        };
        let record = history_sql.write(&build_change(Elapsed::Transaction(unit_run.since.elapsed())));
        let end = format!("{}{check}{record}COMMIT;", self.reset_after(unit_run));
        let mut message = self.run_chunks(start, unit_run).await?;
        message.append(&end);
        match self.run(&message.sql).await {
            (_, None) => Ok(()),
            (completed, Some(error)) => Err(self.commit_error(&message, completed, error).await),
        }
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        for (number, statement) in unit_run.numbered_statements().filter(|_| unit_run.resuming) {
            if let Err(error) = self.drop_invalid_index(statement.sql(unit_run.text)).await {
                return Err(self.unit_error(Some(number), None, error).await);
            }
        }
        if let Some(lease) = self.lease.as_mut().filter(|_| self.connector.options().is_none()) {
            // There is no heartbeat without a second connection.
            lease.set_duration(lease.duration().max(unit_run.timeout));
        }
        let mut start = SqlMessage::default();
        self.guard(history_sql).iter().for_each(|statement| start.prepend(statement));
        if self.endpoint.preserves_session() {
            limits(unit_run, "SESSION").iter().for_each(|limit| start.prepend(limit));
        }
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
        self.run_each(&SqlMessage::default(), unit_run).await?;
        let may_release_lock = |sql: &str| contains_word(sql, "discard") || contains_word(sql, "advisory_unlock");
        let mut statements = unit_run.numbered_statements();
        if self.lease.is_none() && statements.any(|(_, statement)| may_release_lock(statement.sql(unit_run.text))) {
            self.reacquire_lock(history_sql).await.map_err(UnitError::RecordFailed)?;
        }
        let record = history_sql.write(&build_change(Elapsed::Measured(unit_run.since.elapsed())));
        let record = format!("{}{record}", self.reset_after(unit_run));
        self.commit(history_sql, &record).await.map_err(UnitError::from_write)
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError> {
        self.execute(sql).await
    }

    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        self.commit(history_sql, &history_sql.write(change)).await
    }

    fn session_reset(&self) -> Option<&SessionReset> {
        Some(&self.reset)
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        self.connection.release(state).await;
    }
}
