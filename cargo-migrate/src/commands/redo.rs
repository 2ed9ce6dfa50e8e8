//! `redo`: reverts and applies again, to try out a migration that is being written.

use super::down;
use super::up::{self, Running};
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::selection;
use clap::Args;
use migrate_runtime::{Migrator, Target};

/// Revert the newest migration and apply it again
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many
    #[arg(long, value_name = "N", default_value_t = 1)]
    steps: usize,
    #[command(flatten)]
    running: Running,
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, Failure> {
    let selected = selection::with_database(context)?;
    let back = Target::Down(arguments.steps);
    down::refuse_unfit(&selected, &back).await?;
    if !arguments.running.dry_run && !down::confirmed(&selected, &back, context).await? {
        context.output.words("nothing was reverted");
        return Ok(Exit::Failed);
    }
    let mut targets = Vec::new();
    for one in &selected {
        let status = Migrator::new(&one.folder.set).status(&one.url).await?;
        let newest = status.history().latest_applied().map(|record| Target::UpTo(record.version.clone()));
        let again = newest.filter(|_| !arguments.running.dry_run);
        targets.push([Some(back.clone()), again].into_iter().flatten().collect());
    }
    up::carry_out(&selected, &targets, &arguments.running, context).await
}
