//! A database in memory that can be broken at any call: for tests of the engine.
//!
//! It keeps what a real one keeps: effects that are committed, rows of the history, and the lock. A call that is lost has
//! happened or has not; the caller cannot tell which, as over a real network.

use super::{BackendFuture, OpenOptions, sealed};
use crate::backend::{Backend, BackendError, BuildChange, Presence, UnitError, UnitRun};
use crate::error::Error;
use crate::event::SessionInfo;
use crate::history_change::{Elapsed, HistoryChange, RecordWrite};
use crate::history_sql::HistorySql;
use async_trait::async_trait;
use migrate_model::checksum::Checksum;
use migrate_model::dialect::Dialect;
use migrate_model::effect::{self, Effects, Object, Verb};
use migrate_model::history::{History, Record, RecordState};
use migrate_model::lock_settings::LockSettings;
use migrate_model::name::Name;
use migrate_model::target::Direction;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// What goes wrong at a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before the server hears of it.
    LostBefore,
    /// The server does it, and the connection breaks before the answer.
    LostAfter,
    /// The server says no.
    Refused,
}

/// The database; clones are the same one.
#[derive(Debug, Clone)]
pub struct World {
    inner: Arc<Mutex<Inner>>,
}

/// What is in it.
#[derive(Debug)]
pub struct Inner {
    /// Which SQL it pretends to speak.
    pub dialect: Dialect,
    /// Every statement of a script that took effect, in order.
    pub effects: Vec<String>,
    /// The rows of the history, and the stored ways down.
    pub rows: BTreeMap<String, (Record, Option<String>)>,
    /// Are the tables there?
    pub tables: bool,
    /// How many more tries for the lock fail.
    pub lock_refusals: usize,
    /// Is the lock held?
    pub locked: bool,
    /// How many connections were given back clean, and how many closed.
    pub released: (usize, usize),
    /// The names of all calls.
    pub calls: Vec<String>,
    /// At which call what goes wrong.
    pub fault: Option<(usize, Fault)>,
}

impl World {
    /// An empty one.
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
            fault: None,
        };
        World { inner: Arc::new(Mutex::new(inner)) }
    }

    /// To look at and to change.
    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Version, state and statements done of each row.
    pub fn history(&self) -> Vec<String> {
        let shown = |(record, _): &(Record, Option<String>)| {
            format!("{} {} {}/{}", record.version, record.state, record.statements_done, record.statements)
        };
        self.inner().rows.values().map(shown).collect()
    }
}

impl Inner {
    fn history(&self) -> History {
        History::new(self.rows.values().map(|(record, _)| record.clone()).collect())
    }

    fn apply(&mut self, change: &HistoryChange<'_>) {
        let row = |entry: &RecordWrite<'_>, state: RecordState| Record {
            version: entry.version.parse().expect("the engine writes versions"),
            name: entry.name.to_owned(),
            checksum: entry.checksum,
            sql_checksum: entry.sql_checksum,
            state,
            statements: entry.statements,
            statements_done: entry.done,
            started_at: String::new(),
            applied_at: None,
            execution_ms: None,
            applied_by: String::new(),
            has_down: entry.down.is_some(),
            pending_sql: match entry.direction {
                _ if state == RecordState::Applied => None,
                Direction::Up => entry.up.map(str::to_owned),
                Direction::Down => entry.down.map(str::to_owned),
            },
        };
        match change {
            HistoryChange::Started(entry, _) | HistoryChange::Applied(entry, ..) | HistoryChange::Repaired(entry, _) => {
                let down = entry.down.map(str::to_owned);
                self.rows.insert(entry.version.to_owned(), (row(entry, entry.state), down));
            }
            HistoryChange::Checkpoint { version, done } => self.row(version).statements_done = *done,
            HistoryChange::Reverted(entry, ..) => drop(self.rows.remove(entry.version)),
            HistoryChange::Resolved { version, state, done, text, .. } => {
                if let Some((_, text)) = text {
                    self.row(version).pending_sql = Some((*text).to_owned());
                }
                let row = self.row(version);
                (row.state, row.statements_done) = (*state, *done);
            }
            HistoryChange::Failed { entry, unfinished: true, .. } => {
                let row = self.row(entry.version);
                (row.state, row.statements_done) = (entry.state, entry.done);
            }
            HistoryChange::Failed { .. } => {}
        }
    }

    fn row(&mut self, version: &str) -> &mut Record {
        &mut self.rows.get_mut(version).expect("a row that is changed was begun").0
    }
}

