//! Which objects of a schema mention a name: found without a search over all objects.

use crate::object_name::ObjectName;
use crate::parts::{Named, Parts};
use crate::relation::{Column, Constraint, ConstraintKind, Relation};
use crate::schema::{ObjectId, SchemaObject};
use migrate_model::syntax::{ObjectKind, Type};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

/// Something that an object mentions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum SchemaMention {
    /// A table, a view or a function.
    Object(ObjectName),
    /// A type, by its name in lower case and without its schema.
    Type(String),
    /// The schema that contains the object, unless it is the default one.
    Schema(Arc<str>),
    /// The name of the object itself, without its schema.
    Own(Arc<str>),
}

/// The built-in types of most columns.
const BUILT_IN: [&str; 18] = [
    "bigint",
    "bool",
    "bytea",
    "char",
    "date",
    "datetime",
    "double",
    "float8",
    "int",
    "json",
    "jsonb",
    "numeric",
    "smallint",
    "text",
    "timestamp",
    "timestamptz",
    "uuid",
    "varchar",
];

/// How often each object mentions something.
#[derive(Debug, Clone, Default)]
pub struct References {
    users: BTreeMap<(SchemaMention, Arc<ObjectId>), usize>,
}

impl References {
    /// Follows a change of an object. Returns how many mentions have changed.
    pub fn update(&mut self, id: &Arc<ObjectId>, before: Option<&SchemaObject>, after: Option<&SchemaObject>) -> usize {
        let (added, removed) = (mentions(id, after, before), mentions(id, before, after));
        let count = added.len() + removed.len();
        for mention in added {
            *self.users.entry((mention, id.clone())).or_default() += 1;
        }
        for mention in removed {
            if let Entry::Occupied(mut entry) = self.users.entry((mention, id.clone())) {
                *entry.get_mut() -= 1;
                if *entry.get() == 0 {
                    entry.remove();
                }
            }
        }
        count
    }

    /// The objects that mention a table, a view or a function.
    pub fn to_object(&self, name: &ObjectName) -> impl Iterator<Item = &ObjectId> + use<'_> {
        self.users(SchemaMention::Object(name.clone()))
    }

    /// The objects that may use a type which is not built in.
    pub fn to_type(&self, name: &ObjectName) -> impl Iterator<Item = &ObjectId> + use<'_> {
        self.users(SchemaMention::Type(name.name().to_lowercase()))
    }

    /// The objects in a schema other than the default one.
    pub fn in_schema(&self, schema: &str) -> impl Iterator<Item = &ObjectId> + use<'_> {
        self.users(SchemaMention::Schema(schema.into()))
    }

    /// The relations, types, indexes, functions and schemas of this name.
    pub fn of_name(&self, name: &str) -> impl Iterator<Item = &ObjectId> + use<'_> {
        self.users(SchemaMention::Own(name.into()))
    }

    fn users(&self, mention: SchemaMention) -> impl Iterator<Item = &ObjectId> + use<'_> {
        let from = (mention, Arc::new(ObjectId::first()));
        let users = self.users.range(from.clone()..).map(|(key, _)| key);
        users.take_while(move |(mention, _)| *mention == from.0).map(|(_, id)| &**id)
    }
}

/// What an object mentions in the parts that it does not share with another state of it.
fn mentions(id: &ObjectId, object: Option<&SchemaObject>, other: Option<&SchemaObject>) -> Vec<SchemaMention> {
    let Some(object) = object else { return Vec::new() };
    let mut all: Vec<SchemaMention> = id.name.schema.clone().map(SchemaMention::Schema).into_iter().collect();
    if is_found_by_name(id, object) {
        all.push(SchemaMention::Own(id.name.name.clone()));
    }
    match object {
        SchemaObject::Relation(relation) | SchemaObject::External(relation) => {
            let other = match other {
                Some(SchemaObject::Relation(other) | SchemaObject::External(other)) => Some(&**other),
                _ => None,
            };
            of_relation(relation, other, &mut all);
        }
        SchemaObject::Domain { base, .. } => all.extend(of_type(base)),
        SchemaObject::Trigger { table, references } => {
            let names = [table].into_iter().chain(&references.tables).chain(&references.function);
            all.extend(names.cloned().map(SchemaMention::Object));
        }
        SchemaObject::Sequence { owner: Some((table, _)) } => all.push(SchemaMention::Object(table.clone())),
        _ => {}
    }
    all
}

fn is_found_by_name(id: &ObjectId, object: &SchemaObject) -> bool {
    match object {
        SchemaObject::Relation(_) | SchemaObject::Index(_) | SchemaObject::Routine { .. } => true,
        SchemaObject::Enum(_) | SchemaObject::Domain { .. } | SchemaObject::Type => true,
        _ => id.is_of(ObjectKind::Schema) || id.is_of(ObjectKind::Database),
    }
}

fn of_relation(relation: &Relation, other: Option<&Relation>, all: &mut Vec<SchemaMention>) {
    let lists = [
        different(&relation.reads_from, other.map(|other| &other.reads_from)),
        different(&relation.inherits, other.map(|other| &other.inherits)),
        different(&relation.partitions, other.map(|other| &other.partitions)),
    ];
    let tables = lists.into_iter().flatten().chain(&relation.partition_of);
    all.extend(tables.cloned().map(SchemaMention::Object));
    let of_constraint = |constraint: &Constraint| match &constraint.kind {
        ConstraintKind::Foreign { table, .. } => Some(SchemaMention::Object(table.clone())),
        _ => None,
    };
    all.extend(different(&relation.constraints, other.map(|other| &other.constraints)).filter_map(of_constraint));
    let of_column = |column: &Column| column.ty.as_ref().and_then(of_type);
    all.extend(different(&relation.columns, other.map(|other| &other.columns)).filter_map(of_column));
}

fn different<'a, T: Named + Clone>(parts: &'a Parts<T>, other: Option<&'a Parts<T>>) -> impl Iterator<Item = &'a T> {
    let (all, changed) = match other {
        Some(other) => (None, parts.not_shared_with(other)),
        None => (Some(parts.iter()), Vec::new()),
    };
    all.into_iter().flatten().chain(changed)
}

/// A type that migrations may create or remove. Of a name without a schema, the built-in type has precedence.
fn of_type(ty: &Type) -> Option<SchemaMention> {
    let is_built_in = ty.schema.is_none() && BUILT_IN.contains(&ty.name.as_str());
    (!is_built_in).then(|| SchemaMention::Type(ty.name.to_lowercase()))
}
