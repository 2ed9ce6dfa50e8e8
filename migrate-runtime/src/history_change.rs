//! A change of the history, as data: what is written when a migration starts, gets further, ends, or is corrected.
//!
//! `history_changes` decides which change it is; `history_sql` turns it into SQL.

use migrate_model::checksum::Checksum;
use migrate_model::history::RecordState;
use migrate_model::target::Direction;
use std::borrow::Cow;
use std::time::Duration;

/// A change of the history.
#[derive(Debug, Clone)]
pub enum HistoryChange<'a> {
    /// A migration starts outside a transaction: its record is written before anything runs.
    Started {
        /// The record.
        record: RecordWrite<'a>,
        /// What the catalog shows before the first statement.
        observation: Option<Observation>,
    },
    /// A migration starts to be reverted outside a transaction: it no longer counts as applied.
    RevertStarted {
        /// The version as its record spells it.
        version: &'a str,
        /// How many statements the down script has.
        statements: usize,
        /// How many of them are done.
        done: usize,
        /// The down script that runs.
        down: StoredSql<'a>,
        /// The summary without it.
        summary: SchemaVersionRow<'a>,
        /// What the catalog shows before the first statement.
        observation: Option<Observation>,
    },
    /// More statements are done.
    Checkpoint {
        /// The version as its record spells it.
        version: &'a str,
        /// How many statements are done.
        done: usize,
        /// What the catalog shows before the next statement.
        observation: Option<Observation>,
    },
    /// What the catalog shows before a statement, where its names did not mean the same at the last checkpoint.
    Observed {
        /// The version as its record spells it.
        version: &'a str,
        /// What it shows.
        observation: Observation,
    },
    /// A migration is applied, and its record is written as a whole: it ran in one transaction, or an operator declared it.
    Applied {
        /// The record.
        record: RecordWrite<'a>,
        /// The summary with it.
        summary: SchemaVersionRow<'a>,
        /// How it came to be applied.
        completion: Completion,
    },
    /// A migration is applied whose record exists since it started.
    Finished {
        /// The version as its record spells it.
        version: &'a str,
        /// Its name.
        name: &'a str,
        /// How many statements it has.
        statements: usize,
        /// The summary with it.
        summary: SchemaVersionRow<'a>,
        /// How long it took.
        elapsed: Elapsed,
    },
    /// A migration is reverted: its record is deleted.
    Reverted {
        /// The version as its record spells it.
        version: &'a str,
        /// Its name.
        name: &'a str,
        /// The summary without it.
        summary: SchemaVersionRow<'a>,
        /// How it came to be reverted.
        completion: Completion,
    },
    /// An edited file is accepted: its record takes over checksums and texts, and nothing ran.
    Repaired {
        /// The record.
        record: RecordWrite<'a>,
        /// The summary with the new checksum.
        summary: SchemaVersionRow<'a>,
    },
    /// How far a partially applied migration got was found out afterwards.
    Resolved {
        /// The version as its record spells it.
        version: &'a str,
        /// Its state.
        state: RecordState,
        /// How many statements are done.
        done: usize,
        /// Who found out.
        by: ResolvedBy<'a>,
        /// The direction, and the text of the script that the next run resumes.
        script: Option<(Direction, &'a str)>,
    },
    /// Nothing is left of a partially applied migration, or of its revert: an operator has undone it, or it had not started.
    GivenUp {
        /// The version as its record spells it.
        version: &'a str,
        /// What its record becomes.
        restored: Restored<'a>,
        /// Who found out.
        by: ResolvedBy<'a>,
    },
    /// The summary is written again, because it was not that of the records.
    Summarized {
        /// The row of the service.
        summary: SchemaVersionRow<'a>,
    },
    /// An operator has accepted the records as they are.
    RecordsAccepted {
        /// The row of the service.
        summary: SchemaVersionRow<'a>,
        /// The versions that the log of events shows as applied, and that are not.
        lost: &'a [String],
    },
    /// A migration failed.
    Failed {
        /// The version.
        version: &'a str,
        /// Its name.
        name: &'a str,
        /// Up or down.
        direction: Direction,
        /// What it has left.
        outcome: FailedOutcome<'a>,
        /// What the database said.
        message: &'a str,
    },
}

impl HistoryChange<'_> {
    /// The same change where the catalog did not answer the question in it; `None` if it does not ask.
    pub fn unanswered(&self) -> Option<Self> {
        let mut change = self.clone();
        let (HistoryChange::Started { observation, .. }
        | HistoryChange::RevertStarted { observation, .. }
        | HistoryChange::Checkpoint { observation, .. }) = &mut change
        else {
            return None;
        };
        let observation = observation.as_mut().filter(|observation| matches!(observation.catalog, Catalog::Digits(_)))?;
        *observation = Observation { done: observation.done, catalog: Catalog::Unknown, unaffected: String::new() };
        Some(change)
    }
}

/// What the catalog shows before a statement that commits itself, of the objects that it creates or drops. If its outcome must be
/// found out later, what was there before proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// How many statements are done before it.
    pub done: usize,
    /// What it shows.
    pub catalog: Catalog,
    /// The digits with which nothing is written, because nothing is as the statement would make it.
    pub unaffected: String,
}

