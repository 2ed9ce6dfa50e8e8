//! The rule `sqlite-drop-referenced`.

use crate::context::{Age, StatementContext};
use crate::object_name::ObjectName;
use crate::rebuild;
use crate::rule::{Check, Rule, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-drop-referenced",
        "`DROP TABLE` first deletes the rows, as far as foreign keys are concerned. With `foreign_keys` on, it fails as soon as \
         a row of another table refers to one of them: at once, or with `defer_foreign_keys` at the end of the transaction, \
         even if a table of the same name and with the same rows is there by then. On an empty database nothing is seen of it.",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    fix: "write `PRAGMA foreign_keys = OFF;` as the first statement and `PRAGMA foreign_keys = ON;` as the last: this \
         tool runs both outside the transaction; or drop the tables that refer to it first",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
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
    verification: Verification::Seen("a_table_that_others_refer_to_is_not_dropped"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    if removal.kind != ObjectKind::Table || !context.foreign_keys_enforced {
        return;
    }
    for key in removal.names.iter().map(|name| context.schema.resolve(name)) {
        if context.relation(&key).is_none_or(|_| context.age(&key) < Age::Pending)
            || (is_deferred(context) && is_filled_again(context, &key))
        {
            continue;
        }
        let has_rows =
            |child: &ObjectName| context.relation(child).is_some_and(|own| own.has_rows) || context.age(child) >= Age::Pending;
        let children = context.schema.children(&key).filter(|(child, _, cascades)| !cascades && has_rows(child));
        let children: Vec<String> = children.map(|(child, ..)| format!("`{child}`")).collect();
        if !children.is_empty() {
            let finding =
                RuleFinding::new(format!("dropping `{key}` fails as soon as {} refers to a row of it", children.join(" or ")));
            findings.add(match rebuild::is_rebuilt(context, &key) {
                true => finding,
                false => finding.fix("first drop the tables that refer to it, or make them anew without the foreign key"),
            });
        }
    }
}

fn is_deferred(context: &StatementContext<'_>) -> bool {
    let on = |value: &str| matches!(value, "on" | "1" | "true" | "yes");
    context.earlier_statements().iter().any(
        |read| matches!(&read.syntax, Syntax::Pragma { name, value: Some(value) } if name == "defer_foreign_keys" && on(value)),
    )
}

/// Is a table of this name made later in the file, and rows put into it then?
fn is_filled_again(context: &StatementContext<'_>, key: &ObjectName) -> bool {
    context.is_followed_by(|syntax| matches!(syntax, Syntax::Insert(insert) if context.schema.resolve(&insert.table) == *key))
}
