//! The rule `missing-lock-timeout`.

use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "missing-lock-timeout",
        "A statement that waits for a strong lock makes every later query wait behind it. Runners that set no \
         `lock_timeout` let that last as long as the longest transaction. This tool sets one for every such \
         statement, so the rule is only for files that other tools run too.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "write `SET lock_timeout = '2s';` before it",
    optional: true,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "ALTER TABLE t ADD COLUMN c int;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SET lock_timeout = 0; ALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SET lock_timeout = '2s'; RESET lock_timeout; ALTER TABLE t ADD COLUMN c int;",
        ]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SET lock_timeout = '2s'; ALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "SELECT set_config('lock_timeout', '2s', true); ALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&["CREATE TABLE t (a int);"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    let set = scene.lock_timeout.is_some_and(|limit| !limit.trim_start_matches('0').trim().is_empty());
    let strong = scene.impacts.iter().find(|impact| impact.lock.stops_writers() && scene.is_deployed(&impact.table));
    if let Some(impact) = strong.filter(|_| !set) {
        reports.add(
            Report::new(format!("nothing limits how long this waits for its lock on `{}`", impact.table))
                .note(scene.said(impact)),
        );
    }
}
