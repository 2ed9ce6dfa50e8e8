//! Carries out a plan, in one order: fast check, lock, tables, history, plan, steps, unlock.
//!
//! Whether something is done is decided in `migrate_model::plan`; here it is only done, and nothing else changes a database.

use crate::backend::{Backend, ConnectionState, RenewedSession};
use crate::backend_error::{BackendError, BackendErrorKind};
use crate::codes;
use crate::completeness::{self, Completeness};
use crate::connection::TextRow;
use crate::early_start::{EarlyStart, StartRecord};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, SessionInfo};
use crate::first_run::{self, RecordedHistory};
use crate::history_changes;
use crate::history_loss;
use crate::history_sql::{HistorySql, HistoryTable};
use crate::recovery::{InterruptedMigration, inspect_interrupted};
use crate::report::{CompletedMigration, RunReport};
use crate::run_options::{Dependents, RunOptions};
use crate::session;
use crate::step::{StepError, StepOutcome, StepRunner, StepSession};
use crate::stored_scripts;
use crate::summary::{self, Currency, Repetitions};
use crate::trigger_catalog::{self, AbsentNames};
use crate::trust::Purpose;
use migrate_model::dialect::Dialect;
use migrate_model::directives::{self, Requirement};
use migrate_model::divergence::{self, Divergence, OUT_OF_ORDER};
use migrate_model::duration;
use migrate_model::finding::Finding;
use migrate_model::history::{AppliedVersions, History, Record, RecordState};
use migrate_model::lock_settings::LockStrategy;
use migrate_model::migration_set::MigrationSet;
use migrate_model::place::Place;
use migrate_model::plan::{Dependent, OtherHistories, Plan, ScriptSource, Step, plan, wait_is_over};
use migrate_model::plural::{count_of, is_are};
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPlan, plan_script};
use migrate_model::session_effect::catalog::TriggerCatalog;
use migrate_model::session_effect::{self, FreshSession};
use migrate_model::set_settings::SetSettings;
use migrate_model::statement::{Reading, UNKNOWN_QUOTING, quoting_setting, splits_differently};
use migrate_model::target::{Direction, Target};
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Brings a database to the target.
///
/// # Errors
/// See [`ErrorKind`]; the history is correct in every case.
pub async fn run(
    mut backend: Box<dyn Backend + '_>,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
) -> Result<RunReport, Error> {
    let mut history_sql = history_sql(&*backend, set.settings())?;
    if options.locking.strategy == LockStrategy::None {
        history_sql.make_lock_private();
    }
    // The statements of `session` may decide where the history is, and who may read it. Then the check comes after them.
    let is_prepared_first = !set.settings().run.session.is_empty() || backend.may_differ_from_new_session();
    if *target == Target::Latest && !is_prepared_first {
        let currency = summary::currency(&mut *backend, &history_sql, set.summary()).await;
        let currency = currency.map_err(|error| error.into_history_error("cannot read the history"))?;
        let done = match currency {
            Currency::Current => Some(RunReport::default()),
            // Another release may have applied more. Then this run needs no lock, which that release may hold.
            Currency::Different | Currency::BesidePartial => {
                nothing_to_do(&mut *backend, &history_sql, set, target, options, currency).await?
            }
            Currency::Unknown => None,
        };
        if let Some(report) = done {
            backend.release(ConnectionState::Clean).await;
            return Ok(report);
        }
    }
    let span = tracing::info_span!("migrate", service = set.service(), target = ?target);
    let (outcome, state) = with_lock(&mut *backend, &mut history_sql, set, target, options).instrument(span).await;
    backend.release(state).await;
    // SQLite waits for other writers with each write.
    let is_wait = |error: &Error| *error.finding().code == codes::LOCK_NOT_OBTAINED && options.stop.is_requested();
    outcome.map_err(|error| if is_wait(&error) { stopped("while waiting for another process") } else { error })
}

/// The report of a run that has nothing to do; `None` if there is something to do, or the plan is not clear.
async fn nothing_to_do(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
    currency: Currency,
) -> Result<Option<RunReport>, Error> {
    let Some(history) = session::history(backend, history_sql, None).await? else { return Ok(None) };
    // What was recorded as started, and has not run, is forgotten under the lock. A release that is running it holds the lock; if
    // the lock cannot be read, it may be running.
    let is_started = |record: &Record| record.state.interrupted().is_some() && record.statements_done == 0;
    let is_running = async |backend: &mut dyn Backend| matches!(backend.is_locked(history_sql).await, Ok(Some(true)) | Err(_));
    if history.records().iter().any(is_started) && !is_running(backend).await {
        return Ok(None);
    }
    let others = other_histories(backend, history_sql, set, target.direction(), options).await?;
    let plan = plan(set, &history, &others, target, options.policy(set)).map_err(unknown_version)?;
    // If exactly these migrations are applied, a summary that differs is wrong, and the lock is needed to write it again.
    let is_wrong = currency == Currency::Different && history.digest() == set.digest();
    if !plan.steps.is_empty() || !plan.is_clear() || is_wrong {
        return Ok(None);
    }
    Ok(Some(RunReport { warnings: plan.divergences, ..RunReport::default() }))
}

