//! The rule `unique-constant-default`.

use crate::context::{ParsedStatement, StatementContext};
use crate::object_name::ObjectName;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Column, ConstraintKind, Syntax};

/// Flags a unique index or constraint on a column that the same migration adds with a constant default.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unique-constant-default",
        "A unique index or constraint on a new column with a constant default fails if the table has 2 or more rows, \
         because every existing row has the same value. On MySQL and MariaDB, this also applies to a NOT NULL column \
         without a default, because existing rows get the implicit default of its type. An empty test database does \
         not show the error.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "add the column as nullable and without a default; set a distinct value in each row, in batches; only then \
         add the unique constraint and NOT NULL",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY);", "ALTER TABLE t ADD COLUMN s varchar(50) NOT NULL DEFAULT '' UNIQUE;"]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY);", "ALTER TABLE t ADD COLUMN s int NOT NULL, ADD UNIQUE KEY k (s);"]),
        postgres(&[
            "CREATE TABLE t (id int PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN s text NOT NULL DEFAULT '';\nALTER TABLE t ADD UNIQUE (s);",
        ]),
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN s text NOT NULL DEFAULT '';\nCREATE UNIQUE INDEX i ON t (s);",
        ]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id int PRIMARY KEY);", "ALTER TABLE t ADD COLUMN s text;\nALTER TABLE t ADD UNIQUE (s);"]),
        postgres(&["CREATE TABLE t (id int PRIMARY KEY);", "ALTER TABLE t ADD COLUMN s uuid DEFAULT gen_random_uuid() UNIQUE;"]),
        sqlite(&[
            "CREATE TABLE t (id integer PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN s text NOT NULL DEFAULT '';\nUPDATE t SET s = id;\nCREATE UNIQUE INDEX i ON t (s);",
        ]),
        mysql(&[
            "CREATE TABLE t (id int PRIMARY KEY);",
            "ALTER TABLE t ADD COLUMN s int NOT NULL DEFAULT 0;\nALTER TABLE t ADD UNIQUE KEY k (s, id);",
        ]),
        mysql(&["CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t ADD COLUMN s int NOT NULL DEFAULT 0 UNIQUE;"]),
    ],
    verification: Verification::Seen("a_constant_is_not_unique"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let mut report_unique = |table: &ObjectName, column: &str, range| {
        if context.is_deployed(table) && has_one_value(context, table, column) {
            let message = format!("every row of `{table}` has the same `{column}`, so 2 rows violate the unique constraint");
            let finding = RuleFinding::new(message);
            findings.add(match range {
                Some(range) => finding.at(range),
                None => finding,
            });
        }
    };
    if let Syntax::CreateIndex(index) = context.syntax()
        && let (true, false, false, [column]) = (index.unique, index.partial, index.expressions, &*index.columns)
    {
        report_unique(&context.schema.resolve(&index.table), column, None);
    }
    for (table, action, range) in context.actions() {
        match action {
            ActionKind::AddColumn { column, .. } if column.unique => report_unique(&table, &column.name, Some(range)),
            ActionKind::AddIndex(index) if index.unique && !index.expressions => {
                if let [column] = &*index.columns {
                    report_unique(&table, column, Some(range));
                }
            }
            ActionKind::AddConstraint(constraint) => {
                if let ConstraintKind::Unique { columns, using_index: None } = &constraint.kind
                    && let [column] = &**columns
                {
                    report_unique(&table, column, Some(range));
                }
            }
            _ => {}
        }
    }
}

/// Whether this file adds the column with the same value for all rows, and no later statement may change the values.
fn has_one_value(context: &StatementContext<'_>, table: &ObjectName, name: &str) -> bool {
    let adds_column = |statement: &ParsedStatement| match &statement.syntax {
        Syntax::AlterTable(alter) if context.schema.resolve(&alter.table) == *table => {
            alter.actions.iter().any(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => {
                    column.name.eq_ignore_ascii_case(name) && is_constant(context, column, context.file.sql(statement))
                }
                _ => false,
            })
        }
        _ => false,
    };
    // The effects of blocks, calls and unparsed SQL are unknown.
    let may_change_rows = |statement: &ParsedStatement| {
        matches!(
            &statement.syntax,
            Syntax::Update(_)
                | Syntax::Delete(_)
                | Syntax::Do { .. }
                | Syntax::Call { .. }
                | Syntax::Truncate { .. }
                | Syntax::Opaque
        )
    };
    let mut candidates = context.earlier_statements_with(&["ADD", name]).chain([context.parsed]);
    let Some(adding) = candidates.find(|statement| adds_column(statement)) else { return false };
    !context.statements_since(adding).any(may_change_rows)
}

fn is_constant(context: &StatementContext<'_>, column: &Column, sql: &str) -> bool {
    let Some(default) = &column.default else {
        // For a NOT NULL column without a default, MySQL uses the implicit default of the type.
        return context.server().dialect() == Dialect::MySql && column.not_null && !column.identity && column.generated.is_none();
    };
    let text = sql.get(default.clone()).unwrap_or_default().trim().to_ascii_lowercase();
    let is_literal = text.starts_with(|c: char| c == '\'' || c == '-' || c.is_ascii_digit());
    is_literal && !text.contains('(') || matches!(text.as_str(), "true" | "false" | "now()" | "current_timestamp")
}
