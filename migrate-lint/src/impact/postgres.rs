//! The impacts on PostgreSQL: locks, scans and rewrites of each statement, measured on 15.20.

use super::{Cause, Impact, ImpactContext, Lock};
use crate::action_index::ActionIndex;
use crate::dependents::{self, Part};
use crate::effort;
use crate::object_name::ObjectName;
use crate::relation::{Constraint, ConstraintKind, Index, Relation, RelationKind};
use crate::schema::Schema;
use crate::simulation::{has_index, truncated_tables};
use crate::type_change::{self, Cost};
use crate::volatility::volatile_function;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::syntax::{
    self, Action, ActionKind, AlterTable, Column, CreateIndex, CreateTable, DropStatement, Generated, IndexAction, ObjectAction,
    ObjectKind, Syntax, Type,
};
use std::collections::BTreeSet;

/// The impacts of a statement on the tables of a PostgreSQL database.
pub fn impacts(schema: &Schema, syntax: &Syntax, sql: &str, context: ImpactContext) -> Vec<Impact> {
    let single = |name, lock, cause| vec![Impact::new(schema.resolve(name), lock, cause)];
    match syntax {
        Syntax::CreateTable(table) if !table.temporary => create_table(schema, table),
        Syntax::AlterTable(alter) if alter.foreign => single(&alter.table, Lock::AccessExclusive, Cause::Catalogue),
        Syntax::AlterTable(alter) => {
            let key = schema.resolve(&alter.table);
            let actions = alter.actions.iter().take_while(|_| !schema.effort().is_exhausted());
            let index = ActionIndex::new(syntax);
            let of_actions = actions.flat_map(|action| action_impacts(schema, &key, &index, action, sql, context));
            of_actions.chain(dropped_with(schema, &dependents::dropped_by(schema, syntax))).collect()
        }
        Syntax::CreateIndex(index) => create_index(schema, index),
        Syntax::CreateTrigger { table: Some(table), temporary: false, .. } => {
            single(table, Lock::ShareRowExclusive, Cause::Trigger)
        }
        Syntax::RenameTrigger { table, .. } => single(table, Lock::AccessExclusive, Cause::Trigger),
        Syntax::Policy { table: Some(table) } => single(table, Lock::AccessExclusive, Cause::Policy),
        Syntax::Drop(removal) => {
            let named = removal.names.iter().flat_map(|name| drop_object(schema, removal, schema.resolve(name)));
            named.chain(dropped_with(schema, &dependents::dropped_by(schema, syntax))).collect()
        }
        Syntax::AlterDomain { name, checks: true } => check_domain(schema, &schema.resolve(name)),
        Syntax::AlterIndex { name, action } => alter_index(schema, &schema.resolve(name), action),
        Syntax::Alter { kind: ObjectKind::View | ObjectKind::MaterializedView, name, action } => match action {
            ObjectAction::Steady(_) | ObjectAction::Other => Vec::new(),
            _ => single(name, Lock::AccessExclusive, Cause::Catalogue),
        },
        Syntax::Truncate { .. } => truncate(schema, syntax),
        Syntax::Lock { tables, mode } => lock_tables(schema, tables, mode.as_deref()),
        Syntax::Refresh { view, concurrently, no_data } => {
            let (lock, cause) =
                if *concurrently { (Lock::Exclusive, Cause::RefreshConcurrent) } else { (Lock::AccessExclusive, Cause::Refresh) };
            let impact = Impact::new(schema.resolve(view), lock, cause);
            vec![if *no_data { impact } else { impact.scanning() }]
        }
        Syntax::Reindex { target, name, concurrently } => reindex(schema, target, name.as_ref(), *concurrently),
        Syntax::Cluster { table: Some(table) } => rewrite(vec![schema.resolve(table)]),
        Syntax::Vacuum { full: true, tables } if !tables.is_empty() => {
            rewrite(tables.iter().map(|table| schema.resolve(table)).collect())
        }
        Syntax::Vacuum { full: true, .. } => rewrite(stored_relations(schema, None)),
        // It is unknown which tables were clustered before.
        Syntax::Cluster { table: None } => rewrite(stored_relations(schema, None)),
        Syntax::Comment { table: Some(table) } => single(table, Lock::ShareUpdateExclusive, Cause::Catalogue),
        Syntax::Update(change) | Syntax::Delete(change) => {
            let impact = Impact::new(schema.resolve(&change.table), Lock::RowExclusive, Cause::Rows);
            vec![if change.narrow { impact } else { impact.scanning() }]
        }
        Syntax::Insert(insert) => {
            let impact = Impact::new(schema.resolve(&insert.table), Lock::RowExclusive, Cause::Rows);
            vec![if insert.reads_table { impact.scanning() } else { impact }]
        }
        _ => Vec::new(),
    }
}

