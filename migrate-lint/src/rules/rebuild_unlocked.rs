//! The rule `rebuild-unlocked`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres};
use crate::scene::{FileScene, Read};
use crate::schema::{Key, Relation};
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-unlocked",
        "A table in use is copied into a new one that takes its name, and nothing keeps others from writing meanwhile: what they \
         write between the copy and the change of names is in the old table only, and goes with it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "on PostgreSQL write `LOCK TABLE t IN SHARE ROW EXCLUSIVE MODE;` before the copy, on MySQL `LOCK TABLES` for both tables, and rename them by `ALTER TABLE` while they are locked; or keep both \
         tables alike with a trigger; or change the table itself",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nCREATE TABLE n (id int PRIMARY KEY, a bigint); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nCREATE TABLE n LIKE t; INSERT INTO n SELECT * FROM t; RENAME TABLE t TO o, n TO t;",
        ]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nLOCK TABLE t IN SHARE MODE; CREATE TABLE n (id int PRIMARY KEY, a bigint); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int);",
            "-- migrate: phase contract\nALTER TABLE t RENAME TO o; CREATE TABLE t (id int PRIMARY KEY, a bigint); INSERT INTO t SELECT * FROM o; DROP TABLE o;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY, a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';",
            "-- migrate: phase contract\nCREATE TABLE n (id int PRIMARY KEY, a bigint); CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE n LIKE t; INSERT INTO n SELECT * FROM t; RENAME TABLE t TO o, n TO t;",
        ]),
    ],
    proof: Proof::Seen("what_is_written_during_a_copy_is_lost"),
};

fn check(scene: &FileScene<'_>, reports: &mut Reports) {
    let reads = scene.file.reads;
    for (key, _, after) in scene.replaced() {
        let Some(copy) = reads.iter().position(|read| copies(scene, read, key, after)) else { continue };
        if !reads[..copy].iter().any(|read| stops_writes(scene, read, key, &reads[copy])) {
            reports.add(Report::new(format!("what others write to `{key}` while it is copied is lost")));
        }
    }
}

/// Are rows of a table put into the one that takes its place?
fn copies(scene: &FileScene<'_>, read: &Read, key: &Key, after: &Relation) -> bool {
    let is_new = |name| scene.takes_place(name, key, after);
    match &read.syntax {
        Syntax::Insert(insert) => insert.reads_table && is_new(&insert.table),
        Syntax::CreateTable(table) => table.as_query && table.name.as_ref().is_some_and(is_new),
        _ => false,
    }
}

/// Does a statement before the copy keep others from writing, or follow what they write?
fn stops_writes(scene: &FileScene<'_>, read: &Read, key: &Key, copy: &Read) -> bool {
    let is_it = |name| scene.after.schema.key(name) == *key;
    let held = read.in_transaction && read.at.transaction == copy.at.transaction;
    match &read.syntax {
        Syntax::Lock { tables, .. } => tables.iter().any(is_it),
        Syntax::CreateTrigger { table: Some(table), .. } => is_it(table),
        Syntax::AlterTable(alter) => held && is_it(&alter.table),
        Syntax::RenameTables(renames) => renames.iter().any(|(from, _)| is_it(from)),
        _ => false,
    }
}
