//! The row of `schema_versions`, compared with the records that it is about.
//!
//! The records are the history; the row only summarizes it, so that a run without pending migrations is one query. After one of
//! the tables was truncated or restored, the two disagree. Then the records decide, and the row is written again.

use crate::backend::{Backend, Expected, UnitError};
use crate::backend_error::BackendError;
use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::history_changes;
use crate::history_sql::{HistorySql, HistoryTable};
use crate::session;
use migrate_model::history::History;
use migrate_model::migration_set::SetSummary;

/// What one query shows about the migrations of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Currency {
    /// There is no summary: the tables do not exist, or they belong to something else.
    Unknown,
    /// Others are applied than those of the set; or the records are not those that the summary is about.
    Different,
    /// Exactly those of the set are applied.
    Current,
    /// Exactly those of the set are applied, and others are partially applied.
    BesidePartial,
}

/// Compares the migrations that are applied with those of the set, in one query.
///
/// # Errors
/// When the server rejects the query for another reason, or the connection is lost.
pub async fn currency(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    SetSummary { count, digest, checksums }: SetSummary,
) -> Result<Currency, BackendError> {
    let Some(tally) = tally(backend, history_sql).await? else { return Ok(Currency::Unknown) };
    let has_others = tally.others.as_deref() != Some("0");
    Ok(match (tally.is(digest.to_string(), count, checksums), has_others) {
        (false, _) => Currency::Different,
        (true, false) => Currency::Current,
        (true, true) => Currency::BesidePartial,
    })
}

/// Does the database contain exactly this history, by the same query? For a run that has released the lock for a moment.
///
/// # Errors
/// When the server rejects the query for another reason, or the connection is lost.
pub async fn is_unchanged(backend: &mut dyn Backend, history_sql: &HistorySql, history: &History) -> Result<bool, BackendError> {
    let (mut count, mut checksums) = (0, 0);
    for record in history.applied() {
        (count, checksums) = (count + 1, checksums + u64::from(record.checksum.leading()));
    }
    let others = (history.records().len() - count).to_string();
    let tally = tally(backend, history_sql).await?;
    Ok(tally.is_some_and(|tally| tally.is(digest_text(history), count, checksums) && tally.others == Some(others)))
}

/// What one query says about the records and their summary.
struct Tally {
    /// The digest of the summary, the number of the applied records, and the sum of the leading digits of their checksums.
    applied: Vec<Option<String>>,
    /// The number of the other records.
    others: Option<String>,
}

impl Tally {
    fn is(&self, digest: String, count: usize, checksums: u64) -> bool {
        self.applied == [Some(digest), Some(count.to_string()), Some(checksums.to_string())]
    }
}

/// `None` if there is no summary: the tables do not exist, or they belong to something else.
async fn tally(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Option<Tally>, BackendError> {
    let tables = [HistoryTable::Versions, HistoryTable::Records];
    let rows = match session::read(backend, history_sql, &tables, &history_sql.select_tally()).await {
        Err(error) if backend.is_missing_column(&error) => return Ok(None),
        rows => rows?,
    };
    Ok(rows.and_then(|rows| rows.into_iter().next()).map(|mut row| {
        let others = (row.len() > 3).then(|| row.swap_remove(3)).flatten();
        row.truncate(3);
        Tally { applied: row, others }
    }))
}

/// Whether the stored summary is that of the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SummaryState {
    /// It is; or there is none, and no record.
    OfRecords,
    /// It is another one, or was not asked for.
    Other,
}

/// The row of a service in `schema_versions`; all empty if there is none.
#[derive(Debug, Default)]
struct StoredSummary {
    digest: String,
    count: String,
    version: String,
}

