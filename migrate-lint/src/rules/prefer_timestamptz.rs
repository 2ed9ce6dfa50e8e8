//! The rule `prefer-timestamptz`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a column of type `timestamp` without time zone.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-timestamptz",
        "A `timestamp` without time zone does not identify a point in time: the reader must know in which time zone \
         the value was stored.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "write `timestamptz`",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a timestamp);"])],
    not_flagged: &[postgres(&["CREATE TABLE t (a timestamptz);"])],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for column in context.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if ty.name == "timestamp" {
            findings.add(
                RuleFinding::new(format!("column `{}` has type `timestamp` without time zone", column.name)).at(&column.range),
            );
        }
    }
}
