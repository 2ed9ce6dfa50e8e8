//! goose: `goose_db_version`, with a row for each time that a version was applied or reverted.

use crate::catalog_table::ValueKind;
use crate::origin::{ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, unread, value};
use std::collections::BTreeMap;

/// goose.
pub static ORIGIN: Origin = Origin { name: "goose", tables: &[TABLE], key, checksum: None };

const TABLE: OriginTable = OriginTable {
    columns: &[
        value("id", ValueKind::Integer),
        value("version_id", ValueKind::Integer),
        value("is_applied", ValueKind::Boolean),
        unread("tstamp"),
    ],
    companion: &[],
    read,
};

/// The row with the highest id decides. New versions delete rows when they revert, old ones add a row. Version 0 is a mark.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let mut latest: BTreeMap<i64, (i64, bool)> = BTreeMap::new();
    for row in rows {
        let (Some(id), Some(version)) = (row.number(0), row.number(1).filter(|version| *version > 0)) else { continue };
        let known = latest.entry(version).or_insert((id, row.is_true(2)));
        if known.0 <= id {
            *known = (id, row.is_true(2));
        }
    }
    let record = |(version, (_, is_applied)): (i64, (i64, bool))| {
        let state = if is_applied { ForeignState::Applied } else { ForeignState::Reverted };
        ForeignRecord::of(ForeignKey::number(version), state)
    };
    latest.into_iter().map(record).collect()
}

/// The digits before the first underscore.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    let (digits, rest) = file.digits()?;
    rest.starts_with('_').then(|| digits.parse().ok()).flatten().map(ForeignKey::number)
}
