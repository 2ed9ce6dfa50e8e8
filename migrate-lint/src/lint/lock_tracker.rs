//! The locks that a transaction holds.

use crate::context::HeldLock;
use crate::impact::Impact;
use crate::object_name::ObjectName;
use migrate_model::syntax::{Control, Syntax};
use std::collections::BTreeMap;

/// The locks that the current transaction holds, and how many it held at each savepoint.
#[derive(Debug, Default)]
pub struct LockTracker {
    held: Vec<HeldLock>,
    /// Indexes of `held`.
    by_table: BTreeMap<ObjectName, Vec<usize>>,
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
                    self.held.truncate(lock_count);
                    self.by_table.values_mut().for_each(|held| held.retain(|index| *index < lock_count));
                }
            }
            _ => {}
        }
    }

    /// Releases all locks.
    pub fn end_transaction(&mut self) {
        self.held.clear();
        self.by_table.clear();
        self.savepoints.clear();
    }
}
