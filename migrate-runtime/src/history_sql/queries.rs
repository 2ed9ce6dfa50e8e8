//! The queries of the history, and how their rows are read.

use super::{
    HistorySql, MARKED_APPLIED, MARKED_NOT_APPLIED, MARKED_NOT_REVERTED, MARKED_REVERTED, OBSERVED, SESSION_CHANGED, SystemNames,
    script_column,
};
use crate::codes;
use crate::error::{Error, ErrorKind};
use migrate_model::checksum::Checksum;
use migrate_model::history::{History, Record, RecordState, RecordedRun};
use migrate_model::target::Direction;

impl HistorySql {
    /// The fast check: one row with the digest, and the number and the sum of the checksums of the records that it is about. A
    /// digest without its records, or with other ones, must not count.
    pub fn select_tally(&self) -> String {
        let text = self.dialect.as_text;
        let SystemNames { equal, unequal, function, .. } = self.dialect.names;
        format!(
            "SELECT {}, {}, {}, {} FROM {} v CROSS JOIN (SELECT \
             {function}count(CASE WHEN state {equal} 'applied' THEN 1 END) AS applied, \
             coalesce({function}sum(CASE WHEN state {equal} 'applied' THEN {} END), 0) AS checksums, \
             {function}count(CASE WHEN state {unequal} 'applied' THEN 1 END) AS remaining FROM {} WHERE {}{}) r WHERE v.{}{}{}",
            (self.dialect.digest)("v.digest"),
            text("r.applied"),
            text("r.checksums"),
            text("r.remaining"),
            self.versions(),
            (self.dialect.leading_digits)("checksum"),
            self.records(),
            self.is_service(),
            self.in_place(""),
            self.is_service(),
            self.in_place("v."),
            self.in_new_session()
        )
    }

    /// How many migrations are applied by the summary.
    pub fn select_count(&self) -> String {
        let count = (self.dialect.count)("applied_count");
        format!("SELECT {count} FROM {} WHERE {}", self.versions(), self.is_service())
    }

    /// [`select_counts`](Self::select_counts), and as a fourth column, the number of rows of [`select_lost`](Self::select_lost). It
    /// also fails if the table of events does not exist or may not be read.
    pub fn select_counts_and_lost(&self) -> String {
        let count = format!("(SELECT {}count(*) FROM ({}) l)", self.dialect.names.function, self.select_lost(true));
        self.counts(&format!(", {}", (self.dialect.as_text)(&count)))
    }

    /// How many migrations are applied by the summary, and by the records: of one moment. The third column is `0` if the
    /// table of events does not exist. The query fails if one of the other tables does not.
    pub fn select_counts(&self) -> String {
        self.counts("")
    }

    fn counts(&self, more_columns: &str) -> String {
        let (text, is_service, in_place) = (self.dialect.as_text, self.is_service(), self.in_place(""));
        let SystemNames { equal, function, .. } = self.dialect.names;
        let records = self.records();
        let records =
            format!("(SELECT {function}count(*) FROM {records} WHERE {is_service}{in_place} AND state {equal} 'applied')");
        let (counted, records) = ((self.dialect.count)("applied_count"), text(&records));
        let has_events = (self.dialect.has_table)(self, &self.tables.events);
        format!("SELECT {counted}, {records}, {has_events}{more_columns} FROM {} WHERE {is_service}{in_place}", self.versions())
    }

    /// One row, with `1` for each table that the first run creates if it exists.
    pub fn select_existence(&self) -> String {
        let exist: Vec<String> = self.table_names().iter().map(|name| (self.dialect.has_table)(self, name)).collect();
        format!("SELECT {}", exist.join(", "))
    }