/// The impacts on the tables that a new table references, and on the table that it is a partition of.
fn create_table(schema: &Schema, table: &CreateTable) -> Vec<Impact> {
    let created = table.name.as_ref().map(|name| schema.resolve(name));
    let columns = table.columns.iter().filter_map(|column| column.references.as_ref());
    let constraints = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
        syntax::ConstraintKind::Foreign { references, .. } => Some(references),
        _ => None,
    });
    let parents = columns.chain(constraints).map(|reference| schema.resolve(&reference.table));
    let parents = distinct(parents.filter(|parent| Some(parent) != created.as_ref()));
    let mut impacts: Vec<Impact> =
        parents.into_iter().map(|parent| Impact::new(parent, Lock::ShareRowExclusive, Cause::ParentOfNew)).collect();
    if let Some(parent) = &table.partition_of {
        let parent = schema.resolve(parent);
        impacts.extend(default_scan(schema, &parent, Cause::PartitionOf));
        impacts.insert(0, Impact::new(parent, Lock::AccessExclusive, Cause::PartitionOf));
    }
    impacts
}

/// A new constraint of a domain scans every table with a column of that domain.
fn check_domain(schema: &Schema, domain: &ObjectName) -> Vec<Impact> {
    let mut domains = vec![domain.clone()];
    let mut known: BTreeSet<ObjectName> = domains.iter().cloned().collect();
    let mut users: BTreeSet<&ObjectName> = BTreeSet::new();
    while let Some(domain) = domains.pop() {
        let is_of_domain = |ty: &Type| schema.resolve_type(ty) == domain;
        let uses_domain =
            |relation: &Relation| relation.columns.iter().any(|column| column.ty.as_ref().is_some_and(is_of_domain));
        users.extend(schema.users_of_type(&domain).filter(|(_, relation)| uses_domain(relation)).map(|(table, _)| table));
        domains.extend(schema.domains_over(&domain).filter(|over| known.insert((*over).clone())).cloned());
    }
    users.into_iter().map(|table| Impact::new(table.clone(), Lock::Share, Cause::Domain).scanning()).collect()
}

fn alter_index(schema: &Schema, index: &ObjectName, action: &IndexAction) -> Vec<Impact> {
    let lock = match action {
        // The lock is on the index, not on the table.
        IndexAction::Rename(_) | IndexAction::Other => return Vec::new(),
        IndexAction::Attach(_) => Lock::ShareUpdateExclusive,
        IndexAction::SetTablespace => Lock::AccessExclusive,
    };
    let table = schema.table_of_index(None, index).cloned();
    table.into_iter().map(|table| Impact::new(table, lock, Cause::Catalogue)).collect()
}

fn truncate(schema: &Schema, syntax: &Syntax) -> Vec<Impact> {
    let truncated = truncated_tables(schema, syntax).into_iter();
    truncated.map(|table| Impact::new(table, Lock::AccessExclusive, Cause::Truncate)).collect()
}

fn lock_tables(schema: &Schema, tables: &[Name], mode: Option<&str>) -> Vec<Impact> {
    let lock = match mode {
        Some("ACCESS SHARE") => return Vec::new(),
        Some("ROW SHARE") => Lock::RowShare,
        Some("ROW EXCLUSIVE") => Lock::RowExclusive,
        Some("SHARE UPDATE EXCLUSIVE") => Lock::ShareUpdateExclusive,
        Some("SHARE") => Lock::Share,
        Some("SHARE ROW EXCLUSIVE") => Lock::ShareRowExclusive,
        Some("EXCLUSIVE") => Lock::Exclusive,
        _ => Lock::AccessExclusive,
    };
    tables.iter().map(|table| Impact::new(schema.resolve(table), lock, Cause::LockTable)).collect()
}

