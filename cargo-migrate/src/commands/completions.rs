//! `completions`: prints a completion script for a shell.

use crate::command::Context;
use clap::Args;
use clap_complete::Shell;
use migrate_cli::CommandError;
use migrate_cli::Exit;

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub struct Arguments {
    /// Name of the shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    let mut command = (context.command_line)();
    clap_complete::generate(arguments.shell, &mut command, "cargo-migrate", &mut script);
    context.output.data(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}