    /// The versions that are applied by the log of events and have no record, oldest first. The last event that settles a version
    /// decides. Without a table of records, those that are applied by the events.
    pub fn select_lost(&self, has_records: bool) -> String {
        let SystemNames { equal, function, .. } = self.dialect.names;
        let (events, is_service, in_place) = (self.table(&self.tables.events), self.is_service(), self.in_place(""));
        let any = |column: &str, values: &[&str]| {
            let values: Vec<String> = values.iter().map(|value| format!("{column} {equal} '{value}'")).collect();
            format!("({})", values.join(" OR "))
        };
        let (up, down) = ([MARKED_APPLIED, MARKED_NOT_REVERTED], [MARKED_REVERTED, MARKED_NOT_APPLIED]);
        let settles = any("event", &["applied", "reverted"]);
        let declares = any("detail", &[up, down].concat());
        let is_applied = format!("({} OR {})", any("e.event", &["applied"]), any("e.detail", &up));
        let has_no_record = if has_records {
            format!(
                " AND NOT EXISTS (SELECT 1 FROM {} r WHERE r.{is_service}{} AND r.version {equal} e.version)",
                self.records(),
                self.in_place("r.")
            )
        } else {
            String::new()
        };
        format!(
            "SELECT e.version FROM {events} e JOIN (SELECT {function}max(id) AS id FROM {events} \
             WHERE {is_service}{in_place} AND version IS NOT NULL AND ({settles} OR ({} AND {declares})) GROUP BY version) s \
             ON s.id {equal} e.id WHERE {is_applied}{}{has_no_record} ORDER BY e.id",
            any("event", &["resolved"]),
            self.in_place("e.")
        )
    }

    /// The summary that is stored: the digest, the number of applied migrations, and the latest version.
    pub fn select_summary(&self) -> String {
        let (digest, count) = ((self.dialect.digest)("digest"), (self.dialect.count)("applied_count"));
        format!("SELECT {digest}, {count}, version FROM {} WHERE {}", self.versions(), self.is_service())
    }

    /// One text that changes whenever this service's history does; what a transaction compares before it writes.
    pub fn select_fingerprint(&self, version: &str) -> String {
        let concat = self.dialect.names.concat;
        format!(
            "SELECT coalesce((SELECT {} FROM {} WHERE {}), '') {concat} '/' {concat} \
             coalesce((SELECT state {concat} statements_done FROM {} WHERE {}), '')",
            (self.dialect.digest)("digest"),
            self.versions(),
            self.is_service(),
            self.records(),
            self.is_version(version)
        )
    }

    /// What [`select_fingerprint`](Self::select_fingerprint) returns if no other process wrote.
    pub fn fingerprint(digest: Option<&Checksum>, record: Option<&Record>) -> String {
        let digest = digest.map_or(String::new(), Checksum::to_string);
        let progress = record.map(|record| format!("{}{}", record.state, record.statements_done));
        format!("{digest}/{}", progress.unwrap_or_default())
    }

    /// All rows of a service; of this one, if none is named.
    pub fn select_records(&self, service: Option<&str>) -> String {
        let (time, equal) = (self.dialect.as_rfc3339, self.dialect.names.equal);
        let reverts: Vec<String> = RecordState::REVERTS.iter().map(|state| format!("state {equal} '{state}'")).collect();
        format!(
            "SELECT version, name, checksum, sql_checksum, state, statements, statements_done, {}, {}, execution_ms, applied_by, \
             CASE WHEN down_sql IS NULL THEN 0 ELSE 1 END, \
             CASE WHEN state {equal} 'applied' THEN NULL WHEN {} THEN down_sql ELSE up_sql END \
             FROM {} WHERE service {equal} {}{}",
            time("started_at"),
            time("applied_at"),
            reverts.join(" OR "),
            self.records(),
            self.text(service.unwrap_or(&self.service)),
            self.in_place("")
        )
    }

    /// The migrations of other services that may require others: service, version and script.
    pub fn select_dependents(&self) -> String {
        format!(
            "SELECT service, version, up_sql FROM {} WHERE service {} {}{} AND {}",
            self.records(),
            self.dialect.names.unequal,
            self.text(&self.service),
            self.in_place(""),
            (self.dialect.names_requirements)("up_sql")
        )
    }

