//! An in-memory database for tests of the engine, which can fail at any call.
//!
//! It stores what a real database stores: committed effects, history rows, and the lock. If the connection is lost during a call,
//! the call has happened or not; as with a real network, the caller cannot distinguish the two.

use crate::backend::{
    Backend, BuildChange, ConnectionState, Expected, Presence, Recorded, Remains, RenewedSession, UnitError, UnitRun,
};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::backends::{self, OpenOptions};
use crate::connection::TextRow;
use crate::database_source::{self, BackendFuture, sealed};
use crate::event::SessionInfo;
use crate::history_change::{Catalog, Elapsed, FailedOutcome, HistoryChange, Observation, RecordWrite, Restored, StoredSql};
use crate::history_changes;
use crate::history_sql::{HistoryDialect, HistorySql, NOT_ASKED, NOT_KNOWN};
use async_trait::async_trait;
use migrate_model::dialect::Dialect;
use migrate_model::effect::{self, Effects, Object, Verb};
use migrate_model::history::{History, Record, RecordState};
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::target::Direction;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection is lost before the server receives the call.
    LostBefore,
    /// The server executes the call, and the connection is lost before the answer.
    LostAfter,
    /// The server rejects the call.
    Refused,
}

/// The database. Clones share their state.
#[derive(Debug, Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
}

/// The state of the database.
#[derive(Debug)]
pub struct Inner {
    /// The SQL that the backend claims to read.
    pub dialect: Dialect,
    /// Every script statement that took effect, in order.
    pub effects: Vec<String>,
    /// The history rows by version, each with its stored down migration.
    pub rows: BTreeMap<String, (Record, Option<String>)>,
    /// Whether the history tables exist.
    pub tables: bool,
    /// How many further attempts to acquire the lock fail.
    pub lock_refusals: usize,
    /// Whether a connection holds the lock.
    pub locked: bool,
    /// The numbers of connections that were released clean, and that were closed.
    pub released: (usize, usize),
    /// The names of all calls.
    pub calls: Vec<String>,
    /// What the catalog showed before the statements that run.
    observed: BTreeMap<String, String>,
    /// The index of the call that fails, and how.
    pub fault: Option<(usize, Fault)>,
}

impl World {
    /// An empty database.
    pub fn new(dialect: Dialect) -> Self {
        let inner = Inner {
            dialect,
            effects: Vec::new(),
            rows: BTreeMap::new(),
            tables: false,
            lock_refusals: 0,
            locked: false,
            released: (0, 0),
            calls: Vec::new(),
            observed: BTreeMap::new(),
            fault: None,
        };
        World { inner: Arc::new(Mutex::new(inner)) }
    }

    /// The state, for inspection and changes.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Version, state and completed statements of each row.
    pub fn history(&self) -> Vec<String> {
        let line = |(record, _): &(Record, Option<String>)| {
            format!("{} {} {}/{}", record.key, record.state, record.statements_done, record.statements)
        };
        self.inner().rows.values().map(line).collect()
    }
}

impl Inner {
    fn history(&self) -> History {
        History::new(self.rows.values().map(|(record, _)| record.clone()).collect())
    }

    fn apply(&mut self, change: &HistoryChange<'_>) {
        self.observe(change);
        match change {
            HistoryChange::Started { record, .. }
            | HistoryChange::Applied { record, .. }
            | HistoryChange::Repaired { record, .. } => self.upsert(record),
            HistoryChange::RevertStarted { version, statements, done, down, .. } => {
                if let StoredSql::Set(text) = down {
                    self.stored(version).1 = Some((*text).to_owned());
                }
                let down = self.stored(version).1.clone();
                let row = self.row(version);
                (row.state, row.statements, row.statements_done) = (RecordState::Reverting, *statements, *done);
                row.pending_sql = down;
            }
            HistoryChange::Checkpoint { version, done, .. } => self.row(version).statements_done = *done,
            HistoryChange::Observed { .. } => {}
            HistoryChange::Finished { version, statements, .. } => {
                let row = self.row(version);
                (row.state, row.statements_done, row.pending_sql) = (RecordState::Applied, *statements, None);
            }
            HistoryChange::Reverted { version, .. } => drop(self.rows.remove(*version)),
            HistoryChange::Resolved { version, state, done, script, .. } => {
                let row = self.row(version);
                (row.state, row.statements_done) = (*state, *done);
                if let Some((_, text)) = script {
                    row.pending_sql = Some((*text).to_owned());
                }
            }
            HistoryChange::Summarized { .. } | HistoryChange::RecordsAccepted { .. } => {}
            HistoryChange::GivenUp { version, restored, .. } => self.restore(version, restored),
            HistoryChange::Failed { version, direction, outcome, .. } => {
                let (state, unclear) = match direction {
                    Direction::Up => (RecordState::Failed, RecordState::Unclear),
                    Direction::Down => (RecordState::RevertFailed, RecordState::RevertUnclear),
                };
                match outcome {
                    FailedOutcome::RolledBack => {}
                    FailedOutcome::NothingRemains(restored) => self.restore(version, restored),
                    FailedOutcome::Stopped { done } => self.stop(version, state, *done),
                    FailedOutcome::Unclear { done } => self.stop(version, unclear, *done),
                }
            }
        }
    }

