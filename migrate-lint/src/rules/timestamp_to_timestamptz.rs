//! The rule `timestamp-to-timestamptz`.

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
        "timestamp-to-timestamptz",
        "Between `timestamp` and `timestamptz` the values stay the same bytes only if the session's time zone is UTC; \
         in any other the table is written anew under ACCESS EXCLUSIVE, and with values that depend on whoever runs \
         the migration.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "write `SET LOCAL timezone = 'UTC';` before it, if the values are UTC",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a timestamp);", "ALTER TABLE t ALTER a TYPE timestamptz;"]),
        postgres(&[
            "CREATE TABLE t (a timestamp);",
            "SET LOCAL timezone = 'Europe/Oslo'; ALTER TABLE t ALTER a TYPE timestamptz;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a timestamp);", "SET LOCAL timezone = 'UTC'; ALTER TABLE t ALTER a TYPE timestamptz;"]),
        postgres(&["CREATE TABLE t (a timestamp(3));", "ALTER TABLE t ALTER a TYPE timestamp(6);"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let found = context.findings_for(
        |cause| matches!(cause, Cause::TypeTimeZone),
        |impact| format!("unless the session's time zone is UTC, `{}` is written anew while everybody waits", impact.table),
    );
    findings.all.extend(found);
}
