//! What a command is given.

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
