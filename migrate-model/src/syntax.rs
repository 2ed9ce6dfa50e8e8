//! The syntax tree of a statement, as far as schemas, locks and safety rules need it; built by [`reader`](crate::reader).
//!
//! The three dialects share one tree. A part that could not be parsed is `Opaque`; nothing is guessed. Ranges are bytes of the
//! text of the statement. Unless a field says otherwise, names are stored as in [`Name`].

use crate::name::Name;
use std::ops::Range;

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Syntax {
    /// `CREATE TABLE`.
    CreateTable(Box<CreateTable>),
    /// `ALTER TABLE`, also for a foreign table.
    AlterTable(AlterTable),
    /// `CREATE INDEX`.
    CreateIndex(CreateIndex),
    /// `CREATE VIEW`, also for a materialized view.
    CreateView(CreateView),
    /// `CREATE TYPE`.
    CreateType {
        name: Name,
        /// The values of an enumerated type; `None` for any other type.
        labels: Option<Vec<String>>,
    },
    /// `CREATE DOMAIN`.
    CreateDomain {
        name: Name,
        /// The underlying type.
        base: Type,
        /// `NOT NULL` or `CHECK`.
        constrained: bool,
    },
    /// `CREATE TRIGGER`.
    CreateTrigger {
        name: Name,
        table: Option<Name>,
        /// Columns of the table, after `UPDATE OF`, `NEW.` and `OLD.`.
        columns: Vec<String>,
        /// Tables that the body reads or changes.
        tables: Vec<Name>,
        /// PostgreSQL: the function that the trigger calls.
        function: Option<Name>,
        or_replace: bool,
        if_not_exists: bool,
        temporary: bool,
    },
    /// `CREATE FUNCTION`, `CREATE PROCEDURE`, `CREATE AGGREGATE`.
    CreateRoutine {
        name: Name,
        or_replace: bool,
        /// `SECURITY DEFINER` (PostgreSQL).
        definer: bool,
        /// `SET search_path`.
        sets_path: bool,
        /// `IMMUTABLE` or `STABLE`.
        is_stable: bool,
        /// Does the body of the procedure contain `COMMIT` or `ROLLBACK`?
        commits: bool,
    },
    /// `CREATE`, `ALTER` and `DROP` of a policy or a rule; `ALTER TRIGGER`.
    Policy { table: Option<Name> },
    /// `CREATE` of another named object.
    Create {
        kind: ObjectKind,
        name: Name,
        or_replace: bool,
        if_not_exists: bool,
        /// `OWNED BY table.column` of a sequence.
        owner: Option<(Name, String)>,
    },
    /// `DROP`.
    Drop(DropStatement),
    /// `ALTER TYPE`.
    AlterType { name: Name, action: TypeAction },
    /// `ALTER DOMAIN`.
    AlterDomain {
        name: Name,
        /// Are the existing rows checked against a constraint?
        checks: bool,
    },
    /// `ALTER TRIGGER ... RENAME TO`.
    RenameTrigger { table: Name, from: String, to: String },
    /// `ALTER INDEX`.
    AlterIndex { name: Name, action: IndexAction },
    /// `ALTER` of another named object.
    Alter { kind: ObjectKind, name: Name, action: ObjectAction },
    /// `RENAME TABLE` (MySQL): pairs of the old and the new name.
    RenameTables(Vec<(Name, Name)>),
    /// `TRUNCATE`.
    Truncate {
        tables: Vec<Name>,
        /// `ONLY`, for one of them: without its partitions and the tables that inherit from it.
        only: bool,
        /// Also the tables that reference these.
        cascade: bool,
    },
    /// `LOCK TABLE`.
    Lock {
        tables: Vec<Name>,
        /// In upper case; `None` for the default mode.
        mode: Option<String>,
    },
    /// `REFRESH MATERIALIZED VIEW`.
    Refresh {
        view: Name,
        concurrently: bool,
        /// `WITH NO DATA`.
        no_data: bool,
    },
    /// `REINDEX`.
    Reindex {
        /// `INDEX`, `TABLE`, `SCHEMA`, `DATABASE`, `SYSTEM`.
        target: String,
        name: Option<Name>,
        concurrently: bool,
    },
    /// `CLUSTER`.
    Cluster {
        /// `None` for all tables that were clustered before.
        table: Option<Name>,
    },
    /// `VACUUM`.
    Vacuum {
        /// `FULL`, which rewrites the table; on SQLite always.
        full: bool,
        /// Empty for all tables.
        tables: Vec<Name>,
    },
    /// `OPTIMIZE TABLE` (MySQL).
    Optimize { tables: Vec<Name> },
    /// `INSERT`, `REPLACE`.
    Insert(Insert),
    /// `UPDATE`.
    Update(RowChange),
    /// `DELETE`.
    Delete(RowChange),
    /// `COPY`, `LOAD DATA`.
    Copy {
        /// `None` for a query.
        table: Option<Name>,
        /// `COPY ... FROM`: into the table.
        from: bool,
    },
    /// `BEGIN`, `COMMIT` and similar.
    Transaction(Control),
    /// `SET`, `RESET`.
    Set(Vec<Setting>),
    /// `PRAGMA` (SQLite).
    Pragma {
        /// In lower case.
        name: String,
        /// In lower case and without quotes.
        value: Option<String>,
    },
    /// `DO`.
    Do {
        /// The body without its quotes.
        body: Range<usize>,
    },
    /// `CALL`, `EXECUTE`.
    Call {
        /// The name of the procedure, if it is known.
        name: Option<Name>,
    },
    /// `SELECT` and other statements that only read.
    Query,
    /// `GRANT`, `REVOKE`.
    Privilege {
        /// `REVOKE`.
        revoke: bool,
    },
    /// `COMMENT ON`.
    Comment {
        /// The table, for a comment on a table or a column.
        table: Option<Name>,
    },
    /// A statement that PostgreSQL cannot run in a transaction, and that is otherwise irrelevant, such as `ALTER SYSTEM`.
    Server {
        /// The first words, in upper case.
        what: &'static str,
    },
    /// A known statement that is irrelevant here.
    Other,
    /// A statement that could not be parsed.
    Opaque,
}

