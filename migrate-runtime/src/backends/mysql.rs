//! MySQL and MariaDB.
//!
//! DDL causes an implicit commit, so most files run statement by statement with a checkpoint after each. A file that contains
//! only DML is a transaction. The lock is `GET_LOCK` with a finite timeout, and its result is checked: with a negative timeout
//! MariaDB returns NULL and acquires no lock. Each message starts with the lock check, so that the server receives it together
//! with the statement.
//!
//! On a Galera cluster, `GET_LOCK` is local to a node, so the lock is a lease. If two nodes acquire it at the same time,
//! certification rejects one of the commits.

pub mod address;
mod created_table;
mod endpoint;
pub mod history_dialect;
mod lent_session;
mod lock;
mod lock_name;
mod presence;
mod record;
mod role;
mod run_session;
mod skipped_tables;
mod table_list;
mod trigger_list;
mod trust;
mod warnings;

use crate::backend::{
    Backend, BuildChange, ConnectionState, Presence, Recorded, Remains, RenewedSession, SessionReset, UnitError, UnitRun,
};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::connection::{ANSWER_TIMEOUT, ConnectionGuard, TextRow, rows};
use crate::endpoint::Endpoint;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql};
use crate::lease::{self, Lease, LeaseConnection};
use crate::mentions::{Mention, Mentions};
use crate::sql_message::SqlMessage;
use async_trait::async_trait;
use lent_session::Variables;
use lock::read_session;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::token::{Quoting, Tokens};
use presence::presence_query;
use role::{CurrentRole, SessionRole};
use sqlx::mysql::MySqlConnectOptions;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

/// The size of a message, in bytes of the script. A server rejects messages above `max_allowed_packet`, 16 MiB by default.
const MAX_CHUNK: usize = 1 << 20;

/// How long a session that may hold the row of a lease may be idle.
const MAX_IDLE: Duration = Duration::from_secs(120);

/// A statement commits itself, and a `COMMIT` ends a transaction, without beginning another or ending the session.
const OWN_TRANSACTIONS: &str = "SET SESSION autocommit = 1, SESSION completion_type = 'NO_CHAIN'";

/// A connection to MySQL or MariaDB.
#[derive(Debug)]
pub struct MySql<'c> {
    connection: ConnectionGuard<'c, sqlx::MySql>,
    /// How to open a second connection; `None` for a borrowed connection.
    options: Option<MySqlConnectOptions>,
    /// How a new session of the server reads quotes.
    server_quoting: Quoting,
    database: String,
    /// The longest message that the server accepts, in bytes.
    max_packet: usize,
    reset: SessionReset,
    /// What a new session of this run starts with: our own settings, then the `session` statements.
    session: Vec<String>,
    session_mentions: Mentions,
    /// The variables of a lent session before `prepare`.
    original: Variables,
    /// The names in scripts that a lent session may keep: user variables with the SQL of their value, and temporary tables.
    left: BTreeMap<String, String>,
    /// The statement that last set the lock timeouts; empty after a reset.
    lock_timeout_sql: String,
    /// SQL that sets the lock timeouts to those of the prepared session.
    lock_timeouts_before: String,
    endpoint: Endpoint,
    /// The role of this run, and whether a script may have set another.
    role: SessionRole,
    /// The role of a lent session before `prepare`, as SQL.
    original_role: Option<String>,
    /// The migration lock, unless it is a session-level lock.
    lease: Option<Lease>,
    /// An expression that is true while the connection that has acquired the session-level lock holds it.
    lock_condition: Option<String>,
}

impl<'c> MySql<'c> {
    /// A backend over this connection, before `prepare`.
    pub fn new(connection: ConnectionGuard<'c, sqlx::MySql>, options: Option<MySqlConnectOptions>) -> Self {
        MySql {
            connection,
            options,
            server_quoting: Quoting::of(Dialect::MySql),
            database: String::new(),
            max_packet: usize::MAX,
            reset: SessionReset::default(),
            session: Vec::new(),
            session_mentions: Mentions::default(),
            original: Variables::new(),
            left: BTreeMap::new(),
            lock_timeout_sql: String::new(),
            lock_timeouts_before: String::new(),
            endpoint: Endpoint::SINGLE_SERVER,
            role: SessionRole::default(),
            original_role: None,
            lease: None,
            lock_condition: None,
        }
    }