/// A connection to it.
#[derive(Debug)]
pub struct Fake {
    world: World,
    lost: bool,
    locked: bool,
}

fn lost() -> BackendError {
    BackendError { answered: false, ..BackendError::own("the connection was reset") }
}

impl Fake {
    /// One call that the server answers; `effect` is what it does.
    #[expect(clippy::result_large_err, reason = "as the trait has it")]
    fn call<T>(&mut self, name: &str, effect: impl FnOnce(&mut Inner) -> T) -> Result<T, BackendError> {
        let mut inner = self.world.inner();
        if self.lost {
            return Err(lost());
        }
        let fault = inner.fault.filter(|(at, _)| *at == inner.calls.len()).map(|(_, fault)| fault);
        inner.calls.push(name.to_owned());
        match fault {
            None => Ok(effect(&mut inner)),
            Some(Fault::Refused) => Err(BackendError::own("refused")),
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                effect(&mut inner);
                Err(lost())
            }
        }
        .inspect_err(|failure| {
            if !failure.answered {
                // A server ends the session of a client that is gone, and with it the lock.
                self.lost = true;
                if std::mem::take(&mut self.locked) {
                    inner.locked = false;
                }
            }
        })
    }

    /// Was another process faster?
    fn overtaken(&self, token: (&str, &str)) -> bool {
        let inner = self.world.inner();
        let history = inner.history();
        let version = token.0.parse().expect("the engine names versions");
        let digest = history.digest();
        let applied: Option<&Checksum> = history.latest_applied().map(|_| &digest);
        inner.dialect == Dialect::Sqlite && HistorySql::fingerprint(applied, history.get(&version)) != token.1
    }

    fn stop(failure: BackendError, stop: fn(BackendError) -> UnitError) -> UnitError {
        if failure.answered { stop(failure) } else { UnitError::ConnectionLost(failure) }
    }
}

fn statements(work: &UnitRun<'_>) -> Vec<String> {
    work.numbered_statements().map(|(_, statement)| statement.sql(work.text).to_owned()).collect()
}

#[async_trait]
impl Backend for Fake {
    fn dialect(&self) -> Dialect {
        self.world.inner().dialect
    }

    async fn digest(&mut self, _: &HistorySql) -> Result<Option<String>, BackendError> {
        self.call("digest", |inner| {
            let history = inner.history();
            history.latest_applied().map(|_| history.digest().to_string())
        })
    }

    async fn history(&mut self, _: &HistorySql, _: Option<&str>) -> Result<Option<History>, Error> {
        let history = self.call("history", |inner| inner.tables.then(|| inner.history()));
        history.map_err(|failure| failure.into_history_error("cannot read the history"))
    }

    async fn stored_script(&mut self, _: &HistorySql, version: &str, _: Direction) -> Result<Option<String>, BackendError> {
        self.call("stored script", |inner| inner.rows.get(version).and_then(|(_, down)| down.clone()))
    }

    async fn prepare(&mut self, _: &mut HistorySql, _: &[String], _: LockSettings) -> Result<(), BackendError> {
        self.call("prepare", |_| ())
    }

    async fn create_tables(&mut self, _: &HistorySql) -> Result<(), BackendError> {
        self.call("create tables", |inner| inner.tables = true)
    }

