//! sea-orm: `seaql_migrations`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, value};

/// sea-orm. Its migrations are Rust code, each in a file with the name of its version.
pub static ORIGIN: Origin = Origin { name: "sea-orm", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    // The moment is the number of seconds since 1970.
    columns: &[value("version", ValueKind::Text), value("applied_at", ValueKind::Integer)],
    companion: &[],
    read,
};

/// A row is applied; a revert deletes it.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let versions = rows.iter().filter_map(|row| row.text(0));
    // Only the letter that a module name needs precedes the digits.
    let versions = versions.map(|version| version.strip_prefix('m').unwrap_or(version));
    versions.map(|version| ForeignRecord::of(ForeignKey::new(version), ForeignState::Applied)).collect()
}

/// The name of the file, without the letter before its digits.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let name = file.folder().or_else(|| file.base())?;
    Some(ForeignKey::new(name.strip_prefix('m').unwrap_or(name)))
}
