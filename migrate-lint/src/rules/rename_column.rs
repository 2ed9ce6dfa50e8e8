//! The rule `rename-column`.

use crate::context::{Age, StatementContext};
use crate::relation::RelationKind;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rename-column",
        "The release that runs knows the column by its old name: each of its queries fails until the last of its \
         processes has ended.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "add a column of the new name, keep both with a trigger (a generated column of the old name keeps only those who read), fill it in \
         batches, and drop the old one in a contract migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME COLUMN a TO b;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t CHANGE a b int;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME a TO b;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);", "-- migrate: phase contract\nALTER TABLE t RENAME COLUMN a TO b;"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b) STORED;",
        ]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t CHANGE a a bigint;"]),
        postgres(&["CREATE TABLE t (a int); ALTER TABLE t RENAME a TO b;"]),
        postgres(&[
            "CREATE TABLE t (a int);",
            "ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME a TO b; CREATE VIEW t AS SELECT b AS a FROM u;",
        ]),
    ],
    verification: Verification::Files,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    for (table, action, range) in context.actions() {
        let from = match action {
            ActionKind::RenameColumn { from, .. } => from,
            ActionKind::ChangeColumn { from, column } if !from.eq_ignore_ascii_case(&column.name) => from,
            _ => continue,
        };
        // The old name comes again: as a column, or in a view that stands for the table.
        let again = context.is_followed_by(|syntax| match syntax {
            Syntax::AlterTable(alter) => alter.actions.iter().any(
                |action| matches!(&action.kind, ActionKind::AddColumn { column, .. } if column.name.eq_ignore_ascii_case(from)),
            ),
            Syntax::CreateView(view) => {
                view.reads.iter().any(|read| context.schema.resolve(read) == table)
                    && view.mentions.iter().any(|word| word.eq_ignore_ascii_case(from))
            }
            _ => false,
        });
        let again = again
            || context.actions().any(|(_, action, _)| {
                matches!(action, ActionKind::AddColumn { column, .. } if column.name.eq_ignore_ascii_case(from) && column.generated.is_some())
            });
        let is_view = context.relation(&table).is_some_and(|relation| relation.kind != RelationKind::Table);
        if !again && !is_view && context.column_age(&table, from) == Age::Deployed && context.is_deployed(&table) {
            findings.add(RuleFinding::new(format!("the release that runs knows `{table}.{from}` by this name only")).at(range));
        }
    }
}
