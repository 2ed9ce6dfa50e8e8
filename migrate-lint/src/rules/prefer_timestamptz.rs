//! The rule `prefer-timestamptz`.

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
        if ty.name == "timestamp" {
            reports.add(Report::new(format!("`{}` says no time zone", column.name)).at(&column.range));
        }
    }
}
