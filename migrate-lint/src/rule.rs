//! What a safety rule is.

use crate::context::{FileContext, StatementContext};
use crate::rule_finding::RuleFindings;
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;

/// A hazard, the check that detects it, and the fix.
#[derive(Debug)]
pub struct Rule {
    /// The name, and the explanation of the hazard.
    pub code: Code,
    /// The default level.
    pub level: Level,
    /// The products in which the hazard can occur.
    pub on: &'static [Product],
    /// What to write instead: lower case, without a full stop; empty if each finding has its own.
    pub fix: &'static str,
    /// Disabled unless `[rules]` in `migrate.toml` sets a level.
    pub opt_in: bool,
    /// Checks down migrations as well.
    pub down: bool,
    /// The function that detects the hazard.
    pub check: RuleCheck,
    /// Histories with a finding in the last file. The first one is shown on the page of the rule.
    pub flagged: &'static [Example],
    /// Histories without a finding in the last file. The first one is shown on the page of the rule.
    pub not_flagged: &'static [Example],
    /// How the hazard was verified.
    pub verification: Verification,
}

/// The check of a rule.
#[derive(Debug, Clone, Copy)]
pub enum RuleCheck {
    /// Runs before each statement.
    Statement(fn(&StatementContext<'_>, &mut RuleFindings)),
    /// Runs after the last statement of each up migration.
    File(fn(&FileContext<'_>, &mut RuleFindings)),
}

/// The files of a history, oldest first. The last one is checked, the others are deployed.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// The dialect of the SQL.
    pub dialect: Dialect,
    /// The up migrations; a line `--- down` is followed by the down migration.
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

/// How a hazard was verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// A test runs the statements on a server and compares locks, table scans and rewrites with the predicted ones.
    Measured,
    /// A test runs the statements on a server, which rejects them.
    Refused,
    /// A test of this name runs the statements on a server and checks the effect.
    Seen(&'static str),
    /// The hazard follows from the files alone.
    Files,
    /// The hazard is documented in this manual, and not tested.
    Manual(&'static str),
}

/// The fix for a unique constraint or a primary key of a partitioned table, which cannot use an existing index.
pub const PARTITIONED: &str = "write `ALTER TABLE ONLY ... ADD CONSTRAINT`, build a unique index CONCURRENTLY on each \
                               partition, and attach these indexes to the index of the constraint: `ALTER INDEX ... \
                               ATTACH PARTITION`";
