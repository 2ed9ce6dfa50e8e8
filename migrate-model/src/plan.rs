//! The steps of a run: a pure function of the files, the history and the target.
//!
//! It uses no clock, no connection and no file. If a divergence is an error, no step may run.

use crate::comparison::{MigrationState, MigrationStatus, compare};
use crate::directives::Requirement;
use crate::divergence::{Divergence, OUT_OF_ORDER};
use crate::divergences;
use crate::history::{AppliedVersions, History, Record, RecordState};
use crate::key::MigrationKey;
use crate::migration::Migration;
use crate::migration_set::MigrationSet;
use crate::policy::Policy;
use crate::script::Script;
use crate::target::{Direction, Target};
use crate::version::Version;
use std::collections::{BTreeSet, HashMap};
use std::fmt;

/// The steps of a run, and the mismatches that may prevent it.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Plan<'a> {
    /// In the order of execution.
    pub steps: Vec<Step<'a>>,
    /// Mismatches between files and history.
    pub divergences: Vec<Divergence>,
    /// What other services have not applied yet, and a step requires.
    pub missing: Vec<MissingRequirement>,
}

/// A requirement of a step that another service has not applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRequirement {
    /// The position of the step in the plan.
    pub step: usize,
    /// What it requires; names the other service.
    pub requirement: Requirement,
}

/// One migration to apply or revert.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Step<'a> {
    /// Apply or revert.
    pub direction: Direction,
    /// The version as in the file or, if there is no file, as in the history.
    pub key: MigrationKey,
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
#[non_exhaustive]
pub enum ScriptSource<'a> {
    /// A migration file.
    File(&'a Script),
    /// The history, which stored the SQL when the migration was applied.
    History,
}

impl<'a> Step<'a> {
    /// The file that it runs, if the SQL is not that of the history.
    pub fn script(&self) -> Option<&'a Script> {
        match self.source {
            ScriptSource::File(script) => Some(script),
            ScriptSource::History => None,
        }
    }

    /// A step from the first statement on. The title is that of the migration or, without a file, the key.
    pub fn new(
        direction: Direction,
        key: impl Into<MigrationKey>,
        migration: Option<&'a Migration>,
        source: ScriptSource<'a>,
    ) -> Self {
        let key = key.into();
        let title = migration.map_or_else(|| key.to_string(), |migration| migration.title().to_owned());
        Step { direction, key, title, migration, source, done: 0 }
    }

    /// The script to run, if it is a file. `None` if the history stored it.
    pub fn file_script(&self) -> Option<&'a Script> {
        match self.source {
            ScriptSource::File(script) => Some(script),
            ScriptSource::History => None,
        }
    }
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

    /// How many steps can run before the first that requires something that another service has not applied yet. `None` if nothing
    /// is missing, or if something else prevents the run.
    pub fn steps_before_wait(&self) -> Option<usize> {
        let first = self.missing.iter().map(|missing| missing.step).min()?;
        // Each missing requirement is an error of its own.
        (self.errors().count() == self.missing.len()).then_some(first)
    }

    /// The plan of the first steps alone.
    #[must_use]
    pub fn first_steps(mut self, count: usize) -> Self {
        self.steps.truncate(count);
        self.divergences.retain(|divergence| !divergence.is_error());
        self.missing.clear();
        self
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

/// What other services have applied, and what their migrations require, for `requires`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OtherHistories {
    applied: HashMap<String, AppliedVersions>,
    dependents: Vec<Dependent>,
}

/// A migration of another service that is applied and requires others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// Its service.
    pub service: String,
    /// Its version.
    pub key: MigrationKey,
    /// What it requires.
    pub requires: Vec<Requirement>,
}

impl OtherHistories {
    /// Whether it is known what a service has applied.
    pub fn contains(&self, service: &str) -> bool {
        self.applied.contains_key(service)
    }

