//! The rule `sqlite-rename-first`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, sqlite};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::{ActionKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-rename-first",
        "The old table is renamed and a new one made under its name. Since 3.26 SQLite changes the name in the \
         foreign keys, triggers and views of other tables too: they go on referring to the old table, and break when \
         it is dropped.",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    instead: "make the new table under another name first, fill it, drop the old one, and rename the new one",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[sqlite(&[
        "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
        "ALTER TABLE p RENAME TO p_old; CREATE TABLE p (id integer PRIMARY KEY, x text); INSERT INTO p (id) SELECT id FROM p_old; DROP TABLE p_old;",
    ])],
    silent: &[sqlite(&[
        "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
        "ALTER TABLE c RENAME TO c_old; CREATE TABLE c (p_id integer); INSERT INTO c SELECT p_id FROM c_old; DROP TABLE c_old;",
    ])],
    proof: Proof::Seen("references_follow_a_renamed_table"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for (table, action, range) in scene.actions() {
        if !matches!(action, ActionKind::Rename(_)) {
            continue;
        }
        let legacy = scene.earlier().iter().any(|read| matches!(&read.syntax, Syntax::Pragma { name, value: Some(value) } if name == "legacy_alter_table" && matches!(value.as_str(), "on" | "1" | "true" | "yes")));
        let again = !legacy && scene.follows(|syntax| matches!(syntax, Syntax::CreateTable(made) if made.name.as_ref().is_some_and(|name| scene.schema.key(name) == table)));
        let children = scene.schema.children(&table).map(|(child, ..)| format!("`{child}`"));
        let others: Vec<String> = children.chain(scene.schema.readers(&table).map(|(view, _)| format!("`{view}`"))).collect();
        if again && !others.is_empty() {
            reports.add(
                Report::new(format!("{} will refer to the renamed table, not to the new `{table}`", others.join(", "))).at(range),
            );
        }
    }
}
