//! The rule `mysql-rebuilds-table`.

use crate::impact::{Algorithm, Cause, Impact};
use crate::report::Reports;
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-rebuilds-table",
        "The table is made anew in place. Others read and write meanwhile, but it takes as long as the table is \
         large, needs as much room again, and replicas do it after the primary, lagging as long.",
    ),
    level: Level::Note,
    on: &[Dialect::MySql],
    instead: "do it in a time of little traffic",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ENGINE = InnoDB;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t MODIFY a int NOT NULL;"]),
    ],
    silent: &[mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD z int;"])],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    // What the server refuses is not done.
    if scene.refused_algorithm().is_some() {
        return;
    }
    let rebuilds = |impact: &&Impact| {
        impact.is_long() && impact.online.is_some_and(|online| online.writes && online.algorithm == Algorithm::Inplace)
    };
    for impact in scene.impacts.iter().filter(rebuilds) {
        let Cause::Alter(what) = &impact.cause else { continue };
        reports.all.extend(scene.report(impact, format!("{what}: this takes as long as `{}` is large", impact.table)));
    }
}
