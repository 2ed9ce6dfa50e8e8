//! What the database says: which migrations of a service were applied, begun or failed. It decides nothing.

use crate::checksum::Checksum;
use crate::migration_set;
use crate::version::Version;
use std::fmt;
use std::str::FromStr;

/// How far a migration came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordState {
    /// Done.
    Applied,
    /// Its way up was begun and nothing was heard since: the fate of one statement is unknown.
    Started,
    /// Its way up was begun and the database refused a statement; the ones before it are done.
    Failed,
    /// Its way down was begun and nothing was heard since.
    Reverting,
    /// Its way down was begun and the database refused a statement.
    RevertFailed,
}

impl RecordState {
    const ALL: [RecordState; 5] =
        [RecordState::Applied, RecordState::Started, RecordState::Failed, RecordState::Reverting, RecordState::RevertFailed];

    /// The word in the history table.
    pub const fn name(self) -> &'static str {
        match self {
            RecordState::Applied => "applied",
            RecordState::Started => "started",
            RecordState::Failed => "failed",
            RecordState::Reverting => "reverting",
            RecordState::RevertFailed => "revert-failed",
        }
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
pub struct Record {
    /// As the file name had it when it was applied.
    pub version: Version,
    /// The words behind the version.
    pub name: String,
    /// Of the way up, when it ran.
    pub checksum: Checksum,
    /// Of the way up's SQL, when it ran.
    pub sql_checksum: Checksum,
    /// How far it came.
    pub state: RecordState,
    /// How many statements the script has that is running or ran.
    pub statements: usize,
    /// How many of them are done.
    pub statements_done: usize,
    /// RFC 3339, UTC, by the database's clock.
    pub started_at: String,
    /// RFC 3339, UTC, by the database's clock.
    pub applied_at: Option<String>,
    /// How long it took, in milliseconds.
    pub execution_ms: Option<u64>,
    /// The database user that applied it.
    pub applied_by: String,
    /// Was a way down stored with it?
    pub has_down: bool,
    /// The SQL that is running or was stopped; `None` for what is done.
    pub pending_sql: Option<String>,
}

/// All rows of one service, in version order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History {
    records: Vec<Record>,
    /// For each record, the digest of what is done up to and with it.
    digests: Vec<Checksum>,
}

impl History {
    /// Makes a history; sorts it.
    pub fn new(mut records: Vec<Record>) -> Self {
        records.sort_by(|one, other| one.version.cmp(&other.version));
        let mut history = History { records, digests: Vec::new() };
        history.digest_from(0);
        history
    }

    /// Counts the digests anew from a record on; what is added and removed mostly stands at the end.
    fn digest_from(&mut self, at: usize) {
        self.digests.truncate(at);
        for record in &self.records[at..] {
            let before = self.digests.last().copied().unwrap_or(migration_set::EMPTY_DIGEST);
            self.digests.push(match record.state {
                RecordState::Applied => migration_set::extend_digest(&before, &record.version, &record.checksum),
                _ => before,
            });
        }
    }

    /// In version order.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The row of a version.
    pub fn get(&self, version: &Version) -> Option<&Record> {
        self.position(version).ok().map(|at| &self.records[at])
    }

    /// The rows that are done.
    pub fn applied(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter().filter(|record| record.state == RecordState::Applied)
    }

    /// The newest that is done.
    pub fn latest_applied(&self) -> Option<&Record> {
        self.applied().next_back()
    }

    /// The digest of what is done; see [`MigrationSet::digest`](crate::migration_set::MigrationSet::digest).
    pub fn digest(&self) -> Checksum {
        self.digests.last().copied().unwrap_or(migration_set::EMPTY_DIGEST)
    }

    /// The digest of what is done but for one version.
    pub fn digest_without(&self, version: &Version) -> Checksum {
        match self.position(version) {
            Ok(at) => {
                let before = at.checked_sub(1).map_or(migration_set::EMPTY_DIGEST, |at| self.digests[at]);
                let behind = self.records[at + 1..].iter().filter(|record| record.state == RecordState::Applied);
                behind.fold(before, |before, record| migration_set::extend_digest(&before, &record.version, &record.checksum))
            }
            Err(_) => self.digest(),
        }
    }

    fn position(&self, version: &Version) -> Result<usize, usize> {
        self.records.binary_search_by(|record| record.version.cmp(version))
    }

    /// This history once a record is written: added, or put in the place of the one with its version.
    pub fn upsert(&mut self, record: Record) {
        let at = match self.position(&record.version) {
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

    /// This history once a version is applied of which nothing else is known.
    pub fn assume_applied(&mut self, version: &Version) {
        let none = Checksum::from_bytes([0; 32]);
        self.upsert(Record {
            version: version.clone(),
            name: String::new(),
            checksum: none,
            sql_checksum: none,
            state: RecordState::Applied,
            statements: 0,
            statements_done: 0,
            started_at: String::new(),
            applied_at: None,
            execution_ms: None,
            applied_by: String::new(),
            has_down: false,
            pending_sql: None,
        });
    }

    /// This history once a version is reverted.
    pub fn remove(&mut self, version: &Version) {
        if let Ok(at) = self.position(version) {
            self.records.remove(at);
            self.digest_from(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A record of this version, applied or failed.
    fn record(number: u8, applied: bool) -> Record {
        let mut history = History::default();
        history.assume_applied(&number.to_string().parse().unwrap());
        let checksum = Checksum::of_file(&[number, u8::from(applied)]);
        Record { state: if applied { RecordState::Applied } else { RecordState::Failed }, checksum, ..history.records[0].clone() }
    }

    proptest! {
        #[test]
        fn the_digest_is_that_of_what_is_applied(changes in proptest::collection::vec((0_u8..9, 0_u8..3), 0..30)) {
            let mut history = History::default();
            for (number, change) in changes {
                let record = record(number, change == 0);
                match change {
                    0 | 1 => history.upsert(record),
                    _ => history.remove(&record.version),
                }
                let digest = |history: &History, without: Option<&Version>| {
                    let applied = history.applied().filter(|record| Some(&record.version) != without);
                    migration_set::digest(applied.map(|record| (&record.version, &record.checksum)))
                };
                prop_assert_eq!(history.digest(), digest(&history, None));
                let version = number.to_string().parse().unwrap();
                prop_assert_eq!(history.digest_without(&version), digest(&history, Some(&version)));
                prop_assert_eq!(&history, &History::new(history.records.clone()));
            }
        }
    }
}
