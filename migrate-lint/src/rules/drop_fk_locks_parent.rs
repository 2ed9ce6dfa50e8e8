//! The rule `drop-fk-locks-parent`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags dropped tables and foreign keys that lock an existing referenced table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "drop-fk-locks-parent",
        "Dropping a foreign key, or a table with foreign keys, acquires an ACCESS EXCLUSIVE lock on each referenced \
         table as well. This lock briefly blocks reads and writes of the referenced table. While the statement waits \
         for the lock, later queries on the referenced table queue behind the statement.",
    ),
    level: Level::Note,
    on: &[Product::Postgres],
    fix: "drop a foreign key that references a table with heavy traffic in a separate migration; before you drop a table \
         that has such foreign keys, drop these foreign keys in an earlier migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int CONSTRAINT f REFERENCES u (id));",
            "ALTER TABLE t DROP CONSTRAINT f;",
        ]),
        postgres(&[
            "CREATE TABLE u (id int PRIMARY KEY); CREATE TABLE t (u_id int REFERENCES u (id));",
            "-- migrate: phase contract\nDROP TABLE t;",
        ]),
    ],
    not_flagged: &[postgres(&["CREATE TABLE t (id int CONSTRAINT k CHECK (id > 0));", "ALTER TABLE t DROP CONSTRAINT k;"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::ParentOfDropped),
        |impact| format!("dropping the foreign key briefly blocks reads and writes on `{}`", impact.table),
    ));
}
