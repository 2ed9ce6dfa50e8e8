//! Files and history side by side, one row for each version: what `status` shows and what `plan` decides from.

use crate::history::{History, Record, RecordState};
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::version::Version;

/// How a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MigrationState {
    /// Applied, and the file is what ran.
    Applied,
    /// Applied; only comments or white space of the file were changed since.
    CosmeticChange,
    /// Applied; the SQL of the file was changed since.
    Changed,
    /// Applied; its file is gone.
    FileMissing,
    /// Applied by a newer release: it is above every file here.
    Ahead,
    /// Not applied.
    Pending,
    /// Not applied, though a higher version is.
    OutOfOrder,
    /// Begun and not finished.
    PartiallyApplied(RecordState),
}

impl MigrationState {
    /// The word in tables and in JSON.
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

/// One version.
#[derive(Debug, Clone, Copy)]
pub struct MigrationStatus<'a> {
    /// How it stands.
    pub state: MigrationState,
    /// What the files say.
    pub migration: Option<&'a Migration>,
    /// What the database says.
    pub record: Option<&'a Record>,
}

impl<'a> MigrationStatus<'a> {
    /// The version as the file has it; as the database has it where there is no file.
    pub fn version(&self) -> &'a Version {
        match (self.migration, self.record) {
            (Some(migration), _) => &migration.version,
            (None, Some(record)) => &record.version,
            (None, None) => unreachable!("a row comes from a file or from a record"),
        }
    }

    /// What people call it.
    pub fn title(&self) -> String {
        match (self.migration, self.record) {
            (Some(migration), _) => migration.title().to_owned(),
            (None, Some(record)) if record.name.is_empty() => record.version.to_string(),
            (None, Some(record)) => format!("{}_{}", record.version, record.name),
            (None, None) => String::new(),
        }
    }
}

/// All versions that the files or the history know, in order.
pub fn compare<'a>(set: &'a MigrationSet, history: &'a History) -> Vec<MigrationStatus<'a>> {
    // One that was begun counts: what is lower comes late all the same.
    let newest_applied = history.records().last().map(|record| &record.version);
    let newest_file = set.latest().map(|migration| &migration.version);
    let mut migrations = set.iter().peekable();
    let mut records = history.records().iter().peekable();
    let mut rows = Vec::with_capacity(set.len().max(history.records().len()));
    loop {
        let (migration, record) = match (migrations.peek(), records.peek()) {
            (None, None) => return rows,
            (Some(migration), Some(record)) if migration.version == record.version => (migrations.next(), records.next()),
            (Some(migration), Some(record)) if migration.version < record.version => (migrations.next(), None),
            (Some(_), None) => (migrations.next(), None),
            _ => (None, records.next()),
        };
        let standing = match (migration, record) {
            (_, Some(record)) if record.state != RecordState::Applied => MigrationState::PartiallyApplied(record.state),
            (Some(migration), Some(record)) if migration.up.checksum == record.checksum => MigrationState::Applied,
            (Some(migration), Some(record)) if migration.up.sql_checksum == record.sql_checksum => MigrationState::CosmeticChange,
            (Some(_), Some(_)) => MigrationState::Changed,
            (None, record) => match newest_file < record.map(|record| &record.version) {
                true => MigrationState::Ahead,
                false => MigrationState::FileMissing,
            },
            (Some(migration), None) => match Some(&migration.version) < newest_applied {
                true => MigrationState::OutOfOrder,
                false => MigrationState::Pending,
            },
        };
        rows.push(MigrationStatus { state: standing, migration, record });
    }
}
