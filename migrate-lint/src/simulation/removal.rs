//! `DROP`, and what is dropped with an object.

use super::index::{drop_index, unregister_indexes_of_column};
use crate::dependents::{self, Part};
use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{ConstraintKind, Relation, is_same};
use crate::schema::Schema;
use migrate_model::syntax::{DropStatement, ObjectKind};

/// `DROP` of objects of one kind.
pub fn drop_objects(schema: &mut Schema, statement: &DropStatement) {
    // It is unknown which defaults, columns and functions CASCADE drops with these.
    let has_unknown_dependents =
        [ObjectKind::Type, ObjectKind::Domain, ObjectKind::Routine, ObjectKind::Sequence, ObjectKind::Extension];
    if statement.cascade && has_unknown_dependents.contains(&statement.kind) {
        schema.set_opaque();
    }
    let named = dependents::named(schema, statement);
    let cascade = statement.cascade && schema.can_cascade();
    drop_parts(schema, &dependents::dropped_with(schema, named, cascade));
    for name in &statement.names {
        drop_object(schema, statement, &schema.resolve(name));
    }
}

fn drop_object(schema: &mut Schema, statement: &DropStatement, name: &ObjectName) {
    match statement.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => drop_relation(schema, name),
        ObjectKind::Index => {
            let table = statement.table.as_ref().map(|table| schema.resolve(table));
            if let Some(table) = schema.table_of_index(table.as_ref(), name).cloned() {
                drop_index(schema, &table, name.name());
            }
        }
        ObjectKind::Type | ObjectKind::Domain => drop(schema.remove_type(name)),
        ObjectKind::Schema | ObjectKind::Database => schema.remove_schema(name.name()),
        ObjectKind::Trigger => schema.drop_trigger(name, statement.table.as_ref()),
        kind => drop(schema.remove_other(kind, name, None)),
    }
}

/// Drops parts of other objects.
pub fn drop_parts(schema: &mut Schema, parts: &[Part]) {
    for part in parts {
        match part {
            Part::Relation(name) => drop_relation(schema, name),
            Part::Column { table, name } => {
                unregister_indexes_of_column(schema, table, name);
                schema.change(table, |relation| drop_column(relation, name));
            }
            Part::Constraint { table, name } => schema.change(table, |relation| drop_constraint(relation, name)),
            Part::Trigger { table, name } => drop(schema.remove_other(ObjectKind::Trigger, name, Some(table))),
            Part::Sequence(name) => drop(schema.remove_other(ObjectKind::Sequence, name, None)),
            Part::Type(name) => drop(schema.remove_type(name)),
            Part::Routine(name) => drop(schema.remove_other(ObjectKind::Routine, name, None)),
        }
    }
}

fn drop_relation(schema: &mut Schema, name: &ObjectName) {
    schema.take_triggers(name);
    let Some(removed) = schema.remove_relation(name) else { return };
    if let Some(parent) = &removed.partition_of {
        schema.change(parent, |parent| detach(parent, name));
    }
}

fn drop_constraint(relation: &mut Relation, name: &str) {
    relation.constraints.remove_named(name, relation.case_sensitive, |_| true);
}

/// Drops a column with the constraints and indexes that contain it.
pub fn drop_column(relation: &mut Relation, name: &str) {
    let case_sensitive = relation.case_sensitive;
    let is_column = |other: &String| is_same(case_sensitive, other, name);
    relation.columns.remove_named(name, case_sensitive, |_| true);
    relation.constraints.remove_keyed(
        || PartKey::column(name),
        |constraint| match &constraint.kind {
            ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) | ConstraintKind::Foreign { columns, .. } => {
                columns.iter().any(is_column)
            }
            ConstraintKind::Check { mentions, .. } => mentions.iter().any(is_column),
            ConstraintKind::NotNull(column) => is_column(column),
            ConstraintKind::Exclude => false,
        },
    );
    relation.indexes.remove_keyed(|| PartKey::column(name), |index| index.uses(name, case_sensitive));
}

/// Removes a partition from a table.
pub fn detach(parent: &mut Relation, partition: &ObjectName) {
    parent.partitions.remove_named(partition.name(), true, |other| other == partition);
    if parent.default_partition.as_ref() == Some(partition) {
        parent.default_partition = None;
    }
}
