//! The rule `create-partition-of`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `CREATE TABLE ... PARTITION OF` an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "create-partition-of",
        "`CREATE TABLE ... PARTITION OF` acquires an ACCESS EXCLUSIVE lock on the partitioned table, which blocks \
         reads and writes. If the partitioned table has a DEFAULT partition, PostgreSQL scans the DEFAULT partition \
         while both tables are locked with ACCESS EXCLUSIVE. `ATTACH PARTITION` of a table that was created \
         separately acquires only a SHARE UPDATE EXCLUSIVE lock on the partitioned table (since PostgreSQL 12).",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "write `CREATE TABLE part (LIKE parent INCLUDING ALL)` and then `ALTER TABLE parent ATTACH PARTITION part \
         ...`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id);",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
    ])],
    not_flagged: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::PartitionOf),
        |impact| {
            let table = &impact.table;
            let what = if impact.scans {
                format!("scans the whole default partition `{table}` under ACCESS EXCLUSIVE")
            } else {
                format!("blocks reads and writes of `{table}`")
            };
            format!("creating a partition with `PARTITION OF` {what}")
        },
    ));
}
