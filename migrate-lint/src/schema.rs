//! The objects of a database as the migrations leave them.
//!
//! Nothing is guessed: an object that no migration creates is not in the schema, and an object is incomplete if a statement
//! about it could not be parsed. A journal records all changes, so that they can be rolled back and compared.

use crate::dependents::Part;
use crate::effort::{self, Effort};
use crate::journal::Journal;
use crate::object_name::ObjectName;
use crate::parts::Parts;
use crate::references::References;
use crate::relation::{Column, HistoryPoint, Relation, RelationKind};
use crate::search_path::SearchPath;
use crate::uncertainty::join;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::syntax::{ObjectKind, Type};
use migrate_model::token::{Token, Tokens};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An object of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaObject {
    /// A table or a view.
    Relation(Box<Relation>),
    /// What the migrations changed in a table that they did not create.
    External(Box<Relation>),
    /// An enumerated type: its values, each with the time at which `ALTER TYPE` added it.
    Enum(Parts<(String, Option<HistoryPoint>)>),
    /// A domain.
    Domain {
        /// The underlying type, which may be another domain.
        base: Type,
        /// The domain has a constraint.
        constrained: bool,
    },
    /// A type that is neither an enumerated type nor a domain.
    Type,
    /// An index of this table.
    Index(ObjectName),
    /// A function or a procedure.
    Routine {
        /// Declared `IMMUTABLE` or `STABLE`.
        stable: bool,
        /// Its body contains `COMMIT` or `ROLLBACK`.
        commits: bool,
    },
    /// A trigger.
    Trigger {
        /// The table that fires it.
        table: ObjectName,
        /// The objects that its definition names.
        references: TriggerReferences,
    },
    /// A sequence.
    Sequence {
        /// The table and the column of `OWNED BY`.
        owner: Option<(ObjectName, String)>,
    },
    /// Any other object with a name.
    Other,
    /// A table or a view that was dropped or renamed.
    Dropped,
}

/// The objects that the definition of a trigger names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TriggerReferences {
    /// Columns of the table that fires it.
    pub columns: Vec<String>,
    /// Tables that it reads or changes.
    pub tables: Vec<ObjectName>,
    /// The function that it calls (PostgreSQL).
    pub function: Option<ObjectName>,
}

/// Within a namespace, a name identifies one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Namespace {
    Relation,
    External,
    Type,
    Index,
    Other(ObjectKind),
}

/// Identifies an object of a schema.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectId {
    namespace: Namespace,
    /// The table whose objects have names of their own: indexes of MySQL and triggers of PostgreSQL.
    table: Option<ObjectName>,
    /// The name within the namespace.
    pub name: ObjectName,
}

impl ObjectId {
    /// The least of all.
    pub fn first() -> Self {
        ObjectId { namespace: Namespace::Relation, table: None, name: ObjectName { schema: None, name: Arc::default() } }
    }

    /// Is it an object of this kind, which is neither a relation nor a type nor an index?
    pub fn is_of(&self, kind: ObjectKind) -> bool {
        self.namespace == Namespace::Other(kind)
    }
}

/// The most schemas of a search path that are searched one after another.
const SHORT_PATH: usize = 8;

/// The schema of temporary tables.
const SESSION: &str = "pg_temp";

/// The objects of a database, with a journal of their changes.
#[derive(Debug, Clone)]
pub struct Schema {
    dialect: Dialect,
    /// The schemas of `search_path`; empty for the default.
    path: SearchPath,
    /// Names of the temporary tables of the session.
    temporary: BTreeSet<Arc<str>>,
    objects: BTreeMap<Arc<ObjectId>, Arc<SchemaObject>>,
    journal: Journal,
    /// A statement had an unknown effect.
    opaque: bool,
    /// Which objects mention which names.
    references: References,
    /// What the statements of the current file have cost.
    effort: Effort,
}

impl Schema {
    /// A schema without objects.
    pub fn new(dialect: Dialect) -> Self {
        Schema {
            dialect,
            path: SearchPath::default(),
            temporary: BTreeSet::new(),
            objects: BTreeMap::new(),
            journal: Journal::default(),
            opaque: false,
            references: References::default(),
            effort: Effort::default(),
        }
    }

    /// The dialect whose rules for names apply.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Sets the schemas in which unqualified names are looked up; `None` is the default schema.
    pub fn set_path(&mut self, path: Vec<Option<String>>) {
        self.path = SearchPath::new(path.into_iter().map(|schema| self.without_default_schema(schema.map(Arc::from))).collect());
    }

    /// Sets the path that was in force before.
    pub fn restore_path(&mut self, path: SearchPath) {
        self.path = path;
    }

    /// The schemas in which unqualified names are looked up.
    pub fn path(&self) -> SearchPath {
        self.path.clone()
    }

