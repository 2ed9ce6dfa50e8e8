//! The differences that remain in the schema after an up migration and its down migration.

use crate::object_name::ObjectName;
use crate::relation::{Column, Constraint, Index, Relation, RelationKind};
use crate::schema::{Schema, SchemaDifference, SchemaObject};
use std::collections::BTreeSet;

/// A difference as a message; `None` if it is acceptable. Rows are not compared. Added values of an enumerated type cannot be
/// removed, which the rule `enum-add-value-down` reports.
pub fn leftover(difference: &SchemaDifference<'_>, schema: &Schema) -> Option<String> {
    let name = difference.name;
    match (difference.before, difference.after) {
        (None, Some(after)) => Some(format!("{} `{name}` remains", kind(difference, after))),
        (Some(before), None) => Some(format!("{} `{name}` is not restored", kind(difference, before))),
        (Some(SchemaObject::Relation(before)), Some(SchemaObject::Relation(after))) if before.kind != RelationKind::Table => {
            view_difference(name, before, after, schema)
        }
        (Some(SchemaObject::Relation(before)), Some(SchemaObject::Relation(after)))
            if before.columns_known && after.columns_known =>
        {
            let table = name.to_string();
            let mut differences = column_differences(&table, before, after);
            differences.extend(constraint_differences(&table, before, after));
            differences.extend(index_differences(&table, before, after));
            (!differences.is_empty()).then(|| differences.join("; "))
        }
        _ => None,
    }
}

fn kind(difference: &SchemaDifference<'_>, object: &SchemaObject) -> &'static str {
    match object {
        SchemaObject::Relation(relation) => match relation.kind {
            RelationKind::Table => "table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
        },
        _ => difference.kind,
    }
}

fn column_differences(table: &str, before: &Relation, after: &Relation) -> Vec<String> {
    let remaining = after.columns.iter();
    let changed = remaining.filter_map(|column| column_difference(table, before.column(&column.name), column));
    let dropped = before.columns.iter().filter(|column| after.column(&column.name).is_none());
    changed.chain(dropped.map(|column| format!("column `{table}.{}` is not restored", column.name))).collect()
}

fn column_difference(table: &str, before: Option<&Column>, after: &Column) -> Option<String> {
    let column = format!("column `{table}.{}`", after.name);
    let Some(before) = before else { return Some(format!("{column} remains")) };
    let type_of = |column: &Column| column.ty.as_ref().map_or("no type".to_owned(), |ty| format!("type {ty}"));
    if before.ty != after.ty {
        Some(format!("{column} has {}, but had {} before", type_of(after), type_of(before)))
    } else if before.not_null != after.not_null {
        let (now, earlier) = if after.not_null { ("is NOT NULL", "allowed NULL") } else { ("allows NULL", "was NOT NULL") };
        Some(format!("{column} {now}, but {earlier} before"))
    } else if before.has_default != after.has_default {
        let (now, earlier) = if after.has_default { ("a default", "none") } else { ("no default", "one") };
        Some(format!("{column} has {now}, but had {earlier} before"))
    } else {
        None
    }
}

fn constraint_differences(table: &str, before: &Relation, after: &Relation) -> Vec<String> {
    // Two constraints with generated names are the same if they require the same.
    let has = |relation: &Relation, constraint: &Constraint| {
        relation.constraint(&constraint.name).is_some() || relation.constraints.iter().any(|other| other.kind == constraint.kind)
    };
    let is_changed =
        |constraint: &&Constraint| before.constraint(&constraint.name).is_some_and(|original| original.kind != constraint.kind);
    let message =
        |effect: &'static str| move |constraint: &Constraint| format!("constraint `{}` of `{table}` {effect}", constraint.name);
    let dropped = before.constraints.iter().filter(|constraint| !has(after, constraint)).map(message("is not restored"));
    let changed = after.constraints.iter().filter(is_changed).map(message("differs from the original"));
    let remaining = after.constraints.iter().filter(|constraint| !has(before, constraint)).map(message("remains"));
    dropped.chain(changed).chain(remaining).collect()
}

/// Indexes that are restored with another definition. An index that is not restored is a difference of its own.
fn index_differences(table: &str, before: &Relation, after: &Relation) -> Vec<String> {
    let is_same = |index: &Index, other: &Index| {
        let words = |index: &Index| index.mentions.iter().cloned().collect::<BTreeSet<String>>();
        index.columns == other.columns
            && index.unique == other.unique
            && index.partial_or_expression == other.partial_or_expression
            && words(index) == words(other)
    };
    let differences = after.indexes.iter().filter_map(|index| {
        let name = index.name.as_ref()?;
        let original = before.indexes.iter().find(|original| original.name.as_ref() == Some(name))?;
        (!is_same(original, index)).then(|| format!("index `{name}` of `{table}` differs from the original"))
    });
    differences.collect()
}

/// A view that is restored with another query.
fn view_difference(name: &ObjectName, before: &Relation, after: &Relation, schema: &Schema) -> Option<String> {
    let tables_read = before.reads_from.iter().chain(&after.reads_from);
    let relations: Vec<&Relation> = tables_read.filter_map(|table| schema.relation(table)).collect();
    let is_column = |word: &&String| *word == "*" || relations.iter().any(|relation| relation.column(word).is_some());
    let columns = |view: &Relation| view.possible_columns.iter().filter(is_column).cloned().collect::<BTreeSet<String>>();
    let tables = |view: &Relation| view.reads_from.iter().cloned().collect::<BTreeSet<ObjectName>>();
    let differs = tables(before) != tables(after) || columns(before) != columns(after);
    differs.then(|| format!("view `{name}` differs from the original"))
}
