//! Compares the files with the history, version by version. `status` displays the result, and `plan` uses it.

use crate::history::{History, Record, RecordState};
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::version::Version;

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

/// One version with its state.
#[derive(Debug, Clone, Copy)]
pub struct MigrationStatus<'a> {
    pub state: MigrationState,
    /// The migration in the files, if it exists there.
    pub migration: Option<&'a Migration>,
    /// The record in the history, if it exists there.
    pub record: Option<&'a Record>,
}

impl<'a> MigrationStatus<'a> {
    /// The version as in the file or, if there is no file, as in the database.
    pub fn version(&self) -> &'a Version {
        match (self.migration, self.record) {
            (Some(migration), _) => &migration.version,
            (None, Some(record)) => &record.version,
            (None, None) => unreachable!("a status has a migration or a record"),
        }
    }

    /// The name in messages.
    pub fn title(&self) -> String {
        match (self.migration, self.record) {
            (Some(migration), _) => migration.title().to_owned(),
            (None, Some(record)) if record.name.is_empty() => record.version.to_string(),
            (None, Some(record)) => format!("{}_{}", record.version, record.name),
            (None, None) => String::new(),
        }
    }
}

/// All versions in the files or in the history, in order.
pub fn compare<'a>(set: &'a MigrationSet, history: &'a History) -> Vec<MigrationStatus<'a>> {
    // A partially applied version counts, too: a lower version is out of order.
    let latest_record = history.records().last().map(|record| &record.version);
    let latest_file = set.latest().map(|migration| &migration.version);
    let mut migrations = set.iter().peekable();
    let mut records = history.records().iter().peekable();
    let mut statuses = Vec::with_capacity(set.len().max(history.records().len()));
    loop {
        let (migration, record) = match (migrations.peek(), records.peek()) {
            (None, None) => return statuses,
            (Some(migration), Some(record)) if migration.version == record.version => (migrations.next(), records.next()),
            (Some(migration), Some(record)) if migration.version < record.version => (migrations.next(), None),
            (Some(_), None) => (migrations.next(), None),
            _ => (None, records.next()),
        };
        let state = match (migration, record) {
            (_, Some(record)) if record.state != RecordState::Applied => MigrationState::PartiallyApplied(record.state),
            (Some(migration), Some(record)) if migration.up.checksum == record.checksum => MigrationState::Applied,
            (Some(migration), Some(record)) if migration.up.sql_checksum == record.sql_checksum => MigrationState::CosmeticChange,
            (Some(_), Some(_)) => MigrationState::Changed,
            (None, record) if latest_file < record.map(|record| &record.version) => MigrationState::Ahead,
            (None, _) => MigrationState::FileMissing,
            (Some(migration), None) if Some(&migration.version) < latest_record => MigrationState::OutOfOrder,
            (Some(_), None) => MigrationState::Pending,
        };
        statuses.push(MigrationStatus { state, migration, record });
    }
}
