//! What applications and other libraries build on: sets that are read or made at run time, settings in code, everything that
//! migrations can run on, and errors for people and for programs.

use migrate_runtime::{
    Database, DatabaseUrl, Dialect, Error, ErrorKind, Event, HistoryTables, LockStrategy, MigrationSet, Migrator, OutOfOrder,
};
use migrate_tests::{Kind, TestDatabase, TestFolder};
use sqlx::mysql::{MySqlConnectOptions, MySqlPool};
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};
use sqlx::{Connection, PgConnection};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn set(kind: Kind, up: &[&str]) -> MigrationSet {
    let mut builder = MigrationSet::builder("library", kind.dialect());
    for (at, up) in up.iter().enumerate() {
        builder = builder.migration(format!("{:03}", at + 1), "step", *up, None);
    }
    builder.build().unwrap()
}

async fn is_applied<'c>(migrator: &Migrator, database: impl Database<'c>) {
    assert!(migrator.is_up_to_date(database).await.unwrap());
}

/// What a run reports of a migration is what its history says, also where the record is written with the script.
#[tokio::test]
async fn a_migration_has_one_duration() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let slow = match kind {
            Kind::Postgres => "SELECT pg_sleep(0.3)",
            Kind::MariaDb => "SELECT sleep(0.3)",
            Kind::Sqlite => {
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT sum(i) FROM n"
            }
        };
        let outside = match kind {
            Kind::Postgres => "CREATE INDEX CONCURRENTLY i ON t (id)",
            Kind::MariaDb => "CREATE INDEX i ON t (id)",
            Kind::Sqlite => "VACUUM",
        };
        let rows = format!("INSERT INTO t VALUES (1); {slow}; SELECT 7 AS execution_ms");
        let set = set(kind, &["CREATE TABLE t (id integer)", &rows, outside]);
        let migrator = Migrator::new(set);
        let report = migrator.run(&database.url).await.unwrap();
        let status = migrator.status(&database.url).await.unwrap();
        let recorded: Vec<_> = status.migrations().iter().map(|row| row.run().and_then(|run| run.execution_ms)).collect();
        let reported: Vec<_> = report.done.iter().map(|done| u64::try_from(done.took.as_millis()).ok()).collect();
        assert_eq!(reported, recorded, "{kind:?}");
        assert!(reported[1] > Some(10), "{kind:?}: {reported:?}");
        database.drop().await;
    }
}

macro_rules! runs_on_everything {
    ($name:ident, $kind:expr, $pool:ty, $options:ty) => {
        #[tokio::test]
        async fn $name() {
            let database = TestDatabase::new($kind).await;
            let migrator = Migrator::new(set($kind, &["CREATE TABLE t (id int)"]));
            let options: $options = database.url.parse().unwrap();
            // The first makes the database, if it is a file.
            let url: DatabaseUrl = options.clone().into();
            assert_eq!(migrator.run(&url).await.unwrap().done.len(), 1, "{url}");
            assert!(!format!("{url:?} {url}").contains("secret"));
            let pool = <$pool>::connect_with(options.clone()).await.unwrap();
            let shared = Arc::new(pool.clone());
            is_applied(&migrator, &database.url).await;
            is_applied(&migrator, database.url.as_str()).await;
            is_applied(&migrator, &options).await;
            is_applied(&migrator, options).await;
            is_applied(&migrator, &pool).await;
            is_applied(&migrator, pool.clone()).await;
            is_applied(&migrator, &shared).await;
            is_applied(&migrator, Arc::clone(&shared)).await;
            let mut connection = pool.acquire().await.unwrap();
            is_applied(&migrator, &mut connection).await;
            is_applied(&migrator, &mut *connection).await;
            drop(connection);
            // A run would commit it.
            let mut transaction = pool.begin().await.unwrap();
            sqlx::raw_sql("INSERT INTO t VALUES (1)").execute(&mut *transaction).await.unwrap();
            let error = migrator.run(&mut transaction).await.unwrap_err();
            assert_eq!((error.kind(), error.code().name), (ErrorKind::Setting, "in-transaction"), "{error}");
            transaction.rollback().await.unwrap();
            assert_eq!(database.rows("SELECT id FROM t").await, [""; 0]);
            pool.close().await;
            database.drop().await;
        }
    };
}

