//! `-- migrate: allow RULE: reason`: suppresses the findings of a rule at a statement or in a file.

use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::directives::{self, Allow};
use migrate_model::finding::Finding;
use migrate_model::place::SourceText;
use migrate_model::script::Script;

/// An `allow` that suppresses nothing.
pub static UNUSED_ALLOW: Code = Code::new(
    "unused-allow",
    "A comment `-- migrate: allow RULE: reason` suppresses nothing: the SQL has changed, the name of the rule is misspelled, or the comment \
     is above the wrong statement. A comment before the first statement applies to the whole file; a comment above a later statement, or after any statement on the same line, applies to that statement. Correct the rule name or move the comment; otherwise remove it, so that \
     it does not suppress a future finding.",
);

/// The `allow` comments of a script, and which of them have suppressed a finding.
#[derive(Debug)]
pub struct Allowed {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    allow: Allow,
    /// Index of the statement that it applies to; `None` for the whole file.
    statement: Option<usize>,
    used: bool,
}

impl Allowed {
    /// Reads the `allow` comments of a script.
    pub fn of(script: &Script, dialect: Dialect) -> Self {
        if !script.text.contains("allow") {
            return Allowed { entries: Vec::new() };
        }
        let allows = directives::allows(&script.text, dialect).into_iter();
        let entries = allows.map(|allow| Entry { statement: statement_of(&allow, script), allow, used: false });
        Allowed { entries: entries.collect() }
    }

    /// Is a rule suppressed at a statement? Without a statement: anywhere in the file.
    pub fn suppresses(&mut self, rule: &str, statement: Option<usize>) -> bool {
        let mut suppressed = false;
        for entry in &mut self.entries {
            let applies = entry.statement.is_none() || statement.is_none() || entry.statement == statement;
            if entry.allow.rule == rule && applies {
                entry.used = true;
                suppressed = true;
            }
        }
        suppressed
    }

    /// Findings about comments that have suppressed nothing. A rule that is disabled here, and a code in `checked_elsewhere`,
    /// may be suppressed by a comment all the same.
    pub fn problems(self, script: &Script, is_enabled: impl Fn(&str) -> bool, checked_elsewhere: &[&Code]) -> Vec<Finding> {
        let source = SourceText::new(&script.file, &script.text);
        let problem = |entry: Entry| {
            let rule = &entry.allow.rule;
            let place = source.place(entry.allow.range.clone());
            if crate::rules::find(rule).is_none() && checked_elsewhere.iter().all(|code| code.name != rule) {
                let finding = Finding::warning(&UNUSED_ALLOW, format!("unknown rule `{rule}`")).at(place);
                return Some(match crate::rules::nearest(rule) {
                    Some(nearest) => finding.help(format!("write `{nearest}`")),
                    None => finding.help("`cargo migrate explain` lists all codes, including the rules"),
                });
            }
            is_enabled(rule).then(|| {
                Finding::warning(&UNUSED_ALLOW, format!("`allow {rule}` suppresses nothing")).at(place).help("remove the comment")
            })
        };
        self.entries.into_iter().filter(|entry| !entry.used).filter_map(problem).collect()
    }
}

/// The statement that a comment applies to: the one that ends on its line, or else the next one. Before the first statement it
/// applies to the whole file.
fn statement_of(allow: &Allow, script: &Script) -> Option<usize> {
    let comment = allow.range.start;
    let first = script.statements.first().map_or(script.text.len(), |first| first.range.start);
    if comment < first {
        return None;
    }
    let line = script.text[..comment].rfind(['\n', '\r']).map_or(0, |line_break| line_break + 1);
    let mut ends = script.statements.iter().map(|statement| statement.range.end);
    let on_same_line = ends.clone().position(|end| end > line && end <= comment);
    on_same_line.or_else(|| ends.position(|end| end > comment))
}
