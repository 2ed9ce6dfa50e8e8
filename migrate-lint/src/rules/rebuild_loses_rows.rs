//! The rule `rebuild-loses-rows`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::FileScene;
use crate::schema::Key;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-loses-rows",
        "A table in use is replaced by a new one, and nothing puts rows into that: all of them are gone for good.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "copy the rows: `INSERT INTO new SELECT ... FROM old`, before the old table is dropped",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY);",
            "CREATE TABLE p2 (id integer PRIMARY KEY); DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE OR REPLACE TABLE t (id int);"]),
    ],
    silent: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY);",
            "CREATE TABLE p2 (id integer PRIMARY KEY); INSERT INTO p2 SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE TABLE IF NOT EXISTS t (id int);"]),
        postgres(&["CREATE TABLE t (id int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    if scene.file.is_contract() {
        return;
    }
    // That a table is dropped and made again is told of where it is dropped.
    let dropped = |key: &Key| {
        let drops = scene.file.reads.iter().any(|read| matches!(&read.syntax, Syntax::Drop(removal) if removal.names.iter().any(|name| scene.after.schema.key(name) == *key)));
        let renamed = scene.after.schema.relation(key).is_some_and(|relation| relation.renamed.is_some());
        drops && !renamed
    };
    for (key, before, after) in scene.replaced() {
        if before.complete && !after.filled && !dropped(key) {
            reports.add(Report::new(format!("`{key}` is made anew, and its rows are not put into the new one")));
        }
    }
}
