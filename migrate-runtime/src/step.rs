//! One step of a plan being carried out: gates, the intent, the script part by part, the record. What may be run and in which
//! order is decided elsewhere (`plan`, `course`); what is written, in `posting`.

use crate::backend::{Backend, BackendError, UnitError, UnitRun, lost_lock, read_only};
use crate::backoff;
use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::history_change::Elapsed;
use crate::history_sql::HistorySql;
use crate::run_options::RunOptions;
use crate::sql_message::contains_word;
use crate::step_changes::StepChanges;
use migrate_model::checksum::Checksum;
use migrate_model::dialect::Dialect;
use migrate_model::duration;
use migrate_model::effect;
use migrate_model::execution::Unit;
use migrate_model::history::{History, RecordState};
use migrate_model::lock_strength;
use migrate_model::name::Name;
use migrate_model::place::Place;
use migrate_model::plan::{ScriptSource, Step};
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::script_plan::{ScriptPart, ScriptPlan, Segment, plan_script};
use migrate_model::syntax::Syntax;
use migrate_model::target::Direction;
use std::borrow::Cow;
use std::ops::Range;
use std::time::{Duration, Instant};

/// One step being carried out.
pub struct StepRunner<'r, 'p> {
    /// Where.
    pub backend: &'r mut dyn Backend,
    /// Whose history.
    pub history_sql: &'r HistorySql,
    /// What.
    pub step: &'r Step<'p>,
    /// The history as it is known here; kept true.
    pub history: &'r mut History,
    /// Of what is applied now.
    pub digest: &'r mut Checksum,
    /// How.
    pub options: &'r RunOptions,
    /// When it was begun.
    pub since: Instant,
}

/// Why a step did not end well.
pub enum StepError {
    /// Another process was faster: the rest must be planned anew.
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
struct PreparedStep<'p> {
    script: Cow<'p, Script>,
    course: ScriptPlan,
    posting: StepChanges,
    lock_timeout: Option<Duration>,
    timeout: Duration,
    /// Was it begun by an earlier run?
    resuming: bool,
}

