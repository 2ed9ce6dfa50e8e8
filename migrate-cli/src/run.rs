//! Running migrations, as `up`, `down`, `redo` and `db reset` do it: over several services, with signals, progress, a dry run
//! and a report.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::output::{self, Output};
use crate::progress;
use crate::server_notices;
use crate::service::{Service, SummarizedService};
use crate::signals;
use crate::stored_scripts::{self, STORED_NOT_CONFIRMED, StoredScript};
use crate::values;
use crate::views;
use crate::words::{count_migrations, verb};
use clap::Args;
use migrate_model::divergence::AHEAD;
use migrate_model::duration;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_model::script::EMPTY_FILE;
use migrate_model::statement::{self, Reading};
use migrate_runtime::{
    DatabaseUrl, Direction, Divergence, ErrorKind, LockStrategy, MigrationKey, Migrator, Plan, RunReport, StatusReport, Step,
    StopSignal, Target, TransactionMode, Version,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Options of all commands that run migrations.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Print the SQL that would run, without running it
    #[arg(long)]
    pub dry_run: bool,
    /// Wait at most this long if another process holds the migration lock [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration, default_value = "10m", hide_default_value = true)]
    pub lock_wait: Duration,
    /// Use this strategy for the migration lock: `session` (a session-level lock of the server), `lease` (a table row with an expiry time) or `auto`. With `auto`, the strategy is `lease` if a connection pooler or a cluster with several writable servers (such as Galera) is detected, else `session` [default: `lock` in `migrate.toml`, else `auto`]
    #[arg(long, value_name = "auto|session|lease", value_parser = values::lock_strategy)]
    pub lock: Option<LockStrategy>,
    /// Limit how long a statement waits for a table lock [default: `lock-timeout` in `migrate.toml`, else 2s for statements that block reads or writes; for all other statements, the lock timeout of the server]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub lock_timeout: Option<Duration>,
    /// Limit the run time of each migration [default: `timeout` in `migrate.toml`, else 10m]
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub timeout: Option<Duration>,
}

impl Default for RunArguments {
    fn default() -> Self {
        RunArguments { dry_run: false, lock_wait: Duration::from_secs(600), lock: None, lock_timeout: None, timeout: None }
    }
}

impl RunArguments {
    /// The migrator of a service with these options.
    pub fn migrator(&self, service: &Service, stop: &StopSignal, output: &Output) -> Migrator {
        let mut migrator = Migrator::new(service.set.clone()).stop(stop).lock_wait(self.lock_wait).on_event(progress::observer(
            output,
            &service.name,
            service.show_name,
        ));
        if let Some(strategy) = self.lock {
            migrator = migrator.lock(strategy);
        }
        if let Some(limit) = self.lock_timeout {
            migrator = migrator.lock_timeout(limit);
        }
        if let Some(limit) = self.timeout {
            migrator = migrator.timeout(limit);
        }
        migrator
    }
}

/// Runs the targets of each service one after another, and reports what was done. The first failure ends the run. No other script of
/// the history runs than those of `stored`.
///
/// # Errors
/// If a migration fails, or its files do not match the history.
pub async fn run_targets(
    services: &[Service],
    targets: &[Vec<Target>],
    arguments: &RunArguments,
    stored: &[StoredScript],
    context: &Context<'_>,
) -> Result<Exit, CommandError> {
    refuse_empty_drafts(services, targets)?;
    let mut done = Vec::new();
    let mut planned = AssumedApplied::default();
    let stop = if arguments.dry_run { StopSignal::new() } else { signals::listen(context.output) };
    for (service, targets) in services.iter().zip(targets) {
        let outcome = if arguments.dry_run {
            dry_run(service, targets, &mut planned, context).await
        } else {
            let of_service = stored.iter().filter(|script| script.service == service.name);
            let migrator = arguments.migrator(service, &stop, context.output);
            let migrator = migrator.only_stored_scripts(of_service.map(|script| (script.key.clone(), script.sql.clone())));
            apply(service, targets, &migrator, context).await
        };
        match outcome.map_err(|error| error.of(service)) {
            Ok(report) => done.push(report),
            // The one JSON document must also contain the completed work.
            Err(error) if context.output.is_json() && !done.is_empty() => {
                let mut document = output::error_document(&error.findings());
                document["services"] = done.into();
                context.output.json(&document);
                return Ok(error.exit());
            }
            Err(error) => return Err(error),
        }
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": done }));
    }
    Ok(Exit::Done)
}

