//! The rule `concurrent-if-not-exists`.

use crate::context::StatementContext;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "concurrent-if-not-exists",
        "A concurrent build that failed leaves an INVALID index behind: it takes its share of every write and is \
         never read. `IF NOT EXISTS` sees only the name, so a second try skips the build and findings success. This \
         tool looks after an index that its own run left invalid; one that was left by a run by hand, or by another \
         tool, stays as it is.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "write `DROP INDEX CONCURRENTLY IF EXISTS i` in the migration before, and leave `IF NOT EXISTS` out",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
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
    // Dropped before, here or in the migration before this one.
    let drops = |syntax: &Syntax| matches!(syntax, Syntax::Drop(removal) if removal.names.iter().any(|dropped| dropped.name == name.name));
    let before = context.earlier_statements().iter().any(|read| drops(&read.syntax));
    if !before && !context.file.dropped_just_before(&name.name) {
        findings.add(RuleFinding::new(format!(
            "if an earlier build of `{name}` failed, its invalid index stays and this does nothing"
        )));
    }
}
