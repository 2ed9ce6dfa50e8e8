//! Which change of the history each event makes. The only place that builds a [`HistoryChange`].
//!
//! Every function here is pure: the history as it is known and the facts of the event go in, the change comes out. The engine
//! writes it, together with the SQL where the database can.

use crate::backend::Remains;
use crate::history_change::{
    Completion, Elapsed, FailedOutcome, HistoryChange, Observation, RecordWrite, ResolvedBy, Restored, SchemaVersionRow,
    StoredSql,
};
use crate::history_sql::HistorySql;
use crate::migrator::Resolution;
use crate::recovery::{InterruptedMigration, RecoveredState, up_statements};
use migrate_model::checksum::Checksum;
use migrate_model::directives::Phase;
use migrate_model::history::{History, Record, RecordState};
use migrate_model::key::MigrationKey;
use migrate_model::migration::Migration;
use migrate_model::migration_set::{MigrationSet, extend_digest};
use migrate_model::plan::Step;
use migrate_model::script::Script;
use migrate_model::target::Direction;

/// The changes that one step makes, from its start to its end.
#[derive(Debug, Clone)]
pub struct StepChanges<'s> {
    step: &'s Step<'s>,
    /// The record once the step is done; of a down step, the record that is deleted then.
    record: Record,
    recording: Recording,
    summary: Summary,
}

/// A [`SchemaVersionRow`] that owns its texts.
#[derive(Debug, Clone)]
struct Summary {
    latest: Option<(String, String)>,
    count: usize,
    digest: Checksum,
}

impl Summary {
    fn row(&self) -> SchemaVersionRow<'_> {
        SchemaVersionRow {
            latest: self.latest.as_ref().map(|(version, name)| (version.into(), name.into())),
            count: self.count,
            digest: self.digest,
        }
    }
}

/// When the record of an up migration is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recording {
    /// With its script, in one transaction; or there is nothing to run.
    AtEnd,
    /// Before its script, which runs outside a transaction; checkpoints follow.
    FromStart,
}

impl<'s> StepChanges<'s> {
    /// Of a step that runs `script`, over the history before it.
    pub fn new(step: &'s Step<'s>, script: &Script, recording: Recording, history: &History) -> Self {
        let record = record_after(step, script, history);
        let summary = summary_after(step.direction, &record, history);
        StepChanges { step, record, recording, summary }
    }

    /// The version as its record spells it.
    pub fn version(&self) -> &str {
        self.record.key.as_str()
    }

    /// It starts, with so many statements done by earlier runs.
    pub fn started(&self, done: usize, observation: Option<Observation>) -> HistoryChange<'_> {
        match self.step.direction {
            Direction::Up => HistoryChange::Started { record: self.record_write(RecordState::Started, done), observation },
            Direction::Down => HistoryChange::RevertStarted {
                version: self.version(),
                statements: self.record.statements,
                done,
                down: self.step.file_script().map_or(StoredSql::Keep, |script| StoredSql::of(&script.text)),
                summary: self.summary.row(),
                observation,
            },
        }
    }

    /// So many statements are done.
    pub fn checkpoint(&self, done: usize, observation: Option<Observation>) -> HistoryChange<'_> {
        HistoryChange::Checkpoint { version: self.version(), done, observation }
    }

    /// What the catalog shows before the next statement.
    pub fn observed(&self, observation: Observation) -> HistoryChange<'_> {
        HistoryChange::Observed { version: self.version(), observation }
    }

    /// It is done.
    pub fn finished(&self, elapsed: Elapsed) -> HistoryChange<'_> {
        let (version, name, summary) = (self.version(), &*self.record.name, self.summary.row());
        match (self.step.direction, self.recording) {
            (Direction::Up, Recording::AtEnd) => HistoryChange::Applied {
                record: self.record_write(RecordState::Applied, self.record.statements),
                summary,
                completion: Completion::Executed(elapsed),
            },
            (Direction::Up, Recording::FromStart) => {
                HistoryChange::Finished { version, name, statements: self.record.statements, summary, elapsed }
            }
            (Direction::Down, _) => HistoryChange::Reverted { version, name, summary, completion: Completion::Executed(elapsed) },
        }
    }

    /// It failed after so many statements, or stopped before the next one (`None`); `history` is the one in which it has
    /// started.
    pub fn failed<'a>(&'a self, history: &History, done: usize, remains: Option<Remains>, message: &'a str) -> HistoryChange<'a> {
        let outcome = match (self.recording, remains) {
            (_, Some(Remains::Unclear)) => FailedOutcome::Unclear { done },
            (Recording::AtEnd, _) => FailedOutcome::RolledBack,
            (Recording::FromStart, Some(Remains::Nothing)) if done == 0 => {
                let statements = self.step.migration.map(|migration| migration.up.statements.len());
                FailedOutcome::NothingRemains(restored(history, &self.record, self.step.direction, statements))
            }
            (Recording::FromStart, Some(Remains::Nothing | Remains::Continued) | None) => FailedOutcome::Stopped { done },
        };
        HistoryChange::Failed {
            version: self.version(),
            name: &self.record.name,
            direction: self.step.direction,
            outcome,
            message,
        }
    }

    /// A step that was started and of which nothing has run, because of this.
    pub fn given_up<'a>(&'a self, history: &History, reason: &'a str) -> HistoryChange<'a> {
        let statements = self.step.migration.map(|migration| migration.up.statements.len());
        let restored = restored(history, &self.record, self.step.direction, statements);
        HistoryChange::GivenUp { version: self.version(), restored, by: ResolvedBy::Catalogue(reason) }
    }

    /// Changes a history as a started step does, or one that reached a checkpoint.
    pub fn apply_progress(&self, history: &mut History, done: usize) {
        let state = match self.step.direction {
            Direction::Up => RecordState::Started,
            Direction::Down => RecordState::Reverting,
        };
        history.upsert(self.record.with_progress(state, done));
    }

    /// Changes a history as an up step does that was started, and of which nothing is left.
    pub fn apply_withdrawn(&self, history: &mut History) {
        history.remove(&self.record.key);
    }

    /// Changes a history as the finished step does.
    pub fn apply_finished(self, history: &mut History) {
        match self.step.direction {
            Direction::Up => history.upsert(self.record),
            Direction::Down => history.remove(&self.record.key),
        }
    }

    fn record_write(&self, state: RecordState, done: usize) -> RecordWrite<'_> {
        let migration = self.step.migration;
        RecordWrite {
            version: self.version(),
            name: &self.record.name,
            phase: migration.and_then(Migration::phase).map(Phase::name),
            checksum: self.record.checksum,
            sql_checksum: self.record.sql_checksum,
            state,
            statements: self.record.statements,
            done,
            up: migration.map_or(StoredSql::Keep, |migration| StoredSql::of(&migration.up.text)),
            down: down_of(migration),
        }
    }
}

