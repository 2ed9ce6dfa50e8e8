//! The rule `unique-constraint-builds-index`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, PARTITIONED, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unique-constraint-builds-index",
        "`ADD CONSTRAINT ... UNIQUE` builds an index under ACCESS EXCLUSIVE. Build it first with `CREATE UNIQUE INDEX \
         CONCURRENTLY`, then take it over with `ADD CONSTRAINT ... UNIQUE USING INDEX`, which takes a moment.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "write `CREATE UNIQUE INDEX CONCURRENTLY` in a migration of its own, then `ADD CONSTRAINT ... UNIQUE USING \
         INDEX`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD CONSTRAINT k UNIQUE (a);"])],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
            "ALTER TABLE t ADD CONSTRAINT k UNIQUE USING INDEX k;",
        ]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD UNIQUE (a);"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Unique),
        |impact| format!("adding a unique constraint builds its index over `{}` while everybody waits", impact.table),
    );
    reports.all.extend(found.into_iter().map(|report| match scene.alters_partitioned() {
        true => report.instead(PARTITIONED),
        false => report,
    }));
}
