//! The rule `exclusion-constraint`.

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
        "exclusion-constraint",
        "`ADD CONSTRAINT ... EXCLUDE` builds its index under ACCESS EXCLUSIVE, and there is no `NOT VALID` and no \
         `USING INDEX` for it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "where the table is large, make a new one that has the constraint, copy the rows in batches, and change the \
         names",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING btree (a WITH =);",
    ])],
    not_flagged: &[postgres(&["CREATE TABLE t (a int, EXCLUDE USING btree (a WITH =));"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Exclude),
        |impact| format!("adding an exclusion constraint builds its index over `{}` while everybody waits", impact.table),
    );
    findings.all.extend(found);
}
