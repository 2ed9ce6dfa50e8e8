//! Several services in one database: a library that has migrations of its own, and the application that embeds it.

use crate::database_source::Database;
use crate::engine;
use crate::error::{Error, ErrorKind};
use crate::migrator::Migrator;
use crate::report::RunReport;
use crate::shared_set::SharedSet;
use crate::status_report::StatusReport;
use futures_util::future::select_all;
use migrate_model::divergence::Divergence;
use migrate_model::key::MigrationKey;
use migrate_model::plan::Plan;
use migrate_model::plan_order;
use migrate_model::requirements::describe_cycle;
use migrate_model::target::{Direction, Target};

/// Applies the migrations of several services in one order, in which each comes after those that it requires. See
/// [`Migrator::all`].
#[derive(Debug, Clone)]
pub struct JointMigrator {
    migrators: Vec<Migrator>,
}

/// What was done for one service.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServiceReport {
    /// The name of the service.
    pub service: String,
    /// What was applied.
    pub report: RunReport,
}

impl Migrator {
    /// The migrations of several services, such as those of a library and those of the application. A migration can require one of
    /// another service: `-- migrate: requires auth:003`.
    ///
    /// ```
    /// use migrate_runtime::{Dialect, MigrationSet, Migrator};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # let folder = tempfile::tempdir()?;
    /// # let url = format!("sqlite:{}", folder.path().join("app.db").display());
    /// let auth = MigrationSet::builder("auth", Dialect::Sqlite)
    ///     .migration("001", "users", "CREATE TABLE users (id integer PRIMARY KEY)", None)
    ///     .build()?;
    /// let app = MigrationSet::builder("app", Dialect::Sqlite)
    ///     .migration("001", "notes", "-- migrate: requires auth:001\nCREATE TABLE notes (author integer REFERENCES users)", None)
    ///     .build()?;
    /// let services = Migrator::all([app, auth]);
    /// let reports = services.run(&url).await?;
    /// assert_eq!(reports.iter().map(|one| one.service.as_str()).collect::<Vec<_>>(), ["auth", "app"]);
    /// assert!(services.is_up_to_date(&url).await?);
    /// # Ok(()) }) }
    /// ```
    pub fn all<S: Into<SharedSet>>(sets: impl IntoIterator<Item = S>) -> JointMigrator {
        JointMigrator { migrators: sets.into_iter().map(Migrator::new).collect() }
    }
}

impl JointMigrator {
    /// Sets options of each service, such as the wait time of the lock.
    #[must_use]
    pub fn each(self, set: impl Fn(Migrator) -> Migrator) -> Self {
        JointMigrator { migrators: self.migrators.into_iter().map(set).collect() }
    }

