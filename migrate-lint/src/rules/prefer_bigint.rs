//! The rule `prefer-bigint`.

use crate::rule::{Check, Proof, Report, Reports, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax;
use migrate_core::syntax::{ActionKind, Syntax};

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
    let columns: Vec<&syntax::Column> = match scene.syntax() {
        Syntax::CreateTable(table) => table.columns.iter().collect(),
        Syntax::AlterTable(alter) => alter
            .actions
            .iter()
            .filter_map(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => Some(&**column),
                _ => None,
            })
            .collect(),
        _ => return,
    };
    for column in columns {
        let Some(ty) = &column.ty else { continue };
        if column.primary && matches!(ty.name.as_str(), "int" | "serial" | "smallint" | "smallserial" | "mediumint") {
            reports.add(Report::new(format!("the key `{}` is {ty}", column.name)).at(&column.range));
        }
    }
}
