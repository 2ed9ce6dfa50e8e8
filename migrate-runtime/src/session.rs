//! What every database is asked in the same way: queries over the one verb `query`.

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::connection::TextRow;
use crate::error::Error;
use crate::history_sql::{HistorySql, HistoryTable};
use crate::trust;
use migrate_model::dialect::Dialect;
use migrate_model::history::{History, Record, RecordState};
use migrate_model::statement;
use migrate_model::target::Direction;
use std::time::Duration;

/// The rows of a query; `None` when its table does not exist.
///
/// # Errors
/// When the server rejects the query for another reason, or the connection is lost.
pub async fn rows_if_exists(backend: &mut (impl Backend + ?Sized), sql: &str) -> Result<Option<Vec<TextRow>>, BackendError> {
    match backend.query(sql).await {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if backend.is_missing_table(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The rows of a query of these tables of the history; `None` when one of its tables does not exist. Nothing is read from a table that is not an
/// ordinary one, or for writing, not one of a trusted user.
///
/// # Errors
/// When a table is not trusted, the server rejects the query for another reason, or the connection is lost.
pub async fn read(
    backend: &mut (impl Backend + ?Sized),
    history_sql: &HistorySql,
    tables: &[HistoryTable],
    query: &str,
) -> Result<Option<Vec<TextRow>>, BackendError> {
    match rows_if_exists(backend, &trust::checked(history_sql, tables, query)).await {
        Err(error) => {
            let error = trust::explained(backend, history_sql, error).await;
            Err(match tables.first() {
                Some(table) => error.in_table(history_sql.table_name(*table).name),
                None => error,
            })
        }
        rows => rows,
    }
}

/// The row of a query that always returns one; `None` if it has not.
pub fn only_row(rows: Vec<TextRow>) -> Option<TextRow> {
    rows.into_iter().next()
}

/// The first column of the first row.
pub fn first(rows: Vec<TextRow>) -> Option<String> {
    rows.into_iter().next().and_then(|row| row.into_iter().next().flatten())
}

/// The statements of the setting `session`, each without its semicolon.
pub fn session_statements(session: &[String], dialect: Dialect) -> Vec<String> {
    let statements = session.iter().flat_map(|text| {
        let (statements, _) = statement::split(text, dialect, "migrate.toml");
        statements.into_iter().map(|statement| statement.sql(text).to_owned())
    });
    statements.collect()
}

/// The history of a service (of the one that `history_sql` is for, if none is given); `None` when the tables do not exist.
///
/// # Errors
/// As [`rows_if_exists`], and when a row is not one that this crate writes.
pub async fn history(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    service: Option<&str>,
) -> Result<Option<History>, Error> {
    let rows = read(backend, history_sql, &[HistoryTable::Records], &history_sql.select_records(service)).await;
    let rows = rows.map_err(|error| error.into_history_error("cannot read the history"))?;
    rows.map(|rows| history_sql.read_records(&rows)).transpose()
}

/// Adds to the partially applied migrations of a history what they have changed in their session without showing it.
///
/// # Errors
/// When the server rejects the query for another reason than a missing privilege, or the connection is lost.
pub async fn add_session_changes(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    history: &mut History,
) -> Result<(), Error> {
    if history.records().iter().all(|record| record.state == RecordState::Applied) {
        return Ok(());
    }
    match session_changes(backend, history_sql).await {
        Ok(changes) => changes.iter().for_each(|(version, names)| history.note_session_changes(version, names)),
        // What is not known may have changed.
        Err(error) if error.lacks_privilege() => {
            let unknown = format!("unknown changes, because this user cannot read `{}`", history_sql.events_name());
            let is_partial = |record: &&Record| record.state != RecordState::Applied && record.statements_done > 0;
            let partial: Vec<String> = history.records().iter().filter(is_partial).map(|record| record.key.to_string()).collect();
            partial.iter().for_each(|version| history.note_session_changes(version, &unknown));
        }
        Err(error) => return Err(error.into_history_error("cannot read the log of events")),
    }
    Ok(())
}

/// The versions whose statements have changed their session, with the names of what they have changed.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn session_changes(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Vec<(String, String)>, BackendError> {
    let Some(sql) = history_sql.select_session_changes() else { return Ok(Vec::new()) };
    let rows = read(backend, history_sql, &[HistoryTable::Events], &sql).await?;
    let pair = |row: TextRow| {
        let mut columns = row.into_iter().flatten();
        Some((columns.next()?, columns.next()?))
    };
    // Without the table, no unit has written into it.
    Ok(rows.into_iter().flatten().filter_map(pair).collect())
}

/// The stored script of a migration.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn stored_script(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    version: &str,
    direction: Direction,
) -> Result<Option<String>, BackendError> {
    Ok(read(backend, history_sql, &[HistoryTable::Records], &history_sql.select_script(version, direction))
        .await?
        .and_then(first))
}

/// Whether a query returns exactly one true value: `true` on PostgreSQL, `1` elsewhere.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn is_true(backend: &mut dyn Backend, sql: &str, limit: Duration) -> Result<bool, BackendError> {
    let rows = backend.query_within(limit, sql).await?;
    let count = rows.len();
    Ok(count == 1 && matches!(first(rows).as_deref(), Some("1" | "t" | "true")))
}
