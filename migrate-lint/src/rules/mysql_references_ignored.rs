//! The rule `mysql-references-ignored`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use crate::server::Product;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-references-ignored",
        "MySQL reads `REFERENCES` at a column and forgets it: there is no foreign key. (MariaDB makes one since \
         10.5.)",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    instead: "write it as a constraint of the table: `FOREIGN KEY (c) REFERENCES u (id)`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[],
    silent: &[mysql(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (a int REFERENCES u (id));"])],
    proof: Proof::Manual("MySQL 8.4 manual, 15.1.20.5 FOREIGN KEY Constraints"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if scene.server().product != Product::MySql {
        return;
    }
    for column in scene.new_columns().filter(|column| column.references.is_some()) {
        reports.add(Report::new(format!("there will be no foreign key at `{}`", column.name)).at(&column.range));
    }
}
