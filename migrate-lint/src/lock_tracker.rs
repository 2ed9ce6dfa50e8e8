//! The locks that a transaction holds.

use crate::context::HeldLock;
use crate::impact::{Impact, Lock};
use crate::object_name::ObjectName;
use migrate_model::syntax::{Control, Syntax};
use std::collections::BTreeMap;

/// The locks that the current transaction holds, and how many it held at each savepoint.
#[derive(Debug, Default)]
pub struct LockTracker {
    held: Vec<HeldLock>,
    /// Indexes of `held`.
    by_table: BTreeMap<ObjectName, Vec<usize>>,
    /// Indexes of `held`.
    by_lock: BTreeMap<Lock, Vec<usize>>,
    savepoints: Vec<LockSavepoint>,
}

#[derive(Debug)]
struct LockSavepoint {
    name: String,
    lock_count: usize,
}

impl LockTracker {
    /// The locks in the order in which they were acquired.
    pub fn held(&self) -> &[HeldLock] {
        &self.held
    }

    /// The locks on a table, in the order in which they were acquired.
    pub fn of_table(&self, table: &ObjectName) -> impl Iterator<Item = &HeldLock> {
        self.by_table.get(table).into_iter().flatten().map(|index| &self.held[*index])
    }

    /// The locks of one kind, in the order in which they were acquired.
    pub fn of_kind(&self, lock: Lock) -> impl Iterator<Item = &HeldLock> {
        self.by_lock.get(&lock).into_iter().flatten().map(|index| &self.held[*index])
    }

    /// Adds the locks that a statement acquires, without those that the transaction holds already for the same cause: a file may
    /// contain thousands of statements about one table.
    pub fn acquire<'a>(&mut self, impacts: impl Iterator<Item = &'a Impact>, statement: usize) {
        for impact in impacts {
            let held = self.by_table.entry(impact.table.clone()).or_default();
            let same = held.iter().find(|&&index| {
                let held = &self.held[index];
                held.lock == impact.lock && held.cause == impact.cause
            });
            if let Some(&index) = same {
                self.held[index].until = statement;
                continue;
            }
            held.push(self.held.len());
            self.by_lock.entry(impact.lock).or_default().push(self.held.len());
            self.held.push(HeldLock {
                table: impact.table.clone(),
                lock: impact.lock,
                since: statement,
                until: statement,
                cause: impact.cause.clone(),
            });
        }
    }

    /// Follows savepoints: a rollback to a savepoint releases the locks acquired since. (PostgreSQL manual, 13.3)
    pub fn apply(&mut self, syntax: &Syntax) {
        match syntax {
            Syntax::Transaction(Control::Savepoint(name)) => {
                self.savepoints.push(LockSavepoint { name: name.clone(), lock_count: self.held.len() });
            }
            Syntax::Transaction(Control::RollbackTo(name)) => {
                if let Some(savepoint) = self.savepoints.iter().rev().find(|savepoint| savepoint.name == *name) {
                    let lock_count = savepoint.lock_count;
                    for released in self.held.drain(lock_count.min(self.held.len())..).rev() {
                        // The indexes in each list are sorted.
                        let of_table = self.by_table.entry(released.table).or_default();
                        of_table.truncate(of_table.partition_point(|index| *index < lock_count));
                        let of_kind = self.by_lock.entry(released.lock).or_default();
                        of_kind.truncate(of_kind.partition_point(|index| *index < lock_count));
                    }
                }
            }
            _ => {}
        }
    }

    /// Releases all locks.
    pub fn end_transaction(&mut self) {
        self.held.clear();
        self.by_table.clear();
        self.by_lock.clear();
        self.savepoints.clear();
    }
}