    /// Reads what [`select_records`](Self::select_records) returned.
    ///
    /// # Errors
    /// When a row is not what this tool writes.
    pub fn read_records(&self, rows: &[Vec<Option<String>>]) -> Result<History, Error> {
        let rows: Result<Vec<(Record, RecordedRun)>, Error> = rows.iter().map(|row| self.read_record(row)).collect();
        Ok(History::of_rows(rows?))
    }

    fn read_record(&self, row: &[Option<String>]) -> Result<(Record, RecordedRun), Error> {
        let column = |at: usize| row.get(at).and_then(|value| value.as_deref()).unwrap_or_default();
        let invalid = |what: &str| {
            let message = format!("`{}` contains a row with an invalid {what}: version `{}`", self.tables.records, column(0));
            Error::new(ErrorKind::History, &codes::HISTORY, message)
                .help("if a newer version of cargo-migrate or migrate-runtime wrote the row, update to that version")
                .help("or, if another program changed the row, restore it")
        };
        let mut record = Record::applied(
            column(0).parse().map_err(|_| invalid("version"))?,
            column(1).to_owned(),
            column(2).parse().map_err(|_| invalid("checksum"))?,
            column(3).parse().map_err(|_| invalid("checksum"))?,
            column(5).parse().map_err(|_| invalid("number of statements"))?,
        );
        record.state = column(4).parse().map_err(|()| invalid("state"))?;
        record.statements_done = column(6).parse().map_err(|_| invalid("number of statements"))?;
        record.has_down = column(11) == "1";
        record.pending_sql = row.get(12).cloned().flatten();
        let (started_at, applied_at) = (column(7).to_owned(), row.get(8).cloned().flatten());
        // NULL until it is applied.
        let execution_ms = column(9).parse().ok();
        Ok((record, RecordedRun::new(started_at, applied_at, execution_ms, column(10).to_owned())))
    }

    /// What statements that are done have changed in their sessions without showing it: the version and the names. What was
    /// decided since does not count. `None` where statements cannot do that.
    pub fn select_session_changes(&self) -> Option<String> {
        self.dialect.session_changes?;
        let SystemNames { equal, less, .. } = self.dialect.names;
        let (events, is_service) = (self.table(&self.tables.events), self.is_service());
        let settles = ["applied", "reverted", "resolved"].map(|event| format!("s.event {equal} '{event}'")).join(" OR ");
        Some(format!(
            "SELECT e.version, e.detail FROM {events} e WHERE e.{is_service}{} AND e.event {equal} '{SESSION_CHANGED}' \
             AND NOT EXISTS (SELECT 1 FROM {events} s WHERE s.{is_service} AND s.version {equal} e.version \
             AND e.id {less} s.id AND ({settles})) ORDER BY e.id",
            self.in_place("e.")
        ))
    }

    /// What the catalog showed before the next statement of a migration that was interrupted: the detail of its event. What was
    /// recorded since, other than by the same run, ends its effect.
    pub fn select_observation(&self, version: &str) -> String {
        let SystemNames { equal, unequal, less, .. } = self.dialect.names;
        let (events, is_service) = (self.table(&self.tables.events), self.is_service());
        let version = self.text(version);
        format!(
            "SELECT e.detail FROM {events} e WHERE e.{is_service}{} AND e.version {equal} {version} AND e.event {equal} '{OBSERVED}' \
             AND NOT EXISTS (SELECT 1 FROM {events} s WHERE s.{is_service} AND s.version {equal} {version} \
             AND e.id {less} s.id AND s.event {unequal} '{SESSION_CHANGED}') ORDER BY e.id DESC LIMIT 1",
            self.in_place("e.")
        )
    }

    /// The stored text of one migration.
    pub fn select_script(&self, version: &str, direction: Direction) -> String {
        let column = script_column(direction);
        format!("SELECT {column} FROM {} WHERE {}", self.records(), self.is_version(version))
    }
}
