//! dbmate: `schema_migrations` with one column.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, value};

/// dbmate.
pub static ORIGIN: Origin = Origin { name: "dbmate", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable { columns: &[value("version", ValueKind::Text)], companion: &[], read };

/// A row is applied; a revert deletes it.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let versions = rows.iter().filter_map(|row| row.text(0));
    versions.map(|version| ForeignRecord::of(ForeignKey::new(version), ForeignState::Applied)).collect()
}

/// The digits at the start of the file name, as text: `001` is not `1`.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    file.digits().map(|(digits, _)| ForeignKey::new(digits))
}
