//! A table or a view as the migrations leave it, with its columns, constraints and indexes.

use crate::object_name::ObjectName;
use migrate_model::syntax::Type;

/// When something happened: in which file, and in which transaction of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HistoryPoint {
    /// The place of the migration in the history.
    pub migration: usize,
    /// The transaction, numbered over the whole history.
    pub transaction: usize,
}

/// What kinds of relations there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RelationKind {
    /// A table.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
}

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// What it is.
    pub kind: RelationKind,
    /// Are names that differ in upper and lower case only different names?
    pub case_sensitive: bool,
    /// As it was written when it was made.
    pub original_name: String,
    /// When it was made.
    pub created: HistoryPoint,
    /// When it got the name that it has, if it was made under another.
    pub renamed: Option<HistoryPoint>,
    /// Made by `IF NOT EXISTS`: it may have been there before.
    pub may_predate_history: bool,
    /// Are all its columns known?
    pub columns_known: bool,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its constraints.
    pub constraints: Vec<Constraint>,
    /// Names of indexes that a foreign key, which is gone, may have left behind (MySQL).
    pub orphaned_indexes: Vec<String>,
    /// Its indexes, those of keys not among them.
    pub indexes: Vec<Index>,
    /// Has it partitions?
    pub partitioned: bool,
    /// What it is divided by.
    pub partition_key: Vec<String>,
    /// Whose partition it is.
    pub partition_of: Option<ObjectName>,
    /// Its partitions.
    pub partitions: Vec<ObjectName>,
    /// Its default partition.
    pub default_partition: Option<ObjectName>,
    /// The character set of columns that say none (MySQL).
    pub charset: Option<String>,
    /// The collation of columns that say none (MySQL).
    pub collation: Option<String>,
    /// What keeps its rows, in lower case, where that was said (MySQL).
    pub engine: Option<String>,
    /// Are its rows compressed (MySQL)?
    pub compressed: bool,
    /// Were rows put into it since it was made?
    pub has_rows: bool,
    /// Made from a query: its columns are not known, and it began without keys and indexes.
    pub from_query: bool,
    /// Which tables a view reads.
    pub reads_from: Vec<ObjectName>,
    /// Which words stand in it that may be columns.
    pub possible_columns: Vec<String>,
}

impl Relation {
    /// A relation of which nothing is known but that it was made.
    pub fn new(kind: RelationKind, shown: String, made: HistoryPoint) -> Self {
        Relation {
            kind,
            case_sensitive: false,
            original_name: shown,
            created: made,
            renamed: None,
            may_predate_history: false,
            columns_known: true,
            columns: Vec::new(),
            constraints: Vec::new(),
            orphaned_indexes: Vec::new(),
            indexes: Vec::new(),
            partitioned: false,
            partition_key: Vec::new(),
            partition_of: None,
            partitions: Vec::new(),
            default_partition: None,
            charset: None,
            collation: None,
            engine: None,
            compressed: false,
            has_rows: false,
            from_query: false,
            reads_from: Vec::new(),
            possible_columns: Vec::new(),
        }
    }

