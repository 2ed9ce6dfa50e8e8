//! What a rule is shown: a statement in its place, and all that is known there.

use crate::impact::{Algorithm, Cause, Impact, Lock, Online};
use crate::report::Report;
use crate::schema::{Key, Moment, Relation, RelationKind, Schema, Thing};
use crate::server::{Product, Server};
use crate::simulation::Simulation;
use migrate_core::directives::Phase;
use migrate_core::finding::Level;
use migrate_core::migration::Migration;
use migrate_core::name::Name;
use migrate_core::reader;
use migrate_core::script::Script;
use migrate_core::syntax::{ActionKind, AlterTable, Column, ConstraintKind, Reference, Syntax};
use migrate_core::target::Direction;
use std::collections::BTreeSet;
use std::ops::Range;

/// A statement that was read.
#[derive(Debug, Clone)]
pub struct Read {
    /// Which statement of the file.
    pub statement: usize,
    /// What it says.
    pub syntax: Syntax,
    /// When it runs.
    pub at: Moment,
    /// In a transaction with others?
    pub in_transaction: bool,
    /// Inside a block?
    pub inner: bool,
    /// And carried out only if something holds?
    pub perhaps: bool,
}

/// A file with all that is known of it.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// Its place in the history.
    pub index: usize,
    /// Up or down.
    pub direction: Direction,
    /// The text.
    pub script: &'a Script,
    /// Its statements.
    pub reads: &'a [Read],
    /// All migrations before it.
    pub before: &'a [Migration],
    /// Which other migrations are not deployed either.
    pub pending: &'a BTreeSet<usize>,
    /// The server.
    pub server: Server,
    /// Tables that are known to stay small.
    pub small: &'a [String],
}

impl File<'_> {
    /// The text of a statement.
    pub fn sql(&self, read: &Read) -> &str {
        self.script.statements[read.statement].sql(&self.script.text)
    }

    /// Does the migration right before this one drop an index of this name?
    pub fn dropped_just_before(&self, index: &str) -> bool {
        let Some(last) = self.before.last() else { return false };
        let statements = last.up.statements.iter().map(|statement| statement.sql(&last.up.text));
        let mut syntaxes = statements.map(|sql| reader::read(sql, self.server.dialect()));
        syntaxes.any(|syntax| matches!(syntax, Syntax::Drop(removal) if removal.names.iter().any(|name| name.name == index)))
    }

    /// Does it say that it takes something away?
    pub fn is_contract(&self) -> bool {
        self.migration.phase() == Some(Phase::Contract)
    }
}

/// A lock that was taken earlier in a transaction and is still held.
#[derive(Debug, Clone)]
pub struct Held {
    /// The table.
    pub table: Key,
    /// The lock.
    pub lock: Lock,
    /// Since which statement of the file.
    pub since: usize,
    /// Why it was taken.
    pub cause: Cause,
}

/// How new a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// Nobody but this transaction sees it.
    Transaction,
    /// Made in this file.
    File,
    /// Made by a file that is not deployed either.
    Pending,
    /// In use.
    Deployed,
}

/// A foreign key that a statement adds.
#[derive(Debug, Clone, Copy)]
pub struct NewForeignKey<'a> {
    /// Its columns.
    pub columns: &'a [String],
    /// Where it leads.
    pub reference: &'a Reference,
    /// Where it is written.
    pub range: &'a Range<usize>,
}

/// A statement, before it is carried out.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The file.
    pub file: File<'a>,
    /// The schema before it.
    pub schema: &'a Schema,
    /// The statement.
    pub read: &'a Read,
    /// Which of the file's statements that were read it is.
    pub number: usize,
    /// Its text.
    pub sql: &'a str,
    /// What it does to tables.
    pub impacts: &'a [Impact],
    /// Locks of this transaction.
    pub held: &'a [Held],
    /// MySQL: are foreign keys not checked?
    pub unchecked: bool,
    /// What the session's `lock_timeout` was set to by the file itself.
    pub lock_timeout: Option<&'a str>,
    /// The same of `statement_timeout`.
    pub statement_timeout: Option<&'a str>,
    /// SQLite: are foreign keys obeyed while it runs, as far as is known?
    pub foreign_keys: bool,
}

