//! Applied migrations whose files were edited afterwards, with the differences: for `verify` and `repair`.

use crate::failure::CommandError;
use crate::service::Service;
use migrate_runtime::{Direction, MigrationKey, MigrationState, Migrator, StatusReport};
use similar::TextDiff;

/// An applied migration whose file was edited afterwards.
#[derive(Debug)]
pub struct Edit {
    pub key: MigrationKey,
    /// The file name, or the folder of the migration.
    pub title: String,
    /// `Changed` if the SQL was edited, `CosmeticChange` if only comments or white space were.
    pub state: MigrationState,
    /// A unified diff from the stored SQL to the current file.
    pub diff: String,
}

/// The applied migrations whose files were edited afterwards.
///
/// # Errors
/// If the database cannot be read.
pub async fn edits(migrator: &Migrator, status: &StatusReport, service: &Service) -> Result<Vec<Edit>, CommandError> {
    let rows = status.migrations();
    let changed: Vec<_> =
        rows.iter().filter(|row| matches!(row.state, MigrationState::Changed | MigrationState::CosmeticChange)).collect();
    let versions: Vec<_> = changed.iter().filter_map(|row| row.record().map(|record| &record.key)).collect();
    let stored =
        if versions.is_empty() { Vec::new() } else { migrator.stored_sql(&service.url, &versions, Direction::Up).await? };
    let edits = changed.iter().zip(stored).filter_map(|(row, stored)| {
        let (migration, stored) = (row.migration()?, stored?);
        let file = (service.shown_path)(&migration.up.file);
        let diff = TextDiff::from_lines(stored.as_str(), &migration.up.text);
        let diff = diff.unified_diff().header(&format!("{file} as applied"), &file).to_string();
        Some(Edit { key: row.key().clone(), title: row.title(), state: row.state, diff })
    });
    Ok(edits.collect())
}
