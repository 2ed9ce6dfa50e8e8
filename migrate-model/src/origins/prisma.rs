//! Prisma: `_prisma_migrations`.

use crate::catalog_table::ValueKind;
use crate::origin::{
    ForeignKey, ForeignRecord, ForeignRow, ForeignState, MigrationFile, Origin, OriginTable, any, unread, value,
};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Prisma.
pub static ORIGIN: Origin = Origin { name: "prisma", tables: &[TABLE], key, checksum: Some(checksum) };

const TABLE: OriginTable = OriginTable {
    columns: &[
        value("migration_name", ValueKind::Text),
        value("checksum", ValueKind::Text),
        any("started_at"),
        any("finished_at"),
        any("rolled_back_at"),
        unread("id"),
        unread("logs"),
        unread("applied_steps_count"),
    ],
    companion: &[],
    read,
};

/// A migration may have several rows: each try that was rolled back stays. The one that is applied decides, or else the newest.
fn read(rows: &[ForeignRow]) -> Vec<ForeignRecord> {
    let mut by_start: Vec<&ForeignRow> = rows.iter().collect();
    by_start.sort_by_key(|row| row.text(2));
    let mut latest: BTreeMap<&str, ForeignRecord> = BTreeMap::new();
    for row in by_start {
        let Some(name) = row.text(0) else { continue };
        let state = match (row.text(3), row.text(4)) {
            (_, Some(_)) => ForeignState::Reverted,
            (Some(_), None) => ForeignState::Applied,
            (None, None) => ForeignState::Failed,
        };
        if latest.get(name).is_some_and(|record| record.state == ForeignState::Applied) {
            continue;
        }
        let checksum = row.text(1).map(str::to_lowercase);
        latest.insert(name, ForeignRecord { checksum, ..ForeignRecord::of(ForeignKey::new(name), state) });
    }
    latest.into_values().collect()
}

/// The name of the folder.
fn key(file: &MigrationFile<'_>) -> Option<ForeignKey> {
    file.folder().map(ForeignKey::new)
}

fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applied_row_of_several_decides() {
        let row = |name: &str, started: &str, finished: Option<&str>, rolled_back: Option<&str>| {
            ForeignRow([Some(name), Some("AB"), Some(started), finished, rolled_back].map(|text| text.map(str::to_owned)).into())
        };
        let records = read(&[
            row("1_a", "2026-01-02", Some("2026-01-02"), None),
            row("1_a", "2026-01-01", None, Some("2026-01-02")),
            row("2_b", "2026-01-03", None, None),
        ]);
        assert_eq!(records.iter().map(|record| record.state).collect::<Vec<_>>(), [ForeignState::Applied, ForeignState::Failed]);
        assert_eq!(records[0].checksum.as_deref(), Some("ab"));
    }
}
