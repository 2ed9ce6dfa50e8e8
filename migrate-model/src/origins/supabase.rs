//! supabase: `schema_migrations` in the schema `supabase_migrations`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};

/// supabase. It stores the statements of each migration instead of a checksum.
pub static ORIGIN: Origin = Origin { name: "supabase", tables: &[TABLE, HOSTED], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    columns: &[value("version", ValueKind::Text), value("name", ValueKind::Text), unread("statements")],
    companion: &[],
    read,
};

/// With the columns that its platform adds.
const HOSTED: OriginTable = OriginTable {
    columns: &[
        value("version", ValueKind::Text),
        value("name", ValueKind::Text),
        unread("statements"),
        unread("created_by"),
        unread("idempotency_key"),
        unread("rollback"),
    ],
    companion: &[],
    read,
};

/// A row is applied.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let key = ForeignKey { key: row.text(0)?.to_owned(), name: row.text(1).map(str::to_owned) };
        Some(ForeignRecord::of(key, ForeignState::Applied))
    };
    rows.iter().filter_map(record).collect()
}

/// `20240101120000_name.sql`.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let (digits, rest) = file.digits()?;
    Some(ForeignKey::new(digits).named(rest.strip_prefix('_')?))
}