/// Reports that there is nothing to do, if exactly the migrations of all services are applied, without parsing them. False if that
/// is not so, or not certain: then a run finds out what there is to do.
///
/// # Errors
/// When a database cannot be reached: a run would wait for it a second time.
pub async fn run_if_current(context: &Context<'_>) -> Result<bool, CommandError> {
    let Some(services) = context.source.summarized() else { return Ok(false) };
    for service in &services {
        match Migrator::has_applied(&service.url, &service.settings, service.summary).await {
            Ok(true) => {}
            Err(error) if error.kind() == ErrorKind::Connection => return Err(error.into()),
            Ok(false) | Err(_) => return Ok(false),
        }
    }
    let nothing = RunReport::default();
    let report = |service: &SummarizedService| {
        print_completed(&service.settings.service, &nothing, Duration::ZERO, context.output);
        report_json(&service.settings.service, &service.url, &nothing)
    };
    let done: Vec<Value> = services.iter().map(report).collect();
    if context.output.is_json() {
        context.output.json(&json!({ "services": done }));
    }
    Ok(true)
}

/// The status of a service. If its SQLite file does not exist yet, this is the status of an empty database, because `up`
/// creates the file.
///
/// # Errors
/// If the database cannot be reached, or its history cannot be read.
pub async fn status_of(service: &Service, output: &Output) -> Result<StatusReport, CommandError> {
    let migrator = Migrator::new(service.set.clone());
    match migrator.status(&service.url).await {
        Err(error) if error.kind() == ErrorKind::NoDatabase => {
            output.message(format!("{} yet: `cargo migrate up` creates it", error.message()));
            let empty: DatabaseUrl = "sqlite::memory:".parse()?;
            Ok(migrator.status(&empty).await?)
        }
        status => Ok(status?),
    }
}

/// The migrations that a plan applies for earlier services, for `requires` in later services.
#[derive(Debug, Default)]
pub struct AssumedApplied {
    services: Vec<(String, Vec<MigrationKey>)>,
}

impl AssumedApplied {
    /// Treats the collected migrations as applied.
    pub fn assume(&self, status: &mut StatusReport) {
        self.services.iter().for_each(|(service, keys)| status.assume_applied(service, keys));
    }

    /// Adds the migrations that a plan applies.
    pub fn add(&mut self, service: &str, plan: &Plan<'_>) {
        let applied = plan.steps.iter().filter(|step| step.direction == Direction::Up);
        self.services.push((service.to_owned(), applied.map(|step| step.key.clone()).collect()));
    }
}

/// Rejects drafts without a statement among the migrations to apply: an empty file would be recorded as applied.
///
/// # Errors
/// If there is such a draft.
pub fn refuse_empty_drafts(services: &[Service], targets: &[Vec<Target>]) -> Result<(), CommandError> {
    let mut errors = Vec::new();
    for (service, targets) in services.iter().zip(targets) {
        let reaches = |version: &Version| {
            targets.iter().any(|target| match target {
                Target::UpTo(last) => version <= last,
                target => target.direction() == Direction::Up,
            })
        };
        let scripts = service.set.iter().filter(|migration| reaches(&migration.version)).map(|migration| &migration.up);
        let empty = scripts.filter(|up| up.statements.is_empty() && service.drafts.iter().any(|draft| **draft == *up.file));
        errors.extend(empty.map(|up| {
            let finding = Finding::error(&EMPTY_FILE, format!("`{}` is a draft that contains no statement", up.file_name()))
                .at(Place::file(&*up.file))
                .help("write the SQL, remove the file, or write `SELECT 1;` if it intentionally does nothing");
            service.located(finding)
        }));
    }
    if errors.is_empty() { Ok(()) } else { Err(CommandError::Findings(errors)) }
}

async fn apply(service: &Service, targets: &[Target], migrator: &Migrator, context: &Context<'_>) -> Result<Value, CommandError> {
    let started = Instant::now();
    let mut report = RunReport::default();
    for target in targets {
        let part = migrator.run_to(&service.url, target).await;
        progress::print_notices(context.output, &service.name, service.show_name);
        let part = part.map_err(|error| report.add_to(error))?;
        report.done.extend(part.done);
        report.warnings = part.warnings;
    }
    // What this run has reverted is no longer ahead.
    let is_reverted = |key: &MigrationKey| report.done.iter().any(|done| done.direction == Direction::Down && done.key == *key);
    report.warnings.retain(|warning| warning.finding.code != &AHEAD || !is_reverted(&warning.key));
    print_warnings(&report.warnings, context.output);
    print_completed(&service.name, &report, started.elapsed(), context.output);
    Ok(report_json(&service.name, &service.url, &report))
}

fn report_json(service: &str, url: &DatabaseUrl, report: &RunReport) -> Value {
    let (notices, omitted) = server_notices::take();
    json!({
        "service": service,
        "database": url.to_string(),
        "done": report.done.iter().map(views::completed).collect::<Vec<_>>(),
        "warnings": views::divergences(&report.warnings),
        "notices": notices.iter().map(views::notice).collect::<Vec<_>>(),
        "omitted_notices": omitted,
    })
}