    /// Adds what a service has applied.
    pub fn insert(&mut self, service: &str, applied: AppliedVersions) {
        self.applied.insert(service.to_owned(), applied);
    }

    /// Adds migrations to those that a service has applied.
    pub fn assume_applied<'k>(&mut self, service: &str, keys: impl IntoIterator<Item = &'k MigrationKey>) {
        let applied = self.applied.entry(service.to_owned()).or_default();
        keys.into_iter().for_each(|key| applied.assume_applied(key));
    }

    /// Adds migrations of other services that require others.
    pub fn add_dependents(&mut self, dependents: impl IntoIterator<Item = Dependent>) {
        self.dependents.extend(dependents);
    }

    /// Assumes that these migrations of a service are reverted before.
    pub fn assume_reverted(&mut self, service: &str, keys: &[MigrationKey]) {
        self.dependents.retain(|dependent| dependent.service != service || !keys.contains(&dependent.key));
    }

    /// Whether a service has applied a migration, as far as it is known.
    pub fn is_applied(&self, service: &str, key: &MigrationKey) -> bool {
        self.applied.get(service).is_some_and(|applied| applied.contains(key))
    }

    /// The migrations of other services that require one of this service.
    fn dependents_of(&self, service: &str, key: &MigrationKey) -> impl Iterator<Item = &Dependent> {
        let is_required =
            move |requirement: &Requirement| requirement.service.as_deref() == Some(service) && *key == requirement.version;
        self.dependents.iter().filter(move |dependent| dependent.requires.iter().any(is_required))
    }
}

/// Have other services applied all that the first step of a plan requires which waits for them?
pub fn wait_is_over(plan: &Plan<'_>, others: &OtherHistories) -> bool {
    let first = plan.missing.iter().map(|missing| missing.step).min();
    plan.missing.iter().filter(|missing| Some(missing.step) == first).all(|missing| {
        let requirement = &missing.requirement;
        let key = MigrationKey::from(&requirement.version);
        requirement.service.as_deref().is_none_or(|service| others.is_applied(service, &key))
    })
}

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
    match target {
        // Version 0 is below the first migration.
        Target::DownTo(version) if version.is_zero() => {}
        Target::UpTo(version) | Target::DownTo(version) => require_known(&rows, version)?,
        _ => {}
    }
    let mut plan = Plan::default();
    let reading = set.settings().reading().with_triggers(history.triggers());
    let latest = rows.iter().rev().find(|row| row.record().is_some());
    for row in &rows {
        plan.divergences.extend(divergences::of_version(row, latest, set, target.direction(), policy, reading));
    }
    match target.direction() {
        Direction::Up => up(&mut plan, &rows, target),
        Direction::Down => down(&mut plan, &rows, target),
    }
    check_requirements(&mut plan, set.service(), history, others);
    if target.direction() == Direction::Up {
        plan.divergences.extend(rows.iter().flat_map(|row| lost_requirements(row, set.service(), others)));
    }
    let required = plan.steps.iter().filter(|step| step.direction == Direction::Down).flat_map(|step| {
        let dependents = others.dependents_of(set.service(), &step.key);
        dependents.map(|dependent| divergences::still_required(set.service(), &step.title, &step.key, dependent))
    });
    let required: Vec<Divergence> = required.collect();
    plan.divergences.extend(required);
    plan.divergences.extend(divergences::renumbered(&plan.steps, &rows, reading));
    if plan.steps.is_empty() && target.direction() == Direction::Up {
        // What another release applied does not prevent this one from starting when it has nothing to apply itself.
        plan.divergences.iter_mut().for_each(Divergence::tolerate_missing_file);
    }
    // A migration that this target does not include is not reported as out of order.
    let runs: BTreeSet<&MigrationKey> = plan.steps.iter().map(|step| &step.key).collect();
    plan.divergences.retain(|divergence| divergence.finding.code != &OUT_OF_ORDER || runs.contains(&divergence.key));
    Ok(plan)
}

