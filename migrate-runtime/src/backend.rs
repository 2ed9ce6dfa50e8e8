//! What a database can do for the engine. Verbs, no decisions.

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::HistorySql;
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::Object;
use migrate_model::execution::Unit;
use migrate_model::history::History;
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::statement::Statement;
use migrate_model::target::Direction;
use std::ops::Range;
use std::time::Duration;

/// A database, seen through one connection.
#[async_trait]
pub trait Backend: Send {
    /// Which SQL it speaks.
    fn dialect(&self) -> Dialect;

    /// The digest of what is applied, in one query; `None` when there is no history.
    async fn digest(&mut self, history_sql: &HistorySql) -> Result<Option<String>, BackendError>;

    /// The history of a service (of the history_sql's own, if none is named); `None` when the tables are not there.
    async fn history(&mut self, history_sql: &HistorySql, service: Option<&str>) -> Result<Option<History>, Error>;

    /// The stored SQL of a migration.
    async fn stored_script(
        &mut self,
        history_sql: &HistorySql,
        version: &str,
        direction: Direction,
    ) -> Result<Option<String>, BackendError>;

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

    /// Makes the tables.
    async fn create_tables(&mut self, history_sql: &HistorySql) -> Result<(), BackendError>;

    /// Tries to get the lock, waiting no longer than a moment.
    async fn try_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError>;

    /// Who has the lock, as far as the database tells.
    async fn holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo>;

    /// Who holds locks on these tables now, as far as the database tells.
    async fn blockers(&mut self, history_sql: &HistorySql, tables: &[Name]) -> Vec<SessionInfo>;

    /// Gives the lock back.
    async fn unlock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError>;

    /// Does the query return one true value?
    async fn gate(&mut self, query: &str) -> Result<bool, BackendError>;

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
        _token: (&str, &str),
    ) -> Result<(), UnitError> {
        self.write(history_sql, change).await.map_err(UnitError::NotStarted)
    }

    /// Puts the session's settings back to what they were when the first script began.
    async fn restore(&mut self) -> Result<(), BackendError>;

    /// Puts the session's settings back to what they were when the connection was taken.
    async fn restore_original(&mut self) -> Result<(), BackendError>;

    /// Ends the use of the connection: back to its pool if its state is known, else closed.
    async fn release(self: Box<Self>, clean: bool);
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
    /// What [`Ledger::select_token`] returns if nobody else wrote meanwhile, and its version.
    pub token: (&'a str, &'a str),
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
        failure: BackendError,
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

/// What a statement of ours makes a database say when the lock is another's.
pub const LOST: &str = "the migration lock is not held any more";

/// An error for a run whose lock is another's.
pub fn lost_lock(failure: BackendError) -> Error {
    failure
        .add_to(Error::new(ErrorKind::LockNotObtained, &codes::LOCK_LOST, LOST))
        .help("if another process has it, run the same command again: it waits for that one, and goes on from there")
        .help("if the script gave it up (`pg_advisory_unlock_all()`, `DISCARD ALL`, `RELEASE_ALL_LOCKS()`), take that out")
}

/// An error for a database that can only be read.
pub fn read_only(failure: BackendError) -> Error {
    let message = format!("the database can only be read: {}", failure.message);
    failure
        .add_to(Error::new(ErrorKind::ReadOnly, &codes::READ_ONLY, message))
        .help("connect to the primary, not to a replica; or, for a SQLite file, see that it and its folder may be written to")
}

/// What the database, or the way to it, said.
#[derive(Debug)]
pub struct BackendError {
    /// The message.
    pub message: String,
    /// More about it.
    pub detail: Option<String>,
    /// What the database suggests.
    pub hint: Option<String>,
    /// Its code (SQLSTATE, or a number).
    pub code: Option<String>,
    /// Where in the text that was sent: characters, counted from 1.
    pub position: Option<usize>,
    /// Did the server answer, so that the connection is still good?
    pub answered: bool,
    /// Was another connection in the way, for as long as one would wait?
    pub busy: bool,
    /// Was a lock not got in time, or lost to a deadlock? Then the same may work a little later.
    pub lock_timeout: bool,
    /// Is the migration lock another's by now?
    pub lost_lock: bool,
    /// Can the database only be read?
    pub read_only: bool,
    /// The error itself.
    pub source: Option<sqlx::Error>,
}

