//! Applies statements to a [`Schema`] instead of a database.

mod alteration;
mod constraint;
mod creation;
mod index;
mod removal;
mod renaming;

use self::alteration::{alter_table, alter_type};
use self::creation::{create_table, create_view};
use self::index::create_index;
pub use self::index::{has_index, name_holder};
use self::removal::drop_objects;
use self::renaming::{rename_index, rename_table, rename_trigger};
use crate::object_name::ObjectName;
use crate::relation::HistoryPoint;
use crate::schema::{Schema, SchemaObject, TriggerReferences};
use crate::search_path::SearchPath;
use migrate_model::dialect::Dialect;
use migrate_model::syntax::{Control, IndexAction, ObjectAction, ObjectKind, RowChange, Setting, Syntax};
use std::collections::BTreeSet;

/// A schema, with the state of the transaction that changes it.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// The schema after the statements that were applied.
    pub schema: Schema,
    /// The start of the transaction and its savepoints.
    savepoints: Vec<Savepoint>,
    /// The branch that is simulated, as if it were executed.
    branch: Option<Branch>,
    /// The search path to be restored at the end of the transaction, after `SET LOCAL search_path`.
    outer_path: Option<SearchPath>,
}

/// Statements that are executed together or not at all.
#[derive(Debug, Clone)]
struct Branch {
    /// The statement that contains it, and its number in that statement.
    id: (usize, usize),
    /// The savepoint of the schema.
    savepoint: usize,
}

#[derive(Debug, Clone)]
struct Savepoint {
    /// `None` for the start of the transaction.
    name: Option<String>,
    /// The savepoint of the schema.
    position: usize,
}

impl Simulation {
    /// A simulation of an empty database.
    pub fn new(dialect: Dialect) -> Self {
        Simulation { schema: Schema::new(dialect), savepoints: Vec::new(), branch: None, outer_path: None }
    }

    /// Applies a statement, unless its file has cost more than it may.
    pub fn apply(&mut self, syntax: &Syntax, at: HistoryPoint) {
        match syntax {
            _ if self.schema.effort().is_exhausted() => self.schema.set_opaque(),
            // Where a transaction ends, and where names are looked up, remains as it was before the branch.
            Syntax::Transaction(_) | Syntax::Set(_) if self.branch.is_some() => {}
            Syntax::Transaction(control) => self.control(control),
            Syntax::Set(settings) if settings.iter().any(|setting| setting.local && setting.name == "search_path") => {
                self.outer_path.get_or_insert_with(|| self.schema.path());
                apply(&mut self.schema, syntax, at);
            }
            other => apply(&mut self.schema, other, at),
        }
    }

    /// Begins a file of this size in a new session, outside a transaction.
    pub fn begin_file(&mut self, bytes: usize) {
        self.schema.begin_file(bytes);
        self.savepoints.clear();
        self.schema.end_session();
    }

    /// Restores what `SET LOCAL` has changed.
    pub fn end_transaction(&mut self) {
        if let Some(path) = self.outer_path.take() {
            self.schema.restore_path(path);
        }
    }

    /// Announces the branch of the following statements; `None` for statements that are certainly executed. At the end of a branch,
    /// what its statements have changed becomes uncertain.
    pub fn enter_branch(&mut self, branch: Option<(usize, usize)>) {
        if self.branch.as_ref().map(|current| current.id) == branch {
            return;
        }
        if let Some(current) = self.branch.take() {
            self.schema.make_uncertain(current.savepoint);
            self.schema.release(current.savepoint);
        }
        self.branch = branch.map(|id| Branch { id, savepoint: self.schema.savepoint() });
    }

    fn control(&mut self, control: &Control) {
        // On MySQL, DDL causes an implicit commit, so a rollback does not undo it.
        let is_undone = self.schema.dialect() != Dialect::MySql;
        match control {
            Control::Begin => {
                self.release_savepoints();
                self.set_savepoint(None);
            }
            Control::Commit => self.release_savepoints(),
            Control::Rollback => {
                if let Some(start) = self.savepoints.first().filter(|_| is_undone) {
                    self.schema.roll_back_to(start.position);
                }
                self.release_savepoints();
            }
            Control::Savepoint(name) => self.set_savepoint(Some(name.clone())),
            Control::RollbackTo(name) => {
                if let Some(index) = self.savepoints.iter().rposition(|savepoint| savepoint.name.as_ref() == Some(name)) {
                    if is_undone {
                        self.schema.roll_back_to(self.savepoints[index].position);
                    }
                    self.savepoints.truncate(index + 1);
                }
            }
            Control::Other => {}
        }
    }