    /// Statements that fail if another process holds the lock by now. They also renew a lease.
    fn guard(&self, history_sql: &HistorySql) -> Vec<String> {
        let held = match &self.lease {
            Some(lease) => lease.held_condition(history_sql),
            None => self.lock_condition.clone().unwrap_or_else(|| "FALSE".to_owned()),
        };
        // A conditional `SIGNAL` is possible only in a routine. What exceeds the largest integer is an error in any `sql_mode`.
        // Without its own limit, `sql_select_limit` of the script would apply.
        let check = format!("SELECT ~0 + (NOT {held}) LIMIT 1");
        self.lease.iter().map(|lease| lease.renew_sql(history_sql)).chain([check]).collect()
    }

    /// Without a second connection, there is no heartbeat: the lease must last as long as the script may take.
    fn extend_lease(&mut self, unit_run: &UnitRun<'_>) {
        if let Some(lease) = self.lease.as_mut().filter(|_| self.options.is_none()) {
            lease.set_duration(lease.duration().max(unit_run.timeout));
        }
    }

    /// What follows `SET ROLE` in a statement that sets the current role; empty if the server has no roles.
    async fn current_role(&mut self) -> Result<String, BackendError> {
        match self.first_value(role::CURRENT_ROLE).await {
            Ok(role) => Ok(role::operand(role.as_deref())),
            // ER_SP_DOES_NOT_EXIST, ER_FUNC_NOT_EXISTS
            Err(error) if matches!(error.code.as_deref(), Some("1305" | "1630")) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// Notes the role of the run before a script sets another one.
    async fn note_role(&mut self) -> Result<(), BackendError> {
        if self.role.of_run.is_none() {
            self.role.of_run = Some(self.current_role().await?);
        }
        self.role.current = CurrentRole::OfScript;
        Ok(())
    }

    /// The guard of a unit, with the role of this run if it renews a lease. Notes the role before the unit may set another.
    async fn guard_before(&mut self, history_sql: &HistorySql, unit_run: &UnitRun<'_>) -> Result<Vec<String>, UnitError> {
        let guard = self.guard(history_sql);
        let switch = if self.lease.is_some() { self.role_switch().await } else { Ok([None, None]) };
        let [run_role, script] = switch.map_err(UnitError::NotStarted)?;
        if role::may_be_set_by(unit_run) {
            self.note_role().await.map_err(UnitError::NotStarted)?;
        }
        Ok(run_role.into_iter().chain(guard).chain(script).collect())
    }

    async fn rows_within(&mut self, limit: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.connection.in_time(limit, async |connection| rows(connection, sql).await).await.map_err(read_error)
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.query_within(ANSWER_TIMEOUT, sql).await
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let (completed, error) = self.connection.run(sql).await;
        (completed, error.map(read_error))
    }

    /// The same with statements of a script, whose warnings are reported.
    async fn run_script(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let (completed, error) = self.connection.run_with(sql, warnings::report).await;
        (completed, error.map(read_error))
    }

    /// Sends statements of our own, of which there are so many, and one of the script. If the server accepts it only without ours in
    /// the same message, it is sent alone, and its warnings are not asked for.
    async fn send_apart(&mut self, before: &str, count: usize, statement: &str) -> (usize, Option<BackendError>) {
        if statement.len() >= self.max_packet {
            return (count, Some(BackendError::too_long(statement.len(), self.max_packet)));
        }
        if !before.is_empty()
            && let (completed, Some(error)) = self.run_script(before).await
        {
            return (completed, Some(error));
        }
        let (completed, error) = self.run_script(statement).await;
        (count + completed, error)
    }

    /// Sends a message with statements of a script.
    async fn send(&mut self, message: &SqlMessage) -> (usize, Option<BackendError>) {
        match message.single_statement().filter(|_| message.sql.len() >= self.max_packet) {
            Some((before, count, statement)) => self.send_apart(before, count, statement).await,
            None => self.run_script(&message.sql).await,
        }
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

    /// The error of a statement outside a transaction, with what is left of the table that it creates in several steps.
    async fn alone_error(
        &mut self,
        history_sql: &HistorySql,
        number: usize,
        offset: Option<usize>,
        mut error: BackendError,
        created: Option<(Name, Option<String>)>,
    ) -> UnitError {
        let mut remains = Remains::Nothing;
        if let Some((table, before)) = created {
            remains = Remains::Unclear;
            match self.first_value(&created_table::state_sql(history_sql, &table)).await {
                Ok(after) => (remains, error.detail) = created_table::compare(&table, before.as_deref(), after.as_deref()),
                Err(failure) => tracing::debug!(message = failure.message, "looking for a table that was being created"),
            }
        }
        UnitError::StatementFailed { statement: Some(number), offset, error, remains }
    }

    async fn first_value(&mut self, sql: &str) -> Result<Option<String>, BackendError> {
        Ok(self.rows(sql).await?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// The first value of a query after other statements.
    async fn answer_with(&mut self, before: &[&str], query: &str) -> Result<Option<String>, BackendError> {
        for statement in before {
            self.execute(statement).await?;
        }
        self.first_value(query).await
    }

    /// SQL that sets the timeout for metadata locks, and in a transaction also for row locks; or that sets them to what they were
    /// before an earlier statement of the script. `None` if they stay. `restore` resets them.
    fn lock_timeouts_sql(&mut self, unit_run: &UnitRun<'_>, in_transaction: bool) -> Option<String> {
        // The limit of the script takes precedence, and that of `session` over all but a directive.
        if unit_run.mentions.and(self.session_mentions.without(unit_run.stated_limits)).has(Mention::LockTimeout) {
            return None;
        }
        let sql = match unit_run.lock_timeout {
            None => self.lock_timeouts_before.clone(),
            Some(lock_timeout) => {
                let seconds = lock_timeout.as_millis().div_ceil(1000).max(1);
                let row_locks = if in_transaction { format!(", innodb_lock_wait_timeout = {seconds}") } else { String::new() };
                format!("SET SESSION lock_wait_timeout = {seconds}{row_locks}")
            }
        };
        let is_unset = unit_run.lock_timeout.is_none() && self.lock_timeout_sql.is_empty();
        if is_unset || sql.is_empty() || self.lock_timeout_sql == sql {
            return None;
        }
        self.lock_timeout_sql = if unit_run.lock_timeout.is_none() { String::new() } else { sql.clone() };
        Some(sql)
    }
}

/// The number of an error of the server.
fn error_number(error: &sqlx::Error) -> Option<u16> {
    Some(error.as_database_error()?.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()?.number())
}

/// Whether the server has no database of the name in the URL.
pub fn is_missing_database(error: &sqlx::Error) -> bool {
    // ER_BAD_DB_ERROR
    error_number(error) == Some(1049)
}

/// Whether the server allows no further connection, in all or of this user.
pub fn is_full(error: &sqlx::Error) -> bool {
    // ER_CON_COUNT_ERROR; ER_TOO_MANY_USER_CONNECTIONS; ER_USER_LIMIT_REACHED.
    matches!(error_number(error), Some(1040 | 1203 | 1226))
}

/// Converts an error: its kind from the error number, which is more specific than the SQLSTATE.
fn read_error(error: sqlx::Error) -> BackendError {
    let mut error = BackendError::of(error);
    let source = error.source.as_ref().and_then(|error| error.as_database_error());
    if let Some(source) = source.and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()) {
        error.kind = match source.number() {
            // ER_SERVER_SHUTDOWN; ER_CONNECTION_KILLED (MariaDB).
            1053 | 1927 => BackendErrorKind::ConnectionLost,
            // ER_LOCK_WAIT_TIMEOUT; ER_LOCK_DEADLOCK, also for a certification that another node has won.
            1205 | 1213 => BackendErrorKind::LockTimeout,
            // ER_OPTION_PREVENTS_STATEMENT has one number for all options, so only the message shows that it is `--read-only`.
            // ER_READ_ONLY_MODE has that word as well.
            1290 | 1836 if error.message.contains("read-only") => BackendErrorKind::ReadOnly,
            _ => BackendErrorKind::Rejected,
        };
        error.code = Some(source.number().to_string());
    }
    error.limited(&[])
}

/// The error of a message whose first `start_len` statements are ours and contain the guard: a failed guard is a lost lock.
fn guarded_error(completed: usize, start_len: usize, error: BackendError) -> BackendError {
    // ER_DATA_OUT_OF_RANGE
    if completed < start_len && error.code.as_deref() == Some("1690") { BackendError::lock_lost() } else { error }
}

/// A statement that changes `autocommit` or what a `COMMIT` does, followed by one that resets both: the units of a script are its transactions, and
/// the record is written with autocommit.
fn with_autocommit(sql: &str) -> Cow<'_, str> {
    let changes = Mentions::of(sql, Dialect::MySql).has(Mention::Autocommit);
    if changes { format!("{sql}\n;\n{OWN_TRANSACTIONS}").into() } else { sql.into() }
}

/// Whether a statement is `LOCK TABLES` or `FLUSH TABLES ... WITH READ LOCK`.
fn locks_tables(sql: &str) -> bool {
    let mut tokens = Tokens::new(sql, Dialect::MySql).filter(|token| !token.is_blank());
    let Some(first) = tokens.next() else { return false };
    let locks = ["LOCK", "EXPORT"];
    first.is_word(sql, "LOCK")
        || (first.is_word(sql, "FLUSH") && tokens.any(|token| locks.iter().any(|word| token.is_word(sql, word))))
}

/// A statement as text, terminated by `;` and a line end.
fn as_sql(statement: Option<String>) -> String {
    statement.map(|statement| format!("{statement};\n")).unwrap_or_default()
}

/// The guard as text, each statement terminated by `;` and a line end.
fn guard_sql(guard: &[String]) -> String {
    guard.iter().map(|statement| format!("{statement};\n")).collect()
}

/// A query of this crate that returns all rows: before a session is prepared, `sql_select_limit` of the server, of `init_connect` or of
/// the application would hide some, and so migrations that are applied.
fn with_all_rows(sql: &str) -> Cow<'_, str> {
    let last = sql.trim_end().trim_end_matches(';').trim_end();
    let is_query = last.rsplit(";\n").next().is_some_and(|statement| statement.trim_start().starts_with("SELECT"));
    if is_query && !last.contains(" LIMIT ") { format!("{last} LIMIT {}", u64::MAX).into() } else { sql.into() }
}

fn is_missing(error: &BackendError) -> bool {
    // ER_NO_SUCH_TABLE, ER_BAD_DB_ERROR
    matches!(error.code.as_deref(), Some("1146" | "1049"))
}

/// The byte of a statement at which a syntax error points: `... near 'x' at line 3`. The protocol has no field for the
/// position, so it is read from the message; it only adds a place to the error.
fn line_offset(sql: &str, message: &str) -> Option<usize> {
    let line: usize = message.rsplit_once(" at line ")?.1.trim().parse().ok()?;
    let start: usize = sql.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let near = message.rsplit_once(" near '").and_then(|(_, rest)| rest.rsplit_once("' at line "));
    let near = near.and_then(|(text, _)| text.lines().next()).unwrap_or_default();
    let rest = sql.get(start..)?;
    let indent = rest.len() - rest.trim_start().len();
    let column = rest.lines().next().and_then(|line| line.find(near)).filter(|_| !near.is_empty());
    Some(start + column.unwrap_or(indent))
}

#[async_trait]
impl Backend for MySql<'_> {
    fn dialect(&self) -> Dialect {
        Dialect::MySql
    }

    fn history_dialect(&self) -> &'static HistoryDialect {
        &history_dialect::DIALECT
    }

