//! What a statement says, as far as it matters to a schema and to those who use it: a tree, made by [`reader`](crate::reader).
//!
//! It covers three dialects with one shape. Where something could not be read, a part says `Opaque`; nothing is guessed.
//! Ranges are bytes of the statement's own text.

use crate::name::Name;
use std::ops::Range;

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syntax {
    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `ALTER TABLE`, also of a foreign table.
    AlterTable(AlterTable),
    /// `CREATE INDEX`.
    CreateIndex(CreateIndex),
    /// `CREATE VIEW`, also of a materialized one.
    CreateView(CreateView),
    /// `CREATE TYPE`.
    CreateType {
        /// Its name.
        name: Name,
        /// The labels of an enumerated type.
        labels: Option<Vec<String>>,
    },
    /// `CREATE DOMAIN`.
    CreateDomain {
        /// Its name.
        name: Name,
        /// What it stands on.
        base: Type,
        /// Does it refuse values?
        constrained: bool,
    },
    /// `CREATE TRIGGER`.
    CreateTrigger {
        /// Its name.
        name: Name,
        /// Of which table.
        table: Option<Name>,
        /// Columns of that table that it names: behind `UPDATE OF`, `NEW.`, `OLD.`.
        columns: Vec<String>,
        /// Tables that it reads or changes.
        tables: Vec<Name>,
        /// The function that it calls (PostgreSQL).
        function: Option<Name>,
        /// In place of one that is there?
        or_replace: bool,
        /// Only if there is none?
        if_not_exists: bool,
        /// A session's own?
        temporary: bool,
    },
    /// `CREATE FUNCTION`, `CREATE PROCEDURE`, `CREATE AGGREGATE`.
    CreateRoutine {
        /// Its name.
        name: Name,
        /// In place of one that is there?
        or_replace: bool,
        /// `SECURITY DEFINER`?
        definer: bool,
        /// `SET search_path`?
        sets_path: bool,
        /// `IMMUTABLE` or `STABLE`?
        is_stable: bool,
        /// Does it end transactions?
        commits: bool,
    },
    /// `CREATE POLICY`, `ALTER POLICY`, `DROP POLICY`, and the same of rules.
    Policy {
        /// Of which table.
        table: Option<Name>,
    },
    /// `CREATE` of anything else that has a name.
    Create {
        /// What.
        kind: ObjectKind,
        /// Its name.
        name: Name,
        /// In place of one that is there?
        or_replace: bool,
        /// Only if there is none?
        if_not_exists: bool,
    },
    /// `DROP`.
    Drop(DropStatement),
    /// `ALTER TYPE`.
    AlterType {
        /// Its name.
        name: Name,
        /// What is done.
        action: TypeAction,
    },
    /// `ALTER DOMAIN`.
    AlterDomain {
        /// Its name.
        name: Name,
        /// Does it set a constraint that the rows there are checked against?
        checks: bool,
    },
    /// `ALTER TRIGGER ... RENAME TO`.
    RenameTrigger {
        /// Whose trigger.
        table: Name,
        /// Its name.
        from: String,
        /// Its name from then on.
        to: String,
    },
    /// `ALTER INDEX`.
    AlterIndex {
        /// Its name.
        name: Name,
        /// What is done.
        action: IndexAction,
    },
    /// `ALTER` of anything else that has a name.
    Alter {
        /// What.
        kind: ObjectKind,
        /// Its name.
        name: Name,
        /// What is done.
        action: ObjectAction,
    },
    /// MySQL's `RENAME TABLE`.
    RenameTables(Vec<(Name, Name)>),
    /// `TRUNCATE`.
    Truncate {
        /// The tables.
        tables: Vec<Name>,
        /// Those that refer to them as well?
        cascade: bool,
    },
    /// `LOCK TABLE`.
    Lock {
        /// The tables.
        tables: Vec<Name>,
        /// The mode, in upper case.
        mode: Option<String>,
    },
    /// `REFRESH MATERIALIZED VIEW`.
    Refresh {
        /// The view.
        view: Name,
        /// While others read it?
        concurrently: bool,
        /// `WITH NO DATA`?
        no_data: bool,
    },
    /// `REINDEX`.
    Reindex {
        /// `INDEX`, `TABLE`, `SCHEMA`, `DATABASE`, `SYSTEM`.
        target: String,
        /// Of what.
        name: Option<Name>,
        /// While others use it?
        concurrently: bool,
    },
    /// `CLUSTER`.
    Cluster {
        /// The table; all that were clustered before when there is none.
        table: Option<Name>,
    },
    /// `VACUUM`.
    Vacuum {
        /// Rewriting?
        full: bool,
        /// The tables; all when there is none.
        tables: Vec<Name>,
    },
    /// MySQL's `OPTIMIZE TABLE`.
    Optimize {
        /// The tables.
        tables: Vec<Name>,
    },
    /// `INSERT`, `REPLACE`.
    Insert(Insert),
    /// `UPDATE`.
    Update(RowChange),
    /// `DELETE`.
    Delete(RowChange),
    /// `COPY`, `LOAD DATA`.
    Copy {
        /// The table, unless it is a query.
        table: Option<Name>,
        /// Into the table?
        from: bool,
    },
    /// `BEGIN`, `COMMIT` and their like.
    Transaction(Control),
    /// `SET`, `RESET`.
    Set(Vec<Setting>),
    /// SQLite's `PRAGMA`.
    Pragma {
        /// Its name, in lower case.
        name: String,
        /// The value, in lower case and without quotes.
        value: Option<String>,
    },
    /// `DO`, with the bytes of its body without the quotes.
    Do {
        /// The body.
        body: Range<usize>,
    },
    /// `CALL`, `EXECUTE`.
    Call {
        /// What is called.
        name: Option<Name>,
    },
    /// `SELECT` and what else only reads.
    Query,
    /// `GRANT`, `REVOKE`.
    Privilege {
        /// Is something taken away?
        revoke: bool,
    },
    /// `COMMENT ON TABLE`, `COMMENT ON COLUMN`.
    Comment {
        /// The table, where it is one's.
        table: Option<Name>,
    },
    /// Cannot run in a transaction on PostgreSQL, and has no other bearing here: `CREATE DATABASE`, `ALTER SYSTEM`.
    Server {
        /// Its first words, in upper case.
        what: &'static str,
    },
    /// Known, and of no bearing.
    Other,
    /// Nobody can tell.
    Opaque,
}

