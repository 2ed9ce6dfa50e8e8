//! The rule `drop-partition`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new("drop-partition", "`DROP TABLE` of a partition takes ACCESS EXCLUSIVE on the partitioned table as well."),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "write `ALTER TABLE parent DETACH PARTITION part CONCURRENTLY` in one migration, and drop the table in the \
         next",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let found = context.findings_for(
        |cause| matches!(cause, Cause::DropPartition),
        |impact| format!("dropping a partition locks `{}`: every query waits", impact.table),
    );
    findings.all.extend(found);
}
