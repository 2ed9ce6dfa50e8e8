//! `up`: applies migrations.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::joint_plan;
use crate::revert::Revert;
use crate::run::{Known, Needs, RunArguments, refuse_empty_drafts, run_if_current, run_jointly, run_planned};
use crate::values;
use clap::Args;
use migrate_runtime::{Direction, Target, Version};

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
    let mut services = context.source.services()?;
    let mut targets = vec![target.clone(); services.len()];
    // One service that requires nothing of others plans under its lock.
    if services.len() == 1 && services.iter().all(|service| service.set.required_services().next().is_none()) {
        return run_jointly(&services, &targets, &arguments.run_arguments, &Revert::default(), context).await;
    }
    refuse_empty_drafts(&services, &targets)?;
    // A run need not say that a database file does not exist yet, because it creates it.
    let output = if arguments.run_arguments.dry_run { context.output } else { &context.output.quiet() };
    let mut statuses = joint_plan::statuses(&services, Needs::of(Direction::Up), output).await?;
    let elsewhere;
    (targets, elsewhere) = joint_plan::bring_required(&mut services, &mut statuses, &target, context).await?;
    refuse_empty_drafts(&services, &targets)?;
    let known = Known { statuses, elsewhere };
    run_planned(&services, known, &targets, &arguments.run_arguments, &Revert::default(), context).await
}
