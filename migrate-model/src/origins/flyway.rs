//! Flyway: `flyway_schema_history`.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};
use crate::version::Version;
use std::collections::BTreeMap;

/// Flyway. Its checksum is a CRC-32 over the lines after placeholders were replaced, which is not computed.
pub static ORIGIN: Origin = Origin { name: "flyway", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    columns: &[
        value("installed_rank", ValueKind::Integer),
        value("version", ValueKind::Text),
        value("description", ValueKind::Text),
        value("type", ValueKind::Text),
        value("success", ValueKind::Boolean),
        unread("script"),
        unread("checksum"),
        unread("installed_by"),
        unread("installed_on"),
        unread("execution_time"),
    ],
    companion: &[],
    read,
};

/// Of several rows of a version, the one with the highest rank decides. A row without a version is a repeatable migration.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let mut by_rank: Vec<&ForeignRow> = rows.iter().collect();
    by_rank.sort_by_key(|row| row.number(0));
    let mut latest: BTreeMap<Version, &ForeignRow> = BTreeMap::new();
    for row in by_rank {
        if let Some(version) = row.text(1).and_then(|version| version.parse().ok()) {
            latest.insert(version, row);
        }
    }
    latest.into_iter().map(|(version, row)| record(version, row)).collect()
}

fn record(version: Version, row: &ForeignRow) -> ForeignRecord {
    let kind = row.text(3).unwrap_or_default();
    let state = match kind {
        _ if !row.is_true(4) => ForeignState::Failed,
        "DELETE" => ForeignState::Reverted,
        _ if kind.starts_with("UNDO") => ForeignState::Reverted,
        _ => ForeignState::Applied,
    };
    // A baseline stands for everything below it.
    if matches!(kind, "BASELINE" | "SQL_BASELINE" | "JDBC_BASELINE") {
        return ForeignRecord::up_to(version, state);
    }
    let key = ForeignKey::new(version.canonical()).named(row.text(2).unwrap_or_default());
    ForeignRecord::of(key, state)
}

/// `V1.2__a_name.sql`; the version may have underscores instead of dots.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let (version, name) = file.stem()?.strip_prefix('V')?.split_once("__")?;
    let version: Version = version.replace('_', ".").parse().ok()?;
    Some(ForeignKey::new(version.canonical()).named(name.replace('_', " ")))
}
