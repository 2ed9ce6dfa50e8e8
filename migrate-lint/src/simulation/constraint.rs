//! Constraints that statements add, with the names that the database generates for them.

use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{Certainty, Constraint, ConstraintKind, HistoryPoint, Index, Relation};
use crate::schema::Schema;
use migrate_model::dialect::Dialect;
use migrate_model::syntax;

/// Adds the constraints of a column definition. Returns its foreign key, which the database adds last.
pub fn add_column_constraints(
    schema: &Schema,
    table: &ObjectName,
    relation: &mut Relation,
    column: &syntax::Column,
    at: HistoryPoint,
) -> Option<Constraint> {
    let columns = vec![column.name.clone()];
    let new = |name: String, kind| Constraint {
        name,
        kind,
        validated: Some(at),
        added: at,
        at_column: true,
        certainty: Certainty::Certain,
    };
    if column.primary {
        let name = column.key_name.clone().unwrap_or_else(|| format!("{}_pkey", table.name()));
        relation.constraints.push(new(name, ConstraintKind::Primary(columns.clone())));
    }
    if column.unique {
        let generated = || match schema.dialect() {
            Dialect::MySql => column.name.clone(),
            _ => format!("{}_{}_key", table.name(), column.name),
        };
        let name = column.key_name.clone().unwrap_or_else(generated);
        relation.constraints.push(new(name, ConstraintKind::Unique(columns.clone())));
    }
    for check in &column.checks {
        let generated = || free_name(relation, format!("{}_{}_check", table.name(), column.name));
        let name = check.name.clone().unwrap_or_else(generated);
        relation.constraints.push(new(name, check_of(check)));
    }
    // MySQL ignores `REFERENCES` in a column definition, but MariaDB does not.
    column.references.as_ref().map(|reference| {
        let name = reference.name.clone().unwrap_or_else(|| format!("{}_{}_fkey", table.name(), column.name));
        new(name, foreign_key(schema, columns, reference))
    })
}

/// Adds a table constraint.
pub fn add_constraint(
    schema: &Schema,
    table: &ObjectName,
    relation: &mut Relation,
    constraint: &syntax::Constraint,
    at: HistoryPoint,
) {
    let kind = kind_of(schema, relation, &constraint.kind);
    let used_index = used_index(&constraint.kind).cloned();
    if let Some(index) = &used_index {
        relation.indexes.remove_named(index, true, |_| true);
    }
    set_not_null(relation, &kind, constraint.not_valid);
    let name = constraint.name.clone().or(used_index).unwrap_or_else(|| match schema.dialect() {
        Dialect::MySql => mysql_name(relation, table, &kind),
        _ => free_name(relation, format!("{}_{}", table.name(), name_suffix(relation, &kind))),
    });
    let validated = (!constraint.not_valid).then_some(at);
    relation.constraints.remove_named(&name, true, |other| other.certainty.is_uncertain());
    relation.constraints.push(Constraint { name, kind, validated, added: at, at_column: false, certainty: Certainty::Certain });
}

fn kind_of(schema: &Schema, relation: &Relation, kind: &syntax::ConstraintKind) -> ConstraintKind {
    let columns_of = |columns: &[String], using_index: &Option<String>| {
        let index = using_index.as_ref().and_then(|index| relation.indexes.find(index, true));
        index.map_or_else(|| columns.to_vec(), |index| index.columns.clone())
    };
    match kind {
        syntax::ConstraintKind::Check(check) => check_of(check),
        syntax::ConstraintKind::Unique { columns, using_index } => ConstraintKind::Unique(columns_of(columns, using_index)),
        syntax::ConstraintKind::Primary { columns, using_index } => ConstraintKind::Primary(columns_of(columns, using_index)),
        syntax::ConstraintKind::Foreign { columns, references } => foreign_key(schema, columns.clone(), references),
        syntax::ConstraintKind::Exclude => ConstraintKind::Exclude,
        syntax::ConstraintKind::NotNull { column } => ConstraintKind::NotNull(column.clone()),
    }
}

/// The index of `UNIQUE USING INDEX` and `PRIMARY KEY USING INDEX`.
pub fn used_index(kind: &syntax::ConstraintKind) -> Option<&String> {
    match kind {
        syntax::ConstraintKind::Unique { using_index, .. } | syntax::ConstraintKind::Primary { using_index, .. } => {
            using_index.as_ref()
        }
        _ => None,
    }
}

fn foreign_key(schema: &Schema, columns: Vec<String>, reference: &syntax::Reference) -> ConstraintKind {
    ConstraintKind::Foreign {
        columns,
        table: schema.resolve(&reference.table),
        targets: reference.columns.clone(),
        cascades: reference.on_delete_changes,
    }
}