impl StoredSummary {
    async fn read(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Self, BackendError> {
        let rows = session::read(backend, history_sql, &[HistoryTable::Versions], &history_sql.select_summary()).await?;
        // A row or a value that does not exist differs from every summary, except that of a service that has applied nothing.
        let mut columns =
            rows.and_then(|rows| rows.into_iter().next()).unwrap_or_default().into_iter().map(Option::unwrap_or_default);
        let mut column = || columns.next().unwrap_or_default();
        Ok(StoredSummary { digest: column(), count: column(), version: column() })
    }

    fn is_of(&self, history: &History) -> bool {
        let latest = history.latest_applied().map_or("", |record| record.key.as_str());
        let count = history.applied().count();
        // A service that has applied nothing may have no row.
        let is_count = self.count.parse() == Ok(count) || count == 0 && self.count.is_empty();
        self.digest == digest_text(history) && is_count && self.version == latest
    }
}

/// Compares the stored summary with the records.
///
/// # Errors
/// When the server rejects the query, or the connection is lost.
pub async fn state(backend: &mut dyn Backend, history_sql: &HistorySql, history: &History) -> Result<SummaryState, BackendError> {
    let is_of_records = StoredSummary::read(backend, history_sql).await?.is_of(history);
    Ok(if is_of_records { SummaryState::OfRecords } else { SummaryState::Other })
}

/// Writes the summary again if it is not that of the records. Only a run without pending migrations needs this: every step of
/// another one writes it.
///
/// # Errors
/// When the history cannot be read, or the connection is lost.
pub async fn correct(backend: &mut dyn Backend, history_sql: &HistorySql, known: &History) -> Result<(), Error> {
    let error = |error: BackendError| error.into_history_error("cannot read the history");
    let stored = StoredSummary::read(backend, history_sql).await.map_err(error)?;
    if stored.is_of(known) {
        return Ok(());
    }
    // The row was read before the records, so that a change of another process in between is not overwritten.
    let Some(history) = session::history(backend, history_sql, None).await? else { return Ok(()) };
    if stored.is_of(&history) {
        return Ok(());
    }
    tracing::warn!(service = history_sql.service(), "the summary of the history does not match its records; writing it again");
    let fingerprint = format!("{}/", stored.digest);
    let expected = Expected { version: "", fingerprint: &fingerprint };
    match backend.write_if_unchanged(history_sql, &history_changes::summarized(&history), expected).await {
        Ok(()) | Err(UnitError::HistoryChanged) => Ok(()),
        Err(UnitError::ConnectionLost(error)) => Err(error.into_history_error("cannot write the history")),
        // Nothing depends on the summary: as long as it is wrong, each run reads the records.
        Err(UnitError::NotStarted(error) | UnitError::RecordFailed(error) | UnitError::StatementFailed { error, .. }) => {
            tracing::warn!(message = error.message, "the summary of the history could not be written");
            Ok(())
        }
    }
}

/// The digest of a history as its summary contains it.
fn digest_text(history: &History) -> String {
    history.latest_applied().map_or(String::new(), |_| history.digest().to_string())
}

/// How often a run plans the same history again before it gives up.
const MAX_REPETITIONS: usize = 5;

/// Detects a run that plans again and again without progress.
#[derive(Debug, Default)]
pub struct Repetitions {
    last: Option<History>,
    count: usize,
}

impl Repetitions {
    /// A run found that the history had changed since it was planned from `planned`, and is about to plan again.
    ///
    /// # Errors
    /// When that has happened several times with the same history.
    pub async fn plan_again(
        &mut self,
        backend: &mut dyn Backend,
        history_sql: &HistorySql,
        planned: History,
    ) -> Result<(), Error> {
        if self.last.as_ref() != Some(&planned) {
            (self.last, self.count) = (Some(planned), 0);
            return Ok(());
        }
        self.count += 1;
        if self.count > MAX_REPETITIONS {
            let message = format!(
                "each attempt to write the history of `{}` fails because the history seems to have changed, but its rows are the same as before",
                history_sql.service()
            );
            return Err(Error::new(ErrorKind::History, &codes::HISTORY, message)
                .help("wait until no other process migrates this database, then run the same command again"));
        }
        // A summary that is not that of the records looks like a change by another process.
        correct(backend, history_sql, &planned).await
    }
}

#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::backends::OpenOptions;
    use crate::backends::fake::World;
    use crate::database_source::sealed::Open;
    use migrate_model::checksum::Checksum;
    use migrate_model::dialect::Dialect;
    use migrate_model::history::Record;
    use migrate_model::run_settings::HistoryTables;
    use std::time::Duration;

    #[tokio::test]
    async fn a_run_without_progress_ends_with_words() {
        let world = World::new(Dialect::Sqlite);
        let mut backend = (&world)
            .open(OpenOptions { create: true, max_wait: Duration::ZERO, stop: crate::stop_signal::StopSignal::new() })
            .await
            .unwrap();
        let history_sql = HistorySql::new(backend.history_dialect(), "shop", &HistoryTables::default()).unwrap();
        let checksum = Checksum::of_file(b"");
        let history =
            |version: &str| History::new(vec![Record::applied(version.parse().unwrap(), String::new(), checksum, checksum, 1)]);
        let mut repetitions = Repetitions::default();
        for attempt in 0..20 {
            // Another process makes progress.
            let planned = history(&attempt.to_string());
            repetitions.plan_again(&mut *backend, &history_sql, planned).await.unwrap();
        }
        let mut attempts = 0;
        let error = loop {
            match repetitions.plan_again(&mut *backend, &history_sql, history("7")).await {
                Ok(()) => attempts += 1,
                Err(error) => break error,
            }
        };
        assert_eq!(attempts, 1 + MAX_REPETITIONS);
        assert!(error.report().contains("write the history of `shop` fails because"), "{error}");
    }
}
