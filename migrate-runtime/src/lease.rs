//! A lease: a lock that is a row, for where a lock that belongs to a session keeps nobody out.
//!
//! The row says who holds it, until when by the database's clock, and a fencing token that grows with each holder. Every
//! transaction of ours first renews the row by holder and token, and fails when it is another's by then: what was frozen
//! for longer than its lease writes nothing when it wakes. (Kleppmann, "How to do distributed locking", 2016.)

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::connection::TextRow;
use crate::event::SessionInfo;
use crate::history_sql::HistorySql;
use crate::session;
use async_trait::async_trait;
use migrate_model::checksum::Checksum;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Database, Executor};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinHandle;

/// One run's claim to the row of its service, got or not.
#[derive(Debug)]
pub struct Lease {
    holder: String,
    fence: Option<String>,
    duration: Duration,
    heartbeat: Option<Heartbeat>,
}

/// How the row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LeaseRow {
    /// Who holds it; empty when nobody does.
    holder: String,
    /// The token.
    fence: String,
    /// From where, since when, and until when.
    about: SessionInfo,
    /// Has its time run out?
    expired: bool,
}

/// What a backend does for its lease.
#[async_trait]
pub trait LeaseConnection: Backend {
    /// Makes tables and rows, while others may do the same.
    async fn create(&mut self, history_sql: &HistorySql, statements: Vec<String>) -> Result<(), BackendError>;

    /// Tries to take the row; false when that would have to wait.
    async fn try_update(&mut self, sql: &str) -> Result<bool, BackendError>;

    /// Does a session hold the lock that is used where there is no lease?
    async fn session_lock_is_held(&mut self, history_sql: &HistorySql) -> Result<bool, BackendError>;

    /// A query that counts the sessions of the server that carry out a statement like this.
    fn running_query(&self, pattern: &str) -> String;
}

/// Who holds it, as far as the row tells.
pub async fn holder(connection: &mut impl LeaseConnection, history_sql: &HistorySql) -> Option<SessionInfo> {
    let row = read_row(connection, history_sql).await.ok()??;
    (!row.holder.is_empty()).then_some(row.about)
}

/// Does a run hold a lease now? Whoever has the lock of a session asks this behind it, and whoever takes a lease asks behind
/// that for the lock of a session: so of two that come at once, at least one sees the other.
pub async fn is_held(connection: &mut impl LeaseConnection, history_sql: &HistorySql) -> Result<bool, BackendError> {
    let Some(found) = read_row(connection, history_sql).await? else { return Ok(false) };
    is_valid(connection, &found).await
}

/// Has it a holder whose time has not run out, or whose last statement a server still carries out?
async fn is_valid(connection: &mut impl LeaseConnection, found: &LeaseRow) -> Result<bool, BackendError> {
    if found.holder.is_empty() || !found.expired {
        return Ok(!found.holder.is_empty());
    }
    let running = connection.running_query(&format!("/* migrate {} */%", found.holder));
    Ok(!is_zero(session::rows_if_exists(connection, &running).await?))
}