    /// Begins a file of this size.
    pub fn begin_file(&mut self, bytes: usize) {
        self.effort = self.effort.next_file(bytes);
    }

    /// What the statements of the current file have cost.
    pub fn effort(&self) -> &Effort {
        &self.effort
    }

    /// Counts the objects that are visited.
    fn visited<'a>(&'a self, ids: impl Iterator<Item = &'a ObjectId>) -> impl Iterator<Item = &'a ObjectId> {
        ids.inspect(|_| self.effort.spend(1))
    }

    /// Ends the session: drops its temporary tables and resets the search path.
    pub fn end_session(&mut self) {
        self.path = SearchPath::default();
        for name in std::mem::take(&mut self.temporary) {
            self.take(Namespace::Relation, &ObjectName { schema: Some(SESSION.into()), name }, None);
        }
    }

    /// Adds a temporary table.
    pub fn put_temporary(&mut self, name: &Name, relation: Relation) {
        let table = ObjectName { schema: Some(SESSION.into()), name: self.fold(&name.name) };
        self.temporary.insert(table.name.clone());
        self.put_relation(table, relation);
    }

    fn fold(&self, text: &str) -> Arc<str> {
        match self.dialect {
            Dialect::Postgres => text.into(),
            Dialect::MySql | Dialect::Sqlite => text.to_lowercase().into(),
        }
    }

    /// Records that a statement had an unknown effect.
    pub fn set_opaque(&mut self) {
        self.opaque = true;
    }

    /// Has a statement had an unknown effect?
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// Resolves a name: to the existing object, or else to the one that would be created.
    pub fn resolve(&self, name: &Name) -> ObjectName {
        if name.schema.is_some() {
            return self.resolve_new(name);
        }
        let unqualified = self.fold(&name.name);
        if self.temporary.contains(&unqualified) {
            return ObjectName { schema: Some(SESSION.into()), name: unqualified };
        }
        self.find_in_path(unqualified).unwrap_or_else(|| self.resolve_new(name))
    }

    /// The first object of a name in the search path. Nearly always, one of two lists is short: the path, or the objects of the name.
    fn find_in_path(&self, name: Arc<str>) -> Option<ObjectName> {
        let exists = |name: &ObjectName| {
            self.relation(name).is_some() || self.ty(name).is_some() || self.table_of_index(None, name).is_some()
        };
        let schemas = self.path.schemas();
        if schemas.len() <= SHORT_PATH {
            let in_path = |schema: &Option<Arc<str>>| ObjectName { schema: schema.clone(), name: name.clone() };
            return schemas.iter().map(in_path).find(exists);
        }
        let existing = self.visited(self.references.of_name(&name)).map(|id| &id.name).filter(|name| exists(name));
        let in_path = existing.filter_map(|name| Some((self.path.position(&name.schema)?, name)));
        in_path.min().map(|(_, name)| name.clone())
    }

    /// Resolves the name of an object that is created.
    pub fn resolve_new(&self, name: &Name) -> ObjectName {
        let first_in_path = self.path.schemas().first().cloned().flatten();
        let schema = name.schema.as_deref().map(|schema| self.fold(schema)).or(first_in_path);
        ObjectName { schema: self.without_default_schema(schema), name: self.fold(&name.name) }
    }

    fn without_default_schema(&self, schema: Option<Arc<str>>) -> Option<Arc<str>> {
        let default = match self.dialect {
            Dialect::Postgres => "public",
            Dialect::MySql => "",
            Dialect::Sqlite => "main",
        };
        schema.filter(|schema| **schema != *default)
    }

    /// Is an object in a schema?
    pub fn is_in_schema(&self, object: &ObjectName, schema: &str) -> bool {
        object.schema == self.without_default_schema(Some(schema.into()))
    }

    /// The name of an object in the schema of another object.
    pub fn in_same_schema(&self, object: &ObjectName, name: &str) -> ObjectName {
        ObjectName { schema: object.schema.clone(), name: self.fold(name) }
    }

    /// The name that an object has after it was moved to another schema.
    pub fn in_schema(&self, object: &ObjectName, schema: &str) -> ObjectName {
        self.resolve(&Name { schema: Some(schema.to_owned()), name: object.name().to_owned() })
    }

    fn get(&self, namespace: Namespace, name: &ObjectName, table: Option<&ObjectName>) -> Option<&SchemaObject> {
        let id = ObjectId { namespace, table: table.cloned(), name: name.clone() };
        self.objects.get(&id).map(|object| &**object)
    }

    fn put(&mut self, namespace: Namespace, name: ObjectName, table: Option<ObjectName>, object: SchemaObject) {
        let id = ObjectId { namespace, table, name };
        let before = self.replace(&id, Some(Arc::new(object)));
        self.journal.record(id, before);
    }

