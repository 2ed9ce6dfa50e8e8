//! The rule `update-limit`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `UPDATE ... LIMIT` and `DELETE ... LIMIT` on PostgreSQL and SQLite.
pub static RULE: Rule = Rule {
    code: Code::new(
        "update-limit",
        "`UPDATE ... LIMIT` and `DELETE ... LIMIT` are MySQL extensions, which PostgreSQL and most builds of SQLite \
         reject with a syntax error. SQLite accepts them only if it was compiled with \
         SQLITE_ENABLE_UPDATE_DELETE_LIMIT. On many systems, the command-line client `sqlite3` was compiled with \
         this option, but the SQLite library that the Rust crate `sqlx` bundles was not. The statement then works in \
         the client and fails in the application.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::Sqlite],
    fix: "write `... WHERE id IN (SELECT id FROM t WHERE ... LIMIT 1000)`",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREATE TABLE t (a int);", "DELETE FROM t WHERE a = 1 LIMIT 10;"]),
        sqlite(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1 WHERE a = 2 LIMIT 10;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int, id int);", "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE a = 1 LIMIT 10);"]),
        postgres(&["CREATE TABLE t (a int);", "UPDATE t SET a = 1 WHERE a = 2;"]),
    ],
    verification: Verification::Refused,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if let Syntax::Update(change) | Syntax::Delete(change) = context.syntax()
        && let Some(limit) = &change.limit
    {
        findings
            .add(RuleFinding::new(format!("{} does not support `LIMIT` in `UPDATE` and `DELETE`", context.server())).at(limit));
    }
}
