//! The rule `rebuild-loses-index`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, sqlite};
use crate::scene::FileScene;
use crate::schema;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-loses-index",
        "A table is made anew, and the new one lacks indexes or unique keys that the old one had: they go with the \
         old table, and nothing says so.",
    ),
    level: Level::Warning,
    on: &[Dialect::MySql, Dialect::Sqlite],
    instead: "create them again behind the renaming",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[sqlite(&[
        "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
        "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, coalesce(a, 0) FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
    ])],
    silent: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, coalesce(a, 0) FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p; CREATE INDEX i ON p (a);",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
            "-- migrate: phase contract\nCREATE TABLE p2 (id integer PRIMARY KEY); INSERT INTO p2 SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
    ],
    proof: Proof::Files,
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    for (key, before, after) in scene.replaced() {
        // Without its columns there is none.
        let possible = |columns: &[String]| columns.iter().all(|column| after.column(column).is_some());
        let has = |columns: &[String]| after.indexed().any(|own| own == columns);
        let indexes = before.indexes.iter().filter(|index| !index.special && possible(&index.columns) && !has(&index.columns));
        let indexes = indexes.filter_map(|index| index.name.as_ref()).map(|name| format!("index `{name}`"));
        let keys = before.constraints.iter().filter_map(|constraint| match &constraint.kind {
            schema::ConstraintKind::Unique(columns) if possible(columns) && !has(columns) => {
                Some(format!("unique key over {}", columns.join(", ")))
            }
            _ => None,
        });
        let lost: Vec<String> = indexes.chain(keys).collect();
        if !lost.is_empty() && after.complete {
            reports.add(Report::new(format!("`{key}` is made anew without {}", lost.join(", "))));
        }
    }
}
