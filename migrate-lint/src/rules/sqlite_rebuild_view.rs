//! The rule `sqlite-rebuild-view`.

use crate::context::StatementContext;
use crate::rebuild;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// Flags table rebuilds on SQLite of a table that a view, or a trigger on another table, uses.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-rebuild-view",
        "If a view, or a trigger on another table, uses a table, a rebuild of this table fails when the new table is \
         renamed. `ALTER TABLE ... RENAME TO` checks all views and triggers. At this point, the old table is already \
         dropped, so SQLite reports `error in view v: no such table`.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "drop the view or trigger before the rebuild, and create it again after the rename; or write `PRAGMA \
         legacy_alter_table = ON;` before the rebuild",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM p;",
            "CREATE TABLE n (id integer PRIMARY KEY); INSERT INTO n SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE log (id integer PRIMARY KEY, t text); CREATE TABLE posts (id integer PRIMARY KEY); CREATE TRIGGER g AFTER DELETE ON posts BEGIN INSERT INTO log (t) VALUES (old.id); END;",
            "CREATE TABLE n (id integer PRIMARY KEY, t text); INSERT INTO n SELECT * FROM log; DROP TABLE log; ALTER TABLE n RENAME TO log;",
        ]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE log (id integer PRIMARY KEY, t text); CREATE TABLE posts (id integer PRIMARY KEY); CREATE TRIGGER g AFTER DELETE ON posts BEGIN INSERT INTO log (t) VALUES (old.id); END;",
            "DROP TRIGGER g; CREATE TABLE n (id integer PRIMARY KEY, t text); INSERT INTO n SELECT * FROM log; DROP TABLE log; ALTER TABLE n RENAME TO log;",
        ]),
        sqlite(&[
            "CREATE TABLE log (id integer PRIMARY KEY, t text); CREATE TRIGGER g AFTER DELETE ON log BEGIN INSERT INTO log (t) VALUES (old.id); END;",
            "CREATE TABLE n (id integer PRIMARY KEY, t text); INSERT INTO n SELECT * FROM log; DROP TABLE log; ALTER TABLE n RENAME TO log; CREATE TRIGGER g AFTER DELETE ON log BEGIN INSERT INTO log (t) VALUES (old.id); END;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM p;",
            "DROP VIEW v; CREATE TABLE n (id integer PRIMARY KEY); INSERT INTO n SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p; CREATE VIEW v AS SELECT id FROM p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE VIEW v AS SELECT id FROM p;",
            "PRAGMA legacy_alter_table = ON; CREATE TABLE n (id integer PRIMARY KEY); INSERT INTO n SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    if removal.kind != ObjectKind::Table || context.is_pragma_on("legacy_alter_table") {
        return;
    }
    for key in removal.names.iter().map(|name| context.schema.resolve(name)) {
        let view = context.schema.views_reading(&key).next().map(|(view, _)| ("view", view));
        let user = view.or_else(|| Some(("trigger", context.schema.trigger_on(&key)?)));
        if let Some((kind, user)) = user.filter(|_| rebuild::becomes_table(context, &key)) {
            let message = format!("renaming the new table to `{key}` fails while {kind} `{user}` uses `{key}`");
            findings.add(RuleFinding::new(message));
        }
    }
}
