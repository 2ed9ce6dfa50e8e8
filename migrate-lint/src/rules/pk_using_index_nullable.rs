//! The rule `pk-using-index-nullable`.

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
        "pk-using-index-nullable",
        "`ADD PRIMARY KEY USING INDEX` takes a moment only if its columns are NOT NULL already. Where one may hold \
         null, the whole table is read under ACCESS EXCLUSIVE to see that it does not.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "first make the columns NOT NULL: `CHECK (c IS NOT NULL) NOT VALID`, `VALIDATE CONSTRAINT`, `SET NOT NULL`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let found = context.findings_for(
        |cause| matches!(cause, Cause::PrimaryNullable),
        |impact| format!("the key's columns may hold null, so all of `{}` is read while everybody waits", impact.table),
    );
    findings.all.extend(found);
}