/// The kind of a named object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectKind {
    Table,
    View,
    MaterializedView,
    Index,
    Sequence,
    Type,
    Domain,
    /// A function, procedure or aggregate.
    Routine,
    Trigger,
    Schema,
    Database,
    Extension,
}

impl ObjectKind {
    /// The name in messages.
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
    pub name: Option<Name>,
    pub temporary: bool,
    pub if_not_exists: bool,
    /// `OR REPLACE` (MariaDB).
    pub or_replace: bool,
    pub columns: Vec<Column>,
    /// Table constraints, without those of columns.
    pub constraints: Vec<Constraint>,
    /// Indexes in the definition (MySQL).
    pub indexes: Vec<CreateIndex>,
    /// The partitioned table that this table is a partition of.
    pub partition_of: Option<Name>,
    pub default_partition: bool,
    /// `PARTITION BY`.
    pub partitioned: bool,
    /// The words in the partition key, which may be columns.
    pub partition_key: Vec<String>,
    /// The default character set of the columns (MySQL).
    pub charset: Option<String>,
    /// The default collation of the columns (MySQL).
    pub collation: Option<String>,
    /// `ENGINE`, in lower case (MySQL).
    pub engine: Option<String>,
    /// `ROW_FORMAT=COMPRESSED` (MySQL).
    pub compressed: bool,
    /// Tables whose definition is copied or inherited: `LIKE`, `INHERITS`.
    pub like: Vec<Like>,
    /// `INHERITS`; these tables are also in `like`.
    pub inherits: Vec<Name>,
    /// `CREATE TABLE ... AS SELECT`, or `SELECT ... INTO`.
    pub as_query: bool,
    /// May the query omit rows?
    pub filtered: bool,
    /// The names of the columns of the query, as far as the query states them.
    pub output: Vec<String>,
    /// Is a part of the definition unknown?
    pub opaque: bool,
}

/// A table whose columns are copied, and what else is copied from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Like {
    pub table: Name,
    /// Keys and indexes.
    pub indexes: bool,
    /// `CHECK` constraints.
    pub checks: bool,
    /// Default values.
    pub defaults: bool,
}

