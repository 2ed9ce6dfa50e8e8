//! What the catalog shows before a statement that commits itself. If its outcome must be found out after an interruption, only
//! what was not there before proves that it took effect.

use crate::backend::{Presence, UnitError};
use crate::history_change::{Catalog, Observation};
use crate::step::{PreparedStep, StepError, StepRunner};
use migrate_model::dialect::Dialect;
use migrate_model::effect::{self, Effect, Effects, Object, Verb};
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPart, ScriptPlan};
use migrate_model::session_effect;
use migrate_model::statement::Reading;
use migrate_model::syntax::{CreateTable, Syntax};
use std::ops::Range;

/// How the catalog is asked before the segments of a script.
#[derive(Debug, Default)]
pub struct Observations {
    segments: Vec<Option<Asking>>,
}

/// How the catalog is asked before one segment.
#[derive(Debug)]
enum Asking {
    /// In the transaction that records what is done before it.
    WithCheckpoint(Observation),
    /// After the settings between that checkpoint and the segment, because they decide what the names mean; or by a query that can
    /// fail, which must not take the checkpoint with it.
    Before {
        effects: Vec<Effect>,
        /// How many statements are done before it.
        done: usize,
        /// Whether settings precede it.
        after_settings: bool,
    },
}

/// The tables that a script has created so far: of them, nothing exists that its statements do not name.
struct NewTables<'s> {
    names: Vec<Name>,
    script: &'s Script,
    dialect: Dialect,
    /// What precedes the next statement, in lower case; not longer than [`LONGEST_SEARCH`].
    text: String,
}

/// Names are not searched for in a longer text (bytes).
const LONGEST_SEARCH: usize = 16 << 10;

impl<'s> NewTables<'s> {
    /// None, before the first statement.
    fn new(script: &'s Script, dialect: Dialect) -> Self {
        NewTables { names: Vec::new(), script, dialect, text: String::new() }
    }

    /// These statements ran.
    fn add(&mut self, statements: Range<usize>) {
        for at in statements {
            let sql = self.script.statements[at].sql(&self.script.text);
            match reader::read(sql, self.dialect) {
                Syntax::CreateTable(table) if defines_everything(&table) => self.names.extend(table.name),
                Syntax::CreateIndex(_) | Syntax::CreateTable(_) | Syntax::Insert(_) => {}
                // Another statement may change what a name means.
                _ => self.names.clear(),
            }
            if self.text.len() <= LONGEST_SEARCH {
                self.text.push_str(&sql.to_ascii_lowercase());
            }
        }
    }

    /// Are all effects on parts of these tables that no statement so far can have made?
    fn lack(&self, effects: &[Effect]) -> bool {
        let is_new = |name: &str| {
            let name = name.to_ascii_lowercase();
            // A name that is written in another way, or in other letters, would not be found.
            let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            is_plain && self.text.len() <= LONGEST_SEARCH && !self.text.contains(stem(&name)) && !may_be_generated(&name)
        };
        effects.iter().all(|effect| match &effect.object {
            Object::Index(Some(table), Name { name, .. }) | Object::Column(table, name) | Object::Constraint(table, name) => {
                effect.verb == Verb::Creates && self.names.contains(table) && is_new(name)
            }
            _ => false,
        })
    }
}

/// A table of which the statement itself names every part, and that did not exist before.
fn defines_everything(table: &CreateTable) -> bool {
    let is_copy = table.as_query || !table.like.is_empty() || table.columns.is_empty();
    !is_copy && !table.if_not_exists && !table.temporary && !table.or_replace
}

/// The name without the number that a server appends to a name that is taken: `a_2`.
fn stem(name: &str) -> &str {
    let stem = name.trim_end_matches(|last: char| last.is_ascii_digit());
    if stem.len() < name.len() { stem.trim_end_matches('_') } else { name }
}

