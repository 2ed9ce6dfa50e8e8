//! The rule `dml-unbatched-large`.

use crate::context::StatementContext;
use crate::impact::Lock;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "dml-unbatched-large",
        "Many rows of a table in use are changed in one statement, in a transaction that also changes the schema: \
         rows stay locked, and the locks of the DDL with them, until all is done.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    fix: "move it into a migration of its own, and do it in batches",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let locks = |syntax: &Syntax| match syntax {
        Syntax::AlterTable(alter) => context.is_deployed(&context.schema.resolve(&alter.table)),
        _ => false,
    };
    // Locks that are held already are told of elsewhere.
    let held = context.held_locks.iter().any(|held| held.lock == Lock::AccessExclusive && context.is_deployed(&held.table));
    let behind = context
        .later_statements()
        .iter()
        .any(|read| read.point.transaction == context.parsed.point.transaction && locks(&read.syntax));
    if many && behind && !held && context.is_deployed(&table) {
        findings
            .add(RuleFinding::new(format!("many rows of `{table}` may change in a transaction that also changes the schema")));
    }
}
