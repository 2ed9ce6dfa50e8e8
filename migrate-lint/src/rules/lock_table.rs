//! The rule `lock-table`.

use crate::impact::Cause;
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, mysql, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "lock-table",
        "`LOCK TABLE` stops others until the end of the transaction (on MySQL: until `UNLOCK TABLES`), whatever else \
         the migration does meanwhile.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "leave it out where the statements behind it take the locks that they need; or keep what stands behind it \
         short",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "LOCK TABLE t;"]),
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "LOCK TABLE t IN SHARE MODE;"]),
        mysql(&["CREATE TABLE t (a int);", "LOCK TABLES t WRITE; INSERT INTO t VALUES (1); UNLOCK TABLES;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "LOCK TABLE t IN ROW EXCLUSIVE MODE;"]),
        postgres(&["CREATE TABLE t (a int); LOCK TABLE t;"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    for impact in scene.impacts.iter().filter(|impact| impact.cause == Cause::LockTable && impact.lock.stops_writers()) {
        let until = match scene.server().dialect() {
            Dialect::MySql => "`UNLOCK TABLES`",
            Dialect::Postgres | Dialect::Sqlite => "the transaction ends",
        };
        reports.all.extend(scene.report(impact, format!("`{}` is locked until {until}", impact.table)));
    }
}