impl<'a> Scene<'a> {
    /// The server.
    pub fn server(&self) -> Server {
        self.file.server
    }

    /// What it says.
    pub fn syntax(&self) -> &'a Syntax {
        &self.read.syntax
    }

    /// What it says, if it is `ALTER TABLE`.
    pub fn alter(&self) -> Option<&'a AlterTable> {
        match &self.read.syntax {
            Syntax::AlterTable(alter) => Some(alter),
            _ => None,
        }
    }

    /// The clauses of `ALTER TABLE`, with the table.
    pub fn actions(&self) -> impl Iterator<Item = (Key, &'a ActionKind, &'a Range<usize>)> {
        let alter = self.alter();
        let key = alter.map(|alter| self.schema.key(&alter.table));
        let actions = alter.into_iter().flat_map(|alter| &alter.actions);
        key.into_iter().cycle().zip(actions).map(|(key, action)| (key, &action.kind, &action.range))
    }

    /// Is the table that is altered divided into partitions?
    pub fn alters_partitioned(&self) -> bool {
        let own = self.alter().map(|alter| self.schema.key(&alter.table));
        own.and_then(|own| self.relation(&own)).is_some_and(|relation| relation.partitioned)
    }

    /// Columns that are defined here: those of a new table, and those that are added.
    pub fn new_columns(&self) -> impl Iterator<Item = &'a Column> {
        let made = match &self.read.syntax {
            Syntax::CreateTable(table) => table.columns.as_slice(),
            _ => &[],
        };
        let actions = self.alter().into_iter().flat_map(|alter| &alter.actions);
        let added = actions.filter_map(|action| match &action.kind {
            ActionKind::AddColumn { column, .. } => Some(&**column),
            _ => None,
        });
        made.iter().chain(added)
    }

    /// The foreign keys that are added here.
    pub fn new_foreign_keys(&self) -> Vec<NewForeignKey<'a>> {
        // MySQL itself does not read `REFERENCES` at a column.
        let columns = self.new_columns().filter(|_| self.server().product != Product::MySql);
        let of_column = |column: &'a Column| {
            let reference = column.references.as_ref()?;
            Some(NewForeignKey { columns: std::slice::from_ref(&column.name), reference, range: &column.range })
        };
        let mut keys: Vec<NewForeignKey<'a>> = columns.filter_map(of_column).collect();
        let made = match &self.read.syntax {
            Syntax::CreateTable(table) => table.constraints.as_slice(),
            _ => &[],
        };
        let actions = self.alter().into_iter().flat_map(|alter| &alter.actions);
        let added = actions.filter_map(|action| match &action.kind {
            ActionKind::AddConstraint(constraint) => Some(constraint),
            _ => None,
        });
        for constraint in made.iter().chain(added) {
            if let ConstraintKind::Foreign { columns, references } = &constraint.kind {
                keys.push(NewForeignKey { columns, reference: references, range: &constraint.range });
            }
        }
        keys
    }

    /// A table, if the history made it.
    pub fn relation(&self, key: &Key) -> Option<&'a Relation> {
        self.schema.relation(key)
    }

    /// How new a table is. What the history did not make was there before it.
    pub fn age(&self, key: &Key) -> Age {
        age(self.relation(key).map(|relation| relation.made), self.read.at, self.file.pending)
    }

    /// How new a column is.
    pub fn column_age(&self, key: &Key, column: &str) -> Age {
        let Some(relation) = self.relation(key) else { return Age::Deployed };
        let own = relation.column(column).and_then(|column| column.made);
        age(Some(own.unwrap_or(relation.made)), self.read.at, self.file.pending)
    }

    /// Is it in use by those who do not wait for this release?
    pub fn is_deployed(&self, key: &Key) -> bool {
        self.age(key) == Age::Deployed
    }

    /// The impacts of these causes that somebody may feel, each with a report begun.
    pub fn felt(&self, causes: impl Fn(&Cause) -> bool, message: impl Fn(&Impact) -> String) -> Vec<Report> {
        let chosen = self.impacts.iter().filter(|impact| causes(&impact.cause));
        chosen.filter_map(|impact| self.report(impact, message(impact))).collect()
    }

    /// A report on an impact, unless nobody can feel it.
    pub fn report(&self, impact: &Impact, message: String) -> Option<Report> {
        let report = Report::new(message);
        let report = match self.age(&impact.table) {
            Age::Deployed => report,
            Age::Pending => report.at_most(Level::Note).note(format!("`{}` is not deployed either", impact.table)),
            // Nobody reads it yet, but its rows cost time all the same.
            Age::File | Age::Transaction if impact.is_long() && self.relation(&impact.table).is_some_and(|own| own.filled) => {
                report.at_most(Level::Note).note(format!("`{}` is new, and was filled before", impact.table))
            }
            Age::File | Age::Transaction => return None,
        };
        let report = match impact.is_long() && self.is_small(&impact.table) {
            true => report.at_most(Level::Warning).note(format!("`{}` is said to stay small", impact.table)),
            false => report,
        };
        let report = report.note(self.said(impact));
        Some(match &impact.range {
            Some(range) => report.at(range),
            None => report,
        })
    }

    /// What the cheapest way needs that the server has for an `ALTER TABLE` of MySQL or MariaDB.
    pub fn dearest(&self) -> Option<Online> {
        let all = self.impacts.iter().filter_map(|impact| impact.online);
        all.max_by_key(|online| (online.algorithm, !online.writes))
    }

    /// What an `ALTER TABLE` asks for by `ALGORITHM` and `LOCK` and the server does not do, and what it would need.
    pub fn refused_algorithm(&self) -> Option<(String, String)> {
        let alter = self.alter()?;
        // Where not all is known, nothing is said.
        self.relation(&self.schema.key(&alter.table)).filter(|relation| relation.complete)?;
        let needed = self.dearest()?;
        let allowed = match alter.algorithm.as_deref() {
            Some("INSTANT") => Algorithm::Instant,
            Some("NOCOPY") => Algorithm::NoCopy,
            Some("INPLACE") => Algorithm::Inplace,
            _ => Algorithm::Copy,
        };
        let lock = if needed.writes { "NONE" } else { "SHARED" };
        let shown = format!("ALGORITHM={}, LOCK={lock}", needed.algorithm);
        match () {
            () if needed.algorithm > allowed => Some((format!("ALGORITHM={allowed}"), shown)),
            () if !needed.writes && alter.lock.as_deref() == Some("NONE") => Some(("LOCK=NONE".to_owned(), shown)),
            () => None,
        }
    }

    /// A lock, what is done under it, and who waits.
    pub fn said(&self, impact: &Impact) -> String {
        match &impact.online {
            Some(online) => {
                let who = match (online.writes, impact.is_long()) {
                    (false, _) => "INSERT, UPDATE and DELETE wait meanwhile",
                    (true, true) => "others read and write meanwhile",
                    (true, false) => "but it waits for every transaction that uses the table, and all others wait behind it",
                };
                format!(
                    "`{}`: ALGORITHM={} is the cheapest way that {} has; {who}",
                    impact.table,
                    online.algorithm,
                    self.server()
                )
            }
            None if matches!(self.server().product, Product::MySql | Product::MariaDb) => {
                format!("takes a metadata lock on `{}` {}: {}", impact.table, impact.work(), impact.lock.blocks())
            }
            None => format!("takes {} on `{}` {}: {}", impact.lock.name(), impact.table, impact.work(), impact.lock.blocks()),
        }
    }

    fn is_small(&self, key: &Key) -> bool {
        self.file.small.iter().any(|name| *name == key.to_string() || name == key.name())
    }

    /// The statements behind this one.
    pub fn later(&self) -> &'a [Read] {
        &self.file.reads[(self.number + 1).min(self.file.reads.len())..]
    }

    /// The statements before this one.
    pub fn earlier(&self) -> &'a [Read] {
        &self.file.reads[..self.number]
    }

    /// Does one that runs later in this file satisfy this?
    pub fn follows(&self, condition: impl Fn(&Syntax) -> bool) -> bool {
        self.later().iter().any(|read| condition(&read.syntax))
    }
}

