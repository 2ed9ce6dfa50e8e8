//! The rule `refresh-matview-blocking`.

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
        "refresh-matview-blocking",
        "`REFRESH MATERIALIZED VIEW` takes ACCESS EXCLUSIVE on the view for as long as its query runs. `CONCURRENTLY` \
         lets others read, and needs a unique index over the view.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "make a unique index over it and write `REFRESH MATERIALIZED VIEW CONCURRENTLY`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let found = context.findings_for(
        |cause| matches!(cause, Cause::Refresh),
        |impact| format!("refreshing `{}` stops all who read it until it is done", impact.table),
    );
    findings.all.extend(found);
}
