//! One step of a plan being carried out: gates, start, body, finish, failure. The shell that every kind of migration shares.
//!
//! What runs, and in which order, is decided elsewhere (`plan`, `script_plan`); what is written into the history, in
//! `history_changes`; how a body runs, in `steps`; how a failure is described, in `step_errors`.

use crate::backend::{Backend, Expected, Recorded, Remains, UnitError};
use crate::backend_error::BackendError;
use crate::codes;
use crate::early_start::{EarlyStart, StartRecord};
use crate::error::{Error, ErrorKind};
use crate::history_change::{Elapsed, HistoryChange};
use crate::history_changes::{self, Recording, StepChanges};
use crate::history_sql::HistorySql;
use crate::mentions::{Mention, Mentions};
use crate::observation::{self, Observations};
use crate::run_options::RunOptions;
use crate::session;
use crate::step_errors::{self, FailedStep};
use crate::steps::script;
use crate::stored_scripts;
use crate::trigger_catalog;
use migrate_model::history::{History, RecordState};
use migrate_model::lock_strength::LockTimeoutHandling;
use migrate_model::place::Place;
use migrate_model::plan::Step;
use migrate_model::rollback_limit::{self, RollbackLimit};
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPlan, plan_script};
use migrate_model::session_effect::{self, FreshSession, SessionEffect};
use migrate_model::statement::{Reading, Statement};
use std::borrow::Cow;
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// Carries out one step.
pub struct StepRunner<'r, 'p> {
    /// The database.
    pub backend: &'r mut dyn Backend,
    /// The SQL of its history.
    pub history_sql: &'r HistorySql,
    /// The step.
    pub step: &'r Step<'p>,
    /// How its text is read, and which triggers it may fire.
    pub reading: Reading<'r>,
    /// The history as it is known here; follows what is written.
    pub history: &'r mut History,
    /// How the run behaves.
    pub options: &'r RunOptions,
    /// When the step started.
    pub since: Instant,
    /// Its start, if it was recorded with the end of the step before it, and the step fires no triggers.
    pub early: Option<EarlyStart<'p>>,
    /// The start of the step after this one, if it can be recorded with the end of this one.
    pub next: Option<&'r EarlyStart<'p>>,
}

/// How a step has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepOutcome {
    /// What it has left of its session.
    pub session: StepSession,
    /// Whether the start of the next step is recorded.
    pub next: StartRecord,
    /// How long it took, as its record says; `None` if that is not known.
    pub took: Option<Duration>,
}

/// What a step has left of its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepSession {
    /// It is as it was before the step.
    Clean,
    /// The script may have changed it, so the next step needs another one.
    Changed,
}

/// Why a step was not finished.
pub enum StepError {
    /// Another process has written to the history: the rest must be planned again.
    HistoryChanged,
    /// It failed.
    Failed(Error),
}

impl From<Error> for StepError {
    fn from(error: Error) -> Self {
        StepError::Failed(error)
    }
}

/// What stays the same while a step is carried out.
pub struct PreparedStep<'p> {
    /// What runs.
    pub script: Cow<'p, Script>,
    /// In which parts, and which of them commit with their checkpoint.
    pub plan: ScriptPlan,
    /// What is written into the history.
    pub changes: StepChanges<'p>,
    /// How long a statement may wait for a lock; `None`: 2 s where it blocks traffic, else as the server is set.
    pub lock_timeout: Option<Duration>,
    /// What the error handlers in the script do with a lock timeout.
    pub lock_timeout_handling: LockTimeoutHandling,
    /// How long the script may take.
    pub timeout: Duration,
    /// What the script names that matters to the engine.
    pub mentions: Mentions,
    /// The custom settings that the script reads: no catalog lists them.
    pub custom_settings: Vec<String>,
    /// How the catalog is asked before statements that commit themselves.
    pub observations: Observations,
}

impl PreparedStep<'_> {
    /// The SQL of a statement.
    pub fn sql(&self, statement: usize) -> &str {
        self.script.statements[statement].sql(&self.script.text)
    }
}

/// What the statements of a script may have done, with the triggers and default values of the tables that it changes.
pub struct AskedEffects {
    /// The effect of each statement.
    pub effects: Vec<SessionEffect>,
    /// What a rollback does not undo and the text does not show.
    pub hidden_limit: Option<RollbackLimit>,
}

