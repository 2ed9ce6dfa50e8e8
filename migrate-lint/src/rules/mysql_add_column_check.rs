//! The rule `mysql-add-column-check`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags a column that is added with a `CHECK` to an existing table of MariaDB.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-add-column-check",
        "MariaDB adds a column with a `CHECK` instantly and does not check the existing rows. If a row violates the \
         CHECK, a later `UPDATE` of that row fails, and so does an `ALTER TABLE` that copies the table (error 4025). \
         In a new table, the CHECK is safe. The rule does not apply to MySQL, because MySQL checks the existing \
         rows.",
    ),
    level: Level::Warning,
    on: &[Product::MariaDb],
    fix: "fill the column so that every row satisfies the CHECK; or add the CHECK later, as a table constraint",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        if !column.checks.is_empty() && context.is_deployed(&table) {
            findings.add(
                RuleFinding::new(format!("existing rows of `{table}` are not checked, so later changes of these rows may fail"))
                    .at(range),
            );
        }
    }
}
