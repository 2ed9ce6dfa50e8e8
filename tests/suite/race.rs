//! Several processes or tasks at the same time: each migration is applied once, and all runs succeed.

use migrate_runtime::{ErrorKind, Migrator, Target};
use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};
use sqlx::AssertSqlSafe;
use std::time::Duration;

/// 100 migrations; on PostgreSQL, every tenth builds an index concurrently.
fn hundred(kind: Kind) -> TestFolder {
    let folder = TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t (id integer);")]);
    folder.write("migrate.toml", &format!("database = \"{}\"\n", kind.dialect().name()));
    for number in 2..=100 {
        let sql = match kind {
            Kind::Postgres if number % 10 == 0 => format!("CREATE INDEX CONCURRENTLY i{number} ON t (id);"),
            _ => format!("INSERT INTO t VALUES ({number});"),
        };
        folder.write(&format!("migrations/{number:03}_x.up.sql"), &sql);
    }
    folder
}

async fn processes(kind: Kind) {
    let database = TestDatabase::new(kind).await;
    let folder = hundred(kind);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let running: Vec<_> = (0..16)
        .map(|_| {
            binary.command(&["up"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let mut waited = 0;
    for child in running {
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        waited += usize::from(outcome.stderr.contains("held by connection"));
    }
    // Waiting processes report the holder. SQLite has no migration lock.
    assert_eq!(waited > 0, kind != Kind::Sqlite);
    let rows = if kind == Kind::Postgres { "89" } else { "99" };
    assert_eq!(database.value("SELECT count(*) FROM t").await, rows);
    assert_eq!(database.value("SELECT count(*) FROM migration_events WHERE event = 'applied'").await, "100");
    database.drop().await;
}

#[tokio::test]
async fn processes_on_postgres() {
    processes(Kind::Postgres).await;
}

#[tokio::test]
async fn processes_on_mariadb() {
    processes(Kind::MariaDb).await;
}

#[tokio::test]
async fn processes_on_sqlite() {
    processes(Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_over_one_pool() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let set: &'static _ = Box::leak(Box::new(hundred(Kind::Postgres).set(Kind::Postgres.dialect())));
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(4).connect(&database.url).await.unwrap();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move { Migrator::new(set).run(&pool).await.map(|report| report.done.len()) })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await.unwrap().unwrap();
    }
    assert_eq!(done, 100);
    pool.close().await;
    database.drop().await;
}

/// Another process holds the lock during a slow migration.
#[tokio::test]
async fn a_waiting_process_reports_the_holder_and_times_out() {
    for (kind, slow) in [(Kind::Postgres, "SELECT pg_sleep(3600);"), (Kind::MariaDb, "SELECT sleep(3600);")] {
        let database = TestDatabase::new(kind).await;
        let folder = TestFolder::new(&[("001_slow.up.sql", slow)]);
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{}\"\n", kind.dialect().name()));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let mut holder = binary.command(&["up", "-q"]).stderr(std::process::Stdio::null()).spawn().unwrap();
        let set = folder.set(kind.dialect());
        let migrator = Migrator::new(&set).lock_wait(Duration::from_millis(300));
        // The first process acquires the lock before it executes the statement.
        let sleeping = database.until_runs("sleep(3600)").await;
        let error = migrator.run_to(&database.url, &Target::Up(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockNotObtained, "{error}");
        let text = error.report();
        assert!(text.contains("holder: connection") && text.contains("sleep"), "{text}");
        let outcome = binary.run(&["up", "--lock-wait", "200ms"]);
        assert_eq!(outcome.code, 6, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("Waiting"), "{}", outcome.stderr);
        holder.kill().unwrap();
        holder.wait().unwrap();
        // A killed process holds the lock until the server ends its session.
        let end = match kind {
            Kind::Postgres => format!("SELECT pg_terminate_backend({sleeping})"),
            _ => format!("KILL {sleeping}"),
        };
        // `KILL` fails if MariaDB has already ended the session.
        let _ = sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut database.connect().await).await;
        folder.write("migrations/001_slow.up.sql", "SELECT 1;");
        let set = folder.set(kind.dialect());
        Migrator::new(&set).lock_wait(Duration::from_secs(60)).run(&database.url).await.unwrap();
        database.drop().await;
    }
}

/// Six processes run a file statement by statement. On SQLite, which has no migration lock, the history prevents a second
/// start.
#[tokio::test]
async fn a_file_without_a_transaction_is_started_once() {
    for kind in Kind::ALL {
        for _ in 0..3 {
            let database = TestDatabase::new(kind).await;
            let folder = TestFolder::new(&[
                ("001_t.up.sql", "CREATE TABLE t (id integer);"),
                (
                    "002_o.up.sql",
                    "-- migrate: no-transaction\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\nINSERT INTO t VALUES (3);",
                ),
            ]);
            folder.write("migrate.toml", &format!("database = \"{}\"\n", kind.dialect().name()));
            let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
            let spawn = || {
                binary.command(&["up"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
            };
            for child in (0..6).map(|_| spawn()).collect::<Vec<_>>() {
                let outcome = Outcome::of(child.wait_with_output().unwrap());
                assert_eq!(outcome.code, 0, "{}", outcome.stderr);
            }
            assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2", "3"]);
            assert_eq!(database.history().await, ["001|applied|1", "002|applied|3"]);
            database.drop().await;
        }
    }
}

#[tokio::test]
async fn an_invalid_index_is_rebuilt() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (id integer); INSERT INTO t VALUES (1), (1);"),
        ("002_i.up.sql", "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id);"),
    ]);
    let set = folder.set(Kind::Postgres.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap_err();
    let valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass";
    assert_eq!(database.value("SELECT count(*) FROM pg_class WHERE relname = 'i'").await, "0", "nothing remains of the build");
    assert_eq!(database.history().await, ["001|applied|2"]);
    // What an earlier release, or a process that was killed, has left.
    let mut connection = database.connect().await;
    sqlx::raw_sql("CREATE UNIQUE INDEX CONCURRENTLY i ON t (id)").execute(&mut connection).await.unwrap_err();
    drop(connection);
    assert_eq!(database.value(valid).await, "false");
    database.execute("DELETE FROM t").await;
    Migrator::new(&set).run(&database.url).await.unwrap();
    assert_eq!(database.value(valid).await, "true");
    database.drop().await;
}

/// On SQLite, another program writes for longer than the lock wait time.
#[tokio::test]
async fn a_locked_sqlite_file_is_a_lock_that_was_not_acquired() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let folder = TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t (id integer);")]);
    folder.write("migrate.toml", "database = \"sqlite\"\n");
    let mut writer = database.connect().await;
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut writer).await.unwrap();
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = binary.run(&["up", "--lock-wait", "300ms"]);
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
    drop(writer);
    binary.ok(&["up"]);
    database.drop().await;
}

