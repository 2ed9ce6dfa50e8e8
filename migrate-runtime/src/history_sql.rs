//! The SQL of the history tables: how they are created, read and written.
//!
//! Everything is a literal in the text, so that a record can travel in one message with its script; the literals do not
//! depend on any setting that a script may have changed. What differs between databases is a [`HistoryDialect`], one value in
//! the folder of each backend.

mod queries;
mod writes;

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::trust::{Purpose, TableName, TrustSql};
use migrate_model::checksum::Checksum;

use migrate_model::run_settings::HistoryTables;
use migrate_model::target::Direction;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
    /// Whether the script in a column may contain the directive `requires`.
    pub names_requirements: fn(&str) -> String,
    /// Milliseconds: this long before the transaction, and since the transaction began.
    pub since_transaction: fn(Duration) -> String,
    /// The clause that updates these columns where a row with the key exists.
    pub upsert: fn(key: &str, columns: &[&str]) -> String,
    /// An `INSERT INTO ...` (given without its first word) that does nothing where the row exists.
    pub insert_if_absent: fn(&str) -> String,
    /// An expression as text.
    pub as_text: fn(&str) -> String,
    /// Texts, one after the other.
    pub joined: fn(&[String]) -> String,
    /// A statement after one that asks the catalog and records the answer: it fails if the catalog did not answer.
    pub after_question: &'static str,
    /// The end of a statement that writes the record of an applied migration: it returns the time that is recorded. Empty where that
    /// is known before.
    pub returning_time: &'static str,
    /// A statement, with `;` and a line end, after which a generated number of our rows is no longer that of the session. Empty where
    /// there is none, or none is needed.
    pub forget_generated: &'static str,
    /// What stands between the columns of a query without tables and its condition.
    pub from_nothing: &'static str,
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
    /// While the session is that of the application: a condition that it is as new.
    new_session: Option<String>,
    /// What distinguishes the lock from that of every other run, if locking is disabled.
    private_lock: Option<String>,
}

/// Distinguishes the private locks of one process.
static NEXT_PRIVATE_LOCK: AtomicUsize = AtomicUsize::new(0);

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
        let is_empty = |name: &String| name.trim().is_empty();
        if service.is_empty() || tables.schema.as_ref().is_some_and(is_empty) {
            let what = if service.is_empty() { "service" } else { "schema" };
            return Err(unusable(what, "", "is empty"));
        }
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
            new_session: None,
            private_lock: None,
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

    /// The names of all tables, with that of the leases, without their schema.
    pub fn all_table_names(&self) -> [&str; 4] {
        let tables = &self.tables;
        [&tables.records, &tables.versions, &tables.events, &tables.locks].map(String::as_str)
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
        Checksum::of_pieces(["migrate", database, schema, &self.tables.records, &self.locked_service()])
    }

    /// The service in the name of the lock, with what makes the lock a private one.
    pub fn locked_service(&self) -> String {
        match &self.private_lock {
            Some(number) => format!("{}/{number}", self.service),
            None => self.service.clone(),
        }
    }

    /// From now on, the lock is one that no other run acquires.
    pub fn make_lock_private(&mut self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let number = NEXT_PRIVATE_LOCK.fetch_add(1, Ordering::Relaxed);
        self.private_lock = Some(format!("{}/{}/{now}/{number}", self.host, std::process::id()));
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

    /// Reads the summary only if this condition holds for the session, which the application may have changed.
    pub fn require_new_session(&mut self, condition: Option<String>) {
        self.new_session = condition;
    }

    /// Whether it is not certain that the session is as new.
    pub fn may_read_elsewhere(&self) -> bool {
        self.new_session.is_some()
    }

    /// A further condition on the session.
    fn in_new_session(&self) -> String {
        self.new_session.as_ref().map_or_else(String::new, |condition| format!(" AND {condition}"))
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
}

/// The event of a unit that has changed its session without showing it.
const SESSION_CHANGED: &str = "session-changed";

/// The event of what the catalog shows before a statement that commits itself.
const OBSERVED: &str = "observed";

/// In place of its digits: the statement has not started, because the catalog is asked first.
pub const NOT_ASKED: &str = "-";

/// In place of its digits: the catalog could not be asked.
pub const NOT_KNOWN: &str = "?";

// What `resolve` declares, as the detail of its event.
const MARKED_APPLIED: &str = "marked as applied";
const MARKED_REVERTED: &str = "marked as reverted";
const MARKED_NOT_APPLIED: &str = "marked as not applied";
const MARKED_NOT_REVERTED: &str = "marked as not reverted";

/// A text as the hexadecimal digits of its UTF-8 bytes.
pub fn hex(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len() * 2), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(all(test, feature = "postgres", feature = "mysql", feature = "sqlite"))]
mod tests {
    use super::*;
    use crate::backends::dialects;
    use crate::history_change::{Completion, Elapsed, HistoryChange, RecordWrite, SchemaVersionRow, StoredSql};
    use migrate_model::history::RecordState;

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
            text.push_str(&history_sql.write(&HistoryChange::Checkpoint { version: "001", done: 1, observation: None }));
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
