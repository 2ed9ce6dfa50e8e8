//! The rule `rebuild-loses-rows`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::FileScene;
use crate::schema::{Key, Relation};
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, CreateTable, Insert, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-loses-rows",
        "A table in use is replaced by a new one, and nothing puts rows into that, or only some of them: the others are gone \
         for good.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "copy the rows: `INSERT INTO new SELECT ... FROM old`, before the old table is dropped",
    optional: false,
    down: false,
    check: Check::File(check),
    fires: &[
        postgres(&["CREATE TABLE t (id int);", "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (id int);"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n AS SELECT * FROM p WHERE a > 0; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n (id integer PRIMARY KEY, a int); INSERT INTO n SELECT * FROM p LIMIT 10; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY);",
            "CREATE TABLE p2 (id integer PRIMARY KEY); DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE OR REPLACE TABLE t (id int);"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, a FROM p WHERE a IS NOT NULL; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE m (id bigint NOT NULL);",
            "ALTER TABLE m RENAME TO m_old; CREATE TABLE m (id bigint NOT NULL) PARTITION BY RANGE (id); ALTER TABLE m ATTACH PARTITION m_old DEFAULT;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE TABLE n LIKE t; RENAME TABLE t TO t_2025, n TO t;"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n AS SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, a FROM p WHERE a IS NOT NULL; INSERT INTO p2 SELECT id, 0 FROM p WHERE a IS NULL; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "DELETE FROM p WHERE a IS NULL; CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, a FROM p WHERE a IS NOT NULL; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
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
        if before.complete && !after.filled && !dropped(key) && !is_swapped(scene, key) {
            match kept_as(scene, key) {
                Some(kept) if is_part(scene, &kept, key) => {}
                Some(kept) => reports
                    .add(Report::new(format!("`{key}` is empty from now on: its rows stay in `{kept}`")).at_most(Level::Warning)),
                None => reports.add(Report::new(format!("`{key}` is made anew, and its rows are not put into the new one"))),
            }
        }
        if before.complete && copies_some(scene, key, after) {
            let message =
                format!("`{key}` is made anew, and only those of its rows that fit a condition are put into the new one");
            reports.add(Report::new(message).at_most(Level::Warning));
        }
    }
}

/// Does another table take the place of the old one in one statement, which keeps it under another name (MySQL)?
fn is_swapped(scene: &FileScene<'_>, key: &Key) -> bool {
    let schema = &scene.after.schema;
    scene.file.reads.iter().any(|read| match &read.syntax {
        Syntax::RenameTables(renames) => {
            renames.iter().any(|(from, to)| schema.key(from) == *key && schema.relation(&schema.key(to)).is_some())
        }
        _ => false,
    })
}

/// The name under which the old table is still there.
fn kept_as(scene: &FileScene<'_>, key: &Key) -> Option<Key> {
    let schema = &scene.after.schema;
    let alters = scene.file.reads.iter().filter_map(|read| match &read.syntax {
        Syntax::AlterTable(alter) if schema.key(&alter.table) == *key => Some(alter),
        _ => None,
    });
    let mut names = alters.flat_map(|alter| &alter.actions).filter_map(|action| match &action.kind {
        ActionKind::Rename(to) => Some(schema.beside(key, &to.name)),
        _ => None,
    });
    names.find(|name| schema.relation(name).is_some())
}

/// Are the rows of a table seen through another, as one of its parts?
fn is_part(scene: &FileScene<'_>, part: &Key, of: &Key) -> bool {
    let schema = &scene.after.schema;
    scene.file.reads.iter().any(|read| match &read.syntax {
        Syntax::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            ActionKind::Inherit(parent) => schema.key(&alter.table) == *part && schema.key(parent) == *of,
            ActionKind::Attach { partition, .. } => schema.key(partition) == *part && schema.key(&alter.table) == *of,
            _ => false,
        }),
        _ => false,
    })
}

/// Is the new table filled by one query alone, which leaves rows out, and are those not deleted or mended before?
fn copies_some(scene: &FileScene<'_>, key: &Key, after: &Relation) -> bool {
    let schema = &scene.after.schema;
    let into = |insert: &&Insert| scene.takes_place(&insert.table, key, after);
    let mut copies = scene.file.reads.iter().filter_map(|read| match &read.syntax {
        Syntax::Insert(insert) => Some(insert),
        _ => None,
    });
    let picked =
        |table: &CreateTable| table.filtered && table.name.as_ref().is_some_and(|name| scene.takes_place(name, key, after));
    let query = scene.file.reads.iter().any(|read| matches!(&read.syntax, Syntax::CreateTable(table) if picked(table)));
    let first = copies.by_ref().find(into);
    let minded =
        scene.file.reads.iter().any(
            |read| matches!(&read.syntax, Syntax::Update(change) | Syntax::Delete(change) if schema.key(&change.table) == *key),
        );
    let some = match first {
        Some(insert) => (insert.filtered || insert.limited) && insert.reads_table && !copies.any(|insert| into(&insert)),
        None => query,
    };
    some && !minded
}
