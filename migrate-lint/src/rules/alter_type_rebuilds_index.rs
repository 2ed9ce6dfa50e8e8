//! The rule `alter-type-rebuilds-index`.

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
        "alter-type-rebuilds-index",
        "A change of collation does not touch the rows, but every index over the column is built anew, under ACCESS \
         EXCLUSIVE.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "build a new index with the new collation concurrently, and let queries name the collation; change the column \
         when no index needs it",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a text); CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE text COLLATE \"C\";"]),
        postgres(&["CREATE TABLE t (a varchar(5)); CREATE INDEX i ON t (a) WHERE a <> 'x';", "ALTER TABLE t ALTER a TYPE text;"]),
    ],
    not_flagged: &[postgres(&["CREATE TABLE t (a text);", "ALTER TABLE t ALTER a TYPE text COLLATE \"C\";"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::TypeIndexes),
        |impact| {
            format!(
                "the new type or collation leaves the rows of `{}` as they are and builds the indexes over the column anew",
                impact.table
            )
        },
    );
    findings.all.extend(found);
}
