//! What a database can do for the engine. Verbs, no decisions.

use crate::backend_error::BackendError;
use crate::connection::TextRow;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::{HistoryDialect, HistorySql};
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::execution::Unit;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::statement::Statement;
use std::ops::Range;
use std::time::Duration;

/// A database, seen through one connection.
#[async_trait]
pub trait Backend: Send {
    /// Which SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// The SQL of the history in this database.
    fn history_dialect(&self) -> &'static HistoryDialect;

    /// Runs a query, and returns its rows as text.
    async fn query(&mut self, sql: &str) -> Result<Vec<TextRow>, BackendError>;

    /// Whether an error says that a table, or its schema, does not exist.
    fn is_missing_table(&self, error: &BackendError) -> bool;

    /// Learns where it is and which schema the tables are in, notes the session's settings, and runs the statements of
    /// `session`.
    async fn prepare(
        &mut self,
        history_sql: &mut HistorySql,
        session: &[String],
        locking: LockSettings,
    ) -> Result<(), BackendError>;

    /// Does a setting outlive the transaction that made it?
    fn preserves_session(&self) -> bool {
        true
    }

    /// Whether the time limits of a transaction last after it, so that they must be reset.
    fn limits_outlive_transaction(&self) -> bool {
        false
    }

    /// Creates the history tables.
    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError>;

    /// Tries to get the lock, waiting no longer than a moment.
    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError>;

    /// Who has the lock, as far as the database tells.
    async fn holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo>;

    /// Who holds locks on these tables now, as far as the database tells.
    async fn blockers(&mut self, history_sql: &HistorySql, tables: &[Name]) -> Vec<SessionInfo>;

    /// Gives the lock back.
    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError>;

    /// Is a thing there? `None` when the database cannot be asked for its kind.
    async fn presence(&mut self, history_sql: &HistorySql, object: &Object) -> Result<Option<Presence>, BackendError>;

    /// Runs a unit in a transaction and commits the change with it.
    async fn run_in_transaction(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError>;

    /// Runs a unit without a transaction, and writes the change right behind it.
    async fn run_alone(&mut self, history_sql: &HistorySql, work: &UnitRun<'_>, ending: BuildChange<'_>)
    -> Result<(), UnitError>;

    /// Runs a statement that only sets something for this session.
    async fn run_setting(&mut self, sql: &str) -> Result<(), BackendError>;

    /// Writes a change of the history in a transaction of its own.
    async fn write(&mut self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError>;

    /// The same, unless another process wrote meanwhile. Where the lock keeps others out, nobody can have.
    async fn write_if_unchanged(
        &mut self,
        history_sql: &HistorySql,
        change: &HistoryChange<'_>,
        _expected: Expected<'_>,
    ) -> Result<(), UnitError> {
        self.write(history_sql, change).await.map_err(UnitError::NotStarted)
    }

    /// Puts the session's settings back to what they were when the first script began.
    async fn restore(&mut self) -> Result<(), BackendError>;

    /// Puts the session's settings back to what they were when the connection was taken.
    async fn restore_original(&mut self) -> Result<(), BackendError>;

    /// Ends the use of the connection: back to its pool if its state is known, else closed.
    async fn release(self: Box<Self>, state: ConnectionState);
}

/// How a thing stands in the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is not there.
    Absent,
    /// It is there, and good.
    Present,
    /// It is there, but an index is not valid, or a constraint not validated.
    Invalid,
}

impl Presence {
    /// Reads what the backends' queries return: 0, 1 or 2.
    pub fn of(answer: Option<&str>) -> Presence {
        match answer {
            Some("1") => Presence::Present,
            Some("2") => Presence::Invalid,
            _ => Presence::Absent,
        }
    }
}

/// What a writer compares before it writes, where no lock excludes other processes: the fingerprint of a version's record
/// and of what is applied, as [`HistorySql::select_fingerprint`] returns it.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The version.
    pub version: &'a str,
    /// The fingerprint.
    pub fingerprint: &'a str,
}

/// Whether the state of a connection is known, and with it whether it may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// No transaction is open, the settings are restored, the lock is released.
    Clean,
    /// Something was interrupted: the connection must be closed.
    Unknown,
}

impl ConnectionState {
    /// `Clean` if everything that had to be restored was.
    pub fn of<T, E>(restored: &Result<T, E>) -> Self {
        if restored.is_ok() { ConnectionState::Clean } else { ConnectionState::Unknown }
    }
}

/// What a change is, once it is known how long the work took.
pub type BuildChange<'a> = &'a (dyn Fn(Elapsed) -> HistoryChange<'a> + Send + Sync);

/// One unit of a script.
#[derive(Debug)]
pub struct UnitRun<'a> {
    /// The whole script.
    pub text: &'a str,
    /// All of its statements.
    pub statements: &'a [Statement],
    /// What is to run now.
    pub unit: &'a Unit,
    /// How long a statement may wait for a lock.
    pub lock_timeout: Option<Duration>,
    /// How long a statement may take.
    pub timeout: Duration,
    /// When the script was begun.
    pub since: std::time::Instant,
    /// Is it the last of its script, so that the session's settings can be put back?
    pub last: bool,
    /// Was the script begun before, so that something of it may be left over?
    pub resuming: bool,
    /// What the history contains if no other process has written meanwhile.
    pub expected: Expected<'a>,
}

impl<'a> UnitRun<'a> {
    /// The statements that are to run now in parts of at most so many bytes, or of one statement; at least one part.
    ///
    /// A text is read as a whole before any of it runs, and so is all that is made of it.
    pub fn chunks(&self, bytes: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let (mut start, mut length) = (self.unit.statements.start, 0);
        for (number, statement) in self.numbered_statements() {
            if length > 0 && length + statement.range.len() > bytes {
                pieces.push(start..number);
                (start, length) = (number, 0);
            }
            length += statement.range.len();
        }
        pieces.push(start..self.unit.statements.end);
        pieces
    }

    /// The statements that are to run now, with their numbers.
    pub fn numbered_statements(&self) -> impl Iterator<Item = (usize, &'a Statement)> + use<'a> {
        let range = self.unit.statements.clone();
        range.clone().zip(&self.statements[range])
    }
}

/// Why a unit did not end well.
#[derive(Debug)]
pub enum UnitError {
    /// The database refused a statement; a transaction was rolled back.
    StatementFailed {
        /// Which, if it is known.
        statement: Option<usize>,
        /// The byte of the script that it pointed at.
        offset: Option<usize>,
        /// What it said.
        error: BackendError,
    },
    /// The database was not ready for it: nothing of it was run.
    NotStarted(BackendError),
    /// The script was fine, but the record of it could not be written; a transaction was rolled back.
    RecordFailed(BackendError),
    /// The connection broke: nobody knows how it ended.
    ConnectionLost(BackendError),
    /// Another process was faster: nothing was run.
    HistoryChanged,
}
