//! New names of tables, columns, indexes and triggers, also in the objects that refer to them.

use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{Column, Constraint, ConstraintKind, HistoryPoint, Index, Relation, is_same};
use crate::schema::Schema;

/// Renames a table or a view, and moves it to the schema of the new name.
pub fn rename_table(schema: &mut Schema, from: &ObjectName, to: ObjectName, at: HistoryPoint) {
    if schema.relation(from).is_none() {
        schema.move_external(from, to.clone());
    }
    let Some(mut relation) = schema.remove_relation(from) else { return };
    relation.renamed = Some(at);
    let refers_to_it = |other: &Relation| {
        other.reads_from.includes(from)
            || other.inherits.includes(from)
            || other.partition_of.as_ref() == Some(from)
            || other.partitions.includes(from)
            || other.foreign_keys().any(|(_, _, referenced, _)| referenced == from)
    };
    let referring: Vec<ObjectName> =
        schema.referring(from).filter(|(_, other)| refers_to_it(other)).map(|(name, _)| name.clone()).collect();
    for name in referring {
        schema.change(&name, |other| {
            let single = other.partition_of.iter_mut().chain(&mut other.default_partition);
            single.filter(|table| *table == from).for_each(|table| table.clone_from(&to));
            [&mut other.inherits, &mut other.reads_from, &mut other.partitions]
                .into_iter()
                .for_each(|list| list.rename(from, &to));
            let references =
                |constraint: &Constraint| matches!(&constraint.kind, ConstraintKind::Foreign { table, .. } if table == from);
            other.constraints.change_keyed(
                || PartKey::parent(from),
                references,
                |constraint| {
                    if let ConstraintKind::Foreign { table, .. } = &mut constraint.kind {
                        table.clone_from(&to);
                    }
                },
            );
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
        relation.indexes.change_named(from, false, |index| index.name = Some(to.to_owned()));
    });
}

/// Renames a trigger of a table.
pub fn rename_trigger(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    let [from, to] = [from, to].map(|name| schema.in_same_schema(table, name));
    if let Some(references) = schema.take_trigger(&from, table) {
        schema.put_trigger(to, table.clone(), references);
    }
}

/// Renames a column within its table.
pub fn rename_column(relation: &mut Relation, from: &str, to: &str) {
    relation.view_columns = None;
    let case_sensitive = relation.case_sensitive;
    let is_column = |name: &str| is_same(case_sensitive, name, from);
    let rename_in = |names: &mut Vec<String>| {
        names.iter_mut().filter(|name| is_column(name)).for_each(|name| to.clone_into(name));
    };
    // A column that may have the new name does not have it.
    if !is_column(to) {
        relation.columns.remove_named(to, case_sensitive, |column| column.certainty.is_uncertain());
    }
    relation.change_column(from, |column| to.clone_into(&mut column.name));
    let is_any = |names: &[String]| names.iter().any(|name| is_column(name));
    let has_column = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Check { not_null, mentions, .. } => is_any(not_null) || is_any(mentions),
        ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) | ConstraintKind::Foreign { columns, .. } => {
            is_any(columns)
        }
        ConstraintKind::NotNull(column) => is_column(column),
        ConstraintKind::Exclude => false,
    };
    relation.constraints.change_keyed(
        || PartKey::column(from),
        has_column,
        |constraint| match &mut constraint.kind {
            ConstraintKind::Check { not_null, mentions, .. } => {
                rename_in(not_null);
                rename_in(mentions);
            }
            ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) | ConstraintKind::Foreign { columns, .. } => {
                rename_in(columns);
            }
            ConstraintKind::NotNull(column) => to.clone_into(column),
            ConstraintKind::Exclude => {}
        },
    );
    let indexes_column = |index: &Index| is_any(&index.columns) || is_any(&index.mentions);
    relation.indexes.change_keyed(
        || PartKey::column(from),
        indexes_column,
        |index| {
            rename_in(&mut index.columns);
            rename_in(&mut index.mentions);
        },
    );
    let computes = |column: &Column| is_any(&column.computed_from);
    relation.columns.change_keyed(|| PartKey::column(from), computes, |column| rename_in(&mut column.computed_from));
}

/// Renames a referenced column in the foreign keys of other tables.
pub fn rename_in_foreign_keys(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    let children: Vec<ObjectName> = schema.children(table).map(|(child, ..)| child.clone()).collect();
    for child in children {
        schema.change(&child, |child| {
            let is_column = |name: &&String| name.eq_ignore_ascii_case(from);
            let references = |constraint: &Constraint| match &constraint.kind {
                ConstraintKind::Foreign { table: parent, targets, .. } => {
                    parent == table && targets.iter().any(|name| is_column(&name))
                }
                _ => false,
            };
            child.constraints.change_keyed(
                || PartKey::parent(table),
                references,
                |constraint| {
                    if let ConstraintKind::Foreign { targets, .. } = &mut constraint.kind {
                        targets.iter_mut().filter(|name| is_column(&&**name)).for_each(|name| to.clone_into(name));
                    }
                },
            );
        });
    }
}

/// Renames a column in the triggers of its table.
pub fn rename_in_triggers(schema: &mut Schema, table: &ObjectName, from: &str, to: &str) {
    let is_column = |column: &String| column.eq_ignore_ascii_case(from);
    let using = schema.triggers(table).filter(|(_, references)| references.columns.iter().any(is_column));
    let using: Vec<_> = using.map(|(name, references)| (name.clone(), references.clone())).collect();
    for (trigger, mut references) in using {
        references.columns.iter_mut().filter(|column| is_column(column)).for_each(|column| to.clone_into(column));
        schema.put_trigger(trigger, table.clone(), references);
    }
}
