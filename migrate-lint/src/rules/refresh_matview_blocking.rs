//! The rule `refresh-matview-blocking`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags `REFRESH MATERIALIZED VIEW` without `CONCURRENTLY` on an existing view.
pub static RULE: Rule = Rule {
    code: Code::new(
        "refresh-matview-blocking",
        "`REFRESH MATERIALIZED VIEW` acquires an ACCESS EXCLUSIVE lock on the view and blocks reads of the view \
         while its query runs. `REFRESH MATERIALIZED VIEW CONCURRENTLY` allows reads, but requires a unique index on \
         the view.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "create a unique index on the view and write `REFRESH MATERIALIZED VIEW CONCURRENTLY`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE MATERIALIZED VIEW m AS SELECT a FROM t;",
        "REFRESH MATERIALIZED VIEW m;",
    ])],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE UNIQUE INDEX m_a ON m (a);",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY m;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "CREATE MATERIALIZED VIEW m AS SELECT a FROM t WITH NO DATA; REFRESH MATERIALIZED VIEW m;",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let refresh_findings = context.findings_for(
        |cause| matches!(cause, Cause::Refresh),
        |impact| format!("refreshing `{}` blocks reads until the refresh completes", impact.table),
    );
    findings.all.extend(refresh_findings);
}
