//! Carries a plan out, in one order: fast check, lock, tables, history, plan, steps, unlock.
//!
//! Whether something is done is decided in `migrate_core::plan`; here it is only done, and nothing else changes a database.

use crate::backend::{Backend, Stop, Work};
use crate::change::{Change, Elapsed, Entry, Summary};
use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::event::{Event, Holder};
use crate::ledger::{Ledger, TOOL};
use crate::migrator::Options;
use crate::report::{Done, Report};
use migrate_core::checksum::Checksum;
use migrate_core::dialect::Dialect;
use migrate_core::divergence::Divergence;
use migrate_core::duration;
use migrate_core::execution::{self, Unit};
use migrate_core::history::{History, Record, State};
use migrate_core::migration_set::{MigrationSet, digest, extend_digest};
use migrate_core::place::Place;
use migrate_core::plan::{Others, Plan, Step, Way, plan};
use migrate_core::script::Script;
use migrate_core::target::{Direction, Target};
use std::borrow::Cow;
use std::time::{Duration, Instant};
use tracing::Instrument;

/// Brings a database to the target.
///
/// # Errors
/// See [`ErrorKind`]; the history is true whatever happened.
pub async fn run(
    mut backend: Box<dyn Backend + '_>,
    set: &MigrationSet,
    target: &Target,
    options: &Options,
) -> Result<Report, Error> {
    let mut ledger = ledger(&*backend, set)?;
    if *target == Target::Latest {
        let digest = backend.digest(&ledger).await.map_err(|failure| failure.about_history("cannot read the history"))?;
        if digest.is_some_and(|digest| digest == set.digest().to_string()) {
            backend.release(true).await;
            return Ok(Report::default());
        }
    }
    let span = tracing::info_span!("migrate", service = set.service(), target = ?target);
    let (outcome, clean) = locked(&mut *backend, &mut ledger, set, target, options).instrument(span).await;
    backend.release(clean).await;
    outcome
}

/// A ledger for the history of a set, if the database is of its kind.
pub fn ledger(backend: &dyn Backend, set: &MigrationSet) -> Result<Ledger, Error> {
    let contents = set.contents();
    if backend.dialect() != contents.dialect {
        return Err(Error::new(
            ErrorKind::WrongDialect,
            &codes::WRONG_DIALECT,
            format!("the migrations are written for {}, and this is {}", contents.dialect, backend.dialect()),
        )
        .help("connect to the right database, or correct `database` in `migrate.toml`"));
    }
    Ledger::new(contents.dialect, &contents.service, &contents.history)
}

/// What came of it, and whether the state of the connection is known.
async fn locked(
    backend: &mut dyn Backend,
    ledger: &mut Ledger,
    set: &MigrationSet,
    target: &Target,
    options: &Options,
) -> (Result<Report, Error>, bool) {
    let session = &set.contents().session;
    let prepared = backend.prepare(ledger, session).await;
    if let Err(failure) = prepared {
        return (Err(failure.about_history("cannot prepare the session")), false);
    }
    if let Err(error) = obtain(backend, ledger, options).await {
        let clean = is_clean(&error) && backend.leave().await.is_ok();
        return (Err(error), clean);
    }
    let outcome = until_done(backend, ledger, set, target, options).await;
    if matches!(&outcome, Err(error) if !is_clean(error)) {
        return (outcome, false);
    }
    let restored = backend.leave().await;
    match (restored.and(backend.unlock(ledger).await), outcome) {
        (Ok(()), outcome) => (outcome, true),
        (Err(_), Err(error)) => (Err(error), false),
        (Err(failure), Ok(_)) => {
            (Err(failure.about_connection("everything was done, but then the session could not be put back")), false)
        }
    }
}

/// Is the state of the connection known after this? What was dropped or broken in the middle has a state that nobody knows.
fn is_clean(error: &Error) -> bool {
    error.code() != &codes::TIMED_OUT && error.kind() != ErrorKind::Connection
}

