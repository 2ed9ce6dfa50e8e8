//! The sentences for what stands between the files, the history and a target. What they are about is decided in `plan` and in
//! `resumption`.

use crate::comparison::{MigrationState, MigrationStatus};
use crate::dialect::Dialect;
use crate::directives::Requirement;
use crate::divergence::{self as codes, Divergence};
use crate::execution;
use crate::finding::Level;
use crate::history::{Record, RecordState};
use crate::key::MigrationKey;
use crate::migration_set::MigrationSet;
use crate::plan::{Dependent, Step};
use crate::policy::{OutOfOrder, Policy};
use crate::resumption::{self, NextStatement, Obstacle, next_statement};
use crate::script::Script;
use crate::statement::{self, Reading, Statement};
use crate::target::Direction;

/// What is wrong with a version of a set, for a run in a direction; `None` if nothing is. `latest`: the highest version with a
/// record.
pub fn of_version(
    row: &MigrationStatus<'_>,
    latest: Option<&MigrationStatus<'_>>,
    set: &MigrationSet,
    direction: Direction,
    policy: Policy,
    reading: Reading<'_>,
) -> Option<Divergence> {
    // What is reverted, the history knows: for `down`, changed and missing files are only warnings.
    let level = match direction {
        Direction::Up => Level::Error,
        Direction::Down => Level::Warning,
    };
    match row.state {
        MigrationState::Applied | MigrationState::Pending => None,
        MigrationState::Changed => Some(changed(row, level)),
        MigrationState::CosmeticChange => Some(cosmetic_change(row)),
        // Where versions may be added below others, a newer release may have added this one.
        MigrationState::FileMissing if policy.out_of_order != OutOfOrder::Error => Some(file_missing(row, Level::Warning)),
        MigrationState::FileMissing => Some(file_missing(row, level)),
        MigrationState::Ahead => Some(ahead(row)),
        MigrationState::OutOfOrder => match policy.out_of_order {
            OutOfOrder::Error => Some(out_of_order(row, latest, Level::Error)),
            OutOfOrder::Warn => Some(out_of_order(row, latest, Level::Warning)),
            OutOfOrder::Allow => None,
        },
        MigrationState::PartiallyApplied(_) if direction == Direction::Up && row.migration().is_none() => {
            let is_newer = set.latest().map(|latest| MigrationKey::from(&latest.version)) < Some(row.key());
            Some(if is_newer { elsewhere(row) } else { partial_without_file(row, policy) })
        }
        MigrationState::PartiallyApplied(_) => row.record().and_then(|record| {
            let obstacle = resumption::obstacle(row, record, direction, reading)?;
            Some(cannot_resume(row, record, obstacle, reading))
        }),
    }
}

/// ` on 2026-03-01T...`, where it is known.
fn on(row: &MigrationStatus<'_>) -> String {
    row.run().and_then(|run| run.applied_at.as_deref()).map_or(String::new(), |at| format!(" on {at}"))
}

/// `, applied on 2026-03-01T...`, where it is known.
fn applied_on(row: &MigrationStatus<'_>) -> String {
    let on = on(row);
    if on.is_empty() { on } else { format!(", applied{on}") }
}

fn changed(row: &MigrationStatus<'_>, level: Level) -> Divergence {
    if let (Some(migration), Some(record)) = (row.migration(), row.record())
        && migration.name != record.name
    {
        let (key, name) = (&record.key, &record.name);
        let message = format!("`{}` is not applied: version {key} was applied as `{name}`{}", row.title(), on(row));
        return Divergence::new(&codes::CHANGED_AFTER_APPLY, level, row.key(), message)
            .help("if the two are different migrations, give this file a version above the newest one")
            .help("if the file was renamed and edited, restore its original name and content");
    }
    let message = format!("`{}` was changed after it was applied{}", row.title(), on(row));
    Divergence::new(&codes::CHANGED_AFTER_APPLY, level, row.key(), message)
        .help("restore the original file, and write the change as a new migration: `cargo migrate new`")
        .help("show the difference: `cargo migrate verify`")
}

