//! The session-level lock and the lease of PostgreSQL: how they are acquired, checked before each transaction, and kept apart.

use super::{Postgres, RESTORE_ROLE, SAVE_ROLE, SYSTEM};
use crate::backend_error::{BackendError, BackendErrorKind, LOCK_LOST};
use crate::connection::TextRow;
use crate::event::SessionInfo;
use crate::history_sql::HistorySql;
use crate::lease::{self, LeaseConnection};
use crate::sql_message::shown_statement;
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;

/// Follows a column: it is this database.
const THIS_DATABASE: &str = "OPERATOR(pg_catalog.=) (SELECT oid FROM pg_catalog.pg_database \
    WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database())";

/// From where a session is connected, and what it calls itself.
const CLIENT: &str =
    "pg_catalog.btrim(pg_catalog.concat(coalesce(pg_catalog.host(a.client_addr), 'local'), ' ', a.application_name))";

impl Postgres<'_> {
    /// The key of the advisory lock.
    pub(super) fn lock_key(&self, history_sql: &HistorySql) -> i64 {
        let checksum = history_sql.lock_name(&self.database);
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&checksum.as_bytes()[..8]);
        i64::from_be_bytes(bytes)
    }

    /// Statements that fail if another process holds the lock by now. They also renew a lease.
    pub(super) fn guard(&self, history_sql: &HistorySql) -> Vec<String> {
        let held = match &self.lease {
            Some(lease) => lease.held_condition(history_sql),
            None => {
                let (high, low) = self.lock_key_halves(history_sql);
                format!(
                    "EXISTS (SELECT 1 FROM pg_catalog.pg_locks WHERE {})",
                    advisory_lock(high, low) + " AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
                )
            }
        };
        let check = format!("SELECT CAST(CASE WHEN {held} THEN '1' ELSE '{LOCK_LOST}' END AS integer)");
        let Some(lease) = &self.lease else { return vec![check] };
        let own_role = self.own_role();
        if own_role.is_empty() {
            return vec![lease.renew_sql(history_sql), check];
        }
        // The row belongs to this run, and the statements that follow to the role of the script.
        let [save, restore] = [SAVE_ROLE, RESTORE_ROLE].map(str::to_owned);
        [save].into_iter().chain(own_role).chain([lease.renew_sql(history_sql), check, restore]).collect()
    }

    /// The key as the columns `classid` and `objid` of `pg_locks` contain it.
    pub(super) fn lock_key_halves(&self, history_sql: &HistorySql) -> (u32, u32) {
        let key = self.lock_key(history_sql);
        ((key >> 32) as u32, key as u32)
    }

    /// Runs `CREATE` statements of history tables under a lock of their own. `IF NOT EXISTS` does not prevent two sessions from
    /// creating a table at the same time, and services share the tables but not the migration lock.
    pub(super) async fn create_tables_locked(
        &mut self,
        history_sql: &HistorySql,
        statements: Vec<String>,
    ) -> Result<(), BackendError> {
        let name = history_sql.text(history_sql.records_name());
        let lock = format!("SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended({name}, 0))");
        // `CREATE SCHEMA IF NOT EXISTS` needs the CREATE privilege on the database even if the schema exists.
        let schema = history_sql.text(history_sql.schema().unwrap_or_default());
        let schemas = self
            .rows(&format!(
                "SELECT 1::pg_catalog.text FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) {schema}"
            ))
            .await?;
        let create_schema = history_sql.create_schema().filter(|_| schemas.is_empty());
        let statements: Vec<String> = create_schema.into_iter().chain(statements).collect();
        let check = crate::trust::check(history_sql);
        // What an event trigger leaves must not reach the first migration.
        let reset = self.reset_after_own();
        let outcome = self.execute(&format!("BEGIN;\n{lock};\n{check};\n{};\n{reset}COMMIT;", statements.join(";\n"))).await;
        if let Err(error) = outcome {
            self.roll_back().await;
            return Err(crate::trust::explained(self, history_sql, error).await);
        }
        Ok(())
    }

    pub(super) async fn try_session_lock(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let key = self.lock_key(history_sql);
        if !self.is_true(&format!("SELECT pg_catalog.pg_try_advisory_lock({key})::pg_catalog.text")).await? {
            return Ok(false);
        }
        // The lock comes first: see `lease::is_held`. Querying a table that does not exist would log an error on the server.
        if self.has_leases(history_sql).await? && lease::is_held_or_break(self, history_sql).await? {
            self.execute(&format!("SELECT pg_catalog.pg_advisory_unlock({key})")).await?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Whether the table of leases exists.
    pub(super) async fn has_leases(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let table = history_sql.text(&history_sql.locks());
        self.is_true(&format!("SELECT (pg_catalog.to_regclass({table}) IS NOT NULL)::pg_catalog.text")).await
    }

    /// Acquires the lock again if a statement that cannot be rolled back has released it, unless another process holds it by
    /// now.
    pub(super) async fn reacquire_lock(&mut self, history_sql: &HistorySql) -> Result<(), BackendError> {
        let guard = self.guard(history_sql).join(";\n");
        match self.execute(&guard).await {
            Err(error) if error.kind == BackendErrorKind::LockLost => {
                if self.try_session_lock(history_sql).await? {
                    Ok(())
                } else {
                    Err(error)
                }
            }
            outcome => outcome,
        }
    }

    /// Who holds the lock.
    pub(super) async fn find_holder(&mut self, history_sql: &HistorySql) -> Option<SessionInfo> {
        // A query of a table that does not exist would log an error on the server, each time that a process waits.
        // For messages only: without an answer, the holder is looked for among the sessions.
        if self.has_leases(history_sql).await.unwrap_or(false)
            && let Some(holder) = lease::holder(self, history_sql).await
        {
            return Some(holder);
        }
        let (high, low) = self.lock_key_halves(history_sql);
        let sql = format!(
            "SELECT a.pid::pg_catalog.text, a.usename::pg_catalog.text, {CLIENT}, \
             pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), pg_catalog.left(a.query, 2000) \
             FROM (SELECT pid FROM pg_catalog.pg_locks WHERE {} AND database {THIS_DATABASE}) l \
             JOIN pg_catalog.pg_stat_activity a ON a.pid {} l.pid LIMIT 1",
            advisory_lock(high, low),
            SYSTEM.equal
        );
        // If the query fails, the message lacks the holder; the run continues to wait.
        self.rows(&sql).await.ok()?.into_iter().next().and_then(read_session)
    }

    /// Who holds locks on these tables.
    pub(super) async fn find_blockers(&mut self, history_sql: &HistorySql, tables: &[Name]) -> Vec<SessionInfo> {
        let relation = |name: &Name| {
            let schema = name.schema.as_ref().map(|schema| format!("{}.", history_sql.name(schema))).unwrap_or_default();
            format!("pg_catalog.to_regclass({})", history_sql.text(&format!("{schema}{}", history_sql.name(&name.name))))
        };
        if tables.is_empty() {
            return Vec::new();
        }
        let relations: Vec<String> = tables.iter().map(relation).collect();
        let equal = SYSTEM.equal;
        let sql = format!(
            "SELECT DISTINCT a.pid::pg_catalog.text, a.usename::pg_catalog.text, {CLIENT}, \
             CAST(pg_catalog.round(extract(epoch from pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) \
             coalesce(a.xact_start, a.backend_start))) AS pg_catalog.text) OPERATOR(pg_catalog.||) ' s ago', \
             pg_catalog.left(CASE WHEN pg_catalog.starts_with(a.state, 'idle') \
             THEN pg_catalog.concat('(', a.state, ') ', a.query) ELSE a.query END, 200) \
             FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid {equal} l.pid \
             WHERE l.granted AND l.locktype {equal} 'relation' AND l.pid {} pg_catalog.pg_backend_pid() \
             AND l.database {THIS_DATABASE} AND l.relation {equal} ANY (ARRAY[{}]::pg_catalog.oid[]) ORDER BY 4 DESC LIMIT 5",
            SYSTEM.unequal,
            relations.join(", ")
        );
        // If the query fails, the message lacks the sessions; the statement is retried anyway.
        self.rows(&sql).await.unwrap_or_default().into_iter().filter_map(read_session).collect()
    }
}

#[async_trait]
impl LeaseConnection for Postgres<'_> {
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError> {
        self.create_tables_locked(history_sql, statements).await
    }

    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError> {
        self.execute(sql).await.map(|()| true)
    }

    async fn row_is_locked(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let (locks, is_service) = (history_sql.locks(), history_sql.is_service());
        let sql = format!(
            "SELECT (EXISTS (SELECT 1 FROM {locks} WHERE {is_service}) AND NOT EXISTS (SELECT 1 FROM (SELECT 1 FROM {locks} \
             WHERE {is_service} FOR UPDATE SKIP LOCKED) free))::pg_catalog.text"
        );
        self.is_true(&sql).await
    }

    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError> {
        let (high, low) = self.lock_key_halves(history_sql);
        let sql = format!(
            "SELECT pg_catalog.count(*)::pg_catalog.text FROM pg_catalog.pg_locks WHERE {} AND database {THIS_DATABASE}",
            advisory_lock(high, low)
        );
        Ok(self.rows(&sql).await?.first().and_then(|row| row[0].as_deref()) != Some("0"))
    }

    fn running_query(&self, start: &str) -> String {
        // The statements of other users are hidden, but their locks are not. A statement that outlives its process, such as a
        // concurrent build, holds one of these, so a session with one of them counts as the holder.
        let equal = SYSTEM.equal;
        // Without `track_activities`, a session with a snapshot executes a statement.
        let hidden = format!(
            "(a.state {equal} 'disabled' AND a.backend_xmin IS NOT NULL AND a.datname {equal} pg_catalog.current_database()) \
             OR (a.query {equal} '<insufficient privilege>' OR a.state {equal} 'disabled') AND a.usesysid IS NOT NULL AND EXISTS (\
             SELECT 1 FROM pg_catalog.pg_locks l WHERE l.pid {equal} a.pid AND l.locktype {equal} 'relation' \
             AND l.database {equal} a.datid AND l.mode {equal} ANY ('{{ShareUpdateExclusiveLock,ShareLock,\
             ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}}'))"
        );
        format!(
            "SELECT pg_catalog.count(*)::pg_catalog.text FROM pg_catalog.pg_stat_activity a \
             WHERE a.pid {} pg_catalog.pg_backend_pid() \
             AND ((a.state {equal} 'active' AND pg_catalog.starts_with(a.query, {start})) OR ({hidden}))",
            SYSTEM.unequal
        )
    }
}

/// A condition on `pg_locks`: the advisory lock whose key has these halves.
pub(super) fn advisory_lock(high: u32, low: u32) -> String {
    let equal = SYSTEM.equal;
    format!(
        "granted AND locktype {equal} 'advisory' AND objsubid {equal} 1 AND classid::bigint {equal} {high} AND objid::bigint {equal} {low}"
    )
}

/// Reads the columns connection, user, host, age and statement.
fn read_session(row: TextRow) -> Option<SessionInfo> {
    let statement = row.get(4).cloned().flatten().map(|text| shown_statement(&text, Dialect::Postgres));
    let mut columns = row.into_iter();
    let connection = columns.next().flatten()?;
    Some(SessionInfo {
        how_to_end: Some(format!("end it: `SELECT pg_terminate_backend({connection})`")),
        connection,
        user: columns.next().flatten(),
        from: columns.next().flatten(),
        since: columns.next().flatten(),
        statement: statement.filter(|text| !text.is_empty()),
    })
}
