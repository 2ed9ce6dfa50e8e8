//! The rule `sqlite-add-column-default`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, sqlite};
use crate::scene::{Age, Scene};
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-add-column-default",
        "SQLite adds a column to a table that has rows only with a constant default: an expression in parentheses, \
         CURRENT_TIME, CURRENT_DATE and CURRENT_TIMESTAMP are refused (by older releases for an empty table too).",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    instead: "add the column without it and `UPDATE` the rows; or make the table anew",
    optional: false,
    down: true,
    check: Check::Statement(check),
    fires: &[
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c text DEFAULT CURRENT_TIMESTAMP;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int DEFAULT (random());"]),
    ],
    silent: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int DEFAULT 5;"]),
        sqlite(&["CREATE TABLE t (a int, c text DEFAULT CURRENT_TIMESTAMP);"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int DEFAULT (5);"]),
    ],
    proof: Proof::Seen("sqlite_refuses"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let empty = scene.age(&table) <= Age::File && !scene.relation(&table).is_some_and(|relation| relation.filled);
        if empty {
            continue;
        }
        let Some(default) = column.default.clone().map(|default| scene.sql[default].trim().to_ascii_uppercase()) else {
            continue;
        };
        let inner = default.trim_start_matches('(').trim_end_matches(')');
        let call = default.starts_with('(') && default.contains("(") && inner.contains('(');
        if call || ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"].contains(&inner) {
            reports.add(Report::new(format!("SQLite adds no column whose default is {default}")).at(range));
        }
    }
}
