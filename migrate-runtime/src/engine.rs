//! Carries a plan out, in one order: fast check, lock, tables, history, plan, steps, unlock.
//!
//! Whether something is done is decided in `migrate_model::plan`; here it is only done, and nothing else changes a database.

use crate::backend::Backend;
use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, SessionInfo, describe};
use crate::history_change::HistoryChange;
use crate::history_sql::HistorySql;
use crate::recovery::{InterruptedMigration, inspect_interrupted};
use crate::report::{CompletedMigration, RunReport};
use crate::run_options::RunOptions;
use crate::step::{StepError, StepRunner};
use migrate_model::divergence::Divergence;
use migrate_model::duration;
use migrate_model::history::History;
use migrate_model::migration_set::MigrationSet;
use migrate_model::plan::{OtherHistories, Plan, ScriptSource, Step, plan};
use migrate_model::script_plan::plan_script;
use migrate_model::target::Target;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Brings a database to the target.
///
/// # Errors
/// See [`ErrorKind`]; the history is true whatever happened.
pub async fn run(
    mut backend: Box<dyn Backend + '_>,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
) -> Result<RunReport, Error> {
    let mut history_sql = history_sql(&*backend, set)?;
    if *target == Target::Latest {
        let digest =
            backend.digest(&history_sql).await.map_err(|failure| failure.into_history_error("cannot read the history"))?;
        if digest.is_some_and(|digest| digest == set.digest().to_string()) {
            backend.release(true).await;
            return Ok(RunReport::default());
        }
    }
    let span = tracing::info_span!("migrate", service = set.service(), target = ?target);
    let (outcome, clean) = locked(&mut *backend, &mut history_sql, set, target, options).instrument(span).await;
    backend.release(clean).await;
    outcome
}

/// A history_sql for the history of a set, if the database is of its kind.
pub fn history_sql(backend: &dyn Backend, set: &MigrationSet) -> Result<HistorySql, Error> {
    let contents = set.contents();
    if backend.dialect() != contents.dialect {
        return Err(Error::new(
            ErrorKind::WrongDialect,
            &codes::WRONG_DIALECT,
            format!(
                "the migrations of `{}` are written for {}, and this is {}",
                contents.service,
                contents.dialect,
                backend.dialect()
            ),
        )
        .help("connect to the right database, or correct `database` in `migrate.toml`"));
    }
    HistorySql::new(contents.dialect, &contents.service, &contents.history)
}

/// What came of it, and whether the state of the connection is known.
async fn locked(
    backend: &mut dyn Backend,
    history_sql: &mut HistorySql,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
) -> (Result<RunReport, Error>, bool) {
    let session = &set.contents().session;
    let prepared = backend.prepare(history_sql, session, options.locking).await;
    if let Err(failure) = prepared {
        return (Err(failure.into_history_error("cannot prepare the session")), false);
    }
    if let Err(error) = acquire_lock(backend, history_sql, options).await {
        let clean = is_clean(&error) && backend.restore_original().await.is_ok();
        return (Err(error), clean);
    }
    let outcome = plan_and_run(backend, history_sql, set, target, options).await;
    if matches!(&outcome, Err(error) if !is_clean(error)) {
        return (outcome, false);
    }
    let restored = backend.restore_original().await;
    match (restored.and(backend.unlock(history_sql).await), outcome) {
        (Ok(()), outcome) => (outcome, true),
        (Err(_), Err(error)) => (Err(error), false),
        (Err(failure), Ok(_)) => {
            (Err(failure.into_connection_error("everything was done, but then the session could not be put back")), false)
        }
    }
}

/// Is the state of the connection known after this? What was dropped or broken in the middle has a state that nobody knows.
fn is_clean(error: &Error) -> bool {
    error.code() != &codes::TIMED_OUT && error.kind() != ErrorKind::Connection
}

