//! The rule `unique-might-fail`.

use crate::context::{Age, StatementContext};
use crate::object_name::ObjectName;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ConstraintKind, Syntax};

/// Flags a new unique index or constraint on existing columns of an existing table.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unique-might-fail",
        "Creating a unique index or constraint on an existing table fails if 2 rows have the same values in the \
         columns of the index or constraint. If a test database contains no duplicates, the test does not show the \
         error.",
    ),
    level: Level::Note,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "check for duplicates first: `SELECT columns FROM table GROUP BY columns HAVING count(*) > 1`; or add a \
         gate, a query that must return true before the migration starts: `-- migrate: gate SELECT ...`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a);"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD UNIQUE KEY k (a);"]),
        sqlite(&["CREATE TABLE t (a int);", "CREATE UNIQUE INDEX i ON t (a);"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int); CREATE UNIQUE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int; CREATE UNIQUE INDEX i ON t (c);"]),
    ],
    verification: Verification::Seen("duplicates_fail_a_unique_index"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let mut report_unique = |table: ObjectName, columns: &[String], range| {
        // A column that this migration adds contains only nulls, which do not conflict.
        let has_new_column =
            columns.iter().any(|column| matches!(context.column_age(&table, column), Age::Transaction | Age::File));
        if context.is_deployed(&table) && !context.is_emptied(&table) && !has_new_column {
            let finding = RuleFinding::new(format!("this fails if 2 rows of `{table}` have the same `{}`", columns.join("`, `")));
            findings.add(match range {
                Some(range) => finding.at(range),
                None => finding,
            });
        }
    };
    if let Syntax::CreateIndex(index) = context.syntax()
        && index.unique
        && !index.columns.is_empty()
    {
        report_unique(context.schema.resolve(&index.table), &index.columns, None);
    }
    for (table, action, range) in context.actions() {
        match action {
            ActionKind::AddIndex(index) if index.unique => report_unique(table, &index.columns, Some(range)),
            ActionKind::AddConstraint(constraint) => {
                if let ConstraintKind::Unique { columns, using_index: None } = &constraint.kind {
                    report_unique(table, columns, Some(range));
                }
            }
            _ => {}
        }
    }
}
