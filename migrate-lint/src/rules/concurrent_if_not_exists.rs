//! The rule `concurrent-if-not-exists`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// Flags `CREATE INDEX CONCURRENTLY IF NOT EXISTS` without a preceding `DROP INDEX`.
pub static RULE: Rule = Rule {
    code: Code::new(
        "concurrent-if-not-exists",
        "A concurrent index build that fails leaves an INVALID index, which every write maintains and no query uses. \
         `IF NOT EXISTS` checks only the name of the index, so when the statement runs again, it skips the build and \
         reports success. `cargo migrate` rebuilds an invalid index if one of its own runs left it. It does not \
         rebuild an invalid index that a manual build or another tool left.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "write `DROP INDEX CONCURRENTLY IF EXISTS i` in the migration before this one, and omit `IF NOT EXISTS`",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);",
    ])],
    not_flagged: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE INDEX CONCURRENTLY i ON t (a);"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "DROP INDEX CONCURRENTLY IF EXISTS i;\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "DROP INDEX CONCURRENTLY IF EXISTS i;",
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);",
        ]),
    ],
    verification: Verification::Seen("an_invalid_index_is_skipped"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let Syntax::CreateIndex(index) = context.syntax() else { return };
    let Some(name) = index.name.as_ref().filter(|_| index.concurrently && index.if_not_exists) else { return };
    // An earlier statement of this file, or the preceding migration, may drop the index.
    let drops = |syntax: &Syntax| matches!(syntax, Syntax::Drop(removal) if removal.names.iter().any(|dropped| dropped.name == name.name));
    let dropped_here = context.executed_statements(&["DROP", &name.name]).any(|statement| drops(&statement.syntax));
    if !dropped_here && !context.file.dropped_just_before(&name.name) {
        findings.add(RuleFinding::new(format!(
            "if an earlier build of index `{name}` failed, the index stays invalid, and this statement does nothing"
        )));
    }
}
