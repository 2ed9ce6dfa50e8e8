//! The lease: the lock for endpoints where session-level locks do not work. Tested behind PgBouncer in transaction mode with a
//! pool of two, and on a Galera cluster of three nodes.

use migrate_runtime::{ErrorKind, LockStrategy, Migrator};
use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder, galera, pgbouncer, until};
use sqlx::Connection;
use std::process::{Child, Stdio};
use tokio::sync::{Mutex, MutexGuard};

/// Tests on the cluster run one at a time: they kill nodes, and the other nodes block meanwhile.
static CLUSTER: Mutex<()> = Mutex::const_new(());

struct Cluster {
    _guard: MutexGuard<'static, ()>,
    urls: Vec<String>,
    pids: Vec<String>,
}

async fn cluster() -> Cluster {
    let guard = CLUSTER.lock().await;
    let (urls, pids) = galera().into_iter().unzip();
    Cluster { _guard: guard, urls, pids }
}

fn folder(kind: Kind, files: &[(&str, &str)]) -> TestFolder {
    folder_with_lease(kind, "3s", files)
}

fn folder_with_lease(kind: Kind, lease: &str, files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(files);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlease = \"{lease}\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    folder
}

fn spawn(binary: &Binary, arguments: &[&str]) -> Child {
    binary.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: &str) {
    let sent = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

const ADVISORY_LOCKS: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

const HOLDER: &str = "SELECT holder FROM migration_locks";

#[tokio::test]
async fn a_pooler_is_detected() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let url = database.through(&pgbouncer());
    let folder = folder(
        Kind::Postgres,
        &[
            ("001_t.up.sql", "SET search_path TO pg_catalog; CREATE TABLE public.t (id integer);"),
            ("002_i.up.sql", "CREATE INDEX CONCURRENTLY i ON t (id);"),
            ("003_c.up.sql", "COPY t FROM stdin;\n1\n2\n\\.\n"),
            ("004_x.up.sql", "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; INSERT INTO t VALUES (3);"),
        ],
    );
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    binary.ok(&["up"]);
    assert_eq!(database.history().await.len(), 4);
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2", "3"]);
    assert_eq!(database.rows("SELECT holder, fence FROM migration_locks").await, ["|1"], "a lease was acquired and released");
    // Settings of the script do not reach other clients that share the server session.
    assert_eq!(database.value(ADVISORY_LOCKS).await, "0");
    let outcome = std::process::Command::new("psql").args(["-XAtc", "SHOW search_path", &url]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&outcome.stdout).trim(), "\"$user\", public");
    binary.ok(&["status", "--check"]);
    binary.ok(&["verify"]);

    // A run over a pool of the application detects the pooler, too.
    let set = folder.set(Kind::Postgres.dialect());
    folder.write("migrations/005_y.up.sql", "INSERT INTO t VALUES (4);");
    let more = folder.set(Kind::Postgres.dialect());
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let options = options.extra_float_digits(None).statement_cache_capacity(0);
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    assert!(Migrator::new(&set).is_up_to_date(&pool).await.unwrap());
    Migrator::new(&more).run(&pool).await.unwrap();
    assert_eq!(database.rows("SELECT holder, fence FROM migration_locks").await, ["|2"]);
    pool.close().await;
    // A direct connection needs no lease.
    folder.write("migrations/006_z.up.sql", "INSERT INTO t VALUES (5);");
    Migrator::new(folder.set(Kind::Postgres.dialect())).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT holder, fence FROM migration_locks").await, ["|2"]);
    database.drop_by_force().await;
}

#[tokio::test]
async fn a_setting_that_a_pooler_would_lose_is_refused() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = folder(
        Kind::Postgres,
        &[
            ("001_t.up.sql", "CREATE TABLE t (id integer);"),
            ("002_i.up.sql", "-- migrate: no-transaction\nSET search_path TO public;\nCREATE INDEX CONCURRENTLY i ON t (id);"),
        ],
    );
    let set = folder.set(Kind::Postgres.dialect());
    let error = Migrator::new(&set).run(&database.through(&pgbouncer())).await.unwrap_err();
    assert_eq!(error.code().name, "needs-session", "{error}");
    assert!(error.report().contains("002_i.up.sql:2:1"), "{error}");
    assert_eq!(database.tables().await, Vec::<String>::new(), "no statement was run");
    Migrator::new(&set).run(&database.url).await.unwrap();
    database.drop_by_force().await;
}

