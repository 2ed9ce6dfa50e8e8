//! What cannot be found out is treated as the worse case, or is an error with words.

use migrate_runtime::{Migrator, StopSignal};
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder, pgbouncer};
use sqlx::Connection;
use std::time::{Duration, Instant};

fn folder(kind: Kind, settings: &str) -> TestFolder {
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (id int);"), ("002_b.up.sql", "INSERT INTO a VALUES (1);")]);
    let database = kind.dialect().name();
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{database}\"\nlint = \"off\"\n{settings}"));
    folder
}

/// A row of the history that a policy hides is not a migration that is pending.
#[tokio::test]
async fn hidden_rows_are_an_error() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = folder(Kind::Postgres, "");
    Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).ok(&["up"]);
    let user = format!("{}_rls", database.url.rsplit_once('/').unwrap().1);
    let tables = "migration_records, schema_versions, migration_events";
    database
        .execute(&format!(
            "CREATE ROLE {user} LOGIN; GRANT ALL ON {tables}, a TO {user}; GRANT CREATE ON SCHEMA public TO {user}; \
             ALTER TABLE migration_records ENABLE ROW LEVEL SECURITY; ALTER TABLE schema_versions ENABLE ROW LEVEL SECURITY"
        ))
        .await;
    let url = database.url.replace("postgres@", &format!("{user}@"));
    for command in [&["status"][..], &["plan"], &["up"]] {
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &url).run(command);
        assert_eq!(outcome.code, 1, "{command:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("row-level security policy"), "{command:?}: {}", outcome.stderr);
    }
    assert!(Migrator::new(folder.set(Kind::Postgres.dialect())).is_up_to_date(&url).await.is_err());
    assert_eq!(database.value("SELECT count(*) FROM a").await, "1", "nothing is applied twice");
    database.execute(&format!("DROP OWNED BY {user}; DROP ROLE {user}")).await;
    database.drop().await;
}

/// Of a lent connection it is unknown whether it goes through a pooler, so the lock is a lease.
#[tokio::test]
async fn a_lent_connection_uses_a_lease() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = folder(Kind::Postgres, "").set(Kind::Postgres.dialect());
    let options: sqlx::postgres::PgConnectOptions = database.through(&pgbouncer()).parse().unwrap();
    let options = options.extra_float_digits(None).statement_cache_capacity(0);
    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
    Migrator::new(&set).run(&mut connection).await.unwrap();
    assert_eq!(database.rows("SELECT holder, fence FROM migration_locks").await, ["|1"]);
    connection.close().await.unwrap();
    database.drop_by_force().await;
}

/// A health check and a stop do not wait for as long as another process writes.
#[tokio::test]
async fn a_writer_of_sqlite_delays_neither_a_health_check_nor_a_stop() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let folder = folder(Kind::Sqlite, "");
    let set = folder.set(Kind::Sqlite.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap();
    let mut writer = database.connect().await;
    sqlx::raw_sql("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").execute(&mut writer).await.unwrap();
    let since = Instant::now();
    let error = Migrator::new(&set).is_up_to_date(&database.url).await.unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(60), "{error}");
    let stop = StopSignal::new();
    folder.write("migrations/003_c.up.sql", "CREATE TABLE c (id int);");
    let migrator = Migrator::new(folder.set(Kind::Sqlite.dialect())).stop(&stop);
    let url = database.url.clone();
    let run = tokio::spawn(async move { migrator.run(&url).await.map(drop) });
    stop.request();
    run.await.unwrap().unwrap_err();
    assert!(since.elapsed() < Duration::from_secs(60));
    sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
    drop(writer);
    database.drop().await;
}

/// A process that waits for the lock fills no log: none of its queries fails.
#[tokio::test]
async fn waiting_causes_no_errors_on_the_server() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = folder(Kind::Postgres, "");
    let slow = TestFolder::new(&[("001_a.up.sql", "SELECT pg_sleep(1.5);")]);
    let slow = slow.set(Kind::Postgres.dialect());
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    let migrator = Migrator::new(&slow).on_event(move |event| {
        if matches!(event, migrate_runtime::Event::Started { .. }) {
            let _ = sender.send(());
        }
    });
    let url = database.url.clone();
    let holder = tokio::spawn(async move { migrator.run(&url).await.map(drop) });
    receiver.recv().await.unwrap();
    let errors = "SELECT xact_rollback::text FROM pg_stat_database WHERE datname = current_database()";
    let before = database.value(errors).await;
    let set = folder.set(Kind::Postgres.dialect());
    Migrator::new(&set).lock_wait(Duration::from_millis(800)).run(&database.url).await.unwrap_err();
    holder.await.unwrap().unwrap();
    // Statistics are sent when a session ends. The first query finds no history: that is the only error.
    let after = database.value(errors).await;
    let count = |text: &str| text.parse::<i64>().unwrap();
    assert!(count(&after) - count(&before) <= 2, "{before} to {after}");
    database.drop().await;
}
