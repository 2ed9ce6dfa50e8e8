//! The list of commands that need a database, but no source files.

mod db;
mod down;
mod plan;
mod redo;
mod repair;
mod resolve;
mod status;
mod up;
mod verify;
mod wait;

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use clap::Subcommand;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Apply migrations
    Up(up::Arguments),
    /// Revert migrations, newest first
    Down(down::Arguments),
    /// Revert the newest migration and apply it again
    Redo(redo::Arguments),
    /// Show which migrations are applied
    Status(status::Arguments),
    /// Compare the current files with the SQL that was applied
    Verify(verify::Arguments),
    /// Show what `up` or a revert would do
    Plan(plan::Arguments),
    /// Wait until the database accepts connections
    Wait(wait::Arguments),
    /// Create, drop or reset the database
    #[command(subcommand)]
    Db(db::DbAction),
    /// Accept edited files of applied migrations: update their checksums and SQL in the history without running the SQL
    Repair(repair::Arguments),
    /// Resolve a partially applied migration: mark it as applied or not applied, or choose the statement at which it resumes
    Resolve(resolve::Arguments),
}

/// Runs a command.
///
/// # Errors
/// If it fails; the error has the exit code.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Exit, CommandError> {
    match command {
        Command::Up(arguments) => up::run(&arguments, context).await,
        Command::Down(arguments) => down::run(&arguments, context).await,
        Command::Redo(arguments) => redo::run(&arguments, context).await,
        Command::Status(arguments) => status::run(&arguments, context).await,
        Command::Verify(arguments) => verify::run(&arguments, context).await,
        Command::Plan(arguments) => plan::run(&arguments, context).await,
        Command::Wait(arguments) => wait::run(&arguments, context).await,
        Command::Db(action) => db::run(&action, context).await,
        Command::Repair(arguments) => repair::run(&arguments, context).await,
        Command::Resolve(arguments) => resolve::run(&arguments, context).await,
    }
}