    /// Puts an object in the place of another, without a journal entry. Nothing else changes the objects.
    fn replace(&mut self, id: &ObjectId, object: Option<Arc<SchemaObject>>) -> Option<Arc<SchemaObject>> {
        let (id, before) = match self.objects.get_key_value(id) {
            Some((id, object)) => (id.clone(), Some(object.clone())),
            None => (Arc::new(id.clone()), None),
        };
        let mentions = self.references.update(&id, before.as_deref(), object.as_deref());
        self.effort.spend(effort::CHANGE + effort::MENTION * mentions);
        match object {
            Some(object) => self.objects.insert(id, object),
            None => self.objects.remove(&id),
        }
    }

    fn take(&mut self, namespace: Namespace, name: &ObjectName, table: Option<&ObjectName>) -> Option<Arc<SchemaObject>> {
        let id = ObjectId { namespace, table: table.cloned(), name: name.clone() };
        let object = self.replace(&id, None)?;
        self.journal.record(id, Some(object.clone()));
        Some(object)
    }

    /// A table or a view that the migrations created.
    pub fn relation(&self, name: &ObjectName) -> Option<&Relation> {
        match self.get(Namespace::Relation, name, None) {
            Some(SchemaObject::Relation(relation)) => Some(relation),
            _ => None,
        }
    }

    /// A table or a view that the migrations created, or the known parts of another table.
    pub fn known(&self, name: &ObjectName) -> Option<&Relation> {
        match self.get(Namespace::External, name, None) {
            Some(SchemaObject::External(relation)) if self.relation(name).is_none() => Some(relation),
            _ => self.relation(name),
        }
    }

    /// Did an earlier `TRUNCATE` empty a table? On PostgreSQL, its lock excludes other sessions until the end of the transaction. On
    /// the other databases, few rows can have been inserted since.
    pub fn is_emptied(&self, table: &ObjectName, now: HistoryPoint, in_transaction: bool) -> bool {
        let emptied = self.known(table).filter(|relation| !relation.certainty.is_uncertain()).and_then(|table| table.emptied);
        emptied.is_some_and(|emptied| match self.dialect {
            Dialect::Postgres => in_transaction && emptied.transaction == now.transaction,
            Dialect::MySql | Dialect::Sqlite => emptied.migration == now.migration,
        })
    }

    /// Are names that differ only in case different names?
    pub fn is_case_sensitive(&self) -> bool {
        self.dialect == Dialect::Postgres
    }

    /// Do indexes, keys, tables, views and sequences share one set of names? On MySQL and SQLite, keys have none.
    pub fn shares_names_with_indexes(&self) -> bool {
        self.is_case_sensitive()
    }

    /// Can several functions have one name, with other parameters?
    pub fn overloads_routines(&self) -> bool {
        self.dialect == Dialect::Postgres
    }

    /// Does `CASCADE` drop dependent objects? MySQL accepts the word and ignores it.
    pub fn can_cascade(&self) -> bool {
        self.dialect == Dialect::Postgres
    }

    /// A table to be changed; one that no migration created has no known columns.
    pub fn known_or_external(&self, name: &ObjectName) -> Relation {
        self.known(name).cloned().unwrap_or_else(|| Relation {
            case_sensitive: self.is_case_sensitive(),
            columns_known: false,
            ..Relation::new(RelationKind::Table, name.to_string(), HistoryPoint { migration: 0, transaction: 0 })
        })
    }

    /// Stores the changed definition of a table.
    pub fn put_known(&mut self, name: ObjectName, relation: Relation) {
        if self.relation(&name).is_some() {
            self.put_relation(name, relation);
        } else {
            self.put(Namespace::External, name, None, SchemaObject::External(Box::new(relation)));
        }
    }

    /// Was a table or a view of this name dropped, and not created again?
    pub fn is_dropped(&self, name: &ObjectName) -> bool {
        matches!(self.get(Namespace::Relation, name, None), Some(SchemaObject::Dropped))
    }

    /// All tables and views, by name.
    pub fn relations(&self) -> impl Iterator<Item = (&ObjectName, &Relation)> {
        self.objects.iter().inspect(|_| self.effort.spend(1)).filter_map(|(id, object)| match &**object {
            SchemaObject::Relation(relation) => Some((&id.name, &**relation)),
            _ => None,
        })
    }

    /// Adds or replaces a table or a view.
    pub fn put_relation(&mut self, name: ObjectName, relation: Relation) {
        self.take(Namespace::External, &name, None);
        self.put(Namespace::Relation, name, None, SchemaObject::Relation(Box::new(relation)));
    }

