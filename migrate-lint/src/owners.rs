//! Which service owns each table of a shared database: the one that creates it, unless `owns` in a `migrate.toml` names another.
//!
//! Reports changes that a service makes to the table of another service, and tables that several services create.

use crate::allow::Allowed;
use crate::object_name::ObjectName;
use crate::relation::HistoryPoint;
use crate::simulation::Simulation;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_model::name::Name;
use migrate_model::place::Place;
use migrate_model::reader;
use migrate_model::syntax::{ActionKind, AlterTable, Column, ObjectKind, Syntax};
use std::collections::BTreeMap;

/// A migration that changes another service's table.
pub static FOREIGN_TABLE: Code = Code::new(
    "foreign-table",
    "The migration alters, drops, truncates or indexes a table that another service of the workspace owns (not a foreign table of PostgreSQL). The owner \
     expects the table as its own migrations define it. Move the change to the migrations of the owner. If the table \
     belongs to this service, add `owns = [\"table\"]` to its `migrate.toml`. To suppress this finding, add above the \
     statement: `-- migrate: allow foreign-table: reason`.",
);

/// A table that several services create or claim.
pub static DISPUTED_TABLE: Code = Code::new(
    "disputed-table",
    "Two services that share a database create the same table with the same columns, and no service lists it in `owns`; or both list the same table in `owns`. If both create it, the second `CREATE TABLE` fails. With `IF NOT \
     EXISTS`, it has no effect, and both services use the same table. Rename one of the tables, or add `owns = \
     [\"table\"]` to the `migrate.toml` of the owner and remove the other definition.",
);

/// A table with different definitions.
pub static CONFLICTING_DEFINITION: Code = Code::new(
    "conflicting-definition",
    "Two services that share a database create the same table with different columns. The service that starts first \
     creates the table, and queries of the other service fail. Remove one of the definitions, or rename one of the \
     tables.",
);

/// The codes of this module.
pub static CODES: &[&Code] = &[&FOREIGN_TABLE, &DISPUTED_TABLE, &CONFLICTING_DEFINITION];

/// A service and its migrations.
#[derive(Debug, Clone, Copy)]
pub struct ServiceHistory<'a> {
    /// Name of the service, unique among the services of the database.
    pub name: &'a str,
    /// The migrations, in version order.
    pub history: &'a [Migration],
    /// The tables in `owns` of its `migrate.toml`, with or without their schema.
    pub owns: &'a [String],
    /// Levels by name of the code; `None` disables it. The default is `error`.
    pub levels: &'a BTreeMap<String, Option<Level>>,
}

/// The state of a table after all migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStatus {
    /// The table exists.
    Active,
    /// Its comment contains "deprecated", or its triggers are disabled.
    Deprecated,
    /// The table was dropped.
    Dropped,
}

impl TableStatus {
    /// `active`, `deprecated` or `dropped`.
    pub const fn name(self) -> &'static str {
        match self {
            TableStatus::Active => "active",
            TableStatus::Deprecated => "deprecated",
            TableStatus::Dropped => "dropped",
        }
    }
}

/// A table and the service that owns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOwnership {
    /// The table, with its schema unless that is the default one.
    pub table: String,
    /// Name of the owning service; `None` if the ownership is disputed.
    pub owner: Option<String>,
    /// The migrations that create the table.
    pub defined_in: Vec<TableDefinition>,
    /// The state of the table after all migrations.
    pub status: TableStatus,
}

/// A migration that creates a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// Name of the service.
    pub service: String,
    /// File name of the migration.
    pub file: String,
}

/// A finding in the migrations of one of several services.
#[derive(Debug, Clone)]
pub struct ServiceFinding {
    /// Index of the service.
    pub service: usize,
    /// The finding, with its place in a migration or in `migrate.toml`.
    pub finding: Finding,
}

/// What a statement does to a table.
struct TableChange {
    /// Index of the service.
    service: usize,
    /// Index of the migration in the history of the service.
    migration: usize,
    /// Index of the statement in the up migration.
    statement: usize,
    table: ObjectName,
    kind: TableChangeKind,
}

