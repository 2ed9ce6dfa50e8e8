//! The rule `rebuild-loses-index`.

use crate::context::FileContext;
use crate::relation;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::schema::SchemaObject;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;

/// Flags a file that rebuilds an existing table without an index, key or trigger that it had.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-loses-index",
        "The migration rebuilds a table, and the new table lacks indexes, keys or triggers of the old one. The \
         database drops these objects together with the old table, without an error or warning. Queries may then \
         become slow, and the table accepts duplicates that a dropped key would reject. `CREATE TABLE ... AS SELECT` \
         copies no indexes, keys or triggers.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "after the new table is renamed, create the indexes, keys and triggers again",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[
        postgres(&[
            "CREATE TABLE p (id int PRIMARY KEY, a int UNIQUE);",
            "-- migrate: phase contract\nCREATE TABLE n (id int, a int); INSERT INTO n SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
            "CREATE TABLE n AS SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, coalesce(a, 0) FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE TRIGGER g AFTER UPDATE ON p BEGIN SELECT 1; END;",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a text); INSERT INTO p2 SELECT id, a FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY, a int, KEY k (a));",
            "-- migrate: phase contract\nCREATE TABLE p2 (id int PRIMARY KEY, a int); INSERT INTO p2 SELECT * FROM p; RENAME TABLE p TO p_old, p2 TO p;",
        ]),
    ],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE p (id int PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
            "-- migrate: phase contract\nCREATE TABLE n (LIKE p INCLUDING ALL); INSERT INTO n SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE TRIGGER g AFTER UPDATE ON p BEGIN SELECT 1; END;",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a text); INSERT INTO p2 SELECT id, a FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p; CREATE TRIGGER g AFTER UPDATE ON p BEGIN SELECT 1; END;",
        ]),
        mysql(&[
            "CREATE TABLE p (id int PRIMARY KEY, a int, KEY k (a));",
            "-- migrate: phase contract\nCREATE TABLE p2 LIKE p; INSERT INTO p2 SELECT * FROM p; RENAME TABLE p TO p_old, p2 TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, coalesce(a, 0) FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p; CREATE INDEX i ON p (a);",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int); CREATE INDEX i ON p (a);",
            "-- migrate: phase contract\nCREATE TABLE p2 (id integer PRIMARY KEY); INSERT INTO p2 SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
    ],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    for (key, before, after) in context.replaced() {
        // An index cannot exist without its columns. `AS SELECT` leaves the columns unknown.
        let possible = |columns: &[String]| after.from_query || columns.iter().all(|column| after.column(column).is_some());
        let has = |columns: &[String]| after.indexed().any(|indexed| indexed == columns);
        let indexes = before
            .indexes
            .iter()
            .filter(|index| !index.partial_or_expression && possible(&index.columns) && !has(&index.columns));
        let indexes = indexes.filter_map(|index| index.name.as_ref()).map(|name| format!("index `{name}`"));
        let keys = before.constraints.iter().filter_map(|constraint| match &constraint.kind {
            relation::ConstraintKind::Unique(columns) if possible(columns) && !has(columns) => {
                Some(format!("unique key on {}", columns.join(", ")))
            }
            relation::ConstraintKind::Primary(columns) if possible(columns) && after.primary().is_none() => {
                Some("primary key".to_owned())
            }
            _ => None,
        });
        let dropped = context.after.schema.changes_since(context.before).into_iter().filter_map(|change| match change.before {
            Some(SchemaObject::Trigger { table, .. }) if table == key => Some(change.name.name()),
            _ => None,
        });
        // The file may have created the trigger again on the new table.
        let is_recreated = |name: &str| context.after.schema.triggers(key).any(|(trigger, _)| trigger.name() == name);
        let triggers = dropped.filter(|name| !is_recreated(name)).map(|name| format!("trigger `{name}`"));
        let lost: Vec<String> = indexes.chain(keys).chain(triggers).collect();
        if !lost.is_empty() && (after.columns_known || after.from_query) {
            findings.add(RuleFinding::new(format!("`{key}` is rebuilt without {}", lost.join(", "))));
        }
    }
}
