//! The rule `alter-type-constraint-recheck`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a type change of a column that a `CHECK` constraint uses.
pub static RULE: Rule = Rule {
    code: Code::new(
        "alter-type-constraint-recheck",
        "Changing the type of a column with a CHECK constraint verifies the constraint again, with a full table scan \
         under an ACCESS EXCLUSIVE lock. Reads and writes are blocked during the scan, even if the type change \
         itself does not rewrite the table.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "drop the constraint, change the type, add the constraint again with `NOT VALID`, and validate it in the \
         next migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (a varchar(20) CHECK (a <> ''));", "ALTER TABLE t ALTER a TYPE text;"])],
    not_flagged: &[postgres(&["CREATE TABLE t (a varchar(20), b int CHECK (b > 0));", "ALTER TABLE t ALTER a TYPE text;"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::TypeCheck),
        |impact| {
            format!(
                "a `CHECK` uses the column, so the type change scans the whole table `{}` and blocks reads and writes",
                impact.table
            )
        },
    ));
}