fn reindex(schema: &Schema, target: &str, name: Option<&Name>, concurrently: bool) -> Vec<Impact> {
    let tables = match (target, name) {
        ("TABLE", Some(name)) => vec![schema.resolve(name)],
        ("INDEX", Some(name)) => {
            let index = schema.resolve(name);
            // The table of an index that no migration creates is unknown.
            vec![schema.table_of_index(None, &index).cloned().unwrap_or(index)]
        }
        ("SCHEMA", Some(name)) => stored_relations(schema, Some(&name.name)),
        ("DATABASE", _) => stored_relations(schema, None),
        // `SYSTEM` is about the system catalogs.
        _ => return Vec::new(),
    };
    let lock = if concurrently { Lock::ShareUpdateExclusive } else { Lock::Share };
    tables.into_iter().map(|table| Impact::new(table, lock, Cause::Reindex).building()).collect()
}

/// The tables and materialized views that store rows, in one schema or in all.
fn stored_relations(schema: &Schema, only: Option<&str>) -> Vec<ObjectName> {
    let is_inside = |name: &ObjectName| only.is_none_or(|only| schema.is_in_schema(name, only));
    let stores = |relation: &Relation| relation.kind != RelationKind::View && !relation.partitioned;
    let stored = schema.relations().filter(|(name, relation)| is_inside(name) && stores(relation));
    stored.map(|(name, _)| name.clone()).collect()
}

fn rewrite(tables: Vec<ObjectName>) -> Vec<Impact> {
    let rewritten = tables.into_iter().map(|table| Impact::new(table, Lock::AccessExclusive, Cause::Rewrite));
    rewritten.map(Impact::rewriting).collect()
}

fn distinct(keys: impl Iterator<Item = ObjectName>) -> Vec<ObjectName> {
    let mut known = BTreeSet::new();
    keys.filter(|key| known.insert(key.clone())).collect()
}

/// A new partition scans the default partition, which may contain rows of the new one.
fn default_scan(schema: &Schema, parent: &ObjectName, cause: Cause) -> Option<Impact> {
    let default = schema.relation(parent)?.default_partition.clone()?;
    Some(Impact::new(default, Lock::AccessExclusive, cause).scanning())
}

fn create_index(schema: &Schema, index: &CreateIndex) -> Vec<Impact> {
    let table = schema.resolve(&index.table);
    if index.if_not_exists && !schema.is_opaque() && has_index(schema, index) {
        let lock = if index.concurrently { Lock::ShareUpdateExclusive } else { Lock::Share };
        return vec![Impact::new(table, lock, Cause::Catalogue)];
    }
    if index.concurrently {
        return vec![Impact::new(table, Lock::ShareUpdateExclusive, Cause::IndexBuildConcurrent).building()];
    }
    let relation = schema.relation(&table);
    let partitions = relation.into_iter().flat_map(|relation| &relation.partitions).cloned();
    // The lock on the partitioned table is held until every partition has its index.
    let parent = Impact { builds: true, ..Impact::new(table, Lock::Share, Cause::IndexOnPartitions) };
    let partitioned = relation.is_some_and(|relation| relation.partitioned);
    if partitioned && index.only {
        vec![Impact { cause: Cause::Catalogue, builds: false, ..parent }]
    } else if partitioned {
        let on_partitions = partitions.map(|partition| Impact::new(partition, Lock::Share, Cause::IndexOnPartitions).building());
        [parent].into_iter().chain(on_partitions).collect()
    } else {
        vec![Impact { cause: Cause::IndexBuild, ..parent }.building()]
    }
}

fn drop_object(schema: &Schema, removal: &DropStatement, key: ObjectName) -> Vec<Impact> {
    match removal.kind {
        ObjectKind::Table => drop_table(schema, &key),
        ObjectKind::View | ObjectKind::MaterializedView => vec![Impact::new(key, Lock::AccessExclusive, Cause::Catalogue)],
        ObjectKind::Index => {
            let table = schema.table_of_index(None, &key).cloned();
            let (lock, cause) = if removal.concurrently {
                (Lock::ShareUpdateExclusive, Cause::IndexDropConcurrent)
            } else {
                (Lock::AccessExclusive, Cause::IndexDrop)
            };
            // The table of an index that no migration creates is unknown.
            vec![Impact::new(table.unwrap_or(key), lock, cause)]
        }
        ObjectKind::Trigger => {
            let table = removal.table.iter().map(|table| schema.resolve(table));
            table.map(|table| Impact::new(table, Lock::AccessExclusive, Cause::Trigger)).collect()
        }
        _ => Vec::new(),
    }
}

