//! sqlx: `_sqlx_migrations`, since sqlx 0.5. The name and the schema of the table can be configured since 0.9.

use crate::catalog_table::ValueKind;
use crate::origin::{
    ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, bytes, unread, value,
};
use sha2::{Digest, Sha384};

/// sqlx.
pub static ORIGIN: Origin = Origin { name: "sqlx", tables: &[TABLE], key, checksum: Some(checksum) };

const TABLE: OriginTable = OriginTable {
    columns: &[
        value("version", ValueKind::Integer),
        value("description", ValueKind::Text),
        value("success", ValueKind::Boolean),
        bytes("checksum"),
        unread("installed_on"),
        unread("execution_time"),
    ],
    companion: &[],
    read,
};

/// A revert deletes the row. Only on MySQL can a row without success exist.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let key = ForeignKey::number(row.number(0)?).named(row.text(1).unwrap_or_default());
        let checksum = row.text(3).map(str::to_lowercase);
        Some(ForeignRecord { checksum, ..ForeignRecord::of(key, ForeignState::of_success(row.is_true(2))) })
    };
    rows.iter().filter_map(record).collect()
}

/// The version is what precedes the first underscore, as an integer with an optional sign.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let (version, rest) = file.name().split_once('_')?;
    let description = rest.strip_suffix(".up.sql").or_else(|| rest.strip_suffix(".sql"))?;
    Some(ForeignKey::number(version.parse().ok()?).named(description.replace('_', " ")))
}

fn checksum(text: &str) -> String {
    Sha384::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's `hashlib.sha384`, as sqlx does.
    #[test]
    fn a_known_checksum() {
        let expected = "4a4f347944eb2940cf4d7c2c6d4ccece66d6e3fd103ac94f42ec18cb14555f350d88f5630578c549fed9cf62855a5a28";
        assert_eq!(checksum("CREATE TABLE users (\n  id int PRIMARY KEY\n);\n"), expected);
    }
}
