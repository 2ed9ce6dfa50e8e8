//! The rule `sqlite-drop-referenced`.

use crate::context::{Age, StatementContext};
use crate::object_name::ObjectName;
use crate::rebuild;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// Flags `DROP TABLE` of a SQLite table whose rows other tables may reference, while foreign keys are on.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-drop-referenced",
        "`DROP TABLE` performs an implicit `DELETE FROM` while `foreign_keys` is on, and fails if a row of another \
         table references one of the deleted rows. If `defer_foreign_keys` is off, `DROP TABLE` fails immediately. \
         If `defer_foreign_keys` is on, the commit fails, even if another table with the same rows is renamed to the \
         old name before the commit. If the tables of a test database are empty, the test does not show the error.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "write `PRAGMA foreign_keys = OFF;` as the first statement of the file and `PRAGMA foreign_keys = ON;` as \
         the last, so that `cargo migrate` runs both outside the transaction; or first drop the tables that \
         reference the dropped table",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "CREATE TABLE n (id integer PRIMARY KEY, x text); INSERT INTO n (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "PRAGMA defer_foreign_keys = ON; CREATE TABLE n (id integer PRIMARY KEY, x text); INSERT INTO n (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "-- migrate: phase contract\nDROP TABLE p;",
        ]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "PRAGMA foreign_keys = OFF; CREATE TABLE n (id integer PRIMARY KEY, x text); INSERT INTO n (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p; PRAGMA foreign_keys = ON;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "PRAGMA defer_foreign_keys = ON; CREATE TEMP TABLE k AS SELECT * FROM p; DROP TABLE p; CREATE TABLE p (id integer PRIMARY KEY, x text); INSERT INTO p (id) SELECT id FROM k;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "-- migrate: phase contract\nDROP TABLE c; DROP TABLE p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "-- migrate: phase contract\nDROP TABLE p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY, parent integer REFERENCES p (id));",
            "-- migrate: phase contract\nDROP TABLE p;",
        ]),
    ],
    verification: Verification::Seen("a_referenced_table_cannot_be_dropped"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    if removal.kind != ObjectKind::Table || !context.foreign_keys_enforced {
        return;
    }
    for key in removal.names.iter().map(|name| context.schema.resolve(name)) {
        if context.relation(&key).is_none_or(|_| context.age(&key) < Age::Pending)
            || (context.is_pragma_on("defer_foreign_keys") && is_filled_again(context, &key))
        {
            continue;
        }
        let has_rows = |child: &ObjectName| {
            context.relation(child).is_some_and(|relation| relation.has_rows) || context.age(child) >= Age::Pending
        };
        let children = context.schema.children(&key).filter(|(child, _, cascades)| !cascades && has_rows(child));
        let children: Vec<String> = children.map(|(child, ..)| format!("`{child}`")).collect();
        if !children.is_empty() {
            let finding =
                RuleFinding::new(format!("dropping `{key}` fails if {} has a row that references it", children.join(" or ")));
            findings.add(if rebuild::is_rebuilt(context, &key) {
                finding
            } else {
                finding.fix("drop the tables that reference it first, or rebuild them without the foreign key")
            });
        }
    }
}

/// Whether a later statement inserts rows into a table with this name. SQLite then counts the deferred violations as resolved.
fn is_filled_again(context: &StatementContext<'_>, key: &ObjectName) -> bool {
    context.is_followed_by(
        &[key.name()],
        |syntax| matches!(syntax, Syntax::Insert(insert) if context.schema.resolve(&insert.table) == *key),
    )
}
