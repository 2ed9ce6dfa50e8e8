//! `down`: reverts migrations.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::revert::{RevertArguments, check_down_scripts, confirm_revert};
use crate::run::{RunArguments, run_jointly};
use crate::values;
use clap::Args;
use migrate_runtime::{Target, Version};

/// Revert migrations, newest first
#[derive(Debug, Args)]
pub struct Arguments {
    /// Revert all migrations above this version; `0` reverts all
    #[arg(long, value_name = "VERSION", value_parser = values::version, conflicts_with_all = ["steps", "all"])]
    to: Option<Version>,
    /// Revert this many migrations [default: 1]
    #[arg(long, value_name = "N", value_parser = values::count, allow_negative_numbers = true, conflicts_with = "all")]
    steps: Option<usize>,
    /// Revert all migrations
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    revert_arguments: RevertArguments,
    #[command(flatten)]
    run_arguments: RunArguments,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let target = match (&arguments.to, arguments.all) {
        (Some(version), _) => Target::DownTo(version.clone()),
        (None, true) => Target::DownAll,
        (None, false) => Target::Down(arguments.steps.unwrap_or(1)),
    };
    let services = context.source.services()?;
    check_down_scripts(&services, &target).await?;
    let dry_run = arguments.run_arguments.dry_run;
    let revert = confirm_revert(&services, &target, &arguments.revert_arguments, dry_run, context).await?;
    let Some(revert) = revert else { return Ok(Exit::Failed) };
    let targets = vec![target; services.len()];
    let run_arguments = arguments.revert_arguments.of_run(&arguments.run_arguments);
    run_jointly(&services, &targets, &run_arguments, &revert, context).await
}