fn check_of(check: &syntax::Check) -> ConstraintKind {
    ConstraintKind::Check { not_null: check.not_null.clone(), mentions: check.mentions.clone(), literals: check.literals.clone() }
}

/// A primary key makes its columns `NOT NULL`, and so does a `NOT NULL` constraint that is valid.
fn set_not_null(relation: &mut Relation, kind: &ConstraintKind, not_valid: bool) {
    let columns = match kind {
        ConstraintKind::Primary(columns) => columns.as_slice(),
        ConstraintKind::NotNull(column) if !not_valid => std::slice::from_ref(column),
        _ => &[],
    };
    for column in columns {
        relation.change_column(column, |column| column.not_null = true);
    }
}

/// The last part of the name that PostgreSQL generates.
fn name_suffix(relation: &Relation, kind: &ConstraintKind) -> String {
    match kind {
        // The name of the column is included if the condition is about only one.
        ConstraintKind::Check { mentions, .. } => {
            let columns: Vec<&String> = mentions.iter().filter(|word| relation.column(word).is_some()).collect();
            if let [only] = columns.as_slice() { format!("{only}_check") } else { "check".to_owned() }
        }
        ConstraintKind::Unique(columns) => format!("{}_key", columns.join("_")),
        ConstraintKind::Primary(_) => "pkey".to_owned(),
        ConstraintKind::Foreign { columns, .. } => format!("{}_fkey", columns.join("_")),
        ConstraintKind::Exclude => "excl".to_owned(),
        ConstraintKind::NotNull(column) => format!("{column}_not_null"),
    }
}

/// The name that MySQL and MariaDB generate.
fn mysql_name(relation: &Relation, table: &ObjectName, kind: &ConstraintKind) -> String {
    let numbered = |base: String| {
        let name = |number: usize| format!("{base}{number}");
        name(first_free(1, |number| relation.constraint(&name(number)).is_none()))
    };
    match kind {
        ConstraintKind::Unique(columns) => {
            let first = columns.first().cloned().unwrap_or_default();
            let numbered = (2..100).map(|number| format!("{first}_{number}"));
            let is_taken = |name: &String| relation.constraint(name).is_some() || relation.indexes.find(name, true).is_some();
            [first.clone()].into_iter().chain(numbered).find(|name| !is_taken(name)).unwrap_or(first)
        }
        ConstraintKind::Foreign { .. } => numbered(format!("{}_ibfk_", table.name())),
        ConstraintKind::Check { .. } => numbered("CONSTRAINT_".to_owned()),
        _ => "PRIMARY".to_owned(),
    }
}

/// The name that PostgreSQL generates: `base`, with a number appended if a constraint has that name.
pub fn free_name(relation: &Relation, base: String) -> String {
    let name = |number: usize| if number == 0 { base.clone() } else { format!("{base}{number}") };
    name(first_free(0, |number| relation.constraint(&name(number)).is_none()))
}

/// The first free number.
fn first_free(first: usize, is_free: impl Fn(usize) -> bool) -> usize {
    if let Some(number) = (first..FEW_NAMES).find(|number| is_free(*number)) {
        return number;
    }
    // Of many, all numbers up to the first free one are taken. Looking at each would take the square of their number.
    let (mut taken, mut free) = (FEW_NAMES - 1, FEW_NAMES);
    while !is_free(free) {
        (taken, free) = (free, free * 2);
    }
    while free - taken > 1 {
        let middle = taken.midpoint(free);
        if is_free(middle) { free = middle } else { taken = middle }
    }
    free
}

/// How many generated names are looked at one by one.
const FEW_NAMES: usize = 16;

/// On MySQL and MariaDB a unique key is an index, even if it is declared as a constraint.
pub fn move_unique_keys_to_indexes(schema: &mut Schema, table: &ObjectName) {
    if schema.dialect() != Dialect::MySql {
        return;
    }
    let constraints = schema.relation(table).into_iter().flat_map(|relation| relation.constraints.candidates(|| PartKey::Unique));
    let indexes: Vec<Index> = constraints.filter_map(index_of_unique_key).collect();
    if indexes.is_empty() {
        return;
    }
    for name in indexes.iter().filter_map(|index| index.name.as_deref()) {
        schema.register_index(table, name);
    }
    schema.change(table, |relation| {
        relation.constraints.remove_keyed(|| PartKey::Unique, |constraint| matches!(constraint.kind, ConstraintKind::Unique(_)));
        relation.indexes.extend(indexes);
    });
}

fn index_of_unique_key(constraint: &Constraint) -> Option<Index> {
    let ConstraintKind::Unique(columns) = &constraint.kind else { return None };
    Some(Index {
        name: Some(constraint.name.clone()),
        mentions: columns.clone(),
        columns: columns.clone(),
        unique: true,
        fulltext: false,
        partial_or_expression: false,
        created: constraint.added,
        certainty: constraint.certainty,
    })
}
