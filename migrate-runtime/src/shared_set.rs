//! A migration set that a migrator owns a share of.

use migrate_model::migration_set::MigrationSet;
use std::ops::Deref;
use std::sync::Arc;

/// A migration set: the one that is compiled into the application, or one that was read at run time.
#[derive(Debug, Clone)]
pub struct SharedSet(Share);

#[derive(Debug, Clone)]
enum Share {
    Static(&'static MigrationSet),
    Counted(Arc<MigrationSet>),
}

impl Deref for SharedSet {
    type Target = MigrationSet;

    fn deref(&self) -> &MigrationSet {
        match &self.0 {
            Share::Static(set) => set,
            Share::Counted(set) => set,
        }
    }
}

impl From<&'static MigrationSet> for SharedSet {
    fn from(set: &'static MigrationSet) -> Self {
        SharedSet(Share::Static(set))
    }
}

impl From<Arc<MigrationSet>> for SharedSet {
    fn from(set: Arc<MigrationSet>) -> Self {
        SharedSet(Share::Counted(set))
    }
}

impl From<&Arc<MigrationSet>> for SharedSet {
    fn from(set: &Arc<MigrationSet>) -> Self {
        SharedSet(Share::Counted(Arc::clone(set)))
    }
}

impl From<MigrationSet> for SharedSet {
    fn from(set: MigrationSet) -> Self {
        Arc::new(set).into()
    }
}
