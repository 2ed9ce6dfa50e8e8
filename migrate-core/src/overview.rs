//! Files and history side by side, one row for each version: what `status` shows and what `plan` decides from.

use crate::history::{History, Record, State};
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::version::Version;

/// How a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Standing {
    /// Applied, and the file is what ran.
    Applied,
    /// Applied; only comments or white space of the file were changed since.
    Cosmetic,
    /// Applied; the SQL of the file was changed since.
    Changed,
    /// Applied; its file is gone.
    Missing,
    /// Applied by a newer release: it is above every file here.
    Ahead,
    /// Not applied.
    Pending,
    /// Not applied, though a higher version is.
    Late,
    /// Begun and not finished.
    Unfinished(State),
}

impl Standing {
    /// The word in tables and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Standing::Applied => "applied",
            Standing::Cosmetic => "cosmetic",
            Standing::Changed => "changed",
            Standing::Missing => "missing",
            Standing::Ahead => "ahead",
            Standing::Pending => "pending",
            Standing::Late => "late",
            Standing::Unfinished(_) => "unfinished",
        }
    }
}

/// One version.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// How it stands.
    pub standing: Standing,
    /// What the files say.
    pub migration: Option<&'a Migration>,
    /// What the database says.
    pub record: Option<&'a Record>,
}

impl<'a> Row<'a> {
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
pub fn overview<'a>(set: &'a MigrationSet, history: &'a History) -> Vec<Row<'a>> {
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
            (_, Some(record)) if record.state != State::Applied => Standing::Unfinished(record.state),
            (Some(migration), Some(record)) if migration.up.checksum == record.checksum => Standing::Applied,
            (Some(migration), Some(record)) if migration.up.sql_checksum == record.sql_checksum => Standing::Cosmetic,
            (Some(_), Some(_)) => Standing::Changed,
            (None, record) => match newest_file < record.map(|record| &record.version) {
                true => Standing::Ahead,
                false => Standing::Missing,
            },
            (Some(migration), None) => match Some(&migration.version) < newest_applied {
                true => Standing::Late,
                false => Standing::Pending,
            },
        };
        rows.push(Row { standing, migration, record });
    }
}
