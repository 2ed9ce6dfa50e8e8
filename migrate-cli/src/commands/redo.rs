//! `redo`: reverts migrations and applies them again, to try a migration while it is written.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::revert::{RevertArguments, check_down_scripts, confirm_revert};
use crate::run::{RunArguments, run_targets};
use crate::values;
use clap::Args;
use migrate_runtime::{Migrator, Record, RecordState, Target};

/// Revert the newest migration and apply it again
#[derive(Debug, Args)]
pub struct Arguments {
    /// Revert the newest N migrations and apply them again [default: 1]
    #[arg(long, value_name = "N", value_parser = values::count, allow_negative_numbers = true)]
    steps: Option<usize>,
    #[command(flatten)]
    revert_arguments: RevertArguments,
    #[command(flatten)]
    run_arguments: RunArguments,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let services = context.source.services()?;
    let revert = Target::Down(arguments.steps.unwrap_or(1));
    check_down_scripts(&services, &revert).await?;
    let mut stored = Some(Vec::new());
    if !arguments.run_arguments.dry_run {
        stored = confirm_revert(&services, &revert, &arguments.revert_arguments, context).await?;
    }
    let Some(stored) = stored else { return Ok(Exit::Failed) };
    let mut targets = Vec::new();
    for service in &services {
        let status = Migrator::new(service.set.clone()).status(&service.url).await?;
        // A revert that was interrupted is completed, and what it reverts is applied again, too.
        let is_applied = |record: &&Record| record.state == RecordState::Applied || record.state.is_revert();
        let applied = status.history().records().iter().filter(is_applied);
        let latest = applied.filter_map(|record| record.key.version()).max().map(|version| Target::UpTo(version.clone()));
        let apply_again = latest.filter(|_| !arguments.run_arguments.dry_run);
        targets.push([Some(revert.clone()), apply_again].into_iter().flatten().collect());
    }
    run_targets(&services, &targets, &arguments.run_arguments, &stored, context).await
}
