//! golang-migrate: `schema_migrations` with one row.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, value};

/// golang-migrate.
pub static ORIGIN: Origin = Origin { name: "golang-migrate", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable =
    OriginTable { columns: &[value("version", ValueKind::Integer), value("dirty", ValueKind::Boolean)], companion: &[], read };

/// The one row is the version of the database: everything up to it counts as applied, though a migration that was added below
/// it later was skipped. A dirty version was started and is not complete. -1 means that nothing is applied.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let record = |row: &ForeignRow| {
        let version = row.number(0).filter(|version| *version >= 0)?.to_string().parse().ok()?;
        Some(ForeignRecord::up_to(version, ForeignState::of_success(!row.is_true(1))))
    };
    rows.iter().filter_map(record).collect()
}

/// The digits before the first underscore.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let (digits, rest) = file.digits()?;
    rest.starts_with('_').then(|| digits.parse().ok()).flatten().map(ForeignKey::number)
}
