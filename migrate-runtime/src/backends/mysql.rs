//! MySQL and MariaDB.
//!
//! Their DDL commits by itself, so most files run statement by statement with a mark after each; a file that only reads and
//! writes rows is a transaction. The lock is `GET_LOCK` with a finite time, its answer checked: with a negative time MariaDB
//! answers NULL and there is no lock. Each message first looks whether the lock is still held, so that a statement and that
//! look reach the server together.
//!
//! On a Galera cluster that lock belongs to one node, and a lease takes its place: two nodes that take it at once are told
//! apart by certification when they commit.

pub mod address;
pub mod history_dialect;

use crate::backend::{Backend, BuildChange, ConnectionState, Presence, UnitError, UnitRun};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::connection::{ConnectionGuard, TextRow, rows, run};
use crate::endpoint::Endpoint;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql};
use crate::lease::{self, Lease, LeaseConnection};
use crate::sql_message::{SqlMessage, contains_word, strip_own_sql};
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::lock_settings::{LockSettings, LockStrategy};
use migrate_model::name::Name;
use sqlx::mysql::MySqlConnectOptions;
use std::time::Duration;

/// How many bytes of a script are sent at once; a server takes no message above `max_allowed_packet`, 16 MiB by default.
const PIECE: usize = 1 << 20;

/// How long a session may stand still that may hold the row of a lease.
const IDLE: Duration = Duration::from_secs(120);

const SETTINGS: [&str; 14] = [
    "sql_mode",
    "foreign_key_checks",
    "unique_checks",
    "time_zone",
    "autocommit",
    "lock_wait_timeout",
    "innodb_lock_wait_timeout",
    "wait_timeout",
    "group_concat_max_len",
    "sql_safe_updates",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "collation_connection",
];

/// A connection to MySQL or MariaDB.
#[derive(Debug)]
pub struct MySql<'c> {
    connection: ConnectionGuard<'c, sqlx::MySql>,
    database: String,
    /// Sets every setting to what it was when the connection was taken.
    original: String,
    /// The same, and then what `session` in `migrate.toml` says.
    restoring: String,
    /// The time limits as they were last set.
    limit: String,
    /// How a second connection is made, where that is known.
    options: Option<MySqlConnectOptions>,
    surroundings: Endpoint,
    /// The lock, where it is none of the session's.
    lease: Option<Lease>,
}

impl<'c> MySql<'c> {
    /// Takes a connection.
    pub fn new(connection: ConnectionGuard<'c, sqlx::MySql>, options: Option<MySqlConnectOptions>) -> Self {
        MySql {
            connection,
            database: String::new(),
            original: String::new(),
            restoring: String::new(),
            limit: String::new(),
            options,
            surroundings: Endpoint::SingleServer,
            lease: None,
        }
    }

    /// Statements that fail when the lock is another's by now; a lease they renew.
    fn guard(&self, history_sql: &HistorySql) -> Vec<String> {
        let held = match &self.lease {
            Some(lease) => lease.held(history_sql),
            None => format!("coalesce(IS_USED_LOCK({}) = CONNECTION_ID(), 0)", self.lock(history_sql)),
        };
        // There is no way to raise an error outside a routine, but a value that is two is one.
        let check = format!("SELECT (SELECT 1 FROM (SELECT 1 UNION ALL SELECT 2) two WHERE NOT {held})");
        self.lease.iter().map(|lease| lease.renew(history_sql)).chain([check]).collect()
    }

