//! The rule `mysql-foreign-key-unchecked`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, ConstraintKind};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-foreign-key-unchecked",
        "With `foreign_key_checks = 0` a foreign key is added without looking at the rows, and nothing ever looks at \
         them: it may not hold.",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql],
    instead: "look for such rows before: `SELECT ... LEFT JOIN ... WHERE parent.id IS NULL`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[mysql(&[
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50)); CREATE TABLE u (id int PRIMARY KEY);",
        "SET foreign_key_checks = 0; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
    ])],
    silent: &[
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50)); CREATE TABLE u (id int PRIMARY KEY);",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id);",
        ]),
        mysql(&["SET foreign_key_checks = 0; CREATE TABLE t (a int);"]),
    ],
    proof: Proof::Seen("mariadb_does_not_check_rows_when_checks_are_off"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        let ActionKind::AddConstraint(constraint) = action else { continue };
        if matches!(constraint.kind, ConstraintKind::Foreign { .. }) && scene.unchecked && scene.is_deployed(&table) {
            reports.add(Report::new(format!("rows of `{table}` that refer to nothing stay, and are never found")).at(range));
        }
    }
}