/// Tries to get the lock until it is got or the patience ends.
pub async fn acquire_lock(backend: &mut dyn Backend, history_sql: &HistorySql, options: &RunOptions) -> Result<(), Error> {
    let since = Instant::now();
    let mut pause = Duration::from_millis(20);
    let mut told: Option<SessionInfo> = None;
    loop {
        match backend.try_lock(history_sql).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // Of several that make the row of a lease at once, on nodes of one cluster, the others are rolled back.
            Err(failure) if failure.lock_timeout => tracing::debug!(message = failure.message, "asking for the lock again"),
            Err(failure) => return Err(failure.into_history_error("cannot ask for the lock")),
        }
        let holder = backend.holder(history_sql).await;
        let connection = |holder: &Option<SessionInfo>| holder.as_ref().map(|holder| holder.connection.clone());
        if told.is_none() || connection(&told) != connection(&holder) {
            options.emit(&Event::Waiting { holder: holder.as_ref() });
            told = Some(holder.clone().unwrap_or_default());
        }
        if options.stop.is_requested() {
            return Err(stopped("while it waited for the lock"));
        }
        if since.elapsed() >= options.lock_wait {
            return Err(not_obtained(holder, since.elapsed()));
        }
        // Those who wait do not all ask at the same moment.
        let jitter = u32::from(std::process::id() as u8 % 32) + 32;
        tokio::time::sleep(pause * jitter / 48).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}

/// A run that was asked to stop.
pub fn stopped(how: &str) -> Error {
    let error = Error::new(ErrorKind::Stopped, &codes::STOPPED, format!("the run was asked to stop, and did, {how}"));
    error.help("run the same command again: it goes on from there")
}

fn not_obtained(holder: Option<SessionInfo>, waited: Duration) -> Error {
    let waited = duration::show(waited);
    let message = format!("another process holds the lock of these migrations; waited {waited}");
    let mut error = Error::new(ErrorKind::LockNotObtained, &codes::LOCK_NOT_OBTAINED, message);
    if let Some(holder) = holder {
        error = error.note("holder", describe(&holder));
        error = match &holder.how_to_end {
            Some(ending) => error.help(format!("wait until it is done; or, if it hangs, {ending}")),
            None => error.help("wait until it is done"),
        };
    }
    error
}

/// Ends the use of a connection that was only read with.
pub async fn release_clean(mut backend: Box<dyn Backend + '_>) {
    let clean = backend.restore_original().await.is_ok();
    backend.release(clean).await;
}

/// The histories that `requires` asks for besides one's own.
pub async fn required_histories(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
) -> Result<OtherHistories, Error> {
    let mut others = OtherHistories::new();
    let requirements = set.iter().flat_map(|migration| &migration.up.directives.requires);
    for service in requirements.filter_map(|requirement| requirement.service.as_deref()) {
        if !others.contains_key(service) {
            let history = backend.history(history_sql, Some(service)).await?.unwrap_or_default();
            others.insert(service.to_owned(), history);
        }
    }
    Ok(others)
}

/// An error for a plan that must not be carried out.
pub fn history_mismatch(service: &str, divergences: Vec<Divergence>) -> Error {
    let message = format!("nothing of `{service}` was run: files and history disagree");
    Error::new(ErrorKind::Diverged, &codes::HISTORY_MISMATCH, message).diverged(divergences)
}

/// Plans and works until the target is reached. Only where there is no lock (SQLite) can another process come between; then
/// its work is looked at and a new plan made.
async fn plan_and_run(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
) -> Result<RunReport, Error> {
    let mut report = RunReport::default();
    loop {
        let found = backend.history(history_sql, None).await?;
        let tables = found.is_some();
        let mut history = found.unwrap_or_default();
        let settled = inspect_interrupted(backend, history_sql, &history).await?;
        for one in &settled {
            record_recovery(backend, history_sql, &mut history, one).await?;
        }
        let snapshot = history.clone();
        let others = required_histories(backend, history_sql, set).await?;
        let target = remaining(target, report.done.len());
        let plan = plan(set, &snapshot, &others, &target, options.policy(set)).map_err(unknown_version)?;
        if !plan.is_clear() {
            let errors: Vec<Divergence> = plan.errors().cloned().collect();
            let unclear = settled.iter().filter(|one| one.recovered.is_none());
            let shown = |one: &InterruptedMigration| format!("of `{}`: {}", one.version, one.evidence);
            return Err(unclear.fold(history_mismatch(set.service(), errors), |error, one| error.note("found", shown(one))));
        }
        if !backend.preserves_session()
            && let Some(error) = plan.steps.iter().find_map(|step| needs_session(step, history_sql, set))
        {
            return Err(error);
        }
        report.warnings.clone_from(&plan.divergences);
        if plan.steps.is_empty() {
            return Ok(report);
        }
        if !tables {
            let made = backend.create_tables(history_sql).await;
            made.map_err(|failure| failure.into_history_error("cannot make the history tables"))?;
        }
        if steps(backend, history_sql, &plan, &mut history, options, &mut report).await? {
            return Ok(report);
        }
    }
}

