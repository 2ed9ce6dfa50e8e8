//! `CREATE TABLE` and `CREATE VIEW`, and the columns of tables.

use super::constraint::{add_column_constraints, add_constraint, free_name, move_unique_keys_to_indexes};
use super::index::add_index;
use crate::effort;
use crate::object_name::ObjectName;
use crate::relation::{Certainty, Column, Constraint, ConstraintKind, HistoryPoint, Index, Relation, RelationKind};
use crate::schema::Schema;
use crate::uncertainty::join_relations;
use migrate_model::dialect::Dialect;
use migrate_model::syntax::{self, CreateTable, CreateView, Generated, Like, Type};
use std::sync::Arc;

/// Changes the schema as `CREATE TABLE` does.
pub fn create_table(schema: &mut Schema, table: &CreateTable, at: HistoryPoint) {
    let Some(written_name) = &table.name else { return };
    let name = if table.temporary { schema.resolve(written_name) } else { schema.resolve_new(written_name) };
    // With `IF NOT EXISTS` the statement has no effect on an existing table, and without it fails.
    let existing = schema.relation(&name).filter(|_| !table.or_replace && !table.temporary).cloned();
    if existing.as_ref().is_some_and(|existing| !existing.certainty.is_uncertain()) {
        return;
    }
    let mut relation = new_table(schema, table, written_name.to_string(), at);
    let mut foreign_keys: Vec<Constraint> = Vec::new();
    for column in &table.columns {
        foreign_keys.extend(add_column(schema, &name, &mut relation, column, None, at));
    }
    for constraint in &table.constraints {
        add_constraint(schema, &name, &mut relation, constraint, at);
    }
    relation.constraints.extend(foreign_keys);
    relation.copied_from = table.like.first().filter(|_| table.inherits.is_empty()).map(|like| schema.resolve(&like.table));
    relation.inherits = table.inherits.iter().map(|parent| schema.resolve(parent)).collect();
    for like in &table.like {
        if schema.effort().is_exhausted() {
            relation.columns_known = false;
            break;
        }
        if let Some(source) = schema.relation(&schema.resolve(&like.table)) {
            schema.effort().spend(effort::COPY * (source.columns.len() + source.constraints.len() + source.indexes.len()));
            copy_definition(schema.dialect(), &name, &mut relation, source, like, at);
            relation.columns_known = source.columns_known && !table.opaque;
        }
    }
    if let Some(parent) = &table.partition_of {
        let parent = schema.resolve(parent);
        if let Some(parent) = schema.relation(&parent) {
            relation.columns.clone_from(&parent.columns);
        }
        relation.partition_of = Some(parent.clone());
        let (partition, is_default) = (name.clone(), table.default_partition);
        schema.change(&parent, |parent| attach(parent, partition, is_default));
    }
    if table.temporary {
        schema.put_temporary(written_name, relation);
        return;
    }
    let index_names: Vec<String> = relation.indexes.iter().filter_map(|index| index.name.clone()).collect();
    // With `IF NOT EXISTS`, a table that may exist keeps its definition if it does.
    let relation = match existing.filter(|_| table.if_not_exists) {
        Some(existing) => join_relations(&existing, &relation),
        None => relation,
    };
    schema.put_relation(name.clone(), relation);
    index_names.iter().for_each(|index| schema.register_index(&name, index));
    move_unique_keys_to_indexes(schema, &name);
    for index in &table.indexes {
        add_index(schema, &name, index, at);
    }
}

/// A table without columns, with the options of the statement.
fn new_table(schema: &Schema, table: &CreateTable, written_name: String, at: HistoryPoint) -> Relation {
    let has_all_columns = !table.opaque && !table.as_query && table.like.is_empty() && table.partition_of.is_none();
    Relation {
        case_sensitive: schema.is_case_sensitive(),
        may_predate_history: table.if_not_exists,
        columns_known: has_all_columns,
        has_rows: table.as_query,
        from_query: table.as_query,
        partitioned: table.partitioned,
        charset: table.charset.clone(),
        collation: table.collation.clone(),
        engine: table.engine.clone(),
        compressed: table.compressed,
        partition_key: table.partition_key.clone(),
        ..Relation::new(RelationKind::Table, written_name, at)
    }
}

