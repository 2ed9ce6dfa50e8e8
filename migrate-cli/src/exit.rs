//! The exit codes of the command.

/// The exit codes. They are part of the stable interface; see docs/format.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Success.
    Done = 0,
    /// Any failure without an exit code of its own.
    Failed = 1,
    /// Wrong usage, including an unknown version and a question without a terminal.
    Usage = 2,
    /// `status --check`: a migration is pending.
    Pending = 3,
    /// The files contain errors.
    Findings = 4,
    /// The migration files do not match the database history.
    HistoryMismatch = 5,
    /// The lock was not acquired in time, or was lost.
    Locked = 6,
    /// A migration failed or exceeded its time limit, or its gate query did not return true.
    MigrationFailed = 7,
}
