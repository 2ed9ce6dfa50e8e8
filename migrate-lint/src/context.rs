//! What a rule gets to check: a statement or a file, with the schema, the locks and the history at that point.

use crate::action_index::ActionIndex;
use crate::effort;
use crate::impact::{Algorithm, Cause, Impact, Lock, OnlineDdl};
use crate::lock_tracker::LockTracker;
use crate::object_name::ObjectName;
use crate::relation::{HistoryPoint, Relation, RelationKind};
use crate::rule_finding::RuleFinding;
use crate::schema::{Schema, SchemaObject};
use crate::server::{Product, Server};
use crate::simulation::Simulation;
use crate::statement_index::StatementIndex;
use migrate_model::directives::Phase;
use migrate_model::finding::Level;
use migrate_model::migration::Migration;
use migrate_model::name::Name;
use migrate_model::place::SourceText;
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::syntax::{Action, ActionKind, AlterTable, Column, Constraint, ConstraintKind, CreateIndex, Reference, Syntax};
use migrate_model::target::Direction;
use std::collections::BTreeSet;
use std::ops::Range;

/// A statement of a file, or a statement inside the body of one.
#[derive(Debug, Clone)]
pub struct ParsedStatement {
    /// Index in the script of the statement, or of the one that contains it.
    pub statement: usize,
    pub syntax: Syntax,
    /// When the statement runs.
    pub point: HistoryPoint,
    /// The transaction may contain other statements.
    pub in_transaction: bool,
    /// Inside the body of a `DO` block.
    pub in_block: bool,
    /// The branch of the block that it is inside: it may not be executed.
    pub branch: Option<usize>,
}

/// The up or the down migration of a version.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    pub migration: &'a Migration,
    /// Index of the migration in the history.
    pub index: usize,
    pub direction: Direction,
    /// The text of this direction.
    pub script: &'a Script,
    /// Finds places in this text.
    pub source: &'a SourceText<'a>,
    /// The statements in execution order, with those inside of blocks.
    pub statements: &'a [ParsedStatement],
    /// The statements by the words in them.
    pub statement_index: &'a StatementIndex<'a>,
    /// The migrations with earlier versions.
    pub before: &'a [Migration],
    /// Indexes of the migrations that are not deployed; empty if that is unknown.
    pub pending: &'a BTreeSet<usize>,
    pub server: Server,
    /// Tables that are expected to stay small, with or without their schema.
    pub small_tables: &'a [String],
}

impl File<'_> {
    /// The text of a statement; for a statement inside a block, that of the whole block.
    pub fn sql(&self, parsed: &ParsedStatement) -> &str {
        self.script.statements[parsed.statement].sql(&self.script.text)
    }

    /// Does the previous migration drop an index of this name?
    pub fn dropped_just_before(&self, index: &str) -> bool {
        let Some(previous) = self.before.last() else { return false };
        let statements = previous.up.statements.iter().map(|statement| statement.sql(&previous.up.text));
        let mut syntaxes = statements.map(|sql| reader::read(sql, self.server.dialect()));
        syntaxes.any(|syntax| matches!(syntax, Syntax::Drop(drop) if drop.names.iter().any(|name| name.name == index)))
    }

    /// Does a statement of the file create a routine for which this holds?
    fn creates_routine_that(&self, is_wanted: impl Fn(&Name) -> bool) -> bool {
        self.statements.iter().any(|parsed| matches!(&parsed.syntax, Syntax::CreateRoutine { name, .. } if is_wanted(name)))
    }

    /// Does the file create a routine of this name?
    pub fn creates_routine(&self, called: &Name) -> bool {
        self.creates_routine_that(|name| name.name.eq_ignore_ascii_case(&called.name))
    }

    /// Does the file create a routine that a statement calls?
    pub fn creates_a_called_routine(&self, sql: &str) -> bool {
        let called = reader::called_names(sql, self.server.dialect());
        self.creates_routine_that(|name| called.iter().any(|called| called.name.eq_ignore_ascii_case(&name.name)))
    }

    /// Is the migration declared as a contract step (`-- migrate: phase contract`)?
    pub fn is_contract(&self) -> bool {
        self.migration.phase() == Some(Phase::Contract)
    }
}

/// A lock that the current transaction holds.
#[derive(Debug, Clone)]
pub struct HeldLock {
    pub table: ObjectName,
    pub lock: Lock,
    /// Index of the statement that acquired it.
    pub since: usize,
    /// Index of the last statement that acquired it again.
    pub until: usize,
    /// The change that required it.
    pub cause: Cause,
}

