//! The SQL of the history tables: how they are created, read and written.
//!
//! Everything is a literal in the text, so that a record can travel in one message with its script; the literals do not
//! depend on any setting that a script may have changed. What differs between databases is a [`HistoryDialect`], one value in
//! the folder of each backend.

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::history_change::{
    Completion, Elapsed, FailedOutcome, HistoryChange, RecordWrite, ResolvedBy, Restored, SchemaVersionRow, StoredSql,
};
use crate::trust::{Purpose, TableName, TrustSql};
use migrate_model::checksum::Checksum;
use migrate_model::history::{History, Record, RecordState, RecordedRun};
use migrate_model::plural::{count_of, is_are};
use migrate_model::run_settings::HistoryTables;
use migrate_model::target::Direction;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

/// Which version of this crate wrote a row.
pub const TOOL: &str = concat!("migrate-runtime ", env!("CARGO_PKG_VERSION"));

/// The operators and functions of the SQL of the history. On PostgreSQL, an unqualified one may be that of another user: one who
/// may create objects in a schema of `search_path` can define an operator that fits the types better than that of the system,
/// and it would run with the rights of the migration (CVE-2018-1058).
#[derive(Debug)]
pub struct SystemNames {
    /// Equality.
    pub equal: &'static str,
    /// Inequality.
    pub unequal: &'static str,
    /// Less than.
    pub less: &'static str,
    /// Addition.
    pub plus: &'static str,
    /// Concatenation of texts.
    pub concat: &'static str,
    /// Precedes the name of a function.
    pub function: &'static str,
}

impl SystemNames {
    /// For a database on which no user can define another meaning.
    pub const PLAIN: SystemNames = SystemNames { equal: "=", unequal: "<>", less: "<", plus: "+", concat: "||", function: "" };
}

impl HistoryDialect {
    /// Literals for a list in SQL.
    pub fn literals(&self, texts: &[&str]) -> String {
        texts.iter().map(|text| (self.literal)(text)).collect::<Vec<_>>().join(", ")
    }
}

/// What differs between databases in the SQL of the history.
#[derive(Debug)]
pub struct HistoryDialect {
    /// What the statements of a unit have changed in the session without showing it, as an expression; `None` where they cannot.
    pub session_changes: Option<&'static str>,
    /// The type of a text column.
    pub text_type: &'static str,
    /// The type of a text column that can be a key.
    pub key_type: &'static str,
    /// The type of a column with a moment.
    pub time_type: &'static str,
    /// The type of a column that numbers its rows.
    pub id_type: &'static str,
    /// Follows the columns of every table.
    pub table_options: &'static str,
    /// Follows the columns and options of a table that has a primary key of its own.
    pub keyed_options: &'static str,
    /// Qualifies a table where no schema is known.
    pub default_schema: Option<&'static str>,
    /// This moment by the database's clock.
    pub now: &'static str,
    /// The user of the session.
    pub user: &'static str,
    /// Whether the database would keep a name of this length.
    pub fits_name: fn(&str) -> bool,
    /// A string literal that means the same whatever a script has set.
    pub literal: fn(&str) -> String,
    /// A quoted name.
    pub quote: fn(&str) -> String,
    /// Operators and functions.
    pub names: SystemNames,
    /// A column with a moment as RFC 3339 in UTC.
    pub as_rfc3339: fn(&str) -> String,
    /// Milliseconds: this long before the transaction, and since the transaction began.
    pub since_transaction: fn(Duration) -> String,
    /// The clause that updates these columns where a row with the key exists.
    pub upsert: fn(key: &str, columns: &[&str]) -> String,
    /// An `INSERT INTO ...` (given without its first word) that does nothing where the row exists.
    pub insert_if_absent: fn(&str) -> String,
    /// An expression as text.
    pub as_text: fn(&str) -> String,
    /// Whole seconds between two moments, as text.
    pub seconds_between: fn(from: &str, to: &str) -> String,
    /// A moment that is later by so much.
    pub later: fn(moment: &str, by: Duration) -> String,
    /// Statements before a query of these tables: a row that the server hides is an error, and not a row that does not exist; and
    /// nothing takes the place of a table between the check and the query.
    pub before_reading: fn(tables: &[String]) -> String,
    /// The check that the tables are ordinary ones of a trusted user.
    pub trust: TrustSql,
    /// Whether `FOR UPDATE SKIP LOCKED` can be used in a sub-query of an update of the same table.
    pub skips_locked: bool,
    /// A column with binary data as hexadecimal digits.
    pub as_hex: fn(&str) -> String,
    /// A column with a digest, or another text if the database could keep one there that cannot be read: the digest is computed again.
    pub digest: fn(&str) -> String,
    /// A column with a count as text, which is empty if the database could keep something else there.
    pub count: fn(&str) -> String,
    /// The first 8 hexadecimal digits of a column as an integer.
    pub leading_digits: fn(&str) -> String,
    /// ` AND ...`: the table with this alias is in the first schema that the connection finds. Empty where a connection finds only
    /// one.
    pub in_place: fn(&HistorySql, alias: &str) -> String,
    /// An expression that is the text `1` if a table of the history exists, and `0` otherwise. It needs no privilege to read the
    /// table.
    pub has_table: fn(&HistorySql, table: &str) -> String,
    /// A query for the tables of the database: schema, table, columns (`name:type`, one on each line), the schema of the history,
    /// and `1` if this user can read the table. It may leave out tables with more columns, unless they have a name or a column of
    /// this tool.
    pub table_list: fn(&HistorySql, most_columns: usize) -> String,
}

