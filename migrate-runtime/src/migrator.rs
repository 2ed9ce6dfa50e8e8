//! What applications call: brings a database up to date, and reports its state.

use crate::backend::{Backend, ConnectionState, Expected, UnitError};
use crate::backend_error::BackendError;
use crate::backends::OpenOptions;
use crate::codes;
use crate::completeness;
use crate::database_source::sealed::Open;
use crate::database_source::{Database, require_runtime};
use crate::database_url::DatabaseUrl;
use crate::engine;
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::first_run;
use crate::history_changes::{self, CannotResolve};
use crate::history_sql::{HistorySql, HistoryTable};
use crate::history_writers;
use crate::recovery::{InterruptedMigration, RecoveredState, inspect_interrupted};
use crate::report::RunReport;
use crate::run_options::{Dependents, RunOptions};
use crate::session;
use crate::shared_set::SharedSet;
use crate::status_report::{Activity, StatusReport};
use crate::stop_signal::StopSignal;
use crate::stored_scripts::StoredScripts;
use crate::summary::{self, Currency, SummaryState};
use crate::trigger_catalog;
use crate::trust::{self, Purpose};
use migrate_model::comparison::{MigrationStatus, compare};
use migrate_model::execution::TransactionMode;
use migrate_model::history::{History, Record};
use migrate_model::invalid_migrations::InvalidMigrations;
use migrate_model::key::MigrationKey;
use migrate_model::lock_settings::{LockSettings, LockStrategy};
use migrate_model::migration_set::SetSummary;
use migrate_model::plan::{Dependent, OtherHistories, Plan, Step};
use migrate_model::plural::{count_of, is_are};
use migrate_model::policy::OutOfOrder;
use migrate_model::run_settings::{HistoryTables, RunSettings};
use migrate_model::script::Script;
use migrate_model::script_plan::plan_script;
use migrate_model::session_effect::catalog::TriggerCatalog;
use migrate_model::session_effect::table_engines;
use migrate_model::set_settings::SetSettings;
use migrate_model::statement::Reading;
use migrate_model::target::{Direction, Target};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Applies and reverts the migrations of a set.
///
/// ```
/// use migrate_runtime::{Dialect, Event, MigrationSet, Migrator, Target};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}", folder.path().join("app.db").display());
/// let set = MigrationSet::builder("notes", Dialect::Sqlite)
///     .migration("001", "create_notes", "CREATE TABLE notes (id integer PRIMARY KEY)", Some("DROP TABLE notes"))
///     .build()?;
/// let migrator = Migrator::new(set).lock_wait(Duration::from_secs(120)).on_event(|event| {
///     if let Event::Finished { title, took, .. } = event {
///         println!("{title} took {took:?}");
///     }
/// });
/// assert_eq!(migrator.run(&url).await?.done.len(), 1);
/// assert!(migrator.run(&url).await?.done.is_empty());
/// assert_eq!(migrator.run_to(&url, &Target::DownAll).await?.done.len(), 1);
/// # Ok(()) }) }
/// ```
#[derive(Clone)]
pub struct Migrator {
    set: SharedSet,
    options: RunOptions,
    /// The settings in code make a migration invalid.
    invalid: Option<Arc<InvalidMigrations>>,
}

impl fmt::Debug for Migrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator").field("migrations", &self.set.len()).finish_non_exhaustive()
    }
}

/// What an operator knows about a partially applied migration whose state the engine cannot find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// All of it is done.
    MarkApplied,
    /// The statement whose outcome was unknown had no effect: run it again.
    Retry,
    /// All statements before this one (counted from 1) are done: resume with it.
    SkipTo(usize),
    /// Nothing of it is left: the statements that ran were undone. It is pending again; of an interrupted revert, applied
    /// again.
    MarkNotApplied,
}

impl Migrator {
    /// A migrator with the settings of `migrate.toml`. It waits 10 minutes for the lock, and gives each migration 10 minutes.
    pub fn new(set: impl Into<SharedSet>) -> Self {
        let set = set.into();
        let settings = &set.settings().run;
        let options = RunOptions {
            locking: settings.locking,
            lock_wait: Duration::from_secs(600),
            lock_timeout: settings.lock_timeout,
            timeout: settings.timeout.unwrap_or(Duration::from_secs(600)),
            out_of_order: None,
            observer: None,
            stop: StopSignal::new(),
            stored_scripts: StoredScripts::Any,
            elsewhere: OtherHistories::default(),
            dependents: Dependents::default(),
        };
        Migrator { set, options, invalid: None }
    }

