//! The changes of a schema since the last file, as far as a savepoint needs them.
//!
//! A savepoint needs only the state that an object had when it was set. So the journal has one entry for each object and
//! savepoint, however often the object changes: thousands of statements may change thousands of objects each.

use crate::schema::{ObjectId, SchemaObject};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The first change of an object after a savepoint.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// The changed object.
    pub id: ObjectId,
    /// The object before the change; `None` if it was created.
    pub before: Option<Arc<SchemaObject>>,
    /// Index of the entry of the same object for an earlier savepoint.
    previous: Option<usize>,
}

/// The changes since the journal was last cleared.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    entries: Vec<JournalEntry>,
    /// Index of the last entry of each object.
    last: BTreeMap<ObjectId, usize>,
    /// The positions of the savepoints that can still be used, in ascending order.
    savepoints: Vec<usize>,
}

impl Journal {
    /// Records that an object changes, unless it has changed since the last savepoint.
    pub fn record(&mut self, id: ObjectId, before: Option<Arc<SchemaObject>>) {
        let since = self.savepoints.last().copied().unwrap_or(0);
        let previous = self.last.get(&id).copied();
        if previous.is_none_or(|previous| previous < since) {
            self.last.insert(id.clone(), self.entries.len());
            self.entries.push(JournalEntry { id, before, previous });
        }
    }

    /// Sets a savepoint and returns its position.
    pub fn set_savepoint(&mut self) -> usize {
        self.savepoints.push(self.entries.len());
        self.entries.len()
    }

    /// Gives up a savepoint and the later ones: their entries remain only if an earlier savepoint needs them.
    pub fn release(&mut self, savepoint: usize) {
        let Some(index) = self.savepoints.iter().rposition(|position| *position == savepoint) else { return };
        self.savepoints.truncate(index);
        let mut entries = Vec::new();
        while let Some(entry) = self.pop(savepoint) {
            entries.push(entry);
        }
        entries.into_iter().rev().for_each(|entry| self.record(entry.id, entry.before));
    }

    /// Removes the last entry after a savepoint, which remains.
    pub fn pop(&mut self, savepoint: usize) -> Option<JournalEntry> {
        if self.entries.len() <= savepoint {
            let usable = self.savepoints.partition_point(|position| *position <= savepoint);
            self.savepoints.truncate(usable);
            return None;
        }
        let entry = self.entries.pop()?;
        match entry.previous {
            Some(previous) => self.last.insert(entry.id.clone(), previous),
            None => self.last.remove(&entry.id),
        };
        Some(entry)
    }

    /// The entries since a savepoint: those of one object in the order of its changes.
    pub fn since(&self, savepoint: usize) -> &[JournalEntry] {
        &self.entries[savepoint.min(self.entries.len())..]
    }

    /// Removes all entries and savepoints.
    pub fn clear(&mut self) {
        *self = Journal::default();
    }
}

#[cfg(test)]
mod tests {
    use crate::object_name::ObjectName;
    use crate::schema::{Schema, SchemaObject};
    use migrate_model::dialect::Dialect;
    use migrate_model::name::Name;

    fn count(schema: &Schema, savepoint: usize) -> usize {
        schema.journal_since(savepoint).len()
    }

    #[test]
    fn an_object_has_one_entry_for_each_savepoint() {
        let mut schema = Schema::new(Dialect::Postgres);
        let name = schema.resolve(&Name::bare("e"));
        let change = |schema: &mut Schema, name: &ObjectName| schema.put_type(name.clone(), SchemaObject::Type);
        let file = schema.savepoint();
        (0..100).for_each(|_| change(&mut schema, &name));
        assert_eq!(count(&schema, file), 1);
        let transaction = schema.savepoint();
        (0..100).for_each(|_| change(&mut schema, &name));
        assert_eq!((count(&schema, file), count(&schema, transaction)), (2, 1));
        schema.release(transaction);
        assert_eq!(count(&schema, file), 1);
    }

    #[test]
    fn a_rollback_restores_the_state_of_its_savepoint() {
        let mut schema = Schema::new(Dialect::Postgres);
        let [first, second] = ["a", "b"].map(|name| schema.resolve(&Name::bare(name)));
        let file = schema.savepoint();
        schema.put_type(first.clone(), SchemaObject::Type);
        let outer = schema.savepoint();
        schema.put_type(first.clone(), SchemaObject::Other);
        let inner = schema.savepoint();
        schema.put_type(first.clone(), SchemaObject::Dropped);
        schema.put_type(second.clone(), SchemaObject::Type);
        schema.roll_back_to(inner);
        assert_eq!((schema.ty(&first), schema.ty(&second)), (Some(&SchemaObject::Other), None));
        schema.put_type(second.clone(), SchemaObject::Type);
        schema.release(inner);
        schema.roll_back_to(outer);
        assert_eq!((schema.ty(&first), schema.ty(&second)), (Some(&SchemaObject::Type), None));
        schema.put_type(second, SchemaObject::Type);
        schema.release(outer);
        schema.roll_back_to(file);
        assert_eq!((schema.ty(&first), count(&schema, file)), (None, 0));
    }
}