runs_on_everything!(everything_of_postgres, Kind::Postgres, PgPool, PgConnectOptions);
runs_on_everything!(everything_of_mysql, Kind::MariaDb, MySqlPool, MySqlConnectOptions);
runs_on_everything!(everything_of_sqlite, Kind::Sqlite, SqlitePool, SqliteConnectOptions);

/// A database can be created from options that no URL can express.
#[tokio::test]
async fn databases_from_options() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let url: DatabaseUrl = match kind {
            Kind::Postgres => database.url.parse::<PgConnectOptions>().unwrap().into(),
            _ => database.url.parse::<MySqlConnectOptions>().unwrap().into(),
        };
        assert!(!migrate_runtime::database::create(&url).await.unwrap());
        assert!(migrate_runtime::database::drop(&url).await.unwrap());
        assert!(migrate_runtime::database::create(&url).await.unwrap());
        Migrator::wait_for_database(&url, Duration::from_secs(5)).await.unwrap();
        database.drop().await;
    }
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new().filename(folder.path().join("new.db"));
    let migrator = Migrator::new(set(Kind::Sqlite, &["CREATE TABLE t (id int)"]));
    assert_eq!(migrator.is_up_to_date(&options).await.unwrap_err().kind(), ErrorKind::NoDatabase);
    migrator.run(&options).await.unwrap();
    is_applied(&migrator, &options).await;
}

/// One set in a history for each tenant, each with its own session.
#[tokio::test]
async fn settings_in_code() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE SCHEMA one; CREATE SCHEMA two").await;
    let set = Arc::new(set(Kind::Postgres, &["CREATE TABLE t (id int)"]));
    for tenant in ["one", "two"] {
        let migrator = Migrator::new(&set).history_schema(tenant).session([format!("SET search_path = {tenant}")]);
        assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 1);
        is_applied(&migrator, &database.url).await;
    }
    let tables = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE tablename IN ('t', 'migration_records') ORDER BY 1";
    let expected = ["one.migration_records", "one.t", "two.migration_records", "two.t"];
    assert_eq!(database.rows(tables).await, expected);
    let mut names = HistoryTables::default();
    names.records = "ledger".to_owned();
    let migrator = Migrator::new(&set).history_tables(names).service("other").session(["SET search_path = public"]);
    // The same files in the histories of the tenants: on purpose.
    assert_eq!(migrator.run(&database.url).await.unwrap_err().code().name, "other-service");
    let migrator = migrator.settings(|settings| settings.ignored_histories.push("other-service".to_owned()));
    assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 1);
    assert_eq!(database.rows("SELECT service FROM ledger").await, ["other"]);
    database.drop().await;
}

/// In a session in which a text is invalid, nothing runs.
#[tokio::test]
async fn a_session_that_makes_a_text_invalid() {
    let set = MigrationSet::builder("app", Dialect::MySql).migration("1", "a", "SELECT 'it\\'s'", None).build().unwrap();
    let migrator = Migrator::new(set).session(["SET sql_mode = 'NO_BACKSLASH_ESCAPES'"]);
    let error = migrator.run("mysql://nobody@127.0.0.1:1/x").await.unwrap_err();
    assert_eq!((error.kind(), error.code().name), (ErrorKind::InvalidMigrations, "unterminated"));
}

/// Without locking, a run does not wait for another one.
#[tokio::test]
async fn locking_can_be_disabled() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let (first, second) = (set(kind, &["SELECT 1", "SELECT 1"]), set(kind, &["SELECT 2"]));
        // The first run holds the migration lock until the test lets it go on.
        let (started, has_started) = std::sync::mpsc::channel();
        let (go_on, may_go_on) = std::sync::mpsc::channel();
        let (url, may_go_on) = (database.url.clone(), Mutex::new(may_go_on));
        let hold = std::thread::spawn(move || {
            let migrator = Migrator::new(first).on_event(move |event| {
                if matches!(event, Event::Started { number: 1, .. }) {
                    started.send(()).unwrap();
                    may_go_on.lock().unwrap().recv().unwrap();
                }
            });
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(migrator.run(&url))
        });
        has_started.recv().unwrap();
        let migrator = Migrator::new(second).lock_wait(Duration::from_millis(300));
        let error = migrator.run(&database.url).await.unwrap_err();
        assert!(error.kind() == ErrorKind::LockNotObtained && error.is_temporary(), "{error}");
        migrator.lock(LockStrategy::None).run(&database.url).await.unwrap();
        go_on.send(()).unwrap();
        // Nothing keeps the two apart, as documented.
        hold.join().unwrap().unwrap();
        database.drop().await;
    }
}

