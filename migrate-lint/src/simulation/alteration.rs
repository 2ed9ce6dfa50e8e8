//! `ALTER TABLE` and `ALTER TYPE`.

use super::constraint::{add_column_constraints, add_constraint, move_unique_keys_to_indexes, used_index};
use super::creation::{add_column, attach, column_of};
use super::index::{add_index, drop_index, remove_column_from_indexes, unregister_indexes_of_column};
use super::removal::{detach, drop_column, drop_parts};
use super::renaming::{rename_column, rename_in_foreign_keys, rename_in_triggers, rename_index, rename_table};
use crate::dependents::{dropped_with, named_in_clause};
use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{Column, Constraint, ConstraintKind, HistoryPoint, Relation};
use crate::schema::{Schema, SchemaObject};
use migrate_model::dialect::Dialect;
use migrate_model::syntax::{self, ActionKind, AlterTable, TypeAction};

/// Changes the schema as `ALTER TYPE` does.
pub fn alter_type(schema: &mut Schema, ty: &ObjectName, action: &TypeAction, at: HistoryPoint) {
    match (schema.ty(ty), action) {
        (Some(SchemaObject::Enum(values)), TypeAction::AddValue { label, .. }) => {
            let mut values = values.clone();
            if values.find(label, true).is_none() {
                values.push((label.clone(), Some(at)));
            }
            schema.put_type(ty.clone(), SchemaObject::Enum(values));
        }
        // No migration created the type, but the value that is added is known.
        (None, TypeAction::AddValue { label, .. }) => {
            schema.put_type(ty.clone(), SchemaObject::Enum([(label.clone(), Some(at))].into_iter().collect()));
        }
        (Some(SchemaObject::Enum(values)), TypeAction::RenameValue { from, to }) => {
            let mut values = values.clone();
            values.change_named(from, true, |(value, _)| value.clone_from(to));
            schema.put_type(ty.clone(), SchemaObject::Enum(values));
        }
        (_, TypeAction::Rename(to)) => schema.move_type(ty, &schema.in_same_schema(ty, to)),
        (_, TypeAction::SetSchema(to)) => schema.move_type(ty, &schema.in_schema(ty, to)),
        _ => {}
    }
}

/// Changes the schema as `ALTER TABLE` does, action by action.
pub fn alter_table(schema: &mut Schema, alter: &AlterTable, at: HistoryPoint) {
    let mut table = schema.resolve(&alter.table);
    for action in &alter.actions {
        if schema.effort().is_exhausted() {
            return;
        }
        let new_name = match &action.kind {
            // PostgreSQL's new name has no schema: the table remains in its schema.
            ActionKind::Rename(to) if to.schema.is_none() => schema.in_same_schema(&table, &to.name),
            ActionKind::Rename(to) => schema.resolve(to),
            ActionKind::SetSchema(to) => schema.in_schema(&table, to),
            kind => {
                apply_action(schema, &table, kind, at);
                continue;
            }
        };
        rename_table(schema, &table, new_name.clone(), at);
        table = new_name;
    }
}

/// Applies an action that does not rename the table.
fn apply_action(schema: &mut Schema, table: &ObjectName, action: &ActionKind, at: HistoryPoint) {
    match action {
        ActionKind::AddIndex(index) => add_index(schema, table, index, at),
        ActionKind::DropIndex(name) => drop_index(schema, table, name),
        ActionKind::RenameIndex { from, to } => rename_index(schema, table, from, to),
        ActionKind::Attach { partition, default, .. } => {
            let partition = schema.resolve(partition);
            // The partition gets the columns that are added to the parent later.
            schema.change(&partition, |partition| {
                partition.partition_of = Some(table.clone());
                partition.columns_known = false;
            });
            schema.change(table, |parent| attach(parent, partition, *default));
        }
        ActionKind::Inherit(parent) => {
            let parent = schema.resolve(parent);
            schema.change(table, |child| {
                child.columns_known = false;
                child.inherits.push(parent);
            });
        }
        ActionKind::Detach { partition, .. } => {
            let partition = schema.resolve(partition);
            schema.change(&partition, |partition| partition.partition_of = None);
            schema.change(table, |parent| detach(parent, &partition));
        }
        ActionKind::AddConstraint(constraint) => add_table_constraint(schema, table, constraint, at),
        ActionKind::AddColumn { column, if_not_exists } => {
            let Some(mut relation) = schema.relation(table).cloned() else { return };
            replace_uncertain_column(&mut relation, &column.name, *if_not_exists);
            let foreign_key = add_column(schema, table, &mut relation, column, Some(at), at);
            relation.constraints.extend(foreign_key);
            schema.put_relation(table.clone(), relation);
            move_unique_keys_to_indexes(schema, table);
        }
        ActionKind::ModifyColumn(column) => redefine_column(schema, table, column, at),
        ActionKind::ChangeColumn { from, column } => {
            rename_in_foreign_keys(schema, table, from, &column.name);
            schema.change(table, |relation| rename_column(relation, from, &column.name));
            redefine_column(schema, table, column, at);
        }
        kind => {
            change_dependents(schema, table, kind);
            schema.change(table, |relation| alter_relation(relation, kind, at));
        }
    }
}

/// A column that may exist does not exist if the statement adds it. With `IF NOT EXISTS`, it has one of two types.
fn replace_uncertain_column(relation: &mut Relation, name: &str, if_not_exists: bool) {
    let is_uncertain = |column: &Column| column.certainty.is_uncertain();
    if !if_not_exists {
        relation.columns.remove_named(name, relation.case_sensitive, is_uncertain);
    } else if relation.columns.has(name, relation.case_sensitive, is_uncertain) {
        relation.change_column(name, |column| column.ty = None);
    }
}

