//! The operations of a database for the engine. A backend carries them out and decides nothing.
//!
//! If a method returns a [`BackendError`] of kind `ConnectionLost`, the outcome of what it sent is unknown.

use crate::backend_error::BackendError;
use crate::connection::ANSWER_TIMEOUT;
use crate::connection::TextRow;
use crate::early_start::StartRecord;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql, NOT_KNOWN};
use crate::mentions::Mentions;
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::execution::Unit;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::script::Script;
use migrate_model::session_effect::SessionEffect;
use migrate_model::statement::Statement;
use migrate_model::token::Quoting;
use std::ops::Range;
use std::time::Duration;

/// A database, over one connection.
///
/// A run calls [`prepare`](Self::prepare) once, then [`try_lock`](Self::try_lock) until it succeeds, then the methods that
/// write, then [`restore_original`](Self::restore_original), [`unlock`](Self::unlock) and [`release`](Self::release).
/// [`query`](Self::query), `restore_original` and `release` also work without `prepare`.
#[async_trait]
pub trait Backend: Send {
    /// The SQL that the database reads; constant for a connection.
    fn dialect(&self) -> Dialect;

    /// What differs in the SQL of the history tables of this database; constant for a connection.
    fn history_dialect(&self) -> &'static HistoryDialect;

    /// Runs a query and returns its rows as text, in the order of the server. Opens no transaction and writes nothing itself.
    async fn query(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        self.query_within(ANSWER_TIMEOUT, sql).await
    }

    /// The same, if the server may take longer than for a query of this crate. If it does not answer in time, the connection counts
    /// as lost. SQLite has no server that could be silent.
    async fn query_within(&mut self, limit: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError>;

    /// Fails if the connection is in a transaction of the application. A run would commit that transaction with its own, or
    /// abort it with an error. For a connection that the application has lent.
    ///
    /// # Errors
    /// Of kind `InTransaction`, or when the connection is lost.
    async fn refuse_open_transaction(&mut self) -> Result<(), BackendError>;

    /// Whether an error reports that a table, or its schema, does not exist. False for any other error.
    fn is_missing_table(&self, error: &BackendError) -> bool;

    /// Whether a writer compares the history with the expected one, because no lock excludes other writers.
    fn compares_history(&self) -> bool {
        false
    }

    /// Whether an error reports that a table has no such column: it has one of our names, and belongs to something else.
    fn is_missing_column(&self, error: &BackendError) -> bool;

    /// Whether tables may have engines without transactions. Then [`triggers`](Self::triggers) also returns those.
    fn mixes_engines(&self) -> bool {
        false
    }

    /// The triggers that a change of tables of these names may fire, as rows with the columns name, body and, where tables may have
    /// engines without transactions, the kind: then also such tables, views and routines of these names. None where a trigger cannot
    /// leave anything in the session.
    async fn triggers(&mut self, _names: &[&str]) -> Result<Vec<TextRow>, BackendError> {
        Ok(Vec::new())
    }

    /// A query for all routines of these names, with the columns name and body. `None` where there are none. On MySQL, only those of
    /// the current schema and of the schemas that are among the names of `near`.
    fn routines_sql(&self, _names: &[&str], _near: &[&str]) -> Option<String> {
        None
    }

    /// Prepares the session for a run: determines the endpoint and the locking strategy, saves the settings of the session,
    /// and runs the `session` statements of `migrate.toml`.
    ///
    /// Afterwards `history_sql` has a schema, where the database has schemas. Acquires no lock and creates nothing.
    async fn prepare(
        &mut self,
        history_sql: &mut HistorySql,
        session: &[String],
        locking: LockSettings,
    ) -> Result<(), BackendError>;

    /// Whether a setting is still in effect after the transaction that changed it. False through a pooler that may run the
    /// next transaction in another server session. Valid after `prepare`.
    fn preserves_session(&self) -> bool {
        true
    }

    /// Whether the time limits of a transaction stay in effect after it, so that `restore` must reset them.
    fn limits_outlive_transaction(&self) -> bool {
        false
    }

    /// How a new session of this server reads quotes. Valid after `prepare`.
    fn server_quoting(&self) -> Quoting {
        Quoting::of(self.dialect())
    }

    /// Creates the history tables that do not exist yet. Other sessions may create them at the same time.
    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError>;

    /// Before anything is created: what these migrations state about a database that is still empty, and what has no effect
    /// later.
    ///
    /// # Errors
    /// When the connection is lost.
    async fn prepare_empty(&mut self, _scripts: &[&Script]) -> Result<(), BackendError> {
        Ok(())
    }

    /// Tries to acquire the migration lock without waiting for its holder.
    ///
    /// After `true`, no other process acquires it until `unlock`, the end of the session, or the expiry of a lease. SQLite
    /// returns `true` without a lock: there `write_if_unchanged` and the transactions detect concurrent writers. After an error
    /// of kind `LockTimeout`, the caller may try again.
    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError>;

    /// Whether a process holds the lock, in either form. `None` if the database has no lock. Also valid before `prepare`.
    ///
    /// # Errors
    /// When the server rejects a query, or the connection is lost.
    async fn is_locked(&mut self, _history_sql: &HistorySql) -> Result<Option<bool>, BackendError> {
        Ok(None)
    }

    /// The session that holds the lock. `None` if the database does not reveal it, or the query fails: for messages only.
    async fn holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo>;

    /// At most 5 sessions that hold locks on these tables; on MySQL, that have an open transaction. Empty if the database does
    /// not reveal them, or the query fails: for messages only.
    async fn blockers(&mut self, history_sql: &HistorySql, tables: &[Name]) -> Vec<SessionInfo>;

    /// Releases the lock. An error if this session no longer held a session-level lock.
    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError>;

    /// Whether an object exists, from the system catalog. `None` if the backend cannot determine it for this kind of object.
    /// `paths` are statements such as `SET search_path`, which decide what a name means; they have no effect afterwards.
    async fn presence(
        &mut self,
        history_sql: &HistorySql,
        paths: &[&str],
        object: &Object,
    ) -> Result<Option<Presence>, BackendError>;

    /// Whether another object of this name would be found if this one did not exist, as in a later schema of `search_path`. Then its
    /// presence does not prove that it was not dropped.
    ///
    /// # Errors
    /// When the server rejects the query, or the connection is lost.
    async fn is_hiding_another(&mut self, _history_sql: &HistorySql, _object: &Object) -> Result<bool, BackendError> {
        Ok(false)
    }

    /// The presence of an object in this session as an expression, a text as of [`Presence::digit`]. `None` if there is none that
    /// cannot fail: it is part of a transaction that must not.
    fn presence_sql(&self, _history_sql: &HistorySql, _object: &Object) -> Option<String> {
        None
    }

    /// Whether the start of the next step can be recorded in the transaction that records the end of a step.
    fn records_next_start(&self) -> bool {
        false
    }

    /// Runs a unit and writes the change in one transaction: after `Ok` both are committed, after an error neither is. Only
    /// [`UnitError::ConnectionLost`] leaves that open.
    ///
    /// Checks in the same transaction that the lock is still held, or that the history is the expected one.
    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<Recorded, UnitError>;

    /// Runs a unit without a transaction, then writes the change in a transaction of its own; or nothing, if the transaction that
    /// follows records it.
    ///
    /// After `Ok` both are done. After an error the statements before the failed one remain. Where there is a lock, checks
    /// before the unit that it is still held.
    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: Option<BuildChange<'_>>,
    ) -> Result<Recorded, UnitError>;

