//! The rule `attach-partition-scan`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `ATTACH PARTITION` that scans a partition or builds indexes on it.
pub static RULE: Rule = Rule {
    code: Code::new(
        "attach-partition-scan",
        "`ATTACH PARTITION` scans the new partition under an ACCESS EXCLUSIVE lock, unless a validated CHECK \
         constraint implies the partition bounds. If the partitioned table has a DEFAULT partition, PostgreSQL also \
         locks this partition with ACCESS EXCLUSIVE and scans it, so all queries on it are blocked. If the new \
         partition lacks indexes that the partitioned table has, PostgreSQL builds them while it holds the lock on \
         the new partition.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "before `ATTACH PARTITION`, add a CHECK constraint with the partition bounds to the new partition; if there \
         is a DEFAULT partition, add a CHECK constraint to it that excludes the values within these bounds; add each \
         constraint with `NOT VALID`, then run `VALIDATE CONSTRAINT`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE m (id bigint, ts date NOT NULL) PARTITION BY RANGE (ts); CREATE INDEX ON m (id); CREATE TABLE m2 (id bigint, ts date NOT NULL, CHECK (ts >= '2021-01-01' AND ts < '2022-01-01'));",
            "ALTER TABLE m ATTACH PARTITION m2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');",
        ]),
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 (id int);",
            "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (9);",
        ]),
        postgres(&[
            "CREATE TABLE p (id int, x int) PARTITION BY RANGE (id); CREATE TABLE p1 (id int, x int CHECK (x > 0));",
            "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (9);",
        ]),
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE d PARTITION OF p DEFAULT; CREATE TABLE p1 (id int CHECK (id >= 0 AND id < 9 AND id IS NOT NULL));",
            "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (9);",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE m (id bigint, ts date NOT NULL, PRIMARY KEY (id, ts)) PARTITION BY RANGE (ts); CREATE INDEX ON m (id); CREATE TABLE m2 (id bigint, ts date NOT NULL, CHECK (ts >= '2021-01-01' AND ts < '2022-01-01'), PRIMARY KEY (id, ts)); CREATE INDEX i ON m2 (id);",
            "ALTER TABLE m ATTACH PARTITION m2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');",
        ]),
        postgres(&[
            "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 (id int CHECK (id >= 0 AND id < 9 AND id IS NOT NULL));",
            "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (9);",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::AttachScan | Cause::AttachDefault),
        |impact| format!("attaching a partition scans the whole table `{}` under ACCESS EXCLUSIVE", impact.table),
    ));
    let index_builds = context.findings_for(
        |cause| matches!(cause, Cause::AttachIndex),
        |impact| format!("attaching a partition builds missing indexes on `{}` under ACCESS EXCLUSIVE", impact.table),
    );
    let fix = "first build the missing indexes on the partition with `CREATE INDEX CONCURRENTLY`, and add its constraints with `USING INDEX`";
    findings.all.extend(index_builds.into_iter().map(|finding| finding.fix(fix)));
}
