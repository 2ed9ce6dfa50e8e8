//! The rule `unique-constant-default`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres, sqlite};
use crate::scene::{Read, Scene};
use crate::schema::Key;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, Column, ConstraintKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unique-constant-default",
        "A new column with a constant default gives every row that is there the same value. If it is to be unique, this \
         fails as soon as the table has two rows, which an empty database does not show.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    instead: "add the column with NULL, give each row a value of its own in batches, and make it unique and NOT NULL then",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
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
    silent: &[
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
    proof: Proof::Seen("a_constant_is_not_unique"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let mut unique = |table: &Key, column: &str, range| {
        if scene.is_deployed(table) && is_the_same(scene, table, column) {
            let report = Report::new(format!("every row of `{table}` gets the same `{column}`, so it is not unique"));
            reports.add(match range {
                Some(range) => report.at(range),
                None => report,
            });
        }
    };
    if let Syntax::CreateIndex(index) = scene.syntax()
        && let (true, false, false, [column]) = (index.unique, index.partial, index.expressions, &*index.columns)
    {
        unique(&scene.schema.key(&index.table), column, None);
    }
    for (table, action, range) in scene.actions() {
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
fn is_the_same(scene: &Scene<'_>, table: &Key, name: &str) -> bool {
    let mut reads = scene.earlier().iter().chain([scene.read]);
    let adds = |read: &&Read| match &read.syntax {
        Syntax::AlterTable(alter) if scene.schema.key(&alter.table) == *table => {
            alter.actions.iter().any(|action| match &action.kind {
                ActionKind::AddColumn { column, .. } => {
                    column.name.eq_ignore_ascii_case(name) && is_constant(scene, column, scene.file.sql(read))
                }
                _ => false,
            })
        }
        _ => false,
    };
    // Who knows what changes in a block.
    let changes = |read: &Read| {
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

fn is_constant(scene: &Scene<'_>, column: &Column, sql: &str) -> bool {
    let Some(default) = &column.default else {
        // MySQL has a value for what may not be null.
        return scene.server().dialect() == Dialect::MySql && column.not_null && !column.identity && column.generated.is_none();
    };
    let text = sql.get(default.clone()).unwrap_or_default().trim().to_ascii_lowercase();
    let begins = text.starts_with(|c: char| c == '\'' || c == '-' || c.is_ascii_digit());
    begins && !text.contains('(') || matches!(text.as_str(), "true" | "false" | "now()" | "current_timestamp")
}
