//! diesel: `__diesel_schema_migrations`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};

/// diesel.
pub static ORIGIN: Origin = Origin { name: "diesel", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable { columns: &[value("version", ValueKind::Text), unread("run_on")], companion: &[], read };

/// A row is applied; a revert deletes it. `00000000000000` is diesel's own first migration.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let versions = rows.iter().filter_map(|row| row.text(0)).filter(|version| version.bytes().any(|byte| byte != b'0'));
    versions.map(|version| ForeignRecord::of(ForeignKey::new(version), ForeignState::Applied)).collect()
}

/// The folder up to the first underscore, without dashes.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let folder = file.folder()?;
    let version = folder.split('_').next().unwrap_or(folder);
    Some(ForeignKey::new(version.replace('-', "")))
}