    /// Are these one name? PostgreSQL has folded what was not quoted when it was read.
    pub fn same(&self, one: &str, other: &str) -> bool {
        is_same(self.case_sensitive, one, other)
    }

    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| self.same(&column.name, name))
    }

    /// The same, to change it.
    pub fn column_mut(&mut self, name: &str) -> Option<&mut Column> {
        let at = self.columns.iter().position(|column| self.same(&column.name, name))?;
        self.columns.get_mut(at)
    }

    /// The constraint of a name.
    pub fn constraint(&self, name: &str) -> Option<&Constraint> {
        self.constraints.iter().find(|constraint| self.same(&constraint.name, name))
    }

    /// The columns of the primary key.
    pub fn primary(&self) -> Option<&[String]> {
        self.constraints.iter().find_map(|constraint| match &constraint.kind {
            ConstraintKind::Primary(columns) => Some(&**columns),
            _ => None,
        })
    }

    /// The columns that a foreign key leads to here, when it names these: the primary key where it names none.
    pub fn targets<'a>(&'a self, named: &'a [String]) -> Option<&'a [String]> {
        if named.is_empty() { self.primary() } else { Some(named) }
    }

    /// Its foreign keys: columns, table, and whether rows here change when rows there go.
    pub fn foreign_keys(&self) -> impl Iterator<Item = (&Constraint, &[String], &ObjectName, bool)> {
        self.constraints.iter().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::Foreign { columns, table, cascades, .. } => Some((constraint, &**columns, table, *cascades)),
            _ => None,
        })
    }

    /// The columns of each index, of keys as well, in order.
    pub fn indexed(&self) -> impl Iterator<Item = &[String]> {
        let keys = self.constraints.iter().filter_map(|constraint| match &constraint.kind {
            ConstraintKind::Unique(columns) | ConstraintKind::Primary(columns) => Some(&**columns),
            _ => None,
        });
        keys.chain(self.indexes.iter().filter(|index| !index.partial_or_expression).map(|index| &*index.columns))
    }

    /// Does an index hold the column, that of a foreign key among them?
    pub fn is_indexed(&self, column: &str) -> bool {
        let has = |columns: &[String]| columns.iter().any(|own| self.same(own, column));
        let foreign = self.foreign_keys().any(|(_, columns, ..)| has(columns));
        foreign || self.indexed().any(has)
    }

    /// How many indexes are kept for it, those of keys among them.
    pub fn index_count(&self) -> usize {
        let keys = self.constraints.iter().filter(|constraint| {
            matches!(constraint.kind, ConstraintKind::Unique(_) | ConstraintKind::Primary(_) | ConstraintKind::Exclude)
        });
        keys.count() + self.indexes.len()
    }
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Option<Type>,
    /// Does it refuse null?
    pub not_null: bool,
    /// Has it a value for rows that give none?
    pub has_default: bool,
    /// Does it count by itself: `AUTO_INCREMENT`, an identity, a serial?
    pub auto_increments: bool,
    /// Is it set whenever its row changes: `ON UPDATE CURRENT_TIMESTAMP`?
    pub on_update: bool,
    /// Is it computed when it is read?
    pub is_virtual: bool,
    /// Is it computed at all?
    pub generated: bool,
    /// Words in what it is computed from.
    pub computed_from: Vec<String>,
    /// When it was made; none when with its table.
    pub created: Option<HistoryPoint>,
    /// Were its nulls replaced by an `UPDATE` since?
    pub backfilled: Option<HistoryPoint>,
}

/// A constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Its name; the database's own where none was given and the rule for it is known.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
    /// Does it hold for all rows, and since when was that looked at?
    pub validated: Option<HistoryPoint>,
    /// When it was added.
    pub added: HistoryPoint,
    /// Is it written at its column?
    pub at_column: bool,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A condition.
    Check {
        /// Columns that it says are not null.
        not_null: Vec<String>,
        /// Words in it that may be columns.
        mentions: Vec<String>,
        /// Numbers and strings in it.
        literals: Vec<String>,
    },
    /// No two rows alike in these columns.
    Unique(Vec<String>),
    /// The key.
    Primary(Vec<String>),
    /// A row of another table.
    Foreign {
        /// The columns here.
        columns: Vec<String>,
        /// The other table.
        table: ObjectName,
        /// Its columns, when they are named.
        targets: Vec<String>,
        /// Do rows here change when rows there go?
        cascades: bool,
    },
    /// No two rows that overlap.
    Exclude,
    /// `NOT NULL` of a column as a constraint.
    NotNull(String),
}

/// An index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: Option<String>,
    /// Its plain columns.
    pub columns: Vec<String>,
    /// No two rows alike?
    pub unique: bool,
    /// `FULLTEXT` (MySQL)?
    pub fulltext: bool,
    /// Over something else than plain columns, or not over all rows?
    pub partial_or_expression: bool,
    /// Words in it that may be columns.
    pub mentions: Vec<String>,
    /// When it was made.
    pub created: HistoryPoint,
}

/// Are these one name, where names that differ in case only are different ones, or are not?
pub fn is_same(exact: bool, one: &str, other: &str) -> bool {
    if exact { one == other } else { one.eq_ignore_ascii_case(other) }
}
