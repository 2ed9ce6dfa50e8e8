//! The rule `prefer-bigint`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "prefer-bigint",
        "A key of type int ends at 2,147,483,647, and to change it later means to write the table anew.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "write `bigint`",
    optional: true,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TABLE t (id int PRIMARY KEY);"]), postgres(&["CREATE TABLE t (id serial PRIMARY KEY);"])],
    silent: &[postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int);"])],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for column in scene.new_columns() {
        let Some(ty) = &column.ty else { continue };
        if column.primary && matches!(ty.name.as_str(), "int" | "serial" | "smallint" | "smallserial" | "mediumint") {
            reports.add(Report::new(format!("the key `{}` is {ty}", column.name)).at(&column.range));
        }
    }
}
