//! PostgreSQL.
//!
//! A migration in a transaction is one message of the simple protocol: `BEGIN`, a look whether the lock is still held, the
//! script, the session's settings put back, the record, `COMMIT`. The lock is a session advisory lock, got by trying: a
//! blocking wait would hold a snapshot, and the holder's `CREATE INDEX CONCURRENTLY` would wait for it in turn.
//!
//! Behind a pooler that gives each transaction another session of the server, the lock is a lease, nothing is set for
//! longer than a transaction, and what a script sets is put back in the same one.

pub mod address;
mod connector;
pub mod history_dialect;
mod presence;

pub use connector::PgConnector;

use crate::backend::{Backend, BuildChange, ConnectionState, Presence, UnitError, UnitRun};
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

/// What scripts are known to set and to leave so; `session_replication_role` is left out because only a superuser may set it,
/// even to what it is.
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
    database: String,
    /// Sets every setting to what it was when the connection was taken.
    original: String,
    /// The same, and then what `session` in `migrate.toml` says.
    restoring: String,
    access: PgConnector,
    surroundings: Endpoint,
    /// May a transaction find another session of the server than the one before?
    pooled: bool,
    /// Can the database only be read?
    read_only: bool,
    /// What `session` says, where each transaction has to begin with it.
    session: Vec<String>,
    /// The lock, where it is none of the session's.
    lease: Option<Lease>,
}

/// How many bytes of a script are sent at once.
const PIECE: usize = 1 << 20;

/// How long a transaction may stand still that holds the row of a lease.
const IDLE: Duration = Duration::from_secs(60);

impl<'c> Postgres<'c> {
    /// Takes a connection.
    pub fn new(connection: ConnectionGuard<'c, sqlx::Postgres>, access: PgConnector) -> Self {
        Postgres {
            connection,
            database: String::new(),
            original: String::new(),
            restoring: String::new(),
            access,
            surroundings: Endpoint::SingleServer,
            pooled: false,
            read_only: false,
            session: Vec::new(),
            lease: None,
        }
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, BackendError> {
        rows(&mut *self.connection, sql).await.map_err(read_error)
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let (completed, error) = run(&mut *self.connection, sql).await;
        let mut failed = error.map(read_error);
        if let Some(error) = &mut failed {
            // A script may also make its own transaction one that only reads.
            if self.read_only && error.code.as_deref() == Some("25006") {
                error.kind = BackendErrorKind::ReadOnly;
            }
        }
        (completed, failed)
    }

    async fn do_all(&mut self, sql: &str) -> Result<(), BackendError> {
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

    /// Writes in a transaction, if the lock is still held.
    async fn commit(&mut self, history_sql: &HistorySql, sql: &str) -> Result<(), BackendError> {
        let guard = self.guard(history_sql).join(";\n");
        let written = self.do_all(&format!("BEGIN;\n{guard};\n{sql}COMMIT;")).await;
        if written.is_err() {
            self.roll_back().await;
        }
        written
    }

    fn key(&self, history_sql: &HistorySql) -> i64 {
        let sum = history_sql.lock_name(&self.database);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&sum.as_bytes()[..8]);
        i64::from_be_bytes(bytes)
    }

    /// Statements that fail when the lock is another's by now; a lease they renew.
    fn guard(&self, history_sql: &HistorySql) -> Vec<String> {
        let held = match &self.lease {
            Some(lease) => lease.held(history_sql),
            None => {
                let (high, low) = self.halves(history_sql);
                format!(
                    "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
                     AND pid = pg_catalog.pg_backend_pid() AND classid = {high} AND objid = {low})"
                )
            }
        };
        let check = format!("SELECT CAST(CASE WHEN {held} THEN '1' ELSE '{LOCK_LOST}' END AS integer)");
        self.lease.iter().map(|lease| lease.renew(history_sql)).chain([check]).collect()
    }

    /// The key as `pg_locks` shows it.
    fn halves(&self, history_sql: &HistorySql) -> (u32, u32) {
        let key = self.key(history_sql);
        ((key >> 32) as u32, key as u32)
    }

    /// Makes tables, under a lock of its own: `IF NOT EXISTS` does not keep two sessions from making the same one at once,
    /// and services share the tables but not their lock.
    async fn make(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        let name = history_sql.text(history_sql.records_name());
        let key = format!("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({name}, 0))");
        // `CREATE SCHEMA IF NOT EXISTS` wants a right that many users lack, also where the schema exists.
        let schema = history_sql.text(history_sql.schema().unwrap_or_default());
        let found = self.rows(&format!("SELECT 1::text FROM pg_catalog.pg_namespace WHERE nspname = {schema}")).await?;
        let schema = history_sql.create_schema().filter(|_| found.is_empty());
        let statements: Vec<String> = schema.into_iter().chain(statements).collect();
        let made = self.do_all(&format!("BEGIN;\n{key};\n{};\nCOMMIT;", statements.join(";\n"))).await;
        if made.is_err() {
            self.roll_back().await;
        }
        made
    }

