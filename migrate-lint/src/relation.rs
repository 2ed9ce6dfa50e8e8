//! A table or a view as the migrations leave it, with its columns, constraints and indexes.

use crate::object_name::ObjectName;
use crate::parts::{Candidates, PartKey, Parts};
use migrate_model::syntax::Type;
use std::collections::BTreeSet;
use std::sync::Arc;

/// When something happened in a history of migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryPoint {
    /// Index of the migration in the history.
    pub migration: usize,
    /// Number of the transaction, counted over the whole history.
    pub transaction: usize,
}

/// Whether a condition decided about a table or a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Certainty {
    /// It exists, as it is described.
    Certain,
    /// A branch that may not have been executed created, changed or dropped it.
    Uncertain,
}

impl Certainty {
    /// May it not exist, or have another definition?
    pub fn is_uncertain(self) -> bool {
        self == Certainty::Uncertain
    }
}

/// The kind of a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// A table, also a partitioned one.
    Table,
    /// A view that is not materialized.
    View,
    /// A materialized view (PostgreSQL).
    MaterializedView,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Table, view or materialized view.
    pub kind: RelationKind,
    /// Names of columns, constraints and indexes that differ only in case are different names.
    pub case_sensitive: bool,
    /// The name in the statement that created it, as written there.
    pub original_name: String,
    /// When it was created.
    pub created: HistoryPoint,
    /// When it got its current name, if it was created under another one.
    pub renamed: Option<HistoryPoint>,
    /// Does it certainly exist, with this definition?
    pub certainty: Certainty,
    /// Created with `IF NOT EXISTS`: it may have existed before the first migration.
    pub may_predate_history: bool,
    /// `columns` is complete.
    pub columns_known: bool,
    /// The known columns, in table order.
    pub columns: Parts<Column>,
    /// The known constraints. On MySQL, unique keys are in `indexes` instead.
    pub constraints: Parts<Constraint>,
    /// Names of dropped constraints: the index that MySQL created for a foreign key remains under its name.
    pub orphaned_indexes: Parts<String>,
    /// The known indexes, without those that belong to a constraint.
    pub indexes: Parts<Index>,
    /// The table has partitions, or can have them.
    pub partitioned: bool,
    /// The columns of the partition key.
    pub partition_key: Vec<String>,
    /// The partitioned table that it is a partition of.
    pub partition_of: Option<ObjectName>,
    /// The table whose definition it copied with `LIKE`.
    pub copied_from: Option<ObjectName>,
    /// The tables that it inherits from.
    pub inherits: Parts<ObjectName>,
    /// The known partitions.
    pub partitions: Parts<ObjectName>,
    /// The default partition, if it is known.
    pub default_partition: Option<ObjectName>,
    /// The default character set of its columns (MySQL).
    pub charset: Option<String>,
    /// The default collation of its columns (MySQL).
    pub collation: Option<String>,
    /// The storage engine, in lower case, if a statement names it (MySQL).
    pub engine: Option<String>,
    /// The row format is compressed (MySQL).
    pub compressed: bool,
    /// Rows were inserted since it was created.
    pub has_rows: bool,
    /// When `TRUNCATE` emptied it, if no rows were inserted since.
    pub emptied: Option<HistoryPoint>,
    /// Created with `CREATE TABLE AS`: its columns are unknown, and it had no constraints and indexes at first.
    pub from_query: bool,
    /// The tables that a view reads.
    pub reads_from: Parts<ObjectName>,
    /// The names of the columns of a view in their order, if all are known.
    pub view_columns: Option<Arc<[String]>>,
    /// The words in the query of a view that may be names of columns.
    pub possible_columns: Arc<BTreeSet<String>>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name, as written.
    pub name: String,
    /// The type; `None` if SQLite stores the column without one, or if it is unknown.
    pub ty: Option<Type>,
    /// Declared `NOT NULL`, or part of the primary key.
    pub not_null: bool,
    /// An `INSERT` may omit it although it is `NOT NULL`.
    pub has_default: bool,
    /// `AUTO_INCREMENT`, an identity column or a serial type.
    pub auto_increments: bool,
    /// `ON UPDATE CURRENT_TIMESTAMP` (MySQL).
    pub on_update: bool,
    /// A generated column that is computed when it is read.
    pub is_virtual: bool,
    /// A generated column, virtual or stored.
    pub generated: bool,
    /// The words in the expression of a generated column.
    pub computed_from: Vec<String>,
    /// When it was added; `None` if it was created with its table.
    pub created: Option<HistoryPoint>,
    /// When an `UPDATE` last assigned it.
    pub backfilled: Option<HistoryPoint>,
    /// Does it certainly exist, with this definition?
    pub certainty: Certainty,
}

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// The name; if the statement gives none, the one that the database generates.
    pub name: String,
    /// What it requires of rows.
    pub kind: ConstraintKind,
    /// When existing rows were validated; `None` if the constraint is `NOT VALID`.
    pub validated: Option<HistoryPoint>,
    /// When it was added.
    pub added: HistoryPoint,
    /// A column constraint, as opposed to a table constraint.
    pub at_column: bool,
    /// Does it certainly exist, with this definition?
    pub certainty: Certainty,
}