/// The definition of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// `None` if it is omitted, as SQLite allows.
    pub ty: Option<Type>,
    /// `NOT NULL`, also implied by `PRIMARY KEY` and similar.
    pub not_null: bool,
    /// `NULL` or `DEFAULT NULL` is specified.
    pub says_null: bool,
    /// The expression after `DEFAULT`, unless it is `NULL`.
    pub default: Option<Range<usize>>,
    /// `None` for an ordinary column.
    pub generated: Option<Generated>,
    /// The words in the expression of a generated column, which may be columns.
    pub computed_from: Vec<String>,
    /// `GENERATED ... AS IDENTITY`, `AUTO_INCREMENT` (MySQL) or `AUTOINCREMENT` (SQLite).
    pub identity: bool,
    /// `PRIMARY KEY`.
    pub primary: bool,
    /// `UNIQUE`.
    pub unique: bool,
    /// `CHECK` constraints of the column.
    pub checks: Vec<Check>,
    /// `REFERENCES`.
    pub references: Option<Reference>,
    /// The name of the `PRIMARY KEY` or `UNIQUE` constraint, if it is specified.
    pub key_name: Option<String>,
    /// `ON UPDATE CURRENT_TIMESTAMP` (MySQL).
    pub on_update: bool,
    /// `FIRST` or `AFTER`.
    pub placed: bool,
    pub range: Range<usize>,
}

/// The kind of a generated column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generated {
    /// The value is stored.
    Stored,
    /// The value is computed when the column is read.
    Virtual,
    /// Not specified: `VIRTUAL` on PostgreSQL from version 18 and on the other databases.
    Unsaid,
}

/// A `CHECK` constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    pub name: Option<String>,
    pub condition: Range<usize>,
    /// Columns that cannot be null if the condition is true.
    pub not_null: Vec<String>,
    /// The words in the condition, which may be columns.
    pub mentions: Vec<String>,
    /// The numbers and strings in the condition, as written.
    pub literals: Vec<String>,
}

/// A type, with one canonical name for all its aliases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Type {
    /// `None` if the name is not qualified.
    pub schema: Option<String>,
    /// In lower case unless it is quoted: `int`, `varchar`, `timestamptz`.
    pub name: String,
    /// Length, or precision and scale.
    pub arguments: Vec<u32>,
    /// An array of the type.
    pub array: bool,
    /// `UNSIGNED` (MySQL).
    pub unsigned: bool,
    /// The members of `ENUM` and `SET` (MySQL), or the fields of an `interval`.
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

/// A table constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constraint {
    pub name: Option<String>,
    pub kind: ConstraintKind,
    /// `NOT VALID` (existing rows are not checked) or `NOT ENFORCED` (no row is checked).
    pub not_valid: bool,
    pub range: Range<usize>,
}

/// The kind of a table constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConstraintKind {
    /// `CHECK`.
    Check(Check),
    /// `UNIQUE`.
    Unique {
        columns: Vec<String>,
        /// The existing index after `USING INDEX`.
        using_index: Option<String>,
    },
    /// `PRIMARY KEY`.
    Primary {
        columns: Vec<String>,
        /// The existing index after `USING INDEX`.
        using_index: Option<String>,
    },
    /// `FOREIGN KEY`.
    Foreign { columns: Vec<String>, references: Reference },
    /// `EXCLUDE`.
    Exclude,
    /// `NOT NULL` as a table constraint (PostgreSQL 18).
    NotNull { column: String },
}

/// The referenced side of a foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The name of the constraint, for a reference in a column definition.
    pub name: Option<String>,
    pub table: Name,
    /// Empty if no columns are specified.
    pub columns: Vec<String>,
    /// `ON DELETE CASCADE`, `SET NULL` or `SET DEFAULT`: deleting a referenced row changes referencing rows.
    pub on_delete_changes: bool,
}

/// `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterTable {
    pub table: Name,
    pub if_exists: bool,
    /// The clauses, in order.
    pub actions: Vec<Action>,
    /// `ALGORITHM`, in upper case (MySQL).
    pub algorithm: Option<String>,
    /// `LOCK`, in upper case (MySQL).
    pub lock: Option<String>,
    /// `ALTER IGNORE TABLE` (MySQL): conflicting rows are deleted.
    pub ignore: bool,
    /// `ALTER FOREIGN TABLE` (PostgreSQL): the rows are on another server.
    pub foreign: bool,
}

/// One clause of `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub kind: ActionKind,
    pub range: Range<usize>,
}