impl Divergence {
    /// For a run that has nothing to apply: a missing file is only a warning.
    pub fn tolerate_missing_file(&mut self) {
        if self.finding.code == &codes::MISSING_FILE {
            self.finding.level = Level::Warning;
        }
    }

    /// For `cargo migrate verify`, which itself shows the difference: without the help to run it. A missing file is an error, also
    /// where a run would tolerate it.
    pub fn for_verify(mut self, policy: Policy) -> Self {
        if self.finding.code == &codes::MISSING_FILE && policy.out_of_order == OutOfOrder::Error {
            self.finding.level = Level::Error;
        }
        if self.finding.code == &codes::REQUIRES {
            self.finding.level = Level::Error;
        }
        if self.finding.code == &codes::CHANGED_AFTER_APPLY {
            self.finding.help.pop();
        }
        self
    }
}

impl Divergence {
    /// A migration that another process is executing now. As an error, it takes the place of the difference that its record shows:
    /// nothing is to be decided about it. As a warning, it is about a step that a run would only resume after that process.
    pub fn being_executed(record: &Record, level: Level) -> Self {
        let progress = if record.state.is_revert() { "reverted" } else { "applied" };
        let message = format!("version {} is being {progress} by another process", record.key);
        Divergence::new(&codes::PARTIALLY_APPLIED, level, &record.key, message)
            .help("wait until that process ends, then run the same command again; `cargo migrate status` shows its progress")
    }
}

fn cosmetic_change(row: &MigrationStatus<'_>) -> Divergence {
    let (title, on) = (row.title(), on(row));
    let message = format!("`{title}` was changed after it was applied{on}, but only in comments or white space");
    Divergence::new(&codes::COSMETIC_CHANGE, Level::Warning, row.key(), message)
}

fn file_missing(row: &MigrationStatus<'_>, level: Level) -> Divergence {
    let message = format!("`{}` was applied{}, but its file is missing", row.title(), on(row));
    Divergence::new(&codes::MISSING_FILE, level, row.key(), message)
        .help("restore the file; if its version was changed, change it back")
}

/// The steps whose text is that of an applied or partially applied version without a file: the file has another version now, and
/// a run would apply it a second time.
pub fn renumbered(steps: &[Step<'_>], rows: &[MigrationStatus<'_>], reading: Reading<'_>) -> Vec<Divergence> {
    let is_recorded = |row: &&MigrationStatus<'_>| {
        matches!(row.state, MigrationState::FileMissing | MigrationState::Ahead | MigrationState::PartiallyApplied(_))
    };
    let missing: Vec<&MigrationStatus<'_>> = rows.iter().filter(|row| row.migration().is_none()).filter(is_recorded).collect();
    let applies = |step: &&Step<'_>| step.direction == Direction::Up && step.done == 0;
    let renumbered = steps.iter().filter(applies).filter_map(|step| {
        let script = step.file_script().filter(|script| !script.statements.is_empty())?;
        let row = missing.iter().find(|row| row.record().is_some_and(|record| is_same_file(script, record, reading)))?;
        let partially = if matches!(row.state, MigrationState::PartiallyApplied(_)) { "partially " } else { "" };
        let message =
            format!("`{}` is not applied, but its text was {partially}applied as `{}`{}", step.title, row.title(), on(row));
        let divergence = Divergence::new(&codes::MISSING_FILE, Level::Error, step.key.clone(), message)
            .help(format!("if the file was renumbered, change its version back to {}", row.key()))
            .help("if it must run a second time, add a comment to the file, so that its text differs");
        Some(divergence)
    });
    renumbered.collect()
}

/// Is a script the one that was applied, or does it begin with the statements that ran?
fn is_same_file(script: &Script, record: &Record, reading: Reading<'_>) -> bool {
    if record.checksum == script.checksum {
        return true;
    }
    let Some(ran) = record.pending_sql.as_deref().filter(|_| record.statements_done > 0 && !record.state.is_revert()) else {
        return false;
    };
    let (statements, _) = statement::split(ran, reading, "");
    // What is stored may have fewer statements than are done only if another version has split it: those that are there decide.
    let done = &statements[..record.statements_done.min(statements.len())];
    let is_same = |(before, now): (&Statement, &Statement)| before.sql(ran) == now.sql(&script.text);
    let have_run = done.iter().zip(&script.statements).all(is_same);
    !done.is_empty() && done.len() <= script.statements.len() && have_run
}

