//! The session-level lock and the lease of MySQL and MariaDB: how they are acquired and kept apart, and who holds them.

use super::{MySql, lock_name};
use crate::backend::Backend;
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::connection::TextRow;
use crate::event::SessionInfo;
use crate::history_sql::HistorySql;
use crate::lease::{self, LeaseConnection};
use crate::session::only_row;
use crate::sql_message::shown_statement;
use async_trait::async_trait;
use migrate_model::dialect::Dialect;

impl MySql<'_> {
    /// Who holds the lock.
    pub(super) async fn find_holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo> {
        if let Some(holder) = lease::holder(self, history_sql).await {
            return Some(holder);
        }
        let id = self.first_value(&format!("SELECT IS_USED_LOCK({})", self.lock_name(history_sql))).await.ok()??;
        let sql = format!(
            "SELECT USER, HOST, CONCAT(TIME, ' s'), LEFT(INFO, 2000) FROM information_schema.PROCESSLIST WHERE ID = {id}"
        );
        // Without the PROCESS privilege, connections of other users are not visible: then only the number is known.
        let row = self.rows(&sql).await.ok().and_then(|rows| rows.into_iter().next()).unwrap_or_default();
        read_session([Some(id)].into_iter().chain(row).collect())
    }

    pub(super) async fn try_session_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let name = self.lock_name(history_sql);
        let sql = format!("SELECT CAST(GET_LOCK({name}, 0) AS CHAR), CAST(IS_USED_LOCK({name}) AS CHAR)");
        let mut row = only_row(self.rows(&sql).await?).ok_or_else(BackendError::unanswered)?.into_iter();
        match row.next().flatten().as_deref() {
            // The number of the connection, because a script may change what `CONNECTION_ID()` returns.
            Some("1") => {
                let holder = row.next().flatten();
                self.lock_condition = holder.map(|holder| format!("coalesce(IS_USED_LOCK({name}) = {holder}, 0)"));
            }
            Some(_) => return Ok(false),
            None => return Err(BackendError::own("`GET_LOCK` returned NULL: the server could not create the lock")),
        }
        // The lock comes first: see `lease::is_held`.
        if lease::is_held_or_break(self, history_sql).await? {
            self.execute(&format!("DO RELEASE_LOCK({name})")).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// The name of the lock, as an expression.
    pub(super) fn lock_name(&self, history_sql: &HistorySql) -> String {
        let schema = history_sql.schema().unwrap_or(&self.database);
        lock_name::expression(schema, history_sql.records_name(), &history_sql.locked_service())
    }
}

#[async_trait]
impl LeaseConnection for MySql<'_> {
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        // `CREATE SCHEMA IF NOT EXISTS` requires CREATE on the whole database even if it exists.
        let schema = history_sql.text(history_sql.schema().unwrap_or_default());
        let schemas = self.rows(&format!("SELECT '1' FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {schema}")).await?;
        let create_schema = history_sql.create_schema().filter(|_| schemas.is_empty());
        for statement in create_schema.into_iter().chain(statements) {
            self.execute(&statement).await?;
        }
        Ok(())
    }

    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError> {
        // A holder that has locked the row in a transaction is alive, so there is no need to wait for it.
        let outcome = self.execute(&format!("SET SESSION innodb_lock_wait_timeout = 1;\n{sql}")).await;
        self.restore().await?;
        match outcome {
            // Such a transaction exists, or another node has won the certification.
            Err(error) if error.kind == BackendErrorKind::LockTimeout => Ok(false),
            outcome => outcome.map(|()| true),
        }
    }

    async fn row_is_locked(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let service = history_sql.text(history_sql.service());
        let sql = format!("SELECT '1' FROM {} WHERE service = {service} FOR UPDATE NOWAIT", history_sql.locks());
        match self.rows(&sql).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind == BackendErrorKind::LockTimeout => Ok(true),
            // ER_LOCK_NOWAIT of MySQL
            Err(error) if error.code.as_deref() == Some("3572") => Ok(true),
            Err(error) => Err(error),
        }
    }

    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let holder = self.first_value(&format!("SELECT CAST(IS_USED_LOCK({}) AS CHAR)", self.lock_name(history_sql))).await?;
        Ok(holder.is_some())
    }

    fn running_query(&self, start: &str) -> String {
        format!("SELECT CAST(count(*) AS CHAR) FROM information_schema.PROCESSLIST WHERE INSTR(INFO, {start}) = 1")
    }
}

/// Reads the columns connection, user, host, age and statement.
pub(super) fn read_session(row: TextRow) -> Option<SessionInfo> {
    let mut columns = row.into_iter();
    let connection = columns.next().flatten()?;
    Some(SessionInfo {
        how_to_end: Some(format!("end it: `KILL {connection}`")),
        connection,
        user: columns.next().flatten(),
        from: columns.next().flatten(),
        since: columns.next().flatten().map(|seconds| format!("{seconds} ago")),
        statement: columns.next().flatten().map(|text| shown_statement(&text, Dialect::MySql)),
    })
}
