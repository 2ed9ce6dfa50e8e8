//! The rule `held-lock-then-work`.

use crate::impact::{Cause, Lock};
use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "held-lock-then-work",
        "A lock is held to the end of its transaction. Behind a statement that took ACCESS EXCLUSIVE on a table in \
         use, another one that reads, writes or builds something large makes all users of the first table wait for \
         it.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    instead: "divide the file: what is slow into a migration of its own, what locks behind it",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int); ALTER TABLE u ADD CONSTRAINT k CHECK (id > 0) NOT VALID;",
            "ALTER TABLE t ADD COLUMN c int;\nALTER TABLE u VALIDATE CONSTRAINT k;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE MATERIALIZED VIEW m AS SELECT 1 AS x;",
            "ALTER TABLE t ADD COLUMN c int;\nREFRESH MATERIALIZED VIEW m;",
        ]),
    ],
    silent: &[
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);",
            "ALTER TABLE t ADD COLUMN c int; ALTER TABLE t ADD COLUMN d int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int);",
            "ALTER TABLE u ADD CONSTRAINT k CHECK (id > 0);\nALTER TABLE t ADD COLUMN c int;",
        ]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (id int);",
            "-- migrate: no-transaction\nALTER TABLE t ADD COLUMN c int;\nALTER TABLE u ADD CONSTRAINT k CHECK (id > 0);",
        ]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    // What stops others by itself is told of where it is, and goes elsewhere by that.
    let slow = |cause: &Cause| matches!(cause, Cause::Validate | Cause::Refresh | Cause::RefreshConcurrent | Cause::AttachScan);
    let long = scene.impacts.iter().find(|impact| impact.is_long() && slow(&impact.cause) && scene.is_deployed(&impact.table));
    let Some(long) = long else { return };
    // That its own table is locked is said where it is said what is done to it.
    let held = scene
        .held
        .iter()
        .filter(|held| held.lock == Lock::AccessExclusive && held.table != long.table && held.since != scene.read.statement);
    if let Some(held) = held.into_iter().find(|held| scene.is_deployed(&held.table)) {
        let since = scene.file.script.statements[held.since].line;
        let message = format!("`{}`, locked since line {since}, stays locked {}", held.table, long.work());
        reports.add(Report::new(message).note(scene.said(long)));
    }
}