    /// Whether everything of all services is applied: one query for each when it is. Reads only.
    ///
    /// # Errors
    /// As [`Migrator::is_up_to_date`].
    pub async fn is_up_to_date<'c>(&self, database: impl Database<'c> + Clone) -> Result<bool, Error> {
        for migrator in &self.migrators {
            if !migrator.is_up_to_date(database.clone()).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Applies all pending migrations of all services, and reports on each service in the order of their first turns. Everything is
    /// planned before anything runs. What requires a migration of a service that is not one of these waits for it, at most as long as
    /// for the lock; what can run without it runs before.
    ///
    /// # Errors
    /// As [`Migrator::run`]; and when two services have one name, or migrations require each other.
    pub async fn run<'c>(&self, database: impl Database<'c> + Clone) -> Result<Vec<ServiceReport>, Error> {
        // The run creates a SQLite file that does not exist.
        let is_current = match self.is_up_to_date(database.clone()).await {
            Err(error) if error.kind() == ErrorKind::NoDatabase => false,
            is_current => is_current?,
        };
        if is_current {
            return Ok(self.migrators.iter().map(|migrator| empty_report(migrator.service_name())).collect());
        }
        let names: Vec<&str> = self.migrators.iter().map(Migrator::service_name).collect();
        let mut reports: Vec<ServiceReport> = Vec::new();
        let waits = self.migrators.iter().all(Migrator::waits);
        // Where other processes must apply something first, what can run without it runs, so that those can continue.
        loop {
            let mut statuses = self.statuses(&database).await.map_err(|error| with_done(error, &reports))?;
            assume_each_other(&names, &mut statuses)?;
            let plans = statuses.iter().map(|status| status.plan(&Target::Latest)).collect::<Result<Vec<_>, _>>()?;
            for (name, plan) in names.iter().zip(&plans) {
                require_clear(name, plan, &names, waits).map_err(|error| with_done(error, &reports))?;
            }
            let cyclic = |cycle| Error::of_finding(ErrorKind::HistoryMismatch, describe_cycle(&cycle));
            let targets = vec![Target::Latest; plans.len()];
            plan_order::order(&names, &plans, &targets).map_err(cyclic)?;
            for part in plan_order::before_wait(&names, &plans, &targets).map_err(cyclic)?.parts {
                let outcome = self.migrators[part.service].run_to(database.clone(), &part.target).await;
                let report = outcome.map_err(|error| with_done(error.note("service", names[part.service]), &reports))?;
                add_report(&mut reports, names[part.service], report);
            }
            let waiting: Vec<usize> = (0..plans.len()).filter(|at| plans[*at].steps_before_wait().is_some()).collect();
            if waiting.is_empty() {
                return Ok(reports);
            }
            let wait = |at: &usize| Box::pin(self.migrators[*at].wait_for_required(database.clone(), &plans[*at]));
            let (outcome, first, _) = select_all(waiting.iter().map(wait)).await;
            outcome.map_err(|error| with_done(error.note("service", names[waiting[first]]), &reports))?;
        }
    }

    /// The state of each service.
    async fn statuses<'c>(&self, database: &(impl Database<'c> + Clone)) -> Result<Vec<StatusReport>, Error> {
        let mut statuses = Vec::new();
        for migrator in &self.migrators {
            let status = match migrator.status_for(database.clone(), Direction::Up).await {
                Err(error) if error.kind() == ErrorKind::NoDatabase => {
                    migrator.status_for("sqlite::memory:", Direction::Up).await?
                }
                status => status?,
            };
            if let Some(refusal) = status.refusal() {
                return Err(refusal);
            }
            statuses.push(status);
        }
        Ok(statuses)
    }
}

fn add_report(reports: &mut Vec<ServiceReport>, name: &str, report: RunReport) {
    match reports.iter_mut().find(|known| known.service == name) {
        Some(known) => {
            known.report.done.extend(report.done);
            known.report.warnings = report.warnings;
        }
        None => reports.push(ServiceReport { service: name.to_owned(), report }),
    }
}

fn empty_report(name: &str) -> ServiceReport {
    ServiceReport { service: name.to_owned(), report: RunReport::default() }
}

/// Adds what was done for all services before.
fn with_done(error: Error, reports: &[ServiceReport]) -> Error {
    reports.iter().filter(|report| !report.report.done.is_empty()).fold(error, |error, done| {
        let count = migrate_model::plural::count_of(done.report.done.len(), "migration");
        error.note("applied earlier in this run", format!("{count} of `{}`", done.service))
    })
}

/// Tells each service what the others will apply before its turn.
fn assume_each_other(names: &[&str], statuses: &mut [StatusReport]) -> Result<(), Error> {
    if let Some(name) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| name) {
        let message = format!("two of the services have the name `{name}`, and would share a history");
        return Err(Error::new(ErrorKind::Setting, &crate::codes::BAD_NAME_FOR_HISTORY, message)
            .help("give one of them another name: `service` in `migrate.toml`, or `Migrator::service`"));
    }
    let mut steps: Vec<Vec<MigrationKey>> = Vec::new();
    for status in &*statuses {
        steps.push(status.plan(&Target::Latest)?.steps.iter().map(|step| step.key.clone()).collect());
    }
    for (at, status) in statuses.iter_mut().enumerate() {
        for (other, name) in names.iter().enumerate().filter(|(other, _)| *other != at) {
            status.assume_applied(name, &steps[other]);
        }
    }
    Ok(())
}

/// A plan may run, or wait for another service, unless the run does not wait.
fn require_clear(service: &str, plan: &Plan<'_>, names: &[&str], waits: bool) -> Result<(), Error> {
    let is_known = |name: &Option<String>| name.as_deref().is_some_and(|name| names.contains(&name));
    let waits =
        waits && plan.steps_before_wait().is_some() && !plan.missing.iter().any(|missing| is_known(&missing.requirement.service));
    if plan.is_clear() || waits {
        return Ok(());
    }
    let errors: Vec<Divergence> = plan.errors().cloned().collect();
    Err(engine::history_mismatch(service, errors))
}
