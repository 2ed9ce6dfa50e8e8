//! Runs a SQL script part by part, with a checkpoint after each segment, and again where a lock was not acquired in time.

use crate::backend::{BuildChange, Expected, Recorded, Remains, SequenceValues, UnitError, UnitRun};
use crate::backend_error::BackendErrorKind;
use crate::backoff;
use crate::early_start::EarlyStart;
use crate::event::Event;
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_changes;
use crate::mentions::{Mention, Mentions};
use crate::observation;
use crate::step::{self, PreparedStep, StepError, StepRunner};
use crate::step_errors;
use migrate_model::atomicity;
use migrate_model::dialect::Dialect;
use migrate_model::effect;
use migrate_model::lock_strength::{self, LockTimeoutHandling};
use migrate_model::name::Name;
use migrate_model::rollback_limit;
use migrate_model::script_plan::{ScriptPart, Segment};
use migrate_model::session_effect::SessionEffect;
use std::ops::Range;
use std::time::Duration;

/// How much longer than a script may take the engine waits for its server to end it.
const GRACE: Duration = Duration::from_secs(5);

/// Runs what is left of a script. Returns what was recorded with its end.
pub async fn run(runner: &mut StepRunner<'_, '_>, prepared: &PreparedStep<'_>) -> Result<Recorded, StepError> {
    let (mut done, mut number) = (runner.step.done, 0);
    let mut recorded = Recorded::alone(None);
    for (at, part) in prepared.plan.parts.iter().enumerate() {
        match part {
            ScriptPart::SessionSettings(statements) => run_settings(runner, prepared, statements.clone(), done).await?,
            ScriptPart::Segment(_) if runner.options.stop.is_requested() && !prepared.plan.atomic && done > 0 => {
                return Err(runner.stop_early(prepared, done).await);
            }
            ScriptPart::Segment(segment) => {
                observation::before_segment(runner, prepared, number).await?;
                let checkpoint = checkpoint(prepared, at, number);
                recorded = run_segment(runner, prepared, segment, number, done, checkpoint).await?;
                (done, number) = (segment.unit.done_after, number + 1);
                if !segment.last && checkpoint == Checkpoint::Written {
                    prepared.changes.apply_progress(runner.history, done);
                }
            }
        }
    }
    Ok(recorded)
}

/// Whether a checkpoint follows a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checkpoint {
    /// It is recorded that the segment is done.
    Written,
    /// The transaction that follows records it: until then, the catalog shows it. This saves a commit and a round trip.
    Deferred,
}

/// Whether a checkpoint follows the segment with this number, which is the part `at` of the plan.
fn checkpoint(prepared: &PreparedStep<'_>, at: usize, number: usize) -> Checkpoint {
    let is_transaction = |part: &ScriptPart| matches!(part, ScriptPart::Segment(next) if next.in_transaction && next.is_certain);
    let observations = &prepared.observations;
    // What is observed before the transaction would have to be recorded before it.
    let records_nothing_else = observations.with_checkpoint(number + 1).is_none();
    let is_deferred =
        observations.is_proven(number) && records_nothing_else && prepared.plan.parts.get(at + 1).is_some_and(is_transaction);
    if is_deferred { Checkpoint::Deferred } else { Checkpoint::Written }
}

/// Runs statements that only set something for the session; they have no checkpoint.
async fn run_settings(
    runner: &mut StepRunner<'_, '_>,
    prepared: &PreparedStep<'_>,
    statements: Range<usize>,
    done: usize,
) -> Result<(), StepError> {
    for statement in statements {
        if let Err(error) = runner.backend.run_setting(prepared.sql(statement)).await {
            let error = if error.is_connection_lost() {
                UnitError::ConnectionLost(error)
            } else {
                UnitError::StatementFailed { statement: Some(statement), offset: None, error, remains: Remains::Nothing }
            };
            return Err(runner.fail(error, prepared, done).await);
        }
    }
    Ok(())
}

