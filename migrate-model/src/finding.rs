//! A problem in the files: a code, a place, a message and help.

use crate::code::Code;
use crate::place::Place;
use crate::visible;
use std::fmt;

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Information only.
    Note,
    /// Probably wrong; does not block anything.
    Warning,
    /// Would fail or do harm; the folder is rejected.
    Error,
}

impl Level {
    /// `error`, `warning` or `note`.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// One problem of a folder. All problems of a folder are reported together.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Identifies the kind of problem.
    pub code: &'static Code,
    /// Only an error rejects the folder.
    pub level: Level,
    /// What happened, in lower case and without a full stop.
    pub message: String,
    /// The file, and the part of a line if it is known.
    pub place: Option<Place>,
    /// Further facts.
    pub notes: Vec<String>,
    /// What to do; each begins with a verb.
    pub help: Vec<String>,
}

impl Finding {
    /// Creates a finding that rejects the folder.
    pub fn error(code: &'static Code, message: impl Into<String>) -> Self {
        Finding { code, level: Level::Error, message: message.into(), place: None, notes: Vec::new(), help: Vec::new() }
    }

    /// Creates a finding that does not block anything.
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Finding { level: Level::Warning, ..Finding::error(code, message) }
    }

    /// The same finding as information only.
    #[must_use]
    pub fn as_note(mut self) -> Self {
        self.level = Level::Note;
        self
    }

    /// Sets the place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a remedy, which begins with a verb.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The message in one line, after the place if it is known.
    pub fn one_line(&self) -> String {
        let finding = visible::finding(self);
        let message = finding.message.split_whitespace().collect::<Vec<_>>().join(" ");
        match &finding.place {
            Some(place) => format!("{}: {message}", place.label()),
            None => message,
        }
    }

    /// Does the finding reject the folder?
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

/// The finding without colours, over several lines: message, place, source line with carets, notes and help. For logs and for
/// the errors of an application, which carries no other renderer.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { message, place, notes, help, .. } = &*visible::finding(self);
        f.write_str(message)?;
        if let Some(place) = place {
            write!(f, "\n  at {}", place.label())?;
            if let Some(span) = &place.span {
                let number = span.position.line.to_string();
                let indent = " ".repeat(number.len());
                let before = span.line_text.get(..span.part.start).unwrap_or_default();
                let before: String = before.chars().map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let carets = span.line_text.get(span.part.clone()).map_or(1, |part| part.chars().count().max(1));
                write!(f, "\n  {number} | {}\n  {indent} | {before}{}", span.line_text, "^".repeat(carets))?;
            }
        }
        for note in notes {
            write!(f, "\n  = note: {}", note.replace('\n', "\n          "))?;
        }
        for text in help {
            write!(f, "\n  = help: {text}")?;
        }
        Ok(())
    }
}
