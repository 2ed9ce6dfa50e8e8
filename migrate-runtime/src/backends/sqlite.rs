//! SQLite.
//!
//! SQLite has no lock that outlives a transaction, and none is needed: every transaction starts with `BEGIN IMMEDIATE` and checks
//! that the history has not changed since the plan was made. If it has, the engine plans again.

pub mod address;
pub mod history_dialect;
mod table_list;
mod trust;

use crate::backend::{
    Backend, BuildChange, ConnectionState, Expected, Presence, Recorded, Remains, RenewedSession, SessionReset, UnitError,
    UnitRun,
};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::backends::OpenOptions;
use crate::connection::{ConnectionGuard, TextRow, note_time, rows};
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql};
use crate::session::{first, session_statements};
use crate::sql_message::SqlMessage;
use crate::stop_signal::StopSignal;
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::script::Script;
use migrate_model::session_effect;
use migrate_model::session_effect::sqlite::file_form;
use sqlx::ConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Settings that scripts and applications are known to change without a reset.
const SETTINGS: [&str; 9] = [
    "foreign_keys",
    "legacy_alter_table",
    "recursive_triggers",
    "ignore_check_constraints",
    "writable_schema",
    "reverse_unordered_selects",
    "trusted_schema",
    "full_column_names",
    "short_column_names",
];

/// A connection to SQLite.
#[derive(Debug)]
pub struct Sqlite<'c> {
    connection: ConnectionGuard<'c, sqlx::Sqlite>,
    /// How to open another connection; `None` for a borrowed connection.
    options: Option<SqliteConnectOptions>,
    reset: SessionReset,
    /// How long the step took, as its record says.
    recorded_time: Option<Duration>,
    /// The `session` statements.
    session: Vec<String>,
    /// The attached databases and temporary objects before `prepare`.
    original: BTreeSet<(String, String)>,
    /// The names that refer to something of the application in a session that it uses, too.
    hidden: Vec<String>,
    /// The journal mode before `prepare`.
    journal_mode: String,
    /// How long to wait for other writers.
    max_wait: Duration,
    /// Ends the waiting.
    stop: StopSignal,
}

impl<'c> Sqlite<'c> {
    /// A backend over this connection, before `prepare`; waits for other writers as the options specify.
    pub fn new(connection: ConnectionGuard<'c, sqlx::Sqlite>, options: Option<SqliteConnectOptions>, open: OpenOptions) -> Self {
        let (reset, session, original) = (SessionReset::default(), Vec::new(), BTreeSet::new());
        let (hidden, journal_mode) = (Vec::new(), String::new());
        Sqlite {
            connection,
            options,
            recorded_time: None,
            reset,
            session,
            original,
            hidden,
            journal_mode,
            max_wait: open.max_wait,
            stop: open.stop,
        }
    }

    /// Opens a connection of our own in place of one from a pool, whose session the application uses. A database in memory
    /// would be another one.
    async fn open_own(&mut self) -> Result<(), BackendError> {
        let is_in_memory = first(self.rows("SELECT file FROM pragma_database_list WHERE name = 'main'").await?);
        let is_in_memory = is_in_memory.is_none_or(|file| file.is_empty());
        // A connection that excludes all others would exclude ours, too.
        let is_exclusive = first(self.rows("PRAGMA locking_mode").await?).as_deref() == Some("exclusive");
        if is_in_memory || (is_exclusive && !self.connection.is_owned()) {
            self.options = None;
        }
        match self.options.clone().filter(|_| !self.connection.is_owned()) {
            Some(options) => self.reconnect(options).await,
            None => Ok(()),
        }
    }

    async fn reconnect(&mut self, options: SqliteConnectOptions) -> Result<(), BackendError> {
        let options = options.busy_timeout(self.max_wait.min(Duration::from_millis(100))).create_if_missing(false);
        address::refuse_special_files(options.get_filename()).map_err(|error| read_error(error.into()))?;
        let connection = options.disable_statement_logging().connect().await.map_err(read_error)?;
        self.connection.replace(connection).await;
        Ok(())
    }

