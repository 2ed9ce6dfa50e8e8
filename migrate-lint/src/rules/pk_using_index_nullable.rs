//! The rule `pk-using-index-nullable`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `ADD PRIMARY KEY USING INDEX` on a nullable column of an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "pk-using-index-nullable",
        "`ADD PRIMARY KEY USING INDEX` is fast only if the columns of the index are already NOT NULL. If one of the \
         columns is nullable, PostgreSQL scans the whole table for nulls under an ACCESS EXCLUSIVE lock, which \
         blocks reads and writes.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "in earlier migrations, make the columns NOT NULL without a long lock: run `ADD CONSTRAINT ... CHECK (c IS \
         NOT NULL) NOT VALID`, then `VALIDATE CONSTRAINT`, then `SET NOT NULL`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (a int);",
        "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
        "ALTER TABLE t ADD PRIMARY KEY USING INDEX k;",
    ])],
    not_flagged: &[postgres(&[
        "CREATE TABLE t (a int NOT NULL);",
        "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
        "ALTER TABLE t ADD PRIMARY KEY USING INDEX k;",
    ])],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let key_findings = context.findings_for(
        |cause| matches!(cause, Cause::PrimaryNullable),
        |impact| format!("a column of the key is nullable: this scans `{}` and blocks reads and writes", impact.table),
    );
    findings.all.extend(key_findings);
}
