//! What a rule says about a place.

use migrate_model::finding::Level;
use std::ops::Range;

/// What rules have found so far in one place.
#[derive(Debug, Default)]
pub struct RuleFindings {
    /// In order.
    pub all: Vec<RuleFinding>,
}

impl RuleFindings {
    /// Adds one.
    pub fn add(&mut self, finding: RuleFinding) {
        self.all.push(finding);
    }
}

/// What a rule has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFinding {
    /// What happens, in lower case and without a full stop.
    pub message: String,
    /// Which part of the statement; all of it when none.
    pub range: Option<Range<usize>>,
    /// Less than the rule usually weighs.
    pub level: Option<Level>,
    /// What else is known.
    pub notes: Vec<String>,
    /// What to do here, besides what the rule says.
    pub help: Vec<String>,
    /// What to do here in the place of what the rule says.
    pub fix: Option<String>,
    /// What could be written behind the statement.
    pub append: Option<String>,
}

impl RuleFinding {
    /// A finding on a whole statement.
    pub fn new(message: impl Into<String>) -> Self {
        RuleFinding {
            message: message.into(),
            range: None,
            level: None,
            notes: Vec::new(),
            help: Vec::new(),
            fix: None,
            append: None,
        }
    }

    /// Says which part.
    #[must_use]
    pub fn at(mut self, range: &Range<usize>) -> Self {
        self.range = Some(range.clone());
        self
    }

    /// Weighs at most so much.
    #[must_use]
    pub fn at_most(mut self, level: Level) -> Self {
        self.level = Some(self.level.map_or(level, |own| own.min(level)));
        self
    }

    /// Adds something that is known.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Says what could be written behind the statement.
    #[must_use]
    pub fn append(mut self, text: String) -> Self {
        self.help.push(format!("add `{text}`"));
        self.append = Some(text);
        self
    }

    /// Says what to do here in the place of what the rule says.
    #[must_use]
    pub fn fix(mut self, instead: impl Into<String>) -> Self {
        self.fix = Some(instead.into());
        self
    }

    /// Adds a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}
