//! The history tables as SQL: how they are made, read and written, in each dialect.
//!
//! Everything is a literal in the text, so that a record can travel in one message with its script; the literals do not
//! depend on any setting that a script may have changed.

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::history_change::{Elapsed, HistoryChange, RecordWrite, SchemaVersionRow};
use migrate_model::checksum::Checksum;
use migrate_model::dialect::Dialect;
use migrate_model::history::{History, Record};
use migrate_model::settings::HistoryTables;
use migrate_model::target::Direction;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

/// Which release wrote a row.
pub const TOOL: &str = concat!("migrate-runtime ", env!("CARGO_PKG_VERSION"));

/// Scripts above this (bytes) are not kept: a MySQL server takes no message above `max_allowed_packet`, 16 MiB by default,
/// and a text may have to be sent as twice as many digits.
pub const MAX_STORED_SCRIPT: usize = 4 << 20;

fn column_of(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up_sql",
        Direction::Down => "down_sql",
    }
}

/// What the columns of our tables are made of.
struct Types {
    text: &'static str,
    /// A text that can be a key.
    key: &'static str,
    time: &'static str,
    /// Behind the columns.
    tail: &'static str,
}

/// The history of one service in one database.
#[derive(Debug, Clone)]
pub struct HistorySql {
    dialect: Dialect,
    service: String,
    tables: HistoryTables,
    host: String,
}

