//! `wait`: waits until the database accepts connections.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::values;
use clap::Args;
use migrate_model::duration;
use migrate_runtime::Migrator;
use std::time::{Duration, Instant};

/// Wait until the database accepts connections
#[derive(Debug, Args)]
pub struct Arguments {
    /// Fail if the database accepts no connection within this time
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "60s")]
    timeout: Duration,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut urls = context.source.urls()?;
    urls.dedup();
    for url in urls {
        let since = Instant::now();
        Migrator::wait_for_database(&url, arguments.timeout).await?;
        let waited = duration::show(since.elapsed());
        context.output.status("Ready", &format!("{url} after {waited}"));
    }
    Ok(Exit::Done)
}
