//! What a rule is shown: a statement in its place, and all that is known there.

use crate::impact::{Algorithm, Cause, Impact, Lock, OnlineDdl};
use crate::object_name::ObjectName;
use crate::relation::{HistoryPoint, Relation, RelationKind};
use crate::rule_finding::RuleFinding;
use crate::schema::{Schema, SchemaObject};
use crate::server::{Product, Server};
use crate::simulation::Simulation;
use migrate_model::directives::Phase;
use migrate_model::finding::Level;
use migrate_model::migration::Migration;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::syntax::{ActionKind, AlterTable, Column, ConstraintKind, Reference, Syntax};
use migrate_model::target::Direction;
use std::collections::BTreeSet;
use std::ops::Range;

/// A statement that was read.
#[derive(Debug, Clone)]
pub struct ParsedStatement {
    /// Which statement of the file.
    pub statement: usize,
    /// What it says.
    pub syntax: Syntax,
    /// When it runs.
    pub point: HistoryPoint,
    /// In a transaction with others?
    pub in_transaction: bool,
    /// Inside a block?
    pub in_block: bool,
    /// And carried out only if something holds?
    pub conditional: bool,
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
    pub statements: &'a [ParsedStatement],
    /// All migrations before it.
    pub before: &'a [Migration],
    /// Which other migrations are not deployed either.
    pub pending: &'a BTreeSet<usize>,
    /// The server.
    pub server: Server,
    /// Tables that are known to stay small.
    pub small_tables: &'a [String],
}

