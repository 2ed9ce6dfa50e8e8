//! The rule `prefer-text`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-text",
        "`varchar(n)` has no advantage over `text` in PostgreSQL, and a shorter limit later means reading or writing \
         the whole table. A CHECK on the length can be changed without.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `text`, with a CHECK on its length where one is meant",
    optional: true,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (a varchar(20));"])],
    silent: &[postgres(&["CREATE TABLE t (a text);"])],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for column in scene.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if matches!(ty.name.as_str(), "varchar" | "char") && !ty.arguments.is_empty() {
            reports.add(Report::new(format!("`{}` is {ty}", column.name)).at(&column.range));
        }
    }
}