impl HistorySql {
    /// Checks the names and makes a history_sql.
    ///
    /// # Errors
    /// When the database would cut or refuse a name.
    pub fn new(dialect: Dialect, service: &str, tables: &HistoryTables) -> Result<Self, Error> {
        let unusable = |what: &str, name: &str, why: &str| {
            Error::new(ErrorKind::Setting, &codes::BAD_NAME_FOR_HISTORY, format!("the {what} name `{name}` {why}"))
                .help("choose another in `migrate.toml`")
        };
        let schema = tables.schema.iter().map(|name| ("schema", name));
        let names = [&tables.records, &tables.versions, &tables.events, &tables.locks].map(|name| ("table", name));
        for (what, name) in schema.chain(names) {
            let too_long = match dialect {
                Dialect::Postgres => name.len() > 63,
                _ => name.chars().count() > 64,
            };
            if too_long {
                return Err(unusable(what, name, "is too long for the database"));
            }
            if name.contains('\0') {
                return Err(unusable(what, name, "holds a NUL character"));
            }
        }
        if service.chars().count() > 190 || service.contains('\0') {
            return Err(unusable("service", service, "is longer than 190 characters, or holds a NUL character"));
        }
        Ok(HistorySql {
            dialect,
            service: service.to_owned(),
            tables: tables.clone(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
        })
    }

    /// The same history_sql with its schema known, so that no script can make its names mean something else.
    pub fn set_schema(&mut self, schema: String) {
        self.tables.schema = Some(schema);
    }

    /// The schema, if it is known.
    pub fn schema(&self) -> Option<&str> {
        self.tables.schema.as_deref()
    }

    /// Which SQL it is written in.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whose history it is.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The machine that this runs on.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The table of leases.
    pub fn locks(&self) -> String {
        self.table(&self.tables.locks)
    }

    /// The unquoted name of the table of records.
    pub fn records_name(&self) -> &str {
        &self.tables.records
    }

    /// What the lock of this history is called: the tables and the service. The database is added by the backend.
    pub fn lock_name(&self, database: &str) -> Checksum {
        let schema = self.tables.schema.as_deref().unwrap_or_default();
        Checksum::of_pieces(["migrate", database, schema, &self.tables.records, &self.service])
    }

    /// A string literal.
    pub fn text(&self, text: &str) -> String {
        literal(self.dialect, text)
    }

    /// A quoted name.
    pub fn name(&self, name: &str) -> String {
        quoted_name(self.dialect, name)
    }

    fn table(&self, table: &str) -> String {
        match (&self.tables.schema, self.dialect) {
            (Some(schema), _) => format!("{}.{}", self.name(schema), self.name(table)),
            (None, Dialect::Sqlite) => format!("main.{}", self.name(table)),
            (None, _) => self.name(table),
        }
    }

    fn records(&self) -> String {
        self.table(&self.tables.records)
    }

    fn versions(&self) -> String {
        self.table(&self.tables.versions)
    }

    /// The fast check: one row, one column.
    pub fn select_digest(&self) -> String {
        format!("SELECT digest FROM {} WHERE service = {}", self.versions(), self.text(&self.service))
    }

    /// One text that changes whenever this service's history does; what a transaction compares before it writes.
    pub fn select_fingerprint(&self, version: &str) -> String {
        let service = self.text(&self.service);
        format!(
            "SELECT coalesce((SELECT digest FROM {} WHERE service = {service}), '') || '/' || \
             coalesce((SELECT state || statements_done FROM {} WHERE service = {service} AND version = {}), '')",
            self.versions(),
            self.records(),
            self.text(version)
        )
    }

    /// What [`select_token`](Self::select_token) returns if nobody else wrote.
    pub fn fingerprint(digest: Option<&Checksum>, record: Option<&Record>) -> String {
        let digest = digest.map_or(String::new(), Checksum::to_string);
        let progress = record.map(|record| format!("{}{}", record.state, record.statements_done));
        format!("{digest}/{}", progress.unwrap_or_default())
    }

    /// All rows of a service; of this one, if none is named.
    pub fn select_records(&self, service: Option<&str>) -> String {
        let time = |column: &str| match self.dialect {
            Dialect::Postgres => format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"),
            Dialect::MySql => format!("date_format({column}, '%Y-%m-%dT%H:%i:%sZ')"),
            Dialect::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%SZ', {column})"),
        };
        format!(
            "SELECT version, name, checksum, sql_checksum, state, statements, statements_done, {}, {}, execution_ms, applied_by, \
             CASE WHEN down_sql IS NULL THEN 0 ELSE 1 END, \
             CASE WHEN state = 'applied' THEN NULL WHEN state LIKE 'revert%' THEN down_sql ELSE up_sql END \
             FROM {} WHERE service = {}",
            time("started_at"),
            time("applied_at"),
            self.records(),
            self.text(service.unwrap_or(&self.service))
        )
    }

    /// Reads what [`select_records`](Self::select_records) returned.
    ///
    /// # Errors
    /// When a row is not what this tool writes.
    pub fn read_records(&self, rows: &[Vec<Option<String>>]) -> Result<History, Error> {
        let records: Result<Vec<Record>, Error> = rows.iter().map(|row| self.read_record(row)).collect();
        Ok(History::new(records?))
    }

    fn read_record(&self, row: &[Option<String>]) -> Result<Record, Error> {
        let column = |at: usize| row.get(at).and_then(|value| value.as_deref()).unwrap_or_default();
        let strange = |what: &str| {
            Error::new(
                ErrorKind::History,
                &codes::HISTORY,
                format!("`{}` holds a row that this release cannot read: {what} in version `{}`", self.tables.records, column(0)),
            )
            .help("update this tool if a newer release wrote the row")
            .help("or, if the table belongs to something else, choose other names under `[history]` in `migrate.toml`")
        };
        Ok(Record {
            version: column(0).parse().map_err(|_| strange("a version that is none"))?,
            name: column(1).to_owned(),
            checksum: column(2).parse().map_err(|_| strange("a checksum that is none"))?,
            sql_checksum: column(3).parse().map_err(|_| strange("a checksum that is none"))?,
            state: column(4).parse().map_err(|()| strange("an unknown state"))?,
            statements: column(5).parse().map_err(|_| strange("a count that is none"))?,
            statements_done: column(6).parse().map_err(|_| strange("a count that is none"))?,
            started_at: column(7).to_owned(),
            applied_at: row.get(8).cloned().flatten(),
            execution_ms: column(9).parse().ok(),
            applied_by: column(10).to_owned(),
            has_down: column(11) == "1",
            pending_sql: row.get(12).cloned().flatten(),
        })
    }

    /// The stored text of one migration.
    pub fn select_script(&self, version: &str, direction: Direction) -> String {
        let column = column_of(direction);
        let service = self.text(&self.service);
        format!("SELECT {column} FROM {} WHERE service = {service} AND version = {}", self.records(), self.text(version))
    }

    /// The statement that makes the schema.
    pub fn create_schema(&self) -> Option<String> {
        let schema = self.tables.schema.as_ref()?;
        Some(format!("CREATE SCHEMA IF NOT EXISTS {}", self.name(schema)))
    }

    /// Statements that make the tables where they are missing; the table of records comes last, so that its presence stands
    /// for all.
    pub fn create(&self) -> Vec<String> {
        let Types { text, key, time, tail } = self.types();
        let id = match self.dialect {
            Dialect::Postgres => "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
            Dialect::MySql => "bigint AUTO_INCREMENT PRIMARY KEY",
            Dialect::Sqlite => "integer PRIMARY KEY",
        };
        // One tree less to write for each migration.
        let keyed = if self.dialect == Dialect::Sqlite { " WITHOUT ROWID" } else { "" };
        let mut statements = Vec::new();
        statements.push(format!(
            "CREATE TABLE IF NOT EXISTS {} (id {id}, service {key} NOT NULL, version {key}, name {text}, event {text} NOT NULL, \
             happened_at {time} NOT NULL, happened_by {text} NOT NULL, host {text} NOT NULL, tool {text} NOT NULL, execution_ms bigint, \
             detail {text}){tail}",
            self.table(&self.tables.events)
        ));
        statements.push(format!(
            "CREATE TABLE IF NOT EXISTS {} (service {key} NOT NULL PRIMARY KEY, version {key}, applied_at {time} NOT NULL, \
             description {text}, applied_count integer NOT NULL, digest {key} NOT NULL){tail}{keyed}",
            self.versions()
        ));
        statements.push(format!(
            "CREATE TABLE IF NOT EXISTS {} (service {key} NOT NULL, version {key} NOT NULL, name {text} NOT NULL, kind {key} NOT NULL, \
             phase {key}, checksum {key} NOT NULL, sql_checksum {key} NOT NULL, state {key} NOT NULL, statements integer NOT NULL, \
             statements_done integer NOT NULL, started_at {time} NOT NULL, applied_at {time}, execution_ms bigint, \
             applied_by {text} NOT NULL, tool {key} NOT NULL, up_sql {text}, down_sql {text}, PRIMARY KEY (service, version)){tail}{keyed}",
            self.records()
        ));
        statements
    }

    /// The statement that makes the table of leases; only where one is needed.
    pub fn create_locks(&self) -> String {
        let Types { text, key, time, tail } = self.types();
        format!(
            "CREATE TABLE IF NOT EXISTS {} (service {key} NOT NULL PRIMARY KEY, fence bigint NOT NULL, holder {key} NOT NULL, \
             host {text} NOT NULL, process {key} NOT NULL, taken_at {time} NOT NULL, renewed_at {time} NOT NULL, \
             expires_at {time} NOT NULL){tail}",
            self.locks()
        )
    }

    fn types(&self) -> Types {
        match self.dialect {
            Dialect::Postgres => Types { text: "text", key: "text", time: "timestamptz", tail: "" },
            Dialect::MySql => Types {
                text: "longtext",
                key: "varchar(190) COLLATE utf8mb4_bin",
                time: "datetime(6)",
                tail: " ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            },
            Dialect::Sqlite => Types { text: "text", key: "text", time: "text", tail: "" },
        }
    }

    /// A change as statements, each ended by `;` and a line end.
    pub fn write(&self, change: &HistoryChange<'_>) -> String {
        let mut sql = String::new();
        match change {
            HistoryChange::Started(entry, summary) => {
                self.put_entry(&mut sql, entry, None);
                if let Some(summary) = summary {
                    self.put_summary(&mut sql, summary);
                }
            }
            HistoryChange::Checkpoint { version, done } => {
                let set = format!("statements_done = {done}");
                self.update(&mut sql, version, &set);
            }
            HistoryChange::Applied(entry, summary, elapsed) => {
                let elapsed = self.elapsed(*elapsed);
                if entry.begun {
                    let (state, done, now) = (entry.state, entry.done, self.now());
                    let set =
                        format!("state = '{state}', statements_done = {done}, applied_at = {now}, execution_ms = {elapsed}");
                    self.update(&mut sql, entry.version, &set);
                } else {
                    self.put_entry(&mut sql, entry, Some(&elapsed));
                }
                self.put_summary(&mut sql, summary);
                self.put_done(&mut sql, entry, "applied", &elapsed);
            }
            HistoryChange::Reverted(entry, summary, elapsed) => {
                let service = self.text(&self.service);
                let version = self.text(entry.version);
                let _ = writeln!(sql, "DELETE FROM {} WHERE service = {service} AND version = {version};", self.records());
                self.put_summary(&mut sql, summary);
                self.put_done(&mut sql, entry, "reverted", &self.elapsed(*elapsed));
            }
            HistoryChange::Repaired(entry, summary) => {
                let set = format!(
                    "name = {}, phase = {}, checksum = '{}', sql_checksum = '{}', statements = {}, statements_done = {}, up_sql = {}, \
                     down_sql = {}",
                    self.text(entry.name),
                    self.option(entry.phase),
                    entry.checksum,
                    entry.sql_checksum,
                    entry.statements,
                    entry.done,
                    self.script(entry.up),
                    self.script(entry.down),
                );
                self.update(&mut sql, entry.version, &set);
                self.put_summary(&mut sql, summary);
                self.put_event(&mut sql, entry, "repaired", "NULL", None);
            }
            HistoryChange::Resolved { version, state, done, event, detail, text } => {
                let text = text.map(|(direction, text)| format!(", {} = {}", column_of(direction), self.script(Some(text))));
                let text = text.unwrap_or_default();
                self.update(&mut sql, version, &format!("state = '{state}', statements_done = {done}{text}"));
                let _ = writeln!(
                    sql,
                    "INSERT INTO {} (service, version, event, happened_at, happened_by, host, tool, detail) \
             VALUES ({}, {}, '{event}', {}, {}, {}, '{TOOL}', {});",
                    self.table(&self.tables.events),
                    self.text(&self.service),
                    self.text(version),
                    self.now(),
                    self.user(),
                    self.text(&self.host),
                    self.text(&format!("{done} statements count as done{detail}"))
                );
            }
            HistoryChange::Failed { entry, unfinished, message } => {
                if *unfinished {
                    let set = format!("state = {}, statements_done = {}", self.text(entry.state.name()), entry.done);
                    self.update(&mut sql, entry.version, &set);
                }
                let event = match entry.direction {
                    Direction::Up => "failed",
                    Direction::Down => "revert-failed",
                };
                self.put_event(&mut sql, entry, event, "NULL", Some(message));
            }
        }
        sql
    }

    fn update(&self, sql: &mut String, version: &str, set: &str) {
        let service = self.text(&self.service);
        let _ =
            writeln!(sql, "UPDATE {} SET {set} WHERE service = {service} AND version = {};", self.records(), self.text(version));
    }

    /// This moment by the database's clock.
    pub fn now(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "clock_timestamp()",
            Dialect::MySql => "utc_timestamp(6)",
            Dialect::Sqlite => "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
        }
    }

    fn user(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "session_user",
            Dialect::MySql => "current_user()",
            Dialect::Sqlite => "''",
        }
    }