async fn run_segment(
    runner: &mut StepRunner<'_, '_>,
    prepared: &PreparedStep<'_>,
    segment: &Segment,
    number: usize,
    done: usize,
    checkpoint: Checkpoint,
) -> Result<Recorded, StepError> {
    let change = |elapsed: Elapsed| {
        let (changes, observations) = (&prepared.changes, &prepared.observations);
        let checkpoint = || changes.checkpoint(segment.unit.done_after, observations.with_checkpoint(number + 1));
        if segment.last { changes.finished(elapsed) } else { checkpoint() }
    };
    let (fingerprint, brief_locks) = (fingerprint(runner), brief_locks(runner, prepared, segment));
    let (script, next_start) = (&prepared.script, next_start(runner, prepared, segment));
    let unit = UnitRun {
        text: &script.text,
        statements: &script.statements,
        unit: &segment.unit,
        lock_timeout: lock_timeout(runner, prepared, segment),
        brief_locks: &brief_locks,
        timeout: prepared.timeout,
        since: runner.since,
        last: segment.last,
        session_effect: prepared.plan.session_effect(),
        effects: &prepared.plan.effects,
        sources: &prepared.plan.sources,
        custom_settings: &prepared.custom_settings,
        mentions: prepared.mentions,
        stated_limits: Mentions::of_directives(&script.directives),
        expected: Expected { version: prepared.changes.version(), fingerprint: &fingerprint },
        sequence_values: sequence_values(prepared, segment),
        next_start: next_start.as_ref(),
    };
    let (mut tries, after_alone) = (0, (checkpoint == Checkpoint::Written).then_some(&change as BuildChange<'_>));
    loop {
        let running = async {
            if segment.in_transaction {
                runner.backend.run_in_transaction(runner.history_sql, &unit, &change).await
            } else {
                runner.backend.run_alone(runner.history_sql, &unit, after_alone).await
            }
        };
        // The server ends a statement by itself where it can; this is for where it cannot, or does not answer.
        let left = prepared.timeout.saturating_add(GRACE).saturating_sub(runner.since.elapsed());
        let error = match tokio::time::timeout(left, running).await {
            Ok(Ok(recorded)) => return Ok(recorded),
            Ok(Err(error)) => with_remains(error, prepared, segment, runner.backend.dialect()),
            Err(_) => return Err(step_errors::timed_out(&prepared.script, &segment.unit, prepared.timeout).into()),
        };
        tries += 1;
        let Some(delay) = retry_delay(runner, &error, prepared, segment, tries).await else {
            return Err(runner.fail(error, prepared, done).await);
        };
        // The statement was rolled back, so this is a point at which nothing is half done.
        if tokio::time::timeout(delay, runner.options.stop.requested()).await.is_ok() {
            return Err(runner.stop_early(prepared, done).await);
        }
    }
}

/// What the history is compared with before it is written; empty where a lock makes that unnecessary.
fn fingerprint(runner: &StepRunner<'_, '_>) -> String {
    let is_compared = runner.backend.compares_history();
    if is_compared { history_changes::fingerprint(runner.history, &runner.step.key) } else { String::new() }
}

/// The start of the next step, if this segment is the last before it, and leaves the session as the next step needs it.
fn next_start<'r>(runner: &StepRunner<'r, '_>, prepared: &PreparedStep<'_>, segment: &Segment) -> Option<HistoryChange<'r>> {
    let is_next = segment.last && prepared.plan.session_effect() == SessionEffect::None && !runner.options.stop.is_requested();
    runner.next.filter(|_| is_next).map(EarlyStart::change)
}

fn sequence_values(prepared: &PreparedStep<'_>, segment: &Segment) -> SequenceValues {
    match segment.unit.statements.end.checked_sub(1) {
        Some(last) if prepared.plan.keeps_sequences_after(last) => SequenceValues::Kept,
        _ => SequenceValues::Forgotten,
    }
}

/// The error of a segment, with what remains of it. Outside a transaction, that depends on the statement.
fn with_remains(error: UnitError, prepared: &PreparedStep<'_>, segment: &Segment, dialect: Dialect) -> UnitError {
    match error {
        UnitError::StatementFailed { statement: Some(at), offset, error, .. }
            if !segment.in_transaction
                && !atomicity::leaves_nothing(prepared.sql(at), dialect)
                && !atomicity::is_unparsed(prepared.sql(at), error.code.as_deref(), offset.is_some(), dialect) =>
        {
            UnitError::StatementFailed { statement: Some(at), offset, error, remains: Remains::Unclear }
        }
        error => error,
    }
}