/// A kind of thing with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    /// A table.
    Table,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// An index.
    Index,
    /// A sequence.
    Sequence,
    /// A type.
    Type,
    /// A domain.
    Domain,
    /// A function or procedure.
    Routine,
    /// A trigger.
    Trigger,
    /// A schema.
    Schema,
    /// A database.
    Database,
    /// An extension.
    Extension,
}

impl ObjectKind {
    /// What people call it.
    pub const fn name(self) -> &'static str {
        match self {
            ObjectKind::Table => "table",
            ObjectKind::View => "view",
            ObjectKind::MaterializedView => "materialized view",
            ObjectKind::Index => "index",
            ObjectKind::Sequence => "sequence",
            ObjectKind::Type => "type",
            ObjectKind::Domain => "domain",
            ObjectKind::Routine => "function",
            ObjectKind::Trigger => "trigger",
            ObjectKind::Schema => "schema",
            ObjectKind::Database => "database",
            ObjectKind::Extension => "extension",
        }
    }
}

/// `CREATE TABLE`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CreateTable {
    /// Its name.
    pub name: Option<Name>,
    /// A session's own?
    pub temporary: bool,
    /// Only if there is none?
    pub if_not_exists: bool,
    /// In place of one that is there (MariaDB)?
    pub or_replace: bool,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its constraints, those of columns not among them.
    pub constraints: Vec<Constraint>,
    /// Indexes that are written in it (MySQL).
    pub indexes: Vec<CreateIndex>,
    /// Whose partition it is.
    pub partition_of: Option<Name>,
    /// Is it the default partition?
    pub default_partition: bool,
    /// Has it partitions?
    pub partitioned: bool,
    /// The words that it is divided by: columns, as far as they are plain.
    pub partition_key: Vec<String>,
    /// The character set of its columns, where they say none (MySQL).
    pub charset: Option<String>,
    /// Their collation, where they say none (MySQL).
    pub collation: Option<String>,
    /// What keeps its rows, in lower case, where that is said (MySQL).
    pub engine: Option<String>,
    /// `ROW_FORMAT=COMPRESSED` (MySQL)?
    pub compressed: bool,
    /// Tables whose definition it takes: `LIKE`, `INHERITS`.
    pub like: Vec<Like>,
    /// Filled from a query?
    pub as_query: bool,
    /// Does that query leave rows out?
    pub filtered: bool,
    /// Is there a part that could not be read?
    pub opaque: bool,
}

