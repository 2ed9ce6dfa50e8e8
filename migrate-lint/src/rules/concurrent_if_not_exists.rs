//! The rule `concurrent-if-not-exists`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::Syntax;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "concurrent-if-not-exists",
        "A concurrent build that failed leaves an INVALID index behind: it takes its share of every write and is \
         never read. `IF NOT EXISTS` sees only the name, so a second try skips the build and reports success. This \
         tool looks after an index that its own run left invalid; one that was left by a run by hand, or by another \
         tool, stays as it is.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `DROP INDEX CONCURRENTLY IF EXISTS i` in the migration before, and leave `IF NOT EXISTS` out",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[postgres(&[
        "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);",
    ])],
    silent: &[
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
    proof: Proof::Seen("an_invalid_index_is_skipped"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let Syntax::CreateIndex(index) = scene.syntax() else { return };
    let Some(name) = index.name.as_ref().filter(|_| index.concurrently && index.if_not_exists) else { return };
    // Dropped before, here or in the migration before this one.
    let drops = |syntax: &Syntax| matches!(syntax, Syntax::Drop(removal) if removal.names.iter().any(|dropped| dropped.name == name.name));
    let before = scene.earlier().iter().any(|read| drops(&read.syntax));
    if !before && !scene.file.dropped_just_before(&name.name) {
        reports
            .add(Report::new(format!("if an earlier build of `{name}` failed, its invalid index stays and this does nothing")));
    }
}
