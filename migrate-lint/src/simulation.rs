//! Carries statements out on a [`Schema`] instead of a database.

use crate::object_name::ObjectName;
use crate::relation::{Column, Constraint, ConstraintKind, HistoryPoint, Index, Relation, RelationKind, is_same};
use crate::schema::{Schema, SchemaObject, TriggerReferences};
use migrate_model::dialect::Dialect;
use migrate_model::syntax::{
    self, ActionKind, AlterTable, Control, CreateIndex, CreateTable, CreateView, DropStatement, Generated, IndexAction,
    ObjectAction, ObjectKind, Syntax, Type, TypeAction,
};

/// A schema, and the transactions that are open in it.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// As it is now.
    pub schema: Schema,
    marks: Vec<(Option<String>, usize)>,
    /// The search path behind the transaction, where it has set one of its own.
    outer_path: Option<Vec<Option<String>>>,
}

impl Simulation {
    /// Nothing there yet.
    pub fn new(dialect: Dialect) -> Self {
        Simulation { schema: Schema::new(dialect), marks: Vec::new(), outer_path: None }
    }

    /// Carries a statement out.
    pub fn apply(&mut self, syntax: &Syntax, at: HistoryPoint) {
        match syntax {
            Syntax::Transaction(control) => self.control(control),
            Syntax::Set(settings) if settings.iter().any(|setting| setting.local && setting.name == "search_path") => {
                self.outer_path.get_or_insert_with(|| self.schema.path());
                apply(&mut self.schema, syntax, at);
            }
            other => apply(&mut self.schema, other, at),
        }
    }

    /// A file begins: nothing is open, and nothing of another session is there.
    pub fn begin_file(&mut self) {
        self.marks.clear();
        self.schema.end_session();
    }

    /// A transaction ends: what `SET LOCAL` has set is as it was.
    pub fn end_transaction(&mut self) {
        if let Some(path) = self.outer_path.take() {
            self.schema.set_path(path);
        }
    }

    /// Carries out a statement that perhaps is not: what it makes proves nothing.
    pub fn apply_conditionally(&mut self, syntax: &Syntax, at: HistoryPoint) {
        let is_there = |schema: &Schema, name: &migrate_model::name::Name| schema.relation(&schema.resolve(name)).is_some();
        match syntax {
            Syntax::CreateTable(table) if table.name.as_ref().is_some_and(|name| is_there(&self.schema, name)) => {}
            Syntax::AlterTable(alter) => {
                let adds = |action: &&syntax::Action| matches!(action.kind, ActionKind::AddColumn { .. });
                let actions: Vec<_> = alter.actions.iter().filter(adds).cloned().collect();
                let key = self.schema.resolve(&alter.table);
                if actions.len() < alter.actions.len() {
                    self.schema.change(&key, |relation| relation.columns_known = false);
                }
                self.apply(&Syntax::AlterTable(AlterTable { actions, ..alter.clone() }), at);
            }
            Syntax::Drop(_) | Syntax::RenameTables(_) => {
                for table in migrate_model::effect::locked_tables_of(syntax) {
                    let key = self.schema.resolve(&table);
                    self.schema.change(&key, |relation| relation.columns_known = false);
                }
            }
            other => self.apply(other, at),
        }
    }

    fn control(&mut self, control: &Control) {
        // What MySQL defines is there at once.
        let undoes = self.schema.dialect() != Dialect::MySql;
        match control {
            Control::Begin => self.marks = vec![(None, self.schema.savepoint())],
            Control::Commit => self.marks.clear(),
            Control::Rollback => {
                if let Some((_, mark)) = self.marks.first().filter(|_| undoes) {
                    self.schema.roll_back_to(*mark);
                }
                self.marks.clear();
            }
            Control::Savepoint(name) => self.marks.push((Some(name.clone()), self.schema.savepoint())),
            Control::RollbackTo(name) => {
                let found = self.marks.iter().rposition(|(own, _)| own.as_ref() == Some(name));
                if let Some(found) = found {
                    if undoes {
                        self.schema.roll_back_to(self.marks[found].1);
                    }
                    self.marks.truncate(found + 1);
                }
            }
            Control::Other => {}
        }
    }
}

