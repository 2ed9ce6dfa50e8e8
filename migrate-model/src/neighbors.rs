//! What the first run of a service finds in its database beside its own place: a history of the same service elsewhere, the same
//! migrations under another service, or the history of another tool.
//!
//! The decision is pure: the runtime reads the tables, this module says what they mean. A finding of level error means that the
//! migrations would run a second time, so the run must not start; a note only informs.

use crate::catalog_table::TableReach;
use crate::code::Code;
use crate::finding::Finding;
use crate::migration_set::MigrationSet;
use crate::origin::{ForeignRecord, Origin};
use crate::plural::{count_of, is_are};
use crate::script::Script;
use crate::version::Version;
use foreign_matches::{ForeignMatches, match_foreign};
use std::collections::BTreeMap;

mod foreign_matches;

/// The history of this service is in another place.
pub static OTHER_SCHEMA: Code = Code::new(
    "other-schema",
    "The history tables that this connection finds contain no row of this service, but another schema of the same database, or a table with another name, contains a history of this service. On PostgreSQL, `search_path` decides in which schema the tables are found, and settings of the role, of the database or in the URL can change `search_path`. A run would apply every migration a second time, so the run was aborted. Set `schema` under `[history]` in \
     `migrate.toml` to the schema that contains the history. If `schema` is set, a history in another schema does not prevent a run. To start a separate history in the schema of the connection, set `schema` to that schema. \
     If `search_path` selects one of several histories on purpose, such as one for each tenant, set `ignore = \
     [\"other-schema\"]` under `[history]`.",
);

/// Another service has applied these migrations.
pub static OTHER_SERVICE: Code = Code::new(
    "other-service",
    "This service has no row in the history, but another service has applied migrations with the same checksums. \
     Usually the folder or the package was renamed or copied, which changed the name of the service. A run would apply these migrations a second time, so the run was aborted. Set `service` in `migrate.toml` to the service name in the history. If both services should apply these files, set `ignore = [\"other-service\"]` under `[history]`.",
);

/// Another tool has applied these migrations.
pub static FOREIGN_HISTORY: Code = Code::new(
    "foreign-history",
    "This service has no row in the history, but the database contains the history of another migration tool, which records migrations of this folder as \
     applied. A run would apply these migrations a second time, so the run was aborted. Tables of other tools are recognized by their columns, under any name and in any schema. The histories of other tools cannot be imported yet: continue with the other tool, or start with a new database. If the other history has nothing to do with this service, set `ignore = [\"TOOL\"]` under `[history]` in \
     `migrate.toml`.",
);

/// What `ignore` under `[history]` can contain beside the names of tools.
pub static IGNORABLE: &[&Code] = &[&OTHER_SCHEMA, &OTHER_SERVICE];

/// The histories of a database, as far as they were read.
#[derive(Debug, Clone, Default)]
pub struct Neighborhood {
    /// The place of the history of this service.
    pub place: HistoryPlace,
    /// Histories of this tool; that of the place as well.
    pub histories: Vec<NeighborHistory>,
    /// Histories of other tools.
    pub foreign: Vec<ForeignHistory>,
}

/// The table of records of a history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryPlace {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub records: String,
}

impl HistoryPlace {
    /// Schema and name, for messages.
    pub fn label(&self) -> String {
        format!("{}.{}", self.schema, self.records)
    }
}

/// A history of this tool.
#[derive(Debug, Clone)]
pub struct NeighborHistory {
    /// Where it is.
    pub place: HistoryPlace,
    /// Its rows, or why they are not read.
    pub rows: Result<Vec<NeighborRow>, NotRead>,
}

/// Why a history that was found is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotRead {
    /// This user has no right to.
    Denied,
    /// This user has no right to use its schema.
    SchemaDenied,
    /// It is a view, or another object that may run code of its owner when it is read.
    RunsCode,
}

impl NotRead {
    /// What is unknown because of it, and what to do.
    fn finding(self, code: &'static Code, place: &HistoryPlace, what: &str, unknown: &str) -> Finding {
        let table = place.label();
        match self {
            NotRead::SchemaDenied => {
                let schema = &place.schema;
                Finding::error(code, format!("this user cannot use the schema of `{table}`{what}, so it is unknown {unknown}"))
                    .help(format!("grant this user USAGE on schema `{schema}` and SELECT on `{table}`"))
            }
            NotRead::Denied => Finding::error(code, format!("this user cannot read `{table}`{what}, so it is unknown {unknown}"))
                .help(format!("grant this user SELECT on `{table}`")),
            NotRead::RunsCode => {
                let message = format!(
                    "`{table}`{what} is a view or another object that runs code of its owner when it is read. The object was therefore not read, and it is unknown {unknown}"
                );
                Finding::error(code, message).help(format!("find out what `{table}` contains, and who created it"))
            }
        }
    }
}

