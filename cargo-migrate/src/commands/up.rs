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
    /// Apply up to and including this version
    #[arg(long, value_name = "VERSION", value_parser = arguments::version, conflicts_with = "steps")]
    to: Option<Version>,
    /// Apply this many migrations
    #[arg(long, value_name = "N", value_parser = arguments::count, allow_negative_numbers = true)]
    steps: Option<usize>,
    #[command(flatten)]
    pub run_arguments: RunArguments,
}

/// Options of all commands that run migrations.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Print the SQL that would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait at most this long for another process that migrates
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration, default_value = "10m")]
    pub lock_wait: Duration,
    /// Locking strategy [default: auto]
    #[arg(long, value_name = "auto|session|lease", value_parser = arguments::lock_strategy)]
    pub lock: Option<LockStrategy>,
    /// Limit how long a statement waits for a table lock [default: 2s for statements that block traffic]
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration)]
    pub lock_timeout: Option<Duration>,
    /// Limit the time of each migration [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = arguments::duration)]
    pub timeout: Option<Duration>,
}

impl Default for RunArguments {
    fn default() -> Self {
        RunArguments { dry_run: false, lock_wait: Duration::from_secs(600), lock: None, lock_timeout: None, timeout: None }
    }
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let target = match (&arguments.to, arguments.steps) {
        (Some(version), _) => Target::UpTo(version.clone()),
        (None, Some(steps)) => Target::Up(steps),
        (None, None) => Target::Latest,
    };
    let selected = loaded_project::load_with_database(context)?;
    let targets = vec![vec![target]; selected.len()];
    run_targets(&selected, &targets, &arguments.run_arguments, context).await
}

/// Runs the targets of each project one after another, and reports what was done. The first failure ends the run.
pub async fn run_targets(
    selected: &[LoadedProject],
    targets: &[Vec<Target>],
    run_arguments: &RunArguments,
    context: &Context<'_>,
) -> Result<Exit, CommandError> {
    refuse_empty_drafts(selected, targets)?;
    let mut services = Vec::new();
    let mut planned = AssumedApplied::default();
    let stop = if run_arguments.dry_run { StopSignal::default() } else { signals::listen(context.output) };
    for (loaded, targets) in selected.iter().zip(targets) {
        let outcome = if run_arguments.dry_run {
            dry_run(loaded, targets, &mut planned, context).await
        } else {
            apply(loaded, targets, run_arguments, &stop, context).await
        };
        match outcome.map_err(|failure| failure.of(&loaded.project)) {
            Ok(done) => services.push(done),
            // The one JSON document must also contain the completed work.
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

/// The status of a project. If its SQLite file does not exist yet, this is the status of an empty database, because `up` creates
/// the file.
pub async fn status_of<'s>(loaded: &'s LoadedProject, output: &Output) -> Result<StatusReport<'s>, CommandError> {
    let migrator = Migrator::new(&loaded.folder.set);
    match migrator.status(&loaded.url).await {
        Err(error) if error.kind() == ErrorKind::NoDatabase => {
            output.message(format!("{} yet: `cargo migrate up` creates it", error.message()));
            Ok(migrator.status("sqlite::memory:").await?)
        }
        status => Ok(status?),
    }
}

/// The migrations that a plan applies for earlier services, for `requires` in later services.
#[derive(Debug, Default)]
pub struct AssumedApplied(Vec<(String, Vec<Version>)>);

impl AssumedApplied {
    /// Treats the collected migrations as applied.
    pub fn assume(&self, status: &mut StatusReport<'_>) {
        self.0.iter().for_each(|(service, versions)| status.assume(service, versions));
    }

    /// Adds the migrations that a plan applies.
    pub fn add(&mut self, service: &str, plan: &Plan<'_>) {
        let applied = plan.steps.iter().filter(|step| step.direction == Direction::Up);
        self.0.push((service.to_owned(), applied.map(|step| step.version.clone()).collect()));
    }
}

/// Rejects drafts without a statement among the migrations to apply: an empty file would be recorded as applied.
///
/// # Errors
/// If there is such a draft.
pub fn refuse_empty_drafts(selected: &[LoadedProject], targets: &[Vec<Target>]) -> Result<(), CommandError> {
    let mut errors = Vec::new();
    for (loaded, targets) in selected.iter().zip(targets) {
        let reaches = |version: &Version| {
            targets.iter().any(|target| match target {
                Target::UpTo(last) => version <= last,
                target => target.direction() == Direction::Up,
            })
        };
        let drafts = loaded.folder.lock.as_ref().map_or(&[][..], |lock| &lock.drafts);
        let files = loaded.folder.files.iter().map(|(file, _)| file).filter(|file| drafts.contains(&file.name));
        let draft_paths: Vec<&str> = files.map(|file| file.display_path.as_str()).collect();
        let scripts = loaded.folder.set.iter().filter(|migration| reaches(&migration.version)).map(|migration| &migration.up);
        let empty_scripts = scripts.filter(|up| up.statements.is_empty());
        errors.extend(empty_scripts.filter(|up| draft_paths.contains(&&*up.file)).map(|up| {
            Finding::error(&EMPTY_FILE, format!("`{}` is a draft that contains no statement", up.file_name()))
                .at(Place::file(&*up.file))
                .help("write the SQL, remove the file, or write `SELECT 1;` if the migration does nothing on purpose")
        }));
    }
    if errors.is_empty() { Ok(()) } else { Err(CommandError::Findings(errors)) }
}

/// Creates the migrator of a project with the options of the command line.
pub fn migrator<'s>(
    selected: &'s LoadedProject,
    run_arguments: &RunArguments,
    stop: &StopSignal,
    output: &Output,
) -> Migrator<'s> {
    let mut migrator = Migrator::new(&selected.folder.set)
        .stop(stop)
        .lock_wait(run_arguments.lock_wait)
        .on_event(progress::observer(output, &selected.project.service, selected.show_service));
    if let Some(strategy) = run_arguments.lock {
        migrator = migrator.lock(strategy);
    }
    if let Some(limit) = run_arguments.lock_timeout {
        migrator = migrator.lock_timeout(limit);
    }
    if let Some(limit) = run_arguments.timeout {
        migrator = migrator.timeout(limit);
    }
    migrator
}