/// Is the table that a statement alters new, and were no rows put into it?
pub fn is_empty(schema: &Schema, read: &Read, pending: &BTreeSet<usize>) -> bool {
    let Syntax::AlterTable(alter) = &read.syntax else { return false };
    let relation = schema.relation(&schema.key(&alter.table)).filter(|relation| !relation.filled);
    relation.is_some_and(|relation| age(Some(relation.made), read.at, pending) != Age::Deployed)
}

fn age(made: Option<Moment>, now: Moment, pending: &BTreeSet<usize>) -> Age {
    match made {
        None => Age::Deployed,
        Some(made) if made.transaction == now.transaction => Age::Transaction,
        Some(made) if made.migration == now.migration => Age::File,
        Some(made) if pending.contains(&made.migration) => Age::Pending,
        Some(_) => Age::Deployed,
    }
}

/// A file, when all of it was carried out.
#[derive(Debug, Clone, Copy)]
pub struct FileScene<'a> {
    /// The file.
    pub file: File<'a>,
    /// All files up to this one.
    pub history: &'a [Migration],
    /// The first migration that says the same, if it is another.
    pub same_as: Option<usize>,
    /// The schema behind it.
    pub after: &'a Simulation,
    /// The schema before it, from a mark.
    pub mark: usize,
    /// The statements of the way down, and what was different after up and down.
    pub down: Option<&'a Down>,
}