/// The kind of a clause of `ALTER TABLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActionKind {
    /// `ADD COLUMN`; one action for each column of a list in parentheses (MySQL).
    AddColumn { column: Box<Column>, if_not_exists: bool },
    /// `ADD CONSTRAINT`.
    AddConstraint(Constraint),
    /// `ADD INDEX` (MySQL).
    AddIndex(CreateIndex),
    /// `DROP COLUMN`.
    DropColumn { name: String, if_exists: bool, cascade: bool },
    /// `DROP CONSTRAINT`, `DROP CHECK` (MySQL).
    DropConstraint { name: String, if_exists: bool, cascade: bool },
    /// `DROP FOREIGN KEY` (MySQL).
    DropForeignKey(String),
    /// `DROP INDEX` (MySQL).
    DropIndex(String),
    /// `DROP PRIMARY KEY` (MySQL).
    DropPrimaryKey,
    /// `ALTER COLUMN ... TYPE`.
    SetType {
        column: String,
        ty: Type,
        /// The expression after `USING`.
        using: Option<Range<usize>>,
    },
    /// `ALTER COLUMN ... SET DEFAULT`.
    SetDefault { column: String, value: Range<usize> },
    /// `ALTER COLUMN ... DROP DEFAULT`.
    DropDefault(String),
    /// `ALTER COLUMN ... SET NOT NULL`.
    SetNotNull(String),
    /// `ALTER COLUMN ... DROP NOT NULL`.
    DropNotNull(String),
    /// `ALTER COLUMN ... ADD GENERATED ... AS IDENTITY`.
    AddIdentity(String),
    /// `ALTER COLUMN ... DROP EXPRESSION`, `DROP IDENTITY`, `SET GENERATED`.
    Generation(String),
    /// `ALTER COLUMN ... SET EXPRESSION` of a generated column (PostgreSQL 17 and later).
    SetExpression(String),
    /// `MODIFY COLUMN` (MySQL), with the complete new definition.
    ModifyColumn(Box<Column>),
    /// `CHANGE COLUMN` (MySQL), with the complete new definition and name.
    ChangeColumn { from: String, column: Box<Column> },
    /// `RENAME TO`.
    Rename(Name),
    /// `RENAME COLUMN`.
    RenameColumn { from: String, to: String },
    /// `RENAME CONSTRAINT`.
    RenameConstraint { from: String, to: String },
    /// `RENAME INDEX` (MySQL).
    RenameIndex { from: String, to: String },
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
        partition: Name,
        /// `DEFAULT`.
        default: bool,
        /// The numbers and strings in the bounds, as written.
        bounds: Vec<String>,
    },
    /// `DETACH PARTITION`.
    Detach {
        partition: Name,
        concurrently: bool,
        /// `FINALIZE`: completes an interrupted `CONCURRENTLY`.
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
    /// Clauses with a weak lock: `SET STATISTICS`, `SET (...)`, `CLUSTER ON`, `REPLICA IDENTITY`.
    Weak,
    /// `SET STORAGE`, `OF`, `RULE`: a strong lock, and a change of the system catalog only.
    Catalogue,
    /// `ENGINE` (MySQL): rebuilds the table with this engine, in lower case.
    Engine(String),
    /// `FORCE`, `ROW_FORMAT`, `KEY_BLOCK_SIZE` and similar (MySQL): rebuilds the table.
    Rebuild,
    /// `CONVERT TO CHARACTER SET` (MySQL).
    ConvertCharset {
        /// In lower case; `None` for the default of the database.
        charset: Option<String>,
        /// In lower case; `None` if it is not specified.
        collation: Option<String>,
    },
    /// `PARTITION BY`, `ADD PARTITION` and similar (MySQL).
    Partitioning,
    /// `ADD` or `DROP SYSTEM VERSIONING` (MariaDB).
    SystemVersioning,
    /// Changes of metadata only (MySQL): `COMMENT`, `AUTO_INCREMENT`, `DEFAULT CHARACTER SET`.
    Description,
    /// A clause that could not be parsed.
    Opaque,
}

/// The definition of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateIndex {
    pub name: Option<Name>,
    /// From the statement, or the table whose definition contains the index.
    pub table: Name,
    pub unique: bool,
    /// `FULLTEXT` or `SPATIAL` (MySQL).
    pub special: bool,
    /// `FULLTEXT` (MySQL).
    pub fulltext: bool,
    pub concurrently: bool,
    pub if_not_exists: bool,
    /// `OR REPLACE` (MariaDB).
    pub or_replace: bool,
    /// `ON ONLY`: without the partitions.
    pub only: bool,
    /// The plain columns, without expressions.
    pub columns: Vec<String>,
    /// Does the index contain expressions?
    pub expressions: bool,
    /// `WHERE`.
    pub partial: bool,
    /// The words in the definition, which may be columns.
    pub mentions: Vec<String>,
    /// `ALGORITHM` or `LOCK` is specified (MySQL).
    pub says_how: bool,
    /// `ALGORITHM`, in upper case (MySQL).
    pub algorithm: Option<String>,
    /// `LOCK`, in upper case (MySQL).
    pub lock: Option<String>,
    pub range: Range<usize>,
}

