//! The finding of a rule about a statement or a file.

use migrate_model::finding::Level;
use std::ops::Range;

/// The findings of one rule in one place.
#[derive(Debug, Default)]
pub struct RuleFindings {
    /// In the order in which they were added.
    pub all: Vec<RuleFinding>,
}

impl RuleFindings {
    /// Adds a finding.
    pub fn add(&mut self, finding: RuleFinding) {
        self.all.push(finding);
    }
}

/// A finding without its place in a file; a builder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFinding {
    /// What happens, in lower case and without a full stop.
    pub message: String,
    /// The part of the statement, in bytes of its text; `None` for the whole statement.
    pub range: Option<Range<usize>>,
    /// An upper limit for the level of the rule.
    pub level: Option<Level>,
    /// Additional facts.
    pub notes: Vec<String>,
    /// What to do, in addition to the fix. Each begins with an imperative verb.
    pub help: Vec<String>,
    /// Replaces the fix of the rule.
    pub fix: Option<String>,
    /// Text that resolves the finding when it is appended to the statement.
    pub append: Option<String>,
}

impl RuleFinding {
    /// A finding about a whole statement.
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

    /// Sets the part of the statement.
    #[must_use]
    pub fn at(mut self, range: &Range<usize>) -> Self {
        self.range = Some(range.clone());
        self
    }

    /// Limits the level.
    #[must_use]
    pub fn at_most(mut self, limit: Level) -> Self {
        self.level = Some(self.level.map_or(limit, |level| level.min(limit)));
        self
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Sets text that resolves the finding when it is appended to the statement.
    #[must_use]
    pub fn append(mut self, text: String) -> Self {
        self.help.push(format!("add `{text}`"));
        self.append = Some(text);
        self
    }

    /// Replaces the fix of the rule.
    #[must_use]
    pub fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Adds what to do; begins with an imperative verb.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}