/// The impacts on the tables whose parts are dropped with an object, and on the tables that those reference.
fn dropped_with(schema: &Schema, parts: &[Part]) -> Vec<Impact> {
    let exclusive = |table, cause| Impact::new(table, Lock::AccessExclusive, cause);
    let tables = distinct(parts.iter().filter_map(Part::locked_table).cloned());
    let parents = parts.iter().flat_map(|part| match part {
        Part::Relation(table) => schema.relation(table).into_iter().flat_map(Relation::foreign_keys).collect(),
        _ => Vec::new(),
    });
    let dropped: BTreeSet<&ObjectName> = tables.iter().collect();
    let parents = distinct(parents.map(|(_, _, table, _)| table.clone()).filter(|parent| !dropped.contains(parent)));
    let on_parents = parents.into_iter().map(|parent| exclusive(parent, Cause::ParentOfDropped));
    tables.iter().map(|table| exclusive(table.clone(), Cause::Catalogue)).chain(on_parents).collect()
}

/// The impacts on a dropped table, the table that it is a partition of, and the tables that it references.
fn drop_table(schema: &Schema, key: &ObjectName) -> Vec<Impact> {
    let exclusive = |table, cause| Impact::new(table, Lock::AccessExclusive, cause);
    let relation = schema.relation(key);
    let partitioned = relation.and_then(|relation| relation.partition_of.clone());
    let mut impacts = match partitioned {
        Some(parent) => vec![exclusive(key.clone(), Cause::DropPartition), exclusive(parent, Cause::DropPartition)],
        None => vec![exclusive(key.clone(), Cause::DropTable)],
    };
    let parents = relation.into_iter().flat_map(Relation::foreign_keys).map(|(_, _, table, _)| table.clone());
    let parents = distinct(parents.filter(|parent| parent != key));
    impacts.extend(parents.into_iter().map(|parent| exclusive(parent, Cause::ParentOfDropped)));
    impacts
}

/// The impacts of a clause of `ALTER TABLE`, also on the partitions of the table.
fn action_impacts(
    schema: &Schema,
    key: &ObjectName,
    actions: &ActionIndex<'_>,
    action: &Action,
    sql: &str,
    context: ImpactContext,
) -> Vec<Impact> {
    let mut impacts = impacts_on_table(schema, key, actions, action, sql, context);
    // A change of a partitioned table applies to its partitions.
    if let Some(relation) = schema.relation(key).filter(|relation| relation.partitioned)
        && !matches!(action.kind, ActionKind::Attach { .. } | ActionKind::Detach { .. })
        && let Some(first) = impacts.first().filter(|first| first.lock == Lock::AccessExclusive).cloned()
    {
        schema.effort().spend(effort::FINDING * relation.partitions.len());
        impacts.extend(relation.partitions.iter().map(|partition| Impact { table: partition.clone(), ..first.clone() }));
    }
    impacts.into_iter().map(|impact| impact.at(&action.range)).collect()
}