/// The same, before it is known whether the summary is right.
async fn nothing_to_do_now(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
) -> Result<Option<RunReport>, Error> {
    let currency = summary::currency(backend, history_sql, set.summary()).await;
    let currency = currency.map_err(|error| error.into_history_error("cannot read the history"))?;
    nothing_to_do(backend, history_sql, set, target, options, currency).await
}

/// The SQL for the history of a set, if the database reads its dialect.
pub fn history_sql(backend: &dyn Backend, settings: &SetSettings) -> Result<HistorySql, Error> {
    if backend.dialect() != settings.dialect {
        let message = format!(
            "the migrations of `{}` are written for {}, but this database is {}",
            settings.service,
            settings.dialect,
            backend.dialect()
        );
        return Err(Error::new(ErrorKind::WrongDialect, &codes::WRONG_DIALECT, message)
            .help("connect to a database of this type, or correct `database` in `migrate.toml`"));
    }
    let mut history_sql = HistorySql::new(backend.history_dialect(), &settings.service, &settings.run.history)?;
    history_sql.require_new_session(backend.new_session_condition());
    Ok(history_sql)
}

/// Runs under the lock; answers also with the state in which that leaves the connection.
async fn with_lock(
    backend: &mut dyn Backend,
    history_sql: &mut HistorySql,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
) -> (Result<RunReport, Error>, ConnectionState) {
    let prepared = backend.prepare(history_sql, &set.settings().run.session, options.locking).await;
    if let Err(error) = prepared {
        return (Err(error.into_history_error("cannot prepare the session")), ConnectionState::Unknown);
    }
    // With `session`, or up to a version, whether there is something to do is known only now.
    let is_prepared_first = !set.settings().run.session.is_empty() || backend.may_differ_from_new_session();
    if target.direction() == Direction::Up && (*target != Target::Latest || is_prepared_first) {
        match nothing_to_do_now(backend, history_sql, set, target, options).await {
            Ok(None) => {}
            Ok(Some(report)) => {
                return (Ok(report), ConnectionState::of(&backend.restore_original(history_sql).await));
            }
            Err(error) => return (Err(error), ConnectionState::Unknown),
        }
    }
    history_sql.set_purpose(Purpose::Writing);
    let mut report = RunReport::default();
    let mut last_wait: Option<Wait> = None;
    loop {
        if let Err(error) = acquire_lock(backend, history_sql, options).await {
            let state = match state_after(&error) {
                ConnectionState::Clean => ConnectionState::of(&backend.restore_original(history_sql).await),
                ConnectionState::Unknown => ConnectionState::Unknown,
            };
            return (Err(report.add_to(error)), state);
        }
        let outcome = plan_and_run(backend, history_sql, set, target, options, &mut report).await;
        let wait = match outcome {
            Ok(Some(wait)) => wait,
            Ok(None) => return after_run(backend, history_sql, Ok(report)).await,
            Err(error) => return after_run(backend, history_sql, Err(error)).await,
        };
        // Others need not wait for a process that itself waits.
        if let Err(error) = end_turn(backend, history_sql).await {
            let error = error.into_connection_error("the lock could not be released before waiting for another service");
            return (Err(report.add_to(error)), ConnectionState::Unknown);
        }
        if last_wait.as_ref().is_none_or(|last| (&last.title, &last.requirement) != (&wait.title, &wait.requirement)) {
            options.emit(&Event::WaitingFor { title: &wait.title, requirement: &wait.requirement });
        }
        match wait_for_others(backend, history_sql, set, wait, Instant::now(), options).await {
            Ok((wait, _)) => last_wait = Some(wait),
            Err(error) => {
                return (Err(report.add_to(error)), ConnectionState::of(&backend.restore_original(history_sql).await));
            }
        }
    }
}

/// Ends a run that holds the lock.
async fn after_run(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    outcome: Result<RunReport, Error>,
) -> (Result<RunReport, Error>, ConnectionState) {
    if matches!(&outcome, Err(error) if state_after(error) == ConnectionState::Unknown) {
        return (outcome, ConnectionState::Unknown);
    }
    match (release_lock(backend, history_sql).await, outcome) {
        (Ok(()), outcome) => (outcome, ConnectionState::Clean),
        (Err(_), Err(error)) => (Err(error), ConnectionState::Unknown),
        // The server has closed the connection, for example because of `completion_type` on MySQL; and with it, it ended the session
        // and its lock.
        (Err(error), Ok(report)) if error.is_connection_lost() && backend.owns_session() => {
            tracing::warn!(message = error.message, "after the run, the server had closed the connection");
            (Ok(report), ConnectionState::Unknown)
        }
        (Err(error), Ok(_)) => {
            let error = error.into_connection_error(
                "the run is complete, but afterwards the session could not be reset or the lock could not be released",
            );
            (Err(error), ConnectionState::Unknown)
        }
    }
}

