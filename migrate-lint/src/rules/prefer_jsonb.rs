//! The rule `prefer-jsonb`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-jsonb",
        "`json` keeps the text as it came: it cannot be compared for equality or indexed, and is parsed each time it \
         is looked into.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `jsonb`",
    optional: true,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (a json);"])],
    silent: &[postgres(&["CREATE TABLE t (a jsonb);"])],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for column in scene.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if ty.name == "json" {
            reports.add(Report::new(format!("`{}` is json", column.name)).at(&column.range));
        }
    }
}