async fn apply(
    loaded: &LoadedProject,
    targets: &[Target],
    run_arguments: &RunArguments,
    stop: &StopSignal,
    context: &Context<'_>,
) -> Result<Value, CommandError> {
    let migrator = migrator(loaded, run_arguments, stop, context.output);
    let started = Instant::now();
    let mut report = RunReport::default();
    for target in targets {
        let part = migrator.run_to(&loaded.url, target).await?;
        report.done.extend(part.done);
        report.warnings = part.warnings;
    }
    print_warnings(&report.warnings, context.output);
    print_completed(loaded, &report, started.elapsed(), context.output);
    Ok(json!({
        "service": loaded.project.service,
        "database": url_without_password(&loaded.url),
        "done": report.done.iter().map(|done| json!({
            "version": done.version.as_str(),
            "name": done.title,
            "direction": direction(done.direction),
            "execution_ms": u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
        })).collect::<Vec<_>>(),
        "warnings": report.warnings.iter().map(|warning| finding_json(&warning.finding)).collect::<Vec<_>>(),
    }))
}

/// Prints warnings. The warnings about migrations newer than every local file are summarized in one.
fn print_warnings(warnings: &[Divergence], output: &Output) {
    let (ahead, others): (Vec<&Divergence>, Vec<&Divergence>) =
        warnings.iter().partition(|warning| warning.finding.code == &AHEAD);
    let mut summary: Vec<Divergence> = others.into_iter().cloned().collect();
    if let Some(last) = ahead.last() {
        let mut warning = (*last).clone();
        if ahead.len() > 1 {
            warning.finding.message = format!("{}; and {} more before it", warning.finding.message, ahead.len() - 1);
        }
        summary.push(warning);
    }
    output.divergences(&summary);
}

fn print_completed(loaded: &LoadedProject, report: &RunReport, took: Duration, output: &Output) {
    let service = &loaded.project.service;
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

/// Prints what would run: the SQL to stdout, everything else to stderr.
async fn dry_run(
    loaded: &LoadedProject,
    targets: &[Target],
    planned: &mut AssumedApplied,
    context: &Context<'_>,
) -> Result<Value, CommandError> {
    let migrator = Migrator::new(&loaded.folder.set);
    let mut status = status_of(loaded, context.output).await?;
    planned.assume(&mut status);
    let mut steps = Vec::new();
    let mut warnings = Vec::new();
    for target in targets {
        let plan = status.plan(target)?;
        if !plan.is_clear() {
            return Err(CommandError::Diverged(plan.errors().cloned().collect()));
        }
        print_warnings(&plan.divergences, context.output);
        warnings.extend(plan.divergences.iter().map(|divergence| finding_json(&divergence.finding)));
        planned.add(&loaded.project.service, &plan);
        for step in &plan.steps {
            let sql = match step.source {
                ScriptSource::File(script) => script.text.to_string(),
                ScriptSource::History => {
                    let stored = migrator.stored_sql(&loaded.url, &[&step.version], Direction::Down).await?;
                    stored.into_iter().next().flatten().unwrap_or_default()
                }
            };
            let mut execution = match step.source {
                ScriptSource::File(script) => script.transaction_mode().to_string(),
                ScriptSource::History => "as stored in the history".to_owned(),
            };
            if step.done > 0 {
                execution = format!("{execution}, resumed at statement {}", step.done + 1);
            }
            let sql = rest(sql, loaded.folder.set.contents().dialect, step.done);
            if !context.output.is_json() {
                context.output.data(format!("-- {} `{}`, {execution}\n{}\n", verb(step.direction), step.title, sql.trim_end()));
            }
            steps.push(json!({
                "version": step.version.as_str(),
                "name": step.title,
                "direction": direction(step.direction),
                "execution": execution,
                "statements_done": step.done,
                "sql": sql,
            }));
        }
    }
    context.output.status(
        "Dry run",
        &format!("`{}`: {} would run; nothing was changed", loaded.project.service, count_migrations(steps.len())),
    );
    Ok(
        json!({ "service": loaded.project.service, "database": url_without_password(&loaded.url), "would_do": steps, "warnings": warnings }),
    )
}

/// The part of a script after this number of completed statements.
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
