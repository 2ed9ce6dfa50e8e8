//! Tables that `information_schema` leaves out while another session changes their definition. The server only warns of it: an
//! answer without such a table does not count.
//!
//! MariaDB waits for that session, unless its own session holds a lock (`GET_LOCK` is one), so that a deadlock is possible: then
//! it skips the table (warning 1684, ER_WARN_I_S_SKIPPED_TABLE). After `lock_wait_timeout`, it skips the table, too (warning 1205).

use super::{ANSWER_TIMEOUT, MySql};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::connection::TextRow;
use std::time::Duration;
use tokio::time::Instant;

/// How long a query is repeated whose answer lacks a table.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pause between two such queries.
const PAUSE: Duration = Duration::from_millis(100);

/// The number of warnings of the statement before, which stay.
const WARNING_COUNT: &str = "SELECT CAST(@@SESSION.warning_count AS CHAR) LIMIT 1";

/// A statement that fails (error 1242, ER_SUBQUERY_NO_1_ROW) if the statement before it has a warning.
pub const FAIL_AFTER_WARNING: &str =
    "SELECT (SELECT 1 UNION ALL SELECT 1 FROM DUAL WHERE @@SESSION.warning_count > 0) LIMIT 1;\n";

/// Can a query leave out tables?
pub fn may_skip(sql: &str) -> bool {
    sql.contains("information_schema.") && !sql.contains("information_schema.PROCESSLIST")
}

/// Has a record failed because the catalog did not answer the question in it? With a strict `sql_mode`, the warning is an error.
pub fn is_unanswered(error: &BackendError) -> bool {
    matches!(error.code.as_deref(), Some("1684" | "1242"))
}

impl MySql<'_> {
    /// The rows of a query of `information_schema`, with all tables.
    pub(super) async fn catalog_rows(&mut self, limit: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        let asked = format!("{}\n;\n{WARNING_COUNT}", sql.trim_end().trim_end_matches(';'));
        let start = Instant::now();
        loop {
            let mut rows = self.rows_within(limit, &asked).await?;
            let warnings = rows.pop().and_then(|row| row.into_iter().next().flatten());
            if warnings.as_deref() == Some("0") {
                return Ok(rows);
            }
            let listed = self.rows_within(ANSWER_TIMEOUT, "SHOW WARNINGS").await?;
            // Without one listed (`max_error_count = 0`), the warning may be of a table that was left out.
            let is_skip =
                |warning: &&TextRow| matches!(warning.get(1), Some(Some(code)) if matches!(code.as_str(), "1684" | "1205"));
            let skip = listed.iter().find(is_skip);
            if skip.is_none() && !listed.is_empty() {
                return Ok(rows);
            }
            if start.elapsed() >= PATIENCE {
                let message = skip.and_then(|skip| skip.get(2)?.clone());
                let message = message.unwrap_or_else(|| "`information_schema` may have left out a table".to_owned());
                let error =
                    BackendError::own(format!("{message}; another session changes or locks the table, so try again later"));
                return Err(BackendError { kind: BackendErrorKind::LockTimeout, ..error });
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
