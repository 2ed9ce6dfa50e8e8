//! The rule `insert-by-place`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::Scene;
use crate::schema::Relation;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "insert-by-place",
        "`INSERT INTO new SELECT * FROM old` puts the first column into the first, whatever they are called. Where the two \
         tables have other numbers of columns it fails; where they have the same columns in another order, each value \
         lands in the wrong one, often without an error.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "name the columns on both sides: `INSERT INTO new (a, b) SELECT a, b FROM old`",
    optional: false,
    down: true,
    check: Check::Statement(check),
    fires: &[
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text, b text);",
            "CREATE TABLE n (id integer PRIMARY KEY, b text, a text); INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;",
        ]),
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text);",
            "CREATE TABLE n (id integer PRIMARY KEY, a text, b text); INSERT INTO n SELECT * FROM t;",
        ]),
        postgres(&[
            "CREATE TABLE t (id int, a int, b int); CREATE TABLE n (id int, b int, a int);",
            "INSERT INTO n SELECT * FROM t;",
        ]),
        mysql(&["CREATE TABLE t (id int, a int); CREATE TABLE n (id int);", "INSERT INTO n SELECT * FROM t;"]),
    ],
    silent: &[
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text);",
            "CREATE TABLE n (id integer PRIMARY KEY, b text); INSERT INTO n SELECT * FROM t;",
        ]),
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY, a text);",
            "CREATE TABLE n (id integer PRIMARY KEY, a text, b text); INSERT INTO n (id, a) SELECT id, a FROM t;",
        ]),
        // What stands behind is left out there.
        postgres(&["CREATE TABLE t (id int, a int); CREATE TABLE n (id int, a int, b int);", "INSERT INTO n SELECT * FROM t;"]),
        mysql(&["CREATE TABLE t (id int, a int); CREATE TABLE n LIKE t;", "INSERT INTO n SELECT * FROM t;"]),
        mysql(&[
            "CREATE TABLE t (id int, a int); ALTER TABLE t ADD z int AFTER id; CREATE TABLE n (id int, z int, a int);",
            "INSERT INTO n SELECT * FROM t;",
        ]),
    ],
    proof: Proof::Seen("columns_are_matched_by_their_places"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let Syntax::Insert(insert) = scene.syntax() else { return };
    let Some(source) = &insert.all_of else { return };
    let known = |relation: &&Relation| relation.complete && relation.columns.iter().all(|column| !column.generated);
    // Where MySQL has put a column that was added later is not kept.
    let in_order = |relation: &&Relation| {
        scene.server().dialect() != Dialect::MySql || relation.columns.iter().all(|column| column.made.is_none())
    };
    let table = |key| scene.relation(key).filter(known).filter(in_order);
    let (to, from) = (scene.schema.key(&insert.table), scene.schema.key(source));
    let (Some(new), Some(old)) = (table(&to), table(&from)) else { return };
    let (places, values) = (new.columns.len(), old.columns.len());
    // PostgreSQL leaves out what stands behind.
    let fits = places == values || places > values && scene.server().dialect() == Dialect::Postgres;
    if !fits {
        reports.add(Report::new(format!("`{to}` has {places} columns, and `{from}` has {values}")));
        return;
    }
    let mut pairs = old.columns.iter().zip(&new.columns);
    // A column that exists on both sides and stands elsewhere; another name may be the same under a new one.
    let moved = pairs.find(|(value, place)| {
        !new.same(&value.name, &place.name) && new.column(&value.name).is_some() && old.column(&place.name).is_some()
    });
    if let Some((value, place)) = moved {
        reports.add(Report::new(format!("`{from}.{}` goes into `{to}.{}`", value.name, place.name)));
    }
}
