//! The rule `alter-type-constraint-recheck`.

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
        "alter-type-constraint-recheck",
        "Where a CHECK constraint stands on the column whose type changes, every row is looked at again under ACCESS \
         EXCLUSIVE, even if the change itself is free.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "drop the constraint, change the type, add it again with `NOT VALID`, and validate it in the next migration",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (a varchar(20) CHECK (a <> ''));", "ALTER TABLE t ALTER a TYPE text;"])],
    silent: &[postgres(&["CREATE TABLE t (a varchar(20), b int CHECK (b > 0));", "ALTER TABLE t ALTER a TYPE text;"])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let found = scene.felt(
        |cause| matches!(cause, Cause::TypeCheck),
        |impact| format!("a CHECK stands on the column, so all of `{}` is read while everybody waits", impact.table),
    );
    reports.all.extend(found);
}
