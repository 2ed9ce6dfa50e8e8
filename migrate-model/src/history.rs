//! The history in the database: which migrations of a service are applied, started or failed. It makes no decisions.

use crate::checksum::Checksum;
use crate::key::MigrationKey;
use crate::migration_set;
use crate::session_effect::catalog::TriggerCatalog;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// The state of a migration in the history table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordState {
    /// The up migration is complete.
    Applied,
    /// The up migration was started. If no process runs it, it was interrupted, and the outcome of one statement is unknown.
    Started,
    /// A statement of the up migration failed; the statements before it are done.
    Failed,
    /// The down migration was started; otherwise like `Started`.
    Reverting,
    /// A statement of the down migration failed; the statements before it are done.
    RevertFailed,
    /// An operator has stated how many statements of the up migration are done, and that the rest can run.
    Resolved,
    /// The same for the down migration.
    RevertResolved,
    /// A statement of the up migration failed, or the run was interrupted in it, on a table that is not transactional: a part
    /// of it may remain.
    Unclear,
    /// The same for the down migration.
    RevertUnclear,
}

impl RecordState {
    const ALL: [RecordState; 9] = [
        RecordState::Applied,
        RecordState::Started,
        RecordState::Failed,
        RecordState::Reverting,
        RecordState::RevertFailed,
        RecordState::Resolved,
        RecordState::RevertResolved,
        RecordState::Unclear,
        RecordState::RevertUnclear,
    ];

    /// The states of a down migration that is not complete.
    pub const REVERTS: [RecordState; 4] =
        [RecordState::Reverting, RecordState::RevertFailed, RecordState::RevertResolved, RecordState::RevertUnclear];

    /// The value in the history table.
    pub const fn name(self) -> &'static str {
        match self {
            RecordState::Applied => "applied",
            RecordState::Started => "started",
            RecordState::Failed => "failed",
            RecordState::Reverting => "reverting",
            RecordState::RevertFailed => "revert-failed",
            RecordState::Resolved => "resolved",
            RecordState::RevertResolved => "revert-resolved",
            RecordState::Unclear => "unclear",
            RecordState::RevertUnclear => "revert-unclear",
        }
    }

    /// The state that an interruption leaves: `Failed` or `RevertFailed` if a run was in progress. `None` if none was.
    pub const fn interrupted(self) -> Option<RecordState> {
        match self {
            RecordState::Started => Some(RecordState::Failed),
            RecordState::Reverting => Some(RecordState::RevertFailed),
            RecordState::Applied
            | RecordState::Failed
            | RecordState::RevertFailed
            | RecordState::Resolved
            | RecordState::RevertResolved
            | RecordState::Unclear
            | RecordState::RevertUnclear => None,
        }
    }

    /// Has an operator stated how far the migration got?
    pub const fn is_resolved(self) -> bool {
        matches!(self, RecordState::Resolved | RecordState::RevertResolved)
    }

    /// Is the down migration partially applied?
    pub const fn is_revert(self) -> bool {
        matches!(
            self,
            RecordState::Reverting | RecordState::RevertFailed | RecordState::RevertResolved | RecordState::RevertUnclear
        )
    }

    /// May a part of the next statement remain, although the database has rejected it?
    pub const fn is_unclear(self) -> bool {
        matches!(self, RecordState::Unclear | RecordState::RevertUnclear)
    }
}

impl fmt::Display for RecordState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for RecordState {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        RecordState::ALL.into_iter().find(|state| state.name() == text).ok_or(())
    }
}

/// One row of the history table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record {
    /// As in the file name when the migration was applied.
    pub key: MigrationKey,
    /// The migration name: what follows the version.
    pub name: String,
    /// The checksum of the up migration when it ran.
    pub checksum: Checksum,
    /// The checksum of the SQL of the up migration when it ran, without comments and white space.
    pub sql_checksum: Checksum,
    pub state: RecordState,
    /// The number of statements of the script that is running or ran last.
    pub statements: usize,
    /// The number of these statements that are done.
    pub statements_done: usize,
    /// Whether a down migration is stored in the history.
    pub has_down: bool,
    /// The SQL that is running or was interrupted; `None` if the migration is complete, or if the SQL was too long to be stored.
    pub pending_sql: Option<String>,
    /// The names of what the statements that are done have changed in the session, without showing it in their text; `None` if
    /// there is nothing, or if the migration is complete.
    pub session_changes: Option<String>,
}

