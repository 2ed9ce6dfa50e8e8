//! A schema as the migrations leave it, and what is known of each thing in it.
//!
//! Nothing is guessed: what the history did not make is not here, and what could not be read makes a thing incomplete.

use crate::object_name::ObjectName;
use crate::relation::{HistoryPoint, Relation};
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::syntax::{ObjectKind, Type};
use migrate_model::token::{Token, Tokens};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaObject {
    /// A table or a view.
    Relation(Box<Relation>),
    /// An enumerated type with its labels, and when each was added to the type after it was made.
    Enum(Vec<(String, Option<HistoryPoint>)>),
    /// A domain, and whether it refuses values.
    Domain {
        /// What it stands on.
        base: Type,
        /// Does it refuse values?
        constrained: bool,
    },
    /// Another type.
    Type,
    /// An index, which belongs to a table.
    Index(ObjectName),
    /// A function or procedure.
    Routine {
        /// `IMMUTABLE` or `STABLE`?
        stable: bool,
        /// Does it end transactions?
        commits: bool,
    },
    /// A trigger.
    Trigger {
        /// Of which table.
        table: ObjectName,
        /// What it names.
        references: TriggerReferences,
    },
    /// Anything else with a name.
    Other,
    /// Nothing any more: a table or view that was dropped or got another name.
    Dropped,
}

/// What a trigger names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TriggerReferences {
    /// Columns of its table.
    pub columns: Vec<String>,
    /// Tables that it reads or changes.
    pub tables: Vec<ObjectName>,
    /// The function that it calls.
    pub function: Option<ObjectName>,
}

fn collect_dependencies(needed: &mut BTreeSet<ObjectName>, relation: &Relation) {
    let parents = relation.foreign_keys().map(|(_, _, table, _)| table);
    for table in parents.chain(&relation.reads_from) {
        if !needed.contains(table) {
            needed.insert(table.clone());
        }
    }
}

/// Which names can be the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    Relation,
    Type,
    Index,
    Other(ObjectKind),
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Id {
    space: Space,
    /// On MySQL an index is one of its table only.
    table: Option<ObjectName>,
    key: ObjectName,
}

/// Where the tables of a session are.
const SESSION: &str = "pg_temp";

/// A schema, and how it came to be since a mark.
#[derive(Debug, Clone)]
pub struct Schema {
    dialect: Dialect,
    /// Where names without a schema are looked for, if `search_path` says something else than the default.
    path: Vec<Option<String>>,
    /// Tables of the session alone.
    temporary: BTreeSet<String>,
    things: BTreeMap<Id, Arc<SchemaObject>>,
    journal: Vec<(Id, Option<Arc<SchemaObject>>)>,
    /// Is it known that something happened which could not be read?
    opaque: bool,
    /// Every table that a foreign key or a view ever led to: most are never asked about, and of the others few are looked for.
    needed: BTreeSet<ObjectName>,
}

impl Schema {
    /// An empty one.
    pub fn new(dialect: Dialect) -> Self {
        Schema {
            dialect,
            path: Vec::new(),
            temporary: BTreeSet::new(),
            things: BTreeMap::new(),
            journal: Vec::new(),
            opaque: false,
            needed: BTreeSet::new(),
        }
    }

    /// The database that it is one of.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Where names without a schema are looked for from now on; none is the default one.
    pub fn set_path(&mut self, path: Vec<Option<String>>) {
        self.path = path;
    }

    /// Where names without a schema are looked for.
    pub fn path(&self) -> Vec<Option<String>> {
        self.path.clone()
    }

    /// A session ends: its tables are gone, and the next one finds things where they usually are.
    pub fn end_session(&mut self) {
        self.path.clear();
        for name in std::mem::take(&mut self.temporary) {
            self.take(Space::Relation, &ObjectName { schema: Some(SESSION.to_owned()), name }, None);
        }
    }

    /// Adds a table of the session alone.
    pub fn put_temporary(&mut self, name: &Name, relation: Relation) {
        let key = ObjectName { schema: Some(SESSION.to_owned()), name: self.fold(&name.name) };
        self.temporary.insert(key.name.clone());
        self.put_relation(key, relation);
    }

    fn fold(&self, text: &str) -> String {
        match self.dialect {
            Dialect::Postgres => text.to_owned(),
            Dialect::MySql | Dialect::Sqlite => text.to_lowercase(),
        }
    }

    /// Something happened that nobody can tell.
    pub fn set_opaque(&mut self) {
        self.opaque = true;
    }

