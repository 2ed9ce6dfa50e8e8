//! The rule `mysql-blocks-writes`.

use crate::impact::{Algorithm, Cause, Impact};
use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-blocks-writes",
        "The server does this in place, but nobody can write to the table meanwhile (ALGORITHM=INPLACE, LOCK=SHARED): \
         FULLTEXT and SPATIAL indexes, new or dropped columns of a table that has a FULLTEXT one, and a column with AUTO_INCREMENT. Or the statement itself asks for it, with \
         `LOCK=SHARED`, or with `LOCK=EXCLUSIVE`, which stops readers as well.",
    ),
    level: Level::Error,
    on: &[Dialect::MySql],
    instead: "do it in a time of little traffic, or with a tool that copies beside the table (gh-ost, pt-online-schema-change)",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, x text);", "ALTER TABLE t ADD FULLTEXT INDEX f (x);"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD n int AUTO_INCREMENT UNIQUE;"]),
        mysql(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD n int, ALGORITHM=INPLACE, LOCK=EXCLUSIVE;"]),
    ],
    silent: &[
        mysql(&["CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(50));", "ALTER TABLE t ADD INDEX i (a);"]),
        mysql(&["CREATE TABLE t (x text); ALTER TABLE t ADD FULLTEXT INDEX f (x);"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    // What the server refuses is not done.
    if scene.refused_algorithm().is_some() {
        return;
    }
    let stops = |impact: &&Impact| impact.online.is_some_and(|online| !online.writes && online.algorithm != Algorithm::Copy);
    if let Some((alter, lock)) = scene.alter().and_then(|alter| Some((alter, alter.lock.as_deref()?))) {
        let table = scene.schema.key(&alter.table);
        let who = if lock == "EXCLUSIVE" { "reads of and writes to" } else { "writes to" };
        let asked = matches!(lock, "EXCLUSIVE" | "SHARED") && !scene.impacts.iter().any(|impact| stops(&impact));
        if asked && scene.is_deployed(&table) && alter.algorithm.as_deref() != Some("COPY") {
            let report = Report::new(format!("`LOCK={lock}` is asked for, and {who} `{table}` wait"));
            reports.add(report.instead("leave `LOCK` out, or write `LOCK=NONE`"));
        }
    }
    for impact in scene.impacts.iter().filter(stops) {
        let Cause::Alter(what) = &impact.cause else { continue };
        reports.all.extend(scene.report(impact, format!("{what}, and writes to `{}` wait", impact.table)));
    }
}
