//! A change of the history: what a step leaves behind. Data only; `history_sql` turns it into SQL.

use migrate_model::checksum::Checksum;
use migrate_model::history::RecordState;
use migrate_model::target::Direction;
use std::time::Duration;

/// A change of the history.
#[derive(Debug, Clone)]
pub enum HistoryChange<'a> {
    /// The row of a migration that is begun outside a transaction. One that is being reverted does not count as applied
    /// any more, so then the summary changes as well.
    Started(RecordWrite<'a>, Option<SchemaVersionRow<'a>>),
    /// One more part of it is done.
    Checkpoint {
        /// Which.
        version: &'a str,
        /// How many statements are done.
        done: usize,
    },
    /// It is applied.
    Applied(RecordWrite<'a>, SchemaVersionRow<'a>, Elapsed),
    /// It is reverted: its row goes.
    Reverted(RecordWrite<'a>, SchemaVersionRow<'a>, Elapsed),
    /// Its row takes the file as it is now; nothing ran.
    Repaired(RecordWrite<'a>, SchemaVersionRow<'a>),
    /// How far it is was found out afterwards.
    Resolved {
        /// Which.
        version: &'a str,
        /// How it stands.
        state: RecordState,
        /// How many statements count as done.
        done: usize,
        /// Who found out: `resolved` by a person, `settled` from the catalogue.
        event: &'static str,
        /// What was found.
        detail: &'a str,
        /// Which way it goes, and the text that it goes on with; `None` leaves what is stored.
        text: Option<(Direction, &'a str)>,
    },
    /// It failed; with a row if part of it is done.
    Failed {
        /// What failed.
        entry: RecordWrite<'a>,
        /// Is there a row to be marked?
        unfinished: bool,
        /// What the database said.
        message: &'a str,
    },
}

/// A row of `migration_records`.
#[derive(Debug, Clone)]
pub struct RecordWrite<'a> {
    /// The version as written.
    pub version: &'a str,
    /// The words behind it.
    pub name: &'a str,
    /// The phase, if the file has one.
    pub phase: Option<&'a str>,
    /// Of the way up.
    pub checksum: Checksum,
    /// Of the SQL of the way up.
    pub sql_checksum: Checksum,
    /// How far it came.
    pub state: RecordState,
    /// Which way it goes.
    pub direction: Direction,
    /// How many statements the script has.
    pub statements: usize,
    /// How many are done.
    pub done: usize,
    /// Did a person say so, and nothing ran?
    pub told: bool,
    /// Is the row there already, with everything that does not change until the end?
    pub begun: bool,
    /// The text of the way up; `None` leaves what is stored.
    pub up: Option<&'a str>,
    /// The text of the way down.
    pub down: Option<&'a str>,
}

/// The row of `schema_versions` after the change.
#[derive(Debug, Clone)]
pub struct SchemaVersionRow<'a> {
    /// The newest applied version and its name.
    pub newest: Option<(&'a str, &'a str)>,
    /// How many are applied.
    pub count: usize,
    /// Over the whole applied list.
    pub digest: Checksum,
}

/// How long it took.
#[derive(Debug, Clone, Copy)]
pub enum Elapsed {
    /// So long before the transaction, and since it began by the database's clock: for a record in the same message as the
    /// script.
    Transaction(Duration),
    /// As measured.
    Measured(Duration),
}
