//! The state of every migration at one moment.

use crate::codes;
use crate::engine;
use crate::error::Error;
use crate::first_run;
use crate::history_writers::HistoryWriters;
use crate::recovery::{InterruptedMigration, RecoveredState};
use crate::shared_set::SharedSet;
use crate::summary::SummaryState;
use migrate_model::comparison::{MigrationStatus, compare};
use migrate_model::dialect::Dialect;
use migrate_model::directives::Requirement;
use migrate_model::divergence::{Divergence, REQUIRES};
use migrate_model::finding::{Finding, Level};
use migrate_model::history::History;
use migrate_model::key::MigrationKey;
use migrate_model::plan::{Dependent, OtherHistories, Plan, plan};
use migrate_model::policy::Policy;
use migrate_model::target::Target;

/// Whether a process runs migrations of a service at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// No process holds the migration lock.
    Idle,
    /// A process holds the migration lock.
    Running,
    /// There is no lock, or it was not asked for: no migration is started.
    Unknown,
}

/// The state of every migration at one moment, and what a run would do.
#[derive(Debug, Clone)]
pub struct StatusReport {
    set: SharedSet,
    policy: Policy,
    has_tables: bool,
    history: History,
    /// The history with what was found out about interrupted migrations: what a run would start from.
    recovered: History,
    interrupted: Vec<InterruptedMigration>,
    others: OtherHistories,
    neighbors: Vec<Finding>,
    activity: Activity,
    writers: HistoryWriters,
    summary: SummaryState,
}

impl StatusReport {
    pub(crate) fn new(
        set: SharedSet,
        policy: Policy,
        has_tables: bool,
        history: History,
        interrupted: Vec<InterruptedMigration>,
        others: OtherHistories,
    ) -> Self {
        let mut recovered = history.clone();
        for migration in &interrupted {
            migration.apply(&mut recovered, &set);
        }
        StatusReport {
            set,
            policy,
            has_tables,
            history,
            recovered,
            interrupted,
            others,
            neighbors: Vec::new(),
            activity: Activity::Unknown,
            writers: HistoryWriters::Unknown,
            summary: SummaryState::OfRecords,
        }
    }

    /// Adds what the first run of the service would find, and whether a process runs migrations.
    pub(crate) fn with_surroundings(self, neighbors: Vec<Finding>, activity: Activity, writers: HistoryWriters) -> Self {
        let mut report = StatusReport { neighbors, activity, writers, ..self };
        if activity == Activity::Idle {
            // As the next run sees it.
            let had_not_started = |migration: &mut InterruptedMigration| migration.recovered == Some(RecoveredState::NotStarted);
            for migration in report.interrupted.extract_if(.., had_not_started) {
                migration.apply(&mut report.history, &report.set);
            }
        }
        report
    }

    /// Adds whether the row in `schema_versions` is that of the records.
    pub(crate) fn with_summary(self, summary: SummaryState) -> Self {
        StatusReport { summary, ..self }
    }

    /// Whether the row in `schema_versions` is not that of the records, although no records are lost. Nothing depends on it;
    /// [`Migrator::repair_summary`](crate::Migrator::repair_summary) and runs write it again.
    pub fn has_other_summary(&self) -> bool {
        self.summary == SummaryState::Other && !self.has_lost_records()
    }

    /// Who may write the records of the history, and so the SQL that a revert runs where no file contains it.
    pub fn writers(&self) -> &HistoryWriters {
        &self.writers
    }

    /// Whether the summary counts more applied migrations than there are records, so that a run would apply some again.
    pub fn has_lost_records(&self) -> bool {
        self.neighbors.iter().any(|finding| finding.code == &codes::RECORDS_LOST)
    }

    /// What else the database contains, while this service has no row in its history: a history of this service in another
    /// schema, the same migrations under another service, or the history of another tool. Also who may write the history besides
    /// trusted users. As notes; see [`refusal`](Self::refusal).
    pub fn neighbors(&self) -> Vec<Finding> {
        self.neighbors.iter().map(|finding| finding.clone().as_note()).chain(self.writers.finding()).collect()
    }

    /// The error with which a run would end before it applies anything, because of [`neighbors`](Self::neighbors).
    pub fn refusal(&self) -> Option<Error> {
        first_run::refusal(&self.neighbors)
    }