    async fn try_session(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        match self.first(&format!("SELECT CAST(GET_LOCK({}, 0) AS CHAR)", self.lock(history_sql))).await?.as_deref() {
            Some("1") => {}
            Some(_) => return Ok(false),
            None => return Err(BackendError::own("the server answered NULL to GET_LOCK: it could not make a lock")),
        }
        if lease::is_held(self, history_sql).await? {
            self.do_all(&format!("DO RELEASE_LOCK({})", self.lock(history_sql))).await?;
            return Ok(false);
        }
        Ok(true)
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>, BackendError> {
        rows(&mut *self.connection, sql).await.map_err(read_error)
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

    async fn roll_back(&mut self) {
        if let (_, Some(error)) = self.run("ROLLBACK").await {
            tracing::debug!(message = error.message, "rolling back");
        }
    }

    /// At most 64 characters, as `GET_LOCK` wants.
    fn lock(&self, history_sql: &HistorySql) -> String {
        let sum = history_sql.lock_name(&self.database).to_string();
        format!("'migrate.{}'", &sum[..40])
    }

    async fn first(&mut self, sql: &str) -> Result<Option<String>, BackendError> {
        Ok(self.rows(sql).await?.into_iter().next().and_then(|row| row.into_iter().next().flatten()))
    }

    /// How long to wait for metadata locks and, for rows, for those of others. Put back with the session's settings.
    async fn limit(&mut self, work: &UnitRun<'_>, rows: bool) -> Result<(), BackendError> {
        // What the script says itself goes first; `innodb_lock_wait_timeout` is meant as well.
        let Some(lock) = work.lock_timeout.filter(|_| !contains_word(work.text, "lock_wait_timeout")) else { return Ok(()) };
        let seconds = lock.as_millis().div_ceil(1000).max(1);
        let rows = if rows { format!(", innodb_lock_wait_timeout = {seconds}") } else { String::new() };
        let sql = format!("SET SESSION lock_wait_timeout = {seconds}{rows}");
        if self.limit != sql {
            self.do_all(&sql).await?;
            self.limit = sql;
        }
        Ok(())
    }
}

/// Reads an error, and its kind from the number, which tells more than the SQLSTATE.
fn read_error(error: sqlx::Error) -> BackendError {
    let mut error = BackendError::of(error);
    let source = error.source.as_ref().and_then(|error| error.as_database_error());
    if let Some(source) = source.and_then(|error| error.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()) {
        error.kind = match source.number() {
            // Server shutdown; connection was killed.
            1053 | 1927 => BackendErrorKind::ConnectionLost,
            // A lock wait timeout; a deadlock, or a certification that another node won.
            1205 | 1213 => BackendErrorKind::LockTimeout,
            // The server runs with an option that forbids the statement; only the message names which.
            1290 | 1836 if error.message.contains("read-only") => BackendErrorKind::ReadOnly,
            _ => BackendErrorKind::Rejected,
        };
        error.code = Some(source.number().to_string());
    }
    error
}

/// What the database said to a text that begins with so many statements of ours, the guard among them.
fn guarded(completed: usize, before: usize, error: BackendError) -> BackendError {
    // Subquery returns more than 1 row.
    match completed < before && error.code.as_deref() == Some("1242") {
        true => BackendError::lock_lost(),
        false => error,
    }
}

/// Connection, user, host, age and statement, as a query returns them.
fn holder(row: Vec<Option<String>>, age: &str) -> Option<SessionInfo> {
    let mut columns = row.into_iter();
    let connection = columns.next().flatten()?;
    Some(SessionInfo {
        how_to_end: Some(format!("end it: `KILL {connection}`")),
        connection,
        user: columns.next().flatten(),
        from: columns.next().flatten(),
        since: columns.next().flatten().map(|seconds| format!("{seconds} {age}")),
        statement: columns.next().flatten().map(|text| strip_own_sql(&text).to_owned()),
    })
}

fn is_missing(error: &BackendError) -> bool {
    // no such table, unknown database
    matches!(error.code.as_deref(), Some("1146" | "1049"))
}

/// The byte of a statement that a syntax error points at: `... near 'x' at line 3`.
fn line_offset(sql: &str, message: &str) -> Option<usize> {
    let line: usize = message.rsplit_once(" at line ")?.1.trim().parse().ok()?;
    let start: usize = sql.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let near = message.rsplit_once(" near '").and_then(|(_, rest)| rest.rsplit_once("' at line "));
    let near = near.and_then(|(text, _)| text.lines().next()).unwrap_or_default();
    let rest = sql.get(start..)?;
    let indent = rest.len() - rest.trim_start().len();
    let found = rest.lines().next().and_then(|line| line.find(near)).filter(|_| !near.is_empty());
    Some(start + found.unwrap_or(indent))
}

/// A query that answers 1 when the thing is there, else 0.
fn presence_query(history_sql: &HistorySql, object: &Object) -> Option<String> {
    let schema = |name: &Name| name.schema.as_ref().map_or("DATABASE()".to_owned(), |schema| history_sql.text(schema));
    let found = |view: &str, conditions: &[(&str, String)]| {
        let conditions: Vec<String> = conditions.iter().map(|(column, value)| format!("{column} = {value}")).collect();
        Some(format!("SELECT CAST(count(*) > 0 AS CHAR) FROM information_schema.{view} WHERE {}", conditions.join(" AND ")))
    };
    let named = |view: &str, prefix: &str, name: &Name| {
        found(view, &[(&format!("{prefix}_SCHEMA"), schema(name)), (&format!("{prefix}_NAME"), history_sql.text(&name.name))])
    };
    let inside = |view: &str, column: &str, table: &Name, name: &str| {
        let table_name = history_sql.text(&table.name);
        found(view, &[("TABLE_SCHEMA", schema(table)), ("TABLE_NAME", table_name), (column, history_sql.text(name))])
    };
    match object {
        Object::Table(name) | Object::View(name) | Object::Sequence(name) => named("TABLES", "TABLE", name),
        Object::Column(table, name) => inside("COLUMNS", "COLUMN_NAME", table, name),
        Object::Index(Some(table), name) => inside("STATISTICS", "INDEX_NAME", table, &name.name),
        Object::Constraint(table, name) => inside("TABLE_CONSTRAINTS", "CONSTRAINT_NAME", table, name),
        Object::Trigger(_, name) => named("TRIGGERS", "TRIGGER", name),
        Object::Routine(name) => named("ROUTINES", "ROUTINE", name),
        Object::Schema(name) => found("SCHEMATA", &[("SCHEMA_NAME", history_sql.text(name))]),
        Object::Index(None, _) | Object::Type(_) | Object::EnumValue(..) | Object::Extension(_) => None,
    }
}

#[async_trait]
impl LeaseConnection for MySql<'_> {
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        for statement in history_sql.create_schema().into_iter().chain(statements) {
            self.do_all(&statement).await?;
        }
        Ok(())
    }

    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError> {
        // Whoever holds the row in a transaction is alive, and is not waited for.
        let taken = self.do_all(&format!("SET SESSION innodb_lock_wait_timeout = 1;\n{sql}")).await;
        self.restore().await?;
        match taken {
            // Another node was faster, or there is such a transaction.
            Err(error) if error.kind == BackendErrorKind::LockTimeout => Ok(false),
            taken => taken.map(|()| true),
        }
    }

    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let used = self.first(&format!("SELECT CAST(IS_USED_LOCK({}) AS CHAR)", self.lock(history_sql))).await?;
        Ok(used.is_some())
    }

    fn running_query(&self, pattern: &str) -> String {
        format!("SELECT CAST(count(*) AS CHAR) FROM information_schema.PROCESSLIST WHERE INFO LIKE '{pattern}'")
    }
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
        self.rows(sql).await
    }

    fn is_missing_table(&self, error: &BackendError) -> bool {
        is_missing(error)
    }

    async fn prepare(
        &mut self,
        history_sql: &mut HistorySql,
        session: &[String],
        locking: LockSettings,
    ) -> Result<(), BackendError> {
        let settings: Vec<String> = SETTINGS.iter().map(|name| format!("CAST(@@SESSION.{name} AS CHAR)")).collect();
        let row = self.rows(&format!("SELECT DATABASE(), {}", settings.join(", "))).await?;
        let mut columns = row.into_iter().next().unwrap_or_default().into_iter();
        let database = columns.next().flatten();
        let restore = SETTINGS.iter().zip(columns).map(|(name, value)| {
            let value = value.unwrap_or_default();
            let number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            // A text would be refused for a setting that is a number.
            format!("SESSION {name} = {}", if number { value } else { history_sql.text(&value) })
        });
        // The clock goes on by itself.
        let clock = ["SESSION timestamp = DEFAULT".to_owned()];
        self.original = format!("SET {};\n", restore.chain(clock).collect::<Vec<_>>().join(", "));
        if let Some(database) = &database {
            self.original = format!("USE {};\n{}", history_sql.name(database), self.original);
        }
        self.database = database.unwrap_or_default();
        match (history_sql.schema().is_some(), self.database.is_empty()) {
            (false, true) => {
                let mut error = BackendError::own("the URL names no database, so there is no place for the history");
                error.hint = Some("name one: `mysql://user@host/DATABASE`".into());
                return Err(error);
            }
            (false, false) => history_sql.set_schema(self.database.clone()),
            (true, _) => {}
        }
        // A pool may have turned it off; every statement of ours counts on it.
        let mut ours = "SET SESSION autocommit = 1;\n".to_owned();
        if locking.strategy != LockStrategy::Session {
            let names = Endpoint::VARIABLES.map(|name| history_sql.text(name)).join(", ");
            let rows = self.rows(&format!("SHOW SESSION VARIABLES WHERE Variable_name IN ('wsrep_sync_wait', {names})")).await?;
            let pair = |row: &Vec<Option<String>>| Some((row.first()?.clone()?, row.get(1)?.clone()?));
            let variables: Vec<(String, String)> = rows.iter().filter_map(pair).collect();
            self.surroundings = Endpoint::of_mysql(variables.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            if self.surroundings == Endpoint::Galera
                && let Some((_, before)) = variables.iter().find(|(name, _)| name == "wsrep_sync_wait")
            {
                // What is read here must not be older than what another node has committed.
                self.original.push_str(&format!("SET SESSION wsrep_sync_wait = {before};\n"));
                ours.push_str("SET SESSION wsrep_sync_wait = 7;\n");
            }
        }
        if locking.strategy == LockStrategy::Lease || !self.surroundings.supports_session_locks() {
            tracing::info!(surroundings = %self.surroundings, "the lock is a lease");
            self.lease = Some(Lease::new(history_sql, locking.lease));
            // One that is frozen in the middle of a transaction holds the row of the lease for no longer.
            ours.push_str(&format!("SET SESSION wait_timeout = {};\n", IDLE.as_secs()));
        }
        self.do_all(&ours).await?;
        self.restoring = format!("{}{ours}", self.original);
        for statement in session {
            self.do_all(statement).await?;
            self.restoring.push_str(statement.trim_end().trim_end_matches(';'));
            self.restoring.push_str(";\n");
        }
        Ok(())
    }

    fn limits_outlive_transaction(&self) -> bool {
        true
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        let statements = history_sql.create_schema().into_iter().chain(history_sql.create());
        for statement in statements {
            self.do_all(&statement).await?;
        }
        Ok(())
    }

    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        match self.lease.take() {
            None => self.try_session(history_sql).await,
            Some(mut lease) => {
                let taken = lease.try_take(self, history_sql).await;
                if let (Ok(true), Some(options)) = (&taken, &self.options) {
                    lease.keep_alive::<sqlx::MySql>(history_sql, options.clone());
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
        let id = self.first(&format!("SELECT IS_USED_LOCK({})", self.lock(history_sql))).await.ok()??;
        // Without the PROCESS privilege only one's own connections are seen.
        let sql = format!(
            "SELECT USER, HOST, CONCAT(TIME, ' s'), LEFT(INFO, 2000) FROM information_schema.PROCESSLIST WHERE ID = {id}"
        );
        let row = self.rows(&sql).await.ok().and_then(|rows| rows.into_iter().next()).unwrap_or_default();
        holder([Some(id)].into_iter().chain(row).collect(), "ago")
    }

    async fn blockers(&mut self, _: &HistorySql, _: &[Name]) -> Vec<SessionInfo> {
        // Which of them holds the table's metadata lock is told by a plugin only; a transaction that stands open is what does.
        let sql = "SELECT CAST(p.ID AS CHAR), p.USER, p.HOST, CONCAT(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), ' s'), \
                   LEFT(COALESCE(p.INFO, p.COMMAND), 200) FROM information_schema.INNODB_TRX t \
                   JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id \
                   WHERE p.ID <> CONNECTION_ID() ORDER BY t.trx_started LIMIT 5";
        self.rows(sql).await.unwrap_or_default().into_iter().filter_map(|row| holder(row, "ago")).collect()
    }

    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        if let Some(mut lease) = self.lease.take() {
            lease.stop_heartbeat();
            return self.do_all(&lease.release(history_sql)).await;
        }
        match self.first(&format!("SELECT RELEASE_LOCK({})", self.lock(history_sql))).await?.as_deref() {
            Some("1") => Ok(()),
            _ => Err(BackendError::own("the lock was not held any more")),
        }
    }

    async fn presence(&mut self, history_sql: &HistorySql, object: &Object) -> Result<Option<Presence>, BackendError> {
        match presence_query(history_sql, object) {
            Some(question) => Ok(Some(Presence::of(self.first(&question).await?.as_deref()))),
            None => Ok(None),
        }
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        self.limit(work, true).await.map_err(UnitError::NotStarted)?;
        let guard = self.guard(history_sql);
        let mut message = SqlMessage::default();
        message.prepend(work.unit.begin_statement.map_or("START TRANSACTION", |at| work.statements[at].sql(work.text)));
        guard.iter().for_each(|statement| message.prepend(statement));
        let mut before = 1 + guard.len();
        for piece in work.chunks(PIECE) {
            message.add_statements(work, piece);
            if let (completed, Some(error)) = self.run(&message.sql).await {
                if error.is_connection_lost() {
                    return Err(UnitError::ConnectionLost(error));
                }
                self.roll_back().await;
                let error = guarded(completed, before, error);
                return Err(match error.kind == BackendErrorKind::LockLost {
                    true => UnitError::NotStarted(error),
                    false => UnitError::StatementFailed { statement: message.failed(completed), offset: None, error },
                });
            }
            (message, before) = (SqlMessage::default(), 0);
        }
        let record = history_sql.write(&ending(Elapsed::Measured(work.since.elapsed())));
        // A script may have given the lock up; and of a lease, the time begins anew.
        let before: String = guard.iter().map(|statement| format!("{statement};\n")).collect();
        let (completed, failed) = self.run(&format!("{before}{record}COMMIT;")).await;
        let Some(error) = failed else { return Ok(()) };
        if error.is_connection_lost() {
            return Err(UnitError::ConnectionLost(error));
        }
        self.roll_back().await;
        let error = guarded(completed, guard.len(), error);
        match error.kind == BackendErrorKind::LockTimeout {
            // A certification that another node won: all of it was rolled back.
            true => Err(UnitError::StatementFailed { statement: None, offset: None, error }),
            false => Err(UnitError::RecordFailed(error)),
        }
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        self.limit(work, false).await.map_err(UnitError::NotStarted)?;
        if let Some(lease) = self.lease.as_mut().filter(|_| self.options.is_none()) {
            // Nobody renews it meanwhile.
            lease.set_duration(lease.duration().max(work.timeout));
        }
        let mark = self.lease.as_ref().map(Lease::holder_comment).unwrap_or_default();
        for (at, (number, statement)) in work.numbered_statements().enumerate() {
            let sql = statement.sql(work.text);
            // Behind `LOCK TABLES` only the tables that it names can be looked at.
            let guard = if at == 0 { self.guard(history_sql) } else { Vec::new() };
            let before: String = guard.iter().map(|statement| format!("{statement};\n")).collect();
            if let (completed, Some(error)) = self.run(&format!("{mark}{before}{mark}{sql}")).await {
                if error.is_connection_lost() {
                    return Err(UnitError::ConnectionLost(error));
                }
                // Until then, no table but the locked ones can be written, not even ours.
                if work.unit.statements.len() > 1 {
                    let _ = self.do_all("UNLOCK TABLES").await;
                }
                if completed < guard.len() && error.kind != BackendErrorKind::LockTimeout {
                    return Err(UnitError::NotStarted(guarded(completed, guard.len(), error)));
                }
                let offset = line_offset(sql, &error.message).map(|at| statement.range.start + at);
                return Err(UnitError::StatementFailed { statement: Some(number), offset, error });
            }
        }
        let record = ending(Elapsed::Measured(work.since.elapsed()));
        self.write(history_sql, &record).await.map_err(|error| match !error.is_connection_lost() {
            true => UnitError::RecordFailed(error),
            false => UnitError::ConnectionLost(error),
        })
    }

    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError> {
        self.do_all(sql).await
    }

    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        let guard = self.guard(history_sql);
        let before: String = guard.iter().map(|statement| format!("{statement};\n")).collect();
        let sql = history_sql.write(change);
        // One statement commits by itself, which saves the server a round of its own; only the row of a lease has to be held
        // until then.
        let sql = match sql.matches(";\n").count() == 1 && self.lease.is_none() {
            true => format!("{before}{sql}"),
            false => format!("START TRANSACTION;\n{before}{sql}COMMIT;"),
        };
        let mut tries = 0;
        loop {
            let (completed, failed) = self.run(&sql).await;
            let Some(error) = failed else { return Ok(()) };
            self.roll_back().await;
            tries += 1;
            // Another node won a certification; what was written there was not this.
            if error.code.as_deref() != Some("1213") || tries == 10 {
                return Err(guarded(completed, 1 + guard.len(), error));
            }
        }
    }

    async fn restore(&mut self) -> Result<(), BackendError> {
        self.limit.clear();
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
