//! The rule `exclusion-constraint`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `ADD CONSTRAINT ... EXCLUDE` on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "exclusion-constraint",
        "`ADD CONSTRAINT ... EXCLUDE` scans the table and builds an index under an ACCESS EXCLUSIVE lock, which \
         blocks reads and writes until the index is built. PostgreSQL supports neither `NOT VALID` nor `USING INDEX` \
         for exclusion constraints. On a small table, the index is built quickly.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "if the table is large, create a new table with the constraint, copy the rows in batches, and exchange the \
         names of the two tables",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING btree (a WITH =);",
    ])],
    not_flagged: &[postgres(&["CREATE TABLE t (a int, EXCLUDE USING btree (a WITH =));"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::Exclude),
        |impact| format!("adding an exclusion constraint blocks reads and writes on `{}` while its index is built", impact.table),
    ));
}