/// Releases the lock in the middle of a run. What the migrations so far have left in the session must not reach the next one.
async fn end_turn(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<(), BackendError> {
    match backend.renew_session(history_sql).await? {
        RenewedSession::Unlocked => Ok(()),
        RenewedSession::Locked => backend.unlock(history_sql).await,
    }
}

/// Can this run release its lock, and go on later in a session like the first one? Not with a connection of the application, whose
/// state it would have to restore meanwhile; and no other process reaches a database in memory.
fn may_wait(backend: &dyn Backend, options: &RunOptions) -> bool {
    let has_own_session = backend.owns_session() || !backend.preserves_session();
    !options.lock_wait.is_zero() && has_own_session && !backend.may_differ_from_new_session()
}

/// A step that cannot run before another service has applied a migration.
#[derive(Debug)]
struct Wait {
    /// The step.
    title: String,
    /// What it requires.
    requirement: Requirement,
    /// What the other services have applied.
    others: OtherHistories,
    /// What is reported if they do not apply it.
    divergences: Vec<Divergence>,
}

impl Wait {
    /// For the first step of a plan that must wait; `None` if none must.
    fn of_plan(plan: &Plan<'_>, others: &OtherHistories) -> Option<Self> {
        let missing = plan.missing.first()?;
        Some(Wait {
            title: plan.steps.get(missing.step)?.title.clone(),
            requirement: missing.requirement.clone(),
            others: others.clone(),
            divergences: plan.errors().cloned().collect(),
        })
    }

    /// The error after the wait.
    fn into_error(self, waited: Duration) -> Error {
        let message = format!("`{}` was not applied: a required migration is not applied", self.title);
        let error = Error::new(ErrorKind::HistoryMismatch, &codes::HISTORY_MISMATCH, message).diverged(self.divergences);
        if waited.is_zero() {
            return error;
        }
        error.note("waited", format!("{} for another process to apply {}", duration::show(waited), self.requirement))
    }
}

/// Waits until other services have applied what the first step of a plan requires that waits for them, at most as long as for the
/// lock.
///
/// # Errors
/// After that time, when the run is stopped, or when the histories cannot be read; at once if the run cannot wait.
pub async fn wait_for_required(
    mut backend: Box<dyn Backend + '_>,
    set: &MigrationSet,
    plan: &Plan<'_>,
    options: &RunOptions,
) -> Result<(), Error> {
    let mut history_sql = history_sql(&*backend, set.settings())?;
    let prepared = backend.prepare(&mut history_sql, &set.settings().run.session, options.locking).await;
    prepared.map_err(|error| error.into_history_error("cannot prepare the session"))?;
    let waited = until_required(&mut *backend, &history_sql, set, plan, options).await;
    if waited.as_ref().map_or_else(state_after, |()| ConnectionState::Clean) == ConnectionState::Clean {
        release_clean(backend, &history_sql).await;
    }
    waited
}

async fn until_required(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    plan: &Plan<'_>,
    options: &RunOptions,
) -> Result<(), Error> {
    let since = Instant::now();
    let mut others = other_histories(backend, history_sql, set, Direction::Up, options).await?;
    let mut is_reported = false;
    while !wait_is_over(plan, &others) {
        let Some(wait) = Wait::of_plan(plan, &others) else { break };
        if !may_wait(backend, options) {
            return Err(wait.into_error(Duration::ZERO));
        }
        if !is_reported {
            options.emit(&Event::WaitingFor { title: &wait.title, requirement: &wait.requirement });
            is_reported = true;
        }
        others = wait_for_others(backend, history_sql, set, wait, since, options).await?.1;
    }
    Ok(())
}

/// Waits until other services have applied more, at most as long as for the lock since this moment. Returns what they have applied.
async fn wait_for_others(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    wait: Wait,
    since: Instant,
    options: &RunOptions,
) -> Result<(Wait, OtherHistories), Error> {
    let mut pause = Duration::from_millis(50);
    loop {
        let left = options.lock_wait.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(wait.into_error(options.lock_wait));
        }
        if tokio::time::timeout(pause.min(left), options.stop.requested()).await.is_ok() {
            return Err(stopped(&format!("while waiting for {}, which `{}` requires", wait.requirement, wait.title)));
        }
        let others = other_histories(backend, history_sql, set, Direction::Up, options).await?;
        if others != wait.others {
            return Ok((wait, others));
        }
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}

/// Resets the session and releases the lock.
pub async fn release_lock(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<(), BackendError> {
    let restored = backend.restore_original(history_sql).await;
    restored.and(backend.unlock(history_sql).await)
}

/// The state of the connection after an error: what was dropped or lost in the middle is in a state that cannot be known.
fn state_after(error: &Error) -> ConnectionState {
    if error.code() == &codes::TIMED_OUT || matches!(error.kind(), ErrorKind::Connection | ErrorKind::ConnectionLost) {
        ConnectionState::Unknown
    } else {
        ConnectionState::Clean
    }
}

/// Tries to acquire the lock until it succeeds or `lock_wait` is over.
pub async fn acquire_lock(backend: &mut dyn Backend, history_sql: &HistorySql, options: &RunOptions) -> Result<(), Error> {
    let since = Instant::now();
    let mut pause = Duration::from_millis(20);
    let mut last_reported: Option<SessionInfo> = None;
    loop {
        match backend.try_lock(history_sql).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // Of several nodes of a cluster that create the row of a lease at once, all but one are rolled back.
            Err(error) if error.kind == BackendErrorKind::LockTimeout => {
                tracing::debug!(message = error.message, "trying to acquire the lock again");
            }
            Err(error) => return Err(error.into_history_error("cannot acquire the lock")),
        }
        let holder = backend.holder(history_sql).await;
        let connection = |holder: &Option<SessionInfo>| holder.as_ref().map(|holder| holder.connection.clone());
        if last_reported.is_none() || connection(&last_reported) != connection(&holder) {
            options.emit(&Event::Waiting { holder: holder.as_ref() });
            last_reported = Some(holder.clone().unwrap_or_default());
        }
        if options.stop.is_requested() {
            return Err(stopped("while waiting for the lock"));
        }
        if since.elapsed() >= options.lock_wait {
            return Err(not_acquired(holder, since.elapsed()));
        }
        // Waiting processes do not all try at the same moment.
        let jitter = u32::from(std::process::id() as u8 % 32) + 32;
        tokio::time::sleep(pause * jitter / 48).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}

/// A run that was asked to stop.
fn stopped(when: &str) -> Error {
    let error = Error::new(ErrorKind::Stopped, &codes::STOPPED, format!("stopped on request {when}"));
    error.help("to resume, run the same command again")
}

fn not_acquired(holder: Option<SessionInfo>, waited: Duration) -> Error {
    let waited = duration::show(waited);
    let message = format!("timed out after {waited}: another process holds the migration lock");
    let mut error = Error::new(ErrorKind::LockNotObtained, &codes::LOCK_NOT_OBTAINED, message);
    if let Some(holder) = holder {
        error = error.note("holder", holder.to_string());
        error = match &holder.how_to_end {
            Some(how_to_end) => error.help(format!("wait until that process finishes; or, if it hangs, {how_to_end}")),
            None => error.help("wait until that process finishes"),
        };
    }
    error
}

/// Ends the use of a connection that only read.
pub async fn release_clean(mut backend: Box<dyn Backend + '_>, history_sql: &HistorySql) {
    let state = ConnectionState::of(&backend.restore_original(history_sql).await);
    backend.release(state).await;
}

/// What a run has to know about other services: what is applied of those that `requires` names, and for a revert, what their
/// migrations require.
pub async fn other_histories(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    direction: Direction,
    options: &RunOptions,
) -> Result<OtherHistories, Error> {
    let mut others = options.elsewhere.clone();
    for service in set.required_services() {
        if !others.contains(service) {
            let history = session::history(backend, history_sql, Some(service)).await?.unwrap_or_default();
            others.insert(service, AppliedVersions::from(&history));
        }
    }
    if direction == Direction::Down && options.dependents == Dependents::Protected {
        others.add_dependents(dependents(backend, history_sql).await?);
    }
    Ok(others)
}

/// The migrations of other services that are applied, also in part, and require others.
async fn dependents(backend: &mut dyn Backend, history_sql: &HistorySql) -> Result<Vec<Dependent>, Error> {
    let rows = session::read(backend, history_sql, &[HistoryTable::Records], &history_sql.select_dependents()).await;
    let rows = rows.map_err(|error| error.into_history_error("cannot read the history"))?;
    rows.into_iter().flatten().map(|row| dependent(row, backend.dialect())).collect()
}

fn dependent(row: TextRow, dialect: Dialect) -> Result<Dependent, Error> {
    let mut columns = row.into_iter().map(Option::unwrap_or_default);
    let mut next = || columns.next().unwrap_or_default();
    let (service, version, text) = (next(), next(), next());
    let (directives, _) = directives::read(&text, dialect, "");
    // What cannot be read may require anything.
    let key = version.parse().map_err(|_| {
        let message = format!("the history contains a row of `{service}` with an invalid version: `{version}`");
        Error::new(ErrorKind::History, &codes::HISTORY, message)
            .help("if another program changed the row, restore it; to revert all the same, use `--force`")
    })?;
    Ok(Dependent { service, key, requires: directives.requires })
}

/// An error for a plan that must not be carried out.
pub fn history_mismatch(service: &str, divergences: Vec<Divergence>) -> Error {
    let message = format!("no migration of `{service}` was run: {}", divergence::summarize(&divergences));
    let mut blocking = divergences.iter().map(|divergence| &divergence.finding).filter(|finding| finding.is_error()).peekable();
    let is_order = blocking.peek().is_some() && blocking.all(|finding| *finding.code == OUT_OF_ORDER);
    let kind = if is_order { ErrorKind::OutOfOrder } else { ErrorKind::HistoryMismatch };
    Error::new(kind, &codes::HISTORY_MISMATCH, message).diverged(divergences)
}

/// Plans and runs until the target is reached, or a step requires what another service has not applied yet. Only without a lock
/// (SQLite) can another process write meanwhile; then the history is read and planned again.
async fn plan_and_run(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    target: &Target,
    options: &RunOptions,
    report: &mut RunReport,
) -> Result<Option<Wait>, Error> {
    let mut repetitions = Repetitions::default();
    let mut last_written = History::default();
    loop {
        let recorded = first_run::history_of_run(backend, history_sql, set).await?;
        let mut history = recorded.history.clone().unwrap_or_default();
        if let Some(record) = set_back(&last_written, &history) {
            return Err(report.add_to(was_set_back(record)));
        }
        let interrupted = recover(backend, history_sql, set, &recorded, &mut history).await?;
        let snapshot = history.clone();
        let target = remaining(target, report.done.len());
        let others = other_histories(backend, history_sql, set, target.direction(), options).await?;
        let mut plan = plan(set, &snapshot, &others, &target, options.policy(set)).map_err(unknown_version)?;
        let runnable = plan.steps_before_wait().filter(|_| may_wait(backend, options));
        let wait = runnable.and_then(|_| Wait::of_plan(&plan, &others));
        if let Some(count) = runnable.filter(|count| *count > 0) {
            // The other service may wait for these.
            plan = plan.first_steps(count);
        } else if !plan.is_clear() {
            let lost = lost_records(backend, history_sql, &recorded).await;
            return match (lost, wait) {
                (None, Some(wait)) => Ok(Some(wait)),
                (lost, _) => Err(report.add_to(lost.unwrap_or_else(|| cannot_run(set, &plan, &interrupted)))),
            };
        }
        let reading = set.settings().reading();
        let obstacle = |step: &Step<'_>| {
            history_loss::obstacle(history_sql, step, reading.dialect).or_else(|| session_obstacle(backend, step, set, reading))
        };
        if let Some(error) = plan.steps.iter().find_map(obstacle) {
            return Err(error);
        }
        report.warnings.clone_from(&plan.divergences);
        if plan.steps.is_empty() {
            nothing_left(backend, history_sql, &snapshot, &recorded, report, target.direction()).await?;
            return Ok(None);
        }
        stored_scripts::check_plan(backend, history_sql, &plan, &options.stored_scripts).await?;
        if report.done.is_empty() {
            complete_tables(backend, history_sql, &recorded, &plan.steps).await?;
        }
        match run_steps(backend, history_sql, set, &plan, &mut history, options, report).await? {
            Outcome::Finished => return Ok(wait),
            Outcome::PlanAgain => repetitions.plan_again(backend, history_sql, snapshot).await?,
        }
        last_written = history;
    }
}

/// Finds out about migrations that were interrupted, and records what is known now.
async fn recover(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    recorded: &RecordedHistory,
    history: &mut History,
) -> Result<Vec<InterruptedMigration>, Error> {
    let interrupted = inspect_interrupted(backend, history_sql, history, set).await?;
    if interrupted.iter().any(|migration| migration.recovered.is_some()) {
        complete_tables(backend, history_sql, recorded, &[]).await?;
    }
    for migration in &interrupted {
        record_recovery(backend, history_sql, set, history, migration).await?;
    }
    Ok(interrupted)
}

/// A migration that this run was applying or reverting, of which fewer statements are done now. No run does that, only a
/// decision that nothing is running (`resolve`).
fn set_back<'a>(written: &'a History, now: &History) -> Option<&'a Record> {
    let was_running = |record: &&Record| record.state.interrupted().is_some() && record.statements_done > 0;
    written.records().iter().filter(was_running).find(|record| {
        let goes_on = |now: &Record| {
            now.state == RecordState::Applied
                || now.state.is_revert() == record.state.is_revert() && now.statements_done >= record.statements_done
        };
        let is_gone = now.get(&record.key).is_none() && !record.state.is_revert();
        is_gone || now.get(&record.key).is_some_and(|now| !goes_on(now))
    })
}