    async fn try_session(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let key = self.key(history_sql);
        if !self.is_true(&format!("SELECT pg_catalog.pg_try_advisory_lock({key})::text")).await? {
            return Ok(false);
        }
        // Asked behind the lock. A table that is not there would be an error in the server's log.
        let leases = format!("SELECT (pg_catalog.to_regclass({}) IS NOT NULL)::text", history_sql.text(&history_sql.locks()));
        if self.is_true(&leases).await? && lease::is_held(self, history_sql).await? {
            self.do_all(&format!("SELECT pg_catalog.pg_advisory_unlock({key})")).await?;
            return Ok(false);
        }
        Ok(true)
    }

    async fn is_true(&mut self, query: &str) -> Result<bool, BackendError> {
        let rows = self.rows(query).await?;
        Ok(rows.first().and_then(|row| row.first()?.as_deref()) == Some("true"))
    }

    /// Takes the lock once more if a statement that cannot be rolled back has given it up, unless another was faster.
    async fn take_again(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        let guard = self.guard(history_sql).join(";\n");
        match self.do_all(&guard).await {
            Err(error) if error.kind == BackendErrorKind::LockLost => match self.try_session(history_sql).await? {
                true => Ok(()),
                false => Err(error),
            },
            outcome => outcome,
        }
    }

    /// Puts the settings back before the record is written, but not in the middle of a script, which goes on with its own.
    fn restoring_after(&self, work: &UnitRun<'_>) -> String {
        match work.last || self.pooled {
            true => format!("{}{}", authorization(work.text), self.restoring),
            false => String::new(),
        }
    }

    /// A concurrent build that failed leaves an invalid index behind, which `IF NOT EXISTS` would then take for a good one.
    async fn drop_invalid_index(&mut self, sql: &str) -> Result<(), BackendError> {
        let Some((name, table)) = built_index(sql) else { return Ok(()) };
        let find = format!(
            "SELECT i.indexrelid::regclass::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
             WHERE NOT i.indisvalid AND c.relname = {name} AND i.indrelid = pg_catalog.to_regclass({table})"
        );
        for index in self.rows(&find).await?.into_iter().flatten().flatten() {
            tracing::warn!(index, "dropping the invalid index that a failed build left behind");
            self.do_all(&format!("DROP INDEX CONCURRENTLY {index}")).await?;
        }
        Ok(())
    }

    /// `COPY ... FROM stdin` cannot travel with others, so each statement goes by itself.
    async fn one_by_one(&mut self, message: &SqlMessage, work: &UnitRun<'_>) -> Result<(), UnitError> {
        if let (_, Some(error)) = self.run(&message.sql).await {
            self.roll_back().await;
            return Err(UnitError::RecordFailed(error));
        }
        for (number, statement) in work.numbered_statements() {
            let sql = statement.sql(work.text);
            // What runs by itself can be seen to run when its sender is gone.
            let mark = self.lease.as_ref().filter(|_| !work.unit.in_transaction).map(Lease::holder_comment).unwrap_or_default();
            let outcome = match &statement.copy_data {
                None => self.run(&format!("{mark}{sql}")).await.1,
                Some(data) => self.copy(sql, &work.text[data.clone()]).await.err().map(read_error),
            };
            if let Some(error) = outcome {
                let in_sql = error.position.and_then(|position| position.checked_sub(1 + mark.len()));
                let offset = in_sql.and_then(|position| sql.char_indices().nth(position));
                let offset = offset.map(|(at, _)| statement.range.start + at);
                return Err(self.stopped(Some(number), offset, error).await);
            }
        }
        Ok(())
    }

    async fn copy(&mut self, sql: &str, data: &str) -> Result<(), sqlx::Error> {
        let mut copy = self.connection.copy_in_raw(sql).await?;
        copy.send(data.as_bytes()).await?;
        copy.finish().await.map(drop)
    }

    async fn stopped(&mut self, statement: Option<usize>, offset: Option<usize>, error: BackendError) -> UnitError {
        if error.is_connection_lost() {
            return UnitError::ConnectionLost(error);
        }
        self.roll_back().await;
        UnitError::StatementFailed { statement, offset, error }
    }
}

