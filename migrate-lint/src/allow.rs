//! `-- migrate: allow RULE: reason`: suppresses the findings of a rule at a statement or in a file.

use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::directives::{self, Allow};
use migrate_model::finding::Finding;
use migrate_model::place::SourceText;
use migrate_model::script::Script;
use std::collections::{BTreeSet, HashMap};

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
    allows: Vec<Allow>,
    by_rule: HashMap<String, OfRule>,
}

/// The comments about one rule, as those that have suppressed nothing yet.
#[derive(Debug, Default)]
struct OfRule {
    /// For the whole file; `None` if there are no such comments.
    file: Option<Unused>,
    /// By the statement that they apply to.
    statements: HashMap<usize, Unused>,
}

/// Indexes of comments that have suppressed nothing yet.
type Unused = Vec<usize>;

impl Allowed {
    /// Reads the `allow` comments of a script.
    pub fn of(script: &Script, dialect: Dialect) -> Self {
        let mut by_rule: HashMap<String, OfRule> = HashMap::new();
        let allows = if script.text.contains("allow") { directives::allows(&script.text, dialect) } else { Vec::new() };
        for (at, allow) in allows.iter().enumerate() {
            let of_rule = by_rule.entry(allow.rule.clone()).or_default();
            match statement_of(allow, script) {
                Some(statement) => of_rule.statements.entry(statement).or_default().push(at),
                None => of_rule.file.get_or_insert_default().push(at),
            }
        }
        Allowed { allows, by_rule }
    }

    /// Is a rule suppressed at a statement? Without a statement: anywhere in the file.
    pub fn suppresses(&mut self, rule: &str, statement: Option<usize>) -> bool {
        let Some(of_rule) = self.by_rule.get_mut(rule) else { return false };
        let mut suppressed = of_rule.file.as_mut().map(Vec::clear).is_some();
        match statement {
            Some(statement) => suppressed |= of_rule.statements.get_mut(&statement).map(Vec::clear).is_some(),
            None => {
                suppressed = true;
                of_rule.statements.values_mut().for_each(Vec::clear);
            }
        }
        suppressed
    }

    /// Findings about comments that have suppressed nothing. A rule that is disabled here, and a code in `checked_elsewhere`,
    /// may be suppressed by a comment all the same.
    pub fn problems(self, script: &Script, is_enabled: impl Fn(&str) -> bool, checked_elsewhere: &[&Code]) -> Vec<Finding> {
        let source = SourceText::new(&script.file, &script.text);
        let problem = |allow: &Allow| {
            let rule = &allow.rule;
            let place = source.place(allow.range.clone());
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
        let unused = self.by_rule.values().flat_map(|of_rule| of_rule.file.iter().chain(of_rule.statements.values())).flatten();
        let unused: BTreeSet<usize> = unused.copied().collect();
        unused.into_iter().filter_map(|at| problem(&self.allows[at])).collect()
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
    // Both are the first statement that ends after the line begins. The statements are in the order of the text.
    let at = script.statements.partition_point(|statement| statement.range.end <= line);
    (at < script.statements.len()).then_some(at)
}
