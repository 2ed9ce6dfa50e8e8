//! The rule `change-default`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "change-default",
        "The release that runs leaves the column out of its inserts and counts on the default that it knows.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int DEFAULT 1);", "ALTER TABLE t ALTER a SET DEFAULT 2;"]),
        postgres(&["CREATE TABLE t (a int NOT NULL DEFAULT 1);", "ALTER TABLE t ALTER a DROP DEFAULT;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ALTER a SET DEFAULT 2;"]),
        postgres(&["CREATE TABLE t (a int DEFAULT 1); ALTER TABLE t ALTER a SET DEFAULT 2;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        let (ActionKind::SetDefault { column, .. } | ActionKind::DropDefault(column)) = action else { continue };
        let known = scene.relation(&table).and_then(|relation| relation.column(column));
        let Some(known) = known.filter(|known| known.has_default && scene.is_deployed(&table)) else { continue };
        let message = match (action, known.not_null) {
            (ActionKind::DropDefault(_), true) => {
                format!("inserts of the release that runs fail if they leave `{table}.{column}` out")
            }
            _ => format!("the release that runs may count on the default of `{table}.{column}`"),
        };
        reports.add(Report::new(message).at(range));
    }
}