/// Asks what a failed attempt may have done, which matters even where its session does not. `None` if it cannot be asked.
pub async fn asked_effects(runner: &mut StepRunner<'_, '_>, prepared: &PreparedStep<'_>) -> Option<AskedEffects> {
    let script = &prepared.script;
    let catalog = match trigger_catalog::of_script(runner.backend, script).await {
        Ok(catalog) => catalog,
        Err(error) => {
            tracing::warn!(message = error.message(), "the triggers cannot be determined");
            return None;
        }
    };
    let dialect = runner.backend.dialect();
    let effects = session_effect::of_script(&script.text, &script.statements, dialect, &catalog);
    Some(AskedEffects { effects, hidden_limit: rollback_limit::in_catalog(&catalog, dialect) })
}

impl<'r, 'p: 'r> StepRunner<'r, 'p> {
    /// Carries the step out and records it.
    pub async fn run(mut self) -> Result<StepOutcome, StepError> {
        let is_started = self.early.is_some();
        let mut prepared = self.prepare().await?;
        self.refuse_custom_settings(&prepared).await?;
        let mut recorded = Recorded::alone(None);
        if prepared.plan.has_segments() {
            if !prepared.plan.atomic && !is_started {
                self.start(&mut prepared).await?;
            }
            self.freshen_session(&prepared).await?;
            recorded = script::run(&mut self, &prepared).await?;
        } else {
            script::run(&mut self, &prepared).await?;
            let took = self.since.elapsed();
            recorded.took = Some(took);
            let change = prepared.changes.finished(Elapsed::Measured(took));
            let written = self.backend.write(self.history_sql, &change).await;
            written.map_err(|error| error.into_history_error("cannot write the history"))?;
        }
        let session = self.finish(prepared).await?;
        let Recorded { next, took } = recorded;
        if let Some(early) = self.next.filter(|_| next == StartRecord::Written) {
            early.apply(self.history);
        }
        Ok(StepOutcome { session, next, took })
    }

    /// No catalog lists custom settings, and none can be unset: a script must not read one that the application has set.
    async fn refuse_custom_settings(&mut self, prepared: &PreparedStep<'_>) -> Result<(), Error> {
        if self.backend.owns_session() {
            return Ok(());
        }
        let script = &prepared.script;
        let named = |statement: &Statement| session_effect::named_settings(statement.sql(&script.text));
        let set_by_script: HashSet<String> = script.statements.iter().flat_map(named).collect();
        for name in prepared.custom_settings.iter().filter(|name| !set_by_script.contains(*name)) {
            let sql = format!("SELECT coalesce(pg_catalog.current_setting({}, true), '')", self.history_sql.text(name));
            let value = self.backend.query(&sql).await.map(session::first);
            let value = value.map_err(|error| error.into_history_error("cannot read the settings of the session"))?;
            if value.is_some_and(|value| !value.is_empty()) {
                return Err(step_errors::custom_setting(&self.step.title, &prepared.script, name));
            }
        }
        Ok(())
    }

    /// Gives a script that reads what changes have left in the session one without changes of the runtime.
    async fn freshen_session(&mut self, prepared: &PreparedStep<'_>) -> Result<(), Error> {
        let script = &prepared.script;
        let needed = session_effect::fresh_session(&script.text, &script.statements, self.reading.dialect);
        if needed == FreshSession::NotNeeded || !self.backend.owns_session() {
            return Ok(());
        }
        let renewed = self.backend.renew_session(self.history_sql).await;
        renewed.map(drop).map_err(|error| error.into_lost_connection_error("cannot open a session for the migration"))
    }

    async fn prepare(&mut self) -> Result<PreparedStep<'r>, Error> {
        let script = self.script().await?;
        let resuming = self.history.get(&self.step.key).is_some_and(|record| record.state != RecordState::Applied);
        if !resuming {
            let timeout = script.directives.timeout.unwrap_or(self.options.timeout);
            self.check_gates(&script, timeout).await?;
        }
        let (plan, mentions) = match self.early.take() {
            Some(early) => early.into_plan(),
            None => (
                plan_script(&script, self.reading, self.step.done),
                Mentions::of_script(&script.text, &script.statements, self.backend.dialect()),
            ),
        };
        let recording = if plan.atomic || !plan.has_segments() { Recording::AtEnd } else { Recording::FromStart };
        let changes = StepChanges::new(self.step, &script, recording, self.history);
        let directives = &script.directives;
        let lock_timeout = directives.lock_timeout.or(self.options.lock_timeout);
        let timeout = directives.timeout.unwrap_or(self.options.timeout);
        let custom_settings = session_effect::read_custom_settings(&script.text, self.backend.dialect());
        let lock_timeout_handling = LockTimeoutHandling::of(&script.text);
        let observations = Observations::of_plan(self, &plan, &script, mentions.has(Mention::Role));
        Ok(PreparedStep {
            observations,
            plan,
            changes,
            lock_timeout,
            lock_timeout_handling,
            timeout,
            mentions,
            custom_settings,
            script,
        })
    }

    /// What runs: from the files, or as it was stored when the migration was applied.
    async fn script(&mut self) -> Result<Cow<'r, Script>, Error> {
        if let Some(script) = self.step.file_script() {
            return Ok(Cow::Borrowed(script));
        }
        let text = stored_scripts::read(self.backend, self.history_sql, &self.step.key).await?;
        self.options.stored_scripts.check(&self.step.key, &self.step.title, &text)?;
        let file = format!("{} (stored down migration)", self.step.title);
        let (script, findings) = Script::read(text, &file, self.reading);
        match findings.iter().find(|finding| finding.is_error()) {
            Some(finding) => Err(step_errors::stored_script_invalid(&self.step.title, finding)),
            None if script.statements.is_empty() => Err(step_errors::stored_script_empty(&self.step.title)),
            None => Ok(Cow::Owned(script)),
        }
    }

    async fn check_gates(&mut self, script: &Script, timeout: Duration) -> Result<(), Error> {
        for gate in &script.directives.gates {
            let closed = |message: String| {
                Error::new(ErrorKind::GateClosed, &codes::GATE_CLOSED, message)
                    .at(Some(Place::file(&*script.file)))
                    .note("gate", gate.clone())
                    .help("change the data or the schema so that the gate query returns true, or correct the query, then run the same command again")
            };
            let title = &self.step.title;
            match session::is_true(self.backend, gate, timeout).await {
                Ok(true) => {}
                Ok(false) => return Err(closed(format!("did not start `{title}`: its gate query did not return true"))),
                Err(error) => {
                    let message = format!("did not start `{title}`: its gate query failed: {}", error.message);
                    return Err(error.add_to(closed(message)));
                }
            }
        }
        Ok(())
    }

    /// Records that the step starts, before anything that cannot be rolled back.
    async fn start(&mut self, prepared: &mut PreparedStep<'_>) -> Result<(), StepError> {
        let started = match observation::at_start(self, prepared).await {
            Ok(observation) => {
                prepared.observations.start_recorded(observation.as_ref());
                self.write_if_unchanged(prepared, &prepared.changes.started(self.step.done, observation)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = started {
            return Err(self.fail(error, prepared, self.step.done).await);
        }
        prepared.changes.apply_progress(self.history, self.step.done);
        Ok(())
    }

    async fn write_if_unchanged(&mut self, prepared: &PreparedStep<'_>, change: &HistoryChange<'_>) -> Result<(), UnitError> {
        let fingerprint = history_changes::fingerprint(self.history, &self.step.key);
        let expected = Expected { version: prepared.changes.version(), fingerprint: &fingerprint };
        self.backend.write_if_unchanged(self.history_sql, change, expected).await
    }

    /// The step is done and recorded: the history that is known here follows, and the session is reset.
    async fn finish(&mut self, prepared: PreparedStep<'_>) -> Result<StepSession, StepError> {
        let effect = prepared.plan.session_effect();
        prepared.changes.apply_finished(self.history);
        // A session that cannot be replaced is asked what has changed, whatever the text shows.
        if effect != SessionEffect::None || !self.backend.owns_session() {
            return Ok(StepSession::Changed);
        }
        if self.backend.limits_outlive_transaction() {
            let restored = self.backend.restore().await;
            restored.map_err(|error| error.into_lost_connection_error("cannot reset the session's settings"))?;
        }
        Ok(StepSession::Clean)
    }

    /// Ends between two statements, because the run was asked to stop: all before are done, and the next did not start.
    pub async fn stop_early(&mut self, prepared: &PreparedStep<'_>, done: usize) -> StepError {
        let error = step_errors::stopped_early(&self.failed_step(prepared, done));
        // A transaction leaves no record that would have to be updated.
        if prepared.plan.atomic {
            return error.into();
        }
        let message = error.message().to_owned();
        match self.record_failure(prepared, done, None, &message).await {
            Ok(()) => error.into(),
            Err(failure) => failure.note_unrecorded(error).into(),
        }
    }

    /// Records a failure, and describes what happened, where, and what is done.
    pub async fn fail(&mut self, error: UnitError, prepared: &PreparedStep<'_>, done: usize) -> StepError {
        let asked = match &error {
            UnitError::StatementFailed { .. } => asked_effects(self, prepared).await,
            _ => None,
        };
        let mut failed = self.failed_step(prepared, done);
        if let Some(asked) = &asked {
            (failed.effects, failed.hidden_limit) = (&asked.effects, asked.hidden_limit.as_ref());
        }
        let failure = match error {
            UnitError::HistoryChanged => return StepError::HistoryChanged,
            UnitError::NotStarted(error) => step_errors::not_started(&failed, error),
            UnitError::RecordFailed(error) => step_errors::record_failed(&failed, error),
            UnitError::ConnectionLost(error) => step_errors::connection_lost(&failed, error),
            UnitError::StatementFailed { error, .. } if step_errors::is_read_only(&failed, &error) => {
                step_errors::read_only(&failed, error)
            }
            UnitError::StatementFailed { statement, offset, error, remains } => {
                failed.done = failed.done_before(statement);
                failed.remains = remains;
                let recorded = self.record_failure(prepared, failed.done, Some(remains), &error.message).await;
                let changes = if prepared.plan.atomic { None } else { self.session_changes(prepared).await };
                failed.session_changes = changes.as_deref();
                let described = step_errors::statement_failed(&failed, statement, offset, error);
                match recorded {
                    Ok(()) => described,
                    Err(error) => error.note_unrecorded(described),
                }
            }
        };
        failure.into()
    }

    /// What the statements that are done have changed in their session: for messages only, so an answer is not required.
    async fn session_changes(&mut self, prepared: &PreparedStep<'_>) -> Option<String> {
        let changes = session::session_changes(self.backend, self.history_sql).await.ok()?;
        changes.into_iter().rev().find(|(version, _)| version == prepared.changes.version()).map(|(_, names)| names)
    }

    fn failed_step<'s>(&self, prepared: &'s PreparedStep<'_>, done: usize) -> FailedStep<'s>
    where
        'r: 's,
    {
        FailedStep {
            title: &self.step.title,
            direction: self.step.direction,
            script: &prepared.script,
            plan: &prepared.plan,
            effects: &prepared.plan.effects,
            session_changes: None,
            hidden_limit: None,
            reading: self.reading,
            atomic: prepared.plan.atomic,
            done,
            remains: Remains::Nothing,
        }
    }

    async fn record_failure(
        &mut self,
        prepared: &PreparedStep<'_>,
        done: usize,
        remains: Option<Remains>,
        message: &str,
    ) -> Result<(), BackendError> {
        self.backend.restore().await?;
        if prepared.plan.atomic && remains == Some(Remains::Unclear) {
            // A transaction has no record yet.
            self.backend.write(self.history_sql, &prepared.changes.started(done, None)).await?;
        }
        let change = prepared.changes.failed(self.history, done, remains, message);
        if prepared.plan.atomic {
            return self.backend.write(self.history_sql, &change).await;
        }
        match self.write_if_unchanged(prepared, &change).await {
            // The other process has written what is true now.
            Ok(()) | Err(UnitError::HistoryChanged) => Ok(()),
            Err(
                UnitError::NotStarted(error)
                | UnitError::RecordFailed(error)
                | UnitError::ConnectionLost(error)
                | UnitError::StatementFailed { error, .. },
            ) => Err(error),
        }
    }
}
