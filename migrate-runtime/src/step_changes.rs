//! What one step writes into the history: at its beginning, at each mark, at its end, and when it fails. Values only.

use crate::history_change::{Elapsed, HistoryChange, RecordWrite, SchemaVersionRow};
use crate::history_sql::{HistorySql, MAX_STORED_SCRIPT, TOOL};
use migrate_model::checksum::Checksum;
use migrate_model::history::{History, Record, RecordState};
use migrate_model::migration_set::extend_digest;
use migrate_model::plan::Step;
use migrate_model::script::Script;
use migrate_model::target::Direction;

/// Everything that a step may write.
#[derive(Debug)]
pub struct StepChanges {
    /// The row as it will stand when the step is done.
    pub record: Record,
    /// Over what is applied when the step is done.
    pub digest: Checksum,
    version: String,
    phase: Option<&'static str>,
    direction: Direction,
    texts: (Option<String>, Option<String>),
    newest: Option<(String, String)>,
    count: usize,
    atomic: bool,
}

impl StepChanges {
    /// Of a step, over the history before it and the digest of that.
    pub fn new(step: &Step<'_>, script: &Script, atomic: bool, history: &History, before: &Checksum) -> StepChanges {
        let record = record(step, script, history);
        let others = || history.applied().filter(|other| other.version != record.version);
        let newest = match (others().next_back(), step.direction) {
            (Some(other), Direction::Up) if other.version < record.version => Some(&record),
            (None, Direction::Up) => Some(&record),
            (other, _) => other,
        };
        let newest = newest.map(|record| (record.version.to_string(), record.name.clone()));
        let text = |script: &Script| (script.text.len() <= MAX_STORED_SCRIPT).then(|| script.text.to_string());
        StepChanges {
            digest: digest_after(step.direction, &record, history, before),
            version: record.version.to_string(),
            phase: step.migration.and_then(|migration| migration.phase()).map(|phase| phase.name()),
            direction: step.direction,
            texts: (
                step.migration.and_then(|migration| text(&migration.up)),
                step.migration.and_then(|migration| migration.down.as_ref()).and_then(text),
            ),
            newest,
            count: count(step.direction, &record, history),
            atomic,
            record,
        }
    }

    /// The version as its row has it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// That it is begun, with so many statements done.
    pub fn started(&self, done: usize) -> HistoryChange<'_> {
        // One that is being reverted does not count as applied any more.
        let summary = (self.direction == Direction::Down).then(|| self.summary());
        HistoryChange::Started(self.entry(self.begun(), done), summary)
    }

    /// That so many statements are done.
    pub fn checkpoint(&self, done: usize) -> HistoryChange<'_> {
        HistoryChange::Checkpoint { version: &self.version, done }
    }

    /// That it is done.
    pub fn finished(&self, elapsed: Elapsed) -> HistoryChange<'_> {
        let entry = self.entry(RecordState::Applied, self.record.statements);
        match self.direction {
            Direction::Up => HistoryChange::Applied(entry, self.summary(), elapsed),
            Direction::Down => HistoryChange::Reverted(entry, self.summary(), elapsed),
        }
    }

    /// That the database refused it.
    pub fn failed<'a>(&'a self, done: usize, message: &'a str) -> HistoryChange<'a> {
        let state = match self.direction {
            Direction::Up => RecordState::Failed,
            Direction::Down => RecordState::RevertFailed,
        };
        HistoryChange::Failed { entry: self.entry(state, done), unfinished: !self.atomic, message }
    }

    /// The row while the step is under way.
    pub fn underway(&self, done: usize) -> Record {
        Record { state: self.begun(), statements_done: done, ..self.record.clone() }
    }

    /// What a transaction compares before it writes, given what is known of the history.
    pub fn fingerprint(&self, history: &History, digest: &Checksum) -> String {
        let applied = history.latest_applied().map(|_| digest);
        HistorySql::fingerprint(applied, history.get(&self.record.version))
    }

    fn begun(&self) -> RecordState {
        match self.direction {
            Direction::Up => RecordState::Started,
            Direction::Down => RecordState::Reverting,
        }
    }

    fn entry(&self, state: RecordState, done: usize) -> RecordWrite<'_> {
        RecordWrite {
            version: &self.version,
            name: &self.record.name,
            phase: self.phase,
            checksum: self.record.checksum,
            sql_checksum: self.record.sql_checksum,
            state,
            direction: self.direction,
            statements: self.record.statements,
            done,
            told: false,
            begun: !self.atomic,
            up: self.texts.0.as_deref(),
            down: self.texts.1.as_deref(),
        }
    }

    fn summary(&self) -> SchemaVersionRow<'_> {
        SchemaVersionRow {
            newest: self.newest.as_ref().map(|(version, name)| (version.as_str(), name.as_str())),
            count: self.count,
            digest: self.digest,
        }
    }
}

fn record(step: &Step<'_>, script: &Script, history: &History) -> Record {
    let known = history.get(&step.version);
    let up = step.migration.map(|migration| &migration.up);
    let (checksum, sql_checksum) = match (step.direction, known, up) {
        (Direction::Down, Some(record), _) => (record.checksum, record.sql_checksum),
        (_, _, Some(up)) => (up.checksum, up.sql_checksum),
        _ => (script.checksum, script.sql_checksum),
    };
    Record {
        // A row keeps the spelling of the version that it was made with.
        version: known.map_or(&step.version, |record| &record.version).clone(),
        name: match (step.migration, known) {
            (Some(migration), _) => migration.name.to_string(),
            (None, known) => known.map_or(String::new(), |record| record.name.clone()),
        },
        checksum,
        sql_checksum,
        state: RecordState::Applied,
        statements: script.statements.len(),
        statements_done: script.statements.len(),
        started_at: String::new(),
        applied_at: None,
        execution_ms: None,
        applied_by: TOOL.to_owned(),
        has_down: step.migration.is_some_and(|migration| migration.down.is_some()),
        pending_sql: None,
    }
}

/// How many are applied when the step is done.
fn count(direction: Direction, record: &Record, history: &History) -> usize {
    let counted = history.get(&record.version).is_some_and(|known| known.state == RecordState::Applied);
    history.applied().count() - usize::from(counted) + usize::from(direction == Direction::Up)
}

/// One more at the end costs one step of the chain; everything else is counted anew.
fn digest_after(direction: Direction, record: &Record, history: &History, before: &Checksum) -> Checksum {
    let at_end = history.latest_applied().is_none_or(|newest| newest.version < record.version);
    match direction {
        Direction::Up if at_end => extend_digest(before, &record.version, &record.checksum),
        Direction::Up => {
            let mut after = history.clone();
            after.upsert(record.clone());
            after.digest()
        }
        Direction::Down => history.digest_without(&record.version),
    }
}
