//! The error of a run: what happened, where, what is already done, and what to do next.

use crate::backends;
use crate::codes;
use migrate_model::code::Code;
use migrate_model::divergence::Divergence;
use migrate_model::finding::Finding;
use migrate_model::invalid_migrations::InvalidMigrations;
use migrate_model::place::Place;
use migrate_model::plural::and_more;
use std::fmt;

/// The kind of an error, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database cannot be reached, or it rejects the user.
    Connection,
    /// The connection was lost during a run, so the outcome of the last statement is unknown. The next run determines it.
    ConnectionLost,
    /// The SQLite file does not exist, and this operation does not create it.
    NoDatabase,
    /// The database is read-only: a replica, or a file without write permission.
    ReadOnly,
    /// The migrations are written for another kind of database.
    WrongDialect,
    /// The migrations are invalid: what `embed_migrations!` reports as compile errors. Only sets that are created at run time.
    InvalidMigrations,
    /// Another process held the lock for longer than the wait time.
    LockNotObtained,
    /// The lock was lost during a run, and another process may hold it. Every completed statement is recorded.
    LockLost,
    /// The migration files do not match the database history. The run was aborted before it applied anything.
    HistoryMismatch,
    /// The same, and the only mismatch is the order: a migration is pending whose version is lower than that of an applied one.
    OutOfOrder,
    /// Neither the migration files nor the history contain the requested version.
    UnknownVersion,
    /// The database rejected a statement of a migration.
    MigrationFailed,
    /// A statement waited too long for a lock on a table, also after retries, or was the victim of a deadlock.
    TableLocked,
    /// A migration exceeded its time limit, or an operator cancelled its statement on the server.
    TimedOut,
    /// The gate of a migration did not return true.
    GateClosed,
    /// The run was stopped on request. Every statement that started is complete and recorded.
    Stopped,
    /// The history tables cannot be read or written.
    History,
    /// A setting or a name is not valid for this database or connection.
    Setting,
    /// The program has no Tokio runtime, which the connection needs.
    NoRuntime,
}

