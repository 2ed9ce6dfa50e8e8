//! Whether the records of a history are complete: compared with the number in the summary, and with the log of events.
//!
//! A run that finds no record of a migration applies it. Records can be lost while the other tables are intact (deleted rows, one
//! table that was truncated, dropped or restored alone), so both others are asked before a run changes something.

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::codes;
use crate::connection::TextRow;
use crate::first_run::RecordedHistory;
use crate::history_sql::{HistorySql, HistoryTable};
use crate::session;
use migrate_model::finding::Finding;
use migrate_model::plural::{count_of, is_are};

/// Whether a history is complete.
#[derive(Debug)]
pub enum Completeness {
    /// As far as its tables say.
    Complete,
    /// Rows were lost, so that a run would apply migrations a second time.
    RecordsLost(Box<Finding>),
    /// One of its tables does not exist.
    TableMissing,
}

impl Completeness {
    /// The finding, if rows were lost.
    pub fn lost(self) -> Option<Finding> {
        match self {
            Completeness::RecordsLost(finding) => Some(*finding),
            Completeness::Complete | Completeness::TableMissing => None,
        }
    }
}

/// Compares the records with the number of applied migrations in the summary, and with the events.
///
/// # Errors
/// When the server rejects a query for another reason than a missing table, or the connection is lost.
pub async fn completeness(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    recorded: &RecordedHistory,
) -> Result<Completeness, BackendError> {
    if recorded.history.is_none() && !recorded.has_other_tables {
        return Ok(Completeness::TableMissing);
    }
    let by_summary = match compared_at_once(backend, history_sql).await? {
        Some(completeness) => return Ok(completeness),
        None => compared_with_summary(backend, history_sql).await?,
    };
    if let Completeness::RecordsLost(_) = by_summary {
        return Ok(by_summary);
    }
    let lost = versions_without_record(backend, history_sql).await?;
    Ok(if lost.is_empty() { by_summary } else { Completeness::RecordsLost(Box::new(lost_by_events(history_sql, &lost))) })
}

/// Asks everything in one query, which is enough for a history with all of its tables and no lost record; `None` for another one.
async fn compared_at_once(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Option<Completeness>, BackendError> {
    use HistoryTable::{Events, Records, Versions};
    let rows = session::read(backend, history_sql, &[Versions, Records, Events], &history_sql.select_counts_and_lost()).await;
    let rows = match rows {
        Err(error) if error.lacks_privilege() => return Ok(None),
        // Without one of the tables there is no row, which does not match below either.
        rows => rows?.unwrap_or_default(),
    };
    // What is not a number does not prove completeness.
    let numbers: Vec<Option<i64>> = rows.into_iter().flatten().map(|text| text.and_then(|text| text.parse().ok())).collect();
    Ok(match numbers.as_slice() {
        [Some(counted), Some(recorded), _, Some(0)] if counted <= recorded => Some(Completeness::Complete),
        _ => None,
    })
}

async fn compared_with_summary(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Completeness, BackendError> {
    // Another process may have created the table of records since it was read, so both numbers are asked again.
    let counts =
        session::read(backend, history_sql, &[HistoryTable::Versions, HistoryTable::Records], &history_sql.select_counts())
            .await?;
    let has_records = counts.is_some();
    let rows = match counts {
        Some(rows) => Some(rows),
        None => session::read(backend, history_sql, &[HistoryTable::Versions], &history_sql.select_count()).await?,
    };
    let Some(rows) = rows else { return Ok(Completeness::TableMissing) };
    // A column that was not asked for, because the table of records is missing, counts as no record.
    let number = |row: &TextRow, at: usize| row.get(at).map_or(Some(0), |text| text.as_deref()?.parse::<i64>().ok());
    // A service without a row has no summary that could say more than the records, and none that says which tables exist.
    let (counted, recorded, is_complete) = match rows.first() {
        None => (0, 0, has_all_tables(backend, history_sql).await?),
        Some(row) => {
            let recorded = number(row, 1).ok_or_else(BackendError::unanswered)?;
            let Some(counted) = number(row, 0) else {
                return Ok(Completeness::RecordsLost(Box::new(records_lost(format!(
                    "`applied_count` of `{}` in `{}` is not a number, so it is unknown whether the history is complete",
                    history_sql.service(),
                    history_sql.versions_name()
                )))));
            };
            (counted, recorded, has_records && number(row, 2) != Some(0))
        }
    };
    if counted <= recorded {
        return Ok(if is_complete { Completeness::Complete } else { Completeness::TableMissing });
    }
    // More than the number of records, so not negative.
    let counted = usize::try_from(counted).unwrap_or_default();
    let message = format!(
        "the history of `{}` is incomplete: `{}` counts {} as applied, but `{}` contains only {recorded}",
        history_sql.service(),
        history_sql.versions_name(),
        count_of(counted, "migration"),
        history_sql.records_name()
    );
    Ok(Completeness::RecordsLost(Box::new(records_lost(message))))
}

/// Whether all tables exist that the first run creates. It may have ended in between, because MySQL commits each `CREATE`.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn has_all_tables(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<bool, BackendError> {
    let row = session::only_row(backend.query(&history_sql.select_existence()).await?).ok_or_else(BackendError::unanswered)?;
    Ok(row.iter().all(|exists| exists.as_deref() == Some("1")))
}

/// The versions that are applied by the log of events and have no record, in the order in which they were applied. None if the log
/// does not exist or this user must not read it: then only the summary is asked.
///
/// # Errors
/// When a table is not trusted, the server rejects the query for another reason, or the connection is lost.
pub async fn versions_without_record(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Vec<String>, BackendError> {
    let rows =
        session::read(backend, history_sql, &[HistoryTable::Events, HistoryTable::Records], &history_sql.select_lost(true)).await;
    let rows = match rows {
        Ok(None) => session::read(backend, history_sql, &[HistoryTable::Events], &history_sql.select_lost(false)).await,
        rows => rows,
    };
    match rows {
        Ok(rows) => Ok(rows.unwrap_or_default().into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()),
        Err(error) if error.lacks_privilege() => {
            tracing::debug!(message = error.message, "the events cannot be read");
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

fn lost_by_events(history_sql: &HistorySql, versions: &[String]) -> Finding {
    /// So many are named.
    const NAMED: usize = 3;
    let named: Vec<String> = versions.iter().take(NAMED).map(|version| format!("`{version}`")).collect();
    let more = if versions.len() > NAMED { ", ..." } else { "" };
    records_lost(format!(
        "the history of `{}` is incomplete: according to `{}`, {} {} applied that `{}` does not contain: {}{more}",
        history_sql.service(),
        history_sql.events_name(),
        count_of(versions.len(), "migration"),
        is_are(versions.len()),
        history_sql.records_name(),
        named.join(", ")
    ))
}

fn records_lost(message: String) -> Finding {
    Finding::error(&codes::RECORDS_LOST, message)
        .help("restore the missing rows, so that no migration is applied twice")
        .help("or, if the whole database was restored to this state, accept the existing rows: `cargo migrate repair`")
}