/// Could a server have given this name to a constraint or an index that has none in the text? Sources: PostgreSQL, `ChooseIndexName`
/// and `ChooseConstraintName`; MySQL manual, "CREATE TABLE"; MariaDB knowledge base, "CONSTRAINT".
fn may_be_generated(name: &str) -> bool {
    let stem = name.trim_end_matches(|last: char| last.is_ascii_digit());
    let ends = ["_key", "_idx", "_pkey", "_fkey", "_check", "_excl", "_null", "_ibfk_", "_chk_", "constraint_", "primary"];
    ends.iter().any(|end| stem.ends_with(end))
}

/// The effects by which the outcome of a statement is found out. `None` if it commits with its checkpoint, or they are not known.
pub fn watched_effects(part: &ScriptPart, script: &Script, reading: Reading<'_>) -> Option<Vec<Effect>> {
    let ScriptPart::Segment(segment) = part else { return None };
    if segment.in_transaction || segment.unit.statements.len() != 1 {
        return None;
    }
    match effect::read(script.statements[segment.unit.statements.start].sql(&script.text), reading.dialect) {
        Effects::Known(effects) => Some(effects),
        Effects::Unknown => None,
    }
}

/// Has the object the state already that the statement gives it?
pub fn is_achieved(effect: &Effect, presence: Presence) -> bool {
    match effect.verb {
        Verb::Creates if presence == Presence::Invalid => !matches!(effect.object, Object::Index(..)),
        Verb::Creates | Verb::Validates => presence == Presence::Present,
        Verb::Drops => presence == Presence::Absent,
    }
}

/// The digits of objects of which none is as the statement would make it.
fn unaffected(effects: &[Effect]) -> String {
    let presence = |effect: &Effect| match effect.verb {
        Verb::Creates => Presence::Absent,
        Verb::Drops => Presence::Present,
        Verb::Validates => Presence::Invalid,
    };
    effects.iter().map(|effect| presence(effect).digit()).collect()
}

impl Observations {
    /// Of a script that does not run in one transaction.
    pub fn of_plan(runner: &StepRunner<'_, '_>, plan: &ScriptPlan, script: &Script, sets_role: bool) -> Self {
        if plan.atomic {
            return Observations::default();
        }
        let mut segments = Vec::new();
        let mut new_tables = NewTables::new(script, runner.reading.dialect);
        let mut done = runner.step.done;
        new_tables.add(0..done.min(script.statements.len()));
        let (mut after_settings, mut names_change) = (false, false);
        for part in &plan.parts {
            match part {
                ScriptPart::SessionSettings(statements) => {
                    after_settings = true;
                    let sql = |at: usize| script.statements[at].sql(&script.text);
                    names_change |= statements.clone().any(|at| session_effect::decides_names(sql(at), runner.reading.dialect));
                    if names_change {
                        new_tables.names.clear();
                    }
                }
                ScriptPart::Segment(segment) => {
                    let effects = watched_effects(part, script, runner.reading);
                    let effects = effects.filter(|effects| !effects.is_empty() && !new_tables.lack(effects));
                    segments.push(effects.map(|effects| {
                        // Before the start, a query of its own costs less than an expression in the transaction.
                        let is_own_query = names_change || sets_role || segments.is_empty() && !after_settings;
                        match if is_own_query { None } else { digits_sql(runner, &effects) } {
                            Some(digits) => {
                                let unaffected = unaffected(&effects);
                                Asking::WithCheckpoint(Observation { done, catalog: Catalog::Digits(digits), unaffected })
                            }
                            None => Asking::Before { effects, done, after_settings },
                        }
                    }));
                    new_tables.add(segment.unit.statements.clone());
                    done = segment.unit.done_after;
                    (after_settings, names_change) = (false, false);
                }
            }
        }
        Observations { segments }
    }

    /// What the checkpoint before a segment records.
    pub fn with_checkpoint(&self, segment: usize) -> Option<Observation> {
        match self.segments.get(segment)?.as_ref()? {
            Asking::WithCheckpoint(observation) => Some(observation.clone()),
            Asking::Before { done, .. } => Some(of(*done, Catalog::NotAsked)),
        }
    }