/// The down script to be stored with a migration: that of its file. A checkout without the file does not erase what another one
/// has stored; only a migration that declares itself irreversible does.
fn down_of(migration: Option<&Migration>) -> StoredSql<'_> {
    let down = migration.and_then(|migration| migration.down.as_ref());
    match down {
        Some(down) => StoredSql::of(&down.text),
        None if migration.is_some_and(is_irreversible) => StoredSql::Clear,
        None => StoredSql::Keep,
    }
}

fn is_irreversible(migration: &Migration) -> bool {
    migration.up.directives.irreversible.is_some()
}

/// The record once the step is done.
fn record_after(step: &Step<'_>, script: &Script, history: &History) -> Record {
    let known = history.get(&step.key);
    let up = step.migration.map(|migration| &migration.up);
    let (checksum, sql_checksum) = match (step.direction, known, up) {
        (Direction::Down, Some(record), _) => (record.checksum, record.sql_checksum),
        (_, _, Some(up)) => (up.checksum, up.sql_checksum),
        _ => (script.checksum, script.sql_checksum),
    };
    // A row keeps the spelling of the version that it was created with.
    let key = known.map_or(&step.key, |record| &record.key).clone();
    let name = match (step.migration, known) {
        (Some(migration), _) => migration.name.to_string(),
        (None, known) => known.map_or(String::new(), |record| record.name.clone()),
    };
    let mut record = Record::applied(key, name, checksum, sql_checksum, script.statements.len());
    record.has_down = match down_of(step.migration) {
        StoredSql::Set(_) => true,
        StoredSql::Clear => false,
        StoredSql::Keep => known.is_some_and(|record| record.has_down),
    };
    record
}

/// The summary once the step is done, without a copy of the history: a run may have 20,000 steps.
fn summary_after(direction: Direction, record: &Record, history: &History) -> Summary {
    let others = || history.applied().filter(|other| other.key != record.key);
    let latest = match (others().next_back(), direction) {
        (Some(other), Direction::Up) if other.key < record.key => Some(record),
        (None, Direction::Up) => Some(record),
        (other, _) => other,
    };
    let was_applied = history.get(&record.key).is_some_and(|known| known.state == RecordState::Applied);
    Summary {
        latest: latest.map(|record| (record.key.to_string(), record.name.clone())),
        count: history.applied().count() - usize::from(was_applied) + usize::from(direction == Direction::Up),
        digest: digest_after(direction, record, history),
    }
}

