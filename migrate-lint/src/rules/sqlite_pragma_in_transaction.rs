//! The rule `sqlite-pragma-in-transaction`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `PRAGMA foreign_keys` inside a transaction.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-pragma-in-transaction",
        "`PRAGMA foreign_keys` has no effect inside a transaction, and SQLite reports no error. A table rebuild that \
         relies on `PRAGMA foreign_keys = OFF` then fails, or deletes rows of the tables that reference the rebuilt \
         table. See `PRAGMA foreign_keys` in the SQLite documentation.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "move the pragma before `BEGIN` or after `COMMIT`; or remove `BEGIN` and `COMMIT`, and put the pragma at \
         the start or at the end of the file, so that `cargo migrate` runs it outside the transaction",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[sqlite(&["BEGIN; PRAGMA foreign_keys = OFF; CREATE TABLE t (a int); COMMIT;"])],
    not_flagged: &[
        sqlite(&["PRAGMA foreign_keys = OFF; CREATE TABLE t (a int); PRAGMA foreign_keys = ON;"]),
        sqlite(&["CREATE TABLE t (a int); PRAGMA foreign_keys = OFF; CREATE TABLE u (a int);"]),
        sqlite(&["CREATE TABLE t (a int);"]),
    ],
    verification: Verification::Seen("foreign_keys_stay_on_inside_a_transaction"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::Pragma { name, value: Some(_) } = context.syntax()
        && name == "foreign_keys"
        && context.parsed.in_transaction
    {
        findings.add(RuleFinding::new("`PRAGMA foreign_keys` has no effect inside a transaction"));
    }
}