fn ahead(row: &MigrationStatus<'_>) -> Divergence {
    let message = format!("the database contains `{}`{}, which is newer than this build", row.title(), applied_on(row));
    Divergence::new(&codes::AHEAD, Level::Warning, row.key(), message)
        .help("this is normal during a rolling deployment; otherwise update this checkout or deploy the newer version of the application")
}

/// A version without a file here is partially applied: another release applies it, or has stopped in it.
fn elsewhere(row: &MigrationStatus<'_>) -> Divergence {
    let message = format!("the database contains `{}`, which is partially applied and has no file in this build", row.title());
    Divergence::new(&codes::AHEAD, Level::Warning, row.key(), message)
        .help("this is normal while a newer version of the application runs its migrations; if its run failed, complete the migration with that newer version")
        .help(format!("or, if the migration file was removed, undo the statements that ran, then run `cargo migrate resolve {} --not-applied`", row.key()))
}

/// A version below others of this release is partially applied and has no file: a newer release would have given it a higher one.
fn partial_without_file(row: &MigrationStatus<'_>, policy: Policy) -> Divergence {
    let level = if policy.out_of_order == OutOfOrder::Error { Level::Error } else { Level::Warning };
    let message = format!("`{}` is partially applied, and its file is missing", row.title());
    Divergence::new(&codes::MISSING_FILE, level, row.key(), message)
        .help("if another version of the application is applying it now, wait until that run ends")
        .help("otherwise restore the file; if its version was changed, change it back")
        .help(format!("or undo the statements that ran, then run `cargo migrate resolve {} --not-applied`", row.key()))
}

fn out_of_order(row: &MigrationStatus<'_>, latest: Option<&MigrationStatus<'_>>, level: Level) -> Divergence {
    let partial = latest.filter(|latest| matches!(latest.state, MigrationState::PartiallyApplied(_)));
    let state = if partial.is_some() { "partially applied" } else { "applied" };
    let latest =
        latest.map_or_else(|| "a higher version".to_owned(), |latest| format!("`{}`, a higher version,", latest.title()));
    let message = format!("`{}` is not applied, but {latest} is {state}", row.title());
    Divergence::new(&codes::OUT_OF_ORDER, level, row.key(), message)
        .help("give the pending migration a version above the newest one")
        .help("or allow this: `out-of-order = \"allow\"` in `migrate.toml`")
}

/// How far a partially applied migration got.
fn progress(row: &MigrationStatus<'_>, record: &Record, at: usize, dialect: Dialect) -> String {
    let (title, count) = (row.title(), record.statements);
    let place = resumption::stop_place(at, count);
    match record.state {
        // There, a statement that does not commit with its checkpoint is one that may run again.
        RecordState::Started | RecordState::Reverting if !execution::outcome_may_be_unknown(dialect) => {
            let (what, done) = if record.state.is_revert() { ("the revert of ", "reverted") } else { ("", "applied") };
            let next = if at > count { String::new() } else { format!("; the next statement is {at} of {count}") };
            format!(
                "{what}`{title}` was started, and is not completely {done}{next}; another process is running it, or it was interrupted"
            )
        }
        RecordState::Started => {
            let started_at = row.run().map_or("an unknown time", |run| &run.started_at);
            format!("`{title}` was started at {started_at} and interrupted; the outcome of statement {at} is unknown")
        }
        RecordState::Reverting => {
            format!("the revert of `{title}` was interrupted; the outcome of statement {at} is unknown")
        }
        RecordState::Unclear | RecordState::RevertUnclear => {
            format!("`{title}` stopped {place}, and some changes of that statement may remain")
        }
        RecordState::RevertFailed | RecordState::RevertResolved => {
            format!("the revert of `{title}` stopped {place}")
        }
        RecordState::Failed | RecordState::Resolved | RecordState::Applied => {
            format!("`{title}` stopped {place}")
        }
    }
}

