//! What the catalog shows before a statement that commits itself. If its outcome must be found out after an interruption, only
//! what was not there before proves that it took effect.

use crate::backend::{Backend, Presence, UnitError};
use crate::history_change::{Catalog, Observation};
use crate::history_sql::HistorySql;
use crate::step::{PreparedStep, StepError, StepRunner};
use migrate_model::dialect::Dialect;
use migrate_model::effect::{self, Effect, Effects, Object, Verb};
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPart, ScriptPlan, Segment};
use migrate_model::session_effect::{self, SessionEffect};
use migrate_model::statement::Reading;
use migrate_model::token::{Token, Tokens};
use std::collections::BTreeSet;

/// How the catalog is asked before the segments of a script.
#[derive(Debug, Default)]
pub struct Observations {
    segments: Vec<Option<Asking>>,
    /// The segments whose outcome the catalog will show, whatever becomes of the run.
    proven: BTreeSet<usize>,
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
    /// Nothing is written until this many statements are done, because it would take a value of a sequence that the script reads
    /// later. So nothing is known about the statements in between.
    Silent { done: usize, until: usize },
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

/// Do the objects show whether any part of the statement has taken effect? The tables of a database of MySQL are dropped one after
/// the other.
pub fn show_every_change(effects: &[Effect]) -> bool {
    let drops_schema = |effect: &Effect| effect.verb == Verb::Drops && matches!(effect.object, Object::Schema(_));
    !effects.is_empty() && !effects.iter().any(drops_schema)
}

/// Does the statement drop an object and create it again? Then it is the same before and after.
pub fn is_opposed(effect: &Effect, effects: &[Effect]) -> bool {
    effects.iter().any(|other| other.object == effect.object && other.verb != effect.verb)
}

/// Do the objects show whether the statement has run, if none was before as the statement would make it?
fn shows_outcome(effects: &[Effect]) -> bool {
    show_every_change(effects) && !effects.iter().any(|effect| is_opposed(effect, effects))
}

/// Will the objects show whether the statement has run? Not for an `ALTER` with `IF EXISTS` or `IF NOT EXISTS`: where one part has
/// nothing to do, another may do something that they do not show.
fn is_provable(sql: &str, effects: &[Effect], dialect: Dialect) -> bool {
    let is_word = |token: &Token, word: &str| token.is_word(sql, word);
    let is_alter = Tokens::new(sql, dialect).find(|token| !token.is_blank()).is_some_and(|token| is_word(&token, "ALTER"));
    shows_outcome(effects) && !(is_alter && Tokens::new(sql, dialect).any(|token| is_word(&token, "EXISTS")))
}

/// The presence of an object that is not as the statement would make it.
pub fn usual(effect: &Effect) -> Presence {
    match effect.verb {
        Verb::Creates => Presence::Absent,
        Verb::Drops => Presence::Present,
        Verb::Validates => Presence::Invalid,
    }
}

/// The digits of objects of which none is as the statement would make it.
fn unaffected(effects: &[Effect]) -> String {
    effects.iter().map(|effect| usual(effect).digit()).collect()
}

impl Observations {
    /// Of a script that does not run in one transaction.
    pub fn of_plan(runner: &StepRunner<'_, '_>, plan: &ScriptPlan, script: &Script, sets_role: bool) -> Self {
        if plan.atomic {
            return Observations::default();
        }
        let mut segments: Vec<Option<Asking>> = Vec::new();
        let mut silent: Option<usize> = None;
        let mut done = runner.step.done;
        let (mut after_settings, mut names_change) = (false, false);
        let mut proven = BTreeSet::new();
        for part in &plan.parts {
            match part {
                ScriptPart::SessionSettings(statements) => {
                    after_settings = true;
                    let sql = |at: usize| script.statements[at].sql(&script.text);
                    names_change |= statements.clone().any(|at| session_effect::decides_names(sql(at), runner.reading.dialect));
                }
                ScriptPart::Segment(segment) => {
                    let effects = watched_effects(part, script, runner.reading);
                    let is_silent = silence(&mut segments, &mut silent, plan, segment, done, effects.is_some());
                    let effects = effects.filter(|_| !is_silent);
                    let number = segments.len();
                    segments.push(effects.filter(|effects| !effects.is_empty()).map(|effects| {
                        let keeps_names = !names_change && !sets_role;
                        // Before the start, a query of its own costs less than an expression in the transaction.
                        let is_own_query = !keeps_names || segments.is_empty() && !after_settings;
                        let joined = joined(runner.backend, runner.history_sql, &effects, done);
                        let at = segment.unit.statements.start;
                        let sql = script.statements[at].sql(&script.text);
                        // A temporary table may hide the one that the catalog shows.
                        let is_plain = |effect: &SessionEffect| *effect <= SessionEffect::Setting;
                        let hides_nothing = plan.effects.iter().take(at + 1).all(is_plain);
                        if keeps_names && hides_nothing && joined.is_some() && is_provable(sql, &effects, runner.reading.dialect)
                        {
                            proven.insert(number);
                        }
                        match joined.filter(|_| !is_own_query) {
                            Some(observation) => Asking::WithCheckpoint(observation),
                            None => Asking::Before { effects, done, after_settings },
                        }
                    }));
                    done = segment.unit.done_after;
                    (after_settings, names_change) = (false, false);
                }
            }
        }
        Observations { segments, proven }
    }

