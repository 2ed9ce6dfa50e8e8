//! The rule `truncate`.

use crate::impact::Cause;
use crate::report::{Report, Reports};
use crate::rule::{Check, Proof, Rule, mysql, postgres};
use crate::scene::Scene;
use migrate_core::code::Code;
use migrate_core::dialect::Dialect;
use migrate_core::finding::Level;
use migrate_core::syntax::ActionKind;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "truncate",
        "`TRUNCATE` takes every row of a table in use, at once and for good, under ACCESS EXCLUSIVE; with `CASCADE` \
         also those of every table whose foreign keys lead there.",
    ),
    level: Level::Error,
    on: &[Dialect::Postgres, Dialect::MySql],
    instead: "delete what is not needed in batches; if the table is to go, use a contract migration",
    optional: false,
    down: false,
    check: Check::Statement(check),
    fires: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "TRUNCATE t;"]),
        postgres(&[
            "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text); CREATE TABLE u (t_id bigint REFERENCES t (id));",
            "TRUNCATE t CASCADE;",
        ]),
        mysql(&["CREATE TABLE t (a int);", "TRUNCATE TABLE t;"]),
    ],
    silent: &[
        postgres(&["CREATE TABLE t (id bigint PRIMARY KEY, a int, b text);", "-- migrate: phase contract\nTRUNCATE t;"]),
        postgres(&["CREATE TABLE t (a int); TRUNCATE t;"]),
    ],
    proof: Proof::Measured,
};

fn check(scene: &Scene<'_>, reports: &mut Reports) {
    if scene.file.is_contract() {
        return;
    }
    for (table, action, range) in scene.actions().filter(|(table, ..)| scene.is_deployed(table)) {
        let clause = scene.sql[range.clone()].to_ascii_uppercase();
        if *action == ActionKind::Partitioning
            && (clause.starts_with("DROP PARTITION") || clause.starts_with("TRUNCATE PARTITION"))
        {
            reports.add(Report::new(format!("every row of that partition of `{table}` is gone for good")).at(range));
        }
    }
    let found =
        scene.felt(|cause| *cause == Cause::Truncate, |impact| format!("every row of `{}` is gone for good", impact.table));
    reports.all.extend(found);
}