/// One more version at the end is one step of the chain; everything else is computed again from its place on.
fn digest_after(direction: Direction, record: &Record, history: &History) -> Checksum {
    let at_end = history.latest_applied().is_none_or(|latest| latest.key < record.key);
    match direction {
        Direction::Up if at_end => extend_digest(&history.digest(), &record.key, &record.checksum),
        Direction::Up => {
            let mut after = history.clone();
            after.upsert(record.clone());
            after.digest()
        }
        Direction::Down => history.digest_without(&record.key),
    }
}

/// The history as if a migration had not started, or had not started to be reverted.
fn restored(history: &History, record: &Record, direction: Direction, statements: Option<usize>) -> Restored<'static> {
    if direction == Direction::Up {
        return Restored::NotApplied;
    }
    let mut after = history.clone();
    after.upsert(record.with_state(RecordState::Applied));
    let latest = after.latest_applied().map(|latest| (latest.key.to_string().into(), latest.name.clone().into()));
    Restored::Applied {
        statements: statements.unwrap_or(record.statements),
        summary: SchemaVersionRow { latest, count: after.applied().count(), digest: after.digest() },
    }
}

/// The fingerprint of the history as this process knows it: what a writer without a lock compares with that in the database.
pub fn fingerprint(history: &History, key: &MigrationKey) -> String {
    let digest = history.latest_applied().map(|_| history.digest());
    HistorySql::fingerprint(digest.as_ref(), history.get(key))
}

/// The summary of the records, where the stored one is not.
pub fn summarized(history: &History) -> HistoryChange<'_> {
    HistoryChange::Summarized { summary: summary_of(history) }
}

fn summary_of(history: &History) -> SchemaVersionRow<'_> {
    let latest = history.latest_applied().map(|record| (record.key.as_str().into(), record.name.as_str().into()));
    SchemaVersionRow { latest, count: history.applied().count(), digest: history.digest() }
}

/// An operator accepts the records as they are: what the summary says is theirs, and the versions without a record are not applied.
pub fn records_accepted<'a>(history: &'a History, lost: &'a [String]) -> HistoryChange<'a> {
    HistoryChange::RecordsAccepted { summary: summary_of(history), lost }
}

/// What was found out about an interrupted migration, if it could be. One that had not started is as if it had not been started.
pub fn recovered<'a>(
    history: &'a History,
    interrupted: &'a InterruptedMigration,
    set: &MigrationSet,
) -> Option<HistoryChange<'a>> {
    let record = history.get(&interrupted.key)?;
    let (version, by) = (record.key.as_str(), ResolvedBy::Catalogue(&interrupted.evidence));
    Some(match interrupted.recovered? {
        RecoveredState::NotStarted => {
            let direction = if record.state.is_revert() { Direction::Down } else { Direction::Up };
            let restored = restored(history, record, direction, up_statements(set, record));
            HistoryChange::GivenUp { version, restored, by }
        }
        RecoveredState::Stopped { state, done } => HistoryChange::Resolved { version, state, done, by, script: None },
    })
}

/// Why an operator's statement about a migration cannot be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotResolve {
    /// It has neither a file nor a record.
    Unknown,
    /// It is not partially applied.
    NotPartiallyApplied,
    /// Its record is not the one that the decision was about.
    ChangedSince,
    /// It has only so many statements.
    NoSuchStatement {
        /// How many.
        statements: usize,
    },
    /// The statement is in the middle of a transaction of the file, whose earlier statements were rolled back with it.
    InsideTransaction {
        /// The number of the `BEGIN`.
        first: usize,
        /// The number of the statement after the `COMMIT`.
        next: usize,
    },
    /// So many statements are recorded as done already, and would run twice.
    AlreadyDone {
        /// How many.
        done: usize,
    },
}