/// Tries to get the lock until it is got or the patience ends.
pub async fn obtain(backend: &mut dyn Backend, ledger: &Ledger, options: &Options) -> Result<(), Error> {
    let since = Instant::now();
    let mut pause = Duration::from_millis(20);
    let mut told: Option<Holder> = None;
    loop {
        let got = backend.try_lock(ledger).await;
        if got.map_err(|failure| failure.about_connection("cannot ask for the lock"))? {
            return Ok(());
        }
        let holder = backend.holder(ledger).await;
        let connection = |holder: &Option<Holder>| holder.as_ref().map(|holder| holder.connection.clone());
        if told.is_none() || connection(&told) != connection(&holder) {
            options.tell(&Event::Waiting { holder: holder.as_ref() });
            told = Some(holder.clone().unwrap_or_default());
        }
        if since.elapsed() >= options.lock_wait {
            return Err(not_obtained(holder, since.elapsed(), backend));
        }
        // Those who wait do not all ask at the same moment.
        let jitter = u32::from(std::process::id() as u8 % 32) + 32;
        tokio::time::sleep(pause * jitter / 48).await;
        pause = (pause * 3 / 2).min(Duration::from_secs(1));
    }
}

fn not_obtained(holder: Option<Holder>, waited: Duration, backend: &dyn Backend) -> Error {
    let waited = duration::show(waited);
    let message = format!("another process holds the lock of these migrations; waited {waited}");
    let mut error = Error::new(ErrorKind::LockNotObtained, &codes::LOCK_NOT_OBTAINED, message);
    if let Some(holder) = holder {
        error = error.note("holder", describe(&holder));
        let end = match backend.dialect() {
            Dialect::Postgres => format!("SELECT pg_terminate_backend({})", holder.connection),
            _ => format!("KILL {}", holder.connection),
        };
        error = error.help(format!("wait until it is done; or, if it hangs, end it: `{end}`"));
    }
    error
}

/// The holder of a lock in one line.
pub fn describe(holder: &Holder) -> String {
    let mut text = format!("connection {}", holder.connection);
    for (word, value) in [("of", &holder.user), ("from", &holder.from), ("since", &holder.since), ("running", &holder.statement)]
    {
        if let Some(value) = value {
            let words: Vec<&str> = value.split_whitespace().collect();
            let line: String = words.join(" ").chars().take(120).collect();
            text.push_str(&format!(" {word} {line}"));
        }
    }
    text
}

/// The histories that `requires` asks for besides one's own.
pub async fn others(backend: &mut dyn Backend, ledger: &Ledger, set: &MigrationSet) -> Result<Others, Error> {
    let mut others = Others::new();
    let requirements = set.iter().flat_map(|migration| &migration.up.directives.requires);
    for service in requirements.filter_map(|requirement| requirement.service.as_deref()) {
        if !others.contains_key(service) {
            let history = backend.history(ledger, Some(service)).await?.unwrap_or_default();
            others.insert(service.to_owned(), history);
        }
    }
    Ok(others)
}

/// An error for a plan that must not be carried out.
pub fn diverged(divergences: Vec<Divergence>) -> Error {
    let message = "nothing was run: files and history disagree";
    Error::new(ErrorKind::Diverged, &codes::DIVERGED, message).diverged(divergences)
}

/// Plans and works until the target is reached. Only where there is no lock (SQLite) can another process come between; then
/// its work is looked at and a new plan made.
async fn until_done(
    backend: &mut dyn Backend,
    ledger: &Ledger,
    set: &MigrationSet,
    target: &Target,
    options: &Options,
) -> Result<Report, Error> {
    let mut report = Report::default();
    loop {
        let found = backend.history(ledger, None).await?;
        let tables = found.is_some();
        let mut history = found.unwrap_or_default();
        let snapshot = history.clone();
        let others = others(backend, ledger, set).await?;
        let target = remaining(target, report.done.len());
        let plan = plan(set, &snapshot, &others, &target, options.policy(set)).map_err(unknown_version)?;
        if !plan.is_clear() {
            let errors: Vec<Divergence> = plan.errors().cloned().collect();
            return Err(diverged(errors));
        }
        report.warnings.clone_from(&plan.divergences);
        if plan.steps.is_empty() {
            return Ok(report);
        }
        if !tables {
            let made = backend.create_tables(ledger).await;
            made.map_err(|failure| failure.about_history("cannot make the history tables"))?;
        }
        if steps(backend, ledger, &plan, &mut history, options, &mut report).await? {
            return Ok(report);
        }
    }
}

