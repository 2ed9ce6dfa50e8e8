//! What a way up and its way down together leave behind.

use crate::object_name::ObjectName;
use crate::relation::{Column, Constraint, Index, Relation, RelationKind};
use crate::schema::{Schema, SchemaDifference, SchemaObject};
use std::collections::BTreeSet;

/// A difference in words. How rows came and went is not compared; and labels of a type cannot be taken away, which is said
/// elsewhere.
pub fn leftover(difference: &SchemaDifference<'_>, schema: &Schema) -> Option<String> {
    let name = difference.name;
    match (difference.before, difference.after) {
        (None, Some(after)) => Some(format!("{} `{name}` is still there", kind(difference, after))),
        (Some(before), None) => Some(format!("{} `{name}` does not come back", kind(difference, before))),
        (Some(SchemaObject::Relation(before)), Some(SchemaObject::Relation(after))) if before.kind != RelationKind::Table => {
            query(&name.to_string(), before, after, schema)
        }
        (Some(SchemaObject::Relation(before)), Some(SchemaObject::Relation(after)))
            if before.columns_known && after.columns_known =>
        {
            let name = name.to_string();
            let left = columns(&name, before, after).into_iter().chain(constraints(&name, before, after));
            let left: Vec<String> = left.chain(indexes(&name, before, after)).collect();
            (!left.is_empty()).then(|| left.join("; "))
        }
        _ => None,
    }
}

fn kind(difference: &SchemaDifference<'_>, thing: &SchemaObject) -> &'static str {
    match thing {
        SchemaObject::Relation(relation) => match relation.kind {
            RelationKind::Table => "table",
            RelationKind::View => "view",
            RelationKind::MaterializedView => "materialized view",
        },
        _ => difference.kind,
    }
}

fn columns(table: &str, before: &Relation, after: &Relation) -> Vec<String> {
    let mut left: Vec<String> =
        after.columns.iter().filter_map(|column| changed(table, before.column(&column.name), column)).collect();
    let gone = before.columns.iter().filter(|column| after.column(&column.name).is_none());
    left.extend(gone.map(|column| format!("column `{table}.{}` does not come back", column.name)));
    left
}

fn changed(table: &str, before: Option<&Column>, after: &Column) -> Option<String> {
    let name = &after.name;
    let shown = |column: &Column| column.ty.as_ref().map_or("no type".to_owned(), ToString::to_string);
    let takes = |column: &Column| if column.not_null { "refuses null" } else { "takes null" };
    match before {
        None => Some(format!("column `{table}.{name}` is still there")),
        Some(before) if before.ty != after.ty => {
            Some(format!("column `{table}.{name}` is {} and was {}", shown(after), shown(before)))
        }
        Some(before) if before.not_null != after.not_null => {
            Some(format!("column `{table}.{name}` {} and before {}", takes(after), takes(before)))
        }
        Some(before) if before.has_default != after.has_default => {
            let (now, then) = if after.has_default { ("a", "none") } else { ("no", "one") };
            Some(format!("column `{table}.{name}` has {now} default and before had {then}"))
        }
        Some(_) => None,
    }
}

fn constraints(table: &str, before: &Relation, after: &Relation) -> Vec<String> {
    // Where the database makes a name up, what counts is what the constraint demands.
    let has = |relation: &Relation, own: &Constraint| {
        relation.constraint(&own.name).is_some() || relation.constraints.iter().any(|other| other.kind == own.kind)
    };
    let gone = before.constraints.iter().filter(|own| !has(after, own));
    let stayed = after.constraints.iter().filter(|own| !has(before, own));
    let gone = gone.map(|own| format!("constraint `{}` of `{table}` does not come back", own.name));
    let other = |own: &&Constraint| before.constraint(&own.name).is_some_and(|before| before.kind != own.kind);
    let others = after.constraints.iter().filter(other);
    let others = others.map(|own| format!("constraint `{}` of `{table}` is not what it was", own.name));
    gone.chain(others).chain(stayed.map(|own| format!("constraint `{}` of `{table}` is still there", own.name))).collect()
}

/// Indexes that come back as others. Those that do not are things of their own.
fn indexes(table: &str, before: &Relation, after: &Relation) -> Vec<String> {
    let same = |one: &Index, other: &Index| {
        let words = |index: &Index| index.mentions.iter().cloned().collect::<BTreeSet<String>>();
        one.columns == other.columns
            && one.unique == other.unique
            && one.partial_or_expression == other.partial_or_expression
            && words(one) == words(other)
    };
    let named = |name: &Option<String>| before.indexes.iter().find(|index| index.name == *name && name.is_some());
    let others = after.indexes.iter().filter(|own| named(&own.name).is_some_and(|before| !same(before, own)));
    others.filter_map(|own| Some(format!("index `{}` of `{table}` is not what it was", own.name.as_ref()?))).collect()
}

/// A view that comes back and shows something else.
fn query(name: &str, before: &Relation, after: &Relation, schema: &Schema) -> Option<String> {
    let read: Vec<&Relation> =
        before.reads_from.iter().chain(&after.reads_from).filter_map(|table| schema.relation(table)).collect();
    let is_column = |word: &&String| *word == "*" || read.iter().any(|relation| relation.column(word).is_some());
    let columns = |relation: &Relation| relation.possible_columns.iter().filter(is_column).cloned().collect::<BTreeSet<String>>();
    let tables = |relation: &Relation| relation.reads_from.iter().cloned().collect::<BTreeSet<ObjectName>>();
    let other = tables(before) != tables(after) || columns(before) != columns(after);
    other.then(|| format!("view `{name}` does not show what it did"))
}
