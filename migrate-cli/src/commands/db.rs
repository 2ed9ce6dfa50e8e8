//! `db create|drop|reset`: creates, drops and resets whole databases.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::run::{RunArguments, refuse_empty_drafts, run_targets};
use clap::Subcommand;
use migrate_runtime::{DatabaseUrl, Target, database};

/// The subcommands of `db`.
#[derive(Debug, Subcommand)]
pub enum DbAction {
    /// Create the database if it does not exist
    Create,
    /// Drop the database with everything in it
    Drop,
    /// Drop the database, create it again and apply all migrations
    Reset,
}

/// Runs the command.
pub async fn run(action: &DbAction, context: &Context<'_>) -> Result<Exit, CommandError> {
    match action {
        DbAction::Create => create(&single_url(context)?, context).await?,
        DbAction::Drop => {
            let url = single_url(context)?;
            if !confirm_drop(&url, context)? {
                return Ok(Exit::Failed);
            }
            drop(&url, context).await?;
        }
        DbAction::Reset => return reset(context).await,
    }
    Ok(Exit::Done)
}

async fn reset(context: &Context<'_>) -> Result<Exit, CommandError> {
    // Load the files first: if they contain errors, no database is dropped.
    let services = context.source.services()?;
    let targets = vec![vec![Target::Latest]; services.len()];
    refuse_empty_drafts(&services, &targets)?;
    let mut urls: Vec<&DatabaseUrl> = Vec::new();
    for service in &services {
        if !urls.contains(&&service.url) {
            urls.push(&service.url);
        }
    }
    for url in urls {
        if !confirm_drop(url, context)? {
            return Ok(Exit::Failed);
        }
        drop(url, context).await?;
        create(url, context).await?;
    }
    run_targets(&services, &targets, &RunArguments::default(), &[], context).await
}

fn single_url(context: &Context<'_>) -> Result<DatabaseUrl, CommandError> {
    let mut urls = context.source.urls()?;
    match urls.len() {
        1 => Ok(urls.remove(0)),
        _ => Err(CommandError::several_services()),
    }
}

fn confirm_drop(url: &DatabaseUrl, context: &Context<'_>) -> Result<bool, CommandError> {
    let confirmed = context.confirm(&format!("drop {url} with everything in it?"), || {
        format!("dropping {url} with everything in it needs confirmation")
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
