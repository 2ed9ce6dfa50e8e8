//! The rule `concurrent-index-corruption`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags a concurrent index build on PostgreSQL 14.0 to 14.3.
pub static RULE: Rule = Rule {
    code: Code::new(
        "concurrent-index-corruption",
        "PostgreSQL 14.0 to 14.3 can, without an error, omit rows from an index that is built concurrently. Queries \
         that use the index then return incomplete results. PostgreSQL 14.4 fixes the bug (see its release notes). \
         This rule flags a concurrent build only if `server` in `migrate.toml` specifies one of these versions, such \
         as `postgres 14.3`. If `server` has no minor version, as in `postgres 14`, the rule reports nothing.",
    ),
    level: Level::Error,
    on: &[Product::Postgres],
    fix: "upgrade to PostgreSQL 14.4 or later; then rebuild, with `REINDEX`, the indexes that were built \
         concurrently before the upgrade; the extension `amcheck` detects damaged indexes",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[],
    not_flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "-- in migrate.toml: server = \"postgres 14.4\"\nCREATE INDEX CONCURRENTLY i ON t (a);",
    ])],
    verification: Verification::Manual("PostgreSQL 14.4 release notes"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let builds = matches!(context.syntax(), Syntax::CreateIndex(index) if index.concurrently)
        || matches!(context.syntax(), Syntax::Reindex { concurrently: true, .. });
    if builds && context.server().version.0 == 14 && context.server().version.1 < 4 {
        findings.add(RuleFinding::new(format!("{} can omit rows from an index that is built concurrently", context.server())));
    }
}