    /// The attached databases and the temporary objects: kind and name.
    async fn objects(&mut self) -> Result<BTreeSet<(String, String)>, BackendError> {
        let sql = "SELECT 'database', name FROM pragma_database_list WHERE name NOT IN ('main', 'temp') \
                   UNION ALL SELECT type, name FROM temp.sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'";
        let rows = self.rows(sql).await?;
        let pair = |row: TextRow| {
            let mut columns = row.into_iter().map(Option::unwrap_or_default);
            Some((columns.next()?, columns.next()?))
        };
        Ok(rows.into_iter().filter_map(pair).collect())
    }

    /// What a name may refer to that is not in the database: temporary tables and views, the tables of temporary triggers, and the
    /// tables of attached databases.
    async fn names_of_application(&mut self) -> Result<Vec<String>, BackendError> {
        let mut sql = "SELECT CASE type WHEN 'trigger' THEN tbl_name ELSE name END FROM temp.sqlite_master WHERE type <> 'index'"
            .to_owned();
        for (_, database) in self.original.iter().filter(|(kind, _)| kind == "database") {
            let database = database.replace('"', "\"\"");
            sql.push_str(&format!(
                " UNION SELECT name FROM \"{database}\".sqlite_master WHERE type IN ('table', 'view') \
                 AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT IN (SELECT name FROM main.sqlite_master)"
            ));
        }
        Ok(self.rows(&sql).await?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    async fn journal_mode(&mut self) -> Result<String, BackendError> {
        first(self.rows("PRAGMA journal_mode").await?).ok_or_else(BackendError::unanswered)
    }

    /// What a transaction leaves that was rolled back: without a journal, SQLite cannot undo it.
    async fn remains(&mut self) -> Remains {
        match self.journal_mode().await {
            Ok(mode) if mode != "off" => Remains::Nothing,
            _ => Remains::Unclear,
        }
    }

    /// Removes what scripts have attached and what temporary objects they have created.
    async fn put_back(&mut self) -> Result<(), BackendError> {
        // WAL and the mode without it are stored in the file, and scripts may change them.
        let mode = self.journal_mode().await?;
        if mode != self.journal_mode && !["wal", "delete"].contains(&mode.as_str()) {
            let original = self.journal_mode.clone();
            self.execute(&format!("PRAGMA journal_mode = {original}")).await?;
        }
        let added: Vec<(String, String)> = self.objects().await?.difference(&self.original).cloned().collect();
        for (kind, name) in added {
            let name = format!("\"{}\"", name.replace('"', "\"\""));
            let sql = match kind.as_str() {
                "database" => format!("DETACH {name}"),
                kind => format!("DROP {kind} IF EXISTS temp.{name}"),
            };
            self.execute(&sql).await?;
        }
        Ok(())
    }

    /// Runs a query, and retries it while the database is busy.
    async fn rows(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        let since = Instant::now();
        loop {
            match rows(&mut *self.connection, sql).await.map_err(read_error) {
                Err(error) if error.kind == BackendErrorKind::Busy && self.may_wait(since) => {
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Whether to wait longer for another writer.
    fn may_wait(&self, since: Instant) -> bool {
        since.elapsed() < self.max_wait && !self.stop.is_requested()
    }

    async fn run(&mut self, sql: &str) -> (usize, Option<BackendError>) {
        let recorded = &mut self.recorded_time;
        let (completed, error) = self.connection.run_with(sql, |row| note_time(row, recorded)).await;
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
        let since = Instant::now();
        loop {
            match self.execute(sql).await {
                Err(error) if error.kind == BackendErrorKind::Busy && self.may_wait(since) => {
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
        let since = Instant::now();
        loop {
            let (completed, Some(error)) = self.run(&message.sql).await else { return Ok(()) };
            if first && completed == 0 && error.kind == BackendErrorKind::Busy && self.may_wait(since) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            // The transaction holds the write lock, so only its commit can be busy, while other connections still read.
            let at_commit = message.script_done(completed);
            if at_commit && error.kind == BackendErrorKind::Busy && self.execute_when_free("COMMIT").await.is_ok() {
                return Ok(());
            }
            let mut remains = Remains::Nothing;
            if completed > 0 || !first {
                remains = self.remains().await;
                self.roll_back().await;
            }
            return Err(match completed {
                0 if first => UnitError::NotStarted(error),
                1 if first && error.message == HISTORY_CHANGED => UnitError::HistoryChanged,
                1 if first => UnitError::NotStarted(error),
                // SQLITE_CONSTRAINT_FOREIGNKEY: `COMMIT` checks deferred foreign keys, which are the script's.
                _ if at_commit && error.code.as_deref() != Some("787") => UnitError::RecordFailed(error),
                _ => UnitError::StatementFailed { statement: message.failed(completed), offset: None, error, remains },
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
    error.limited(&[])
}

/// The settings of a new session, as the driver opens it.
async fn settings_of_new_session() -> Result<String, BackendError> {
    let options = SqliteConnectOptions::new().in_memory(true).disable_statement_logging();
    let mut connection = options.connect().await.map_err(read_error)?;
    let mut settings = String::new();
    for name in SETTINGS {
        let rows = rows(&mut connection, &format!("PRAGMA {name}")).await.map_err(read_error)?;
        if let Some(value) = first(rows) {
            settings.push_str(&format!("PRAGMA {name} = {value};\n"));
        }
    }
    settings.push_str("PRAGMA case_sensitive_like = 0;\n");
    Ok(settings)
}

/// Whether a statement of `session` can run again in the same session. An attached database stays attached.
fn is_setting(sql: &str) -> bool {
    session_effect::is_setting(sql, Dialect::Sqlite) && sql.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("pragma"))
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

    async fn query_within(&mut self, _: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.rows(sql).await
    }

    fn compares_history(&self) -> bool {
        true
    }

    async fn refuse_open_transaction(&mut self) -> Result<(), BackendError> {
        // `BEGIN` without `IMMEDIATE` acquires no lock. It fails with the generic SQLITE_ERROR in a transaction.
        match self.execute("BEGIN").await {
            Ok(()) => self.execute("ROLLBACK").await,
            Err(error) if error.code.as_deref() == Some("1") => Err(BackendError::in_transaction()),
            Err(error) => Err(error),
        }
    }

    fn is_missing_table(&self, error: &BackendError) -> bool {
        is_missing(error)
    }

    fn is_missing_column(&self, error: &BackendError) -> bool {
        // As for a missing table, only the message shows it.
        error.message.starts_with("no such column")
    }

    async fn prepare(&mut self, history_sql: &mut HistorySql, session: &[String], _: LockSettings) -> Result<(), BackendError> {
        let is_lent = self.options.is_none();
        self.open_own().await?;
        let mut reset = String::new();
        for name in SETTINGS {
            let rows = self.rows(&format!("PRAGMA {name}")).await?;
            if let Some(value) = first(rows) {
                reset.push_str(&format!("PRAGMA {name} = {value};\n"));
            }
        }
        // It cannot be read, but it can be seen.
        let ignores_case = first(self.rows("SELECT 'a' LIKE 'A'").await?).as_deref() == Some("1");
        reset.push_str(&format!("PRAGMA case_sensitive_like = {};\n", i32::from(!ignores_case)));
        self.original = self.objects().await?;
        self.journal_mode = self.journal_mode().await?;
        self.reset.prepared.clone_from(&reset);
        self.reset.original = reset;
        if !self.owns_session() {
            self.hidden = self.names_of_application().await?;
        }
        // The options of a pool are those of the run.
        if is_lent {
            self.reset.prepared = settings_of_new_session().await?;
            self.execute(&self.reset.prepared.clone()).await?;
        }
        self.session = session_statements(session, Dialect::Sqlite);
        for statement in self.session.clone() {
            if let Err(error) = self.execute(&statement).await {
                self.restore_original(history_sql).await?;
                return Err(error.of_session(&statement));
            }
            if is_setting(&statement) {
                self.reset.add(&statement);
            }
        }
        Ok(())
    }

    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        self.execute_in_transaction(&history_sql.create().join(";\n")).await
    }

    async fn prepare_empty(&mut self, scripts: &[&Script]) -> Result<(), BackendError> {
        let tables = self.rows("SELECT CAST(count(*) AS text) FROM sqlite_master").await?;
        if first(tables).as_deref() != Some("0") {
            return Ok(());
        }
        // In a client, too, the first script that writes to the file decides. Without one, there is nothing to decide yet.
        let form = scripts.iter().find_map(|script| file_form(&script.text, &script.statements));
        for sql in form.unwrap_or_default() {
            // The migration itself reports what is wrong with it.
            if let Err(error) = self.execute(sql).await {
                tracing::debug!(sql, error = error.message, "a setting of the file");
            }
        }
        Ok(())
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

    async fn presence(&mut self, _: &HistorySql, _: &[&str], _: &Object) -> Result<Option<Presence>, BackendError> {
        // Every statement that creates an object shares a transaction with its checkpoint, so its outcome is always known.
        Ok(None)
    }

    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<Recorded, UnitError> {
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
        self.transact(&message, first).await?;
        Ok(Recorded::alone(self.recorded_time.take()))
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: Option<BuildChange<'_>>,
    ) -> Result<Recorded, UnitError> {
        let mut message = SqlMessage::default();
        message.add_statements(unit_run, unit_run.unit.statements.clone());
        // A statement outside a transaction, such as `VACUUM`, does nothing before it has the lock of the file.
        let since = Instant::now();
        let is_single = unit_run.unit.statements.len() == 1;
        loop {
            let (completed, Some(error)) = self.run(&message.sql).await else { break };
            let is_waiting = is_single && completed == 0 && error.kind == BackendErrorKind::Busy;
            if is_waiting && self.may_wait(since) {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            if is_waiting {
                return Err(UnitError::NotStarted(error));
            }
            let remains = self.remains().await;
            return Err(UnitError::StatementFailed { statement: message.failed(completed), offset: None, error, remains });
        }
        let took = unit_run.since.elapsed();
        let Some(build_change) = build_change else { return Ok(Recorded::alone(Some(took))) };
        let change = build_change(Elapsed::Measured(took));
        let written = self.write_if_unchanged(history_sql, &change, unit_run.expected).await;
        written.map(|()| Recorded::alone(Some(took))).map_err(|error| match error {
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

    fn hidden_names(&self) -> Vec<&str> {
        self.hidden.iter().map(String::as_str).collect()
    }

    fn owns_session(&self) -> bool {
        self.options.is_some() && self.connection.is_owned()
    }

    async fn renew_session(&mut self, _: &HistorySql) -> Result<RenewedSession, BackendError> {
        match self.options.clone().filter(|_| self.owns_session()) {
            Some(options) => self.reconnect(options).await?,
            None => {
                self.put_back().await?;
                let reset = self.reset.prepared.clone();
                self.execute(&reset).await?;
            }
        }
        for statement in self.session.clone() {
            self.execute(&statement).await?;
        }
        Ok(RenewedSession::Locked)
    }

    async fn restore_original(&mut self, _: &HistorySql) -> Result<(), BackendError> {
        if self.reset.original.is_empty() || self.owns_session() {
            return Ok(());
        }
        self.put_back().await?;
        let reset = self.reset.original.clone();
        self.execute(&reset).await
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        self.connection.release(state).await;
    }
}
