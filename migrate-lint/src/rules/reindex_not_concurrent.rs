//! The rule `reindex-not-concurrent`.

use crate::context::StatementContext;
use crate::impact::Cause;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "reindex-not-concurrent",
        "`REINDEX` builds indexes anew under a SHARE lock on the table, and under ACCESS EXCLUSIVE on each index, \
         which also stops those who would read with it. Since PostgreSQL 12 there is `REINDEX ... CONCURRENTLY`.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    fix: "write `REINDEX TABLE CONCURRENTLY` or `REINDEX INDEX CONCURRENTLY`, in a migration of its own",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "REINDEX TABLE t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a);", "REINDEX INDEX i;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "REINDEX TABLE CONCURRENTLY t;"]),
        postgres(&["CREATE TABLE t (a int PRIMARY KEY); REINDEX TABLE t;"]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::Reindex { concurrently: false, .. } = context.syntax() {
        let found = context.findings_for(
            |cause| *cause == Cause::Reindex,
            |impact| format!("building the indexes anew stops all writes to `{}`", impact.table),
        );
        findings.all.extend(found);
    }
}