/// `LIKE`: copies everything except foreign keys. PostgreSQL generates new names for keys and indexes.
fn copy_definition(
    dialect: Dialect,
    table: &ObjectName,
    relation: &mut Relation,
    source: &Relation,
    like: &Like,
    at: HistoryPoint,
) {
    let new_columns: Vec<Column> =
        source.columns.iter().filter(|column| relation.column(&column.name).is_none()).cloned().collect();
    relation.columns.extend(new_columns.into_iter().map(|column| Column {
        has_default: column.has_default && like.defaults,
        auto_increments: column.auto_increments && like.defaults,
        created: None,
        backfilled: None,
        ..column
    }));
    for constraint in source.constraints.iter() {
        let name = match &constraint.kind {
            ConstraintKind::Check { .. } if like.checks => constraint.name.clone(),
            ConstraintKind::Primary(_) if like.indexes => free_name(relation, format!("{}_pkey", table.name())),
            ConstraintKind::Unique(columns) if like.indexes => {
                free_name(relation, format!("{}_{}_key", table.name(), columns.join("_")))
            }
            ConstraintKind::NotNull(_) => constraint.name.clone(),
            _ => continue,
        };
        let kind = constraint.kind.clone();
        relation.constraints.push(Constraint {
            name,
            kind,
            validated: Some(at),
            added: at,
            at_column: false,
            certainty: Certainty::Certain,
        });
    }
    for index in source.indexes.iter().filter(|_| like.indexes) {
        let name = index.name.clone().filter(|_| dialect == Dialect::MySql);
        relation.indexes.push(Index { name, created: at, ..index.clone() });
    }
}

/// Adds a partition to a table.
pub fn attach(parent: &mut Relation, partition: ObjectName, is_default: bool) {
    if is_default {
        parent.default_partition = Some(partition.clone());
    }
    parent.partitioned = true;
    parent.partitions.push(partition);
}

/// The integer type that a serial type of PostgreSQL stands for.
fn serial_type(ty: &Type) -> Option<Type> {
    let name = match ty.name.as_str() {
        "serial" => "int",
        "bigserial" => "bigint",
        "smallserial" => "smallint",
        _ => return None,
    };
    Some(Type { name: name.to_owned(), ..Type::default() })
}

/// The column that a definition creates.
pub fn column_of(column: &syntax::Column, dialect: Dialect, created: Option<HistoryPoint>) -> Column {
    let serial = column.ty.as_ref().filter(|_| dialect == Dialect::Postgres).and_then(serial_type);
    let is_serial = serial.is_some();
    Column {
        name: column.name.clone(),
        ty: serial.or_else(|| column.ty.clone()),
        not_null: column.not_null || is_serial || column.primary,
        has_default: column.default.is_some() || is_serial || column.identity,
        auto_increments: is_serial || column.identity,
        on_update: column.on_update,
        is_virtual: matches!(column.generated, Some(Generated::Virtual | Generated::Unsaid)),
        generated: column.generated.is_some(),
        computed_from: column.computed_from.clone(),
        created,
        backfilled: None,
        certainty: Certainty::Certain,
    }
}

/// Adds a column with its constraints, unless the table has it. Returns its foreign key, which the database adds last.
pub fn add_column(
    schema: &Schema,
    table: &ObjectName,
    relation: &mut Relation,
    column: &syntax::Column,
    created: Option<HistoryPoint>,
    at: HistoryPoint,
) -> Option<Constraint> {
    if relation.column(&column.name).is_some() {
        return None;
    }
    relation.columns.push(column_of(column, schema.dialect(), created));
    add_column_constraints(schema, table, relation, column, at)
}

/// Changes the schema as `CREATE VIEW` does.
pub fn create_view(schema: &mut Schema, view: &CreateView, at: HistoryPoint) {
    let kind = if view.materialized { RelationKind::MaterializedView } else { RelationKind::View };
    let mut relation = Relation::new(kind, view.name.to_string(), at);
    relation.case_sensitive = schema.is_case_sensitive();
    relation.columns_known = false;
    relation.reads_from = view.reads.iter().map(|name| schema.resolve(name)).collect();
    relation.possible_columns = Arc::new(view.uses.iter().cloned().collect());
    relation.view_columns = view.output_is_complete.then(|| view.output.as_slice().into());
    schema.put_relation(schema.resolve_new(&view.name), relation);
}