    /// Will the catalog show whether the statement of a segment has run? Then that need not be recorded at once. What the record of
    /// the start says must be given to [`start_recorded`](Self::start_recorded) before.
    pub fn is_proven(&self, segment: usize) -> bool {
        self.proven.contains(&segment)
    }

    /// Takes note of what the record of the start says.
    pub fn start_recorded(&mut self, observation: Option<&Observation>) {
        if !observation.is_some_and(|observation| matches!(observation.catalog, Catalog::Digits(_))) {
            self.proven.remove(&0);
        }
    }

    /// What the checkpoint before a segment records.
    pub fn with_checkpoint(&self, segment: usize) -> Option<Observation> {
        match self.segments.get(segment)?.as_ref()? {
            Asking::WithCheckpoint(observation) => Some(observation.clone()),
            Asking::Before { done, .. } => Some(of(*done, Catalog::NotAsked)),
            Asking::Silent { done, until } => Some(of(*done, Catalog::UnknownUntil(*until))),
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

/// Whether a segment is one before which nothing may be written. The first of them, which may take a value of a sequence, is known:
/// before it, it is written that nothing is known about those that follow.
fn silence(
    segments: &mut [Option<Asking>],
    first: &mut Option<usize>,
    plan: &ScriptPlan,
    segment: &Segment,
    done: usize,
    is_watched: bool,
) -> bool {
    let Some(span) = &plan.sequence_span else { return false };
    let statements = &segment.unit.statements;
    if statements.start <= span.start {
        // The settings of the span are done again before a resumed script; then it begins with the first segment.
        *first = Some(segments.len());
        return false;
    }
    let is_silent = is_watched && statements.start < span.end;
    if let Some(earlier) = first.and_then(|at| segments.get_mut(at)).filter(|_| is_silent) {
        let from = match earlier {
            Some(Asking::Silent { done, .. }) => *done,
            _ => done,
        };
        *earlier = Some(Asking::Silent { done: from, until: done });
    }
    is_silent
}

/// An observation that is always written.
fn of(done: usize, catalog: Catalog) -> Observation {
    Observation { done, catalog, unaffected: String::new() }
}

/// An observation that the transaction makes which records it, by SQL that cannot fail; `None` if there is none.
fn joined(backend: &dyn Backend, history_sql: &HistorySql, effects: &[Effect], done: usize) -> Option<Observation> {
    let digits: Option<Vec<String>> = effects.iter().map(|effect| backend.presence_sql(history_sql, &effect.object)).collect();
    Some(Observation { done, catalog: Catalog::Digits(digits?), unaffected: unaffected(effects) })
}

/// The observation for a start that is recorded before the step is its turn. `None` if it cannot be part of that transaction, or
/// if the catalog does not show later whether the first statement has run.
pub fn before_first(
    backend: &dyn Backend,
    history_sql: &HistorySql,
    first: &ScriptPart,
    script: &Script,
    reading: Reading<'_>,
) -> Option<Observation> {
    let effects = watched_effects(first, script, reading).filter(|effects| shows_outcome(effects))?;
    joined(backend, history_sql, &effects, 0)
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
