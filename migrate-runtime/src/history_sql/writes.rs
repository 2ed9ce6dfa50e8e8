//! The statements that write a change of the history.

use super::{
    HistoryDialect, HistorySql, MARKED_APPLIED, MARKED_NOT_APPLIED, MARKED_NOT_REVERTED, MARKED_REVERTED, NOT_ASKED, NOT_KNOWN,
    OBSERVED, SESSION_CHANGED, SystemNames, TOOL, script_column,
};
use crate::history_change::{
    Catalog, Completion, Elapsed, FailedOutcome, HistoryChange, Observation, RecordWrite, ResolvedBy, Restored, SchemaVersionRow,
    StoredSql,
};
use migrate_model::history::RecordState;
use migrate_model::plural::{count_of, is_are};
use migrate_model::target::Direction;
use std::fmt::Write as _;

impl HistorySql {
    /// A change as statements, each terminated by `;` and a line end.
    pub fn write(&self, change: &HistoryChange<'_>) -> String {
        let mut sql = String::new();
        match change {
            HistoryChange::Started { record, observation } => {
                self.upsert_record(&mut sql, record, None);
                self.insert_observation(&mut sql, record.version, observation.as_ref());
            }
            HistoryChange::RevertStarted { version, statements, done, down, summary, observation } => {
                let set = format!("state = 'reverting', statements = {statements}, statements_done = {done}");
                let down = self.assignment(Direction::Down, *down);
                self.update(&mut sql, version, &format!("{set}{down}"));
                self.upsert_summary(&mut sql, summary);
                self.insert_observation(&mut sql, version, observation.as_ref());
            }
            HistoryChange::Checkpoint { version, done, observation } => {
                self.update(&mut sql, version, &format!("statements_done = {done}"));
                self.insert_session_changes(&mut sql, version);
                self.insert_observation(&mut sql, version, observation.as_ref());
            }
            HistoryChange::Observed { version, observation } => self.insert_observation(&mut sql, version, Some(observation)),
            HistoryChange::Applied { record, summary, completion } => {
                self.upsert_record(&mut sql, record, Some(&self.execution_ms(*completion)));
                self.upsert_summary(&mut sql, summary);
                self.insert_completed(&mut sql, record.version, record.name, Direction::Up, *completion);
            }
            HistoryChange::Finished { version, name, statements, summary, elapsed } => {
                let (set, returning) = (self.applied_columns(*statements, *elapsed), self.dialect.returning_time);
                self.update_returning(&mut sql, version, &set, returning);
                self.upsert_summary(&mut sql, summary);
                self.insert_completed(&mut sql, version, name, Direction::Up, Completion::Executed(*elapsed));
            }
            HistoryChange::Reverted { version, name, summary, completion } => {
                self.delete(&mut sql, version);
                self.upsert_summary(&mut sql, summary);
                self.insert_completed(&mut sql, version, name, Direction::Down, *completion);
            }
            HistoryChange::Repaired { record, summary } => {
                self.update(&mut sql, record.version, &self.repaired_columns(record));
                self.upsert_summary(&mut sql, summary);
                self.insert_event(&mut sql, Event::new(record.version, "repaired").named(record.name));
            }
            HistoryChange::Resolved { version, state, done, by, script } => {
                let script = script.map(|(direction, text)| self.assignment(direction, StoredSql::of(text)));
                let set = format!("state = '{state}', statements_done = {done}{}", script.unwrap_or_default());
                self.update(&mut sql, version, &set);
                let (event, detail) = resolved_event(*by, *done);
                self.insert_event(&mut sql, Event::new(version, event).detail(&detail));
            }
            HistoryChange::Summarized { summary } => self.upsert_summary(&mut sql, summary),
            HistoryChange::RecordsAccepted { summary, lost } => self.accept_records(&mut sql, summary, lost),
            HistoryChange::GivenUp { version, restored, by } => self.give_up(&mut sql, version, restored, *by),
            HistoryChange::Failed { version, name, direction, outcome, message } => {
                let event = self.fail(&mut sql, version, *direction, outcome).name();
                self.insert_event(&mut sql, Event::new(version, event).named(name).detail(message));
            }
        }
        sql + if begins_or_ends(change) { self.dialect.forget_generated } else { "" }
    }

