//! `plan`: shows what `up` would do.

use super::up::{self, AssumedApplied, count_migrations, status_of};
use crate::arguments;
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::output::{Cell, finding_json};
use clap::Args;
use migrate_model::plan::ScriptSource;
use migrate_model::version::Version;
use migrate_runtime::{Direction, Target, url_without_password};
use serde_json::json;

/// Show what `up` would do
#[derive(Debug, Args)]
pub struct Arguments {
    /// Plan up to and including this version
    #[arg(long, value_name = "VERSION", value_parser = arguments::version)]
    to: Option<Version>,
    /// Plan a revert of everything above this version instead
    #[arg(long, value_name = "VERSION", value_parser = arguments::version, conflicts_with = "to")]
    down_to: Option<Version>,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let target = match (&arguments.to, &arguments.down_to) {
        (Some(version), _) => Target::UpTo(version.clone()),
        (None, Some(version)) => Target::DownTo(version.clone()),
        (None, None) => Target::Latest,
    };
    let mut services = Vec::new();
    let mut table = Vec::new();
    let mut summaries = Vec::new();
    let mut clear = true;
    let mut planned = AssumedApplied::default();
    let selected = loaded_project::load_with_database(context)?;
    up::refuse_empty_drafts(&selected, &vec![vec![target.clone()]; selected.len()])?;
    for loaded in &selected {
        let mut status = status_of(loaded, context.output).await?;
        planned.assume(&mut status);
        let plan = status.plan(&target)?;
        context.output.divergences(&plan.divergences);
        clear &= plan.is_clear();
        planned.add(&loaded.project.service, &plan);
        let mut steps = Vec::new();
        for step in &plan.steps {
            let (execution, statements) = match step.source {
                ScriptSource::File(script) => (script.transaction_mode().to_string(), script.statements.len().to_string()),
                ScriptSource::History => ("as stored in the history".to_owned(), String::new()),
            };
            let verb = if step.direction == Direction::Up { "apply" } else { "revert" };
            table.push(vec![
                Cell::plain(&loaded.project.service),
                Cell::plain(verb),
                Cell::plain(&step.title),
                Cell::plain(statements),
                Cell::plain(&execution),
            ]);
            steps.push(json!({
                "version": step.version.as_str(), "name": step.title, "direction": if step.direction == Direction::Up { "up" } else { "down" },
                "execution": execution, "statements_done": step.done,
            }));
        }
        summaries.push(match (plan.is_clear(), plan.steps.len()) {
            (false, _) => {
                format!(
                    "`{}`: nothing would run, because the migration files do not match the database history",
                    loaded.project.service
                )
            }
            (true, 0) => format!("`{}`: nothing to do", loaded.project.service),
            (true, count) => format!("`{}`: {} to run", loaded.project.service, count_migrations(count)),
        });
        services.push(json!({
            "service": loaded.project.service,
            "database": url_without_password(&loaded.url),
            "clear": plan.is_clear(),
            "steps": steps,
            "divergences": plan.divergences.iter().map(|divergence| finding_json(&divergence.finding)).collect::<Vec<_>>(),
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    } else {
        if !table.is_empty() {
            context.output.table(&["service", "step", "name", "statements", "runs"], table);
            context.output.message("");
        }
        summaries.iter().for_each(|line| context.output.message(line));
    }
    Ok(if clear { Exit::Done } else { Exit::Diverged })
}
