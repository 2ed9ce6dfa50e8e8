//! The tables of the Link project, which have the names of our own: `migration_records` and `schema_versions`, with a service in
//! each row.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};
use sha2::{Digest, Sha256};

/// The migration system of Link. How it computes its checksum is not known; that of the file is tried.
pub static ORIGIN: Origin = Origin { name: "link", tables: &[RECORDS, VERSIONS], key, checksum: Some(checksum) };

const RECORDS: OriginTable = OriginTable {
    columns: &[
        value("service", ValueKind::Text),
        value("version", ValueKind::Integer),
        value("name", ValueKind::Text),
        value("checksum", ValueKind::Text),
        unread("id"),
        unread("applied_at"),
    ],
    companion: &[],
    read: read_records,
};

const VERSIONS: OriginTable = OriginTable {
    columns: &[
        value("service", ValueKind::Text),
        value("version", ValueKind::Integer),
        unread("applied_at"),
        unread("description"),
    ],
    companion: &[],
    read: read_versions,
};

/// A row is applied; a revert deletes it.
fn read_records(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let key = ForeignKey::number(row.number(1)?).named(row.text(2).unwrap_or_default());
        let (service, checksum) = (row.text(0).map(str::to_owned), row.text(3).map(str::to_lowercase));
        Some(ForeignRecord { checksum, service, ..ForeignRecord::of(key, ForeignState::Applied) })
    };
    rows.iter().filter_map(record).collect()
}

/// The version of each service: everything up to it counts as applied.
fn read_versions(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let version = row.number(1).filter(|version| *version > 0)?.to_string().parse().ok()?;
        let service = row.text(0).map(str::to_owned);
        Some(ForeignRecord { service, ..ForeignRecord::up_to(version, ForeignState::Applied) })
    };
    rows.iter().filter_map(record).collect()
}

/// `001_name.up.sql` or `001_name_up.sql`.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let (digits, rest) = file.digits()?;
    let name = rest.strip_prefix('_')?;
    Some(ForeignKey::number(digits.parse().ok()?).named(name.strip_suffix("_up").unwrap_or(name)))
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
