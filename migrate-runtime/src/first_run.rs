//! The first run of a service in a database: before anything is created, it looks around once.
//!
//! While the service has no row in the place of its history, one query of the system catalog lists the tables, and each history
//! among them is read. What they mean is decided in `migrate_model::neighbors`; here they are only read.

use crate::backend::Backend;
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::codes;
use crate::connection::TextRow;
use crate::database::Resident;
use crate::error::{Error, ErrorKind};
use crate::history_sql::{HistorySql, HistoryTable};
use crate::session;
use crate::trigger_catalog;
use crate::trust::{self, Purpose, TableName};
use migrate_model::catalog_table::{CatalogTable, TableAccess, TableReach};
use migrate_model::finding::Finding;
use migrate_model::history::History;
use migrate_model::migration_set::MigrationSet;
use migrate_model::neighbors::{self, ForeignHistory, HistoryPlace, NeighborHistory, NeighborRow, Neighborhood, NotRead};
use migrate_model::origin::{Content, ForeignRow, OriginTable};
use migrate_model::origins;
use std::collections::BTreeMap;

/// The columns by which the tables of this tool are recognized, in the order records, versions and events.
const OWN_COLUMNS: [&[&str]; 3] = [
    &["service", "version", "checksum", "sql_checksum", "state", "statements_done"],
    &["service", "version", "applied_count", "digest"],
    &["service", "version", "event", "happened_at"],
];

/// The history as it was read, and what else the database contains, if this service has no row yet.
#[derive(Debug)]
pub struct RecordedHistory {
    /// The history; `None` if its table of records does not exist.
    pub history: Option<History>,
    /// Without a table of records: is the table with the summary there, or that with the events? Then the records were lost.
    pub has_other_tables: bool,
    /// What the first run finds; those of level error prevent it.
    pub neighbors: Vec<Finding>,
}

/// Reads the history for a run.
///
/// # Errors
/// When the history cannot be read, or when the run would apply what is applied already.
pub async fn history_of_run(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
) -> Result<RecordedHistory, Error> {
    let recorded = read_history(backend, history_sql, set).await?;
    match refusal(&recorded.neighbors) {
        Some(refusal) => Err(refusal),
        None => Ok(recorded),
    }
}

/// Reads the history, and looks around if it has no row. Reads only.
///
/// # Errors
/// When the history or the system catalog cannot be read.
pub async fn read_history(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
) -> Result<RecordedHistory, Error> {
    let rows = session::read(backend, history_sql, &[HistoryTable::Records], &history_sql.select_records(None)).await;
    let (mut history, failure) = match rows {
        // The table has other columns, so it belongs to something else, and the catalog says more about it.
        Err(error) if backend.is_missing_column(&error) => (None, Some(error)),
        Err(error) => return Err(error.into_history_error("cannot read the history")),
        Ok(rows) => (rows.map(|rows| history_sql.read_records(&rows)).transpose()?, None),
    };
    if let Some(history) = &mut history {
        if !is_running(backend, history_sql, history).await? {
            trigger_catalog::add_to(backend, set, history).await?;
        }
        session::add_session_changes(backend, history_sql, history).await?;
    }
    if set.is_empty() || history.as_ref().is_some_and(|history| !history.records().is_empty()) {
        return Ok(RecordedHistory { history, has_other_tables: false, neighbors: Vec::new() });
    }
    let (neighbors, has_other_tables) = look_around(backend, history_sql, set).await?;
    match failure {
        Some(error) if neighbors.iter().all(|finding| !finding.is_error()) => {
            Err(error.into_history_error("cannot read the history"))
        }
        _ => Ok(RecordedHistory { history, has_other_tables, neighbors }),
    }
}

/// For a reader: is a migration being applied now? Then it is not interrupted, and how it would resume does not matter. On MySQL, a
/// query for triggers would wait until a running `CREATE TABLE ... SELECT` has finished.
async fn is_running(backend: &mut dyn Backend, history_sql: &HistorySql, history: &History) -> Result<bool, Error> {
    let is_started = history.records().iter().any(|record| record.state.interrupted().is_some());
    if !is_started || history_sql.purpose() != Purpose::Reading {
        return Ok(false);
    }
    let is_locked = backend.is_locked(history_sql).await;
    Ok(is_locked.map_err(|error| error.into_history_error("cannot read the migration lock"))? == Some(true))
}

/// The error of a run that the findings prevent.
pub fn refusal(neighbors: &[Finding]) -> Option<Error> {
    let (first, others) = neighbors.split_first().filter(|(first, _)| first.is_error())?;
    let is_history = [&codes::HISTORY, &codes::UNTRUSTED_HISTORY].contains(&first.code);
    let kind = if is_history { ErrorKind::History } else { ErrorKind::HistoryMismatch };
    let error = Error::of_finding(kind, first.clone()).note("state", "aborted before applying anything; nothing was created");
    let others = others.iter().filter(|finding| finding.is_error());
    Some(others.fold(error, |error, finding| error.note("also", format!("[{}] {}", finding.code, finding.message))))
}

