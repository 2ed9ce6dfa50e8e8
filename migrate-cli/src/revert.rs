//! What must hold before migrations are reverted: their down scripts are valid, and a person agrees.

use crate::command::Context;
use crate::failure::CommandError;
use crate::service::Service;
use crate::words::count_migrations;
use migrate_model::finding::Finding;
use migrate_runtime::{Migrator, Target};

/// Rejects a revert if one of its down migrations contains an error.
///
/// # Errors
/// If so, or if the database cannot be read.
pub async fn check_down_scripts(services: &[Service], target: &Target) -> Result<(), CommandError> {
    let mut errors: Vec<Finding> = Vec::new();
    for service in services.iter().filter(|service| service.down_findings.iter().any(Finding::is_error)) {
        let status = Migrator::new(service.set.clone()).status(&service.url).await?;
        let plan = status.plan(target)?;
        let files: Vec<&str> =
            plan.steps.iter().filter_map(|step| step.migration?.down.as_ref().map(|down| &*down.file)).collect();
        let is_in_plan = |finding: &&Finding| finding.place.as_ref().is_some_and(|place| files.contains(&place.file.as_str()));
        errors.extend(service.down_findings.iter().filter(is_in_plan).filter(|finding| finding.is_error()).cloned());
    }
    if errors.is_empty() { Ok(()) } else { Err(CommandError::Findings(errors)) }
}

/// Asks for confirmation of a revert and names the migrations.
///
/// # Errors
/// If no terminal is available and `--yes` is missing, or if the database cannot be read.
pub async fn confirm_revert(services: &[Service], target: &Target, context: &Context<'_>) -> Result<bool, CommandError> {
    if context.assume_yes {
        return Ok(true);
    }
    let mut titles = Vec::new();
    for service in services {
        let status = Migrator::new(service.set.clone()).status(&service.url).await?;
        let plan = status.plan(target)?;
        if !plan.is_clear() {
            // The run reports why it is rejected.
            return Ok(true);
        }
        titles.extend(plan.steps.iter().map(|step| step.title.clone()));
    }
    let migrations = match titles.as_slice() {
        [] => return Ok(true),
        [title] => format!("`{title}`"),
        [first, .., last] => format!("{}, `{first}` to `{last}`,", count_migrations(titles.len())),
    };
    let database = services.first().map(|service| service.url.to_string()).unwrap_or_default();
    let question = format!("revert {migrations} on {database}? Data may be lost.");
    let confirmed = context
        .confirm(&question, || format!("reverting {migrations} on {database} may cause data loss and needs confirmation"))?;
    if !confirmed {
        context.output.message("nothing was reverted");
    }
    Ok(confirmed)
}
