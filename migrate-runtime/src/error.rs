//! Why a run failed: what happened, where, what is already done, and what to do next.

use migrate_model::code::Code;
use migrate_model::divergence::Divergence;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use std::fmt;

/// What kind of failure, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The database cannot be reached, or refuses this user.
    Connection,
    /// There is no such SQLite file, and this does not make one.
    NoDatabase,
    /// The database can only be read: it is a replica, or a file that may not be written to.
    ReadOnly,
    /// The migrations are written for another database.
    WrongDialect,
    /// Another process holds the lock, for longer than this one would wait.
    LockNotObtained,
    /// The migration files do not match the history; nothing was run.
    HistoryMismatch,
    /// The target is a version that nobody knows.
    UnknownVersion,
    /// A migration failed.
    MigrationFailed,
    /// The run was asked to stop, and did so at a point where nothing is half done.
    Stopped,
    /// The history cannot be read or written.
    History,
    /// A setting or a name cannot be used.
    Setting,
}

/// Why a run failed.
///
/// `Display` (and `Debug`, which `main` prints) is the whole story over several lines, with the line of SQL.
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

    /// What kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The code that `cargo migrate explain` explains.
    pub fn code(&self) -> &'static Code {
        self.inner.finding.code
    }

    /// What happened, in one line.
    pub fn message(&self) -> &str {
        &self.inner.finding.message
    }

    /// The file and the line of SQL that caused it, where one did.
    pub fn place(&self) -> Option<&Place> {
        self.inner.finding.place.as_ref()
    }

    /// What else is known, each as `label: text`: the server's `detail` and `hint`, the `state` of the migration, what was
    /// `done before`.
    pub fn notes(&self) -> &[String] {
        &self.inner.finding.notes
    }

    /// What to do next.
    pub fn help_texts(&self) -> &[String] {
        &self.inner.finding.help
    }

    /// All of it but the divergences as one finding, to be shown as the compiler and the command show theirs.
    pub fn finding(&self) -> &Finding {
        &self.inner.finding
    }

    /// Where files and history disagree, if that is the reason.
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
