//! A run over several services: one after another in their order, with progress and a report; where a migration requires what the
//! services of other processes have not applied yet, in rounds.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::joint_plan::{self, AppliedThere, JointPlan, Missing};
use crate::output::{self, Output};
use crate::progress;
use crate::revert::Revert;
use crate::run::{Known, Needs, Run, RunArguments};
use crate::server_notices;
use crate::service::Service;
use crate::signals;
use crate::views;
use crate::words::count_migrations;
use futures_util::future::select_all;
use migrate_model::divergence::AHEAD;
use migrate_model::duration;
use migrate_runtime::{DatabaseUrl, Direction, Divergence, MigrationKey, Migrator, RunReport, StopSignal, Target};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// What was done for one service so far.
#[derive(Debug, Default)]
struct ServiceProgress {
    report: RunReport,
    took: Duration,
    /// The messages of the server, as JSON.
    notices: Vec<Value>,
    omitted_notices: usize,
}

/// A run over several services.
pub struct JointRun<'r> {
    services: &'r [Service],
    arguments: &'r RunArguments,
    revert: &'r Revert,
    context: &'r Context<'r>,
    stop: StopSignal,
    /// What was done for each service that had a turn.
    progress: Vec<Option<ServiceProgress>>,
    /// The services in the order of their first turns.
    turns: Vec<usize>,
    /// The services that are not at their targets yet.
    unfinished: BTreeSet<usize>,
}

impl<'r> JointRun<'r> {
    /// A run in which nothing has been done yet.
    pub fn new(services: &'r [Service], arguments: &'r RunArguments, revert: &'r Revert, context: &'r Context<'r>) -> Self {
        JointRun {
            services,
            arguments,
            revert,
            context,
            stop: signals::listen(context.output),
            progress: services.iter().map(|_| None).collect(),
            turns: Vec::new(),
            unfinished: BTreeSet::new(),
        }
    }

    /// Runs services in an order. The first failure ends the run. `elsewhere` has what services, these and others, had applied before.
    ///
    /// # Errors
    /// If a migration fails, or its files do not match the history.
    pub async fn run(&mut self, elsewhere: &[AppliedThere], runs: &[Run]) -> Result<(), CommandError> {
        for (at, run) in runs.iter().enumerate() {
            let service = &self.services[run.service];
            let of_service = self.revert.stored.iter().filter(|script| script.service == service.name);
            let migrator = self.migrator(run.service, elsewhere);
            let migrator = migrator.only_stored_scripts(of_service.map(|script| (script.key.clone(), script.sql.clone())));
            if !self.turns.contains(&run.service) {
                self.turns.push(run.service);
            }
            let progress = self.progress[run.service].get_or_insert_default();
            let outcome = apply(service, &run.targets, &migrator, progress, self.context).await;
            outcome.map_err(|error| not_reached(error.of(service), run.service, self.services, &runs[at..]))?;
            let has_later = runs[at + 1..].iter().any(|later| later.service == run.service);
            if !has_later && !self.unfinished.contains(&run.service) {
                finish(service, progress, self.context);
            }
        }
        Ok(())
    }

    /// Brings services to their targets. Where services of other processes must apply something first, runs what can run without
    /// it, so that those can continue, then waits, and plans again.
    ///
    /// # Errors
    /// If a plan is not possible, a migration fails, or what a migration requires is not applied in time.
    pub async fn run_in_rounds(&mut self, mut known: Known, targets: &[Target]) -> Result<(), CommandError> {
        let services = self.services;
        let mut targets = targets.to_vec();
        let needs = Needs::of_run(&targets, self.arguments);
        let missing = if self.arguments.lock_wait.is_zero() { Missing::Rejected } else { Missing::Awaited };
        let mut open: BTreeSet<usize> = (0..services.len()).collect();
        loop {
            needs.add_dependents(services, &mut known.statuses, self.revert);
            joint_plan::assume_others(services, &mut known.statuses, &targets)?;
            let joint = JointPlan::of(services, &known.statuses, &targets)?;
            joint.require_clear(services, &known.statuses, missing)?;
            targets = joint.fixed_targets(&targets);
            let before_wait = joint.before_wait(services, &targets)?;
            self.unfinished = (0..services.len()).filter(|at| before_wait.is_cut(*at, &joint.plans)).collect();
            let elsewhere: Vec<AppliedThere> =
                known.elsewhere.iter().cloned().chain(AppliedThere::of(services, &known.statuses)).collect();
            let parts = before_wait.parts.iter().filter(|part| open.contains(&part.service));
            let runs: Vec<Run> = parts.map(Run::of_part).collect();
            self.run(&elsewhere, &runs).await?;
            if self.unfinished.is_empty() {
                return Ok(());
            }
            self.wait(&joint, &elsewhere).await?;
            open.clone_from(&self.unfinished);
            known.statuses = joint_plan::statuses(services, needs, &self.context.output.quiet()).await?;
            joint_plan::assume_elsewhere(services, &mut known.statuses, &known.elsewhere);
        }
    }

