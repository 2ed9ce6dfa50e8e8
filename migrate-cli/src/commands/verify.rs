//! `verify`: compares the SQL that was applied with the current files.

use crate::command::Context;
use crate::edits::edits;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::joint_plan;
use crate::views;
use crate::words::count_migrations;
use clap::Args;
use migrate_model::plural::is_are;
use migrate_runtime::{Activity, Divergence, MigrationState, Migrator};
use serde_json::json;

/// Compare the current files with the SQL that was applied. The schema of the database is not compared
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs the command.
pub async fn run(_: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut verified = Vec::new();
    let mut clean = true;
    let services = context.source.services()?;
    let statuses = joint_plan::informed_statuses(&services, context).await?;
    for (service, status) in services.iter().zip(&statuses) {
        let migrator = Migrator::new(service.set.clone());
        let divergences = status.divergences()?;
        let has_errors = divergences.iter().any(Divergence::is_error);
        clean &= !has_errors;
        let neighbors = status.neighbors();
        context.output.findings(&neighbors);
        context.output.divergences(&divergences);
        let mut diffs = Vec::new();
        for edit in edits(&migrator, status, service).await? {
            if !context.output.is_json() {
                context.output.data(edit.diff.trim_end());
            }
            diffs.push(json!({ "version": edit.key.as_str(), "name": edit.title, "diff": edit.diff }));
        }
        let applied = status.history().applied().count();
        let rows = status.migrations();
        // What has no file here is the work of another release.
        let count =
            |test: fn(&MigrationState) -> bool| rows.iter().filter(|row| row.migration().is_some() && test(&row.state)).count();
        let partially_applied = count(|state| matches!(state, MigrationState::PartiallyApplied(_)));
        let is_refused = status.refusal().is_some();
        clean &= partially_applied == 0 && (!is_refused || applied == 0);
        match (!has_errors, partially_applied, count(|state| *state == MigrationState::CosmeticChange)) {
            (false, ..) => {}
            (true, ..) if is_refused => {
                context.output.message(format!("`{}`: not verified, for the reason shown above", service.name));
            }
            (true, 0, 0) => {
                context.output.status("Verified", &format!("`{}`: {applied} applied, all match the files", service.name))
            }
            (true, 0, comments) => {
                let text =
                    format!("`{}`: {applied} applied; only comments or white space changed in {comments} of them", service.name);
                context.output.status("Verified", &text);
            }
            (true, count, _) => {
                let text = partial_text(count, status.activity() == Activity::Running);
                context.output.message(format!("`{}`: {applied} applied, all match the files; {text}", service.name));
            }
        }
        verified.push(json!({
            "service": service.name,
            "database": service.url.to_string(),
            "verified": !has_errors && partially_applied == 0,
            "divergences": views::divergences(&divergences),
            "notes": views::neighbors(&neighbors),
            "diffs": diffs,
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": verified }));
    }
    Ok(if clean { Exit::Done } else { Exit::HistoryMismatch })
}

/// So many migrations are not complete, in words.
fn partial_text(count: usize, is_running: bool) -> String {
    let state = if is_running { "being executed" } else { "partially applied" };
    format!("{} {} {state}: see `cargo migrate status`", count_migrations(count), is_are(count))
}
