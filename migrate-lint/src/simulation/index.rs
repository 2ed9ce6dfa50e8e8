//! Indexes that statements create and drop.

use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{Certainty, Constraint, ConstraintKind, HistoryPoint, Index, Relation};
use crate::schema::Schema;
use migrate_model::syntax::{CreateIndex, ObjectKind};

/// `CREATE INDEX`.
pub fn create_index(schema: &mut Schema, index: &CreateIndex, at: HistoryPoint) {
    let table = schema.resolve(&index.table);
    if let Some(name) = index.name.as_ref().filter(|_| index.or_replace) {
        drop_index(schema, &table, &name.name);
    }
    if !(index.if_not_exists && has_index(schema, index)) {
        add_index(schema, &table, index, at);
    }
}

/// Does an index of this name certainly exist, or on PostgreSQL another object that an index shares its names with?
pub fn has_index(schema: &Schema, index: &CreateIndex) -> bool {
    name_holder(schema, index).is_some()
}

/// What certainly has the name of an index, for messages: an index, also that of a key, and on PostgreSQL a table, a view or a
/// sequence.
pub fn name_holder(schema: &Schema, index: &CreateIndex) -> Option<String> {
    let table = schema.resolve(&index.table);
    let name = schema.in_same_schema(&table, &index.name.as_ref()?.name);
    let owner = schema.table_of_index(Some(&table), &name);
    if let Some(owner) = owner.filter(|owner| schema.known(owner).is_some_and(|relation| relation.has_index(name.name()))) {
        return Some(format!("index `{name}` already exists on `{owner}`"));
    }
    if !schema.shares_names_with_indexes() {
        return None;
    }
    let is_key = |constraint: &Constraint| {
        matches!(constraint.kind, ConstraintKind::Primary(_) | ConstraintKind::Unique(_) | ConstraintKind::Exclude)
            && !constraint.certainty.is_uncertain()
    };
    // A table that existed before may have other keys.
    let is_certain = |relation: &&Relation| !relation.certainty.is_uncertain() && !relation.may_predate_history;
    let relation = schema.known(&table).filter(is_certain);
    if relation.and_then(|relation| relation.constraint(name.name())).is_some_and(is_key) {
        return Some(format!("index `{name}` already exists on `{table}`, as the index of a constraint"));
    }
    let exists = schema.relation(&name).is_some_and(|relation| !relation.certainty.is_uncertain())
        || schema.has(ObjectKind::Sequence, &name, None);
    exists.then(|| format!("`{name}` already exists"))
}

/// Adds an index to a table.
pub fn add_index(schema: &mut Schema, table: &ObjectName, index: &CreateIndex, at: HistoryPoint) {
    let name = index.name.as_ref().map(|name| name.name.clone());
    if let Some(name) = &name {
        schema.register_index(table, name);
    }
    let new = Index {
        name,
        columns: index.columns.clone(),
        unique: index.unique,
        fulltext: index.fulltext,
        partial_or_expression: index.expressions || index.partial || index.special,
        mentions: index.mentions.clone(),
        created: at,
        certainty: Certainty::Certain,
    };
    let mut relation = schema.known_or_external(table);
    if let Some(name) = &new.name {
        relation.indexes.remove_named(name, true, |index| index.certainty.is_uncertain());
    }
    relation.indexes.push(new);
    schema.put_known(table.clone(), relation);
}

/// Removes an index; on MySQL also a unique key, which is an index.
pub fn drop_index(schema: &mut Schema, table: &ObjectName, name: &str) {
    schema.unregister_index(table, name);
    schema.change(table, |relation| {
        relation.indexes.remove_named(name, false, |_| true);
        relation.constraints.remove_named(name, false, |constraint| matches!(constraint.kind, ConstraintKind::Unique(_)));
    });
}

/// Removes the names of the indexes that contain a column; they are dropped with it.
pub fn unregister_indexes_of_column(schema: &mut Schema, table: &ObjectName, column: &str) {
    let indexes = schema
        .relation(table)
        .into_iter()
        .flat_map(|relation| relation.indexes_with(column).filter(|index| index.uses(column, relation.case_sensitive)));
    let names: Vec<String> = indexes.filter_map(|index| index.name.clone()).collect();
    names.iter().for_each(|name| schema.unregister_index(table, name));
}

/// MySQL removes a dropped column from its indexes, and drops the indexes that have no other column. (MySQL manual, 15.1.9)
/// Those remain here, and are dropped with the column.
pub fn remove_column_from_indexes(relation: &mut Relation, column: &str) {
    let is_column = |name: &String| name.eq_ignore_ascii_case(column);
    let loses_column = |index: &Index| index.columns.iter().any(is_column) && !index.columns.iter().all(is_column);
    relation.indexes.change_keyed(
        || PartKey::column(column),
        loses_column,
        |index| index.columns.retain(|name| !is_column(name)),
    );
}