impl<'a> FileScene<'a> {
    /// Tables that were in use before the file and are others behind it, under the same name: as they were, as they are.
    pub fn replaced(&self) -> Vec<(&'a Key, &'a Relation, &'a Relation)> {
        let index = self.file.index;
        let old = |relation: &Relation| relation.made.migration != index && !self.file.pending.contains(&relation.made.migration);
        let changes = self.after.schema.changes_since(self.mark).into_iter();
        let replaced = changes.filter_map(|change| match (change.before, change.after) {
            (Some(Thing::Relation(before)), Some(Thing::Relation(after)))
                if old(before)
                    && after.made.migration == index
                    && before.kind == after.kind
                    && before.kind == RelationKind::Table =>
            {
                Some((change.key, &**before, &**after))
            }
            _ => None,
        });
        replaced.collect()
    }

    /// Is this the table that takes the place of another, by its name now or by the one that it was made under?
    pub fn takes_place(&self, name: &Name, of: &Key, new: &Relation) -> bool {
        let key = self.after.schema.key(name);
        key == *of || key.name() == new.shown
    }

    /// The tables and views that the file made or changed, as they are behind it.
    pub fn touched(&self) -> impl Iterator<Item = (&'a Key, &'a Relation)> {
        let schema = &self.after.schema;
        let changes = schema.changes_since(self.mark).into_iter();
        changes.filter_map(|change| match change.after {
            Some(Thing::Relation(relation)) => Some((change.key, &**relation)),
            _ => None,
        })
    }
}

/// What came of going down again.
#[derive(Debug, Clone)]
pub struct Down {
    /// The statements.
    pub reads: Vec<Read>,
    /// What is otherwise than before.
    pub left: Vec<String>,
    /// Could all of it be read?
    pub sure: bool,
}
