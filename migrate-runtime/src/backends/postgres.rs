//! PostgreSQL.
//!
//! A transactional migration is one message of the simple query protocol: `BEGIN`, the lock check, the script, the reset of the
//! session settings, the record, `COMMIT`. The lock is a session-level advisory lock, acquired by polling: a blocking wait would
//! hold a snapshot, and the holder's `CREATE INDEX CONCURRENTLY` would wait for that snapshot in turn.
//!
//! Through a pooler, each transaction may run in another server session. There the lock is a lease, no setting outlives its
//! transaction, and the transaction that changes a setting resets it.

pub mod address;
mod concurrent;
mod connector;
mod endpoint;
pub mod history_dialect;
mod lent_session;
mod pooled_session;
mod presence;
mod session_state;
mod table_list;
mod trigger_list;
mod trust;

pub use connector::PgConnector;

use crate::backend::{
    Backend, BuildChange, ConnectionState, Presence, Remains, RenewedSession, SessionReset, UnitError, UnitRun,
};
use crate::backend_error::{BackendError, BackendErrorKind, LOCK_LOST, SESSION_CHANGED, shortened};
use crate::backends::connect_in_time;
use crate::connection::{ANSWER_TIMEOUT, ConnectionGuard, TextRow, rows, run};
use crate::endpoint::Endpoint;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql, SystemNames};
use crate::lease::{self, Lease, LeaseConnection};
use crate::mentions::{Mention, Mentions};
use crate::session::{first, only_row, session_statements};
use crate::sql_message::{SqlMessage, strip_own_sql};
use async_trait::async_trait;
use concurrent::Concurrent;
use connector::PARAMETER;
use lent_session::LentSession;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::lock_settings::{LockSettings, LockStrategy};
use migrate_model::name::Name;
use migrate_model::session_effect::{self, SessionEffect};
use migrate_model::token::{Quoting, Tokens};
use presence::{IndexBuild, presence_query};
use session_state::{KeptState, SessionComparison};
use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgErrorPosition};
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

/// Settings that the driver sends when it connects, which overrule those of the database and the role.
const DRIVER_SETTINGS: [&str; 2] = ["timezone", "datestyle"];

/// What `ALTER DATABASE` or `ALTER ROLE` has set for new sessions of this user in this database, as an expression.
fn database_setting(name: &str) -> String {
    let equal = SYSTEM.equal;
    let zero = "0::pg_catalog.oid";
    format!(
        "(SELECT pg_catalog.substr(setting, pg_catalog.length('{name}=') OPERATOR(pg_catalog.+) 1) \
         FROM pg_catalog.pg_db_role_setting s CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS setting \
         WHERE pg_catalog.lower(pg_catalog.split_part(setting, '=', 1)) {equal} '{name}' \
         AND s.setdatabase {equal} ANY (ARRAY[{zero}, (SELECT oid FROM pg_catalog.pg_database \
         WHERE datname {equal} pg_catalog.current_database())]) \
         AND s.setrole {equal} ANY (ARRAY[{zero}, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname {equal} SESSION_USER)]) \
         ORDER BY CASE WHEN s.setrole {equal} {zero} THEN 1 ELSE 0 END, \
         CASE WHEN s.setdatabase {equal} {zero} THEN 1 ELSE 0 END LIMIT 1)"
    )
}

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
    reset: SessionReset,
    /// The `session` statements, which a new session, or each transaction through a pooler, starts with.
    session: Vec<String>,
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
    /// When the transaction of the current unit began in a session that others use, and what its script does to the session.
    pooled_unit: Option<(Instant, SessionEffect)>,
    /// Whether the session holds its state as it is before the next unit.
    kept_state: KeptState,
    /// The migration lock, unless it is a session-level lock.
    lease: Option<Lease>,
}

/// Finds temporary objects only by names that nothing else has. Without `pg_temp`, they come first.
const TEMPORARY_LAST: &str = "SELECT pg_catalog.set_config('search_path', pg_catalog.concat_ws(', ', \
    CASE WHEN pg_catalog.current_setting('search_path') OPERATOR(pg_catalog.<>) '' \
    THEN pg_catalog.current_setting('search_path') END, 'pg_temp'), false);\n";

