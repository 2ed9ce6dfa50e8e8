//! The rule `index-on-partitioned`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `CREATE INDEX` on an existing partitioned table without `ON ONLY`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "index-on-partitioned",
        "`CREATE INDEX` on a partitioned table acquires SHARE locks on this table and on every partition, and builds \
         the indexes of all partitions in one statement. Writes are blocked until the last index is built, and \
         `CONCURRENTLY` is not supported. To allow writes, first create the index of the partitioned table alone, \
         with `CREATE INDEX ... ON ONLY parent`; this index is invalid at first. Then run `CREATE INDEX \
         CONCURRENTLY` on each partition, each time in a separate migration. Finally run `ALTER INDEX parent_index \
         ATTACH PARTITION partition_index` for each partition. After the last one, the index of the partitioned \
         table is valid.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "use `CREATE INDEX i ON ONLY parent (...)`, then `CREATE INDEX CONCURRENTLY` on each partition, then `ALTER \
         INDEX i ATTACH PARTITION ...`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::IndexOnPartitions),
        |impact| format!("CREATE INDEX blocks writes to `{}` until the indexes of all partitions are built", impact.table),
    ));
}
