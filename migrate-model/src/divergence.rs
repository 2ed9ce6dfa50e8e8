//! Where files and history disagree.

use crate::code::Code;
use crate::finding::{Finding, Level};
use crate::version::Version;

/// One disagreement. An error stops everything before the first step; the others are told and passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The migration.
    pub version: Version,
    /// What is wrong; it stops the plan if its level is `Error`.
    pub finding: Finding,
}

impl Divergence {
    pub(crate) fn new(code: &'static Code, level: Level, version: &Version, message: String) -> Self {
        Divergence { version: version.clone(), finding: Finding { level, ..Finding::error(code, message) } }
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

/// The SQL of an applied migration was changed.
pub static CHANGED_AFTER_APPLY: Code = Code::new(
    "changed-after-apply",
    "The file of an applied migration has other SQL than what ran. This database has the old, a new one would get the new, and nobody \
     could say any more what a database looks like. Put the old text back (`cargo migrate verify` shows what changed) and write the \
     change as a new migration.",
);

/// Comments or white space of an applied migration were changed.
pub static COSMETIC_CHANGE: Code = Code::new(
    "cosmetic-change",
    "The file of an applied migration was changed, but only in comments or white space: the database would read the same statements. \
     Nothing is held up by it.",
);

/// An applied migration has no file any more.
pub static MISSING_FILE: Code = Code::new(
    "missing-file",
    "A migration is applied, and its file is gone, though newer files are there. A new database would be built without it. Put the \
     file back: `git log --diff-filter=D --name-only -- migrations` finds the commit that removed it.",
);

/// The database is ahead.
pub static AHEAD: Code = Code::new(
    "ahead",
    "The database has migrations that this binary, or this checkout, was built before. That is normal while a release rolls out, and \
     after one was taken back. Nothing is held up by it; to go back to this release's schema, run `cargo migrate down --to VERSION`, \
     which uses the way down that was stored when the newer migration was applied.",
);

/// A migration is lower than the newest applied.
pub static OUT_OF_ORDER: Code = Code::new(
    "out-of-order",
    "A migration is not applied, though a higher one is: it was merged late, or written on another branch. Other databases may have \
     run the two in the other order. Give it a version above the newest; or allow this with `out-of-order = \"allow\"` (or `\"warn\"`) in \
     `migrate.toml`.",
);

/// A migration was begun and not finished.
pub static PARTIALLY_APPLIED: Code = Code::new(
    "partially-applied",
    "A migration that runs outside a transaction was begun and did not end, and for one statement nobody knows whether the database \
     carried it out: the process or the connection ended while it ran. Look at the database. Then say what you found: \
     `cargo migrate resolve VERSION --retry` runs that statement again, `--skip-to N` goes on behind it with statement N, \
     `--applied` counts the whole migration as done.",
);

/// A begun migration was edited in the part that has run.
pub static CHANGED_WHILE_PARTIALLY_APPLIED: Code = Code::new(
    "changed-while-partially-applied",
    "A migration stopped in the middle, and its file was edited above the point where it stopped: what ran is not what stands there, \
     so it cannot be resumed. Put the statements that ran back as they were; below the point of failure the file may be edited.",
);

/// A migration cannot be reverted.
pub static NO_DOWN_MIGRATION: Code = Code::new(
    "no-down-migration",
    "The migration has no way down, neither in the files nor stored with it, or its way down holds no statement. Reverting the ones \
     around it would leave a hole, so nothing was reverted. Write the way down; or restore a backup.",
);

/// Something that must be applied first is not.
pub static REQUIRES: Code = Code::new(
    "requires",
    "A migration says `-- migrate: requires ...`, and what it requires is not applied: in this history, or in that of another service \
     on the same database. Apply that first.",
);
