//! PostgreSQL. Measured on 15.20: locks, scans and rewrites of each statement.

use super::{Cause, Impact, ImpactContext, Lock};
use crate::object_name::ObjectName;
use crate::relation::{Constraint, ConstraintKind, Index, Relation};
use crate::schema::Schema;
use crate::type_change::{self, Cost};
use crate::volatility::volatile_function;
use migrate_model::reader;
use migrate_model::syntax::{
    self, Action, ActionKind, AlterTable, Column, CreateIndex, DropStatement, Generated, IndexAction, ObjectAction, ObjectKind,
    Syntax, Type,
};

pub fn impacts(schema: &Schema, syntax: &Syntax, sql: &str, circumstances: ImpactContext) -> Vec<Impact> {
    let one = |name, lock, cause| vec![Impact::new(schema.resolve(name), lock, cause)];
    match syntax {
        Syntax::CreateTable(table) if !table.temporary => {
            let own = table.name.as_ref().map(|name| schema.resolve(name));
            let columns = table.columns.iter().filter_map(|column| column.references.as_ref());
            let constraints = table.constraints.iter().filter_map(|constraint| match &constraint.kind {
                syntax::ConstraintKind::Foreign { references, .. } => Some(references),
                _ => None,
            });
            let parents = columns.chain(constraints).map(|reference| schema.resolve(&reference.table));
            let parents = distinct(parents.filter(|parent| Some(parent) != own.as_ref()));
            let mut impacts: Vec<Impact> =
                parents.into_iter().map(|parent| Impact::new(parent, Lock::ShareRowExclusive, Cause::ParentOfNew)).collect();
            if let Some(parent) = &table.partition_of {
                let parent = schema.resolve(parent);
                impacts.extend(default_scan(schema, &parent, Cause::PartitionOf));
                impacts.insert(0, Impact::new(parent, Lock::AccessExclusive, Cause::PartitionOf));
            }
            impacts
        }
        Syntax::AlterTable(alter) if alter.foreign => one(&alter.table, Lock::AccessExclusive, Cause::Catalogue),
        Syntax::AlterTable(alter) => {
            let key = schema.resolve(&alter.table);
            alter.actions.iter().flat_map(|action| action_impacts(schema, &key, alter, action, sql, circumstances)).collect()
        }
        Syntax::CreateIndex(index) => create_index(schema, index),
        Syntax::CreateTrigger { table: Some(table), temporary: false, .. } => one(table, Lock::ShareRowExclusive, Cause::Trigger),
        Syntax::RenameTrigger { table, .. } => one(table, Lock::AccessExclusive, Cause::Trigger),
        Syntax::Policy { table: Some(table) } => one(table, Lock::AccessExclusive, Cause::Policy),
        Syntax::Drop(removal) => drop_objects(schema, removal),
        Syntax::AlterDomain { name, checks: true } => {
            let key = schema.resolve(name);
            let of_domain = |ty: &Type| schema.domains(ty).iter().any(|(own, ..)| *own == key);
            let users = schema
                .relations()
                .filter(|(_, relation)| relation.columns.iter().any(|column| column.ty.as_ref().is_some_and(of_domain)));
            users.map(|(key, _)| Impact::new(key.clone(), Lock::Share, Cause::Domain).scanning()).collect()
        }
        Syntax::AlterIndex { name, action } => {
            let table = schema.table_of_index(None, &schema.resolve(name)).cloned();
            let lock = match action {
                // Of the index; the table is not touched.
                IndexAction::Rename(_) | IndexAction::Other => return Vec::new(),
                IndexAction::Attach(_) => Lock::ShareUpdateExclusive,
                IndexAction::SetTablespace => Lock::AccessExclusive,
            };
            table.into_iter().map(|table| Impact::new(table, lock, Cause::Catalogue)).collect()
        }
        Syntax::Alter { kind: ObjectKind::View | ObjectKind::MaterializedView, name, action } => match action {
            ObjectAction::Steady(_) | ObjectAction::Other => Vec::new(),
            _ => one(name, Lock::AccessExclusive, Cause::Catalogue),
        },
        Syntax::Truncate { tables, cascade } => {
            let named: Vec<ObjectName> = tables.iter().map(|table| schema.resolve(table)).collect();
            let mut all = named.clone();
            if *cascade {
                let mut next = 0;
                while let Some(parent) = all.get(next).cloned() {
                    all.extend(distinct(schema.children(&parent).map(|(child, ..)| child.clone())));
                    next += 1;
                    all = distinct(all.into_iter());
                }
            }
            all.into_iter().map(|table| Impact::new(table, Lock::AccessExclusive, Cause::Truncate)).collect()
        }
        Syntax::Lock { tables, mode } => {
            let lock = match mode.as_deref() {
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
        Syntax::Refresh { view, concurrently, no_data } => {
            let key = schema.resolve(view);
            let (lock, cause) = match concurrently {
                true => (Lock::Exclusive, Cause::RefreshConcurrent),
                false => (Lock::AccessExclusive, Cause::Refresh),
            };
            let impact = Impact::new(key, lock, cause);
            vec![if *no_data { impact } else { impact.scanning() }]
        }
        Syntax::Reindex { target, name: Some(name), concurrently } => {
            let table = match target.as_str() {
                "TABLE" => Some(schema.resolve(name)),
                "INDEX" => schema.table_of_index(None, &schema.resolve(name)).cloned().or_else(|| Some(schema.resolve(name))),
                _ => None,
            };
            let lock = if *concurrently { Lock::ShareUpdateExclusive } else { Lock::Share };
            table.into_iter().map(|table| Impact::new(table, lock, Cause::Reindex).building()).collect()
        }
        Syntax::Cluster { table: Some(table) } => {
            vec![Impact::new(schema.resolve(table), Lock::AccessExclusive, Cause::Rewrite).rewriting()]
        }
        Syntax::Vacuum { full: true, tables } => tables
            .iter()
            .map(|table| Impact::new(schema.resolve(table), Lock::AccessExclusive, Cause::Rewrite).rewriting())
            .collect(),
        Syntax::Comment { table: Some(table) } => one(table, Lock::ShareUpdateExclusive, Cause::Catalogue),
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

fn distinct(keys: impl Iterator<Item = ObjectName>) -> Vec<ObjectName> {
    let mut found = Vec::new();
    for key in keys {
        if !found.contains(&key) {
            found.push(key);
        }
    }
    found
}

/// The default partition is looked through when another one comes.
fn default_scan(schema: &Schema, parent: &ObjectName, cause: Cause) -> Option<Impact> {
    let default = schema.relation(parent)?.default_partition.clone()?;
    Some(Impact::new(default, Lock::AccessExclusive, cause).scanning())
}

fn create_index(schema: &Schema, index: &CreateIndex) -> Vec<Impact> {
    let table = schema.resolve(&index.table);
    if index.concurrently {
        return vec![Impact::new(table, Lock::ShareUpdateExclusive, Cause::IndexBuildConcurrent).building()];
    }
    let relation = schema.relation(&table);
    let partitions = relation.map(|relation| relation.partitions.clone()).unwrap_or_default();
    // Held until each of them has its index.
    let parent = Impact { builds: true, ..Impact::new(table, Lock::Share, Cause::IndexOnPartitions) };
    match relation.is_some_and(|relation| relation.partitioned) {
        true if index.only => vec![Impact { cause: Cause::Catalogue, builds: false, ..parent }],
        true => {
            let each =
                partitions.into_iter().map(|partition| Impact::new(partition, Lock::Share, Cause::IndexOnPartitions).building());
            [parent].into_iter().chain(each).collect()
        }
        false => vec![Impact { cause: Cause::IndexBuild, ..parent }.building()],
    }
}

fn drop_objects(schema: &Schema, removal: &DropStatement) -> Vec<Impact> {
    let mut impacts = Vec::new();
    for name in &removal.names {
        let key = schema.resolve(name);
        match removal.kind {
            ObjectKind::Table => {
                let relation = schema.relation(&key);
                let cause = match relation.and_then(|relation| relation.partition_of.as_ref()) {
                    Some(_) => Cause::DropPartition,
                    None => Cause::DropTable,
                };
                impacts.push(Impact::new(key.clone(), Lock::AccessExclusive, cause.clone()));
                if let Some(parent) = relation.and_then(|relation| relation.partition_of.clone()) {
                    impacts.push(Impact::new(parent, Lock::AccessExclusive, cause));
                }
                let parents = relation.into_iter().flat_map(Relation::foreign_keys).map(|(_, _, table, _)| table.clone());
                let parents = distinct(parents.filter(|parent| *parent != key));
                impacts
                    .extend(parents.into_iter().map(|parent| Impact::new(parent, Lock::AccessExclusive, Cause::ParentOfDropped)));
                if removal.cascade {
                    let readers = schema.views_reading(&key).map(|(reader, _)| reader.clone());
                    let children = schema.children(&key).map(|(child, ..)| child.clone());
                    let others = distinct(readers.chain(children));
                    impacts.extend(others.into_iter().map(|other| Impact::new(other, Lock::AccessExclusive, Cause::Catalogue)));
                }
            }
            ObjectKind::View | ObjectKind::MaterializedView => {
                impacts.push(Impact::new(key, Lock::AccessExclusive, Cause::Catalogue));
            }
            ObjectKind::Index => {
                let table = schema.table_of_index(None, &key).cloned();
                let (lock, cause) = match removal.concurrently {
                    true => (Lock::ShareUpdateExclusive, Cause::IndexDropConcurrent),
                    false => (Lock::AccessExclusive, Cause::IndexDrop),
                };
                // Of an index that the history did not make, the table is not known.
                impacts.push(Impact::new(table.unwrap_or(key), lock, cause));
            }
            ObjectKind::Trigger => {
                if let Some(table) = &removal.table {
                    impacts.push(Impact::new(schema.resolve(table), Lock::AccessExclusive, Cause::Trigger));
                }
            }
            _ => {}
        }
    }
    impacts
}

fn action_impacts(
    schema: &Schema,
    key: &ObjectName,
    alter: &AlterTable,
    action: &Action,
    sql: &str,
    circumstances: ImpactContext,
) -> Vec<Impact> {
    let relation = schema.relation(key);
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    let mut impacts = match &action.kind {
        ActionKind::AddColumn { column, if_not_exists } => {
            // Where it is there already, nothing happens.
            let there = *if_not_exists && relation.is_some_and(|relation| relation.column(&column.name).is_some());
            if there { vec![exclusive(Cause::Catalogue)] } else { add_column(schema, key, column, sql, circumstances) }
        }
        ActionKind::AddConstraint(constraint) => add_constraint(schema, key, constraint, circumstances.table_is_empty),
        ActionKind::DropConstraint { name, .. } => {
            let parent = relation.and_then(|relation| match &relation.constraint(name)?.kind {
                ConstraintKind::Foreign { table, .. } if table != key => Some(table.clone()),
                _ => None,
            });
            let parent = parent.map(|parent| Impact::new(parent, Lock::AccessExclusive, Cause::ParentOfDropped));
            [exclusive(Cause::Catalogue)].into_iter().chain(parent).collect()
        }
        ActionKind::SetType { column, ty, using } => {
            set_type(schema, key, column, ty, using.as_ref().map(|range| &sql[range.clone()]), circumstances)
        }
        ActionKind::SetNotNull(column) => {
            let known = relation.and_then(|relation| relation.column(column));
            // What is dropped in the same statement is dropped first.
            let dropped: Vec<&str> = alter
                .actions
                .iter()
                .filter_map(|other| match &other.kind {
                    ActionKind::DropConstraint { name, .. } => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            let already = known.is_some_and(|known| known.not_null);
            let proved = circumstances.server.is_at_least(12, 0)
                && relation.is_some_and(|relation| proves_not_null(relation, column, &dropped));
            // The constraint may come in the same statement, behind or before this.
            let here = alter.actions.iter().any(|other| match &other.kind {
                ActionKind::AddConstraint(constraint) => matches!(&constraint.kind, syntax::ConstraintKind::Check(check) if !constraint.not_valid && check.not_null.contains(column)),
                _ => false,
            });
            vec![match already || proved || here {
                true => exclusive(Cause::Catalogue),
                false => exclusive(Cause::NotNull).scanning(),
            }]
        }
        ActionKind::Validate(name) => {
            let parent = relation.and_then(|relation| match &relation.constraint(name)?.kind {
                ConstraintKind::Foreign { table, .. } if table != key => Some(table.clone()),
                _ => None,
            });
            let done =
                relation.and_then(|relation| relation.constraint(name)).is_some_and(|constraint| constraint.validated.is_some());
            let own = Impact::new(key.clone(), Lock::ShareUpdateExclusive, Cause::Validate);
            let parent = parent.map(|parent| Impact::new(parent, Lock::RowShare, Cause::Validate).scanning());
            if done { vec![own] } else { [own.scanning()].into_iter().chain(parent).collect() }
        }
        ActionKind::Trigger => vec![Impact::new(key.clone(), Lock::ShareRowExclusive, Cause::Trigger)],
        ActionKind::RowSecurity => vec![exclusive(Cause::Policy)],
        ActionKind::Weak => vec![Impact::new(key.clone(), Lock::ShareUpdateExclusive, Cause::Catalogue)],
        ActionKind::Attach { partition, bounds, .. } => {
            let child = schema.resolve(partition);
            let key_columns = relation.map(|relation| relation.partition_key.clone()).unwrap_or_default();
            let proved = schema.relation(&child).is_some_and(|child| proves_bounds(child, &key_columns, bounds));
            let parent_lock =
                if circumstances.server.is_at_least(12, 0) { Lock::ShareUpdateExclusive } else { Lock::AccessExclusive };
            let own = Impact::new(child, Lock::AccessExclusive, Cause::AttachScan);
            let lacks = match (relation, schema.relation(&own.table)) {
                (Some(parent), Some(child)) => child.columns_known && lacks_indexes(parent, child),
                _ => false,
            };
            let own = match (proved, lacks) {
                (_, true) => Impact { cause: Cause::AttachIndex, ..own }.scanning().building(),
                (false, false) => own.scanning(),
                (true, false) => Impact { cause: Cause::Catalogue, ..own },
            };
            let parent = Impact::new(key.clone(), parent_lock, Cause::Catalogue);
            [parent, own].into_iter().chain(default_scan(schema, key, Cause::AttachDefault)).collect()
        }
        ActionKind::Detach { partition, concurrently, .. } => {
            let child = schema.resolve(partition);
            match concurrently {
                true => vec![
                    Impact::new(key.clone(), Lock::ShareUpdateExclusive, Cause::DetachConcurrent),
                    Impact::new(child, Lock::AccessExclusive, Cause::DetachConcurrent),
                ],
                false => vec![exclusive(Cause::Detach), Impact::new(child, Lock::AccessExclusive, Cause::Detach)],
            }
        }
        ActionKind::Inherit(parent) => {
            vec![exclusive(Cause::Catalogue), Impact::new(schema.resolve(parent), Lock::ShareUpdateExclusive, Cause::Catalogue)]
        }
        ActionKind::SetLogged | ActionKind::SetAccessMethod => vec![exclusive(Cause::Rewrite).rewriting()],
        // Copied block by block.
        ActionKind::SetTablespace => vec![Impact { rewrites: true, ..exclusive(Cause::Rewrite) }],
        _ => vec![exclusive(Cause::Catalogue)],
    };
    // What is done to a table is done to its partitions.
    if let Some(relation) = relation.filter(|relation| relation.partitioned)
        && !matches!(action.kind, ActionKind::Attach { .. } | ActionKind::Detach { .. })
        && let Some(first) = impacts.first().filter(|first| first.lock == Lock::AccessExclusive).cloned()
    {
        impacts.extend(relation.partitions.iter().map(|partition| Impact { table: partition.clone(), ..first.clone() }));
    }
    impacts.into_iter().map(|impact| impact.at(&action.range)).collect()
}

/// Has a table keys or indexes that another has not?
fn lacks_indexes(parent: &Relation, child: &Relation) -> bool {
    let key = |constraint: &&Constraint| matches!(constraint.kind, ConstraintKind::Primary(_) | ConstraintKind::Unique(_));
    let has_key = |own: &Constraint| child.constraints.iter().any(|other| other.kind == own.kind);
    let has_index = |own: &Index| {
        let mut others = child.indexes.iter();
        own.partial_or_expression
            || others.any(|other| !other.partial_or_expression && other.columns == own.columns && other.unique == own.unique)
    };
    !parent.constraints.iter().filter(key).all(has_key) || !parent.indexes.iter().all(has_index)
}

/// Does a constraint that holds for all rows say that a column is not null?
fn proves_not_null(relation: &Relation, column: &str, dropped: &[&str]) -> bool {
    relation
        .constraints
        .iter()
        .filter(|constraint| constraint.validated.is_some() && !dropped.contains(&constraint.name.as_str()))
        .any(|constraint| match &constraint.kind {
            ConstraintKind::Check { not_null, .. } => not_null.iter().any(|name| name == column),
            ConstraintKind::NotNull(name) => name == column,
            _ => false,
        })
}

/// Do checks that hold for all rows say what the bounds of a partition say? Exactly the bounds count, and that the columns are
/// not null: whether wider or narrower ones would do is not worked out.
fn proves_bounds(child: &Relation, key: &[String], bounds: &[String]) -> bool {
    let validated = child.constraints.iter().filter(|constraint| constraint.validated.is_some());
    let mut fits = false;
    let mut not_null: Vec<&String> = child.columns.iter().filter(|column| column.not_null).map(|column| &column.name).collect();
    for constraint in validated {
        if let ConstraintKind::Check { mentions, literals, not_null: said } = &constraint.kind {
            not_null.extend(said);
            let about = key.iter().all(|column| mentions.contains(column));
            fits |= about && bounds.iter().all(|bound| literals.contains(bound));
        }
    }
    fits && key.iter().all(|column| not_null.contains(&column))
}

fn add_column(schema: &Schema, key: &ObjectName, column: &Column, sql: &str, circumstances: ImpactContext) -> Vec<Impact> {
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    let ty = column.ty.as_ref();
    let volatile = column.default.clone().and_then(|default| volatile_function(sql, default, |name| schema.is_stable(name)));
    let old_default = column.default.is_some() && !circumstances.server.is_at_least(11, 0);
    let serial = ty.is_some_and(|ty| matches!(ty.name.as_str(), "serial" | "bigserial" | "smallserial"));
    let stored = match column.generated {
        Some(Generated::Stored) => true,
        Some(Generated::Unsaid) => !circumstances.server.is_at_least(18, 0),
        _ => false,
    };
    // In an array there is none yet that it could refuse.
    let is_constrained = |ty: &&Type| !ty.array && schema.domains(ty).iter().any(|(_, _, constrained)| *constrained);
    let domain = ty.filter(is_constrained);
    let mut impacts = vec![match (volatile, serial, domain) {
        (Some(function), ..) => exclusive(Cause::VolatileDefault(function)).rewriting(),
        (None, true, _) => exclusive(Cause::Serial).rewriting(),
        _ if old_default => exclusive(Cause::VolatileDefault("a default, before PostgreSQL 11,".to_owned())).rewriting(),
        _ if column.identity => exclusive(Cause::Identity).rewriting(),
        _ if stored => exclusive(Cause::Stored).rewriting(),
        (_, _, Some(_)) => exclusive(Cause::ColumnDomain).rewriting(),
        _ => exclusive(Cause::Catalogue),
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
        let mark = |impact: Impact| if scans { impact.scanning() } else { impact };
        impacts.push(mark(exclusive(Cause::ColumnReference)));
        if parent != *key {
            let other = |cause| Impact::new(parent, Lock::ShareRowExclusive, cause);
            impacts.push(if circumstances.table_is_empty {
                other(Cause::ParentOfNew)
            } else {
                mark(other(Cause::ColumnReference))
            });
        }
    }
    impacts
}

fn add_constraint(schema: &Schema, key: &ObjectName, constraint: &syntax::Constraint, empty: bool) -> Vec<Impact> {
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    match &constraint.kind {
        syntax::ConstraintKind::Check(_) | syntax::ConstraintKind::NotNull { .. } => vec![match constraint.not_valid {
            true => exclusive(Cause::Catalogue),
            false => exclusive(Cause::Check).scanning(),
        }],
        syntax::ConstraintKind::Unique { using_index: Some(_), .. } => vec![exclusive(Cause::Catalogue)],
        syntax::ConstraintKind::Unique { .. } => vec![exclusive(Cause::Unique).building()],
        syntax::ConstraintKind::Primary { using_index: Some(index), .. } => {
            let relation = schema.relation(key);
            let columns = relation.and_then(|relation| {
                let found = relation.indexes.iter().find(|own| own.name.as_ref() == Some(index))?;
                Some((relation, &found.columns))
            });
            let nullable = columns.is_some_and(|(relation, columns)| {
                columns.iter().any(|name| {
                    relation.column(name).is_some_and(|column| !column.not_null) && !proves_not_null(relation, name, &[])
                })
            });
            vec![match nullable {
                true => exclusive(Cause::PrimaryNullable).scanning(),
                false => exclusive(Cause::Catalogue),
            }]
        }
        syntax::ConstraintKind::Primary { .. } => vec![exclusive(Cause::Primary).building()],
        syntax::ConstraintKind::Foreign { references, .. } => {
            let parent = schema.resolve(&references.table);
            let cause = if constraint.not_valid { Cause::ForeignKeyNotValid } else { Cause::ForeignKey };
            let own = Impact::new(key.clone(), Lock::ShareRowExclusive, cause.clone());
            let own = if constraint.not_valid { own } else { own.scanning() };
            // No row has to be looked up.
            let other = match empty {
                true => Impact::new(parent.clone(), Lock::ShareRowExclusive, Cause::ParentOfNew),
                false => Impact { table: parent.clone(), ..own.clone() },
            };
            if parent == *key { vec![own] } else { vec![own, other] }
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
    circumstances: ImpactContext,
) -> Vec<Impact> {
    let exclusive = |cause| Impact::new(key.clone(), Lock::AccessExclusive, cause);
    let relation = schema.relation(key);
    let known = relation.and_then(|relation| relation.column(column));
    let indexed = relation.is_some_and(|relation| {
        relation.indexed().any(|columns| columns.iter().any(|own| own == column))
            || relation.indexes.iter().any(|index| index.partial_or_expression)
    });
    let checked = relation.is_some_and(|relation| {
        relation.constraints.iter().any(|constraint| matches!(&constraint.kind, ConstraintKind::Check { mentions, .. } if mentions.iter().any(|word| word == column)))
    });
    // Where the index is over an expression or not over all rows, what it says is read anew with the new type.
    let said = relation.is_some_and(|relation| {
        relation.indexes.iter().any(|index| index.partial_or_expression && index.mentions.iter().any(|word| word == column))
    });
    let same = known.and_then(|known| known.ty.as_ref()) == Some(ty);
    // A domain is stored as what it stands on; one that refuses values has to look at them.
    let stored = |ty: &Type, checks: bool| match schema.domains(ty).as_slice() {
        [] => ty.clone(),
        _ if ty.array => ty.clone(),
        domains if checks && domains.iter().any(|(_, _, constrained)| *constrained) => ty.clone(),
        [.., (_, base, _)] if checks => (*base).clone(),
        // How long its values may be is the domain's affair: they are looked at again.
        [.., (_, base, _)] => Type { arguments: Vec::new(), ..(*base).clone() },
    };
    let (from, to) = (known.and_then(|known| known.ty.as_ref()).map(|ty| stored(ty, false)), stored(ty, true));
    let cost = type_change::cost(from.as_ref(), &to, using.is_none_or(|using| is_plain(using, column, ty)));
    let main = match cost {
        Cost::FreeInUtc if !circumstances.utc => exclusive(Cause::TypeTimeZone).rewriting(),
        Cost::Indexes if indexed => exclusive(Cause::TypeIndexes).building(),
        Cost::Free | Cost::FreeInUtc if said && !same => exclusive(Cause::TypeIndexes).building(),
        Cost::Free | Cost::FreeInUtc | Cost::Indexes => exclusive(Cause::Catalogue),
        Cost::Rewrite => exclusive(Cause::TypeRewrite).rewriting(),
        Cost::Unknown => exclusive(Cause::TypeUnknown).rewriting(),
    };
    let recheck = (checked && cost != Cost::Rewrite).then(|| exclusive(Cause::TypeCheck).scanning());
    [main].into_iter().chain(recheck).collect()
}

/// `USING a::text` says no more than the type does.
fn is_plain(using: &str, column: &str, ty: &Type) -> bool {
    let using = using.trim();
    let using =
        using.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')).filter(|inner| !inner.contains('(')).unwrap_or(using);
    let sql = format!("ALTER TABLE t ALTER a TYPE {}", using.split_once("::").map_or("", |(_, ty)| ty));
    let same_type = match reader::read(&sql, migrate_model::dialect::Dialect::Postgres) {
        Syntax::AlterTable(alter) => {
            matches!(alter.actions.first().map(|action| &action.kind), Some(ActionKind::SetType { ty: cast, using: None, .. }) if cast == ty)
        }
        _ => false,
    };
    let name = using.split_once("::").map_or(using, |(name, _)| name).trim().trim_matches('"');
    name == column && (same_type || !using.contains("::"))
}
