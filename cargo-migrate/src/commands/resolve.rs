//! `resolve`: says how far an interrupted migration came, where the tool cannot find out.

use super::up::{self, RunArguments};
use crate::arguments;
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::output::Output;
use clap::Args;
use migrate_model::history::RecordState;
use migrate_model::plan;
use migrate_model::version::Version;
use migrate_runtime::{Resolution, StatusReport, StopSignal};

/// Say how far an interrupted migration came
#[derive(Debug, Args)]
#[command(override_usage = "cargo migrate resolve <--applied|--retry|--skip-to <N>> <VERSION>")]
#[command(group = clap::ArgGroup::new("how").required(true))]
pub struct Arguments {
    /// The migration that stopped in the middle
    #[arg(value_name = "VERSION", value_parser = arguments::version)]
    migration: Version,
    /// All of it is done
    #[arg(long, group = "how")]
    applied: bool,
    /// The statement in question was not carried out: run it again
    #[arg(long, group = "how")]
    retry: bool,
    /// Everything before statement N is done: go on with it
    #[arg(long, group = "how", value_name = "N")]
    skip_to: Option<usize>,
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let selected = loaded_project::load_with_database(context)?;
    let [one] = selected.as_slice() else {
        return Err(CommandError::usage("this works on one package at a time").help("name it: `-p NAME`"));
    };
    let running = RunArguments::default();
    let resolution = match (arguments.applied, arguments.skip_to) {
        (true, _) => Resolution::MarkApplied,
        (false, Some(statement)) => Resolution::SkipTo(statement),
        (false, None) => Resolution::Retry,
    };
    let migrator = up::migrator(one, &running, &StopSignal::default(), context.output);
    print_evidence(&migrator.status(&one.url).await?, &arguments.migration, context.output);
    migrator.resolve(&one.url, &arguments.migration, resolution).await?;
    let text = match resolution {
        Resolution::MarkApplied => format!("{} counts as done", arguments.migration),
        Resolution::Retry => {
            format!("{} goes on with the statement in question: run the same command again", arguments.migration)
        }
        Resolution::SkipTo(statement) => {
            format!("{} goes on with statement {statement}: run the same command again", arguments.migration)
        }
    };
    context.output.status("Resolved", &text);
    Ok(Exit::Done)
}

/// How far the migration came by the history, at which statement, and what the catalogue says of that.
fn print_evidence(status: &StatusReport<'_>, version: &Version, output: &Output) {
    let Some(record) = status.history().get(version).filter(|record| record.state != RecordState::Applied) else { return };
    let ran = record.pending_sql.as_deref().unwrap_or_default();
    let (at, next) = plan::next_statement(ran, record.statements_done, status.dialect());
    let next = next.map_or(String::new(), |line| format!(", `{line}`"));
    output.status("Found", &format!("{version} at statement {at} of {}{next}", record.statements));
    for (_, found) in status.evidence().filter(|(found, _)| *found == version) {
        output.message(format!("             {found}"));
    }
}
