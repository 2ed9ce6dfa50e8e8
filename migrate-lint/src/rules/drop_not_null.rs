//! The rule `drop-not-null`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new("drop-not-null", "The release that runs may not expect to read a null from the column."),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "let the application read nulls first",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
        // Where MySQL's `MODIFY` only leaves `NOT NULL` out, another rule asks whether that is meant.
        let column = match action {
            ActionKind::DropNotNull(column) => column,
            ActionKind::ModifyColumn(column) if !column.not_null && column.says_null => &column.name,
            _ => continue,
        };
        let known = context.relation(&table).and_then(|relation| relation.column(column));
        if known.is_some_and(|known| known.not_null) && context.is_deployed(&table) {
            findings
                .add(RuleFinding::new(format!("the release that runs may not expect a null in `{table}.{column}`")).at(range));
        }
    }
}
