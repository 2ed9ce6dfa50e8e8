//! The start of the next step, recorded with the end of the one before it: one commit for both.
//!
//! Only for a step about which nothing has to be asked or done in between, and whose first statement shows in the catalog: after
//! a run that was killed between the two, the next run knows that the step had not started, and makes the history as if it had not
//! been started. What is recorded is what [`StepRunner`] would record at its start; if the step does not run after all, it is
//! withdrawn.
//!
//! [`StepRunner`]: crate::step::StepRunner

use crate::backend::{Backend, Remains};
use crate::backend_error::BackendError;
use crate::history_change::{HistoryChange, Observation};
use crate::history_changes::{Recording, StepChanges};
use crate::history_sql::HistorySql;
use crate::mentions::{Mention, Mentions};
use crate::observation;
use migrate_model::history::History;
use migrate_model::plan::{ScriptSource, Step};
use migrate_model::script_plan::{ScriptPlan, plan_script};
use migrate_model::session_effect;
use migrate_model::statement::Reading;
use migrate_model::target::Direction;

/// The longest scripts (bytes), up and down, whose start is recorded early.
const MAX_TEXT: usize = 64 << 10;

/// Whether the start of a step is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartRecord {
    /// It is in the history.
    Written,
    /// It is not.
    Missing,
}

/// The start of a step, as it can be recorded before the step is its turn.
#[derive(Debug)]
pub struct EarlyStart<'s> {
    changes: StepChanges<'s>,
    observation: Observation,
    /// What its script does, without triggers.
    plan: ScriptPlan,
    mentions: Mentions,
}

impl<'s> EarlyStart<'s> {
    /// `None` if something must be asked or done between the step before and this one. `reading` is that without triggers.
    pub fn of_step(
        backend: &dyn Backend,
        history_sql: &HistorySql,
        step: &'s Step<'s>,
        reading: Reading<'_>,
        history: &History,
    ) -> Option<Self> {
        if !backend.records_next_start() || !backend.owns_session() {
            return None;
        }
        let ScriptSource::File(script) = step.source else { return None };
        let is_new = step.direction == Direction::Up && step.done == 0 && history.get(&step.key).is_none();
        let dialect = reading.dialect;
        let needs_session = session_effect::reads_earlier_sequences(&script.text, &script.statements, dialect);
        let down = step.migration.and_then(|migration| migration.down.as_ref()).map_or(0, |down| down.text.len());
        if script.text.len().max(down) > MAX_TEXT || !is_new || !script.directives.gates.is_empty() || needs_session {
            return None;
        }
        let plan = plan_script(script, reading, 0);
        if plan.atomic || plan.sequence_span.is_some() {
            return None;
        }
        let mentions = Mentions::of_script(&script.text, &script.statements, dialect);
        if mentions.has(Mention::Role) {
            return None;
        }
        let observation = observation::before_first(backend, history_sql, plan.parts.first()?, script, reading)?;
        let changes = StepChanges::new(step, script, Recording::FromStart, history);
        Some(EarlyStart { changes, observation, plan, mentions })
    }

    /// What the script does, if the step fires no triggers, and what it names.
    pub fn into_plan(self) -> (ScriptPlan, Mentions) {
        (self.plan, self.mentions)
    }

    /// The change of the history.
    pub fn change(&self) -> HistoryChange<'_> {
        self.changes.started(0, Some(self.observation.clone()))
    }

    /// Changes a history as the start does.
    pub fn apply(&self, history: &mut History) {
        self.changes.apply_progress(history, 0);
    }

    /// Records that the step does not run after all, because the run stops before it.
    ///
    /// # Errors
    /// When the change cannot be written.
    pub async fn give_up(
        &self,
        backend: &mut dyn Backend,
        history_sql: &HistorySql,
        history: &mut History,
    ) -> Result<(), BackendError> {
        let change = self.changes.given_up(history, "the run stopped before the migration began");
        backend.write(history_sql, &change).await?;
        self.changes.apply_withdrawn(history);
        Ok(())
    }

    /// Records that the step does not run after all, because of this message.
    ///
    /// # Errors
    /// When the change cannot be written.
    pub async fn withdraw(
        &self,
        backend: &mut dyn Backend,
        history_sql: &HistorySql,
        history: &mut History,
        message: &str,
    ) -> Result<(), BackendError> {
        let change = self.changes.failed(history, 0, Some(Remains::Nothing), message);
        backend.write(history_sql, &change).await?;
        self.changes.apply_withdrawn(history);
        Ok(())
    }
}