fn apply(schema: &mut Schema, syntax: &Syntax, at: HistoryPoint) {
    match syntax {
        Syntax::CreateTable(table) => create_table(schema, table, at),
        Syntax::AlterTable(alter) => alter_table(schema, alter, at),
        Syntax::CreateIndex(index) => create_index(schema, index, at),
        Syntax::CreateView(view) if view.if_not_exists && schema.relation(&schema.resolve(&view.name)).is_some() => {}
        Syntax::CreateView(view) if !view.temporary => create_view(schema, view, at),
        Syntax::CreateType { name, labels } => {
            let thing = match labels {
                Some(labels) => SchemaObject::Enum(labels.iter().map(|label| (label.clone(), None)).collect()),
                None => SchemaObject::Type,
            };
            schema.put_type(schema.resolve_new(name), thing);
        }
        Syntax::CreateDomain { name, base, constrained } => {
            schema.put_type(schema.resolve_new(name), SchemaObject::Domain { base: base.clone(), constrained: *constrained });
        }
        Syntax::CreateTrigger { name, table: Some(table), columns, tables, function, temporary: false, .. } => {
            let table = schema.resolve(table);
            // It is where its table is.
            let uses = TriggerReferences {
                columns: columns.clone(),
                tables: tables.iter().map(|name| schema.resolve(name)).collect(),
                function: function.as_ref().map(|name| schema.resolve(name)),
            };
            schema.put_trigger(schema.in_same_schema(&table, &name.name), table, uses);
        }
        // One that was there perhaps proves nothing.
        Syntax::Create { kind: ObjectKind::Extension, if_not_exists: true, .. } => {}
        Syntax::CreateRoutine { name, is_stable: steady, commits, .. } => {
            schema.put_routine(schema.resolve_new(name), *steady, *commits)
        }
        Syntax::Create { kind, name, .. } => schema.put_other(*kind, schema.resolve(name), None),
        Syntax::Drop(removal) => drop_objects(schema, removal),
        Syntax::AlterType { name, action } => alter_type(schema, &schema.resolve(name), action, at),
        Syntax::AlterDomain { name, checks: true } => {
            let key = schema.resolve(name);
            if let Some(SchemaObject::Domain { base, .. }) = schema.ty(&key) {
                let base = base.clone();
                schema.put_type(key, SchemaObject::Domain { base, constrained: true });
            }
        }
        Syntax::AlterIndex { name, action: IndexAction::Rename(to) } => {
            let key = schema.resolve(name);
            if let Some(table) = schema.table_of_index(None, &key).cloned() {
                rename_index(schema, &table, key.name(), to);
            }
        }
        Syntax::RenameTrigger { table, from, to } => {
            let table = schema.resolve(table);
            for (trigger, uses) in schema.take_triggers(&table) {
                let name = if trigger.name() == from { schema.in_same_schema(&trigger, to) } else { trigger };
                schema.put_trigger(name, table.clone(), uses);
            }
        }
        Syntax::Alter { kind: ObjectKind::Schema, .. } => schema.set_opaque(),
        Syntax::Alter { kind: ObjectKind::Routine, name, action: ObjectAction::Steady(steady) } => {
            schema.set_stable(&schema.resolve(name), *steady);
        }
        Syntax::Alter { kind, name, action: action @ (ObjectAction::Rename(to) | ObjectAction::SetSchema(to)) } => {
            let key = schema.resolve(name);
            let new = match action {
                ObjectAction::SetSchema(_) => schema.in_schema(&key, to),
                _ => schema.in_same_schema(&key, to),
            };
            match kind {
                ObjectKind::View | ObjectKind::MaterializedView => rename_table(schema, &key, new, at),
                kind => schema.move_other(*kind, &key, new),
            }
        }
        Syntax::RenameTables(renames) => {
            for (from, to) in renames {
                rename_table(schema, &schema.resolve(from), schema.resolve(to), at);
            }
        }
        Syntax::Insert(insert) => fill(schema, &schema.resolve(&insert.table)),
        Syntax::Copy { table: Some(table), from: true } => fill(schema, &schema.resolve(table)),
        Syntax::Update(change) => {
            for column in change.columns.clone() {
                schema.change(&schema.resolve(&change.table), |relation| {
                    if let Some(column) = relation.column_mut(&column) {
                        column.backfilled = Some(at);
                    }
                });
            }
        }
        Syntax::Set(settings) => {
            for setting in settings.iter().filter(|setting| matches!(setting.name.as_str(), "search_path" | "use")) {
                let names = setting.value.as_deref().unwrap_or_default().split(',');
                let names = names.map(|name| name.trim().trim_matches(['"', '\'']));
                let schemas = names.filter(|name| !name.is_empty() && *name != "$user");
                schema.set_path(schemas.map(|name| Some(name.to_owned())).collect());
            }
        }
        Syntax::Opaque | Syntax::Call { .. } => schema.set_opaque(),
        _ => {}
    }
}

fn fill(schema: &mut Schema, key: &ObjectName) {
    if schema.relation(key).is_some_and(|relation| !relation.has_rows) {
        schema.change(key, |relation| relation.has_rows = true);
    }
}