/// How long to wait before the segment is tried again, if it is a lock that was not acquired in time and everything was
/// rolled back: meanwhile no other session queues behind it.
async fn retry_delay(
    runner: &mut StepRunner<'_, '_>,
    error: &UnitError,
    prepared: &PreparedStep<'_>,
    segment: &Segment,
    tries: u32,
) -> Option<Duration> {
    let UnitError::StatementFailed { statement, error, remains, .. } = error else { return None };
    // Of several statements that run without a transaction, the first may be done.
    let is_first = *statement == Some(segment.unit.statements.start);
    let leaves_nothing = *remains != Remains::Unclear && (segment.in_transaction || is_first);
    // What the server does not undo must not run again, whatever it says.
    let is_certain = segment.is_certain || !segment.in_transaction;
    if error.kind != BackendErrorKind::LockTimeout || !leaves_nothing || !is_certain {
        return None;
    }
    let (script, dialect) = (&prepared.script, runner.backend.dialect());
    let (part, asked) = (segment.unit.statements.clone(), step::asked_effects(runner, prepared).await?);
    let effects = &asked.effects;
    let limit = rollback_limit::of_statements(&script.text, &script.statements, part.clone(), effects, dialect);
    let is_undone = limit.or(asked.hidden_limit).is_none();
    if !is_undone
        || !atomicity::finds_same_session(&script.text, &script.statements, part, segment.in_transaction, effects, dialect)
    {
        return None;
    }
    let waited = runner.since.elapsed();
    let chance = std::process::id().wrapping_mul(tries).wrapping_add(waited.subsec_micros());
    let delay = backoff::next_delay(tries, waited, chance).filter(|delay| waited + *delay < prepared.timeout)?;
    let statements = segment.unit.statements.clone();
    let tables: Vec<Name> = statements.flat_map(|at| effect::locked_tables(prepared.sql(at), dialect)).collect();
    let blockers = runner.backend.blockers(runner.history_sql, &tables).await;
    runner.options.emit(&Event::Blocked { title: &runner.step.title, blockers: &blockers, tries, pause: delay });
    Some(delay)
}

/// The limit that the file or the settings specify for each lock; else the default one, for a statement that blocks traffic and
/// runs outside a transaction.
fn lock_timeout(runner: &StepRunner<'_, '_>, prepared: &PreparedStep<'_>, segment: &Segment) -> Option<Duration> {
    let dialect = runner.backend.dialect();
    let statements = segment.unit.statements.clone();
    let is_exempt = |at: usize| lock_strength::exempt_from_lock_timeout(prepared.sql(at), dialect);
    if statements.len() == 1 && is_exempt(statements.start) {
        return None;
    }
    let is_default = |at: usize| {
        !segment.in_transaction && waits_briefly(prepared, at, dialect) && atomicity::leaves_nothing(prepared.sql(at), dialect)
    };
    prepared.lock_timeout.or_else(|| statements.clone().any(is_default).then_some(backoff::LOCK_TIMEOUT))
}

/// The statements of a transaction that wait only briefly for their locks, because they block traffic. The others, such as an
/// `INSERT`, wait as long as the server allows: a trigger with an error handler would catch the timeout, and rows would be lost.
fn brief_locks(runner: &StepRunner<'_, '_>, prepared: &PreparedStep<'_>, segment: &Segment) -> Vec<usize> {
    let is_limited = prepared.lock_timeout.is_some() || prepared.mentions.has(Mention::LockTimeout);
    if is_limited || !segment.in_transaction || runner.backend.limits_outlive_transaction() {
        return Vec::new();
    }
    let dialect = runner.backend.dialect();
    segment.unit.statements.clone().filter(|at| waits_briefly(prepared, *at, dialect)).collect()
}

/// Does a statement block traffic, and can no error handler in its text, and no code that is not known, catch a lock timeout?
fn waits_briefly(prepared: &PreparedStep<'_>, at: usize, dialect: Dialect) -> bool {
    let sql = prepared.sql(at);
    let is_known = prepared.plan.effects.get(at).is_some_and(|effect| *effect != SessionEffect::Unknown);
    let handling = || LockTimeoutHandling::of_statement(sql, prepared.lock_timeout_handling, dialect);
    is_known && lock_strength::blocks_traffic(sql, dialect) && handling() == LockTimeoutHandling::Reported
}