impl Record {
    /// The record of a migration that is applied and has no stored down migration.
    pub fn applied(key: MigrationKey, name: String, checksum: Checksum, sql_checksum: Checksum, statements: usize) -> Self {
        Record {
            key,
            name,
            checksum,
            sql_checksum,
            state: RecordState::Applied,
            statements,
            statements_done: statements,
            has_down: false,
            pending_sql: None,
            session_changes: None,
        }
    }

    /// The same record in another state.
    #[must_use]
    pub fn with_state(&self, state: RecordState) -> Self {
        Record { state, ..self.clone() }
    }

    /// The same record in another state, with so many statements done.
    #[must_use]
    pub fn with_progress(&self, state: RecordState, statements_done: usize) -> Self {
        Record { state, statements_done, ..self.clone() }
    }

    /// The same record with another checksum of the up migration.
    #[must_use]
    pub fn with_checksum(&self, checksum: Checksum) -> Self {
        Record { checksum, ..self.clone() }
    }
}

/// When and by whom a migration was applied, by the clock of the database: only what was read has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRun {
    /// When it was started: RFC 3339, UTC.
    pub started_at: String,
    /// When it was applied: RFC 3339, UTC.
    pub applied_at: Option<String>,
    /// How long it took, in milliseconds.
    pub execution_ms: Option<u64>,
    /// The database user that applied it.
    pub applied_by: String,
}

impl RecordedRun {
    /// When, how long and by whom.
    pub fn new(started_at: String, applied_at: Option<String>, execution_ms: Option<u64>, applied_by: String) -> Self {
        RecordedRun { started_at, applied_at, execution_ms, applied_by }
    }
}

/// All records of one service, in version order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    records: Vec<Record>,
    runs: BTreeMap<MigrationKey, RecordedRun>,
    /// For each record, the digest of the applied migrations up to and including it.
    digests: Vec<Checksum>,
    /// The triggers that partially applied migrations may have fired.
    triggers: TriggerCatalog,
}

impl History {
    /// Creates a history; sorts the records by version.
    pub fn new(mut records: Vec<Record>) -> Self {
        records.sort_by(|left, right| left.key.cmp(&right.key));
        let mut history = History { records, ..History::default() };
        history.digest_from(0);
        history
    }

    /// A history as it was read, each record with its run; sorts it.
    pub fn of_rows(rows: Vec<(Record, RecordedRun)>) -> Self {
        let runs = rows.iter().map(|(record, run)| (record.key.clone(), run.clone())).collect();
        History { runs, ..History::new(rows.into_iter().map(|(record, _)| record).collect()) }
    }

    /// The triggers that its partially applied migrations may have fired, where the database was asked for them.
    pub fn triggers(&self) -> &TriggerCatalog {
        &self.triggers
    }

    /// Adds what the statements of a partially applied migration have changed in their session without showing it.
    pub fn note_session_changes(&mut self, version: &str, names: &str) {
        let is_partial = |record: &&mut Record| record.key.as_str() == version && record.state != RecordState::Applied;
        if let Some(record) = self.records.iter_mut().find(is_partial) {
            record.session_changes = Some(names.to_owned());
        }
    }

    /// Adds what the database says about triggers.
    pub fn set_triggers(&mut self, triggers: TriggerCatalog) {
        self.triggers = triggers;
    }

    /// When and by whom a version was applied; `None` for what this process has changed since it read.
    pub fn run(&self, key: &MigrationKey) -> Option<&RecordedRun> {
        self.runs.get(key)
    }

    /// Recomputes the digests from a record on. Records are mostly added and removed at the end.
    fn digest_from(&mut self, at: usize) {
        self.digests.truncate(at);
        for record in &self.records[at..] {
            let before = self.digests.last().copied().unwrap_or(migration_set::EMPTY_DIGEST);
            self.digests.push(match record.state {
                RecordState::Applied => migration_set::extend_digest(&before, &record.key, &record.checksum),
                _ => before,
            });
        }
    }

