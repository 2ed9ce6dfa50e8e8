//! What is dropped with an object: the parts that belong to it, and with `CASCADE` also the objects that depend on it.
//!
//! Source: PostgreSQL 15 manual, 5.14 "Dependency Tracking", and DROP TABLE; compared with a server in `tests/suite/proof.rs`.
//! Defaults, functions and policies are unknown to the schema, and so is what depends on them.

use crate::object_name::ObjectName;
use crate::parts::PartKey;
use crate::relation::{Constraint, ConstraintKind, Relation};
use crate::schema::Schema;
use migrate_model::syntax::{ActionKind, DropStatement, ObjectKind, Syntax};
use std::collections::BTreeSet;

/// Something that a statement drops.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A table or a view.
    Relation(ObjectName),
    Column {
        table: ObjectName,
        name: String,
    },
    Constraint {
        table: ObjectName,
        name: String,
    },
    Trigger {
        table: ObjectName,
        name: ObjectName,
    },
    Sequence(ObjectName),
    /// A type or a domain.
    Type(ObjectName),
    Routine(ObjectName),
}

impl Part {
    /// The table or view that is locked because the part is dropped.
    pub fn locked_table(&self) -> Option<&ObjectName> {
        match self {
            Part::Relation(table) | Part::Column { table, .. } | Part::Constraint { table, .. } | Part::Trigger { table, .. } => {
                Some(table)
            }
            Part::Sequence(_) | Part::Type(_) | Part::Routine(_) => None,
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Part::Relation(name) => write!(f, "`{name}`"),
            Part::Column { table, name } => write!(f, "column `{table}.{name}`"),
            Part::Constraint { table, name } => write!(f, "constraint `{name}` of `{table}`"),
            Part::Trigger { table, name } => write!(f, "trigger `{name}` of `{table}`"),
            Part::Sequence(name) => write!(f, "sequence `{name}`"),
            Part::Type(name) => write!(f, "type `{name}`"),
            Part::Routine(name) => write!(f, "function `{name}`"),
        }
    }
}

/// The parts that a `DROP` names; those in a schema for `DROP SCHEMA`.
pub fn named(schema: &Schema, statement: &DropStatement) -> Vec<Part> {
    let part = |name| match statement.kind {
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView => Some(Part::Relation(name)),
        ObjectKind::Type | ObjectKind::Domain => Some(Part::Type(name)),
        ObjectKind::Sequence => Some(Part::Sequence(name)),
        ObjectKind::Routine => Some(Part::Routine(name)),
        _ => None,
    };
    if let ObjectKind::Schema | ObjectKind::Database = statement.kind {
        return statement.names.iter().flat_map(|name| schema.parts_in(&name.name)).collect();
    }
    statement.names.iter().filter_map(|name| part(schema.resolve(name))).collect()
}

/// The part that a clause of `ALTER TABLE` drops, and whether it says `CASCADE`.
pub fn named_in_clause(table: &ObjectName, action: &ActionKind) -> Option<(Part, bool)> {
    match action {
        ActionKind::DropColumn { name, cascade, .. } => {
            Some((Part::Column { table: table.clone(), name: name.clone() }, *cascade))
        }
        ActionKind::DropConstraint { name, cascade, .. } => {
            Some((Part::Constraint { table: table.clone(), name: name.clone() }, *cascade))
        }
        _ => None,
    }
}

/// What a statement drops without naming it, in the order of dependency.
pub fn dropped_by(schema: &Schema, syntax: &Syntax) -> Vec<Part> {
    match syntax {
        Syntax::Drop(statement) => dropped_with(schema, named(schema, statement), statement.cascade),
        Syntax::AlterTable(alter) => {
            let table = schema.resolve(&alter.table);
            let parts = alter.actions.iter().filter_map(|action| named_in_clause(&table, &action.kind));
            parts.flat_map(|(part, cascade)| dropped_with(schema, vec![part], cascade)).collect()
        }
        _ => Vec::new(),
    }
}

/// What is dropped with these parts, without the parts themselves.
pub fn dropped_with(schema: &Schema, named: Vec<Part>, cascade: bool) -> Vec<Part> {
    let first = named.len();
    let mut known: BTreeSet<Part> = named.iter().cloned().collect();
    let mut parts = named;
    let mut next = 0;
    while let Some(part) = parts.get(next).cloned()
        && !schema.effort().is_exhausted()
    {
        let mut dependents = belonging_to(schema, &part);
        if cascade {
            dependents.extend(depending_on(schema, &part));
        }
        for dependent in dependents {
            if known.insert(dependent.clone()) {
                parts.push(dependent);
            }
        }
        next += 1;
    }
    parts.split_off(first.min(parts.len()))
}

