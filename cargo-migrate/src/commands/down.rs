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
    /// Revert this many migrations [default: 1]
    #[arg(long, value_name = "N", value_parser = arguments::count, allow_negative_numbers = true, conflicts_with = "all")]
    steps: Option<usize>,
    /// Revert all migrations
    #[arg(long)]
    all: bool,
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
    let mut selected = loaded_project::load_with_database(context)?;
    // Revert in the opposite order of `up`: later services may depend on earlier ones.
    selected.reverse();
    check_down_scripts(&selected, &target).await?;
    if !arguments.run_arguments.dry_run && !confirm_revert(&selected, &target, context).await? {
        context.output.message("nothing was reverted");
        return Ok(Exit::Failed);
    }
    let targets = vec![vec![target]; selected.len()];
    up::run_targets(&selected, &targets, &arguments.run_arguments, context).await
}

/// Rejects a revert if one of its down migrations contains an error.
///
/// # Errors
/// If so, or if the database cannot be read.
pub async fn check_down_scripts(selected: &[LoadedProject], target: &Target) -> Result<(), CommandError> {
    let mut errors: Vec<Finding> = Vec::new();
    for loaded in selected.iter().filter(|loaded| loaded.folder.down_findings.iter().any(Finding::is_error)) {
        let status = Migrator::new(&loaded.folder.set).status(&loaded.url).await?;
        let plan = status.plan(target)?;
        let files: Vec<&str> =
            plan.steps.iter().filter_map(|step| step.migration?.down.as_ref().map(|down| &*down.file)).collect();
        let is_in_plan = |finding: &&Finding| finding.place.as_ref().is_some_and(|place| files.contains(&place.file.as_str()));
        errors.extend(loaded.folder.down_findings.iter().filter(is_in_plan).filter(|finding| finding.is_error()).cloned());
    }
    if errors.is_empty() { Ok(()) } else { Err(CommandError::Findings(errors)) }
}

/// Asks for confirmation of a revert and names the migrations.
///
/// # Errors
/// If no terminal is available and `--yes` is missing, or if the database cannot be read.
pub async fn confirm_revert(selected: &[LoadedProject], target: &Target, context: &Context<'_>) -> Result<bool, CommandError> {
    if context.global.yes {
        return Ok(true);
    }
    let mut steps = Vec::new();
    for loaded in selected {
        let status = Migrator::new(&loaded.folder.set).status(&loaded.url).await?;
        let plan = status.plan(target)?;
        if !plan.is_clear() {
            // The run reports why it is rejected.
            return Ok(true);
        }
        steps.extend(plan.steps.iter().map(|step| step.title.clone()));
    }
    if steps.is_empty() {
        return Ok(true);
    }
    let database = selected.first().map(|loaded| url_without_password(&loaded.url)).unwrap_or_default();
    let migrations = match steps.as_slice() {
        [title] => format!("`{title}`"),
        [first, .., last] => format!("{}, `{first}` to `{last}`,", up::count_migrations(steps.len())),
        [] => String::new(),
    };
    let question = format!("revert {migrations} on {database}? Data may be lost.");
    context.output.confirm(&question).ok_or_else(|| {
        CommandError::usage(format!("reverting {migrations} on {database} may lose data and needs confirmation"))
            .help("to confirm, add `--yes`")
    })
}