    fn elapsed(&self, elapsed: Elapsed) -> String {
        match elapsed {
            // SQLite has no clock of its own but this machine's.
            Elapsed::Transaction(before) if self.dialect == Dialect::Sqlite => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                let begun = now.saturating_sub(before).as_millis();
                format!("max(0, CAST(round((julianday('now') - 2440587.5) * 86400000.0) AS integer) - {begun})")
            }
            Elapsed::Transaction(before) => {
                format!("{} + round(extract(epoch from clock_timestamp() - now()) * 1000)::bigint", before.as_millis())
            }
            Elapsed::Measured(duration) => duration.as_millis().to_string(),
        }
    }

    /// The text of a script, if it is kept.
    fn script(&self, text: Option<&str>) -> String {
        self.option(text.filter(|text| text.len() <= MAX_STORED_SCRIPT))
    }

    fn option(&self, text: Option<&str>) -> String {
        text.map_or("NULL".to_owned(), |text| self.text(text))
    }

    /// `ON CONFLICT ... DO UPDATE` in the words of each dialect, for the columns of `assignments`.
    fn upsert(&self, key: &str, columns: &[&str]) -> String {
        let (head, new): (String, fn(&str) -> String) = match self.dialect {
            Dialect::MySql => ("ON DUPLICATE KEY UPDATE".to_owned(), |column| format!("VALUES({column})")),
            _ => (format!("ON CONFLICT ({key}) DO UPDATE SET"), |column| format!("excluded.{column}")),
        };
        let assignments: Vec<String> = columns.iter().map(|column| format!("{column} = {}", new(column))).collect();
        format!("{head} {}", assignments.join(", "))
    }

    fn put_entry(&self, sql: &mut String, entry: &RecordWrite<'_>, elapsed: Option<&str>) {
        let columns = "service, version, name, kind, phase, checksum, sql_checksum, state, statements, statements_done, started_at, \
                       applied_at, execution_ms, applied_by, tool, up_sql, down_sql";
        let now = self.now();
        let applied_at = if elapsed.is_some() { now } else { "NULL" };
        let mut changed = vec!["state", "statements", "statements_done"];
        if entry.direction == Direction::Down && entry.down.is_some() {
            changed.push("down_sql");
        }
        if entry.direction == Direction::Up {
            // A revert that is begun must not lose when and what was applied.
            changed.extend([
                "name",
                "phase",
                "checksum",
                "sql_checksum",
                "applied_at",
                "execution_ms",
                "applied_by",
                "tool",
                "up_sql",
                "down_sql",
            ]);
        }
        let _ = writeln!(
            sql,
            "INSERT INTO {} ({columns}) VALUES ({}, {}, {}, 'sql', {}, '{}', '{}', '{}', {}, {}, {now}, {applied_at}, {}, {}, '{TOOL}', {}, {}) {};",
            self.records(),
            self.text(&self.service),
            self.text(entry.version),
            self.text(entry.name),
            self.option(entry.phase),
            entry.checksum,
            entry.sql_checksum,
            entry.state,
            entry.statements,
            entry.done,
            elapsed.unwrap_or("NULL"),
            self.user(),
            self.script(entry.up),
            self.script(entry.down),
            self.upsert("service, version", &changed)
        );
    }

    fn put_summary(&self, sql: &mut String, summary: &SchemaVersionRow<'_>) {
        let digest = if summary.count == 0 { "''".to_owned() } else { format!("'{}'", summary.digest) };
        let _ = writeln!(
            sql,
            "INSERT INTO {} (service, version, applied_at, description, applied_count, digest) VALUES ({}, {}, {}, {}, {}, {digest}) {};",
            self.versions(),
            self.text(&self.service),
            self.option(summary.newest.map(|(version, _)| version)),
            self.now(),
            self.option(summary.newest.map(|(_, name)| name)),
            summary.count,
            self.upsert("service", &["version", "applied_at", "description", "applied_count", "digest"])
        );
    }

    fn put_done(&self, sql: &mut String, entry: &RecordWrite<'_>, event: &str, elapsed: &str) {
        match entry.told {
            true => self.put_event(sql, entry, "resolved", "NULL", Some(&format!("counts as {event}"))),
            false => self.put_event(sql, entry, event, elapsed, None),
        }
    }

    fn put_event(&self, sql: &mut String, entry: &RecordWrite<'_>, event: &str, elapsed: &str, detail: Option<&str>) {
        let _ = writeln!(
            sql,
            "INSERT INTO {} (service, version, name, event, happened_at, happened_by, host, tool, execution_ms, detail) \
             VALUES ({}, {}, {}, '{event}', {}, {}, {}, '{TOOL}', {elapsed}, {});",
            self.table(&self.tables.events),
            self.text(&self.service),
            self.text(entry.version),
            self.text(entry.name),
            self.now(),
            self.user(),
            self.text(&self.host),
            self.option(detail)
        );
    }
}