fn was_set_back(record: &Record) -> Error {
    let done = count_of(record.statements_done, "statement");
    let message = format!(
        "while this run executed version {}, its record was changed, by another process or by the file itself; so the run stopped",
        record.key
    );
    Error::new(ErrorKind::History, &codes::HISTORY, message)
        .note("state", format!("{done} had run; what was recorded since is not known to this run"))
        .help("compare the database with the file, then see `cargo migrate status`")
        .help("do not use `resolve` while a run is active, and do not change the history tables in a migration")
}

/// A plan without steps: writes the summary again if it is not that of the records. If rows were lost, the summary is what shows
/// it to a later run, so it stays; a run that was to revert something says so.
async fn nothing_left(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    history: &History,
    recorded: &RecordedHistory,
    report: &RunReport,
    direction: Direction,
) -> Result<(), Error> {
    if !report.done.is_empty() {
        return Ok(());
    }
    let completeness = completeness::completeness(backend, history_sql, recorded).await;
    match completeness.map_err(|error| error.into_history_error("cannot read the history"))? {
        Completeness::RecordsLost(lost) if direction == Direction::Down => Err(records_lost(*lost)),
        Completeness::RecordsLost(lost) => {
            tracing::warn!(message = lost.message, "rows of the history are missing");
            Ok(())
        }
        Completeness::Complete => summary::correct(backend, history_sql, history).await,
        Completeness::TableMissing => Ok(()),
    }
}

