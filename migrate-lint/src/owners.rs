//! Which service a table belongs to: the one that made it, unless `owns` in a `migrate.toml` says another.
//!
//! Services that share a database share its names. What one of them does to the table of another is found here, and tables
//! that two of them make.

use crate::allow::Allowed;
use crate::object_name::ObjectName;
use crate::simulation::Simulation;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::{Finding, Level};
use migrate_model::migration::Migration;
use migrate_model::name::Name;
use migrate_model::place::Place;
use migrate_model::reader;
use migrate_model::syntax::{ActionKind, Column, ObjectKind, Syntax};
use std::collections::BTreeMap;

/// A migration that changes another service's table.
pub static FOREIGN_TABLE: Code = Code::new(
    "foreign-table",
    "The migration alters, drops, empties or indexes a table that another service of the workspace owns: that service counts on the table \
     as its own migrations leave it, and does not know of this change. Write the change into the owner's migrations. If the table \
     belongs here after all, say so in `migrate.toml`: `owns = [\"table\"]`. If it is meant, say why above the statement: \
     `-- migrate: allow foreign-table: reason`.",
);

/// A table that two services make.
pub static DISPUTED_TABLE: Code = Code::new(
    "disputed-table",
    "Two services that share a database make a table of one name. The second `CREATE TABLE` fails; with `IF NOT EXISTS` it does nothing, \
     and both services believe that the table is theirs. Give one of them another name, or settle whose it is with \
     `owns = [\"table\"]` in the owner's `migrate.toml`, and remove the other definition.",
);

/// A table with two definitions.
pub static CONFLICTING_DEFINITION: Code = Code::new(
    "conflicting-definition",
    "Two services that share a database define a table with different columns. Which of the two definitions the database has depends on \
     which service was started first, and the other one fails at its first query.",
);

/// The codes of this room.
pub static CODES: &[&Code] = &[&FOREIGN_TABLE, &DISPUTED_TABLE, &CONFLICTING_DEFINITION];

/// A service and its migrations.
#[derive(Debug, Clone, Copy)]
pub struct Service<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its migrations, in version order.
    pub history: &'a [Migration],
    /// Tables that are said to be its own.
    pub owns: &'a [String],
    /// What the codes of this room weigh here, by name, where something is said.
    pub levels: &'a BTreeMap<String, Option<Level>>,
}

/// How a table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableStatus {
    /// In use.
    Active,
    /// A comment says so, or its triggers were turned off.
    Deprecated,
    /// Gone.
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

/// A table and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableOwnership {
    /// The table.
    pub table: String,
    /// The service; none while two are in dispute.
    pub owner: Option<String>,
    /// Where it is made: service and file.
    pub defined_in: Vec<(String, String)>,
    /// How it stands.
    pub status: TableStatus,
}

/// A statement that is about a table.
struct TableChange {
    service: usize,
    migration: usize,
    statement: usize,
    table: ObjectName,
    kind: TableChangeKind,
}

