//! The rule `lock-many-tables`.

use crate::context::{HeldLock, StatementContext};
use crate::impact::{Cause, Lock};
use crate::object_name::ObjectName;
use crate::rule::{Rule, RuleCheck, Verification, postgres};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use std::collections::BTreeSet;

/// Flags transactions that hold locks of SHARE ROW EXCLUSIVE or stronger on more than three existing tables.
pub static RULE: Rule = Rule {
    code: Code::new(
        "lock-many-tables",
        "A transaction that locks many existing tables holds the locks on all of these tables until it ends. The \
         more tables the transaction locks, the more statements of other sessions are blocked, and the more likely \
         is a deadlock with another transaction. The rule counts tables that are locked with SHARE ROW EXCLUSIVE or \
         a stronger lock mode. It flags each statement that locks a fourth or further table.",
    ),
    level: Level::Warning,
    on: &[Product::Postgres],
    fix: "split the file into one migration for each table",
    opt_in: false,
    down: false,
    check: RuleCheck::Statement(check),
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
    let is_strong = |table: &ObjectName, lock: Lock, cause: &Cause| {
        // If no migration creates a dropped index, its table is unknown.
        lock >= Lock::ShareRowExclusive && *cause != Cause::IndexDrop && context.is_deployed(table)
    };
    let strong = context.impacts.iter().filter(|impact| is_strong(&impact.table, impact.lock, &impact.cause));
    let mut new: BTreeSet<&ObjectName> = strong.map(|impact| &impact.table).collect();
    let is_held_strongly = |held: &HeldLock| is_strong(&held.table, held.lock, &held.cause);
    new.retain(|table| !context.held_locks.of_table(table).any(is_held_strongly));
    if new.is_empty() {
        return;
    }
    let kinds = [Lock::ShareRowExclusive, Lock::Exclusive, Lock::AccessExclusive];
    let mut locked: BTreeSet<&ObjectName> = BTreeSet::new();
    for held in kinds.into_iter().flat_map(|lock| context.held_locks.of_kind(lock)).filter(|held| is_held_strongly(held)) {
        locked.insert(&held.table);
        if locked.len() > MOST_COUNTED {
            break;
        }
    }
    let locked: Vec<&ObjectName> = locked.into_iter().collect();
    if locked.len() < 3 {
        return;
    }
    for table in new {
        let message = match &*locked {
            [first, second, third] => format!("`{table}` is locked while `{first}`, `{second}`, `{third}` are still locked"),
            many if many.len() > MOST_COUNTED => {
                format!("`{table}` is locked while more than {MOST_COUNTED} tables are still locked")
            }
            many => format!("`{table}` is locked while {} tables are still locked", many.len()),
        };
        findings.add(RuleFinding::new(message));
    }
}

/// How many tables a message counts. To know the state of each costs a search.
const MOST_COUNTED: usize = 100;
