//! Atlas: `atlas_schema_revisions`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};

/// Atlas. Its checksum is cumulative over all files, so that of one file cannot be computed.
pub static ORIGIN: Origin = Origin { name: "atlas", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    columns: &[
        value("version", ValueKind::Text),
        value("description", ValueKind::Text),
        value("applied", ValueKind::Integer),
        value("total", ValueKind::Integer),
        unread("type"),
        unread("executed_at"),
        unread("execution_time"),
        unread("error"),
        unread("error_stmt"),
        unread("hash"),
        unread("partial_hashes"),
        unread("operator_version"),
    ],
    companion: &[],
    read,
};

/// A row is applied if all of its statements are.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let key = ForeignKey { key: row.text(0)?.to_owned(), name: row.text(1).map(str::to_owned) };
        Some(ForeignRecord::of(key, ForeignState::of_success(row.number(2) >= row.number(3))))
    };
    rows.iter().filter_map(record).collect()
}

/// What precedes and what follows the first underscore.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let stem = file.stem()?;
    match stem.split_once('_') {
        Some((version, description)) => Some(ForeignKey::new(version).named(description)),
        None => Some(ForeignKey::new(stem)),
    }
}
