//! What a statement does to tables that are in use: which lock it takes, and what it does while it holds it.

mod characters;
mod mysql;
mod postgres;

use crate::object_name::ObjectName;
use crate::schema::Schema;
use crate::server::{Product, Server};
use migrate_model::syntax::Syntax;
use std::fmt;
use std::ops::Range;

/// A lock of PostgreSQL on a table, from the weakest to the strongest. (Manual 13.3.1)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lock {
    /// Rows are locked for those who would change them.
    RowShare,
    /// Rows change.
    RowExclusive,
    /// Only other DDL and vacuum wait.
    ShareUpdateExclusive,
    /// Writers wait.
    Share,
    /// Writers wait, and so does another of these.
    ShareRowExclusive,
    /// Writers wait.
    Exclusive,
    /// Everybody waits.
    AccessExclusive,
}

impl Lock {
    /// Its name in the manual.
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

    /// Who waits for it.
    pub const fn blocks(self) -> &'static str {
        match self {
            Lock::RowShare | Lock::RowExclusive => "nobody waits but those who change the same rows",
            Lock::ShareUpdateExclusive => "reads and writes go on; other DDL and VACUUM wait",
            Lock::Share | Lock::ShareRowExclusive | Lock::Exclusive => "INSERT, UPDATE and DELETE wait; reads go on",
            Lock::AccessExclusive => "every query waits, SELECT as well",
        }
    }

    /// Does it stop those who write?
    pub fn blocks_writes(self) -> bool {
        self >= Lock::Share
    }
}

/// How MySQL and MariaDB carry an `ALTER TABLE` out, from the cheapest to the dearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// Only the description changes.
    Instant,
    /// The rows stay (MariaDB).
    NoCopy,
    /// Inside the storage engine.
    Inplace,
    /// Row by row into a new table.
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

/// The cheapest way that the server takes, and who may work meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnlineDdl {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// May others write meanwhile?
    pub allows_writes: bool,
}

/// Why a statement does what it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Only the catalogue is written, at once.
    Catalogue,
    /// `CREATE INDEX`.
    IndexBuild,
    /// `CREATE INDEX CONCURRENTLY`.
    IndexBuildConcurrent,
    /// `CREATE INDEX` over partitions.
    IndexOnPartitions,
    /// `DROP INDEX`.
    IndexDrop,
    /// `DROP INDEX CONCURRENTLY`.
    IndexDropConcurrent,
    /// `REINDEX`.
    Reindex,
    /// A column whose default is another for each row; which function makes it so.
    VolatileDefault(String),
    /// A column that counts by itself.
    Serial,
    /// A column that is an identity.
    Identity,
    /// A column that is computed and kept.
    Stored,
    /// A column with a `CHECK`.
    ColumnCheck,
    /// A column that is `UNIQUE` or a key.
    ColumnKey,
    /// A column with `REFERENCES`.
    ColumnReference,
    /// A column of a domain that refuses values.
    ColumnDomain,
    /// A foreign key that is checked at once.
    ForeignKey,
    /// A foreign key that is not.
    ForeignKeyNotValid,
    /// The other side of a foreign key of a new table.
    ParentOfNew,
    /// The other side of a foreign key that goes.
    ParentOfDropped,
    /// A `CHECK` that is checked at once.
    Check,
    /// A `UNIQUE`.
    Unique,
    /// A `PRIMARY KEY`.
    Primary,
    /// A key over an index that is there, of columns that may hold null.
    PrimaryNullable,
    /// `EXCLUDE`.
    Exclude,
    /// `SET NOT NULL` without a check that proves it.
    NotNull,
    /// `VALIDATE CONSTRAINT`.
    Validate,
    /// A type for which the table is rewritten.
    TypeRewrite,
    /// A type for which only indexes are built anew.
    TypeIndexes,
    /// A type under checks that are looked at again.
    TypeCheck,
    /// A type that nobody can tell about, for want of the one before.
    TypeUnknown,
    /// A time zone comes or goes, and the session's may not be UTC.
    TypeTimeZone,
    /// The table is written anew: `SET TABLESPACE`, `SET UNLOGGED`, `CLUSTER`, `VACUUM FULL`.
    Rewrite,
    /// `REFRESH MATERIALIZED VIEW`.
    Refresh,
    /// The same, concurrently.
    RefreshConcurrent,
    /// `ATTACH PARTITION` without a check that proves it.
    AttachScan,
    /// A partition that lacks indexes of the table gets them.
    AttachIndex,
    /// `ATTACH PARTITION` beside a default partition, which is looked through.
    AttachDefault,
    /// `CREATE TABLE ... PARTITION OF`.
    PartitionOf,
    /// `DETACH PARTITION`.
    Detach,
    /// The same, concurrently.
    DetachConcurrent,
    /// A partition that goes.
    DropPartition,
    /// A trigger.
    Trigger,
    /// A policy, or row-level security.
    Policy,
    /// `LOCK TABLE`.
    LockTable,
    /// `TRUNCATE`.
    Truncate,
    /// `DROP TABLE`.
    DropTable,
    /// A domain's constraint.
    Domain,
    /// Rows change.
    Rows,
    /// MySQL: what is done to the table.
    Alter(&'static str),
}

/// What happens to one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impact {
    /// The table.
    pub table: ObjectName,
    /// The lock.
    pub lock: Lock,
    /// Are all its rows read while the lock is held?
    pub scans: bool,
    /// Is it written anew?
    pub rewrites: bool,
    /// Is an index built?
    pub builds: bool,
    /// Why.
    pub cause: Cause,
    /// How MySQL and MariaDB do it.
    pub online: Option<OnlineDdl>,
    /// Which clause of the statement.
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

    /// Does it take longer the more rows there are, while others wait?
    pub fn is_long(&self) -> bool {
        self.scans || self.rewrites || self.builds
    }

    /// What it does while the lock is held, in words.
    pub fn work(&self) -> &'static str {
        match (self.rewrites, self.builds, self.scans) {
            (true, ..) => "while the whole table and its indexes are written anew",
            (_, true, _) => "while an index is built over the whole table",
            (_, _, true) => "while the whole table is read",
            _ => "for a moment, once it is got",
        }
    }
}

/// What is known besides the schema.
#[derive(Debug, Clone, Copy)]
pub struct ImpactContext {
    /// The server.
    pub server: Server,
    /// Is the session's time zone known to be UTC?
    pub utc: bool,
    /// MySQL: are foreign keys not checked?
    pub foreign_keys_unchecked: bool,
    /// Is the table that is altered new, and without rows?
    pub table_is_empty: bool,
}

/// What a statement does, table by table; first what it is about.
pub fn impacts(schema: &Schema, syntax: &Syntax, sql: &str, circumstances: ImpactContext) -> Vec<Impact> {
    match circumstances.server.product {
        Product::Postgres => postgres::impacts(schema, syntax, sql, circumstances),
        Product::MySql | Product::MariaDb => mysql::impacts(schema, syntax, sql, circumstances),
        // The whole file is one lock.
        Product::Sqlite => Vec::new(),
    }
}
