//! The steps of a run: a pure function of the files, the history and the target.
//!
//! It uses no clock, no connection and no file. If a divergence is an error, no step may run.

use crate::comparison::{MigrationState, MigrationStatus, compare};
use crate::dialect::Dialect;
use crate::diff::diff_statements;
use crate::divergence::{self as codes, Divergence};
use crate::execution;
use crate::finding::Level;
use crate::history::{AppliedVersions, History, Record, RecordState};
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::policy::{OutOfOrder, Policy};
use crate::script::Script;
use crate::script_plan::{ScriptPart, plan_script};
use crate::statement;
use crate::target::{Direction, Target};
use crate::version::Version;
use std::collections::HashMap;
use std::fmt;

/// The steps of a run, and the mismatches that may prevent it.
#[derive(Debug, Clone, Default)]
pub struct Plan<'a> {
    /// In the order of execution.
    pub steps: Vec<Step<'a>>,
    /// Mismatches between files and history.
    pub divergences: Vec<Divergence>,
}

/// One migration to apply or revert.
#[derive(Debug, Clone)]
pub struct Step<'a> {
    /// Apply or revert.
    pub direction: Direction,
    /// The version as in the file or, if there is no file, as in the history.
    pub version: Version,
    /// The name in messages.
    pub title: String,
    /// The migration in the files, if it exists there.
    pub migration: Option<&'a Migration>,
    /// The SQL to run.
    pub source: ScriptSource<'a>,
    /// The number of statements that are already done. If it is above 0, the migration resumes.
    pub done: usize,
}

/// Where the SQL of a step comes from.
#[derive(Debug, Clone, Copy)]
pub enum ScriptSource<'a> {
    /// A migration file.
    File(&'a Script),
    /// The history, which stored the SQL when the migration was applied.
    History,
}

impl Plan<'_> {
    /// The mismatches that abort the run.
    pub fn errors(&self) -> impl Iterator<Item = &Divergence> {
        self.divergences.iter().filter(|divergence| divergence.is_error())
    }

    /// May the steps run?
    pub fn is_clear(&self) -> bool {
        self.errors().next().is_none()
    }
}

/// The target is a version that neither the files nor the history contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVersion {
    /// The version of the target.
    pub version: Version,
    /// The nearest known versions, below and above.
    pub nearest: Vec<Version>,
}

impl fmt::Display for UnknownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no migration with version {}", self.version)
    }
}

impl std::error::Error for UnknownVersion {}

/// The histories of other services on the same database, for `requires`.
pub type OtherHistories = HashMap<String, AppliedVersions>;

/// Compares files and history and plans the steps to the target.
///
/// # Errors
/// When neither the files nor the history contain the version of the target.
pub fn plan<'a>(
    set: &'a MigrationSet,
    history: &'a History,
    others: &OtherHistories,
    target: &Target,
    policy: Policy,
) -> Result<Plan<'a>, UnknownVersion> {
    let rows = compare(set, history);
    if let Target::UpTo(version) | Target::DownTo(version) = target {
        require_known(&rows, version)?;
    }
    let mut plan = Plan::default();
    for row in &rows {
        plan.divergences.extend(divergence(row, target.direction(), policy, set.dialect()));
    }
    match target.direction() {
        Direction::Up => up(&mut plan, &rows, target),
        Direction::Down => down(&mut plan, &rows, target),
    }
    let unmet = unmet_requirements(&plan.steps, set.service(), history, others);
    plan.divergences.extend(unmet);
    // A migration that this target does not include is not reported as out of order.
    let runs = |version: &Version| plan.steps.iter().any(|step| step.version == *version);
    plan.divergences.retain(|one| one.finding.code != &codes::OUT_OF_ORDER || runs(&one.version));
    Ok(plan)
}