/// An answer of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Catalog {
    /// A digit for each object, as of [`Presence`](crate::backend::Presence), as SQL expressions.
    Digits(Vec<String>),
    /// It is asked, and its answer recorded, before the statement runs.
    NotAsked,
    /// It could not be asked.
    Unknown,
    /// It is not asked before any statement until this many are done.
    UnknownUntil(usize),
}

/// What a failed migration has left.
#[derive(Debug, Clone)]
pub enum FailedOutcome<'a> {
    /// Its transaction was rolled back, and no record exists.
    RolledBack,
    /// Nothing remains, so its record goes.
    NothingRemains(Restored<'a>),
    /// So many statements are done, and nothing of the failed one remains.
    Stopped {
        /// How many.
        done: usize,
    },
    /// So many statements are done, and a part of the failed one may remain.
    Unclear {
        /// How many.
        done: usize,
    },
}

/// The history as if a partially applied migration had not started.
#[derive(Debug, Clone)]
pub enum Restored<'a> {
    /// It is not applied: its record is deleted.
    NotApplied,
    /// It is applied: it had started to be reverted.
    Applied {
        /// How many statements the up script has.
        statements: usize,
        /// The summary with it.
        summary: SchemaVersionRow<'a>,
    },
}

/// The text of a script in a record. An older checkout does not have the files of a newer version, so what it does not know
/// it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredSql<'a> {
    /// What is stored stays.
    Keep,
    /// This text is stored.
    Set(&'a str),
    /// Nothing is stored: there is no such script, or it is longer than [`MAX_STORED_SCRIPT`].
    Clear,
}

/// Longer scripts (bytes) are not stored: a MySQL server accepts no message above `max_allowed_packet`, 16 MiB by default, and
/// a text may have to be sent as twice as many hexadecimal digits.
pub const MAX_STORED_SCRIPT: usize = 4 << 20;

impl<'a> HistoryChange<'a> {
    /// The same change without the texts of the scripts, which the database cannot store.
    #[must_use]
    pub fn without_texts(mut self) -> Self {
        match &mut self {
            HistoryChange::Started { record, .. }
            | HistoryChange::Applied { record, .. }
            | HistoryChange::Repaired { record, .. } => {
                (record.up, record.down) = (record.up.without_text(), record.down.without_text());
            }
            HistoryChange::RevertStarted { down, .. } => *down = down.without_text(),
            HistoryChange::Resolved { script, .. } => *script = None,
            _ => {}
        }
        self
    }
}

impl<'a> StoredSql<'a> {
    /// Nothing in place of a text.
    fn without_text(self) -> Self {
        if matches!(self, StoredSql::Set(_)) { StoredSql::Clear } else { self }
    }

    /// A script that exists, unless it is too long.
    pub fn of(text: &'a str) -> Self {
        if text.len() <= MAX_STORED_SCRIPT { StoredSql::Set(text) } else { StoredSql::Clear }
    }

    /// A script that may not exist; without one, nothing is stored.
    pub fn of_option(text: Option<&'a str>) -> Self {
        text.map_or(StoredSql::Clear, StoredSql::of)
    }
}

/// A row of `migration_records` to be written.
#[derive(Debug, Clone)]
pub struct RecordWrite<'a> {
    /// The version as written.
    pub version: &'a str,
    /// The migration name.
    pub name: &'a str,
    /// The phase, if the file specifies one.
    pub phase: Option<&'a str>,
    /// Over the bytes of the up script.
    pub checksum: Checksum,
    /// Over the SQL of the up script.
    pub sql_checksum: Checksum,
    /// The state.
    pub state: RecordState,
    /// How many statements the up script has.
    pub statements: usize,
    /// How many of them are done.
    pub done: usize,
    /// The up script.
    pub up: StoredSql<'a>,
    /// The down script.
    pub down: StoredSql<'a>,
}

/// The row of `schema_versions` after the change.
#[derive(Debug, Clone)]
pub struct SchemaVersionRow<'a> {
    /// The latest applied version and its name.
    pub latest: Option<(Cow<'a, str>, Cow<'a, str>)>,
    /// How many versions are applied.
    pub count: usize,
    /// Over all that is applied; see `MigrationSet::digest`.
    pub digest: Checksum,
}

/// How a migration came to be applied or reverted.
#[derive(Debug, Clone, Copy)]
pub enum Completion {
    /// Its script ran.
    Executed(Elapsed),
    /// An operator declared it, with `resolve`; nothing ran.
    Declared,
}

/// Who found out how far a migration got.
#[derive(Debug, Clone, Copy)]
pub enum ResolvedBy<'a> {
    /// An operator, with `resolve`.
    Operator,
    /// The engine, from the system catalog: what it found.
    Catalogue(&'a str),
}

/// How long a script took.
#[derive(Debug, Clone, Copy)]
pub enum Elapsed {
    /// This long before the transaction, plus the time since the transaction began by the database's clock: for a record in
    /// the same message as the script.
    Transaction(Duration),
    /// As measured.
    Measured(Duration),
}
