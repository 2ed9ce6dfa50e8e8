//! Compares the files with the history, version by version. `status` displays the result, and `plan` uses it.

use crate::history::{History, Record, RecordState, RecordedRun};
use crate::key::MigrationKey;
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::visible;
use std::cmp::Ordering;

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationState {
    /// Applied; the file is unchanged.
    Applied,
    /// Applied; only comments or white space in the file were changed afterwards.
    CosmeticChange,
    /// Applied; the SQL in the file was changed afterwards.
    Changed,
    /// Applied; the file is missing.
    FileMissing,
    /// Applied, no local file, and above every local file.
    Ahead,
    /// Not applied.
    Pending,
    /// Not applied, but a higher version is.
    OutOfOrder,
    /// Started and not complete.
    PartiallyApplied(RecordState),
}

impl MigrationState {
    /// The text in tables and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            MigrationState::Applied => "applied",
            MigrationState::CosmeticChange => "cosmetic",
            MigrationState::Changed => "changed",
            MigrationState::FileMissing => "missing",
            MigrationState::Ahead => "ahead",
            MigrationState::Pending => "pending",
            MigrationState::OutOfOrder => "out-of-order",
            MigrationState::PartiallyApplied(_) => "partially-applied",
        }
    }
}

/// Where a version is known: each has a file, a record, or both.
#[derive(Debug, Clone, Copy)]
enum Sides<'a> {
    File(&'a Migration),
    Record(&'a Record),
    Both(&'a Migration, &'a Record),
}

/// One version that the files or the database contain, with its state.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MigrationStatus<'a> {
    /// The state.
    pub state: MigrationState,
    sides: Sides<'a>,
    run: Option<&'a RecordedRun>,
}

impl<'a> MigrationStatus<'a> {
    /// Whether a run to the latest version would work on it. What only the database knows is the work of another release.
    pub fn is_unapplied(&self) -> bool {
        let open =
            matches!(self.state, MigrationState::Pending | MigrationState::OutOfOrder | MigrationState::PartiallyApplied(_));
        open && self.migration().is_some()
    }

    /// The migration in the files, where there is one.
    pub fn migration(&self) -> Option<&'a Migration> {
        match self.sides {
            Sides::File(migration) | Sides::Both(migration, _) => Some(migration),
            Sides::Record(_) => None,
        }
    }

    /// The record in the database, where there is one.
    pub fn record(&self) -> Option<&'a Record> {
        match self.sides {
            Sides::Record(record) | Sides::Both(_, record) => Some(record),
            Sides::File(_) => None,
        }
    }

    /// Whether a revert would run SQL that only the history contains.
    pub fn reverts_with_stored_sql(&self) -> bool {
        let has_file = self.migration().is_some_and(|migration| migration.down.is_some());
        !has_file && self.record().is_some_and(|record| record.has_down)
    }

    /// When and by whom it was applied, where it has a record.
    pub fn run(&self) -> Option<&'a RecordedRun> {
        self.run
    }

    /// The version as the file spells it; as the database does where there is no file.
    pub fn key(&self) -> MigrationKey {
        match self.sides {
            Sides::File(migration) | Sides::Both(migration, _) => MigrationKey::from(&migration.version),
            Sides::Record(record) => record.key.clone(),
        }
    }

    /// What users call it: the file name, or version and name where there is no file.
    pub fn title(&self) -> String {
        match self.sides {
            Sides::File(migration) | Sides::Both(migration, _) => migration.title().to_owned(),
            Sides::Record(record) if record.name.is_empty() => visible::one_line(record.key.as_str()).into_owned(),
            Sides::Record(record) => visible::one_line(&format!("{}_{}", record.key, record.name)).into_owned(),
        }
    }
}

/// All versions in the files or in the history, in order.
pub fn compare<'a>(set: &'a MigrationSet, history: &'a History) -> Vec<MigrationStatus<'a>> {
    // A partially applied version counts, too: a lower version is out of order.
    let latest_record = history.records().iter().rev().find_map(|record| record.key.version());
    let latest_file = set.latest().map(|migration| &migration.version);
    let mut migrations = set.iter().peekable();
    let mut records = history.records().iter().peekable();
    let mut statuses = Vec::with_capacity(set.len().max(history.records().len()));
    loop {
        let sides = match (migrations.peek(), records.peek()) {
            (None, None) => return statuses,
            (Some(migration), Some(record)) => {
                match record.key.version().map_or(Ordering::Less, |version| migration.version.cmp(version)) {
                    Ordering::Less => Sides::File(migration),
                    Ordering::Equal => Sides::Both(migration, record),
                    Ordering::Greater => Sides::Record(record),
                }
            }
            (Some(migration), None) => Sides::File(migration),
            (None, Some(record)) => Sides::Record(record),
        };
        if !matches!(sides, Sides::Record(_)) {
            migrations.next();
        }
        if !matches!(sides, Sides::File(_)) {
            records.next();
        }
        let state = match sides {
            Sides::Record(record) | Sides::Both(_, record) if record.state != RecordState::Applied => {
                MigrationState::PartiallyApplied(record.state)
            }
            Sides::Both(migration, record) if migration.up.checksum == record.checksum => MigrationState::Applied,
            Sides::Both(migration, record) if migration.up.sql_checksum == record.sql_checksum => MigrationState::CosmeticChange,
            Sides::Both(..) => MigrationState::Changed,
            // A repeatable migration without a file has been added by a newer version as well.
            Sides::Record(record) if record.key.version().is_none_or(|version| latest_file < Some(version)) => {
                MigrationState::Ahead
            }
            Sides::Record(_) => MigrationState::FileMissing,
            Sides::File(migration) if Some(&migration.version) < latest_record => MigrationState::OutOfOrder,
            Sides::File(_) => MigrationState::Pending,
        };
        let run = match sides {
            Sides::File(_) => None,
            Sides::Record(record) | Sides::Both(_, record) => history.run(&record.key),
        };
        statuses.push(MigrationStatus { state, sides, run });
    }
}