fn cannot_resume(row: &MigrationStatus<'_>, record: &Record, obstacle: Obstacle, reading: Reading<'_>) -> Divergence {
    let ran = record.pending_sql.as_deref().unwrap_or_default();
    let (at, statement) = next_statement(ran, record.statements_done, reading);
    let progress = progress(row, record, at, reading.dialect);
    let resolve = format!("cargo migrate resolve {}", record.key);
    let blocked = |message: String| {
        let blocked = Divergence::new(&codes::PARTIALLY_APPLIED, Level::Error, &record.key, message);
        let Some(statement) = &statement else { return blocked };
        blocked.note(format!("statement {at} is: {statement}"))
    };
    let complete = format!("otherwise complete the migration manually, then run `{resolve} --applied`");
    let undo = format!("or undo the statements that ran, then run `{resolve} --not-applied`");
    match obstacle {
        Obstacle::OtherDirection => {
            let (complete, done) = completion(row, record);
            blocked(progress)
                .help(complete)
                .help(format!("or, if the migration is already completely {done}, run `{resolve} --applied`"))
                .help(undo)
        }
        Obstacle::ScriptMissing => blocked(progress).help("restore the migration file, then run the same command again"),
        Obstacle::Edited { statement, difference } => {
            let message = format!("{progress}; statement {statement} has already run, but was edited in the file afterwards");
            Divergence::new(&codes::CHANGED_WHILE_PARTIALLY_APPLIED, Level::Error, &record.key, message)
                .note(format!("the SQL that ran (-) and the current file (+):\n{difference}"))
                .help("restore the statements that ran; later statements may be edited")
                .help(format!("or choose the statement to resume at: `{resolve} --skip-to N`"))
                .help(undo)
        }
        Obstacle::EditedUnstored => {
            let message = format!(
                "{progress}; the file was edited afterwards, and the SQL that ran is not available for a comparison. It could not be stored, because it is too long or contains a character that the encoding of the database lacks"
            );
            Divergence::new(&codes::CHANGED_WHILE_PARTIALLY_APPLIED, Level::Error, &record.key, message)
                .help(format!("if only statements from {at} on were edited, resume there: `{resolve} --skip-to {at}`"))
                .help(undo)
        }
        Obstacle::SessionLost { statement, next } => {
            let cause = format!("what statement {statement} did in that session{}", lost_statement(ran, statement, reading));
            needs_lost_session(blocked, &progress, &cause, &resume_help(record, &resolve, at, next)).help(complete).help(undo)
        }
        Obstacle::SessionChanged { names, next } => {
            let cause = "what a database function changed in that session: ".to_owned() + &names;
            needs_lost_session(blocked, &progress, &cause, &resume_help(record, &resolve, at, next)).help(complete).help(undo)
        }
        Obstacle::OutcomeUnknown => blocked(progress)
            .help(format!(
                "check whether statement {at} took effect; if it did not, or if you undo its effect, run `{resolve} --retry`"
            ))
            .help(if at < record.statements {
                format!("or, if the statement took effect, run `{resolve} --skip-to {}`", at + 1)
            } else {
                format!("or, if the statement took effect, run `{resolve} --applied`")
            })
            .help(undo),
    }
}

/// How to complete a migration that stopped in the other direction, and what it is then: applied or reverted.
fn completion(row: &MigrationStatus<'_>, record: &Record) -> (String, &'static str) {
    let (command, done) = match resumption::direction_of(record) {
        Direction::Up => ("cargo migrate up", "applied"),
        Direction::Down => ("cargo migrate down", "reverted"),
    };
    let complete = if row.migration().is_some() {
        format!("first complete the migration: correct the file if necessary, then run `{command}`")
    } else {
        "this build does not contain the migration file: first complete the migration with a build that contains the file"
            .to_owned()
    };
    (complete, done)
}

/// The remaining statements may depend on the session that ran the others.
fn needs_lost_session(blocked: impl Fn(String) -> Divergence, progress: &str, cause: &str, resume: &str) -> Divergence {
    blocked(format!("{progress}; the session is lost, and the remaining statements may depend on {cause}"))
        .help(format!("if the remaining statements do not depend on this, {resume}"))
}

