//! Running migrations, as `up`, `down`, `redo` and `db reset` do it: over several services, with signals, progress, a dry run
//! and a report.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::joint_plan::{self, AppliedThere, JointPlan, Missing};
use crate::joint_run::{self, JointRun, print_warnings};
use crate::output::Output;
use crate::progress;
use crate::revert::Revert;
use crate::service::{Service, SummarizedService};
use crate::stored_scripts::{self, STORED_NOT_CONFIRMED};
use crate::values;
use crate::views;
use crate::words::{count_migrations, verb};
use clap::Args;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_model::plan_order::PlanPart;
use migrate_model::script::EMPTY_FILE;
use migrate_model::statement::{self, Reading};
use migrate_runtime::{
    DatabaseUrl, Dependents, Direction, ErrorKind, LockStrategy, Migrator, StatusReport, Step, StopSignal, Target,
    TransactionMode, Version,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Options of all commands that run migrations.
#[derive(Debug, Clone, Args)]
pub struct RunArguments {
    /// Print the SQL that would run, without running it
    #[arg(long)]
    pub dry_run: bool,
    /// Wait at most this long if another process holds the migration lock, or if a migration requires one that another service has not applied yet [default: 10m]
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
    /// What becomes of a migration that another service requires.
    #[arg(skip)]
    pub dependents: Dependents,
}

impl Default for RunArguments {
    fn default() -> Self {
        RunArguments {
            dry_run: false,
            lock_wait: Duration::from_secs(600),
            lock: None,
            lock_timeout: None,
            timeout: None,
            dependents: Dependents::Protected,
        }
    }
}

impl RunArguments {
    /// The migrator of a service with these options.
    pub fn migrator(&self, service: &Service, stop: &StopSignal, output: &Output) -> Migrator {
        let needs = Needs { direction: Direction::Up, dependents: self.dependents };
        let mut migrator = needs.migrator(service).stop(stop).lock_wait(self.lock_wait).on_event(progress::observer(
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

/// Targets that one service is brought to, one after another.
#[derive(Debug, Clone)]
pub struct Run {
    /// The position of the service.
    pub service: usize,
    /// What it is brought to.
    pub targets: Vec<Target>,
}

impl Run {
    /// A part of the plans of several services.
    pub fn of_part(part: &PlanPart) -> Self {
        Run { service: part.service, targets: vec![part.target.clone()] }
    }
}

/// What is known of the services of a run before it.
#[derive(Debug)]
pub struct Known {
    /// The state of each service.
    pub statuses: Vec<StatusReport>,
    /// What other services have applied.
    pub elsewhere: Vec<AppliedThere>,
}

/// Runs services in an order, and reports what was done. The first failure ends the run. No other script of the history runs than
/// those of `revert`. `elsewhere` has what services, these and others, had applied before.
///
/// # Errors
/// If a migration fails, or its files do not match the history.
pub async fn run_in_order(
    services: &[Service],
    elsewhere: &[AppliedThere],
    runs: &[Run],
    arguments: &RunArguments,
    revert: &Revert,
    context: &Context<'_>,
) -> Result<Exit, CommandError> {
    let mut run = JointRun::new(services, arguments, revert, context);
    let outcome = run.run(elsewhere, runs).await;
    run.end(outcome)
}

/// Plans all services, then brings each to its target, in an order in which every migration finds what it requires; or only shows
/// what would run. One service alone plans under its lock.
///
/// # Errors
/// If a plan is not possible, a migration fails, or its files do not match the history.
pub async fn run_jointly(
    services: &[Service],
    targets: &[Target],
    arguments: &RunArguments,
    revert: &Revert,
    context: &Context<'_>,
) -> Result<Exit, CommandError> {
    refuse_empty_drafts(services, targets)?;
    if services.len() == 1 && !arguments.dry_run {
        let run = Run { service: 0, targets: targets.to_vec() };
        return run_in_order(services, &[], &[run], arguments, revert, context).await;
    }
    let needs = Needs::of_run(targets, arguments);
    let statuses = joint_plan::statuses(services, needs, context.output).await?;
    let known = Known { statuses, elsewhere: Vec::new() };
    run_planned(services, known, targets, arguments, revert, context).await
}

/// The same with states of the services that are known.
///
/// # Errors
/// As [`run_jointly`].
pub async fn run_planned(
    services: &[Service],
    mut known: Known,
    targets: &[Target],
    arguments: &RunArguments,
    revert: &Revert,
    context: &Context<'_>,
) -> Result<Exit, CommandError> {
    if !arguments.dry_run {
        let mut run = JointRun::new(services, arguments, revert, context);
        let outcome = run.run_in_rounds(known, targets).await;
        return run.end(outcome);
    }
    Needs::of_run(targets, arguments).add_dependents(services, &mut known.statuses, revert);
    joint_plan::assume_others(services, &mut known.statuses, targets)?;
    let joint = JointPlan::of(services, &known.statuses, targets)?;
    joint.require_clear(services, &known.statuses, Missing::Rejected)?;
    dry_run(services, &known.statuses, &joint, context).await
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
    let report = |service: &SummarizedService| joint_run::nothing_to_do(&service.settings.service, &service.url, context);
    let done: Vec<Value> = services.iter().map(report).collect();
    if context.output.is_json() {
        context.output.json(&json!({ "services": done }));
    }
    Ok(true)
}

/// What a plan has to know.
#[derive(Debug, Clone, Copy)]
pub struct Needs {
    /// Whether it is to apply or to revert.
    pub direction: Direction,
    /// Whether it reverts what other services require.
    pub dependents: Dependents,
}

impl Needs {
    /// A plan in a direction, which reverts nothing that another service requires.
    pub fn of(direction: Direction) -> Self {
        Needs { direction, dependents: Dependents::Protected }
    }

    /// The plan of a run to these targets.
    pub fn of_run(targets: &[Target], arguments: &RunArguments) -> Self {
        Needs { direction: targets.first().map_or(Direction::Up, Target::direction), dependents: arguments.dependents }
    }

    /// Tells the plans of a revert what is applied in other databases.
    pub fn add_dependents(self, services: &[Service], statuses: &mut [StatusReport], revert: &Revert) {
        if self.direction == Direction::Down && self.dependents == Dependents::Protected {
            joint_plan::add_dependents(services, statuses, &revert.dependents);
        }
    }

    /// A migrator that plans so.
    pub fn migrator(self, service: &Service) -> Migrator {
        Migrator::new(service.set.clone()).dependents(self.dependents)
    }
}

/// The status of a service. If its SQLite file does not exist yet, this is the status of an empty database, because `up`
/// creates the file.
///
/// # Errors
/// If the database cannot be reached, or its history cannot be read.
pub async fn status_of(service: &Service, needs: Needs, output: &Output) -> Result<StatusReport, CommandError> {
    let migrator = needs.migrator(service);
    match migrator.status_for(&service.url, needs.direction).await {
        Err(error) if error.kind() == ErrorKind::NoDatabase => {
            output.message(format!("{} yet: `cargo migrate up` creates it", error.message()));
            let empty: DatabaseUrl = "sqlite::memory:".parse()?;
            Ok(migrator.status(&empty).await?)
        }
        status => Ok(status?),
    }
}

/// Rejects drafts without a statement among the migrations to apply: an empty file would be recorded as applied.
///
/// # Errors
/// If there is such a draft.
pub fn refuse_empty_drafts(services: &[Service], targets: &[Target]) -> Result<(), CommandError> {
    let mut errors = Vec::new();
    for (service, target) in services.iter().zip(targets) {
        let reaches = |version: &Version| match target {
            Target::UpTo(last) => version <= last,
            target => target.direction() == Direction::Up,
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

/// Prints what would run: the SQL to stdout, everything else to stderr.
async fn dry_run(
    services: &[Service],
    statuses: &[StatusReport],
    joint: &JointPlan<'_>,
    context: &Context<'_>,
) -> Result<Exit, CommandError> {
    let mut views: Vec<Vec<Value>> = services.iter().map(|_| Vec::new()).collect();
    let mut modes = Vec::new();
    for ((service, status), plan) in services.iter().zip(statuses).zip(&joint.plans) {
        print_warnings(&plan.divergences, context.output);
        if plan.steps.iter().any(|step| step.file_script().is_none())
            && let Some(doubt) = status.writers().doubt()
        {
            context.output.message(format!("{STORED_NOT_CONFIRMED}: {doubt}"));
        }
        modes.push(Migrator::new(service.set.clone()).transaction_modes(&service.url, plan).await?);
    }
    for part in &joint.parts {
        let (service, plan) = (&services[part.service], &joint.plans[part.service]);
        for (step, mode) in plan.steps[part.steps.clone()].iter().zip(&modes[part.service][part.steps.clone()]) {
            let execution = execution(step, *mode);
            let sql = pending_sql(service, step).await?;
            if !context.output.is_json() {
                let of_service = if service.show_name { format!("{}: ", service.name) } else { String::new() };
                let head = format!("-- {} {of_service}`{}`, {execution}", verb(step.direction), step.title);
                context.output.data(format!("{head}\n{}\n", sql.trim_end()));
            }
            let mut view = views::step(step, &execution);
            view["sql"] = Value::String(sql);
            views[part.service].push(view);
        }
    }
    let mut documents = Vec::new();
    for ((service, plan), steps) in services.iter().zip(&joint.plans).zip(views) {
        let count = count_migrations(steps.len());
        context.output.status("Dry run", &format!("`{}`: {count} would run; nothing was changed", service.name));
        documents.push(json!({
            "service": service.name,
            "database": service.url.to_string(),
            "would_do": steps,
            "warnings": views::divergences(&plan.divergences),
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": documents }));
    }
    Ok(Exit::Done)
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