    /// Whether the first segment can be asked about before its start is recorded, which saves a transaction.
    fn effects_at_start(&self) -> Option<(&[Effect], usize)> {
        match self.segments.first()?.as_ref()? {
            Asking::Before { effects, done, after_settings: false } => Some((effects, *done)),
            _ => None,
        }
    }

    fn effects_before(&self, segment: usize) -> Option<(&[Effect], usize)> {
        match self.segments.get(segment)?.as_ref()? {
            Asking::Before { effects, done, after_settings } if segment > 0 || *after_settings => Some((effects, *done)),
            _ => None,
        }
    }
}

/// An observation that is always written.
fn of(done: usize, catalog: Catalog) -> Observation {
    Observation { done, catalog, unaffected: String::new() }
}

/// The presence of each object as SQL that cannot fail; `None` if there is none.
fn digits_sql(runner: &StepRunner<'_, '_>, effects: &[Effect]) -> Option<Vec<String>> {
    effects.iter().map(|effect| runner.backend.presence_sql(runner.history_sql, &effect.object)).collect()
}

/// What the record of the start says.
///
/// # Errors
/// When the connection is lost.
pub async fn at_start(runner: &mut StepRunner<'_, '_>, prepared: &PreparedStep<'_>) -> Result<Option<Observation>, UnitError> {
    match prepared.observations.effects_at_start() {
        Some((effects, done)) => ask(runner, effects, done).await,
        None => Ok(prepared.observations.with_checkpoint(0)),
    }
}

/// Asks before a segment and records the answer, unless that is done.
///
/// # Errors
/// When the connection is lost, or the answer cannot be recorded.
pub async fn before_segment(
    runner: &mut StepRunner<'_, '_>,
    prepared: &PreparedStep<'_>,
    segment: usize,
) -> Result<(), StepError> {
    let Some((effects, done)) = prepared.observations.effects_before(segment) else { return Ok(()) };
    let outcome = match ask(runner, effects, done).await {
        // It takes the place of what the checkpoint says.
        Ok(Some(Observation { catalog, .. })) => {
            let change = prepared.changes.observed(of(done, catalog));
            let written = runner.backend.write_during_script(runner.history_sql, &change).await;
            written.map_err(|error| {
                if error.is_connection_lost() { UnitError::ConnectionLost(error) } else { UnitError::NotStarted(error) }
            })
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => Ok(()),
        Err(error) => Err(runner.fail(error, prepared, done).await),
    }
}

/// Asks the catalog. `None` if it cannot tell.
async fn ask(runner: &mut StepRunner<'_, '_>, effects: &[Effect], done: usize) -> Result<Option<Observation>, UnitError> {
    let mut digits = Vec::new();
    for effect in effects {
        let presence = runner.backend.presence(runner.history_sql, &[], &effect.object).await;
        let presence = match presence {
            Ok(Some(Presence::Present)) if effect.verb == Verb::Drops => {
                let is_hiding = runner.backend.is_hiding_another(runner.history_sql, &effect.object).await;
                match is_hiding {
                    Ok(true) => return Ok(Some(of(done, Catalog::Unknown))),
                    Ok(false) => presence,
                    Err(error) => Err(error),
                }
            }
            presence => presence,
        };
        match presence {
            Ok(Some(presence)) => digits.push(format!("'{}'", presence.digit())),
            Ok(None) => return Ok(None),
            Err(error) if error.is_connection_lost() => return Err(UnitError::ConnectionLost(error)),
            Err(error) => {
                tracing::debug!(message = error.message, "the catalog cannot be asked before a statement");
                return Ok(Some(of(done, Catalog::Unknown)));
            }
        }
    }
    Ok(Some(Observation { done, catalog: Catalog::Digits(digits), unaffected: unaffected(effects) }))
}