    /// The name of the service.
    pub fn service_name(&self) -> &str {
        self.set.service()
    }

    /// The name of the history, instead of the one in `migrate.toml` or of the package. Two services with the same name share a
    /// history.
    #[must_use]
    pub fn service(self, service: impl Into<String>) -> Self {
        self.with_settings(|settings| settings.service = service.into())
    }

    /// The schema (MySQL: the database) of the history tables, instead of the one in `migrate.toml`: for example one history for
    /// each tenant.
    #[must_use]
    pub fn history_schema(self, schema: impl Into<String>) -> Self {
        self.with_settings(|settings| settings.run.history.schema = Some(schema.into()))
    }

    /// The schema and the names of the history tables, instead of those in `migrate.toml`.
    #[must_use]
    pub fn history_tables(self, tables: HistoryTables) -> Self {
        self.with_settings(|settings| settings.run.history = tables)
    }

    /// The statements that each session executes first, instead of those in `migrate.toml`: for example `SET ROLE owner`, or
    /// `SET search_path = tenant_7`. If a migration is invalid in such a session, the run returns an error.
    #[must_use]
    pub fn session(self, statements: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let statements = statements.into_iter().map(Into::into).collect();
        self.with_settings(|settings| settings.run.session = statements)
    }

    /// Changes any setting that `migrate.toml` contains for a run, such as the histories that do not prevent a first run.
    #[must_use]
    pub fn settings(self, change: impl FnOnce(&mut RunSettings)) -> Self {
        self.with_settings(|settings| change(&mut settings.run))
    }

    fn with_settings(mut self, change: impl FnOnce(&mut SetSettings)) -> Self {
        let mut settings = self.set.settings().clone();
        let before = settings.run.clone();
        change(&mut settings);
        // What was copied when the migrator was made.
        let (run, options) = (&settings.run, &mut self.options);
        if run.locking != before.locking {
            options.locking = run.locking;
        }
        if run.lock_timeout != before.lock_timeout {
            options.lock_timeout = run.lock_timeout;
        }
        if let Some(timeout) = run.timeout.filter(|_| run.timeout != before.timeout) {
            options.timeout = timeout;
        }
        match self.set.with_settings(settings) {
            Ok(set) => self.set = set.into(),
            Err(invalid) => self.invalid = Some(Arc::new(invalid)),
        }
        self
    }

    /// The locking strategy. By default, `migrate.toml` decides; without a setting, a session-level lock, or a lease where that does
    /// not exclude other processes (PgBouncer, Galera, CockroachDB and others; they are detected). [`LockStrategy::None`] disables
    /// locking, for tests that share nothing.
    #[must_use]
    pub fn lock(mut self, strategy: LockStrategy) -> Self {
        self.options.locking.strategy = strategy;
        self
    }

    /// How long a lease outlives its last renewal: 2 seconds to 24 hours [default: 30 seconds]. If a process dies, others wait
    /// for this long.
    #[must_use]
    pub fn lease(mut self, duration: Duration) -> Self {
        self.options.locking.lease = duration.clamp(LockSettings::SHORTEST_LEASE, LockSettings::LONGEST_LEASE);
        self
    }

    /// How long to wait while another process migrates [default: 10 minutes].
    #[must_use]
    pub fn lock_wait(mut self, max_wait: Duration) -> Self {
        self.options.lock_wait = max_wait;
        self
    }

