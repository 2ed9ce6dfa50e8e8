//! The rule `check-not-valid-missing`.

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
        "check-not-valid-missing",
        "`ADD CONSTRAINT ... CHECK` looks at every row under ACCESS EXCLUSIVE: nobody can read or write meanwhile. \
         With `NOT VALID` it is over in a moment and holds for new rows; `VALIDATE CONSTRAINT` looks at the old ones \
         later, while others read and write.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "add it with `NOT VALID`, and write `VALIDATE CONSTRAINT` in the next migration",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD CHECK (a > 0);"]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0) NOT VALID;",
        ]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t ADD CONSTRAINT k CHECK (a > 0);"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Check),
        |impact| format!("adding a constraint reads all of `{}` while everybody waits", impact.table),
    );
    reports.all.extend(found);
}