/// What is taken of another table besides its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    /// The table.
    pub table: Name,
    /// Its keys and indexes?
    pub indexes: bool,
    /// Its `CHECK`s?
    pub checks: bool,
    /// What columns hold where nothing is said?
    pub defaults: bool,
}

/// A column as it is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type; SQLite needs none.
    pub ty: Option<Type>,
    /// `NOT NULL`?
    pub not_null: bool,
    /// `NULL` or `DEFAULT NULL`, written out?
    pub says_null: bool,
    /// The value for rows that give none.
    pub default: Option<Range<usize>>,
    /// Computed from others.
    pub generated: Option<Generated>,
    /// Words in what it is computed from that may be columns.
    pub computed_from: Vec<String>,
    /// `GENERATED ... AS IDENTITY`, or MySQL's `AUTO_INCREMENT`.
    pub identity: bool,
    /// `PRIMARY KEY`?
    pub primary: bool,
    /// `UNIQUE`?
    pub unique: bool,
    /// `CHECK`s.
    pub checks: Vec<Check>,
    /// `REFERENCES`.
    pub references: Option<Reference>,
    /// The name of its `PRIMARY KEY` or `UNIQUE`, if one is given.
    pub key_name: Option<String>,
    /// `ON UPDATE CURRENT_TIMESTAMP` (MySQL)?
    pub on_update: bool,
    /// `FIRST` or `AFTER`?
    pub placed: bool,
    /// Where it is written.
    pub range: Range<usize>,
}

/// How a column is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// And kept.
    Stored,
    /// When it is read.
    Virtual,
    /// Not said; PostgreSQL 18 and the others then compute it when it is read.
    Unsaid,
}

/// A `CHECK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name.
    pub name: Option<String>,
    /// The condition.
    pub condition: Range<usize>,
    /// Columns that it says are not null, all of them at once.
    pub not_null: Vec<String>,
    /// Words in it that may be columns.
    pub mentions: Vec<String>,
    /// Numbers and strings in it, as they are written.
    pub literals: Vec<String>,
}

/// A type as it is written, under one name where it has several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Type {
    /// Its schema, if it is written.
    pub schema: Option<String>,
    /// Its name, in lower case unless it was quoted: `int`, `varchar`, `timestamptz`.
    pub name: String,
    /// Length, or precision and scale.
    pub arguments: Vec<u32>,
    /// An array of it?
    pub array: bool,
    /// `UNSIGNED` (MySQL)?
    pub unsigned: bool,
    /// The members of MySQL's `ENUM` and `SET`, and the fields of an `interval`.
    pub members: Vec<String>,
    /// `CHARACTER SET`.
    pub charset: Option<String>,
    /// `COLLATE`.
    pub collation: Option<String>,
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}.")?;
        }
        f.write_str(&self.name)?;
        if !self.arguments.is_empty() {
            let arguments: Vec<String> = self.arguments.iter().map(u32::to_string).collect();
            write!(f, "({})", arguments.join(", "))?;
        }
        if self.unsigned {
            f.write_str(" unsigned")?;
        }
        if self.array {
            f.write_str("[]")?;
        }
        Ok(())
    }
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    /// Its name.
    pub name: Option<String>,
    /// What it demands.
    pub kind: ConstraintKind,
    /// Not for the rows there are, `NOT VALID`, or for none at all, `NOT ENFORCED`?
    pub not_valid: bool,
    /// Where it is written.
    pub range: Range<usize>,
}

