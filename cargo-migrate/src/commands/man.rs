//! `man`: writes the manual pages.

use crate::command::Context;
use crate::relative_paths;
use clap::{Args, Command};
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_cli::words::count_of;
use std::fs;
use std::path::PathBuf;

/// Write the manual pages, such as `cargo-migrate-up.1`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder for the pages, such as `~/.local/share/man/man1`. It is created if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let failed = |error: std::io::Error| {
        CommandError::other(format!("cannot write the manual pages into `{}`: {error}", arguments.folder.display()))
    };
    fs::create_dir_all(&arguments.folder).map_err(failed)?;
    let mut command = without_help((context.command_line)());
    // The pages of sub-commands are named after the whole command line.
    command.build();
    let count = pages(&command);
    clap_mangen::generate_to(command, &arguments.folder).map_err(failed)?;
    let folder = relative_paths::shown_path(&arguments.folder);
    context.output.status("Created", &format!("{} in {folder}", count_of(count, "manual page")));
    Ok(Exit::Done)
}

/// Without the sub-command `help`, which would have a page for each command.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// The number of pages: one for each command.
fn pages(command: &Command) -> usize {
    1 + command.get_subcommands().map(pages).sum::<usize>()
}