/// `Display` is one line that contains the cause once; the report has the rest.
#[tokio::test]
async fn errors_for_people() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let events = Arc::clone(&seen);
    let migrator = Migrator::new(set(Kind::Postgres, &["SELECT 1;\nCREATE TABLE t (id int REFERENCES missing)"]));
    let migrator = migrator.on_event(move |event| {
        if let Event::Failed { error, .. } = event {
            events.lock().unwrap().push(error.to_string());
        }
    });
    let error = migrator.run(&database.url).await.unwrap_err();
    let line = "001_step.up.sql:2:1: `001_step.up.sql` could not be applied: relation \"missing\" does not exist";
    assert_eq!(error.to_string(), line);
    assert_eq!(*seen.lock().unwrap(), [line]);
    let report = error.report();
    assert!(report.contains("2 | CREATE TABLE t") && report.contains("= note: error code of the database: 42P01"), "{report}");
    assert_eq!(format!("{error:?}"), format!("[migration-failed] {report}"));
    assert!(std::error::Error::source(&error).is_none());
    assert!(matches!(error.database_error(), Some(sqlx::Error::Database(_))));
    // What another library prints of a chain of causes contains the cause once.
    let chained: Box<dyn std::error::Error> = Box::new(error);
    assert_eq!(chained.to_string().matches("does not exist").count(), 1);
    database.drop().await;
}

/// The kinds that a program must tell apart, on each database.
#[tokio::test]
async fn errors_for_programs() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let outcome = async |set: MigrationSet, change: fn(Migrator) -> Migrator| -> Error {
            change(Migrator::new(set)).run(&database.url).await.unwrap_err()
        };
        let good = set(kind, &["CREATE TABLE t (id int)"]);
        Migrator::new(good).run(&database.url).await.unwrap();
        let rejected = outcome(set(kind, &["CREATE TABLE t (id int)", "CREATE TABLE t (id int)"]), |migrator| migrator).await;
        assert_eq!((rejected.kind(), rejected.is_temporary()), (ErrorKind::MigrationFailed, false), "{rejected}");
        let gated = "-- migrate: gate SELECT 1 = 2\nCREATE TABLE u (id int)";
        let gated = outcome(set(kind, &["CREATE TABLE t (id int)", gated]), |migrator| migrator).await;
        assert_eq!(gated.kind(), ErrorKind::GateClosed, "{gated}");
        let changed = outcome(set(kind, &["CREATE TABLE other (id int)"]), |migrator| migrator).await;
        assert_eq!(changed.kind(), ErrorKind::HistoryMismatch, "{changed}");
        assert!(changed.to_string().contains("do not match: `001_step.up.sql` was changed"), "{changed}");
        let builder = MigrationSet::builder("library", kind.dialect()).migration("0.5", "late", "SELECT 1", None);
        let late = builder.migration("001", "step", "CREATE TABLE t (id int)", None).build().unwrap();
        let late = outcome(late, |migrator| migrator.out_of_order(OutOfOrder::Error)).await;
        assert_eq!(late.kind(), ErrorKind::OutOfOrder, "{late}");
        let endless = match kind {
            Kind::Postgres => "SELECT pg_sleep(60)",
            Kind::MariaDb => "DO SLEEP(60)",
            Kind::Sqlite => {
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) INSERT INTO t SELECT i FROM n WHERE i < 0"
            }
        };
        let timed_out = outcome(set(kind, &["CREATE TABLE t (id int)", endless]), |m| m.timeout(Duration::from_secs(1))).await;
        assert_eq!(timed_out.kind(), ErrorKind::TimedOut, "{timed_out}");
        database.drop().await;
    }
    let unreachable = Migrator::new(set(Kind::Postgres, &["SELECT 1"])).run("postgres://a@127.0.0.1:1/b").await.unwrap_err();
    assert!(unreachable.kind() == ErrorKind::Connection && unreachable.is_temporary(), "{unreachable}");
    let invalid = Migrator::new(set(Kind::Postgres, &["SELECT 1"])).run("postgres:/x").await.unwrap_err();
    assert!(invalid.kind() == ErrorKind::Setting && !invalid.is_temporary(), "{invalid}");
}

