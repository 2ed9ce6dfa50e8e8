//! The state of an object after a statement that may not have been executed: what both possibilities have in common is certain,
//! and everything else is uncertain.
//!
//! An uncertain fact must never suppress a finding about a hazard, and never justify the claim that a statement fails. So an
//! uncertain constraint counts as not validated, the type of an uncertain column as unknown, and an uncertain table as deployed.

use crate::parts::{Named, Parts};
use crate::relation::{Certainty, Column, Constraint, Index, Relation};
use crate::schema::SchemaObject;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The object that exists if the statement was executed, or `before` if it was not.
pub fn join(before: Option<&SchemaObject>, after: Option<&SchemaObject>) -> Option<SchemaObject> {
    let (before, after) = match (before, after) {
        (None, Some(SchemaObject::External(created))) => {
            let unknown = Relation {
                columns: Parts::default(),
                constraints: Parts::default(),
                indexes: Parts::default(),
                ..(**created).clone()
            };
            return Some(SchemaObject::External(Box::new(join_relations(&unknown, created))));
        }
        (None | Some(SchemaObject::Dropped), Some(created)) => return Some(created_perhaps(created)),
        (Some(removed), None | Some(SchemaObject::Dropped)) => return removed_perhaps(removed),
        (None, None) => return None,
        (Some(before), Some(after)) => (before, after),
    };
    Some(match (before, after) {
        (SchemaObject::Relation(before), SchemaObject::Relation(after)) => {
            SchemaObject::Relation(Box::new(join_relations(before, after)))
        }
        (SchemaObject::External(before), SchemaObject::External(after)) => {
            SchemaObject::External(Box::new(join_relations(before, after)))
        }
        (SchemaObject::Enum(before), SchemaObject::Enum(after)) => {
            let added = after.iter().filter(|(value, _)| before.find(value, true).is_none());
            SchemaObject::Enum(before.iter().chain(added).cloned().collect())
        }
        (SchemaObject::Domain { constrained: before, .. }, SchemaObject::Domain { base, constrained }) => {
            SchemaObject::Domain { base: base.clone(), constrained: *before || *constrained }
        }
        (SchemaObject::Routine { stable, commits }, SchemaObject::Routine { stable: stable_after, commits: commits_after }) => {
            SchemaObject::Routine { stable: *stable && *stable_after, commits: *commits || *commits_after }
        }
        (_, after) => after.clone(),
    })
}

fn created_perhaps(object: &SchemaObject) -> SchemaObject {
    match object {
        SchemaObject::Relation(relation) => {
            // If the statement was not executed, an older object may have the name.
            let unknown = Relation {
                columns: Parts::default(),
                constraints: Parts::default(),
                indexes: Parts::default(),
                ..(**relation).clone()
            };
            SchemaObject::Relation(Box::new(Relation { certainty: Certainty::Uncertain, ..join_relations(&unknown, relation) }))
        }
        SchemaObject::Routine { commits, .. } => SchemaObject::Routine { stable: false, commits: *commits },
        other => other.clone(),
    }
}

/// Tables and indexes may still exist. Nothing dangerous follows from the existence of other objects.
fn removed_perhaps(object: &SchemaObject) -> Option<SchemaObject> {
    match object {
        SchemaObject::Relation(relation) => {
            let uncertain = Relation { certainty: Certainty::Uncertain, columns_known: false, ..(**relation).clone() };
            Some(SchemaObject::Relation(Box::new(uncertain)))
        }
        SchemaObject::Index(_) => Some(object.clone()),
        _ => None,
    }
}

/// A table that has one of two definitions.
pub fn join_relations(before: &Relation, after: &Relation) -> Relation {
    let pairs = || before.columns.iter().zip(&after.columns);
    let same_columns = before.columns.is_same(&after.columns)
        || before.columns.len() == after.columns.len() && pairs().all(|(old, new)| is_same_definition(old, new));
    let same_text = before.charset == after.charset && before.collation == after.collation;
    let mut columns = join_columns(before, after);
    if !same_text {
        columns.change_where(|_| true, |column| column.ty = None);
    }
    // What costs more with another engine than InnoDB may do so.
    let engine = [&before.engine, &after.engine].into_iter().flatten().find(|engine| *engine != "innodb");
    let default_partition = after.default_partition.clone().or_else(|| before.default_partition.clone());
    let mut partitions = before.partitions.clone();
    let attached = after.partitions.not_shared_with(&before.partitions).into_iter();
    partitions.extend(attached.filter(|partition| !before.partitions.includes(partition)).cloned());
    let mut reads_from = before.reads_from.clone();
    let read = after.reads_from.not_shared_with(&before.reads_from).into_iter();
    reads_from.extend(read.filter(|table| !before.reads_from.includes(table)).cloned());
    let possible_columns = join_words(&before.possible_columns, &after.possible_columns);
    Relation {
        certainty: before.certainty.max(after.certainty),
        columns_known: before.columns_known && after.columns_known && same_columns,
        may_predate_history: before.may_predate_history || after.may_predate_history,
        columns,
        constraints: join_constraints(before, after),
        indexes: join_indexes(before, after),
        partitioned: before.partitioned || after.partitioned,
        partition_of: after.partition_of.clone().or_else(|| before.partition_of.clone()),
        partitions,
        default_partition,
        engine: engine.or(after.engine.as_ref()).cloned(),
        compressed: before.compressed || after.compressed,
        has_rows: before.has_rows || after.has_rows,
        emptied: before.emptied.filter(|_| before.emptied == after.emptied),
        reads_from,
        possible_columns,
        ..after.clone()
    }
}

