//! The rule `drop-partition`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `DROP TABLE` of a partition of an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-partition",
        "`DROP TABLE` of a partition acquires an ACCESS EXCLUSIVE lock on the partitioned table as well, which \
         blocks reads and writes of the partitioned table. The lock is brief. But while the statement waits for the \
         lock, later queries on the partitioned table queue behind the statement. `DETACH PARTITION ... \
         CONCURRENTLY` (PostgreSQL 14 and later) allows reads and writes. After the partition is detached, `DROP \
         TABLE` no longer locks the partitioned table.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "detach the partition with `ALTER TABLE parent DETACH PARTITION part CONCURRENTLY` in one migration, and \
         drop the detached table in the next",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "-- migrate: phase contract\nDROP TABLE p1;",
    ])],
    not_flagged: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 (id int);",
        "-- migrate: phase contract\nDROP TABLE p1;",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::DropPartition),
        |impact| format!("dropping a partition blocks reads and writes on `{}`", impact.table),
    ));
}
