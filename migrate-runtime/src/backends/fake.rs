//! A database in memory that can be broken at any call: for tests of the engine.
//!
//! It keeps what a real one keeps: effects that are committed, rows of the history, and the lock. A call that is lost has
//! happened or has not; the caller cannot tell which, as over a real network.

use super::{Access, Opening, sealed};
use crate::backend::{Backend, Ending, Failure, Presence, Stop, Work};
use crate::change::{Change, Elapsed, Entry};
use crate::error::Error;
use crate::event::Holder;
use crate::ledger::Ledger;
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

    fn apply(&mut self, change: &Change<'_>) {
        let row = |entry: &Entry<'_>, state: RecordState| Record {
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
            Change::Begin(entry, _) | Change::Applied(entry, ..) | Change::Repaired(entry, _) => {
                let down = entry.down.map(str::to_owned);
                self.rows.insert(entry.version.to_owned(), (row(entry, entry.state), down));
            }
            Change::Mark { version, done } => self.row(version).statements_done = *done,
            Change::Reverted(entry, ..) => drop(self.rows.remove(entry.version)),
            Change::Resolved { version, state, done, text, .. } => {
                if let Some((_, text)) = text {
                    self.row(version).pending_sql = Some((*text).to_owned());
                }
                let row = self.row(version);
                (row.state, row.statements_done) = (*state, *done);
            }
            Change::Failed { entry, unfinished: true, .. } => {
                let row = self.row(entry.version);
                (row.state, row.statements_done) = (entry.state, entry.done);
            }
            Change::Failed { .. } => {}
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

fn lost() -> Failure {
    Failure { answered: false, ..Failure::own("the connection was reset") }
}

impl Fake {
    /// One call that the server answers; `effect` is what it does.
    #[expect(clippy::result_large_err, reason = "as the trait has it")]
    fn call<T>(&mut self, name: &str, effect: impl FnOnce(&mut Inner) -> T) -> Result<T, Failure> {
        let mut inner = self.world.inner();
        if self.lost {
            return Err(lost());
        }
        let fault = inner.fault.filter(|(at, _)| *at == inner.calls.len()).map(|(_, fault)| fault);
        inner.calls.push(name.to_owned());
        match fault {
            None => Ok(effect(&mut inner)),
            Some(Fault::Refused) => Err(Failure::own("refused")),
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
        inner.dialect == Dialect::Sqlite && Ledger::token(applied, history.get(&version)) != token.1
    }

    fn stop(failure: Failure, stop: fn(Failure) -> Stop) -> Stop {
        if failure.answered { stop(failure) } else { Stop::Lost(failure) }
    }
}

fn statements(work: &Work<'_>) -> Vec<String> {
    work.parts().map(|(_, statement)| statement.sql(work.text).to_owned()).collect()
}

#[async_trait]
impl Backend for Fake {
    fn dialect(&self) -> Dialect {
        self.world.inner().dialect
    }

    async fn digest(&mut self, _: &Ledger) -> Result<Option<String>, Failure> {
        self.call("digest", |inner| {
            let history = inner.history();
            history.latest_applied().map(|_| history.digest().to_string())
        })
    }

    async fn history(&mut self, _: &Ledger, _: Option<&str>) -> Result<Option<History>, Error> {
        let history = self.call("history", |inner| inner.tables.then(|| inner.history()));
        history.map_err(|failure| failure.about_history("cannot read the history"))
    }

    async fn stored_script(&mut self, _: &Ledger, version: &str, _: Direction) -> Result<Option<String>, Failure> {
        self.call("stored script", |inner| inner.rows.get(version).and_then(|(_, down)| down.clone()))
    }

    async fn prepare(&mut self, _: &mut Ledger, _: &[String], _: LockSettings) -> Result<(), Failure> {
        self.call("prepare", |_| ())
    }

    async fn create_tables(&mut self, _: &Ledger) -> Result<(), Failure> {
        self.call("create tables", |inner| inner.tables = true)
    }

    async fn try_lock(&mut self, _: &Ledger) -> Result<bool, Failure> {
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
            return Err(Failure { lock_timeout: true, ..Failure::own("deadlock") });
        }
        self.locked = got;
        Ok(got)
    }

    async fn holder(&mut self, _: &Ledger) -> Option<Holder> {
        Some(Holder { connection: "7".to_owned(), ..Holder::default() })
    }

    async fn blockers(&mut self, _: &Ledger, _: &[Name]) -> Vec<Holder> {
        Vec::new()
    }

    async fn unlock(&mut self, _: &Ledger) -> Result<(), Failure> {
        self.call("unlock", |inner| inner.locked = false)?;
        self.locked = false;
        Ok(())
    }

    async fn gate(&mut self, _: &str) -> Result<bool, Failure> {
        self.call("gate", |_| true)
    }

    async fn presence(&mut self, _: &Ledger, object: &Object) -> Result<Option<Presence>, Failure> {
        self.call("look at the catalogue", |inner| {
            let mut presence = Presence::Missing;
            for sql in &inner.effects {
                let Effects::Known(effects) = effect::read(sql, inner.dialect) else { continue };
                for one in effects.into_iter().filter(|one| one.object == *object) {
                    presence = if one.verb == Verb::Drops { Presence::Missing } else { Presence::There };
                }
            }
            Some(presence)
        })
    }

    async fn run_in_transaction(&mut self, _: &Ledger, work: &Work<'_>, ending: Ending<'_>) -> Result<(), Stop> {
        if self.overtaken(work.token) {
            return Err(Stop::Overtaken);
        }
        let first = work.unit.statements.start;
        let done = self.call(&format!("transaction from {}", first + 1), |inner| {
            inner.effects.extend(statements(work));
            inner.apply(&ending(Elapsed::Measured(work.since.elapsed())));
        });
        done.map_err(|failure| match failure.answered {
            true => Stop::Refused { statement: Some(first), offset: None, failure },
            false => Stop::Lost(failure),
        })
    }

    async fn run_alone(&mut self, ledger: &Ledger, work: &Work<'_>, ending: Ending<'_>) -> Result<(), Stop> {
        let first = work.unit.statements.start;
        let done = self.call(&format!("alone {}", first + 1), |inner| inner.effects.extend(statements(work)));
        done.map_err(|failure| match failure.answered {
            true => Stop::Refused { statement: Some(first), offset: None, failure },
            false => Stop::Lost(failure),
        })?;
        let change = ending(Elapsed::Measured(work.since.elapsed()));
        self.write(ledger, &change).await.map_err(|failure| Self::stop(failure, Stop::Record))
    }

    async fn run_setting(&mut self, _: &str) -> Result<(), Failure> {
        self.call("setting", |_| ())
    }

    async fn write(&mut self, _: &Ledger, change: &Change<'_>) -> Result<(), Failure> {
        let name = match change {
            Change::Begin(..) => "write the beginning".to_owned(),
            Change::Mark { done, .. } => format!("write mark {done}"),
            Change::Applied(..) | Change::Reverted(..) => "write the end".to_owned(),
            Change::Repaired(..) => "write the repair".to_owned(),
            Change::Resolved { .. } => "write the resolution".to_owned(),
            Change::Failed { .. } => "write the failure".to_owned(),
        };
        self.call(&name, |inner| inner.apply(change))
    }

    async fn write_unless_overtaken(&mut self, ledger: &Ledger, change: &Change<'_>, token: (&str, &str)) -> Result<(), Stop> {
        if self.overtaken(token) {
            return Err(Stop::Overtaken);
        }
        self.write(ledger, change).await.map_err(|failure| Self::stop(failure, Stop::Before))
    }

    async fn restore(&mut self) -> Result<(), Failure> {
        self.call("restore", |_| ())
    }

    async fn leave(&mut self) -> Result<(), Failure> {
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
    fn open(self, _: Access) -> Opening<'c> {
        Box::pin(async move {
            let backend: Box<dyn Backend + 'c> = Box::new(Fake { world: self.clone(), lost: false, locked: false });
            Ok(backend)
        })
    }
}