/// An error for a target that nobody knows.
pub fn unknown_version(unknown: migrate_core::plan::UnknownVersion) -> Error {
    let error = Error::new(ErrorKind::UnknownVersion, &codes::UNKNOWN_VERSION, unknown.to_string());
    let nearest: Vec<String> = unknown.nearest.iter().map(|version| version.to_string()).collect();
    match nearest.is_empty() {
        true => error.help("see `cargo migrate status` for the versions there are"),
        false => error.help(format!("the nearest are {}; see `cargo migrate status` for all", nearest.join(" and "))),
    }
}

fn remaining(target: &Target, done: usize) -> Target {
    match target {
        Target::Up(count) => Target::Up(count.saturating_sub(done)),
        Target::Down(count) => Target::Down(count.saturating_sub(done)),
        other => other.clone(),
    }
}

/// Carries out the steps; false when another process came between and the rest must be planned anew.
async fn steps(
    backend: &mut dyn Backend,
    ledger: &Ledger,
    plan: &Plan<'_>,
    history: &mut History,
    options: &Options,
    report: &mut Report,
) -> Result<bool, Error> {
    options.tell(&Event::Planned { steps: plan.steps.len() });
    let mut digest = history.digest();
    for (at, step) in plan.steps.iter().enumerate() {
        options.tell(&Event::Started { title: &step.title, direction: step.direction, number: at + 1, of: plan.steps.len() });
        let since = Instant::now();
        let mut running =
            Running { backend: &mut *backend, ledger, step, history: &mut *history, digest: &mut digest, options, since };
        let span = tracing::info_span!("migration", version = %step.version, title = step.title, direction = ?step.direction);
        match running.run().instrument(span).await {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            Err(error) => return Err(with_done(error, report)),
        }
        let took = since.elapsed();
        options.tell(&Event::Finished { title: &step.title, direction: step.direction, took });
        tracing::info!(version = %step.version, title = step.title, direction = ?step.direction, took_ms = took.as_millis() as u64, "migration done");
        report.done.push(Done {
            version: step.version.clone(),
            title: step.title.clone(),
            direction: step.direction,
            took,
            stored: matches!(step.way, Way::Stored),
        });
    }
    Ok(true)
}

fn with_done(error: Error, report: &Report) -> Error {
    let done = &report.done;
    match (done.first(), done.last()) {
        (Some(only), Some(_)) if done.len() == 1 => error.note("done before", format!("`{}`", only.title)),
        (Some(first), Some(last)) => {
            error.note("done before", format!("{} migrations, `{}` to `{}`", done.len(), first.title, last.title))
        }
        _ => error.note("done before", "nothing in this run"),
    }
}

/// One step being carried out.
struct Running<'r, 'p> {
    backend: &'r mut dyn Backend,
    ledger: &'r Ledger,
    step: &'r Step<'p>,
    history: &'r mut History,
    /// Of what is applied now.
    digest: &'r mut Checksum,
    options: &'r Options,
    since: Instant,
}