    fn applied_columns(&self, statements: usize, elapsed: Elapsed) -> String {
        let (now, ms) = (self.dialect.now, self.milliseconds(elapsed));
        format!("state = 'applied', statements_done = {statements}, applied_at = {now}, execution_ms = {ms}")
    }

    fn delete(&self, sql: &mut String, version: &str) {
        let _ = writeln!(sql, "DELETE FROM {} WHERE {};", self.records(), self.is_version(version));
    }

    fn accept_records(&self, sql: &mut String, summary: &SchemaVersionRow<'_>, lost: &[String]) {
        self.upsert_summary(sql, summary);
        for version in lost {
            self.insert_event(sql, Event::new(version, "resolved").detail(MARKED_NOT_APPLIED));
        }
    }

    /// Adds to the log of events what a unit has changed in its session, if it has changed something.
    fn insert_session_changes(&self, sql: &mut String, version: &str) {
        let Some(names) = self.dialect.session_changes else { return };
        let source = format!("FROM (SELECT {names} AS detail) AS c");
        self.insert_event_unless(sql, version, SESSION_CHANGED, "c.detail", &source, "");
    }

    /// Adds to the log of events what the catalog shows before a statement, if that could be mistaken for its effects.
    fn insert_observation(&self, sql: &mut String, version: &str, observation: Option<&Observation>) {
        let Some(Observation { done, catalog, unaffected }) = observation else { return };
        let (range, digits) = match catalog {
            Catalog::Digits(digits) => (done.to_string(), (self.dialect.joined)(digits)),
            Catalog::NotAsked => (done.to_string(), format!("'{NOT_ASKED}'")),
            Catalog::Unknown => (done.to_string(), format!("'{NOT_KNOWN}'")),
            Catalog::UnknownUntil(until) => (format!("{done}-{until}"), format!("'{NOT_KNOWN}'")),
        };
        let detail = (self.dialect.joined)(&[format!("'{range}:'"), digits]);
        // Without an unusual answer, the catalog is asked once. On MariaDB, a derived table costs more than that.
        self.insert_event_unless(sql, version, OBSERVED, &detail, self.dialect.from_nothing, &format!("{done}:{unaffected}"));
        if matches!(catalog, Catalog::Digits(_)) {
            sql.push_str(self.dialect.after_question);
        }
    }

    /// An event whose detail is an expression over a source, unless it is empty or this text.
    fn insert_event_unless(&self, sql: &mut String, version: &str, event: &str, detail: &str, source: &str, usual: &str) {
        let HistoryDialect { now, user, names: SystemNames { unequal, .. }, .. } = self.dialect;
        let _ = writeln!(
            sql,
            "INSERT INTO {} (service, version, event, happened_at, happened_by, host, tool, detail) \
             SELECT {}, {}, '{event}', {now}, {user}, {}, '{TOOL}', {detail} {source} \
             WHERE coalesce({detail}, '') {unequal} '{usual}';",
            self.table(&self.tables.events),
            self.text(&self.service),
            self.text(version),
            self.text(self.host)
        );
    }

    /// Updates the record of a migration that failed. Returns the state for the event.
    fn fail(&self, sql: &mut String, version: &str, direction: Direction, outcome: &FailedOutcome<'_>) -> RecordState {
        let (state, unclear) = match direction {
            Direction::Up => (RecordState::Failed, RecordState::Unclear),
            Direction::Down => (RecordState::RevertFailed, RecordState::RevertUnclear),
        };
        let progress = |state, done: &usize| format!("state = '{state}', statements_done = {done}");
        match outcome {
            FailedOutcome::RolledBack => {}
            FailedOutcome::NothingRemains(restored) => self.restore(sql, version, restored),
            FailedOutcome::Stopped { done } => self.update(sql, version, &progress(state, done)),
            FailedOutcome::Unclear { done } => self.update(sql, version, &progress(unclear, done)),
        }
        state
    }

    fn give_up(&self, sql: &mut String, version: &str, restored: &Restored<'_>, by: ResolvedBy<'_>) {
        self.restore(sql, version, restored);
        let (event, detail) = given_up_event(by, restored);
        self.insert_event(sql, Event::new(version, event).detail(&detail));
    }