/// A row of a history of this tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborRow {
    /// The service.
    pub service: String,
    /// The version.
    pub version: String,
    /// The checksum of the up migration.
    pub checksum: String,
    /// The checksum of its SQL.
    pub sql_checksum: String,
    /// Its state.
    pub state: String,
}

/// A history of another tool.
#[derive(Debug, Clone)]
pub struct ForeignHistory {
    /// The tool.
    pub origin: &'static Origin,
    /// Its table.
    pub place: HistoryPlace,
    /// Whether the migrations find its schema without naming it.
    pub reach: TableReach,
    /// What its rows mean, or why they are not read.
    pub records: Result<Vec<ForeignRecord>, NotRead>,
}

/// What the neighborhood means for the first run of a set; findings of level error come first.
pub fn findings(set: &MigrationSet, neighborhood: &Neighborhood) -> Vec<Finding> {
    let judge = Judge { set, place: &neighborhood.place };
    let mut findings: Vec<Finding> = Vec::new();
    findings.extend(neighborhood.histories.iter().filter_map(|history| judge.other_schema(history)));
    findings.extend(neighborhood.histories.iter().filter_map(|history| judge.other_service(history)));
    findings.extend(judge.foreign_histories(&neighborhood.foreign));
    findings.sort_by_key(|finding| !finding.is_error());
    findings
}

/// Judges the histories of a database for a set.
struct Judge<'a> {
    set: &'a MigrationSet,
    place: &'a HistoryPlace,
}

