//! A problem in the files: a code, a place, a message and what to do.

use crate::code::Code;
use crate::place::Place;
use std::fmt;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Probably wrong; nothing is held up by it.
    Warning,
    /// Would fail or do harm: the folder is refused.
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

/// One problem. Every problem of a folder is one finding, and all are reported together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of problem.
    pub code: &'static Code,
    /// How much it weighs.
    pub level: Level,
    /// What happened, in lower case and without a full stop.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What else is known.
    pub notes: Vec<String>,
    /// What to do; each begins with a verb.
    pub help: Vec<String>,
}

impl Finding {
    /// A finding that refuses the folder.
    pub fn error(code: &'static Code, message: impl Into<String>) -> Self {
        Finding { code, level: Level::Error, message: message.into(), place: None, notes: Vec::new(), help: Vec::new() }
    }

    /// A finding that holds nothing up.
    pub fn warning(code: &'static Code, message: impl Into<String>) -> Self {
        Finding { level: Level::Warning, ..Finding::error(code, message) }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds something that is known.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Does it refuse the folder?
    pub fn is_error(&self) -> bool {
        self.level == Level::Error
    }
}

/// The finding without colours, over several lines: message, place, source line with carets, notes and help. For logs and for
/// the errors of an application, which carries no other renderer.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(place) = &self.place {
            write!(f, "\n  at {}", place.label())?;
            if let Some(span) = &place.span {
                let number = span.position.line.to_string();
                let indent = " ".repeat(number.len());
                let before = span.line_text.chars().take(span.position.column - 1);
                let before: String = before.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
                let carets = span.line_text.get(span.part.clone()).map_or(1, |part| part.chars().count().max(1));
                write!(f, "\n  {number} | {}\n  {indent} | {before}{}", span.line_text, "^".repeat(carets))?;
            }
        }
        for note in &self.notes {
            write!(f, "\n  = note: {}", note.replace('\n', "\n          "))?;
        }
        for help in &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        Ok(())
    }
}