/// What a constraint requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// `CHECK`.
    Check {
        /// The columns that the condition requires to be not null.
        not_null: Vec<String>,
        /// The words in the condition that may be names of columns.
        mentions: Vec<String>,
        /// The numbers and strings in the condition.
        literals: Vec<String>,
    },
    /// `UNIQUE` over these columns.
    Unique(Vec<String>),
    /// `PRIMARY KEY` over these columns.
    Primary(Vec<String>),
    /// `FOREIGN KEY`.
    Foreign {
        /// The referencing columns.
        columns: Vec<String>,
        /// The referenced table.
        table: ObjectName,
        /// The referenced columns; empty for the primary key.
        targets: Vec<String>,
        /// `ON DELETE` changes or deletes the referencing rows.
        cascades: bool,
    },
    /// `EXCLUDE`.
    Exclude,
    /// `NOT NULL` of this column, as a named constraint.
    NotNull(String),
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// The name; `None` if the database generates it.
    pub name: Option<String>,
    /// The indexed columns, in order, without expressions.
    pub columns: Vec<String>,
    /// A unique index.
    pub unique: bool,
    /// `FULLTEXT` (MySQL).
    pub fulltext: bool,
    /// A partial index, an index over expressions, or one that does not support ordinary comparisons.
    pub partial_or_expression: bool,
    /// The words in its definition that may be names of columns.
    pub mentions: Vec<String>,
    /// When it was created.
    pub created: HistoryPoint,
    /// Does it certainly exist, with this definition?
    pub certainty: Certainty,
}

impl Index {
    /// Does the index contain a column, and is it dropped with the column? On PostgreSQL, this includes the columns in
    /// expressions, in `WHERE` and in `INCLUDE`.
    pub fn uses(&self, column: &str, is_postgres: bool) -> bool {
        let is_column = |name: &String| is_same(is_postgres, name, column);
        self.columns.iter().any(is_column) || is_postgres && self.mentions.iter().any(is_column)
    }
}

/// A foreign key: the constraint, its columns, the referenced table, and whether `ON DELETE` changes rows of the referencing table.
pub type ForeignKeyRef<'a> = (&'a Constraint, &'a [String], &'a ObjectName, bool);

fn foreign_key(constraint: &Constraint) -> Option<ForeignKeyRef<'_>> {
    match &constraint.kind {
        ConstraintKind::Foreign { columns, table, cascades, .. } => Some((constraint, columns, table, *cascades)),
        _ => None,
    }
}

/// The columns of a unique or primary key.
fn key_columns(constraint: &Constraint) -> Option<&[String]> {
    match &constraint.kind {
        ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some(columns),
        _ => None,
    }
}

/// The columns of an index that serves ordinary lookups.
fn ordinary_columns(index: &Index) -> Option<&[String]> {
    (!index.partial_or_expression).then_some(&*index.columns)
}

/// Are two names the same, if the database is case-sensitive or not?
pub fn is_same(case_sensitive: bool, name: &str, other: &str) -> bool {
    if case_sensitive { name == other } else { name.eq_ignore_ascii_case(other) }
}

impl Relation {
    /// A relation without columns.
    pub fn new(kind: RelationKind, original_name: String, created: HistoryPoint) -> Self {
        Relation {
            kind,
            case_sensitive: false,
            original_name,
            created,
            renamed: None,
            certainty: Certainty::Certain,
            may_predate_history: false,
            columns_known: true,
            columns: Parts::default(),
            constraints: Parts::default(),
            orphaned_indexes: Parts::default(),
            indexes: Parts::default(),
            partitioned: false,
            partition_key: Vec::new(),
            partition_of: None,
            copied_from: None,
            inherits: Parts::default(),
            partitions: Parts::default(),
            default_partition: None,
            charset: None,
            collation: None,
            engine: None,
            compressed: false,
            has_rows: false,
            emptied: None,
            from_query: false,
            reads_from: Parts::default(),
            view_columns: None,
            possible_columns: Arc::default(),
        }
    }

    /// Are two names of columns, constraints or indexes the same? The reader has already folded unquoted names of PostgreSQL.
    pub fn same(&self, name: &str, other: &str) -> bool {
        is_same(self.case_sensitive, name, other)
    }

