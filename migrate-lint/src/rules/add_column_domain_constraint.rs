//! The rule `add-column-domain-constraint`.

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
        "add-column-domain-constraint",
        "A new column whose type is a domain with a CHECK or NOT NULL makes PostgreSQL write the table anew under \
         ACCESS EXCLUSIVE.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "use the type that the domain stands on, and a constraint of the table that is NOT VALID at first",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
            "CREATE TABLE t (id bigint PRIMARY KEY); CREATE DOMAIN d AS int CHECK (VALUE > 0);",
            "ALTER TABLE t ADD COLUMN c d[];",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE DOMAIN d AS int;",
            "ALTER TABLE t ADD COLUMN c d;",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::ColumnDomain),
        |impact| format!("adding a column of a domain that refuses values writes `{}` anew", impact.table),
    );
    findings.all.extend(found);
}
