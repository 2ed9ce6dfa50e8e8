//! The rule `change-default`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "change-default",
        "The release that runs leaves the column out of its inserts and counts on the default that it knows.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int DEFAULT 1);", "ALTER TABLE t ALTER a SET DEFAULT 2;"]),
        postgres(&["CREATE TABLE t (a int NOT NULL DEFAULT 1);", "ALTER TABLE t ALTER a DROP DEFAULT;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ALTER a SET DEFAULT 2;"]),
        postgres(&["CREATE TABLE t (a int DEFAULT 1); ALTER TABLE t ALTER a SET DEFAULT 2;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let (ActionKind::SetDefault { column, .. } | ActionKind::DropDefault(column)) = action else { continue };
        let known = context.relation(&table).and_then(|relation| relation.column(column));
        let Some(known) = known.filter(|known| known.has_default && context.is_deployed(&table)) else { continue };
        let message = match (action, known.not_null) {
            (ActionKind::DropDefault(_), true) => {
                format!("inserts of the release that runs fail if they leave `{table}.{column}` out")
            }
            _ => format!("the release that runs may count on the default of `{table}.{column}`"),
        };
        findings.add(RuleFinding::new(message).at(range));
    }
}
