//! The rule `duplicate-column-in-statement`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "duplicate-column-in-statement",
        "The statement names one column twice: the database refuses it (or, in an `UPDATE` on MySQL and SQLite and an \
         `INSERT` on SQLite, takes one of the two values and drops the other without a word, which is not looked for \
         here).",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "remove one of the two",
    optional: false,
    down: true,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int, a int);"]),
        postgres(&["CREATE TABLE t (a int);", "INSERT INTO t (a, a) VALUES (1, 2);"]),
        postgres(&["CREATE TABLE t (a int, b int);", "UPDATE t SET a = 1, b = 2, a = 3 WHERE b = 1;"]),
        mysql(&["CREATE TABLE t (a int);", "INSERT INTO t (a, a) VALUES (1, 2);"]),
        sqlite(&["CREATE TABLE t (a int, A int);"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int, b int); INSERT INTO t (a, b) VALUES (1, 2);"]),
        postgres(&["CREATE TABLE t (a int, \"A\" int);"]),
    ],
    proof: Proof::Refused,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let columns: Vec<&String> = match scene.syntax() {
        Syntax::CreateTable(table) => table.columns.iter().map(|column| &column.name).collect(),
        Syntax::Insert(insert) if scene.schema.dialect() != Dialect::Sqlite => insert.columns.iter().collect(),
        Syntax::Update(change) if scene.schema.dialect() == Dialect::Postgres => change.columns.iter().collect(),
        _ => return,
    };
    let same = |one: &str, other: &str| match scene.schema.dialect() {
        Dialect::Postgres => one == other,
        _ => one.eq_ignore_ascii_case(other),
    };
    let twice = columns.iter().enumerate().find(|(at, name)| columns[..*at].iter().any(|other| same(other, name)));
    if let Some((_, name)) = twice {
        reports.add(Report::new(format!("`{name}` is named twice")));
    }
}
