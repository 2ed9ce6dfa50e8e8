//! The rule `dml-unbatched-large`.

use crate::impact::Lock;
use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "dml-unbatched-large",
        "Many rows of a table in use are changed in one statement, in a transaction that also changes the schema: \
         rows stay locked, and the locks of the DDL with them, until all is done.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "move it into a migration of its own, and do it in batches",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&[
            "CREATE TABLE t (a int); CREATE TABLE u (a int);",
            "CREATE TABLE v (a int);\nUPDATE t SET a = 1 WHERE a > 0;\nALTER TABLE u ADD b int;",
        ]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);", "INSERT INTO u SELECT a FROM t; ALTER TABLE u ADD b int;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1 WHERE a > 0;"]),
        postgres(&["CREATE TABLE t (a int, id int);", "UPDATE t SET a = 1 WHERE id = 3; ALTER TABLE t ADD b int;"]),
        postgres(&["CREATE TABLE t (a int); CREATE TABLE u (a int);", "CREATE TABLE v (a int); INSERT INTO v SELECT a FROM t;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if !scene.read.in_transaction {
        return;
    }
    let (table, many) = match scene.syntax() {
        Syntax::Update(change) | Syntax::Delete(change) => {
            (&change.table, change.condition && !change.narrow && change.limit.is_none() && !change.inner_limit)
        }
        Syntax::Insert(insert) => (&insert.table, insert.reads_table && !insert.limited),
        _ => return,
    };
    let table = scene.schema.key(table);
    let locks = |syntax: &Syntax| match syntax {
        Syntax::AlterTable(alter) => scene.is_deployed(&scene.schema.key(&alter.table)),
        _ => false,
    };
    // Locks that are held already are told of elsewhere.
    let held = scene.held.iter().any(|held| held.lock == Lock::AccessExclusive && scene.is_deployed(&held.table));
    let behind = scene.later().iter().any(|read| read.at.transaction == scene.read.at.transaction && locks(&read.syntax));
    if many && behind && !held && scene.is_deployed(&table) {
        reports.add(Report::new(format!("many rows of `{table}` may change in a transaction that also changes the schema")));
    }
}