/// Reads an error, its kind from the SQLSTATE, and what PostgreSQL says besides the message.
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
            // admin_shutdown, crash_shutdown, cannot_connect_now: the server answers, but the session is gone.
            "57P01" | "57P02" | "57P03" => BackendErrorKind::ConnectionLost,
            // lock_not_available, deadlock_detected, serialization_failure: all of them rolled back.
            "55P03" | "40P01" | "40001" => BackendErrorKind::LockTimeout,
            // Our own guard casts this text to a number.
            "22P02" if error.message.contains(LOCK_LOST) => BackendErrorKind::LockLost,
            _ => BackendErrorKind::Rejected,
        };
    }
    error
}

/// Connection, user, host, age and statement, as a query returns them.
fn holder(row: Vec<Option<String>>) -> Option<SessionInfo> {
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

/// Only a script that changes who it is needs to be changed back; others may lack the right even to say so.
fn authorization(text: &str) -> &'static str {
    match (contains_word(text, "session authorization"), contains_word(text, "session_replication_role")) {
        (false, false) => "",
        (true, false) => "RESET SESSION AUTHORIZATION;\n",
        (false, true) => "RESET session_replication_role;\n",
        (true, true) => "RESET SESSION AUTHORIZATION;\nRESET session_replication_role;\n",
    }
}

/// `SET TRANSACTION ...`
fn sets_transaction(sql: &str) -> bool {
    let mut tokens = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank());
    ["SET", "TRANSACTION"].iter().all(|word| tokens.next().is_some_and(|token| token.is_word(sql, word)))
}

fn milliseconds(duration: Duration) -> u128 {
    duration.as_millis().clamp(1, i32::MAX as u128)
}

fn limits(work: &UnitRun<'_>, scope: &str) -> Vec<String> {
    // What the script says itself goes first.
    let says = |setting: &str| contains_word(work.text, setting);
    let statement =
        (!says("statement_timeout")).then(|| format!("SET {scope} statement_timeout = {}", milliseconds(work.timeout)));
    // Outside a transaction the limit of the statement before must not hold, nor one of the role: a concurrent build waits
    // long, and stops nobody.
    let lock = work.lock_timeout.or_else(|| (scope == "SESSION").then_some(Duration::ZERO)).filter(|_| !says("lock_timeout"));
    let lock = lock.map(|lock| if lock.is_zero() { 0 } else { milliseconds(lock) });
    let lock = lock.map(|lock| format!("SET {scope} lock_timeout = {lock}"));
    statement.into_iter().chain(lock).collect()
}