fn create_table(schema: &mut Schema, table: &CreateTable, at: HistoryPoint) {
    let Some(name) = &table.name else { return };
    let key = if table.temporary { schema.resolve(name) } else { schema.resolve_new(name) };
    // Where there is one, it changes nothing, or fails.
    if !table.or_replace && !table.temporary && schema.relation(&key).is_some() {
        return;
    }
    let mut relation = Relation::new(RelationKind::Table, name.to_string(), at);
    relation.case_sensitive = schema.dialect() == Dialect::Postgres;
    relation.may_predate_history = table.if_not_exists;
    relation.columns_known = !table.opaque && !table.as_query && table.like.is_empty() && table.partition_of.is_none();
    relation.has_rows = table.as_query;
    relation.from_query = table.as_query;
    relation.partitioned = table.partitioned;
    relation.charset.clone_from(&table.charset);
    relation.collation.clone_from(&table.collation);
    relation.engine.clone_from(&table.engine);
    relation.compressed = table.compressed;
    relation.partition_key.clone_from(&table.partition_key);
    let mut foreign = Vec::new();
    for column in &table.columns {
        add_column(schema, &key, &mut relation, column, None, at, &mut foreign);
    }
    for constraint in &table.constraints {
        add_constraint(schema, &key, &mut relation, constraint, at);
    }
    relation.constraints.append(&mut foreign);
    for like in &table.like {
        if let Some(other) = schema.relation(&schema.resolve(&like.table)) {
            take_over(schema.dialect(), &key, &mut relation, other, like, at);
            relation.columns_known = other.columns_known && !table.opaque;
        }
    }
    if let Some(parent) = &table.partition_of {
        let parent = schema.resolve(parent);
        if let Some(other) = schema.relation(&parent) {
            relation.columns.clone_from(&other.columns);
        }
        relation.partition_of = Some(parent.clone());
        let (child, default) = (key.clone(), table.default_partition);
        schema.change(&parent, |parent| attach(parent, child, default));
    }
    if table.temporary {
        schema.put_temporary(name, relation);
        return;
    }
    let names: Vec<String> = relation.indexes.iter().filter_map(|index| index.name.clone()).collect();
    schema.put_relation(key.clone(), relation);
    names.iter().for_each(|name| schema.register_index(&key, name));
    unique_keys_are_indexes(schema, &key);
    for index in &table.indexes {
        add_index(schema, &key, index, at);
    }
}

/// `LIKE`: foreign keys stay, and PostgreSQL gives keys and indexes names of the new table.
fn take_over(
    dialect: Dialect,
    key: &ObjectName,
    relation: &mut Relation,
    other: &Relation,
    like: &syntax::Like,
    at: HistoryPoint,
) {
    let new: Vec<Column> = other.columns.iter().filter(|column| relation.column(&column.name).is_none()).cloned().collect();
    relation.columns.extend(new.into_iter().map(|column| Column {
        has_default: column.has_default && like.defaults,
        auto_increments: column.auto_increments && like.defaults,
        created: None,
        backfilled: None,
        ..column
    }));
    for constraint in &other.constraints {
        let name = match &constraint.kind {
            ConstraintKind::Check { .. } if like.checks => constraint.name.clone(),
            ConstraintKind::Primary(_) if like.indexes => free_name(relation, format!("{}_pkey", key.name())),
            ConstraintKind::Unique(columns) if like.indexes => {
                free_name(relation, format!("{}_{}_key", key.name(), columns.join("_")))
            }
            ConstraintKind::NotNull(_) => constraint.name.clone(),
            _ => continue,
        };
        relation.constraints.push(Constraint {
            name,
            kind: constraint.kind.clone(),
            validated: Some(at),
            added: at,
            at_column: false,
        });
    }
    for index in other.indexes.iter().filter(|_| like.indexes) {
        let name = index.name.clone().filter(|_| dialect == Dialect::MySql);
        relation.indexes.push(Index { name, created: at, ..index.clone() });
    }
}

fn attach(parent: &mut Relation, child: ObjectName, default: bool) {
    if default {
        parent.default_partition = Some(child.clone());
    }
    parent.partitioned = true;
    parent.partitions.push(child);
}

/// The type of serial columns is a whole number, and they are never null.
fn stored_type(ty: &Type) -> (Type, bool) {
    let plain = |name: &str| Type { name: name.to_owned(), ..Type::default() };
    match ty.name.as_str() {
        "serial" => (plain("int"), true),
        "bigserial" => (plain("bigint"), true),
        "smallserial" => (plain("smallint"), true),
        _ => (ty.clone(), false),
    }
}

fn column_of(column: &syntax::Column, dialect: Dialect, made: Option<HistoryPoint>) -> Column {
    let serial = column.ty.as_ref().filter(|_| dialect == Dialect::Postgres).map(stored_type);
    let is_serial = serial.as_ref().is_some_and(|(_, serial)| *serial);
    Column {
        name: column.name.clone(),
        ty: serial.map(|(ty, _)| ty).or_else(|| column.ty.clone()),
        not_null: column.not_null || is_serial || column.primary,
        has_default: column.default.is_some() || is_serial || column.identity,
        auto_increments: is_serial || column.identity,
        on_update: column.on_update,
        is_virtual: matches!(column.generated, Some(Generated::Virtual | Generated::Unsaid)),
        generated: column.generated.is_some(),
        computed_from: column.computed_from.clone(),
        created: made,
        backfilled: None,
    }
}

fn add_column(
    schema: &Schema,
    table: &ObjectName,
    relation: &mut Relation,
    column: &syntax::Column,
    made: Option<HistoryPoint>,
    at: HistoryPoint,
    foreign: &mut Vec<Constraint>,
) {
    if relation.column(&column.name).is_some() {
        return;
    }
    relation.columns.push(column_of(column, schema.dialect(), made));
    constraints_of_column(schema, table, relation, column, at, foreign);
}