/// The error about rows of the history that were lost, if that is certain: then the differences between the files and the rest of
/// the rows say nothing. If it cannot be found out, the differences are reported.
async fn lost_records(backend: &mut dyn Backend, history_sql: &HistorySql, recorded: &RecordedHistory) -> Option<Error> {
    match completeness::completeness(backend, history_sql, recorded).await {
        Ok(Completeness::RecordsLost(lost)) => Some(records_lost(*lost)),
        Ok(Completeness::Complete | Completeness::TableMissing) | Err(_) => None,
    }
}

fn records_lost(lost: Finding) -> Error {
    Error::of_finding(ErrorKind::HistoryMismatch, lost).note("state", "aborted before applying or reverting anything")
}

/// Creates the tables that do not exist. If rows of the history were lost, nothing is run: it would apply migrations a second time,
/// or revert others than the newest ones.
async fn complete_tables(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    recorded: &RecordedHistory,
    steps: &[Step<'_>],
) -> Result<(), Error> {
    let completeness = completeness::completeness(backend, history_sql, recorded).await;
    match completeness.map_err(|error| error.into_history_error("cannot read the history"))? {
        Completeness::Complete => Ok(()),
        Completeness::RecordsLost(lost) => Err(records_lost(*lost)),
        Completeness::TableMissing => {
            let scripts: Vec<_> = steps.iter().filter_map(Step::script).collect();
            let prepared = backend.prepare_empty(&scripts).await;
            let created = if prepared.is_ok() { backend.create_tables(history_sql).await } else { prepared };
            let names = history_sql.table_names().map(|name| format!("`{name}`")).join(", ");
            created.map_err(|error| error.into_history_error(&format!("cannot create the history tables {names}")))
        }
    }
}

/// Why a plan must not be carried out, with what was found about interrupted migrations whose state remains unknown.
fn cannot_run(set: &MigrationSet, plan: &Plan<'_>, interrupted: &[InterruptedMigration]) -> Error {
    let errors: Vec<Divergence> = plan.errors().cloned().collect();
    let unclear = interrupted.iter().filter(|migration| migration.recovered.is_none());
    unclear.fold(history_mismatch(set.service(), errors), |error, migration| {
        error.note("found", format!("`{}`: {}", migration.key, migration.evidence))
    })
}

/// Why the session of this backend is not good enough for a step; `None` if it is.
fn session_obstacle(backend: &dyn Backend, step: &Step<'_>, set: &MigrationSet, reading: Reading<'_>) -> Option<Error> {
    let ScriptSource::File(script) = step.source else { return None };
    let dialect = reading.dialect;
    let script_plan = plan_script(script, reading, step.done);
    let help = "connect to the server directly; see `cargo migrate explain needs-session`";
    if !backend.preserves_session()
        && let Some(at) = script_plan.needs_session(false)
    {
        let message = format!("`{}` needs a session of its own, but the connection may go through a pooler", step.title);
        return Some(needs_session(message, script.place(at), help));
    }
    if !backend.preserves_session()
        && let Some(at) = script_plan.needs_session(!set.settings().run.session.is_empty())
    {
        let message = format!(
            "the setting `session` in `migrate.toml` cannot take effect for this statement of `{}`, because the statement runs outside a transaction, and the connection may go through a pooler",
            step.title
        );
        return Some(needs_session(message, script.place(at), help));
    }
    if let Some(error) = quoting_obstacle(backend, step, script, set) {
        return Some(error);
    }
    if let Some(name) = backend.hidden_names().into_iter().find(|name| session_effect::uses_name(&script.text, name, dialect)) {
        let message = format!(
            "`{}` uses the name `{name}`, which in this session refers to an object that the application has created",
            step.title
        );
        let help = "pass a pool or a URL, so that the run opens its own session; or first drop this object (a temporary table or trigger), or detach it (an attached database)";
        return Some(needs_session(message, Place::file(&*script.file), help));
    }
    if let Some(at) = session_effect::changes_user(&script.text, &script.statements, dialect) {
        let message = format!(
            "`{}` changes the user of its session, and the new user may lack the privileges to write the history",
            step.title
        );
        return Some(needs_session(
            message,
            script.place(at),
            "use `SET ROLE`, or run these statements in a connection of that user",
        ));
    }
    if let Some(error) = value_obstacle(backend, step, script, &script_plan, dialect) {
        return Some(error);
    }
    if !backend.owns_session()
        && let Some(at) = session_effect::cannot_put_back(&script.text, &script.statements, &script_plan.effects, dialect)
    {
        let message = format!(
            "`{}` changes the session in a way that cannot be undone, but other code continues to use this session",
            step.title
        );
        let help = "pass a pool or a URL, so that the run opens its own session; or use `SET LOCAL`";
        return Some(needs_session(message, script.place(at), help));
    }
    None
}

/// SQLite: why a statement would read another `changes()`, `last_insert_rowid()` or `total_changes()` than without the runtime.
fn value_obstacle(
    backend: &dyn Backend,
    step: &Step<'_>,
    script: &Script,
    script_plan: &ScriptPlan,
    dialect: Dialect,
) -> Option<Error> {
    let needed = session_effect::fresh_session(&script.text, &script.statements, dialect);
    if let FreshSession::Required(at) = needed
        && !backend.owns_session()
    {
        let message = format!(
            "`{}` reads a value that depends on earlier statements of this connection (such as `total_changes()`)",
            step.title
        );
        let help = "pass a pool or a URL of a database in a file, so that the run opens its own connection";
        return Some(needs_session(message, script.place(at), help));
    }
    if needed == FreshSession::NotNeeded {
        return None;
    }
    // Statements that must follow each other without a checkpoint, of which one cannot run in a transaction.
    let is_open = |at: &usize| script.units.iter().any(|unit| unit.begin_statement.is_some() && unit.statements.contains(at));
    let alone = script_plan.segments().filter(|segment| !segment.in_transaction);
    let at = alone.flat_map(|segment| segment.unit.statements.clone()).find(is_open)?;
    let message = format!(
        "`{}` reads a value that this statement sets (such as `changes()`) after the transaction of the statement has ended",
        step.title
    );
    Some(needs_session(message, script.place(at), "read the value in the same transaction"))
}

/// The server reads strings in another way than the script was split; `None` if both have the same statements.
fn quoting_obstacle(backend: &dyn Backend, step: &Step<'_>, script: &Script, set: &MigrationSet) -> Option<Error> {
    let (reading, server) = (set.settings().reading(), backend.server_quoting());
    if server == reading.server || !splits_differently(&script.text, reading, reading.on_server(server)) {
        return None;
    }
    let (setting, value) = quoting_setting(reading.dialect);
    let message = format!("`{setting}` of the server changes where the strings in `{}` end", step.title);
    let help =
        format!("in `migrate.toml`, set the value for which the file is written: `session = [\"SET {setting} = {value}\"]`");
    let error = Error::new(ErrorKind::Setting, &UNKNOWN_QUOTING, message).at(Some(Place::file(&*script.file)));
    Some(error.note("state", "aborted before running anything").help(help))
}

fn needs_session(message: String, place: Place, help: &str) -> Error {
    let error = Error::new(ErrorKind::Setting, &codes::NEEDS_SESSION, message).at(Some(place));
    error.note("state", "aborted before running anything").help(help)
}

/// Records what was found out, so that it remains known whatever this run does next.
async fn record_recovery(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    history: &mut History,
    interrupted: &InterruptedMigration,
) -> Result<(), Error> {
    let Some(change) = history_changes::recovered(history, interrupted, set) else { return Ok(()) };
    tracing::info!(version = %interrupted.key, evidence = interrupted.evidence, "resuming an interrupted migration");
    let written = backend.write(history_sql, &change).await;
    written.map_err(|error| error.into_history_error("cannot write the history"))?;
    interrupted.apply(history, set);
    Ok(())
}

/// An error for a target that neither the files nor the history contain.
pub fn unknown_version(unknown: migrate_model::plan::UnknownVersion) -> Error {
    let error = Error::new(ErrorKind::UnknownVersion, &codes::UNKNOWN_VERSION, unknown.to_string());
    let nearest: Vec<String> = unknown.nearest.iter().map(|version| version.to_string()).collect();
    if nearest.is_empty() {
        return error.help("see `cargo migrate status` for the known versions");
    }
    let are = is_are(nearest.len());
    error.help(format!("the nearest {are} {}; `cargo migrate status` lists all versions", nearest.join(" and ")))
}

fn remaining(target: &Target, done: usize) -> Target {
    match target {
        Target::Up(count) => Target::Up(count.saturating_sub(done)),
        Target::Down(count) => Target::Down(count.saturating_sub(done)),
        other => other.clone(),
    }
}

/// How carrying out a plan ended.
enum Outcome {
    /// All steps are done.
    Finished,
    /// Another process wrote to the history: the rest must be planned again.
    PlanAgain,
}

async fn run_steps(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    plan: &Plan<'_>,
    history: &mut History,
    options: &RunOptions,
    report: &mut RunReport,
) -> Result<Outcome, Error> {
    let earlier = report.done.len();
    if earlier == 0 {
        options.emit(&Event::Planned { steps: plan.steps.len() });
    }
    let mut absent = AbsentNames::default();
    let mut early: Option<EarlyStart<'_>> = None;
    for (at, step) in plan.steps.iter().enumerate() {
        let since = Instant::now();
        let mut turn = Turn { backend: &mut *backend, history_sql, history: &mut *history, since, early: early.take() };
        if options.stop.is_requested() {
            let left = plan.steps.len() - at;
            let error = stopped(&format!("with {left} of {} migrations left", plan.steps.len()));
            return Err(report.add_to(turn.given_up(error).await));
        }
        let (number, of) = (earlier + at + 1, earlier + plan.steps.len());
        options.emit(&Event::Started { title: &step.title, direction: step.direction, number, of });
        let span = tracing::info_span!("migration", version = %step.key, title = step.title, direction = ?step.direction);
        let outcome = match turn.run(set, step, &plan.steps[at + 1..], &mut absent, options).instrument(span).await {
            Ok(outcome) => outcome,
            Err(StepError::HistoryChanged) => return Ok(Outcome::PlanAgain),
            Err(StepError::Failed(error)) => return Err(report.add_to(error)),
        };
        early = turn.early;
        report.done.push(completed(step, outcome.took.unwrap_or_else(|| since.elapsed()), options));
        absent.forget_defined(step.script());
        let is_last = at + 1 == plan.steps.len();
        // The values of sequences that a script has left, no statement removes from a session of MySQL.
        let next = plan.steps.get(at + 1).and_then(Step::script);
        let dialect = backend.dialect();
        let reads_sequences =
            |script: &Script| session_effect::reads_earlier_sequences(&script.text, &script.statements, dialect);
        let needs_new = outcome.session == StepSession::Changed || next.is_some_and(reads_sequences);
        if needs_new && !is_last && renew(backend, history_sql, history, options, report).await? {
            return Ok(Outcome::PlanAgain);
        }
    }
    Ok(Outcome::Finished)
}

/// One step of a run: what it finds, and what it leaves for the next.
struct Turn<'t, 'p> {
    backend: &'t mut dyn Backend,
    history_sql: &'t HistorySql,
    history: &'t mut History,
    /// When the step started.
    since: Instant,
    /// The start of the step, if it was recorded with the end of the step before; afterwards, that of the next one.
    early: Option<EarlyStart<'p>>,
}

impl<'p> Turn<'_, 'p> {
    /// Carries out a step, before others.
    async fn run(
        &mut self,
        set: &MigrationSet,
        step: &'p Step<'p>,
        others: &'p [Step<'p>],
        absent: &mut AbsentNames,
        options: &RunOptions,
    ) -> Result<StepOutcome, StepError> {
        let triggers = match checked_triggers(self.backend, self.history_sql, set, (step, others), absent).await {
            Ok(triggers) => triggers,
            Err(error) => return Err(self.withdrawn(error).await.into()),
        };
        let plain = set.settings().reading();
        // With triggers, what the catalog is asked before the first statement may be another question. Then the start is recorded
        // again.
        let early = self.early.take().filter(|_| triggers == TriggerCatalog::default());
        let next = others.first();
        let next = next.and_then(|next| EarlyStart::of_step(self.backend, self.history_sql, next, plain, self.history));
        let runner = StepRunner {
            backend: &mut *self.backend,
            history_sql: self.history_sql,
            step,
            reading: plain.with_triggers(&triggers),
            history: &mut *self.history,
            options,
            since: self.since,
            early,
            next: next.as_ref(),
        };
        let outcome = runner.run().await?;
        self.early = next.filter(|_| outcome.next == StartRecord::Written);
        Ok(outcome)
    }

    /// The error before the step, after its start is forgotten if it was recorded with the end of the step before.
    async fn given_up(&mut self, error: Error) -> Error {
        let Some(early) = self.early.take() else { return error };
        match early.give_up(self.backend, self.history_sql, self.history).await {
            Ok(()) => error,
            Err(failure) => failure.note_unrecorded(error),
        }
    }

    /// The error before the step, after its start is withdrawn if it was recorded with the end of the step before.
    async fn withdrawn(&mut self, error: Error) -> Error {
        let Some(early) = self.early.take() else { return error };
        let message = error.message().to_owned();
        match early.withdraw(self.backend, self.history_sql, self.history, &message).await {
            Ok(()) => error,
            Err(failure) => failure.note_unrecorded(error),
        }
    }
}

