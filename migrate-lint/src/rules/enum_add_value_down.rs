//! The rule `enum-add-value-down`.

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
        "enum-add-value-down",
        "A label of an enumerated type cannot be removed again: the way down cannot undo `ADD VALUE`.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres],
    instead: "say so in the file: `-- migrate: irreversible: labels of a type stay`",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE TYPE m AS ENUM ('a');", "ALTER TYPE m ADD VALUE 'b';\n--- down\nSELECT 1;"])],
    silent: &[
        postgres(&["CREATE TYPE m AS ENUM ('a');", "-- migrate: irreversible: labels stay\nALTER TYPE m ADD VALUE 'b';"]),
        postgres(&["CREATE TYPE m AS ENUM ('a'); ALTER TYPE m ADD VALUE 'b';\n--- down\nDROP TYPE m;"]),
    ],
    proof: Proof::Manual("PostgreSQL manual, ALTER TYPE"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if let Syntax::AlterType { name, action: TypeAction::AddValue { label, .. } } = scene.syntax()
        && let Some(down) = &scene.file.migration.down
    {
        let drops = down.text.to_ascii_uppercase().contains("DROP TYPE");
        if !drops {
            reports.add(Report::new(format!("the way down cannot take '{label}' from `{name}` again")));
        }
    }
}
