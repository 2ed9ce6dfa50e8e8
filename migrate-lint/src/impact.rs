//! The impact of a statement on existing tables: the lock it takes, and the work it does while it holds the lock.

mod alter_reason;
mod characters;
mod mysql;
mod postgres;

pub use self::alter_reason::AlterReason;
use crate::object_name::ObjectName;
use crate::schema::Schema;
use crate::server::{Product, Server};
use migrate_model::syntax::Syntax;
use std::fmt;
use std::ops::Range;

/// A table-level lock mode of PostgreSQL, from the weakest to the strongest. (Manual, 13.3.1)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// Taken by `SELECT ... FOR UPDATE`.
    RowShare,
    /// Taken by INSERT, UPDATE and DELETE.
    RowExclusive,
    /// Blocks other DDL and VACUUM.
    ShareUpdateExclusive,
    /// Blocks writes.
    Share,
    /// Blocks writes, and conflicts with itself.
    ShareRowExclusive,
    /// Blocks writes and row locks.
    Exclusive,
    /// Blocks reads and writes.
    AccessExclusive,
}

impl Lock {
    /// The name in the PostgreSQL manual.
    pub const fn name(self) -> &'static str {
        match self {
            Lock::RowShare => "ROW SHARE",
            Lock::RowExclusive => "ROW EXCLUSIVE",
            Lock::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Lock::Share => "SHARE",
            Lock::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Lock::Exclusive => "EXCLUSIVE",
            Lock::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// The statements of other sessions that the lock blocks, as a phrase without a subject.
    pub const fn blocks(self) -> &'static str {
        match self {
            Lock::RowShare | Lock::RowExclusive => "blocks only changes of the same rows",
            Lock::ShareUpdateExclusive => "blocks other DDL and VACUUM, but not reads and writes",
            Lock::Share | Lock::ShareRowExclusive | Lock::Exclusive => "blocks writes, but not reads",
            Lock::AccessExclusive => "blocks reads and writes",
        }
    }

    /// Whether the lock blocks INSERT, UPDATE and DELETE.
    pub fn blocks_writes(self) -> bool {
        self >= Lock::Share
    }
}

/// The algorithm of an `ALTER TABLE` in MySQL and MariaDB, from the cheapest to the most expensive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Changes only metadata.
    Instant,
    /// Does not rebuild the clustered index (MariaDB).
    NoCopy,
    /// Works inside the storage engine.
    Inplace,
    /// Copies every row to a new table.
    Copy,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Algorithm::Instant => "INSTANT",
            Algorithm::NoCopy => "NOCOPY",
            Algorithm::Inplace => "INPLACE",
            Algorithm::Copy => "COPY",
        })
    }
}

/// The cheapest algorithm that the server supports for a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnlineDdl {
    /// The cheapest supported algorithm.
    pub algorithm: Algorithm,
    /// Whether other sessions can write during the change.
    pub allows_writes: bool,
}

