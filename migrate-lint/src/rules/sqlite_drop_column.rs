//! The rule `sqlite-drop-column`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;

/// Flags `DROP COLUMN` of a column that other parts of a SQLite schema use.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-drop-column",
        "SQLite cannot drop a column that is used by a primary key, a unique constraint, an index, a foreign key, a \
         CHECK, a generated column, a view or a trigger. A foreign key or a CHECK in the definition of the column itself \
         is dropped with the column.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "drop the index, view or trigger that uses the column first; or rebuild the table",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b);",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE TRIGGER g AFTER UPDATE ON t WHEN OLD.a IS DISTINCT FROM NEW.b BEGIN SELECT 1; END;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&["CREATE TABLE t (a int PRIMARY KEY, b int);", "-- migrate: phase contract\nALTER TABLE t DROP COLUMN a;"]),
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT b FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE TRIGGER g AFTER UPDATE ON t BEGIN UPDATE t SET a = new.b; END;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (a) WHERE b IS NULL;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&[
            "CREATE TABLE t (a int, b text); CREATE INDEX i ON t (lower(b));",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&["CREATE TABLE t (a int, b int, c int AS (b * 2));", "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE t (a int, b int, FOREIGN KEY (b) REFERENCES p (id));",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b);",
            "-- migrate: phase contract\nDROP INDEX i; ALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a AS b FROM t;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE t (a int, b int REFERENCES p (id));",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
        sqlite(&["CREATE TABLE t (a int, b int);", "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;"]),
        sqlite(&[
            "CREATE TABLE t (a int, b int); CREATE TRIGGER g AFTER UPDATE OF a ON t BEGIN UPDATE t SET a = old.a; END;",
            "-- migrate: phase contract\nALTER TABLE t DROP COLUMN b;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::DropColumn { name, .. } = action else { continue };
        let Some(relation) = context.relation(&table) else { continue };
        let has = |columns: &[String]| contains(columns, name);
        let in_constraint = relation.constraints_with(name).any(|constraint| prevents_drop(constraint, &table, name));
        let uses_column = |index: &&relation::Index| has(&index.columns) || has(&index.mentions);
        let index = relation.indexes_with(name).find(uses_column).and_then(|index| index.name.clone());
        let computed = relation
            .columns
            .candidates(|| PartKey::column(name))
            .find(|column| has(&column.computed_from) && !column.name.eq_ignore_ascii_case(name));
        let view = context
            .schema
            .views_reading(&table)
            .find(|(_, view)| {
                view.reads_from.len() == 1 && view.possible_columns.iter().any(|word| word.eq_ignore_ascii_case(name))
            })
            .map(|(view, _)| view.to_string());
        let trigger =
            context.schema.triggers(&table).find(|(_, uses)| has(&uses.columns)).map(|(trigger, _)| trigger.to_string());
        let user = index
            .map(|index| format!("index `{index}`"))
            .or(view.map(|view| format!("view `{view}`")))
            .or(trigger.map(|trigger| format!("trigger `{trigger}`")))
            .or(computed.map(|column| format!("column `{}`", column.name)))
            .or(in_constraint.then(|| "a key or constraint".to_owned()));
        if let Some(user) = user {
            findings.add(RuleFinding::new(format!("SQLite cannot drop `{name}`, which is used by {user}")).at(range));
        }
    }
}

fn prevents_drop(constraint: &relation::Constraint, table: &ObjectName, column: &str) -> bool {
    match &constraint.kind {
        relation::ConstraintKind::Unique(columns) | relation::ConstraintKind::Primary(columns) => contains(columns, column),
        // A foreign key in the column definition is dropped with the column.
        relation::ConstraintKind::Foreign { columns, .. } => contains(columns, column) && !constraint.at_column,
        // So is a CHECK in the column definition, which has this generated name.
        relation::ConstraintKind::Check { mentions, .. } => {
            contains(mentions, column) && constraint.name != format!("{}_{column}_check", table.name())
        }
        _ => false,
    }
}

fn contains(columns: &[String], name: &str) -> bool {
    columns.iter().any(|column| column.eq_ignore_ascii_case(name))
}
