//! The rule `down-lossy`.

use crate::context::FileContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "down-lossy",
        "The way up drops a table or a column, and the way down makes it again, empty: what was in it does not come \
         back.",
    ),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "say so in the file: `-- migrate: irreversible: reason`; or keep the rows aside until the release is sure",
    opt_in: false,
    down: false,
    check: Check::File(check),
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
    for read in context.file.statements {
        let lost = match &read.syntax {
            Syntax::Drop(removal) if removal.kind == ObjectKind::Table => removal.names.first().map(|name| format!("`{name}`")),
            Syntax::AlterTable(alter) => alter.actions.iter().find_map(|action| match &action.kind {
                ActionKind::DropColumn { name, .. } => Some(format!("`{}.{name}`", alter.table)),
                _ => None,
            }),
            _ => None,
        };
        let again = down.statements.iter().any(|read| match &read.syntax {
            Syntax::CreateTable(_) => true,
            Syntax::AlterTable(alter) => alter.actions.iter().any(|action| matches!(action.kind, ActionKind::AddColumn { .. })),
            _ => false,
        });
        // A table that is made anew here has its rows.
        let rebuilt =
            context.file.statements.iter().any(|other| matches!(&other.syntax, Syntax::Insert(insert) if insert.from_query));
        if let Some(lost) = lost.filter(|_| again && !rebuilt) {
            findings.add(RuleFinding::new(format!("the way down makes {lost} again, without what was in it")));
            return;
        }
    }
}