    /// Did something happen that nobody can tell?
    pub fn is_opaque(&self) -> bool {
        self.opaque
    }

    /// The key of a name: of the thing that is there, or of one that would be made.
    pub fn resolve(&self, name: &Name) -> ObjectName {
        if name.schema.is_some() {
            return self.resolve_new(name);
        }
        let bare = self.fold(&name.name);
        if self.temporary.contains(&bare) {
            return ObjectName { schema: Some(SESSION.to_owned()), name: bare };
        }
        let candidates =
            self.path.iter().map(|schema| ObjectName { schema: self.without_default_schema(schema.clone()), name: bare.clone() });
        let known =
            |key: &ObjectName| self.relation(key).is_some() || self.ty(key).is_some() || self.table_of_index(None, key).is_some();
        candidates.into_iter().find(known).unwrap_or_else(|| self.resolve_new(name))
    }

    /// The key of something that is made under a name.
    pub fn resolve_new(&self, name: &Name) -> ObjectName {
        let first = self.path.first().cloned().flatten();
        let schema = name.schema.as_deref().map(|schema| self.fold(schema)).or(first);
        ObjectName { schema: self.without_default_schema(schema), name: self.fold(&name.name) }
    }

    /// The default schema is the same as none.
    fn without_default_schema(&self, schema: Option<String>) -> Option<String> {
        let default = match self.dialect {
            Dialect::Postgres => "public",
            Dialect::MySql => "",
            Dialect::Sqlite => "main",
        };
        schema.filter(|schema| schema != default)
    }

    /// The key of a name beside a thing.
    pub fn in_same_schema(&self, key: &ObjectName, name: &str) -> ObjectName {
        ObjectName { schema: key.schema.clone(), name: self.fold(name) }
    }

    /// The same name in another schema.
    pub fn in_schema(&self, key: &ObjectName, schema: &str) -> ObjectName {
        self.resolve(&Name { schema: Some(schema.to_owned()), name: key.name.clone() })
    }

    fn get(&self, space: Space, key: &ObjectName, table: Option<&ObjectName>) -> Option<&SchemaObject> {
        // Without cloning where there is nothing to find.
        let id = Id { space, table: table.cloned(), key: key.clone() };
        self.things.get(&id).map(|thing| &**thing)
    }

    fn put(&mut self, space: Space, key: ObjectName, table: Option<ObjectName>, thing: SchemaObject) {
        let id = Id { space, table, key };
        let before = self.things.insert(id.clone(), Arc::new(thing));
        self.journal.push((id, before));
    }

    fn take(&mut self, space: Space, key: &ObjectName, table: Option<&ObjectName>) -> Option<Arc<SchemaObject>> {
        let id = Id { space, table: table.cloned(), key: key.clone() };
        let before = self.things.remove(&id)?;
        self.journal.push((id, Some(before.clone())));
        Some(before)
    }

    /// A table or view, if the history made it.
    pub fn relation(&self, key: &ObjectName) -> Option<&Relation> {
        match self.get(Space::Relation, key, None) {
            Some(SchemaObject::Relation(relation)) => Some(relation),
            _ => None,
        }
    }

    /// Was there a table or view of this name, and is there none now?
    pub fn is_dropped(&self, key: &ObjectName) -> bool {
        matches!(self.get(Space::Relation, key, None), Some(SchemaObject::Dropped))
    }

    /// All tables and views.
    pub fn relations(&self) -> impl Iterator<Item = (&ObjectName, &Relation)> {
        self.things.iter().filter_map(|(id, thing)| match &**thing {
            SchemaObject::Relation(relation) => Some((&id.key, &**relation)),
            _ => None,
        })
    }

    /// Adds a table or view, or puts it in place of one.
    pub fn put_relation(&mut self, key: ObjectName, relation: Relation) {
        collect_dependencies(&mut self.needed, &relation);
        self.put(Space::Relation, key, None, SchemaObject::Relation(Box::new(relation)));
    }

    /// Changes a table or view, if it is known.
    pub fn change(&mut self, key: &ObjectName, change: impl FnOnce(&mut Relation)) {
        let id = Id { space: Space::Relation, table: None, key: key.clone() };
        let Some(thing) = self.things.get_mut(&id) else { return };
        self.journal.push((id, Some(thing.clone())));
        if let SchemaObject::Relation(relation) = Arc::make_mut(thing) {
            change(relation);
            collect_dependencies(&mut self.needed, relation);
        }
    }