/// The impacts of a clause on the table itself and on the other tables that the clause names.
fn impacts_on_table(
    schema: &Schema,
    key: &ObjectName,
    actions: &ActionIndex<'_>,
    action: &Action,
    sql: &str,
    context: ImpactContext,
) -> Vec<Impact> {
    let relation = schema.known(key);
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    match &action.kind {
        ActionKind::AddColumn { column, if_not_exists } => {
            // `IF NOT EXISTS` skips an existing column.
            let exists =
                *if_not_exists && !schema.is_opaque() && relation.is_some_and(|relation| relation.has_column(&column.name));
            if exists { vec![exclusive(Cause::Catalogue)] } else { add_column(schema, key, column, sql, context) }
        }
        ActionKind::AddConstraint(constraint) => add_constraint(schema, key, constraint, context.table_is_empty),
        ActionKind::DropConstraint { name, .. } => {
            let parent = relation.and_then(|relation| referenced_table(relation, key, name));
            let parent = parent.map(|parent| Impact::new(parent, Lock::AccessExclusive, Cause::ParentOfDropped));
            [exclusive(Cause::Catalogue)].into_iter().chain(parent).collect()
        }
        ActionKind::SetType { column, ty, using } => {
            set_type(schema, key, column, ty, using.as_ref().map(|range| &sql[range.clone()]), context)
        }
        ActionKind::SetNotNull(column) => {
            let skips_scan = is_known_not_null(relation, actions, column, context);
            vec![if skips_scan { exclusive(Cause::Catalogue) } else { exclusive(Cause::NotNull).scanning() }]
        }
        ActionKind::SetExpression(column) => {
            let is_virtual = relation.and_then(|relation| relation.column(column)).is_some_and(|column| column.is_virtual);
            vec![if is_virtual { exclusive(Cause::Catalogue) } else { exclusive(Cause::Stored).rewriting() }]
        }
        ActionKind::Validate(name) => validate(relation, key, name),
        ActionKind::Trigger => vec![Impact::new(key.clone(), Lock::ShareRowExclusive, Cause::Trigger)],
        ActionKind::RowSecurity => vec![exclusive(Cause::Policy)],
        ActionKind::Weak => vec![Impact::new(key.clone(), Lock::ShareUpdateExclusive, Cause::Catalogue)],
        ActionKind::Attach { partition, bounds, .. } => attach(schema, key, schema.resolve(partition), bounds, context),
        ActionKind::Detach { partition, concurrently, .. } => {
            let child = schema.resolve(partition);
            if *concurrently {
                vec![
                    Impact::new(key.clone(), Lock::ShareUpdateExclusive, Cause::DetachConcurrent),
                    Impact::new(child, Lock::AccessExclusive, Cause::DetachConcurrent),
                ]
            } else {
                vec![exclusive(Cause::Detach), Impact::new(child, Lock::AccessExclusive, Cause::Detach)]
            }
        }
        ActionKind::Inherit(parent) => {
            vec![exclusive(Cause::Catalogue), Impact::new(schema.resolve(parent), Lock::ShareUpdateExclusive, Cause::Catalogue)]
        }
        ActionKind::SetLogged | ActionKind::SetAccessMethod => vec![exclusive(Cause::Rewrite).rewriting()],
        // PostgreSQL copies the files block by block and does not rebuild indexes.
        ActionKind::SetTablespace => vec![Impact { rewrites: true, ..exclusive(Cause::Rewrite) }],
        _ => vec![exclusive(Cause::Catalogue)],
    }
}

/// The other table that a foreign key references.
fn referenced_table(relation: &Relation, key: &ObjectName, constraint: &str) -> Option<ObjectName> {
    match &relation.constraint(constraint)?.kind {
        ConstraintKind::Foreign { table, .. } if table != key => Some(table.clone()),
        _ => None,
    }
}

/// Whether PostgreSQL can set a column `NOT NULL` without a table scan.
fn is_known_not_null(relation: Option<&Relation>, actions: &ActionIndex<'_>, column: &str, context: ImpactContext) -> bool {
    // PostgreSQL drops the constraints of the same statement first, so they prove nothing.
    let is_dropped = |constraint: &Constraint| {
        let mut naming = actions.naming(&constraint.name);
        naming.any(|clause| matches!(&clause.kind, ActionKind::DropConstraint { name, .. } if *name == constraint.name))
    };
    let already = relation.and_then(|relation| relation.column(column)).is_some_and(|definition| definition.not_null);
    let proved =
        context.server.is_at_least(12, 0) && relation.is_some_and(|relation| proves_not_null(relation, column, is_dropped));
    // A `CHECK` that proves it may be added in the same statement, before or after this clause.
    let proved_by_clause = actions.naming(column).any(|clause| match &clause.kind {
        ActionKind::AddConstraint(syntax::Constraint {
            kind: syntax::ConstraintKind::Check(check), not_valid: false, ..
        }) => check.not_null.iter().any(|name| name == column),
        _ => false,
    });
    already || proved || proved_by_clause
}

fn validate(relation: Option<&Relation>, key: &ObjectName, constraint: &str) -> Vec<Impact> {
    let impact = Impact::new(key.clone(), Lock::ShareUpdateExclusive, Cause::Validate);
    let already =
        relation.and_then(|relation| relation.constraint(constraint)).is_some_and(|constraint| constraint.validated.is_some());
    if already {
        return vec![impact];
    }
    let parent = relation.and_then(|relation| referenced_table(relation, key, constraint));
    let parent = parent.map(|parent| Impact::new(parent, Lock::RowShare, Cause::Validate).scanning());
    [impact.scanning()].into_iter().chain(parent).collect()
}

