//! The rule `sqlite-pragma-in-transaction`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, sqlite};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-pragma-in-transaction",
        "`PRAGMA foreign_keys` does nothing inside a transaction, without an error. (SQLite, PRAGMA foreign_keys)",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    instead: "move it before `BEGIN` or behind `COMMIT`; or leave `BEGIN` and `COMMIT` out: this tool then runs the \
         pragmas at the beginning and at the end outside the transaction",
    optional: false,
    down: true,
    check: Check::Statement(check),
    fires: &[sqlite(&["BEGIN; PRAGMA foreign_keys = OFF; CREATE TABLE t (a int); COMMIT;"])],
    silent: &[
        sqlite(&["CREATE TABLE t (a int); PRAGMA foreign_keys = OFF; CREATE TABLE u (a int);"]),
        sqlite(&["PRAGMA foreign_keys = OFF; CREATE TABLE t (a int); PRAGMA foreign_keys = ON;"]),
        sqlite(&["CREATE TABLE t (a int);"]),
    ],
    proof: Proof::Seen("foreign_keys_stay_on_inside_a_transaction"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if let Syntax::Pragma { name, value: Some(_) } = scene.syntax()
        && name == "foreign_keys"
        && scene.read.in_transaction
    {
        reports.add(Report::new("inside a transaction this does nothing"));
    }
}