/// Says that a step is done, after this time.
fn completed(step: &Step<'_>, took: Duration, options: &RunOptions) -> CompletedMigration {
    options.emit(&Event::Finished { title: &step.title, direction: step.direction, took });
    tracing::info!(version = %step.key, title = step.title, direction = ?step.direction, took_ms = took.as_millis() as u64, "migration done");
    CompletedMigration {
        key: step.key.clone(),
        title: step.title.clone(),
        direction: step.direction,
        took,
        from_history: matches!(step.source, ScriptSource::History),
    }
}

/// The triggers that a step before others may fire: migrations before it may have created some. Fails if its session does not suit
/// it.
async fn checked_triggers(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    set: &MigrationSet,
    (step, others): (&Step<'_>, &[Step<'_>]),
    absent: &mut AbsentNames,
) -> Result<TriggerCatalog, Error> {
    let triggers = triggers_of(backend, history_sql, (step, others), set.settings().reading(), absent).await?;
    // Without triggers, the answer is the same as before the first step.
    if triggers == TriggerCatalog::default() {
        return Ok(triggers);
    }
    let reading = set.settings().reading().with_triggers(&triggers);
    match session_obstacle(backend, step, set, reading) {
        Some(error) => Err(error),
        None => Ok(triggers),
    }
}