/// The age of a table or a column, which decides who can use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// Created in this transaction: invisible to other sessions.
    Transaction,
    /// Created earlier in this file.
    File,
    /// Created by another migration that is not deployed.
    Pending,
    /// Created by a deployed migration, or before the first migration.
    Deployed,
}

/// A foreign key that a statement adds.
#[derive(Debug, Clone, Copy)]
pub struct NewForeignKey<'a> {
    /// The referencing columns.
    pub columns: &'a [String],
    pub reference: &'a Reference,
    /// The definition, in bytes of the statement.
    pub range: &'a Range<usize>,
}

/// A statement, and the state before it runs.
#[derive(Debug, Clone, Copy)]
pub struct StatementContext<'a> {
    pub file: File<'a>,
    /// The schema before the statement.
    pub schema: &'a Schema,
    pub parsed: &'a ParsedStatement,
    /// Index in `file.statements`.
    pub number: usize,
    /// The text; for a statement inside a block, that of the whole block.
    pub sql: &'a str,
    /// The actions of the statement by the names in them.
    pub action_index: &'a ActionIndex<'a>,
    /// The effects on tables and their locks.
    pub impacts: &'a [Impact],
    /// The locks that earlier statements of the transaction acquired.
    pub held_locks: &'a LockTracker,
    /// MySQL: `foreign_key_checks` is off.
    pub foreign_keys_unchecked: bool,
    /// The `lock_timeout` of the session; `None` if it is not set.
    pub lock_timeout: Option<&'a str>,
    /// The `statement_timeout` of the session; `None` if it is not set.
    pub statement_timeout: Option<&'a str>,
    /// SQLite: `PRAGMA foreign_keys` is on. True unless the file turns it off.
    pub foreign_keys_enforced: bool,
}

impl<'a> StatementContext<'a> {
    /// The server that the migrations run on.
    pub fn server(&self) -> Server {
        self.file.server
    }

