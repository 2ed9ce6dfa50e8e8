//! `status`: shows which migrations are applied.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::output::Cell;
use crate::run::status_of;
use crate::stored_scripts::STORED_NOT_CONFIRMED;
use crate::views;
use crate::words::count_migrations;
use clap::Args;
use migrate_model::duration;
use migrate_runtime::{Activity, MigrationState, MigrationStatus, RecordState, StatusReport};
use serde_json::json;
use std::time::Duration;

/// Show which migrations are applied
#[derive(Debug, Args)]
pub struct Arguments {
    /// Exit with code 5 if the SQL in the file of an applied migration was changed. Also exit with code 5 if migrations are pending and an applied migration has no file although a newer migration has one. Otherwise, exit with code 3 if a migration is pending, out of order or partially applied
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let services = context.source.services()?;
    let several = services.len() > 1;
    let mut views = Vec::new();
    let mut table: Vec<Vec<Cell>> = Vec::new();
    let mut summaries = Vec::new();
    let (mut pending, mut rejected) = (0, 0);
    for service in &services {
        let status = status_of(service, context.output).await?;
        let (counts, neighbors) = (Counts::of(&status), status.neighbors());
        context.output.findings(&neighbors);
        pending += counts.pending;
        rejected += counts.rejected();
        for migration in &status.migrations() {
            let mut cells = cells(migration, &status);
            if several {
                cells.insert(0, Cell::plain(&service.name));
            }
            table.push(cells);
        }
        summaries.push(format!("`{}`: {}", service.name, counts.summary()));
        views.push(json!({
            "service": service.name,
            "database": service.url.to_string(),
            "current": status.history().latest_applied().map(|record| record.key.as_str()),
            "applied": counts.applied,
            "pending": counts.pending,
            "up_to_date": counts.pending == 0,
            "running": running(status.activity()),
            "notes": views::neighbors(&neighbors),
            "migrations": status.migrations().iter().map(|migration| views::migration(migration, status.writers())).collect::<Vec<_>>(),
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": views }));
    } else {
        let mut head = vec!["version", "name", "state", "applied at (UTC)", "took"];
        if several {
            head.insert(0, "service");
        }
        if !table.is_empty() {
            context.output.table(&head, table);
            context.output.message("");
        }
        summaries.iter().for_each(|line| context.output.message(line));
    }
    Ok(match (arguments.check, rejected, pending) {
        (true, 1.., _) => Exit::HistoryMismatch,
        (true, 0, 1..) => Exit::Pending,
        _ => Exit::Done,
    })
}

/// How many migrations of a service are in which state.
#[derive(Debug)]
struct Counts {
    known: usize,
    applied: usize,
    pending: usize,
    partially_applied: usize,
    /// Applied, and the file was changed.
    changed: usize,
    /// Applied, and the file is missing.
    missing: usize,
}

impl Counts {
    fn of(status: &StatusReport) -> Self {
        let migrations = status.migrations();
        let count = |test: fn(&MigrationStatus<'_>) -> bool| migrations.iter().filter(|migration| test(migration)).count();
        Counts {
            known: migrations.len(),
            applied: status.history().applied().count(),
            pending: count(|status| status.is_unapplied()),
            partially_applied: count(|status| {
                status.is_unapplied() && matches!(status.state, MigrationState::PartiallyApplied(_))
            }),
            changed: count(|status| status.state == MigrationState::Changed),
            missing: count(|status| status.state == MigrationState::FileMissing),
        }
    }

    /// How many prevent a run. A run without a pending migration does not need the files that are missing.
    fn rejected(&self) -> usize {
        self.changed + if self.pending > 0 { self.missing } else { 0 }
    }

    fn summary(&self) -> String {
        let Counts { known, applied, pending, partially_applied, .. } = *self;
        let mismatched = self.changed + self.missing;
        let open = count_migrations(pending);
        match pending {
            0 if known == 0 => "no migrations yet; create one with `cargo migrate new`".to_owned(),
            0 if mismatched > 0 => {
                format!("{applied} applied, {mismatched} of them with a changed or missing file; see `cargo migrate verify`")
            }
            0 => format!("up to date, {applied} applied"),
            _ if mismatched > 0 => {
                format!("{applied} applied, {mismatched} of them with a changed or missing file, {open} pending")
            }
            _ if partially_applied >= pending => format!("{applied} applied, {partially_applied} partially applied"),
            _ if partially_applied > 0 => {
                let open = count_migrations(pending - partially_applied);
                format!("{applied} applied, {open} pending, {partially_applied} partially applied")
            }
            _ => format!("{applied} applied, {open} pending"),
        }
    }
}

/// Whether a process runs migrations; null if that is unknown.
fn running(activity: Activity) -> Option<bool> {
    match activity {
        Activity::Running => Some(true),
        Activity::Idle => Some(false),
        _ => None,
    }
}

fn cells(status: &MigrationStatus<'_>, report: &StatusReport) -> Vec<Cell> {
    let activity = report.activity();
    let state = match status.state {
        MigrationState::Applied => Cell::good("applied"),
        MigrationState::CosmeticChange => Cell::good("applied (comments changed)"),
        MigrationState::Pending => Cell::pending("pending"),
        MigrationState::OutOfOrder => Cell::pending("pending, out of order"),
        MigrationState::Changed => Cell::bad("applied, file CHANGED"),
        MigrationState::FileMissing => Cell::bad("applied, file MISSING"),
        MigrationState::Ahead => Cell::pending("applied, no local file"),
        MigrationState::PartiallyApplied(state) if activity == Activity::Running && state.interrupted().is_some() => {
            Cell::pending(progress(status, state, activity))
        }
        MigrationState::PartiallyApplied(state) => Cell::bad(progress(status, state, activity)),
        _ => Cell::plain(status.state.name()),
    };
    let at = status.run().and_then(|run| run.applied_at.as_deref()).map(|at| at.replace('T', " ").replace('Z', ""));
    let took = status.run().and_then(|run| run.execution_ms).map(|ms| duration::show(Duration::from_millis(ms)));
    vec![
        Cell::plain(status.key().as_str()),
        Cell::plain(status.title()),
        if is_unconfirmed(status, report) { state.with(&format!(", {STORED_NOT_CONFIRMED}")) } else { state },
        Cell::plain(at.unwrap_or_default()),
        Cell::plain(took.unwrap_or_default()),
    ]
}

/// Whether a revert would run SQL of the history that others may have written.
fn is_unconfirmed(status: &MigrationStatus<'_>, report: &StatusReport) -> bool {
    status.reverts_with_stored_sql() && !report.writers().are_trusted()
}

/// How far a partially applied migration got.
fn progress(status: &MigrationStatus<'_>, state: RecordState, activity: Activity) -> String {
    let label = match state {
        RecordState::Failed => "FAILED",
        RecordState::Started if activity == Activity::Running => "being applied",
        RecordState::Reverting if activity == Activity::Running => "being reverted",
        RecordState::Reverting => "PARTIALLY REVERTED",
        RecordState::RevertFailed => "FAILED revert",
        RecordState::Unclear | RecordState::RevertUnclear => "UNCLEAR",
        _ => "PARTIALLY APPLIED",
    };
    let (done, total) = status.record().map_or((0, 0), |record| (record.statements_done, record.statements));
    let foreign = if status.migration().is_none() { ", no local file" } else { "" };
    format!("{label}, {done} of {total} statements done{foreign}")
}
