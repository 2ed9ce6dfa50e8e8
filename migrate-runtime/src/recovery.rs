//! Finds out what became of a statement whose outcome is unknown: the process or the connection ended while it ran, and it
//! could not share a transaction with its checkpoint. The system catalog tells; where it does not, the run stops for an operator.

use crate::backend::{Backend, Presence};
use crate::backend_error::BackendError;
use crate::error::Error;
use crate::history_sql::{HistorySql, HistoryTable, NOT_ASKED, NOT_KNOWN};
use crate::observation;
use crate::session;
use migrate_model::dialect::Dialect;
use migrate_model::effect::{Effect, Object};
use migrate_model::history::{History, Record, RecordState};
use migrate_model::key::MigrationKey;
use migrate_model::migration_set::MigrationSet;
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPart, plan_script};
use migrate_model::session_effect;
use migrate_model::statement::Reading;
use migrate_model::token::Tokens;

/// A migration that was started and did not end, and what was found out about it.
#[derive(Debug, Clone)]
pub struct InterruptedMigration {
    /// Its version.
    pub key: MigrationKey,
    /// Its state; `None` when it cannot be found out.
    pub recovered: Option<RecoveredState>,
    /// Which of its objects exist, for people.
    pub evidence: String,
}

/// The state of an interrupted migration once the outcome of its statement is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveredState {
    /// The first statement has not run: everything is as it was before.
    NotStarted,
    /// As if the database had rejected the next statement, which will run again; or, if a transaction may have started after
    /// the statement, as if it had been interrupted in that transaction.
    Stopped {
        /// The state.
        state: RecordState,
        /// How many statements are done.
        done: usize,
    },
}

impl InterruptedMigration {
    /// Changes a history to what was found out. A migration that had not started is in the state in which it was before. `set` has
    /// the statements of its up migration.
    pub fn apply(&self, history: &mut History, set: &MigrationSet) {
        let Some(record) = history.get(&self.key).cloned() else { return };
        match self.recovered {
            Some(RecoveredState::NotStarted) if !record.state.is_revert() => history.remove(&record.key),
            Some(RecoveredState::NotStarted) => {
                let statements = up_statements(set, &record).unwrap_or(record.statements);
                let mut applied = record.with_progress(RecordState::Applied, statements);
                applied.statements = statements;
                history.upsert(applied);
            }
            Some(RecoveredState::Stopped { state, done }) => history.upsert(record.with_progress(state, done)),
            None => {}
        }
    }
}

/// How many statements the up migration of a record has; `None` without its file.
pub fn up_statements(set: &MigrationSet, record: &Record) -> Option<usize> {
    let migration = record.key.version().and_then(|version| set.get(version));
    migration.map(|migration| migration.up.statements.len())
}

/// Inspects all migrations of a history and of this set that were started and did not end, and all such reverts. Reads only.
///
/// # Errors
/// When the connection is lost.
pub async fn inspect_interrupted(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    history: &History,
    set: &MigrationSet,
) -> Result<Vec<InterruptedMigration>, Error> {
    let mut interrupted = Vec::new();
    for record in history.records() {
        // What another release was applying is its own affair, unless nothing of it has run.
        let is_own = record.state.is_revert() || record.key.version().is_some_and(|version| set.get(version).is_some());
        let Some(state) = record.state.interrupted().filter(|_| is_own || record.statements_done == 0) else { continue };
        let inspected = inspect(backend, history_sql, record, state, set.settings().reading()).await?;
        interrupted.extend(inspected.filter(|migration| is_own || migration.recovered == Some(RecoveredState::NotStarted)));
    }
    Ok(interrupted)
}

/// What is known of the statement at which a migration was interrupted.
struct Interruption<'r> {
    record: &'r Record,
    /// The script that was running.
    script: Script,
    /// The settings in effect before the statement.
    settings: Vec<usize>,
    /// How many statements are done if it is.
    done_after: usize,
    /// The state if it is done.
    state_after: RecordState,
    /// What it creates and drops.
    effects: Vec<Effect>,
    existing: Existing,
    coverage: Coverage,
}

/// What a statement does with an object that exists already, or does not exist any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Existing {
    /// It contains `IF EXISTS` or `IF NOT EXISTS`.
    Accepted,
    /// It fails.
    Rejected,
}

/// How much of what a statement does its effects show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coverage {
    /// All: it is a `CREATE` or `DROP`.
    Complete,
    /// It may also change something that exists.
    Partial,
}