/// What the other histories mean, and whether the table with the summary or that with the events is in the place of the history.
async fn look_around(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
) -> Result<(Vec<Finding>, bool), Error> {
    let query = (history_sql.dialect().table_list)(history_sql, origins::most_columns());
    let rows = backend.query(&query).await;
    let rows = rows.map_err(|error| error.into_history_error("cannot read the list of tables"))?;
    let tables: Vec<CatalogTable> = rows.iter().filter_map(read_table).collect();
    if let Some(table) = tables.iter().find(|table| table.access == TableAccess::PassedOver && is_own(history_sql, table)) {
        return Err(schema_denied(&table.schema));
    }
    let place = match rows.first().and_then(|row| row.get(3)) {
        Some(Some(place)) => place.clone(),
        Some(None) => return Ok((vec![unlocated()], false)),
        None => return Ok((Vec::new(), false)),
    };
    let place = HistoryPlace { schema: place, records: history_sql.records_name().to_owned() };
    let mut reader = HistoryReader { backend, history_sql };
    let mut neighborhood = Neighborhood { place, ..Neighborhood::default() };
    for table in &tables {
        let place = HistoryPlace { schema: table.schema.clone(), records: table.name.clone() };
        if table.has_columns(OWN_COLUMNS[0]) {
            let rows = reader.own_rows(table).await?;
            neighborhood.histories.push(NeighborHistory { place, rows });
        } else if let Some((origin, known)) = origins::recognize(table, &tables) {
            let records = reader.foreign_rows(table, known).await?.map(|rows| (known.read)(&rows));
            neighborhood.foreign.push(ForeignHistory { origin, place, reach: table.reach, records });
        }
    }
    let mut findings = neighbors::findings(set, &neighborhood);
    if findings.iter().all(|finding| !finding.is_error()) {
        findings.splice(0..0, occupied(history_sql, &neighborhood.place.schema, &tables));
    }
    let is_part = |table: &CatalogTable| {
        let is = |name: &str, columns| table.name == name && table.has_columns(columns);
        let is_named = is(history_sql.versions_name(), OWN_COLUMNS[1]) || is(history_sql.events_name(), OWN_COLUMNS[2]);
        table.schema == neighborhood.place.schema && is_named
    };
    let has_other_tables = tables.iter().any(is_part);
    Ok((findings, has_other_tables))
}

/// The services, and the other tools, that have recorded migrations anywhere in the database.
///
/// # Errors
/// When the catalog or a history cannot be read.
pub async fn residents(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Vec<Resident>, Error> {
    let query = (history_sql.dialect().table_list)(history_sql, origins::most_columns());
    let rows = backend.query(&query).await;
    let rows = rows.map_err(|error| error.into_history_error("cannot read the list of tables"))?;
    let tables: Vec<CatalogTable> = rows.iter().filter_map(read_table).collect();
    let mut reader = HistoryReader { backend, history_sql };
    let mut residents = Vec::new();
    for table in &tables {
        if table.has_columns(OWN_COLUMNS[0]) {
            match reader.own_rows(table).await? {
                Ok(rows) => residents.extend(Resident::of_rows(&rows, table)),
                Err(_) => residents.push(Resident { name: "unknown services".to_owned(), table: table.label(), applied: None }),
            }
        } else if let Some((origin, known)) = origins::recognize(table, &tables) {
            let records = reader.foreign_rows(table, known).await?.map(|rows| (known.read)(&rows).len());
            residents.push(Resident { name: origin.name.to_owned(), table: table.label(), applied: records.ok() });
        }
    }
    Ok(residents)
}

impl Resident {
    fn of_rows(rows: &[NeighborRow], table: &CatalogTable) -> Vec<Self> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        rows.iter().for_each(|row| *counts.entry(&row.service).or_default() += usize::from(row.state == "applied"));
        let resident = |(service, applied): (&str, usize)| Resident {
            name: service.to_owned(),
            table: table.label(),
            applied: Some(applied),
        };
        counts.into_iter().map(resident).collect()
    }
}

/// Why the history cannot be located, which only PostgreSQL knows.
pub const UNLOCATED: &str =
    "no schema of `search_path` exists and can be used by this user, so the history tables cannot be located";

/// What to do about it.
pub const UNLOCATED_HELP: &str = "grant this user USAGE on a schema, or set `schema` under `[history]` in `migrate.toml`";

/// The history cannot be located, so it is unknown what has been applied.
fn unlocated() -> Finding {
    Finding::error(&codes::HISTORY, UNLOCATED).help(UNLOCATED_HELP)
}

/// Whether a table has the name and the columns of a table of the history.
fn is_own(history_sql: &HistorySql, table: &CatalogTable) -> bool {
    history_sql.table_names().iter().zip(OWN_COLUMNS).any(|(name, columns)| **name == table.name && table.has_columns(columns))
}

/// The user may not use the schema of the history, so the connection has skipped it. Without this error, no migration would count
/// as applied.
fn schema_denied(schema: &str) -> Error {
    // insufficient_privilege
    let code = Some("42501".to_owned());
    let error = BackendError { code, ..BackendError::own(format!("permission denied for schema {schema}")) };
    error
        .into_history_error("cannot read the history")
        .help(format!("the history tables are in the schema `{schema}`: grant this user USAGE on it (`GRANT USAGE ON SCHEMA`)"))
}