    /// Removes a table or view with its indexes.
    pub fn remove_relation(&mut self, key: &ObjectName) -> Option<Relation> {
        let id = Id { space: Space::Relation, table: None, key: key.clone() };
        if !matches!(self.things.get(&id).map(|thing| &**thing), Some(SchemaObject::Relation(_))) {
            return None;
        }
        let thing = self.take(Space::Relation, key, None)?;
        let SchemaObject::Relation(relation) = &*thing else { return None };
        if key.schema.as_deref() == Some(SESSION) {
            self.temporary.remove(&key.name);
        } else {
            self.put(Space::Relation, key.clone(), None, SchemaObject::Dropped);
        }
        for name in relation.indexes.iter().filter_map(|index| index.name.clone()) {
            self.forget_index(key, &name);
        }
        Some((**relation).clone())
    }

    fn index_table(&self, table: &ObjectName) -> Option<ObjectName> {
        (self.dialect == Dialect::MySql).then(|| table.clone())
    }

    /// Which table an index is of. MySQL's are known by their table only.
    pub fn table_of_index(&self, table: Option<&ObjectName>, index: &ObjectName) -> Option<&ObjectName> {
        match self.get(Space::Index, index, table.filter(|_| self.dialect == Dialect::MySql)) {
            Some(SchemaObject::Index(table)) => Some(table),
            _ => None,
        }
    }

    /// Remembers whose an index is.
    pub fn know_index(&mut self, table: &ObjectName, name: &str) {
        let key = self.in_same_schema(table, name);
        let within = self.index_table(table);
        self.put(Space::Index, key, within, SchemaObject::Index(table.clone()));
    }

    /// Forgets an index.
    pub fn forget_index(&mut self, table: &ObjectName, name: &str) {
        let key = self.in_same_schema(table, name);
        let within = self.index_table(table);
        self.take(Space::Index, &key, within.as_ref());
    }

    /// A type.
    pub fn ty(&self, key: &ObjectName) -> Option<&SchemaObject> {
        self.get(Space::Type, key, None)
    }

    /// Adds a type, or puts it in place of one.
    pub fn put_type(&mut self, key: ObjectName, thing: SchemaObject) {
        self.put(Space::Type, key, None, thing);
    }

    /// Removes a type.
    pub fn remove_type(&mut self, key: &ObjectName) -> Option<Arc<SchemaObject>> {
        self.take(Space::Type, key, None)
    }

    /// A type or domain gets another name, and the columns of it follow.
    pub fn move_type(&mut self, from: &ObjectName, to: &ObjectName) {
        let Some(thing) = self.take(Space::Type, from, None) else { return };
        self.put_type(to.clone(), (*thing).clone());
        let places = |relation: &Relation| -> Vec<usize> {
            let columns = relation.columns.iter().enumerate();
            let of = columns.filter(|(_, column)| column.ty.as_ref().is_some_and(|ty| self.resolve_type(ty) == *from));
            of.map(|(at, _)| at).collect()
        };
        let users: Vec<_> = self.relations().map(|(user, relation)| (user.clone(), places(relation))).collect();
        for (user, places) in users.iter().filter(|(_, places)| !places.is_empty()) {
            self.change(user, |relation| {
                for at in places {
                    if let Some(ty) = &mut relation.columns[*at].ty {
                        ty.schema.clone_from(&to.schema);
                        ty.name.clone_from(&to.name);
                    }
                }
            });
        }
    }

    /// Under which name the database knows a type.
    pub fn resolve_type(&self, ty: &Type) -> ObjectName {
        self.resolve(&Name { schema: ty.schema.clone(), name: ty.name.clone() })
    }

    /// The domains that a type is, and stands on: itself first.
    pub fn domains(&self, ty: &Type) -> Vec<(ObjectName, &Type, bool)> {
        let mut domains: Vec<(ObjectName, &Type, bool)> = Vec::new();
        let mut key = self.resolve_type(ty);
        while let Some(SchemaObject::Domain { base, constrained }) =
            self.ty(&key).filter(|_| domains.iter().all(|(own, ..)| *own != key))
        {
            domains.push((key, base, *constrained));
            key = self.resolve_type(base);
        }
        domains
    }

    /// Anything else gets another name.
    pub fn move_other(&mut self, kind: ObjectKind, from: &ObjectName, to: ObjectName) {
        if let Some(thing) = self.take(Space::Other(kind), from, None) {
            self.put(Space::Other(kind), to, None, (*thing).clone());
        }
    }

    /// Is there anything else of this kind and name?
    pub fn has(&self, kind: ObjectKind, key: &ObjectName, table: Option<&ObjectName>) -> bool {
        self.get(Space::Other(kind), key, table.filter(|_| self.dialect == Dialect::Postgres)).is_some()
    }