/// The error of a run.
///
/// `Display` writes one line. [`report`](Error::report) has all of it, with the line of SQL, and so has `Debug`, which `main`
/// prints.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    finding: Finding,
    divergences: Vec<Divergence>,
    /// Further problems of invalid migrations.
    problems: Vec<Finding>,
    source: Option<sqlx::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, code: &'static Code, message: impl Into<String>) -> Self {
        let finding = Finding::error(code, message);
        Error { inner: Box::new(Inner { kind, finding, divergences: Vec::new(), problems: Vec::new(), source: None }) }
    }

    /// An error that a finding describes.
    pub(crate) fn of_finding(kind: ErrorKind, finding: Finding) -> Self {
        Error { inner: Box::new(Inner { kind, finding, divergences: Vec::new(), problems: Vec::new(), source: None }) }
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.inner.finding.place = place;
        self
    }

    pub(crate) fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.inner.finding.notes.push(format!("{label}: {}", text.into()));
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.inner.finding.help.push(text.into());
        self
    }

    pub(crate) fn diverged(mut self, divergences: Vec<Divergence>) -> Self {
        self.inner.divergences = divergences;
        self
    }

    pub(crate) fn because(mut self, source: sqlx::Error) -> Self {
        self.inner.source = Some(source);
        self
    }

    /// The error in full, over several lines: what happened, the place with the line of SQL, what is already done, each mismatch,
    /// and what to do next. For logs and terminals.
    pub fn report(&self) -> String {
        let mut text = self.inner.finding.to_string();
        for finding in self.related() {
            let related = format!("{}[{}]: {finding}", finding.level.name(), finding.code);
            text.push_str("\n  ");
            text.push_str(&related.replace('\n', "\n  "));
        }
        text
    }

    fn related(&self) -> impl Iterator<Item = &Finding> {
        self.inner.divergences.iter().map(|divergence| &divergence.finding).chain(&self.inner.problems)
    }

    /// The error of the database or of the driver that caused this one.
    pub fn database_error(&self) -> Option<&sqlx::Error> {
        self.inner.source.as_ref()
    }

    /// Whether there is no such database: it may be created later.
    pub(crate) fn is_missing_database(&self) -> bool {
        let is_missing = |error: &sqlx::Error| {
            let code = error.as_database_error().and_then(|database| database.code());
            // PostgreSQL: invalid_catalog_name.
            code.as_deref() == Some("3D000") || backends::is_missing_database(error)
        };
        self.kind() == ErrorKind::NoDatabase || self.database_error().is_some_and(is_missing)
    }

    /// The kind, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// May the same run succeed later, although no file, setting or row of the application is changed? For retries: the connection
    /// failed or was lost, another process holds or has taken the lock, or a table stayed locked. To run again is always safe.
    pub fn is_temporary(&self) -> bool {
        match self.kind() {
            ErrorKind::Connection => self.database_error().is_some_and(is_temporary_failure),
            ErrorKind::ConnectionLost | ErrorKind::LockNotObtained | ErrorKind::LockLost | ErrorKind::TableLocked => true,
            _ => false,
        }
    }

    /// The code; `cargo migrate explain CODE` prints its explanation.
    pub fn code(&self) -> &'static Code {
        self.inner.finding.code
    }

    /// What happened, in one line.
    pub fn message(&self) -> &str {
        &self.inner.finding.message
    }

    /// The file, and the line of SQL if one caused the error.
    pub fn place(&self) -> Option<&Place> {
        self.inner.finding.place.as_ref()
    }

    /// Further facts, each as `label: text`, such as `detail` and `hint` of the server, the `state` of the migration, and what this run
    /// has applied or reverted before.
    pub fn notes(&self) -> &[String] {
        &self.inner.finding.notes
    }

    /// What to do next. Several entries are alternatives.
    pub fn help_texts(&self) -> &[String] {
        &self.inner.finding.help
    }

    /// The error without its divergences as a finding, which compiler and command print in the same format.
    pub fn finding(&self) -> &Finding {
        &self.inner.finding
    }

    /// The mismatches between files and history, for an error of kind [`HistoryMismatch`](ErrorKind::HistoryMismatch).
    pub fn divergences(&self) -> &[Divergence] {
        &self.inner.divergences
    }
}

/// One line: what happened, and where. [`report`](Error::report) has the rest.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut errors = self.related().filter(|finding| finding.is_error());
        f.write_str(&self.inner.finding.one_line())?;
        // The finding of a mismatch does not say what differs.
        if !self.inner.divergences.is_empty()
            && let Some(first) = errors.next()
        {
            write!(f, ": {}", first.one_line())?;
        }
        f.write_str(&and_more(errors.count(), "error"))
    }
}

/// The code and the [`report`](Error::report), because this is what `main` prints of an error that it returns.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code(), self.report())
    }
}

/// `source` returns nothing: the text of the error contains that of its cause, which would be printed twice. See
/// [`database_error`](Error::database_error).
impl std::error::Error for Error {}

impl From<InvalidMigrations> for Error {
    fn from(invalid: InvalidMigrations) -> Self {
        let mut findings = invalid.findings().iter().cloned();
        // It contains at least one finding.
        let first = findings.next().unwrap_or_else(|| Finding::error(&codes::HISTORY_MISMATCH, invalid.to_string()));
        let mut error = Error::of_finding(ErrorKind::InvalidMigrations, first);
        error.inner.problems.extend(findings);
        error
    }
}

/// Whether a later try to connect may succeed.
fn is_temporary_failure(error: &sqlx::Error) -> bool {
    match error {
        // 57P03: the server is starting. 3D000: the database may be created any moment. 53300 and 08004: too many
        // connections.
        sqlx::Error::Database(database) => {
            // MySQL has one SQLSTATE for a database that does not exist and for one that this user may not use.
            let code = database.code().unwrap_or_default();
            let is_missing = code == "42000" && backends::is_missing_database(error);
            matches!(&*code, "57P03" | "3D000" | "53300" | "08004") || is_missing
        }
        sqlx::Error::Configuration(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolClosed => false,
        _ => true,
    }
}
