//! `wait`: waits until the database accepts connections.

use crate::arguments;
use crate::command::Context;
use crate::database_url;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::packages;
use clap::Args;
use migrate_model::duration;
use migrate_runtime::{Migrator, url_without_password};
use std::time::{Duration, Instant};

/// Wait until the database accepts connections
#[derive(Debug, Args)]
pub struct Arguments {
    /// Stop waiting after this time
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration, default_value = "60s")]
    timeout: Duration,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let urls = match database_url::explicit(context) {
        // With an explicit URL, no project is needed.
        Some(url) => vec![url],
        None => {
            let projects = packages::projects(context)?;
            let mut urls: Vec<String> =
                projects.iter().map(|project| database_url::of(context, project)).collect::<Result<_, _>>()?;
            urls.dedup();
            urls
        }
    };
    for url in urls {
        let since = Instant::now();
        Migrator::wait_for_database(&url, arguments.timeout).await?;
        let waited = duration::show(since.elapsed());
        context.output.status("Ready", &format!("{} after {waited}", url_without_password(&url)));
    }
    Ok(Exit::Done)
}
