//! `resolve`: declares the outcome of a statement of a partially applied migration when a run cannot determine it.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::output::Output;
use crate::run::RunArguments;
use crate::values;
use clap::Args;
use migrate_model::resumption;
use migrate_model::statement::{self, Reading};
use migrate_runtime::{Activity, Direction, RecordState, Resolution, StatusReport, StopSignal, Version};

/// Resolve a partially applied migration: mark it as applied or not applied, or choose the statement at which it resumes
#[derive(Debug, Args)]
#[command(override_usage = "cargo migrate resolve <--applied|--not-applied|--retry> <VERSION>\n       \
                            cargo migrate resolve --skip-to <N> <VERSION>")]
#[command(group = clap::ArgGroup::new("how").required(true))]
pub struct Arguments {
    /// Version of the partially applied migration
    #[arg(value_name = "VERSION", value_parser = values::version)]
    migration: Version,
    /// Mark the migration as applied or, if its down migration was interrupted, as reverted; use this if all statements of the interrupted file have taken effect
    #[arg(long, group = "how")]
    applied: bool,
    /// Mark the migration as not applied or, if its down migration was interrupted, as not reverted; use this after you have undone the statements that ran. The command lists these statements and asks for confirmation
    #[arg(long, group = "how")]
    not_applied: bool,
    /// Make the next run resume with the statement that failed or whose outcome is unknown; use this if that statement had no effect, or if it is safe to run it again
    #[arg(long, group = "how")]
    retry: bool,
    /// Make the next run resume at statement N, counted from 1; use this if all statements before statement N have taken effect
    #[arg(long, group = "how", value_name = "N")]
    skip_to: Option<usize>,
}

impl Arguments {
    fn resolution(&self) -> Resolution {
        if self.applied {
            Resolution::MarkApplied
        } else if self.not_applied {
            Resolution::MarkNotApplied
        } else {
            self.skip_to.map_or(Resolution::Retry, Resolution::SkipTo)
        }
    }
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let services = context.source.services()?;
    let [service] = services.as_slice() else {
        return Err(CommandError::several_services());
    };
    let resolution = arguments.resolution();
    let migrator = RunArguments::default().migrator(service, &StopSignal::new(), context.output);
    let status = migrator.status(&service.url).await?;
    if let Some(refusal) = status.refusal().filter(|_| !status.has_lost_records()) {
        return Err(refusal.into());
    }
    let reading = service.set.settings().reading();
    print_evidence(&status, &arguments.migration, reading, context.output);
    let record = status.history().get(&(&arguments.migration).into());
    if status.activity() == Activity::Running && record.is_some_and(|record| record.state.interrupted().is_some()) {
        let message = format!("a process is running version {} now, so the outcome is not known yet", arguments.migration);
        return Err(
            CommandError::other(message).help("wait until that process ends, or stop it, then run the same command again")
        );
    }
    if resolution == Resolution::MarkNotApplied && !confirm_undone(&status, &arguments.migration, reading, context)? {
        return Ok(Exit::Failed);
    }
    let is_revert = record.is_some_and(|record| resumption::direction_of(record) == Direction::Down);
    migrator.resolve_as_shown(&service.url, &status, &arguments.migration, resolution).await?;
    let text = match resolution {
        Resolution::MarkApplied if is_revert => format!("{}: marked as reverted", arguments.migration),
        Resolution::MarkApplied => format!("{}: marked as applied", arguments.migration),
        Resolution::MarkNotApplied if is_revert => format!("{}: marked as not reverted", arguments.migration),
        Resolution::MarkNotApplied => format!("{}: marked as not applied", arguments.migration),
        Resolution::Retry => {
            format!("{}: run the interrupted command again; it resumes with the same statement", arguments.migration)
        }
        Resolution::SkipTo(statement) => {
            format!("{}: run the interrupted command again; it resumes at statement {statement}", arguments.migration)
        }
        _ => arguments.migration.to_string(),
    };
    context.output.status("Resolved", &text);
    Ok(Exit::Done)
}

/// Prints the statements that ran, and asks whether they are undone.
fn confirm_undone(
    status: &StatusReport,
    version: &Version,
    reading: Reading<'_>,
    context: &Context<'_>,
) -> Result<bool, CommandError> {
    print_statements(status, version, reading, context.output);
    let question = format!("have you undone the changes of these statements of version {version}?");
    let confirmed = context.confirm(&question, || {
        format!("marking version {version} as not applied needs confirmation that you have undone the statements that ran")
    })?;
    if !confirmed {
        context.output.message("nothing was recorded: undo the changes of these statements, then run the same command again");
    }
    Ok(confirmed)
}

/// Prints the statements that ran, which the operator must have undone.
fn print_statements(status: &StatusReport, version: &Version, reading: Reading<'_>, output: &Output) {
    let Some(record) = status.history().get(&version.into()) else { return };
    let sql = record.pending_sql.as_deref().unwrap_or_default();
    let (statements, _) = statement::split(sql, reading, "");
    let partly = usize::from(record.state.is_unclear());
    for (at, statement) in statements.iter().enumerate().take(record.statements_done + partly) {
        let text = statement.sql(sql);
        let ran = if at < record.statements_done { "ran" } else { "may have run in part" };
        let first = text.lines().next().unwrap_or_default();
        let more = if text.lines().count() > 1 { " ..." } else { "" };
        output.message(format!("             statement {} {ran}: {first}{more}", at + 1));
    }
}

/// Prints the statement at which the migration was interrupted, and what the system catalog shows about its outcome.
fn print_evidence(status: &StatusReport, version: &Version, reading: Reading<'_>, output: &Output) {
    let Some(record) = status.history().get(&version.into()).filter(|record| record.state != RecordState::Applied) else {
        return;
    };
    let sql = record.pending_sql.as_deref().unwrap_or_default();
    let (at, next) = resumption::next_statement(sql, record.statements_done, reading);
    let next = next.map_or(String::new(), |line| format!(", `{line}`"));
    let stopped = match record.state {
        RecordState::Failed | RecordState::RevertFailed | RecordState::Unclear | RecordState::RevertUnclear => "failed",
        RecordState::Resolved | RecordState::RevertResolved => "set to resume",
        _ if status.activity() == Activity::Running => "being executed",
        _ => "interrupted",
    };
    output.status("Inspected", &format!("{version}: {stopped} {}{next}", resumption::stop_place(at, record.statements)));
    for (_, evidence) in status.evidence().filter(|(interrupted, _)| *interrupted == version) {
        output.message(format!("             {evidence}"));
    }
}