    /// How long a statement may wait for a lock on its table, unless the file specifies a limit [default: 2 seconds for
    /// statements that block traffic, no limit for others].
    #[must_use]
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.options.lock_timeout = Some(limit);
        self
    }

    /// How long a migration may take, unless the file specifies a limit [default: 10 minutes].
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = limit;
        self
    }

    /// What to do about migrations with a lower version than the latest applied one.
    #[must_use]
    pub fn out_of_order(mut self, out_of_order: OutOfOrder) -> Self {
        self.options.out_of_order = Some(out_of_order);
        self
    }

    /// Calls back as things happen.
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.options.observer = Some(Arc::new(observer));
        self
    }

    /// Ends runs when the signal is given; for signals of the operating system.
    #[must_use]
    pub fn stop(mut self, stop: &StopSignal) -> Self {
        self.options.stop = stop.clone();
        self
    }

    /// Limits the scripts of the history that a revert may run to these texts, as [`stored_sql`](Self::stored_sql) returned them;
    /// with an empty list, none runs. A run with another one ends with `stored-sql` before its first step [default: any may
    /// run].
    ///
    /// If the set has no down migration for an applied version, a revert runs the SQL that is stored in `migration_records`. A
    /// user who may write this table can therefore make the user who reverts run any SQL. Without this limit, grant
    /// INSERT, UPDATE and DELETE on the table only to users who may apply migrations.
    #[must_use]
    pub fn only_stored_scripts(mut self, scripts: impl IntoIterator<Item = (MigrationKey, String)>) -> Self {
        self.options.stored_scripts = StoredScripts::Shown(scripts.into_iter().collect());
        self
    }

    /// States what another service has applied in another database, for `requires`: what this run cannot read.
    #[must_use]
    pub fn applied_elsewhere(mut self, service: &str, keys: impl IntoIterator<Item = MigrationKey>) -> Self {
        let keys: Vec<MigrationKey> = keys.into_iter().collect();
        self.options.elsewhere.assume_applied(service, &keys);
        self
    }

    /// States which migrations services have applied in other databases that require others: what this run cannot read. A revert of
    /// what they require is rejected, unless [`dependents`](Self::dependents) says otherwise.
    #[must_use]
    pub fn dependents_elsewhere(mut self, dependents: impl IntoIterator<Item = Dependent>) -> Self {
        self.options.elsewhere.add_dependents(dependents);
        self
    }

    /// What a revert does with migrations that applied migrations of other services require [default: they are not reverted].
    #[must_use]
    pub fn dependents(mut self, dependents: Dependents) -> Self {
        self.options.dependents = dependents;
        self
    }

    async fn open<'c>(&self, database: impl Database<'c>, options: OpenOptions) -> Result<Box<dyn Backend + 'c>, Error> {
        if let Some(invalid) = &self.invalid {
            return Err((**invalid).clone().into());
        }
        database.open(options).await
    }

    fn open_options(&self, create: bool) -> OpenOptions {
        OpenOptions { create, max_wait: self.options.lock_wait, stop: self.options.stop.clone() }
    }

    /// The options for a connection that only reads: a health check must not wait for a writer.
    fn reader_options(&self) -> OpenOptions {
        let max_wait = self.options.lock_wait.min(MAX_READER_WAIT);
        OpenOptions { max_wait, ..self.open_options(false) }
    }

    /// Applies all pending migrations. With nothing to do, that is one query. Of several processes that start at once, one
    /// applies and the others wait for it.
    ///
    /// # Errors
    /// When the database cannot be reached, the lock is not acquired in time, the migration files do not match the history, or
    /// a migration fails. The history is correct in every case, and running again is always safe.
    pub async fn run<'c>(&self, database: impl Database<'c>) -> Result<RunReport, Error> {
        self.run_to(database, &Target::Latest).await
    }

    /// Applies or reverts until the target is reached. A revert runs the SQL that is stored in `migration_records` where the set has
    /// no down migration: who may write that table can make this user run SQL; see
    /// [`only_stored_scripts`](Self::only_stored_scripts).
    ///
    /// # Errors
    /// As [`run`](Self::run); and when the target is an unknown version, or a migration to be reverted has no down migration.
    pub async fn run_to<'c>(&self, database: impl Database<'c>, target: &Target) -> Result<RunReport, Error> {
        let create = target.direction() == Direction::Up;
        let outcome = match self.open(database, self.open_options(create)).await {
            Ok(backend) => engine::run(backend, &self.set, target, &self.options).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &outcome {
            self.options.emit(&Event::Failed { error });
        }
        outcome
    }

    /// Whether a run waits for other processes at all.
    pub(crate) fn waits(&self) -> bool {
        !self.options.lock_wait.is_zero()
    }

    /// Waits until other services have applied what the first step of a plan requires that waits for them, at most as long as for the
    /// lock ([`lock_wait`](Self::lock_wait)). Nothing is locked meanwhile. Creates a SQLite file that does not exist, as a run does,
    /// and writes nothing else.
    ///
    /// # Errors
    /// After that time, when the run is stopped, and when the histories cannot be read. At once if it cannot wait: with a connection
    /// of the application, and with a database in memory, which no other process reaches.
    pub async fn wait_for_required<'c>(&self, database: impl Database<'c>, plan: &Plan<'_>) -> Result<(), Error> {
        let waited = match self.open(database, self.open_options(true)).await {
            Ok(backend) => engine::wait_for_required(backend, &self.set, plan, &self.options).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &waited {
            self.options.emit(&Event::Failed { error });
        }
        waited
    }

    /// Whether everything is applied: one query when it is. For a health endpoint. Reads only.
    ///
    /// # Errors
    /// When the database cannot be reached or the history cannot be read.
    pub async fn is_up_to_date<'c>(&self, database: impl Database<'c>) -> Result<bool, Error> {
        let (mut backend, mut history_sql) = self.open_reader(database).await?;
        let mut currency = summary::currency(&mut *backend, &history_sql, self.set.summary()).await;
        if matches!(currency, Ok(Currency::Unknown)) && history_sql.may_read_elsewhere() {
            self.prepare(&mut *backend, &mut history_sql).await?;
            currency = summary::currency(&mut *backend, &history_sql, self.set.summary()).await;
        }
        let currency = currency.map_err(|error| error.into_history_error("cannot read the history"))?;
        if matches!(currency, Currency::Current | Currency::BesidePartial) || self.set.is_empty() {
            engine::release_clean(backend, &history_sql).await;
            return Ok(true);
        }
        // The database may be ahead, or only comments of a file may have been changed.
        let history = match session::history(&mut *backend, &history_sql, None).await? {
            Some(history) => history,
            // Whether the tables are missing, or cannot be found by this user.
            None => first_run::read_history(&mut *backend, &history_sql, &self.set).await?.history.unwrap_or_default(),
        };
        engine::release_clean(backend, &history_sql).await;
        Ok(!compare(&self.set, &history).iter().any(MigrationStatus::is_unapplied))
    }

    /// Whether exactly the migrations with this summary are applied, in one query: for a program that has not read them yet, and
    /// need not if this is true. False also if more must be asked, such as with `session` statements. Reads only.
    ///
    /// # Errors
    /// When the database cannot be reached or the history cannot be read.
    pub async fn has_applied<'c>(
        database: impl Database<'c>,
        settings: &SetSettings,
        applied: SetSummary,
    ) -> Result<bool, Error> {
        let options = OpenOptions { create: false, max_wait: MAX_READER_WAIT, stop: StopSignal::new() };
        let mut backend = database.open(options).await?;
        let history_sql = engine::history_sql(&*backend, settings)?;
        if !settings.run.session.is_empty() || backend.may_differ_from_new_session() {
            engine::release_clean(backend, &history_sql).await;
            return Ok(false);
        }
        let currency = summary::currency(&mut *backend, &history_sql, applied).await;
        engine::release_clean(backend, &history_sql).await;
        Ok(currency.map_err(|error| error.into_history_error("cannot read the history"))? == Currency::Current)
    }

    /// The state of every migration. Reads only, and creates nothing. For the plan of a revert, use
    /// [`status_for`](Self::status_for).
    ///
    /// # Errors
    /// When the database cannot be reached or the history cannot be read.
    pub async fn status<'c>(&self, database: impl Database<'c>) -> Result<StatusReport, Error> {
        self.status_for(database, Direction::Up).await
    }

    /// The same with what a run in this direction has to know: a revert, which migrations of other services require others.
    ///
    /// # Errors
    /// As [`status`](Self::status).
    pub async fn status_for<'c>(&self, database: impl Database<'c>, direction: Direction) -> Result<StatusReport, Error> {
        let (mut backend, history_sql) = self.open_own_reader(database).await?;
        let recorded = first_run::read_history(&mut *backend, &history_sql, &self.set).await?;
        let others = engine::other_histories(&mut *backend, &history_sql, &self.set, direction, &self.options).await?;
        let has_tables = recorded.history.is_some();
        let history = recorded.history.clone().unwrap_or_default();
        let interrupted = inspect_interrupted(&mut *backend, &history_sql, &history, &self.set).await?;
        let mut neighbors = recorded.neighbors.clone();
        let is_pending = compare(&self.set, &history).iter().any(MigrationStatus::is_unapplied);
        let read_error = |error: BackendError| error.into_history_error("cannot read the history");
        match completeness::completeness(&mut *backend, &history_sql, &recorded).await {
            Ok(completeness) => neighbors.extend(completeness.lost()),
            // Without a pending migration, who may only read the records needs no other table.
            Err(error) if is_pending || !error.lacks_privilege() => return Err(read_error(error)),
            Err(_) => {}
        }
        let summary = match summary::state(&mut *backend, &history_sql, &history).await {
            Ok(summary) => summary,
            Err(error) if error.is_connection_lost() => return Err(read_error(error)),
            // Who may not read it is not told about it: nothing depends on it.
            Err(_) => SummaryState::OfRecords,
        };
        let problems = trust::findings(&mut *backend, &history_sql, Purpose::Writing).await;
        let problems = problems.map_err(|error| error.into_history_error("cannot read the system catalog"))?;
        neighbors.extend(problems);
        let activity = activity(&mut *backend, &history_sql, &history).await?;
        let writers = history_writers::of_records(&mut *backend, &history_sql).await;
        let writers = writers.map_err(|error| error.into_history_error("cannot read the system catalog"))?;
        engine::release_clean(backend, &history_sql).await;
        let policy = self.options.policy(&self.set);
        Ok(StatusReport::new(self.set.clone(), policy, has_tables, history, interrupted, others)
            .with_surroundings(neighbors, activity, writers)
            .with_summary(summary))
    }

    /// A connection to read with. The place of the history may depend on `session`: SQLite attaches files there.
    async fn open_reader<'c>(&self, database: impl Database<'c>) -> Result<(Box<dyn Backend + 'c>, HistorySql), Error> {
        let mut backend = self.open(database, self.reader_options()).await?;
        let mut history_sql = engine::history_sql(&*backend, self.set.settings())?;
        if !self.set.settings().run.session.is_empty() || backend.may_differ_from_new_session() {
            self.prepare(&mut *backend, &mut history_sql).await?;
        }
        Ok((backend, history_sql))
    }

    /// The same, and never with the session of a pool, which the application may have set up.
    async fn open_own_reader<'c>(&self, database: impl Database<'c>) -> Result<(Box<dyn Backend + 'c>, HistorySql), Error> {
        let (mut backend, mut history_sql) = self.open_reader(database).await?;
        if history_sql.may_read_elsewhere() {
            self.prepare(&mut *backend, &mut history_sql).await?;
        }
        Ok((backend, history_sql))
    }

    async fn prepare(&self, backend: &mut dyn Backend, history_sql: &mut HistorySql) -> Result<(), Error> {
        let prepared = backend.prepare(history_sql, &self.set.settings().run.session, self.options.locking).await;
        prepared.map_err(|error| error.into_history_error("cannot prepare the session"))
    }

    /// The scripts that were stored when these versions were applied: what ran. Reads only.
    ///
    /// # Errors
    /// When the database cannot be reached or the history cannot be read.
    pub async fn stored_sql<'c>(
        &self,
        database: impl Database<'c>,
        migrations: &[&MigrationKey],
        direction: Direction,
    ) -> Result<Vec<Option<String>>, Error> {
        let (mut backend, history_sql) = self.open_own_reader(database).await?;
        let mut texts = Vec::with_capacity(migrations.len());
        for migration in migrations {
            let text = session::stored_script(&mut *backend, &history_sql, migration.as_str(), direction).await;
            texts.push(text.map_err(|error| error.into_history_error("cannot read the history"))?);
        }
        engine::release_clean(backend, &history_sql).await;
        Ok(texts)
    }

    /// How the script of each step of a plan runs, in order; `None` for a script that only the history contains. Reads only.
    ///
    /// On MySQL and MariaDB, a script runs statement by statement if it may write a table without transactions, also through a
    /// trigger, a view or a routine: the database is asked for these, as they are now. It is not asked while a process runs
    /// migrations, because the answer would come only when its statement has finished; nor on other databases.
    ///
    /// # Errors
    /// When the database cannot be reached, or its catalog cannot be read.
    pub async fn transaction_modes<'c>(
        &self,
        database: impl Database<'c>,
        plan: &Plan<'_>,
    ) -> Result<Vec<Option<TransactionMode>>, Error> {
        let scripts: Vec<Option<&Script>> = plan.steps.iter().map(Step::file_script).collect();
        let reading = self.set.settings().reading();
        if !table_engines::exist_in(reading.dialect) {
            return Ok(scripts.into_iter().map(|script| script.map(Script::transaction_mode)).collect());
        }
        let (mut backend, history_sql) = self.open_own_reader(database).await?;
        let catalog = match backend.is_locked(&history_sql).await {
            Ok(Some(true)) => TriggerCatalog::default(),
            Err(error) if error.is_connection_lost() => return Err(error.into_history_error("cannot read the lock")),
            // Who may not read the lock is not told about it, as in `status`.
            Ok(_) | Err(_) => trigger_catalog::of_scripts(&mut *backend, scripts.iter().flatten().copied()).await?,
        };
        engine::release_clean(backend, &history_sql).await;
        let reading = reading.with_triggers(&catalog);
        Ok(scripts.into_iter().map(|script| script.map(|script| transaction_mode(script, reading))).collect())
    }

    /// Records how far a partially applied migration got; the next run resumes there.
    ///
    /// # Errors
    /// When the migration is not partially applied, or has fewer statements.
    pub async fn resolve<'c>(
        &self,
        database: impl Database<'c>,
        migration: impl Into<MigrationKey>,
        resolution: Resolution,
    ) -> Result<(), Error> {
        self.change_history(database, Correction::Resolve { key: migration.into(), resolution, expected: None }).await
    }

    /// The same, for a decision that was made about the state of a report: an operator was shown it and confirmed. It is an error
    /// if the record has changed since then.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve), and when the record is not the one of the report.
    pub async fn resolve_as_shown<'c>(
        &self,
        database: impl Database<'c>,
        report: &StatusReport,
        migration: impl Into<MigrationKey>,
        resolution: Resolution,
    ) -> Result<(), Error> {
        let key = migration.into();
        let expected = Some(report.history().get(&key).cloned().map(Box::new));
        self.change_history(database, Correction::Resolve { key, resolution, expected }).await
    }

    /// Accepts the edited file of an applied migration as what ran: stores its checksums and texts, and runs nothing. For an
    /// edit of comments; or of SQL, when the database was changed manually to match the file.
    ///
    /// # Errors
    /// When the migration is not applied, or has no file here.
    pub async fn repair<'c>(&self, database: impl Database<'c>, migration: impl Into<MigrationKey>) -> Result<(), Error> {
        self.change_history(database, Correction::Repair(migration.into())).await
    }

    /// Accepts the records of the history as they are, although the summary counts more applied migrations (`records-lost`):
    /// after the database itself was restored to their state. Runs nothing.
    ///
    /// # Errors
    /// When the database cannot be reached, or the history cannot be read or written.
    pub async fn accept_records<'c>(&self, database: impl Database<'c>) -> Result<(), Error> {
        self.change_history(database, Correction::AcceptRecords).await
    }

    /// Writes the row of this service in `schema_versions` again, if it is not that of the records. Runs nothing.
    ///
    /// # Errors
    /// When the database cannot be reached, or the history cannot be read or written.
    pub async fn repair_summary<'c>(&self, database: impl Database<'c>) -> Result<(), Error> {
        self.change_history(database, Correction::Summary).await
    }

    /// Writes one change of the history under the lock, and runs nothing.
    async fn change_history<'c>(&self, database: impl Database<'c>, correction: Correction) -> Result<(), Error> {
        let mut backend = self.open(database, self.open_options(false)).await?;
        let mut history_sql = engine::history_sql(&*backend, self.set.settings())?;
        let prepared = backend.prepare(&mut history_sql, &self.set.settings().run.session, self.options.locking).await;
        prepared.map_err(|error| error.into_history_error("cannot prepare the session"))?;
        history_sql.set_purpose(Purpose::Writing);
        engine::acquire_lock(&mut *backend, &history_sql, &self.options).await?;
        let outcome = self.correct(&mut *backend, &history_sql, correction).await;
        let state = ConnectionState::of(&engine::release_lock(&mut *backend, &history_sql).await);
        backend.release(state).await;
        outcome
    }

    async fn correct(&self, backend: &mut dyn Backend, history_sql: &HistorySql, correction: Correction) -> Result<(), Error> {
        let read_error = |error: BackendError| error.into_history_error("cannot read the history");
        let write_error = |error: BackendError| error.into_history_error("cannot write the history");
        let mut history = session::history(backend, history_sql, None).await?.unwrap_or_default();
        if matches!(correction, Correction::Resolve { .. }) {
            self.forget_what_had_not_started(backend, history_sql, &history).await?;
            history = session::history(backend, history_sql, None).await?.unwrap_or_default();
        }
        let record = correction.key().and_then(|key| history.get(key));
        let version = record.map_or("", |record| record.key.as_str());
        // Read before the history, so that what another process writes after it is noticed where no lock excludes it.
        let tables = [HistoryTable::Versions, HistoryTable::Records];
        let fingerprint = session::read(backend, history_sql, &tables, &history_sql.select_fingerprint(version)).await;
        let fingerprint = fingerprint.map_err(read_error)?.and_then(session::first);
        let mut history = session::history(backend, history_sql, None).await?.unwrap_or_default();
        session::add_session_changes(backend, history_sql, &mut history).await?;
        let lost;
        let change = match &correction {
            Correction::Resolve { key, expected: Some(expected), .. } if history.get(key) != expected.as_deref() => {
                return Err(cannot_resolve(key, CannotResolve::ChangedSince));
            }
            Correction::Resolve { key, resolution, .. } => {
                let change = history_changes::resolved(&self.set, &history, key, *resolution);
                change.map_err(|reason| cannot_resolve(key, reason))?
            }
            Correction::AcceptRecords => {
                // The summary and the events are read, too.
                backend.create_tables(history_sql).await.map_err(write_error)?;
                let versions = completeness::versions_without_record(backend, history_sql).await;
                lost = versions.map_err(read_error)?;
                history_changes::records_accepted(&history, &lost)
            }
            Correction::Summary => history_changes::summarized(&history),
            Correction::Repair(key) => history_changes::repaired(&self.set, &history, key).ok_or_else(|| cannot_repair(key))?,
        };
        let has_all_tables = completeness::has_all_tables(backend, history_sql).await;
        if !has_all_tables.map_err(read_error)? {
            backend.create_tables(history_sql).await.map_err(write_error)?;
        }
        let Some(fingerprint) = fingerprint else { return backend.write(history_sql, &change).await.map_err(write_error) };
        let expected = Expected { version, fingerprint: &fingerprint };
        match backend.write_if_unchanged(history_sql, &change, expected).await {
            Ok(()) => Ok(()),
            Err(UnitError::HistoryChanged) => Err(match correction {
                Correction::Resolve { key, .. } => cannot_resolve(&key, CannotResolve::ChangedSince),
                Correction::Repair(_) | Correction::AcceptRecords | Correction::Summary => history_changed(),
            }),
            Err(
                UnitError::NotStarted(error)
                | UnitError::RecordFailed(error)
                | UnitError::ConnectionLost(error)
                | UnitError::StatementFailed { error, .. },
            ) => Err(write_error(error)),
        }
    }

    /// `status` shows a migration that had not started as pending.
    async fn forget_what_had_not_started(
        &self,
        backend: &mut dyn Backend,
        history_sql: &HistorySql,
        history: &History,
    ) -> Result<(), Error> {
        let had_not_started = |migration: &&InterruptedMigration| migration.recovered == Some(RecoveredState::NotStarted);
        let interrupted = inspect_interrupted(backend, history_sql, history, &self.set).await?;
        for migration in interrupted.iter().filter(had_not_started) {
            if let Some(change) = history_changes::recovered(history, migration, &self.set) {
                let written = backend.write(history_sql, &change).await;
                written.map_err(|error| error.into_history_error("cannot write the history"))?;
            }
        }
        Ok(())
    }

    /// Waits until the database accepts connections, trying again with growing pauses; for containers that start together.
    ///
    /// # Errors
    /// When the time is over, with the last refusal; and at once when waiting cannot help, such as after a wrong password.
    pub async fn wait_for_database(url: &DatabaseUrl, max_wait: Duration) -> Result<(), Error> {
        require_runtime()?;
        let since = Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            let left = max_wait.saturating_sub(since.elapsed());
            let Err(error) = try_to_connect(url, left).await else { return Ok(()) };
            if !(error.is_temporary() || error.kind() == ErrorKind::NoDatabase)
                || since.elapsed().saturating_add(pause) >= max_wait
            {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }
}