impl Judge<'_> {
    fn ignores(&self, name: &str) -> bool {
        self.set.settings().run.ignored_histories.iter().any(|ignored| ignored == name)
    }

    /// Whether `migrate.toml` states the schema, and the history is in another one.
    fn is_outside(&self, history: &NeighborHistory) -> bool {
        self.set.settings().run.history.schema.is_some() && history.place.schema != self.place.schema
    }

    fn other_schema(&self, history: &NeighborHistory) -> Option<Finding> {
        if history.place == *self.place || self.ignores(OTHER_SCHEMA.name) {
            return None;
        }
        let (service, other, place) = (self.set.service(), history.place.label(), self.place.label());
        let rows = match &history.rows {
            Ok(rows) => rows,
            Err(reason) => {
                let unknown = format!("whether this table contains a history of `{service}`");
                let finding = reason.finding(&OTHER_SCHEMA, &history.place, "", &unknown);
                return (!self.is_outside(history)).then(|| finding.help(self.state_place()));
            }
        };
        let count = rows.iter().filter(|row| row.service == service).count();
        if count == 0 {
            return None;
        }
        let rows = count_of(count, "migration");
        if self.is_outside(history) {
            let message = format!("`{other}` also contains a history of `{service}`, with {rows}");
            return Some(Finding::error(&OTHER_SCHEMA, message).as_note());
        }
        let message = format!("`{service}` has no history in `{place}`, but `{other}` contains one with {rows}");
        let finding = Finding::error(&OTHER_SCHEMA, message);
        Some(if history.place.schema == self.place.schema {
            let names = format!("`records = \"{}\"` under `[history]`", history.place.records);
            finding
                .help(format!(
                    "use that history: set {names} in `migrate.toml`, and also set the names of the other history tables"
                ))
                .help("or, to start a second history here, set `ignore = [\"other-schema\"]` under `[history]`")
        } else {
            let schema = &history.place.schema;
            finding
                .help(format!(
                    "use that history: set `schema = \"{schema}\"` under `[history]` in `migrate.toml`, or correct `search_path`"
                ))
                .help(self.state_place())
        })
    }

    /// How to say that this history is where it is on purpose.
    fn state_place(&self) -> String {
        let schema = &self.place.schema;
        format!("or, if `{schema}` should have its own history, set `schema = \"{schema}\"` under `[history]`")
    }

    fn other_service(&self, history: &NeighborHistory) -> Option<Finding> {
        if self.ignores(OTHER_SERVICE.name) || self.is_outside(history) {
            return None;
        }
        let rows = history.rows.as_ref().ok()?;
        let mut matches: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.service != self.set.service()) {
            let (same, different) = matches.entry(&row.service).or_default();
            match self.has_same_migration(row) {
                Some(true) => *same += 1,
                Some(false) => *different += 1,
                None => {}
            }
        }
        // Two services may begin with the same file: what differs then outweighs it. Most of the files of this service do not.
        let most = self.migrations() / 2;
        let others = matches.into_iter().filter(|(_, (same, different))| same > different || *same > most);
        let (other, (same, _)) = others.max_by_key(|(_, (same, _))| *same)?;
        let (service, total) = (self.set.service(), count_of(self.migrations(), "migration"));
        let (table, are) = (history.place.label(), is_are(same));
        let message = format!(
            "in `{table}`, {same} of {total} of `{service}` {are} applied under the service name `{other}`, with the same checksums"
        );
        Some(
            Finding::error(&OTHER_SERVICE, message)
                .help(format!("use that history: set `service = \"{other}\"` in `migrate.toml`, or use `--service {other}`"))
                .help("or, if both services should apply these files, set `ignore = [\"other-service\"]` under `[history]`"),
        )
    }

    /// Whether the migration of the row's version has its SQL; `None` if there is no such migration.
    fn has_same_migration(&self, row: &NeighborRow) -> Option<bool> {
        // The files may have been renumbered.
        let is_same = |up: &Script| up.checksum.to_string() == row.checksum || up.sql_checksum.to_string() == row.sql_checksum;
        if self.set.iter().any(|migration| !migration.up.statements.is_empty() && is_same(&migration.up)) {
            return Some(true);
        }
        let version: Version = row.version.parse().ok()?;
        let up = &self.set.get(&version)?.up;
        if up.statements.is_empty() {
            return None;
        }
        Some(up.checksum.to_string() == row.checksum || up.sql_checksum.to_string() == row.sql_checksum)
    }

    /// How many migrations do something.
    fn migrations(&self) -> usize {
        self.set.iter().filter(|migration| !migration.up.statements.is_empty()).count()
    }

    /// The findings about other tools; of several tables of one tool in one schema, the first says all.
    fn foreign_histories(&self, histories: &[ForeignHistory]) -> Vec<Finding> {
        let mut findings: Vec<(&'static str, &str, Finding)> = Vec::new();
        for history in histories.iter().filter(|history| !self.ignores(history.origin.name)) {
            let (name, schema) = (history.origin.name, history.place.schema.as_str());
            let Some(finding) = self.foreign_history(history) else { continue };
            match findings.iter_mut().find(|(known, place, _)| (*known, *place) == (name, schema)) {
                Some((_, _, known)) if known.is_error() || !finding.is_error() => {}
                Some((_, _, known)) => *known = finding,
                None => findings.push((name, schema, finding)),
            }
        }
        findings.into_iter().map(|(_, _, finding)| finding).collect()
    }

    fn foreign_history(&self, history: &ForeignHistory) -> Option<Finding> {
        let (tool, table) = (history.origin.name, history.place.label());
        let ignore = format!(
            "or, if that history has nothing to do with `{}`, set `ignore = [\"{tool}\"]` under `[history]`",
            self.set.service()
        );
        let records = match &history.records {
            Ok(records) => records,
            Err(reason) => {
                let what = format!(" (the history of {tool})");
                let finding = reason.finding(&FOREIGN_HISTORY, &history.place, &what, "which migrations that tool has applied");
                return Some(finding.help(ignore));
            }
        };
        if records.is_empty() {
            return None;
        }
        let matches = match_foreign(self.set, self.place, history, records);
        let message = format!("`{table}` is the history of {tool}, {}", self.counts(&matches));
        if !matches.is_same_folder() {
            return Some(Finding::error(&FOREIGN_HISTORY, message).as_note());
        }
        let mut finding = Finding::error(&FOREIGN_HISTORY, message)
            .help(format!(
                "do not apply these migrations again: continue with {tool} on this database, or start with a new database"
            ))
            .help(ignore);
        if matches.failed > 0 {
            finding = finding
                .note(format!("according to that history, {} failed or did not complete", count_of(matches.failed, "migration")));
        }
        Some(finding)
    }

    /// What a foreign history contains, and how much of it is in the files.
    fn counts(&self, matches: &ForeignMatches) -> String {
        let (service, total) = (self.set.service(), count_of(self.migrations(), "migration"));
        if let Some(version) = &matches.up_to {
            let covered = matches.same;
            if covered == 0 && self.set.iter().any(|migration| migration.version <= *version) {
                return format!(
                    "at version {version}, in a schema in which the migrations of `{service}` do not look for tables"
                );
            }
            return format!("at version {version}; {covered} of {total} of `{service}` have this version or a lower one");
        }
        let applied = count_of(matches.applied, "applied migration");
        match (matches.same, matches.proved) {
            (0, _) => format!("with {applied}; none of them is a migration of `{service}`"),
            (same, 0) => format!("with {applied}; {same} of {total} of `{service}` are among them"),
            (same, proved) => {
                format!("with {applied}; {same} of {total} of `{service}` are among them, {proved} with the same checksum")
            }
        }
    }
}

#[cfg(test)]
mod tests;
