//! `redo`: reverts and applies again, to try out a migration that is being written.

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
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1)]
    steps: usize,
    #[command(flatten)]
    running: RunArguments,
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let selected = loaded_project::load_with_database(context)?;
    let back = Target::Down(arguments.steps);
    down::check_down_scripts(&selected, &back).await?;
    if !arguments.running.dry_run && !down::confirm_revert(&selected, &back, context).await? {
        context.output.message("nothing was reverted");
        return Ok(Exit::Failed);
    }
    let mut targets = Vec::new();
    for one in &selected {
        let status = Migrator::new(&one.folder.set).status(&one.url).await?;
        let newest = status.history().latest_applied().map(|record| Target::UpTo(record.version.clone()));
        let again = newest.filter(|_| !arguments.running.dry_run);
        targets.push([Some(back.clone()), again].into_iter().flatten().collect());
    }
    up::run_targets(&selected, &targets, &arguments.running, context).await
}