/// A table of the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryTable {
    /// The records.
    Records,
    /// The summary of each service.
    Versions,
    /// The change log.
    Events,
    /// The leases.
    Locks,
}

/// The history of one service in one database.
#[derive(Debug, Clone)]
pub struct HistorySql {
    dialect: &'static HistoryDialect,
    service: String,
    tables: HistoryTables,
    host: &'static str,
    purpose: Purpose,
    stated_schema: Option<String>,
}

/// The name of this machine; asked for once.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| gethostname::gethostname().to_string_lossy().into_owned())
}

fn script_column(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up_sql",
        Direction::Down => "down_sql",
    }
}

impl HistorySql {
    /// The SQL for a service and its tables.
    ///
    /// # Errors
    /// When the database would truncate or reject a name.
    pub fn new(dialect: &'static HistoryDialect, service: &str, tables: &HistoryTables) -> Result<Self, Error> {
        let unusable = |what: &str, name: &str, why: &str| {
            Error::new(ErrorKind::Setting, &codes::BAD_NAME_FOR_HISTORY, format!("the {what} name `{name}` {why}"))
                .help("choose another name in `migrate.toml`")
        };
        let schema = tables.schema.iter().map(|name| ("schema", name));
        let names = [&tables.records, &tables.versions, &tables.events, &tables.locks].map(|name| ("table", name));
        for (what, name) in schema.chain(names) {
            if !(dialect.fits_name)(name) {
                return Err(unusable(what, name, "is too long for the database"));
            }
            if name.contains('\0') {
                return Err(unusable(what, name, "contains a NUL character"));
            }
        }
        if service.chars().count() > 190 || service.contains('\0') {
            return Err(unusable("service", service, "is longer than 190 characters, or contains a NUL character"));
        }
        if service.trim() != service {
            return Err(unusable("service", service, "begins or ends with white space, which MySQL ignores in comparisons"));
        }
        Ok(HistorySql {
            dialect,
            service: service.to_owned(),
            tables: tables.clone(),
            host: host(),
            purpose: Purpose::Reading,
            stated_schema: tables.schema.clone(),
        })
    }

    /// From now on, a query fails unless the tables can be trusted also for writing.
    pub fn set_purpose(&mut self, purpose: Purpose) {
        self.purpose = purpose;
    }

