//! What applications call: brings a database up to date, and says how it stands.

use crate::backend::{Backend, BackendError};
use crate::backends::{Database, OpenOptions};
use crate::codes;
use crate::engine;
use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::history_change::{Elapsed, HistoryChange, RecordWrite, SchemaVersionRow};
use crate::history_sql::HistorySql;
use crate::recovery::{self, InterruptedMigration};
use crate::report::RunReport;
use crate::run_options::RunOptions;
use crate::stop_signal::StopSignal;
use migrate_model::comparison::{MigrationState, MigrationStatus, compare};
use migrate_model::dialect::Dialect;
use migrate_model::history::{History, Record, RecordState};
use migrate_model::lock_settings::{LockSettings, LockStrategy};
use migrate_model::migration_set::MigrationSet;
use migrate_model::plan::{OtherHistories, Plan, plan};
use migrate_model::policy::{OutOfOrder, Policy};
use migrate_model::target::{Direction, Target};
use migrate_model::version::Version;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Applies and reverts the migrations of a set.
///
/// ```no_run
/// # async fn example(pool: sqlx::SqlitePool) -> Result<(), migrate_runtime::Error> {
/// use migrate_runtime::{MigrationSet, Migrator};
/// # fn migrations() -> &'static MigrationSet { unimplemented!() }
/// // static MIGRATIONS: MigrationSet = migrate_runtime::embed_migrations!();
/// # let migrations = migrations();
/// # #[cfg(any())]
/// let migrations = &MIGRATIONS;
/// let report = Migrator::new(migrations).run(&pool).await?;
/// println!("{} migrations applied", report.done.len());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Migrator<'m> {
    set: &'m MigrationSet,
    options: RunOptions,
}

impl fmt::Debug for Migrator<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrator").field("migrations", &self.set.len()).finish_non_exhaustive()
    }
}

/// What is known about a migration that stopped in the middle, when the tool cannot find out by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// All of it is done.
    MarkApplied,
    /// The statement whose fate was unknown was not carried out: run it again.
    Retry,
    /// Everything before this statement (counted from 1) is done: go on with it.
    SkipTo(usize),
}

impl<'m> Migrator<'m> {
    /// A migrator with the settings of `migrate.toml`: waits 10 minutes for the lock and gives each migration 10 minutes.
    pub fn new(set: &'m MigrationSet) -> Self {
        let contents = set.contents();
        Migrator {
            set,
            options: RunOptions {
                locking: contents.locking,
                lock_wait: Duration::from_secs(600),
                lock_timeout: contents.lock_timeout,
                timeout: contents.timeout.unwrap_or(Duration::from_secs(600)),
                out_of_order: None,
                observer: None,
                stop: StopSignal::default(),
            },
        }
    }

    /// What keeps other processes out, where `migrate.toml` says nothing else: by default a lock of the session, or a lease
    /// where that does not hold (PgBouncer, Galera, CockroachDB and others; they are recognised).
    #[must_use]
    pub fn lock(mut self, kind: LockStrategy) -> Self {
        self.options.locking.strategy = kind;
        self
    }

    /// How long a lease outlives its last renewal; two seconds to a day. A process that dies holds up others for so long.
    #[must_use]
    pub fn lease(mut self, lasts: Duration) -> Self {
        self.options.locking.lease = lasts.clamp(LockSettings::SHORTEST_LEASE, LockSettings::LONGEST_LEASE);
        self
    }

    /// How long to wait while another process migrates.
    #[must_use]
    pub fn lock_wait(mut self, patience: Duration) -> Self {
        self.options.lock_wait = patience;
        self
    }

    /// How long a statement may wait for a lock on its table, where the file says nothing else. By default 2 s for
    /// statements that stop others, and no limit for all others.
    #[must_use]
    pub fn lock_timeout(mut self, limit: Duration) -> Self {
        self.options.lock_timeout = Some(limit);
        self
    }

