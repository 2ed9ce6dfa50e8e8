//! How a step that was not finished is described: what happened, where, what is already done, what to do next. Pure.

use crate::backend::Remains;
use crate::backend_error::{BackendError, BackendErrorKind, SESSION_CHANGED};
use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::rejection_help::help_for_code;
use migrate_model::duration;
use migrate_model::execution::Unit;
use migrate_model::finding::Finding;
use migrate_model::place::Place;
use migrate_model::plural::{count_of, is_are};
use migrate_model::rollback_limit::{self, RollbackLimit};
use migrate_model::script::Script;
use migrate_model::script_plan::ScriptPlan;
use migrate_model::session_effect::{self, SessionEffect};
use migrate_model::statement::Reading;
use migrate_model::target::Direction;
use std::time::Duration;

/// A step that was not finished, as far as its description needs it.
pub struct FailedStep<'s> {
    /// The name of the migration.
    pub title: &'s str,
    /// Up or down.
    pub direction: Direction,
    /// What ran.
    pub script: &'s Script,
    /// In which parts it ran.
    pub plan: &'s ScriptPlan,
    /// What its statements do to their session, with what the database was asked after a failure.
    pub effects: &'s [SessionEffect],
    /// What they have changed in it without showing it.
    pub session_changes: Option<&'s str>,
    /// What a rollback does not undo and its text does not show.
    pub hidden_limit: Option<&'s RollbackLimit>,
    /// How the script is read.
    pub reading: Reading<'s>,
    /// Whether all of it is one transaction.
    pub atomic: bool,
    /// How many statements are done, as the history or the catalog shows.
    pub done: usize,
    /// What a failed statement has left.
    pub remains: Remains,
}

impl FailedStep<'_> {
    /// How many statements are done when one failed: without a transaction, those before it.
    pub fn done_before(&self, failed: Option<usize>) -> usize {
        match failed {
            Some(statement) if !self.atomic && statement > self.done && !self.runs_in_transaction(statement) => {
                self.done_up_to(statement)
            }
            _ => self.done,
        }
    }

    /// How many statements are done before this one. Settings alone are not work: a new session makes them again.
    fn done_up_to(&self, statement: usize) -> usize {
        let script = self.script;
        let Reading { dialect, catalog, .. } = self.reading;
        let effects = session_effect::of_script(&script.text, &script.statements, dialect, catalog);
        let is_work = |effect: &SessionEffect| *effect != SessionEffect::Setting;
        if self.done == 0 && !effects.iter().take(statement).any(is_work) { 0 } else { statement }
    }

    /// What a statement that ran has left in its session that the rest may need.
    fn lost_cause(&self) -> Option<String> {
        let script = self.script;
        let lost = session_effect::lost_state(&script.text, &script.statements, self.done, self.reading);
        let of_statement = lost.map(|at| format!("what statement {} did in its session", at + 1));
        of_statement.or_else(|| self.session_changes.map(|names| format!("what a function changed in the session ({names})")))
    }

    /// Whether a statement runs in a transaction that is rolled back as a whole.
    fn runs_in_transaction(&self, statement: usize) -> bool {
        // What reads a value of an earlier statement runs together with it, in one transaction or in none.
        let mut segments = self.plan.segments().filter(|segment| segment.unit.statements.len() > 1);
        if let Some(segment) = segments.find(|segment| segment.unit.statements.contains(&statement)) {
            return segment.in_transaction;
        }
        self.script.units.iter().any(|unit| unit.in_transaction && unit.statements.contains(&statement))
    }

    /// What was being done to the migration, and the command that does it.
    fn verb_and_command(&self) -> (&'static str, &'static str) {
        match self.direction {
            Direction::Up => ("applied", "up"),
            Direction::Down => ("reverted", "down"),
        }
    }

    /// What a rollback does not undo of the statements that ran, up to the failed one.
    fn rollback_limit(&self, failed: Option<usize>, did_start: bool) -> Option<RollbackLimit> {
        let script = self.script;
        let count = script.statements.len();
        let end = failed.map_or(count, |at| at + usize::from(did_start));
        let (effects, dialect) = (self.effects, self.reading.dialect);
        let limit = rollback_limit::of_statements(&script.text, &script.statements, self.done..end, effects, dialect);
        limit.or_else(|| self.hidden_limit.filter(|_| end > self.done).cloned())
    }

    fn nothing_ran(&self) -> String {
        format!("aborted before running any statement of `{}`", self.title)
    }
}

/// The stored down migration has no statement.
pub fn stored_script_empty(title: &str) -> Error {
    let message = format!("the stored down migration of `{title}` contains no statement");
    Error::new(ErrorKind::MigrationFailed, &codes::MIGRATION_FAILED, message).help(
        "deploy the version of the application that contains this migration and its down migration, and revert with that version",
    )
}

/// The stored down migration cannot run as it is.
pub fn stored_script_invalid(title: &str, finding: &Finding) -> Error {
    let message = format!("the stored down migration of `{title}` cannot run: {}", finding.message);
    Error::new(ErrorKind::MigrationFailed, &codes::MIGRATION_FAILED, message).at(finding.place.clone())
}

