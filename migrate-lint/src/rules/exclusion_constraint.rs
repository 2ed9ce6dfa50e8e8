//! The rule `exclusion-constraint`.

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
        "exclusion-constraint",
        "`ADD CONSTRAINT ... EXCLUDE` builds its index under ACCESS EXCLUSIVE, and there is no `NOT VALID` and no \
         `USING INDEX` for it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "where the table is large, make a new one that has the constraint, copy the rows in batches, and change the \
         names",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "ALTER TABLE t ADD CONSTRAINT k EXCLUDE USING btree (a WITH =);",
    ])],
    silent: &[postgres(&["CREATE TABLE t (a int, EXCLUDE USING btree (a WITH =));"])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::Exclude),
        |impact| format!("adding an exclusion constraint builds its index over `{}` while everybody waits", impact.table),
    );
    reports.all.extend(found);
}
