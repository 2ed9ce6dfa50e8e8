//! Why a run failed: what happened, where, what is already done, and what to do next.

use migrate_model::code::Code;
use migrate_model::divergence::Divergence;
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
    /// Files and history disagree; nothing was run.
    Diverged,
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
    code: &'static Code,
    message: String,
    place: Option<Place>,
    notes: Vec<(&'static str, String)>,
    divergences: Vec<Divergence>,
    source: Option<sqlx::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, code: &'static Code, message: impl Into<String>) -> Self {
        Error {
            inner: Box::new(Inner {
                kind,
                code,
                message: message.into(),
                place: None,
                notes: Vec::new(),
                divergences: Vec::new(),
                source: None,
            }),
        }
    }

    pub(crate) fn at(mut self, place: Option<Place>) -> Self {
        self.inner.place = place;
        self
    }

    pub(crate) fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.inner.notes.push((label, text.into()));
        self
    }

    pub(crate) fn help(self, text: impl Into<String>) -> Self {
        self.note("help", text)
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
        self.inner.code
    }

    /// What happened, in one line.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The file and the line of SQL, when one is to blame.
    pub fn place(&self) -> Option<&Place> {
        self.inner.place.as_ref()
    }

    /// What else is known, labelled: the database's `detail` and `hint`, what is `done`, and `help`.
    pub fn notes(&self) -> &[(&'static str, String)] {
        &self.inner.notes
    }

    /// Where files and history disagree, if that is the reason.
    pub fn divergences(&self) -> &[Divergence] {
        &self.inner.divergences
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        write!(f, "{}", inner.message)?;
        if let Some(place) = &inner.place {
            write!(f, "\n  at {}", place.label())?;
            if let Some(spot) = &place.span {
                let number = spot.position.line.to_string();
                let indent = " ".repeat(number.len());
                let before: String =
                    spot.line_text.chars().take(spot.position.column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let carets = spot.line_text.get(spot.part.clone()).map_or(1, |part| part.chars().count().max(1));
                write!(f, "\n  {number} | {}\n  {indent} | {before}{}", spot.line_text, "^".repeat(carets))?;
            }
        }
        for divergence in inner.divergences.iter() {
            write!(f, "\n  {}[{}]: {}", divergence.level.name(), divergence.code, divergence.message)?;
            for note in &divergence.notes {
                write!(f, "\n    note: {}", note.replace('\n', "\n      "))?;
            }
            for help in &divergence.help {
                write!(f, "\n    help: {help}")?;
            }
        }
        for (label, text) in &inner.notes {
            write!(f, "\n  {label}: {text}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.inner.code)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_ref().map(|source| source as _)
    }
}