fn attach(schema: &Schema, key: &ObjectName, child: ObjectName, bounds: &[String], context: ImpactContext) -> Vec<Impact> {
    let (relation, partition) = (schema.relation(key), schema.relation(&child));
    let key_columns = relation.map(|relation| &*relation.partition_key).unwrap_or_default();
    let proved = partition.is_some_and(|partition| proves_bounds(partition, key_columns, bounds));
    let lacks_indexes = match (relation, partition) {
        (Some(parent), Some(partition)) => {
            let is_known = partition.columns_known || partition.indexes.iter().any(|index| index.certainty.is_uncertain());
            is_known && lacks_indexes(parent, partition)
        }
        _ => false,
    };
    let exclusive = |cause| Impact::new(child.clone(), Lock::AccessExclusive, cause);
    let attached = if lacks_indexes {
        exclusive(Cause::AttachIndex).building()
    } else if proved {
        exclusive(Cause::Catalogue)
    } else {
        exclusive(Cause::AttachScan).scanning()
    };
    let parent_lock = if context.server.is_at_least(12, 0) { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive };
    let parent = Impact::new(key.clone(), parent_lock, Cause::Catalogue);
    [parent, attached].into_iter().chain(default_scan(schema, key, Cause::AttachDefault)).collect()
}

/// Whether the partitioned table has keys or indexes that the partition lacks.
fn lacks_indexes(parent: &Relation, child: &Relation) -> bool {
    let key = |constraint: &&Constraint| matches!(constraint.kind, ConstraintKind::Primary(_) | ConstraintKind::Unique(_));
    let has_key = |required: &Constraint| child.constraints.iter().any(|constraint| constraint.kind == required.kind);
    let has_index = |required: &Index| {
        let matches = |index: &Index| {
            !index.certainty.is_uncertain()
                && !index.partial_or_expression
                && index.columns == required.columns
                && index.unique == required.unique
        };
        required.partial_or_expression || child.indexes.iter().any(matches)
    };
    !parent.constraints.iter().filter(key).all(has_key) || !parent.indexes.iter().all(has_index)
}

/// Whether a validated constraint proves that a column contains no NULL.
fn proves_not_null(relation: &Relation, column: &str, is_dropped: impl Fn(&Constraint) -> bool) -> bool {
    relation.constraints_with(column).filter(|constraint| constraint.validated.is_some() && !is_dropped(constraint)).any(
        |constraint| match &constraint.kind {
            ConstraintKind::Check { not_null, .. } => not_null.iter().any(|name| name == column),
            ConstraintKind::NotNull(name) => name == column,
            _ => false,
        },
    )
}

/// Whether validated constraints prove the bounds of a partition: a `CHECK` with exactly these bounds, and key columns without
/// NULL. PostgreSQL also accepts narrower bounds, which are not recognized here.
fn proves_bounds(child: &Relation, key: &[String], bounds: &[String]) -> bool {
    let validated = child.constraints.iter().filter(|constraint| constraint.validated.is_some());
    let mut fits = false;
    let mut not_null: Vec<&String> = child.columns.iter().filter(|column| column.not_null).map(|column| &column.name).collect();
    for constraint in validated {
        if let ConstraintKind::Check { mentions, literals, not_null: proved } = &constraint.kind {
            not_null.extend(proved);
            let mentions_key = key.iter().all(|column| mentions.contains(column));
            fits |= mentions_key && bounds.iter().all(|bound| literals.contains(bound));
        }
    }
    fits && key.iter().all(|column| not_null.contains(&column))
}

fn add_column(schema: &Schema, key: &ObjectName, column: &Column, sql: &str, context: ImpactContext) -> Vec<Impact> {
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    let ty = column.ty.as_ref();
    let volatile = column.default.clone().and_then(|default| {
        volatile_function(sql, default, |name| schema.is_stable(name) || schema.ty(&schema.resolve(name)).is_some())
    });
    let old_default = column.default.is_some() && !context.server.is_at_least(11, 0);
    let serial = ty.is_some_and(|ty| matches!(ty.name.as_str(), "serial" | "bigserial" | "smallserial"));
    let stored = match column.generated {
        Some(Generated::Stored) => true,
        Some(Generated::Unsaid) => !context.server.is_at_least(18, 0),
        _ => false,
    };
    // A new column of an array type contains no element that could violate the constraint.
    let is_constrained = |ty: &&Type| !ty.array && schema.domains(ty).iter().any(|(_, _, constrained)| *constrained);
    let domain = ty.filter(is_constrained);
    let rewrite = if let Some(function) = volatile {
        Some(Cause::VolatileDefault(function))
    } else if serial {
        Some(Cause::Serial)
    } else if old_default {
        Some(Cause::VolatileDefault("any default before PostgreSQL 11".to_owned()))
    } else if column.identity {
        Some(Cause::Identity)
    } else if stored {
        Some(Cause::Stored)
    } else {
        domain.map(|_| Cause::ColumnDomain)
    };
    let mut impacts = vec![match rewrite {
        Some(cause) => exclusive(cause).rewriting(),
        None => exclusive(Cause::Catalogue),
    }];
    if !column.checks.is_empty() {
        impacts.push(exclusive(Cause::ColumnCheck).scanning());
    }
    if column.unique || column.primary {
        impacts.push(exclusive(Cause::ColumnKey).building());
    }
    if let Some(reference) = &column.references {
        let parent = schema.resolve(&reference.table);
        let scans = column.default.as_ref().is_some_and(|default| !sql[default.clone()].trim().eq_ignore_ascii_case("null"));
        let scan_if_needed = |impact: Impact| if scans { impact.scanning() } else { impact };
        impacts.push(scan_if_needed(exclusive(Cause::ColumnReference)));
        if parent != *key {
            let on_parent = |cause| Impact::new(parent, Lock::ShareRowExclusive, cause);
            impacts.push(if context.table_is_empty {
                on_parent(Cause::ParentOfNew)
            } else {
                scan_if_needed(on_parent(Cause::ColumnReference))
            });
        }
    }
    impacts
}

