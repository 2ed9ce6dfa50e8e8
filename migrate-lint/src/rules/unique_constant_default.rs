//! The rule `unique-constant-default`.

use crate::context::{ParsedStatement, StatementContext};
use crate::object_name::ObjectName;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Column, ConstraintKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unique-constant-default",
        "A new column with a constant default gives every row that is there the same value. If it is to be unique, this \
         fails as soon as the table has two rows, which an empty database does not show.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "add the column with NULL, give each row a value of its own in batches, and make it unique and NOT NULL then",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    let mut unique = |table: &ObjectName, column: &str, range| {
        if context.is_deployed(table) && is_the_same(context, table, column) {
            let finding = RuleFinding::new(format!("every row of `{table}` gets the same `{column}`, so it is not unique"));
            findings.add(match range {
                Some(range) => finding.at(range),
                None => finding,
            });
        }
    };
    if let Syntax::CreateIndex(index) = context.syntax()
        && let (true, false, false, [column]) = (index.unique, index.partial, index.expressions, &*index.columns)
    {
        unique(&context.schema.resolve(&index.table), column, None);
    }
    for (table, action, range) in context.actions() {
        match action {
            ActionKind::AddColumn { column, .. } if column.unique => unique(&table, &column.name, Some(range)),
            ActionKind::AddIndex(index) if index.unique && !index.expressions => {
                if let [column] = &*index.columns {
                    unique(&table, column, Some(range));
                }
            }
            ActionKind::AddConstraint(constraint) => {
                if let ConstraintKind::Unique { columns, using_index: None } = &constraint.kind
                    && let [column] = &**columns
                {
                    unique(&table, column, Some(range));
                }
            }
            _ => {}
        }
    }
}

/// Was the column added in this file with one value for all rows, and not changed since?
fn is_the_same(context: &StatementContext<'_>, table: &ObjectName, name: &str) -> bool {
    let mut reads = context.earlier_statements().iter().chain([context.parsed]);
    let adds = |read: &&ParsedStatement| match &read.syntax {
        Syntax::AlterTable(alter) if context.schema.resolve(&alter.table) == *table => {
            alter.actions.iter().any(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => {
                    column.name.eq_ignore_ascii_case(name) && is_constant(context, column, context.file.sql(read))
                }
                _ => false,
            })
        }
        _ => false,
    };
    // Who knows what changes in a block.
    let changes = |read: &ParsedStatement| {
        matches!(
            &read.syntax,
            Syntax::Update(_)
                | Syntax::Delete(_)
                | Syntax::Do { .. }
                | Syntax::Call { .. }
                | Syntax::Truncate { .. }
                | Syntax::Opaque
        )
    };
    reads.any(|read| adds(&read)) && !reads.any(changes)
}

fn is_constant(context: &StatementContext<'_>, column: &Column, sql: &str) -> bool {
    let Some(default) = &column.default else {
        // MySQL has a value for what may not be null.
        return context.server().dialect() == Dialect::MySql && column.not_null && !column.identity && column.generated.is_none();
    };
    let text = sql.get(default.clone()).unwrap_or_default().trim().to_ascii_lowercase();
    let begins = text.starts_with(|c: char| c == '\'' || c == '-' || c.is_ascii_digit());
    begins && !text.contains('(') || matches!(text.as_str(), "true" | "false" | "now()" | "current_timestamp")
}