/// Starts 8 processes at the same time. Each migration is applied once, and all processes exit with 0. No lease may expire:
/// a process that a busy machine stops for as long as the lease lasts ends with `lock-lost`.
async fn race(kind: Kind, database: &TestDatabase, urls: &[String]) {
    let folder = folder_with_lease(kind, "2m", &[("001_t.up.sql", "CREATE TABLE t (id integer);")]);
    for number in 2..=30 {
        let sql = match (kind, number % 10) {
            (Kind::Postgres, 0) => format!("CREATE INDEX CONCURRENTLY i{number} ON t (id);"),
            (_, 0) => format!("CREATE INDEX i{number} ON t (id);"),
            _ => format!("INSERT INTO t VALUES ({number});"),
        };
        folder.write(&format!("migrations/{number:03}_x.up.sql"), &sql);
    }
    let spawned = (0..8).map(|number| {
        let url = &urls[number % urls.len()];
        spawn(&Binary::inside(folder.path()).variable("DATABASE_URL", url), &["up", "--lock-wait", "2m"])
    });
    let mut waited = 0;
    for child in spawned.collect::<Vec<_>>() {
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        waited += usize::from(outcome.stderr.contains("its lease expires in"));
    }
    assert!(waited > 0, "waiting processes report the holder");
    assert_eq!(database.value("SELECT count(*) FROM t").await, "26");
    assert_eq!(database.value("SELECT count(*) FROM migration_events WHERE event = 'applied'").await, "30");
    assert_eq!(database.rows(HOLDER).await, [""]);
}

#[tokio::test]
async fn processes_behind_a_pooler() {
    let database = TestDatabase::new(Kind::Postgres).await;
    race(Kind::Postgres, &database, &[database.through(&pgbouncer())]).await;
    database.drop_by_force().await;
}

#[tokio::test]
async fn processes_over_different_nodes() {
    let cluster = cluster().await;
    let database = TestDatabase::on(Kind::MariaDb, Some(cluster.urls[0].clone())).await;
    let urls: Vec<String> = cluster.urls[..2].iter().map(|url| database.through(url)).collect();
    race(Kind::MariaDb, &database, &urls).await;
    database.drop().await;
}

#[tokio::test]
async fn a_lease_can_be_requested() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let folder =
            folder(kind, &[("001_t.up.sql", "CREATE TABLE t (id integer);"), ("002_a.up.sql", "INSERT INTO t VALUES (1);")]);
        let set = folder.set(kind.dialect());
        Migrator::new(&set).lock(LockStrategy::Lease).run(&database.url).await.unwrap();
        assert_eq!(database.rows("SELECT holder, fence FROM migration_locks").await, ["|1"]);
        database.drop().await;
    }
}