    /// Adds anything else.
    pub fn put_other(&mut self, kind: ObjectKind, key: ObjectName, table: Option<ObjectName>) {
        self.put(Space::Other(kind), key, table, SchemaObject::Other);
    }

    /// Adds a trigger. PostgreSQL's are known by their table only.
    pub fn put_trigger(&mut self, key: ObjectName, table: ObjectName, uses: TriggerReferences) {
        let within = (self.dialect == Dialect::Postgres).then(|| table.clone());
        self.put(Space::Other(ObjectKind::Trigger), key, within, SchemaObject::Trigger { table, references: uses });
    }

    /// A trigger of another table that reads or changes this one.
    pub fn trigger_on<'a>(&'a self, table: &ObjectName) -> Option<&'a ObjectName> {
        self.all_triggers().find(|(_, own, uses)| *own != table && uses.tables.contains(table)).map(|(key, ..)| key)
    }

    /// The triggers of a table, with what each names.
    pub fn triggers<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a TriggerReferences)> {
        self.all_triggers().filter(move |(_, own, _)| *own == table).map(|(key, _, uses)| (key, uses))
    }

    /// A view that uses a column of a table, as far as that is sure: no other table that it reads may have one of the name.
    pub fn view_of_column<'a>(&'a self, table: &'a ObjectName, column: &str) -> Option<&'a ObjectName> {
        // `*` is all columns that were there when the view was made.
        let made = self.relation(table).and_then(|relation| relation.column(column)).and_then(|column| column.created);
        let uses = |view: &Relation| {
            let others = view.reads_from.iter().filter(|other| *other != table);
            let lacks =
                |other: &ObjectName| self.relation(other).is_some_and(|own| own.columns_known && own.column(column).is_none());
            let sole = view.reads_from.len() == 1;
            let all = sole && view.possible_columns.iter().any(|word| word == "*") && made.is_none_or(|made| made < view.created);
            all || view.possible_columns.iter().any(|word| word == column) && others.clone().all(lacks)
        };
        self.views_reading(table).find(|(_, view)| uses(view)).map(|(view, _)| view)
    }

    /// A trigger that calls a function, and its table.
    pub fn caller<'a>(&'a self, function: &ObjectName) -> Option<(&'a ObjectName, &'a ObjectName)> {
        self.all_triggers().find(|(.., uses)| uses.function.as_ref() == Some(function)).map(|(key, table, _)| (key, table))
    }

    fn all_triggers(&self) -> impl Iterator<Item = (&ObjectName, &ObjectName, &TriggerReferences)> {
        let space = Space::Other(ObjectKind::Trigger);
        let first = Id { space, table: None, key: ObjectName { schema: None, name: String::new() } };
        let all = self.things.range(first..).take_while(move |(id, _)| id.space == space);
        all.filter_map(move |(id, thing)| match &**thing {
            SchemaObject::Trigger { table, references: uses } => Some((&id.key, table, uses)),
            _ => None,
        })
    }

    /// Takes the triggers of a table away, to be put somewhere else or nowhere.
    pub fn take_triggers(&mut self, table: &ObjectName) -> Vec<(ObjectName, TriggerReferences)> {
        let triggers: Vec<_> = self.triggers(table).map(|(key, uses)| (key.clone(), uses.clone())).collect();
        let within = (self.dialect == Dialect::Postgres).then_some(table);
        for (key, _) in &triggers {
            self.remove_other(ObjectKind::Trigger, key, within);
        }
        triggers
    }

    /// Adds a function or procedure.
    pub fn put_routine(&mut self, key: ObjectName, steady: bool, commits: bool) {
        self.put(Space::Other(ObjectKind::Routine), key, None, SchemaObject::Routine { stable: steady, commits });
    }

    /// A function that the history made becomes `IMMUTABLE` or `STABLE`, or `VOLATILE` again.
    pub fn set_stable(&mut self, key: &ObjectName, steady: bool) {
        if let Some(SchemaObject::Routine { commits, .. }) = self.get(Space::Other(ObjectKind::Routine), key, None) {
            self.put_routine(key.clone(), steady, *commits);
        }
    }

    /// Is there a function of this name that the history made `IMMUTABLE` or `STABLE`?
    pub fn is_stable(&self, name: &Name) -> bool {
        let key = self.resolve(name);
        matches!(self.get(Space::Other(ObjectKind::Routine), &key, None), Some(SchemaObject::Routine { stable: true, .. }))
    }

    /// Does a query call a function that the history made, and that may change something?
    pub fn calls_user_function(&self, sql: &str) -> bool {
        let tokens: Vec<Token> = Tokens::new(sql, self.dialect).filter(|token| !token.is_blank()).collect();
        let calls = tokens.windows(2).filter(|pair| pair[1].is_symbol(sql, b'('));
        let mut names = calls.map(|pair| Name::bare(pair[0].text(sql).trim_matches(['"', '`'])));
        let made = |name: &Name| {
            let key = self.resolve(name);
            self.things.iter().any(|(id, thing)| {
                id.space == Space::Other(ObjectKind::Routine)
                    && id.key.name == key.name
                    && matches!(**thing, SchemaObject::Routine { stable: false, .. })
            })
        };
        names.any(|name| made(&name))
    }

    /// Is there a procedure of this name that ends transactions?
    pub fn commits(&self, name: &Name) -> bool {
        let key = self.resolve(name);
        matches!(self.get(Space::Other(ObjectKind::Routine), &key, None), Some(SchemaObject::Routine { commits: true, .. }))
    }

    /// Removes anything else.
    pub fn remove_other(&mut self, kind: ObjectKind, key: &ObjectName, table: Option<&ObjectName>) -> bool {
        self.take(Space::Other(kind), key, table).is_some()
    }

    /// Removes a schema and everything in it.
    pub fn remove_schema(&mut self, name: &str) {
        let own = |id: &Id| id.key.schema.as_deref() == Some(name);
        let schema_itself =
            |id: &Id| matches!(id.space, Space::Other(ObjectKind::Schema | ObjectKind::Database)) && id.key.name == name;
        let inside: Vec<Id> = self.things.keys().filter(|id| own(id) || schema_itself(id)).cloned().collect();
        for id in inside {
            let before = self.things.remove(&id);
            self.journal.push((id, before));
        }
    }

    /// Tables whose foreign keys lead to this one, without itself.
    pub fn children<'a>(&'a self, parent: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a Relation, bool)> {
        let relations = self.needed.contains(parent).then(|| self.relations()).into_iter().flatten();
        relations.filter_map(move |(key, relation)| {
            let mut to_parent = relation.foreign_keys().filter(|(_, _, table, _)| *table == parent).peekable();
            to_parent.peek()?;
            let cascades = to_parent.any(|(_, _, _, cascades)| cascades);
            (key != parent).then_some((key, relation, cascades))
        })
    }

    /// Views that read this table.
    pub fn views_reading<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = (&'a ObjectName, &'a Relation)> {
        let relations = self.needed.contains(table).then(|| self.relations()).into_iter().flatten();
        relations.filter(move |(_, relation)| relation.reads_from.contains(table))
    }

    /// A mark to come back to.
    pub fn savepoint(&self) -> usize {
        self.journal.len()
    }

    /// Undoes everything since a mark.
    pub fn roll_back_to(&mut self, mark: usize) {
        while self.journal.len() > mark {
            let Some((id, before)) = self.journal.pop() else { return };
            match before {
                Some(thing) => self.things.insert(id, thing),
                None => self.things.remove(&id),
            };
        }
    }

    /// What is otherwise than it was at a mark: each thing's name and kind, as it was, as it is.
    pub fn changes_since(&self, mark: usize) -> Vec<SchemaDifference<'_>> {
        let is_there = |thing: &&SchemaObject| **thing != SchemaObject::Dropped;
        let mut first: BTreeMap<&Id, Option<&SchemaObject>> = BTreeMap::new();
        for (id, before) in &self.journal[mark.min(self.journal.len())..] {
            first.entry(id).or_insert(before.as_deref());
        }
        let differences = first.into_iter().map(|(id, before)| SchemaDifference {
            name: &id.key,
            kind: match id.space {
                Space::Relation => "table",
                Space::Type => "type",
                Space::Index => "index",
                Space::Other(kind) => kind.name(),
            },
            before: before.filter(is_there),
            after: self.things.get(id).map(|thing| &**thing).filter(is_there),
        });
        differences.filter(|one| one.before != one.after).collect()
    }

    /// Forgets how it came to be.
    pub fn forget_journal(&mut self) {
        self.journal.clear();
    }
}

/// A thing that is otherwise than it was.
#[derive(Debug, Clone, Copy)]
pub struct SchemaDifference<'a> {
    /// Its name.
    pub name: &'a ObjectName,
    /// What it is.
    pub kind: &'static str,
    /// As it was.
    pub before: Option<&'a SchemaObject>,
    /// As it is.
    pub after: Option<&'a SchemaObject>,
}
