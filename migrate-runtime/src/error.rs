//! The error of a run: what happened, where, what is already done, and what to do next.

use migrate_model::code::Code;
use migrate_model::divergence::Divergence;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use std::fmt;

/// The kind of an error, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database cannot be reached or rejects the user, or the connection was lost.
    Connection,
    /// The SQLite file does not exist, and this operation does not create it.
    NoDatabase,
    /// The database is read-only: a replica, or a file without write permission.
    ReadOnly,
    /// The migrations are written for another kind of database.
    WrongDialect,
    /// The lock was not acquired in time, because another process holds it; or the lock was lost.
    LockNotObtained,
    /// The migration files do not match the database history. The run was aborted before it applied anything.
    HistoryMismatch,
    /// Neither the migration files nor the history contain the requested version.
    UnknownVersion,
    /// A migration failed, exceeded its time limit, or its gate did not return true.
    MigrationFailed,
    /// The run was stopped on request. Every statement that started is complete and recorded.
    Stopped,
    /// The history tables cannot be read or written.
    History,
    /// A setting or a name is not valid for this database or connection.
    Setting,
}

/// The error of a run.
///
/// `Display` writes all of it over several lines, with the line of SQL. `Debug`, which `main` prints, adds the code.
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: ErrorKind,
    finding: Finding,
    divergences: Vec<Divergence>,
    source: Option<sqlx::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, code: &'static Code, message: impl Into<String>) -> Self {
        let finding = Finding::error(code, message);
        Error { inner: Box::new(Inner { kind, finding, divergences: Vec::new(), source: None }) }
    }

    /// An error that a finding describes.
    pub(crate) fn of_finding(kind: ErrorKind, finding: Finding) -> Self {
        Error { inner: Box::new(Inner { kind, finding, divergences: Vec::new(), source: None }) }
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

    /// The kind, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
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

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { finding, divergences, .. } = &*self.inner;
        write!(f, "{finding}")?;
        for Divergence { finding, .. } in divergences {
            let text = format!("{}[{}]: {finding}", finding.level.name(), finding.code);
            write!(f, "\n  {}", text.replace('\n', "\n  "))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.code())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_ref().map(|source| source as _)
    }
}
