//! The rule `mysql-add-column-check`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-add-column-check",
        "MariaDB adds a column with a CHECK at once and does not look at the rows that are there. Where they do not \
         satisfy it, a later UPDATE of them, or an ALTER that copies the table, fails (error 4025).",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    fix: "fill the column so that the check holds, or add the check as a constraint of the table later",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[mysql(&[
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
        "ALTER TABLE t ADD q int CHECK (q IS NOT NULL AND q > 0);",
    ])],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD q int;"]),
        mysql(&["CREATE TABLE t (q int CHECK (q > 0));"]),
    ],
    verification: Verification::Seen("mariadb_does_not_check_rows_of_a_new_column"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.server().product != Product::MariaDb {
        return;
    }
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        if !column.checks.is_empty() && context.is_deployed(&table) {
            findings
                .add(RuleFinding::new(format!("rows of `{table}` that are there are not checked, and may fail later")).at(range));
        }
    }
}