    /// The parsed statement.
    pub fn syntax(&self) -> &'a Syntax {
        &self.parsed.syntax
    }

    /// The statement, if it is `ALTER TABLE`.
    pub fn alter(&self) -> Option<&'a AlterTable> {
        match &self.parsed.syntax {
            Syntax::AlterTable(alter) => Some(alter),
            _ => None,
        }
    }

    /// The actions of `ALTER TABLE`, each with the table and its range in the statement.
    pub fn actions(&self) -> impl Iterator<Item = (ObjectName, &'a ActionKind, &'a Range<usize>)> {
        let alter = self.alter();
        let table = alter.map(|alter| self.schema.resolve(&alter.table));
        let actions = alter.into_iter().flat_map(|alter| &alter.actions).take_while(|_| !self.schema.effort().is_exhausted());
        table.into_iter().cycle().zip(actions).map(|(table, action)| (table, &action.kind, &action.range))
    }

    /// The actions of `ALTER TABLE` that name a column, a constraint or an index; see [`ActionIndex::naming`].
    pub fn actions_naming(&self, name: &str) -> impl Iterator<Item = &'a Action> + use<'a> {
        self.action_index.naming(name)
    }

    /// Does the statement alter a partitioned table?
    pub fn alters_partitioned(&self) -> bool {
        let table = self.alter().map(|alter| self.schema.resolve(&alter.table));
        table.and_then(|table| self.relation(&table)).is_some_and(|relation| relation.partitioned)
    }

    /// The columns of a new table, and those that `ALTER TABLE` adds.
    pub fn new_columns(&self) -> impl Iterator<Item = &'a Column> {
        let created = match &self.parsed.syntax {
            Syntax::CreateTable(table) => table.columns.as_slice(),
            _ => &[],
        };
        let actions = self.alter().into_iter().flat_map(|alter| &alter.actions);
        let added = actions.filter_map(|action| match &action.kind {
            ActionKind::AddColumn { column, .. } => Some(&**column),
            _ => None,
        });
        created.iter().chain(added)
    }

    /// The table constraints of a new table, and those that `ALTER TABLE` adds.
    fn new_constraints(&self) -> impl Iterator<Item = &'a Constraint> {
        let created = match &self.parsed.syntax {
            Syntax::CreateTable(table) => table.constraints.as_slice(),
            _ => &[],
        };
        let actions = self.alter().into_iter().flat_map(|alter| &alter.actions);
        let added = actions.filter_map(|action| match &action.kind {
            ActionKind::AddConstraint(constraint) => Some(constraint),
            _ => None,
        });
        created.iter().chain(added)
    }

    /// The columns of each key and, on MySQL, of each index that the statement adds to a table. SQLite accepts any.
    pub fn new_keys(&self) -> impl Iterator<Item = &'a [String]> {
        let keys = self.new_constraints().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::Primary { columns, .. } | ConstraintKind::Unique { columns, .. } => Some(columns.as_slice()),
            _ => None,
        });
        let is_checked = self.server().product != Product::Sqlite;
        keys.chain(self.new_indexes().map(|index| index.columns.as_slice())).filter(move |_| is_checked)
    }

    /// The constraints and indexes that the statement adds with a name to a table, each with its kind; on SQLite none.
    pub fn new_names(&self) -> Vec<(&'static str, &'a str)> {
        let is_mysql = matches!(self.server().product, Product::MySql | Product::MariaDb);
        if self.server().product == Product::Sqlite {
            return Vec::new();
        }
        let mut names: Vec<(&'static str, Option<&String>)> = Vec::new();
        for constraint in self.new_constraints() {
            let kind = match constraint.kind {
                ConstraintKind::Foreign { .. } => "foreign key",
                ConstraintKind::Unique { .. } => "index",
                ConstraintKind::Primary { .. } if is_mysql => continue,
                _ => "constraint",
            };
            names.push((kind, constraint.name.as_ref()));
        }
        for column in self.new_columns() {
            names.extend(column.checks.iter().map(|check| ("constraint", check.name.as_ref())));
            names.push(("foreign key", column.references.as_ref().and_then(|reference| reference.name.as_ref())));
            names.push(("index", column.key_name.as_ref().filter(|_| !is_mysql)));
        }
        names.extend(self.new_indexes().map(|index| ("index", index.name.as_ref().map(|name| &name.name))));
        names.into_iter().filter_map(|(kind, name)| Some((kind, name?.as_str()))).collect()
    }

    /// The indexes in the definition of a new table, and those that `ALTER TABLE` adds and does not skip (MySQL).
    fn new_indexes(&self) -> impl Iterator<Item = &'a CreateIndex> {
        let created = match &self.parsed.syntax {
            Syntax::CreateTable(table) => table.indexes.as_slice(),
            _ => &[],
        };
        let added = self.alter().into_iter().flat_map(|alter| &alter.actions).filter_map(|action| match &action.kind {
            ActionKind::AddIndex(index) if !index.if_not_exists => Some(index),
            _ => None,
        });
        created.iter().chain(added)
    }

    /// The foreign keys that the statement adds.
    pub fn new_foreign_keys(&self) -> Vec<NewForeignKey<'a>> {
        // MySQL, unlike MariaDB, ignores `REFERENCES` in a column definition.
        let columns = self.new_columns().filter(|_| self.server().product != Product::MySql);
        let of_columns = columns.filter_map(|column| {
            let reference = column.references.as_ref()?;
            Some(NewForeignKey { columns: std::slice::from_ref(&column.name), reference, range: &column.range })
        });
        let of_table = self.new_constraints().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::Foreign { columns, references } => {
                Some(NewForeignKey { columns, reference: references, range: &constraint.range })
            }
            _ => None,
        });
        of_columns.chain(of_table).collect()
    }

    /// A table or a view that the migrations created.
    pub fn relation(&self, name: &ObjectName) -> Option<&'a Relation> {
        self.schema.relation(name)
    }

    /// The age of a table. One that no migration created existed before the first migration.
    pub fn age(&self, table: &ObjectName) -> Age {
        age_of_relation(self.relation(table), self.parsed.point, self.file.pending)
    }

    /// The age of a column.
    pub fn column_age(&self, table: &ObjectName, column: &str) -> Age {
        let Some(relation) = self.relation(table) else { return Age::Deployed };
        let definition = relation.column(column);
        // The condition may have found a column that existed before.
        if relation.certainty.is_uncertain() || definition.is_some_and(|definition| definition.certainty.is_uncertain()) {
            return Age::Deployed;
        }
        let added = definition.and_then(|column| column.created);
        age(Some(added.unwrap_or(relation.created)), self.parsed.point, self.file.pending)
    }

    /// Can the currently deployed version of the application use the table?
    pub fn is_deployed(&self, table: &ObjectName) -> bool {
        self.age(table) == Age::Deployed
    }

    /// A finding for each impact with one of these causes, unless [`finding`](Self::finding) omits it.
    pub fn findings_for(&self, causes: impl Fn(&Cause) -> bool, message: impl Fn(&Impact) -> String) -> Vec<RuleFinding> {
        let impacts = self.impacts.iter().filter(|impact| causes(&impact.cause));
        impacts.filter_map(|impact| self.finding(impact, message(impact))).collect()
    }

    /// A finding about an impact, at the level that the age and the size of the table justify; `None` if the impact cannot
    /// affect other sessions.
    pub fn finding(&self, impact: &Impact, message: String) -> Option<RuleFinding> {
        if self.is_emptied(&impact.table) {
            return None;
        }
        let mut finding = RuleFinding::new(message);
        match self.age(&impact.table) {
            Age::Deployed => {}
            Age::Pending => {
                finding = finding.at_most(Level::Note).note(format!("`{}` is not deployed yet", impact.table));
            }
            // No other session uses the table, but the work on its rows takes time.
            Age::File | Age::Transaction if impact.is_long() && self.has_rows(&impact.table) => {
                finding = finding.at_most(Level::Note).note(format!("`{}` is new, and already contains rows", impact.table));
            }
            Age::File | Age::Transaction => return None,
        }
        if impact.is_long() && self.is_small(&impact.table) {
            finding = finding.at_most(Level::Warning).note(format!("`{}` is listed in `small-tables`", impact.table));
        }
        finding = finding.note(self.describe_lock(impact));
        Some(match &impact.range {
            Some(range) => finding.at(range),
            None => finding,
        })
    }

    /// The most expensive of the algorithms that the actions of an `ALTER TABLE` of MySQL or MariaDB need.
    pub fn costliest(&self) -> Option<OnlineDdl> {
        let needed = self.impacts.iter().filter_map(|impact| impact.online);
        needed.max_by_key(|online| (online.algorithm, !online.allows_writes))
    }

    /// The `ALGORITHM` or `LOCK` clause of an `ALTER TABLE` or a `CREATE INDEX` that the server rejects, and the clauses that it
    /// accepts.
    pub fn refused_algorithm(&self) -> Option<(String, String)> {
        let (table, algorithm, lock) = match self.syntax() {
            Syntax::CreateIndex(index) => (&index.table, index.algorithm.as_deref(), index.lock.as_deref()),
            _ => self.alter().map(|alter| (&alter.table, alter.algorithm.as_deref(), alter.lock.as_deref()))?,
        };
        // With unknown columns the needed algorithm is not certain.
        self.relation(&self.schema.resolve(table)).filter(|relation| relation.columns_known)?;
        let needed = self.costliest()?;
        let requested = match algorithm {
            Some("INSTANT") => Algorithm::Instant,
            Some("NOCOPY") => Algorithm::NoCopy,
            Some("INPLACE") => Algorithm::Inplace,
            _ => Algorithm::Copy,
        };
        let possible_lock = if needed.allows_writes { "NONE" } else { "SHARED" };
        let accepted = format!("ALGORITHM={}, LOCK={possible_lock}", needed.algorithm);
        if needed.algorithm > requested {
            Some((format!("ALGORITHM={requested}"), accepted))
        } else if !needed.allows_writes && lock == Some("NONE") {
            Some(("LOCK=NONE".to_owned(), accepted))
        } else {
            None
        }
    }

    /// The lock of an impact, the work that is done under it, and the sessions that it blocks.
    pub fn describe_lock(&self, impact: &Impact) -> String {
        let table = &impact.table;
        if let Some(online) = &impact.online {
            let effect = if !online.allows_writes {
                "which blocks writes"
            } else if impact.is_long() {
                "which allows reads and writes"
            } else {
                "which takes little time; but the statement waits for its metadata lock until all transactions that use the table have ended, and later queries queue behind the statement"
            };
            let server = self.server();
            let algorithm = online.algorithm;
            return format!(
                "`{table}`: the cheapest algorithm that {server} supports for this change is ALGORITHM={algorithm}, {effect}"
            );
        }
        let lock = match self.server().product {
            Product::MySql | Product::MariaDb => "metadata",
            Product::Postgres | Product::Sqlite => impact.lock.name(),
        };
        let article = if lock.starts_with('A') { "an" } else { "a" };
        format!("takes {article} {lock} lock on `{table}` {}: {}", impact.work(), impact.lock.blocks())
    }

    /// Did an earlier `TRUNCATE` empty the table, so that nothing on its rows takes time or fails?
    pub fn is_emptied(&self, table: &ObjectName) -> bool {
        is_emptied(self.schema, table, self.parsed)
    }

    fn has_rows(&self, table: &ObjectName) -> bool {
        self.relation(table).is_some_and(|relation| relation.has_rows)
    }

    fn is_small(&self, table: &ObjectName) -> bool {
        self.file.small_tables.iter().any(|name| *name == table.to_string() || name == table.name())
    }

    /// The statements of the file after this one.
    pub fn later_statements(&self) -> &'a [ParsedStatement] {
        &self.file.statements[(self.number + 1).min(self.file.statements.len())..]
    }

    /// The `ALTER TABLE` statements of the file after this one. A file may contain thousands of other statements.
    pub fn later_alters(&self) -> impl Iterator<Item = &'a ParsedStatement> {
        let alters = self.file.statement_index.alters();
        let first = alters.partition_point(|number| *number <= self.number);
        alters[first..].iter().map(|number| &self.file.statements[*number])
    }

    /// The statements of the file before this one.
    pub fn earlier_statements(&self) -> &'a [ParsedStatement] {
        &self.file.statements[..self.number]
    }

    /// SQLite: does an earlier statement of the file turn this setting on?
    pub fn is_pragma_on(&self, pragma: &str) -> bool {
        self.earlier_statements_with(&[pragma]).any(|statement| match &statement.syntax {
            Syntax::Pragma { name, value: Some(value) } => {
                name == pragma && matches!(value.as_str(), "on" | "1" | "true" | "yes")
            }
            _ => false,
        })
    }

    /// The statements of the file after this one whose text contains all of these words. There may be others among them.
    pub fn later_statements_with(&self, words: &[&str]) -> impl Iterator<Item = &'a ParsedStatement> + use<'a> {
        self.statements_in(words, self.number + 1..self.file.statements.len())
    }

    /// The statements of the file before this one whose text contains all of these words. There may be others among them.
    pub fn earlier_statements_with(&self, words: &[&str]) -> impl Iterator<Item = &'a ParsedStatement> + use<'a> {
        self.statements_in(words, 0..self.number)
    }

    fn statements_in(&self, words: &[&str], range: Range<usize>) -> impl Iterator<Item = &'a ParsedStatement> + use<'a> {
        let (statements, effort) = (self.file.statements, self.schema.effort());
        let numbers = self.file.statement_index.with_words(words, range);
        let counted = numbers.enumerate().inspect(|(count, _)| effort.spend(usize::from(count % effort::GLANCES == 0)));
        counted.map(|(_, number)| &statements[number])
    }

    /// The statements after an earlier one, up to and with this one.
    pub fn statements_since(&self, earlier: &ParsedStatement) -> impl Iterator<Item = &'a ParsedStatement> {
        let until = &self.file.statements[..=self.number];
        until.iter().skip_while(move |statement| !std::ptr::eq(*statement, earlier)).skip(1)
    }

    /// Is the statement certainly followed, in its file, by one that satisfies a condition? Only statements that contain all of
    /// these words can.
    pub fn is_followed_by(&self, words: &[&str], condition: impl Fn(&Syntax) -> bool) -> bool {
        let mut later = self.later_statements_with(words);
        later.any(|statement| self.is_as_certain(statement) && condition(&statement.syntax))
    }

    /// The statements of the file that were certainly executed before this one, and whose text contains all of these words. There
    /// may be others among them.
    pub fn executed_statements(&self, words: &[&str]) -> impl Iterator<Item = &'a ParsedStatement> {
        self.earlier_statements_with(words).filter(|statement| self.is_as_certain(statement))
    }

    /// Is another statement of the file executed whenever this one is?
    pub fn is_as_certain(&self, other: &ParsedStatement) -> bool {
        other.branch.is_none() || other.branch == self.parsed.branch && other.statement == self.parsed.statement
    }
}