/// A table that stays locked is not the fault of the migration.
#[tokio::test]
async fn a_locked_table_is_told_apart() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE TABLE t (id int)").await;
    let mut reader = PgConnection::connect(&database.url).await.unwrap();
    let mut transaction = reader.begin().await.unwrap();
    sqlx::raw_sql("LOCK TABLE t").execute(&mut *transaction).await.unwrap();
    let set = set(Kind::Postgres, &["ALTER TABLE t ADD COLUMN a int"]);
    let migrator = Migrator::new(set).lock_timeout(Duration::from_millis(50)).timeout(Duration::from_secs(3));
    let error = migrator.run(&database.url).await.unwrap_err();
    assert!(error.kind() == ErrorKind::TableLocked && error.is_temporary(), "{error}");
    transaction.rollback().await.unwrap();
    reader.close().await.unwrap();
    database.drop().await;
}

/// Without a runtime, or without its timers, there is an error and no panic.
#[test]
fn a_runtime_is_needed() {
    let migrator = Migrator::new(set(Kind::Sqlite, &["SELECT 1"]));
    let error = futures_util::FutureExt::now_or_never(migrator.run("sqlite::memory:")).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.code().name), (ErrorKind::NoRuntime, "no-runtime"));
    let without_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let error = without_timers.block_on(migrator.run("sqlite::memory:")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoRuntime);
    let url: DatabaseUrl = "postgres://a@127.0.0.1:1/b".parse().unwrap();
    let create = futures_util::FutureExt::now_or_never(migrate_runtime::database::create(&url)).unwrap().unwrap_err();
    let wait = without_timers.block_on(Migrator::wait_for_database(&url, Duration::from_secs(1))).unwrap_err();
    let without_sockets = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let run = without_sockets.block_on(migrator.run(&url)).unwrap_err();
    assert_eq!([create.kind(), wait.kind(), run.kind()], [ErrorKind::NoRuntime; 3]);
}

/// What the compiler rejects in a file, the library rejects in code.
#[tokio::test]
async fn unusable_settings_in_code() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = Arc::new(set(Kind::Postgres, &["SELECT 1"]));
    for migrator in [Migrator::new(&set).service(""), Migrator::new(&set).history_schema(" ")] {
        let error = migrator.run(&database.url).await.unwrap_err();
        assert_eq!((error.kind(), error.code().name), (ErrorKind::Setting, "unusable-name"), "{error}");
    }
    let pool = PgPool::connect(&database.url).await.unwrap();
    pool.close().await;
    assert!(!Migrator::new(&set).run(&pool).await.unwrap_err().is_temporary());
    database.drop().await;
}

/// A folder that is read at run time is the same set as the one that is embedded.
#[tokio::test]
async fn a_folder_at_run_time() {
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE t (id int);"), ("001_a.down.sql", "DROP TABLE t;")]);
    let missing = MigrationSet::from_dir(folder.path()).unwrap_err();
    let error: Error = missing.into();
    assert_eq!((error.kind(), error.code().name), (ErrorKind::InvalidMigrations, "no-dialect"), "{error}");
    folder.write("migrate.toml", "database = \"sqlite\"\nservice = \"shop\"\n");
    let set = MigrationSet::from_dir(folder.path()).unwrap();
    assert_eq!((set.service(), set.digest()), ("shop", folder.set(Dialect::Sqlite).digest()));
    let database = TestDatabase::new(Kind::Sqlite).await;
    Migrator::new(set).run(&database.url).await.unwrap();
    folder.write("migrations/002_b.up.sql", "SELECT 'open");
    folder.write("migrations/003_c.up.sql", "");
    let error: Error = MigrationSet::from_dir(folder.path()).unwrap_err().into();
    assert!(error.to_string().ends_with("unterminated string (and 1 more error)"), "{error}");
    assert!(error.report().contains("unterminated") && error.report().contains("contains no statement"), "{}", error.report());
    database.drop().await;
}