fn constraints_of_column(
    schema: &Schema,
    table: &ObjectName,
    relation: &mut Relation,
    column: &syntax::Column,
    at: HistoryPoint,
    foreign: &mut Vec<Constraint>,
) {
    let one = vec![column.name.clone()];
    let mut put = |name: String, kind| {
        relation.constraints.push(Constraint { name, kind, validated: Some(at), added: at, at_column: true });
    };
    if column.primary {
        let name = column.key_name.clone().unwrap_or_else(|| format!("{}_pkey", table.name()));
        put(name, ConstraintKind::Primary(one.clone()));
    }
    if column.unique {
        let made_up = || match schema.dialect() {
            Dialect::MySql => column.name.clone(),
            _ => format!("{}_{}_key", table.name(), column.name),
        };
        let name = column.key_name.clone().unwrap_or_else(made_up);
        put(name, ConstraintKind::Unique(one.clone()));
    }
    for check in &column.checks {
        let made_up = || free_name(relation, format!("{}_{}_check", table.name(), column.name));
        let name = check.name.clone().unwrap_or_else(made_up);
        relation.constraints.push(Constraint { name, kind: check_of(check), validated: Some(at), added: at, at_column: true });
    }
    // MySQL itself does not read `REFERENCES` at a column.
    if let Some(reference) = &column.references {
        foreign.push(Constraint {
            name: reference.name.clone().unwrap_or_else(|| format!("{}_{}_fkey", table.name(), column.name)),
            kind: ConstraintKind::Foreign {
                columns: one,
                table: schema.resolve(&reference.table),
                targets: reference.columns.clone(),
                cascades: reference.on_delete_changes,
            },
            validated: Some(at),
            added: at,
            at_column: true,
        });
    }
}

fn add_constraint(
    schema: &Schema,
    table: &ObjectName,
    relation: &mut Relation,
    constraint: &syntax::Constraint,
    at: HistoryPoint,
) {
    let indexed = |name: &Option<String>| {
        let name = name.as_ref()?;
        let index = relation.indexes.iter().find(|index| index.name.as_ref() == Some(name))?;
        Some(index.columns.clone())
    };
    let (kind, ending) = match &constraint.kind {
        syntax::ConstraintKind::Check(check) => {
            // PostgreSQL names it by the column, where it is about one.
            let about: Vec<&String> = check.mentions.iter().filter(|word| relation.column(word).is_some()).collect();
            let ending = if let [only] = about.as_slice() { format!("{only}_check") } else { "check".to_owned() };
            (check_of(check), ending)
        }
        syntax::ConstraintKind::Unique { columns, using_index } => {
            let columns = indexed(using_index).unwrap_or_else(|| columns.clone());
            let ending = format!("{}_key", columns.join("_"));
            (ConstraintKind::Unique(columns), ending)
        }
        syntax::ConstraintKind::Primary { columns, using_index } => {
            (ConstraintKind::Primary(indexed(using_index).unwrap_or_else(|| columns.clone())), "pkey".to_owned())
        }
        syntax::ConstraintKind::Foreign { columns, references } => (
            ConstraintKind::Foreign {
                columns: columns.clone(),
                table: schema.resolve(&references.table),
                targets: references.columns.clone(),
                cascades: references.on_delete_changes,
            },
            format!("{}_fkey", columns.join("_")),
        ),
        syntax::ConstraintKind::Exclude => (ConstraintKind::Exclude, "excl".to_owned()),
        syntax::ConstraintKind::NotNull { column } => (ConstraintKind::NotNull(column.clone()), format!("{column}_not_null")),
    };
    let used = match &constraint.kind {
        syntax::ConstraintKind::Unique { using_index, .. } | syntax::ConstraintKind::Primary { using_index, .. } => {
            using_index.clone()
        }
        _ => None,
    };
    if used.is_some() {
        relation.indexes.retain(|index| index.name != used);
    }
    if let ConstraintKind::Primary(columns) = &kind {
        for column in columns {
            if let Some(column) = relation.column_mut(column) {
                column.not_null = true;
            }
        }
    }
    if let (ConstraintKind::NotNull(column), false) = (&kind, constraint.not_valid)
        && let Some(column) = relation.column_mut(column)
    {
        column.not_null = true;
    }
    let name = constraint.name.clone().or(used).unwrap_or_else(|| match schema.dialect() {
        Dialect::MySql => mysql_name(relation, table, &kind),
        _ => free_name(relation, format!("{}_{ending}", table.name())),
    });
    let validated = (!constraint.not_valid).then_some(at);
    relation.constraints.push(Constraint { name, kind, validated, added: at, at_column: false });
}

/// On MySQL and MariaDB a unique key is an index, however it is written.
fn unique_keys_are_indexes(schema: &mut Schema, table: &ObjectName) {
    let unique = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Unique(columns) => Some((constraint.name.clone(), columns.clone(), constraint.added)),
        _ => None,
    };
    let keys: Vec<_> =
        schema.relation(table).into_iter().flat_map(|relation| relation.constraints.iter().filter_map(unique)).collect();
    if schema.dialect() != Dialect::MySql || keys.is_empty() {
        return;
    }
    for (name, ..) in &keys {
        schema.register_index(table, name);
    }
    schema.change(table, |relation| {
        relation.constraints.retain(|constraint| unique(constraint).is_none());
        relation.indexes.extend(keys.into_iter().map(|(name, columns, made)| Index {
            name: Some(name),
            mentions: columns.clone(),
            columns,
            unique: true,
            fulltext: false,
            partial_or_expression: false,
            created: made,
        }));
    });
}

