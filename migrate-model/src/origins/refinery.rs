//! refinery: `refinery_schema_history`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};

/// refinery. Its checksum is a SipHash over version, name and text, which is not computed.
pub static ORIGIN: Origin = Origin { name: "refinery", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    columns: &[value("version", ValueKind::Integer), value("name", ValueKind::Text), unread("applied_on"), unread("checksum")],
    companion: &[],
    read,
};

/// A row is applied. refinery never reverts.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let key = ForeignKey::number(row.number(0)?).named(row.text(1).unwrap_or_default());
        Some(ForeignRecord::of(key, ForeignState::Applied))
    };
    rows.iter().filter_map(record).collect()
}

/// `V1__name.sql` and `U1__name.sql`; the letter is not stored.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let (version, name) = file.stem()?.strip_prefix(['V', 'U'])?.split_once("__")?;
    Some(ForeignKey::number(version.parse().ok()?).named(name))
}
