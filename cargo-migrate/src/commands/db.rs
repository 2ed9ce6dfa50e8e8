//! `db create|drop|reset`: the database as a whole.

use super::up::{self, Running};
use crate::command::Context;
use crate::database_url;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::packages;
use crate::selection;
use clap::Subcommand;
use migrate_runtime::{Target, database, url_without_password};

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Create the database, if it is not there
    Create,
    /// Drop the database with everything in it
    Drop,
    /// Drop the database, create it again and apply all migrations
    Reset,
}

/// Runs it.
pub async fn run(action: &Action, context: &Context<'_>) -> Result<Exit, Failure> {
    match action {
        Action::Create => {
            let url = one_url(context)?;
            create(&url, context).await?;
        }
        Action::Drop => {
            let url = one_url(context)?;
            if !confirmed(&url, context)? {
                return Ok(Exit::Failed);
            }
            drop(&url, context).await?;
        }
        Action::Reset => {
            // Files that cannot be read must not cost a database.
            let selected = selection::with_database(context)?;
            let targets = vec![vec![Target::Latest]; selected.len()];
            up::refuse_empty_drafts(&selected, &targets)?;
            let mut urls: Vec<&String> = selected.iter().map(|one| &one.url).collect();
            urls.sort();
            urls.dedup();
            for url in urls {
                if !confirmed(url, context)? {
                    return Ok(Exit::Failed);
                }
                drop(url, context).await?;
                create(url, context).await?;
            }
            return up::carry_out(&selected, &targets, &Running::default(), context).await;
        }
    }
    Ok(Exit::Done)
}

fn one_url(context: &Context<'_>) -> Result<String, Failure> {
    match database_url::named(context) {
        Some(url) => Ok(url),
        None => database_url::of(context, &packages::project(context)?),
    }
}

fn confirmed(url: &str, context: &Context<'_>) -> Result<bool, Failure> {
    let shown = url_without_password(url);
    if context.global.yes {
        return Ok(true);
    }
    let answer = context.output.ask(&format!("drop {shown} with everything in it?"));
    let answer = answer.ok_or_else(|| {
        Failure::usage(format!("would drop {shown} with everything in it")).help("add `--yes` to do it without being asked")
    })?;
    if !answer {
        context.output.words("nothing was dropped");
    }
    Ok(answer)
}

async fn create(url: &str, context: &Context<'_>) -> Result<(), Failure> {
    let shown = url_without_password(url);
    match database::create(url).await? {
        true => context.output.verb("Created", &shown),
        false => context.output.words(format!("{shown} is there already")),
    }
    Ok(())
}

async fn drop(url: &str, context: &Context<'_>) -> Result<(), Failure> {
    let shown = url_without_password(url);
    match database::drop(url).await? {
        true => context.output.verb("Dropped", &shown),
        false => context.output.words(format!("there was no {shown}")),
    }
    Ok(())
}