/// What a constraint demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// A condition.
    Check(Check),
    /// No two rows alike.
    Unique {
        /// In these columns.
        columns: Vec<String>,
        /// By an index that is there.
        using_index: Option<String>,
    },
    /// The key.
    Primary {
        /// Of these columns.
        columns: Vec<String>,
        /// By an index that is there.
        using_index: Option<String>,
    },
    /// A row in another table.
    Foreign {
        /// That these columns name.
        columns: Vec<String>,
        /// Which table, and how.
        references: Reference,
    },
    /// No two rows that overlap.
    Exclude,
    /// `NOT NULL` as a constraint of its own (PostgreSQL 18).
    NotNull {
        /// The column.
        column: String,
    },
}

/// The other side of a foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name of the constraint, where it is written at a column.
    pub name: Option<String>,
    /// The table.
    pub table: Name,
    /// Its columns, when they are named.
    pub columns: Vec<String>,
    /// `ON DELETE CASCADE`, or setting something: rows here change when rows there go.
    pub on_delete_changes: bool,
}

/// `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTable {
    /// The table.
    pub table: Name,
    /// Only if there is one?
    pub if_exists: bool,
    /// What is done, in order.
    pub actions: Vec<Action>,
    /// MySQL's `ALGORITHM`, in upper case.
    pub algorithm: Option<String>,
    /// MySQL's `LOCK`, in upper case.
    pub lock: Option<String>,
    /// MySQL's `ALTER IGNORE TABLE`: rows that do not fit are deleted.
    pub ignore: bool,
    /// `ALTER FOREIGN TABLE` (PostgreSQL): the rows are elsewhere.
    pub foreign: bool,
}

/// One clause of `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What it does.
    pub kind: ActionKind,
    /// Where it is written.
    pub range: Range<usize>,
}

