//! `redo`: reverts migrations and applies them again, to try a migration while it is written.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::joint_plan::{self, JointPlan, Missing};
use crate::revert::{RevertArguments, check_down_scripts, confirm_revert};
use crate::run::{Run, RunArguments, run_in_order, run_jointly};
use crate::service::Service;
use crate::values;
use clap::Args;
use migrate_model::divergence::MISSING_FILE;
use migrate_model::finding::Finding;
use migrate_runtime::{Divergence, Record, RecordState, StatusReport, Step, Target};

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
    let needs = arguments.revert_arguments.needs();
    let run_arguments = arguments.revert_arguments.of_run(&arguments.run_arguments);
    let mut statuses = joint_plan::statuses(&services, needs, context.output).await?;
    let elsewhere = joint_plan::informed_elsewhere(&services, &mut statuses, context).await?;
    for (service, status) in services.iter().zip(&statuses) {
        check_second_half(service, status, &revert)?;
    }
    let dry_run = arguments.run_arguments.dry_run;
    let confirmed = confirm_revert(&services, &revert, &arguments.revert_arguments, dry_run, context).await?;
    let Some(confirmed) = confirmed else { return Ok(Exit::Failed) };
    if arguments.run_arguments.dry_run {
        return run_jointly(&services, &vec![revert; services.len()], &run_arguments, &confirmed, context).await;
    }
    if services.len() > 1 {
        let targets = vec![revert; services.len()];
        joint_plan::add_dependents(&services, &mut statuses, &confirmed.dependents);
        joint_plan::assume_others(&services, &mut statuses, &targets)?;
        let joint = JointPlan::of(&services, &statuses, &targets)?;
        joint.require_clear(&services, &statuses, Missing::Rejected)?;
        let runs: Vec<Run> = joint.runs().into_iter().chain(joint.runs_back()).collect();
        return run_in_order(&services, &elsewhere, &runs, &run_arguments, &confirmed, context).await;
    }
    let mut runs = Vec::new();
    for (service, status) in statuses.iter().enumerate() {
        // A revert that was interrupted is completed, and what it reverts is applied again, too.
        let is_applied = |record: &&Record| record.state == RecordState::Applied || record.state.is_revert();
        let applied = status.history().records().iter().filter(is_applied);
        let latest = applied.filter_map(|record| record.key.version()).max().map(|version| Target::UpTo(version.clone()));
        runs.push(Run { service, targets: [Some(revert.clone()), latest].into_iter().flatten().collect() });
    }
    run_in_order(&services, &elsewhere, &runs, &run_arguments, &confirmed, context).await
}

/// Rejects a run that would revert migrations and could then not apply them again.
fn check_second_half(service: &Service, status: &StatusReport, revert: &Target) -> Result<(), CommandError> {
    let plan = status.plan(revert)?;
    if !plan.is_clear() || status.refusal().is_some() {
        // The run reports why it is rejected.
        return Ok(());
    }
    let is_in_files = |step: &&Step<'_>| step.key.version().is_some_and(|version| service.set.get(version).is_some());
    if let Some(step) = plan.steps.iter().find(|step| !is_in_files(step)) {
        let message =
            format!("`{}` could not be applied again: the files do not contain it, so nothing was reverted", step.title);
        let finding = Finding::error(&MISSING_FILE, message)
            .help("use the version of the application that contains this migration")
            .help("to revert it without applying it again, run `cargo migrate down`");
        return Err(CommandError::HistoryMismatch(vec![Divergence::of_finding(step.key.clone(), finding)]));
    }
    let latest = plan.steps.iter().filter_map(|step| step.key.version()).max().cloned();
    let Some(latest) = latest else { return Ok(()) };
    let mut after = status.clone();
    after.assume_reverted(plan.steps.iter().map(|step| &step.key));
    let again = after.plan(&Target::UpTo(latest))?;
    if again.is_clear() { Ok(()) } else { Err(CommandError::HistoryMismatch(again.errors().cloned().collect())) }
}
