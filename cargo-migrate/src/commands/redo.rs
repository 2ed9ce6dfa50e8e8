//! `redo`: reverts migrations and applies them again, to try a migration while it is written.

use super::down;
use super::up::{self, RunArguments};
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use clap::Args;
use migrate_runtime::{Migrator, Target};

/// Revert the newest migration and apply it again
#[derive(Debug, Args)]
pub struct Arguments {
    /// Revert and apply this many migrations
    #[arg(long, value_name = "N", default_value_t = 1)]
    steps: usize,
    #[command(flatten)]
    run_arguments: RunArguments,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let selected = loaded_project::load_with_database(context)?;
    let revert = Target::Down(arguments.steps);
    down::check_down_scripts(&selected, &revert).await?;
    if !arguments.run_arguments.dry_run && !down::confirm_revert(&selected, &revert, context).await? {
        context.output.message("nothing was reverted");
        return Ok(Exit::Failed);
    }
    let mut targets = Vec::new();
    for loaded in &selected {
        let status = Migrator::new(&loaded.folder.set).status(&loaded.url).await?;
        let newest = status.history().latest_applied().map(|record| Target::UpTo(record.version.clone()));
        let apply_again = newest.filter(|_| !arguments.run_arguments.dry_run);
        targets.push([Some(revert.clone()), apply_again].into_iter().flatten().collect());
    }
    up::run_targets(&selected, &targets, &arguments.run_arguments, context).await
}
