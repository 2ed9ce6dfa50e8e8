//! The rule `lock-many-tables`.

use crate::context::StatementContext;
use crate::impact::{Cause, Lock};
use crate::object_name::ObjectName;
use crate::rule::{Check, Rule, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "lock-many-tables",
        "One transaction that takes strong locks on many tables in use holds all of them until its end, and the more \
         it takes, the likelier it and another one wait for each other.",
    ),
    level: Level::Warning,
    on: &[Dialect::Postgres],
    fix: "divide the file: one table in each migration",
    opt_in: false,
    down: false,
    check: Check::Statement(check),
    flagged: &[postgres(&[
        "CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE TABLE c (x int); CREATE TABLE d (x int);",
        "ALTER TABLE a ADD y int; ALTER TABLE b ADD y int; ALTER TABLE c ADD y int; ALTER TABLE d ADD y int;",
    ])],
    not_flagged: &[
        postgres(&[
            "CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE TABLE c (x int); CREATE TABLE d (x int);",
            "ALTER TABLE a ADD y int; ALTER TABLE b ADD y int; ALTER TABLE c ADD y int;",
        ]),
        postgres(&[
            "CREATE TABLE a (x int); CREATE TABLE b (x int); CREATE TABLE c (x int); CREATE TABLE d (x int);",
            "-- migrate: no-transaction\nALTER TABLE a ADD y int; ALTER TABLE b ADD y int; ALTER TABLE c ADD y int; ALTER TABLE d ADD y int;",
        ]),
    ],
    verification: Verification::Measured,
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    let strong = |table: &ObjectName, lock: Lock, cause: &Cause| {
        // Of an index that the history did not make, the table is not known.
        lock >= Lock::ShareRowExclusive && *cause != Cause::IndexDrop && context.is_deployed(table)
    };
    let held = context.held_locks.iter().filter(|held| strong(&held.table, held.lock, &held.cause));
    let mut before: Vec<&ObjectName> = held.map(|held| &held.table).collect();
    before.sort();
    before.dedup();
    let new = context
        .impacts
        .iter()
        .find(|impact| strong(&impact.table, impact.lock, &impact.cause) && !before.contains(&&impact.table));
    if let Some(new) = new.filter(|_| before.len() == 3) {
        let names: Vec<String> = before.iter().map(|table| format!("`{table}`")).collect();
        findings.add(RuleFinding::new(format!("`{}` is locked while {} are", new.table, names.join(", "))));
    }
}
