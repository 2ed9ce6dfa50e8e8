//! `down`: reverts migrations.

use super::up::{self, RunArguments};
use crate::arguments;
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project::{self, LoadedProject};
use clap::Args;
use migrate_model::finding::Finding;
use migrate_model::version::Version;
use migrate_runtime::{Migrator, Target, url_without_password};

/// Revert migrations, newest first
#[derive(Debug, Args)]
pub struct Arguments {
    /// Revert everything above this version
    #[arg(long, value_name = "VERSION", value_parser = arguments::version, conflicts_with_all = ["steps", "all"])]
    to: Option<Version>,
    /// Revert this many [default: 1]
    #[arg(long, value_name = "N", value_parser = arguments::count, allow_negative_numbers = true, conflicts_with = "all")]
    steps: Option<usize>,
    /// Revert everything
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    running: RunArguments,
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let target = match (&arguments.to, arguments.all) {
        (Some(version), _) => Target::DownTo(version.clone()),
        (None, true) => Target::DownAll,
        (None, false) => Target::Down(arguments.steps.unwrap_or(1)),
    };
    let mut selected = loaded_project::load_with_database(context)?;
    // What was built last stands on what was built first.
    selected.reverse();
    check_down_scripts(&selected, &target).await?;
    if !arguments.running.dry_run && !confirm_revert(&selected, &target, context).await? {
        context.output.message("nothing was reverted");
        return Ok(Exit::Failed);
    }
    let targets = vec![vec![target]; selected.len()];
    up::run_targets(&selected, &targets, &arguments.running, context).await
}

/// Stops before a way down that cannot run as it stands.
pub async fn check_down_scripts(selected: &[LoadedProject], target: &Target) -> Result<(), CommandError> {
    let mut unfit: Vec<Finding> = Vec::new();
    for one in selected.iter().filter(|one| one.folder.down_findings.iter().any(Finding::is_error)) {
        let status = Migrator::new(&one.folder.set).status(&one.url).await?;
        let plan = status.plan(target)?;
        let files: Vec<&str> =
            plan.steps.iter().filter_map(|step| step.migration?.down.as_ref().map(|down| &*down.file)).collect();
        let about = |finding: &&Finding| finding.place.as_ref().is_some_and(|place| files.contains(&place.file.as_str()));
        unfit.extend(one.folder.down_findings.iter().filter(about).filter(|finding| finding.is_error()).cloned());
    }
    if unfit.is_empty() { Ok(()) } else { Err(CommandError::Findings(unfit)) }
}

/// Asks before data may be lost, naming what goes. Without a person to ask, `--yes` is wanted.
pub async fn confirm_revert(selected: &[LoadedProject], target: &Target, context: &Context<'_>) -> Result<bool, CommandError> {
    if context.global.yes {
        return Ok(true);
    }
    let mut steps = Vec::new();
    for one in selected {
        let status = Migrator::new(&one.folder.set).status(&one.url).await?;
        let plan = status.plan(target)?;
        if !plan.is_clear() {
            // The run itself will say why.
            return Ok(true);
        }
        steps.extend(plan.steps.iter().map(|step| step.title.clone()));
    }
    if steps.is_empty() {
        return Ok(true);
    }
    let on = selected.first().map(|one| url_without_password(&one.url)).unwrap_or_default();
    let shown = match steps.as_slice() {
        [one] => format!("`{one}`"),
        [first, .., last] => format!("{}, `{first}` to `{last}`,", up::count_migrations(steps.len())),
        [] => String::new(),
    };
    let question = format!("revert {shown} on {on}? Data may be lost.");
    context.output.confirm(&question).ok_or_else(|| {
        CommandError::usage(format!("would revert {shown} on {on}, which may lose data"))
            .help("add `--yes` to do it without being asked")
    })
}
