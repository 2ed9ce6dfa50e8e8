//! `db create|drop|reset`: the database as a whole.

use super::up::{self, RunArguments};
use crate::command::Context;
use crate::database_url;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::packages;
use clap::Subcommand;
use migrate_runtime::{Target, database, url_without_password};

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub enum DbAction {
    /// Create the database, if it is not there
    Create,
    /// Drop the database with everything in it
    Drop,
    /// Drop the database, create it again and apply all migrations
    Reset,
}

/// Runs it.
pub async fn run(action: &DbAction, context: &Context<'_>) -> Result<Exit, CommandError> {
    match action {
        DbAction::Create => {
            let url = one_url(context)?;
            create(&url, context).await?;
        }
        DbAction::Drop => {
            let url = one_url(context)?;
            if !confirm_drop(&url, context)? {
                return Ok(Exit::Failed);
            }
            drop(&url, context).await?;
        }
        DbAction::Reset => {
            // Files that cannot be read must not cost a database.
            let selected = loaded_project::load_with_database(context)?;
            let targets = vec![vec![Target::Latest]; selected.len()];
            up::refuse_empty_drafts(&selected, &targets)?;
            let mut urls: Vec<&String> = selected.iter().map(|one| &one.url).collect();
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

fn one_url(context: &Context<'_>) -> Result<String, CommandError> {
    match database_url::explicit(context) {
        Some(url) => Ok(url),
        None => database_url::of(context, &packages::project(context)?),
    }
}

fn confirm_drop(url: &str, context: &Context<'_>) -> Result<bool, CommandError> {
    let shown = url_without_password(url);
    if context.global.yes {
        return Ok(true);
    }
    let answer = context.output.confirm(&format!("drop {shown} with everything in it?"));
    let answer = answer.ok_or_else(|| {
        CommandError::usage(format!("would drop {shown} with everything in it")).help("add `--yes` to do it without being asked")
    })?;
    if !answer {
        context.output.message("nothing was dropped");
    }
    Ok(answer)
}

async fn create(url: &str, context: &Context<'_>) -> Result<(), CommandError> {
    let shown = url_without_password(url);
    match database::create(url).await? {
        true => context.output.status("Created", &shown),
        false => context.output.message(format!("{shown} is there already")),
    }
    Ok(())
}

async fn drop(url: &str, context: &Context<'_>) -> Result<(), CommandError> {
    let shown = url_without_password(url);
    match database::drop(url).await? {
        true => context.output.status("Dropped", &shown),
        false => context.output.message(format!("there was no {shown}")),
    }
    Ok(())
}
