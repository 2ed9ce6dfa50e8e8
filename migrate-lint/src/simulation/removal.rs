//! `DROP`, and what is dropped with an object.

use super::index::drop_index;
use crate::object_name::ObjectName;
use crate::relation::{ConstraintKind, Relation};
use crate::schema::Schema;
use migrate_model::dialect::Dialect;
use migrate_model::syntax::{DropStatement, ObjectKind};

/// `DROP` of objects of one kind.
pub fn drop_objects(schema: &mut Schema, statement: &DropStatement) {
    // It is unknown which columns, triggers and functions CASCADE drops with these.
    let has_unknown_dependents =
        [ObjectKind::Type, ObjectKind::Domain, ObjectKind::Routine, ObjectKind::Sequence, ObjectKind::Extension];
    if statement.cascade && has_unknown_dependents.contains(&statement.kind) {
        schema.set_opaque();
    }
    for name in &statement.names {
        let name = schema.resolve(name);
        match statement.kind {
            ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => {
                drop_relation(schema, &name, statement.cascade);
            }
            ObjectKind::Index => {
                let table = statement.table.as_ref().map(|table| schema.resolve(table));
                if let Some(table) = schema.table_of_index(table.as_ref(), &name).cloned() {
                    drop_index(schema, &table, name.name());
                }
            }
            ObjectKind::Type | ObjectKind::Domain => drop(schema.remove_type(&name)),
            ObjectKind::Schema | ObjectKind::Database => schema.remove_schema(name.name()),
            kind => {
                let table = statement.table.as_ref().filter(|_| schema.dialect() == Dialect::Postgres);
                let table = table.map(|table| schema.resolve(table));
                schema.remove_other(kind, &name, table.as_ref());
            }
        }
    }
}

fn drop_relation(schema: &mut Schema, name: &ObjectName, cascade: bool) {
    if cascade {
        let views: Vec<ObjectName> = schema.views_reading(name).map(|(view, _)| view.clone()).collect();
        views.iter().for_each(|view| drop(schema.remove_relation(view)));
        drop_foreign_keys_to(schema, name);
    }
    schema.take_triggers(name);
    let Some(removed) = schema.remove_relation(name) else { return };
    if let Some(parent) = &removed.partition_of {
        schema.change(parent, |parent| detach(parent, name));
    }
    for partition in removed.partitions {
        schema.remove_relation(&partition);
    }
}

/// Removes the foreign keys of other tables that reference a table.
pub fn drop_foreign_keys_to(schema: &mut Schema, table: &ObjectName) {
    let children: Vec<ObjectName> = schema.children(table).map(|(child, ..)| child.clone()).collect();
    let references_table = |kind: &ConstraintKind| matches!(kind, ConstraintKind::Foreign { table: other, .. } if other == table);
    for child in children {
        schema.change(&child, |child| child.constraints.retain(|constraint| !references_table(&constraint.kind)));
    }
}

/// Removes a partition from a table.
pub fn detach(parent: &mut Relation, partition: &ObjectName) {
    parent.partitions.retain(|other| other != partition);
    if parent.default_partition.as_ref() == Some(partition) {
        parent.default_partition = None;
    }
}
