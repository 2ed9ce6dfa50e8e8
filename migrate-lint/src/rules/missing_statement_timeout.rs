//! The rule `missing-statement-timeout`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "missing-statement-timeout",
        "A statement that reads or writes a whole table under a lock ends when it is done, however long that takes. Where that \
         must not last, `statement_timeout` ends it (in this tool: `timeout` in `migrate.toml`, or `-- migrate: timeout 30s`).",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `-- migrate: timeout 30s` above the file's first statement, or `SET statement_timeout = '30s';` for other tools",
    optional: true,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (a int);", "CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "SET statement_timeout = 0; CREATE INDEX i ON t (a);"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (a int);", "SET statement_timeout = '30s'; CREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "-- migrate: timeout 30s\nCREATE INDEX i ON t (a);"]),
        postgres(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD COLUMN b int;"]),
        postgres(&["CREATE TABLE t (a int); CREATE INDEX i ON t (a);"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let limit = scene.statement_timeout.map(|limit| limit.trim_start_matches('0').trim());
    let long =
        |impact: &&crate::impact::Impact| impact.is_long() && impact.lock.stops_writers() && scene.is_deployed(&impact.table);
    if let Some(impact) = scene.impacts.iter().find(long).filter(|_| limit.is_none_or(str::is_empty)) {
        reports
            .add(Report::new(format!("nothing limits how long `{}` is kept from others", impact.table)).note(scene.said(impact)));
    }
}
