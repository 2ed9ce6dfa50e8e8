//! The rule `rebuild-loses-rows`.

use crate::context::FileContext;
use crate::object_name::ObjectName;
use crate::relation::Relation;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, CreateTable, Insert, Syntax};

/// Flags a file that replaces an existing table without copying all of its rows.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-loses-rows",
        "An existing table is replaced by a new table that receives only some of its rows, or none of them. The \
         other rows are lost when the old table is dropped. In a contract migration (`-- migrate: phase contract`), \
         this is not flagged.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "before the old table is dropped, copy all rows with `INSERT INTO new SELECT ... FROM old`",
    opt_in: false,
    down: false,
    check: RuleCheck::File(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY);",
            "CREATE TABLE p2 (id integer PRIMARY KEY); DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        postgres(&["CREATE TABLE t (id int);", "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (id int);"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n AS SELECT * FROM p WHERE a > 0; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n (id integer PRIMARY KEY, a int); INSERT INTO n SELECT * FROM p LIMIT 10; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE OR REPLACE TABLE t (id int);"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, a FROM p WHERE a IS NOT NULL; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY);",
            "CREATE TABLE p2 (id integer PRIMARY KEY); INSERT INTO p2 SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        postgres(&[
            "CREATE TABLE m (id bigint NOT NULL);",
            "ALTER TABLE m RENAME TO m_old; CREATE TABLE m (id bigint NOT NULL) PARTITION BY RANGE (id); ALTER TABLE m ATTACH PARTITION m_old DEFAULT;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE TABLE n LIKE t; RENAME TABLE t TO t_2025, n TO t;"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n AS SELECT * FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, a FROM p WHERE a IS NOT NULL; INSERT INTO p2 SELECT id, 0 FROM p WHERE a IS NULL; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "DELETE FROM p WHERE a IS NULL; CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, a FROM p WHERE a IS NOT NULL; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE TABLE IF NOT EXISTS t (id int);"]),
        postgres(&["CREATE TABLE t (id int);", "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT * FROM u;"]),
    ],
    verification: Verification::Files,
};

fn check(context: &FileContext<'_>, findings: &mut RuleFindings) {
    if context.file.is_contract() {
        return;
    }
    for (key, before, after) in context.replaced() {
        if !before.columns_known {
            continue;
        }
        if !after.has_rows && !is_dropped(context, key) && !is_swapped(context, key) {
            match kept_as(context, key) {
                Some(kept) if is_part(context, &kept, key) => {}
                Some(kept) => {
                    let message = format!("`{key}` is empty after this migration: its rows remain in `{kept}`");
                    findings.add(RuleFinding::new(message).at_most(Level::Warning));
                }
                None => {
                    findings.add(RuleFinding::new(format!("`{key}` is rebuilt, and its rows are not copied to the new table")))
                }
            }
        }
        if copies_some(context, key, after) {
            let message = format!("`{key}` is rebuilt, and only the rows that match a condition are copied to the new table");
            findings.add(RuleFinding::new(message).at_most(Level::Warning));
        }
    }
}

/// Is the table dropped and created again under its name? `drop-table` reports that.
fn is_dropped(context: &FileContext<'_>, key: &ObjectName) -> bool {
    let schema = &context.after.schema;
    let drops = context.statements_with(&["DROP", key.name()]).any(|statement| match &statement.syntax {
        Syntax::Drop(removal) => removal.names.iter().any(|name| schema.resolve(name) == *key),
        _ => false,
    });
    drops && schema.relation(key).is_none_or(|relation| relation.renamed.is_none())
}

/// Does one `RENAME TABLE` rename the old table and give its name to the new one (MySQL)? The old table keeps its rows.
fn is_swapped(context: &FileContext<'_>, key: &ObjectName) -> bool {
    let schema = &context.after.schema;
    context.statements_with(&["RENAME", key.name()]).any(|statement| match &statement.syntax {
        Syntax::RenameTables(renames) => {
            renames.iter().any(|(from, to)| schema.resolve(from) == *key && schema.relation(&schema.resolve(to)).is_some())
        }
        _ => false,
    })
}

/// The new name of the old table, if the file renames it and it still exists.
fn kept_as(context: &FileContext<'_>, key: &ObjectName) -> Option<ObjectName> {
    let schema = &context.after.schema;
    let alters = context.statements_with(&["RENAME", key.name()]).filter_map(|statement| match &statement.syntax {
        Syntax::AlterTable(alter) if schema.resolve(&alter.table) == *key => Some(alter),
        _ => None,
    });
    let mut names = alters.flat_map(|alter| &alter.actions).filter_map(|action| match &action.kind {
        ActionKind::Rename(to) => Some(schema.in_same_schema(key, &to.name)),
        _ => None,
    });
    names.find(|name| schema.relation(name).is_some())
}

/// Does a table become a partition or an inheritance child of another, so that queries on the other still return its rows?
fn is_part(context: &FileContext<'_>, part: &ObjectName, whole: &ObjectName) -> bool {
    let schema = &context.after.schema;
    context.statements_with(&[part.name(), whole.name()]).any(|statement| match &statement.syntax {
        Syntax::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            ActionKind::Inherit(parent) => schema.resolve(&alter.table) == *part && schema.resolve(parent) == *whole,
            ActionKind::Attach { partition, .. } => schema.resolve(partition) == *part && schema.resolve(&alter.table) == *whole,
            _ => false,
        }),
        _ => false,
    })
}

/// Does one query with a condition or limit fill the new table, while no statement updates or deletes rows of the old one?
fn copies_some(context: &FileContext<'_>, key: &ObjectName, after: &Relation) -> bool {
    let schema = &context.after.schema;
    let fills_new = |insert: &&Insert| context.takes_place(&insert.table, key, after);
    let mut inserts = context.statements_about(key, after).filter_map(|statement| match &statement.syntax {
        Syntax::Insert(insert) => Some(insert),
        _ => None,
    });
    let creates_filtered =
        |table: &CreateTable| table.filtered && table.name.as_ref().is_some_and(|name| context.takes_place(name, key, after));
    let is_created_filtered = context
        .statements_about(key, after)
        .any(|statement| matches!(&statement.syntax, Syntax::CreateTable(table) if creates_filtered(table)));
    let first = inserts.by_ref().find(fills_new);
    let changes_old_rows = context.statements_with(&[key.name()]).any(|statement| match &statement.syntax {
        Syntax::Update(change) | Syntax::Delete(change) => schema.resolve(&change.table) == *key,
        _ => false,
    });
    let copies_some = match first {
        Some(insert) => (insert.filtered || insert.limited) && insert.reads_table && !inserts.any(|insert| fills_new(&insert)),
        None => is_created_filtered,
    };
    copies_some && !changes_old_rows
}
