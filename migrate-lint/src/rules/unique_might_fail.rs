//! The rule `unique-might-fail`.

use crate::context::{Age, StatementContext};
use crate::object_name::ObjectName;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, ConstraintKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new("unique-might-fail", "A unique index or constraint over rows that are there fails if two of them are alike."),
    level: Level::Note,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "look first: `SELECT columns FROM table GROUP BY columns HAVING count(*) > 1`; or write that as a `gate`",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let mut unique = |table: ObjectName, columns: &[String], range| {
        // A column that was added here holds nothing but nulls.
        let new = columns.iter().any(|column| matches!(context.column_age(&table, column), Age::Transaction | Age::File));
        if context.is_deployed(&table) && !new {
            let finding = RuleFinding::new(format!("this fails if two rows of `{table}` have the same {}", columns.join(", ")));
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
        unique(context.schema.resolve(&index.table), &index.columns, None);
    }
    for (table, action, range) in context.actions() {
        match action {
            ActionKind::AddIndex(index) if index.unique => unique(table, &index.columns, Some(range)),
            ActionKind::AddConstraint(constraint) => {
                if let ConstraintKind::Unique { columns, using_index: None } = &constraint.kind {
                    unique(table, columns, Some(range));
                }
            }
            _ => {}
        }
    }
}
