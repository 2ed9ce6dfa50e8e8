//! The list of commands.

mod check;
mod completions;
pub mod explain;
mod graph;
mod init;
mod lint;
mod lock;
mod man;
mod new;
mod owners;
mod renumber;

use crate::arguments::Format;
use crate::command::Context;
use clap::Subcommand;
use migrate_cli::CommandError;
use migrate_cli::Exit;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create the migrations folder, `migrate.toml` and the lock file
    Init(init::Arguments),
    /// Create the files of a new migration
    #[command(visible_alias = "generate")]
    New(new::Arguments),
    /// Check the migration files (names, up/down pairs, order, directives) and the lock file, and lint the drafts
    Check(check::Arguments),
    Lint(lint::Arguments),
    /// Lock new migration files (drafts): record their checksums, so that `check` and builds reject later edits
    Lock(lock::Arguments),
    #[command(flatten)]
    Database(migrate_cli::Command),
    /// Show which service owns each table: the service that lists the table under `owns` in `migrate.toml`, else the service whose migrations create the table
    Owners(owners::Arguments),
    Graph(graph::Arguments),
    /// Explain a code such as `out-of-order`
    Explain(explain::Arguments),
    Renumber(renumber::Arguments),
    /// Print a completion script for a shell
    Completions(completions::Arguments),
    Man(man::Arguments),
}

/// Runs the command that the command line specifies.
pub async fn run(command: Command, context: &Context<'_>) -> Result<Exit, CommandError> {
    let is_for_findings = matches!(command, Command::Check(_) | Command::Lint(_));
    if matches!(context.global.format, Format::Sarif | Format::Github) && !is_for_findings {
        return Err(
            CommandError::usage("only `check` and `lint` have the formats `sarif` and `github`").help("use `--format json`")
        );
    }
    match command {
        Command::Init(arguments) => init::run(&arguments, context),
        Command::New(arguments) => new::run(&arguments, context).await,
        Command::Check(arguments) => check::run(&arguments, context),
        Command::Lint(arguments) => lint::run(&arguments, context).await,
        Command::Lock(arguments) => lock::run(&arguments, context).await,
        Command::Database(command) => migrate_cli::commands::run(command, &context.for_database()).await,
        Command::Owners(arguments) => owners::run(&arguments, context),
        Command::Graph(arguments) => graph::run(&arguments, context),
        Command::Explain(arguments) => explain::run(&arguments, context),
        Command::Renumber(arguments) => renumber::run(&arguments, context).await,
        Command::Completions(arguments) => completions::run(&arguments, context),
        Command::Man(arguments) => man::run(&arguments, context),
    }
}