fn add_constraint(schema: &Schema, key: &ObjectName, constraint: &syntax::Constraint, empty: bool) -> Vec<Impact> {
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    match &constraint.kind {
        syntax::ConstraintKind::Check(_) | syntax::ConstraintKind::NotNull { .. } => {
            vec![if constraint.not_valid { exclusive(Cause::Catalogue) } else { exclusive(Cause::Check).scanning() }]
        }
        syntax::ConstraintKind::Unique { using_index: Some(_), .. } => vec![exclusive(Cause::Catalogue)],
        syntax::ConstraintKind::Unique { .. } => vec![exclusive(Cause::Unique).building()],
        syntax::ConstraintKind::Primary { using_index: Some(index), .. } => {
            let relation = schema.relation(key);
            let columns = relation.and_then(|relation| {
                let existing = relation.indexes.find(index, true)?;
                Some((relation, &existing.columns))
            });
            let nullable = columns.is_some_and(|(relation, columns)| {
                columns.iter().any(|name| {
                    relation.column(name).is_some_and(|column| !column.not_null) && !proves_not_null(relation, name, |_| false)
                })
            });
            vec![if nullable { exclusive(Cause::PrimaryNullable).scanning() } else { exclusive(Cause::Catalogue) }]
        }
        syntax::ConstraintKind::Primary { .. } => vec![exclusive(Cause::Primary).building()],
        syntax::ConstraintKind::Foreign { references, .. } => {
            let parent = schema.resolve(&references.table);
            let cause = if constraint.not_valid { Cause::ForeignKeyNotValid } else { Cause::ForeignKey };
            let impact = Impact::new(key.clone(), Lock::ShareRowExclusive, cause);
            let impact = if constraint.not_valid { impact } else { impact.scanning() };
            if parent == *key {
                return vec![impact];
            }
            // An empty table has no rows to check against the referenced table.
            let on_parent = if empty {
                Impact::new(parent, Lock::ShareRowExclusive, Cause::ParentOfNew)
            } else {
                Impact { table: parent, ..impact.clone() }
            };
            vec![impact, on_parent]
        }
        syntax::ConstraintKind::Exclude => vec![exclusive(Cause::Exclude).building()],
    }
}

