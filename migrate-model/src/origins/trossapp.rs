//! The script of the TrossApp project: `schema_migrations` with a number and a description.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};

/// The migration script of TrossApp.
pub static ORIGIN: Origin = Origin { name: "trossapp", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    columns: &[
        value("version", ValueKind::Integer),
        value("success", ValueKind::Boolean),
        unread("id"),
        // A sentence, not the name of the file.
        unread("description"),
        unread("applied_at"),
        unread("applied_by"),
    ],
    companion: &[],
    read,
};

/// A row is applied unless it says that it failed.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let state = ForeignState::of_success(row.text(1).is_none() || row.is_true(1));
        Some(ForeignRecord::of(ForeignKey::number(row.number(0)?), state))
    };
    rows.iter().filter_map(record).collect()
}

/// The digits at the start of the file name.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    file.digits()?.0.parse().ok().map(ForeignKey::number)
}
