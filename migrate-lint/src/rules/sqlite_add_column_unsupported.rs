//! The rule `sqlite-add-column-unsupported`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, sqlite};
use crate::scene::{Age, Scene};
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, Generated};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-add-column-unsupported",
        "SQLite adds no column that is UNIQUE or a PRIMARY KEY; and to a table that has rows none that is STORED, or \
         that has REFERENCES and another default than NULL where foreign keys are on.",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    instead: "add a plain column and a unique index; or make the table anew",
    optional: false,
    down: true,
    check: Check::Statement(check),
    fires: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int UNIQUE;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int AS (a) STORED;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int PRIMARY KEY;"]),
        sqlite(&[
            "CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE t (a int);",
            "ALTER TABLE t ADD c int DEFAULT 1 REFERENCES u (id);",
        ]),
    ],
    silent: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int AS (a) VIRTUAL;"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int; CREATE UNIQUE INDEX i ON t (c);"]),
        sqlite(&["CREATE TABLE u (id integer PRIMARY KEY); CREATE TABLE t (a int); ALTER TABLE t ADD c int REFERENCES u (id);"]),
    ],
    proof: Proof::Seen("sqlite_refuses"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let rows = scene.age(&table) > Age::File || scene.relation(&table).is_some_and(|relation| relation.filled);
        let default = column.default.clone().filter(|default| !scene.sql[default.clone()].trim().eq_ignore_ascii_case("null"));
        let (what, instead) = match () {
            () if column.primary => ("a primary key", "make the table anew"),
            () if column.unique => ("unique", "add a plain column and a unique index"),
            () if rows && column.generated == Some(Generated::Stored) => {
                ("computed and kept", "write VIRTUAL, or make the table anew")
            }
            () if rows && column.references.is_some() && default.is_some() && scene.foreign_keys => {
                ("a foreign key with a default", "add it without the default, and fill it then")
            }
            () => continue,
        };
        reports.add(Report::new(format!("SQLite adds no column that is {what}")).instead(instead).at(range));
    }
}
