//! A lease: the migration lock as a row, where a session-level lock does not exclude other processes.
//!
//! The row contains the holder, the expiry by the clock of the database, and a fencing token that increases with each holder.
//! Every transaction first renews the row by holder and token, and fails if another process holds it by then. So a process that
//! was suspended for longer than its lease writes nothing after it continues. (Kleppmann, "How to do distributed locking", 2016.)

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::connection::TextRow;
use crate::event::SessionInfo;
use crate::history_sql::{HistorySql, HistoryTable, SystemNames};
use crate::session::{self, only_row};
use async_trait::async_trait;
use migrate_model::checksum::Checksum;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Database, Executor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;

/// The claim of one run to the row of its service, acquired or not.
#[derive(Debug)]
pub struct Lease {
    holder: String,
    /// The fencing token; `None` while the lease is not held.
    fence: Option<String>,
    duration: Duration,
    heartbeat: Option<Heartbeat>,
}

/// The state of the row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LeaseRow {
    /// The holder; empty if the lease is free.
    holder: String,
    /// The fencing token.
    fence: String,
    /// The process of the holder, and the age and expiry of the lease, for messages.
    session: SessionInfo,
    /// Whether the lease has expired.
    expired: bool,
}

/// The operations of a database for its leases.
#[async_trait]
pub trait LeaseConnection: Backend {
    /// Runs statements that create tables and rows. Other sessions may create them at the same time.
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError>;

    /// Tries to update the row. False if another transaction has locked it; waits for that at most briefly.
    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError>;

    /// Whether any session holds the session-level lock, which is used where there is no lease.
    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError>;

