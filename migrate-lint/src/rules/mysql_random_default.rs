//! The rule `mysql-random-default`.

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
        "mysql-random-default",
        "MariaDB adds a column with `DEFAULT (rand())` at once: the value is drawn one time, and every row that is \
         there has the same.",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    instead: "add the column without it, `UPDATE` the rows in batches, and set the default then",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[mysql(&[
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));",
        "ALTER TABLE t ADD z double DEFAULT (rand());",
    ])],
    silent: &[mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z double DEFAULT 0.5;"])],
    proof: Proof::Seen("mariadb_draws_one_default_for_all_rows"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let default = column.default.clone().map(|default| scene.sql[default].to_ascii_lowercase());
        if scene.server().product == Product::MariaDb
            && default.is_some_and(|default| default.contains("rand("))
            && scene.is_deployed(&table)
        {
            reports.add(Report::new(format!("every row of `{table}` gets the same value")).at(range));
        }
    }
}