    fn set_savepoint(&mut self, name: Option<String>) {
        self.savepoints.push(Savepoint { name, position: self.schema.savepoint() });
    }

    fn release_savepoints(&mut self) {
        if let Some(first) = self.savepoints.first() {
            self.schema.release(first.position);
        }
        self.savepoints.clear();
    }
}

fn apply(schema: &mut Schema, syntax: &Syntax, at: HistoryPoint) {
    match syntax {
        Syntax::CreateTable(_)
        | Syntax::CreateIndex(_)
        | Syntax::CreateView(_)
        | Syntax::CreateType { .. }
        | Syntax::CreateDomain { .. }
        | Syntax::CreateTrigger { .. }
        | Syntax::CreateRoutine { .. }
        | Syntax::Create { .. } => create(schema, syntax, at),
        Syntax::AlterTable(_)
        | Syntax::AlterType { .. }
        | Syntax::AlterDomain { .. }
        | Syntax::AlterIndex { .. }
        | Syntax::RenameTrigger { .. }
        | Syntax::Alter { .. }
        | Syntax::RenameTables(_) => alter(schema, syntax, at),
        Syntax::Drop(drop) => drop_objects(schema, drop),
        Syntax::Insert(insert) => fill(schema, &schema.resolve(&insert.table)),
        Syntax::Copy { table: Some(table), from: true } => fill(schema, &schema.resolve(table)),
        Syntax::Update(change) => backfill(schema, change, at),
        Syntax::Truncate { .. } => truncate(schema, syntax, at),
        Syntax::Set(settings) => set_search_path(schema, settings),
        Syntax::Opaque | Syntax::Call { .. } => schema.set_opaque(),
        _ => {}
    }
}

fn create(schema: &mut Schema, syntax: &Syntax, at: HistoryPoint) {
    match syntax {
        Syntax::CreateTable(table) => create_table(schema, table, at),
        Syntax::CreateIndex(index) => create_index(schema, index, at),
        Syntax::CreateView(view) if view.if_not_exists && schema.relation(&schema.resolve(&view.name)).is_some() => {}
        Syntax::CreateView(view) if !view.temporary => create_view(schema, view, at),
        Syntax::CreateType { name, labels } => {
            let object = match labels {
                Some(values) => SchemaObject::Enum(values.iter().map(|value| (value.clone(), None)).collect()),
                None => SchemaObject::Type,
            };
            schema.put_type(schema.resolve_new(name), object);
        }
        Syntax::CreateDomain { name, base, constrained } => {
            schema.put_type(schema.resolve_new(name), SchemaObject::Domain { base: base.clone(), constrained: *constrained });
        }
        Syntax::CreateTrigger { name, table: Some(table), columns, tables, function, temporary: false, .. } => {
            let table = schema.resolve(table);
            let references = TriggerReferences {
                columns: columns.clone(),
                tables: tables.iter().map(|name| schema.resolve(name)).collect(),
                function: function.as_ref().map(|name| schema.resolve(name)),
            };
            // A trigger is in the schema of its table.
            schema.put_trigger(schema.in_same_schema(&table, &name.name), table, references);
        }
        // The extension may have existed before the first migration.
        Syntax::Create { kind: ObjectKind::Extension, if_not_exists: true, .. } => {}
        Syntax::CreateRoutine { name, is_stable, commits, .. } => {
            schema.put_routine(schema.resolve_new(name), *is_stable, *commits);
        }
        Syntax::Create { kind: ObjectKind::Sequence, name, owner, .. } => {
            let owner = owner.as_ref().map(|(table, column)| (schema.resolve(table), column.clone()));
            schema.put_sequence(schema.resolve_new(name), owner);
        }
        Syntax::Create { kind, name, .. } => schema.put_other(*kind, schema.resolve(name), None),
        _ => {}
    }
}