    /// Whether a transaction has locked the row: its holder has renewed it there and is alive, even if the row looks expired.
    async fn row_is_locked(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError>;

    /// A query that counts the server sessions that execute a statement which starts with this string literal.
    fn running_query(&self, start: &str) -> String;
}

/// The holder of the lease, for messages. `None` if the lease is free, or the query fails.
pub async fn holder(connection: &mut impl LeaseConnection, history_sql: &HistorySql) -> Option<SessionInfo> {
    let row = read_row(connection, history_sql).await.ok()??;
    (!row.holder.is_empty()).then_some(row.session)
}

/// Whether a process holds a lease.
///
/// A process with the session-level lock calls this after it has acquired that lock. A process with a lease checks for the
/// session-level lock after it has acquired the lease. Each writes before it checks, so at least one of two concurrent processes
/// detects the other.
pub async fn is_held(connection: &mut impl LeaseConnection, history_sql: &HistorySql) -> Result<bool, BackendError> {
    let Some(row) = read_row(connection, history_sql).await? else { return Ok(false) };
    is_valid(connection, history_sql, &row).await
}

/// The same for a process that has acquired the session-level lock. If the lease has expired, it is taken from its holder, which
/// then writes nothing after it continues.
pub async fn is_held_or_break(connection: &mut impl LeaseConnection, history_sql: &HistorySql) -> Result<bool, BackendError> {
    let Some(row) = read_row(connection, history_sql).await? else { return Ok(false) };
    if row.holder.is_empty() {
        return Ok(false);
    }
    if is_valid(connection, history_sql, &row).await? || connection.row_is_locked(history_sql).await? {
        return Ok(true);
    }
    if !connection.try_update(&Lease::break_sql(history_sql, &row)).await? {
        return Ok(true);
    }
    let row = read_row(connection, history_sql).await?;
    Ok(row.is_some_and(|row| !row.holder.is_empty()))
}

/// Whether the row has a holder whose lease has not expired, or whose last statement the server still executes.
async fn is_valid(connection: &mut impl LeaseConnection, history_sql: &HistorySql, row: &LeaseRow) -> Result<bool, BackendError> {
    if row.holder.is_empty() || !row.expired {
        return Ok(!row.holder.is_empty());
    }
    let running = connection.running_query(&history_sql.text(&format!("/* migrate {} */", row.holder)));
    Ok(!is_zero(session::rows_if_exists(connection, &running).await?))
}

/// The row of the service; `None` if it or its table does not exist.
async fn read_row(connection: &mut impl LeaseConnection, history_sql: &HistorySql) -> Result<Option<LeaseRow>, BackendError> {
    Ok(read_rows(connection, history_sql).await?.and_then(only_row).map(Lease::read_columns))
}

/// The same as texts, at most one; `None` if the table does not exist.
async fn read_rows(
    connection: &mut impl LeaseConnection,
    history_sql: &HistorySql,
) -> Result<Option<Vec<TextRow>>, BackendError> {
    session::read(connection, history_sql, &[HistoryTable::Locks], &Lease::select_sql(history_sql)).await
}

/// Distinguishes the leases of one process.
static NEXT_NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Lease {
    /// A claim of a new holder, which is not held yet.
    pub fn new(history_sql: &HistorySql, duration: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let pieces = [history_sql.host(), &std::process::id().to_string(), &now.to_string(), &number.to_string()];
        let holder = Checksum::of_pieces(pieces).to_string()[..16].to_owned();
        Lease { holder, fence: None, duration, heartbeat: None }
    }

    /// Changes how long the lease is valid after a renewal. Takes effect with the next one.
    pub fn set_duration(&mut self, duration: Duration) {
        self.duration = duration;
    }

    /// How long the lease is valid after a renewal.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Acquires the lease if it is free, or if it has expired and the server executes no statement of its holder. Creates the
    /// table and the row if they do not exist.
    ///
    /// # Errors
    /// When the database rejects a statement, or the connection is lost.
    pub async fn try_acquire(
        &mut self,
        connection: &mut impl LeaseConnection,
        history_sql: &HistorySql,
    ) -> Result<bool, BackendError> {
        let rows = read_rows(connection, history_sql).await?;
        let has_table = rows.is_some();
        let row = match rows.and_then(only_row) {
            Some(row) => Lease::read_columns(row),
            None => {
                let created = connection.create(history_sql, Lease::create_sql(history_sql, has_table)).await;
                created.map_err(|error| BackendError {
                    message: format!("cannot create the lease in {}: {}", history_sql.locks(), error.message),
                    ..error
                })?;
                let row = read_row(connection, history_sql).await?;
                row.ok_or_else(|| BackendError::own("the row of the lease was created, but then does not exist"))?
            }
        };
        let is_alive = !row.holder.is_empty() && row.expired && connection.row_is_locked(history_sql).await?;
        let held =
            is_alive || is_valid(connection, history_sql, &row).await? || connection.session_lock_is_held(history_sql).await?;
        if held || !connection.try_update(&self.acquire_sql(history_sql)).await? {
            return Ok(false);
        }
        let row = read_row(connection, history_sql).await?;
        self.fence = row.filter(|row| row.holder == self.holder).map(|row| row.fence);
        // A process may have acquired the session-level lock since the check before the update.
        if self.fence.is_some() && connection.session_lock_is_held(history_sql).await? {
            connection.try_update(&self.release_sql(history_sql)).await?;
            self.fence = None;
        }
        Ok(self.fence.is_some())
    }

    /// Statements that create the table if it does not exist, and the row of this service without a holder. `CREATE TABLE IF NOT
    /// EXISTS` would require a privilege also where the table exists.
    fn create_sql(history_sql: &HistorySql, has_table: bool) -> Vec<String> {
        let dialect = history_sql.dialect();
        let (service, now) = (history_sql.text(history_sql.service()), dialect.now);
        let row = format!(
            "INTO {} (service, fence, holder, host, process, taken_at, renewed_at, expires_at) \
             VALUES ({service}, 0, '', '', '', {now}, {now}, {now})",
            history_sql.locks()
        );
        let row = (dialect.insert_if_absent)(&row);
        let table = (!has_table).then(|| history_sql.create_locks());
        table.into_iter().chain([row]).collect()
    }

    /// A query for the row of this service, as texts for [`read_columns`](Self::read_columns).
    fn select_sql(history_sql: &HistorySql) -> String {
        let dialect = history_sql.dialect();
        let (now, seconds, less) = (dialect.now, dialect.seconds_between, dialect.names.less);
        format!(
            "SELECT holder, {}, host, process, {}, {}, {}, CASE WHEN expires_at {less} {now} THEN '1' ELSE '0' END \
             FROM {} WHERE {}",
            (dialect.as_text)("fence"),
            seconds("taken_at", now),
            seconds("renewed_at", now),
            seconds(now, "expires_at"),
            history_sql.locks(),
            history_sql.is_service()
        )
    }

    /// Reads a row of [`select_sql`](Self::select_sql).
    fn read_columns(columns: TextRow) -> LeaseRow {
        let mut columns = columns.into_iter().map(Option::unwrap_or_default);
        let mut next = || columns.next().unwrap_or_default();
        let (holder, fence, host, process) = (next(), next(), next(), next());
        let (taken, renewed, left) = (next(), next(), next());
        let expired = next() == "1";
        let until = if expired {
            "its lease has expired".to_owned()
        } else {
            format!("its lease expires in {left} s unless it is renewed")
        };
        let session = SessionInfo {
            connection: holder.clone(),
            from: Some(format!("process {process} on {host}")),
            since: Some(format!("{taken} s ago (lease last renewed {renewed} s ago; {until})")),
            how_to_end: Some("end that process; its lease then expires".to_owned()),
            ..SessionInfo::default()
        };
        LeaseRow { holder, fence, session, expired }
    }

    /// An update that acquires the lease if it is free or expired, and no open transaction of its holder has locked the row.
    fn acquire_sql(&self, history_sql: &HistorySql) -> String {
        let now = history_sql.dialect().now;
        let SystemNames { equal, less, plus, .. } = history_sql.dialect().names;
        let free = format!("{} AND (holder {equal} '' OR expires_at {less} {now})", history_sql.is_service());
        // A row that another transaction has locked is in use. MySQL cannot skip it here, so `try_update` limits the wait.
        let free = if history_sql.dialect().skips_locked {
            format!("service {equal} ANY (SELECT service FROM {} WHERE {free} FOR UPDATE SKIP LOCKED)", history_sql.locks())
        } else {
            free
        };
        format!(
            "UPDATE {} SET holder = '{}', fence = fence {plus} 1, host = {}, process = '{}', taken_at = {now}, renewed_at = {now}, \
             expires_at = {} WHERE {free}",
            history_sql.locks(),
            self.holder,
            history_sql.text(history_sql.host()),
            std::process::id(),
            self.expiry(history_sql)
        )
    }

    /// An update that takes an expired lease from its holder.
    fn break_sql(history_sql: &HistorySql, row: &LeaseRow) -> String {
        let now = history_sql.dialect().now;
        let SystemNames { equal, less, plus, .. } = history_sql.dialect().names;
        let expired = format!(
            "{} AND holder {equal} {} AND fence {equal} {} AND expires_at {less} {now}",
            history_sql.is_service(),
            history_sql.text(&row.holder),
            row.fence
        );
        let expired = if history_sql.dialect().skips_locked {
            format!("service {equal} ANY (SELECT service FROM {} WHERE {expired} FOR UPDATE SKIP LOCKED)", history_sql.locks())
        } else {
            expired
        };
        format!("UPDATE {} SET holder = '', fence = fence {plus} 1 WHERE {expired}", history_sql.locks())
    }

    /// An update that renews the lease if this run still holds it.
    pub fn renew_sql(&self, history_sql: &HistorySql) -> String {
        format!(
            "UPDATE {} SET renewed_at = {}, expires_at = {} WHERE {}",
            history_sql.locks(),
            history_sql.dialect().now,
            self.expiry(history_sql),
            self.is_own_condition(history_sql)
        )
    }

    /// The same for the heartbeat. It skips a row that a transaction of this run has locked, which renews the lease itself.
    fn heartbeat_sql(&self, history_sql: &HistorySql) -> String {
        if !history_sql.dialect().skips_locked {
            return self.renew_sql(history_sql);
        }
        let (now, expiry, locks) = (history_sql.dialect().now, self.expiry(history_sql), history_sql.locks());
        let (is_holder, equal) = (self.is_own_condition(history_sql), history_sql.dialect().names.equal);
        let unlocked = format!("SELECT service FROM {locks} WHERE {is_holder} FOR UPDATE SKIP LOCKED");
        format!("UPDATE {locks} SET renewed_at = {now}, expires_at = {expiry} WHERE service {equal} ANY ({unlocked})")
    }

    /// A condition that is true if this run still holds the lease.
    pub fn held_condition(&self, history_sql: &HistorySql) -> String {
        format!("EXISTS (SELECT 1 FROM {} WHERE {})", history_sql.locks(), self.is_own_condition(history_sql))
    }

    /// An update that releases the lease if this run still holds it.
    pub fn release_sql(&self, history_sql: &HistorySql) -> String {
        format!(
            "UPDATE {} SET holder = '', expires_at = {} WHERE {}",
            history_sql.locks(),
            history_sql.dialect().now,
            self.is_own_condition(history_sql)
        )
    }

    /// A comment before a statement that runs without a transaction. The statement may outlive this process, and the comment lets
    /// other processes detect that.
    pub fn holder_comment(&self) -> String {
        format!("/* migrate {} */ ", self.holder)
    }

    fn is_own_condition(&self, history_sql: &HistorySql) -> String {
        let fence = self.fence.as_deref().unwrap_or("-1");
        let equal = history_sql.dialect().names.equal;
        format!("{} AND holder {equal} '{}' AND fence {equal} {fence}", history_sql.is_service(), self.holder)
    }

    fn expiry(&self, history_sql: &HistorySql) -> String {
        let dialect = history_sql.dialect();
        (dialect.later)(dialect.now, self.duration)
    }

    /// Renews the lease over a connection of its own, until `self` is dropped or [`stop_heartbeat`](Self::stop_heartbeat). The
    /// interval is a third of the duration.
    pub fn keep_alive<DB>(&mut self, history_sql: &HistorySql, options: <DB::Connection as Connection>::Options)
    where
        DB: Database,
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        let (sql, interval) = (self.heartbeat_sql(history_sql), self.duration / 3);
        let task = tokio::spawn(async move {
            let mut connection = None;
            loop {
                // An unresponsive connection must not prevent all later renewals: the next one opens another connection.
                match tokio::time::timeout(interval * 2, run_heartbeat::<DB>(connection.take(), &options, &sql)).await {
                    Ok(Ok(open)) => connection = Some(open),
                    Ok(Err(error)) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
                    Err(_) => tracing::warn!("the lease could not be renewed in time; trying again"),
                }
                tokio::time::sleep(interval).await;
            }
        });
        self.heartbeat = Some(Heartbeat { task });
    }

    /// Stops the renewals; the lease then expires unless it is released.
    pub fn stop_heartbeat(&mut self) {
        self.heartbeat = None;
    }
}

/// Whether the result of a count is 0. A missing result counts as not 0, so that the lease remains held.
fn is_zero(rows: Option<Vec<TextRow>>) -> bool {
    let first = rows.and_then(|rows| rows.into_iter().next()?.into_iter().next()?);
    first.as_deref() == Some("0")
}

/// Renews the lease once, and returns the connection for the next time.
async fn run_heartbeat<DB>(
    open: Option<DB::Connection>,
    options: &<DB::Connection as Connection>::Options,
    sql: &str,
) -> Result<DB::Connection, sqlx::Error>
where
    DB: Database,
    for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
{
    let mut connection = match open {
        Some(open) => open,
        None => options.connect().await?,
    };
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
    Ok(connection)
}

/// The task that renews a lease. It ends with the lease: if a run is dropped or panics, its lease expires.
#[derive(Debug)]
struct Heartbeat {
    task: JoinHandle<()>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}
