//! The rule `fk-without-index`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres, sqlite};
use crate::scene::FileScene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "fk-without-index",
        "A foreign key whose columns no index begins with: each `DELETE` of a row in the other table, and each change \
         of its key, reads all of this table. (MySQL makes such an index by itself.)",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::Sqlite],
    instead: "build an index that begins with the columns of the foreign key",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));"]),
        sqlite(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));"]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id)); CREATE INDEX i ON t (u_id);",
        ]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int PRIMARY KEY REFERENCES u (id));"]),
        postgres(&["CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id), x int, UNIQUE (u_id, x));"]),
    ],
    proof: Proof::Manual("PostgreSQL manual, 5.4.5 Foreign Keys"),
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    let index = scene.file.index;
    for (key, relation) in scene.touched() {
        for (_, columns, table, _) in relation.foreign_keys().filter(|(constraint, ..)| constraint.added.migration == index) {
            let begins = |indexed: &[String]| {
                indexed.len() >= columns.len()
                    && columns.iter().all(|column| indexed[..columns.len()].iter().any(|own| own.eq_ignore_ascii_case(column)))
            };
            if !relation.indexed().any(begins) {
                reports.add(Report::new(format!(
                    "no index of `{key}` begins with {}, which refers to `{table}`",
                    columns.join(", ")
                )));
            }
        }
    }
}