fn require_known(rows: &[MigrationStatus<'_>], version: &Version) -> Result<(), UnknownVersion> {
    match rows.binary_search_by(|row| row.version().cmp(version)) {
        Ok(_) => Ok(()),
        Err(at) => {
            let near = at.saturating_sub(1)..rows.len().min(at + 1);
            Err(UnknownVersion {
                version: version.clone(),
                nearest: rows[near].iter().map(|row| row.version().clone()).collect(),
            })
        }
    }
}

fn divergence(row: &MigrationStatus<'_>, direction: Direction, policy: Policy, dialect: Dialect) -> Option<Divergence> {
    let title = row.title();
    let version = row.version();
    let on = row.run().and_then(|run| run.applied_at.as_deref()).map_or(String::new(), |at| format!(" on {at}"));
    // What was changed or lost does not matter to going back: the history says what is applied.
    let unless_down = match direction {
        Direction::Up => Level::Error,
        Direction::Down => Level::Warning,
    };
    match row.state {
        MigrationState::Applied | MigrationState::Pending => None,
        MigrationState::Changed => Some(
            Divergence::new(
                &codes::CHANGED_AFTER_APPLY,
                unless_down,
                version,
                format!("`{title}` was changed after it was applied{on}"),
            )
            .help("restore the original file, and write the change as a new migration: `cargo migrate new`")
            .help("show the difference: `cargo migrate verify`"),
        ),
        MigrationState::CosmeticChange => Some(Divergence::new(
            &codes::COSMETIC_CHANGE,
            Level::Warning,
            version,
            format!("`{title}` was changed after it was applied{on}, but only in comments or white space"),
        )),
        MigrationState::FileMissing => Some(
            Divergence::new(
                &codes::MISSING_FILE,
                unless_down,
                version,
                format!("`{title}` is applied{on}, but its file is missing"),
            )
            .help("restore the file; if it was renamed, restore its version"),
        ),
        MigrationState::Ahead => Some(
            Divergence::new(
                &codes::AHEAD,
                Level::Warning,
                version,
                format!("the database contains `{title}`, applied{on}, which is newer than this build"),
            )
            .help("update this checkout or deploy the newer version; this is normal during a rolling deployment"),
        ),
        MigrationState::OutOfOrder => {
            let level = match policy.out_of_order {
                OutOfOrder::Error => Level::Error,
                OutOfOrder::Warn => Level::Warning,
                OutOfOrder::Allow => return None,
            };
            Some(
                Divergence::new(
                    &codes::OUT_OF_ORDER,
                    level,
                    version,
                    format!("`{title}` is not applied, but a higher version is"),
                )
                .help("rename it to a version above the newest one")
                .help("or allow this: `out-of-order = \"allow\"` in `migrate.toml`"),
            )
        }
        MigrationState::PartiallyApplied(_) => row.record().and_then(|record| partially_applied(row, record, direction, dialect)),
    }
}

/// The reason why a partially applied migration cannot resume; `None` if it can.
fn partially_applied(row: &MigrationStatus<'_>, record: &Record, direction: Direction, dialect: Dialect) -> Option<Divergence> {
    let title = row.title();
    let ran = record.pending_sql.as_deref().unwrap_or_default();
    let (at, statement) = next_statement(ran, record.statements_done, dialect);
    let begun = match record.state {
        RecordState::Reverting | RecordState::RevertFailed => Direction::Down,
        _ => Direction::Up,
    };
    let message = match record.state {
        RecordState::Started => format!(
            "`{title}` was begun at {} and not heard of since; it is unknown whether statement {at} was carried out",
            row.run().map_or("an unknown time", |run| &run.started_at)
        ),
        RecordState::Reverting => {
            format!("the revert of `{title}` was interrupted; the outcome of statement {at} is unknown")
        }
        RecordState::Failed => format!("`{title}` stopped at statement {at} of {}", record.statements),
        _ => format!("the revert of `{title}` stopped at statement {at} of {}", record.statements),
    };
    let blocked = |message: String| {
        let blocked = Divergence::new(&codes::PARTIALLY_APPLIED, Level::Error, &record.version, message);
        match &statement {
            Some(statement) => blocked.note(format!("statement {at} is: {statement}")),
            None => blocked,
        }
    };
    let resolve = format!("cargo migrate resolve {}", record.version);
    if begun != direction {
        let (finish, way) = match begun {
            Direction::Up => ("cargo migrate up", "applied"),
            Direction::Down => ("cargo migrate down", "reverted"),
        };
        return Some(
            blocked(message)
                .help(format!("complete it first: correct the file if necessary, then run `{finish}`"))
                .help(format!("or, if it is already completely {way}, record that: `{resolve} --applied`")),
        );
    }
    let script = match begun {
        Direction::Up => row.migration().map(|migration| &migration.up),
        Direction::Down => row.migration().and_then(|migration| migration.down.as_ref()),
    };
    // What an older release reverts, it goes on with as it was stored.
    let stored = record.pending_sql.as_ref().filter(|_| begun == Direction::Down && row.migration().is_none() && record.has_down);
    let stored = stored.map(|text| Script::read(text.clone(), &title, dialect).0);
    let Some(script) = script.or(stored.as_ref()) else {
        return Some(blocked(message).help("restore its file, then run the same command again"));
    };
    if let Some((changed, difference)) = changed_part(script, record, dialect) {
        return Some(
            Divergence::new(
                &codes::CHANGED_WHILE_PARTIALLY_APPLIED,
                Level::Error,
                &record.version,
                format!("{message}; statement {changed}, which has already run, was edited in its file"),
            )
            .note(format!("the SQL that ran (-) and the current file (+):\n{difference}"))
            .help("restore the statements that ran; the rest may be edited")
            .help(format!("or choose the statement to resume at: `{resolve} --skip-to N`")),
        );
    }
    if execution::depends_on_session_state(&script.text, &script.statements, record.statements_done, dialect) {
        return Some(
            blocked(format!("{message}; the rest needs a temporary table or a variable of the lost session"))
                .help("complete it manually, from the statement that failed to the last")
                .help(format!("then record that it is complete: `{resolve} --applied`")),
        );
    }
    let refused = matches!(record.state, RecordState::Failed | RecordState::RevertFailed);
    if refused || can_repeat(script, record.statements_done, dialect) {
        return None;
    }
    Some(
        blocked(message)
            .help(format!("check whether the statement took effect; if not, run `{resolve} --retry`"))
            .help(format!("or, if it did, run `{resolve} --skip-to {}`", at + 1)),
    )
}

/// The number and the first line of the statement that runs next after `done` statements of a text. Session settings are
/// skipped.
pub fn next_statement(ran: &str, done: usize, dialect: Dialect) -> (usize, Option<String>) {
    let (statements, _) = statement::split(ran, dialect, "");
    let mut rest = statements.iter().enumerate().skip(done).map(|(at, one)| (at + 1, one.sql(ran)));
    let line = |sql: &str| sql.lines().next().map(str::to_owned);
    match rest.find(|(_, sql)| !execution::is_session_setting(sql, dialect)) {
        Some((at, sql)) => (at, line(sql)),
        None => (done + 1, None),
    }
}

/// The number of the first statement that has run and differs in the file, and the difference.
fn changed_part(script: &Script, record: &Record, dialect: Dialect) -> Option<(usize, String)> {
    let Some(ran) = record.pending_sql.as_deref() else {
        // The SQL was too long to be stored, but its checksum is stored.
        return (record.statements_done > 0 && record.checksum != script.checksum).then(|| (1, "? the whole file".to_owned()));
    };
    let (statements, _) = statement::split(ran, dialect, "");
    (0..record.statements_done).find_map(|at| {
        let before = statements.get(at).map(|one| one.sql(ran));
        let now = script.statements.get(at).map(|one| one.sql(&script.text));
        let changed = before.is_none() || before != now;
        changed.then(|| (at + 1, diff_statements(before.unwrap_or_default(), now.unwrap_or_default())))
    })
}

/// May the statement after `done` run again? If it shares a transaction with its checkpoint, it did not run.
fn can_repeat(script: &Script, done: usize, dialect: Dialect) -> bool {
    let course = plan_script(script, dialect, done);
    let next = course.parts.iter().find_map(|part| match part {
        ScriptPart::Segment(stretch) => Some(stretch),
        ScriptPart::SessionSettings(_) => None,
    });
    let Some(next) = next else { return true };
    let mut statements = script.statements[next.unit.statements.clone()].iter();
    next.in_transaction
        || dialect == Dialect::Sqlite
        || statements.all(|one| execution::is_idempotent(one.sql(&script.text), dialect))
}

fn up<'a>(plan: &mut Plan<'a>, rows: &[MigrationStatus<'a>], target: &Target) {
    for row in rows {
        let Some(migration) = row.migration() else { continue };
        let done = match row.state {
            MigrationState::Pending | MigrationState::OutOfOrder => 0,
            MigrationState::PartiallyApplied(RecordState::Started | RecordState::Failed) => {
                row.record().map_or(0, |record| record.statements_done)
            }
            _ => continue,
        };
        let wanted = match target {
            Target::UpTo(version) => migration.version <= *version,
            Target::Up(count) => plan.steps.len() < *count,
            _ => true,
        };
        if wanted {
            plan.steps.push(Step {
                direction: Direction::Up,
                version: migration.version.clone(),
                title: row.title(),
                migration: Some(migration),
                source: ScriptSource::File(&migration.up),
                done,
            });
        }
    }
}

fn down<'a>(plan: &mut Plan<'a>, rows: &[MigrationStatus<'a>], target: &Target) {
    let applied = rows.iter().rev().filter_map(|row| row.record().map(|record| (row, record)));
    for (row, record) in applied {
        let done = match record.state {
            RecordState::Applied => 0,
            RecordState::Reverting | RecordState::RevertFailed => record.statements_done,
            // Its divergence aborts the run.
            RecordState::Started | RecordState::Failed => continue,
        };
        let wanted = match target {
            Target::DownTo(version) => record.version > *version,
            Target::Down(count) => plan.steps.len() < *count,
            _ => true,
        };
        if !wanted {
            continue;
        }
        match down_source(row, record) {
            Ok(way) => plan.steps.push(Step {
                direction: Direction::Down,
                version: record.version.clone(),
                title: row.title(),
                migration: row.migration(),
                source: way,
                done,
            }),
            Err(divergence) => {
                plan.divergences.push(*divergence);
                if matches!(target, Target::Down(_)) {
                    return;
                }
            }
        }
    }
}

fn down_source<'a>(row: &MigrationStatus<'a>, record: &Record) -> Result<ScriptSource<'a>, Box<Divergence>> {
    let title = row.title();
    let down = row.migration().and_then(|migration| migration.down.as_ref());
    let refuse = |message: String, help: &str| {
        let divergence = Divergence::new(&codes::NO_DOWN_MIGRATION, Level::Error, &record.version, message);
        Err(Box::new(divergence.help(help)))
    };
    match (down, record.has_down) {
        (Some(down), _) if down.statements.is_empty() => refuse(
            format!("the down migration of `{title}` contains no statement"),
            "write the SQL that reverts it, or `SELECT 1;` if nothing is to be reverted",
        ),
        (Some(down), _) => Ok(ScriptSource::File(down)),
        (None, true) => Ok(ScriptSource::History),
        (None, false) => {
            let reason = row.migration().and_then(|migration| migration.up.directives.irreversible.as_deref());
            let message = match reason {
                Some(reason) => format!("`{title}` cannot be reverted: {reason}"),
                None => format!("`{title}` has no down migration"),
            };
            refuse(message, "write the down migration, or restore a backup")
        }
    }
}