/// What belongs to a part, and is dropped with it without `CASCADE`.
fn belonging_to(schema: &Schema, part: &Part) -> Vec<Part> {
    let sequences = |table: &ObjectName, owned: &dyn Fn(&str) -> bool| -> Vec<Part> {
        schema.sequences_owned(table, owned).map(|(name, _)| Part::Sequence(name.clone())).collect()
    };
    match part {
        Part::Relation(table) => {
            let partitions = schema.relation(table).into_iter().flat_map(|relation| &relation.partitions).cloned();
            let triggers = schema.triggers(table).map(|(name, _)| Part::Trigger { table: table.clone(), name: name.clone() });
            let owned = sequences(table, &|_| true);
            partitions.map(Part::Relation).chain(triggers).chain(owned).collect()
        }
        Part::Column { table, name } => sequences(table, &|column| column == name),
        _ => Vec::new(),
    }
}

/// What depends on a part, and is dropped with it by `CASCADE`.
fn depending_on(schema: &Schema, part: &Part) -> Vec<Part> {
    match part {
        Part::Relation(table) => {
            let views = schema.views_reading(table).map(|(view, _)| Part::Relation(view.clone()));
            let heirs = schema.inheriting(table).map(|heir| Part::Relation(heir.clone()));
            views.chain(heirs).chain(foreign_keys_to(schema, table, |_| true)).collect()
        }
        Part::Column { table, name } => depending_on_column(schema, table, name),
        Part::Constraint { table, name } => depending_on_key(schema, table, name),
        Part::Type(ty) => depending_on_type(schema, ty),
        Part::Routine(function) => {
            let callers = schema.callers(function);
            callers.map(|(name, table)| Part::Trigger { table: table.clone(), name: name.clone() }).collect()
        }
        Part::Trigger { .. } | Part::Sequence(_) => Vec::new(),
    }
}

fn depending_on_column(schema: &Schema, table: &ObjectName, column: &str) -> Vec<Part> {
    let uses_column = |view: &Relation| view.possible_columns.contains(column) || view.possible_columns.contains("*");
    let views = schema.views_reading(table).filter(|(_, view)| uses_column(view));
    let views = views.map(|(view, _)| Part::Relation(view.clone()));
    let columns = schema.relation(table).into_iter();
    let columns = columns.flat_map(|relation| relation.columns.candidates(|| PartKey::column(column)));
    let generated = columns.filter(|other| other.generated && other.computed_from.iter().any(|word| word == column));
    let generated = generated.map(|other| Part::Column { table: table.clone(), name: other.name.clone() });
    let of_triggers = schema.triggers(table).filter(|(_, references)| references.columns.iter().any(|name| name == column));
    let of_triggers = of_triggers.map(|(name, _)| Part::Trigger { table: table.clone(), name: name.clone() });
    let keys = foreign_keys_to(schema, table, |targets| targets.iter().any(|target| target == column));
    views.chain(generated).chain(of_triggers).chain(keys).collect()
}

fn depending_on_key(schema: &Schema, table: &ObjectName, name: &str) -> Vec<Part> {
    let key = schema.relation(table).and_then(|relation| relation.constraint(name));
    let Some(ConstraintKind::Primary(columns) | ConstraintKind::Unique(columns)) = key.map(|key| &key.kind) else {
        return Vec::new();
    };
    foreign_keys_to(schema, table, |targets| {
        targets.len() == columns.len() && targets.iter().all(|target| columns.contains(target))
    })
}

fn depending_on_type(schema: &Schema, ty: &ObjectName) -> Vec<Part> {
    let columns =
        schema.users_of_type(ty).flat_map(|(table, relation)| relation.columns.iter().map(move |column| (table, column)));
    let of_type = columns.filter(|(_, column)| column.ty.as_ref().is_some_and(|used| schema.resolve_type(used) == *ty));
    let columns = of_type.map(|(table, column)| Part::Column { table: table.clone(), name: column.name.clone() });
    columns.chain(schema.domains_over(ty).map(|domain| Part::Type(domain.clone()))).collect()
}

/// The foreign keys of all tables that reference a table, with columns that satisfy a condition. Without named columns, they
/// reference the primary key.
fn foreign_keys_to(schema: &Schema, table: &ObjectName, references: impl Fn(&[String]) -> bool) -> Vec<Part> {
    let referenced = schema.relation(table);
    let is_match = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Foreign { targets, .. } => {
            let named = match referenced {
                Some(relation) => relation.targets(targets),
                None => Some(targets.as_slice()),
            };
            named.is_none_or(&references)
        }
        _ => false,
    };
    let mut parts = Vec::new();
    for (child, relation, _) in schema.children(table) {
        let keys = relation.foreign_keys_to(table).map(|(key, ..)| key).filter(|key| is_match(key));
        parts.extend(keys.map(|key| Part::Constraint { table: child.clone(), name: key.name.clone() }));
    }
    parts
}