    /// The column with a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.find(name, self.case_sensitive)
    }

    /// Changes the column with a name, if there is one.
    pub fn change_column(&mut self, name: &str, change: impl FnOnce(&mut Column)) {
        self.columns.change_first(name, self.case_sensitive, change);
    }

    /// Does the table certainly have a column of this name?
    pub fn has_column(&self, name: &str) -> bool {
        !self.certainty.is_uncertain() && self.column(name).is_some_and(|column| !column.certainty.is_uncertain())
    }

    /// Does the table certainly have a constraint of this name?
    pub fn has_constraint(&self, name: &str) -> bool {
        !self.certainty.is_uncertain() && self.constraint(name).is_some_and(|constraint| !constraint.certainty.is_uncertain())
    }

    /// Does the table certainly have an index of this name?
    pub fn has_index(&self, name: &str) -> bool {
        let is_certain = |index: &Index| !index.certainty.is_uncertain();
        !self.certainty.is_uncertain() && self.indexes.has(name, self.case_sensitive, is_certain)
    }

    /// The constraint with a name.
    pub fn constraint(&self, name: &str) -> Option<&Constraint> {
        self.constraints.find(name, self.case_sensitive)
    }

    /// The columns of the primary key.
    pub fn primary(&self) -> Option<&[String]> {
        self.constraints.candidates(|| PartKey::Primary).find_map(|constraint| match &constraint.kind {
            ConstraintKind::Primary(columns) => Some(&**columns),
            _ => None,
        })
    }

    /// The constraint of the primary key.
    pub fn primary_key(&self) -> Option<&Constraint> {
        let is_primary = |constraint: &&Constraint| matches!(constraint.kind, ConstraintKind::Primary(_));
        self.constraints.candidates(|| PartKey::Primary).find(is_primary)
    }

    /// Has the table an `EXCLUDE` constraint?
    pub fn has_exclusion(&self) -> bool {
        self.constraints.candidates(|| PartKey::Exclude).any(|constraint| constraint.kind == ConstraintKind::Exclude)
    }

    /// The constraints that may contain a column; there may be others among them.
    pub fn constraints_with(&self, column: &str) -> Candidates<'_, Constraint> {
        self.constraints.candidates(|| PartKey::column(column))
    }

    /// The indexes that may contain a column; there may be others among them.
    pub fn indexes_with(&self, column: &str) -> Candidates<'_, Index> {
        self.indexes.candidates(|| PartKey::column(column))
    }

    /// The columns of this table that a foreign key references: those that it names, or else the primary key.
    pub fn targets<'a>(&'a self, named: &'a [String]) -> Option<&'a [String]> {
        if named.is_empty() { self.primary() } else { Some(named) }
    }

    /// The foreign keys.
    pub fn foreign_keys(&self) -> impl Iterator<Item = ForeignKeyRef<'_>> {
        self.constraints.iter().filter_map(foreign_key)
    }

    /// The foreign keys that may contain a column; there may be others among them.
    pub fn foreign_keys_with(&self, column: &str) -> impl Iterator<Item = ForeignKeyRef<'_>> + use<'_> {
        self.constraints_with(column).filter_map(foreign_key)
    }

    /// The foreign keys to a table.
    pub fn foreign_keys_to<'a>(&'a self, parent: &'a ObjectName) -> impl Iterator<Item = ForeignKeyRef<'a>> {
        let keys = self.constraints.candidates(|| PartKey::parent(parent)).filter_map(foreign_key);
        keys.filter(move |(_, _, table, _)| *table == parent)
    }

    /// The columns, in order, of each index that serves ordinary lookups, including those of constraints.
    pub fn indexed(&self) -> impl Iterator<Item = &[String]> {
        self.constraints.iter().filter_map(key_columns).chain(self.indexes.iter().filter_map(ordinary_columns))
    }

    /// Like [`Relation::indexed`], for the indexes that may contain a column; there may be others among them.
    pub fn indexed_with(&self, column: &str) -> impl Iterator<Item = &[String]> + use<'_> {
        let keys = self.constraints.candidates(|| PartKey::indexed(column)).filter_map(key_columns);
        keys.chain(self.indexes_with(column).filter_map(ordinary_columns))
    }

    /// Does an index contain a column? The index of a foreign key counts as well.
    pub fn is_indexed(&self, column: &str) -> bool {
        let contains = |columns: &[String]| columns.iter().any(|name| self.same(name, column));
        let foreign = self.foreign_keys_with(column).any(|(_, columns, ..)| contains(columns));
        foreign || self.indexed_with(column).any(contains)
    }

    /// The number of indexes, including those of constraints.
    pub fn index_count(&self) -> usize {
        let keys = self.constraints.iter().filter(|constraint| {
            matches!(constraint.kind, ConstraintKind::Unique(_) | ConstraintKind::Primary(_) | ConstraintKind::Exclude)
        });
        keys.count() + self.indexes.len()
    }
}
