//! `db create|drop|reset`: creates, drops and resets whole databases.

use super::up::{self, RunArguments};
use crate::command::Context;
use crate::database_url;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::packages;
use clap::Subcommand;
use migrate_runtime::{Target, database, url_without_password};

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
        DbAction::Create => {
            let url = single_url(context)?;
            create(&url, context).await?;
        }
        DbAction::Drop => {
            let url = single_url(context)?;
            if !confirm_drop(&url, context)? {
                return Ok(Exit::Failed);
            }
            drop(&url, context).await?;
        }
        DbAction::Reset => {
            // Load the files first: if they contain errors, no database is dropped.
            let selected = loaded_project::load_with_database(context)?;
            let targets = vec![vec![Target::Latest]; selected.len()];
            up::refuse_empty_drafts(&selected, &targets)?;
            let mut urls: Vec<&String> = selected.iter().map(|loaded| &loaded.url).collect();
            urls.sort();
            urls.dedup();
            for url in urls {
                if !confirm_drop(url, context)? {
                    return Ok(Exit::Failed);
                }
                drop(url, context).await?;
                create(url, context).await?;
            }
            return up::run_targets(&selected, &targets, &RunArguments::default(), context).await;
        }
    }
    Ok(Exit::Done)
}

fn single_url(context: &Context<'_>) -> Result<String, CommandError> {
    match database_url::explicit(context) {
        Some(url) => Ok(url),
        None => database_url::of(context, &packages::project(context)?),
    }
}

fn confirm_drop(url: &str, context: &Context<'_>) -> Result<bool, CommandError> {
    let display_url = url_without_password(url);
    if context.global.yes {
        return Ok(true);
    }
    let answer = context.output.confirm(&format!("drop {display_url} with everything in it?"));
    let answer = answer.ok_or_else(|| {
        CommandError::usage(format!("dropping {display_url} with everything in it needs confirmation"))
            .help("to confirm, add `--yes`")
    })?;
    if !answer {
        context.output.message("nothing was dropped");
    }
    Ok(answer)
}

async fn create(url: &str, context: &Context<'_>) -> Result<(), CommandError> {
    let display_url = url_without_password(url);
    if database::create(url).await? {
        context.output.status("Created", &display_url);
    } else {
        context.output.message(format!("{display_url} already exists"));
    }
    Ok(())
}

async fn drop(url: &str, context: &Context<'_>) -> Result<(), CommandError> {
    let display_url = url_without_password(url);
    if database::drop(url).await? {
        context.output.status("Dropped", &display_url);
    } else {
        context.output.message(format!("{display_url} does not exist"));
    }
    Ok(())
}