/// How to go on, where the remaining statements do not need the lost session.
fn resume_help(record: &Record, resolve: &str, at: usize, next: NextStatement) -> String {
    match next {
        NextStatement::NotDone => format!("resume at statement {at}: `{resolve} --retry`"),
        NextStatement::OutcomeUnknown if at < record.statements => format!(
            "check whether statement {at} took effect: if it did not, resume there with `{resolve} --retry`; if it did, resume after it with `{resolve} --skip-to {}`",
            at + 1
        ),
        NextStatement::OutcomeUnknown => format!(
            "check whether statement {at} took effect: if it did not, resume there with `{resolve} --retry`; if it did, run `{resolve} --applied`"
        ),
    }
}

/// `: ` and the first line of a statement that ran.
fn lost_statement(ran: &str, number: usize, reading: Reading<'_>) -> String {
    let (statements, _) = statement::split(ran, reading, "");
    let sql = number.checked_sub(1).and_then(|at| statements.get(at)).map(|statement| statement.sql(ran));
    sql.and_then(|sql| sql.lines().next()).map(|line| format!(": {line}")).unwrap_or_default()
}

/// The down migration contains nothing to run.
pub fn down_is_empty(row: &MigrationStatus<'_>, record: &Record) -> Divergence {
    let message = format!("the down migration of `{}` contains no statement", row.title());
    Divergence::new(&codes::NO_DOWN_MIGRATION, Level::Error, &record.key, message)
        .help("write the SQL that reverts the migration, or `SELECT 1;` if there is nothing to revert")
}

/// There is no down migration.
pub fn no_down(row: &MigrationStatus<'_>, record: &Record) -> Divergence {
    let title = row.title();
    let reason = row.migration().and_then(|migration| migration.up.directives.irreversible.as_deref());
    let message = match reason {
        Some(reason) => format!("`{title}` cannot be reverted: {reason}"),
        None => format!("`{title}` has no down migration"),
    };
    Divergence::new(&codes::NO_DOWN_MIGRATION, Level::Error, &record.key, message)
        .help("write its down migration, or restore a backup")
}

/// A migration that is reverted is required by one of another service.
pub fn still_required(service: &str, title: &str, key: &MigrationKey, dependent: &Dependent) -> Divergence {
    let Dependent { service: other, key: version, .. } = dependent;
    let message = format!("`{title}` of `{service}` cannot be reverted, because {other}:{version} requires it and is applied");
    Divergence::new(&codes::STILL_REQUIRED, Level::Error, key, message)
        .help(format!(
            "revert {other}:{version} first, with all later migrations of `{other}`: `cargo migrate down -p {other} --to VERSION`, where VERSION is the one before {version}, or 0"
        ))
        .help("or, if the schema of the other service does not need it any more, revert with `--force`")
}

/// What an applied migration requires is not applied any more.
pub fn requirement_lost(service: &str, title: &str, key: &MigrationKey, requirement: &Requirement) -> Divergence {
    let message = format!("`{title}` of `{service}` is applied, but {requirement}, which it requires, is not");
    Divergence::new(&codes::REQUIRES, Level::Warning, key, message).help(match &requirement.service {
        Some(other) => format!("apply it: `cargo migrate up -p {other} --to {}`", requirement.version),
        None => "apply it".to_owned(),
    })
}

/// A requirement is not applied.
pub fn requirement_unmet(service: &str, title: &str, key: &MigrationKey, requirement: &Requirement) -> Divergence {
    let message = format!("`{title}` of `{service}` requires {requirement}, which is not applied");
    let help = match &requirement.service {
        Some(other) if other != service => {
            format!("apply it first: `cargo migrate up -p {other} --to {}`, or run both services together", requirement.version)
        }
        Some(_) => "apply the required migration first, or correct the directive".to_owned(),
        None => "apply the required migration first, or correct the directive".to_owned(),
    };
    Divergence::new(&codes::REQUIRES, Level::Error, key, message).help(help)
}