    /// Runs a statement that only changes a setting of this session. It needs no lock and has no checkpoint.
    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError>;

    /// Writes a change of the history in a transaction of its own, if the lock is still held. After an error nothing is
    /// written.
    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError>;

    /// Writes a change as [`write`](Self::write) does, between two statements of a script: the session stays as it is.
    async fn write_during_script(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        self.write(history_sql, change).await
    }

    /// Writes a change as [`write`](Self::write) does, unless another process has written to the history since `expected` was
    /// read: then [`UnitError::HistoryChanged`], and nothing is written.
    ///
    /// Where the lock excludes other processes, the history cannot have changed, and this is `write`.
    async fn write_if_unchanged(
        &mut self,
        history_sql: &HistorySql,
        change: &HistoryChange<'_>,
        _expected: Expected<'_>,
    ) -> Result<(), UnitError> {
        self.write(history_sql, change).await.map_err(UnitError::NotStarted)
    }

    /// The names of temporary objects that the application has created in a session of its own: a script that uses such a name
    /// would not reach the table that it means. Valid after `prepare`.
    fn hidden_names(&self) -> Vec<&str> {
        Vec::new()
    }

    /// Whether the application may have set something that decides where the history is read, so that `prepare` comes first.
    fn may_differ_from_new_session(&self) -> bool {
        false
    }

    /// For a connection of a pool, which the application may have set up: a condition in SQL that its session finds the tables of a
    /// new one. `prepare` opens a session of our own in its place.
    fn new_session_condition(&self) -> Option<String> {
        None
    }

    /// Whether the transaction of a whole script also resets what it has left in its session, so that triggers need not be
    /// known. Valid after `prepare`.
    fn resets_in_transaction(&self) -> bool {
        false
    }

