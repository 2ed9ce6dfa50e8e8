//! The rule `rename-table`.

use crate::rebuild;
use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::Scene;
use crate::schema::Key;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rename-table",
        "The release that runs knows the table by its old name: each of its queries fails until the last of its \
         processes has ended. A view of the old name, made in the same transaction, keeps it working (rows can be read \
         and written through it, as long as it is a plain `SELECT` of all columns and rows).",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "add `CREATE VIEW old_name AS SELECT * FROM new_name;` in the same migration, and drop it in a contract \
         migration later; or leave the name",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;"]),
        mysql(&["CREATE TABLE t (a int);", "RENAME TABLE t TO u;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u;"]),
        postgres(&["CREATE TABLE t (a int, b int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a FROM u;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT a FROM u WHERE a > 3;"]),
        postgres(&["CREATE TABLE t (a int);", "BEGIN; ALTER TABLE t RENAME TO u; COMMIT; CREATE VIEW t AS SELECT * FROM u;"]),
        postgres(&["CREATE TABLE t (a int); CREATE SCHEMA s;", "ALTER TABLE t SET SCHEMA s;"]),
    ],
    silent: &[
        mysql(&["CREATE TABLE t (id int); CREATE TABLE t_new LIKE t;", "RENAME TABLE t TO t_old, t_new TO t;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS TABLE u;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u;"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nALTER TABLE t RENAME TO u;"]),
        sqlite(&[
            "CREATE TABLE t (a int);",
            "CREATE TABLE new_t (a int); INSERT INTO new_t SELECT * FROM t; DROP TABLE t; ALTER TABLE new_t RENAME TO t;",
        ]),
        mysql(&["CREATE TABLE t (a int);", "RENAME TABLE t TO u; CREATE VIEW t AS SELECT a FROM u;"]),
        mysql(&["CREATE TABLE t (a int);", "CREATE TABLE n (a bigint); RENAME TABLE t TO o, n TO t;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if scene.file.is_contract() {
        return;
    }
    let mut renamed = |table: Key, range| {
        if scene.is_deployed(&table) && !rebuild::stands_in(scene, &table) {
            let report = Report::new(format!("the release that runs knows `{table}` by this name only"));
            // Nobody writes through a view of SQLite.
            let report = match scene.server().dialect() {
                Dialect::Sqlite => report.instead("leave the name, or rename it in a contract migration"),
                _ => report,
            };
            reports.add(match range {
                Some(range) => report.at(range),
                None => report,
            });
        }
    };
    match scene.syntax() {
        Syntax::RenameTables(renames) => {
            for (from, to) in renames {
                // What takes the place of another was made for that.
                let takes_place = renames.iter().any(|(other, _)| scene.schema.key(other) == scene.schema.key(to));
                let again = takes_place || renames.iter().any(|(_, to)| scene.schema.key(to) == scene.schema.key(from));
                if !again {
                    renamed(scene.schema.key(from), None);
                }
            }
        }
        _ => {
            for (table, action, range) in scene.actions() {
                if matches!(action, ActionKind::Rename(_) | ActionKind::SetSchema(_)) {
                    renamed(table, Some(range));
                }
            }
        }
    }
}
