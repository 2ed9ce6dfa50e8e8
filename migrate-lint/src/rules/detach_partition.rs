//! The rule `detach-partition`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "detach-partition",
        "`DETACH PARTITION` takes ACCESS EXCLUSIVE on the partitioned table and on the partition. Since PostgreSQL 14 \
         there is `DETACH PARTITION ... CONCURRENTLY`, outside a transaction, where there is no DEFAULT partition.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `DETACH PARTITION ... CONCURRENTLY`, in a migration of its own",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p DETACH PARTITION p1;",
    ])],
    silent: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
    ])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Detach),
        |impact| format!("detaching a partition locks `{}`: every query waits", impact.table),
    );
    reports.all.extend(found);
}