    /// Makes the record what it was before the migration, or its revert, started.
    fn restore(&self, sql: &mut String, version: &str, restored: &Restored<'_>) {
        match restored {
            Restored::NotApplied => self.delete(sql, version),
            Restored::Applied { statements, summary } => {
                let set = format!("state = 'applied', statements = {statements}, statements_done = {statements}");
                self.update(sql, version, &set);
                self.upsert_summary(sql, summary);
            }
        }
    }

    fn update(&self, sql: &mut String, version: &str, set: &str) {
        self.update_returning(sql, version, set, "");
    }

    fn update_returning(&self, sql: &mut String, version: &str, set: &str, returning: &str) {
        let _ = writeln!(sql, "UPDATE {} SET {set} WHERE {}{returning};", self.records(), self.is_version(version));
    }

    /// A further assignment of an UPDATE; nothing where what is stored stays.
    pub(super) fn assignment(&self, direction: Direction, script: StoredSql<'_>) -> String {
        let column = script_column(direction);
        match script {
            StoredSql::Keep => String::new(),
            StoredSql::Set(text) => format!(", {column} = {}", self.text(text)),
            StoredSql::Clear => format!(", {column} = NULL"),
        }
    }

    fn repaired_columns(&self, record: &RecordWrite<'_>) -> String {
        format!(
            "name = {}, phase = {}, checksum = '{}', sql_checksum = '{}', statements = {}, statements_done = {}{}{}",
            self.text(record.name),
            self.option(record.phase),
            record.checksum,
            record.sql_checksum,
            record.statements,
            record.done,
            self.assignment(Direction::Up, record.up),
            self.assignment(Direction::Down, record.down)
        )
    }

    fn milliseconds(&self, elapsed: Elapsed) -> String {
        match elapsed {
            Elapsed::Transaction(before) => (self.dialect.since_transaction)(before),
            Elapsed::Measured(duration) => duration.as_millis().to_string(),
        }
    }

    fn execution_ms(&self, completion: Completion) -> String {
        match completion {
            Completion::Executed(elapsed) => self.milliseconds(elapsed),
            Completion::Declared => "0".to_owned(),
        }
    }

    fn option(&self, text: Option<&str>) -> String {
        text.map_or("NULL".to_owned(), |text| self.text(text))
    }