/// Three migrations, of which the second waits for a lock that the test holds on another connection.
async fn blocked_run(kind: Kind) -> (TestDatabase, TestFolder, sqlx::AnyConnection, std::process::Child, Binary) {
    let database = TestDatabase::new(kind).await;
    let mut holder = database.connect().await;
    let (hold, wait) = match kind {
        Kind::Postgres => ("SELECT pg_advisory_lock(7)", "SELECT pg_advisory_lock(7); SELECT pg_advisory_unlock(7)"),
        _ => ("DO GET_LOCK('seven', 10)", "DO GET_LOCK('seven', 3600); DO RELEASE_LOCK('seven')"),
    };
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let folder = TestFolder::new(&[
        ("001_a.up.sql", "CREATE TABLE a (id integer);"),
        ("002_b.up.sql", &format!("{wait}; INSERT INTO a VALUES (2);")),
        ("003_c.up.sql", "INSERT INTO a VALUES (3);"),
    ]);
    folder.write("migrate.toml", &format!("database = \"{}\"\n", kind.dialect().name()));
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let child =
        binary.command(&["up"]).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let running = match kind {
        Kind::Postgres => "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()",
        _ => "SELECT count(*) FROM information_schema.processlist WHERE state = 'User lock' AND db = database()",
    };
    database.until(running, "1").await;
    (database, folder, holder, child, binary)
}

fn signal(child: &std::process::Child) {
    let sent = std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Reads the messages of a process until a line contains a text.
fn read_until(child: &mut std::process::Child, text: &str) {
    use std::io::BufRead;
    let stderr = std::io::BufReader::new(child.stderr.as_mut().unwrap());
    assert!(stderr.lines().any(|line| line.unwrap().contains(text)), "no line with `{text}`");
}

#[tokio::test]
async fn a_signal_stops_the_run_after_the_current_statement() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let (database, _folder, holder, mut child, binary) = blocked_run(kind).await;
        signal(&child);
        read_until(&mut child, "SIGTERM: stopping");
        drop(holder);
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("error[stopped]"), "{}", outcome.stderr);
        assert_eq!(database.history().await.len(), 2, "the statement that was running is completed and recorded");
        // The lock was released.
        binary.ok(&["up", "--lock-wait", "0s"]);
        assert_eq!(database.rows("SELECT id FROM a ORDER BY id").await, ["2", "3"]);
        database.drop().await;
    }
}

#[tokio::test]
async fn a_second_signal_aborts_immediately() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let (database, _folder, holder, mut child, binary) = blocked_run(kind).await;
        signal(&child);
        read_until(&mut child, "SIGTERM: stopping");
        signal(&child);
        assert_eq!(Outcome::of(child.wait_with_output().unwrap()).code, 130);
        drop(holder);
        binary.ok(&["up"]);
        assert_eq!(database.rows("SELECT id FROM a ORDER BY id").await, ["2", "3"]);
        database.drop().await;
    }
}

/// The signal arrives in the pause before a blocked statement is retried. The statement was rolled back at that time.
#[tokio::test]
async fn a_signal_during_the_pause_before_a_retry() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE t (id integer)").await;
        let mut reader = database.connect().await;
        sqlx::raw_sql("BEGIN").execute(&mut reader).await.unwrap();
        sqlx::raw_sql("SELECT * FROM t").execute(&mut reader).await.unwrap();
        let folder = TestFolder::new(&[("001_a.up.sql", "ALTER TABLE t ADD COLUMN a integer;")]);
        folder.write("migrate.toml", &format!("database = \"{}\"\n", kind.dialect().name()));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let mut child = binary.command(&["up", "--lock-timeout", "1s"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
        read_until(&mut child, "Blocked");
        signal(&child);
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("error[stopped]"), "{}", outcome.stderr);
        drop(reader);
        binary.ok(&["up"]);
        database.drop().await;
    }
}

/// `DISCARD ALL` releases the lock and cannot run in a transaction, so the run acquires the lock again after it.
#[tokio::test]
async fn a_discarded_lock_is_acquired_again() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = TestFolder::new(&[
        ("001_d.up.sql", "CREATE TABLE a (id integer);\nDISCARD ALL;\nCREATE TABLE b (id integer);"),
        ("002_c.up.sql", "CREATE TABLE c (id integer);"),
    ]);
    Migrator::new(folder.set(Kind::Postgres.dialect())).run(&database.url).await.unwrap();
    assert_eq!(database.tables().await, ["a", "b", "c"]);
    assert_eq!(database.history().await.len(), 2);
    database.drop().await;
}
