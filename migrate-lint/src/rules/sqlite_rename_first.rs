//! The rule `sqlite-rename-first`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ActionKind, Syntax};

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
    fix: "make the new table under another name first, fill it, drop the old one, and rename the new one",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[sqlite(&[
        "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
        "ALTER TABLE p RENAME TO p_old; CREATE TABLE p (id integer PRIMARY KEY, x text); INSERT INTO p (id) SELECT id FROM p_old; DROP TABLE p_old;",
    ])],
    not_flagged: &[sqlite(&[
        "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
        "ALTER TABLE c RENAME TO c_old; CREATE TABLE c (p_id integer); INSERT INTO c SELECT p_id FROM c_old; DROP TABLE c_old;",
    ])],
    verification: Verification::Seen("references_follow_a_renamed_table"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        if !matches!(action, ActionKind::Rename(_)) {
            continue;
        }
        let legacy = context.earlier_statements().iter().any(|read| matches!(&read.syntax, Syntax::Pragma { name, value: Some(value) } if name == "legacy_alter_table" && matches!(value.as_str(), "on" | "1" | "true" | "yes")));
        let again = !legacy && context.is_followed_by(|syntax| matches!(syntax, Syntax::CreateTable(made) if made.name.as_ref().is_some_and(|name| context.schema.resolve(name) == table)));
        let children = context.schema.children(&table).map(|(child, ..)| format!("`{child}`"));
        let others: Vec<String> =
            children.chain(context.schema.views_reading(&table).map(|(view, _)| format!("`{view}`"))).collect();
        if again && !others.is_empty() {
            findings.add(
                RuleFinding::new(format!("{} will refer to the renamed table, not to the new `{table}`", others.join(", ")))
                    .at(range),
            );
        }
    }
}
