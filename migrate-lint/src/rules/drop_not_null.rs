//! The rule `drop-not-null`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags `DROP NOT NULL` on a column of an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-not-null",
        "After `DROP NOT NULL` (on MySQL and MariaDB, `MODIFY ... NULL`), the deployed version of the application \
         may read null values that it does not handle. The change is safe if every deployed version handles null \
         values in the column.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb],
    fix: "first deploy a version of the application that handles null values in the column",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int NOT NULL);", "ALTER TABLE t ALTER a DROP NOT NULL;"]),
        mysql(&["CREATE TABLE t (a int NOT NULL);", "ALTER TABLE t MODIFY a int NULL;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ALTER a DROP NOT NULL;"]),
        postgres(&["CREATE TABLE t (a int NOT NULL); ALTER TABLE t ALTER a DROP NOT NULL;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        // A `MODIFY` that merely omits `NOT NULL` is reported by `mysql-modify-loses`.
        let column = match action {
            ActionKind::DropNotNull(column) => column,
            ActionKind::ModifyColumn(column) if !column.not_null && column.says_null => &column.name,
            _ => continue,
        };
        let known = context.relation(&table).and_then(|relation| relation.column(column));
        if known.is_some_and(|known| known.not_null || known.certainty.is_uncertain()) && context.is_deployed(&table) {
            let message = format!("the deployed version of the application might not handle null values in `{table}.{column}`");
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}