impl<'p> StepRunner<'_, 'p> {
    /// Carries it out and records it.
    pub async fn run(&mut self) -> Result<(), StepError> {
        let script = self.script().await?;
        let again = self.history.get(&self.step.version).is_some_and(|record| record.state != RecordState::Applied);
        if !again {
            self.gates(&script).await?;
        }
        let course = plan_script(&script, self.backend.dialect(), self.step.done);
        let posting = StepChanges::new(self.step, &script, course.atomic || !course.has_segments(), self.history, self.digest);
        let (lock_timeout, timeout) = self.limits(&script);
        let job = PreparedStep { script, course, posting, lock_timeout, timeout, resuming: again };
        let mut done = self.step.done;
        if job.course.has_segments() && !job.course.atomic {
            self.begin(&job).await?;
        }
        for part in &job.course.parts {
            match part {
                ScriptPart::SessionSettings(statements) => self.run_settings(&job, statements.clone(), done).await?,
                ScriptPart::Segment(_) if self.options.stop.is_requested() && !job.course.atomic && done > 0 => {
                    return Err(self.stop_early(&job, done).await);
                }
                ScriptPart::Segment(stretch) => {
                    self.run_segment(&job, stretch, done).await?;
                    done = stretch.unit.done_after;
                }
            }
        }
        if !job.course.has_segments() {
            let change = job.posting.finished(Elapsed::Measured(self.since.elapsed()));
            let written = self.backend.write(self.history_sql, &change).await;
            written.map_err(|failure| failure.into_history_error("cannot write the history"))?;
        }
        self.finish(job).await
    }

    /// Writes the intent, before anything that cannot be rolled back.
    async fn begin(&mut self, job: &PreparedStep<'_>) -> Result<(), StepError> {
        let change = job.posting.started(self.step.done);
        let token = job.posting.fingerprint(self.history, self.digest);
        let token = (job.posting.version(), token.as_str());
        if let Err(stop) = self.backend.write_if_unchanged(self.history_sql, &change, token).await {
            return Err(self.report_failure(stop, job, self.step.done).await);
        }
        self.history.upsert(job.posting.underway(self.step.done));
        if self.step.direction == Direction::Down {
            *self.digest = job.posting.digest;
        }
        Ok(())
    }

    async fn run_settings(&mut self, job: &PreparedStep<'_>, statements: Range<usize>, done: usize) -> Result<(), StepError> {
        for at in statements {
            if let Err(failure) = self.backend.run_setting(job.script.statements[at].sql(&job.script.text)).await {
                let stop = match failure.answered {
                    true => UnitError::StatementFailed { statement: Some(at), offset: None, failure },
                    false => UnitError::ConnectionLost(failure),
                };
                return Err(self.report_failure(stop, job, done).await);
            }
        }
        Ok(())
    }

    async fn run_segment(&mut self, job: &PreparedStep<'_>, stretch: &Segment, done: usize) -> Result<(), StepError> {
        let change = |elapsed: Elapsed| match stretch.last {
            true => job.posting.finished(elapsed),
            false => job.posting.checkpoint(stretch.unit.done_after),
        };
        let token = job.posting.fingerprint(self.history, self.digest);
        let work = UnitRun {
            text: &job.script.text,
            statements: &job.script.statements,
            unit: &stretch.unit,
            lock_timeout: self.lock_timeout(job, &stretch.unit),
            timeout: job.timeout,
            since: self.since,
            last: stretch.last,
            resuming: job.resuming,
            token: (job.posting.version(), &token),
        };
        let mut tries = 0;
        loop {
            let carried_out = async {
                match stretch.in_transaction {
                    true => self.backend.run_in_transaction(self.history_sql, &work, &change).await,
                    false => self.backend.run_alone(self.history_sql, &work, &change).await,
                }
            };
            // The server stops a statement by itself where it can; this is for where it cannot, or cannot be heard.
            let left = (job.timeout + Duration::from_secs(5)).saturating_sub(self.since.elapsed());
            let stop = match tokio::time::timeout(left, carried_out).await {
                Ok(Ok(())) => break,
                Ok(Err(stop)) => stop,
                Err(_) => return Err(timed_out(&job.script, &stretch.unit, job.timeout).into()),
            };
            tries += 1;
            match self.patience(&stop, job, stretch, tries).await {
                Some(pause) => {
                    let asked = self.options.stop.requested();
                    // It was rolled back, so this is a point where nothing is half done.
                    if tokio::time::timeout(pause, asked).await.is_ok() {
                        return Err(self.stop_early(job, done).await);
                    }
                }
                None => return Err(self.report_failure(stop, job, done).await),
            }
        }
        if !stretch.last {
            self.history.upsert(job.posting.underway(stretch.unit.done_after));
        }
        Ok(())
    }

    /// How long to leave alone those who hold the lock that was not got in time, if that is what stopped it. It was rolled
    /// back, so meanwhile nobody waits behind it.
    async fn patience(&mut self, stop: &UnitError, job: &PreparedStep<'_>, stretch: &Segment, tries: u32) -> Option<Duration> {
        let UnitError::StatementFailed { failure, .. } = stop else { return None };
        // Of several statements that run alone, the first may be done.
        if !failure.lock_timeout || !(stretch.in_transaction || stretch.unit.statements.len() == 1) {
            return None;
        }
        let waited = self.since.elapsed();
        let chance = std::process::id().wrapping_mul(tries).wrapping_add(waited.subsec_micros());
        let pause = backoff::next_delay(tries, waited, chance).filter(|pause| waited + *pause < job.timeout)?;
        let tables = job.script.statements[stretch.unit.statements.clone()].iter();
        let tables: Vec<Name> =
            tables.flat_map(|one| effect::locked_tables(one.sql(&job.script.text), self.backend.dialect())).collect();
        let blockers = self.backend.blockers(self.history_sql, &tables).await;
        self.options.emit(&Event::Blocked { title: &self.step.title, blockers: &blockers, tries, pause });
        Some(pause)
    }

    /// Statements that stop others wait for their lock only a moment, where nobody says otherwise.
    fn lock_timeout(&self, job: &PreparedStep<'_>, unit: &Unit) -> Option<Duration> {
        let dialect = self.backend.dialect();
        let mut statements = job.script.statements[unit.statements.clone()].iter();
        if let [only] = &job.script.statements[unit.statements.clone()]
            && lock_strength::exempt_from_lock_timeout(only.sql(&job.script.text), dialect)
        {
            return None;
        }
        let mut strong = || statements.any(|one| lock_strength::blocks_traffic(one.sql(&job.script.text), dialect));
        job.lock_timeout.or_else(|| strong().then_some(backoff::LOCK_TIMEOUT))
    }

    /// It is done and recorded: what is known of the history follows, and the session is as it was.
    async fn finish(&mut self, job: PreparedStep<'_>) -> Result<(), StepError> {
        *self.digest = job.posting.digest;
        match self.step.direction {
            Direction::Up => self.history.upsert(job.posting.record),
            Direction::Down => self.history.remove(&job.posting.record.version),
        }
        // MySQL knows no limit for one transaction.
        if may_change_session(&job.script.text) || self.backend.dialect() == Dialect::MySql {
            let restored = self.backend.restore().await;
            restored.map_err(|failure| failure.into_lost_connection_error("cannot put the session's settings back"))?;
        }
        Ok(())
    }

    /// What runs: from the files, or as it was stored when the migration was applied.
    async fn script(&mut self) -> Result<Cow<'p, Script>, Error> {
        match self.step.source {
            ScriptSource::File(script) => Ok(Cow::Borrowed(script)),
            ScriptSource::History => {
                let version = self.step.version.as_str();
                let text = self.backend.stored_script(self.history_sql, version, Direction::Down).await;
                let text =
                    text.map_err(|failure| failure.into_history_error("cannot read the stored way down"))?.unwrap_or_default();
                let file = format!("{} (stored way down)", self.step.title);
                let (script, findings) = Script::read(text, &file, self.backend.dialect());
                if script.statements.is_empty() {
                    let message = format!("the stored way down of `{}` holds no statement", self.step.title);
                    return Err(Error::new(ErrorKind::MigrationFailed, &codes::MIGRATION_FAILED, message)
                        .help("deploy the release that has this migration and its way down, and revert with that"));
                }
                match findings.iter().find(|finding| finding.is_error()) {
                    Some(finding) => {
                        let message = format!("the stored way down of `{}` cannot run: {}", self.step.title, finding.message);
                        Err(Error::new(ErrorKind::MigrationFailed, &codes::MIGRATION_FAILED, message).at(finding.place.clone()))
                    }
                    None => Ok(Cow::Owned(script)),
                }
            }
        }
    }

    async fn gates(&mut self, script: &Script) -> Result<(), Error> {
        for gate in &script.directives.gates {
            let closed = |message: String| {
                Error::new(ErrorKind::MigrationFailed, &codes::GATE_CLOSED, message)
                    .at(Some(Place::file(&*script.file)))
                    .note("gate", gate.clone())
                    .help("do what it waits for, then run the same command again")
            };
            match self.backend.gate(gate).await {
                Ok(true) => {}
                Ok(false) => return Err(closed(format!("`{}` was not begun: its gate is closed", self.step.title))),
                Err(failure) => {
                    let message = format!("`{}` was not begun: its gate failed: {}", self.step.title, failure.message);
                    return Err(failure.add_to(closed(message)));
                }
            }
        }
        Ok(())
    }

    /// How long to wait for locks, and how long the script may take.
    fn limits(&self, script: &Script) -> (Option<Duration>, Duration) {
        let directives = &script.directives;
        (directives.lock_timeout.or(self.options.lock_timeout), directives.timeout.unwrap_or(self.options.timeout))
    }

    /// Ends between two statements: all before are done, and the next was not begun.
    async fn stop_early(&mut self, job: &PreparedStep<'_>, done: usize) -> StepError {
        let count = job.script.statements.len();
        let title = &self.step.title;
        let message = match done {
            0 => format!("the run was asked to stop, and did, with nothing of `{title}` done"),
            done => format!("the run was asked to stop, and did, behind statement {done} of {count} of `{title}`"),
        };
        let error =
            Error::new(ErrorKind::Stopped, &codes::STOPPED, &*message).help("run the same command again: it goes on from there");
        // Of a transaction there is no row that would have to say so.
        if job.course.atomic {
            return StepError::Failed(error);
        }
        match self.record_failure(job, done, &message).await {
            Ok(()) => StepError::Failed(error),
            Err(failure) => StepError::Failed(error.note("also", format!("that could not be recorded: {}", failure.message))),
        }
    }

    /// Records a failure, and says what happened, where, and what is done.
    async fn report_failure(&mut self, stop: UnitError, job: &PreparedStep<'_>, done: usize) -> StepError {
        let title = &self.step.title;
        let error = match stop {
            UnitError::HistoryChanged => return StepError::HistoryChanged,
            UnitError::NotStarted(failure) | UnitError::RecordFailed(failure) if failure.lost_lock => {
                let count = job.script.statements.len();
                let state = match job.course.atomic {
                    true => format!("nothing of `{title}` was run"),
                    false => format!("of `{title}`, {done} of {count} statements are recorded as done"),
                };
                lost_lock(failure).note("state", state)
            }
            UnitError::StatementFailed { failure, .. } if failure.read_only && done == 0 => {
                read_only(failure).note("state", format!("nothing of `{title}` was run"))
            }
            UnitError::StatementFailed { statement, offset, failure } => {
                self.statement_error(job, done, (statement, offset), failure).await
            }
            UnitError::NotStarted(failure) | UnitError::RecordFailed(failure) if failure.busy => {
                failure.into_history_error("").note("state", format!("nothing of `{title}` was run"))
            }
            UnitError::NotStarted(failure) if failure.answered => failure
                .into_history_error(&format!("`{title}` could not be begun"))
                .note("state", format!("nothing of `{title}` was run")),
            UnitError::RecordFailed(failure) if failure.answered => {
                let error = failure.into_history_error(&format!("`{title}` ran, but its record could not be written"));
                let count = job.script.statements.len();
                match job.course.atomic {
                    true => error.note("state", format!("rolled back: nothing of `{title}` remains")),
                    false => error.note("state", format!("statements up to {done} of {count} are recorded as done")),
                }
            }
            UnitError::NotStarted(failure) | UnitError::RecordFailed(failure) | UnitError::ConnectionLost(failure) => {
                let (verb, again) = self.verb_and_command();
                let message = format!("the connection broke while `{title}` was being {verb}: {}", failure.message);
                Error::new(ErrorKind::Connection, &codes::CONNECTION_LOST, message)
                    .at(Some(Place::file(&*job.script.file)))
                    .help(format!("run `cargo migrate {again}` again: it finds out how far this one came"))
            }
        };
        StepError::Failed(error)
    }

    /// The database said no to the script.
    async fn statement_error(
        &mut self,
        job: &PreparedStep<'_>,
        done: usize,
        (statement, offset): (Option<usize>, Option<usize>),
        failure: BackendError,
    ) -> Error {
        let (script, atomic, title) = (&*job.script, job.course.atomic, &self.step.title);
        let (verb, again) = self.verb_and_command();
        // Alone, the statements before the one that was refused are done.
        let inside = statement.filter(|statement| !atomic && *statement > done && !in_transaction(script, *statement));
        let done = inside.unwrap_or(done);
        let place = match (offset, statement) {
            (Some(offset), _) => Place::range(&*script.file, &script.text, offset..word_end(&script.text, offset)),
            (None, Some(statement)) => script.place(statement),
            (None, None) => Place::file(&*script.file),
        };
        let at_commit = if statement.is_none() && offset.is_none() { " at its end" } else { "" };
        let message = format!("`{title}` could not be {verb}{at_commit}: {}", failure.message);
        let mut error = Error::new(ErrorKind::MigrationFailed, &codes::MIGRATION_FAILED, message).at(Some(place));
        let (code, failure_text) = (failure.code.clone(), failure.message.clone());
        if let Some(code) = &code {
            error = error.note("code", code.clone());
        }
        let written = self.record_failure(job, done, &failure.message).await;
        error = failure.add_to(error);
        let count = script.statements.len();
        error = error.note(
            "state",
            match (atomic, done) {
                (true, _) => format!("rolled back: nothing of `{title}` remains"),
                (false, 0) => format!("none of its {count} statements are done; the next run begins with the first"),
                (false, done) => {
                    let next = done + 1;
                    format!("{done} of its {count} statements are done and recorded; the next run resumes at statement {next}")
                }
            },
        );
        let failed = statement.unwrap_or(done);
        if !atomic && !in_transaction(script, failed) && self.may_commit_inside(script, failed) {
            let number = failed + 1;
            error =
                error.note("also", format!("what statement {number} has committed by itself stays; it runs again as a whole"));
        }
        if let Err(failure) = written {
            error = error.note("also", format!("the failure could not be recorded: {}", failure.message));
        }
        error.help(format!("{}, then run `cargo migrate {again}` again", help_for_code(code.as_deref(), &failure_text)))
    }

    /// A block or a procedure that holds transactions of its own.
    fn may_commit_inside(&self, script: &Script, statement: usize) -> bool {
        let Some(sql) = script.statements.get(statement).map(|one| one.sql(&script.text)) else { return false };
        match reader::read(sql, self.backend.dialect()) {
            Syntax::Do { body } => contains_word(&sql[body], "commit"),
            Syntax::Call { .. } => true,
            _ => false,
        }
    }

    async fn record_failure(&mut self, job: &PreparedStep<'_>, done: usize, message: &str) -> Result<(), BackendError> {
        self.backend.restore().await?;
        let change = job.posting.failed(done, message);
        if job.course.atomic {
            return self.backend.write(self.history_sql, &change).await;
        }
        let token = job.posting.fingerprint(self.history, self.digest);
        match self.backend.write_if_unchanged(self.history_sql, &change, (job.posting.version(), &token)).await {
            // Then the other process has written what is true now.
            Ok(()) | Err(UnitError::HistoryChanged) => Ok(()),
            Err(
                UnitError::NotStarted(failure)
                | UnitError::RecordFailed(failure)
                | UnitError::ConnectionLost(failure)
                | UnitError::StatementFailed { failure, .. },
            ) => Err(failure),
        }
    }

    /// What was being done to the migration, and the command that does it.
    fn verb_and_command(&self) -> (&'static str, &'static str) {
        match self.step.direction {
            Direction::Up => ("applied", "up"),
            Direction::Down => ("reverted", "down"),
        }
    }
}