/// Did an earlier `TRUNCATE` empty a table?
pub fn is_emptied(schema: &Schema, table: &ObjectName, parsed: &ParsedStatement) -> bool {
    schema.is_emptied(table, parsed.point, parsed.in_transaction)
}

/// Does a statement alter a table that has no rows: a new one, or one that was truncated before?
pub fn is_empty(schema: &Schema, parsed: &ParsedStatement, pending: &BTreeSet<usize>) -> bool {
    let Syntax::AlterTable(alter) = &parsed.syntax else { return false };
    let table = schema.resolve(&alter.table);
    if is_emptied(schema, &table, parsed) {
        return true;
    }
    let relation = schema.relation(&table).filter(|relation| !relation.has_rows);
    relation.is_some_and(|relation| age_of_relation(Some(relation), parsed.point, pending) != Age::Deployed)
}

/// The age of a table; one that may be older than its definition in the migrations counts as deployed.
pub fn age_of_relation(relation: Option<&Relation>, now: HistoryPoint, pending: &BTreeSet<usize>) -> Age {
    age(relation.filter(|relation| !relation.certainty.is_uncertain()).map(|relation| relation.created), now, pending)
}

fn age(created: Option<HistoryPoint>, now: HistoryPoint, pending: &BTreeSet<usize>) -> Age {
    match created {
        None => Age::Deployed,
        Some(created) if created.transaction == now.transaction => Age::Transaction,
        Some(created) if created.migration == now.migration => Age::File,
        Some(created) if pending.contains(&created.migration) => Age::Pending,
        Some(_) => Age::Deployed,
    }
}

