//! The rule `check-not-valid-missing`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `ADD CONSTRAINT ... CHECK` without `NOT VALID` on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "check-not-valid-missing",
        "`ADD CONSTRAINT ... CHECK` scans the whole table under an ACCESS EXCLUSIVE lock, which blocks reads and \
         writes. With `NOT VALID`, PostgreSQL holds the lock only briefly and checks only new and changed rows. \
         `VALIDATE CONSTRAINT` checks the existing rows later, without blocking reads and writes.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "add the constraint with `NOT VALID`, and write `VALIDATE CONSTRAINT` in the next migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD CHECK (a > 0);"]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;",
        ]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::Check),
        |impact| format!("adding a constraint scans the whole table `{}` and blocks reads and writes", impact.table),
    ));
}