impl Running<'_, '_> {
    /// True when done and recorded; false when another process was faster.
    async fn run(&mut self) -> Result<bool, Error> {
        let script = self.script().await?;
        let again = self.history.get(&self.step.version).is_some_and(|record| record.state != State::Applied);
        if !again {
            self.gates(&script).await?;
        }
        let settings: Vec<bool> = script.units.iter().map(|unit| sets_only(&script, unit, self.backend.dialect())).collect();
        let work: Vec<usize> = (0..script.units.len()).filter(|at| !settings[*at]).collect();
        let last = work.last().copied();
        let atomic = matches!(work.as_slice(), [only] if script.units[*only].transaction);
        let up = self.step.migration.map(|migration| migration.up.text.to_string());
        let down = self.step.migration.and_then(|migration| migration.down.as_ref()).map(|down| down.text.to_string());
        let record = self.record(&script);
        let others = || self.history.applied().filter(|other| other.version != record.version);
        let newest = match (others().next_back(), self.step.direction) {
            (Some(other), Direction::Up) if other.version < record.version => Some(&record),
            (None, Direction::Up) => Some(&record),
            (other, _) => other,
        };
        let newest = newest.map(|record| (record.version.to_string(), record.name.clone()));
        let summary = Summary {
            newest: newest.as_ref().map(|(version, name)| (version.as_str(), name.as_str())),
            count: others().count() + usize::from(self.step.direction == Direction::Up),
            digest: self.digest_after(&record),
        };
        let version = record.version.to_string();
        let begun = match self.step.direction {
            Direction::Up => (State::Started, State::Failed),
            Direction::Down => (State::Reverting, State::RevertFailed),
        };
        let entry = Entry {
            version: &version,
            name: &record.name,
            phase: self.step.migration.and_then(|migration| migration.phase()).map(|phase| phase.name()),
            checksum: record.checksum,
            sql_checksum: record.sql_checksum,
            state: State::Applied,
            direction: self.step.direction,
            statements: script.statements.len(),
            done: script.statements.len(),
            begun: !atomic && last.is_some(),
            up: up.as_deref(),
            down: down.as_deref(),
        };
        let ending = |elapsed: Elapsed| match self.step.direction {
            Direction::Up => Change::Applied(entry.clone(), summary.clone(), elapsed),
            Direction::Down => Change::Reverted(entry.clone(), summary.clone(), elapsed),
        };
        let limits = self.limits(&script);
        let mut done = self.step.done;
        if !atomic && last.is_some() {
            let beginning = Entry { state: begun.0, done, ..entry.clone() };
            let reverting = (self.step.direction == Direction::Down).then(|| summary.clone());
            let change = Change::Begin(beginning, reverting);
            let applied = self.history.newest().map(|_| &*self.digest);
            let token = Ledger::token(applied, self.history.get(&record.version));
            let written = self.backend.write_unless_overtaken(self.ledger, &self.ledger.write(&change), (&version, &token)).await;
            match written {
                Ok(()) => {}
                Err(Stop::Overtaken) => return Ok(false),
                Err(stop) => return Err(self.stopped(stop, &script, atomic, &entry, begun.1, done).await),
            }
            self.history.put(Record { state: begun.0, statements_done: done, ..record.clone() });
            if self.step.direction == Direction::Down {
                *self.digest = summary.digest;
            }
        }
        for (at, unit) in script.units.iter().enumerate() {
            // Behind the last unit, a setting is for a session that ends there.
            if settings[at] && last.is_some_and(|last| at > last) {
                break;
            }
            if settings[at] {
                for statement in &script.statements[unit.statements.clone()] {
                    if let Err(failure) = self.backend.run_setting(statement.sql(&script.text)).await {
                        let stop = match failure.answered {
                            true => Stop::Refused { statement: Some(unit.statements.start), offset: None, failure },
                            false => Stop::Lost(failure),
                        };
                        return Err(self.stopped(stop, &script, atomic, &entry, begun.1, done).await);
                    }
                }
                continue;
            }
            if unit.done <= self.step.done {
                continue;
            }
            // An edit below the point of failure can make one unit of what was two: what is done is not run again.
            let mut unit = unit.clone();
            if unit.statements.start < self.step.done {
                unit.statements.start = self.step.done.min(unit.statements.end);
                unit.opening = None;
            }
            let unit = &unit;
            let is_last = last == Some(at);
            let change = |elapsed: Elapsed| match is_last {
                true => ending(elapsed),
                false => Change::Mark { version: &version, done: unit.done },
            };
            let applied = self.history.newest().map(|_| &*self.digest);
            let token = Ledger::token(applied, self.history.get(&record.version));
            let work = Work {
                text: &script.text,
                statements: &script.statements,
                unit,
                lock_timeout: limits.0,
                timeout: limits.1,
                since: self.since,
                last: is_last,
                again,
                token: (&version, &token),
            };
            let joins = match &script.statements[unit.statements.clone()] {
                [only] => execution::joins_its_mark(only.sql(&script.text), self.backend.dialect()),
                _ => false,
            };
            let in_transaction = unit.transaction || joins;
            let carried_out = async {
                match in_transaction {
                    true => self.backend.run_in_transaction(self.ledger, &work, &change).await,
                    false => self.backend.run_alone(self.ledger, &work, &change).await,
                }
            };
            // The server stops a statement by itself where it can; this is for where it cannot, or cannot be heard.
            let left = (limits.1 + Duration::from_secs(5)).saturating_sub(self.since.elapsed());
            match tokio::time::timeout(left, carried_out).await {
                Ok(Ok(())) => done = unit.done,
                Ok(Err(Stop::Overtaken)) => return Ok(false),
                Ok(Err(stop)) => return Err(self.stopped(stop, &script, atomic, &entry, begun.1, done).await),
                Err(_) => return Err(timed_out(&script, unit, limits.1)),
            }
            if !is_last {
                self.history.put(Record { state: begun.0, statements_done: done, ..record.clone() });
            }
        }
        if last.is_none() {
            let sql = self.ledger.write(&ending(Elapsed::Measured(self.since.elapsed())));
            let written = self.backend.write(self.ledger, &sql).await;
            written.map_err(|failure| failure.about_history("cannot write the history"))?;
        }
        *self.digest = summary.digest;
        match self.step.direction {
            Direction::Up => self.history.put(record),
            Direction::Down => self.history.remove(&record.version),
        }
        if changes_session(&script.text) || limits.0.is_some() {
            let restored = self.backend.restore().await;
            restored.map_err(|failure| failure.about_connection("cannot put the session's settings back"))?;
        }
        Ok(true)
    }