impl<'r> Interruption<'r> {
    /// `None` for a statement that shares a transaction with its checkpoint, and so is not done; and for one whose effects cannot
    /// be determined.
    fn of(record: &'r Record, stopped: RecordState, reading: Reading<'_>) -> Option<Self> {
        // Of a script that was too long to be stored, no statement is known.
        let (script, _) = Script::read(record.pending_sql.clone().unwrap_or_default(), "", reading);
        let plan = plan_script(&script, reading.dialect, record.statements_done);
        let mut settings = Vec::new();
        for (at, part) in plan.parts.iter().enumerate() {
            match part {
                ScriptPart::SessionSettings(statements) => settings.extend(statements.clone()),
                ScriptPart::Segment(segment) => {
                    let effects = observation::watched_effects(part, &script, reading)?;
                    let done_after = segment.unit.done_after;
                    // A transaction that follows records the statement: it may have been interrupted, too.
                    let is_transaction = |next: &ScriptPart| matches!(next, ScriptPart::Segment(next) if next.in_transaction);
                    let state_after = if plan.parts.get(at + 1).is_some_and(is_transaction) { record.state } else { stopped };
                    let sql = script.statements[segment.unit.statements.start].sql(&script.text);
                    let is_conditional = Tokens::new(sql, reading.dialect).any(|token| token.is_word(sql, "EXISTS"));
                    let existing = if is_conditional { Existing::Accepted } else { Existing::Rejected };
                    let first = Tokens::new(sql, reading.dialect).find(|token| !token.is_blank());
                    let is_complete = first.is_some_and(|token| token.is_word(sql, "CREATE") || token.is_word(sql, "DROP"));
                    let coverage = if is_complete { Coverage::Complete } else { Coverage::Partial };
                    return Some(Interruption { record, script, settings, done_after, state_after, effects, existing, coverage });
                }
            }
        }
        None
    }

    /// The settings that decide what names mean. No other statement of the record runs.
    fn paths(&self, dialect: Dialect) -> Vec<&str> {
        let sql = |at: &usize| self.script.statements[*at].sql(&self.script.text);
        self.settings.iter().map(sql).filter(|sql| session_effect::decides_names(sql, dialect)).collect()
    }

    /// Whether nothing of the script has run. The catalog proves it only if it would show everything that the first statement does
    /// as a change, and shows none: an index may be invalid by now, or an `ALTER` changes something else where it creates nothing. A
    /// `CREATE` or `DROP` changes nothing else: with what was there before, it fails, or does nothing because of its `IF`.
    fn had_not_started(&self, presences: &[Presence], before: &Before) -> bool {
        if self.record.statements_done > 0 || !observation::show_every_change(&self.effects) {
            return false;
        }
        let before = match before {
            Before::Shown(before) => before,
            Before::NotStarted => return true,
            Before::Unknown => return false,
        };
        self.effects.iter().zip(presences).enumerate().all(|(at, (effect, presence))| {
            let was = before.get(at).copied().unwrap_or_else(|| observation::usual(effect));
            *presence == was && (self.coverage == Coverage::Complete || !observation::is_achieved(effect, was))
        })
    }

    /// How many statements are done, from what the catalog shows now and what it showed before; `None` if it does not prove it.
    fn done(&self, presences: &[Presence], before: &Before) -> Option<usize> {
        let before = match before {
            Before::Shown(before) => before,
            Before::NotStarted => return Some(self.record.statements_done),
            Before::Unknown => return None,
        };
        let mut took_effect = Vec::new();
        let mut is_repeated = false;
        for (at, (effect, presence)) in self.effects.iter().zip(presences).enumerate() {
            let was_achieved = before.get(at).is_some_and(|before| observation::is_achieved(effect, *before));
            if !was_achieved || observation::is_opposed(effect, &self.effects) {
                took_effect.push(observation::is_achieved(effect, *presence));
            } else {
                is_repeated = true;
            }
        }
        // `DROP TABLE a, b` of MySQL drops what exists, and then fails because of the other.
        if is_repeated && took_effect.contains(&true) && self.existing == Existing::Rejected {
            return None;
        }
        match (took_effect.contains(&true), took_effect.contains(&false)) {
            (true, true) => None,
            (true, false) => Some(self.done_after),
            // What it would make was there before: it fails again, or changes nothing.
            (false, _) => Some(self.record.statements_done),
        }
    }
}

/// What the catalog showed before the statement.
enum Before {
    /// These presences; none if nothing was as the statement would make it.
    Shown(Vec<Presence>),
    /// It was to be asked before the statement, and was not.
    NotStarted,
    /// It could not be asked.
    Unknown,
}

