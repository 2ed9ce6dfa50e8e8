//! The rule `not-null-might-fail`.

use crate::context::StatementContext;
use crate::relation as schema;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "not-null-might-fail",
        "A column that may hold null is made NOT NULL, and nothing in the history has replaced its nulls: the \
         migration fails on the first row that has one (on MySQL without strict mode, such rows silently get 0 or \
         '').",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "write `UPDATE ... SET c = ... WHERE c IS NULL` in a migration before it, in batches",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ALTER a SET NOT NULL;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t MODIFY a int NOT NULL;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 0 WHERE a IS NULL;", "ALTER TABLE t ALTER a SET NOT NULL;"]),
        postgres(&["CREATE TABLE t (a int NOT NULL);", "ALTER TABLE t ALTER a SET NOT NULL;"]),
        mysql(&["CREATE TABLE t (a int NOT NULL);", "ALTER TABLE t MODIFY a bigint NOT NULL;"]),
    ],
    verification: Verification::Seen("nulls_fail_set_not_null"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let column = match action {
            ActionKind::SetNotNull(column) => column,
            ActionKind::ModifyColumn(column) if column.not_null => &column.name,
            _ => continue,
        };
        let Some(relation) = context.relation(&table) else { continue };
        let proved = relation.constraints.iter().any(
            |constraint| matches!(&constraint.kind, schema::ConstraintKind::Check { not_null, .. } if not_null.contains(column)),
        );
        let known = relation.column(column).filter(|known| !known.not_null && known.backfilled.is_none() && !known.has_default);
        if known.is_some() && !proved && context.is_deployed(&table) {
            findings.add(
                RuleFinding::new(format!(
                    "this fails if a row of `{table}` has no {column}, and nothing before has seen to that"
                ))
                .at(range),
            );
        }
    }
}
