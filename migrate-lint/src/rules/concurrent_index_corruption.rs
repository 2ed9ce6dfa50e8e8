//! The rule `concurrent-index-corruption`.

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
        "concurrent-index-corruption",
        "PostgreSQL 14.0 to 14.3 can build an index concurrently that misses rows, without any error: queries that \
         use it then do not find what is there. 14.4 mended it. (Release notes of 14.4)",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres],
    instead: "update to PostgreSQL 14.4 or newer, then `REINDEX` what was built before; `amcheck` finds damaged ones",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[],
    silent: &[postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "CREATE INDEX CONCURRENTLY i ON t (a);"])],
    proof: Proof::Manual("PostgreSQL 14.4 release notes"),
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let builds = matches!(scene.syntax(), Syntax::CreateIndex(index) if index.concurrently)
        || matches!(scene.syntax(), Syntax::Reindex { concurrently: true, .. });
    if builds && scene.server().version.0 == 14 && scene.server().version.1 < 4 {
        reports.add(Report::new(format!("{} can build an index concurrently that misses rows", scene.server())));
    }
}
