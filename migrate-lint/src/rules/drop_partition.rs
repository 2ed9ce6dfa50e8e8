//! The rule `drop-partition`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new("drop-partition", "`DROP TABLE` of a partition takes ACCESS EXCLUSIVE on the partitioned table as well."),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `ALTER TABLE parent DETACH PARTITION part CONCURRENTLY` in one migration, and drop the table in the \
         next",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9);",
        "-- migrate: phase contract\nDROP TABLE p1;",
    ])],
    silent: &[postgres(&[
        "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 (id int);",
        "-- migrate: phase contract\nDROP TABLE p1;",
    ])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::DropPartition),
        |impact| format!("dropping a partition locks `{}`: every query waits", impact.table),
    );
    reports.all.extend(found);
}