/// Whether a process runs the migrations that are started.
async fn activity(backend: &mut dyn Backend, history_sql: &HistorySql, history: &History) -> Result<Activity, Error> {
    if !history.records().iter().any(|record| record.state.interrupted().is_some()) {
        return Ok(Activity::Unknown);
    }
    let is_locked = backend.is_locked(history_sql).await;
    Ok(match is_locked.map_err(|error| error.into_history_error("cannot read the migration lock"))? {
        Some(true) => Activity::Running,
        Some(false) => Activity::Idle,
        None => Activity::Unknown,
    })
}

/// A change of the history that an operator asks for.
enum Correction {
    Resolve {
        key: MigrationKey,
        resolution: Resolution,
        /// The record that the decision is about, where the operator was shown one.
        expected: Option<Option<Box<Record>>>,
    },
    Repair(MigrationKey),
    AcceptRecords,
    Summary,
}

impl Correction {
    /// The migration that it is about; `None` for the whole history.
    fn key(&self) -> Option<&MigrationKey> {
        match self {
            Correction::Resolve { key, .. } | Correction::Repair(key) => Some(key),
            Correction::AcceptRecords | Correction::Summary => None,
        }
    }
}

fn history_changed() -> Error {
    let message = "another process wrote to the history in the meantime, so nothing was recorded";
    Error::new(ErrorKind::History, &codes::HISTORY, message).help("when that process has ended, run the same command again")
}