/// Behind a pooler, what is set outside a transaction is not there for the next statement.
fn needs_session(step: &Step<'_>, history_sql: &HistorySql, set: &MigrationSet) -> Option<Error> {
    let ScriptSource::File(script) = step.source else { return None };
    let setting = plan_script(script, history_sql.dialect(), step.done).needs_session(!set.contents().session.is_empty())?;
    let message = format!("`{}` needs a session of its own, and the connection leads through a pooler", step.title);
    let error = Error::new(ErrorKind::Setting, &codes::NEEDS_SESSION, message).at(Some(script.place(setting)));
    Some(error.note("state", "nothing was run").help("connect to the server itself; see `cargo migrate explain needs-session`"))
}

/// Writes down what was found out, so that it stays true whatever this run does next.
async fn record_recovery(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    history: &mut History,
    settled: &InterruptedMigration,
) -> Result<(), Error> {
    let (Some(fate), Some(record)) = (settled.recovered, history.get(&settled.version)) else { return Ok(()) };
    tracing::info!(version = %settled.version, found = settled.evidence, done = fate.done, "an interrupted migration goes on");
    let detail = format!(": {}", settled.evidence);
    let change = HistoryChange::Resolved {
        version: record.version.as_str(),
        state: fate.state,
        done: fate.done,
        event: "recovered",
        detail: &detail,
        text: None,
    };
    let written = backend.write(history_sql, &change).await;
    written.map_err(|failure| failure.into_history_error("cannot write the history"))?;
    let record = settled.applied_to(record);
    history.upsert(record);
    Ok(())
}

/// An error for a target that nobody knows.
pub fn unknown_version(unknown: migrate_model::plan::UnknownVersion) -> Error {
    let error = Error::new(ErrorKind::UnknownVersion, &codes::UNKNOWN_VERSION, unknown.to_string());
    let nearest: Vec<String> = unknown.nearest.iter().map(|version| version.to_string()).collect();
    match nearest.is_empty() {
        true => error.help("see `cargo migrate status` for the versions there are"),
        false => error.help(format!("the nearest are {}; see `cargo migrate status` for all", nearest.join(" and "))),
    }
}

fn remaining(target: &Target, done: usize) -> Target {
    match target {
        Target::Up(count) => Target::Up(count.saturating_sub(done)),
        Target::Down(count) => Target::Down(count.saturating_sub(done)),
        other => other.clone(),
    }
}

/// Carries out the steps; false when another process came between and the rest must be planned anew.
async fn steps(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    plan: &Plan<'_>,
    history: &mut History,
    options: &RunOptions,
    report: &mut RunReport,
) -> Result<bool, Error> {
    options.emit(&Event::Planned { steps: plan.steps.len() });
    let mut digest = history.digest();
    for (at, step) in plan.steps.iter().enumerate() {
        if options.stop.is_requested() {
            let left = plan.steps.len() - at;
            return Err(with_done(stopped(&format!("with {left} of {} migrations left", plan.steps.len())), report));
        }
        options.emit(&Event::Started { title: &step.title, direction: step.direction, number: at + 1, of: plan.steps.len() });
        let since = Instant::now();
        let mut running =
            StepRunner { backend: &mut *backend, history_sql, step, history: &mut *history, digest: &mut digest, options, since };
        let span = tracing::info_span!("migration", version = %step.version, title = step.title, direction = ?step.direction);
        match running.run().instrument(span).await {
            Ok(()) => {}
            Err(StepError::HistoryChanged) => return Ok(false),
            Err(StepError::Failed(error)) => return Err(with_done(error, report)),
        }
        let took = since.elapsed();
        options.emit(&Event::Finished { title: &step.title, direction: step.direction, took });
        tracing::info!(version = %step.version, title = step.title, direction = ?step.direction, took_ms = took.as_millis() as u64, "migration done");
        report.done.push(CompletedMigration {
            version: step.version.clone(),
            title: step.title.clone(),
            direction: step.direction,
            took,
            from_history: matches!(step.source, ScriptSource::History),
        });
    }
    Ok(true)
}

fn with_done(error: Error, report: &RunReport) -> Error {
    let done = &report.done;
    match (done.first(), done.last()) {
        (Some(only), Some(_)) if done.len() == 1 => error.note("done before", format!("`{}`", only.title)),
        (Some(first), Some(last)) => {
            error.note("done before", format!("{} migrations, `{}` to `{}`", done.len(), first.title, last.title))
        }
        _ => error.note("done before", "nothing in this run"),
    }
}

#[cfg(test)]
mod tests;