    /// Keeps the observation of a change; one that is nothing unusual, or a change without one, leaves none.
    fn observe(&mut self, change: &HistoryChange<'_>) {
        let (version, observation) = match change {
            HistoryChange::Started { record, observation } => (record.version, observation.as_ref()),
            HistoryChange::RevertStarted { version, observation, .. }
            | HistoryChange::Checkpoint { version, observation, .. } => (*version, observation.as_ref()),
            HistoryChange::Observed { version, observation } => (*version, Some(observation)),
            HistoryChange::Resolved { version, .. } | HistoryChange::Failed { version, .. } => (*version, None),
            _ => return,
        };
        let Some(Observation { done, catalog, unaffected }) = observation else {
            self.observed.remove(version);
            return;
        };
        let digits = match catalog {
            Catalog::UnknownUntil(_) => NOT_KNOWN.to_owned(),
            Catalog::Digits(digits) => digits.concat().replace('\'', ""),
            Catalog::NotAsked => NOT_ASKED.to_owned(),
            Catalog::Unknown => NOT_KNOWN.to_owned(),
        };
        self.observed.insert(version.to_owned(), format!("{done}:{digits}"));
        if digits == *unaffected {
            self.observed.remove(version);
        }
    }

    fn stop(&mut self, version: &str, state: RecordState, done: usize) {
        let row = self.row(version);
        (row.state, row.statements_done) = (state, done);
    }

    fn restore(&mut self, version: &str, restored: &Restored<'_>) {
        match restored {
            Restored::NotApplied => drop(self.rows.remove(version)),
            Restored::Applied { statements, .. } => {
                let row = self.row(version);
                (row.state, row.statements, row.statements_done) = (RecordState::Applied, *statements, *statements);
                row.pending_sql = None;
            }
        }
    }

