//! The rule `rebuild-drops-column`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, sqlite};
use crate::scene::FileScene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-drops-column",
        "A table in use is made anew: another one is filled from it and takes its name. The new one lacks a column, \
         so what was in it is gone for good, and the queries of the release that runs fail.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "stop using the column in one release; make the table anew without it in a later one, in a migration with `-- \
         migrate: phase contract` at its top",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, name text, age int);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, name text); INSERT INTO p2 SELECT id, name FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int, a int);",
            "CREATE TABLE n (id int); INSERT INTO n SELECT id FROM t; RENAME TABLE t TO o, n TO t; DROP TABLE o;",
        ]),
    ],
    silent: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, name text);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, name text NOT NULL); INSERT INTO p2 SELECT id, name FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, age int);",
            "-- migrate: phase contract\nCREATE TABLE p2 (id integer PRIMARY KEY); INSERT INTO p2 SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
    ],
    proof: Proof::Files,
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    if scene.file.is_contract() {
        return;
    }
    for (key, before, after) in scene.replaced() {
        let gone = before
            .columns
            .iter()
            .filter(|column| after.column(&column.name).is_none())
            .map(|column| format!("`{}`", column.name));
        let gone: Vec<String> = gone.collect();
        // One that is dropped and made again, empty, is told of where it is dropped.
        let told = after.renamed.is_none() && !after.filled;
        if !gone.is_empty() && before.complete && after.complete && !told {
            reports.add(Report::new(format!("`{key}` is made anew without {}", gone.join(", "))));
        }
    }
}
