//! The rule `not-null-might-fail`.

use crate::context::StatementContext;
use crate::relation;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a nullable column that becomes `NOT NULL` although no earlier migration replaces its nulls.
pub static RULE: Rule = Rule {
    code: Code::new(
        "not-null-might-fail",
        "A nullable column becomes NOT NULL, and no earlier migration replaces the nulls in it. The migration fails \
         if a row contains a null in this column. On MySQL and MariaDB without strict mode, the statement may \
         succeed and store 0 or '' in these rows instead.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "in an earlier migration, replace the nulls in batches: `UPDATE ... SET c = ... WHERE c IS NULL`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
        // A `CHECK (c IS NOT NULL)` excludes nulls.
        let mut certain = relation.constraints.iter().filter(|constraint| !constraint.certainty.is_uncertain());
        let excludes_null = certain.any(
            |constraint| matches!(&constraint.kind, relation::ConstraintKind::Check { not_null, .. } if not_null.contains(column)),
        );
        let nullable =
            relation.column(column).filter(|column| !column.not_null && column.backfilled.is_none() && !column.has_default);
        if nullable.is_some() && !excludes_null && context.is_deployed(&table) && !context.is_emptied(&table) {
            let message = format!("this fails if `{table}.{column}` contains a null, and no earlier migration replaces nulls");
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
