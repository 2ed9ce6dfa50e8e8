//! The rule `pk-using-index-nullable`.

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
        "pk-using-index-nullable",
        "`ADD PRIMARY KEY USING INDEX` takes a moment only if its columns are NOT NULL already. Where one may hold \
         null, the whole table is read under ACCESS EXCLUSIVE to see that it does not.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "first make the columns NOT NULL: `CHECK (c IS NOT NULL) NOT VALID`, `VALIDATE CONSTRAINT`, `SET NOT NULL`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&[
        "CREATE TABLE t (a int);",
        "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
        "ALTER TABLE t ADD PRIMARY KEY USING INDEX k;",
    ])],
    silent: &[postgres(&[
        "CREATE TABLE t (a int NOT NULL);",
        "CREATE UNIQUE INDEX CONCURRENTLY k ON t (a);",
        "ALTER TABLE t ADD PRIMARY KEY USING INDEX k;",
    ])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::PrimaryNullable),
        |impact| format!("the key's columns may hold null, so all of `{}` is read while everybody waits", impact.table),
    );
    reports.all.extend(found);
}
