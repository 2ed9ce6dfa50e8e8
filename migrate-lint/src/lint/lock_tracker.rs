//! The locks that a transaction holds.

use crate::context::HeldLock;
use crate::impact::Impact;
use migrate_model::syntax::{Control, Syntax};

/// The locks that the current transaction holds, and how many it held at each savepoint.
#[derive(Debug, Default)]
pub struct LockTracker {
    held: Vec<HeldLock>,
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

    /// Adds the locks that a statement acquires.
    pub fn acquire(&mut self, impacts: &[Impact], statement: usize) {
        self.held.extend(impacts.iter().map(|impact| HeldLock {
            table: impact.table.clone(),
            lock: impact.lock,
            since: statement,
            cause: impact.cause.clone(),
        }));
    }

    /// Follows savepoints: a rollback to a savepoint releases the locks acquired since. (PostgreSQL manual, 13.3)
    pub fn apply(&mut self, syntax: &Syntax) {
        match syntax {
            Syntax::Transaction(Control::Savepoint(name)) => {
                self.savepoints.push(LockSavepoint { name: name.clone(), lock_count: self.held.len() });
            }
            Syntax::Transaction(Control::RollbackTo(name)) => {
                if let Some(savepoint) = self.savepoints.iter().rev().find(|savepoint| savepoint.name == *name) {
                    self.held.truncate(savepoint.lock_count);
                }
            }
            _ => {}
        }
    }

    /// Releases all locks.
    pub fn end_transaction(&mut self) {
        self.held.clear();
        self.savepoints.clear();
    }
}