/// The holder is suspended while the server executes its statement. No process acquires the lock while the statement runs.
/// Then another process acquires it, and the suspended process writes nothing after it continues.
#[tokio::test]
async fn a_suspended_holder_behind_a_pooler_does_not_write() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let url = database.through(&pgbouncer());
    let folder = folder(
        Kind::Postgres,
        &[
            ("001_t.up.sql", "CREATE TABLE t (id integer);"),
            (
                "002_i.up.sql",
                "CREATE INDEX CONCURRENTLY i ON t (id);\nINSERT INTO t VALUES (1);\nCREATE INDEX CONCURRENTLY j ON t (id);",
            ),
            ("003_b.up.sql", "INSERT INTO t VALUES (2);"),
        ],
    );
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    binary.ok(&["up", "--to", "1"]);
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE t").execute(&mut blocker).await.unwrap();
    let suspended = spawn(&binary, &["up"]);
    database.until("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass", "1").await;
    signal(&suspended, "-STOP");
    database.until("SELECT count(*) FROM migration_locks WHERE expires_at < clock_timestamp()", "1").await;
    let outcome = binary.run(&["up", "--lock-wait", "1s"]);
    assert_eq!(outcome.code, 6, "its statement still runs: {}", outcome.stderr);
    assert!(outcome.stderr.contains("its lease has expired"), "{}", outcome.stderr);
    drop(blocker);
    binary.ok(&["up"]);
    let history = database.history().await;
    assert_eq!(history, ["001|applied|1", "002|applied|3", "003|applied|1"]);
    signal(&suspended, "-CONT");
    let outcome = Outcome::of(suspended.wait_with_output().unwrap());
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error[lock-lost]"), "{}", outcome.stderr);
    assert_eq!(database.history().await, history);
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2"]);
    assert_eq!(database.value("SELECT count(*) FROM pg_index WHERE indrelid = 't'::regclass AND indisvalid").await, "2");
    assert_eq!(database.value("SELECT count(*) FROM migration_events WHERE event = 'applied'").await, "3");
    database.drop_by_force().await;
}

#[tokio::test]
async fn a_suspended_holder_on_a_cluster_does_not_write() {
    let cluster = cluster().await;
    let database = TestDatabase::on(Kind::MariaDb, Some(cluster.urls[0].clone())).await;
    let folder = folder(
        Kind::MariaDb,
        &[
            ("001_t.up.sql", "CREATE TABLE t (id integer);"),
            (
                "002_s.up.sql",
                "INSERT INTO t SELECT SLEEP(2);\nALTER TABLE t ADD COLUMN a integer;\nINSERT INTO t (id) VALUES (1);",
            ),
            ("003_b.up.sql", "INSERT INTO t (id) VALUES (2);"),
        ],
    );
    let at = |node: usize| Binary::inside(folder.path()).variable("DATABASE_URL", &database.through(&cluster.urls[node]));
    at(0).ok(&["up", "--to", "1"]);
    let suspended = spawn(&at(0), &["up"]);
    database.until_runs("SLEEP(2)").await;
    signal(&suspended, "-STOP");
    at(1).ok(&["up"]);
    let history = database.history().await;
    assert_eq!(history, ["001|applied|1", "002|applied|3", "003|applied|1"]);
    signal(&suspended, "-CONT");
    let outcome = Outcome::of(suspended.wait_with_output().unwrap());
    assert_eq!(outcome.code, 6, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error[lock-lost]"), "{}", outcome.stderr);
    assert_eq!(database.history().await, history);
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["0", "1", "2"]);
    database.drop().await;
}

#[tokio::test]
async fn a_node_that_is_killed_during_a_run() {
    let cluster = cluster().await;
    let database = TestDatabase::on(Kind::MariaDb, Some(cluster.urls[0].clone())).await;
    let folder = folder(Kind::MariaDb, &[("001_t.up.sql", "CREATE TABLE t (id integer);")]);
    for number in 2..=200 {
        let sql = match number % 5 {
            0 => format!("ALTER TABLE t ADD COLUMN c{number} integer;"),
            _ => format!("INSERT INTO t (id) VALUES ({number});"),
        };
        folder.write(&format!("migrations/{number:03}_x.up.sql"), &sql);
    }
    let at = |node: usize| Binary::inside(folder.path()).variable("DATABASE_URL", &database.through(&cluster.urls[node]));
    at(0).ok(&["up", "--to", "1"]);
    let running = spawn(&at(2), &["up"]);
    database.until("SELECT count(*) > 10 FROM migration_records", "1").await;
    let killed = std::process::Command::new("kill").args(["-KILL", &cluster.pids[2]]).status().unwrap();
    assert!(killed.success());
    let outcome = Outcome::of(running.wait_with_output().unwrap());
    assert_ne!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error[connection-lost]"), "{}", outcome.stderr);
    // Until the other nodes have given up the killed one, they answer nothing.
    let nodes = async || -> Option<String> {
        let mut connection = sqlx::MySqlConnection::connect(&database.url).await.ok()?;
        let size = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_cluster_size'";
        sqlx::query_scalar(size).fetch_one(&mut connection).await.ok()
    };
    until(async || nodes().await.as_deref() == Some("2")).await.expect("the other two nodes are a cluster");
    at(1).ok(&["up"]);
    assert_eq!(database.value("SELECT count(*) FROM migration_events WHERE event = 'applied'").await, "200");
    assert_eq!(database.value("SELECT count(*) FROM t").await, "159");
    let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 't' AND table_schema = database()";
    assert_eq!(database.value(columns).await, "41");
    database.drop().await;
}

