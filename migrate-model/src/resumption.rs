//! Whether a partially applied migration can resume, and if not, why. Pure: it decides, and `divergences` words it.

use crate::comparison::MigrationStatus;
use crate::dialect::Dialect;
use crate::diff::diff_statements;
use crate::execution;
use crate::history::Record;
use crate::script::Script;
use crate::script_plan::plan_script;
use crate::session_effect;
use crate::statement::{self, Reading, Statement};
use crate::target::Direction;

/// Why a partially applied migration cannot resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// It was going in the other direction than the run.
    OtherDirection,
    /// There is no script to resume.
    ScriptMissing,
    /// A statement that ran was edited in its file.
    Edited {
        /// The number of the statement, counted from 1.
        statement: usize,
        /// The statement as it ran and as it is now.
        difference: String,
    },
    /// The file was edited, and the SQL that ran was too long to be stored, so that it cannot be compared.
    EditedUnstored,
    /// The rest may need state of a session that is gone.
    SessionLost {
        /// The number of the statement that left it, counted from 1.
        statement: usize,
        /// What is known of the next statement.
        next: NextStatement,
    },
    /// The statements that ran have changed the session, as the server reported, and their text does not show it.
    SessionChanged {
        /// The names of what they changed.
        names: String,
        /// What is known of the next statement.
        next: NextStatement,
    },
    /// Whether the next statement took effect is unknown, and it must not run twice.
    OutcomeUnknown,
}

/// What is known of the statement that a resumed migration would run first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStatement {
    /// It did not take effect.
    NotDone,
    /// It may have taken effect, and must not run twice.
    OutcomeUnknown,
}

/// The direction in which a migration is partially applied.
pub fn direction_of(record: &Record) -> Direction {
    if record.state.is_revert() { Direction::Down } else { Direction::Up }
}

/// The first reason why a migration cannot resume in a direction; `None` if it can.
pub fn obstacle(row: &MigrationStatus<'_>, record: &Record, direction: Direction, reading: Reading<'_>) -> Option<Obstacle> {
    let started = direction_of(record);
    if started != direction {
        return Some(Obstacle::OtherDirection);
    }
    let script = match started {
        Direction::Up => row.migration().map(|migration| &migration.up),
        Direction::Down => row.migration().and_then(|migration| migration.down.as_ref()),
    };
    // An older version of the application has no file for it, and resumes the revert with the stored SQL.
    let can_use_stored = started == Direction::Down && row.migration().is_none() && record.has_down;
    let stored = record.pending_sql.as_ref().filter(|_| can_use_stored);
    let stored = stored.map(|text| Script::read(text.clone(), &row.title(), reading).0);
    let Some(script) = script.or(stored.as_ref()) else { return Some(Obstacle::ScriptMissing) };
    // Without the SQL that ran, only its checksum is known.
    let is_unstored = record.pending_sql.is_none() && record.statements_done > 0 && !record.state.is_resolved();
    if is_unstored && record.checksum != script.checksum {
        return Some(Obstacle::EditedUnstored);
    }
    if let Some((statement, difference)) = edited_statement(script, record, reading) {
        return Some(Obstacle::Edited { statement, difference });
    }
    if record.state.is_resolved() {
        return None;
    }
    let done = record.statements_done;
    // The statement in question is the one that ran, whatever the file contains now.
    let ran = record.pending_sql.as_ref().map(|text| Script::read(text.clone(), &row.title(), reading).0);
    let is_interrupted = record.state.interrupted().is_some();
    let is_unknown = record.state.is_unclear() || (is_interrupted && !can_repeat(ran.as_ref().unwrap_or(script), done, reading));
    let next = if is_unknown { NextStatement::OutcomeUnknown } else { NextStatement::NotDone };
    let lost = session_effect::lost_state(&script.text, &script.statements, done, reading);
    let has_segments = || plan_script(script, reading, done).has_segments();
    if let Some(statement) = lost.filter(|_| has_segments()) {
        return Some(Obstacle::SessionLost { statement: statement + 1, next });
    }
    if let Some(names) = record.session_changes.clone().filter(|_| has_segments()) {
        return Some(Obstacle::SessionChanged { names, next });
    }
    is_unknown.then_some(Obstacle::OutcomeUnknown)
}

/// The number and the first line of the statement that runs next after `done` statements of a text. Session settings are
/// skipped.
pub fn next_statement<'r>(ran: &str, done: usize, reading: impl Into<Reading<'r>>) -> (usize, Option<String>) {
    let reading = reading.into();
    let (statements, _) = statement::split(ran, reading, "");
    let mut rest = statements.iter().enumerate().skip(done).map(|(at, statement)| (at + 1, statement.sql(ran)));
    let line = |sql: &str| sql.lines().next().map(str::to_owned);
    match rest.find(|(_, sql)| !session_effect::is_setting(sql, reading.dialect)) {
        Some((at, sql)) => (at, line(sql)),
        None => (done + 1, None),
    }
}

/// The number of the first statement that has run and differs in the file, and the difference.
fn edited_statement(script: &Script, record: &Record, reading: Reading<'_>) -> Option<(usize, String)> {
    let ran = record.pending_sql.as_deref()?;
    let (statements, _) = statement::split(ran, reading, "");
    (0..record.statements_done).find_map(|at| {
        let before = statements.get(at).map(|statement| statement.sql(ran));
        let now = script.statements.get(at).map(|statement| statement.sql(&script.text));
        let is_edited = before.is_none() || before != now;
        is_edited.then(|| (at + 1, diff_statements(before.unwrap_or_default(), now.unwrap_or_default())))
    })
}

/// Whether the statement after `done` may run again. If it certainly shares a transaction with its checkpoint,
/// it did not run.
fn can_repeat(script: &Script, done: usize, reading: Reading<'_>) -> bool {
    let dialect = reading.dialect;
    let plan = plan_script(script, reading, done);
    let Some(next) = plan.segments().next() else { return true };
    let mut statements = script.statements[next.unit.statements.clone()].iter();
    // Alone is what cannot run in a transaction, unless it is together with what reads a value of it.
    let is_alone = |statement: &Statement| !execution::can_share_transaction(statement.sql(&script.text), dialect, false);
    next.is_certain
        || (dialect == Dialect::Sqlite && statements.clone().all(is_alone))
        || statements.all(|statement| execution::is_idempotent(statement.sql(&script.text), dialect))
}
/// Where a migration stopped: at a statement, from 1, or after all of them, when its end could not be recorded.
pub fn stop_place(at: usize, count: usize) -> String {
    if at > count { "after its last statement".to_owned() } else { format!("at statement {at} of {count}") }
}
