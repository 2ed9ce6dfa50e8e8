//! The rule `unique-might-fail`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::{Age, Scene};
use crate::schema::Key;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, ConstraintKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new("unique-might-fail", "A unique index or constraint over rows that are there fails if two of them are alike."),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "look first: `SELECT columns FROM table GROUP BY columns HAVING count(*) > 1`; or write that as a `gate`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD UNIQUE KEY k (a);"]),
        sqlite(&["CREATE TABLE t (a int);", "CREATE UNIQUE INDEX i ON t (a);"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int; CREATE UNIQUE INDEX i ON t (c);"]),
    ],
    proof: Proof::Seen("duplicates_fail_a_unique_index"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let mut unique = |table: Key, columns: &[String], range| {
        // A column that was added here holds nothing but nulls.
        let new = columns.iter().any(|column| matches!(scene.column_age(&table, column), Age::Transaction | Age::File));
        if scene.is_deployed(&table) && !new {
            let report = Report::new(format!("this fails if two rows of `{table}` have the same {}", columns.join(", ")));
            reports.add(match range {
                Some(range) => report.at(range),
                None => report,
            });
        }
    };
    if let Syntax::CreateIndex(index) = scene.syntax()
        && index.unique
        && !index.columns.is_empty()
    {
        unique(scene.schema.key(&index.table), &index.columns, None);
    }
    for (table, action, range) in scene.actions() {
        match action {
            ActionKind::AddIndex(index) if index.unique => unique(table, &index.columns, Some(range)),
            ActionKind::AddConstraint(constraint) => {
                if let ConstraintKind::Unique { columns, using_index: None } = &constraint.kind {
                    unique(table, columns, Some(range));
                }
            }
            _ => {}
        }
    }
}
