//! Writes the history of MySQL and MariaDB: with the transaction of a unit, or in one of its own, and finds out what a transaction
//! that failed has left.

use super::{MySql, as_sql, guard_sql, guarded_error, read_error, role, skipped_tables};
use crate::backend::{Backend, BuildChange, Recorded, Remains, UnitError, UnitRun};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::connection::{ANSWER_TIMEOUT, TextRow};
use crate::early_start::StartRecord;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_sql::HistorySql;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How many times the write of a change is tried when a certification is lost.
const MAX_WRITES: u32 = 10;

impl MySql<'_> {
    /// Statements that set the role of this run, and those that set the one of the script again.
    pub(super) async fn role_switch(&mut self) -> Result<[Option<String>; 2], BackendError> {
        let Some(run_role) = self.role.set_own_sql() else { return Ok([None, None]) };
        let script = self.current_role().await?;
        Ok([Some(run_role), Some(role::set_sql(&script))])
    }

    /// Writes a change, and the start of the next step, between the statements that set the role of this run and that of the
    /// script.
    pub(super) async fn write_with_roles(
        &mut self,
        history_sql: &HistorySql,
        change: &HistoryChange<'_>,
        next_start: Option<&HistoryChange<'_>>,
        [run_role, script]: [String; 2],
    ) -> Result<StartRecord, BackendError> {
        let guard = self.guard(history_sql);
        let check = guard_sql(&guard);
        let mut record = self.record_sql(history_sql, change);
        let next = next_start.map(|start| history_sql.write(start));
        // With autocommit, a single statement needs no transaction, which saves a round trip. A lease needs one, so that its row
        // stays locked until the commit.
        let is_single = record.matches(";\n").count() == 1 && next.is_none();
        // A routine of the script may have disabled autocommit, so `COMMIT` follows.
        let begin = if is_single && self.lease.is_none() { "" } else { "START TRANSACTION;\n" };
        let mut tries = 0;
        loop {
            let sql = format!("{run_role}{begin}{check}{record}");
            let committed = self.commit_record(&sql, next.as_deref(), &script);
            let (completed, outcome) = match tokio::time::timeout(ANSWER_TIMEOUT, committed).await {
                Ok(outcome) => outcome,
                Err(_) => (0, Err(read_error(self.connection.note_overdue(ANSWER_TIMEOUT)))),
            };
            let error = match outcome {
                Ok(start) => return Ok(start),
                Err(error) => error,
            };
            self.roll_back().await;
            tries += 1;
            if skipped_tables::is_unanswered(&error)
                && tries < MAX_WRITES
                && let Some(unanswered) = change.unanswered()
            {
                record = self.record_sql(history_sql, &unanswered);
                continue;
            }
            // ER_LOCK_DEADLOCK: another node has won the certification, with a change of something else.
            if error.code.as_deref() != Some("1213") || tries == MAX_WRITES {
                return Err(guarded_error(completed, 2 + guard.len(), error));
            }
        }
    }

    /// Ends the transaction of a unit with its record.
    pub(super) async fn commit_unit(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<Recorded, UnitError> {
        let took = unit_run.since.elapsed();
        let change = build_change(Elapsed::Measured(took));
        let record = self.record_sql(history_sql, &change);
        // The second check detects a lock that the script has released, and renews a lease for its full duration.
        let [run_role, script] = self.role_switch().await.map_err(UnitError::from_write)?.map(as_sql);
        let guard = self.guard(history_sql);
        let next = unit_run.next_start.map(|start| history_sql.write(start));
        let with_guard = |record: &str| format!("{run_role}{}{record}", guard_sql(&guard));
        let (mut completed, mut outcome) = self.commit_record(&with_guard(&record), next.as_deref(), &script).await;
        // Only the statement with the question has failed: the transaction is still open.
        if let (Err(error), Some(unanswered)) = (&outcome, change.unanswered())
            && skipped_tables::is_unanswered(error)
        {
            let record = self.record_sql(history_sql, &unanswered);
            (completed, outcome) = self.commit_record(&with_guard(&record), next.as_deref(), &script).await;
        }
        let error = match outcome {
            Ok(next) => return Ok(Recorded { next, took: Some(took) }),
            Err(error) => error,
        };
        let completed = completed.saturating_sub(usize::from(!run_role.is_empty()));
        if error.is_connection_lost() {
            return Err(UnitError::ConnectionLost(error));
        }
        let remains = self.roll_back_and_ask(&error).await;
        let error = guarded_error(completed, guard.len(), error);
        if error.kind == BackendErrorKind::LockTimeout || remains == Remains::Unclear {
            // A lock timeout: for example, another node has won the certification. What was rolled back can run again.
            Err(UnitError::StatementFailed { statement: None, offset: None, error, remains })
        } else {
            Err(UnitError::RecordFailed(error))
        }
    }

    /// Commits a transaction that ends in a record, and with it the start of the next step, unless the message would be too long.
    /// If only that start cannot be written, the rest is committed without it. Returns how many statements are done, too.
    async fn commit_record(
        &mut self,
        record: &str,
        next: Option<&str>,
        script: &str,
    ) -> (usize, Result<StartRecord, BackendError>) {
        let next = next.filter(|next| record.len() + next.len() + (16 << 10) < self.max_packet);
        let Some(next) = next else {
            let (completed, error) = self.run(&format!("{record}{script}COMMIT;")).await;
            return (completed, error.map_or(Ok(StartRecord::Missing), Err));
        };
        // A name that no script has.
        let savepoint = format!("migrate_{:016x}", RandomState::new().hash_one(record));
        let (completed, error) = self.run(&format!("{record}SAVEPOINT {savepoint};\n{next}{script}COMMIT;")).await;
        let Some(error) = error else { return (completed, Ok(StartRecord::Written)) };
        // Where the transaction was rolled back, or had not come so far, there is no savepoint. What the server has said about a
        // rollback must stay.
        if !error.is_connection_lost()
            && self.rows("SHOW WARNINGS").await.is_ok_and(|warnings| !warnings.iter().any(is_incomplete_rollback))
            && self.execute_for_script(&format!("ROLLBACK TO SAVEPOINT {savepoint}")).await.is_ok()
        {
            tracing::debug!(message = error.message, "recording the start of the next migration");
            let (completed, error) = self.run(&format!("{script}COMMIT;")).await;
            return (completed, error.map_or(Ok(StartRecord::Missing), Err));
        }
        (completed, Err(error))
    }

    async fn roll_back(&mut self) {
        if let Err(error) = self.execute_for_script("ROLLBACK").await {
            tracing::debug!(message = error.message, "rolling back");
        }
    }

    /// Rolls back, and asks the server what remains: it warns of changes to tables that are not transactional. After some
    /// errors it has already rolled back, and has warned with the error.
    pub(super) async fn roll_back_and_ask(&mut self, error: &BackendError) -> Remains {
        match self.try_roll_back_and_ask(error).await {
            Ok(remains) => remains,
            Err(error) => {
                tracing::debug!(message = error.message, "rolling back");
                Remains::Unclear
            }
        }
    }

    async fn try_roll_back_and_ask(&mut self, error: &BackendError) -> Result<Remains, BackendError> {
        let before = self.rows("SHOW WARNINGS").await?;
        // To roll back may take as long as the script did.
        let after = self.query_within(Duration::MAX, "ROLLBACK;\nSHOW WARNINGS").await?;
        let limit = self.first_value("SELECT CAST(@@SESSION.max_error_count AS CHAR) LIMIT 1").await?;
        // Warnings beyond the limit are not kept.
        let limit: usize = limit.and_then(|limit| limit.parse().ok()).unwrap_or_default();
        // ER_LOCK_WAIT_TIMEOUT (with `innodb_rollback_on_timeout`), ER_LOCK_TABLE_FULL, ER_LOCK_DEADLOCK
        let is_rolled_back = matches!(error.code.as_deref(), Some("1205" | "1206" | "1213"));
        let is_complete = after.len() < limit && (before.len() < limit || !is_rolled_back);
        let warned = before.iter().chain(&after).any(is_incomplete_rollback);
        Ok(if is_complete && !warned { Remains::Nothing } else { Remains::Unclear })
    }

    /// The SQL of a change, without the texts of scripts if the message would be longer than the server accepts.
    fn record_sql(&self, history_sql: &HistorySql, change: &HistoryChange<'_>) -> String {
        let sql = history_sql.write(change);
        // The guard and the rest of the transaction are in the same message.
        let fits = sql.len() + (16 << 10) < self.max_packet;
        if fits { sql } else { history_sql.write(&change.clone().without_texts()) }
    }
}

/// Is a warning ER_WARNING_NOT_COMPLETE_ROLLBACK?
fn is_incomplete_rollback(warning: &TextRow) -> bool {
    warning.iter().flatten().any(|column| column == "1196")
}
