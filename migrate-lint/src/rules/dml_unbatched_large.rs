//! The rule `dml-unbatched-large`.

use crate::context::{ParsedStatement, StatementContext};
use crate::impact::Lock;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags unbatched DML on an existing table before DDL in the same transaction.
pub static RULE: Rule = Rule {
    code: Code::new(
        "dml-unbatched-large",
        "The statement may change many rows of an existing table, and a later `ALTER TABLE` in the same transaction \
         changes an existing table. The locks on the changed rows and the lock of the `ALTER TABLE` are held until \
         the transaction ends.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "move the statement to a separate migration, and run it in batches",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (a int); CREATE TABLE u (a int);",
            "CREATE TABLE v (a int);\nUPDATE t SET a = 1 WHERE a > 0;\nALTER TABLE u ADD b int;",
        ]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);", "INSERT INTO u SELECT a FROM t; ALTER TABLE u ADD b int;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1 WHERE a > 0;"]),
        postgres(&["CREATE TABLE t (a int, id int);", "UPDATE t SET a = 1 WHERE id = 3; ALTER TABLE t ADD b int;"]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);", "CREATE TABLE v (a int); INSERT INTO v SELECT a FROM t;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if !context.parsed.in_transaction {
        return;
    }
    let (table, many) = match context.syntax() {
        Syntax::Update(change) | Syntax::Delete(change) => {
            (&change.table, change.condition && !change.narrow && change.limit.is_none() && !change.inner_limit)
        }
        Syntax::Insert(insert) => (&insert.table, insert.reads_table && !insert.limited),
        _ => return,
    };
    let table = context.schema.resolve(table);
    if !many || !context.is_deployed(&table) {
        return;
    }
    let locks_table = |syntax: &Syntax| match syntax {
        Syntax::AlterTable(alter) => context.is_deployed(&context.schema.resolve(&alter.table)),
        _ => false,
    };
    // `dml-after-ddl-same-tx` reports locks that are already held.
    let held = context.held_locks.of_kind(Lock::AccessExclusive).any(|held| context.is_deployed(&held.table));
    if held {
        return;
    }
    let later = context.later_alters();
    let is_same_transaction = |later: &&ParsedStatement| later.point.transaction == context.parsed.point.transaction;
    if later.take_while(is_same_transaction).any(|later| locks_table(&later.syntax)) {
        findings
            .add(RuleFinding::new(format!("many rows of `{table}` may change in a transaction that also changes the schema")));
    }
}