impl File<'_> {
    /// The text of a statement.
    pub fn sql(&self, read: &ParsedStatement) -> &str {
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
pub struct HeldLock {
    /// The table.
    pub table: ObjectName,
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
pub struct StatementContext<'a> {
    /// The file.
    pub file: File<'a>,
    /// The schema before it.
    pub schema: &'a Schema,
    /// The statement.
    pub parsed: &'a ParsedStatement,
    /// Which of the file's statements that were read it is.
    pub number: usize,
    /// Its text.
    pub sql: &'a str,
    /// What it does to tables.
    pub impacts: &'a [Impact],
    /// Locks of this transaction.
    pub held_locks: &'a [HeldLock],
    /// MySQL: are foreign keys not checked?
    pub foreign_keys_unchecked: bool,
    /// What the session's `lock_timeout` was set to by the file itself.
    pub lock_timeout: Option<&'a str>,
    /// The same of `statement_timeout`.
    pub statement_timeout: Option<&'a str>,
    /// SQLite: are foreign keys obeyed while it runs, as far as is known?
    pub foreign_keys_enforced: bool,
}

impl<'a> StatementContext<'a> {
    /// The server.
    pub fn server(&self) -> Server {
        self.file.server
    }

    /// What it says.
    pub fn syntax(&self) -> &'a Syntax {
        &self.parsed.syntax
    }

    /// What it says, if it is `ALTER TABLE`.
    pub fn alter(&self) -> Option<&'a AlterTable> {
        match &self.parsed.syntax {
            Syntax::AlterTable(alter) => Some(alter),
            _ => None,
        }
    }

    /// The clauses of `ALTER TABLE`, with the table.
    pub fn actions(&self) -> impl Iterator<Item = (ObjectName, &'a ActionKind, &'a Range<usize>)> {
        let alter = self.alter();
        let key = alter.map(|alter| self.schema.resolve(&alter.table));
        let actions = alter.into_iter().flat_map(|alter| &alter.actions);
        key.into_iter().cycle().zip(actions).map(|(key, action)| (key, &action.kind, &action.range))
    }

    /// Is the table that is altered divided into partitions?
    pub fn alters_partitioned(&self) -> bool {
        let own = self.alter().map(|alter| self.schema.resolve(&alter.table));
        own.and_then(|own| self.relation(&own)).is_some_and(|relation| relation.partitioned)
    }

    /// Columns that are defined here: those of a new table, and those that are added.
    pub fn new_columns(&self) -> impl Iterator<Item = &'a Column> {
        let made = match &self.parsed.syntax {
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
        let made = match &self.parsed.syntax {
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
    pub fn relation(&self, key: &ObjectName) -> Option<&'a Relation> {
        self.schema.relation(key)
    }

    /// How new a table is. What the history did not make was there before it.
    pub fn age(&self, key: &ObjectName) -> Age {
        age(self.relation(key).map(|relation| relation.created), self.parsed.point, self.file.pending)
    }

    /// How new a column is.
    pub fn column_age(&self, key: &ObjectName, column: &str) -> Age {
        let Some(relation) = self.relation(key) else { return Age::Deployed };
        let own = relation.column(column).and_then(|column| column.created);
        age(Some(own.unwrap_or(relation.created)), self.parsed.point, self.file.pending)
    }

    /// Is it in use by those who do not wait for this release?
    pub fn is_deployed(&self, key: &ObjectName) -> bool {
        self.age(key) == Age::Deployed
    }

    /// The impacts of these causes that somebody may feel, each with a report begun.
    pub fn findings_for(&self, causes: impl Fn(&Cause) -> bool, message: impl Fn(&Impact) -> String) -> Vec<RuleFinding> {
        let chosen = self.impacts.iter().filter(|impact| causes(&impact.cause));
        chosen.filter_map(|impact| self.finding(impact, message(impact))).collect()
    }

    /// A report on an impact, unless nobody can feel it.
    pub fn finding(&self, impact: &Impact, message: String) -> Option<RuleFinding> {
        let finding = RuleFinding::new(message);
        let finding = match self.age(&impact.table) {
            Age::Deployed => finding,
            Age::Pending => finding.at_most(Level::Note).note(format!("`{}` is not deployed either", impact.table)),
            // Nobody reads it yet, but its rows cost time all the same.
            Age::File | Age::Transaction if impact.is_long() && self.relation(&impact.table).is_some_and(|own| own.has_rows) => {
                finding.at_most(Level::Note).note(format!("`{}` is new, and was filled before", impact.table))
            }
            Age::File | Age::Transaction => return None,
        };
        let finding = match impact.is_long() && self.is_small(&impact.table) {
            true => finding.at_most(Level::Warning).note(format!("`{}` is said to stay small", impact.table)),
            false => finding,
        };
        let finding = finding.note(self.describe_lock(impact));
        Some(match &impact.range {
            Some(range) => finding.at(range),
            None => finding,
        })
    }

    /// What the cheapest way needs that the server has for an `ALTER TABLE` of MySQL or MariaDB.
    pub fn costliest(&self) -> Option<OnlineDdl> {
        let all = self.impacts.iter().filter_map(|impact| impact.online);
        all.max_by_key(|online| (online.algorithm, !online.allows_writes))
    }

    /// What an `ALTER TABLE` asks for by `ALGORITHM` and `LOCK` and the server does not do, and what it would need.
    pub fn refused_algorithm(&self) -> Option<(String, String)> {
        let alter = self.alter()?;
        // Where not all is known, nothing is said.
        self.relation(&self.schema.resolve(&alter.table)).filter(|relation| relation.columns_known)?;
        let needed = self.costliest()?;
        let allowed = match alter.algorithm.as_deref() {
            Some("INSTANT") => Algorithm::Instant,
            Some("NOCOPY") => Algorithm::NoCopy,
            Some("INPLACE") => Algorithm::Inplace,
            _ => Algorithm::Copy,
        };
        let lock = if needed.allows_writes { "NONE" } else { "SHARED" };
        let shown = format!("ALGORITHM={}, LOCK={lock}", needed.algorithm);
        match () {
            () if needed.algorithm > allowed => Some((format!("ALGORITHM={allowed}"), shown)),
            () if !needed.allows_writes && alter.lock.as_deref() == Some("NONE") => Some(("LOCK=NONE".to_owned(), shown)),
            () => None,
        }
    }

    /// A lock, what is done under it, and who waits.
    pub fn describe_lock(&self, impact: &Impact) -> String {
        match &impact.online {
            Some(online) => {
                let who = match (online.allows_writes, impact.is_long()) {
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

    fn is_small(&self, key: &ObjectName) -> bool {
        self.file.small_tables.iter().any(|name| *name == key.to_string() || name == key.name())
    }

    /// The statements behind this one.
    pub fn later_statements(&self) -> &'a [ParsedStatement] {
        &self.file.statements[(self.number + 1).min(self.file.statements.len())..]
    }

    /// The statements before this one.
    pub fn earlier_statements(&self) -> &'a [ParsedStatement] {
        &self.file.statements[..self.number]
    }

    /// Does one that runs later in this file satisfy this?
    pub fn is_followed_by(&self, condition: impl Fn(&Syntax) -> bool) -> bool {
        self.later_statements().iter().any(|read| condition(&read.syntax))
    }
}

/// Is the table that a statement alters new, and were no rows put into it?
pub fn is_empty(schema: &Schema, read: &ParsedStatement, pending: &BTreeSet<usize>) -> bool {
    let Syntax::AlterTable(alter) = &read.syntax else { return false };
    let relation = schema.relation(&schema.resolve(&alter.table)).filter(|relation| !relation.has_rows);
    relation.is_some_and(|relation| age(Some(relation.created), read.point, pending) != Age::Deployed)
}

fn age(made: Option<HistoryPoint>, now: HistoryPoint, pending: &BTreeSet<usize>) -> Age {
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
pub struct FileContext<'a> {
    /// The file.
    pub file: File<'a>,
    /// All files up to this one.
    pub history: &'a [Migration],
    /// The first migration that says the same, if it is another.
    pub same_as: Option<usize>,
    /// The schema behind it.
    pub after: &'a Simulation,
    /// The schema before it, from a mark.
    pub before: usize,
    /// The statements of the way down, and what was different after up and down.
    pub down: Option<&'a DownResult>,
}

impl<'a> FileContext<'a> {
    /// Tables that were in use before the file and are others behind it, under the same name: as they were, as they are.
    pub fn replaced(&self) -> Vec<(&'a ObjectName, &'a Relation, &'a Relation)> {
        let index = self.file.index;
        let old =
            |relation: &Relation| relation.created.migration != index && !self.file.pending.contains(&relation.created.migration);
        let changes = self.after.schema.changes_since(self.before).into_iter();
        let replaced = changes.filter_map(|change| match (change.before, change.after) {
            (Some(SchemaObject::Relation(before)), Some(SchemaObject::Relation(after)))
                if old(before)
                    && after.created.migration == index
                    && before.kind == after.kind
                    && before.kind == RelationKind::Table =>
            {
                Some((change.name, &**before, &**after))
            }
            _ => None,
        });
        replaced.collect()
    }

    /// Is this the table that takes the place of another, by its name now or by the one that it was made under?
    pub fn takes_place(&self, name: &Name, of: &ObjectName, new: &Relation) -> bool {
        let key = self.after.schema.resolve(name);
        key == *of || key.name() == new.original_name
    }

    /// The tables and views that the file made or changed, as they are behind it.
    pub fn changed_relations(&self) -> impl Iterator<Item = (&'a ObjectName, &'a Relation)> {
        let schema = &self.after.schema;
        let changes = schema.changes_since(self.before).into_iter();
        changes.filter_map(|change| match change.after {
            Some(SchemaObject::Relation(relation)) => Some((change.name, &**relation)),
            _ => None,
        })
    }
}

/// What came of going down again.
#[derive(Debug, Clone)]
pub struct DownResult {
    /// The statements.
    pub statements: Vec<ParsedStatement>,
    /// What is otherwise than before.
    pub leftovers: Vec<String>,
    /// Could all of it be read?
    pub fully_parsed: bool,
}
