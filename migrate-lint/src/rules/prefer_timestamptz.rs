//! The rule `prefer-timestamptz`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-timestamptz",
        "`timestamp` without time zone does not say which moment is meant: it depends on the session that reads it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `timestamptz`",
    optional: true,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (a timestamp);"])],
    silent: &[postgres(&["CREATE TABLE t (a timestamptz);"])],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for column in scene.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if ty.name == "timestamp" {
            reports.add(Report::new(format!("`{}` says no time zone", column.name)).at(&column.range));
        }
    }
}