fn check_of(check: &syntax::Check) -> ConstraintKind {
    ConstraintKind::Check { not_null: check.not_null.clone(), mentions: check.mentions.clone(), literals: check.literals.clone() }
}

/// The name that MySQL and MariaDB make up.
fn mysql_name(relation: &Relation, table: &ObjectName, kind: &ConstraintKind) -> String {
    let count = |alike: fn(&ConstraintKind) -> bool| relation.constraints.iter().filter(|own| alike(&own.kind)).count() + 1;
    match kind {
        ConstraintKind::Unique(columns) => {
            let first = columns.first().cloned().unwrap_or_default();
            let numbered = (2..100).map(|number| format!("{first}_{number}"));
            let taken = |name: &String| {
                relation.constraint(name).is_some() || relation.indexes.iter().any(|index| index.name.as_ref() == Some(name))
            };
            [first.clone()].into_iter().chain(numbered).find(|name| !taken(name)).unwrap_or(first)
        }
        ConstraintKind::Foreign { .. } => {
            format!("{}_ibfk_{}", table.name(), count(|kind| matches!(kind, ConstraintKind::Foreign { .. })))
        }
        ConstraintKind::Check { .. } => format!("CONSTRAINT_{}", count(|kind| matches!(kind, ConstraintKind::Check { .. }))),
        _ => "PRIMARY".to_owned(),
    }
}

/// The name that the database makes up: with a number behind it, where it is taken.
fn free_name(relation: &Relation, base: String) -> String {
    let numbered = (1..100).map(|number| format!("{base}{number}"));
    [base.clone()].into_iter().chain(numbered).find(|name| relation.constraint(name).is_none()).unwrap_or(base)
}

fn add_index(schema: &mut Schema, table: &ObjectName, index: &CreateIndex, at: HistoryPoint) {
    if schema.relation(table).is_none() {
        return;
    }
    let name = index.name.as_ref().map(|name| name.name.clone());
    if let Some(name) = &name {
        schema.register_index(table, name);
    }
    let known = Index {
        name,
        columns: index.columns.clone(),
        unique: index.unique,
        fulltext: index.fulltext,
        partial_or_expression: index.expressions || index.partial || index.special,
        mentions: index.mentions.clone(),
        created: at,
    };
    schema.change(table, |relation| relation.indexes.push(known));
}

fn create_index(schema: &mut Schema, index: &CreateIndex, at: HistoryPoint) {
    let table = schema.resolve(&index.table);
    let there = index.name.as_ref().is_some_and(|name| {
        let key = schema.in_same_schema(&table, &name.name);
        schema.table_of_index(Some(&table), &key).is_some()
    });
    if !(there && index.if_not_exists) {
        add_index(schema, &table, index, at);
    }
}

fn create_view(schema: &mut Schema, view: &CreateView, at: HistoryPoint) {
    let kind = if view.materialized { RelationKind::MaterializedView } else { RelationKind::View };
    let mut relation = Relation::new(kind, view.name.to_string(), at);
    relation.case_sensitive = schema.dialect() == Dialect::Postgres;
    relation.columns_known = false;
    relation.reads_from = view.reads.iter().map(|name| schema.resolve(name)).collect();
    relation.possible_columns.clone_from(&view.uses);
    schema.put_relation(schema.resolve_new(&view.name), relation);
}

fn drop_objects(schema: &mut Schema, removal: &DropStatement) {
    // What goes with these is not known: columns, triggers, functions.
    let hidden = [ObjectKind::Type, ObjectKind::Domain, ObjectKind::Routine, ObjectKind::Sequence, ObjectKind::Extension];
    if removal.cascade && hidden.contains(&removal.kind) {
        schema.set_opaque();
    }
    for name in &removal.names {
        let key = schema.resolve(name);
        match removal.kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => {
                if removal.cascade {
                    let readers: Vec<ObjectName> = schema.views_reading(&key).map(|(reader, _)| reader.clone()).collect();
                    readers.iter().for_each(|reader| drop(schema.remove_relation(reader)));
                    drop_foreign_keys_to(schema, &key);
                }
                schema.take_triggers(&key);
                let removed = schema.remove_relation(&key);
                if let Some(parent) = removed.as_ref().and_then(|relation| relation.partition_of.clone()) {
                    schema.change(&parent, |parent| detach(parent, &key));
                }
                for partition in removed.into_iter().flat_map(|relation| relation.partitions) {
                    schema.remove_relation(&partition);
                }
            }
            ObjectKind::Index => {
                let within = removal.table.as_ref().map(|table| schema.resolve(table));
                if let Some(table) = schema.table_of_index(within.as_ref(), &key).cloned() {
                    schema.unregister_index(&table, key.name());
                    schema.change(&table, |relation| {
                        relation
                            .indexes
                            .retain(|index| !index.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(key.name())));
                        // MySQL's unique keys are indexes.
                        relation.constraints.retain(|constraint| {
                            !(matches!(constraint.kind, ConstraintKind::Unique(_))
                                && constraint.name.eq_ignore_ascii_case(key.name()))
                        });
                    });
                }
            }
            ObjectKind::Type | ObjectKind::Domain => drop(schema.remove_type(&key)),
            ObjectKind::Schema | ObjectKind::Database => schema.remove_schema(key.name()),
            kind => {
                let table =
                    removal.table.as_ref().filter(|_| schema.dialect() == Dialect::Postgres).map(|table| schema.resolve(table));
                schema.remove_other(kind, &key, table.as_ref());
            }
        }
    }
}