    /// What the tables are used for.
    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    /// Fixes the schema, so that no script can change what the table names refer to.
    pub fn set_schema(&mut self, schema: String) {
        self.tables.schema = Some(schema);
    }

    /// The schema, if it is known.
    pub fn schema(&self) -> Option<&str> {
        self.tables.schema.as_deref()
    }

    /// The schema, if the settings state it, so that no other user has chosen it.
    pub fn stated_schema(&self) -> Option<&str> {
        self.stated_schema.as_deref()
    }

    /// What differs between databases.
    pub fn dialect(&self) -> &'static HistoryDialect {
        self.dialect
    }

    /// Whose history it is.
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The machine that this runs on.
    pub fn host(&self) -> &str {
        self.host
    }

    /// The lease table, qualified and quoted.
    pub fn locks(&self) -> String {
        self.table(&self.tables.locks)
    }

    /// All tables that the history can have.
    pub fn all_tables(&self) -> [TableName<'_>; 4] {
        use HistoryTable::{Events, Locks, Records, Versions};
        [Records, Versions, Events, Locks].map(|table| self.table_name(table))
    }

    /// The table of records.
    pub fn records_table(&self) -> TableName<'_> {
        self.table_name(HistoryTable::Records)
    }

    /// The name of a table.
    pub fn table_name(&self, table: HistoryTable) -> TableName<'_> {
        let name = match table {
            HistoryTable::Records => &self.tables.records,
            HistoryTable::Versions => &self.tables.versions,
            HistoryTable::Events => &self.tables.events,
            HistoryTable::Locks => &self.tables.locks,
        };
        TableName { schema: self.tables.schema.as_deref(), name }
    }

    /// The name of a table of the history in SQL.
    pub fn qualified(&self, table: HistoryTable) -> String {
        self.table(self.table_name(table).name)
    }

    /// The unquoted names of the tables that the first run creates.
    pub fn table_names(&self) -> [&str; 3] {
        [&self.tables.records, &self.tables.versions, &self.tables.events]
    }

    /// The unquoted name of the table of records.
    pub fn versions_name(&self) -> &str {
        &self.tables.versions
    }

    /// The unquoted name of the table of events.
    pub fn events_name(&self) -> &str {
        &self.tables.events
    }

    /// The name of the table of records.
    pub fn records_name(&self) -> &str {
        &self.tables.records
    }

    /// What the lock of this history is called: the place that it protects, which is the table of records and the service. The
    /// backend adds the database, where a schema alone does not identify the table.
    pub fn lock_name(&self, database: &str) -> Checksum {
        let schema = self.tables.schema.as_deref().unwrap_or_default();
        Checksum::of_pieces(["migrate", database, schema, &self.tables.records, &self.service])
    }

    /// A string literal.
    pub fn text(&self, text: &str) -> String {
        (self.dialect.literal)(text)
    }

    /// A quoted name.
    pub fn name(&self, name: &str) -> String {
        (self.dialect.quote)(name)
    }

    /// The name of a table of the history, qualified and quoted.
    pub fn table(&self, table: &str) -> String {
        match (&self.tables.schema, self.dialect.default_schema) {
            (Some(schema), _) => format!("{}.{}", self.name(schema), self.name(table)),
            (None, Some(schema)) => format!("{schema}.{}", self.name(table)),
            (None, None) => self.name(table),
        }
    }

    /// A condition: the row is of this service.
    pub fn is_service(&self) -> String {
        format!("service {} {}", self.dialect.names.equal, self.text(&self.service))
    }

    /// A further condition while the schema is not known: the table is where the history belongs, and not in another schema that
    /// the connection finds. `alias` is that of the table, with a dot.
    fn in_place(&self, alias: &str) -> String {
        if self.tables.schema.is_some() { String::new() } else { (self.dialect.in_place)(self, alias) }
    }

    /// A condition: the row is of this version of this service.
    fn is_version(&self, version: &str) -> String {
        format!("{} AND version {} {}", self.is_service(), self.dialect.names.equal, self.text(version))
    }

    fn records(&self) -> String {
        self.table(&self.tables.records)
    }

    fn versions(&self) -> String {
        self.table(&self.tables.versions)
    }

    /// The fast check: one row with the digest, and the number and the sum of the checksums of the records that it is about. A
    /// digest without its records, or with other ones, must not count.
    pub fn select_tally(&self) -> String {
        let text = self.dialect.as_text;
        let SystemNames { equal, unequal, function, .. } = self.dialect.names;
        format!(
            "SELECT {}, {}, {}, {} FROM {} v CROSS JOIN (SELECT \
             {function}count(CASE WHEN state {equal} 'applied' THEN 1 END) AS applied, \
             coalesce({function}sum(CASE WHEN state {equal} 'applied' THEN {} END), 0) AS checksums, \
             {function}count(CASE WHEN state {unequal} 'applied' THEN 1 END) AS others FROM {} WHERE {}{}) r WHERE v.{}{}",
            (self.dialect.digest)("v.digest"),
            text("r.applied"),
            text("r.checksums"),
            text("r.others"),
            self.versions(),
            (self.dialect.leading_digits)("checksum"),
            self.records(),
            self.is_service(),
            self.in_place(""),
            self.is_service(),
            self.in_place("v.")
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

    /// The digest that is stored.
    pub fn select_digest(&self) -> String {
        format!("SELECT {} FROM {} WHERE {}", (self.dialect.digest)("digest"), self.versions(), self.is_service())
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

    /// The stored text of one migration.
    pub fn select_script(&self, version: &str, direction: Direction) -> String {
        let column = script_column(direction);
        format!("SELECT {column} FROM {} WHERE {}", self.records(), self.is_version(version))
    }

    /// The statement that creates the schema.
    pub fn create_schema(&self) -> Option<String> {
        let schema = self.tables.schema.as_ref()?;
        Some(format!("CREATE SCHEMA IF NOT EXISTS {}", self.name(schema)))
    }

    /// Statements that make the tables where they are missing; the table of records comes last, so that its presence stands
    /// for all.
    pub fn create(&self) -> Vec<String> {
        let HistoryDialect { text_type: text, key_type: key, time_type: time, id_type: id, .. } = self.dialect;
        let (tail, keyed) = (self.dialect.table_options, self.dialect.keyed_options);
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

    /// The statement that creates the lease table.
    pub fn create_locks(&self) -> String {
        let HistoryDialect { key_type: key, text_type: text, time_type: time, table_options: tail, .. } = self.dialect;
        format!(
            "CREATE TABLE IF NOT EXISTS {} (service {key} NOT NULL PRIMARY KEY, fence bigint NOT NULL, holder {key} NOT NULL, \
             host {text} NOT NULL, process {key} NOT NULL, taken_at {time} NOT NULL, renewed_at {time} NOT NULL, \
             expires_at {time} NOT NULL){tail}",
            self.locks()
        )
    }

    /// A change as statements, each terminated by `;` and a line end.
    pub fn write(&self, change: &HistoryChange<'_>) -> String {
        let mut sql = String::new();
        match change {
            HistoryChange::Started(record) => self.upsert_record(&mut sql, record, None),
            HistoryChange::RevertStarted { version, statements, done, down, summary } => {
                let set = format!("state = 'reverting', statements = {statements}, statements_done = {done}");
                let down = self.assignment(Direction::Down, *down);
                self.update(&mut sql, version, &format!("{set}{down}"));
                self.upsert_summary(&mut sql, summary);
            }
            HistoryChange::Checkpoint { version, done } => {
                self.update(&mut sql, version, &format!("statements_done = {done}"));
                self.insert_session_changes(&mut sql, version);
            }
            HistoryChange::Applied { record, summary, completion } => {
                self.upsert_record(&mut sql, record, Some(&self.execution_ms(*completion)));
                self.upsert_summary(&mut sql, summary);
                self.insert_completed(&mut sql, record.version, record.name, Direction::Up, *completion);
            }
            HistoryChange::Finished { version, name, statements, summary, elapsed } => {
                let (now, ms) = (self.dialect.now, self.milliseconds(*elapsed));
                let set = format!("state = 'applied', statements_done = {statements}, applied_at = {now}, execution_ms = {ms}");
                self.update(&mut sql, version, &set);
                self.upsert_summary(&mut sql, summary);
                self.insert_completed(&mut sql, version, name, Direction::Up, Completion::Executed(*elapsed));
            }
            HistoryChange::Reverted { version, name, summary, completion } => {
                let _ = writeln!(sql, "DELETE FROM {} WHERE {};", self.records(), self.is_version(version));
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
                let (event, detail) = match by {
                    ResolvedBy::Operator => ("resolved", done_statements(*done)),
                    ResolvedBy::Catalogue(evidence) => ("recovered", format!("{}: {evidence}", done_statements(*done))),
                };
                self.insert_event(&mut sql, Event::new(version, event).detail(&detail));
            }
            HistoryChange::Summarized { summary } => self.upsert_summary(&mut sql, summary),
            HistoryChange::RecordsAccepted { summary, lost } => self.accept_records(&mut sql, summary, lost),
            HistoryChange::GivenUp { version, restored } => {
                self.restore(&mut sql, version, restored);
                self.insert_event(&mut sql, Event::new(version, "resolved").detail(restored_detail(restored)));
            }
            HistoryChange::Failed { version, name, direction, outcome, message } => {
                let state = self.fail(&mut sql, version, *direction, outcome);
                self.insert_event(&mut sql, Event::new(version, state.name()).named(name).detail(message));
            }
        }
        sql
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
        let HistoryDialect { now, user, names: SystemNames { unequal, .. }, .. } = self.dialect;
        let _ = writeln!(
            sql,
            "INSERT INTO {} (service, version, event, happened_at, happened_by, host, tool, detail) \
             SELECT {}, {}, '{SESSION_CHANGED}', {now}, {user}, {}, '{TOOL}', c.names \
             FROM (SELECT {names} AS names) AS c WHERE coalesce(c.names, '') {unequal} '';",
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

    /// Makes the record what it was before the migration, or its revert, started.
    fn restore(&self, sql: &mut String, version: &str, restored: &Restored<'_>) {
        match restored {
            Restored::NotApplied => {
                let _ = writeln!(sql, "DELETE FROM {} WHERE {};", self.records(), self.is_version(version));
            }
            Restored::Applied { statements, summary } => {
                let set = format!("state = 'applied', statements = {statements}, statements_done = {statements}");
                self.update(sql, version, &set);
                self.upsert_summary(sql, summary);
            }
        }
    }

    fn update(&self, sql: &mut String, version: &str, set: &str) {
        let _ = writeln!(sql, "UPDATE {} SET {set} WHERE {};", self.records(), self.is_version(version));
    }

    /// A further assignment of an UPDATE; nothing where what is stored stays.
    fn assignment(&self, direction: Direction, script: StoredSql<'_>) -> String {
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
            "INSERT INTO {} ({columns}) VALUES ({}, {}, {}, 'sql', {}, '{}', '{}', '{}', {}, {}, {now}, {applied_at}, {}, {}, '{TOOL}', {}, {}) {};",
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
            (self.dialect.upsert)("service, version", &changed)
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

/// The event of a unit that has changed its session without showing it.
const SESSION_CHANGED: &str = "session-changed";

// What `resolve` declares, as the detail of its event.
const MARKED_APPLIED: &str = "marked as applied";
const MARKED_REVERTED: &str = "marked as reverted";
const MARKED_NOT_APPLIED: &str = "marked as not applied";
const MARKED_NOT_REVERTED: &str = "marked as not reverted";

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

/// A text as the hexadecimal digits of its UTF-8 bytes.
pub fn hex(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The detail of the event for an operator's `--not-applied`.
fn restored_detail(restored: &Restored<'_>) -> &'static str {
    match restored {
        Restored::NotApplied => MARKED_NOT_APPLIED,
        Restored::Applied { .. } => MARKED_NOT_REVERTED,
    }
}

/// The detail of an event: how much of a migration is done.
fn done_statements(done: usize) -> String {
    format!("{} {} done", count_of(done, "statement"), is_are(done))
}

#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::backends::dialects;

    fn history_sql(dialect: &'static HistoryDialect) -> HistorySql {
        let mut tables = HistoryTables::default();
        tables.schema = Some("ops\"`x".into());
        HistorySql { host: "host", ..HistorySql::new(dialect, "it's", &tables).expect("short names") }
    }

    #[test]
    fn names_that_would_be_truncated_are_rejected() {
        let [postgres, mysql, sqlite] = dialects();
        let tables = |records: String| {
            let mut tables = HistoryTables::default();
            tables.records = records;
            tables
        };
        assert!(HistorySql::new(postgres, "s", &tables("ü".repeat(31))).is_ok());
        assert!(HistorySql::new(postgres, "s", &tables("ü".repeat(32))).is_err());
        assert!(HistorySql::new(mysql, "s", &tables("ü".repeat(64))).is_ok());
        assert!(HistorySql::new(mysql, "s", &tables("x".repeat(65))).is_err());
        assert!(HistorySql::new(sqlite, &"s".repeat(191), &tables("x".into())).is_err());
        assert!(HistorySql::new(postgres, "a\0b", &tables("x".into())).is_err());
    }

    #[test]
    fn statements_of_each_dialect() {
        let record = RecordWrite {
            version: "001",
            name: "create",
            phase: Some("expand"),
            checksum: Checksum::from_bytes([1; 32]),
            sql_checksum: Checksum::from_bytes([2; 32]),
            state: RecordState::Applied,
            statements: 2,
            done: 2,
            up: StoredSql::Set("SELECT 'a\\b'"),
            down: StoredSql::Clear,
        };
        let summary =
            SchemaVersionRow { latest: Some(("001".into(), "create".into())), count: 1, digest: Checksum::from_bytes([3; 32]) };
        let mut text = String::new();
        for (dialect, title) in dialects().into_iter().zip(["PostgreSQL", "MySQL", "SQLite"]) {
            let history_sql = history_sql(dialect);
            let _ = writeln!(text, "-- {title}\n{};", history_sql.create().join(";\n"));
            let _ = writeln!(text, "{};\n{};", history_sql.select_tally(), history_sql.select_records(None));
            let elapsed = match title {
                "PostgreSQL" => Elapsed::Transaction(Duration::from_millis(3)),
                _ => Elapsed::Measured(Duration::from_millis(7)),
            };
            let (record, summary, completion) = (record.clone(), summary.clone(), Completion::Executed(elapsed));
            text.push_str(&history_sql.write(&HistoryChange::Applied { record, summary, completion }));
            text.push_str(&history_sql.write(&HistoryChange::Checkpoint { version: "001", done: 1 }));
            let summary = SchemaVersionRow { latest: None, count: 0, digest: Checksum::from_bytes([0; 32]) };
            text.push_str(&history_sql.write(&HistoryChange::Summarized { summary }));
        }
        insta::assert_snapshot!(text);
    }

    /// What a checkout does not know of, it keeps.
    #[test]
    fn stored_scripts_are_kept_set_or_cleared() {
        let [postgres, ..] = dialects();
        let history_sql = history_sql(postgres);
        for (script, expected) in [
            (StoredSql::Keep, ""),
            (StoredSql::Set("SELECT 1;"), ", down_sql = E'SELECT 1;'"),
            (StoredSql::Clear, ", down_sql = NULL"),
        ] {
            assert_eq!(history_sql.assignment(Direction::Down, script), expected);
        }
        assert_eq!(StoredSql::of(&"x".repeat(5 << 20)), StoredSql::Clear);
    }
}
