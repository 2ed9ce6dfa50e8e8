//! `plan`: shows what `up` or a revert would do.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::joint_plan::{self, JointPlan, Missing};
use crate::output::Cell;
use crate::run::{Needs, execution_mode, refuse_empty_drafts};
use crate::service::Service;
use crate::values;
use crate::views;
use crate::words::{count_migrations, verb};
use clap::Args;
use migrate_model::divergence;
use migrate_model::plan_order::PlanPart;
use migrate_runtime::{Direction, Migrator, Plan, StatusReport, Step, Target, Version};
use serde_json::{Value, json};

/// Show what `up` or a revert would do
#[derive(Debug, Args)]
pub struct Arguments {
    /// Plan the pending migrations up to and including this version
    #[arg(long, value_name = "VERSION", value_parser = values::version)]
    to: Option<Version>,
    /// Instead of a run of `up`, plan a revert of all migrations above this version
    #[arg(long, value_name = "VERSION", value_parser = values::version, conflicts_with = "to")]
    down_to: Option<Version>,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let target = match (&arguments.to, &arguments.down_to) {
        (Some(version), _) => Target::UpTo(version.clone()),
        (None, Some(version)) => Target::DownTo(version.clone()),
        (None, None) => Target::Latest,
    };
    let mut services = context.source.services()?;
    let mut statuses = joint_plan::statuses(&services, Needs::of(target.direction()), context.output).await?;
    let mut targets = vec![target.clone(); services.len()];
    if target.direction() == Direction::Up {
        (targets, _) = joint_plan::bring_required(&mut services, &mut statuses, &target, context).await?;
    } else {
        let dependents = joint_plan::dependents_elsewhere(&services, &statuses, &targets, context).await?;
        joint_plan::add_dependents(&services, &mut statuses, &dependents);
    }
    refuse_empty_drafts(&services, &targets)?;
    joint_plan::assume_others(&services, &mut statuses, &targets)?;
    let joint = JointPlan::of(&services, &statuses, &targets)?;
    let (mut views, mut summaries, mut modes) = (Vec::new(), Vec::new(), Vec::new());
    // As the run would end.
    let exit = joint.require_clear(&services, &statuses, Missing::Rejected).map_or_else(|error| error.exit(), |()| Exit::Done);
    let before_wait = steps_before_wait(&joint, &services, &statuses, &targets)?;
    context.output.findings(joint.cycle.as_slice());
    for (at, ((service, status), plan)) in services.iter().zip(&statuses).zip(&joint.plans).enumerate() {
        let neighbors = status.neighbors();
        context.output.findings(&neighbors);
        context.output.divergences(&plan.divergences);
        let is_refused = status.refusal().is_some() || joint.cycle.is_some();
        let of_service = Migrator::new(service.set.clone()).transaction_modes(&service.url, plan).await?;
        let of_service: Vec<String> = of_service.into_iter().map(execution_mode).collect();
        let before_wait = before_wait.as_ref().map(|counts| counts[at]);
        let summary = if is_refused { NOTHING_RUNS.to_owned() } else { summary(plan, before_wait) };
        summaries.push(format!("`{}`: {summary}", service.name));
        views.push(json!({
            "service": service.name,
            "database": service.url.to_string(),
            "clear": plan.is_clear() && !is_refused,
            "steps": plan.steps.iter().zip(&of_service).map(|(step, mode)| views::step(step, mode)).collect::<Vec<_>>(),
            "divergences": views::divergences(&plan.divergences),
            "notes": views::neighbors(&neighbors),
        }));
        modes.push(of_service);
    }
    let table: Vec<Vec<Cell>> = joint.parts.iter().flat_map(|part| rows(part, &services, &joint, &modes)).collect();
    if context.output.is_json() {
        let order: Vec<_> = joint.parts.iter().flat_map(|part| order(part, &services, &joint)).collect();
        context.output.json(&json!({ "services": views, "order": order }));
    } else {
        if !table.is_empty() {
            context.output.table(&["service", "step", "name", "statements", "runs"], table);
            context.output.message("");
        }
        summaries.iter().for_each(|line| context.output.message(line));
    }
    Ok(exit)
}

/// The rows of a part of the run.
fn rows(part: &PlanPart, services: &[Service], joint: &JointPlan<'_>, modes: &[Vec<String>]) -> Vec<Vec<Cell>> {
    let (name, steps) = (&services[part.service].name, &joint.plans[part.service].steps[part.steps.clone()]);
    steps.iter().zip(&modes[part.service][part.steps.clone()]).map(|(step, mode)| cells(name, step, mode)).collect()
}

/// The migrations of a part of the run, in the order of execution over all services.
fn order(part: &PlanPart, services: &[Service], joint: &JointPlan<'_>) -> Vec<Value> {
    let name = &services[part.service].name;
    let steps = &joint.plans[part.service].steps[part.steps.clone()];
    steps.iter().map(|step| json!({ "service": name, "version": step.key.as_str() })).collect()
}

fn cells(service: &str, step: &Step<'_>, mode: &str) -> Vec<Cell> {
    let statements = step.file_script().map_or(String::new(), |script| script.statements.len().to_string());
    vec![
        Cell::plain(service),
        Cell::plain(verb(step.direction)),
        Cell::plain(&step.title),
        Cell::plain(statements),
        Cell::plain(mode),
    ]
}

const NOTHING_RUNS: &str = "nothing would run, for the reason shown above";

/// How many steps of each service run before a wait for another process, which keeps back only what needs it. `None` if one of the
/// services cannot run, and so none does.
fn steps_before_wait(
    joint: &JointPlan<'_>,
    services: &[Service],
    statuses: &[StatusReport],
    targets: &[Target],
) -> Result<Option<Vec<usize>>, CommandError> {
    if joint.require_clear(services, statuses, Missing::Awaited).is_err() {
        return Ok(None);
    }
    Ok(Some(joint.before_wait(services, targets)?.counts))
}

/// What a run would do with a plan, of which so many steps run before a wait.
fn summary(plan: &Plan<'_>, before_wait: Option<usize>) -> String {
    let count = plan.steps.len();
    let waiting = plan.missing.iter().min_by_key(|missing| missing.step);
    let waiting = waiting.and_then(|missing| Some((&plan.steps.get(missing.step)?.title, &missing.requirement)));
    match (waiting, before_wait) {
        (Some((title, requirement)), Some(before_wait)) => {
            let first =
                if before_wait == 0 { "nothing to run yet".to_owned() } else { format!("{before_wait} of {count} to run") };
            format!("{first}; `{title}` waits until another process has applied {requirement}")
        }
        _ if !plan.is_clear() => format!("nothing would run, because {}", divergence::summarize(&plan.divergences)),
        _ if count == 0 => "nothing to do".to_owned(),
        (_, None) => "nothing would run, because another of these services cannot run".to_owned(),
        (_, Some(before_wait)) if before_wait < count => {
            format!("{before_wait} of {count} to run; the others wait, because they require what another service waits for")
        }
        _ => format!("{} to run", count_migrations(count)),
    }
}