    /// Whether the session belongs to this run alone, so that it can be replaced by a new one. Valid after `prepare`.
    fn owns_session(&self) -> bool;

    /// Gives the run a session as it was after `prepare`, whatever scripts have left in this one: a new session where the
    /// run owns it; otherwise, what the database reports as different is restored.
    ///
    /// # Errors
    /// When no connection can be opened, or something cannot be restored.
    async fn renew_session(&mut self, history_sql: &HistorySql) -> Result<RenewedSession, BackendError>;

    /// The SQL that resets this session; `None` if nothing is to be reset.
    fn session_reset(&self) -> Option<&SessionReset> {
        None
    }

    /// Resets the session to its state after `prepare`: the saved settings, then the `session` statements. Does nothing before
    /// `prepare`, or where no setting outlives a transaction.
    async fn restore(&mut self) -> Result<(), BackendError> {
        match self.session_reset() {
            Some(reset) if self.preserves_session() && !reset.prepared.is_empty() => {
                let sql = reset.prepared.clone();
                self.run_setting(&sql).await
            }
            _ => Ok(()),
        }
    }

    /// Gives a session that the run does not own its state before `prepare`. Does nothing before `prepare`, or for a session
    /// that ends with the run.
    async fn restore_original(&mut self, history_sql: &HistorySql) -> Result<(), BackendError>;

    /// Ends the use of the connection: returns a clean one to its pool, and closes it otherwise. A borrowed connection stays
    /// open.
    async fn release(self: Box<Self>, state: ConnectionState);
}

/// What a run has after its session was renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewedSession {
    /// The migration lock is still held.
    Locked,
    /// The session-level lock was released with the old session and must be acquired again.
    Unlocked,
}

/// The SQL that resets the settings of a session. Empty before `prepare`.
#[derive(Debug, Default)]
pub struct SessionReset {
    /// Restores the values that the settings had before `prepare`.
    pub original: String,
    /// Restores the values that they have after `prepare`: the original ones, our own, and the `session` statements.
    pub prepared: String,
}

impl SessionReset {
    /// Adds a statement of `session`, which has run.
    pub fn add(&mut self, statement: &str) {
        self.prepared.push_str(statement.trim_end());
        // The statement may end in a line comment, which would hide a semicolon on the same line.
        self.prepared.push_str("\n;\n");
    }
}

/// The state of an object in the system catalog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It does not exist.
    Absent,
    /// It exists, and is valid.
    Present,
    /// It exists, but it is an invalid index or a constraint that is not validated.
    Invalid,
}

impl Presence {
    /// Parses the result of a presence query: `1` is present, `2` is invalid, anything else is absent.
    pub fn of(answer: Option<&str>) -> Presence {
        match answer {
            Some("1") => Presence::Present,
            Some("2") => Presence::Invalid,
            _ => Presence::Absent,
        }
    }

    /// The same, for a catalog that may not tell: it then answers with a question mark, and this returns `None`.
    pub fn of_answer(answer: Option<&str>) -> Option<Presence> {
        (answer != Some(NOT_KNOWN)).then(|| Presence::of(answer))
    }

    /// The result of a presence query that means this.
    pub fn digit(self) -> char {
        match self {
            Presence::Absent => '0',
            Presence::Present => '1',
            Presence::Invalid => '2',
        }
    }
}

/// What a writer compares before it writes, where no lock excludes other processes: the fingerprint of a version's record
/// and of the applied versions, as [`HistorySql::select_fingerprint`] returns it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The version as its record spells it.
    pub version: &'a str,
    /// The fingerprint when the history was read.
    pub fingerprint: &'a str,
}

/// Whether the state of a connection is known, and so whether it can be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// No transaction is open, the settings are reset, the lock is released.
    Clean,
    /// An operation was interrupted, so the connection must be closed.
    Unknown,
}

impl ConnectionState {
    /// `Clean` if the session could be reset.
    pub fn of<T, E>(restored: &Result<T, E>) -> Self {
        if restored.is_ok() { ConnectionState::Clean } else { ConnectionState::Unknown }
    }
}

/// What was recorded with a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// Whether the start of the next step is recorded.
    pub next: StartRecord,
    /// How long the step took, as the record of its end says; `None` for a checkpoint, or if the record does not tell it.
    pub took: Option<Duration>,
}

impl Recorded {
    /// A unit, and nothing of the next step.
    pub fn alone(took: Option<Duration>) -> Self {
        Recorded { next: StartRecord::Missing, took }
    }
}