/// Prints warnings. The warnings about migrations newer than every local file are summarized in one.
fn print_warnings(warnings: &[Divergence], output: &Output) {
    let (ahead, others): (Vec<&Divergence>, Vec<&Divergence>) =
        warnings.iter().partition(|warning| warning.finding.code == &AHEAD);
    let mut summary: Vec<Divergence> = others.into_iter().cloned().collect();
    if let Some(last) = ahead.last() {
        let mut warning = (*last).clone();
        if ahead.len() > 1 {
            warning.finding.message =
                format!("{}; the same is true of {} more before it", warning.finding.message, ahead.len() - 1);
        }
        summary.push(warning);
    }
    output.divergences(&summary);
}

fn print_completed(service: &str, report: &RunReport, took: Duration, output: &Output) {
    let applied = report.done.iter().filter(|done| done.direction == Direction::Up).count();
    let reverted = report.done.len() - applied;
    let took = duration::show(took);
    for done in report.done.iter().filter(|done| done.from_history) {
        output.message(format!("             `{}` was reverted with the SQL that was stored when it was applied", done.title));
    }
    let text = match (applied, reverted) {
        (0, 0) => format!("`{service}`: nothing to do"),
        (applied, 0) => format!("`{service}`: {} applied in {took}", count_migrations(applied)),
        (0, reverted) => format!("`{service}`: {} reverted in {took}", count_migrations(reverted)),
        (applied, reverted) => format!("`{service}`: {} reverted and {applied} applied in {took}", count_migrations(reverted)),
    };
    output.status("Done", &text);
}

/// Prints what would run: the SQL to stdout, everything else to stderr.
async fn dry_run(
    service: &Service,
    targets: &[Target],
    planned: &mut AssumedApplied,
    context: &Context<'_>,
) -> Result<Value, CommandError> {
    let mut status = status_of(service, context.output).await?;
    if let Some(refusal) = status.refusal() {
        return Err(refusal.into());
    }
    planned.assume(&mut status);
    let mut steps = Vec::new();
    let mut warnings = Vec::new();
    for target in targets {
        let plan = status.plan(target)?;
        if !plan.is_clear() {
            return Err(CommandError::HistoryMismatch(plan.errors().cloned().collect()));
        }
        print_warnings(&plan.divergences, context.output);
        warnings.extend(plan.divergences.iter().cloned());
        planned.add(&service.name, &plan);
        if plan.steps.iter().any(|step| step.file_script().is_none())
            && let Some(doubt) = status.writers().doubt()
        {
            context.output.message(format!("{STORED_NOT_CONFIRMED}: {doubt}"));
        }
        let modes = Migrator::new(service.set.clone()).transaction_modes(&service.url, &plan).await?;
        for (step, mode) in plan.steps.iter().zip(modes) {
            let execution = execution(step, mode);
            let sql = pending_sql(service, step).await?;
            if !context.output.is_json() {
                let head = format!("-- {} `{}`, {execution}", verb(step.direction), step.title);
                context.output.data(format!("{head}\n{}\n", sql.trim_end()));
            }
            let mut view = views::step(step, &execution);
            view["sql"] = Value::String(sql);
            steps.push(view);
        }
    }
    let count = count_migrations(steps.len());
    context.output.status("Dry run", &format!("`{}`: {count} would run; nothing was changed", service.name));
    Ok(json!({
        "service": service.name,
        "database": service.url.to_string(),
        "would_do": steps,
        "warnings": views::divergences(&warnings),
    }))
}

/// How the script of a step runs, in words.
fn execution(step: &Step<'_>, mode: Option<TransactionMode>) -> String {
    let execution = execution_mode(mode);
    if step.done > 0 { format!("{execution}, resumed at statement {}", step.done + 1) } else { execution }
}

/// How the script of a step runs, without how much of it is done.
pub fn execution_mode(mode: Option<TransactionMode>) -> String {
    mode.map_or_else(|| "as stored in the history".to_owned(), |mode| mode.to_string())
}

/// The SQL that a step would run.
async fn pending_sql(service: &Service, step: &Step<'_>) -> Result<String, CommandError> {
    let sql = if let Some(script) = step.file_script() {
        script.text.to_string()
    } else {
        stored_scripts::read(service, &step.key).await?
    };
    Ok(rest(sql, service.set.settings().reading(), step.done))
}

/// The part of a script after this number of completed statements.
fn rest(sql: String, reading: Reading<'_>, done: usize) -> String {
    if done == 0 {
        return sql;
    }
    let (statements, _) = statement::split(&sql, reading, "");
    statements.get(done).map_or(String::new(), |next| sql[next.range.start..].to_owned())
}