/// The run checks before each statement that it still holds the lock.
#[tokio::test]
async fn a_lock_that_a_script_released_is_detected_before_the_next_statement() {
    for (kind, unlock) in [
        (Kind::Postgres, "SELECT pg_advisory_unlock_all()"),
        (Kind::MariaDb, "DO RELEASE_ALL_LOCKS()"),
        (Kind::MariaDb, "SET SESSION sql_select_limit = 0; DO RELEASE_ALL_LOCKS()"),
    ] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(
            kind,
            &[
                ("001_t.up.sql", "CREATE TABLE t (id integer);"),
                ("002_u.up.sql", &format!("{unlock};\nINSERT INTO t VALUES (1);")),
                ("003_b.up.sql", "INSERT INTO t VALUES (2);"),
            ],
        );
        let error = Migrator::new(folder.set(kind.dialect())).run(&database.url).await.unwrap_err();
        assert_eq!((error.kind(), error.code().name), (ErrorKind::LockLost, "lock-lost"), "{error}");
        // The migration that released the lock is rolled back together with its record.
        assert_eq!(database.rows("SELECT id FROM t").await, Vec::<String>::new(), "{kind:?}");
        assert_eq!(database.history().await.len(), 1);
        database.drop().await;
    }
}

/// Processes with a lease and processes with a session-level lock wait for each other.
#[tokio::test]
async fn a_lease_and_a_session_level_lock_exclude_each_other() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let sleep = if kind == Kind::Postgres { "SELECT pg_sleep(0.2)" } else { "DO SLEEP(0.2)" };
        let text = format!("-- migrate: no-transaction\nINSERT INTO t VALUES (1);\n{sleep};\nINSERT INTO t VALUES (2);\n");
        let folder =
            folder(kind, &[("001_t.up.sql", "CREATE TABLE t (id integer);"), ("002_i.up.sql", &text), ("003_i.up.sql", &text)]);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let strategies = ["session", "lease", "session", "lease", "session", "lease"];
        for child in strategies.map(|strategy| spawn(&binary, &["up", "--lock", strategy])) {
            let outcome = Outcome::of(child.wait_with_output().unwrap());
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        }
        assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "1", "2", "2"], "{kind:?}");
        assert_eq!(database.value("SELECT count(*) FROM migration_events WHERE event = 'applied'").await, "3");
        database.drop().await;
    }
}

/// A transaction that is longer than the lease keeps it: the row is renewed, but not committed yet. A process that connects
/// directly must not take the expired row for a free one.
#[tokio::test]
async fn a_long_transaction_behind_a_pooler_excludes_a_direct_run() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = folder(Kind::Postgres, &[("001_t.up.sql", "CREATE TABLE t (n integer);\nINSERT INTO t VALUES (100);")]);
    let pooled = database.through(&pgbouncer());
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &pooled);
    binary.ok(&["up"]);
    folder.write("migrations/002_u.up.sql", "UPDATE t SET n = n + 10;\nSELECT pg_sleep(6);");
    let mut first = spawn(&binary, &["up"]);
    database
        .until("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(6)%' AND pid <> pg_backend_pid()", "1")
        .await;
    // The lease of 3 s has expired by now, as far as others see.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let direct = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let second = direct.run(&["up"]);
    assert!(first.wait().unwrap().success());
    assert_eq!(second.code, 0, "{}", second.stderr);
    assert_eq!(database.rows("SELECT n FROM t").await, ["110"], "{}", second.stderr);
    database.drop_by_force().await;
}