/// The triggers that a step before others may fire, where what they leave in the session matters, and the tables without
/// transactions.
async fn triggers_of(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    (step, next): (&Step<'_>, &[Step<'_>]),
    reading: Reading<'_>,
    absent: &mut AbsentNames,
) -> Result<TriggerCatalog, Error> {
    let ScriptSource::File(script) = step.source else {
        if !backend.mixes_engines() {
            return Ok(TriggerCatalog::default());
        }
        let text = session::stored_script(backend, history_sql, step.key.as_str(), Direction::Down).await;
        let text = text.map_err(|error| error.into_history_error("cannot read the stored down migration"))?;
        let (script, _) = Script::read(text.unwrap_or_default(), "", reading);
        return trigger_catalog::of_script(backend, &script).await;
    };
    let ends = backend.resets_in_transaction() || (next.is_empty() && backend.owns_session());
    if ends && !backend.mixes_engines() && plan_script(script, reading, step.done).atomic {
        return Ok(TriggerCatalog::default());
    }
    absent.triggers_of(backend, script, next.iter().filter_map(Step::script)).await
}

/// Gives the next step a session in which no script has run. True if another process has migrated since: the lock may have been
/// released with the old session.
async fn renew(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    history: &History,
    options: &RunOptions,
    report: &RunReport,
) -> Result<bool, Error> {
    let renewed = backend
        .renew_session(history_sql)
        .await
        .map_err(|error| report.add_to(error.into_lost_connection_error("cannot open a session for the next migration")))?;
    match renewed {
        RenewedSession::Locked => Ok(false),
        RenewedSession::Unlocked => {
            acquire_lock(backend, history_sql, options).await.map_err(|error| report.add_to(error))?;
            let is_unchanged = summary::is_unchanged(backend, history_sql, history).await;
            is_unchanged
                .map(|is_unchanged| !is_unchanged)
                .map_err(|error| report.add_to(error.into_history_error("cannot read the history")))
        }
    }
}

#[cfg(test)]
mod tests;