/// An operator says how far a partially applied migration got.
///
/// # Errors
/// When it does not exist or is not partially applied, or the statement is not one of those that are left.
pub fn resolved<'h>(
    set: &'h MigrationSet,
    history: &'h History,
    key: &MigrationKey,
    resolution: Resolution,
) -> Result<HistoryChange<'h>, CannotResolve> {
    let Some(record) = history.get(key) else {
        let is_known = key.version().is_some_and(|version| set.get(version).is_some());
        return Err(if is_known { CannotResolve::NotPartiallyApplied } else { CannotResolve::Unknown });
    };
    if record.state == RecordState::Applied {
        return Err(CannotResolve::NotPartiallyApplied);
    }
    let (direction, state) = match record.state {
        state if state.is_revert() => (Direction::Down, RecordState::RevertResolved),
        _ => (Direction::Up, RecordState::Resolved),
    };
    let migration = record.key.version().and_then(|version| set.get(version));
    let script = match direction {
        Direction::Up => migration.map(|migration| &migration.up),
        Direction::Down => migration.and_then(|migration| migration.down.as_ref()),
    };
    let edited = script.filter(|script| record.pending_sql.as_deref() != Some(&*script.text));
    let statements = script.map_or(record.statements, |script| script.statements.len());
    let progress = |done, script: Option<&'h Script>| HistoryChange::Resolved {
        version: record.key.as_str(),
        state,
        done,
        by: ResolvedBy::Operator,
        script: script.map(|script| (direction, &*script.text)),
    };
    match resolution {
        Resolution::Retry => Ok(progress(record.statements_done, None)),
        Resolution::SkipTo(statement) if !(1..=statements).contains(&statement) => {
            Err(CannotResolve::NoSuchStatement { statements })
        }
        Resolution::SkipTo(statement) if edited.is_none() && statement <= record.statements_done => {
            Err(CannotResolve::AlreadyDone { done: record.statements_done })
        }
        Resolution::SkipTo(statement) if let Some(unit) = script.and_then(|script| unit_around(script, statement - 1)) => {
            Err(CannotResolve::InsideTransaction { first: unit.0, next: unit.1 })
        }
        // In a file that was edited since, this says which statements of its present text are done.
        Resolution::SkipTo(statement) => Ok(progress(statement - 1, edited)),
        Resolution::MarkApplied => Ok(declared(history, record, migration, direction)),
        Resolution::MarkNotApplied => {
            let statements = migration.map(|migration| migration.up.statements.len());
            let restored = restored(history, record, direction, statements);
            Ok(HistoryChange::GivenUp { version: record.key.as_str(), restored, by: ResolvedBy::Operator })
        }
    }
}

/// The transaction of the file (`BEGIN` to `COMMIT`) that so many completed statements would divide: the numbers of its first
/// statement and of the one that follows it.
fn unit_around(script: &Script, done: usize) -> Option<(usize, usize)> {
    let unit = script.units.iter().find(|unit| {
        let is_divided = unit.begin_statement.is_some_and(|begin| begin < done) && done < unit.done_after;
        unit.in_transaction && is_divided
    })?;
    Some((unit.begin_statement? + 1, unit.done_after + 1))
}

/// An operator declares a partially applied or reverted migration done.
fn declared<'h>(
    history: &'h History,
    record: &'h Record,
    migration: Option<&'h Migration>,
    direction: Direction,
) -> HistoryChange<'h> {
    let up = migration.map(|migration| &migration.up);
    // What is declared done is the file as it is now: it may have been corrected.
    let checksum = up.map_or(record.checksum, |up| up.checksum);
    let mut after = history.clone();
    match direction {
        Direction::Down => after.remove(&record.key),
        Direction::Up => after.upsert(record.with_state(RecordState::Applied).with_checksum(checksum)),
    }
    let is_applied = |record: &&Record| after.get(&record.key).is_some_and(|after| after.state == RecordState::Applied);
    let latest = history.records().iter().rfind(is_applied);
    let summary = SchemaVersionRow {
        latest: latest.map(|record| (record.key.as_str().into(), record.name.as_str().into())),
        count: after.applied().count(),
        digest: after.digest(),
    };
    let (version, completion) = (record.key.as_str(), Completion::Declared);
    match direction {
        Direction::Down => HistoryChange::Reverted { version, name: &record.name, summary, completion },
        Direction::Up => HistoryChange::Applied {
            record: RecordWrite {
                version,
                name: &record.name,
                phase: migration.and_then(Migration::phase).map(Phase::name),
                checksum,
                sql_checksum: up.map_or(record.sql_checksum, |up| up.sql_checksum),
                state: RecordState::Applied,
                statements: record.statements,
                done: record.statements,
                up: up.map_or(StoredSql::Keep, |up| StoredSql::of(&up.text)),
                down: down_of(migration),
            },
            summary,
            completion,
        },
    }
}

/// An edited file is accepted as what ran. `None` if the version is not applied, or has no file here.
pub fn repaired<'h>(set: &'h MigrationSet, history: &'h History, key: &MigrationKey) -> Option<HistoryChange<'h>> {
    let migration = set.get(key.version()?)?;
    let record = history.get(key).filter(|record| record.state == RecordState::Applied)?;
    let mut after = history.clone();
    after.upsert(record.with_checksum(migration.up.checksum));
    let latest = history.latest_applied().map(|record| (record.key.as_str().into(), record.name.as_str().into()));
    let statements = migration.up.statements.len();
    Some(HistoryChange::Repaired {
        record: RecordWrite {
            version: record.key.as_str(),
            name: &migration.name,
            phase: migration.phase().map(Phase::name),
            checksum: migration.up.checksum,
            sql_checksum: migration.up.sql_checksum,
            state: RecordState::Applied,
            statements,
            done: statements,
            up: StoredSql::of(&migration.up.text),
            down: down_of(Some(migration)),
        },
        summary: SchemaVersionRow { latest, count: after.applied().count(), digest: after.digest() },
    })
}

#[cfg(test)]
mod tests;