fn set_type(
    schema: &Schema,
    key: &ObjectName,
    column: &str,
    ty: &Type,
    using: Option<&str>,
    context: ImpactContext,
) -> Vec<Impact> {
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    let relation = schema.relation(key);
    let definition = relation.and_then(|relation| relation.column(column));
    let indexed = relation.is_some_and(|relation| {
        let contains = |columns: &[String]| columns.iter().any(|name| name == column);
        relation.indexed_with(column).any(contains)
            || relation.indexes_with(column).any(|index| contains(&index.columns))
            // Its columns are unknown.
            || relation.has_exclusion()
    });
    let is_checked_by = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Check { mentions, .. } => mentions.iter().any(|word| word == column),
        _ => false,
    };
    let checked = relation.is_some_and(|relation| relation.constraints_with(column).any(is_checked_by));
    // PostgreSQL parses the expression or condition of an index again with the new type, and rebuilds the index.
    let in_expression = relation.is_some_and(|relation| {
        relation.indexes_with(column).any(|index| index.partial_or_expression && index.mentions.iter().any(|word| word == column))
    });
    let current = definition.and_then(|definition| definition.ty.as_ref());
    // A domain is stored as its base type. A change to a domain with constraints checks every value.
    let stored = |ty: &Type, checks: bool| match schema.domains(ty).as_slice() {
        [] => ty.clone(),
        _ if ty.array => ty.clone(),
        domains if checks && domains.iter().any(|(_, _, constrained)| *constrained) => ty.clone(),
        [.., (_, base, _)] if checks => (*base).clone(),
        // The domain limits the length of its values, so a change away from it checks them again.
        [.., (_, base, _)] => Type { arguments: Vec::new(), ..(*base).clone() },
    };
    let (from, to) = (current.map(|ty| stored(ty, false)), stored(ty, true));
    let cost = type_change::cost(from.as_ref(), &to, using.is_none_or(|using| is_plain(using, column, ty)));
    let main = match cost {
        Cost::IndexesInUtc if !context.utc && (indexed || in_expression) => exclusive(Cause::TypeTimeZoneIndexed).rewriting(),
        Cost::IndexesInUtc if !context.utc => exclusive(Cause::TypeTimeZone).rewriting(),
        Cost::Indexes | Cost::IndexesInUtc if indexed => exclusive(Cause::TypeIndexes).building(),
        Cost::Free | Cost::Indexes | Cost::IndexesInUtc if in_expression => exclusive(Cause::TypeIndexes).building(),
        Cost::Free | Cost::Indexes | Cost::IndexesInUtc => exclusive(Cause::Catalogue),
        Cost::Rewrite => exclusive(Cause::TypeRewrite).rewriting(),
        Cost::Unknown => exclusive(Cause::TypeUnknown).rewriting(),
    };
    let recheck = (checked && cost != Cost::Rewrite).then(|| exclusive(Cause::TypeCheck).scanning());
    let checks_rows = matches!(cost, Cost::Rewrite | Cost::Unknown);
    [main].into_iter().chain(recheck).chain(foreign_key_partners(schema, key, column, checks_rows)).collect()
}

/// The other tables of the foreign keys of a column whose type changes. PostgreSQL drops these constraints and creates them
/// again; if the new type compares in another way, it checks the rows of the referencing table. Shown on a server: `pg_locks`
/// lists ACCESS EXCLUSIVE on both tables.
fn foreign_key_partners(schema: &Schema, key: &ObjectName, column: &str, checks_rows: bool) -> Vec<Impact> {
    let contains = |columns: &[String]| columns.iter().any(|name| name == column);
    let exclusive = |table: &ObjectName| Impact::new(table.clone(), Lock::AccessExclusive, Cause::TypeForeignKey);
    let Some(relation) = schema.relation(key) else { return Vec::new() };
    let keys = relation.foreign_keys_with(column).filter(|(_, columns, parent, _)| contains(columns) && *parent != key);
    let mut partners: Vec<Impact> = keys.map(|(_, _, parent, _)| exclusive(parent)).collect();
    for (child, referencing, _) in schema.children(key).filter(|(child, ..)| *child != key) {
        let references = |constraint: &Constraint| match &constraint.kind {
            ConstraintKind::Foreign { targets, .. } => relation.targets(targets).is_some_and(contains),
            _ => false,
        };
        if referencing.foreign_keys_to(key).any(|(constraint, ..)| references(constraint)) {
            partners.push(if checks_rows { exclusive(child).scanning() } else { exclusive(child) });
        }
    }
    partners
}

/// Whether `USING` only casts the column to the new type, as in `USING a::text`.
fn is_plain(using: &str, column: &str, ty: &Type) -> bool {
    let using = using.trim();
    let using =
        using.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).filter(|inner| !inner.contains('(')).unwrap_or(using);
    let sql = format!("ALTER TABLE t ALTER a TYPE {}", using.split_once("::").map_or("", |(_, ty)| ty));
    let same_type = match reader::read(&sql, migrate_model::dialect::Dialect::Postgres) {
        Syntax::AlterTable(AlterTable { actions, .. }) => match actions.first().map(|action| &action.kind) {
            Some(ActionKind::SetType { ty: cast, using: None, .. }) => cast == ty,
            _ => false,
        },
        _ => false,
    };
    let name = using.split_once("::").map_or(using, |(name, _)| name).trim().trim_matches('"');
    name == column && (same_type || !using.contains("::"))
}
