//! The rule `sqlite-rebuild-cascade`.

use crate::context::StatementContext;
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
        "sqlite-rebuild-cascade",
        "A table is made anew: a new one is filled, the old one dropped, the new one given its name. `DROP TABLE` \
         first deletes the rows, as far as foreign keys are concerned: with `foreign_keys` on, every row of a table \
         that refers to it `ON DELETE CASCADE` is deleted (and SET NULL is set). Inside a transaction `PRAGMA \
         foreign_keys = OFF` does nothing, and `defer_foreign_keys` does not help.",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    fix: "write `PRAGMA foreign_keys = OFF;` as the first statement and `PRAGMA foreign_keys = ON;` as the last: this \
         tool runs both outside the transaction",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
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
        let victims = context.schema.children(&key).filter(|(_, _, cascades)| *cascades).map(|(child, ..)| format!("`{child}`"));
        let victims: Vec<String> = victims.collect();
        if !victims.is_empty() {
            let finding = RuleFinding::new(format!(
                "dropping `{key}` deletes or changes the rows of {} that refer to it",
                victims.join(", ")
            ));
            // What refers to a table that is not there cannot be changed any more.
            findings.add(match rebuild::is_rebuilt(context, &key) {
                true => finding,
                false => finding.fix("first drop the tables that refer to it, or make them anew without the foreign key"),
            });
        }
    }
}
