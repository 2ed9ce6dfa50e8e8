//! The list of commands.

mod check;
mod completions;
mod db;
mod down;
mod explain;
mod init;
mod lint;
mod lock;
mod new;
mod owners;
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
    /// Create the migrations folder, `migrate.toml` and the lock file
    Init(init::Arguments),
    /// Create the files of a new migration
    #[command(visible_alias = "generate")]
    New(new::Arguments),
    /// Check names, pairs, order, directives and the lock file, and lint the drafts
    Check(check::Arguments),
    /// Show what migrations would do to a live database
    Lint(lint::Arguments),
    /// Lock drafts: record their checksums. Locked files can no longer change
    Lock(lock::Arguments),
    /// Apply migrations
    Up(up::Arguments),
    /// Revert migrations, newest first
    Down(down::Arguments),
    /// Revert the newest migration and apply it again
    Redo(redo::Arguments),
    /// Show which migrations are applied
    Status(status::Arguments),
    /// Show which service owns each table
    Owners(owners::Arguments),
    /// Compare the SQL that was applied with the current files
    Verify(verify::Arguments),
    /// Show what `up` would do
    Plan(plan::Arguments),
    /// Wait until the database accepts connections
    Wait(wait::Arguments),
    /// Create, drop or reset the database
    #[command(subcommand)]
    Db(db::DbAction),
    /// Accept edited files: update stored checksums, run nothing
    Repair(repair::Arguments),
    /// Resolve a partially applied migration: mark it applied, retry, or skip statements
    Resolve(resolve::Arguments),
    /// Explain a code such as `out-of-order`
    Explain(explain::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

/// Runs the command that the command line specifies.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Exit, CommandError> {
    match command {
        Command::Init(arguments) => init::run(&arguments, context),
        Command::New(arguments) => new::run(&arguments, context),
        Command::Check(arguments) => check::run(&arguments, context),
        Command::Lint(arguments) => lint::run(&arguments, context).await,
        Command::Lock(arguments) => lock::run(&arguments, context),
        Command::Up(arguments) => up::run(&arguments, context).await,
        Command::Down(arguments) => down::run(&arguments, context).await,
        Command::Redo(arguments) => redo::run(&arguments, context).await,
        Command::Status(arguments) => status::run(&arguments, context).await,
        Command::Verify(arguments) => verify::run(&arguments, context).await,
        Command::Owners(arguments) => owners::run(&arguments, context),
        Command::Plan(arguments) => plan::run(&arguments, context).await,
        Command::Wait(arguments) => wait::run(&arguments, context).await,
        Command::Db(action) => db::run(&action, context).await,
        Command::Repair(arguments) => repair::run(&arguments, context).await,
        Command::Resolve(arguments) => resolve::run(&arguments, context).await,
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Completions(arguments) => completions::run(&arguments, context),
    }
}