/// Foreign keys of other tables that lead to this one are gone.
fn drop_foreign_keys_to(schema: &mut Schema, table: &ObjectName) {
    let children: Vec<ObjectName> = schema.children(table).map(|(child, ..)| child.clone()).collect();
    let leads = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Foreign { table: other, .. } if other == table);
    for child in children {
        schema.change(&child, |child| child.constraints.retain(|constraint| !leads(&constraint.kind)));
    }
}

fn detach(parent: &mut Relation, child: &ObjectName) {
    parent.partitions.retain(|partition| partition != child);
    if parent.default_partition.as_ref() == Some(child) {
        parent.default_partition = None;
    }
}

fn alter_type(schema: &mut Schema, key: &ObjectName, action: &TypeAction, at: HistoryPoint) {
    match (schema.ty(key), action) {
        (Some(SchemaObject::Enum(labels)), TypeAction::AddValue { label, .. }) => {
            let mut labels = labels.clone();
            if labels.iter().all(|(own, _)| own != label) {
                labels.push((label.clone(), Some(at)));
            }
            schema.put_type(key.clone(), SchemaObject::Enum(labels));
        }
        // A type that the history did not make: what was added is known all the same.
        (None, TypeAction::AddValue { label, .. }) => {
            schema.put_type(key.clone(), SchemaObject::Enum(vec![(label.clone(), Some(at))]));
        }
        (Some(SchemaObject::Enum(labels)), TypeAction::RenameValue { from, to }) => {
            let mut labels = labels.clone();
            labels.iter_mut().filter(|(label, _)| label == from).for_each(|(label, _)| label.clone_from(to));
            schema.put_type(key.clone(), SchemaObject::Enum(labels));
        }
        (_, TypeAction::Rename(to)) => schema.move_type(key, &schema.in_same_schema(key, to)),
        (_, TypeAction::SetSchema(to)) => schema.move_type(key, &schema.in_schema(key, to)),
        _ => {}
    }
}

fn rename_table(schema: &mut Schema, from: &ObjectName, to: ObjectName, at: HistoryPoint) {
    let Some(mut relation) = schema.remove_relation(from) else { return };
    relation.renamed = Some(at);
    // Foreign keys and views follow.
    let followers: Vec<ObjectName> = schema
        .relations()
        .filter(|(_, other)| other.reads_from.contains(from) || other.foreign_keys().any(|(_, _, table, _)| table == from))
        .map(|(key, _)| key.clone())
        .collect();
    for follower in followers {
        let to = to.clone();
        schema.change(&follower, |other| {
            other.reads_from.iter_mut().filter(|read| *read == from).for_each(|read| read.clone_from(&to));
            for constraint in &mut other.constraints {
                if let ConstraintKind::Foreign { table, .. } = &mut constraint.kind
                    && table == from
                {
                    table.clone_from(&to);
                }
            }
        });
    }
    for index in relation.indexes.iter().filter_map(|index| index.name.as_deref()) {
        schema.register_index(&to, index);
    }
    for (trigger, uses) in schema.take_triggers(from) {
        schema.put_trigger(schema.in_same_schema(&to, trigger.name()), to.clone(), uses);
    }
    schema.put_relation(to, relation);
}

fn rename_index(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    schema.unregister_index(table, from);
    schema.register_index(table, to);
    schema.change(table, |relation| {
        for index in
            relation.indexes.iter_mut().filter(|index| index.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(from)))
        {
            index.name = Some(to.to_owned());
        }
    });
}

