//! The rule `primary-key-builds-index`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, postgres};
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
    // A partitioned table takes no constraint USING INDEX.
    let own = scene.alter().map(|alter| scene.schema.key(&alter.table));
    let partitioned = own.and_then(|own| scene.relation(&own)).is_some_and(|relation| relation.partitioned);
    reports.all.extend(found.into_iter().map(|report| match partitioned {
        true => report.instead(
            "write `ALTER TABLE ONLY ... ADD CONSTRAINT`, build a unique index CONCURRENTLY on each partition, and attach \
             those to the index of the constraint: `ALTER INDEX ... ATTACH PARTITION`",
        ),
        false => report,
    }));
}
