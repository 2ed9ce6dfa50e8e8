//! The rule `index-on-partitioned`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "index-on-partitioned",
        "`CREATE INDEX` on a partitioned table takes a SHARE lock on it and on every partition, and builds one index \
         for each, all in one go. `CONCURRENTLY` is not allowed there. The way around: `CREATE INDEX ... ON ONLY \
         parent`, which makes an index that is not valid yet; then, for each partition, `CREATE INDEX CONCURRENTLY` \
         in a migration of its own; then `ALTER INDEX parent_index ATTACH PARTITION partition_index` for each.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "write `CREATE INDEX i ON ONLY parent (...)`, then `CREATE INDEX CONCURRENTLY` on each partition, then `ALTER \
         INDEX i ATTACH PARTITION ...`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "CREATE INDEX i ON p (id);",
    ])],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
            "CREATE INDEX i ON ONLY p (id);",
        ]),
        postgres(&["CREATE TABLE p (id int) PARTITION BY RANGE (id);\nCREATE INDEX i ON p (id);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::IndexOnPartitions),
        |impact| format!("building an index over partitions stops all writes to `{}`", impact.table),
    );
    findings.all.extend(found);
}
