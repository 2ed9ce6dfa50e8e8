//! What a command is given and what it answers.

use crate::arguments::Global;
use crate::output::Output;

/// What every command works with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The global arguments.
    pub global: &'a Global,
    /// Where it says what it has to say.
    pub output: &'a Output,
    /// The whole command line, for those who describe it.
    pub command_line: fn() -> clap::Command,
}

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
