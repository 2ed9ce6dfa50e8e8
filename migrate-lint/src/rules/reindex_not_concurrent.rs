//! The rule `reindex-not-concurrent`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `REINDEX` without `CONCURRENTLY` on an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "reindex-not-concurrent",
        "`REINDEX` rebuilds indexes under a SHARE lock on the table, which blocks writes, and an ACCESS EXCLUSIVE \
         lock on each index, which blocks queries that would use the index. `REINDEX ... CONCURRENTLY` (PostgreSQL \
         12 and later) allows reads and writes during the rebuild.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "write `REINDEX TABLE CONCURRENTLY` or `REINDEX INDEX CONCURRENTLY`, in a separate migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "REINDEX TABLE t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a);", "REINDEX INDEX i;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY);", "-- migrate: no-transaction\nREINDEX SCHEMA public;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY);",
            "-- migrate: no-transaction\nREINDEX (CONCURRENTLY false) SCHEMA public;",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "REINDEX TABLE CONCURRENTLY t;"]),
        postgres(&["CREATE TABLE t (a int PRIMARY KEY); REINDEX TABLE t;"]),
        postgres(&["CREATE TABLE a.t (a int PRIMARY KEY);", "-- migrate: no-transaction\nREINDEX SCHEMA b;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::Reindex { concurrently: false, .. } = context.syntax() {
        findings.all.extend(context.findings_for(
            |cause| *cause == Cause::Reindex,
            |impact| format!("`REINDEX` blocks writes to `{}` until the indexes are rebuilt", impact.table),
        ));
    }
}
