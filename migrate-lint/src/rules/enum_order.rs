//! The rule `enum-order`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{Syntax, TypeAction};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "enum-order",
        "`ADD VALUE` without `BEFORE` or `AFTER` puts the label at the end, which decides how values are sorted.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "say where: `BEFORE` or `AFTER`",
    opt_in: true,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';"])],
    not_flagged: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b' AFTER 'a';"])],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::AlterType { name, action: TypeAction::AddValue { label, placed: false, .. } } = context.syntax() {
        findings.add(RuleFinding::new(format!("'{label}' of `{name}` is sorted behind all others")));
    }
}
