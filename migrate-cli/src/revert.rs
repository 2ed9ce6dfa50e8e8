//! What must hold before migrations are reverted: their down scripts are valid, and a person agrees.

use crate::command::Context;
use crate::failure::CommandError;
use crate::joint_plan;
use crate::run::{Needs, RunArguments};
use crate::service::Service;
use crate::stored_scripts::{self, StoredScript};
use crate::words::count_migrations;
use clap::Args;
use migrate_model::finding::Finding;
use migrate_model::plan::Dependent;
use migrate_runtime::{Dependents, Direction, Migrator, Target};

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

/// Options of commands that revert migrations.
#[derive(Debug, Args)]
pub struct RevertArguments {
    /// Run down migrations that only the history contains, without a separate confirmation of their SQL. Every user who can write to the table `migration_records` could have changed this SQL
    #[arg(long)]
    pub stored: bool,
    /// Also revert a migration that an applied migration of another service requires
    #[arg(long)]
    pub force: bool,
}

impl RevertArguments {
    /// The options of a run that reverts.
    pub fn of_run(&self, arguments: &RunArguments) -> RunArguments {
        let dependents = if self.force { Dependents::Disregarded } else { Dependents::Protected };
        RunArguments { dependents, ..arguments.clone() }
    }

    /// What the plan of a revert has to know.
    pub fn needs(&self) -> Needs {
        let dependents = if self.force { Dependents::Disregarded } else { Dependents::Protected };
        Needs { direction: Direction::Down, dependents }
    }
}

/// What a revert was agreed to, and what it must know.
#[derive(Debug, Default)]
pub struct Revert {
    /// The SQL that only the history contains.
    pub stored: Vec<StoredScript>,
    /// For each service, the migrations that services of other databases have applied and that require others.
    pub dependents: Vec<Vec<Dependent>>,
}

/// Asks for confirmation of a revert, unless nothing will run: names the migrations, and shows the SQL that only the history contains.
/// `None` without agreement.
///
/// # Errors
/// If no terminal is available and `--yes` or `--stored` is missing, or if a database cannot be read.
pub async fn confirm_revert(
    services: &[Service],
    target: &Target,
    arguments: &RevertArguments,
    dry_run: bool,
    context: &Context<'_>,
) -> Result<Option<Revert>, CommandError> {
    let (mut titles, mut stored) = (Vec::new(), Vec::new());
    let needs = arguments.needs();
    let mut statuses = Vec::new();
    for service in services {
        statuses.push(needs.migrator(service).status_for(&service.url, needs.direction).await?);
    }
    let targets = vec![target.clone(); services.len()];
    let mut dependents = Vec::new();
    if !arguments.force {
        dependents = joint_plan::dependents_elsewhere(services, &statuses, &targets, context).await?;
        joint_plan::add_dependents(services, &mut statuses, &dependents);
    }
    if dry_run {
        return Ok(Some(Revert { stored, dependents }));
    }
    joint_plan::assume_others(services, &mut statuses, &targets)?;
    for (service, status) in services.iter().zip(&statuses) {
        let plan = status.plan(target)?;
        if !plan.is_clear() || status.refusal().is_some() {
            // The run reports why it is rejected.
            return Ok(Some(Revert { stored: Vec::new(), dependents }));
        }
        titles.extend(plan.steps.iter().map(|step| step.title.clone()));
        stored.extend(stored_scripts::of_plan(service, status, &plan).await?);
    }
    let migrations = match titles.as_slice() {
        [] => return Ok(Some(Revert { stored, dependents })),
        [title] => format!("`{title}`"),
        [first, .., last] => format!("{}, `{first}` to `{last}`,", count_migrations(titles.len())),
    };
    let database = services.first().map(|service| service.url.to_string()).unwrap_or_default();
    stored_scripts::show(&stored, context);
    let asks_for_stored = !stored.is_empty() && !arguments.stored;
    let confirmed = if asks_for_stored {
        let question = format!("run the stored SQL above, and revert {migrations} on {database}? Data may be lost.");
        context.output.confirm(&question).ok_or_else(|| stored_scripts::rejected(&stored))?
    } else {
        let question = format!("revert {migrations} on {database}? Data may be lost.");
        context
            .confirm(&question, || format!("reverting {migrations} on {database} may cause data loss and needs confirmation"))?
    };
    if !confirmed {
        context.output.message("nothing was reverted");
    }
    Ok(confirmed.then_some(Revert { stored, dependents }))
}