#[async_trait]
impl LeaseConnection for Postgres<'_> {
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        Postgres::make(self, history_sql, statements).await
    }

    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError> {
        self.do_all(sql).await.map(|()| true)
    }

    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let (high, low) = self.halves(history_sql);
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

    fn preserves_session(&self) -> bool {
        !self.pooled
    }

    async fn prepare(
        &mut self,
        history_sql: &mut HistorySql,
        session: &[String],
        locking: LockSettings,
    ) -> Result<(), BackendError> {
        // Without a schema of its own, the history is where its table is found, or else where a new one would be made.
        let schema = match history_sql.schema() {
            Some(schema) => history_sql.text(schema),
            None => format!(
                "coalesce((SELECT nspname::text FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace \
                 WHERE pg_class.oid = pg_catalog.to_regclass({})), pg_catalog.current_schema()::text)",
                history_sql.text(&history_sql.name(history_sql.records_name()))
            ),
        };
        let settings: Vec<String> = SETTINGS.iter().map(|name| format!("pg_catalog.current_setting('{name}')")).collect();
        let sql = format!(
            "SELECT pg_catalog.version(), pg_catalog.current_setting('{PARAMETER}', true), \
             pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_database()::text, \
             {schema}, {}",
            settings.join(", ")
        );
        let row = self.rows(&sql).await?.into_iter().next().unwrap_or_default();
        let mut columns = row.into_iter();
        let (version, given) = (columns.next().flatten().unwrap_or_default(), columns.next().flatten());
        self.read_only = columns.next().flatten().as_deref() == Some("on");
        // Who says that the session keeps the lock says that there is one.
        if locking.strategy != LockStrategy::Session {
            let reached = self.access.reached(given.as_deref()).await;
            self.surroundings = Endpoint::of_postgres(&version, reached);
            self.pooled = !self.surroundings.preserves_session();
        }
        if locking.strategy == LockStrategy::Lease || !self.surroundings.supports_session_locks() {
            tracing::info!(surroundings = %self.surroundings, "the lock is a lease");
            self.lease = Some(Lease::new(history_sql, locking.lease));
        }
        self.database = columns.next().flatten().unwrap_or_default();
        match columns.next().flatten() {
            Some(schema) => history_sql.set_schema(schema),
            None => {
                let mut error =
                    BackendError::own("`search_path` names no schema that exists, so there is no place for the history");
                error.hint = Some("set `schema` under `[history]` in `migrate.toml`".into());
                return Err(error);
            }
        }
        let restore = SETTINGS.iter().zip(columns).map(|(name, value)| {
            let value = history_sql.text(&value.unwrap_or_default());
            format!("pg_catalog.set_config('{name}', {value}, false)")
        });
        self.original = format!("SELECT {};\n", restore.collect::<Vec<_>>().join(", "));
        self.restoring = self.original.clone();
        if self.pooled {
            self.session = session.to_vec();
            return Ok(());
        }
        for statement in session {
            self.do_all(statement).await?;
            self.restoring.push_str(statement.trim_end().trim_end_matches(';'));
            self.restoring.push_str(";\n");
        }
        Ok(())
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.make(history_sql, history_sql.create()).await
    }

    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        match self.lease.take() {
            None => self.try_session(history_sql).await,
            Some(mut lease) => {
                let taken = lease.try_take(self, history_sql).await;
                if let (Ok(true), Some(options)) = (&taken, self.access.options()) {
                    lease.keep_alive::<sqlx::Postgres>(history_sql, options.clone());
                }
                self.lease = Some(lease);
                taken
            }
        }
    }

    async fn holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo> {
        if let Some(holder) = lease::holder(self, history_sql).await {
            return Some(holder);
        }
        let (high, low) = self.halves(history_sql);
        let sql = format!(
            "SELECT a.pid::text, a.usename::text, concat_ws(' ', coalesce(host(a.client_addr), 'local'), nullif(a.application_name, '')), \
             to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), left(a.query, 2000) \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = {high} AND l.objid::bigint = {low} AND l.objsubid = 1 \
             AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) LIMIT 1"
        );
        self.rows(&sql).await.ok()?.into_iter().next().and_then(holder)
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
        self.rows(&sql).await.unwrap_or_default().into_iter().filter_map(holder).collect()
    }

    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        if let Some(mut lease) = self.lease.take() {
            lease.stop_heartbeat();
            return self.do_all(&lease.release(history_sql)).await;
        }
        let sql = format!("SELECT pg_catalog.pg_advisory_unlock({})::text", self.key(history_sql));
        let rows = self.rows(&sql).await?;
        match rows.first().and_then(|row| row[0].as_deref()) {
            Some("true") => Ok(()),
            _ => Err(BackendError::own("the lock was not held any more")),
        }
    }

    async fn presence(&mut self, history_sql: &HistorySql, object: &Object) -> Result<Option<Presence>, BackendError> {
        let Some(question) = presence_query(history_sql, object) else { return Ok(None) };
        let rows = self.rows(&question).await?;
        Ok(Some(Presence::of(rows.first().and_then(|row| row.first()?.as_deref()))))
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        let mut message = SqlMessage::default();
        message.prepend(work.unit.begin_statement.map_or("BEGIN", |at| work.statements[at].sql(work.text)));
        let guard = self.guard(history_sql);
        // How a transaction is isolated must be said before anything is read.
        let isolated = work.numbered_statements().next().is_some_and(|(_, first)| sets_transaction(first.sql(work.text)));
        if !isolated {
            guard.iter().for_each(|statement| message.prepend(statement));
        }
        if self.lease.is_some() {
            // One that is frozen in the middle holds the row of the lease for no longer.
            message.prepend(&format!("SET LOCAL idle_in_transaction_session_timeout = '{}s'", IDLE.as_secs()));
        }
        if self.pooled {
            self.session.iter().for_each(|statement| message.prepend(statement.trim_end().trim_end_matches(';')));
        }
        for limit in limits(work, "LOCAL") {
            message.prepend(&limit);
        }
        // What was written meanwhile is not committed if the lock is lost; and a lease lasts from the end on.
        let gives_up = ["unlock", "discard"].iter().any(|word| contains_word(work.text, word));
        let guard = match isolated || gives_up || self.lease.is_some() {
            true => format!("{};\n", guard.join(";\n")),
            false => String::new(),
        };
        let record = history_sql.write(&ending(Elapsed::Transaction(work.since.elapsed())));
        let end = format!("{}{guard}{record}COMMIT;", self.restoring_after(work));
        // The server reads a whole message before it runs any of it, so a setting that changes how strings are read would
        // come too late for the statements behind it.
        let read_apart = contains_word(work.text, "standard_conforming_strings");
        if read_apart || work.numbered_statements().any(|(_, statement)| statement.copy_data.is_some()) {
            self.one_by_one(&message, work).await?;
            message = SqlMessage::default();
        } else {
            let mut pieces = work.chunks(PIECE);
            let last = pieces.pop().unwrap_or_default();
            for piece in pieces {
                message.add_statements(work, piece);
                if let (completed, Some(error)) = self.run(&message.sql).await {
                    let statement = message.failed(completed);
                    let offset = error.position.and_then(|position| message.script_offset(position));
                    return Err(match self.stopped(statement, offset, error).await {
                        UnitError::StatementFailed { error, .. } if error.kind == BackendErrorKind::LockLost => {
                            UnitError::NotStarted(error)
                        }
                        stop => stop,
                    });
                }
                message = SqlMessage::default();
            }
            message.add_statements(work, last);
        }
        message.append(&end);
        let (completed, failed) = self.run(&message.sql).await;
        let Some(error) = failed else { return Ok(()) };
        let statement = message.failed(completed);
        let offset = error.position.and_then(|position| message.script_offset(position));
        // An error of class 23 behind the script is a deferred constraint that `COMMIT` checks; 42601 is found before
        // anything runs, and then only the position tells where. A serialization error is nobody's fault.
        let by_script = statement.is_some()
            || offset.is_some()
            || error.kind == BackendErrorKind::LockTimeout
            || error.code.as_deref().is_some_and(|code| code.starts_with("23"));
        match self.stopped(statement, offset, error).await {
            UnitError::StatementFailed { error, .. } if error.kind == BackendErrorKind::LockLost => {
                Err(UnitError::NotStarted(error))
            }
            UnitError::StatementFailed { error, .. } if message.script_done(completed) && !by_script => {
                Err(UnitError::RecordFailed(error))
            }
            stop => Err(stop),
        }
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        for (number, statement) in work.numbered_statements().filter(|_| work.resuming) {
            if let Err(error) = self.drop_invalid_index(statement.sql(work.text)).await {
                return Err(self.stopped(Some(number), None, error).await);
            }
        }
        if let Some(lease) = self.lease.as_mut().filter(|_| matches!(self.access, PgConnector::Lent)) {
            // Nobody renews it meanwhile.
            lease.set_duration(lease.duration().max(work.timeout));
        }
        let mut message = SqlMessage::default();
        self.guard(history_sql).iter().for_each(|statement| message.prepend(statement));
        if !self.pooled {
            limits(work, "SESSION").iter().for_each(|limit| message.prepend(limit));
        }
        let asked = Instant::now();
        if let (_, Some(error)) = self.run(&message.sql).await {
            return Err(UnitError::NotStarted(error));
        }
        // The statement cannot travel with the guard. Who was frozen since then finds its lease run out by its own clock.
        if self.lease.as_ref().is_some_and(|lease| asked.elapsed() >= lease.duration()) {
            return Err(UnitError::NotStarted(BackendError::lock_lost()));
        }
        // A message of several statements runs in one implicit transaction, so each goes by itself.
        self.one_by_one(&SqlMessage::default(), work).await?;
        let gives_up = |sql: &str| contains_word(sql, "discard") || contains_word(sql, "advisory_unlock");
        if self.lease.is_none() && work.numbered_statements().any(|(_, statement)| gives_up(statement.sql(work.text))) {
            self.take_again(history_sql).await.map_err(UnitError::RecordFailed)?;
        }
        let record = history_sql.write(&ending(Elapsed::Measured(work.since.elapsed())));
        let record = format!("{}{record}", self.restoring_after(work));
        self.commit(history_sql, &record).await.map_err(|error| match !error.is_connection_lost() {
            true => UnitError::RecordFailed(error),
            false => UnitError::ConnectionLost(error),
        })
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError> {
        self.do_all(sql).await
    }

    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        self.commit(history_sql, &history_sql.write(change)).await
    }

    async fn restore(&mut self) -> Result<(), BackendError> {
        match self.restoring.is_empty() || self.pooled {
            true => Ok(()),
            false => self.do_all(&self.restoring.clone()).await,
        }
    }

    async fn restore_original(&mut self) -> Result<(), BackendError> {
        match self.original.is_empty() || self.pooled {
            true => Ok(()),
            false => self.do_all(&self.original.clone()).await,
        }
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        self.connection.release(state).await;
    }
}