    /// What runs: from the files, or as it was stored when the migration was applied.
    async fn script(&mut self) -> Result<Cow<'static, Script>, Error> {
        match self.step.way {
            Way::File(script) => Ok(Cow::Owned(script.clone())),
            Way::Stored => {
                let version = self.step.version.as_str();
                let text = self.backend.stored_script(self.ledger, version, Direction::Down).await;
                let text = text.map_err(|failure| failure.about_history("cannot read the stored way down"))?.unwrap_or_default();
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

    /// The row as it will stand when the step is done.
    fn record(&self, script: &Script) -> Record {
        let known = self.history.get(&self.step.version);
        let up = self.step.migration.map(|migration| &migration.up);
        Record {
            // A row keeps the spelling of the version that it was made with.
            version: known.map_or(&self.step.version, |record| &record.version).clone(),
            name: match (self.step.migration, known) {
                (Some(migration), _) => migration.name.to_string(),
                (None, known) => known.map_or(String::new(), |record| record.name.clone()),
            },
            checksum: match (self.step.direction, known, up) {
                (Direction::Down, Some(record), _) => record.checksum,
                (_, _, Some(up)) => up.checksum,
                _ => script.checksum,
            },
            sql_checksum: match (self.step.direction, known, up) {
                (Direction::Down, Some(record), _) => record.sql_checksum,
                (_, _, Some(up)) => up.sql_checksum,
                _ => script.sql_checksum,
            },
            state: State::Applied,
            statements: script.statements.len(),
            statements_done: script.statements.len(),
            started_at: String::new(),
            applied_at: None,
            execution_ms: None,
            applied_by: TOOL.to_owned(),
            has_down: self.step.migration.is_some_and(|migration| migration.down.is_some()),
            running: None,
        }
    }

    /// One more at the end costs one step of the chain; everything else is counted anew.
    fn digest_after(&self, record: &Record) -> Checksum {
        let newest = self.history.newest();
        let at_end = newest.is_none_or(|newest| newest.version < record.version);
        match self.step.direction {
            Direction::Up if at_end => extend_digest(self.digest, &record.version, &record.checksum),
            Direction::Up => {
                let mut after = self.history.clone();
                after.put(record.clone());
                after.digest()
            }
            Direction::Down => {
                let others = self.history.applied().filter(|other| other.version != record.version);
                digest(others.map(|record| (&record.version, &record.checksum)))
            }
        }
    }

    /// Records a failure, and says what happened, where, and what is done.
    async fn stopped(
        &mut self,
        stop: Stop,
        script: &Script,
        atomic: bool,
        entry: &Entry<'_>,
        failed: State,
        done: usize,
    ) -> Error {
        let title = &self.step.title;
        let (verb, again) = match self.step.direction {
            Direction::Up => ("applied", "up"),
            Direction::Down => ("reverted", "down"),
        };
        let (statement, offset, failure) = match stop {
            Stop::Refused { statement, offset, failure } => (statement, offset, failure),
            Stop::Before(failure) | Stop::Record(failure) if failure.busy => {
                return failure.about_history("").note("state", format!("nothing of `{title}` was run"));
            }
            Stop::Before(failure) if failure.answered => {
                return failure
                    .about_history(&format!("`{title}` could not be begun"))
                    .note("state", format!("nothing of `{title}` was run"));
            }
            Stop::Record(failure) if failure.answered => {
                let error = failure.about_history(&format!("`{title}` ran, but its record could not be written"));
                return match atomic {
                    true => error.note("state", format!("rolled back: nothing of `{title}` remains")),
                    false => error
                        .note("state", format!("statements up to {done} of {} are recorded as done", script.statements.len())),
                };
            }
            Stop::Before(failure) | Stop::Record(failure) | Stop::Lost(failure) => {
                let message = format!("the connection broke while `{title}` was being {verb}: {}", failure.message);
                return Error::new(ErrorKind::Connection, &codes::CONNECTION_LOST, message)
                    .at(Some(Place::file(&*script.file)))
                    .help(format!("run `cargo migrate {again}` again: it finds out how far this one came"));
            }
            Stop::Overtaken => return diverged(Vec::new()),
        };
        // Alone, the statements before the one that was refused are done.
        let inside = statement.filter(|statement| !atomic && *statement > done && !in_transaction(script, *statement));
        let done = inside.unwrap_or(done);
        let place = match (offset, statement) {
            (Some(offset), _) => Place::range(&*script.file, &script.text, offset..word_end(&script.text, offset)),
            (None, Some(statement)) => script.place(statement),
            (None, None) => Place::file(&*script.file),
        };
        let version = entry.version;
        let entry = Entry { state: failed, done, ..entry.clone() };
        let change = Change::Failed { entry, unfinished: !atomic, message: &failure.message };
        let written = self.backend.restore().await;
        let written = match written {
            Ok(()) if atomic => self.backend.write(self.ledger, &self.ledger.write(&change)).await,
            Ok(()) => {
                let applied = self.history.newest().map(|_| &*self.digest);
                let token = Ledger::token(applied, self.history.get(&self.step.version));
                let token = (version, token.as_str());
                match self.backend.write_unless_overtaken(self.ledger, &self.ledger.write(&change), token).await {
                    // Then the other process has written what is true now.
                    Ok(()) | Err(Stop::Overtaken) => Ok(()),
                    Err(Stop::Before(failure) | Stop::Record(failure) | Stop::Lost(failure) | Stop::Refused { failure, .. }) => {
                        Err(failure)
                    }
                }
            }
            failed => failed,
        };
        let at_commit = if statement.is_none() && offset.is_none() { " at its end" } else { "" };
        let mut error = Error::new(
            ErrorKind::MigrationFailed,
            &codes::MIGRATION_FAILED,
            format!("`{title}` could not be {verb}{at_commit}: {}", failure.message),
        )
        .at(Some(place));
        if let Some(code) = &failure.code {
            error = error.note("code", code.clone());
        }
        error = failure.add_to(error);
        let count = script.statements.len();
        error = match (atomic, done) {
            (true, _) => error.note("state", format!("rolled back: nothing of `{title}` remains")),
            (false, 0) => {
                error.note("state", format!("none of its {count} statements are done; the next run begins with the first"))
            }
            (false, done) => error.note(
                "state",
                format!("{done} of its {count} statements are done and recorded; the next run resumes at statement {}", done + 1),
            ),
        };
        if let Err(failure) = written {
            error = error.note("also", format!("the failure could not be recorded: {}", failure.message));
        }
        error.help(format!("correct the file, then run `cargo migrate {again}` again"))
    }
}

/// Does a statement run in a transaction that goes back as a whole?
fn in_transaction(script: &Script, statement: usize) -> bool {
    script.units.iter().any(|unit| unit.transaction && unit.statements.contains(&statement))
}

/// Does a unit only set something for the session?
fn sets_only(script: &Script, unit: &Unit, dialect: Dialect) -> bool {
    let mut statements = script.statements[unit.statements.clone()].iter();
    !unit.transaction && statements.all(|statement| execution::is_setting(statement.sql(&script.text), dialect))
}

/// Might a script have left a setting behind? Asked of its text, because a function may do it as well.
fn changes_session(text: &str) -> bool {
    let text = text.as_bytes();
    let has = |word: &[u8]| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    [&b"set"[..], b"use ", b"pragma"].into_iter().any(has)
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
