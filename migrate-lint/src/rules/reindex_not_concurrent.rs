//! The rule `reindex-not-concurrent`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "reindex-not-concurrent",
        "`REINDEX` builds indexes anew under a SHARE lock on the table, and under ACCESS EXCLUSIVE on each index, \
         which also stops those who would read with it. Since PostgreSQL 12 there is `REINDEX ... CONCURRENTLY`.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "write `REINDEX TABLE CONCURRENTLY` or `REINDEX INDEX CONCURRENTLY`, in a migration of its own",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "REINDEX TABLE t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE INDEX i ON t (a);", "REINDEX INDEX i;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "REINDEX TABLE CONCURRENTLY t;"]),
        postgres(&["CREATE TABLE t (a int PRIMARY KEY); REINDEX TABLE t;"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if let Syntax::Reindex { concurrently: false, .. } = scene.syntax() {
        let found = scene.felt(
            |cause| *cause == Cause::Reindex,
            |impact| format!("building the indexes anew stops all writes to `{}`", impact.table),
        );
        reports.all.extend(found);
    }
}
