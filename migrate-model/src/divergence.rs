//! Mismatches between the migration files and the database history.

use crate::code::Code;
use crate::finding::{Finding, Level};
use crate::key::MigrationKey;
use std::collections::BTreeSet;

/// One mismatch. An error aborts the run before its first step; a warning is only reported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The migration.
    pub key: MigrationKey,
    /// What is wrong; it stops the plan if its level is `Error`.
    pub finding: Finding,
}

impl Divergence {
    pub(crate) fn new(code: &'static Code, level: Level, key: impl Into<MigrationKey>, message: String) -> Self {
        Divergence { key: key.into(), finding: Finding { level, ..Finding::error(code, message) } }
    }

    /// A mismatch that a finding describes.
    pub fn of_finding(key: impl Into<MigrationKey>, finding: Finding) -> Self {
        Divergence { key: key.into(), finding }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.finding = self.finding.note(note);
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.finding = self.finding.help(help);
        self
    }

    /// Whether it stops the plan.
    pub fn is_error(&self) -> bool {
        self.finding.is_error()
    }
}

/// Why nothing runs, in words, because of these divergences: what other services have or have not applied, or else the files and the
/// history.
pub fn summarize<'d>(divergences: impl IntoIterator<Item = &'d Divergence>) -> &'static str {
    let codes: BTreeSet<&str> = divergences
        .into_iter()
        .filter(|divergence| divergence.is_error())
        .map(|divergence| divergence.finding.code.name)
        .collect();
    let is_only = |code: &Code| codes.len() == 1 && codes.contains(code.name);
    if is_only(&REQUIRES) {
        "a required migration is not applied"
    } else if is_only(&STILL_REQUIRED) {
        "other services still require what would be reverted"
    } else {
        "the migration files and the database history do not match"
    }
}

/// The SQL of an applied migration was changed.
pub static CHANGED_AFTER_APPLY: Code = Code::new(
    "changed-after-apply",
    "The SQL in the file of an applied migration differs from the SQL that ran. A new database would run the new SQL, so its \
     schema would differ from that of this database. Restore the original file (`cargo migrate verify` shows the difference) and \
     write the change as a new migration.",
);

/// Comments or white space of an applied migration were changed.
pub static COSMETIC_CHANGE: Code = Code::new(
    "cosmetic-change",
    "The file of an applied migration was changed, but only in comments or white space. The statements are the same, so this is \
     only a warning.",
);

/// The file of an applied migration is missing.
pub static MISSING_FILE: Code = Code::new(
    "missing-file",
    "A migration is applied, but its file is missing, although newer files exist. A new database would lack its changes. Restore the file: `git log --diff-filter=D --name-only -- migrations` finds the commit that removed it. The code is also reported for a file whose text was applied under another version that has no file now: the file was probably renamed to another version, and a run would apply its SQL a second time. Restore the original version in the file name.",
);

/// The database contains a migration above every local file.
pub static AHEAD: Code = Code::new(
    "ahead",
    "The database contains migrations that are newer than this binary or checkout. This is normal during a rolling deployment and after a deployment was rolled back, so it is only a warning. To revert the newer migrations, run `cargo migrate down --to VERSION`, where VERSION is the version of the newest migration in this binary or checkout. The command uses the down migrations that were stored in the history when the newer migrations were applied.",
);

/// A migration is not applied, but one with a higher version is.
pub static OUT_OF_ORDER: Code = Code::new(
    "out-of-order",
    "A migration is not applied, but one with a higher version is. The migration with the lower version was merged \
     late, or written on another branch. On other databases, the two migrations may have been applied in the opposite order. Give \
     the pending migration a version above the newest one, or set `out-of-order = \"allow\"` (or `\"warn\"`) in \
     `migrate.toml`.",
);

/// A migration was started and cannot resume automatically.
pub static PARTIALLY_APPLIED: Code = Code::new(
    "partially-applied",
    "A migration that runs outside a transaction is partially applied and cannot resume automatically. Usually the process \
     or the connection ended while a statement was running, and the outcome of that statement is unknown. Inspect the database, then \
     resolve the migration. With `cargo migrate resolve VERSION --retry`, the next run executes the statement again; with \
     `--skip-to N`, it resumes at statement N. `--applied` marks the whole migration as applied. `--not-applied` marks it as not \
     applied, after you have undone the statements that ran.",
);

/// A partially applied migration was edited in the part that has run.
pub static CHANGED_WHILE_PARTIALLY_APPLIED: Code = Code::new(
    "changed-while-partially-applied",
    "A migration is partially applied, and one of the statements that have already run was edited in the migration file, so the migration cannot resume. Restore the statements that ran. The failed statement and those after it may be edited.",
);

/// A migration cannot be reverted.
pub static NO_DOWN_MIGRATION: Code = Code::new(
    "no-down-migration",
    "A migration to be reverted has no down migration, neither in the files nor in the history, or its down migration contains \
     no statement. Reverting only the others would leave a gap, so nothing was reverted. Write the down migration, or restore a \
     backup.",
);

/// A migration that is to be reverted is required by another service.
pub static STILL_REQUIRED: Code = Code::new(
    "still-required",
    "A migration is to be reverted, but a migration of another service that is applied in the same database requires it with `-- migrate: requires SERVICE:VERSION`. What each applied migration requires is read from the history, so this is also found by a checkout or an application that does not contain the files of the other service. Revert the migration of the other service first. If the schema of the other service does not need the required migration any more, use `cargo migrate down --force`.",
);

/// A required migration is not applied.
pub static REQUIRES: Code = Code::new(
    "requires",
    "A migration requires another one with `-- migrate: requires ...`, and the required migration is not applied. If the directive names a service (`billing:003`), the required migration must be applied in the history of that service in the same database; otherwise, in the history of this service. A run waits for another process to apply a migration of another service, at most as long as for the lock. Apply the required migration first, or run both services together. As a warning, or as an error of `verify`, the code means that the migration is applied, but the required migration was reverted since.",
);