    /// Whether a process runs migrations of this service. Asked only if the history contains a migration that was started and is
    /// not complete.
    pub fn activity(&self) -> Activity {
        self.activity
    }

    /// What the database contains.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The SQL dialect of the migrations.
    pub fn dialect(&self) -> Dialect {
        self.set.settings().dialect
    }

    /// Whether the history tables exist.
    pub fn has_tables(&self) -> bool {
        self.has_tables
    }

    /// Every version that the files or the database contain, in version order.
    pub fn migrations(&self) -> Vec<MigrationStatus<'_>> {
        compare(&self.set, &self.history)
    }

    /// The migrations that the next run would work on.
    pub fn pending(&self) -> Vec<MigrationStatus<'_>> {
        self.migrations().into_iter().filter(MigrationStatus::is_unapplied).collect()
    }

    /// Whether everything is applied.
    pub fn is_up_to_date(&self) -> bool {
        self.pending().is_empty()
    }

    /// What the system catalog contains of migrations that were interrupted in a statement whose outcome is unknown: the version
    /// and what was found.
    pub fn evidence(&self) -> impl Iterator<Item = (&MigrationKey, &str)> {
        self.interrupted.iter().map(|migration| (&migration.key, migration.evidence.as_str()))
    }

    /// Assumes that another service has applied these migrations; for plans over several services.
    pub fn assume_applied<'v>(&mut self, service: &str, keys: impl IntoIterator<Item = &'v MigrationKey>) {
        self.others.assume_applied(service, keys);
    }

    /// Assumes that another service has reverted these migrations; for plans over several services.
    pub fn assume_reverted_elsewhere(&mut self, service: &str, keys: &[MigrationKey]) {
        self.others.assume_reverted(service, keys);
    }

    /// What migrations in the files require of other services, and these have not applied, as far as this database shows.
    pub fn unmet_requirements(&self) -> impl Iterator<Item = &Requirement> {
        let requirements = self.set.iter().flat_map(|migration| &migration.up.directives.requires);
        requirements.filter(|requirement| {
            let service = requirement.service.as_deref().filter(|service| *service != self.set.service());
            service.is_some_and(|service| !self.others.is_applied(service, &MigrationKey::from(&requirement.version)))
        })
    }

    /// Adds migrations that services have applied in other databases and that require others; for the plan of a revert.
    pub fn add_dependents(&mut self, dependents: impl IntoIterator<Item = Dependent>) {
        self.others.add_dependents(dependents);
    }

    /// Assumes that these migrations have been reverted; for the plan of what follows a revert.
    pub fn assume_reverted<'v>(&mut self, keys: impl IntoIterator<Item = &'v MigrationKey>) {
        keys.into_iter().for_each(|key| self.recovered.remove(key));
    }

    /// All differences between the files and the history, for `cargo migrate verify`. A missing file is an error here, also where
    /// a run without a pending migration tolerates it.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn divergences(&self) -> Result<Vec<Divergence>, Error> {
        // What pending migrations require says nothing about the files and the history.
        let is_about_pending = |divergence: &Divergence| divergence.finding.code == &REQUIRES && divergence.is_error();
        let divergences = self.plan(&Target::Latest)?.divergences.into_iter().filter(|divergence| !is_about_pending(divergence));
        Ok(divergences.map(|divergence| divergence.for_verify(self.policy)).collect())
    }

    /// For each migration that was started and is not complete, says that another process is executing it.
    fn say_what_runs(&self, plan: &mut Plan<'_>) {
        for record in self.history.records().iter().filter(|record| record.state.interrupted().is_some()) {
            let reported = plan.divergences.iter_mut().find(|divergence| divergence.key == record.key && divergence.is_error());
            if let Some(divergence) = reported {
                *divergence = Divergence::being_executed(record, Level::Error);
            } else if plan.steps.iter().any(|step| step.key == record.key) {
                plan.divergences.push(Divergence::being_executed(record, Level::Warning));
            }
        }
    }

    /// What a run would do now.
    ///
    /// # Errors
    /// When the target is an unknown version.
    pub fn plan(&self, target: &Target) -> Result<Plan<'_>, Error> {
        let plan = plan(&self.set, &self.recovered, &self.others, target, self.policy);
        let mut plan = plan.map_err(engine::unknown_version)?;
        if self.activity == Activity::Running {
            self.say_what_runs(&mut plan);
        }
        Ok(plan)
    }
}
