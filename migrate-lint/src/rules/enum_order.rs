//! The rule `enum-order`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{Syntax, TypeAction};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "enum-order",
        "`ADD VALUE` without `BEFORE` or `AFTER` puts the label at the end, which decides how values are sorted.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "say where: `BEFORE` or `AFTER`",
    optional: true,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';"])],
    silent: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b' AFTER 'a';"])],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if let Syntax::AlterType { name, action: TypeAction::AddValue { label, placed: false, .. } } = scene.syntax() {
        reports.add(Report::new(format!("'{label}' of `{name}` is sorted behind all others")));
    }
}
