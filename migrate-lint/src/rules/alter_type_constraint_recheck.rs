//! The rule `alter-type-constraint-recheck`.

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
        "alter-type-constraint-recheck",
        "Where a CHECK constraint stands on the column whose type changes, every row is looked at again under ACCESS \
         EXCLUSIVE, even if the change itself is free.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "drop the constraint, change the type, add it again with `NOT VALID`, and validate it in the next migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a varchar(20) CHECK (a <> ''));", "ALTER TABLE t ALTER a TYPE text;"])],
    not_flagged: &[postgres(&["CREATE TABLE t (a varchar(20), b int CHECK (b > 0));", "ALTER TABLE t ALTER a TYPE text;"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::TypeCheck),
        |impact| format!("a CHECK stands on the column, so all of `{}` is read while everybody waits", impact.table),
    );
    findings.all.extend(found);
}
