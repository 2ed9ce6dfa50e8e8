//! The rule `drop-not-null`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new("drop-not-null", "The release that runs may not expect to read a null from the column."),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "let the application read nulls first",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int NOT NULL);", "ALTER TABLE t ALTER a DROP NOT NULL;"]),
        mysql(&["CREATE TABLE t (a int NOT NULL);", "ALTER TABLE t MODIFY a int NULL;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ALTER a DROP NOT NULL;"]),
        postgres(&["CREATE TABLE t (a int NOT NULL); ALTER TABLE t ALTER a DROP NOT NULL;"]),
    ],
    proof: Proof::Files,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        // Where MySQL's `MODIFY` only leaves `NOT NULL` out, another rule asks whether that is meant.
        let column = match action {
            ActionKind::DropNotNull(column) => column,
            ActionKind::ModifyColumn(column) if !column.not_null && column.says_null => &column.name,
            _ => continue,
        };
        let known = scene.relation(&table).and_then(|relation| relation.column(column));
        if known.is_some_and(|known| known.not_null) && scene.is_deployed(&table) {
            reports.add(Report::new(format!("the release that runs may not expect a null in `{table}.{column}`")).at(range));
        }
    }
}
