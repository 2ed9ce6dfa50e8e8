//! `up`: applies migrations.

use crate::arguments;
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project::{self, LoadedProject};
use crate::output::{Output, error_findings, finding_json};
use crate::progress;
use crate::signals;
use clap::Args;
use migrate_model::check::EMPTY_FILE;
use migrate_model::dialect::Dialect;
use migrate_model::divergence::{AHEAD, Divergence};
use migrate_model::duration;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_model::plan::{Plan, ScriptSource};
use migrate_model::statement;
use migrate_model::version::Version;
use migrate_runtime::{
    Direction, ErrorKind, LockStrategy, Migrator, RunReport, StatusReport, StopSignal, Target, url_without_password,
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Apply migrations
#[derive(Debug, Args)]
pub struct Arguments {
    /// Apply up to and with this version
    #[arg(long, value_name = "VERSION", value_parser = arguments::version, conflicts_with = "steps")]
    to: Option<Version>,
    /// Apply this many
    #[arg(long, value_name = "N", value_parser = arguments::count, allow_negative_numbers = true)]
    steps: Option<usize>,
    #[command(flatten)]
    pub running: RunArguments,
}

/// What all commands that change the schema understand.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Show the SQL that would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// How long to wait while another process migrates
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration, default_value = "10m")]
    pub lock_wait: Duration,
    /// What keeps other processes out [default: auto]
    #[arg(long, value_name = "auto|session|lease", value_parser = arguments::lock_strategy)]
    pub lock: Option<LockStrategy>,
    /// How long a statement may wait for a lock on its table
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration)]
    pub lock_timeout: Option<Duration>,
    /// How long a migration may take [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration)]
    pub timeout: Option<Duration>,
}

impl Default for RunArguments {
    fn default() -> Self {
        RunArguments { dry_run: false, lock_wait: Duration::from_secs(600), lock: None, lock_timeout: None, timeout: None }
    }
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let target = match (&arguments.to, arguments.steps) {
        (Some(version), _) => Target::UpTo(version.clone()),
        (None, Some(steps)) => Target::Up(steps),
        (None, None) => Target::Latest,
    };
    let selected = loaded_project::load_with_database(context)?;
    let targets = vec![vec![target]; selected.len()];
    run_targets(&selected, &targets, &arguments.running, context).await
}

/// Runs the targets one after another for each project, and says what was done.
pub async fn run_targets(
    selected: &[LoadedProject],
    targets: &[Vec<Target>],
    running: &RunArguments,
    context: &Context<'_>,
) -> Result<Exit, CommandError> {
    refuse_empty_drafts(selected, targets)?;
    let mut services = Vec::new();
    let mut planned = AssumedApplied::default();
    let stop = match running.dry_run {
        true => StopSignal::default(),
        false => signals::listen(context.output),
    };
    for (one, targets) in selected.iter().zip(targets) {
        let outcome = match running.dry_run {
            true => dry_run(one, targets, &mut planned, context).await,
            false => apply(one, targets, running, &stop, context).await,
        };
        match outcome.map_err(|failure| failure.of(&one.project)) {
            Ok(done) => services.push(done),
            // What is done is said, in the one document that there is.
            Err(failure) if context.output.is_json() && !services.is_empty() => {
                let error = error_findings(&failure).iter().map(finding_json).collect::<Vec<_>>();
                context.output.json(&json!({ "services": services, "error": error }));
                return Ok(failure.exit());
            }
            Err(failure) => return Err(failure),
        }
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(Exit::Done)
}

/// How a project stands. A SQLite file that is not there yet holds nothing, and `up` will make it.
pub async fn status_of<'s>(one: &'s LoadedProject, output: &Output) -> Result<StatusReport<'s>, CommandError> {
    let migrator = Migrator::new(&one.folder.set);
    match migrator.status(&one.url).await {
        Err(error) if error.kind() == ErrorKind::NoDatabase => {
            output.message(format!("{} yet: `cargo migrate up` makes it", error.message()));
            Ok(migrator.status("sqlite::memory:").await?)
        }
        status => Ok(status?),
    }
}

/// What the services before would have applied, for the `requires` of those behind them.
#[derive(Debug, Default)]
pub struct AssumedApplied(Vec<(String, Vec<Version>)>);

impl AssumedApplied {
    /// Takes all of it for done.
    pub fn assume(&self, status: &mut StatusReport<'_>) {
        self.0.iter().for_each(|(service, versions)| status.assume(service, versions));
    }

    /// Adds what a plan applies.
    pub fn add(&mut self, service: &str, plan: &Plan<'_>) {
        let applied = plan.steps.iter().filter(|step| step.direction == Direction::Up);
        self.0.push((service.to_owned(), applied.map(|step| step.version.clone()).collect()));
    }
}

/// Stops before a draft that nobody has written yet: applied, it would count as done.
pub fn refuse_empty_drafts(selected: &[LoadedProject], targets: &[Vec<Target>]) -> Result<(), CommandError> {
    let mut empty = Vec::new();
    for (one, targets) in selected.iter().zip(targets) {
        let reached = |version: &Version| {
            targets.iter().any(|target| match target {
                Target::UpTo(last) => version <= last,
                target => target.direction() == Direction::Up,
            })
        };
        let drafts = one.folder.lock.as_ref().map_or(&[][..], |lock| &lock.drafts);
        let files = one.folder.files.iter().map(|(file, _)| file).filter(|file| drafts.contains(&file.name));
        let shown: Vec<&str> = files.map(|file| file.display_path.as_str()).collect();
        let unwritten = one.folder.set.iter().filter(|migration| reached(&migration.version)).map(|migration| &migration.up);
        let unwritten = unwritten.filter(|up| up.statements.is_empty());
        empty.extend(unwritten.filter(|up| shown.contains(&&*up.file)).map(|up| {
            Finding::error(&EMPTY_FILE, format!("`{}` is a draft and holds no statement yet", up.file_name()))
                .at(Place::file(&*up.file))
                .help("write the SQL, remove the file, or write `SELECT 1;` when doing nothing is meant")
        }));
    }
    if empty.is_empty() { Ok(()) } else { Err(CommandError::Findings(empty)) }
}