/// A file, and the state after it has run.
#[derive(Debug, Clone, Copy)]
pub struct FileContext<'a> {
    /// The up migration.
    pub file: File<'a>,
    /// The migrations up to and including this one.
    pub history: &'a [Migration],
    /// Index of the first migration with the same SQL, if that is an earlier one.
    pub same_as: Option<usize>,
    /// The state after the file.
    pub after: &'a Simulation,
    /// Savepoint of the schema before the file.
    pub before: usize,
    /// The result of running the down migration; `None` if there is none.
    pub down: Option<&'a DownResult>,
}

impl<'a> FileContext<'a> {
    /// The deployed tables that the file replaces by other tables of the same name: the name, the old and the new table.
    pub fn replaced(&self) -> Vec<(&'a ObjectName, &'a Relation, &'a Relation)> {
        let is_deployed = |relation: &Relation| {
            relation.created.migration != self.file.index && !self.file.pending.contains(&relation.created.migration)
        };
        let is_new = |relation: &Relation| relation.created.migration == self.file.index;
        let both_tables =
            |before: &Relation, after: &Relation| before.kind == RelationKind::Table && after.kind == RelationKind::Table;
        let changes = self.after.schema.changes_since(self.before).into_iter();
        let replaced = changes.filter_map(|change| match (change.before, change.after) {
            (Some(SchemaObject::Relation(before)), Some(SchemaObject::Relation(after)))
                if both_tables(before, after) && is_deployed(before) && is_new(after) =>
            {
                Some((change.name, &**before, &**after))
            }
            _ => None,
        });
        replaced.collect()
    }

