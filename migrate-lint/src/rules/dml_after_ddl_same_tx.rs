//! The rule `dml-after-ddl-same-tx`.

use crate::context::StatementContext;
use crate::impact::{Cause, Lock};
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags DML after a statement that locks an existing table, in the same transaction.
pub static RULE: Rule = Rule {
    code: Code::new(
        "dml-after-ddl-same-tx",
        "The statement may change many rows, and its transaction already holds an ACCESS EXCLUSIVE lock on an \
         existing table. All reads and writes of the locked table are blocked while the rows are changed. If the \
         transaction holds a SHARE ROW EXCLUSIVE lock instead (after `CREATE TRIGGER` or `ADD FOREIGN KEY`), only \
         writes to the locked table are blocked.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "move the statement that changes the rows to a separate migration, and run it in batches",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int;\nUPDATE t SET c = a WHERE a IS NOT NULL;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int;\nUPDATE t SET c = 0;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b int);",
            "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();\nUPDATE t SET b = a WHERE b IS NULL;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int;\nUPDATE t SET c = 1 WHERE id = 5;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "-- migrate: no-transaction\nALTER TABLE t ADD COLUMN c int;\nUPDATE t SET c = a WHERE a > 0;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int;",
            "UPDATE t SET c = a WHERE id IN (SELECT id FROM t WHERE c IS NULL LIMIT 1000);",
        ]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int; UPDATE t SET c = a WHERE a > 0;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Some(rows) = context.impacts.iter().find(|impact| impact.cause == Cause::Rows && impact.scans) else { return };
    let first_of = |lock: Lock| context.held_locks.of_kind(lock).find(|held| context.is_deployed(&held.table));
    let first_weaker = || {
        let weaker = [Lock::ShareRowExclusive, Lock::Exclusive].into_iter().filter_map(first_of);
        weaker.min_by_key(|held| held.since)
    };
    let longest = first_of(Lock::AccessExclusive).or_else(first_weaker);
    if let Some(held) = longest.filter(|_| context.is_deployed(&rows.table)) {
        let since = context.file.script.statements[held.since].line;
        let blocked = if held.lock == Lock::AccessExclusive { "reads and writes" } else { "writes" };
        let message = format!(
            "the lock on `{}`, taken on line {since}, blocks {blocked} while rows of `{}` are changed",
            held.table, rows.table
        );
        findings.add(RuleFinding::new(message));
    }
}
