//! The rule `timestamp-to-timestamptz`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags type changes between `timestamp` and `timestamptz` in a session whose time zone may not be UTC.
pub static RULE: Rule = Rule {
    code: Code::new(
        "timestamp-to-timestamptz",
        "Changing a column between `timestamp` and `timestamptz` rewrites the table under an ACCESS EXCLUSIVE lock \
         unless the time zone of the session is UTC. The rewrite blocks reads and writes, and the new values depend \
         on the time zone of the session that runs the migration. This is a warning, because lint does not know the time zone; if an index contains the column, it is an error, because no time zone is harmless. If the time zone is UTC, the table is not \
         rewritten, but the indexes on the column are rebuilt, which the rule `alter-type-rebuilds-index` reports.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "if the values are in UTC and no index contains the column, write `SET LOCAL timezone = 'UTC';` before the \
         statement; otherwise add a column of the new type, and copy the values in batches",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
    let maybe = context.findings_for(
        |cause| matches!(cause, Cause::TypeTimeZone),
        |impact| format!("unless the session's time zone is UTC, a table rewrite blocks reads and writes on `{}`", impact.table),
    );
    findings.all.extend(maybe.into_iter().map(|finding| finding.at_most(Level::Warning)));
    findings.all.extend(context.findings_for(
        |cause| matches!(cause, Cause::TypeTimeZoneIndexed),
        |impact| {
            let table = &impact.table;
            format!("a rewrite of `{table}`, or in UTC a rebuild of its indexes, blocks reads and writes on it")
        },
    ));
}