    /// The records in version order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record of a version.
    pub fn get(&self, key: &MigrationKey) -> Option<&Record> {
        self.position(key).ok().map(|at| &self.records[at])
    }

    /// The applied records in version order.
    pub fn applied(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter().filter(|record| record.state == RecordState::Applied)
    }

    /// The applied record with the highest version.
    pub fn latest_applied(&self) -> Option<&Record> {
        self.applied().next_back()
    }

    /// The digest of the applied migrations; see [`MigrationSet::digest`](crate::migration_set::MigrationSet::digest).
    pub fn digest(&self) -> Checksum {
        self.digests.last().copied().unwrap_or(migration_set::EMPTY_DIGEST)
    }

    /// The digest of the applied migrations except one version.
    pub fn digest_without(&self, key: &MigrationKey) -> Checksum {
        match self.position(key) {
            Ok(at) => {
                let before = at.checked_sub(1).map_or(migration_set::EMPTY_DIGEST, |at| self.digests[at]);
                let later = self.records[at + 1..].iter().filter(|record| record.state == RecordState::Applied);
                later.fold(before, |digest, record| migration_set::extend_digest(&digest, &record.key, &record.checksum))
            }
            Err(_) => self.digest(),
        }
    }

    fn position(&self, key: &MigrationKey) -> Result<usize, usize> {
        self.records.binary_search_by(|record| record.key.cmp(key))
    }

    /// Adds a record, or replaces the record with the same version.
    pub fn upsert(&mut self, record: Record) {
        let at = match self.position(&record.key) {
            Ok(at) => {
                self.records[at] = record;
                at
            }
            Err(at) => {
                self.records.insert(at, record);
                at
            }
        };
        self.digest_from(at);
    }

    /// Removes the record of a version.
    pub fn remove(&mut self, key: &MigrationKey) {
        if let Ok(at) = self.position(key) {
            self.records.remove(at);
            self.digest_from(at);
        }
    }
}

/// Which versions of another service are applied: all that `requires` asks of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AppliedVersions {
    keys: BTreeSet<MigrationKey>,
}

impl AppliedVersions {
    /// Whether a version is applied.
    pub fn contains(&self, key: &MigrationKey) -> bool {
        self.keys.contains(key)
    }

    /// Adds a version that an earlier part of the same plan will apply.
    pub fn assume_applied(&mut self, key: &MigrationKey) {
        self.keys.insert(key.clone());
    }
}

impl From<&History> for AppliedVersions {
    fn from(history: &History) -> Self {
        AppliedVersions { keys: history.applied().map(|record| record.key.clone()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record of this version, applied or failed.
    fn record(number: u8, applied: bool) -> Record {
        let checksum = Checksum::of_file(&[number, u8::from(applied)]);
        Record {
            key: number.to_string().parse().unwrap(),
            name: String::new(),
            checksum,
            sql_checksum: checksum,
            state: if applied { RecordState::Applied } else { RecordState::Failed },
            statements: 0,
            statements_done: 0,
            has_down: false,
            pending_sql: None,
            session_changes: None,
        }
    }

    proptest! {
        #[test]
        fn the_digest_is_that_of_what_is_applied(changes in proptest::collection::vec((0_u8..9, 0_u8..3), 0..30)) {
            let mut history = History::default();
            for (number, change) in changes {
                let record = record(number, change == 0);
                match change {
                    0 | 1 => history.upsert(record),
                    _ => history.remove(&record.key),
                }
                let digest = |history: &History, without: Option<&MigrationKey>| {
                    let applied = history.applied().filter(|record| Some(&record.key) != without);
                    migration_set::digest(applied.map(|record| (record.key.clone(), &record.checksum)))
                };
                prop_assert_eq!(history.digest(), digest(&history, None));
                let version = number.to_string().parse().unwrap();
                prop_assert_eq!(history.digest_without(&version), digest(&history, Some(&version)));
                prop_assert_eq!(&history, &History::new(history.records.clone()));
            }
        }
    }
}
