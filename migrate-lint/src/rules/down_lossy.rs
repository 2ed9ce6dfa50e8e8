//! The rule `down-lossy`.

use crate::context::FileContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};

/// Flags down migrations that create a dropped table or column again, but without its data.
pub static RULE: Rule = Rule {
    code: Code::new(
        "down-lossy",
        "The up migration drops a table or a column, and the down migration creates it again without its data. \
         Reverting restores the schema, but not the data. This is acceptable if the data is no longer needed.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "delete the down migration, and add `-- migrate: irreversible: reason` to the header of the up migration; or \
          keep a copy of the data until the new version of the application is known to work",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE t (a int, b int);",
            "-- migrate: phase contract\nALTER TABLE t DROP b;\n--- down\nALTER TABLE t ADD b int;",
        ]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nDROP TABLE t;\n--- down\nCREATE TABLE t (a int);"]),
    ],
    not_flagged: &[postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD b int;\n--- down\nALTER TABLE t DROP b;"])],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    let Some(down) = context.down else { return };
    let recreates = down.statements.iter().any(|statement| match &statement.syntax {
        Syntax::CreateTable(_) => true,
        Syntax::AlterTable(alter) => alter.actions.iter().any(|action| matches!(action.kind, ActionKind::AddColumn { .. })),
        _ => false,
    });
    // A table that is rebuilt in this file keeps its rows.
    let copies_rows =
        context.file.statements.iter().any(|statement| matches!(&statement.syntax, Syntax::Insert(insert) if insert.from_query));
    if !recreates || copies_rows {
        return;
    }
    if let Some(dropped) = context.file.statements.iter().find_map(|statement| dropped_object(&statement.syntax)) {
        findings.add(RuleFinding::new(format!("the down migration creates {dropped} again, without its data")));
    }
}

/// The first table or column that a statement drops, in backticks.
fn dropped_object(syntax: &Syntax) -> Option<String> {
    match syntax {
        Syntax::Drop(removal) if removal.kind == ObjectKind::Table => removal.names.first().map(|name| format!("`{name}`")),
        Syntax::AlterTable(alter) => alter.actions.iter().find_map(|action| match &action.kind {
            ActionKind::DropColumn { name, .. } => Some(format!("`{}.{name}`", alter.table)),
            _ => None,
        }),
        _ => None,
    }
}