/// The run was asked to stop.
pub fn stopped_early(step: &FailedStep<'_>) -> Error {
    let (title, count) = (step.title, step.script.statements.len());
    let message = match step.done {
        0 => format!("stopped on request before the first statement of `{title}`"),
        done => format!("stopped on request after statement {done} of {count} of `{title}`"),
    };
    Error::new(ErrorKind::Stopped, &codes::STOPPED, message).help("to resume, run the same command again")
}

/// The database did not let the step start.
pub fn not_started(step: &FailedStep<'_>, error: BackendError) -> Error {
    let what = format!("could not start `{}`", step.title);
    match error.kind {
        BackendErrorKind::LockLost => lock_lost(step, error),
        BackendErrorKind::ConnectionLost => connection_lost(step, error),
        _ => error.into_history_error(&what).note("state", step.nothing_ran()),
    }
}

/// The script ran, but its record could not be written.
pub fn record_failed(step: &FailedStep<'_>, error: BackendError) -> Error {
    let (title, done, count) = (step.title, step.done, step.script.statements.len());
    let state = if step.atomic {
        rolled_back(step, step.rollback_limit(None, false))
    } else {
        format!("at least {done} of {count} statements are done")
    };
    match error.kind {
        BackendErrorKind::LockLost => lock_lost(step, error),
        BackendErrorKind::ConnectionLost => connection_lost(step, error),
        BackendErrorKind::SessionChanged => session_changed(step, &error, state),
        BackendErrorKind::Busy => error.into_history_error("").note("state", step.nothing_ran()),
        _ => {
            // The table, the database or the schema does not exist.
            let is_missing = matches!(error.code.as_deref(), Some("42P01" | "3F000" | "1146" | "1049"));
            let error = error.into_history_error(&format!("`{title}` ran, but it could not be recorded in the history"));
            let error = error.note("state", state);
            let help = "the migration may have moved, renamed or dropped the tables of the history: leave them out, or set `schema` under \
                        `[history]` in `migrate.toml`";
            if is_missing { error.help(help) } else { error }
        }
    }
}

/// The script would read a setting of the application.
pub fn custom_setting(title: &str, script: &Script, name: &str) -> Error {
    let message = format!("`{title}` reads the setting `{name}`, which the application has set in this session");
    let error = Error::new(ErrorKind::Setting, &codes::NEEDS_SESSION, message).at(Some(Place::file(&*script.file)));
    error
        .note("state", format!("aborted before running any statement of `{title}`"))
        .help("pass a pool or a URL, so that the run opens its own session")
}

/// A transaction behind a pooler has changed the session, and others follow it.
fn session_changed(step: &FailedStep<'_>, error: &BackendError, state: String) -> Error {
    let names = error.message.split_once(SESSION_CHANGED).map_or("", |(_, names)| names).trim_end_matches('"');
    let message = format!(
        "`{}` needs a session of its own, but the connection may go through a pooler: a database function changed {names}",
        step.title
    );
    let error = Error::new(ErrorKind::Setting, &codes::NEEDS_SESSION, message).at(Some(Place::file(&*step.script.file)));
    error.note("state", state).help("connect to the server directly; see `cargo migrate explain needs-session`")
}

fn lock_lost(step: &FailedStep<'_>, error: BackendError) -> Error {
    let state = if step.atomic {
        step.nothing_ran()
    } else {
        format!("at least {} of {} statements of `{}` are done", step.done, step.script.statements.len(), step.title)
    };
    error.into_lock_lost_error().note("state", state)
}

/// The connection was lost, so the outcome of what was sent last is unknown.
pub fn connection_lost(step: &FailedStep<'_>, error: BackendError) -> Error {
    let (verb, command) = step.verb_and_command();
    let message = format!("the connection was lost while `{}` was being {verb}: {}", step.title, error.message);
    Error::new(ErrorKind::ConnectionLost, &codes::CONNECTION_LOST, message)
        .at(Some(Place::file(&*step.script.file)))
        .help(format!("run `cargo migrate {command}` again: the command determines how far this run got"))
}

/// Whether the database rejected the first statement because it can only be read.
pub fn is_read_only(step: &FailedStep<'_>, error: &BackendError) -> bool {
    error.kind == BackendErrorKind::ReadOnly && step.done == 0
}

/// The database can only be read.
pub fn read_only(step: &FailedStep<'_>, error: BackendError) -> Error {
    error.into_read_only_error().note("state", step.nothing_ran())
}

