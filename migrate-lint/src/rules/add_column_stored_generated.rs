//! The rule `add-column-stored-generated`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new stored generated column on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-stored-generated",
        "Adding a column with `GENERATED ALWAYS AS (...) STORED`, or changing its expression (`SET EXPRESSION`, PostgreSQL 17 and later), computes a value for every existing row. PostgreSQL \
         therefore rewrites the table under an ACCESS EXCLUSIVE lock, which blocks reads and writes. PostgreSQL 18 \
         and later compute a `VIRTUAL` column when it is read, so adding one needs no rewrite.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add a plain column, maintain it with a trigger, and fill the existing rows in batches; or, on PostgreSQL \
         18 and later, declare the column `VIRTUAL`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) STORED;",
    ])],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD c int GENERATED ALWAYS AS (a * 2) VIRTUAL;",
        ]),
        postgres(&["CREATE TABLE t (a int, c int GENERATED ALWAYS AS (a * 2) STORED);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::Stored),
        |impact| format!("computing a stored generated column rewrites `{}`", impact.table),
    ));
}