fn alter_table(schema: &mut Schema, alter: &AlterTable, at: HistoryPoint) {
    let mut key = schema.resolve(&alter.table);
    for action in &alter.actions {
        match &action.kind {
            ActionKind::Rename(to) => {
                // PostgreSQL's name has no schema: it stays where it is.
                let new = match to.schema {
                    Some(_) => schema.resolve(to),
                    None => schema.in_same_schema(&key, &to.name),
                };
                rename_table(schema, &key, new.clone(), at);
                key = new;
            }
            ActionKind::SetSchema(to) => {
                let new = schema.in_schema(&key, to);
                rename_table(schema, &key, new.clone(), at);
                key = new;
            }
            ActionKind::AddIndex(index) => add_index(schema, &key, index, at),
            ActionKind::DropIndex(name) => {
                schema.unregister_index(&key, name);
                schema.change(&key, |relation| remove_index_or_key(relation, name));
            }
            ActionKind::RenameIndex { from, to } => rename_index(schema, &key, from, to),
            ActionKind::Attach { partition, default, .. } => {
                let child = schema.resolve(partition);
                let (parent, default) = (key.clone(), *default);
                // From now on it has the columns that the other gets.
                schema.change(&child, |child| {
                    child.partition_of = Some(parent);
                    child.columns_known = false;
                });
                schema.change(&key, |parent| attach(parent, child, default));
            }
            ActionKind::Inherit(_) => schema.change(&key, |child| child.columns_known = false),
            ActionKind::Detach { partition, .. } => {
                let child = schema.resolve(partition);
                schema.change(&child, |child| child.partition_of = None);
                schema.change(&key, |parent| detach(parent, &child));
            }
            ActionKind::AddConstraint(constraint) => {
                let Some(mut relation) = schema.relation(&key).cloned() else { continue };
                add_constraint(schema, &key, &mut relation, constraint, at);
                schema.put_relation(key.clone(), relation);
                // The index takes the name of its constraint, and goes with it.
                if let syntax::ConstraintKind::Unique { using_index: Some(index), .. }
                | syntax::ConstraintKind::Primary { using_index: Some(index), .. } = &constraint.kind
                {
                    schema.unregister_index(&key, index);
                }
                unique_keys_are_indexes(schema, &key);
            }
            ActionKind::AddColumn { column, .. } => {
                let Some(mut relation) = schema.relation(&key).cloned() else { continue };
                let mut foreign = Vec::new();
                add_column(schema, &key, &mut relation, column, Some(at), at, &mut foreign);
                relation.constraints.append(&mut foreign);
                schema.put_relation(key.clone(), relation);
                unique_keys_are_indexes(schema, &key);
            }
            ActionKind::ModifyColumn(column) => redefine(schema, &key, &column.name, column, at),
            ActionKind::ChangeColumn { from, column } => {
                rename_in_foreign_keys(schema, &key, from, &column.name);
                schema.change(&key, |relation| rename_column(relation, from, &column.name));
                redefine(schema, &key, &column.name, column, at);
            }
            kind => {
                if let ActionKind::DropColumn { name, cascade, .. } = kind {
                    if schema.dialect() == Dialect::MySql {
                        schema.change(&key, |relation| narrow_indexes(relation, name));
                    }
                    forget_indexes(schema, &key, name);
                    let uses = |view: &Relation| *cascade && view.possible_columns.iter().any(|word| word == name || word == "*");
                    let gone: Vec<ObjectName> =
                        schema.views_reading(&key).filter(|(_, view)| uses(view)).map(|(view, _)| view.clone()).collect();
                    gone.iter().for_each(|view| drop(schema.remove_relation(view)));
                }
                if let ActionKind::DropConstraint { name, cascade: true, .. } = kind
                    && let Some(constraint) = schema.relation(&key).and_then(|relation| relation.constraint(name))
                    && matches!(constraint.kind, ConstraintKind::Primary(_) | ConstraintKind::Unique(_))
                {
                    drop_foreign_keys_to(schema, &key);
                }
                if let ActionKind::RenameColumn { from, to } = kind {
                    rename_in_triggers(schema, &key, from, to);
                    rename_in_foreign_keys(schema, &key, from, to);
                }
                schema.change(&key, |relation| alter_relation(relation, kind, at));
            }
        }
    }
}

/// The indexes over a column go with it.
/// MySQL takes a column that goes out of its indexes, and drops those that are left without any. (MySQL manual, 15.1.9)
fn narrow_indexes(relation: &mut Relation, column: &str) {
    let names_it = |own: &String| own.eq_ignore_ascii_case(column);
    for index in &mut relation.indexes {
        if !index.columns.iter().all(names_it) {
            index.columns.retain(|own| !names_it(own));
        }
    }
}

fn forget_indexes(schema: &mut Schema, table: &ObjectName, column: &str) {
    let over = |index: &&Index| index.columns.iter().any(|own| own.eq_ignore_ascii_case(column));
    let indexes = schema.relation(table).into_iter().flat_map(|relation| relation.indexes.iter().filter(over));
    let names: Vec<String> = indexes.filter_map(|index| index.name.clone()).collect();
    names.iter().for_each(|name| schema.unregister_index(table, name));
}

fn redefine(schema: &mut Schema, key: &ObjectName, name: &str, column: &syntax::Column, at: HistoryPoint) {
    let Some(mut relation) = schema.relation(key).cloned() else { return };
    let mut new = column_of(column, schema.dialect(), None);
    let in_key = relation.primary().is_some_and(|columns| columns.iter().any(|own| own.eq_ignore_ascii_case(name)));
    new.not_null |= in_key;
    if let Some(own) = relation.column_mut(name) {
        new.created = own.created;
        new.backfilled = own.backfilled;
        *own = new;
    }
    let mut foreign = Vec::new();
    constraints_of_column(schema, key, &mut relation, column, at, &mut foreign);
    schema.put_relation(key.clone(), relation);
}

fn remove_index_or_key(relation: &mut Relation, name: &str) {
    relation.indexes.retain(|index| !index.name.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(name)));
    relation.constraints.retain(|constraint| {
        !(matches!(constraint.kind, ConstraintKind::Unique(_)) && constraint.name.eq_ignore_ascii_case(name))
    });
}