enum TableChangeKind {
    Creates(Vec<Column>),
    Changes(&'static str),
    Drops,
    Deprecates,
    Renames(ObjectName),
}

/// All tables of services that share a database, by name.
pub fn matrix(services: &[Service<'_>], dialect: Dialect) -> Vec<TableOwnership> {
    let deeds = table_changes(services, dialect);
    let mut tables: BTreeMap<ObjectName, TableOwnership> = BTreeMap::new();
    for deed in &deeds {
        let entry = |tables: &mut BTreeMap<ObjectName, TableOwnership>, key: &ObjectName| {
            let new =
                || TableOwnership { table: key.to_string(), owner: None, defined_in: Vec::new(), status: TableStatus::Active };
            tables.entry(key.clone()).or_insert_with(new).clone()
        };
        match &deed.kind {
            TableChangeKind::Creates(_) => {
                let mut own = entry(&mut tables, &deed.table);
                let service = &services[deed.service];
                own.defined_in.push((service.name.to_owned(), service.history[deed.migration].title().to_owned()));
                own.status = TableStatus::Active;
                tables.insert(deed.table.clone(), own);
            }
            TableChangeKind::Drops => {
                if let Some(own) = tables.get_mut(&deed.table) {
                    own.status = TableStatus::Dropped;
                }
            }
            TableChangeKind::Deprecates => {
                if let Some(own) = tables.get_mut(&deed.table) {
                    own.status = TableStatus::Deprecated;
                }
            }
            TableChangeKind::Renames(to) => {
                if let Some(mut own) = tables.remove(&deed.table) {
                    own.table = to.to_string();
                    tables.insert(to.clone(), own);
                }
            }
            TableChangeKind::Changes(_) => {}
        }
    }
    for (key, own) in &mut tables {
        own.owner = owner(services, &deeds, key, dialect).map(|service| services[service].name.to_owned());
    }
    tables.into_values().collect()
}

/// The service that a table belongs to; none when nobody makes it, or two do and nothing settles it.
fn owner(services: &[Service<'_>], deeds: &[TableChange], table: &ObjectName, dialect: Dialect) -> Option<usize> {
    let simulation = Simulation::new(dialect);
    let says = |service: &Service<'_>| service.owns.iter().any(|name| simulation.schema.resolve(&written(name)) == *table);
    if let Some(said) = services.iter().position(says) {
        return Some(said);
    }
    let mut makers = creators(deeds, table);
    makers.dedup();
    match makers.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

fn creators(deeds: &[TableChange], table: &ObjectName) -> Vec<usize> {
    creators_of(deeds, table, 0)
}

fn creators_of(deeds: &[TableChange], table: &ObjectName, depth: usize) -> Vec<usize> {
    let makes = |deed: &&TableChange| match &deed.kind {
        TableChangeKind::Creates(_) => deed.table == *table,
        _ => false,
    };
    let mut makers: Vec<usize> = deeds.iter().filter(makes).map(|deed| deed.service).collect();
    // Under another name it is whose it was.
    for deed in deeds {
        if let TableChangeKind::Renames(to) = &deed.kind
            && to == table
            && deed.table != *table
            && depth < 8
        {
            makers.extend(creators_of(deeds, &deed.table, depth + 1));
        }
    }
    makers.sort_unstable();
    makers.dedup();
    makers
}

fn written(name: &str) -> Name {
    match name.split_once('.') {
        Some((schema, name)) => Name { schema: Some(schema.to_owned()), name: name.to_owned() },
        None => Name::bare(name),
    }
}

/// What services do to each other's tables; `looked_at` says of which migrations it is told.
pub fn findings(services: &[Service<'_>], dialect: Dialect, looked_at: impl Fn(usize, usize) -> bool) -> Vec<(usize, Finding)> {
    let deeds = table_changes(services, dialect);
    let mut findings = Vec::new();
    for (at, service) in services.iter().enumerate() {
        for table in service.owns {
            if let Some(other) = services[..at].iter().find(|other| other.owns.contains(table)) {
                let message = format!("`{}` and `{}` both say that they own `{table}`", other.name, service.name);
                let finding = Finding::error(&DISPUTED_TABLE, message).at(Place::file("migrate.toml"));
                findings.push((at, finding.help("leave it in one of the two `owns`")));
            }
        }
    }
    for deed in deeds.iter().filter(|deed| looked_at(deed.service, deed.migration)) {
        let service = &services[deed.service];
        let own = owner(services, &deeds, &deed.table, dialect);
        let mut found = Vec::new();
        match &deed.kind {
            TableChangeKind::Creates(columns) => {
                let others = deeds.iter().filter(|other| other.service != deed.service && other.table == deed.table);
                for other in others {
                    let TableChangeKind::Creates(theirs) = &other.kind else { continue };
                    let there = format!("`{}` of `{}`", title(services, other), services[other.service].name);
                    let differing = differing(columns, theirs);
                    if !differing.is_empty() {
                        let message =
                            format!("`{}` is defined in {there} too, and differs in {}", deed.table, differing.join(", "));
                        found.push(Finding::error(&CONFLICTING_DEFINITION, message).help("keep one of the two definitions"));
                    } else if own.is_none() {
                        found.push(Finding::error(&DISPUTED_TABLE, format!("`{}` is made in {there} too", deed.table)).help(
                            format!(
                                "settle whose it is: `owns = [\"{}\"]` in one `migrate.toml`, and remove the other definition",
                                deed.table
                            ),
                        ));
                    }
                }
            }
            TableChangeKind::Changes(_) | TableChangeKind::Drops | TableChangeKind::Renames(_) => {
                if let Some(owner) = own.filter(|owner| *owner != deed.service) {
                    let what = match &deed.kind {
                        TableChangeKind::Changes(what) => what,
                        TableChangeKind::Drops => "drops",
                        _ => "renames",
                    };
                    let name = services[owner].name;
                    let message = format!("`{}` {what} `{}`, which belongs to `{name}`", service.name, deed.table);
                    found.push(
                        Finding::error(&FOREIGN_TABLE, message)
                            .help(format!("write the change into the migrations of `{name}`"))
                            .help("or say why it is meant, above the statement: `-- migrate: allow foreign-table: reason`"),
                    );
                }
            }
            TableChangeKind::Deprecates => {}
        }
        let script = &service.history[deed.migration].up;
        let mut allowed = Allowed::of(script, dialect);
        for mut finding in found {
            let level = service.levels.get(finding.code.name).copied().unwrap_or(Some(Level::Error));
            let Some(level) = level.filter(|_| !allowed.suppresses(finding.code.name, Some(deed.statement))) else { continue };
            finding.level = level;
            findings.push((deed.service, finding.at(script.place(deed.statement))));
        }
    }
    findings
}

fn title(services: &[Service<'_>], deed: &TableChange) -> String {
    services[deed.service].history[deed.migration].title().to_owned()
}

fn differing(one: &[Column], other: &[Column]) -> Vec<String> {
    if one.is_empty() || other.is_empty() {
        return Vec::new();
    }
    let same = |column: &Column, others: &[Column]| {
        others
            .iter()
            .any(|own| own.name.eq_ignore_ascii_case(&column.name) && own.ty == column.ty && own.not_null == column.not_null)
    };
    let mut names: Vec<String> = Vec::new();
    let differing = one.iter().filter(|column| !same(column, other)).chain(other.iter().filter(|column| !same(column, one)));
    for column in differing {
        let name = format!("`{}`", column.name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What each service does to tables, in the order of its migrations.
fn table_changes(services: &[Service<'_>], dialect: Dialect) -> Vec<TableChange> {
    let mut deeds = Vec::new();
    for (service, one) in services.iter().enumerate() {
        let mut simulation = Simulation::new(dialect);
        for (migration, file) in one.history.iter().enumerate() {
            for (statement, place) in file.up.statements.iter().enumerate() {
                let sql = place.sql(&file.up.text);
                let syntax = reader::read(sql, dialect);
                let at = crate::relation::HistoryPoint { migration, transaction: statement };
                let made_before = |key: &ObjectName| simulation.schema.relation(key).is_some();
                let acts = changes_of(&simulation, &syntax, sql);
                // A second definition in one service is told of by the rules.
                let acts =
                    acts.into_iter().filter(|(key, act)| !(matches!(act, TableChangeKind::Creates(_)) && made_before(key)));
                deeds.extend(acts.map(|(table, act)| TableChange { service, migration, statement, table, kind: act }));
                simulation.apply(&syntax, at);
            }
        }
    }
    deeds
}

fn changes_of(simulation: &Simulation, syntax: &Syntax, sql: &str) -> Vec<(ObjectName, TableChangeKind)> {
    let key = |name: &Name| simulation.schema.resolve(name);
    match syntax {
        Syntax::CreateTable(table) if !table.temporary => {
            table.name.iter().map(|name| (key(name), TableChangeKind::Creates(table.columns.clone()))).collect()
        }
        Syntax::AlterTable(alter) => {
            let table = key(&alter.table);
            let act = alter.actions.iter().find_map(|action| match &action.kind {
                ActionKind::Rename(to) => Some(TableChangeKind::Renames(simulation.schema.in_same_schema(&table, &to.name))),
                _ => None,
            });
            let off = alter.actions.iter().all(|action| action.kind == ActionKind::Trigger)
                && sql.to_ascii_uppercase().contains("DISABLE");
            let described = alter.actions.iter().all(|action| action.kind == ActionKind::Description);
            let said = described && sql.to_ascii_lowercase().contains("deprecated");
            let change = if off || said { TableChangeKind::Deprecates } else { TableChangeKind::Changes("alters") };
            vec![(table, act.unwrap_or(change))]
        }
        Syntax::RenameTables(renames) => {
            renames.iter().map(|(from, to)| (key(from), TableChangeKind::Renames(key(to)))).collect()
        }
        Syntax::Drop(removal) if removal.kind == ObjectKind::Table && !removal.temporary => {
            removal.names.iter().map(|name| (key(name), TableChangeKind::Drops)).collect()
        }
        Syntax::CreateIndex(index) => vec![(key(&index.table), TableChangeKind::Changes("indexes"))],
        Syntax::Truncate { tables, .. } => tables.iter().map(|table| (key(table), TableChangeKind::Changes("empties"))).collect(),
        Syntax::CreateTrigger { table: Some(table), .. } => vec![(key(table), TableChangeKind::Changes("puts a trigger on"))],
        Syntax::RenameTrigger { table, .. } => vec![(key(table), TableChangeKind::Changes("renames a trigger of"))],
        Syntax::Policy { table: Some(table) } => vec![(key(table), TableChangeKind::Changes("puts a policy on"))],
        Syntax::Comment { table: Some(table) } if sql.to_ascii_lowercase().contains("deprecated") => {
            vec![(key(table), TableChangeKind::Deprecates)]
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::script::Script;

    fn history(files: &[&str]) -> Vec<Migration> {
        let read = |(at, text): (usize, &&str)| Migration {
            version: format!("{:03}", at + 1).parse().unwrap(),
            name: "x".into(),
            up: Script::read((*text).to_owned(), &format!("{:03}_x.up.sql", at + 1), Dialect::Postgres).0,
            down: None,
        };
        files.iter().enumerate().map(read).collect()
    }

    fn found(services: &[(&str, &[&str], &[&str])]) -> (Vec<String>, Vec<String>) {
        let histories: Vec<Vec<Migration>> = services.iter().map(|(_, files, _)| history(files)).collect();
        let owns: Vec<Vec<String>> =
            services.iter().map(|(.., owns)| owns.iter().map(|name| (*name).to_owned()).collect()).collect();
        let levels = BTreeMap::new();
        let all: Vec<Service<'_>> = services
            .iter()
            .enumerate()
            .map(|(at, (name, ..))| Service { name, history: &histories[at], owns: &owns[at], levels: &levels })
            .collect();
        let shown = |own: TableOwnership| {
            let defined: Vec<String> = own.defined_in.iter().map(|(service, file)| format!("{service}:{file}")).collect();
            format!("{} {} {} {}", own.table, own.owner.unwrap_or("?".into()), defined.join("+"), own.status.name())
        };
        let findings = findings(&all, Dialect::Postgres, |_, _| true);
        let findings = findings
            .into_iter()
            .map(|(service, finding)| format!("{}: {}: {}", all[service].name, finding.code, finding.message));
        (matrix(&all, Dialect::Postgres).into_iter().map(shown).collect(), findings.collect())
    }

    #[test]
    fn who_owns_what() {
        let (matrix, findings) = found(&[
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
    fn what_belongs_to_another() {
        let (_, findings) = found(&[
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
        assert_eq!(findings, ["chat: foreign-table: `chat` alters `users`, which belongs to `users`"]);
        let (matrix, findings) =
            found(&[("a", &["CREATE TABLE t (id int);"], &[]), ("b", &["ALTER TABLE t ADD x int;"], &["t"])]);
        assert_eq!(matrix, ["t b a:001_x.up.sql active"]);
        assert_eq!(findings, [] as [String; 0]);
    }

    #[test]
    fn one_name_of_two() {
        let (matrix, findings) =
            found(&[("a", &["CREATE TABLE t (id int);"], &[]), ("b", &["CREATE TABLE IF NOT EXISTS t (id int);"], &[])]);
        assert_eq!(matrix, ["t ? a:001_x.up.sql+b:001_x.up.sql active"]);
        assert_eq!(findings.len(), 2);
        assert!(findings[1].contains("disputed-table"), "{findings:?}");
        let (_, findings) =
            found(&[("a", &["CREATE TABLE t (id int);"], &["t"]), ("b", &["CREATE TABLE t (id bigint, x int);"], &[])]);
        assert!(findings[0].contains("conflicting-definition") && findings[0].contains("`id`, `x`"), "{findings:?}");
    }
}