/// The reason for an impact, by which rules select impacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// A change of the system catalogs only; takes no time.
    Catalogue,
    /// `CREATE INDEX`.
    IndexBuild,
    /// `CREATE INDEX CONCURRENTLY`.
    IndexBuildConcurrent,
    /// `CREATE INDEX` on a partitioned table.
    IndexOnPartitions,
    /// `DROP INDEX`.
    IndexDrop,
    /// `DROP INDEX CONCURRENTLY`.
    IndexDropConcurrent,
    /// `REINDEX`.
    Reindex,
    /// A new column with a volatile default; the text names the volatile function.
    VolatileDefault(String),
    /// A new `serial` column.
    Serial,
    /// A new identity column.
    Identity,
    /// A new stored generated column.
    Stored,
    /// A new column with a `CHECK`.
    ColumnCheck,
    /// A new column with `UNIQUE` or `PRIMARY KEY`.
    ColumnKey,
    /// A new column with `REFERENCES`.
    ColumnReference,
    /// A new column of a domain that has a constraint.
    ColumnDomain,
    /// A new foreign key that checks existing rows.
    ForeignKey,
    /// A new foreign key with `NOT VALID`.
    ForeignKeyNotValid,
    /// The table that a foreign key of a new table references.
    ParentOfNew,
    /// The table that a dropped foreign key references.
    ParentOfDropped,
    /// A new constraint that checks existing rows: `CHECK`, `NOT NULL`.
    Check,
    /// A new `UNIQUE` constraint that builds its index.
    Unique,
    /// A new `PRIMARY KEY` that builds its index.
    Primary,
    /// `PRIMARY KEY USING INDEX` on columns that allow NULL.
    PrimaryNullable,
    /// A new `EXCLUDE` constraint.
    Exclude,
    /// `SET NOT NULL` without a validated constraint that proves it.
    NotNull,
    /// `VALIDATE CONSTRAINT`.
    Validate,
    /// A type change that rewrites the table.
    TypeRewrite,
    /// A type change that rebuilds only indexes.
    TypeIndexes,
    /// A type change of a column that a `CHECK` uses: the constraint is verified again.
    TypeCheck,
    /// The other table of a foreign key of a column whose type changes: the constraint is created again.
    TypeForeignKey,
    /// A type change whose cost is unknown, because the current type is unknown.
    TypeUnknown,
    /// A type change that adds or removes a time zone; free only if the time zone of the session is UTC.
    TypeTimeZone,
    /// The same with an index on the column, which is rebuilt if the time zone is UTC.
    TypeTimeZoneIndexed,
    /// A rewrite of the table: `SET TABLESPACE`, `SET UNLOGGED`, `CLUSTER`, `VACUUM FULL`.
    Rewrite,
    /// `REFRESH MATERIALIZED VIEW`.
    Refresh,
    /// `REFRESH MATERIALIZED VIEW CONCURRENTLY`.
    RefreshConcurrent,
    /// `ATTACH PARTITION` without a validated `CHECK` that proves the bounds.
    AttachScan,
    /// `ATTACH PARTITION` of a table that lacks indexes of the partitioned table.
    AttachIndex,
    /// `ATTACH PARTITION` to a table with a default partition, which is scanned.
    AttachDefault,
    /// `CREATE TABLE ... PARTITION OF`.
    PartitionOf,
    /// `DETACH PARTITION`.
    Detach,
    /// `DETACH PARTITION ... CONCURRENTLY`.
    DetachConcurrent,
    /// `DROP TABLE` of a partition.
    DropPartition,
    /// A trigger is created, changed or dropped.
    Trigger,
    /// A policy or the row-level security setting changes.
    Policy,
    /// `LOCK TABLE`.
    LockTable,
    /// `TRUNCATE`.
    Truncate,
    /// `DROP TABLE`.
    DropTable,
    /// A new constraint of a domain that the table uses.
    Domain,
    /// DML.
    Rows,
    /// `ALTER TABLE` of MySQL or MariaDB.
    Alter(AlterReason),
}

/// What a statement does to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// The locked table.
    pub table: ObjectName,
    /// The strongest lock that the statement takes on the table.
    pub lock: Lock,
    /// Whether all rows are read under the lock.
    pub scans: bool,
    /// Whether the table is rewritten under the lock.
    pub rewrites: bool,
    /// Whether an index is built under the lock.
    pub builds: bool,
    /// The reason for the lock and the work.
    pub cause: Cause,
    /// The cheapest algorithm, for `ALTER TABLE` of MySQL and MariaDB.
    pub online: Option<OnlineDdl>,
    /// The clause of the statement, in bytes of its text; `None` means the whole statement.
    pub range: Option<Range<usize>>,
}

impl Impact {
    fn new(table: ObjectName, lock: Lock, cause: Cause) -> Self {
        Impact { table, lock, scans: false, rewrites: false, builds: false, cause, online: None, range: None }
    }

    fn scanning(self) -> Self {
        Impact { scans: true, ..self }
    }

    fn building(self) -> Self {
        Impact { scans: true, builds: true, ..self }
    }

    fn rewriting(self) -> Self {
        Impact { scans: true, rewrites: true, builds: true, ..self }
    }

    fn at(self, range: &Range<usize>) -> Self {
        Impact { range: Some(range.clone()), ..self }
    }

    /// Whether the work under the lock takes longer the more rows the table has.
    pub fn is_long(&self) -> bool {
        self.scans || self.rewrites || self.builds
    }

    /// The work under the lock, as an adverbial phrase.
    pub fn work(&self) -> &'static str {
        if self.rewrites && self.builds {
            "during a rewrite of the table and its indexes"
        } else if self.rewrites {
            "during a rewrite of the table"
        } else if self.builds {
            "during an index build"
        } else if self.scans {
            "during a full table scan"
        } else {
            "and holds it briefly"
        }
    }
}

/// The circumstances of a statement, besides the schema, on which its impact depends.
#[derive(Debug, Clone, Copy)]
pub struct ImpactContext {
    /// The product and version of the server.
    pub server: Server,
    /// Whether the time zone of the session is known to be UTC.
    pub utc: bool,
    /// MySQL: whether `foreign_key_checks` is off.
    pub foreign_keys_unchecked: bool,
    /// Whether the altered table is new and has no rows.
    pub table_is_empty: bool,
}

/// The impacts of a statement on each table. The table that the statement names comes first.
pub fn impacts(schema: &Schema, syntax: &Syntax, sql: &str, context: ImpactContext) -> Vec<Impact> {
    match context.server.product {
        Product::Postgres => postgres::impacts(schema, syntax, sql, context),
        Product::MySql | Product::MariaDb => mysql::impacts(schema, syntax, sql, context),
        // SQLite locks the whole database file, not tables.
        Product::Sqlite => Vec::new(),
    }
}