/// A migrator for a project, as the arguments ask for it.
pub fn migrator<'s>(selected: &'s LoadedProject, running: &RunArguments, stop: &StopSignal, output: &Output) -> Migrator<'s> {
    let mut migrator = Migrator::new(&selected.folder.set).stop(stop).lock_wait(running.lock_wait).on_event(progress::observer(
        output,
        &selected.project.service,
        selected.show_service,
    ));
    if let Some(kind) = running.lock {
        migrator = migrator.lock(kind);
    }
    if let Some(limit) = running.lock_timeout {
        migrator = migrator.lock_timeout(limit);
    }
    if let Some(limit) = running.timeout {
        migrator = migrator.timeout(limit);
    }
    migrator
}

async fn apply(
    one: &LoadedProject,
    targets: &[Target],
    running: &RunArguments,
    stop: &StopSignal,
    context: &Context<'_>,
) -> Result<Value, CommandError> {
    let migrator = migrator(one, running, stop, context.output);
    let since = Instant::now();
    let mut report = RunReport::default();
    for target in targets {
        let part = migrator.run_to(&one.url, target).await?;
        report.done.extend(part.done);
        report.warnings = part.warnings;
    }
    print_warnings(&report.warnings, context.output);
    print_completed(one, &report, since.elapsed(), context.output);
    Ok(json!({
        "service": one.project.service,
        "database": url_without_password(&one.url),
        "done": report.done.iter().map(|done| json!({
            "version": done.version.as_str(),
            "name": done.title,
            "direction": direction(done.direction),
            "execution_ms": u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
        })).collect::<Vec<_>>(),
        "warnings": report.warnings.iter().map(|warning| finding_json(&warning.finding)).collect::<Vec<_>>(),
    }))
}

/// A database that is ahead says the same of each migration; people want it once.
fn print_warnings(warnings: &[Divergence], output: &Output) {
    let (ahead, others): (Vec<&Divergence>, Vec<&Divergence>) =
        warnings.iter().partition(|warning| warning.finding.code == &AHEAD);
    let mut shown: Vec<Divergence> = others.into_iter().cloned().collect();
    if let Some(last) = ahead.last() {
        let mut one = (*last).clone();
        if ahead.len() > 1 {
            one.finding.message = format!("{}; and {} more before it", one.finding.message, ahead.len() - 1);
        }
        shown.push(one);
    }
    output.divergences(&shown);
}

fn print_completed(one: &LoadedProject, report: &RunReport, took: Duration, output: &Output) {
    let service = &one.project.service;
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

/// "1 migration", "2 migrations".
pub fn count_migrations(count: usize) -> String {
    match count {
        1 => "1 migration".to_owned(),
        count => format!("{count} migrations"),
    }
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

/// Shows what would run: the SQL on stdout, everything else on stderr.
async fn dry_run(
    one: &LoadedProject,
    targets: &[Target],
    planned: &mut AssumedApplied,
    context: &Context<'_>,
) -> Result<Value, CommandError> {
    let migrator = Migrator::new(&one.folder.set);
    let mut status = status_of(one, context.output).await?;
    planned.assume(&mut status);
    let mut steps = Vec::new();
    let mut warnings = Vec::new();
    for target in targets {
        let plan = status.plan(target)?;
        if !plan.is_clear() {
            return Err(CommandError::Diverged(plan.errors().cloned().collect()));
        }
        print_warnings(&plan.divergences, context.output);
        warnings.extend(plan.divergences.iter().map(|one| finding_json(&one.finding)));
        planned.add(&one.project.service, &plan);
        for step in &plan.steps {
            let sql = match step.source {
                ScriptSource::File(script) => script.text.to_string(),
                ScriptSource::History => {
                    let stored = migrator.stored_sql(&one.url, &[&step.version], Direction::Down).await?;
                    stored.into_iter().next().flatten().unwrap_or_default()
                }
            };
            let mut how = match step.source {
                ScriptSource::File(script) => script.transaction_mode().to_string(),
                ScriptSource::History => "as stored in the history".to_owned(),
            };
            if step.done > 0 {
                how = format!("{how}, resumed at statement {}", step.done + 1);
            }
            let sql = rest(sql, one.folder.set.contents().dialect, step.done);
            if !context.output.is_json() {
                context.output.data(format!("-- {} `{}`, {how}\n{}\n", verb(step.direction), step.title, sql.trim_end()));
            }
            steps.push(json!({
                "version": step.version.as_str(),
                "name": step.title,
                "direction": direction(step.direction),
                "execution": how,
                "statements_done": step.done,
                "sql": sql,
            }));
        }
    }
    context.output.status(
        "Dry run",
        &format!("`{}`: {} would run; nothing was changed", one.project.service, count_migrations(steps.len())),
    );
    Ok(
        json!({ "service": one.project.service, "database": url_without_password(&one.url), "would_do": steps, "warnings": warnings }),
    )
}

/// What is left of a script of which so many statements are done.
fn rest(sql: String, dialect: Dialect, done: usize) -> String {
    if done == 0 {
        return sql;
    }
    let (statements, _) = statement::split(&sql, dialect, "");
    statements.get(done).map_or(String::new(), |next| sql[next.range.start..].to_owned())
}

fn verb(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "apply",
        Direction::Down => "revert",
    }
}