    fn upsert(&mut self, record: &RecordWrite<'_>) {
        let row = self.rows.get(record.version);
        let new_text = |sql: StoredSql<'_>, stored: Option<String>| match sql {
            StoredSql::Keep => stored,
            StoredSql::Set(text) => Some(text.to_owned()),
            StoredSql::Clear => None,
        };
        let down = new_text(record.down, row.and_then(|(_, down)| down.clone()));
        let up = new_text(record.up, row.and_then(|(record, _)| record.pending_sql.clone()));
        let key = record.version.parse().expect("the engine writes versions");
        let (name, checksum, sql_checksum) = (record.name.to_owned(), record.checksum, record.sql_checksum);
        let mut row =
            Record::applied(key, name, checksum, sql_checksum, record.statements).with_progress(record.state, record.done);
        row.has_down = down.is_some();
        row.pending_sql = up.filter(|_| record.state != RecordState::Applied);
        self.rows.insert(record.version.to_owned(), (row, down));
    }

    fn stored(&mut self, version: &str) -> &mut (Record, Option<String>) {
        self.rows.get_mut(version).expect("a change follows the start of its migration")
    }

    /// The name of a query and its result. A query that the engine does not send itself is a gate, and returns true.
    fn answer(&self, sql: &str) -> (&'static str, Result<Vec<TextRow>, BackendError>) {
        // What precedes a query of the history.
        let sql = sql.rsplit(";\n").next().unwrap_or_default();
        let reads_digest = |sql: &str| sql.starts_with("v.digest") || sql.starts_with("digest");
        if sql.contains(", version FROM") && sql.contains("applied_count") {
            let (history, version) = (self.history(), |record: &Record| record.key.to_string());
            let row = history.latest_applied().map(|latest| {
                [history.digest().to_string(), history.applied().count().to_string(), version(latest)].map(Some).into()
            });
            return ("summary", if self.tables { Ok(row.into_iter().collect()) } else { Err(missing_table()) });
        }
        if sql.strip_prefix("SELECT ").is_some_and(|sql| reads_digest(sql.strip_prefix("CASE WHEN ").unwrap_or(sql))) {
            let history = self.history();
            let checksums: u64 = history.applied().map(|record| u64::from(record.checksum.leading())).sum();
            let others = history.records().len() - history.applied().count();
            let applied = history.applied().count();
            let row = [history.digest().to_string(), applied.to_string(), checksums.to_string(), others.to_string()];
            return ("digest", Ok(history.latest_applied().map(|_| row.map(Some).into()).into_iter().collect()));
        }
        if sql.contains("applied_count") {
            let applied = Some(self.history().applied().count().to_string());
            let row = vec![applied.clone(), applied, Some("1".to_owned()), Some("0".to_owned())];
            let rows = self.history().latest_applied().map(|_| row).into_iter().collect();
            return ("counts", if self.tables { Ok(rows) } else { Err(missing_table()) });
        }
        if sql.starts_with("SELECT e.version FROM") {
            return ("lost records", if self.tables { Ok(Vec::new()) } else { Err(missing_table()) });
        }
        if sql.starts_with("WITH ") || sql.starts_with("SELECT 'main.") {
            return ("tables", Ok(Vec::new()));
        }
        if sql.starts_with("SELECT service, version, up_sql") {
            return ("dependents", if self.tables { Ok(Vec::new()) } else { Err(missing_table()) });
        }
        if sql.starts_with("SELECT version, name, checksum") {
            let rows = self.rows.values().map(|(record, _)| text_row(record)).collect();
            return ("history", if self.tables { Ok(rows) } else { Err(missing_table()) });
        }
        if sql.starts_with("SELECT e.detail FROM") {
            let version = sql.split('\'').nth(3).unwrap_or_default();
            let detail = self.observed.get(version).cloned();
            return ("observation", Ok(detail.map(|detail| vec![Some(detail)]).into_iter().collect()));
        }
        if sql.starts_with("SELECT down_sql FROM") {
            let version = sql.rsplit('\'').nth(1).unwrap_or_default();
            let down = self.rows.get(version).and_then(|(_, down)| down.clone());
            return ("stored script", Ok(vec![vec![down]]));
        }
        ("gate", Ok(vec![vec![Some("1".to_owned())]]))
    }

    fn row(&mut self, version: &str) -> &mut Record {
        &mut self.stored(version).0
    }
}

/// A connection to the database.
#[derive(Debug)]
pub struct Fake {
    world: World,
    lost: bool,
    locked: bool,
}

const MISSING_TABLE: &str = "missing table";

fn missing_table() -> BackendError {
    BackendError { code: Some(MISSING_TABLE.to_owned()), ..BackendError::own("the table does not exist") }
}

/// A record as a row of `HistorySql::select_records`.
fn text_row(record: &Record) -> TextRow {
    let columns = [
        record.key.to_string(),
        record.name.clone(),
        record.checksum.to_string(),
        record.sql_checksum.to_string(),
        record.state.to_string(),
        record.statements.to_string(),
        record.statements_done.to_string(),
        String::new(),
    ];
    let mut row: TextRow = columns.into_iter().map(Some).collect();
    row.extend([None, None, Some(String::new()), Some(u8::from(record.has_down).to_string()), record.pending_sql.clone()]);
    row
}

fn lost() -> BackendError {
    BackendError { kind: BackendErrorKind::ConnectionLost, ..BackendError::own("the connection was reset") }
}

impl Fake {
    /// Makes a call, which has this effect unless it is the one that fails.
    #[expect(clippy::result_large_err, reason = "the trait returns this error")]
    fn call<T>(&mut self, name: &str, effect: impl FnOnce(&mut Inner) -> T) -> Result<T, BackendError> {
        let mut inner = self.world.inner();
        if self.lost {
            return Err(lost());
        }
        let fault = inner.fault.filter(|(at, _)| *at == inner.calls.len()).map(|(_, fault)| fault);
        inner.calls.push(name.to_owned());
        match fault {
            None => Ok(effect(&mut inner)),
            Some(Fault::Refused) => Err(BackendError::own("rejected")),
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                effect(&mut inner);
                Err(lost())
            }
        }
        .inspect_err(|error| {
            if error.is_connection_lost() {
                // A server ends the session of a lost connection, which releases the lock.
                self.lost = true;
                if std::mem::take(&mut self.locked) {
                    inner.locked = false;
                }
            }
        })
    }

    /// Whether another process has written to the history. Only on SQLite, which has no lock.
    fn history_changed(&self, expected: Expected<'_>) -> bool {
        let inner = self.world.inner();
        let history = inner.history();
        let version = expected.version.parse().expect("the engine passes versions");
        inner.dialect == Dialect::Sqlite && history_changes::fingerprint(&history, &version) != expected.fingerprint
    }
}

