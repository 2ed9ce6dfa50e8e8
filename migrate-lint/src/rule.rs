//! What a safety rule is.

use crate::context::{FileContext, StatementContext};
use crate::rule_finding::RuleFindings;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// A hazard, how it is found, and what to do instead.
#[derive(Debug)]
pub struct Rule {
    /// Its name, and what the hazard is.
    pub code: Code,
    /// How much it weighs where nobody says otherwise.
    pub level: Level,
    /// Where it can happen.
    pub on: &'static [Dialect],
    /// What to write instead.
    pub fix: &'static str,
    /// Is it a matter of taste, and so only looked for when asked?
    pub opt_in: bool,
    /// Is it looked for in the ways down as well?
    pub down: bool,
    /// How it is found.
    pub check: Check,
    /// Histories whose last file it finds something in.
    pub flagged: &'static [Example],
    /// Histories whose last file it is silent about.
    pub not_flagged: &'static [Example],
    /// How it is known.
    pub verification: Verification,
}

/// How a rule looks.
#[derive(Debug, Clone, Copy)]
pub enum Check {
    /// At each statement.
    Statement(fn(&StatementContext<'_>, &mut RuleFindings)),
    /// At each file, behind its last statement.
    File(fn(&FileContext<'_>, &mut RuleFindings)),
}

/// The files of a history, oldest first; the last is looked at, those before are deployed.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// What the SQL is written in.
    pub dialect: Dialect,
    /// Ways up. Behind a line `--- down` stands the way down.
    pub files: &'static [&'static str],
}

/// An example for PostgreSQL.
pub const fn postgres(files: &'static [&'static str]) -> Example {
    Example { dialect: Dialect::Postgres, files }
}

/// An example for MariaDB.
pub const fn mysql(files: &'static [&'static str]) -> Example {
    Example { dialect: Dialect::MySql, files }
}

/// An example for SQLite.
pub const fn sqlite(files: &'static [&'static str]) -> Example {
    Example { dialect: Dialect::Sqlite, files }
}

/// How it is known that a hazard is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// A test runs the statements on a server and sees the locks, scans and rewrites that were foretold.
    Measured,
    /// A test runs the statements on a server, and it refuses them.
    Refused,
    /// A test of this name runs the statements on a server and sees what comes of it.
    Seen(&'static str),
    /// It follows from the files alone.
    Files,
    /// It is said in a manual, and not tested here.
    Manual(&'static str),
}

/// How a key comes to a partitioned table, which takes no constraint USING INDEX.
pub const PARTITIONED: &str = "write `ALTER TABLE ONLY ... ADD CONSTRAINT`, build a unique index CONCURRENTLY on each partition, and \
                               attach those to the index of the constraint: `ALTER INDEX ... ATTACH PARTITION`";