    /// How long a migration may take, where the file says nothing else.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.options.timeout = limit;
        self
    }

    /// What to do about migrations that are lower than the newest applied one.
    #[must_use]
    pub fn out_of_order(mut self, late: OutOfOrder) -> Self {
        self.options.out_of_order = Some(late);
        self
    }

    /// Calls back as things happen.
    #[must_use]
    pub fn on_event(mut self, observer: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        self.options.observer = Some(Arc::new(observer));
        self
    }

    /// Ends runs when they are asked to stop; for signals.
    #[must_use]
    pub fn stop(mut self, stop: &StopSignal) -> Self {
        self.options.stop = stop.clone();
        self
    }

    fn open_options(&self, create: bool) -> OpenOptions {
        OpenOptions { create, max_wait: self.options.lock_wait }
    }

    /// Applies everything that is not applied yet. With nothing to do, that is one query. Of several processes that start at
    /// once, one applies and the others wait for it.
    ///
    /// # Errors
    /// When the database cannot be reached, the lock is not obtained in time, files and history disagree, or a migration
    /// fails. The history is true in every case, and running again is always right.
    pub async fn run<'c>(&self, database: impl Database<'c>) -> Result<RunReport, Error> {
        self.run_to(database, &Target::Latest).await
    }

    /// Applies or reverts until the target is reached.
    ///
    /// # Errors
    /// As [`run`](Self::run); and when the target is an unknown version, or something to be reverted has no way down.
    pub async fn run_to<'c>(&self, database: impl Database<'c>, target: &Target) -> Result<RunReport, Error> {
        let create = target.direction() == Direction::Up;
        let backend = database.open(self.open_options(create)).await?;
        engine::run(backend, self.set, target, &self.options).await
    }

    /// Is everything applied? One query when it is; for a health endpoint. Reads only.
    ///
    /// # Errors
    /// When the database cannot be reached or the history cannot be read.
    pub async fn is_up_to_date<'c>(&self, database: impl Database<'c>) -> Result<bool, Error> {
        let (mut backend, history_sql) = self.reading(database).await?;
        let digest =
            backend.digest(&history_sql).await.map_err(|failure| failure.into_history_error("cannot read the history"))?;
        let same = digest.is_some_and(|digest| digest == self.set.digest().to_string());
        if same || self.set.is_empty() {
            engine::release_clean(backend).await;
            return Ok(true);
        }
        // The database may be ahead, or a file may have been changed in its comments.
        let history = backend.history(&history_sql, None).await?.unwrap_or_default();
        engine::release_clean(backend).await;
        Ok(compare(self.set, &history).iter().all(|row| {
            !matches!(row.state, MigrationState::Pending | MigrationState::OutOfOrder | MigrationState::PartiallyApplied(_))
        }))
    }

    /// How files and history stand to each other. Reads only, and creates nothing.
    ///
    /// # Errors
    /// When the database cannot be reached or the history cannot be read.
    pub async fn status<'c>(&self, database: impl Database<'c>) -> Result<StatusReport<'m>, Error> {
        let (mut backend, history_sql) = self.reading(database).await?;
        let history = backend.history(&history_sql, None).await?;
        let others = engine::required_histories(&mut *backend, &history_sql, self.set).await?;
        let exists = history.is_some();
        let history = history.unwrap_or_default();
        let settled = recovery::inspect_interrupted(&mut *backend, &history_sql, &history).await?;
        engine::release_clean(backend).await;
        let mut known = history.clone();
        for (record, one) in settled.iter().filter_map(|one| Some((history.get(&one.version)?, one))) {
            known.upsert(one.applied_to(record));
        }
        Ok(StatusReport { set: self.set, policy: self.options.policy(self.set), exists, history, known, settled, others })
    }

    /// A connection to read with. Where the history is may depend on `session`: SQLite attaches files there.
    async fn reading<'c>(&self, database: impl Database<'c>) -> Result<(Box<dyn Backend + 'c>, HistorySql), Error> {
        let mut backend = database.open(self.open_options(false)).await?;
        let mut history_sql = engine::history_sql(&*backend, self.set)?;
        let session = &self.set.contents().session;
        if !session.is_empty() {
            let prepared = backend.prepare(&mut history_sql, session, self.options.locking).await;
            prepared.map_err(|failure| failure.into_history_error("cannot prepare the session"))?;
        }
        Ok((backend, history_sql))
    }

    /// The SQL that was stored when these versions were applied: what ran. Reads only.
    ///
    /// # Errors
    /// When the database cannot be reached or the history cannot be read.
    pub async fn stored_sql<'c>(
        &self,
        database: impl Database<'c>,
        versions: &[&Version],
        direction: Direction,
    ) -> Result<Vec<Option<String>>, Error> {
        let (mut backend, history_sql) = self.reading(database).await?;
        let mut texts = Vec::with_capacity(versions.len());
        for version in versions {
            let text = backend.stored_script(&history_sql, version.as_str(), direction).await;
            texts.push(text.map_err(|failure| failure.into_history_error("cannot read the history"))?);
        }
        engine::release_clean(backend).await;
        Ok(texts)
    }

    /// Says how far a migration came that stopped in the middle; the next run goes on from there.
    ///
    /// # Errors
    /// When that migration is not unfinished, or has fewer statements.
    pub async fn resolve<'c>(&self, database: impl Database<'c>, version: &Version, resolution: Resolution) -> Result<(), Error> {
        self.change_history(database, version, Some(resolution)).await
    }

    /// Takes the file of an applied migration as what ran: its checksums and texts go into the history, and nothing is run.
    /// For an edit of comments; or of SQL, when the database was changed by hand to what the file says now.
    ///
    /// # Errors
    /// When the migration is not applied, or has no file here.
    pub async fn repair<'c>(&self, database: impl Database<'c>, version: &Version) -> Result<(), Error> {
        self.change_history(database, version, None).await
    }

    /// Writes one change of the history under the lock, and runs nothing.
    async fn change_history<'c>(
        &self,
        database: impl Database<'c>,
        version: &Version,
        resolution: Option<Resolution>,
    ) -> Result<(), Error> {
        let mut backend = database.open(self.open_options(false)).await?;
        let mut history_sql = engine::history_sql(&*backend, self.set)?;
        let prepared = backend.prepare(&mut history_sql, &self.set.contents().session, self.options.locking).await;
        prepared.map_err(|failure| failure.into_history_error("cannot prepare the session"))?;
        engine::acquire_lock(&mut *backend, &history_sql, &self.options).await?;
        let history = backend.history(&history_sql, None).await?.unwrap_or_default();
        let change = match resolution {
            Some(resolution) => self.resolving(&history, version, resolution),
            None => self.repairing(&history, version),
        };
        let outcome = match change {
            Ok(change) => backend
                .write(&history_sql, &change)
                .await
                .map_err(|failure| failure.into_history_error("cannot write the history")),
            Err(error) => Err(error),
        };
        let restored = backend.restore_original().await;
        let clean = restored.is_ok() && backend.unlock(&history_sql).await.is_ok();
        backend.release(clean).await;
        outcome
    }

    fn repairing<'h>(&'h self, history: &'h History, version: &Version) -> Result<HistoryChange<'h>, Error> {
        let migration = self.set.get(version);
        let record = history.get(version).filter(|record| record.state == RecordState::Applied);
        let (Some(migration), Some(record)) = (migration, record) else {
            let message = format!("version {version} is not applied, or has no file");
            return Err(
                Error::new(ErrorKind::UnknownVersion, &codes::UNKNOWN_VERSION, message).help("see `cargo migrate status`")
            );
        };
        let mut after = history.clone();
        after.upsert(Record { checksum: migration.up.checksum, ..record.clone() });
        let newest = history.latest_applied().map(|record| (record.version.as_str(), record.name.as_str()));
        let entry = RecordWrite {
            version: record.version.as_str(),
            name: &migration.name,
            phase: migration.phase().map(|phase| phase.name()),
            checksum: migration.up.checksum,
            sql_checksum: migration.up.sql_checksum,
            state: RecordState::Applied,
            direction: Direction::Up,
            statements: migration.up.statements.len(),
            done: migration.up.statements.len(),
            told: true,
            begun: true,
            up: Some(&migration.up.text),
            down: migration.down.as_ref().map(|down| &*down.text),
        };
        Ok(HistoryChange::Repaired(entry, SchemaVersionRow { newest, count: after.applied().count(), digest: after.digest() }))
    }

    fn resolving<'h>(
        &'h self,
        history: &'h History,
        version: &Version,
        resolution: Resolution,
    ) -> Result<HistoryChange<'h>, Error> {
        let wrong = |message: String| Error::new(ErrorKind::UnknownVersion, &codes::UNKNOWN_VERSION, message);
        let record = history.get(version).filter(|record| record.state != RecordState::Applied);
        let record = record.ok_or_else(|| {
            wrong(format!("no migration with version {version} is unfinished")).help("see `cargo migrate status`")
        })?;
        let failed = match record.state {
            RecordState::Reverting | RecordState::RevertFailed => RecordState::RevertFailed,
            _ => RecordState::Failed,
        };
        let version = record.version.as_str();
        let direction = if failed == RecordState::RevertFailed { Direction::Down } else { Direction::Up };
        let migration = self.set.get(&record.version);
        let script = match direction {
            Direction::Up => migration.map(|migration| &migration.up),
            Direction::Down => migration.and_then(|migration| migration.down.as_ref()),
        };
        let changed = script.filter(|script| record.pending_sql.as_deref() != Some(&*script.text));
        let statements = script.map_or(record.statements, |script| script.statements.len());
        let resolved = |done, text| HistoryChange::Resolved { version, state: failed, done, event: "resolved", detail: "", text };
        match resolution {
            Resolution::Retry => Ok(resolved(record.statements_done, None)),
            Resolution::SkipTo(statement) if !(1..=statements).contains(&statement) => {
                let help = format!("name one of 1 to {statements}, or say that all of it is done");
                Err(wrong(format!("version {version} has {statements} statements")).help(help))
            }
            Resolution::SkipTo(statement) if changed.is_none() && statement <= record.statements_done => {
                let message =
                    format!("the first {} statements of version {version} are recorded as done", record.statements_done);
                Err(wrong(message)
                    .help(format!("name one from {} on, so that none of them runs twice", record.statements_done + 1)))
            }
            // Of a file that was edited meanwhile, this says what of it as it is now counts as done.
            Resolution::SkipTo(statement) => Ok(resolved(statement - 1, changed.map(|script| (direction, &*script.text)))),
            Resolution::MarkApplied => Ok(self.mark_applied(history, record, failed)),
        }
    }

    fn mark_applied<'h>(&'h self, history: &'h History, record: &'h Record, failed: RecordState) -> HistoryChange<'h> {
        let migration = self.set.get(&record.version);
        let present = migration.map(|migration| &migration.up).filter(|_| failed == RecordState::Failed);
        let mut after = history.clone();
        let direction = if failed == RecordState::RevertFailed { Direction::Down } else { Direction::Up };
        match direction {
            Direction::Down => after.remove(&record.version),
            Direction::Up => after.upsert(Record {
                state: RecordState::Applied,
                checksum: present.map_or(record.checksum, |up| up.checksum),
                ..record.clone()
            }),
        }
        let entry = RecordWrite {
            version: record.version.as_str(),
            name: &record.name,
            phase: migration.and_then(|migration| migration.phase()).map(|phase| phase.name()),
            // What counts as done is the file as it is now: it may have been corrected.
            checksum: present.map_or(record.checksum, |up| up.checksum),
            sql_checksum: present.map_or(record.sql_checksum, |up| up.sql_checksum),
            state: RecordState::Applied,
            direction,
            statements: record.statements,
            done: record.statements,
            told: true,
            begun: false,
            up: present.map(|up| &*up.text).or(record.pending_sql.as_deref()),
            down: migration.and_then(|migration| migration.down.as_ref()).map(|down| &*down.text),
        };
        let newest = history
            .records()
            .iter()
            .rfind(|other| after.get(&other.version).is_some_and(|one| one.state == RecordState::Applied));
        let summary = SchemaVersionRow {
            newest: newest.map(|record| (record.version.as_str(), record.name.as_str())),
            count: after.applied().count(),
            digest: after.digest(),
        };
        let elapsed = Elapsed::Measured(Duration::ZERO);
        match direction {
            Direction::Up => HistoryChange::Applied(entry, summary, elapsed),
            Direction::Down => HistoryChange::Reverted(entry, summary, elapsed),
        }
    }

    /// Waits until the database accepts connections, trying again with growing pauses; for containers that start together.
    ///
    /// # Errors
    /// When the time is over, with the last refusal; and at once when waiting cannot help (a wrong password, a wrong URL).
    pub async fn wait_for_database(url: &str, patience: Duration) -> Result<(), Error> {
        let until = Instant::now() + patience;
        let mut pause = Duration::from_millis(50);
        let access = OpenOptions { create: false, max_wait: Duration::from_secs(5) };
        loop {
            let error = match url.open_for_wait(access, until).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let refused = std::error::Error::source(&error).and_then(|source| source.downcast_ref::<sqlx::Error>());
            // 57P03: the server is starting up. 3D000 and 1049: the database may be made any moment.
            let hopeless = match refused {
                Some(sqlx::Error::Database(database)) => {
                    let code = database.code().unwrap_or_default().into_owned();
                    !matches!(code.as_str(), "57P03" | "3D000" | "53300" | "42000" | "08004")
                }
                Some(sqlx::Error::Configuration(_) | sqlx::Error::Tls(_)) => true,
                Some(_) => false,
                None => error.kind() != ErrorKind::NoDatabase,
            };
            if hopeless || Instant::now() + pause >= until {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 3 / 2).min(Duration::from_secs(1));
        }
    }
}

