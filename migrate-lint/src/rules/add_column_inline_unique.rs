//! The rule `add-column-inline-unique`.

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
        "add-column-inline-unique",
        "A new column that is `UNIQUE` or a `PRIMARY KEY` builds its index under the ACCESS EXCLUSIVE lock that \
         adding the column takes.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "add the column alone; build the index with `CREATE UNIQUE INDEX CONCURRENTLY`; then `ADD CONSTRAINT ... \
         UNIQUE USING INDEX`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int UNIQUE;"])],
    silent: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&["CREATE TABLE t (c int UNIQUE);"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::ColumnKey),
        |impact| format!("adding a column that is unique builds an index over `{}` while everybody waits", impact.table),
    );
    reports.all.extend(found);
}