    /// Changes a table or a view, if it exists or has known parts.
    pub fn change(&mut self, name: &ObjectName, change: impl FnOnce(&mut Relation)) {
        let namespace = if self.relation(name).is_some() { Namespace::Relation } else { Namespace::External };
        let id = ObjectId { namespace, table: None, name: name.clone() };
        let Some(object) = self.objects.get(&id) else { return };
        let mut changed = SchemaObject::clone(object);
        if let SchemaObject::Relation(relation) | SchemaObject::External(relation) = &mut changed {
            change(relation);
        }
        let before = self.replace(&id, Some(Arc::new(changed)));
        self.journal.record(id, before);
    }

    /// Renames a table that no migration created.
    pub fn move_external(&mut self, from: &ObjectName, to: ObjectName) {
        if let Some(object) = self.take(Namespace::External, from, None) {
            self.put(Namespace::External, to, None, (*object).clone());
        }
    }

    /// Removes a table or a view with its indexes.
    pub fn remove_relation(&mut self, name: &ObjectName) -> Option<Relation> {
        self.take(Namespace::External, name, None);
        self.relation(name)?;
        let object = self.take(Namespace::Relation, name, None)?;
        let SchemaObject::Relation(relation) = &*object else { return None };
        if name.schema.as_deref() == Some(SESSION) {
            self.temporary.remove(name.name());
        } else {
            self.put(Namespace::Relation, name.clone(), None, SchemaObject::Dropped);
        }
        for index in relation.indexes.iter().filter_map(|index| index.name.clone()) {
            self.unregister_index(name, &index);
        }
        Some((**relation).clone())
    }