fn add_table_constraint(schema: &mut Schema, table: &ObjectName, constraint: &syntax::Constraint, at: HistoryPoint) {
    let mut relation = schema.known_or_external(table);
    add_constraint(schema, table, &mut relation, constraint, at);
    schema.put_known(table.clone(), relation);
    // The index gets the name of the constraint, and is dropped with it.
    if let Some(index) = used_index(&constraint.kind) {
        schema.unregister_index(table, index);
    }
    move_unique_keys_to_indexes(schema, table);
}

/// MySQL: replaces the definition of a column.
fn redefine_column(schema: &mut Schema, table: &ObjectName, column: &syntax::Column, at: HistoryPoint) {
    let Some(mut relation) = schema.relation(table).cloned() else { return };
    let mut new = column_of(column, schema.dialect(), None);
    let primary_key = relation.primary().unwrap_or_default();
    new.not_null |= primary_key.iter().any(|name| name.eq_ignore_ascii_case(&column.name));
    relation.change_column(&column.name, |old| *old = Column { created: old.created, backfilled: old.backfilled, ..new });
    // A foreign key in the new definition is not added.
    add_column_constraints(schema, table, &mut relation, column, at);
    schema.put_relation(table.clone(), relation);
}

/// Changes the objects that depend on a column or a constraint of a table.
fn change_dependents(schema: &mut Schema, table: &ObjectName, action: &ActionKind) {
    if let Some((part, cascade)) = named_in_clause(table, action) {
        drop_parts(schema, &dropped_with(schema, vec![part], cascade && schema.can_cascade()));
    }
    match action {
        ActionKind::DropColumn { name, .. } => {
            if schema.dialect() == Dialect::MySql {
                schema.change(table, |relation| remove_column_from_indexes(relation, name));
            }
            unregister_indexes_of_column(schema, table, name);
        }
        ActionKind::RenameColumn { from, to } => {
            schema.rename_owning_column(table, from, to);
            rename_in_triggers(schema, table, from, to);
            rename_in_foreign_keys(schema, table, from, to);
            rename_in_descendants(schema, table, from, to);
        }
        _ => {}
    }
}

/// PostgreSQL: renames an inherited column in the tables that have it from this one.
fn rename_in_descendants(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    let mut descendants: Vec<ObjectName> = schema.descendants(table).cloned().collect();
    let mut next = 0;
    while let Some(descendant) = descendants.get(next).cloned()
        && !schema.effort().is_exhausted()
    {
        schema.change(&descendant, |relation| rename_column(relation, from, to));
        let further: Vec<ObjectName> =
            schema.descendants(&descendant).filter(|further| !descendants.contains(further)).cloned().collect();
        descendants.extend(further);
        next += 1;
    }
}

fn alter_relation(relation: &mut Relation, action: &ActionKind, at: HistoryPoint) {
    let case_sensitive = relation.case_sensitive;
    match action {
        ActionKind::DropColumn { name, .. } => drop_column(relation, name),
        ActionKind::DropConstraint { name, .. } | ActionKind::DropForeignKey(name) => {
            relation.orphaned_indexes.push(name.clone());
            relation.constraints.remove_named(name, case_sensitive, |_| true);
        }
        ActionKind::ConvertCharset { charset, collation } => {
            relation.charset.clone_from(charset);
            relation.collation.clone_from(collation);
            let has_text = |column: &Column| column.ty.as_ref().is_some_and(|ty| ty.charset.is_some() || ty.collation.is_some());
            relation.columns.change_where(has_text, |column| {
                column.ty = column.ty.take().map(|ty| syntax::Type { charset: None, collation: None, ..ty });
            });
        }
        ActionKind::Engine(engine) => relation.engine = Some(engine.clone()),
        ActionKind::DropPrimaryKey => {
            let is_primary = |constraint: &Constraint| matches!(constraint.kind, ConstraintKind::Primary(_));
            relation.constraints.remove_keyed(|| PartKey::Primary, is_primary);
        }
        ActionKind::SetType { column, .. }
        | ActionKind::SetDefault { column, .. }
        | ActionKind::DropDefault(column)
        | ActionKind::SetNotNull(column)
        | ActionKind::DropNotNull(column) => alter_column(relation, column, action),
        ActionKind::RenameColumn { from, to } => rename_column(relation, from, to),
        ActionKind::RenameConstraint { from, to } => {
            relation.constraints.change_named(from, case_sensitive, |constraint| to.clone_into(&mut constraint.name));
        }
        ActionKind::Validate(name) => validate(relation, name, at),
        ActionKind::Opaque | ActionKind::Partitioning => relation.columns_known = false,
        _ => {}
    }
}

fn alter_column(relation: &mut Relation, name: &str, action: &ActionKind) {
    relation.change_column(name, |column| match action {
        ActionKind::SetType { ty, .. } => column.ty = Some(ty.clone()),
        ActionKind::SetDefault { .. } => column.has_default = true,
        ActionKind::DropDefault(_) => column.has_default = false,
        ActionKind::SetNotNull(_) => column.not_null = true,
        ActionKind::DropNotNull(_) => column.not_null = false,
        _ => {}
    });
}

/// `VALIDATE CONSTRAINT`; the column of a `NOT NULL` constraint becomes `NOT NULL`.
fn validate(relation: &mut Relation, name: &str, at: HistoryPoint) {
    let mut not_null = None;
    relation.constraints.change_named(name, relation.case_sensitive, |constraint| {
        constraint.validated = Some(at);
        if let ConstraintKind::NotNull(column) = &constraint.kind {
            not_null = Some(column.clone());
        }
    });
    if let Some(column) = not_null {
        relation.change_column(&column, |column| column.not_null = true);
    }
}