    async fn try_lock(&mut self, _: &HistorySql) -> Result<bool, BackendError> {
        let before = self.world.inner().locked;
        let got = self.call("try lock", |inner| {
            if inner.dialect == Dialect::Sqlite {
                return true;
            }
            let refused = inner.locked || inner.lock_refusals > 0;
            inner.lock_refusals = inner.lock_refusals.saturating_sub(1);
            inner.locked |= !refused;
            !refused
        });
        // Got, but never heard of: it ends with the session.
        let got = got.inspect_err(|_| self.world.inner().locked = before)?;
        if !got && self.world.inner().lock_refusals > 0 {
            // All but the last refusal are deadlocks.
            return Err(BackendError { lock_timeout: true, ..BackendError::own("deadlock") });
        }
        self.locked = got;
        Ok(got)
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

    async fn gate(&mut self, _: &str) -> Result<bool, BackendError> {
        self.call("gate", |_| true)
    }

    async fn presence(&mut self, _: &HistorySql, object: &Object) -> Result<Option<Presence>, BackendError> {
        self.call("look at the catalogue", |inner| {
            let mut presence = Presence::Absent;
            for sql in &inner.effects {
                let Effects::Known(effects) = effect::read(sql, inner.dialect) else { continue };
                for one in effects.into_iter().filter(|one| one.object == *object) {
                    presence = if one.verb == Verb::Drops { Presence::Absent } else { Presence::Present };
                }
            }
            Some(presence)
        })
    }

    async fn run_in_transaction(&mut self, _: &HistorySql, work: &UnitRun<'_>, ending: BuildChange<'_>) -> Result<(), UnitError> {
        if self.overtaken(work.token) {
            return Err(UnitError::HistoryChanged);
        }
        let first = work.unit.statements.start;
        let done = self.call(&format!("transaction from {}", first + 1), |inner| {
            inner.effects.extend(statements(work));
            inner.apply(&ending(Elapsed::Measured(work.since.elapsed())));
        });
        done.map_err(|failure| match failure.answered {
            true => UnitError::StatementFailed { statement: Some(first), offset: None, failure },
            false => UnitError::ConnectionLost(failure),
        })
    }

    async fn run_alone(
        &mut self,
        history_sql: &HistorySql,
        work: &UnitRun<'_>,
        ending: BuildChange<'_>,
    ) -> Result<(), UnitError> {
        let first = work.unit.statements.start;
        let done = self.call(&format!("alone {}", first + 1), |inner| inner.effects.extend(statements(work)));
        done.map_err(|failure| match failure.answered {
            true => UnitError::StatementFailed { statement: Some(first), offset: None, failure },
            false => UnitError::ConnectionLost(failure),
        })?;
        let change = ending(Elapsed::Measured(work.since.elapsed()));
        self.write(history_sql, &change).await.map_err(|failure| Self::stop(failure, UnitError::RecordFailed))
    }

    async fn run_setting(&mut self, _: &str) -> Result<(), BackendError> {
        self.call("setting", |_| ())
    }

    async fn write(&mut self, _: &HistorySql, change: &HistoryChange<'_>) -> Result<(), BackendError> {
        let name = match change {
            HistoryChange::Started(..) => "write the beginning".to_owned(),
            HistoryChange::Checkpoint { done, .. } => format!("write mark {done}"),
            HistoryChange::Applied(..) | HistoryChange::Reverted(..) => "write the end".to_owned(),
            HistoryChange::Repaired(..) => "write the repair".to_owned(),
            HistoryChange::Resolved { .. } => "write the resolution".to_owned(),
            HistoryChange::Failed { .. } => "write the failure".to_owned(),
        };
        self.call(&name, |inner| inner.apply(change))
    }

    async fn write_if_unchanged(
        &mut self,
        history_sql: &HistorySql,
        change: &HistoryChange<'_>,
        token: (&str, &str),
    ) -> Result<(), UnitError> {
        if self.overtaken(token) {
            return Err(UnitError::HistoryChanged);
        }
        self.write(history_sql, change).await.map_err(|failure| Self::stop(failure, UnitError::NotStarted))
    }

    async fn restore(&mut self) -> Result<(), BackendError> {
        self.call("restore", |_| ())
    }

    async fn restore_original(&mut self) -> Result<(), BackendError> {
        self.call("leave", |_| ())
    }

    async fn release(self: Box<Self>, clean: bool) {
        let mut inner = self.world.inner();
        match clean {
            true => inner.released.0 += 1,
            false => inner.released.1 += 1,
        }
        // Closing it ends the session.
        if self.locked && !clean {
            inner.locked = false;
        }
    }
}

impl<'c> sealed::Open<'c> for &'c World {
    fn open(self, _: OpenOptions) -> BackendFuture<'c> {
        Box::pin(async move {
            let backend: Box<dyn Backend + 'c> = Box::new(Fake { world: self.clone(), lost: false, locked: false });
            Ok(backend)
        })
    }
}
