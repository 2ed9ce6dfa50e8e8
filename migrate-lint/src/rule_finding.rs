//! The finding of a rule about a statement or a file.

use migrate_model::finding::Level;
use std::ops::Range;

/// The findings of one rule in one place.
#[derive(Debug, Default)]
pub struct RuleFindings {
    /// In the order in which they were added.
    pub all: Vec<RuleFinding>,
}

/// The most findings of one rule about the same part of a statement, and the most names in one message. Thousands of objects may
/// depend on each table of a file.
const SAME_PLACE_LIMIT: usize = 100;

/// How many findings are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingLimit {
    /// The first hundred about the same part of a statement: a person cannot read more.
    SamePlace,
    /// All, for programs.
    None,
}

impl RuleFindings {
    /// Adds a finding.
    pub fn add(&mut self, finding: RuleFinding) {
        self.all.push(finding);
    }

    /// Removes the findings and returns them: those that the limit keeps. The last one counts the others.
    pub fn take(&mut self, limit: FindingLimit) -> Vec<RuleFinding> {
        if limit == FindingLimit::None {
            return std::mem::take(&mut self.all);
        }
        let mut taken: Vec<RuleFinding> = Vec::new();
        let (mut at_place, mut omitted) = (0, 0);
        for finding in self.all.drain(..) {
            let is_same_place = taken.last().is_some_and(|last| last.range == finding.range);
            if is_same_place && at_place == SAME_PLACE_LIMIT {
                omitted += 1;
                continue;
            }
            note_omitted(&mut taken, std::mem::take(&mut omitted));
            at_place = if is_same_place { at_place + 1 } else { 1 };
            taken.push(finding);
        }
        note_omitted(&mut taken, omitted);
        taken
    }
}

fn note_omitted(findings: &mut [RuleFinding], omitted: usize) {
    if let Some(last) = findings.last_mut().filter(|_| omitted > 0) {
        last.message.push_str(&format!(", and {omitted} more like this"));
    }
}

/// Names for a message, separated by commas; after the first hundred only their number.
pub fn list(names: &[String]) -> String {
    let (listed, omitted) = names.split_at(names.len().min(SAME_PLACE_LIMIT));
    let listed = listed.join(", ");
    if omitted.is_empty() { listed } else { format!("{listed} and {} more", omitted.len()) }
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