/// What a clause of `ALTER TABLE` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionKind {
    /// `ADD COLUMN`; several where MySQL's are written in parentheses.
    AddColumn {
        /// The column.
        column: Box<Column>,
        /// Only if there is none?
        if_not_exists: bool,
    },
    /// `ADD CONSTRAINT`.
    AddConstraint(Constraint),
    /// `ADD INDEX` (MySQL).
    AddIndex(CreateIndex),
    /// `DROP COLUMN`.
    DropColumn {
        /// The column.
        name: String,
        /// Only if there is one?
        if_exists: bool,
        /// What depends on it as well?
        cascade: bool,
    },
    /// `DROP CONSTRAINT`, MySQL's `DROP CHECK`.
    DropConstraint {
        /// The constraint.
        name: String,
        /// Only if there is one?
        if_exists: bool,
        /// What depends on it as well?
        cascade: bool,
    },
    /// `DROP FOREIGN KEY` (MySQL).
    DropForeignKey(String),
    /// `DROP INDEX` (MySQL).
    DropIndex(String),
    /// `DROP PRIMARY KEY` (MySQL).
    DropPrimaryKey,
    /// `ALTER COLUMN ... TYPE`.
    SetType {
        /// The column.
        column: String,
        /// The new type.
        ty: Type,
        /// How the old values become new ones.
        using: Option<Range<usize>>,
    },
    /// `ALTER COLUMN ... SET DEFAULT`.
    SetDefault {
        /// The column.
        column: String,
        /// The value.
        value: Range<usize>,
    },
    /// `ALTER COLUMN ... DROP DEFAULT`.
    DropDefault(String),
    /// `ALTER COLUMN ... SET NOT NULL`.
    SetNotNull(String),
    /// `ALTER COLUMN ... DROP NOT NULL`.
    DropNotNull(String),
    /// `ALTER COLUMN ... DROP EXPRESSION`, `DROP IDENTITY`, `ADD GENERATED`, `SET GENERATED`.
    Generation(String),
    /// `MODIFY COLUMN` (MySQL): defined anew.
    ModifyColumn(Box<Column>),
    /// `CHANGE COLUMN` (MySQL): defined anew under another name.
    ChangeColumn {
        /// The name before.
        from: String,
        /// The column.
        column: Box<Column>,
    },
    /// `RENAME TO`.
    Rename(Name),
    /// `RENAME COLUMN`.
    RenameColumn {
        /// The name before.
        from: String,
        /// The name behind it.
        to: String,
    },
    /// `RENAME CONSTRAINT`.
    RenameConstraint {
        /// The name before.
        from: String,
        /// The name behind it.
        to: String,
    },
    /// `RENAME INDEX` (MySQL).
    RenameIndex {
        /// The name before.
        from: String,
        /// The name behind it.
        to: String,
    },
    /// `VALIDATE CONSTRAINT`.
    Validate(String),
    /// `SET SCHEMA`.
    SetSchema(String),
    /// `OWNER TO`.
    Owner,
    /// `ENABLE` or `DISABLE TRIGGER`.
    Trigger,
    /// Row-level security.
    RowSecurity,
    /// `ATTACH PARTITION`.
    Attach {
        /// The partition.
        partition: Name,
        /// For all rows that no other takes?
        default: bool,
        /// Numbers and strings of its bounds, as they are written.
        bounds: Vec<String>,
    },
    /// `DETACH PARTITION`.
    Detach {
        /// The partition.
        partition: Name,
        /// While others use the table?
        concurrently: bool,
        /// The end of an interrupted one?
        finalize: bool,
    },
    /// `INHERIT`, `NO INHERIT`.
    Inherit(Name),
    /// `SET TABLESPACE`.
    SetTablespace,
    /// `SET LOGGED`, `SET UNLOGGED`.
    SetLogged,
    /// `SET ACCESS METHOD`.
    SetAccessMethod,
    /// What takes a weak lock: `SET STATISTICS`, `SET (...)`, `CLUSTER ON`, `REPLICA IDENTITY`.
    Weak,
    /// `SET STORAGE`, `OF`, `RULE`: nothing but the catalogue, and a strong lock.
    Catalogue,
    /// `ENGINE` (MySQL): made anew, and kept by this one, in lower case.
    Engine(String),
    /// `FORCE`, `ROW_FORMAT`, `KEY_BLOCK_SIZE` (MySQL): made anew.
    Rebuild,
    /// `CONVERT TO CHARACTER SET` (MySQL).
    ConvertCharset {
        /// The character set, in lower case; none for the database's.
        charset: Option<String>,
        /// The collation, in lower case, where it is said.
        collation: Option<String>,
    },
    /// `PARTITION BY`, `ADD PARTITION` and their like, `ADD SYSTEM VERSIONING` (MySQL).
    Partitioning,
    /// `ADD SYSTEM VERSIONING` (MariaDB).
    SystemVersioning,
    /// What changes only the description (MySQL): `COMMENT`, `AUTO_INCREMENT`, `DEFAULT CHARACTER SET`.
    Description,
    /// Nobody can tell.
    Opaque,
}

/// An index as it is defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateIndex {
    /// Its name.
    pub name: Option<Name>,
    /// Of which table; the statement says it, or the table around it.
    pub table: Name,
    /// No two rows alike?
    pub unique: bool,
    /// `FULLTEXT` or `SPATIAL` (MySQL)?
    pub special: bool,
    /// `FULLTEXT`?
    pub fulltext: bool,
    /// While others write?
    pub concurrently: bool,
    /// Only if there is none?
    pub if_not_exists: bool,
    /// `ON ONLY`: not of the partitions.
    pub only: bool,
    /// Its columns, as far as they are plain ones.
    pub columns: Vec<String>,
    /// Is it over something else than plain columns?
    pub expressions: bool,
    /// Has it a `WHERE`?
    pub partial: bool,
    /// Words in it that may be columns.
    pub mentions: Vec<String>,
    /// MySQL's `ALGORITHM` or `LOCK` is said?
    pub says_how: bool,
    /// Where it is written.
    pub range: Range<usize>,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateView {
    /// Its name.
    pub name: Name,
    /// Materialized?
    pub materialized: bool,
    /// In place of one that is there?
    pub or_replace: bool,
    /// Only if there is none?
    pub if_not_exists: bool,
    /// A session's own?
    pub temporary: bool,
    /// Has it all rows of what it reads, as they are: no condition, no groups, no limit?
    pub whole: bool,
    /// Tables that it reads.
    pub reads: Vec<Name>,
    /// Words in it that may be columns, its own among them; `*` when it takes all.
    pub mentions: Vec<String>,
    /// Those of them that may be columns of what it reads.
    pub uses: Vec<String>,
}

