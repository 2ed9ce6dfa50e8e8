//! The rule `add-column-serial`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new `serial` or identity column on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-serial",
        "A new `serial` or `GENERATED AS IDENTITY` column assigns a number to every existing row. PostgreSQL \
         therefore rewrites the table and its indexes under an ACCESS EXCLUSIVE lock, which blocks reads and writes. \
         In `CREATE TABLE`, such a column is safe.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add a plain `bigint` column and a sequence; run `ALTER COLUMN ... SET DEFAULT nextval(...)` for new rows; \
         fill the existing rows in batches; then make the column NOT NULL and, if required, an identity column",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN n serial;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN n bigint GENERATED ALWAYS AS IDENTITY;",
        ]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD n bigserial;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigserial PRIMARY KEY);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN n bigint;"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD n serial;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::Serial | Cause::Identity),
        |impact| format!("adding a serial or identity column rewrites `{}`", impact.table),
    ));
}
