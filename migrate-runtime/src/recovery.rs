//! Finds out what became of a statement whose outcome is unknown: the process or the connection ended while it ran, and it
//! could not share a transaction with its checkpoint. The system catalog tells; where it does not, the run stops for an operator.

use crate::backend::{Backend, Presence};
use crate::error::Error;
use crate::history_sql::HistorySql;
use migrate_model::effect::{self, Effect, Effects, Object, Verb};
use migrate_model::history::{History, Record, RecordState};
use migrate_model::key::MigrationKey;
use migrate_model::migration_set::MigrationSet;
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPart, plan_script};
use migrate_model::session_effect;
use migrate_model::statement::Reading;

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
pub struct RecoveredState {
    /// As if the database had rejected the next statement: it will run again.
    pub state: RecordState,
    /// How many statements are done.
    pub done: usize,
}

impl InterruptedMigration {
    /// The record with what was found out.
    pub fn applied_to(&self, record: &Record) -> Record {
        match self.recovered {
            Some(RecoveredState { state, done }) => record.with_progress(state, done),
            None => record.clone(),
        }
    }
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
        // What another release was applying is its own affair.
        let is_own = record.state.is_revert() || record.key.version().is_some_and(|version| set.get(version).is_some());
        let Some(state) = record.state.interrupted().filter(|_| is_own) else { continue };
        interrupted.extend(inspect(backend, history_sql, record, state, set.contents().reading()).await?);
    }
    Ok(interrupted)
}

async fn inspect(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    record: &Record,
    state: RecordState,
    reading: Reading<'_>,
) -> Result<Option<InterruptedMigration>, Error> {
    let dialect = reading.dialect;
    let (script, _) = Script::read(record.pending_sql.clone().unwrap_or_default(), "", reading);
    let plan = plan_script(&script, dialect, record.statements_done);
    let mut settings = Vec::new();
    let mut next = None;
    for part in &plan.parts {
        match part {
            ScriptPart::SessionSettings(statements) => settings.extend(statements.clone()),
            ScriptPart::Segment(segment) => {
                next = Some(segment);
                break;
            }
        }
    }
    // What shares a transaction with its checkpoint has not happened, and the plan knows it.
    let Some(next) = next.filter(|next| !next.in_transaction && next.unit.statements.len() == 1) else { return Ok(None) };
    let sql = script.statements[next.unit.statements.start].sql(&script.text);
    let Effects::Known(effects) = effect::read(sql, dialect) else { return Ok(None) };
    // Names mean what they meant to the script. No other statement of the record runs.
    let sql = |at: &usize| script.statements[*at].sql(&script.text);
    let paths: Vec<&str> = settings.iter().map(sql).filter(|sql| session_effect::decides_names(sql, dialect)).collect();
    let mut took_effect = Vec::new();
    let mut evidence = Vec::new();
    for effect in &effects {
        let presence = backend.presence(history_sql, &paths, &effect.object).await;
        let presence = match presence {
            Ok(Some(presence)) => presence,
            Ok(None) => return Ok(None),
            Err(error) if error.is_connection_lost() => {
                return Err(error.into_history_error("cannot read the system catalog"));
            }
            // What cannot be asked is not known. Only a run of this migration needs to know it.
            Err(error) => {
                let evidence = format!("cannot determine whether {} exists: {}", effect.object, error.message);
                return Ok(Some(InterruptedMigration { key: record.key.clone(), recovered: None, evidence }));
            }
        };
        evidence.push(format!("{} {}", effect.object, describe(presence, &effect.object)));
        took_effect.push(is_achieved(effect, presence));
    }
    let done = match (took_effect.contains(&true), took_effect.contains(&false)) {
        (true, true) => None,
        (true, false) => Some(next.unit.done_after),
        (false, _) => Some(record.statements_done),
    };
    let recovered = done.map(|done| RecoveredState { state, done });
    Ok(Some(InterruptedMigration { key: record.key.clone(), recovered, evidence: evidence.join(", ") }))
}

fn is_achieved(effect: &Effect, presence: Presence) -> bool {
    match (effect.verb, presence) {
        (Verb::Creates, Presence::Invalid) => !matches!(effect.object, Object::Index(..)),
        (Verb::Creates, presence) => presence == Presence::Present,
        (Verb::Drops, presence) => presence == Presence::Absent,
        (Verb::Validates, presence) => presence == Presence::Present,
    }
}

fn describe(presence: Presence, object: &Object) -> &'static str {
    match (presence, object) {
        (Presence::Absent, _) => "does not exist",
        (Presence::Present, _) => "exists",
        (Presence::Invalid, Object::Index(..)) => "is invalid",
        (Presence::Invalid, _) => "exists but is not validated",
    }
}