/// `DROP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropStatement {
    /// What.
    pub kind: ObjectKind,
    /// Which.
    pub names: Vec<Name>,
    /// Of which table: an index on MySQL, a trigger on PostgreSQL.
    pub table: Option<Name>,
    /// Only if there is one?
    pub if_exists: bool,
    /// While others use it?
    pub concurrently: bool,
    /// What depends on it as well?
    pub cascade: bool,
    /// A session's own?
    pub temporary: bool,
}

/// What `ALTER TYPE` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeAction {
    /// `ADD VALUE`.
    AddValue {
        /// The label.
        label: String,
        /// Only if there is none?
        if_not_exists: bool,
        /// `BEFORE` or `AFTER`?
        placed: bool,
    },
    /// `RENAME VALUE`.
    RenameValue {
        /// The label before.
        from: String,
        /// The label behind it.
        to: String,
    },
    /// `RENAME TO`.
    Rename(String),
    /// `SET SCHEMA`.
    SetSchema(String),
    /// Attributes of a composite type.
    Attributes,
    /// `OWNER TO` and the like.
    Other,
}

/// What `ALTER INDEX` does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexAction {
    /// `RENAME TO`.
    Rename(String),
    /// `ATTACH PARTITION`.
    Attach(Name),
    /// `SET TABLESPACE`.
    SetTablespace,
    /// `SET (...)` and the like.
    Other,
}

/// What `ALTER` does to anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectAction {
    /// `RENAME TO`.
    Rename(String),
    /// `RENAME COLUMN` of a view.
    RenameColumn,
    /// `SET SCHEMA`.
    SetSchema(String),
    /// `IMMUTABLE` or `STABLE`, or `VOLATILE` again.
    Steady(bool),
    /// `OWNER TO` and the like.
    Other,
}

/// `INSERT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    /// Into which table.
    pub table: Name,
    /// The columns, when they are named.
    pub columns: Vec<String>,
    /// From a query?
    pub from_query: bool,
    /// Does that query read a table?
    pub reads_table: bool,
    /// Is that query limited to a number of rows?
    pub limited: bool,
    /// Has that query a condition?
    pub filtered: bool,
    /// The table of which it takes all columns, by their places: `SELECT * FROM t`.
    pub all_of: Option<Name>,
    /// `REPLACE`: a row that stands in the way is deleted.
    pub replaces: bool,
}

/// `UPDATE` or `DELETE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    /// Of which table.
    pub table: Name,
    /// The columns that are set.
    pub columns: Vec<String>,
    /// Has it a `WHERE` that leaves rows out, or a join that has the effect of one?
    pub condition: bool,
    /// Does it name other tables beside its own: `FROM`, `USING`, a join?
    pub joined: bool,
    /// Is that condition about one row, or about few: a key that equals a value?
    pub narrow: bool,
    /// Columns that the condition says are null.
    pub where_null: Vec<String>,
    /// Where `LIMIT` is written.
    pub limit: Option<Range<usize>>,
    /// Is a subquery of its condition limited, as in a batch?
    pub inner_limit: bool,
}

/// A statement about a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// `BEGIN`, `START TRANSACTION`.
    Begin,
    /// `COMMIT`, `END`.
    Commit,
    /// `ROLLBACK`, `ABORT`.
    Rollback,
    /// `SAVEPOINT`.
    Savepoint(String),
    /// `ROLLBACK TO`.
    RollbackTo(String),
    /// `RELEASE`, and what else needs no thought.
    Other,
}

/// `SET name = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The name, in lower case.
    pub name: String,
    /// The value, in lower case and without quotes; none for `RESET` and `DEFAULT`.
    pub value: Option<String>,
    /// Until the end of the transaction?
    pub local: bool,
}