    /// MySQL's names of indexes are unique within a table only.
    fn namespace_of_index<'a>(&self, table: &'a ObjectName) -> Option<&'a ObjectName> {
        (self.dialect == Dialect::MySql).then_some(table)
    }

    /// PostgreSQL's names of triggers are unique within a table only.
    fn namespace_of_trigger<'a>(&self, table: &'a ObjectName) -> Option<&'a ObjectName> {
        (self.dialect == Dialect::Postgres).then_some(table)
    }

    /// The table of an index. MySQL requires the table to identify the index.
    pub fn table_of_index(&self, table: Option<&ObjectName>, index: &ObjectName) -> Option<&ObjectName> {
        match self.get(Namespace::Index, index, table.and_then(|table| self.namespace_of_index(table))) {
            Some(SchemaObject::Index(table)) => Some(table),
            _ => None,
        }
    }

    /// Adds the name of an index; its definition is part of the table.
    pub fn register_index(&mut self, table: &ObjectName, name: &str) {
        let index = self.in_same_schema(table, name);
        let within = self.namespace_of_index(table).cloned();
        self.put(Namespace::Index, index, within, SchemaObject::Index(table.clone()));
    }

    /// Removes the name of an index.
    pub fn unregister_index(&mut self, table: &ObjectName, name: &str) {
        let index = self.in_same_schema(table, name);
        let within = self.namespace_of_index(table);
        self.take(Namespace::Index, &index, within);
    }

    /// A type or a domain that the migrations created.
    pub fn ty(&self, name: &ObjectName) -> Option<&SchemaObject> {
        self.get(Namespace::Type, name, None)
    }

    /// Adds or replaces a type or a domain.
    pub fn put_type(&mut self, name: ObjectName, object: SchemaObject) {
        self.put(Namespace::Type, name, None, object);
    }

    /// Removes a type or a domain.
    pub fn remove_type(&mut self, name: &ObjectName) -> Option<Arc<SchemaObject>> {
        self.take(Namespace::Type, name, None)
    }

    /// Renames a type or a domain, also in the columns that use it.
    pub fn move_type(&mut self, from: &ObjectName, to: &ObjectName) {
        let Some(object) = self.take(Namespace::Type, from, None) else { return };
        self.put_type(to.clone(), (*object).clone());
        let is_of_type = |column: &&Column| column.ty.as_ref().is_some_and(|ty| self.resolve_type(ty) == *from);
        let users = self.users_of_type(from).map(|(table, relation)| {
            let columns = relation.columns.iter().filter(is_of_type).map(|column| column.name.clone());
            (table.clone(), columns.collect::<Vec<String>>())
        });
        let users: Vec<(ObjectName, Vec<String>)> = users.filter(|(_, columns)| !columns.is_empty()).collect();
        for (table, columns) in users {
            self.change(&table, |relation| {
                for name in &columns {
                    relation.change_column(name, |column| {
                        if let Some(ty) = &mut column.ty {
                            ty.schema = to.schema.as_deref().map(str::to_owned);
                            to.name().clone_into(&mut ty.name);
                        }
                    });
                }
            });
        }
    }

    /// The tables that may have columns of a type.
    pub fn users_of_type(&self, ty: &ObjectName) -> impl Iterator<Item = (&ObjectName, &Relation)> {
        self.visited(self.references.to_type(ty)).filter_map(|id| self.relation_of(id))
    }

    fn relation_of<'a>(&'a self, id: &'a ObjectId) -> Option<(&'a ObjectName, &'a Relation)> {
        match self.objects.get(id).map(|object| &**object) {
            Some(SchemaObject::Relation(relation)) => Some((&id.name, relation)),
            _ => None,
        }
    }

    /// The tables and views that refer to one: by a foreign key, by inheritance or in the query of a view.
    pub fn referring(&self, table: &ObjectName) -> impl Iterator<Item = (&ObjectName, &Relation)> + use<'_> {
        self.visited(self.references.to_object(table)).filter_map(|id| self.relation_of(id))
    }

    /// Resolves the name of a type.
    pub fn resolve_type(&self, ty: &Type) -> ObjectName {
        self.resolve(&Name { schema: ty.schema.clone(), name: ty.name.clone() })
    }

    /// The domain that a type is, followed by the domains that it is based on: name, underlying type, and whether it has a
    /// constraint.
    pub fn domains(&self, ty: &Type) -> Vec<(ObjectName, &Type, bool)> {
        let mut domains: Vec<(ObjectName, &Type, bool)> = Vec::new();
        let mut visited = BTreeSet::new();
        let mut name = self.resolve_type(ty);
        while let Some(SchemaObject::Domain { base, constrained }) = self.ty(&name)
            && visited.insert(name.clone())
        {
            self.effort.spend(1);
            domains.push((name, base, *constrained));
            name = self.resolve_type(base);
        }
        domains
    }

    /// Renames an object that is neither a relation nor a type.
    pub fn move_other(&mut self, kind: ObjectKind, from: &ObjectName, to: ObjectName) {
        if let Some(object) = self.take(Namespace::Other(kind), from, None) {
            self.put(Namespace::Other(kind), to, None, (*object).clone());
        }
    }

    /// Does an object exist that is neither a relation nor a type? `table` is the table of a trigger.
    pub fn has(&self, kind: ObjectKind, name: &ObjectName, table: Option<&ObjectName>) -> bool {
        let within = table.and_then(|table| self.namespace_of_trigger(table));
        self.get(Namespace::Other(kind), name, within).is_some()
    }

    /// Adds an object that is neither a relation nor a type.
    pub fn put_other(&mut self, kind: ObjectKind, name: ObjectName, table: Option<ObjectName>) {
        self.put(Namespace::Other(kind), name, table, SchemaObject::Other);
    }

    /// Adds a sequence, or changes the column that owns it.
    pub fn put_sequence(&mut self, name: ObjectName, owner: Option<(ObjectName, String)>) {
        self.put(Namespace::Other(ObjectKind::Sequence), name, None, SchemaObject::Sequence { owner });
    }

    /// The sequences of columns of a table that satisfy a condition, each with its column.
    pub fn sequences_owned<'a>(
        &'a self,
        table: &'a ObjectName,
        is_owner: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = (&'a ObjectName, &'a str)> {
        self.visited(self.references.to_object(table)).filter_map(move |id| match self.objects.get(id).map(|object| &**object) {
            Some(SchemaObject::Sequence { owner: Some((owner, column)) }) if owner == table && is_owner(column) => {
                Some((&id.name, column.as_str()))
            }
            _ => None,
        })
    }

    /// Changes the owners of sequences after a table was renamed.
    pub fn rename_owning_table(&mut self, from: &ObjectName, to: &ObjectName) {
        let owned = self.sequences_owned(from, |_| true);
        let owned: Vec<_> = owned.map(|(name, column)| (name.clone(), column.to_owned())).collect();
        for (name, column) in owned {
            self.put_sequence(name, Some((to.clone(), column)));
        }
    }

    /// Changes the owners of sequences after a column was renamed.
    pub fn rename_owning_column(&mut self, table: &ObjectName, from: &str, to: &str) {
        let owned: Vec<_> = self.sequences_owned(table, |column| column == from).map(|(name, _)| name.clone()).collect();
        for name in owned {
            self.put_sequence(name, Some((table.clone(), to.to_owned())));
        }
    }

    /// The tables that inherit from a table.
    pub fn inheriting<'a>(&'a self, parent: &'a ObjectName) -> impl Iterator<Item = &'a ObjectName> {
        self.referring(parent).filter(move |(_, relation)| relation.inherits.includes(parent)).map(|(name, _)| name)
    }

    /// The partitions of a table and the tables that inherit from it.
    pub fn descendants<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = &'a ObjectName> {
        let partitions = self.known(table).into_iter().flat_map(|relation| &relation.partitions);
        let partitions = partitions.inspect(|_| self.effort.spend(1));
        partitions.chain(self.inheriting(table))
    }

    /// The domains that are directly based on a type.
    pub fn domains_over<'a>(&'a self, ty: &'a ObjectName) -> impl Iterator<Item = &'a ObjectName> {
        self.visited(self.references.to_type(ty)).filter_map(move |id| match self.objects.get(id).map(|object| &**object) {
            Some(SchemaObject::Domain { base, .. }) if self.resolve_type(base) == *ty => Some(&id.name),
            _ => None,
        })
    }

    /// The objects in a schema; `None`: in the default one.
    fn ids_in(&self, schema: Option<&str>) -> impl Iterator<Item = &ObjectId> {
        let in_default = || self.objects.keys().map(|id| &**id).filter(|id| id.name.schema.is_none());
        let in_default = schema.is_none().then(in_default);
        let in_other = schema.map(|schema| self.references.in_schema(schema));
        in_default.into_iter().flatten().chain(in_other.into_iter().flatten())
    }

    /// The tables, types, sequences and functions in a schema.
    pub fn parts_in(&self, schema: &str) -> Vec<Part> {
        let schema = self.without_default_schema(Some(schema.into()));
        let inside = self.visited(self.ids_in(schema.as_deref()));
        let inside = inside.filter_map(|id| self.objects.get(id).map(|object| (id, object)));
        let parts = inside.filter_map(|(id, object)| match (id.namespace, &**object) {
            (Namespace::Relation, SchemaObject::Relation(_)) => Some(Part::Relation(id.name.clone())),
            (Namespace::Type, _) => Some(Part::Type(id.name.clone())),
            (Namespace::Other(ObjectKind::Routine), _) => Some(Part::Routine(id.name.clone())),
            (Namespace::Other(ObjectKind::Sequence), _) => Some(Part::Sequence(id.name.clone())),
            _ => None,
        });
        parts.collect()
    }

    /// Adds a trigger of a table.
    pub fn put_trigger(&mut self, name: ObjectName, table: ObjectName, references: TriggerReferences) {
        let within = self.namespace_of_trigger(&table).cloned();
        self.put(Namespace::Other(ObjectKind::Trigger), name, within, SchemaObject::Trigger { table, references });
    }

    /// A trigger of another table that reads or changes this one.
    pub fn trigger_on<'a>(&'a self, table: &'a ObjectName) -> Option<&'a ObjectName> {
        let mut triggers = self.triggers_that_mention(table);
        triggers.find(|trigger| trigger.table != table && trigger.references.tables.contains(table)).map(|trigger| trigger.name)
    }

    /// The triggers of a table, each with the objects that its definition names.
    pub fn triggers<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a TriggerReferences)> {
        let of_table = self.triggers_that_mention(table).filter(move |trigger| trigger.table == table);
        of_table.map(|trigger| (trigger.name, trigger.references))
    }

    /// The views that certainly use a column of a table: no other table that such a view reads can have a column of that name.
    pub fn views_of_column<'a>(&'a self, table: &'a ObjectName, column: &str) -> Vec<&'a ObjectName> {
        let created = self.relation(table).and_then(|relation| relation.column(column)).and_then(|column| column.created);
        let lacks_column = |other: &ObjectName| {
            self.relation(other).is_some_and(|relation| relation.columns_known && relation.column(column).is_none())
        };
        let uses_column = |view: &Relation| {
            let mentions = |word: &str| view.possible_columns.contains(word);
            // `*` stands for the columns that exist when the view is created.
            let selects_all = view.reads_from.len() == 1 && mentions("*") && created.is_none_or(|created| created < view.created);
            selects_all || mentions(column) && view.reads_from.iter().filter(|other| *other != table).all(lacks_column)
        };
        let certain = self.views_reading(table).filter(|(_, view)| !view.certainty.is_uncertain() && uses_column(view));
        certain.map(|(view, _)| view).collect()
    }

    /// A trigger that calls a function, and the table of the trigger.
    pub fn caller<'a>(&'a self, function: &'a ObjectName) -> Option<(&'a ObjectName, &'a ObjectName)> {
        self.callers(function).next()
    }

    /// The triggers that call a function, each with its table.
    pub fn callers<'a>(&'a self, function: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a ObjectName)> {
        let callers =
            self.triggers_that_mention(function).filter(move |trigger| trigger.references.function.as_ref() == Some(function));
        callers.map(|caller| (caller.name, caller.table))
    }

    fn triggers_that_mention<'a>(&'a self, name: &ObjectName) -> impl Iterator<Item = Trigger<'a>> + use<'a> {
        self.visited(self.references.to_object(name)).filter_map(|id| match self.objects.get(id).map(|object| &**object) {
            Some(SchemaObject::Trigger { table, references }) => Some(Trigger { name: &id.name, table, references }),
            _ => None,
        })
    }

    /// Changes the triggers that read or change a table after it was renamed.
    pub fn rename_in_all_triggers(&mut self, from: &ObjectName, to: &ObjectName) {
        let using = self.triggers_that_mention(from).filter(|trigger| trigger.references.tables.contains(from));
        let using: Vec<_> =
            using.map(|trigger| (trigger.name.clone(), trigger.table.clone(), trigger.references.clone())).collect();
        for (name, table, mut references) in using {
            references.tables.iter_mut().filter(|table| *table == from).for_each(|table| table.clone_from(to));
            self.put_trigger(name, table, references);
        }
    }

    /// Removes a trigger of a table and returns the objects that its definition names.
    pub fn take_trigger(&mut self, name: &ObjectName, table: &ObjectName) -> Option<TriggerReferences> {
        match &*self.take(Namespace::Other(ObjectKind::Trigger), name, self.namespace_of_trigger(table))? {
            SchemaObject::Trigger { references, .. } => Some(references.clone()),
            _ => None,
        }
    }

    /// Removes the triggers of a table and returns them.
    pub fn take_triggers(&mut self, table: &ObjectName) -> Vec<(ObjectName, TriggerReferences)> {
        let triggers: Vec<_> = self.triggers(table).map(|(name, references)| (name.clone(), references.clone())).collect();
        for (name, _) in &triggers {
            let within = self.namespace_of_trigger(table);
            self.remove_other(ObjectKind::Trigger, name, within);
        }
        triggers
    }

    /// `DROP TRIGGER`. A trigger of PostgreSQL is in the schema of its table, and only there a table is named.
    pub fn drop_trigger(&mut self, name: &ObjectName, table: Option<&Name>) {
        let table = table.map(|table| self.resolve(table));
        match table.filter(|table| self.namespace_of_trigger(table).is_some()) {
            Some(table) => self.remove_other(ObjectKind::Trigger, &self.in_same_schema(&table, &name.name), Some(&table)),
            None => self.remove_other(ObjectKind::Trigger, name, None),
        };
    }

    /// Adds a function or a procedure.
    pub fn put_routine(&mut self, name: ObjectName, stable: bool, commits: bool) {
        self.put(Namespace::Other(ObjectKind::Routine), name, None, SchemaObject::Routine { stable, commits });
    }

    /// Changes whether a function is `IMMUTABLE` or `STABLE`, if the migrations created it.
    pub fn set_stable(&mut self, name: &ObjectName, stable: bool) {
        if let Some(SchemaObject::Routine { commits, .. }) = self.get(Namespace::Other(ObjectKind::Routine), name, None) {
            self.put_routine(name.clone(), stable, *commits);
        }
    }

    /// Did the migrations create a function of this name that is `IMMUTABLE` or `STABLE`?
    pub fn is_stable(&self, name: &Name) -> bool {
        let routine = self.get(Namespace::Other(ObjectKind::Routine), &self.resolve(name), None);
        matches!(routine, Some(SchemaObject::Routine { stable: true, .. }))
    }

    /// Does a query call a function that the migrations created, and that is `VOLATILE`?
    pub fn calls_user_function(&self, sql: &str) -> bool {
        let tokens: Vec<Token> = Tokens::new(sql, self.dialect).filter(|token| !token.is_blank()).collect();
        let calls = tokens.windows(2).filter(|pair| pair[1].is_symbol(sql, b'('));
        let mut names = calls.map(|pair| Name::bare(pair[0].text(sql).trim_matches(['"', '`'])));
        let is_volatile = |name: &Name| {
            let function = self.resolve(name);
            let is_volatile = |id: &ObjectId| {
                matches!(self.objects.get(id).map(|object| &**object), Some(SchemaObject::Routine { stable: false, .. }))
            };
            self.visited(self.references.of_name(&function.name)).any(is_volatile)
        };
        names.any(|name| is_volatile(&name))
    }

    /// Did the migrations create a procedure of this name that contains `COMMIT` or `ROLLBACK`?
    pub fn commits(&self, name: &Name) -> bool {
        let routine = self.get(Namespace::Other(ObjectKind::Routine), &self.resolve(name), None);
        matches!(routine, Some(SchemaObject::Routine { commits: true, .. }))
    }

    /// Removes an object that is neither a relation nor a type; returns whether it existed.
    pub fn remove_other(&mut self, kind: ObjectKind, name: &ObjectName, table: Option<&ObjectName>) -> bool {
        self.take(Namespace::Other(kind), name, table).is_some()
    }

    /// Removes a schema and the objects in it.
    pub fn remove_schema(&mut self, name: &str) {
        let inside = self.without_default_schema(Some(name.into()));
        let is_schema_object =
            |id: &ObjectId| matches!(id.namespace, Namespace::Other(ObjectKind::Schema | ObjectKind::Database));
        let contained = self.ids_in(inside.as_deref()).filter(|id| !is_schema_object(id));
        let schemas = self.references.of_name(name).filter(|id| is_schema_object(id));
        let removed: Vec<ObjectId> = contained.chain(schemas).cloned().collect();
        for id in removed {
            let before = self.replace(&id, None);
            self.journal.record(id, before);
        }
    }

    /// The other tables with foreign keys that reference this one, and whether `ON DELETE` of one of them changes their rows.
    pub fn children<'a>(&'a self, parent: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a Relation, bool)> {
        self.referring(parent).filter_map(move |(child, relation)| {
            let mut to_parent = relation.foreign_keys_to(parent).peekable();
            to_parent.peek()?;
            let cascades = to_parent.any(|(_, _, _, cascades)| cascades);
            (child != parent).then_some((child, relation, cascades))
        })
    }

    /// The tables that certainly have a foreign key that references this one.
    pub fn certain_children<'a>(&'a self, parent: &'a ObjectName) -> impl Iterator<Item = &'a ObjectName> {
        let is_certain = move |relation: &Relation| {
            let mut keys = relation.foreign_keys_to(parent).filter(|(key, ..)| !key.certainty.is_uncertain());
            !relation.certainty.is_uncertain() && keys.next().is_some()
        };
        self.children(parent).filter(move |(_, child, _)| is_certain(child)).map(|(child, ..)| child)
    }

    /// The views that read a table.
    pub fn views_reading<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a Relation)> {
        self.referring(table).filter(move |(_, relation)| relation.reads_from.includes(table))
    }

    /// Sets a savepoint.
    pub fn savepoint(&mut self) -> usize {
        self.journal.set_savepoint()
    }

    /// Gives up a savepoint and those that were set later.
    pub fn release(&mut self, savepoint: usize) {
        self.journal.release(savepoint);
    }

    /// Undoes all changes since a savepoint.
    pub fn roll_back_to(&mut self, savepoint: usize) {
        while let Some(entry) = self.journal.pop(savepoint) {
            self.replace(&entry.id, entry.before);
        }
    }

    /// The journal entries since a savepoint.
    #[cfg(test)]
    pub fn journal_since(&self, savepoint: usize) -> &[crate::journal::JournalEntry] {
        self.journal.since(savepoint)
    }

    /// Makes uncertain what has changed since a savepoint, because the statement since then may not have been executed.
    pub fn make_uncertain(&mut self, savepoint: usize) {
        let mut originals: BTreeMap<ObjectId, Option<Arc<SchemaObject>>> = BTreeMap::new();
        for entry in self.journal.since(savepoint) {
            originals.entry(entry.id.clone()).or_insert_with(|| entry.before.clone());
        }
        for (id, before) in originals {
            let ObjectId { namespace, table, name } = id.clone();
            // Without the temporary table, its name means another table, which is read the dangerous way.
            if name.schema.as_deref() == Some(SESSION) && before.is_none() {
                self.temporary.remove(name.name());
            }
            match join(before.as_deref(), self.objects.get(&id).map(|object| &**object)) {
                Some(joined) => self.put(namespace, name, table, joined),
                None => drop(self.take(namespace, &name, table.as_ref())),
            }
        }
    }

    /// The objects that differ from those at a savepoint.
    pub fn changes_since(&self, savepoint: usize) -> Vec<SchemaDifference<'_>> {
        let exists = |object: &&SchemaObject| **object != SchemaObject::Dropped;
        let mut originals: BTreeMap<&ObjectId, Option<&SchemaObject>> = BTreeMap::new();
        for entry in self.journal.since(savepoint) {
            originals.entry(&entry.id).or_insert(entry.before.as_deref());
        }
        originals.retain(|id, _| id.namespace != Namespace::External);
        let differences = originals.into_iter().map(|(id, before)| SchemaDifference {
            name: &id.name,
            kind: match id.namespace {
                Namespace::Relation | Namespace::External => "table",
                Namespace::Type => "type",
                Namespace::Index => "index",
                Namespace::Other(kind) => kind.name(),
            },
            before: before.filter(exists),
            after: self.objects.get(id).map(|object| &**object).filter(exists),
        });
        differences.filter(|difference| difference.before != difference.after).collect()
    }

    /// Empties the journal; earlier savepoints are no longer valid.
    pub fn forget_journal(&mut self) {
        self.journal.clear();
    }
}

struct Trigger<'a> {
    name: &'a ObjectName,
    table: &'a ObjectName,
    references: &'a TriggerReferences,
}

/// An object that was created, changed or removed.
#[derive(Debug, Clone, Copy)]
pub struct SchemaDifference<'a> {
    /// The name, which is the same before and after.
    pub name: &'a ObjectName,
    /// The kind of object for messages, in lower case; `table` for views as well.
    pub kind: &'static str,
    /// The earlier state; `None` if the object did not exist.
    pub before: Option<&'a SchemaObject>,
    /// The later state; `None` if the object no longer exists.
    pub after: Option<&'a SchemaObject>,
}