/// Resets a session that belongs to this run alone. A new session of the same user has the same settings.
const RESET_SESSION: &str = "SET SESSION AUTHORIZATION DEFAULT;\nRESET ROLE;\nRESET ALL;\n";

/// Operators and functions that no other user can replace.
const SYSTEM: &SystemNames = &history_dialect::DIALECT.names;

/// Follows a column: it is this database.
const THIS_DATABASE: &str = "OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database \
    WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())";

/// From where a session is connected, and what it calls itself.
const CLIENT: &str =
    "pg_catalog.btrim(pg_catalog.concat(coalesce(pg_catalog.host(a.client_addr), 'local'), ' ', a.application_name))";

/// A condition on `pg_locks`: the advisory lock whose key has these halves.
fn advisory_lock(high: u32, low: u32) -> String {
    let equal = SYSTEM.equal;
    format!(
        "granted AND locktype {equal} 'advisory' AND objsubid {equal} 1 AND classid::bigint {equal} {high} AND objid::bigint {equal} {low}"
    )
}

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
            reset: SessionReset::default(),
            session: Vec::new(),
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
        if let Err(error) = self.connection.still_answers() {
            return (0, Some(read_error(error)));
        }
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
        let Some((since, effect)) = self.pooled_unit.take() else { return self.roll_back().await };
        let sql = pooled_session::roll_back_sql(effect, self.is_lent(), since.elapsed());
        if let Err(error) = self.execute_for_script(&sql).await {
            tracing::debug!(message = error.message, "rolling back");
            self.roll_back().await;
        }
    }

    async fn roll_back(&mut self) {
        if let Err(error) = self.execute_for_script("ROLLBACK").await {
            tracing::debug!(message = error.message, "rolling back");
        }
    }

    /// Runs SQL in a transaction, if the lock is still held.
    async fn commit(&mut self, history_sql: &HistorySql, sql: &str) -> Result<(), BackendError> {
        self.commit_after(history_sql, "", sql).await
    }

    /// The same, with statements that run first, as the role of the script.
    async fn commit_after(&mut self, history_sql: &HistorySql, first: &str, sql: &str) -> Result<(), BackendError> {
        let own_role = self.own_role_sql();
        let guard = self.guard(history_sql).join(";\n");
        let end = self.after_record();
        let outcome = self.execute(&format!("BEGIN READ WRITE;\n{first}{own_role}{guard};\n{ALL_ROWS}{sql}{end}COMMIT;")).await;
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

    /// Statements that fail if another process holds the lock by now. They also renew a lease.
    fn guard(&self, history_sql: &HistorySql) -> Vec<String> {
        let held = match &self.lease {
            Some(lease) => lease.held_condition(history_sql),
            None => {
                let (high, low) = self.lock_key_halves(history_sql);
                format!(
                    "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE {})",
                    advisory_lock(high, low) + " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
                )
            }
        };
        let check = format!("SELECT CAST(CASE WHEN {held} THEN '1' ELSE '{LOCK_LOST}' END AS integer)");
        let Some(lease) = &self.lease else { return vec![check] };
        let own_role = self.own_role();
        if own_role.is_empty() {
            return vec![lease.renew_sql(history_sql), check];
        }
        // The row belongs to this run, and the statements that follow to the role of the script.
        let [save, restore] = [SAVE_ROLE, RESTORE_ROLE].map(str::to_owned);
        [save].into_iter().chain(own_role).chain([lease.renew_sql(history_sql), check, restore]).collect()
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
        let schemas = self
            .rows(&format!(
                "SELECT 1::pg_catalog.text FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) {schema}"
            ))
            .await?;
        let create_schema = history_sql.create_schema().filter(|_| schemas.is_empty());
        let statements: Vec<String> = create_schema.into_iter().chain(statements).collect();
        let check = crate::trust::check(history_sql);
        let outcome = self.execute(&format!("BEGIN;\n{lock};\n{check};\n{};\nCOMMIT;", statements.join(";\n"))).await;
        if let Err(error) = outcome {
            self.roll_back().await;
            return Err(crate::trust::explained(self, history_sql, error).await);
        }
        Ok(())
    }

    async fn try_session_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let key = self.lock_key(history_sql);
        if !self.is_true(&format!("SELECT pg_catalog.pg_try_advisory_lock({key})::pg_catalog.text")).await? {
            return Ok(false);
        }
        // The lock comes first: see `lease::is_held`. Querying a table that does not exist would log an error on the server.
        if self.has_leases(history_sql).await? && lease::is_held_or_break(self, history_sql).await? {
            self.execute(&format!("SELECT pg_catalog.pg_advisory_unlock({key})")).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether the table of leases exists.
    async fn has_leases(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let table = history_sql.text(&history_sql.locks());
        self.is_true(&format!("SELECT (pg_catalog.to_regclass({table}) IS NOT NULL)::pg_catalog.text")).await
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
        if self.endpoint.preserves_session() {
            // A trigger may have created a temporary table.
            let temporary = if unit_run.session_effect == SessionEffect::None { "DISCARD TEMP;\n" } else { "" };
            return if unit_run.last && self.owns_session() {
                format!("{}{temporary}", self.reset.prepared)
            } else if unit_run.last {
                self.reset.prepared.clone()
            } else {
                self.own_role_sql()
            };
        }
        // The server session belongs to others, too.
        let is_lent = self.is_lent();
        let [objects, settings] = pooled_session::reset_sql(is_lent);
        let authorization = reset_authorization(unit_run.mentions);
        let rest = pooled_session::remove_sql(unit_run.session_effect, is_lent);
        format!("{objects}{authorization}{settings}{}{rest}", self.reset.prepared)
    }

    /// SQL that notes what the statements of a transaction have changed in the session; that fails, where the next transaction may
    /// run in another one.
    fn session_changes(&self, comparison: Option<&SessionComparison>) -> String {
        let preserves = self.endpoint.preserves_session();
        let sql = comparison.map(|state| if preserves { state.compare_sql() } else { state.check_sql() });
        sql.map_or_else(String::new, |sql| format!("{sql};\n"))
    }

    fn is_lent(&self) -> bool {
        matches!(self.connector, PgConnector::Lent)
    }

    /// Follows the record of a change: it has taken a value of a sequence.
    fn after_record(&self) -> &'static str {
        if self.endpoint.preserves_session() { "" } else { pooled_session::forget_sequences(self.is_lent()) }
    }

    /// Before a concurrent build: drops the invalid index of that name, which an earlier build has left and `IF NOT EXISTS` would
    /// accept. Returns the invalid indexes of the table, of which none is then of the build.
    async fn before_build(&mut self, unit_run: &UnitRun<'_>) -> Result<Vec<String>, UnitError> {
        let Some((number, build)) = concurrent_build(unit_run) else { return Ok(Vec::new()) };
        let prepared = async {
            for index in self.invalid_indexes(&build).await? {
                if build.is_named(&index) {
                    self.drop_index(&index).await?;
                }
            }
            self.invalid_indexes(&build).await
        };
        match prepared.await {
            Ok(invalid) => Ok(invalid),
            Err(error) => Err(self.unit_error(Some(number), None, error).await),
        }
    }

    /// After a concurrent build: drops the invalid index that a failed one has left, and checks that a finished one is valid.
    async fn after_build(
        &mut self,
        unit_run: &UnitRun<'_>,
        invalid_before: &[String],
        outcome: Result<(), UnitError>,
    ) -> Result<(), UnitError> {
        let Some((number, build)) = concurrent_build(unit_run) else { return outcome };
        if matches!(outcome, Err(UnitError::ConnectionLost(_))) {
            return outcome;
        }
        let invalid = match self.invalid_indexes(&build).await {
            Ok(invalid) => invalid,
            Err(error) => return outcome.and(Err(self.unit_error(Some(number), None, error).await)),
        };
        let new = invalid.into_iter().find(|index| build.is_named(index) || !invalid_before.contains(index));
        match (outcome, new) {
            (Ok(()), Some(index)) => {
                let mut error = BackendError::own(format!("index {index} exists, but it is invalid"));
                error.hint = Some("another session may be building it; otherwise drop it".into());
                Err(UnitError::StatementFailed { statement: Some(number), offset: None, error, remains: Remains::Nothing })
            }
            (outcome, Some(index)) => {
                // If the index cannot be dropped, the next attempt drops it.
                if let Err(error) = self.drop_index(&index).await {
                    tracing::warn!(index, message = error.message, "the invalid index of a failed build could not be dropped");
                }
                outcome
            }
            (outcome, None) => outcome,
        }
    }

    /// Runs the statement of a unit. One that works in several transactions continues from what an earlier run has left.
    async fn run_or_continue(&mut self, history_sql: &HistorySql, unit_run: &UnitRun<'_>) -> Result<(), UnitError> {
        let first = unit_run.numbered_statements().next();
        let concurrent = first.and_then(|(number, statement)| Some((number, Concurrent::of(statement.sql(unit_run.text))?)));
        let Some((number, concurrent)) = concurrent else { return self.run_each(&SqlMessage::default(), unit_run).await };
        let left = match self.left_by(history_sql, &concurrent).await {
            Ok(left) => left,
            Err(error) => return Err(self.unit_error(Some(number), None, error).await),
        };
        let outcome = match (&concurrent, left.first().map(String::as_str)) {
            (Concurrent::Detach(..), None) if unit_run.resuming => return Ok(()),
            (Concurrent::Detach(table, partition), Some("pending")) => {
                let sql = finalize_sql(history_sql, table, partition);
                match self.execute_for_script(&sql).await {
                    Ok(()) => Ok(()),
                    Err(error) => Err(self.unit_error(Some(number), None, error).await),
                }
            }
            _ => self.run_each(&SqlMessage::default(), unit_run).await,
        };
        match outcome {
            Err(UnitError::StatementFailed { statement, offset, mut error, .. }) => {
                let remains = self.remains_of(history_sql, &concurrent, &mut error).await;
                Err(UnitError::StatementFailed { statement, offset, error, remains })
            }
            outcome => outcome,
        }
    }

    /// What an interrupted run of a statement has left. The invalid indexes of a rebuild are dropped; those that cannot be
    /// dropped are returned.
    async fn left_by(&mut self, history_sql: &HistorySql, concurrent: &Concurrent) -> Result<Vec<String>, BackendError> {
        let Some(sql) = concurrent.left_sql(history_sql) else { return Ok(Vec::new()) };
        let mut left: Vec<String> = self.rows(&sql).await?.into_iter().flatten().flatten().collect();
        if matches!(concurrent, Concurrent::Reindex(..)) {
            for index in std::mem::take(&mut left) {
                if let Err(error) = self.drop_index(&index).await {
                    tracing::warn!(index, message = error.message, "the invalid index of a rebuild could not be dropped");
                    left.push(index);
                }
            }
        }
        Ok(left)
    }

    /// What a failed statement has left, from the catalog; the error then says what it is.
    async fn remains_of(&mut self, history_sql: &HistorySql, concurrent: &Concurrent, error: &mut BackendError) -> Remains {
        let Ok(left) = self.left_by(history_sql, concurrent).await else { return Remains::Unclear };
        let said = match (concurrent, left.first().map(String::as_str)) {
            (Concurrent::Detach(table, partition), Some("pending")) => {
                let sql = finalize_sql(history_sql, table, partition);
                format!(
                    "the detach of partition `{partition}` is pending, and queries of `{table}` no longer return the rows of this partition; the next run completes the detach with `{sql}`"
                )
            }
            (Concurrent::Drop(index), Some("2")) => {
                format!("index `{index}` is invalid now, so no query uses it; the next run drops it")
            }
            (Concurrent::Reindex(..), Some(_)) => {
                format!("invalid indexes remain: {}; the next run drops them", left.join(", "))
            }
            _ => return Remains::Nothing,
        };
        error.hint = Some(said);
        Remains::Continued
    }

    /// The invalid indexes of the table of a build, as names for SQL, without those that a session is building.
    async fn invalid_indexes(&mut self, build: &IndexBuild) -> Result<Vec<String>, BackendError> {
        Ok(self.rows(&build.invalid_sql()).await?.into_iter().flatten().flatten().collect())
    }

    async fn drop_index(&mut self, index: &str) -> Result<(), BackendError> {
        tracing::warn!(index, "dropping the invalid index of a failed build");
        self.execute_for_script(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")).await
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
            self.roll_back_unit().await;
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
        self.roll_back_unit().await;
        UnitError::StatementFailed { statement, offset, error, remains: Remains::Nothing }
    }

    /// Opens a connection of our own in place of one from a pool, whose session the application uses.
    async fn open_own(&mut self) -> Result<(), BackendError> {
        match &self.connector {
            PgConnector::Pooled(options) => self.reconnect(options.clone()).await,
            _ => Ok(()),
        }
    }

    async fn reconnect(&mut self, options: PgConnectOptions) -> Result<(), BackendError> {
        let options = options.disable_statement_logging();
        let (connection, connector) = connect_in_time(connector::open(options)).await.map_err(read_error)?;
        self.connection.replace(connection).await;
        self.connector = connector;
        Ok(())
    }

    /// What the `session` statements name: they take precedence over our limits.
    fn session_mentions(&self) -> Mentions {
        let all = self.session.iter().map(|statement| Mentions::of(statement, Dialect::Postgres));
        all.fold(Mentions::default(), Mentions::and)
    }

    /// Finds the schema of the history, as the `session` statements leave the search path.
    async fn find_place(&mut self, history_sql: &mut HistorySql) -> Result<(), BackendError> {
        if history_sql.schema().is_some() {
            return Ok(());
        }
        let place = format!("SELECT {}", table_list::place(history_sql));
        let rows = if self.session.is_empty() || self.endpoint.preserves_session() {
            self.rows(&place).await
        } else {
            let session: String = self.session.iter().map(|statement| format!("{statement}\n;\n")).collect();
            let rows = self.rows(&format!("BEGIN;\n{session}{place};\nROLLBACK")).await;
            if rows.is_err() {
                self.roll_back().await;
            }
            rows.map(|rows| rows.into_iter().next_back().into_iter().collect())
        };
        match first(rows?) {
            Some(schema) => {
                history_sql.set_schema(schema);
                Ok(())
            }
            None => {
                let mut error = BackendError::own(
                    "no schema of `search_path` exists and can be used by this user, so the history tables cannot be located",
                );
                error.hint =
                    Some("grant this user USAGE on a schema, or set `schema` under `[history]` in `migrate.toml`".into());
                Err(error)
            }
        }
    }

    fn set_role(&mut self, history_sql: &HistorySql, role: Option<String>) {
        self.role = role.filter(|role| role != "none").map_or_else(|| "NONE".to_owned(), |role| history_sql.name(&role));
    }

    /// Builds the SQL that resets the session. `values` are those of [`SETTINGS`].
    async fn prepare_reset(
        &mut self,
        history_sql: &HistorySql,
        values: impl Iterator<Item = Option<String>> + Send,
    ) -> Result<(), BackendError> {
        let values: Vec<Option<String>> = values.collect();
        // The first setting is the role.
        self.set_role(history_sql, values.first().cloned().flatten());
        if self.owns_session() {
            self.reset.prepared = RESET_SESSION.to_owned();
            self.session.iter().for_each(|statement| self.reset.add(statement));
            return Ok(());
        }
        let set_config = |name: &str, value: &str| format!("pg_catalog.set_config('{name}', {}, false)", history_sql.text(value));
        // `values` are missing only if the server did not return them; an empty value then fails and is reported.
        let settings = SETTINGS.iter().zip(values).map(|(name, value)| set_config(name, &value.unwrap_or_default()));
        self.reset.original = format!("SELECT {};\n", settings.collect::<Vec<_>>().join(", "));
        self.reset.prepared = self.reset.original.clone();
        if self.is_lent() {
            self.take_over(history_sql).await?;
        }
        Ok(())
    }

    /// Gives a lent session the settings of a new one, whatever the application has set: the script is to find the session of
    /// any other run.
    async fn take_over(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.original = self.snapshot(history_sql).await?;
        let resets = self.original.resets(&[]);
        self.execute(&resets).await?;
        self.set_role(history_sql, None);
        if self.original.settings().any(|(name, _)| name == "standard_conforming_strings") {
            let conforming = first(self.rows("SELECT pg_catalog.current_setting('standard_conforming_strings')").await?);
            self.server_quoting = Quoting::new(conforming.as_deref() == Some("off"), false);
        }
        // What the application has created in its session takes the place of nothing.
        let has_temporary = first(self.rows("SELECT CAST(pg_catalog.pg_my_temp_schema() AS pg_catalog.text)").await?);
        let temporary_last = if has_temporary.as_deref() == Some("0") { "" } else { TEMPORARY_LAST };
        self.execute(temporary_last).await?;
        let resets = format!("{resets}{temporary_last}");
        if self.endpoint.preserves_session() {
            self.reset.prepared = resets;
            self.session.iter().for_each(|statement| self.reset.add(statement));
        } else {
            // Through a pooler, the next transaction may be in a session that has them still.
            self.reset.prepared = self.original.resets(&SETTINGS);
            // One by one: the number of statements shows which one of a message has failed.
            let resets = resets.lines().map(|line| line.trim_end_matches(';').to_owned());
            self.session.splice(0..0, resets);
        }
        Ok(())
    }

    /// Runs the `session` statements, unless each transaction does.
    async fn run_session(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        if !self.endpoint.preserves_session() {
            return Ok(());
        }
        for statement in self.session.clone() {
            if let Err(error) = self.execute(&statement).await {
                self.restore_original(history_sql).await?;
                return Err(error.of_session(&statement));
            }
        }
        if !self.session.is_empty() {
            let role = first(self.rows("SELECT pg_catalog.current_setting('role')").await?);
            self.set_role(history_sql, role);
        }
        Ok(())
    }

    /// What the session contains, apart from our own lock.
    async fn snapshot(&mut self, history_sql: &HistorySql) -> Result<LentSession, BackendError> {
        let (high, low) = self.lock_key_halves(history_sql);
        let own_lock = advisory_lock(high, low);
        Ok(LentSession::read(self.rows(&lent_session::snapshot_sql(&own_lock)).await?))
    }

    /// Puts a lent session back. An advisory lock may have been acquired several times.
    async fn put_back(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        for _ in 0..16 {
            let statements = self.snapshot(history_sql).await?.back_to(&self.original);
            if statements.is_empty() {
                return Ok(());
            }
            for statement in statements {
                self.execute(&statement).await?;
            }
        }
        Err(BackendError::own("the session could not be restored to its earlier state"))
    }

    /// Determines the endpoint from `version()` and the start-up parameter of this session, and with it the kind of lock.
    fn detect_endpoint(&mut self, history_sql: &HistorySql, locking: LockSettings, version: &str, parameter: Option<&str>) {
        // `lock = "session"` states that the session belongs to this connection alone.
        if locking.strategy != LockStrategy::Session {
            let passes_parameters = self.connector.passes_parameters(parameter);
            self.endpoint = endpoint::detect(version, passes_parameters);
        }
        if locking.strategy == LockStrategy::Lease || !self.endpoint.supports_session_locks() {
            tracing::info!(endpoint = %self.endpoint, "using a lease as the migration lock");
            self.lease = Some(Lease::new(history_sql, locking.lease));
        }
    }
}

/// Completes the detachment of a partition.
fn finalize_sql(history_sql: &HistorySql, table: &Name, partition: &Name) -> String {
    let name = |name: &Name| {
        let schema = name.schema.as_ref().map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
        format!("{schema}{}", history_sql.name(&name.name))
    };
    format!("ALTER TABLE {} DETACH PARTITION {} FINALIZE", name(table), name(partition))
}

/// The concurrent build of an index that a unit consists of, with the number of its statement.
fn concurrent_build(unit_run: &UnitRun<'_>) -> Option<(usize, IndexBuild)> {
    let (number, statement) = unit_run.numbered_statements().next()?;
    Some((number, IndexBuild::of(statement.sql(unit_run.text))?))
}

/// The byte of the script at which an error of this message points.
fn script_offset(message: &SqlMessage, error: &BackendError) -> Option<usize> {
    error.position.and_then(|position| message.script_offset(position))
}

/// Converts an error: its kind from the SQLSTATE, and its detail, hint and position.
fn read_error(error: sqlx::Error) -> BackendError {
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
fn reset_authorization(mentions: Mentions) -> &'static str {
    match (mentions.has(Mention::SessionAuthorization), mentions.has(Mention::ReplicationRole)) {
        (false, false) => "",
        (true, false) => "RESET SESSION AUTHORIZATION;\n",
        (false, true) => "RESET session_replication_role;\n",
        (true, true) => "RESET SESSION AUTHORIZATION;\nRESET session_replication_role;\n",
    }
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
    let mentions = unit_run.mentions.and(session);
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
impl LeaseConnection for Postgres<'_> {
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        self.create_tables_locked(history_sql, statements).await
    }

    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError> {
        self.execute(sql).await.map(|()| true)
    }

    async fn row_is_locked(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let (locks, is_service) = (history_sql.locks(), history_sql.is_service());
        let sql = format!(
            "SELECT (EXISTS (SELECT 1 FROM {locks} WHERE {is_service}) AND NOT EXISTS (SELECT 1 FROM (SELECT 1 FROM {locks} \
             WHERE {is_service} FOR UPDATE SKIP LOCKED) free))::pg_catalog.text"
        );
        self.is_true(&sql).await
    }

    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let (high, low) = self.lock_key_halves(history_sql);
        let sql = format!(
            "SELECT pg_catalog.count(*)::pg_catalog.text FROM pg_catalog.pg_locks WHERE {} AND database {THIS_DATABASE}",
            advisory_lock(high, low)
        );
        Ok(self.rows(&sql).await?.first().and_then(|row| row[0].as_deref()) != Some("0"))
    }

    fn running_query(&self, start: &str) -> String {
        // The statements of other users are hidden, but their locks are not. A statement that outlives its process, such as a
        // concurrent build, holds one of these, so a session with one of them counts as the holder.
        let equal = SYSTEM.equal;
        let hidden = format!(
            "(a.query {equal} '<insufficient privilege>' OR a.state {equal} 'disabled') AND a.usesysid IS NOT NULL AND EXISTS (\
             SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid {equal} a.pid AND l.locktype {equal} 'relation' \
             AND l.database {equal} a.datid AND l.mode {equal} ANY ('{{ShareUpdateExclusiveLock,ShareLock,\
             ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}}'))"
        );
        format!(
            "SELECT pg_catalog.count(*)::pg_catalog.text FROM pg_catalog.pg_stat_activity a \
             WHERE a.pid {} pg_catalog.pg_backend_pid() \
             AND ((a.state {equal} 'active' AND pg_catalog.starts_with(a.query, {start})) OR ({hidden}))",
            SYSTEM.unequal
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

    async fn query_within(&mut self, limit: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.connection.in_time(limit, async |connection| rows(connection, sql).await).await.map_err(read_error)
    }

    fn triggers_sql(&self, names: &[&str]) -> Option<String> {
        Some(trigger_list::triggers_sql(&self.history_dialect().literals(names)))
    }

    fn routines_sql(&self, names: &[&str]) -> Option<String> {
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
        self.open_own().await?;
        // The statements of `session` may decide where the history is.
        let is_lent = self.is_lent();
        let is_known = (session.is_empty() && !is_lent) || history_sql.schema().is_some();
        let place = if is_known { table_list::place(history_sql) } else { "NULL::pg_catalog.text".to_owned() };
        let settings: Vec<String> = SETTINGS.iter().map(|name| format!("pg_catalog.current_setting('{name}')")).collect();
        let sql = format!(
            "SELECT pg_catalog.version(), pg_catalog.current_setting('{PARAMETER}', true), \
             pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_setting('server_encoding'), \
             pg_catalog.current_database()::pg_catalog.text, {place}, {}, {}, {}",
            database_setting(DRIVER_SETTINGS[0]),
            database_setting(DRIVER_SETTINGS[1]),
            settings.join(", ")
        );
        let mut columns = only_row(self.rows(&sql).await?).ok_or_else(BackendError::unanswered)?.into_iter();
        let (version, parameter) = (columns.next().flatten().unwrap_or_default(), columns.next().flatten());
        self.read_only = columns.next().flatten().as_deref() == Some("on");
        // A database with SQL_ASCII stores the bytes as they are.
        let stores_all = matches!(columns.next().flatten().as_deref(), Some("UTF8" | "SQL_ASCII"));
        self.charset = if stores_all { Charset::All } else { Charset::Some };
        self.detect_endpoint(history_sql, locking, &version, parameter.as_deref());
        self.database = columns.next().flatten().unwrap_or_default();
        if let Some(schema) = columns.next().flatten() {
            history_sql.set_schema(schema);
        }
        self.session = Vec::new();
        for name in DRIVER_SETTINGS {
            let value = columns.next().flatten().map(|value| history_sql.text(&value));
            self.session.extend(value.map(|value| format!("SELECT pg_catalog.set_config('{name}', {value}, false)")));
        }
        self.session.extend(session_statements(session, Dialect::Postgres));
        let columns: Vec<Option<String>> = columns.collect();
        let conforming = SETTINGS.iter().zip(&columns).find(|(name, _)| **name == "standard_conforming_strings");
        let read_only = SETTINGS.iter().zip(&columns).find(|(name, _)| **name == lent_session::READ_ONLY);
        self.must_not_write = is_lent && read_only.is_some_and(|(_, value)| value.as_deref() == Some("on"));
        let backslashes = conforming.is_some_and(|(_, value)| value.as_deref() == Some("off"));
        self.server_quoting = Quoting::new(backslashes, false);
        let columns = columns.into_iter();
        self.prepare_reset(history_sql, columns).await?;
        self.run_session(history_sql).await?;
        self.find_place(history_sql).await
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
        // A query of a table that does not exist would log an error on the server, each time that a process waits.
        // For messages only: without an answer, the holder is looked for among the sessions.
        if self.has_leases(history_sql).await.unwrap_or(false)
            && let Some(holder) = lease::holder(self, history_sql).await
        {
            return Some(holder);
        }
        let (high, low) = self.lock_key_halves(history_sql);
        let sql = format!(
            "SELECT a.pid::pg_catalog.text, a.usename::pg_catalog.text, {CLIENT}, \
             pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), pg_catalog.left(a.query, 2000) \
             FROM (SELECT pid FROM pg_catalog.pg_locks WHERE {} AND database {THIS_DATABASE}) l \
             JOIN pg_catalog.pg_stat_activity a ON a.pid {} l.pid LIMIT 1",
            advisory_lock(high, low),
            SYSTEM.equal
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
        let equal = SYSTEM.equal;
        let sql = format!(
            "SELECT DISTINCT a.pid::pg_catalog.text, a.usename::pg_catalog.text, {CLIENT}, \
             pg_catalog.concat(pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) \
             coalesce(a.xact_start, a.backend_start))), ' s ago'), \
             pg_catalog.left(CASE WHEN pg_catalog.starts_with(a.state, 'idle') \
             THEN pg_catalog.concat('(', a.state, ') ', a.query) ELSE a.query END, 200) \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid {equal} l.pid \
             WHERE l.granted AND l.locktype {equal} 'relation' AND l.pid {} pg_catalog.pg_backend_pid() \
             AND l.database {THIS_DATABASE} AND l.relation {equal} ANY (ARRAY[{}]::pg_catalog.oid[]) ORDER BY 4 DESC LIMIT 5",
            SYSTEM.unequal,
            relations.join(", ")
        );
        // If the query fails, the message lacks the sessions; the statement is retried anyway.
        self.rows(&sql).await.unwrap_or_default().into_iter().filter_map(read_session).collect()
    }

    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        if let Some(mut lease) = self.lease.take() {
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
    ) -> Result<(), UnitError> {
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
        let end = format!("{changes}{}{check}{ALL_ROWS}{record}{}COMMIT;", self.reset_after(unit_run), self.after_record());
        self.pooled_unit = (!self.endpoint.preserves_session()).then(|| (Instant::now(), unit_run.session_effect));
        let mut message = self.run_chunks(start, unit_run).await?;
        message.append(&end);
        let outcome = match self.run(&message.sql).await {
            (_, None) => Ok(()),
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
        build_change: BuildChange<'_>,
    ) -> Result<(), UnitError> {
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
        let record = self.record_sql(history_sql, build_change(Elapsed::Measured(unit_run.since.elapsed())));
        let record = format!("{}{record}", self.reset_after(unit_run));
        let changes = state.as_ref().map_or_else(String::new, |state| format!("{};\n", state.compare_sql()));
        self.commit_after(history_sql, &changes, &record).await.map_err(UnitError::from_write)?;
        self.kept_state = state.map_or(KeptState::Outdated, |state| state.kept_after());
        Ok(())
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
                self.reconnect(options).await?;
                self.run_session(history_sql).await?;
                Ok(if self.lease.is_some() { RenewedSession::Locked } else { RenewedSession::Unlocked })
            }
            None if self.is_lent() => {
                self.put_back(history_sql).await?;
                self.execute(&self.reset.prepared.clone()).await?;
                Ok(RenewedSession::Locked)
            }
            // Through a pooler, each transaction resets what it has changed.
            None => Ok(RenewedSession::Locked),
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
