//! The rule `rename-column`.

use crate::context::{Age, StatementContext};
use crate::object_name::ObjectName;
use crate::relation::RelationKind;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// Flags the renaming of an existing column outside a contract migration.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rename-column",
        "Renaming a column breaks the deployed version of the application, which uses the old name. Queries of this \
         version on the column fail until the last process of this version has stopped. The rename is safe in a \
         contract migration (`-- migrate: phase contract`) that is deployed when no deployed version uses the old \
         name any more.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "add a column with the new name, synchronize both columns with a trigger, fill the new column in batches, \
         and drop the old column in a contract migration; if the deployed version only reads the column, rename the \
         column and add a generated column with the old name in the same migration",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME COLUMN a TO b;"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t RENAME COLUMN a TO b; ALTER TABLE t ADD COLUMN a bigint;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t CHANGE a b int;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t CHANGE a b int, ADD COLUMN a int;"]),
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
        let is_view = context.relation(&table).is_some_and(|relation| relation.kind != RelationKind::Table);
        if !is_view
            && context.column_age(&table, from) == Age::Deployed
            && context.is_deployed(&table)
            && !old_name_stays(context, &table, from)
        {
            let message =
                format!("renaming `{table}.{from}` breaks the deployed version of the application, which uses this name");
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}

/// Whether the migration provides the old name again: as a column, or in a view over the table.
fn old_name_stays(context: &StatementContext<'_>, table: &ObjectName, from: &str) -> bool {
    // Any other new column has other values.
    let is_generated = |action: &ActionKind| match action {
        ActionKind::AddColumn { column, .. } => column.name.eq_ignore_ascii_case(from) && column.generated.is_some(),
        _ => false,
    };
    context.actions_naming(from).any(|action| is_generated(&action.kind))
        || context.is_followed_by(&[from], |syntax| match syntax {
            Syntax::AlterTable(alter) => alter.actions.iter().any(|action| is_generated(&action.kind)),
            Syntax::CreateView(view) => {
                view.reads.iter().any(|name| context.schema.resolve(name) == *table)
                    && view.mentions.iter().any(|word| word.eq_ignore_ascii_case(from))
            }
            _ => false,
        })
}
