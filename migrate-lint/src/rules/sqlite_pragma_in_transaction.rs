//! The rule `sqlite-pragma-in-transaction`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-pragma-in-transaction",
        "`PRAGMA foreign_keys` does nothing inside a transaction, without an error. (SQLite, PRAGMA foreign_keys)",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    fix: "move it before `BEGIN` or behind `COMMIT`; or leave `BEGIN` and `COMMIT` out: this tool then runs the \
         pragmas at the beginning and at the end outside the transaction",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
    flagged: &[sqlite(&["BEGIN; PRAGMA foreign_keys = OFF; CREATE TABLE t (a int); COMMIT;"])],
    not_flagged: &[
        sqlite(&["CREATE TABLE t (a int); PRAGMA foreign_keys = OFF; CREATE TABLE u (a int);"]),
        sqlite(&["PRAGMA foreign_keys = OFF; CREATE TABLE t (a int); PRAGMA foreign_keys = ON;"]),
        sqlite(&["CREATE TABLE t (a int);"]),
    ],
    verification: Verification::Seen("foreign_keys_stay_on_inside_a_transaction"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::Pragma { name, value: Some(_) } = context.syntax()
        && name == "foreign_keys"
        && context.parsed.in_transaction
    {
        findings.add(RuleFinding::new("inside a transaction this does nothing"));
    }
}
