//! The rule `update-delete-no-where`.

use crate::context::StatementContext;
use crate::impact::Lock;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `UPDATE` and `DELETE` without `WHERE` or `LIMIT` on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "update-delete-no-where",
        "An `UPDATE` or `DELETE` without `WHERE` changes every row of an existing table in one transaction. The \
         statement locks every row until the transaction ends, writes an amount of log data proportional to the size \
         of the table, and causes replication lag. On SQLite, the statement blocks all other writes to the database. \
         On a small table, the statement is acceptable.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "split the statement into batches with one transaction each: on PostgreSQL `... WHERE id IN (SELECT id FROM \
         t WHERE ... LIMIT 1000)`, on MySQL and MariaDB `... WHERE ... LIMIT 1000`, on SQLite `... WHERE rowid IN \
         (SELECT rowid FROM t WHERE ... LIMIT 1000)`; if the table is small, suppress the finding",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1;"]),
        mysql(&["CREATE TABLE t (a int);", "DELETE FROM t;"]),
        sqlite(&["CREATE TABLE t (a int);", "DELETE FROM t;"]),
        postgres(&["CREATE TABLE t (a int);", "WITH gone AS (DELETE FROM t RETURNING a) INSERT INTO u SELECT a FROM gone;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1 WHERE a = 2;"]),
        postgres(&["CREATE TABLE t (a int); UPDATE t SET a = 1;"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE TABLE u (a int); INSERT INTO u SELECT a FROM t; UPDATE u SET a = 1;"]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);", "UPDATE t SET a = u.a FROM u WHERE u.a = t.a;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let (change, verb) = match context.syntax() {
        Syntax::Update(change) => (change, "updates"),
        Syntax::Delete(change) => (change, "deletes"),
        _ => return,
    };
    let table = context.schema.resolve(&change.table);
    // `dml-after-ddl-same-tx` reports the statement if an earlier one still holds this lock.
    let held = context.held_locks.of_kind(Lock::AccessExclusive).any(|held| context.is_deployed(&held.table));
    if !change.condition && change.limit.is_none() && !held && context.is_deployed(&table) {
        findings.add(RuleFinding::new(format!("this statement {verb} every row of `{table}` in one transaction")));
    }
}