/// How the row stands; `None` when there is none.
async fn read_row(connection: &mut impl LeaseConnection, history_sql: &HistorySql) -> Result<Option<LeaseRow>, BackendError> {
    let rows = session::rows_if_exists(connection, &Lease::select(history_sql)).await?;
    Ok(rows.and_then(|rows| rows.into_iter().next()).map(Lease::read))
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl Lease {
    /// A claim of a new holder.
    pub fn new(history_sql: &HistorySql, duration: Duration) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let pieces = [history_sql.host(), &std::process::id().to_string(), &now.to_string(), &number.to_string()];
        let holder = Checksum::of_pieces(pieces).to_string()[..16].to_owned();
        Lease { holder, fence: None, duration, heartbeat: None }
    }

    /// The same holder, with a lease of another length.
    pub fn set_duration(&mut self, duration: Duration) {
        self.duration = duration;
    }

    /// How long it outlives its last renewal.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Takes the row if it is free, or if its time has run out and no server carries out a statement of its holder's any more.
    ///
    /// # Errors
    /// When the database refuses, or the connection breaks.
    pub async fn try_take(
        &mut self,
        connection: &mut impl LeaseConnection,
        history_sql: &HistorySql,
    ) -> Result<bool, BackendError> {
        let found = match read_row(connection, history_sql).await? {
            Some(row) => row,
            None => {
                connection.create(history_sql, Lease::create(history_sql)).await?;
                read_row(connection, history_sql).await?.ok_or_else(|| BackendError::own("the row of the lease is not there"))?
            }
        };
        let held = is_valid(connection, &found).await? || connection.session_lock_is_held(history_sql).await?;
        if held || !connection.try_update(&self.take(history_sql)).await? {
            return Ok(false);
        }
        let row = read_row(connection, history_sql).await?;
        let taken = row.filter(|row| row.holder == self.holder);
        self.fence = taken.map(|row| row.fence);
        // One may have come in between.
        if self.fence.is_some() && connection.session_lock_is_held(history_sql).await? {
            connection.try_update(&self.release(history_sql)).await?;
            self.fence = None;
        }
        Ok(self.fence.is_some())
    }

    /// Statements that make the table, and the row of this service.
    fn create(history_sql: &HistorySql) -> Vec<String> {
        let dialect = history_sql.dialect();
        let (service, now) = (history_sql.text(history_sql.service()), dialect.now);
        let row = format!(
            "INTO {} (service, fence, holder, host, process, taken_at, renewed_at, expires_at) \
             VALUES ({service}, 0, '', '', '', {now}, {now}, {now})",
            history_sql.locks()
        );
        let row = (dialect.insert_if_absent)(&row);
        vec![history_sql.create_locks(), row]
    }

    /// How the row stands: one row of texts, read by [`row`](Self::read).
    fn select(history_sql: &HistorySql) -> String {
        let dialect = history_sql.dialect();
        let (now, seconds) = (dialect.now, dialect.seconds_between);
        format!(
            "SELECT holder, {}, host, process, {}, {}, {}, CASE WHEN expires_at < {now} THEN '1' ELSE '0' END \
             FROM {} WHERE service = {}",
            (dialect.as_text)("fence"),
            seconds("taken_at", now),
            seconds("renewed_at", now),
            seconds(now, "expires_at"),
            history_sql.locks(),
            history_sql.text(history_sql.service())
        )
    }

    /// Reads what [`select`](Self::select) returned.
    fn read(columns: TextRow) -> LeaseRow {
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
        let about = SessionInfo {
            connection: holder.clone(),
            from: Some(format!("process {process} on {host}")),
            since: Some(format!("{taken} s ago (last seen {renewed} s ago, {until})")),
            how_to_end: Some("end that process, and its lease runs out".to_owned()),
            ..SessionInfo::default()
        };
        LeaseRow { holder, fence, about, expired }
    }

    /// Takes the row if it is free or its time has run out. Whoever holds it in an open transaction keeps it.
    fn take(&self, history_sql: &HistorySql) -> String {
        let (now, service) = (history_sql.dialect().now, history_sql.text(history_sql.service()));
        let free = format!("service = {service} AND (holder = '' OR expires_at < {now})");
        // A row that another transaction has locked is in use. MySQL cannot skip it in an update, and waits.
        let free = if history_sql.dialect().skips_locked {
            format!("service IN (SELECT service FROM {} WHERE {free} FOR UPDATE SKIP LOCKED)", history_sql.locks())
        } else {
            free
        };
        format!(
            "UPDATE {} SET holder = '{}', fence = fence + 1, host = {}, process = '{}', taken_at = {now}, renewed_at = {now}, \
             expires_at = {} WHERE {free}",
            history_sql.locks(),
            self.holder,
            history_sql.text(history_sql.host()),
            std::process::id(),
            self.end(history_sql)
        )
    }

    /// Renews it, if it still is this one's.
    pub fn renew(&self, history_sql: &HistorySql) -> String {
        format!(
            "UPDATE {} SET renewed_at = {}, expires_at = {} WHERE {}",
            history_sql.locks(),
            history_sql.dialect().now,
            self.end(history_sql),
            self.is_own(history_sql)
        )
    }

    /// The same, for the heartbeat: a row that a transaction of ours holds is not waited for, because that renews it itself.
    fn heartbeat_sql(&self, history_sql: &HistorySql) -> String {
        if !history_sql.dialect().skips_locked {
            return self.renew(history_sql);
        }
        let (now, end, locks) = (history_sql.dialect().now, self.end(history_sql), history_sql.locks());
        let unlocked = format!("SELECT service FROM {locks} WHERE {} FOR UPDATE SKIP LOCKED", self.is_own(history_sql));
        format!("UPDATE {locks} SET renewed_at = {now}, expires_at = {end} WHERE service IN ({unlocked})")
    }

    /// A condition: is it still this one's?
    pub fn held(&self, history_sql: &HistorySql) -> String {
        format!("EXISTS (SELECT 1 FROM {} WHERE {})", history_sql.locks(), self.is_own(history_sql))
    }

    /// Gives it back.
    pub fn release(&self, history_sql: &HistorySql) -> String {
        format!(
            "UPDATE {} SET holder = '', expires_at = {} WHERE {}",
            history_sql.locks(),
            history_sql.dialect().now,
            self.is_own(history_sql)
        )
    }

    /// Stands before a statement that runs without a transaction, so that another process sees that it still runs when its
    /// sender is gone.
    pub fn holder_comment(&self) -> String {
        format!("/* migrate {} */ ", self.holder)
    }

    fn is_own(&self, history_sql: &HistorySql) -> String {
        let fence = self.fence.as_deref().unwrap_or("-1");
        format!("service = {} AND holder = '{}' AND fence = {fence}", history_sql.text(history_sql.service()), self.holder)
    }

    fn end(&self, history_sql: &HistorySql) -> String {
        let dialect = history_sql.dialect();
        (dialect.later)(dialect.now, self.duration)
    }

    /// Renews it from now on, over a connection of its own, until this is dropped.
    pub fn keep_alive<DB>(&mut self, history_sql: &HistorySql, options: <DB::Connection as Connection>::Options)
    where
        DB: Database,
        for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
    {
        let (beat, pause) = (self.heartbeat_sql(history_sql), self.duration / 3);
        let task = tokio::spawn(async move {
            let mut connection = None;
            loop {
                // One that hangs must not be the end of all.
                match tokio::time::timeout(pause * 2, renewed::<DB>(connection.take(), &options, &beat)).await {
                    Ok(Ok(open)) => connection = Some(open),
                    Ok(Err(error)) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
                    Err(_) => tracing::warn!("the lease could not be renewed in time; trying again"),
                }
                tokio::time::sleep(pause).await;
            }
        });
        self.heartbeat = Some(Heartbeat { task });
    }

    /// Ends the renewals.
    pub fn stop_heartbeat(&mut self) {
        self.heartbeat = None;
    }
}

fn is_zero(rows: Option<Vec<TextRow>>) -> bool {
    let first = rows.and_then(|rows| rows.into_iter().next()?.into_iter().next()?);
    first.as_deref() == Some("0")
}

async fn renewed<DB>(
    open: Option<DB::Connection>,
    options: &<DB::Connection as Connection>::Options,
    beat: &str,
) -> Result<DB::Connection, sqlx::Error>
where
    DB: Database,
    for<'e> &'e mut DB::Connection: Executor<'e, Database = DB>,
{
    let mut connection = match open {
        Some(open) => open,
        None => options.connect().await?,
    };
    sqlx::raw_sql(AssertSqlSafe(beat)).execute(&mut connection).await?;
    Ok(connection)
}

/// Ends with what it renews: a run that is dropped or panics stops renewing, and its lease runs out.
#[derive(Debug)]
struct Heartbeat {
    task: JoinHandle<()>,
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.task.abort();
    }
}
