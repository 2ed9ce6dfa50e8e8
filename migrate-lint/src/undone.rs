//! What a way up and its way down together leave behind.

use crate::schema::{Column, Constraint, Difference, Relation, RelationKind, Thing};

/// A difference in words. How rows came and went is not compared; and labels of a type cannot be taken away, which is said
/// elsewhere.
pub fn left(difference: &Difference<'_>) -> Option<String> {
    let name = difference.key;
    match (difference.before, difference.after) {
        (None, Some(after)) => Some(format!("{} `{name}` is still there", kind(difference, after))),
        (Some(before), None) => Some(format!("{} `{name}` does not come back", kind(difference, before))),
        (Some(Thing::Relation(before)), Some(Thing::Relation(after))) if before.complete && after.complete => {
            let name = name.to_string();
            let left: Vec<String> = columns(&name, before, after).into_iter().chain(constraints(&name, before, after)).collect();
            (!left.is_empty()).then(|| left.join("; "))
        }
        _ => None,
    }
}

fn kind(difference: &Difference<'_>, thing: &Thing) -> &'static str {
    match thing {
        Thing::Relation(relation) => match relation.kind {
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
    gone.chain(stayed.map(|own| format!("constraint `{}` of `{table}` is still there", own.name))).collect()
}