    async fn query(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.query_within(ANSWER_TIMEOUT, &with_all_rows(sql)).await
    }

    async fn query_within(&mut self, limit: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        if skipped_tables::may_skip(sql) {
            return self.catalog_rows(limit, sql).await;
        }
        self.rows_within(limit, sql).await
    }

    fn mixes_engines(&self) -> bool {
        true
    }

    fn records_next_start(&self) -> bool {
        true
    }

    async fn triggers(&mut self, names: &[&str]) -> Result<Vec<TextRow>, BackendError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        trigger_list::read(self, names).await
    }

    fn routines_sql(&self, names: &[&str], near: &[&str]) -> Option<String> {
        let literals = |names: &[&str]| self.history_dialect().literals(names);
        Some(trigger_list::routines_sql(&literals(names), &literals(near)))
    }

    async fn refuse_open_transaction(&mut self) -> Result<(), BackendError> {
        // Under `LOCK TABLES`, the server first says that a table is not locked, also of one that does not exist. Then it would
        // not answer what must be known to put the session back.
        match self.first_value("SELECT 1 FROM migrate_lock_probe LIMIT 1").await {
            // ER_TABLE_NOT_LOCKED
            Err(error) if error.code.as_deref() == Some("1100") => return Err(BackendError::under_table_locks()),
            Err(error) if error.is_connection_lost() => return Err(error),
            _ => {}
        }
        // MariaDB says it. Without autocommit, a savepoint would start a transaction.
        match self.first_value("SELECT CAST(@@in_transaction AS CHAR) LIMIT 1").await {
            Ok(answer) if answer.as_deref() == Some("0") => return Ok(()),
            Ok(_) => return Err(BackendError::in_transaction()),
            // ER_UNKNOWN_SYSTEM_VARIABLE
            Err(error) if error.code.as_deref() == Some("1193") => {}
            Err(error) => return Err(error),
        }
        // Outside a transaction, a savepoint ends with its statement.
        match self.execute("SAVEPOINT migrate_probe;\nRELEASE SAVEPOINT migrate_probe").await {
            Ok(()) => Err(BackendError::in_transaction()),
            // ER_SP_DOES_NOT_EXIST
            Err(error) if error.code.as_deref() == Some("1305") => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_missing_table(&self, error: &BackendError) -> bool {
        is_missing(error)
    }

    fn is_missing_column(&self, error: &BackendError) -> bool {
        // ER_BAD_FIELD_ERROR
        error.code.as_deref() == Some("1054")
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

    fn may_differ_from_new_session(&self) -> bool {
        self.options.is_none()
    }

    fn new_session_condition(&self) -> Option<String> {
        let options = self.options.as_ref().filter(|_| !self.connection.is_owned())?;
        let database = options.get_database().map_or_else(|| "NULL".to_owned(), |name| self.history_dialect().literals(&[name]));
        Some(format!("DATABASE() <=> {database}"))
    }

    fn limits_outlive_transaction(&self) -> bool {
        true
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.create(history_sql, history_sql.create()).await
    }

    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        match self.lease.take() {
            None => self.try_session_lock(history_sql).await,
            Some(mut lease) => {
                let acquired = lease.try_acquire(self, history_sql).await;
                if let (Ok(true), Some(options)) = (&acquired, &self.options) {
                    lease.keep_alive::<sqlx::MySql>(history_sql, options.clone());
                }
                self.lease = Some(lease);
                acquired
            }
        }
    }

    async fn is_locked(&mut self, history_sql: &HistorySql) -> Result<Option<bool>, BackendError> {
        let mut history_sql = history_sql.clone();
        if history_sql.schema().is_none()
            && let Some(database) = self.first_value("SELECT DATABASE()").await?
        {
            history_sql.set_schema(database);
        }
        Ok(Some(lease::is_held(self, &history_sql).await? || self.session_lock_is_held(&history_sql).await?))
    }

    async fn holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo> {
        self.find_holder(history_sql).await
    }

    async fn blockers(&mut self, _: &HistorySql, _: &[Name]) -> Vec<SessionInfo> {
        // Only a plugin shows which session holds the metadata lock of a table. Usually it is one with an open transaction.
        let sql = "SELECT CAST(p.ID AS CHAR), p.USER, p.HOST, CONCAT(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), ' s'), \
                   LEFT(COALESCE(p.INFO, p.COMMAND), 200) FROM information_schema.INNODB_TRX t \
                   JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id \
                   WHERE p.ID <> CONNECTION_ID() ORDER BY t.trx_started LIMIT 5";
        // Without the PROCESS privilege the query fails. The message then lacks the sessions; the statement is retried anyway.
        self.rows(sql).await.unwrap_or_default().into_iter().filter_map(read_session).collect()
    }

    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        // A lent session is as before by now.
        if let Some(run_role) = self.role.set_own_sql().filter(|_| self.options.is_some()) {
            self.execute(&run_role).await?;
        }
        // The lease stays known: without it, the next lock would be one of the session.
        if let Some(lease) = self.lease.as_mut() {
            lease.stop_heartbeat();
            let release = lease.release_sql(history_sql);
            return self.execute(&release).await;
        }
        match self.first_value(&format!("SELECT RELEASE_LOCK({}) LIMIT 1", self.lock_name(history_sql))).await?.as_deref() {
            Some("1") => Ok(()),
            _ => Err(BackendError::own("the lock was no longer held")),
        }
    }

    fn presence_sql(&self, history_sql: &HistorySql, object: &Object) -> Option<String> {
        Some(format!("({})", presence_query(history_sql, object)?))
    }

    async fn presence(
        &mut self,
        history_sql: &HistorySql,
        paths: &[&str],
        object: &Object,
    ) -> Result<Option<Presence>, BackendError> {
        let Some(query) = presence_query(history_sql, object) else { return Ok(None) };
        if paths.is_empty() {
            return presence::read(self.first_value(&query).await?.as_deref());
        }
        let database = self.first_value("SELECT DATABASE()").await?;
        let role = self.current_role().await?;
        let answer = self.answer_with(paths, &query).await;
        let role = Some(role).filter(|role| !role.is_empty()).map(|role| role::set_sql(&role));
        let database = database.map(|database| format!("USE {}", history_sql.name(&database)));
        for restore in [role, database].into_iter().flatten() {
            // A session whose names mean something else must not go on.
            let restored = self.execute(&restore).await;
            restored.map_err(|error| BackendError { kind: BackendErrorKind::ConnectionLost, ..error })?;
        }
        presence::read(answer?.as_deref())
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<Recorded, UnitError> {
        self.note_names(unit_run.text).await.map_err(UnitError::NotStarted)?;
        let limits = self.lock_timeouts_sql(unit_run, true);
        let guard: Vec<String> = limits.into_iter().chain(self.guard_before(history_sql, unit_run).await?).collect();
        let begin = unit_run.unit.begin_statement.map_or("START TRANSACTION", |at| unit_run.statements[at].sql(unit_run.text));
        let mut message = SqlMessage::default();
        message.prepend(begin);
        guard.iter().for_each(|statement| message.prepend(statement));
        let mut start_len = 1 + guard.len();
        let shows_each = warnings::may_ask_between(unit_run);
        for chunk in unit_run.chunks(MAX_CHUNK.min(self.max_packet / 2)) {
            let first = chunk.start;
            let shows = |number: usize| (shows_each && number > first).then(|| warnings::SHOW.to_owned());
            let end = chunk.end;
            message.add_statements_with(unit_run, chunk, shows);
            // The next chunk may read what this one has left.
            if shows_each || end == unit_run.unit.statements.end {
                let last = unit_run.statements[..end].last().map_or("", |last| last.sql(unit_run.text));
                message.append(warnings::after(last));
            }
            if let (completed, Some(error)) = self.send(&message).await {
                if error.is_connection_lost() {
                    return Err(UnitError::ConnectionLost(error));
                }
                let remains = self.roll_back_and_ask(&error).await;
                let error = guarded_error(completed, start_len, error);
                return Err(if error.kind == BackendErrorKind::LockLost {
                    UnitError::NotStarted(error)
                } else {
                    UnitError::StatementFailed { statement: message.failed(completed), offset: None, error, remains }
                });
            }
            (message, start_len) = (SqlMessage::default(), 0);
        }
        self.commit_unit(history_sql, unit_run, build_change).await
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: Option<BuildChange<'_>>,
    ) -> Result<Recorded, UnitError> {
        self.note_names(unit_run.text).await.map_err(UnitError::NotStarted)?;
        let mut limits = self.lock_timeouts_sql(unit_run, false);
        self.extend_lease(unit_run);
        let comment = self.lease.as_ref().map(Lease::holder_comment).unwrap_or_default();
        for (at, (number, statement)) in unit_run.numbered_statements().enumerate() {
            let sql = statement.sql(unit_run.text);
            // After `LOCK TABLES`, only the tables that it lists can be queried.
            let guard = if at == 0 { self.guard_before(history_sql, unit_run).await? } else { Vec::new() };
            let guard: Vec<String> = limits.take().into_iter().chain(guard).collect();
            let created = match created_table::created_in_steps(sql) {
                Some(table) => {
                    let state = self.first_value(&created_table::state_sql(history_sql, &table)).await;
                    Some((table, state.map_err(UnitError::NotStarted)?))
                }
                None => None,
            };
            let sent = if unit_run.mentions.has(Mention::Autocommit) { with_autocommit(sql) } else { sql.into() };
            // Between statements that must follow each other, nothing is asked.
            let show = if number + 1 == unit_run.unit.statements.end { warnings::after(sql) } else { "" };
            let separator = if show.is_empty() { "" } else { ";\n" };
            let message = format!("{comment}{}{comment}{sent}{separator}{show}", guard_sql(&guard));
            let outcome = if message.len() < self.max_packet {
                self.run_script(&message).await
            } else {
                self.send_apart(&guard_sql(&guard), guard.len(), &format!("{comment}{sent}")).await
            };
            if let (completed, Some(error)) = outcome {
                if error.is_connection_lost() {
                    return Err(UnitError::ConnectionLost(error));
                }
                // While `LOCK TABLES` is in effect, the failure cannot be recorded. Without it, this does nothing.
                if unit_run.unit.statements.len() > 1 {
                    let _ = self.execute("UNLOCK TABLES").await;
                }
                if completed < guard.len() && error.kind != BackendErrorKind::LockTimeout {
                    return Err(UnitError::NotStarted(guarded_error(completed, guard.len(), error)));
                }
                let offset = line_offset(sql, &error.message).map(|at| statement.range.start + at);
                return Err(self.alone_error(history_sql, number, offset, error, created).await);
            }
        }
        // Without `UNLOCK TABLES`, the end of the session would unlock them.
        if unit_run.numbered_statements().next().is_some_and(|(_, first)| locks_tables(first.sql(unit_run.text))) {
            self.execute("UNLOCK TABLES").await.map_err(UnitError::RecordFailed)?;
        }
        let took = unit_run.since.elapsed();
        let Some(build_change) = build_change else { return Ok(Recorded::alone(Some(took))) };
        let change = build_change(Elapsed::Measured(took));
        let switch = self.role_switch().await.map_err(UnitError::from_write)?;
        let written = self.write_with_roles(history_sql, &change, unit_run.next_start, switch.map(as_sql)).await;
        written.map(|next| Recorded { next, took: Some(took) }).map_err(UnitError::from_write)
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError> {
        self.note_names(sql).await?;
        if Mentions::of(sql, Dialect::MySql).has(Mention::Role) {
            self.note_role().await?;
        }
        self.execute_for_script(&with_autocommit(sql)).await
    }

    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        let run_role = as_sql(self.role.set_own_sql());
        self.write_with_roles(history_sql, change, None, [run_role, String::new()]).await.map(drop)
    }

    async fn write_during_script(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        let switch = self.role_switch().await?;
        self.write_with_roles(history_sql, change, None, switch.map(as_sql)).await.map(drop)
    }

    fn session_reset(&self) -> Option<&SessionReset> {
        Some(&self.reset)
    }

    fn owns_session(&self) -> bool {
        self.connection.is_owned()
    }

    async fn renew_session(&mut self, history_sql: &HistorySql) -> Result<RenewedSession, BackendError> {
        let Some(options) = self.options.clone() else {
            self.put_back().await?;
            for statement in self.session.clone() {
                self.execute(&statement).await?;
            }
            return Ok(RenewedSession::Locked);
        };
        if self.lease.is_none()
            && let Err(error) = self.unlock(history_sql).await
        {
            tracing::debug!(error = error.message, "releasing the lock of the session that is replaced");
        }
        self.reconnect(options).await?;
        for statement in self.session.clone() {
            self.execute(&statement).await?;
        }
        Ok(if self.lease.is_some() { RenewedSession::Locked } else { RenewedSession::Unlocked })
    }

    async fn restore_original(&mut self, _: &HistorySql) -> Result<(), BackendError> {
        if self.options.is_none() && !self.reset.original.is_empty() { self.put_back().await } else { Ok(()) }
    }

    async fn restore(&mut self) -> Result<(), BackendError> {
        self.lock_timeout_sql.clear();
        // The role of the script may lack the privilege to use the database.
        if let Some(run_role) = self.role.set_own_sql() {
            self.execute(&run_role).await?;
        }
        if self.reset.prepared.is_empty() { Ok(()) } else { self.execute(&self.reset.prepared.clone()).await }
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        self.connection.release(state).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_errors_point_into_the_statement() {
        let sql = "CREATE TABLE t (\n  a int,\n  b itn\n)";
        let message =
            "You have an error in your SQL syntax; check the manual for the right syntax to use near 'itn\n)' at line 3";
        assert_eq!(&sql[line_offset(sql, message).unwrap()..], "itn\n)");
        assert_eq!(line_offset(sql, "Table 'x' doesn't exist"), None);
        assert_eq!(line_offset(sql, "near '' at line 99"), Some(sql.len()));
    }
}
