//! The rule `sqlite-rename-first`.

use crate::context::StatementContext;
use crate::object_name::ObjectName;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings, list};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

/// Flags table rebuilds on SQLite that rename the old table before they create the new one, if others reference it.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-rename-first",
        "A table rebuild that begins with a rename of the old table breaks foreign keys and triggers of other \
         tables, and views that use the table. Since SQLite 3.26, the rename also changes the name of the table in \
         these objects. They therefore continue to reference the old table under its new name, and break when this \
         table is dropped. With `PRAGMA legacy_alter_table = ON;`, the rename does not change views and triggers, \
         and changes foreign keys only if `foreign_keys` is on. The rename is safe if no other object references the \
         table.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "create the new table under another name first, copy the rows, drop the old table, and rename the new table",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "ALTER TABLE p RENAME TO p_old; CREATE TABLE p (id integer PRIMARY KEY, x text); INSERT INTO p (id) SELECT id FROM p_old; DROP TABLE p_old;",
        ]),
        // The pragma alone does not help while foreign keys are enforced.
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "PRAGMA legacy_alter_table = ON; ALTER TABLE p RENAME TO p_old; CREATE TABLE p (id integer PRIMARY KEY, x text); INSERT INTO p (id) SELECT id FROM p_old; DROP TABLE p_old;",
        ]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON; ALTER TABLE p RENAME TO p_old; CREATE TABLE p (id integer PRIMARY KEY, x text); INSERT INTO p (id) SELECT id FROM p_old; DROP TABLE p_old;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "ALTER TABLE c RENAME TO c_old; CREATE TABLE c (p_id integer); INSERT INTO c SELECT p_id FROM c_old; DROP TABLE c_old;",
        ]),
    ],
    verification: Verification::Seen("references_follow_a_renamed_table"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        if !matches!(action, ActionKind::Rename(_)) {
            continue;
        }
        // `legacy_alter_table` leaves views as they are, and references only if foreign keys are not enforced.
        let is_legacy = context.is_pragma_on("legacy_alter_table");
        let children = context.schema.children(&table).filter(|_| !is_legacy || context.foreign_keys_enforced);
        let views = context.schema.views_reading(&table).filter(|_| !is_legacy);
        let children = children.map(|(child, ..)| format!("`{child}`"));
        let dependents: Vec<String> = children.chain(views.map(|(view, _)| format!("`{view}`"))).collect();
        if !dependents.is_empty() && is_created_later(context, &table) {
            let message =
                format!("after the rename, {} will reference the renamed table, not the new `{table}`", list(&dependents));
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}

fn is_created_later(context: &StatementContext<'_>, table: &ObjectName) -> bool {
    context.is_followed_by(&["CREATE", table.name()], |syntax| match syntax {
        Syntax::CreateTable(create) => create.name.as_ref().is_some_and(|name| context.schema.resolve(name) == *table),
        _ => false,
    })
}
