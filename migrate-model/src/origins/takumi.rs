//! The script of the Takumi project: `schema_migrations` with the name of each file.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};

/// The migration script of Takumi.
pub static ORIGIN: Origin = Origin { name: "takumi", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    columns: &[value("migration_name", ValueKind::Text), unread("id"), unread("applied_at")],
    companion: &[],
    read,
};

/// A row is applied; a revert deletes it.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let names = rows.iter().filter_map(|row| row.text(0));
    names.map(|name| ForeignRecord::of(ForeignKey::new(name), ForeignState::Applied)).collect()
}

/// The file name with its ending.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    Some(ForeignKey::new(file.name()))
}
