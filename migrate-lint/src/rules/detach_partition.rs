//! The rule `detach-partition`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `DETACH PARTITION` without `CONCURRENTLY`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "detach-partition",
        "`DETACH PARTITION` acquires ACCESS EXCLUSIVE locks on the partitioned table and on the partition, which \
         block reads and writes. PostgreSQL 14 and later support `DETACH PARTITION ... CONCURRENTLY`, which allows \
         reads and writes of the partitioned table. It must run outside a transaction, and the partitioned table \
         must not have a DEFAULT partition.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "write `DETACH PARTITION ... CONCURRENTLY`, in a separate migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p DETACH PARTITION p1;",
    ])],
    not_flagged: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::Detach),
        |impact| format!("detaching a partition blocks reads and writes of `{}`", impact.table),
    ));
}
