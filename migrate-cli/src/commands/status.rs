//! `status`: shows which migrations are applied.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::output::{Cell, Output};
use crate::run::{Needs, status_of};
use crate::service::Service;
use crate::stored_scripts::STORED_NOT_CONFIRMED;
use crate::views;
use crate::words::count_migrations;
use clap::Args;
use migrate_model::duration;
use migrate_runtime::database::{self, Resident};
use migrate_runtime::{Activity, Direction, MigrationState, MigrationStatus, RecordState, StatusReport};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Show which migrations are applied
#[derive(Debug, Args)]
pub struct Arguments {
    /// Exit with code 5 if the SQL in the file of an applied migration was changed. Also exit with code 5 if migrations are pending and an applied migration has no file although a newer migration has one. Otherwise, exit with code 3 if a migration is pending, out of order or partially applied
    #[arg(long)]
    check: bool,
    /// With several services, show every migration, not one line for each service
    #[arg(long)]
    long: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let services = context.source.services()?;
    let several = services.len() > 1;
    let rows_of = match (several, arguments.long) {
        (false, _) => Rows::Migrations,
        (true, true) => Rows::MigrationsOfServices,
        (true, false) => Rows::Services,
    };
    let mut view = View { rows_of, documents: Vec::new(), rows: Vec::new(), summaries: Vec::new() };
    let (mut pending, mut rejected) = (0, 0);
    let mut failures = Vec::new();
    let mut seen = BTreeSet::new();
    for service in &services {
        // The same database is missing for each of them.
        let output = if seen.insert(service.url.place()) { context.output } else { &context.output.quiet() };
        let status = match status_of(service, Needs::of(Direction::Up), output).await {
            Ok(status) => status,
            Err(error) if several => {
                view.add_failure(service, &error);
                failures.push(error.of(service));
                continue;
            }
            Err(error) => return Err(error),
        };
        let counts = Counts::of(&status);
        context.output.findings(&status.neighbors());
        pending += counts.pending;
        rejected += counts.rejected();
        view.add(service, &status, &counts);
    }
    let others = if several { unknown_services(&services, context).await } else { Vec::new() };
    if context.output.is_json() {
        context.output.json(&view.document(&others));
    } else {
        view.print(&others, context.output);
        failures.iter().for_each(|error| context.output.failure(error));
    }
    let failed = failures.first().map(CommandError::exit);
    Ok(match (failed, arguments.check, rejected, pending) {
        (Some(exit), ..) => exit,
        (None, true, 1.., _) => Exit::HistoryMismatch,
        (None, true, 0, 1..) => Exit::Pending,
        _ => Exit::Done,
    })
}

/// Other services that have applied migrations in the databases of these; for information only, so errors are not reported.
async fn unknown_services(services: &[Service], context: &Context<'_>) -> Vec<(String, Resident)> {
    let mut seen = BTreeSet::new();
    let mut others = Vec::new();
    let Ok(names) = context.source.names() else { return others };
    for service in services.iter().filter(|service| seen.insert(service.url.place())) {
        let residents = match database::residents(&service.url).await {
            Ok(residents) => residents,
            Err(error) => {
                tracing::debug!(error = error.message(), "looking for other services");
                continue;
            }
        };
        let unknown = residents.into_iter().filter(|resident| !names.contains(&resident.name));
        others.extend(unknown.map(|resident| (service.url.to_string(), resident)));
    }
    others
}

/// What has a row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// Each service.
    Services,
    /// Each migration of the only service.
    Migrations,
    /// Each migration, with its service.
    MigrationsOfServices,
}

/// What is printed about the services.
#[derive(Debug)]
struct View {
    rows_of: Rows,
    documents: Vec<Value>,
    rows: Vec<Vec<Cell>>,
    summaries: Vec<String>,
}

impl View {
    fn add(&mut self, service: &Service, status: &StatusReport, counts: &Counts) {
        if self.rows_of != Rows::Services {
            for migration in &status.migrations() {
                let mut cells = cells(migration, status);
                if self.rows_of == Rows::MigrationsOfServices {
                    cells.insert(0, Cell::plain(&service.name));
                }
                self.rows.push(cells);
            }
            self.summaries.push(format!("`{}`: {}", service.name, counts.summary()));
        } else {
            self.rows.push(service_cells(service, status, counts));
        }
        self.documents.push(json!({
            "service": service.name,
            "database": service.url.to_string(),
            "current": status.history().latest_applied().map(|record| record.key.as_str()),
            "applied": counts.applied,
            "pending": counts.pending,
            "up_to_date": counts.pending == 0,
            "running": running(status.activity()),
            "notes": views::neighbors(&status.neighbors()),
            "migrations": status.migrations().iter().map(|migration| views::migration(migration, status.writers())).collect::<Vec<_>>(),
        }));
    }

    fn add_failure(&mut self, service: &Service, error: &CommandError) {
        if self.rows_of != Rows::Services {
            self.summaries.push(format!("`{}`: unknown, because its database cannot be read", service.name));
        } else {
            let [applied, pending, latest] = ["?", "?", ""].map(Cell::plain);
            self.rows.push(vec![Cell::plain(&service.name), applied, pending, latest, Cell::bad("the database cannot be read")]);
        }
        let findings: Vec<Value> = error.findings().iter().map(views::finding).collect();
        self.documents.push(json!({ "service": service.name, "database": service.url.to_string(), "error": findings }));
    }

    fn document(self, others: &[(String, Resident)]) -> Value {
        let mut document = json!({ "services": self.documents });
        if self.rows_of != Rows::Migrations {
            let other = |(url, resident): &(String, Resident)| json!({ "database": url, "service": resident.name, "table": resident.table, "applied": resident.applied });
            document["other_services"] = others.iter().map(other).collect();
        }
        document
    }

    fn print(self, others: &[(String, Resident)], output: &Output) {
        let head: &[&str] = match self.rows_of {
            Rows::Services => &["service", "applied", "pending", "latest", "state"],
            Rows::Migrations => &["version", "name", "state", "applied at (UTC)", "took"],
            Rows::MigrationsOfServices => &["service", "version", "name", "state", "applied at (UTC)", "took"],
        };
        if !self.rows.is_empty() {
            output.table(head, self.rows);
            output.message("");
        }
        self.summaries.iter().for_each(|line| output.message(line));
        for (url, resident) in others {
            let applied = resident.applied.map_or("an unknown number of migrations".to_owned(), count_migrations);
            output.message(format!("not selected, in {url}: `{}`: {applied} applied (`{}`)", resident.name, resident.table));
        }
    }
}

/// The row of a service.
fn service_cells(service: &Service, status: &StatusReport, counts: &Counts) -> Vec<Cell> {
    let latest = status.history().latest_applied().map(|record| record.key.as_str().to_owned()).unwrap_or_default();
    let state = match counts {
        Counts { changed: 0, missing: 0, partially_applied: 0, pending: 0, .. } => Cell::good("up to date"),
        Counts { changed: 0, missing: 0, partially_applied: 0, .. } => Cell::pending("pending"),
        Counts { partially_applied: 1.., .. } if status.activity() == Activity::Running => Cell::pending("being migrated"),
        Counts { partially_applied: 1.., .. } => Cell::bad("partially applied"),
        _ => Cell::bad("applied, a file is CHANGED or MISSING"),
    };
    vec![
        Cell::plain(&service.name),
        Cell::plain(counts.applied.to_string()),
        Cell::plain(counts.pending.to_string()),
        Cell::plain(latest),
        state,
    ]
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
