//! The rule `change-default`.

use crate::context::StatementContext;
use crate::relation::Column;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a change of a column default on which the deployed version of the application may depend.
pub static RULE: Rule = Rule {
    code: Code::new(
        "change-default",
        "If a migration changes or drops the default of a column, the deployed version of the application may still \
         omit the column in INSERTs and depend on the old default. After the change, the rows that this version \
         inserts get the new default. If the default is dropped and the column is NOT NULL, INSERTs that omit the \
         column fail. INSERTs that specify a value for the column are not affected.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
        let definition = context.relation(&table).and_then(|relation| relation.column(column));
        let is_affected =
            |definition: &&Column| (definition.has_default || definition.certainty.is_uncertain()) && context.is_deployed(&table);
        let Some(definition) = definition.filter(is_affected) else { continue };
        let message = if definition.not_null && matches!(action, ActionKind::DropDefault(_)) {
            format!("INSERTs of the deployed version of the application fail if they omit `{table}.{column}`")
        } else {
            format!("the deployed version of the application may depend on the default of `{table}.{column}`")
        };
        findings.add(RuleFinding::new(message).at(range));
    }
}
