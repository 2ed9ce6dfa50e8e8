//! `up`: applies migrations.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::run::{RunArguments, run_if_current, run_targets};
use crate::values;
use clap::Args;
use migrate_runtime::{Target, Version};

/// Apply migrations
#[derive(Debug, Args)]
pub struct Arguments {
    /// Apply up to and including this version
    #[arg(long, value_name = "VERSION", value_parser = values::version, conflicts_with = "steps")]
    to: Option<Version>,
    /// Apply only the next N migrations
    #[arg(long, value_name = "N", value_parser = values::count, allow_negative_numbers = true)]
    steps: Option<usize>,
    #[command(flatten)]
    run_arguments: RunArguments,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let target = match (&arguments.to, arguments.steps) {
        (Some(version), _) => Target::UpTo(version.clone()),
        (None, Some(steps)) => Target::Up(steps),
        (None, None) => Target::Latest,
    };
    if target == Target::Latest && !arguments.run_arguments.dry_run && run_if_current(context).await? {
        return Ok(Exit::Done);
    }
    let services = context.source.services()?;
    let targets = vec![vec![target]; services.len()];
    run_targets(&services, &targets, &arguments.run_arguments, &[], context).await
}