enum TableChangeKind {
    Creates(Vec<Column>),
    /// Any other change, as a verb phrase that continues with the name of the table.
    Changes(&'static str),
    Drops,
    Deprecates,
    Renames(ObjectName),
}

/// All tables of services that share a database, by name.
pub fn matrix(services: &[ServiceHistory<'_>], dialect: Dialect) -> Vec<TableOwnership> {
    let changes = table_changes(services, dialect);
    let mut tables: BTreeMap<ObjectName, TableOwnership> = BTreeMap::new();
    for change in &changes {
        match &change.kind {
            TableChangeKind::Creates(_) => {
                let table = tables.entry(change.table.clone()).or_insert_with(|| TableOwnership {
                    table: change.table.to_string(),
                    owner: None,
                    defined_in: Vec::new(),
                    status: TableStatus::Active,
                });
                let service = services[change.service].name.to_owned();
                table.defined_in.push(TableDefinition { service, file: title(services, change).to_owned() });
                table.status = TableStatus::Active;
            }
            TableChangeKind::Drops => set_status(&mut tables, &change.table, TableStatus::Dropped),
            TableChangeKind::Deprecates => set_status(&mut tables, &change.table, TableStatus::Deprecated),
            TableChangeKind::Renames(to) => {
                if let Some(mut table) = tables.remove(&change.table) {
                    table.table = to.to_string();
                    tables.insert(to.clone(), table);
                }
            }
            TableChangeKind::Changes(_) => {}
        }
    }
    for (name, table) in &mut tables {
        table.owner = owner(services, &changes, name, dialect).map(|service| services[service].name.to_owned());
    }
    tables.into_values().collect()
}

fn set_status(tables: &mut BTreeMap<ObjectName, TableOwnership>, name: &ObjectName, status: TableStatus) {
    if let Some(table) = tables.get_mut(name) {
        table.status = status;
    }
}

/// Index of the service that owns a table: the first one that lists it in `owns`, or else the only one that creates it.
fn owner(services: &[ServiceHistory<'_>], changes: &[TableChange], table: &ObjectName, dialect: Dialect) -> Option<usize> {
    let simulation = Simulation::new(dialect);
    let claims =
        |service: &ServiceHistory<'_>| service.owns.iter().any(|name| simulation.schema.resolve(&parse_name(name)) == *table);
    if let Some(claimant) = services.iter().position(claims) {
        return Some(claimant);
    }
    match creators(changes, table, 0).as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// The services that create a table, under this name or under one from which it was renamed.
fn creators(changes: &[TableChange], table: &ObjectName, depth: usize) -> Vec<usize> {
    let creates = |change: &&TableChange| matches!(change.kind, TableChangeKind::Creates(_)) && change.table == *table;
    let mut creators_so_far: Vec<usize> = changes.iter().filter(creates).map(|change| change.service).collect();
    for change in changes {
        if let TableChangeKind::Renames(to) = &change.kind
            && to == table
            && change.table != *table
            && depth < MAX_RENAMES
        {
            creators_so_far.extend(creators(changes, &change.table, depth + 1));
        }
    }
    creators_so_far.sort_unstable();
    creators_so_far.dedup();
    creators_so_far
}

/// Maximum number of renames that are followed, because tables can be renamed in a circle.
const MAX_RENAMES: usize = 8;

fn parse_name(text: &str) -> Name {
    match text.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_owned()), name: name.to_owned() },
        None => Name::bare(text),
    }
}

/// Findings about changes that services make to each other's tables. `is_checked` selects the migrations, by the index of the
/// service and of the migration.
pub fn findings(
    services: &[ServiceHistory<'_>],
    dialect: Dialect,
    is_checked: impl Fn(usize, usize) -> bool,
) -> Vec<ServiceFinding> {
    let changes = table_changes(services, dialect);
    let mut findings = conflicting_claims(services);
    for change in changes.iter().filter(|change| is_checked(change.service, change.migration)) {
        let service = &services[change.service];
        let owner = owner(services, &changes, &change.table, dialect);
        let problems = match &change.kind {
            TableChangeKind::Creates(columns) => competing_definitions(services, &changes, change, columns, owner.is_some()),
            TableChangeKind::Changes(verb) => foreign_change(services, change, verb, owner),
            TableChangeKind::Drops => foreign_change(services, change, "drops", owner),
            TableChangeKind::Renames(_) => foreign_change(services, change, "renames", owner),
            TableChangeKind::Deprecates => Vec::new(),
        };
        let script = &service.history[change.migration].up;
        let mut allowed = Allowed::of(script, dialect);
        for mut finding in problems {
            let Some(level) = service.level(finding.code) else { continue };
            if !allowed.suppresses(finding.code.name, Some(change.statement)) {
                finding.level = level;
                let finding = finding.at(script.place(change.statement));
                findings.push(ServiceFinding { service: change.service, finding });
            }
        }
    }
    findings
}

impl ServiceHistory<'_> {
    /// The level of a code of this module; `None` if it is disabled.
    fn level(&self, code: &Code) -> Option<Level> {
        self.levels.get(code.name).copied().unwrap_or(Some(Level::Error))
    }
}

/// Tables that several services list in `owns`.
fn conflicting_claims(services: &[ServiceHistory<'_>]) -> Vec<ServiceFinding> {
    let mut findings = Vec::new();
    for (index, service) in services.iter().enumerate() {
        for table in service.owns {
            if let Some(other) = services[..index].iter().find(|other| other.owns.contains(table)) {
                let message = format!("services `{}` and `{}` both list table `{table}` in `owns`", other.name, service.name);
                let finding = Finding::error(&DISPUTED_TABLE, message)
                    .at(Place::file("migrate.toml"))
                    .help("remove the table from one of the two lists");
                findings.push(ServiceFinding { service: index, finding });
            }
        }
    }
    findings
}

/// Findings about the definitions of the same table in other services.
fn competing_definitions(
    services: &[ServiceHistory<'_>],
    changes: &[TableChange],
    created: &TableChange,
    columns: &[Column],
    has_owner: bool,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let table = &created.table;
    for other in changes.iter().filter(|other| other.service != created.service && other.table == *table) {
        let TableChangeKind::Creates(other_columns) = &other.kind else { continue };
        let other_file = format!("`{}` of service `{}`", title(services, other), services[other.service].name);
        let differing = differing_columns(columns, other_columns);
        if !differing.is_empty() {
            let columns = if differing.len() == 1 { "column" } else { "columns" };
            let message = format!(
                "table `{table}` is also created in {other_file}, with a different definition of {columns} {}",
                differing.join(", ")
            );
            findings
                .push(Finding::error(&CONFLICTING_DEFINITION, message).help("remove one of the two `CREATE TABLE` statements"));
        } else if !has_owner {
            findings.push(
                Finding::error(&DISPUTED_TABLE, format!("table `{table}` is also created in {other_file}")).help(format!(
                    "add `owns = [\"{table}\"]` to the `migrate.toml` of the owner, and remove the other definition"
                )),
            );
        }
    }
    findings
}

/// A finding if a table belongs to another service. `verb` is what the statement does to it.
fn foreign_change(services: &[ServiceHistory<'_>], change: &TableChange, verb: &str, owner: Option<usize>) -> Vec<Finding> {
    let Some(owner) = owner.filter(|owner| *owner != change.service) else { return Vec::new() };
    let owner = services[owner].name;
    let message = format!(
        "service `{}` {verb} table `{}`, which belongs to service `{owner}`",
        services[change.service].name, change.table
    );
    let finding =
        Finding::error(&FOREIGN_TABLE, message).help(format!("move the change to the migrations of service `{owner}`")).help(
            "or, if the change is intended, suppress this finding: add `-- migrate: allow foreign-table: reason` above the statement",
        );
    vec![finding]
}

fn title<'a>(services: &[ServiceHistory<'a>], change: &TableChange) -> &'a str {
    services[change.service].history[change.migration].title()
}

/// Names of the columns that differ in existence, type or `NOT NULL`, in backticks; none if the columns of one are unknown.
fn differing_columns(columns: &[Column], other_columns: &[Column]) -> Vec<String> {
    if columns.is_empty() || other_columns.is_empty() {
        return Vec::new();
    }
    let is_in = |column: &Column, others: &[Column]| {
        others.iter().any(|other| {
            other.name.eq_ignore_ascii_case(&column.name) && other.ty == column.ty && other.not_null == column.not_null
        })
    };
    let differing = columns.iter().filter(|column| !is_in(column, other_columns));
    let differing = differing.chain(other_columns.iter().filter(|column| !is_in(column, columns)));
    let mut names: Vec<String> = Vec::new();
    for column in differing {
        let name = format!("`{}`", column.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What each service does to tables, in the order of its migrations.
fn table_changes(services: &[ServiceHistory<'_>], dialect: Dialect) -> Vec<TableChange> {
    let mut changes = Vec::new();
    for (index, service) in services.iter().enumerate() {
        let mut simulation = Simulation::new(dialect);
        for (migration, file) in service.history.iter().enumerate() {
            simulation.begin_file(file.up.text.len());
            for (statement, text) in file.up.statements.iter().enumerate() {
                let sql = text.sql(&file.up.text);
                let syntax = reader::read(sql, dialect);
                // Rules report a second definition in the same service.
                let is_repeated = |table: &ObjectName, kind: &TableChangeKind| {
                    matches!(kind, TableChangeKind::Creates(_)) && simulation.schema.relation(table).is_some()
                };
                let new = changes_of(&simulation, &syntax, sql).into_iter();
                let new = new.filter(|(table, kind)| !is_repeated(table, kind));
                changes.extend(new.map(|(table, kind)| TableChange { service: index, migration, statement, table, kind }));
                simulation.apply(&syntax, HistoryPoint { migration, transaction: statement });
            }
        }
    }
    changes
}

/// The tables that a statement changes, each with the kind of change.
fn changes_of(simulation: &Simulation, syntax: &Syntax, sql: &str) -> Vec<(ObjectName, TableChangeKind)> {
    let resolve = |name: &Name| simulation.schema.resolve(name);
    let changes = |table: &Name, verb: &'static str| vec![(resolve(table), TableChangeKind::Changes(verb))];
    match syntax {
        Syntax::CreateTable(table) if !table.temporary => {
            table.name.iter().map(|name| (resolve(name), TableChangeKind::Creates(table.columns.clone()))).collect()
        }
        Syntax::AlterTable(alter) => {
            let table = resolve(&alter.table);
            let kind = kind_of_alter(simulation, alter, &table, sql);
            vec![(table, kind)]
        }
        Syntax::RenameTables(renames) => {
            renames.iter().map(|(from, to)| (resolve(from), TableChangeKind::Renames(resolve(to)))).collect()
        }
        Syntax::Drop(drop) if drop.kind == ObjectKind::Table && !drop.temporary => {
            drop.names.iter().map(|name| (resolve(name), TableChangeKind::Drops)).collect()
        }
        Syntax::CreateIndex(index) => changes(&index.table, "indexes"),
        Syntax::Truncate { tables, .. } => tables.iter().flat_map(|table| changes(table, "truncates")).collect(),
        Syntax::CreateTrigger { table: Some(table), .. } => changes(table, "adds a trigger to"),
        Syntax::RenameTrigger { table, .. } => changes(table, "renames a trigger of"),
        Syntax::Policy { table: Some(table) } => changes(table, "changes a policy of"),
        Syntax::Comment { table: Some(table) } if mentions_deprecation(sql) => {
            vec![(resolve(table), TableChangeKind::Deprecates)]
        }
        _ => Vec::new(),
    }
}

fn kind_of_alter(simulation: &Simulation, alter: &AlterTable, table: &ObjectName, sql: &str) -> TableChangeKind {
    let new_name = alter.actions.iter().find_map(|action| match &action.kind {
        ActionKind::Rename(to) => Some(simulation.schema.in_same_schema(table, &to.name)),
        _ => None,
    });
    let has_only = |kind: ActionKind| alter.actions.iter().all(|action| action.kind == kind);
    let disables_triggers = has_only(ActionKind::Trigger) && sql.to_ascii_uppercase().contains("DISABLE");
    let is_deprecated = has_only(ActionKind::Description) && mentions_deprecation(sql);
    match new_name {
        Some(new_name) => TableChangeKind::Renames(new_name),
        None if disables_triggers || is_deprecated => TableChangeKind::Deprecates,
        None => TableChangeKind::Changes("alters"),
    }
}

fn mentions_deprecation(sql: &str) -> bool {
    sql.to_ascii_lowercase().contains("deprecated")
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::script::Script;

    fn history(files: &[&str]) -> Vec<Migration> {
        let migration = |(index, text): (usize, &&str)| {
            Migration::new(
                format!("{:03}", index + 1).parse().unwrap(),
                "x",
                Script::read((*text).to_owned(), &format!("{:03}_x.up.sql", index + 1), Dialect::Postgres).0,
                None,
            )
        };
        files.iter().enumerate().map(migration).collect()
    }

    fn ownership_and_findings(services: &[(&str, &[&str], &[&str])]) -> (Vec<String>, Vec<String>) {
        let histories: Vec<Vec<Migration>> = services.iter().map(|(_, files, _)| history(files)).collect();
        let owns: Vec<Vec<String>> =
            services.iter().map(|(.., owns)| owns.iter().map(|name| (*name).to_owned()).collect()).collect();
        let levels = BTreeMap::new();
        let all: Vec<ServiceHistory<'_>> = services
            .iter()
            .enumerate()
            .map(|(index, (name, ..))| ServiceHistory { name, history: &histories[index], owns: &owns[index], levels: &levels })
            .collect();
        let ownership = |table: TableOwnership| {
            let defined: Vec<String> =
                table.defined_in.iter().map(|definition| format!("{}:{}", definition.service, definition.file)).collect();
            format!("{} {} {} {}", table.table, table.owner.unwrap_or("?".into()), defined.join("+"), table.status.name())
        };
        let findings = findings(&all, Dialect::Postgres, |_, _| true).into_iter();
        let findings = findings
            .map(|ServiceFinding { service, finding }| format!("{}: {}: {}", all[service].name, finding.code, finding.message));
        (matrix(&all, Dialect::Postgres).into_iter().map(ownership).collect(), findings.collect())
    }

    #[test]
    fn owner_and_status_of_tables() {
        let (matrix, findings) = ownership_and_findings(&[
            (
                "users",
                &[
                    "CREATE TABLE users (id bigint); CREATE TABLE likes (id int);",
                    "COMMENT ON TABLE likes IS 'DEPRECATED: see social'",
                ],
                &[],
            ),
            ("chat", &["CREATE TABLE rooms (id bigint, owner bigint REFERENCES users (id));", "DROP TABLE rooms;"], &[]),
        ]);
        assert_eq!(
            matrix,
            [
                "likes users users:001_x.up.sql deprecated",
                "rooms chat chat:001_x.up.sql dropped",
                "users users users:001_x.up.sql active"
            ]
        );
        assert_eq!(findings, [] as [String; 0]);
    }

    #[test]
    fn changes_of_a_foreign_table() {
        let (_, findings) = ownership_and_findings(&[
            ("users", &["CREATE TABLE users (id bigint);"], &[]),
            (
                "chat",
                &[
                    "ALTER TABLE users ADD COLUMN room int;",
                    "-- migrate: allow foreign-table: agreed\nCREATE INDEX i ON users (room);",
                ],
                &[],
            ),
        ]);
        assert_eq!(findings, ["chat: foreign-table: service `chat` alters table `users`, which belongs to service `users`"]);
        let (matrix, findings) =
            ownership_and_findings(&[("a", &["CREATE TABLE t (id int);"], &[]), ("b", &["ALTER TABLE t ADD x int;"], &["t"])]);
        assert_eq!(matrix, ["t b a:001_x.up.sql active"]);
        assert_eq!(findings, [] as [String; 0]);
    }

    #[test]
    fn tables_that_two_services_create() {
        let (matrix, findings) = ownership_and_findings(&[
            ("a", &["CREATE TABLE t (id int);"], &[]),
            ("b", &["CREATE TABLE IF NOT EXISTS t (id int);"], &[]),
        ]);
        assert_eq!(matrix, ["t ? a:001_x.up.sql+b:001_x.up.sql active"]);
        assert_eq!(findings.len(), 2);
        assert!(findings[1].contains("disputed-table"), "{findings:?}");
        let (_, findings) = ownership_and_findings(&[
            ("a", &["CREATE TABLE t (id int);"], &["t"]),
            ("b", &["CREATE TABLE t (id bigint, x int);"], &[]),
        ]);
        assert!(findings[0].contains("conflicting-definition") && findings[0].contains("`id`, `x`"), "{findings:?}");
    }
}
