//! `db create|drop|reset`: creates, drops and resets whole databases.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::joint_plan;
use crate::revert::Revert;
use crate::run::{RunArguments, refuse_empty_drafts, run_jointly};
use crate::service::Service;
use crate::words::count_migrations;
use clap::{Args, Subcommand};
use migrate_model::finding::Finding;
use migrate_runtime::database::{self, Resident};
use migrate_runtime::{DatabaseUrl, Migrator, Target, codes};
use std::collections::BTreeSet;

/// The subcommands of `db`.
#[derive(Debug, Subcommand)]
pub enum DbAction {
    /// Create the database if it does not exist
    Create,
    /// Drop the database with everything in it
    Drop(DropArguments),
    /// Drop the database, create it again and apply all migrations
    Reset(DropArguments),
}

/// Options of the commands that drop a database.
#[derive(Debug, Args)]
pub struct DropArguments {
    /// Drop the database even if services that are not selected, or other migration tools, have applied migrations in it
    #[arg(long)]
    with_others: bool,
}

/// Runs the command.
pub async fn run(action: &DbAction, context: &Context<'_>) -> Result<Exit, CommandError> {
    match action {
        DbAction::Create => create(&single_url(context)?, context).await?,
        DbAction::Drop(arguments) => {
            let url = single_url(context)?;
            let residents = residents(&url, &context.source.names()?, arguments).await?;
            if !confirm_drop(&url, &residents, context)? {
                return Ok(Exit::Failed);
            }
            drop(&url, context).await?;
        }
        DbAction::Reset(arguments) => return reset(arguments, context).await,
    }
    Ok(Exit::Done)
}

async fn reset(arguments: &DropArguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    // What cannot be applied afterwards must not be dropped.
    let services = context.source.services()?;
    let targets = vec![Target::Latest; services.len()];
    refuse_empty_drafts(&services, &targets)?;
    joint_plan::require_clear_from_empty(&services)?;
    let names: Vec<String> = services.iter().map(|service| service.name.clone()).collect();
    let mut urls: Vec<&DatabaseUrl> = Vec::new();
    for service in &services {
        if !urls.iter().any(|url| url.place() == service.url.place()) {
            urls.push(&service.url);
        }
    }
    let mut all = Vec::new();
    for url in &urls {
        all.push(residents(url, &names, arguments).await?);
    }
    require_usable(&services).await?;
    for (url, residents) in urls.iter().zip(&all) {
        if !confirm_drop(url, residents, context)? {
            return Ok(Exit::Failed);
        }
    }
    for url in urls {
        drop(url, context).await?;
        create(url, context).await?;
    }
    run_jointly(&services, &targets, &RunArguments::default(), &Revert::default(), context).await
}

/// Rejects services whose settings do not fit the database, so that nothing could be applied after the drop. What a database
/// contains, and whether it exists, does not matter.
async fn require_usable(services: &[Service]) -> Result<(), CommandError> {
    let mut errors = Vec::new();
    for service in services {
        let unusable = [&codes::WRONG_DIALECT, &codes::SESSION_REJECTED, &codes::BAD_NAME_FOR_HISTORY];
        match Migrator::new(service.set.clone()).status(&service.url).await {
            Err(error) if unusable.contains(&error.code()) => {
                errors.push(CommandError::from(error).of(service).note("state: nothing was dropped"));
            }
            Ok(_) | Err(_) => {}
        }
    }
    CommandError::all(errors)
}

/// Who has recorded migrations in a database that is to be dropped.
async fn residents(url: &DatabaseUrl, names: &[String], arguments: &DropArguments) -> Result<Vec<Resident>, CommandError> {
    let residents = database::residents(url).await?;
    let others: Vec<&Resident> = residents.iter().filter(|resident| !names.contains(&resident.name)).collect();
    if others.is_empty() || arguments.with_others {
        return Ok(residents);
    }
    let message = format!("{url} also contains what others have applied: {}; nothing was dropped", list(others));
    let finding = Finding::error(&codes::SHARED_DATABASE, message)
        .help("select these services, too: `--workspace`, or `-p NAME` for each")
        .help("or drop their tables and data as well: `--with-others`");
    Err(CommandError::Findings(vec![finding]))
}

/// `` `api` (12 migrations), `billing` (1 migration) ``.
fn list<'r>(residents: impl IntoIterator<Item = &'r Resident>) -> String {
    let text = |resident: &Resident| {
        let applied = resident.applied.map_or("an unknown number of migrations".to_owned(), count_migrations);
        format!("`{}` ({applied} in `{}`)", resident.name, resident.table)
    };
    residents.into_iter().map(text).collect::<Vec<_>>().join(", ")
}

fn single_url(context: &Context<'_>) -> Result<DatabaseUrl, CommandError> {
    let mut urls = context.source.urls()?;
    // Services of one database may have users of their own.
    let places: Vec<String> = urls.iter().map(DatabaseUrl::place).collect();
    match places.iter().collect::<BTreeSet<_>>().len() {
        1 => Ok(urls.remove(0)),
        _ => Err(CommandError::several_services()),
    }
}

fn confirm_drop(url: &DatabaseUrl, residents: &[Resident], context: &Context<'_>) -> Result<bool, CommandError> {
    let contents = if residents.is_empty() { String::new() } else { format!(": {}", list(residents)) };
    let confirmed = context.confirm(&format!("drop {url} with everything in it{contents}?"), || {
        format!("dropping {url} with everything in it needs confirmation{contents}")
    })?;
    if !confirmed {
        context.output.message("nothing was dropped");
    }
    Ok(confirmed)
}

async fn create(url: &DatabaseUrl, context: &Context<'_>) -> Result<(), CommandError> {
    if database::create(url).await? {
        context.output.status("Created", &url.to_string());
    } else {
        context.output.message(format!("{url} already exists"));
    }
    Ok(())
}

async fn drop(url: &DatabaseUrl, context: &Context<'_>) -> Result<(), CommandError> {
    if database::drop(url).await? {
        context.output.status("Dropped", &url.to_string());
    } else {
        context.output.message(format!("{url} does not exist"));
    }
    Ok(())
}
