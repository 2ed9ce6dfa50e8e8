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

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the migrations folder, `migrate.toml` and the lock file
    Init(init::Arguments),
    /// Make a new pair of migration files
    #[command(visible_alias = "generate")]
    New(new::Arguments),
    /// Check names, pairs, order, directives and the lock file, and look at drafts as `lint` does
    Check(check::Arguments),
    /// Say what migrations would do to a database that is in use
    Lint(lint::Arguments),
    /// Release the drafts: from now on they must not change
    Lock(lock::Arguments),
    /// Apply migrations
    Up(up::Arguments),
    /// Revert migrations, newest first
    Down(down::Arguments),
    /// Revert the newest migration and apply it again
    Redo(redo::Arguments),
    /// Show which migrations are applied
    Status(status::Arguments),
    /// Show which service each table belongs to
    Owners(owners::Arguments),
    /// Compare what ran with what the files say now
    Verify(verify::Arguments),
    /// Show what `up` would do
    Plan(plan::Arguments),
    /// Wait until the database accepts connections
    Wait(wait::Arguments),
    /// Create, drop or reset the database
    #[command(subcommand)]
    Db(db::DbAction),
    /// Take edited files as what ran, without running anything
    Repair(repair::Arguments),
    /// Say how far an interrupted migration came
    Resolve(resolve::Arguments),
    /// Explain a code such as `late`
    Explain(explain::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
}

/// Runs a command.
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