/// Builds the change to write once the duration of the unit is known.
pub type BuildChange<'a> = &'a (dyn Fn(Elapsed) -> HistoryChange<'a> + Send + Sync);

/// One unit of a script, and how it is to run.
#[derive(Debug, Clone, Copy)]
pub struct UnitRun<'a> {
    /// The complete script.
    pub text: &'a str,
    /// All statements of the script.
    pub statements: &'a [Statement],
    /// The part of the script to run.
    pub unit: &'a Unit,
    /// How long a statement waits for a lock; `None` for as long as the database allows.
    pub lock_timeout: Option<Duration>,
    /// The statements of a transaction that wait only as long as [`LOCK_TIMEOUT`](crate::backoff::LOCK_TIMEOUT), in order.
    pub brief_locks: &'a [usize],
    /// The time limit of the script, and of each statement where the server can enforce it.
    pub timeout: Duration,
    /// When the script started.
    pub since: std::time::Instant,
    /// Whether this is the last unit of its script, so that the session can be reset after it.
    pub last: bool,
    /// The strongest effect that the script has on its session.
    pub session_effect: SessionEffect,
    /// What each statement of the script does to its session, as far as its text shows it.
    pub effects: &'a [SessionEffect],
    /// For each statement of the script that reads what an earlier one has left in the session: that one.
    pub sources: &'a [Option<usize>],
    /// The custom settings that the script reads.
    pub custom_settings: &'a [String],
    /// What the script names that matters here.
    pub mentions: Mentions,
    /// The time limits that directives of the file state. Unlike others, they take precedence over the statements of `session`.
    pub stated_limits: Mentions,
    /// The history as it was planned from.
    pub expected: Expected<'a>,
    /// What becomes of the values that sequences have in the session, when the checkpoint of the unit is written.
    pub sequence_values: SequenceValues,
    /// The start of the next step, to be recorded in the same transaction as the end of this one.
    pub next_start: Option<&'a HistoryChange<'a>>,
}

/// What becomes of the values that sequences have in the session, such as `lastval()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SequenceValues {
    /// A later statement of the script may read them.
    Kept,
    /// What comes next finds none, as in a new session.
    Forgotten,
}

impl<'a> UnitRun<'a> {
    /// Whether a statement waits only briefly for its locks.
    pub fn is_brief(&self, statement: usize) -> bool {
        self.brief_locks.binary_search(&statement).is_ok()
    }

    /// Splits the statements of the unit into chunks of at most `max_bytes`, or of a single longer statement. Returns at least
    /// one chunk.
    ///
    /// A server parses a message completely before it runs any of it, so the size of a message limits the memory that it needs.
    pub fn chunks(&self, max_bytes: usize) -> Vec<Range<usize>> {
        let mut chunks = Vec::new();
        let (mut start, mut length) = (self.unit.statements.start, 0);
        for (number, statement) in self.numbered_statements() {
            if length > 0 && length + statement.range.len() > max_bytes {
                chunks.push(start..number);
                (start, length) = (number, 0);
            }
            length += statement.range.len();
        }
        chunks.push(start..self.unit.statements.end);
        chunks
    }

    /// The statements of the unit, each with its index in the script.
    pub fn numbered_statements(&self) -> impl Iterator<Item = (usize, &'a Statement)> + use<'a> {
        let range = self.unit.statements.clone();
        range.clone().zip(&self.statements[range])
    }
}

/// What a failed statement or transaction has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// What the statement continues from when it runs again. The error says what it is.
    Continued,
    /// Perhaps a part of its changes.
    Unclear,
}

/// Why a unit failed.
#[derive(Debug)]
pub enum UnitError {
    /// The database rejected a statement; a transaction was rolled back.
    StatementFailed {
        /// The index of the statement in the script; `None` for the commit, or if it is unknown.
        statement: Option<usize>,
        /// The byte of the script at which the error points.
        offset: Option<usize>,
        /// The answer of the database.
        error: BackendError,
        /// What it left: of a unit in a transaction, after the rollback.
        remains: Remains,
    },
    /// The unit could not start, or its transaction lost the lock: nothing of it remains.
    NotStarted(BackendError),
    /// The statements succeeded, but the change could not be written; a transaction was rolled back.
    RecordFailed(BackendError),
    /// The connection was lost, so the outcome is unknown.
    ConnectionLost(BackendError),
    /// Another process has written to the history; nothing was run.
    HistoryChanged,
}

impl UnitError {
    /// The error of writing the change of a unit whose statements succeeded.
    pub fn from_write(error: BackendError) -> Self {
        if error.is_connection_lost() { UnitError::ConnectionLost(error) } else { UnitError::RecordFailed(error) }
    }
}