    /// Waits until one of the services can continue.
    async fn wait(&self, joint: &JointPlan<'_>, elsewhere: &[AppliedThere]) -> Result<(), CommandError> {
        let waiting: Vec<usize> = (0..self.services.len()).filter(|at| joint.plans[*at].steps_before_wait().is_some()).collect();
        let waits = waiting.iter().map(|at| {
            let migrator = self.migrator(*at, elsewhere);
            let (service, plan) = (&self.services[*at], &joint.plans[*at]);
            Box::pin(async move { migrator.wait_for_required(&service.url, plan).await })
        });
        let (outcome, first, _) = select_all(waits).await;
        outcome.map_err(|error| {
            let service = waiting[first];
            let progress = self.progress[service].as_ref();
            let error = CommandError::from(progress.iter().fold(error, |error, progress| progress.report.add_to(error)));
            let rest = self.unfinished.iter().map(|at| Run { service: *at, targets: Vec::new() }).collect::<Vec<_>>();
            not_reached(error.of(&self.services[service]), service, self.services, &rest)
        })
    }

    /// A migrator that knows what the services of other databases have applied, for `requires`.
    fn migrator(&self, at: usize, elsewhere: &[AppliedThere]) -> Migrator {
        let mut migrator = self.arguments.migrator(&self.services[at], &self.stop, self.context.output);
        if let Some(dependents) = self.revert.dependents.get(at) {
            migrator = migrator.dependents_elsewhere(dependents.iter().cloned());
        }
        let place = self.services[at].history_place();
        for other in elsewhere.iter().filter(|other| other.place != place) {
            migrator = migrator.applied_elsewhere(&other.service, other.keys.iter().cloned());
        }
        for (service, progress) in
            self.services.iter().zip(&self.progress).filter(|(service, _)| service.history_place() != place)
        {
            let done = progress.iter().flat_map(|progress| &progress.report.done);
            let done: Vec<MigrationKey> =
                done.filter(|done| done.direction == Direction::Up).map(|done| done.key.clone()).collect();
            migrator = if done.is_empty() { migrator } else { migrator.applied_elsewhere(&service.name, done) };
        }
        migrator
    }

    /// Ends the run with what it has done.
    ///
    /// # Errors
    /// The error of the run, unless it is part of the JSON document with what was done before.
    pub fn end(mut self, outcome: Result<(), CommandError>) -> Result<Exit, CommandError> {
        let output = self.context.output;
        let error = match outcome {
            Ok(()) => {
                if output.is_json() {
                    output.json(&json!({ "services": self.documents() }));
                }
                return Ok(Exit::Done);
            }
            Err(error) => error,
        };
        if !output.is_json() || self.progress.iter().flatten().all(|progress| progress.report.done.is_empty()) {
            return Err(error);
        }
        // The one JSON document must also contain the completed work; without a run that failed before it did anything.
        let mut document = output::error_document(&error.findings());
        self.progress.iter_mut().for_each(|progress| {
            progress.take_if(|progress| progress.report.done.is_empty() && progress.took.is_zero());
        });
        document["services"] = self.documents().into();
        output.json(&document);
        Ok(error.exit())
    }

    /// The services that had a turn, in the order of their first turns, as JSON.
    fn documents(&self) -> Vec<Value> {
        let document =
            |at: &usize| Some(report_json(&self.services[*at].name, &self.services[*at].url, self.progress[*at].as_ref()?));
        self.turns.iter().filter_map(document).collect()
    }
}

/// Adds the services that a failed run did not come to.
fn not_reached(error: CommandError, failed: usize, services: &[Service], rest: &[Run]) -> CommandError {
    let mut names: Vec<String> = Vec::new();
    for run in rest.iter().filter(|run| run.service != failed) {
        let name = format!("`{}`", services[run.service].name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    if names.is_empty() { error } else { error.note(format!("not reached: {}", names.join(", "))) }
}

/// Reports a service whose migrations are all applied.
pub fn nothing_to_do(service: &str, url: &DatabaseUrl, context: &Context<'_>) -> Value {
    let nothing = ServiceProgress::default();
    print_completed(service, &nothing.report, Duration::ZERO, context.output);
    report_json(service, url, &nothing)
}

async fn apply(
    service: &Service,
    targets: &[Target],
    migrator: &Migrator,
    so_far: &mut ServiceProgress,
    context: &Context<'_>,
) -> Result<(), CommandError> {
    let started = Instant::now();
    for target in targets {
        let part = migrator.run_to(&service.url, target).await;
        progress::print_notices(context.output, &service.name, service.show_name);
        let part = part.map_err(|error| so_far.report.add_to(error))?;
        so_far.report.done.extend(part.done);
        so_far.report.warnings = part.warnings;
    }
    so_far.took += started.elapsed();
    let (notices, omitted) = server_notices::take();
    so_far.notices.extend(notices.iter().map(views::notice));
    so_far.omitted_notices += omitted;
    Ok(())
}

/// Reports what was done for a service, after the last of its runs.
fn finish(service: &Service, done: &mut ServiceProgress, context: &Context<'_>) {
    let report = &mut done.report;
    // What this run has reverted is no longer ahead.
    let is_reverted = |key: &MigrationKey| report.done.iter().any(|done| done.direction == Direction::Down && done.key == *key);
    report.warnings.retain(|warning| warning.finding.code != &AHEAD || !is_reverted(&warning.key));
    print_warnings(&report.warnings, context.output);
    print_completed(&service.name, report, done.took, context.output);
}

fn report_json(service: &str, url: &DatabaseUrl, done: &ServiceProgress) -> Value {
    json!({
        "service": service,
        "database": url.to_string(),
        "done": done.report.done.iter().map(views::completed).collect::<Vec<_>>(),
        "warnings": views::divergences(&done.report.warnings),
        "notices": done.notices,
        "omitted_notices": done.omitted_notices,
    })
}

/// Prints warnings. The warnings about migrations newer than every local file are summarized in one.
pub fn print_warnings(warnings: &[Divergence], output: &Output) {
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
