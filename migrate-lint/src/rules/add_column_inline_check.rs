//! The rule `add-column-inline-check`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new column with an inline `CHECK`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-inline-check",
        "Adding a column with a `CHECK` scans the whole table under an ACCESS EXCLUSIVE lock, even if the column is \
         NULL in every row. Reads and writes are blocked during the scan. If the constraint is added in a separate \
         statement with `NOT VALID`, PostgreSQL does not scan the table.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add the column alone; then run `ADD CONSTRAINT ... CHECK (...) NOT VALID`; then, in the next migration, \
         run `VALIDATE CONSTRAINT`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int CHECK (c > 0);"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int DEFAULT 5 CHECK (c > 0);",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int; ALTER TABLE t ADD CONSTRAINT k CHECK (c > 0) NOT VALID;",
        ]),
        postgres(&["CREATE TABLE t (c int CHECK (c > 0));"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::ColumnCheck),
        |impact| format!("adding a column with a `CHECK` scans the whole table `{}` and blocks reads and writes", impact.table),
    ));
}