impl BackendError {
    /// Reads an error of sqlx; the backend adds what only its database knows.
    pub fn of(error: sqlx::Error) -> Self {
        let database = error.as_database_error();
        BackendError {
            message: match database {
                Some(database) => database.message().to_owned(),
                None => error.to_string(),
            },
            detail: None,
            hint: None,
            code: database.and_then(|database| database.code()).map(|code| code.into_owned()),
            position: None,
            answered: database.is_some(),
            busy: false,
            lock_timeout: false,
            lost_lock: false,
            read_only: false,
            source: Some(error),
        }
    }

    /// A failure that no database reported.
    pub fn own(message: impl Into<String>) -> Self {
        BackendError {
            message: message.into(),
            detail: None,
            hint: None,
            code: None,
            position: None,
            answered: true,
            busy: false,
            lock_timeout: false,
            lost_lock: false,
            read_only: false,
            source: None,
        }
    }

    /// The lock is another's.
    pub fn lost_lock() -> Self {
        BackendError { lost_lock: true, ..BackendError::own(LOST) }
    }

    /// As an error about the history.
    pub fn into_history_error(self, what: &str) -> Error {
        if self.busy {
            let message = format!("another process is writing to the database: {}", self.message);
            return self
                .add_to(Error::new(ErrorKind::LockNotObtained, &codes::LOCK_NOT_OBTAINED, message))
                .help("wait until it is done, or end it; `--lock-wait` says how long to be patient");
        }
        if self.lost_lock {
            return lost_lock(self);
        }
        if self.read_only {
            return read_only(self);
        }
        if !self.answered {
            return self.into_lost_connection_error("the connection to the database broke");
        }
        let code = self.code.clone().unwrap_or_default();
        let error = self.into_error(ErrorKind::History, &codes::HISTORY, what);
        match code.as_str() {
            // The table is there and has other columns.
            "42703" | "1054" => {
                error.help("the table belongs to something else: choose other names under `[history]` in `migrate.toml`")
            }
            // Galera: WSREP has not yet prepared node for application use.
            "1047" => error.help("this node is not part of its cluster now; wait until it is, or connect to another"),
            "1046" => error.help("name the database in the URL: `mysql://user@host/DATABASE`"),
            "26" => error.help("the file is no SQLite database: correct its name in the URL"),
            _ => error.help("give this user the right to read and write the history tables, and at first to create them"),
        }
    }

    /// As an error about the connection.
    pub fn into_connection_error(self, what: &str) -> Error {
        self.into_error(ErrorKind::Connection, &codes::CONNECTION, what)
    }

    /// As an error about a connection that was there, and perhaps is no more.
    pub fn into_lost_connection_error(self, what: &str) -> Error {
        if self.answered {
            return self.into_connection_error(what);
        }
        self.into_error(ErrorKind::Connection, &codes::CONNECTION_LOST, what)
            .help("run the same command again: it finds out how far this one came")
    }

    fn into_error(self, kind: ErrorKind, code: &'static migrate_model::code::Code, what: &str) -> Error {
        let error = Error::new(kind, code, format!("{what}: {}", self.message));
        self.add_to(error)
    }

    /// Adds what the database said besides its message.
    pub fn add_to(self, mut error: Error) -> Error {
        if let Some(detail) = self.detail {
            error = error.note("detail", detail);
        }
        if let Some(hint) = self.hint {
            error = error.note("hint", hint);
        }
        match self.source {
            Some(source) => error.because(source),
            None => error,
        }
    }
}
