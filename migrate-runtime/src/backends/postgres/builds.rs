//! Builds of indexes and other statements with `CONCURRENTLY`, while they run: what an earlier attempt has left is removed, and the
//! result is checked before its checkpoint.

use super::Postgres;
use super::concurrent::Concurrent;
use super::presence::IndexBuild;
use crate::backend::{Remains, UnitError, UnitRun};
use crate::backend_error::BackendError;
use crate::history_sql::HistorySql;
use crate::sql_message::SqlMessage;
use migrate_model::name::Name;

impl Postgres<'_> {
    /// Before a concurrent build: drops the invalid index of that name, which an earlier build has left and `IF NOT EXISTS` would
    /// accept. Returns the invalid indexes of the table, of which none is then of the build.
    pub(super) async fn before_build(&mut self, unit_run: &UnitRun<'_>) -> Result<Vec<String>, UnitError> {
        let Some((number, build)) = concurrent_build(unit_run) else { return Ok(Vec::new()) };
        let prepared = async {
            for index in self.invalid_indexes(&build).await? {
                if build.is_named(&index) {
                    self.drop_index(&index).await?;
                }
            }
            self.invalid_indexes(&build).await
        };
        match prepared.await {
            Ok(invalid) => Ok(invalid),
            Err(error) => Err(self.unit_error(Some(number), None, error).await),
        }
    }

    /// After a concurrent build: drops the invalid index that a failed one has left, and checks that a finished one is valid.
    pub(super) async fn after_build(
        &mut self,
        unit_run: &UnitRun<'_>,
        invalid_before: &[String],
        outcome: Result<(), UnitError>,
    ) -> Result<(), UnitError> {
        let Some((number, build)) = concurrent_build(unit_run) else { return outcome };
        if matches!(outcome, Err(UnitError::ConnectionLost(_))) {
            return outcome;
        }
        let invalid = match self.invalid_indexes(&build).await {
            Ok(invalid) => invalid,
            Err(error) => return outcome.and(Err(self.unit_error(Some(number), None, error).await)),
        };
        let new = invalid.into_iter().find(|index| build.is_named(index) || !invalid_before.contains(index));
        match (outcome, new) {
            (Ok(()), Some(index)) => {
                let mut error = BackendError::own(format!("index {index} exists, but it is invalid"));
                error.hint = Some("another session may be building it; otherwise drop it".into());
                Err(UnitError::StatementFailed { statement: Some(number), offset: None, error, remains: Remains::Nothing })
            }
            (outcome, Some(index)) => {
                // If the index cannot be dropped, the next attempt drops it.
                if let Err(error) = self.drop_index(&index).await {
                    tracing::warn!(index, message = error.message, "the invalid index of a failed build could not be dropped");
                }
                outcome
            }
            (outcome, None) => outcome,
        }
    }

    /// Runs the statement of a unit. One that works in several transactions continues from what an earlier run has left.
    pub(super) async fn run_or_continue(&mut self, history_sql: &HistorySql, unit_run: &UnitRun<'_>) -> Result<(), UnitError> {
        let first = unit_run.numbered_statements().next();
        let concurrent = first.and_then(|(number, statement)| Some((number, Concurrent::of(statement.sql(unit_run.text))?)));
        let Some((number, concurrent)) = concurrent else { return self.run_each(&SqlMessage::default(), unit_run).await };
        let left = match self.left_by(history_sql, &concurrent).await {
            Ok(left) => left,
            Err(error) => return Err(self.unit_error(Some(number), None, error).await),
        };
        let outcome = match (&concurrent, left.first().map(String::as_str)) {
            (Concurrent::Detach(table, partition), Some("2")) => {
                let sql = finalize_sql(history_sql, table, partition);
                match self.execute_for_script(&sql).await {
                    Ok(()) => Ok(()),
                    Err(error) => Err(self.unit_error(Some(number), None, error).await),
                }
            }
            _ => self.run_each(&SqlMessage::default(), unit_run).await,
        };
        match outcome {
            Err(UnitError::StatementFailed { statement, offset, mut error, .. }) => {
                let remains = self.remains_of(history_sql, &concurrent, &mut error).await;
                Err(UnitError::StatementFailed { statement, offset, error, remains })
            }
            outcome => outcome,
        }
    }

    /// What an interrupted run of a statement has left. The invalid indexes of a rebuild are dropped; those that cannot be
    /// dropped are returned.
    pub(super) async fn left_by(
        &mut self,
        history_sql: &HistorySql,
        concurrent: &Concurrent,
    ) -> Result<Vec<String>, BackendError> {
        let Some(sql) = concurrent.left_sql(history_sql) else { return Ok(Vec::new()) };
        let mut left: Vec<String> = self.rows(&sql).await?.into_iter().flatten().flatten().collect();
        if matches!(concurrent, Concurrent::Reindex(..)) {
            for index in std::mem::take(&mut left) {
                if let Err(error) = self.drop_index(&index).await {
                    tracing::warn!(index, message = error.message, "the invalid index of a rebuild could not be dropped");
                    left.push(index);
                }
            }
        }
        Ok(left)
    }

    /// What a failed statement has left, from the catalog; the error then says what it is.
    pub(super) async fn remains_of(
        &mut self,
        history_sql: &HistorySql,
        concurrent: &Concurrent,
        error: &mut BackendError,
    ) -> Remains {
        let Ok(left) = self.left_by(history_sql, concurrent).await else { return Remains::Unclear };
        let said = match (concurrent, left.first().map(String::as_str)) {
            (Concurrent::Detach(table, partition), Some("2")) => {
                let sql = finalize_sql(history_sql, table, partition);
                format!(
                    "the detach of partition `{partition}` is pending, and queries of `{table}` no longer return the rows of this partition; the next run completes the detach with `{sql}`"
                )
            }
            (Concurrent::Drop(index), Some("2")) => {
                format!("index `{index}` is invalid now, so no query uses it; the next run drops it")
            }
            (Concurrent::Reindex(..), Some(_)) => {
                format!("invalid indexes remain: {}; the next run drops them", left.join(", "))
            }
            _ => return Remains::Nothing,
        };
        error.hint = Some(said);
        Remains::Continued
    }

    /// The invalid indexes of the table of a build, as names for SQL, without those that a session is building.
    pub(super) async fn invalid_indexes(&mut self, build: &IndexBuild) -> Result<Vec<String>, BackendError> {
        Ok(self.rows(&build.invalid_sql()).await?.into_iter().flatten().flatten().collect())
    }

    pub(super) async fn drop_index(&mut self, index: &str) -> Result<(), BackendError> {
        tracing::warn!(index, "dropping the invalid index of a failed build");
        self.execute_for_script(&format!("DROP INDEX CONCURRENTLY IF EXISTS {index}")).await
    }
}

/// Completes the detachment of a partition.
fn finalize_sql(history_sql: &HistorySql, table: &Name, partition: &Name) -> String {
    let name = |name: &Name| {
        let schema = name.schema.as_ref().map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
        format!("{schema}{}", history_sql.name(&name.name))
    };
    format!("ALTER TABLE {} DETACH PARTITION {} FINALIZE", name(table), name(partition))
}

/// The concurrent build of an index that a unit consists of, with the number of its statement.
fn concurrent_build(unit_run: &UnitRun<'_>) -> Option<(usize, IndexBuild)> {
    let (number, statement) = unit_run.numbered_statements().next()?;
    Some((number, IndexBuild::of(statement.sql(unit_run.text))?))
}
