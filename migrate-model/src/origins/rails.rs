//! Rails: `schema_migrations` with one column, beside `ar_internal_metadata`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, value};

/// Rails.
pub static ORIGIN: Origin = Origin { name: "rails", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable =
    OriginTable { columns: &[value("version", ValueKind::Text)], companion: &["key", "value", "created_at", "updated_at"], read };

/// A row is applied; a revert deletes it.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let versions = rows.iter().filter_map(|row| row.text(0));
    versions.map(|version| ForeignRecord::of(ForeignKey::new(version), ForeignState::Applied)).collect()
}

/// The digits before the first underscore.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    file.digits().filter(|(_, rest)| rest.starts_with('_')).map(|(digits, _)| ForeignKey::new(digits))
}
