//! The rule `alter-type-rebuilds-index`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// Flags a change of type or collation that keeps the rows and rebuilds indexes on the column.
pub static RULE: Rule = Rule {
    code: Code::new(
        "alter-type-rebuilds-index",
        "A change of collation does not rewrite the table, but it rebuilds every index on the column under ACCESS \
         EXCLUSIVE. A change of type rebuilds every partial or expression index that uses the column, under the same \
         lock. Reads and writes are blocked until the indexes are rebuilt. A column without an index is not affected.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "build a new index with the new collation concurrently, and name the collation in queries; change the column \
         once no index depends on it",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a text); CREATE INDEX i ON t (a);", "ALTER TABLE t ALTER a TYPE text COLLATE \"C\";"]),
        postgres(&["CREATE TABLE t (a varchar(5)); CREATE INDEX i ON t (a) WHERE a <> 'x';", "ALTER TABLE t ALTER a TYPE text;"]),
    ],
    not_flagged: &[postgres(&["CREATE TABLE t (a text);", "ALTER TABLE t ALTER a TYPE text COLLATE \"C\";"])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::TypeIndexes),
        |impact| {
            format!(
                "the new type or collation rebuilds the indexes on the column and blocks reads and writes of `{}`",
                impact.table
            )
        },
    ));
}
