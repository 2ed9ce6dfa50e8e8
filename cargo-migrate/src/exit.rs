//! What a command answers.

/// The exit codes; part of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Wrong usage.
    Usage = 2,
    /// `status --check`: something is pending.
    Pending = 3,
    /// Findings in the files.
    Findings = 4,
    /// Files and history disagree.
    Diverged = 5,
    /// The lock was not obtained.
    Locked = 6,
    /// A migration failed.
    MigrationFailed = 7,
}
