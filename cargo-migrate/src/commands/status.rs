//! `status`: shows which migrations are applied.

use super::up::{count_migrations, status_of};
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::output::Cell;
use clap::Args;
use migrate_model::duration;
use migrate_model::history::RecordState;
use migrate_runtime::{MigrationState, MigrationStatus, url_without_password};
use serde_json::{Value, json};
use std::time::Duration;

/// Show which migrations are applied
#[derive(Debug, Args)]
pub struct Arguments {
    /// Exit with 3 if a migration is pending, and with 5 if an applied file was changed or is missing
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let selected = loaded_project::load_with_database(context)?;
    let several = selected.len() > 1;
    let mut services = Vec::new();
    let mut table: Vec<Vec<Cell>> = Vec::new();
    let mut summaries = Vec::new();
    let mut pending = 0;
    let mut mismatched = 0;
    for loaded in &selected {
        let status = status_of(loaded, context.output).await?;
        let rows = status.migrations();
        let open = status.pending().len();
        pending += open;
        for row in &rows {
            let mut cells = cells(row);
            if several {
                cells.insert(0, Cell::plain(&loaded.project.service));
            }
            table.push(cells);
        }
        let applied = status.history().applied().count();
        let count = |test: fn(&MigrationState) -> bool| rows.iter().filter(|row| test(&row.state)).count();
        let changed_or_missing = count(|state| matches!(state, MigrationState::Changed | MigrationState::FileMissing));
        let partially_applied = count(|state| matches!(state, MigrationState::PartiallyApplied(_)));
        mismatched += changed_or_missing;
        summaries.push(match open {
            0 if rows.is_empty() => {
                format!("`{}`: no migrations yet; create one with `cargo migrate new`", loaded.project.service)
            }
            0 if changed_or_missing > 0 => {
                format!(
                    "`{}`: {applied} applied, {changed_or_missing} changed or missing; see `cargo migrate verify`",
                    loaded.project.service
                )
            }
            0 => format!("`{}`: up to date, {applied} applied", loaded.project.service),
            open if changed_or_missing > 0 => {
                let pending = count_migrations(open);
                format!(
                    "`{}`: {applied} applied, {changed_or_missing} changed or missing, {pending} pending",
                    loaded.project.service
                )
            }
            open if partially_applied > 0 => {
                let pending = count_migrations(open);
                format!(
                    "`{}`: {applied} applied, {pending} pending, {partially_applied} of them partially applied",
                    loaded.project.service
                )
            }
            open => format!("`{}`: {applied} applied, {} pending", loaded.project.service, count_migrations(open)),
        });
        services.push(json!({
            "service": loaded.project.service,
            "database": url_without_password(&loaded.url),
            "current": status.history().latest_applied().map(|record| record.version.as_str()),
            "applied": applied,
            "pending": open,
            "up_to_date": open == 0,
            "migrations": rows.iter().map(row_json).collect::<Vec<_>>(),
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
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
    Ok(match (arguments.check, mismatched, pending) {
        (true, 1.., _) => Exit::Diverged,
        (true, 0, 1..) => Exit::Pending,
        _ => Exit::Done,
    })
}

fn cells(row: &MigrationStatus<'_>) -> Vec<Cell> {
    let state = match row.state {
        MigrationState::Applied => Cell::good("applied"),
        MigrationState::CosmeticChange => Cell::good("applied (comments changed)"),
        MigrationState::Pending => Cell::pending("pending"),
        MigrationState::OutOfOrder => Cell::pending("pending, out of order"),
        MigrationState::Changed => Cell::bad("applied, file CHANGED"),
        MigrationState::FileMissing => Cell::bad("applied, file MISSING"),
        MigrationState::Ahead => Cell::pending("applied, no local file"),
        MigrationState::PartiallyApplied(state) => {
            let record = row.record;
            let done = record.map_or(0, |record| record.statements_done);
            let total = record.map_or(0, |record| record.statements);
            let label = match state {
                RecordState::Failed => "FAILED",
                RecordState::Reverting => "PARTIALLY REVERTED",
                RecordState::RevertFailed => "FAILED revert",
                _ => "PARTIALLY APPLIED",
            };
            Cell::bad(format!("{label}, {done} of {total} statements done"))
        }
        _ => Cell::plain(row.state.name()),
    };
    let record = row.record;
    let at = record.and_then(|record| record.applied_at.as_deref()).map(|at| at.replace('T', " ").replace('Z', ""));
    let took = record.and_then(|record| record.execution_ms).map(|ms| duration::show(Duration::from_millis(ms)));
    vec![
        Cell::plain(row.version().as_str()),
        Cell::plain(row.title()),
        state,
        Cell::plain(at.unwrap_or_default()),
        Cell::plain(took.unwrap_or_default()),
    ]
}

/// The status of a migration as JSON; see docs/format.md.
pub fn row_json(row: &MigrationStatus<'_>) -> Value {
    let record = row.record;
    json!({
        "version": row.version().as_str(),
        "name": row.title(),
        "state": row.state.name(),
        "phase": row.migration.and_then(|migration| migration.phase()).map(|phase| phase.name()),
        "checksum": row.migration.map(|migration| migration.up.checksum.to_string()),
        "applied_checksum": record.map(|record| record.checksum.to_string()),
        "applied_at": record.and_then(|record| record.applied_at.clone()),
        "applied_by": record.map(|record| record.applied_by.clone()),
        "execution_ms": record.and_then(|record| record.execution_ms),
        "statements": record.map(|record| record.statements),
        "statements_done": record.map(|record| record.statements_done),
        "reversible": row.migration.map_or(record.is_some_and(|record| record.has_down), |migration| migration.down.is_some()),
    })
}
