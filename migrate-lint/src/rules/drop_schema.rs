//! The rule `drop-schema`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ObjectKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new("drop-schema", "With a schema or a database goes everything in it, at once and for good."),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "drop what is in it table by table, in migrations of phase contract",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&["CREATE SCHEMA s;", "DROP SCHEMA s CASCADE;"]), mysql(&["DROP DATABASE d;"])],
    silent: &[
        postgres(&["CREATE SCHEMA s;", "-- migrate: phase contract\nDROP SCHEMA s;"]),
        postgres(&["CREATE SCHEMA s;\n--- down\nDROP SCHEMA s;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let Syntax::Drop(removal) = scene.syntax() else { return };
    if matches!(removal.kind, ObjectKind::Schema | ObjectKind::Database) && !scene.file.is_contract() {
        let names: Vec<String> = removal.names.iter().map(|name| format!("`{name}`")).collect();
        reports.add(Report::new(format!("with {} goes everything in it, for good", names.join(", "))));
    }
}