/// Reads a row of the list of tables.
fn read_table(row: &TextRow) -> Option<CatalogTable> {
    let [schema, name, columns, _, readable, reached] = row.as_slice() else { return None };
    let access = match readable.as_deref() {
        Some("1") => TableAccess::Readable,
        Some("2") => TableAccess::RunsCode,
        Some("3") => TableAccess::SchemaDenied,
        Some("4") => TableAccess::PassedOver,
        _ => TableAccess::Denied,
    };
    let reach = if reached.as_deref() == Some("1") { TableReach::Unqualified } else { TableReach::Qualified };
    let columns = CatalogTable::columns_of(columns.as_deref()?);
    Some(CatalogTable { schema: schema.clone()?, name: name.clone()?, columns, access, reach })
}

/// Tables in the place of the history that have our names and other columns: there, nothing could be recorded.
fn occupied(history_sql: &HistorySql, schema: &str, tables: &[CatalogTable]) -> Vec<Finding> {
    let names = history_sql.table_names();
    let is_foreign = |table: &&CatalogTable| {
        let mut expected = names.iter().zip(OWN_COLUMNS).filter(|(name, _)| **name == table.name);
        table.schema == schema && expected.any(|(_, columns)| !table.has_columns(columns))
    };
    let finding = |table: &CatalogTable| {
        Finding::error(&codes::HISTORY, format!("`{}` exists, but it is not a history table of cargo-migrate", table.label()))
            .help("find out which program created it: if that program has applied these migrations, do not apply them again")
            .help("otherwise rename the table, or set `schema` under `[history]` in `migrate.toml` to another schema for this history")
    };
    tables.iter().filter(is_foreign).map(finding).collect()
}

/// Reads the histories that were found.
struct HistoryReader<'r> {
    backend: &'r mut dyn Backend,
    history_sql: &'r HistorySql,
}

impl HistoryReader<'_> {
    fn name(&self, table: &CatalogTable) -> String {
        format!("{}.{}", self.history_sql.name(&table.schema), self.history_sql.name(&table.name))
    }

    /// The rows of a history of this tool, or why they are not read.
    async fn own_rows(&mut self, table: &CatalogTable) -> Result<Result<Vec<NeighborRow>, NotRead>, Error> {
        let sql = format!("SELECT service, version, checksum, sql_checksum, state FROM {}", self.name(table));
        let rows = self.rows(table, &sql).await?;
        let read = |row: TextRow| {
            let mut columns = row.into_iter().map(Option::unwrap_or_default);
            let mut next = || columns.next().unwrap_or_default();
            let (service, version) = (next(), next());
            NeighborRow { service, version, checksum: next(), sql_checksum: next(), state: next() }
        };
        Ok(rows.map(|rows| rows.into_iter().map(read).collect()))
    }

    /// The rows of another tool, or why they are not read.
    async fn foreign_rows(
        &mut self,
        table: &CatalogTable,
        known: &OriginTable,
    ) -> Result<Result<Vec<ForeignRow>, NotRead>, Error> {
        let dialect = self.history_sql.dialect();
        let columns = known.columns_to_read().map(|column| {
            let name = self.history_sql.name(column.name);
            if column.content == Content::Bytes { (dialect.as_hex)(&name) } else { (dialect.as_text)(&name) }
        });
        let columns: Vec<String> = columns.collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), self.name(table));
        let rows = self.rows(table, &sql).await?;
        Ok(rows.map(|rows| rows.into_iter().map(ForeignRow).collect()))
    }

    /// The rows of a query, or why the table is not read; none if the table was dropped meanwhile.
    async fn rows(&mut self, table: &CatalogTable, sql: &str) -> Result<Result<Vec<TextRow>, NotRead>, Error> {
        match table.access {
            TableAccess::Readable => {}
            TableAccess::Denied => return Ok(Err(NotRead::Denied)),
            TableAccess::SchemaDenied | TableAccess::PassedOver => return Ok(Err(NotRead::SchemaDenied)),
            TableAccess::RunsCode => return Ok(Err(NotRead::RunsCode)),
        }
        // It may have been replaced since the catalog was read.
        let name = TableName { schema: Some(&table.schema), name: &table.name };
        let sql = trust::checked_other(self.history_sql, name, sql);
        match session::rows_if_exists(self.backend, &sql).await {
            Ok(rows) => Ok(Ok(rows.unwrap_or_default())),
            Err(error) if (self.history_sql.dialect().trust.is_failure)(&error) => Ok(Err(NotRead::RunsCode)),
            Err(BackendError { kind: BackendErrorKind::Rejected, message, .. }) => {
                tracing::debug!(table = table.label(), message, "a history cannot be read");
                Ok(Err(NotRead::Denied))
            }
            Err(error) => Err(error.into_history_error("cannot read the histories of this database")),
        }
    }
}
