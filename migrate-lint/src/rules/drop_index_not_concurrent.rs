//! The rule `drop-index-not-concurrent`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `DROP INDEX` without `CONCURRENTLY` on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-index-not-concurrent",
        "`DROP INDEX` acquires an ACCESS EXCLUSIVE lock on the table to which the index belongs, which blocks reads \
         and writes. The statement is fast once it has acquired the lock. But it waits for every transaction that \
         uses the table, and later queries on the table queue behind it. `DROP INDEX CONCURRENTLY` blocks neither \
         reads nor writes. It drops only one index, does not support `CASCADE`, and cannot run in a transaction.",
    ),
    level: Level::Note,
    on: &[Product::Postgres],
    fix: "write `DROP INDEX CONCURRENTLY`, in a migration of its own",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a);", "DROP INDEX i;"]),
        postgres(&["DROP INDEX IF EXISTS made_elsewhere_i;"]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a);",
            "DROP INDEX CONCURRENTLY i;",
        ]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a); DROP INDEX i;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::IndexDrop),
        |impact| format!("dropping the index locks `{}` and waits for all transactions that use it", impact.table),
    ));
}