    /// Writes a record; as applied if it is given how long that took.
    fn upsert_record(&self, sql: &mut String, record: &RecordWrite<'_>, execution_ms: Option<&str>) {
        let columns = "service, version, name, kind, phase, checksum, sql_checksum, state, statements, statements_done, started_at, \
                       applied_at, execution_ms, applied_by, tool, up_sql, down_sql";
        let now = self.dialect.now;
        let applied_at = if execution_ms.is_some() { now } else { "NULL" };
        let mut changed = vec!["state", "statements", "statements_done", "name", "phase", "checksum", "sql_checksum"];
        changed.extend(["applied_at", "execution_ms", "applied_by", "tool"]);
        for (direction, script) in [(Direction::Up, record.up), (Direction::Down, record.down)] {
            if script != StoredSql::Keep {
                changed.push(script_column(direction));
            }
        }
        let script = |script: StoredSql<'_>| match script {
            StoredSql::Set(text) => self.text(text),
            StoredSql::Keep | StoredSql::Clear => "NULL".to_owned(),
        };
        let _ = writeln!(
            sql,
            "INSERT INTO {} ({columns}) VALUES ({}, {}, {}, 'sql', {}, '{}', '{}', '{}', {}, {}, {now}, {applied_at}, {}, {}, '{TOOL}', {}, {}) {}{};",
            self.records(),
            self.text(&self.service),
            self.text(record.version),
            self.text(record.name),
            self.option(record.phase),
            record.checksum,
            record.sql_checksum,
            record.state,
            record.statements,
            record.done,
            execution_ms.unwrap_or("NULL"),
            self.dialect.user,
            script(record.up),
            script(record.down),
            (self.dialect.upsert)("service, version", &changed),
            if execution_ms.is_some() { self.dialect.returning_time } else { "" }
        );
    }

    fn upsert_summary(&self, sql: &mut String, summary: &SchemaVersionRow<'_>) {
        let digest = if summary.count == 0 { "''".to_owned() } else { format!("'{}'", summary.digest) };
        let _ = writeln!(
            sql,
            "INSERT INTO {} (service, version, applied_at, description, applied_count, digest) VALUES ({}, {}, {}, {}, {}, {digest}) {};",
            self.versions(),
            self.text(&self.service),
            self.option(summary.latest.as_ref().map(|(version, _)| &**version)),
            self.dialect.now,
            self.option(summary.latest.as_ref().map(|(_, name)| &**name)),
            summary.count,
            (self.dialect.upsert)("service", &["version", "applied_at", "description", "applied_count", "digest"])
        );
    }

    fn insert_completed(&self, sql: &mut String, version: &str, name: &str, direction: Direction, completion: Completion) {
        let event = match direction {
            Direction::Up => "applied",
            Direction::Down => "reverted",
        };
        match completion {
            Completion::Executed(elapsed) => {
                let ms = self.milliseconds(elapsed);
                self.insert_event(sql, Event { execution_ms: Some(&ms), ..Event::new(version, event).named(name) });
            }
            Completion::Declared => {
                let detail = match direction {
                    Direction::Up => MARKED_APPLIED,
                    Direction::Down => MARKED_REVERTED,
                };
                self.insert_event(sql, Event::new(version, "resolved").named(name).detail(detail));
            }
        }
    }

    fn insert_event(&self, sql: &mut String, event: Event<'_>) {
        let _ = writeln!(
            sql,
            "INSERT INTO {} (service, version, name, event, happened_at, happened_by, host, tool, execution_ms, detail) \
             VALUES ({}, {}, {}, '{}', {}, {}, {}, '{TOOL}', {}, {});",
            self.table(&self.tables.events),
            self.text(&self.service),
            self.text(event.version),
            self.option(event.name),
            event.event,
            self.dialect.now,
            self.dialect.user,
            self.text(self.host),
            event.execution_ms.unwrap_or("NULL"),
            self.option(event.detail)
        );
    }
}

/// Is a change written before the first statement of a script, or after its last one? In between, a number that the script has
/// generated stays.
fn begins_or_ends(change: &HistoryChange<'_>) -> bool {
    match change {
        HistoryChange::Started { record, .. } => record.done == 0,
        HistoryChange::RevertStarted { done, .. } => *done == 0,
        HistoryChange::Applied { .. } | HistoryChange::Finished { .. } | HistoryChange::Reverted { .. } => true,
        _ => false,
    }
}

/// A row of `migration_events`.
struct Event<'a> {
    version: &'a str,
    name: Option<&'a str>,
    event: &'a str,
    /// An expression for milliseconds.
    execution_ms: Option<&'a str>,
    detail: Option<&'a str>,
}

impl<'a> Event<'a> {
    fn new(version: &'a str, event: &'a str) -> Self {
        Event { version, name: None, event, execution_ms: None, detail: None }
    }

    fn named(self, name: &'a str) -> Self {
        Event { name: Some(name), ..self }
    }

    fn detail(self, detail: &'a str) -> Self {
        Event { detail: Some(detail), ..self }
    }
}

/// The name of the event, and its details.
fn resolved_event(by: ResolvedBy<'_>, done: usize) -> (&'static str, String) {
    match by {
        ResolvedBy::Operator => ("resolved", done_statements(done)),
        ResolvedBy::Catalogue(evidence) => ("recovered", format!("{}: {evidence}", done_statements(done))),
    }
}

/// The name of the event about a migration of which nothing is left, and its details.
fn given_up_event(by: ResolvedBy<'_>, restored: &Restored<'_>) -> (&'static str, String) {
    match (by, restored) {
        (ResolvedBy::Operator, Restored::NotApplied) => ("resolved", MARKED_NOT_APPLIED.to_owned()),
        (ResolvedBy::Operator, Restored::Applied { .. }) => ("resolved", MARKED_NOT_REVERTED.to_owned()),
        (ResolvedBy::Catalogue(_), _) => resolved_event(by, 0),
    }
}

/// The detail of an event: how much of a migration is done.
fn done_statements(done: usize) -> String {
    format!("{} {} done", count_of(done, "statement"), is_are(done))
}
