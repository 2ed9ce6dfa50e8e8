//! The rule `update-delete-no-where`.

use crate::impact::Lock;
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
        "update-delete-no-where",
        "An `UPDATE` or `DELETE` without `WHERE` changes every row of a table in use in one go: it holds a lock on \
         each of them until the end, writes as much log as the table is large, and makes replicas lag. On SQLite \
         nobody else writes anything meanwhile.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "do it in batches, a transaction each: on PostgreSQL `... WHERE id IN (SELECT id FROM t WHERE ... LIMIT \
         1000)`, on MySQL `... WHERE ... LIMIT 1000`, on SQLite `... WHERE rowid IN (SELECT rowid FROM t WHERE ... LIMIT 1000)`; if all rows are meant and few, `allow` it",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1;"]),
        mysql(&["CREATE TABLE t (a int);", "DELETE FROM t;"]),
        sqlite(&["CREATE TABLE t (a int);", "DELETE FROM t;"]),
        postgres(&["CREATE TABLE t (a int);", "WITH gone AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM gone;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1 WHERE a = 2;"]),
        postgres(&["CREATE TABLE t (a int); UPDATE t SET a = 1;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE u (a int); INSERT INTO u SELECT a FROM t; UPDATE u SET a = 1;"]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);", "UPDATE t SET a = u.a FROM u WHERE u.a = t.a;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let (change, verb) = match scene.syntax() {
        Syntax::Update(change) => (change, "changes"),
        Syntax::Delete(change) => (change, "deletes"),
        _ => return,
    };
    let table = scene.schema.key(&change.table);
    // Behind DDL it is told of for the locks that are held meanwhile.
    let held = scene.held.iter().any(|held| held.lock == Lock::AccessExclusive && scene.is_deployed(&held.table));
    if !change.condition && change.limit.is_none() && !held && scene.is_deployed(&table) {
        reports.add(Report::new(format!("this {verb} every row of `{table}` in one go")));
    }
}
