//! node-pg-migrate: `pgmigrations`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};

/// node-pg-migrate.
pub static ORIGIN: Origin = Origin { name: "node-pg-migrate", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable =
    OriginTable { columns: &[value("name", ValueKind::Text), unread("id"), unread("run_on")], companion: &[], read };

/// A row is applied; a revert deletes it. Older versions keep the direction of a paired file in the name.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let names = rows.iter().filter_map(|row| row.text(0)).map(|name| name.strip_suffix(".up").unwrap_or(name));
    names.map(|name| ForeignRecord::of(ForeignKey::new(name), ForeignState::Applied)).collect()
}

/// The file name without its ending.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    file.base().map(ForeignKey::new)
}
