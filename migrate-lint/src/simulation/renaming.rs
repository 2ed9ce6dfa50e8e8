//! New names of tables, columns, indexes and triggers, also in the objects that refer to them.

use super::index::has_name;
use crate::object_name::ObjectName;
use crate::relation::{ConstraintKind, HistoryPoint, Relation, is_same};
use crate::schema::Schema;

/// Renames a table or a view, and moves it to the schema of the new name.
pub fn rename_table(schema: &mut Schema, from: &ObjectName, to: ObjectName, at: HistoryPoint) {
    if schema.relation(from).is_none() {
        schema.move_external(from, to.clone());
    }
    let Some(mut relation) = schema.remove_relation(from) else { return };
    relation.renamed = Some(at);
    let refers_to_it = |other: &Relation| {
        other.reads_from.contains(from)
            || other.inherits.contains(from)
            || other.partition_of.as_ref() == Some(from)
            || other.partitions.contains(from)
            || other.foreign_keys().any(|(_, _, referenced, _)| referenced == from)
    };
    let referring: Vec<ObjectName> =
        schema.relations().filter(|(_, other)| refers_to_it(other)).map(|(name, _)| name.clone()).collect();
    for name in referring {
        schema.change(&name, |other| {
            let lists = other.inherits.iter_mut().chain(&mut other.reads_from).chain(&mut other.partitions);
            let single = other.partition_of.iter_mut().chain(&mut other.default_partition);
            lists.chain(single).filter(|table| *table == from).for_each(|table| table.clone_from(&to));
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
    schema.rename_owning_table(from, &to);
    schema.rename_in_all_triggers(from, &to);
    for (trigger, references) in schema.take_triggers(from) {
        schema.put_trigger(schema.in_same_schema(&to, trigger.name()), to.clone(), references);
    }
    schema.put_relation(to, relation);
}

/// Renames an index of a table.
pub fn rename_index(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    schema.unregister_index(table, from);
    schema.register_index(table, to);
    schema.change(table, |relation| {
        for index in relation.indexes.iter_mut().filter(|index| has_name(index, from)) {
            index.name = Some(to.to_owned());
        }
    });
}

/// Renames a trigger of a table.
pub fn rename_trigger(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    for (trigger, references) in schema.take_triggers(table) {
        let name = if trigger.name() == from { schema.in_same_schema(&trigger, to) } else { trigger };
        schema.put_trigger(name, table.clone(), references);
    }
}

/// Renames a column within its table.
pub fn rename_column(relation: &mut Relation, from: &str, to: &str) {
    let case_sensitive = relation.case_sensitive;
    let is_column = |name: &str| is_same(case_sensitive, name, from);
    let rename_in = |names: &mut Vec<String>| {
        names.iter_mut().filter(|name| is_column(name)).for_each(|name| to.clone_into(name));
    };
    // A column that may have the new name does not have it.
    relation
        .columns
        .retain(|column| !(column.certainty.is_uncertain() && is_same(case_sensitive, &column.name, to)) || is_column(to));
    if let Some(column) = relation.column_mut(from) {
        to.clone_into(&mut column.name);
    }
    for constraint in &mut relation.constraints {
        match &mut constraint.kind {
            ConstraintKind::Check { not_null, mentions, .. } => {
                rename_in(not_null);
                rename_in(mentions);
            }
            ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) | ConstraintKind::Foreign { columns, .. } => {
                rename_in(columns);
            }
            ConstraintKind::NotNull(column) if is_column(column) => to.clone_into(column),
            ConstraintKind::NotNull(_) | ConstraintKind::Exclude => {}
        }
    }
    relation.indexes.iter_mut().for_each(|index| {
        rename_in(&mut index.columns);
        rename_in(&mut index.mentions);
    });
    relation.columns.iter_mut().for_each(|column| rename_in(&mut column.computed_from));
}

/// Renames a referenced column in the foreign keys of other tables.
pub fn rename_in_foreign_keys(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
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

/// Renames a column in the triggers of its table.
pub fn rename_in_triggers(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    for (trigger, mut references) in schema.take_triggers(table) {
        let columns = references.columns.iter_mut();
        columns.filter(|column| column.eq_ignore_ascii_case(from)).for_each(|column| to.clone_into(column));
        schema.put_trigger(trigger, table.clone(), references);
    }
}
