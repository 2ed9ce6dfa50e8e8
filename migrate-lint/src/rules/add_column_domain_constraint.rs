//! The rule `add-column-domain-constraint`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a new column whose type is a domain with a constraint.
pub static RULE: Rule = Rule {
    code: Code::new(
        "add-column-domain-constraint",
        "Adding a column whose type is a domain with a CHECK or NOT NULL constraint rewrites the table under an \
         ACCESS EXCLUSIVE lock. Reads and writes are blocked until every row is rewritten. If the domain has no \
         constraint, or if the type of the column is an array of the domain, the table is not rewritten.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "declare the column with the base type of the domain; add the condition of the domain as a `CHECK` \
         constraint of the table with `NOT VALID`; validate this constraint in the next migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE DOMAIN d AS int CHECK (VALUE > 0);",
            "ALTER TABLE t ADD COLUMN c d;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE DOMAIN d AS int CHECK (VALUE > 0); CREATE DOMAIN e AS d;",
            "ALTER TABLE t ADD COLUMN c e;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE DOMAIN d AS int;",
            "ALTER TABLE t ADD COLUMN c d;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE DOMAIN d AS int CHECK (VALUE > 0);",
            "ALTER TABLE t ADD COLUMN c d[];",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::ColumnDomain),
        |impact| format!("adding a column whose domain has a constraint rewrites `{}`", impact.table),
    ));
}