/// `CREATE VIEW`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateView {
    pub name: Name,
    pub materialized: bool,
    pub or_replace: bool,
    pub if_not_exists: bool,
    pub temporary: bool,
    /// Does the view contain all rows of one table: no condition, no groups, no limit?
    pub whole: bool,
    /// Tables in the query.
    pub reads: Vec<Name>,
    /// The words in the query, which may be columns, including those of the view; `*` for all columns.
    pub mentions: Vec<String>,
    /// The words of `mentions` that may be columns of the tables in the query.
    pub uses: Vec<String>,
    /// The names of the columns of the view, as far as the statement states them.
    pub output: Vec<String>,
    /// Does `output` contain all columns of the view, in their order?
    pub output_is_complete: bool,
}

/// `DROP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropStatement {
    pub kind: ObjectKind,
    pub names: Vec<Name>,
    /// The table of an index (MySQL) or of a trigger (PostgreSQL).
    pub table: Option<Name>,
    pub if_exists: bool,
    pub concurrently: bool,
    pub cascade: bool,
    pub temporary: bool,
}

/// The kind of an `ALTER TYPE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeAction {
    /// `ADD VALUE`.
    AddValue {
        label: String,
        if_not_exists: bool,
        /// `BEFORE` or `AFTER`.
        placed: bool,
    },
    /// `RENAME VALUE`.
    RenameValue { from: String, to: String },
    /// `RENAME TO`.
    Rename(String),
    /// `SET SCHEMA`.
    SetSchema(String),
    /// Attributes of a composite type.
    Attributes,
    /// `OWNER TO` and similar.
    Other,
}

/// The kind of an `ALTER INDEX`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IndexAction {
    /// `RENAME TO`.
    Rename(String),
    /// `ATTACH PARTITION`.
    Attach(Name),
    /// `SET TABLESPACE`.
    SetTablespace,
    /// `SET (...)` and similar.
    Other,
}

/// The kind of an `ALTER` of another object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectAction {
    /// `RENAME TO`.
    Rename(String),
    /// `RENAME COLUMN` of a view.
    RenameColumn,
    /// `SET SCHEMA`.
    SetSchema(String),
    /// True for `IMMUTABLE` and `STABLE`, false for `VOLATILE`.
    Steady(bool),
    /// `OWNED BY` of a sequence; `None` for `OWNED BY NONE`.
    OwnedBy(Option<(Name, String)>),
    /// `OWNER TO` and similar.
    Other,
}

/// `INSERT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insert {
    pub table: Name,
    /// Empty if no columns are specified.
    pub columns: Vec<String>,
    /// `INSERT ... SELECT`.
    pub from_query: bool,
    /// Does the query read a table?
    pub reads_table: bool,
    /// Does the query contain `LIMIT`?
    pub limited: bool,
    /// Does the query contain `WHERE`?
    pub filtered: bool,
    /// The table of `SELECT * FROM t`, which inserts all columns by position.
    pub all_of: Option<Name>,
    /// `REPLACE`: deletes conflicting rows.
    pub replaces: bool,
    /// The columns that each further clause assigns: `ON CONFLICT DO UPDATE SET`, and the clauses of `MERGE`.
    pub assigned: Vec<Vec<String>>,
}

/// `UPDATE` or `DELETE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowChange {
    pub table: Name,
    /// The columns after `SET`.
    pub columns: Vec<String>,
    /// Does a `WHERE` or a join restrict the rows?
    pub condition: bool,
    /// Does the statement use other tables: `FROM`, `USING`, a join?
    pub joined: bool,
    /// Does the condition compare a column with a literal, so that it selects few rows?
    pub narrow: bool,
    /// Columns after which the condition contains `IS NULL`.
    pub where_null: Vec<String>,
    /// The `LIMIT` clause.
    pub limit: Option<Range<usize>>,
    /// Does the statement contain `LIMIT` anywhere, for example in a subquery for a batch?
    pub inner_limit: bool,
}

/// A transaction control statement.
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
    /// `RELEASE` and similar.
    Other,
}

/// `SET name = value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// In lower case; that of a user variable of MySQL begins with `@`.
    pub name: String,
    /// In lower case and without quotes; `None` for `RESET` and `DEFAULT`.
    pub value: Option<String>,
    /// `LOCAL`: until the end of the transaction.
    pub local: bool,
}