impl Before {
    fn describe(&self, effects: &[Effect]) -> String {
        match self {
            Before::NotStarted => "; the statement had not started".to_owned(),
            Before::Unknown => ", and it is not known whether that was so before the statement".to_owned(),
            Before::Shown(before) => {
                let was = |(effect, presence): (&Effect, &Presence)| {
                    let is_telling = observation::is_achieved(effect, *presence);
                    is_telling.then(|| format!("; before the statement, {} {}", effect.object, describe_past(*presence)))
                };
                effects.iter().zip(before).filter_map(was).collect()
            }
        }
    }
}

async fn inspect(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    record: &Record,
    state: RecordState,
    reading: Reading<'_>,
) -> Result<Option<InterruptedMigration>, Error> {
    let Some(interruption) = Interruption::of(record, state, reading) else { return Ok(None) };
    let unknown = |evidence| Ok(Some(InterruptedMigration { key: record.key.clone(), recovered: None, evidence }));
    let lost = |error: BackendError| error.into_history_error("cannot read the system catalog");
    let paths = interruption.paths(reading.dialect);
    let (mut presences, mut evidence) = (Vec::new(), Vec::new());
    for Effect { object, .. } in &interruption.effects {
        match backend.presence(history_sql, &paths, object).await {
            Ok(Some(presence)) => {
                evidence.push(format!("{object} {}", describe(presence, object)));
                presences.push(presence);
            }
            Ok(None) => return Ok(None),
            Err(error) if error.is_connection_lost() => return Err(lost(error)),
            // What cannot be asked is not known. Only a run of this migration needs to know it.
            Err(error) => return unknown(format!("cannot determine whether {object} exists: {}", error.message)),
        }
    }
    let before = match observed_before(backend, history_sql, record).await {
        Ok(before) => before,
        Err(error) if error.is_connection_lost() => return Err(lost(error)),
        Err(error) => return unknown(format!("cannot read `{}`: {}", history_sql.events_name(), error.message)),
    };
    let recovered = if interruption.had_not_started(&presences, &before) {
        Some(RecoveredState::NotStarted)
    } else {
        let state = |done| if done == interruption.done_after { interruption.state_after } else { state };
        interruption.done(&presences, &before).map(|done| RecoveredState::Stopped { state: state(done), done })
    };
    let evidence = format!("{}{}", evidence.join(", "), before.describe(&interruption.effects));
    Ok(Some(InterruptedMigration { key: record.key.clone(), recovered, evidence }))
}

/// What was recorded about the catalog before the next statement.
async fn observed_before(backend: &mut dyn Backend, history_sql: &HistorySql, record: &Record) -> Result<Before, BackendError> {
    let sql = history_sql.select_observation(record.key.as_str());
    let rows = session::read(backend, history_sql, &[HistoryTable::Events], &sql).await?;
    // Without the table, what was recorded is lost.
    let Some(rows) = rows else { return Ok(Before::Unknown) };
    // The run writes the event with the record or the checkpoint itself, so without one nothing was as the statement would make it.
    let detail = session::first(rows).unwrap_or_default();
    Ok(match detail.split_once(':') {
        Some((range, digits)) if is_about(range, record.statements_done) => {
            let presence = |digit: char| Presence::of(Some(digit.encode_utf8(&mut [0; 4])));
            match digits {
                NOT_ASKED => Before::NotStarted,
                _ if digits.contains(NOT_KNOWN) => Before::Unknown,
                _ => Before::Shown(digits.chars().map(presence).collect()),
            }
        }
        _ => Before::Shown(Vec::new()),
    })
}

/// Is what was recorded about `range`, a number of completed statements or two of them, about this number?
fn is_about(range: &str, done: usize) -> bool {
    let (from, until) = range.split_once('-').unwrap_or((range, range));
    matches!((from.parse::<usize>(), until.parse::<usize>()), (Ok(from), Ok(until)) if (from..=until).contains(&done))
}

fn describe(presence: Presence, object: &Object) -> &'static str {
    match (presence, object) {
        (Presence::Absent, _) => "does not exist",
        (Presence::Present, _) => "exists",
        (Presence::Invalid, Object::Index(..)) => "is invalid",
        (Presence::Invalid, Object::Partition(..)) => "is pending detach",
        (Presence::Invalid, _) => "exists but is not validated",
    }
}

fn describe_past(presence: Presence) -> &'static str {
    match presence {
        Presence::Absent => "did not exist either",
        Presence::Present | Presence::Invalid => "existed already",
    }
}
