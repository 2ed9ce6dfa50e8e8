//! The rule `sqlite-rebuild-cascade`.

use crate::context::StatementContext;
use crate::rebuild;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::{ObjectKind, Syntax};

/// Flags `DROP TABLE` of a SQLite table that is referenced with `ON DELETE CASCADE` or `SET NULL` while foreign keys are on.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-rebuild-cascade",
        "Dropping a table deletes the rows of other tables that reference it with `ON DELETE CASCADE`. In rows that \
         reference the table with `ON DELETE SET NULL`, the referencing columns become NULL. The reason is that \
         `DROP TABLE` performs an implicit `DELETE FROM` while `foreign_keys` is on. A table rebuild has the same \
         effect: it creates a new table, copies the rows, drops the old table and renames the new one. Inside a \
         transaction, `PRAGMA foreign_keys = OFF` has no effect, and `defer_foreign_keys` does not prevent the \
         deletion.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "write `PRAGMA foreign_keys = OFF;` as the first statement of the file and `PRAGMA foreign_keys = ON;` as \
         the last, so that `cargo migrate` runs both outside the transaction",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "CREATE TABLE new_p (id integer PRIMARY KEY, x text); INSERT INTO new_p (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE new_p RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "PRAGMA defer_foreign_keys = ON; CREATE TABLE p_new (id integer PRIMARY KEY); INSERT INTO p_new SELECT id FROM p; DROP TABLE p; ALTER TABLE p_new RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "BEGIN; PRAGMA foreign_keys = OFF; CREATE TABLE p_new (id integer PRIMARY KEY); INSERT INTO p_new SELECT id FROM p; DROP TABLE p; ALTER TABLE p_new RENAME TO p; COMMIT;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "-- migrate: phase contract\nDROP TABLE p;",
        ]),
    ],
    not_flagged: &[
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "PRAGMA foreign_keys = OFF; CREATE TABLE new_p (id integer PRIMARY KEY, x text); INSERT INTO new_p (id) SELECT id FROM p; DROP TABLE p; ALTER TABLE new_p RENAME TO p; PRAGMA foreign_keys = ON;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id));",
            "CREATE TABLE n (id integer PRIMARY KEY); INSERT INTO n SELECT id FROM p; DROP TABLE p; ALTER TABLE n RENAME TO p;",
        ]),
        sqlite(&[
            "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (p_id integer REFERENCES p (id) ON DELETE CASCADE);",
            "CREATE TABLE n (p_id integer); INSERT INTO n SELECT p_id FROM c; DROP TABLE c; ALTER TABLE n RENAME TO c;",
        ]),
    ],
    verification: Verification::Seen("a_rebuild_deletes_the_rows_of_children"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::Drop(removal) = context.syntax() else { return };
    if removal.kind != ObjectKind::Table || !context.foreign_keys_enforced {
        return;
    }
    for key in removal.names.iter().map(|name| context.schema.resolve(name)) {
        let children = context.schema.children(&key).filter(|(_, _, cascades)| *cascades).map(|(child, ..)| format!("`{child}`"));
        let children: Vec<String> = children.collect();
        if !children.is_empty() {
            let finding = RuleFinding::new(format!(
                "dropping `{key}` deletes or changes the rows of {} that reference it",
                children.join(", ")
            ));
            // After a drop without a rebuild, writes to a table with a foreign key to the missing table fail.
            findings.add(if rebuild::is_rebuilt(context, &key) {
                finding
            } else {
                finding.fix("drop the tables that reference it first, or rebuild them without the foreign key")
            });
        }
    }
}
