//! The rule `primary-key-builds-index`.

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
        "primary-key-builds-index",
        "`ADD PRIMARY KEY` builds an index under ACCESS EXCLUSIVE, and reads the table once more for each column that \
         may be null.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "write `CREATE UNIQUE INDEX CONCURRENTLY`, make the columns NOT NULL by a validated CHECK, then `ADD PRIMARY \
         KEY USING INDEX`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD PRIMARY KEY (a);"])],
    silent: &[
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD PRIMARY KEY (a);"]),
        postgres(&[
            "CREATE TABLE t (a int NOT NULL);",
            "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
            "ALTER TABLE t ADD PRIMARY KEY USING INDEX k;",
        ]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Primary),
        |impact| format!("adding a primary key builds its index over `{}` while everybody waits", impact.table),
    );
    reports.all.extend(found.into_iter().map(|report| match scene.alters_partitioned() {
        true => report.instead(PARTITIONED),
        false => report,
    }));
}