fn rename_column(relation: &mut Relation, from: &str, to: &str) {
    let exact = relation.case_sensitive;
    let same = |one: &str, other: &str| is_same(exact, one, other);
    let rename = |names: &mut Vec<String>| {
        names.iter_mut().filter(|name| same(name, from)).for_each(|name| to.clone_into(name));
    };
    if let Some(column) = relation.column_mut(from) {
        to.clone_into(&mut column.name);
    }
    for constraint in &mut relation.constraints {
        match &mut constraint.kind {
            ConstraintKind::Check { not_null, mentions, .. } => {
                rename(not_null);
                rename(mentions);
            }
            ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) | ConstraintKind::Foreign { columns, .. } => {
                rename(columns)
            }
            ConstraintKind::NotNull(column) if same(column, from) => to.clone_into(column),
            ConstraintKind::NotNull(_) | ConstraintKind::Exclude => {}
        }
    }
    relation.indexes.iter_mut().for_each(|index| rename(&mut index.columns));
    relation.columns.iter_mut().for_each(|column| rename(&mut column.computed_from));
}

/// Foreign keys that lead to a table follow its columns.
fn rename_in_foreign_keys(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    let children: Vec<ObjectName> = schema.children(table).map(|(child, ..)| child.clone()).collect();
    for child in children {
        schema.change(&child, |child| {
            for constraint in &mut child.constraints {
                if let ConstraintKind::Foreign { table: parent, targets, .. } = &mut constraint.kind
                    && parent == table
                {
                    targets.iter_mut().filter(|name| name.eq_ignore_ascii_case(from)).for_each(|name| to.clone_into(name));
                }
            }
        });
    }
}

fn rename_in_triggers(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    for (trigger, mut uses) in schema.take_triggers(table) {
        uses.columns.iter_mut().filter(|column| column.eq_ignore_ascii_case(from)).for_each(|column| to.clone_into(column));
        schema.put_trigger(trigger, table.clone(), uses);
    }
}

fn alter_relation(relation: &mut Relation, action: &ActionKind, at: HistoryPoint) {
    let exact = relation.case_sensitive;
    let same = |one: &str, other: &str| is_same(exact, one, other);
    let has = |columns: &[String], name: &str| columns.iter().any(|column| same(column, name));
    match action {
        ActionKind::DropColumn { name, .. } => {
            relation.columns.retain(|column| !same(&column.name, name));
            // With the column go the constraints and indexes over it.
            relation.constraints.retain(|constraint| match &constraint.kind {
                ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) | ConstraintKind::Foreign { columns, .. } => {
                    !has(columns, name)
                }
                ConstraintKind::Check { mentions, .. } => !has(mentions, name),
                ConstraintKind::NotNull(column) => !same(column, name),
                ConstraintKind::Exclude => true,
            });
            relation.indexes.retain(|index| !has(&index.columns, name));
        }
        ActionKind::DropConstraint { name, .. } | ActionKind::DropForeignKey(name) => {
            relation.orphaned_indexes.push(name.clone());
            relation.constraints.retain(|constraint| !same(&constraint.name, name));
        }
        ActionKind::ConvertCharset { charset, collation } => {
            relation.charset.clone_from(charset);
            relation.collation.clone_from(collation);
            for ty in relation.columns.iter_mut().filter_map(|column| column.ty.as_mut()) {
                (ty.charset, ty.collation) = (None, None);
            }
        }
        ActionKind::Engine(engine) => relation.engine = Some(engine.clone()),
        ActionKind::DropPrimaryKey => {
            relation.constraints.retain(|constraint| !matches!(constraint.kind, ConstraintKind::Primary(_)));
        }
        ActionKind::SetType { column, ty, .. } => {
            if let Some(column) = relation.column_mut(column) {
                column.ty = Some(ty.clone());
            }
        }
        ActionKind::SetDefault { column, .. } => {
            if let Some(column) = relation.column_mut(column) {
                column.has_default = true;
            }
        }
        ActionKind::DropDefault(column) => {
            if let Some(column) = relation.column_mut(column) {
                column.has_default = false;
            }
        }
        ActionKind::SetNotNull(column) | ActionKind::DropNotNull(column) => {
            if let Some(column) = relation.column_mut(column) {
                column.not_null = matches!(action, ActionKind::SetNotNull(_));
            }
        }
        ActionKind::RenameColumn { from, to } => rename_column(relation, from, to),
        ActionKind::RenameConstraint { from, to } => {
            for constraint in relation.constraints.iter_mut().filter(|constraint| same(&constraint.name, from)) {
                to.clone_into(&mut constraint.name);
            }
        }
        ActionKind::Validate(name) => {
            let mut column = None;
            for constraint in relation.constraints.iter_mut().filter(|constraint| same(&constraint.name, name)) {
                constraint.validated = Some(at);
                if let ConstraintKind::NotNull(name) = &constraint.kind {
                    column = Some(name.clone());
                }
            }
            if let Some(column) = column.and_then(|column| relation.column_mut(&column)) {
                column.not_null = true;
            }
        }
        ActionKind::Opaque | ActionKind::Partitioning => relation.columns_known = false,
        _ => {}
    }
}