fn cannot_repair(version: &MigrationKey) -> Error {
    let message = format!("version {version} is not applied, or there is no migration file for it");
    Error::new(ErrorKind::UnknownVersion, &codes::UNKNOWN_VERSION, message).help("see `cargo migrate status`")
}

fn cannot_resolve(version: &MigrationKey, reason: CannotResolve) -> Error {
    let (message, help) = match reason {
        CannotResolve::Unknown => (
            format!("there is no migration with version {version}"),
            "see `cargo migrate status` for the known versions".to_owned(),
        ),
        CannotResolve::NotPartiallyApplied => {
            (format!("version {version} is not partially applied"), "see `cargo migrate status`".to_owned())
        }
        CannotResolve::ChangedSince => (
            format!("the state of version {version} changed after it was shown, so nothing was recorded"),
            "another process is applying, reverting or resolving this version, or has done so: see `cargo migrate status`"
                .to_owned(),
        ),
        CannotResolve::NoSuchStatement { statements } => (
            format!("version {version} has {}, numbered from 1", count_of(statements, "statement")),
            format!(
                "use the number of a statement that has not run yet, at most {statements}; or mark the migration as applied with `--applied`"
            ),
        ),
        CannotResolve::InsideTransaction { first, next } => (
            format!(
                "the chosen statement of version {version} is in the middle of a transaction, which consists of the statements {first} to {}",
                next - 1
            ),
            format!(
                "a transaction takes effect completely or not at all: to run the transaction, use `--skip-to {first}`; if the transaction has taken effect, use `--skip-to {next}` or a higher number or, if no statement follows, `--applied`"
            ),
        ),
        CannotResolve::AlreadyDone { done } => (
            format!("{} of version {version} {} recorded as done", count_of(done, "statement"), is_are(done)),
            format!("use `--skip-to {}` or a higher number, so that no completed statement runs twice", done + 1),
        ),
    };
    Error::new(ErrorKind::UnknownVersion, &codes::UNKNOWN_VERSION, message).help(help)
}

/// How long a connection that only reads waits for a writer of SQLite.
const MAX_READER_WAIT: Duration = Duration::from_secs(5);

/// One try to connect: a connection that hangs must not outlast the wait.
async fn try_to_connect(url: &DatabaseUrl, left: Duration) -> Result<(), Error> {
    let options = OpenOptions { create: false, max_wait: Duration::from_secs(5), stop: StopSignal::new() };
    match tokio::time::timeout(left.max(Duration::from_millis(100)), url.open(options)).await {
        Ok(Ok(backend)) => {
            backend.release(ConnectionState::Clean).await;
            Ok(())
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(BackendError::own("no answer in time").into_connection_error(&format!("cannot connect to `{url}`"))),
    }
}
/// How a script runs, with the triggers that it may fire.
fn transaction_mode(script: &Script, reading: Reading<'_>) -> TransactionMode {
    match script.transaction_mode() {
        TransactionMode::Wrapped if !plan_script(script, reading, 0).atomic => TransactionMode::None,
        mode => mode,
    }
}