fn statement_failed(statement: usize, error: BackendError) -> UnitError {
    if error.is_connection_lost() {
        UnitError::ConnectionLost(error)
    } else {
        UnitError::StatementFailed { statement: Some(statement), offset: None, error, remains: Remains::Nothing }
    }
}

fn statements(unit_run: &UnitRun<'_>) -> Vec<String> {
    unit_run.numbered_statements().map(|(_, statement)| statement.sql(unit_run.text).to_owned()).collect()
}

#[async_trait]
impl Backend for Fake {
    fn dialect(&self) -> Dialect {
        self.world.inner().dialect
    }

    fn history_dialect(&self) -> &'static HistoryDialect {
        let [postgres, mysql, sqlite] = backends::dialects();
        match self.dialect() {
            Dialect::Postgres => postgres,
            Dialect::MySql => mysql,
            Dialect::Sqlite => sqlite,
        }
    }

    async fn query_within(&mut self, _: Duration, sql: &str) -> Result<Vec<TextRow>, BackendError> {
        let (name, answer) = self.world.inner().answer(sql);
        self.call(name, |_| ())?;
        answer
    }

    fn compares_history(&self) -> bool {
        true
    }

    async fn refuse_open_transaction(&mut self) -> Result<(), BackendError> {
        Ok(())
    }

    fn is_missing_table(&self, error: &BackendError) -> bool {
        error.code.as_deref() == Some(MISSING_TABLE)
    }

    fn is_missing_column(&self, _: &BackendError) -> bool {
        false
    }

    async fn prepare(&mut self, _: &mut HistorySql, _: &[String], _: LockSettings) -> Result<(), BackendError> {
        self.call("prepare", |_| ())
    }

    async fn create_tables(&mut self, _: &HistorySql) -> Result<(), BackendError> {
        self.call("create tables", |inner| inner.tables = true)
    }

    async fn try_lock(&mut self, _: &HistorySql) -> Result<bool, BackendError> {
        let was_locked = self.world.inner().locked;
        let acquired = self.call("try lock", |inner| {
            if inner.dialect == Dialect::Sqlite {
                return true;
            }
            let refused = inner.locked || inner.lock_refusals > 0;
            inner.lock_refusals = inner.lock_refusals.saturating_sub(1);
            inner.locked |= !refused;
            !refused
        });
        // If the answer was lost, the lock ends with the session.
        let acquired = acquired.inspect_err(|_| self.world.inner().locked = was_locked)?;
        if !acquired && self.world.inner().lock_refusals > 0 {
            // All failures except the last one are deadlocks.
            return Err(BackendError { kind: BackendErrorKind::LockTimeout, ..BackendError::own("deadlock") });
        }
        self.locked = acquired;
        Ok(acquired)
    }

    async fn holder(&mut self, _: &HistorySql) -> Option<SessionInfo> {
        Some(SessionInfo { connection: "7".to_owned(), ..SessionInfo::default() })
    }

    async fn blockers(&mut self, _: &HistorySql, _: &[Name]) -> Vec<SessionInfo> {
        Vec::new()
    }

    async fn unlock(&mut self, _: &HistorySql) -> Result<(), BackendError> {
        self.call("unlock", |inner| inner.locked = false)?;
        self.locked = false;
        Ok(())
    }

    async fn presence(&mut self, _: &HistorySql, _: &[&str], object: &Object) -> Result<Option<Presence>, BackendError> {
        self.call("read the catalog", |inner| {
            let mut presence = Presence::Absent;
            for sql in &inner.effects {
                let Effects::Known(effects) = effect::read(sql, inner.dialect) else { continue };
                for effect in effects.into_iter().filter(|effect| effect.object == *object) {
                    presence = if effect.verb == Verb::Drops { Presence::Absent } else { Presence::Present };
                }
            }
            Some(presence)
        })
    }

    async fn run_in_transaction(
        &mut self,
        _: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: BuildChange<'_>,
    ) -> Result<Recorded, UnitError> {
        if self.history_changed(unit_run.expected) {
            return Err(UnitError::HistoryChanged);
        }
        let first = unit_run.unit.statements.start;
        let outcome = self.call(&format!("transaction from {}", first + 1), |inner| {
            inner.effects.extend(statements(unit_run));
            inner.apply(&build_change(Elapsed::Measured(unit_run.since.elapsed())));
        });
        outcome.map(|()| Recorded::alone(None)).map_err(|error| statement_failed(first, error))
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        unit_run: &UnitRun<'_>,
        build_change: Option<BuildChange<'_>>,
    ) -> Result<Recorded, UnitError> {
        let first = unit_run.unit.statements.start;
        let outcome = self.call(&format!("alone {}", first + 1), |inner| inner.effects.extend(statements(unit_run)));
        outcome.map_err(|error| statement_failed(first, error))?;
        let Some(build_change) = build_change else { return Ok(Recorded::alone(None)) };
        let change = build_change(Elapsed::Measured(unit_run.since.elapsed()));
        self.write(history_sql, &change).await.map_err(UnitError::from_write)?;
        Ok(Recorded::alone(None))
    }

    async fn run_setting(&mut self, _: &str) -> Result<(), BackendError> {
        self.call("setting", |_| ())
    }

    async fn write(&mut self, _: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        let name = match change {
            HistoryChange::Started { .. } | HistoryChange::RevertStarted { .. } => "write the start".to_owned(),
            HistoryChange::Checkpoint { done, .. } => format!("write checkpoint {done}"),
            HistoryChange::Observed { .. } => "write the observation".to_owned(),
            HistoryChange::Applied { .. } | HistoryChange::Finished { .. } | HistoryChange::Reverted { .. } => {
                "write the end".to_owned()
            }
            HistoryChange::Repaired { .. } => "write the repair".to_owned(),
            HistoryChange::Resolved { .. } => "write the resolution".to_owned(),
            HistoryChange::Failed { .. } => "write the error".to_owned(),
            HistoryChange::GivenUp { .. } => "write that it is given up".to_owned(),
            HistoryChange::Summarized { .. } => "write the summary".to_owned(),
            HistoryChange::RecordsAccepted { .. } => "accept the records".to_owned(),
        };
        self.call(&name, |inner| inner.apply(change))
    }

    async fn write_if_unchanged(
        &mut self,
        history_sql: &HistorySql,
        change: &HistoryChange<'_>,
        expected: Expected<'_>,
    ) -> Result<(), UnitError> {
        if self.history_changed(expected) {
            return Err(UnitError::HistoryChanged);
        }
        self.write(history_sql, change).await.map_err(|error| {
            if error.is_connection_lost() { UnitError::ConnectionLost(error) } else { UnitError::NotStarted(error) }
        })
    }

    async fn restore(&mut self) -> Result<(), BackendError> {
        self.call("restore", |_| ())
    }

    async fn restore_original(&mut self, _: &HistorySql) -> Result<(), BackendError> {
        self.call("restore original", |_| ())
    }

    fn owns_session(&self) -> bool {
        true
    }

    async fn renew_session(&mut self, _: &HistorySql) -> Result<RenewedSession, BackendError> {
        // The lock ends with the old session, whatever becomes of the new one.
        if std::mem::take(&mut self.locked) {
            self.world.inner().locked = false;
        }
        self.call("renew the session", |_| ())?;
        Ok(RenewedSession::Unlocked)
    }

    async fn release(self: Box<Self>, state: ConnectionState) {
        let mut inner = self.world.inner();
        match state {
            ConnectionState::Clean => inner.released.0 += 1,
            ConnectionState::Unknown => inner.released.1 += 1,
        }
        // Closing the connection ends the session.
        if self.locked && state == ConnectionState::Unknown {
            inner.locked = false;
        }
    }
}

impl<'c> database_source::Database<'c> for &'c World {}

impl<'c> sealed::Open<'c> for &'c World {
    fn open(self, _: OpenOptions) -> BackendFuture<'c> {
        Box::pin(async move {
            let backend: Box<dyn Backend + 'c> = Box::new(Fake { world: self.clone(), lost: false, locked: false });
            Ok(backend)
        })
    }
}