fn unmet_requirements(steps: &[Step<'_>], own: &str, history: &History, others: &OtherHistories) -> Vec<Divergence> {
    let is_applied = |version: &Version| history.get(version).is_some_and(|record| record.state == RecordState::Applied);
    let mut unmet = Vec::new();
    for (at, step) in steps.iter().enumerate().filter(|(_, step)| step.direction == Direction::Up) {
        let requires = step.migration.map_or(&[][..], |migration| &migration.up.directives.requires);
        for requirement in requires {
            let met = match requirement.service.as_ref().filter(|service| *service != own) {
                Some(service) => others.get(service).is_some_and(|applied| applied.contains(&requirement.version)),
                None => {
                    is_applied(&requirement.version) || steps[..at].iter().any(|before| before.version == requirement.version)
                }
            };
            if !met {
                let message = format!("`{}` of `{own}` requires {requirement}, which is not applied", step.title);
                let help = match &requirement.service {
                    Some(service) => format!("apply the migrations of service `{service}` first"),
                    None => "apply that migration first, or correct the directive".to_owned(),
                };
                unmet.push(Divergence::new(&codes::REQUIRES, Level::Error, &step.version, message).help(help));
            }
        }
    }
    unmet
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::Contents;
    use crate::run_settings::RunSettings;
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn script(text: &str) -> Script {
        Script::read(text.to_owned(), "migrations/x.sql", Dialect::Sqlite).0
    }

    /// Migrations by version; a version with `-` has no down migration.
    fn set(versions: &[&str]) -> MigrationSet {
        let migration = |version: &&str| {
            let number = version.trim_end_matches('-');
            Migration {
                version: number.parse().unwrap(),
                name: Cow::Owned(format!("m{number}")),
                up: script(&format!("SELECT {number};")),
                down: (!version.ends_with('-')).then(|| script(&format!("SELECT -{number};"))),
            }
        };
        MigrationSet::new(Contents {
            service: "app".into(),
            dialect: Dialect::Sqlite,
            run: RunSettings::default(),
            migrations: versions.iter().map(migration).collect(),
        })
    }

    /// Records by version, as of the migrations of `set`. With `*`, the SQL was changed since; with `~`, only comments. With `+`,
    /// a down migration is stored.
    fn history(versions: &[&str]) -> History {
        let record = |version: &&str| {
            let number = version.trim_end_matches(['*', '~', '+']);
            let ran = script(&format!("SELECT {number};"));
            let other = script("SELECT 'other';");
            Record {
                version: number.parse().unwrap(),
                name: format!("m{number}"),
                checksum: if version.contains(['*', '~']) { other.checksum } else { ran.checksum },
                sql_checksum: if version.contains('*') { other.sql_checksum } else { ran.sql_checksum },
                state: RecordState::Applied,
                statements: 1,
                statements_done: 1,
                has_down: version.contains('+'),
                pending_sql: None,
            }
        };
        History::new(versions.iter().map(record).collect())
    }

    /// `+1 -2 | out-of-order:3!`: the steps, and the divergences, of which errors have a `!`.
    fn shown(files: &[&str], applied: &[&str], target: &Target, late: OutOfOrder) -> String {
        let (set, history) = (set(files), history(applied));
        let plan = match plan(&set, &history, &OtherHistories::new(), target, Policy { out_of_order: late }) {
            Ok(plan) => plan,
            Err(unknown) => return format!("unknown {}, near {:?}", unknown.version, unknown.nearest),
        };
        let step = |step: &Step<'_>| {
            let stored = if matches!(step.source, ScriptSource::History) { "s" } else { "" };
            format!("{}{}{stored}", if step.direction == Direction::Up { '+' } else { '-' }, step.version)
        };
        let steps: Vec<String> = plan.steps.iter().map(step).collect();
        let divergence =
            |one: &Divergence| format!("{}:{}{}", one.finding.code, one.version, if one.is_error() { "!" } else { "" });
        let divergences: Vec<String> = plan.divergences.iter().map(divergence).collect();
        format!("{} | {}", steps.join(" "), divergences.join(" "))
    }

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn up() {
        let up = |files: &[&str], applied: &[&str], target: Target| shown(files, applied, &target, OutOfOrder::Error);
        let three = ["1", "2", "10"];
        assert_eq!(up(&three, &[], Target::Latest), "+1 +2 +10 | ");
        assert_eq!(up(&three, &["1"], Target::Latest), "+2 +10 | ");
        assert_eq!(up(&three, &["1", "2", "10"], Target::Latest), " | ");
        assert_eq!(up(&three, &[], Target::UpTo(version("02"))), "+1 +2 | ");
        assert_eq!(up(&three, &[], Target::Up(1)), "+1 | ");
        assert_eq!(up(&three, &["1"], Target::Up(9)), "+2 +10 | ");
        assert_eq!(up(&three, &[], Target::UpTo(version("5"))), "unknown 5, near [Version(2), Version(10)]");
        assert_eq!(up(&three, &["1*", "2~"], Target::Latest), "+10 | changed-after-apply:1! cosmetic-change:2");
        assert_eq!(up(&["2", "10"], &["1", "2"], Target::Latest), "+10 | missing-file:1!");
        assert_eq!(up(&["1"], &["1", "2"], Target::Latest), " | ahead:2");
    }

    #[test]
    fn out_of_order() {
        let files = ["1", "2", "3"];
        assert_eq!(shown(&files, &["1", "3"], &Target::Latest, OutOfOrder::Error), "+2 | out-of-order:2!");
        assert_eq!(shown(&files, &["1", "3"], &Target::Latest, OutOfOrder::Warn), "+2 | out-of-order:2");
        assert_eq!(shown(&files, &["1", "3"], &Target::Latest, OutOfOrder::Allow), "+2 | ");
        // If the target does not include it, it is not out of order.
        assert_eq!(shown(&files, &["1", "3"], &Target::UpTo(version("1")), OutOfOrder::Error), " | ");
        assert_eq!(shown(&files, &["1", "3"], &Target::Down(1), OutOfOrder::Error), "-3 | ");
    }

    #[test]
    fn down() {
        let down = |files: &[&str], applied: &[&str], target: Target| shown(files, applied, &target, OutOfOrder::Error);
        let three = ["1", "2", "10"];
        assert_eq!(down(&three, &three, Target::Down(1)), "-10 | ");
        assert_eq!(down(&three, &three, Target::Down(2)), "-10 -2 | ");
        assert_eq!(down(&three, &three, Target::DownAll), "-10 -2 -1 | ");
        assert_eq!(down(&three, &three, Target::DownTo(version("1"))), "-10 -2 | ");
        assert_eq!(down(&three, &[], Target::Down(1)), " | ");
        assert_eq!(down(&["1", "2-"], &["1", "2"], Target::Down(1)), " | no-down-migration:2!");
        assert_eq!(down(&["1", "2-"], &["1", "2"], Target::DownAll), "-1 | no-down-migration:2!");
        assert_eq!(down(&["1"], &["1", "2+"], Target::DownTo(version("1"))), "-2s | ahead:2");
        assert_eq!(down(&["1"], &["1", "2"], Target::DownAll), "-1 | ahead:2 no-down-migration:2!");
        // A changed file does not prevent a revert.
        assert_eq!(down(&["1"], &["1*"], Target::DownAll), "-1 | changed-after-apply:1");
    }

    proptest! {
        /// Whatever is applied, `up` ends with everything applied, in order, each once; and `down` with nothing.
        #[test]
        fn every_step_once_and_in_order(files in proptest::collection::btree_set(1u32..60, 0..20), applied in proptest::collection::btree_set(0usize..20, 0..20)) {
            let files: Vec<String> = files.iter().map(u32::to_string).collect();
            let names: Vec<&str> = files.iter().map(String::as_str).collect();
            let applied: Vec<&str> = names.iter().enumerate().filter(|(at, _)| applied.contains(at)).map(|(_, name)| *name).collect();
            let (set, history) = (set(&names), history(&applied));
            let policy = Policy { out_of_order: OutOfOrder::Allow };
            let up = plan(&set, &history, &OtherHistories::new(), &Target::Latest, policy).unwrap();
            prop_assert!(up.is_clear());
            prop_assert!(up.steps.windows(2).all(|pair| pair[0].version < pair[1].version));
            let mut all: Vec<Version> = up.steps.iter().map(|step| step.version.clone()).chain(applied.iter().map(|name| version(name))).collect();
            all.sort();
            prop_assert_eq!(all, set.iter().map(|migration| migration.version.clone()).collect::<Vec<_>>());
            let down = plan(&set, &history, &OtherHistories::new(), &Target::DownAll, policy).unwrap();
            prop_assert_eq!(down.steps.len(), applied.len());
            prop_assert!(down.steps.windows(2).all(|pair| pair[0].version > pair[1].version));
        }
    }
}