fn require_known(rows: &[MigrationStatus<'_>], version: &Version) -> Result<(), UnknownVersion> {
    match rows.binary_search_by(|row| row.key().cmp(&MigrationKey::from(version))) {
        Ok(_) => Ok(()),
        Err(at) => {
            let near = at.saturating_sub(1)..rows.len().min(at + 1);
            Err(UnknownVersion {
                version: version.clone(),
                nearest: rows[near].iter().filter_map(|row| row.key().version().cloned()).collect(),
            })
        }
    }
}

fn up<'a>(plan: &mut Plan<'a>, rows: &[MigrationStatus<'a>], target: &Target) {
    for row in rows {
        let Some(migration) = row.migration() else { continue };
        let done = match row.state {
            MigrationState::Pending | MigrationState::OutOfOrder => 0,
            MigrationState::PartiallyApplied(state) if !state.is_revert() => {
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
                key: row.key(),
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
        // A repeatable migration has no down migration: the next run replaces it.
        let Some(version) = record.key.version() else { continue };
        let done = match record.state {
            RecordState::Applied => 0,
            state if state.is_revert() => record.statements_done,
            // Its divergence aborts the run.
            _ => continue,
        };
        let wanted = match target {
            Target::DownTo(target) => version > target,
            Target::Down(count) => plan.steps.len() < *count,
            _ => true,
        };
        if !wanted {
            continue;
        }
        match down_source(row, record) {
            Ok(source) => plan.steps.push(Step {
                direction: Direction::Down,
                key: record.key.clone(),
                title: row.title(),
                migration: row.migration(),
                source,
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
    match (row.migration().and_then(|migration| migration.down.as_ref()), record.has_down) {
        // What does nothing is reverted by nothing.
        (Some(down), _) if down.statements.is_empty() && !is_empty(row) => Err(Box::new(divergences::down_is_empty(row, record))),
        (Some(down), _) => Ok(ScriptSource::File(down)),
        // The file says that nothing reverts it, whatever the history contains.
        (None, true) if is_irreversible(row) => Err(Box::new(divergences::no_down(row, record))),
        (None, true) => Ok(ScriptSource::History),
        (None, false) => Err(Box::new(divergences::no_down(row, record))),
    }
}

/// Does the file of the up migration say that nothing reverts it?
fn is_irreversible(row: &MigrationStatus<'_>) -> bool {
    row.migration().is_some_and(|migration| migration.up.directives.irreversible.is_some())
}

/// Does the up migration contain no statement?
fn is_empty(row: &MigrationStatus<'_>) -> bool {
    row.migration().is_some_and(|migration| migration.up.statements.is_empty())
}

/// Adds what the steps require and is not applied before them.
fn check_requirements(plan: &mut Plan<'_>, service: &str, history: &History, others: &OtherHistories) {
    let is_applied = |key: &MigrationKey| history.get(key).is_some_and(|record| record.state == RecordState::Applied);
    let mut before = BTreeSet::new();
    for (at, step) in plan.steps.iter().enumerate().filter(|(_, step)| step.direction == Direction::Up) {
        let requires = step.migration.map_or(&[][..], |migration| &migration.up.directives.requires);
        for requirement in requires {
            let key = MigrationKey::from(&requirement.version);
            let other = requirement.service.as_ref().filter(|required| *required != service);
            let is_met = match other {
                Some(required) => others.is_applied(required, &key),
                None => is_applied(&key) || before.contains(&key),
            };
            if !is_met {
                plan.divergences.push(divergences::requirement_unmet(service, &step.title, &step.key, requirement));
            }
            if !is_met && other.is_some() {
                plan.missing.push(MissingRequirement { step: at, requirement: requirement.clone() });
            }
        }
        before.insert(&step.key);
    }
}

/// What an applied migration requires of other services and is not applied any more.
fn lost_requirements(row: &MigrationStatus<'_>, service: &str, others: &OtherHistories) -> Vec<Divergence> {
    let is_applied = row.record().is_some_and(|record| record.state == RecordState::Applied);
    let requires = row.migration().filter(|_| is_applied).map_or(&[][..], |migration| &migration.up.directives.requires);
    let is_lost = |requirement: &&Requirement| {
        let other = requirement.service.as_ref().filter(|required| *required != service);
        other.is_some_and(|other| !others.is_applied(other, &MigrationKey::from(&requirement.version)))
    };
    let lost = requires.iter().filter(is_lost);
    lost.map(|requirement| divergences::requirement_lost(service, &row.title(), &row.key(), requirement)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::policy::OutOfOrder;
    use crate::set_settings::SetSettings;
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
        MigrationSet::new(SetSettings::new("app", Dialect::Sqlite), versions.iter().map(migration).collect())
    }

    /// Records by version, as of the migrations of `set`. With `*`, the SQL was changed since; with `~`, only comments. With `+`,
    /// a down migration is stored.
    fn history(versions: &[&str]) -> History {
        let record = |version: &&str| {
            let number = version.trim_end_matches(['*', '~', '+']);
            let ran = script(&format!("SELECT {number};"));
            let other = script("SELECT 'other';");
            Record {
                key: number.parse().unwrap(),
                name: format!("m{number}"),
                checksum: if version.contains(['*', '~']) { other.checksum } else { ran.checksum },
                sql_checksum: if version.contains('*') { other.sql_checksum } else { ran.sql_checksum },
                state: RecordState::Applied,
                statements: 1,
                statements_done: 1,
                has_down: version.contains('+'),
                pending_sql: None,
                session_changes: None,
            }
        };
        History::new(versions.iter().map(record).collect())
    }

    /// `+1 -2 | out-of-order:3!`: the steps, and the divergences, of which errors have a `!`.
    fn shown(files: &[&str], applied: &[&str], target: &Target, late: OutOfOrder) -> String {
        let (set, history) = (set(files), history(applied));
        let plan = match plan(&set, &history, &OtherHistories::default(), target, Policy { out_of_order: late }) {
            Ok(plan) => plan,
            Err(unknown) => return format!("unknown {}, near {:?}", unknown.version, unknown.nearest),
        };
        let step = |step: &Step<'_>| {
            let stored = if matches!(step.source, ScriptSource::History) { "s" } else { "" };
            format!("{}{}{stored}", if step.direction == Direction::Up { '+' } else { '-' }, step.key)
        };
        let steps: Vec<String> = plan.steps.iter().map(step).collect();
        let divergence = |one: &Divergence| format!("{}:{}{}", one.finding.code, one.key, if one.is_error() { "!" } else { "" });
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
        // An older release has nothing to apply, so it may start.
        assert_eq!(up(&["2", "10"], &["1", "2", "10"], Target::Latest), " | missing-file:1");
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
        assert_eq!(down(&three, &three, Target::DownTo(version("0"))), "-10 -2 -1 | ");
        assert_eq!(down(&["0", "1"], &["0", "1"], Target::DownTo(version("0"))), "-1 | ");
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
            let up = plan(&set, &history, &OtherHistories::default(), &Target::Latest, policy).unwrap();
            prop_assert!(up.is_clear());
            prop_assert!(up.steps.windows(2).all(|pair| pair[0].key < pair[1].key));
            let mut all: Vec<Version> = up.steps.iter().map(|step| step.key.version().unwrap().clone()).chain(applied.iter().map(|name| version(name))).collect();
            all.sort();
            prop_assert_eq!(all, set.iter().map(|migration| migration.version.clone()).collect::<Vec<_>>());
            let down = plan(&set, &history, &OtherHistories::default(), &Target::DownAll, policy).unwrap();
            prop_assert_eq!(down.steps.len(), applied.len());
            prop_assert!(down.steps.windows(2).all(|pair| pair[0].key > pair[1].key));
        }
    }
}
