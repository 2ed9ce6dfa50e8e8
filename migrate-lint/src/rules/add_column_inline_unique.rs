//! The rule `add-column-inline-unique`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new column that is `UNIQUE` or `PRIMARY KEY`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-inline-unique",
        "Adding a column with `UNIQUE` or `PRIMARY KEY` builds the index of the constraint under an ACCESS EXCLUSIVE \
         lock. Reads and writes are blocked until the index is complete. `CREATE UNIQUE INDEX CONCURRENTLY` builds \
         the same index without blocking writes.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add the column alone; build the index with `CREATE UNIQUE INDEX CONCURRENTLY`; then run `ADD CONSTRAINT \
         ... UNIQUE USING INDEX`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int UNIQUE;"])],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&["CREATE TABLE t (c int UNIQUE);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::ColumnKey),
        |impact| format!("adding a unique column builds an index on `{}` and blocks reads and writes", impact.table),
    ));
}
