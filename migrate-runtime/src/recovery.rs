//! Finds out what became of a statement that nobody heard of: the process or the connection ended while it ran, and it
//! could not share a transaction with its mark. The catalogue knows; where it does not, a person is asked.

use crate::backend::{Backend, Presence};
use crate::error::Error;
use crate::history_sql::HistorySql;
use migrate_model::effect::{self, Effect, Effects, Object, Verb};
use migrate_model::history::{History, Record, RecordState};
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPart, plan_script};
use migrate_model::version::Version;

/// What was found out about one migration.
#[derive(Debug, Clone)]
pub struct InterruptedMigration {
    /// Which.
    pub version: Version,
    /// How it stands; `None` when it cannot be told.
    pub recovered: Option<RecoveredState>,
    /// What the database has of it and what not, for people.
    pub evidence: String,
}

/// How an unfinished migration stands once the fate of its statement is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveredState {
    /// As if the database had refused the next statement: it will run again.
    pub state: RecordState,
    /// How many statements are done.
    pub done: usize,
}

impl InterruptedMigration {
    /// The row as it is now known to stand.
    pub fn applied_to(&self, record: &Record) -> Record {
        match self.recovered {
            Some(RecoveredState { state, done }) => Record { state, statements_done: done, ..record.clone() },
            None => record.clone(),
        }
    }
}

/// Looks at all migrations of a history that were begun and did not end. Reads only.
///
/// # Errors
/// When the connection breaks.
pub async fn inspect_interrupted(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    history: &History,
) -> Result<Vec<InterruptedMigration>, Error> {
    let mut settled = Vec::new();
    for record in history.records() {
        let state = match record.state {
            RecordState::Started => RecordState::Failed,
            RecordState::Reverting => RecordState::RevertFailed,
            RecordState::Applied | RecordState::Failed | RecordState::RevertFailed => continue,
        };
        settled.extend(inspect(backend, history_sql, record, state).await?);
    }
    Ok(settled)
}

async fn inspect(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    record: &Record,
    state: RecordState,
) -> Result<Option<InterruptedMigration>, Error> {
    let dialect = backend.dialect();
    let (script, _) = Script::read(record.pending_sql.clone().unwrap_or_default(), "", dialect);
    let course = plan_script(&script, dialect, record.statements_done);
    let mut settings = Vec::new();
    let mut next = None;
    for part in &course.parts {
        match part {
            ScriptPart::SessionSettings(statements) => settings.extend(statements.clone()),
            ScriptPart::Segment(stretch) => {
                next = Some(stretch);
                break;
            }
        }
    }
    // What shares a transaction with its mark has not happened, and the plan knows it.
    let Some(next) = next.filter(|next| !next.in_transaction && next.unit.statements.len() == 1) else { return Ok(None) };
    let sql = script.statements[next.unit.statements.start].sql(&script.text);
    let Effects::Known(effects) = effect::read(sql, dialect) else { return Ok(None) };
    // Names mean what they meant to the script.
    for at in settings {
        let set = backend.run_setting(script.statements[at].sql(&script.text)).await;
        set.map_err(|failure| failure.into_history_error("cannot set the session as the interrupted migration did"))?;
    }
    let mut held = Vec::new();
    let mut found = Vec::new();
    for effect in &effects {
        let presence = backend.presence(history_sql, &effect.object).await;
        let presence = presence.map_err(|failure| failure.into_history_error("cannot look at the catalogue"))?;
        let Some(presence) = presence else { return Ok(None) };
        found.push(format!("{} {}", effect.object, words(presence, &effect.object)));
        held.push(holds(effect, presence));
    }
    backend.restore().await.map_err(|failure| failure.into_lost_connection_error("cannot put the session's settings back"))?;
    let done = match (held.contains(&true), held.contains(&false)) {
        (true, true) => None,
        (true, false) => Some(next.unit.done_after),
        (false, _) => Some(record.statements_done),
    };
    let fate = done.map(|done| RecoveredState { state, done });
    Ok(Some(InterruptedMigration { version: record.version.clone(), recovered: fate, evidence: found.join(", ") }))
}

fn holds(effect: &Effect, presence: Presence) -> bool {
    match (effect.verb, presence) {
        (Verb::Creates, Presence::Invalid) => !matches!(effect.object, Object::Index(..)),
        (Verb::Creates, presence) => presence == Presence::Present,
        (Verb::Drops, presence) => presence == Presence::Absent,
        (Verb::Validates, presence) => presence == Presence::Present,
    }
}

fn words(presence: Presence, object: &Object) -> &'static str {
    match (presence, object) {
        (Presence::Absent, _) => "is not there",
        (Presence::Present, _) => "is there",
        (Presence::Invalid, Object::Index(..)) => "is invalid",
        (Presence::Invalid, _) => "is there but not validated",
    }
}
