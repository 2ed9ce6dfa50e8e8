//! The rule `add-column-inline-unique`.

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
        "add-column-inline-unique",
        "A new column that is `UNIQUE` or a `PRIMARY KEY` builds its index under the ACCESS EXCLUSIVE lock that \
         adding the column takes.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "add the column alone; build the index with `CREATE UNIQUE INDEX CONCURRENTLY`; then `ADD CONSTRAINT ... \
         UNIQUE USING INDEX`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int UNIQUE;"])],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&["CREATE TABLE t (c int UNIQUE);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::ColumnKey),
        |impact| format!("adding a column that is unique builds an index over `{}` while everybody waits", impact.table),
    );
    findings.all.extend(found);
}
