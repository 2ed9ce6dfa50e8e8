//! The rule `prefer-jsonb`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a column of type `json`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-jsonb",
        "`json` stores the input text unchanged, so values cannot be compared for equality or indexed, and \
         PostgreSQL parses the text on every access. Use `json` only if the exact text must be preserved.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "write `jsonb`",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a json);"])],
    not_flagged: &[postgres(&["CREATE TABLE t (a jsonb);"])],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for column in context.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if ty.name == "json" {
            findings.add(RuleFinding::new(format!("column `{}` has type `json`", column.name)).at(&column.range));
        }
    }
}