/// The database rejected a statement; `None` when it was the commit.
pub fn statement_failed(step: &FailedStep<'_>, statement: Option<usize>, offset: Option<usize>, failure: BackendError) -> Error {
    let (script, title) = (step.script, step.title);
    let (verb, command) = step.verb_and_command();
    let place = match (offset, statement) {
        (Some(offset), _) => Place::range(&*script.file, &script.text, offset..word_end(&script.text, offset)),
        (None, Some(statement)) => script.place(statement),
        (None, None) => Place::file(&*script.file),
    };
    let at_commit = if statement.is_none() && offset.is_none() { " at COMMIT" } else { "" };
    let message = format!("`{title}` could not be {verb}{at_commit}: {}", failure.message);
    let kind = match failure.code.as_deref() {
        _ if failure.kind == BackendErrorKind::LockTimeout => ErrorKind::TableLocked,
        // PostgreSQL, MariaDB, MySQL: its statement was ended. The codes of the first two do not say by whom.
        Some("57014" | "1969" | "3024") => ErrorKind::TimedOut,
        _ => ErrorKind::MigrationFailed,
    };
    let mut error = Error::new(kind, &codes::MIGRATION_FAILED, message).at(Some(place));
    if let Some(code) = &failure.code {
        error = error.note("error code of the database", code.clone());
    }
    let help = help_for_code(failure.code.as_deref(), &failure.message);
    // With a position in the file, the server has rejected the statement before it ran.
    let did_start = offset.is_none() || !failure.code.as_deref().is_some_and(|code| code.starts_with("42"));
    let limit = step.rollback_limit(statement, did_start);
    let error = failure.add_to(error).note("state", state(step, limit));
    if step.remains == Remains::Unclear {
        return error.help(format!(
            "find out which changes remain, then run `cargo migrate {command}`: it shows how to continue, for example with `cargo migrate resolve --retry`"
        ));
    }
    if let Some(lost) = step.lost_cause() {
        let resolve = "cargo migrate resolve";
        return error.help(format!(
            "{help}; then, if the remaining statements do not depend on {lost}, run \
             `{resolve} --retry`; otherwise undo the statements that ran, and run `{resolve} --not-applied`"
        ));
    }
    error.help(format!("{help}, then run `cargo migrate {command}` again"))
}

/// What is done of a step in which a statement failed.
fn state(step: &FailedStep<'_>, limit: Option<RollbackLimit>) -> String {
    let count = step.script.statements.len();
    let unclear = step.remains == Remains::Unclear;
    match step.done {
        _ if step.atomic && unclear => {
            "rolled back, except for changes to tables that are not transactional (such as MyISAM) and, on SQLite, changes without a rollback journal; these remain".to_owned()
        }
        done if unclear => {
            let next = done + 1;
            let has_no_transactions = !step.reading.catalog.engines.is_empty();
            let why = if has_no_transactions { ", because a table is not transactional (such as MyISAM)" } else { "" };
            format!("{done} of {count} statements {} done and recorded; some changes of statement {next} may remain{why}", is_are(done))
        }
        done if step.remains == Remains::Continued => {
            let next = done + 1;
            format!("{done} of {count} statements {} done and recorded; the next run completes statement {next}", is_are(done))
        }
        _ if step.atomic => rolled_back(step, limit),
        0 if limit.is_some() => {
            let then = if step.direction == Direction::Down { "is still applied" } else { "is not recorded" };
            let but = limit.map(|limit| format!(", but {limit}")).unwrap_or_default();
            format!("none of the {} of the migration is done{but}; the migration {then}", count_of(count, "statement"))
        }
        0 if step.direction == Direction::Down => {
            format!("0 of {} done, and no changes remain; the migration is still applied", count_of(count, "statement"))
        }
        0 => format!("0 of {} done, and no changes remain; the migration is not recorded as applied", count_of(count, "statement")),
        done => {
            let next = done + 1;
            let then = match step.lost_cause() {
                Some(_) => "the next run cannot resume automatically",
                None => "the next run resumes",
            };
            let but = limit.map(|limit| format!("; {limit}")).unwrap_or_default();
            format!("{done} of {count} statements {} done and recorded; {then} at statement {next}{but}", is_are(done))
        }
    }
}

/// A transaction that was rolled back, with what a rollback does not undo.
fn rolled_back(step: &FailedStep<'_>, limit: Option<RollbackLimit>) -> String {
    let title = step.title;
    match (step.direction, limit) {
        (Direction::Down, None) => format!("the revert was rolled back; `{title}` is still applied"),
        (Direction::Down, Some(limit)) => format!("the revert was rolled back, but {limit}; `{title}` is still applied"),
        (Direction::Up, None) => format!("rolled back; no changes made by `{title}` remain"),
        (Direction::Up, Some(limit)) => format!("rolled back, but {limit}"),
    }
}

/// The script took longer than it may, and its server did not end it.
pub fn timed_out(script: &Script, unit: &Unit, limit: Duration) -> Error {
    let message =
        format!("`{}` took longer than {}, so the run closed the connection", script.file_name(), duration::show(limit));
    Error::new(ErrorKind::TimedOut, &codes::TIMED_OUT, message)
        .at(Some(script.place(unit.statements.start)))
        .note(
            "state",
            "the outcome is unknown: the server ends the statement and rolls back an open transaction, unless it was already committing",
        )
        .help("run the same command again: it determines the outcome, and continues from there if that is safe")
        .help("find out what the statement is waiting for; or allow more time: `-- migrate: timeout 1h` at the top of the file")
}

fn word_end(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or_default();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    offset + rest.find(|c| !is_word(c)).unwrap_or(rest.len()).max(1)
}
