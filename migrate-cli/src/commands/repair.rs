//! `repair`: accepts files that were edited after they were applied, and updates their stored checksums.

use crate::command::Context;
use crate::edits::{Edit, edits};
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::service::Service;
use crate::values;
use clap::Args;
use migrate_runtime::{MigrationState, Migrator, Version};
use serde_json::{Value, json};

/// Accept edited files of applied migrations: update their checksums and SQL in the history without running the SQL
#[derive(Debug, Args)]
pub struct Arguments {
    /// Repair only these versions. Without this argument, the history is updated for all edited files; and if rows were deleted from the history tables, `repair` asks whether to accept the remaining rows as the complete history
    #[arg(value_name = "VERSION", value_parser = values::version)]
    migrations: Vec<Version>,
    /// Also accept files whose SQL was edited, not only those with edited comments or white space. The schema of the database must already match the edited files
    #[arg(long)]
    sql: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let services = context.source.services()?;
    if let ([version, ..], [_, _, ..]) = (arguments.migrations.as_slice(), services.as_slice()) {
        return Err(CommandError::usage(format!("version {version} is ambiguous, because several packages are selected"))
            .help("select a package: `-p NAME`"));
    }
    let mut views = Vec::new();
    let mut rejected = 0;
    for service in &services {
        let repair = repair(service, arguments, context).await?;
        if repair.accepted.is_empty() && repair.rejected == 0 {
            context.output.message(format!("`{}`: nothing to repair", service.name));
        }
        rejected += repair.rejected;
        views.push(json!({ "service": service.name, "database": service.url.to_string(), "repaired": repair.accepted }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": views }));
    }
    Ok(if rejected == 0 { Exit::Done } else { Exit::HistoryMismatch })
}

/// The edits of one service.
#[derive(Debug, Default)]
struct Repair {
    accepted: Vec<Value>,
    rejected: usize,
}

async fn repair(service: &Service, arguments: &Arguments, context: &Context<'_>) -> Result<Repair, CommandError> {
    let migrator = Migrator::new(service.set.clone());
    let status = migrator.status(&service.url).await?;
    if let Some(refusal) = status.refusal().filter(|_| !status.has_lost_records()) {
        return Err(refusal.into());
    }
    if let Some(unknown) = arguments.migrations.iter().find(|version| status.history().get(&(*version).into()).is_none()) {
        return Err(CommandError::usage(format!("version {unknown} is not in the history of `{}`", service.name))
            .help("see `cargo migrate status`"));
    }
    let mut repair = Repair::default();
    if arguments.migrations.is_empty() && status.has_lost_records() {
        context.output.findings(&status.neighbors());
        let question = format!("accept the incomplete history of `{}` on {} as complete?", service.name, service.url);
        if context.confirm(&question, || "accepting an incomplete history as complete needs confirmation".to_owned())? {
            migrator.accept_records(&service.url).await?;
            context
                .output
                .status("Repaired", &format!("the history of `{}`: its existing rows now count as complete", service.name));
            repair.accepted.push(json!({ "version": null, "name": null, "diff": null }));
        } else {
            repair.rejected += 1;
        }
    }
    if arguments.migrations.is_empty() && status.has_other_summary() {
        migrator.repair_summary(&service.url).await?;
        context.output.status("Repaired", &format!("the row of `{}` in the summary table, from its records", service.name));
        repair.accepted.push(json!({ "version": null, "name": null, "diff": null }));
    }
    for edit in edits(&migrator, &status, service).await? {
        if !arguments.migrations.is_empty() && !arguments.migrations.iter().any(|version| edit.key == *version) {
            continue;
        }
        if !is_accepted(&edit, service, arguments, context)? {
            repair.rejected += 1;
            continue;
        }
        migrator.repair(&service.url, &edit.key).await?;
        context.output.status("Repaired", &edit.title);
        repair.accepted.push(json!({ "version": edit.key.as_str(), "name": edit.title, "diff": edit.diff }));
    }
    Ok(repair)
}

/// Shows an edit and asks whether it is accepted.
fn is_accepted(edit: &Edit, service: &Service, arguments: &Arguments, context: &Context<'_>) -> Result<bool, CommandError> {
    if !context.output.is_json() {
        context.output.data(edit.diff.trim_end());
    }
    if edit.state == MigrationState::Changed && !arguments.sql {
        context.output.message(format!(
            "the SQL of `{}` was changed; if the schema of the database already matches the edited file, run `cargo migrate repair --sql`",
            edit.title
        ));
        return Ok(false);
    }
    context.confirm(&format!("accept the edited `{}` in the history of {}?", edit.title, service.url), || {
        format!("accepting the edited `{}` needs confirmation", edit.title)
    })
}