/// What helps, by SQLSTATE (PostgreSQL) or number (MySQL, MariaDB).
fn help_for_code(code: Option<&str>, message: &str) -> &'static str {
    match code {
        Some("57014") if message.contains("statement timeout") => {
            "give it more time (`-- migrate: timeout 1h` at the top of the file), or make it smaller"
        }
        Some("1969" | "3024") => "give it more time (`-- migrate: timeout 1h` at the top of the file), or make it smaller",
        Some("55P03" | "1205") => "let those who hold the lock end, or run it when they are quiet",
        Some("42501" | "1044" | "1142" | "1227") => "give this database user the right that it lacks, or correct the file",
        // PostgreSQL, MySQL and MariaDB, SQLite.
        Some("53100" | "1114" | "1021" | "13") => "make room on the disk of the database, or make the migration smaller",
        Some("2D000" | "25001") => "write `-- migrate: no-transaction` at the top of the file, or correct it",
        _ => "correct the file",
    }
}

/// Does a statement run in a transaction that goes back as a whole?
fn in_transaction(script: &Script, statement: usize) -> bool {
    script.units.iter().any(|unit| unit.in_transaction && unit.statements.contains(&statement))
}

/// Might a script have left a setting behind?
fn may_change_session(text: &str) -> bool {
    ["set", "use ", "pragma"].into_iter().any(|word| contains_word(text, word))
}

fn word_end(text: &str, offset: usize) -> usize {
    let rest = text.get(offset..).unwrap_or_default();
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    offset + rest.find(|c| !inside(c)).unwrap_or(rest.len()).max(1)
}

fn timed_out(script: &Script, unit: &Unit, limit: Duration) -> Error {
    let message = format!("`{}` took longer than {} and was given up", script.file_name(), duration::show(limit));
    Error::new(ErrorKind::MigrationFailed, &codes::TIMED_OUT, message)
        .at(Some(script.place(unit.statements.start)))
        .note("state", "its connection was closed; the server ends what it was doing and rolls a transaction back")
        .help("see what it waits for; or give it more time: `-- migrate: timeout 1h` at the top of the file")
}