    /// The statements of the file whose text contains all of these words, in order. There may be others among them.
    pub fn statements_with(&self, words: &[&str]) -> impl Iterator<Item = &'a ParsedStatement> + use<'a> {
        let statements = self.file.statements;
        self.file.statement_index.with_words(words, 0..statements.len()).map(|number| &statements[number])
    }

    /// The statements of the file, in order, in which a name may refer to a table that replaces `replaced`; see
    /// [`FileContext::takes_place`].
    pub fn statements_about(&self, replaced: &ObjectName, new: &Relation) -> impl Iterator<Item = &'a ParsedStatement> + use<'a> {
        let index = self.file.statement_index;
        let names = [replaced.name(), &new.original_name];
        let statements = self.file.statements;
        let all = 0..statements.len();
        let numbers: BTreeSet<usize> = names.into_iter().flat_map(|name| index.with_words(&[name], all.clone())).collect();
        numbers.into_iter().map(|number| &statements[number])
    }

    /// Does a name refer to a table that replaces `replaced`: by its current name, or by the one that it was created under?
    pub fn takes_place(&self, name: &Name, replaced: &ObjectName, new: &Relation) -> bool {
        let table = self.after.schema.resolve(name);
        table == *replaced || table.name() == new.original_name
    }

    /// The tables and views that the file created or changed, as they are after it.
    pub fn changed_relations(&self) -> impl Iterator<Item = (&'a ObjectName, &'a Relation)> {
        let changes = self.after.schema.changes_since(self.before).into_iter();
        changes.filter_map(|change| match change.after {
            Some(SchemaObject::Relation(relation)) => Some((change.name, &**relation)),
            _ => None,
        })
    }
}

/// The result of running a down migration after its up migration.
#[derive(Debug, Clone)]
pub struct DownResult {
    /// The statements of the down migration, with those inside of blocks.
    pub statements: Vec<ParsedStatement>,
    /// The differences from the schema before the up migration, as messages.
    pub leftovers: Vec<String>,
    /// Every statement of both migrations was parsed, and none is inside a block.
    pub fully_parsed: bool,
}
