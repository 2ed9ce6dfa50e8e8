//! The rule `rebuild-loses-rows`.

use crate::context::FileContext;
use crate::object_name::ObjectName;
use crate::relation::Relation;
use crate::rule::{Check, Rule, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, CreateTable, Insert, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "rebuild-loses-rows",
        "A table in use is replaced by a new one, and nothing puts rows into that, or only some of them: the others are gone \
         for good.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql, Dialect::Sqlite],
    fix: "copy the rows: `INSERT INTO new SELECT ... FROM old`, before the old table is dropped",
    opt_in: false,
    down: false,
    check: Check::File(check),
    flagged: &[
        postgres(&["CREATE TABLE t (id int);", "ALTER TABLE t RENAME TO t_old; CREATE TABLE t (id int);"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n AS SELECT * FROM p WHERE a > 0; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE n (id integer PRIMARY KEY, a int); INSERT INTO n SELECT * FROM p LIMIT 10; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY);",
            "CREATE TABLE p2 (id integer PRIMARY KEY); DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
        mysql(&["CREATE TABLE t (id int);", "CREATE OR REPLACE TABLE t (id int);"]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, a int);",
            "CREATE TABLE p2 (id integer PRIMARY KEY, a int NOT NULL); INSERT INTO p2 SELECT id, a FROM p WHERE a IS NOT NULL; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
        ]),
    ],
    not_flagged: &[
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
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY);",
            "CREATE TABLE p2 (id integer PRIMARY KEY); INSERT INTO p2 SELECT id FROM p; DROP TABLE p; ALTER TABLE p2 RENAME TO p;",
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
    // That a table is dropped and made again is told of where it is dropped.
    let dropped = |key: &ObjectName| {
        let drops = context.file.statements.iter().any(|read| matches!(&read.syntax, Syntax::Drop(removal) if removal.names.iter().any(|name| context.after.schema.resolve(name) == *key)));
        let renamed = context.after.schema.relation(key).is_some_and(|relation| relation.renamed.is_some());
        drops && !renamed
    };
    for (key, before, after) in context.replaced() {
        if before.columns_known && !after.has_rows && !dropped(key) && !is_swapped(context, key) {
            match kept_as(context, key) {
                Some(kept) if is_part(context, &kept, key) => {}
                Some(kept) => findings.add(
                    RuleFinding::new(format!("`{key}` is empty from now on: its rows stay in `{kept}`")).at_most(Level::Warning),
                ),
                None => {
                    findings.add(RuleFinding::new(format!("`{key}` is made anew, and its rows are not put into the new one")))
                }
            }
        }
        if before.columns_known && copies_some(context, key, after) {
            let message =
                format!("`{key}` is made anew, and only those of its rows that fit a condition are put into the new one");
            findings.add(RuleFinding::new(message).at_most(Level::Warning));
        }
    }
}

/// Does another table take the place of the old one in one statement, which keeps it under another name (MySQL)?
fn is_swapped(context: &FileContext<'_>, key: &ObjectName) -> bool {
    let schema = &context.after.schema;
    context.file.statements.iter().any(|read| match &read.syntax {
        Syntax::RenameTables(renames) => {
            renames.iter().any(|(from, to)| schema.resolve(from) == *key && schema.relation(&schema.resolve(to)).is_some())
        }
        _ => false,
    })
}

/// The name under which the old table is still there.
fn kept_as(context: &FileContext<'_>, key: &ObjectName) -> Option<ObjectName> {
    let schema = &context.after.schema;
    let alters = context.file.statements.iter().filter_map(|read| match &read.syntax {
        Syntax::AlterTable(alter) if schema.resolve(&alter.table) == *key => Some(alter),
        _ => None,
    });
    let mut names = alters.flat_map(|alter| &alter.actions).filter_map(|action| match &action.kind {
        ActionKind::Rename(to) => Some(schema.in_same_schema(key, &to.name)),
        _ => None,
    });
    names.find(|name| schema.relation(name).is_some())
}

/// Are the rows of a table seen through another, as one of its parts?
fn is_part(context: &FileContext<'_>, part: &ObjectName, of: &ObjectName) -> bool {
    let schema = &context.after.schema;
    context.file.statements.iter().any(|read| match &read.syntax {
        Syntax::AlterTable(alter) => alter.actions.iter().any(|action| match &action.kind {
            ActionKind::Inherit(parent) => schema.resolve(&alter.table) == *part && schema.resolve(parent) == *of,
            ActionKind::Attach { partition, .. } => schema.resolve(partition) == *part && schema.resolve(&alter.table) == *of,
            _ => false,
        }),
        _ => false,
    })
}

/// Is the new table filled by one query alone, which leaves rows out, and are those not deleted or mended before?
fn copies_some(context: &FileContext<'_>, key: &ObjectName, after: &Relation) -> bool {
    let schema = &context.after.schema;
    let into = |insert: &&Insert| context.takes_place(&insert.table, key, after);
    let mut copies = context.file.statements.iter().filter_map(|read| match &read.syntax {
        Syntax::Insert(insert) => Some(insert),
        _ => None,
    });
    let picked =
        |table: &CreateTable| table.filtered && table.name.as_ref().is_some_and(|name| context.takes_place(name, key, after));
    let query = context.file.statements.iter().any(|read| matches!(&read.syntax, Syntax::CreateTable(table) if picked(table)));
    let first = copies.by_ref().find(into);
    let minded = context.file.statements.iter().any(
        |read| matches!(&read.syntax, Syntax::Update(change) | Syntax::Delete(change) if schema.resolve(&change.table) == *key),
    );
    let some = match first {
        Some(insert) => (insert.filtered || insert.limited) && insert.reads_table && !copies.any(|insert| into(&insert)),
        None => query,
    };
    some && !minded
}