fn alter(schema: &mut Schema, syntax: &Syntax, at: HistoryPoint) {
    match syntax {
        Syntax::AlterTable(alter) => alter_table(schema, alter, at),
        Syntax::AlterType { name, action } => alter_type(schema, &schema.resolve(name), action, at),
        Syntax::AlterDomain { name, checks: true } => {
            let domain = schema.resolve(name);
            if let Some(SchemaObject::Domain { base, .. }) = schema.ty(&domain) {
                let base = base.clone();
                schema.put_type(domain, SchemaObject::Domain { base, constrained: true });
            }
        }
        Syntax::AlterIndex { name, action: IndexAction::Rename(to) } => {
            let index = schema.resolve(name);
            if let Some(table) = schema.table_of_index(None, &index).cloned() {
                rename_index(schema, &table, index.name(), to);
            }
        }
        Syntax::RenameTrigger { table, from, to } => rename_trigger(schema, &schema.resolve(table), from, to),
        Syntax::Alter { kind: ObjectKind::Schema, .. } => schema.set_opaque(),
        Syntax::Alter { kind: ObjectKind::Routine, name, action: ObjectAction::Steady(stable) } => {
            schema.set_stable(&schema.resolve(name), *stable);
        }
        Syntax::Alter { kind: ObjectKind::Sequence, name, action: ObjectAction::OwnedBy(owner) } => {
            let owner = owner.as_ref().map(|(table, column)| (schema.resolve(table), column.clone()));
            schema.put_sequence(schema.resolve(name), owner);
        }
        Syntax::Alter { name, action: ObjectAction::RenameColumn, .. } => {
            schema.change(&schema.resolve(name), |view| view.view_columns = None);
        }
        Syntax::Alter { kind, name, action: ObjectAction::Rename(to) } => {
            let from = schema.resolve(name);
            let to = schema.in_same_schema(&from, to);
            move_object(schema, *kind, &from, to, at);
        }
        Syntax::Alter { kind, name, action: ObjectAction::SetSchema(to) } => {
            let from = schema.resolve(name);
            let to = schema.in_schema(&from, to);
            move_object(schema, *kind, &from, to, at);
        }
        Syntax::RenameTables(renames) => {
            for (from, to) in renames {
                rename_table(schema, &schema.resolve(from), schema.resolve(to), at);
            }
        }
        _ => {}
    }
}

fn move_object(schema: &mut Schema, kind: ObjectKind, from: &ObjectName, to: ObjectName, at: HistoryPoint) {
    match kind {
        ObjectKind::View | ObjectKind::MaterializedView => rename_table(schema, from, to, at),
        kind => schema.move_other(kind, from, to),
    }
}

/// Records that a table has rows.
fn fill(schema: &mut Schema, table: &ObjectName) {
    if schema.known(table).is_some_and(|relation| !relation.has_rows || relation.emptied.is_some()) {
        schema.change(table, |relation| {
            relation.has_rows = true;
            relation.emptied = None;
        });
    }
}

/// Records that tables have no rows.
fn truncate(schema: &mut Schema, syntax: &Syntax, at: HistoryPoint) {
    let only = matches!(syntax, Syntax::Truncate { only: true, .. });
    for table in truncated_tables(schema, syntax) {
        // The rows of its descendants remain, and a change of the table reads them.
        if only && schema.descendants(&table).next().is_some() {
            continue;
        }
        let mut relation = schema.known_or_external(&table);
        relation.has_rows = false;
        relation.emptied = Some(at);
        schema.put_known(table, relation);
    }
}

/// The tables that `TRUNCATE` empties: also their descendants without `ONLY`, and with `CASCADE` the tables that reference a
/// truncated one, directly or indirectly.
pub fn truncated_tables(schema: &Schema, syntax: &Syntax) -> Vec<ObjectName> {
    let Syntax::Truncate { tables, only, cascade } = syntax else { return Vec::new() };
    let mut truncated: Vec<ObjectName> = tables.iter().map(|table| schema.resolve(table)).collect();
    let mut known: BTreeSet<ObjectName> = truncated.iter().cloned().collect();
    let mut next = 0;
    while let Some(table) = truncated.get(next).cloned()
        && !schema.effort().is_exhausted()
    {
        let descendants = schema.descendants(&table).filter(|_| !only);
        let referencing = schema.children(&table).map(|(child, ..)| child).filter(|_| *cascade);
        for other in descendants.chain(referencing) {
            if known.insert(other.clone()) {
                truncated.push(other.clone());
            }
        }
        next += 1;
    }
    truncated
}

/// Records which columns an `UPDATE` assigns.
fn backfill(schema: &mut Schema, update: &RowChange, at: HistoryPoint) {
    if update.columns.is_empty() {
        return;
    }
    schema.change(&schema.resolve(&update.table), |relation| {
        for name in &update.columns {
            relation.change_column(name, |column| column.backfilled = Some(at));
        }
    });
}

fn set_search_path(schema: &mut Schema, settings: &[Setting]) {
    for setting in settings.iter().filter(|setting| matches!(setting.name.as_str(), "search_path" | "use")) {
        let names = setting.value.as_deref().unwrap_or_default().split(',');
        let names = names.map(|name| name.trim().trim_matches(['"', '\'']));
        let schemas = names.filter(|name| !name.is_empty() && *name != "$user");
        schema.set_path(schemas.map(|name| Some(name.to_owned())).collect());
    }
}