/// One try of waiting: a connection that hangs must not outlast the patience.
trait Waiting {
    async fn open_for_wait(&self, access: OpenOptions, until: Instant) -> Result<(), Error>;
}

impl Waiting for str {
    async fn open_for_wait(&self, access: OpenOptions, until: Instant) -> Result<(), Error> {
        use crate::backends::sealed::Open;
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(100));
        match tokio::time::timeout(left, self.open(access)).await {
            Ok(Ok(backend)) => {
                backend.release(true).await;
                Ok(())
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(BackendError::own("no answer in time")
                .into_connection_error(&format!("cannot connect to `{}`", crate::backends::url_without_password(self)))),
        }
    }
}

/// How files and history stand to each other at one moment.
#[derive(Debug, Clone)]
pub struct StatusReport<'m> {
    set: &'m MigrationSet,
    policy: Policy,
    exists: bool,
    history: History,
    /// The history once it is settled what can be: what a run would begin with.
    known: History,
    settled: Vec<InterruptedMigration>,
    others: OtherHistories,
}

impl StatusReport<'_> {
    /// What the database says.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The SQL that the migrations are written in.
    pub fn dialect(&self) -> Dialect {
        self.set.contents().dialect
    }

    /// Are the history tables there?
    pub fn has_tables(&self) -> bool {
        self.exists
    }

    /// One row for each version that the files or the database know.
    pub fn migrations(&self) -> Vec<MigrationStatus<'_>> {
        compare(self.set, &self.history)
    }

    /// The rows that the next run would work on.
    pub fn pending(&self) -> Vec<MigrationStatus<'_>> {
        let waiting = |row: &MigrationStatus<'_>| {
            matches!(row.state, MigrationState::Pending | MigrationState::OutOfOrder | MigrationState::PartiallyApplied(_))
        };
        self.migrations().into_iter().filter(waiting).collect()
    }

    /// Is everything applied?
    pub fn is_up_to_date(&self) -> bool {
        self.pending().is_empty()
    }

    /// What the catalogue says about migrations that stopped at a statement whose fate nobody knows: the version and what
    /// was found.
    pub fn evidence(&self) -> impl Iterator<Item = (&Version, &str)> {
        self.settled.iter().map(|one| (&one.version, one.evidence.as_str()))
    }

    /// The same, once another service has brought its history to these versions: for plans over several services.
    pub fn assume<'v>(&mut self, service: &str, versions: impl IntoIterator<Item = &'v Version>) {
        if let Some(history) = self.others.get_mut(service) {
            versions.into_iter().for_each(|version| history.assume_applied(version));
        }
    }

    /// What a run would do now.
    ///
    /// # Errors
    /// When the target is an unknown version.
    pub fn plan(&self, target: &Target) -> Result<Plan<'_>, Error> {
        plan(self.set, &self.known, &self.others, target, self.policy).map_err(engine::unknown_version)
    }
}
