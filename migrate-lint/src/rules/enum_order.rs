//! The rule `enum-order`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{Syntax, TypeAction};

/// Flags `ADD VALUE` without `BEFORE` or `AFTER`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "enum-order",
        "`ALTER TYPE ... ADD VALUE` without `BEFORE` or `AFTER` adds the new value at the end of the enum type. \
         Comparisons and `ORDER BY` use the order of the values in the type, and the position of a value cannot be \
         changed later.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "specify the position with `BEFORE` or `AFTER`",
    opt_in: true,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';"])],
    not_flagged: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b' AFTER 'a';"])],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::AlterType { name, action: TypeAction::AddValue { label, placed: false, .. } } = context.syntax() {
        findings.add(RuleFinding::new(format!("enum value '{label}' of `{name}` sorts after all existing values")));
    }
}
