//! The context of a command.

use crate::arguments::Global;
use crate::output::Output;

/// What every command receives besides its own arguments.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    pub global: &'a Global,
    /// Prints messages, findings and data.
    pub output: &'a Output,
    /// Builds the definition of the whole command line, from which `completions` generates its script.
    pub command_line: fn() -> clap::Command,
}
