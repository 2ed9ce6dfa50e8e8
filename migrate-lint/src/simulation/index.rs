//! Indexes that statements create and drop.

use crate::object_name::ObjectName;
use crate::relation::{Certainty, ConstraintKind, HistoryPoint, Index, Relation};
use crate::schema::Schema;
use migrate_model::syntax::CreateIndex;

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

/// Does an index of this name certainly exist?
pub fn has_index(schema: &Schema, index: &CreateIndex) -> bool {
    let table = schema.resolve(&index.table);
    index.name.as_ref().is_some_and(|name| {
        let name = schema.in_same_schema(&table, &name.name);
        let owner = schema.table_of_index(Some(&table), &name).and_then(|owner| schema.known(owner));
        owner.is_some_and(|owner| owner.has_index(name.name()))
    })
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
        .flat_map(|relation| relation.indexes.iter().filter(|index| index.uses(column, relation.case_sensitive)));
    let names: Vec<String> = indexes.filter_map(|index| index.name.clone()).collect();
    names.iter().for_each(|name| schema.unregister_index(table, name));
}

/// MySQL removes a dropped column from its indexes, and drops the indexes that have no other column. (MySQL manual, 15.1.9)
/// Those remain here, and are dropped with the column.
pub fn remove_column_from_indexes(relation: &mut Relation, column: &str) {
    let is_column = |name: &String| name.eq_ignore_ascii_case(column);
    let loses_column = |index: &Index| index.columns.iter().any(is_column) && !index.columns.iter().all(is_column);
    relation.indexes.change_where(loses_column, |index| index.columns.retain(|name| !is_column(name)));
}