/// A string literal that means the same whatever a script has set.
fn literal(dialect: Dialect, text: &str) -> String {
    match dialect {
        // An `E` string does not depend on `standard_conforming_strings`.
        Dialect::Postgres => format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''")),
        // Whether a backslash escapes depends on `sql_mode`, so such a text goes in as hexadecimal digits.
        Dialect::MySql if text.contains('\\') || !text.is_ascii() => format!("convert(x'{}' using utf8mb4)", hex(text)),
        Dialect::Sqlite if text.contains('\0') => format!("CAST(x'{}' AS TEXT)", hex(text)),
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

fn hex(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn quoted_name(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::MySql => format!("`{}`", name.replace('`', "``")),
        _ => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history_sql(dialect: Dialect) -> HistorySql {
        let tables = HistoryTables { schema: Some("ops\"`x".into()), ..HistoryTables::default() };
        let mut history_sql = HistorySql::new(dialect, "it's", &tables).unwrap();
        history_sql.host = "host".into();
        history_sql
    }

    #[test]
    fn literals_do_not_depend_on_settings() {
        assert_eq!(literal(Dialect::Postgres, "a'b\\c"), "E'a''b\\\\c'");
        assert_eq!(literal(Dialect::MySql, "a'b"), "'a''b'");
        assert_eq!(literal(Dialect::MySql, "\\'"), "convert(x'5c27' using utf8mb4)");
        assert_eq!(literal(Dialect::Sqlite, "a'b\\c"), "'a''b\\c'");
    }

    #[test]
    fn names_that_would_be_cut_are_refused() {
        let tables = |records: String| HistoryTables { records, ..HistoryTables::default() };
        assert!(HistorySql::new(Dialect::Postgres, "s", &tables("ü".repeat(31))).is_ok());
        assert!(HistorySql::new(Dialect::Postgres, "s", &tables("ü".repeat(32))).is_err());
        assert!(HistorySql::new(Dialect::MySql, "s", &tables("ü".repeat(64))).is_ok());
        assert!(HistorySql::new(Dialect::MySql, "s", &tables("x".repeat(65))).is_err());
        assert!(HistorySql::new(Dialect::Sqlite, &"s".repeat(191), &tables("x".into())).is_err());
        assert!(HistorySql::new(Dialect::Postgres, "a\0b", &tables("x".into())).is_err());
    }

    #[test]
    fn statements_of_each_dialect() {
        let entry = RecordWrite {
            version: "001",
            name: "create",
            phase: Some("expand"),
            checksum: Checksum::from_bytes([1; 32]),
            sql_checksum: Checksum::from_bytes([2; 32]),
            state: migrate_model::history::RecordState::Applied,
            direction: Direction::Up,
            statements: 2,
            done: 2,
            told: false,
            begun: false,
            up: Some("SELECT 'a\\b'"),
            down: None,
        };
        let summary = SchemaVersionRow { newest: Some(("001", "create")), count: 1, digest: Checksum::from_bytes([3; 32]) };
        let mut shown = String::new();
        for dialect in Dialect::ALL {
            let history_sql = history_sql(dialect);
            let _ = writeln!(shown, "-- {dialect}\n{};", history_sql.create().join(";\n"));
            let _ = writeln!(shown, "{};\n{};", history_sql.select_digest(), history_sql.select_records(None));
            let elapsed = match dialect {
                Dialect::Postgres => Elapsed::Transaction(std::time::Duration::from_millis(3)),
                _ => Elapsed::Measured(std::time::Duration::from_millis(7)),
            };
            shown.push_str(&history_sql.write(&HistoryChange::Applied(entry.clone(), summary.clone(), elapsed)));
            shown.push_str(&history_sql.write(&HistoryChange::Checkpoint { version: "001", done: 1 }));
        }
        insta::assert_snapshot!(shown);
    }
}