fn join_words(before: &Arc<BTreeSet<String>>, after: &Arc<BTreeSet<String>>) -> Arc<BTreeSet<String>> {
    if before == after { before.clone() } else { Arc::new(before.union(after).cloned().collect()) }
}

fn join_columns(before: &Relation, after: &Relation) -> Parts<Column> {
    // Only PostgreSQL distinguishes names by case.
    let case_sensitive = after.case_sensitive;
    let find = |columns: &Parts<Column>, name: &str| columns.find(name, case_sensitive).cloned();
    let kept = |old: &Column| match find(&after.columns, &old.name) {
        Some(new) if is_same_definition(old, &new) => Column { backfilled: old.backfilled.and(new.backfilled), ..new },
        Some(new) => uncertain_column(Column {
            ty: new.ty.clone().filter(|_| costs_the_same(old, &new, case_sensitive)),
            ..join_column(old, &new)
        }),
        None => uncertain_column(old.clone()),
    };
    let mut columns = before.columns.clone();
    columns.replace_unshared(&after.columns, kept);
    let added = after.columns.not_shared_with(&before.columns).into_iter();
    let added = added.filter(|new| find(&before.columns, &new.name).is_none());
    // If the statement was not executed, the table may have a column of this name and another type.
    columns.extend(added.map(|new| uncertain_column(Column { ty: None, ..new.clone() })));
    columns
}

/// An `UPDATE` changes the values, and not the definition.
fn is_same_definition(old: &Column, new: &Column) -> bool {
    *old == Column { backfilled: old.backfilled, ..new.clone() }
}

/// Does a change of the type cost the same for both? On MySQL, that depends on the nullability, too.
fn costs_the_same(old: &Column, new: &Column, is_postgres: bool) -> bool {
    old.ty == new.ty && old.generated == new.generated && (is_postgres || old.not_null == new.not_null)
}

fn join_column(old: &Column, new: &Column) -> Column {
    Column {
        has_default: old.has_default && new.has_default,
        is_virtual: old.is_virtual || new.is_virtual,
        generated: old.generated || new.generated,
        backfilled: old.backfilled.and(new.backfilled),
        ..new.clone()
    }
}

fn uncertain_column(column: Column) -> Column {
    Column { not_null: false, certainty: Certainty::Uncertain, ..column }
}

fn join_constraints(before: &Relation, after: &Relation) -> Parts<Constraint> {
    let uncertain =
        |constraint: &Constraint| Constraint { validated: None, certainty: Certainty::Uncertain, ..constraint.clone() };
    let mut constraints = before.constraints.clone();
    constraints.replace_unshared(&after.constraints, |old| {
        if has_equal(&after.constraints, old) { old.clone() } else { uncertain(old) }
    });
    let added = after.constraints.not_shared_with(&before.constraints).into_iter();
    let added = added.filter(|new| !before.constraints.has(&new.name, true, |old| old.kind == new.kind));
    constraints.extend(added.map(uncertain));
    constraints
}

fn join_indexes(before: &Relation, after: &Relation) -> Parts<Index> {
    let uncertain = |index: &Index| Index { certainty: Certainty::Uncertain, ..index.clone() };
    let mut indexes = before.indexes.clone();
    indexes.replace_unshared(&after.indexes, |old| if has_equal(&after.indexes, old) { old.clone() } else { uncertain(old) });
    let added = after.indexes.not_shared_with(&before.indexes).into_iter().filter(|new| !has_equal(&before.indexes, new));
    indexes.extend(added.map(uncertain));
    indexes
}

/// Is there an equal part? Only those of the same name can be equal.
fn has_equal<T: Named + Clone + PartialEq>(parts: &Parts<T>, part: &T) -> bool {
    match part.name() {
        Some(name) => parts.has(name, true, |other| other == part),
        None => parts.contains(part),
    }
}
