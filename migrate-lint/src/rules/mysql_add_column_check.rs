//! The rule `mysql-add-column-check`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use crate::server::Product;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-add-column-check",
        "MariaDB adds a column with a CHECK at once and does not look at the rows that are there. Where they do not \
         satisfy it, a later UPDATE of them, or an ALTER that copies the table, fails (error 4025).",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    instead: "fill the column so that the check holds, or add the check as a constraint of the table later",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[mysql(&[
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
        "ALTER TABLE t ADD q int CHECK (q IS NOT NULL AND q > 0);",
    ])],
    silent: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD q int;"]),
        mysql(&["CREATE TABLE t (q int CHECK (q > 0));"]),
    ],
    proof: Proof::Seen("mariadb_does_not_check_rows_of_a_new_column"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if scene.server().product != Product::MariaDb {
        return;
    }
    for (table, action, range) in scene.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        if !column.checks.is_empty() && scene.is_deployed(&table) {
            reports.add(Report::new(format!("rows of `{table}` that are there are not checked, and may fail later")).at(range));
        }
    }
}
