//! `plan`: shows what `up` or a revert would do.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::output::Cell;
use crate::run::{AssumedApplied, execution_mode, refuse_empty_drafts, status_of};
use crate::values;
use crate::views;
use crate::words::{count_migrations, verb};
use clap::Args;
use migrate_runtime::{Migrator, Plan, Step, Target, Version};
use serde_json::json;

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
    let mut views = Vec::new();
    let mut table = Vec::new();
    let mut summaries = Vec::new();
    let mut exit = Exit::Done;
    let mut planned = AssumedApplied::default();
    let services = context.source.services()?;
    refuse_empty_drafts(&services, &vec![vec![target.clone()]; services.len()])?;
    for service in &services {
        let mut status = status_of(service, context.output).await?;
        planned.assume(&mut status);
        let plan = status.plan(&target)?;
        let neighbors = status.neighbors();
        context.output.findings(&neighbors);
        context.output.divergences(&plan.divergences);
        let refusal = status.refusal().map(CommandError::from);
        let may_run = plan.is_clear() && refusal.is_none();
        if exit == Exit::Done && !may_run {
            // As the run would end.
            exit = refusal.as_ref().map_or(Exit::HistoryMismatch, CommandError::exit);
        }
        planned.add(&service.name, &plan);
        let modes = Migrator::new(service.set.clone()).transaction_modes(&service.url, &plan).await?;
        let modes: Vec<String> = modes.into_iter().map(execution_mode).collect();
        table.extend(plan.steps.iter().zip(&modes).map(|(step, mode)| cells(&service.name, step, mode)));
        let summary = if refusal.is_some() { "nothing would run, for the reason shown above".to_owned() } else { summary(&plan) };
        summaries.push(format!("`{}`: {summary}", service.name));
        views.push(json!({
            "service": service.name,
            "database": service.url.to_string(),
            "clear": may_run,
            "steps": plan.steps.iter().zip(&modes).map(|(step, mode)| views::step(step, mode)).collect::<Vec<_>>(),
            "divergences": views::divergences(&plan.divergences),
            "notes": views::neighbors(&neighbors),
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": views }));
    } else {
        if !table.is_empty() {
            context.output.table(&["service", "step", "name", "statements", "runs"], table);
            context.output.message("");
        }
        summaries.iter().for_each(|line| context.output.message(line));
    }
    Ok(exit)
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

fn summary(plan: &Plan<'_>) -> String {
    match plan.steps.len() {
        _ if !plan.is_clear() => "nothing would run, because the migration files do not match the database history".to_owned(),
        0 => "nothing to do".to_owned(),
        count => format!("{} to run", count_migrations(count)),
    }
}
