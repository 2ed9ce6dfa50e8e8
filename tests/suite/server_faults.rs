//! Faults of the server, its disk or its privileges: each causes a clear error and leaves a consistent history.

use migrate_runtime::{LockStrategy, Migrator};
use migrate_tests::{Binary, Kind, Outcome, Servers, TestDatabase, TestFolder, read_only_disk, small_disk, until};
use sqlx::Connection;
use std::path::Path;
use std::process::Stdio;

fn folder(kind: Kind, files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(files);
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{}\"\n", kind.dialect().name()));
    folder
}

const TWO: [(&str, &str); 4] = [
    ("001_t.up.sql", "CREATE TABLE t (id integer);"),
    ("001_t.down.sql", "DROP TABLE t;"),
    ("002_a.up.sql", "INSERT INTO t VALUES (1);"),
    ("002_a.down.sql", "DELETE FROM t;"),
];

/// Runs a command that must fail with an exit code and messages that contain all these texts.
fn fails(binary: &Binary, arguments: &[&str], code: i32, texts: &[&str]) -> Outcome {
    let outcome = binary.run(arguments);
    assert_eq!(outcome.code, code, "{}", outcome.stderr);
    for text in texts {
        assert!(outcome.stderr.contains(text), "no `{text}` in:\n{}", outcome.stderr);
    }
    outcome
}

#[tokio::test]
async fn a_server_that_is_restarted_during_a_run() {
    for (kind, name, sleep) in
        [(Kind::Postgres, "postgres", "SELECT pg_sleep(3600)"), (Kind::MariaDb, "mariadb", "SELECT sleep(3600)")]
    {
        let servers = Servers::start(&[name]);
        let database = TestDatabase::on(kind, Some(servers.url(name).to_owned())).await;
        let folder = folder(kind, &TWO);
        folder.write("migrations/003_s.up.sql", &format!("INSERT INTO t VALUES (3);\n{sleep};"));
        folder.write("migrations/003_s.down.sql", "DELETE FROM t WHERE id = 3;");
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let running = binary.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        database.until_runs("sleep(3600)").await;
        servers.restart(name);
        let outcome = Outcome::of(running.wait_with_output().unwrap());
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("error[connection-lost]"), "{}", outcome.stderr);
        assert_eq!(database.history().await, ["001|applied|1", "002|applied|1"]);
        folder.write("migrations/003_s.up.sql", "INSERT INTO t VALUES (3);");
        binary.ok(&["up"]);
        assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "3"]);
    }
}

#[tokio::test]
async fn a_replica_is_read_but_not_written() {
    let servers = Servers::start(&["postgres", "standby"]);
    let primary = TestDatabase::on(Kind::Postgres, Some(servers.url("postgres").to_owned())).await;
    let folder = folder(Kind::Postgres, &TWO);
    Binary::inside(folder.path()).variable("DATABASE_URL", &primary.url).ok(&["up", "--to", "1"]);
    let url = primary.through(servers.url("standby"));
    let replica = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    // The replica receives changes of the primary with a delay.
    until(async || replica.run(&["status", "--check"]).stdout.contains("applied")).await.unwrap();
    fails(&replica, &["up"], 1, &["read-only", "connect to the primary"]);
    fails(&replica, &["down", "--yes"], 1, &["read-only", "connect to the primary"]);
    assert_eq!(primary.history().await, ["001|applied|1"]);

    let servers = Servers::start(&["mariadb"]);
    let database = TestDatabase::on(Kind::MariaDb, Some(servers.url("mariadb").to_owned())).await;
    let name = database.url.rsplit_once('/').unwrap().1.to_owned();
    database
        .execute(&format!(
            "CREATE USER 'app'@'localhost' IDENTIFIED BY 'secret'; \
             GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON {name}.* TO 'app'@'localhost'; \
             CREATE USER 'app'@'%' IDENTIFIED BY 'secret'; \
             GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX ON {name}.* TO 'app'@'%';"
        ))
        .await;
    let folder = self::folder(Kind::MariaDb, &TWO);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url.replace("migrate:", "app:"));
    binary.ok(&["up", "--to", "1"]);
    database.execute("SET GLOBAL read_only = 1").await;
    binary.ok(&["status"]);
    fails(&binary, &["up"], 1, &["read-only", "connect to the primary"]);
    fails(&binary, &["down", "--yes"], 1, &["read-only", "connect to the primary"]);
    assert_eq!(database.history().await, ["001|applied|1"]);
    database.execute("SET GLOBAL read_only = 0").await;
    binary.ok(&["up"]);
}

#[tokio::test]
async fn a_user_without_ddl_privileges() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = folder(Kind::Postgres, &TWO);
    let admin = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let role = format!("weak_{}", std::process::id());
    database.execute(&format!("REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE {role} LOGIN")).await;
    let weak = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url.replace("postgres@", &format!("{role}@")));
    fails(&weak, &["up"], 1, &["error[history]", "permission denied", "Database privileges"]);
    assert_eq!(database.tables().await, Vec::<String>::new());
    admin.ok(&["up", "--steps", "1"]);
    database
        .execute(&format!(
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role}; REVOKE ALL ON t FROM {role}"
        ))
        .await;
    fails(
        &weak,
        &["up"],
        7,
        &["error[migration-failed]", "permission denied for table t", "002_a.up.sql:1:1", "grant this database user"],
    );
    assert_eq!(database.history().await, ["001|applied|1"]);
    admin.ok(&["up"]);
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    database.drop().await;

    let database = TestDatabase::new(Kind::MariaDb).await;
    let folder = self::folder(Kind::MariaDb, &TWO);
    let name = database.url.rsplit_once('/').unwrap().1.to_owned();
    for host in ["localhost", "%"] {
        database
            .execute(&format!(
                "CREATE USER '{role}'@'{host}' IDENTIFIED BY 'secret'; GRANT SELECT ON {name}.* TO '{role}'@'{host}'"
            ))
            .await;
    }
    let weak = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url.replace("migrate:", &format!("{role}:")));
    fails(&weak, &["up"], 1, &["error[history]", "denied", "Database privileges"]);
    Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).ok(&["up", "--steps", "1"]);
    for host in ["localhost", "%"] {
        for table in ["migration_records", "migration_events", "schema_versions"] {
            database.execute(&format!("GRANT INSERT, UPDATE, DELETE ON {name}.{table} TO '{role}'@'{host}'")).await;
        }
    }
    fails(&weak, &["up"], 7, &["error[migration-failed]", "denied", "002_a.up.sql:1:1", "grant this database user"]);
    assert_eq!(database.history().await, ["001|applied|1"]);
    for host in ["localhost", "%"] {
        database.execute(&format!("DROP USER '{role}'@'{host}'")).await;
    }
    database.drop().await;
}

/// Three databases on a disk of 4 MiB.
#[tokio::test]
async fn a_full_disk() {
    let Some(disk) = small_disk() else {
        eprintln!("not run: no small disk, because the user may not mount one");
        return;
    };
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)\n\
                INSERT INTO big SELECT i, REPEATED FROM n;";
    let sqlite = disk.join("sqlite");
    for (kind, name) in [(Kind::Sqlite, "sqlite"), (Kind::Postgres, "postgres"), (Kind::MariaDb, "mariadb")] {
        let place = disk.join(name);
        std::fs::create_dir_all(&place).unwrap();
        // The servers run under their own accounts.
        std::process::Command::new("chmod").arg("777").arg(&place).status().unwrap();
        let (create, value) = match kind {
            Kind::Postgres => (
                "CREATE TABLE big (i integer, text text) TABLESPACE small; ALTER TABLE big ALTER COLUMN text SET STORAGE EXTERNAL;"
                    .to_owned(),
                "repeat(md5(i::text), 100)",
            ),
            Kind::MariaDb => (
                format!("CREATE TABLE big (i integer, text text) DATA DIRECTORY = '{}';", place.display()),
                "repeat(md5(i), 100)",
            ),
            Kind::Sqlite => ("CREATE TABLE big (i integer, text text);".to_owned(), "hex(randomblob(2000))"),
        };
        let fill = fill.replace("REPEATED", value);
        let fill = if kind == Kind::MariaDb {
            // MariaDB does not support `WITH` before `INSERT`.
            format!(
                "INSERT INTO big WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900) SELECT i, {value} FROM n;\nINSERT INTO big SELECT a.* FROM big a, (SELECT 1 UNION SELECT 2 UNION SELECT 3) b;"
            )
        } else {
            fill
        };
        let database = TestDatabase::new(kind).await;
        let url = match kind {
            Kind::Sqlite => format!("sqlite:{}", sqlite.join("test.db").display()),
            _ => database.url.clone(),
        };
        if kind == Kind::Postgres {
            database.execute(&format!("CREATE TABLESPACE small LOCATION '{}'", owned_by_server(&place))).await;
        }
        let folder = folder(
            kind,
            &[("001_t.up.sql", "CREATE TABLE t (id integer);"), ("002_big.up.sql", &create), ("003_fill.up.sql", &fill)],
        );
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
        let outcome = binary.run(&["up", "--lock-wait", "60s"]);
        assert_eq!(outcome.code, 7, "{kind:?}: {}", outcome.stderr);
        let full = outcome.stderr.contains("full") || outcome.stderr.contains("No space left");
        assert!(full && outcome.stderr.contains("free space"), "{kind:?}: {}", outcome.stderr);
        let status = binary.ok(&["status"]).stdout;
        assert_eq!(status.matches("applied").count(), 2, "{kind:?}: {status}");
        // With less data, the next run resumes.
        folder.write("migrations/003_fill.up.sql", "INSERT INTO big VALUES (1, 'x');");
        binary.ok(&["up"]);
        match kind {
            Kind::Sqlite => std::fs::remove_dir_all(&sqlite).unwrap(),
            Kind::Postgres => {
                database.execute("DROP TABLE big").await;
                database.execute("DROP TABLESPACE small").await;
            }
            Kind::MariaDb => database.execute("DROP TABLE big").await,
        }
        database.drop().await;
    }
}

/// Makes the account of the server the owner of a folder, as PostgreSQL requires for a tablespace.
fn owned_by_server(place: &Path) -> String {
    let _ = std::process::Command::new("chown").arg("postgres:").arg(place).status();
    place.display().to_string()
}

#[tokio::test]
async fn sqlite_on_a_read_only_disk() {
    let Some((writable, read_only)) = read_only_disk() else {
        eprintln!("not run: no read-only disk, because the user may not mount one");
        return;
    };
    let folder = folder(Kind::Sqlite, &TWO);
    let at = |place: &Path, name: &str| {
        Binary::inside(folder.path()).variable("DATABASE_URL", &format!("sqlite:{}", place.join(name).display()))
    };
    let name = format!("test_{}.db", std::process::id());
    at(&writable, &name).ok(&["up", "--to", "1"]);
    let protected = at(&read_only, &name);
    assert!(protected.ok(&["status"]).stdout.contains("applied"));
    protected.ok(&["verify"]);
    fails(&protected, &["up"], 1, &["readonly", "writable"]);
    fails(&protected, &["down", "--yes"], 1, &["readonly", "writable"]);
    fails(&at(&read_only, "new.db"), &["up"], 1, &["cannot connect", "writable"]);
    at(&writable, &name).ok(&["up"]);
}

/// In WAL mode, a reader does not block the run, and does not see its changes.
#[tokio::test]
async fn sqlite_in_wal_mode() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    database.execute("PRAGMA journal_mode = WAL; CREATE TABLE other (id integer)").await;
    let mut reader = database.connect().await;
    sqlx::raw_sql("BEGIN; SELECT * FROM other").execute(&mut reader).await.unwrap();
    let folder = folder(Kind::Sqlite, &TWO);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["up"]);
    binary.ok(&["down", "--all", "--yes"]);
    binary.ok(&["up"]);
    let tables = sqlx::query("SELECT name FROM sqlite_master WHERE name = 't'").fetch_all(&mut reader).await.unwrap();
    assert_eq!(tables.len(), 0);
    reader.close().await.unwrap();
    assert_eq!(database.value("PRAGMA journal_mode").await, "wal");
    database.drop().await;
}

/// Timestamps of the history are far in the future or in the past.
#[tokio::test]
async fn clock_jumps() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind, &TWO);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        binary.ok(&["up", "--to", "1"]);
        database
            .execute("UPDATE migration_records SET started_at = '2099-01-01 00:00:00', applied_at = '1999-01-01 00:00:00'")
            .await;
        database.execute("UPDATE schema_versions SET applied_at = '2099-01-01 00:00:00'").await;
        binary.ok(&["up"]);
        binary.ok(&["verify"]);
        binary.ok(&["status", "--check"]);
        let negative = database.value("SELECT count(*) FROM migration_records WHERE execution_ms < 0").await;
        assert_eq!(negative, "0");
        binary.ok(&["down", "--all", "--yes"]);
        database.drop().await;
    }
    // After a clock jump, an expired lease belongs to its holder until another process acquires it.
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = folder(Kind::Postgres, &TWO);
    folder.write("migrations/003_j.up.sql", "INSERT INTO t VALUES (3);");
    folder.write("migrations/003_j.down.sql", "DELETE FROM t WHERE id = 3;");
    // A file must not change the history; a function can.
    let jump = "CREATE FUNCTION jump() RETURNS void LANGUAGE plpgsql AS \
        $$ BEGIN UPDATE migration_locks SET expires_at = '1999-01-01'; END $$";
    database.execute(jump).await;
    folder.write("migrations/002_a.up.sql", "SELECT jump();");
    let set = folder.set(Kind::Postgres.dialect());
    Migrator::new(&set).lock(LockStrategy::Lease).run(&database.url).await.unwrap();
    assert_eq!(database.history().await.len(), 3);
    database.drop().await;
}

/// What an administrator has set for all sessions of a server decides nothing about the history.
#[tokio::test]
async fn settings_of_a_mariadb_server_hide_no_migration() {
    let servers = Servers::start(&["mariadb"]);
    for (tag, setting) in [
        ("limit", "SET GLOBAL sql_select_limit = 1"),
        ("none", "SET GLOBAL sql_select_limit = 0"),
        ("oracle", "SET GLOBAL sql_mode = 'ORACLE'"),
        ("ansi", "SET GLOBAL sql_mode = 'ANSI,NO_BACKSLASH_ESCAPES'"),
    ] {
        let database = TestDatabase::on(Kind::MariaDb, Some(servers.url("mariadb").to_owned())).await;
        let folder = folder(Kind::MariaDb, &TWO);
        folder.write("migrations/003_b.up.sql", "INSERT INTO t VALUES (3);");
        folder.write("migrations/003_b.down.sql", "DELETE FROM t WHERE id = 3;");
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        binary.ok(&["up"]);
        // In one text, the mode is read before it is set.
        let reset = "SET GLOBAL sql_select_limit = DEFAULT; SET GLOBAL sql_mode = DEFAULT";
        database.execute(setting).await;
        folder.write("migrations/004_d.up.sql", "INSERT INTO t VALUES (4);");
        folder.write("migrations/004_d.down.sql", "DELETE FROM t WHERE id = 4;");
        let status = binary.run(&["status", "--check"]);
        assert_eq!((status.code, status.stdout.matches("pending").count()), (3, 1), "{tag}: {}", status.stdout);
        let pool = sqlx::MySqlPool::connect(&database.url).await.unwrap();
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        assert_eq!(migrator.status(&pool).await.unwrap().migrations().iter().filter(|row| row.is_unapplied()).count(), 1);
        assert_eq!(migrator.run(&pool).await.unwrap().done.len(), 1, "{tag}");
        assert!(migrator.is_up_to_date(&pool).await.unwrap(), "{tag}");
        let mut connection = sqlx::MySqlConnection::connect(&database.url).await.unwrap();
        assert_eq!(migrator.run(&mut connection).await.unwrap().done.len(), 0, "{tag}");
        assert!(binary.ok(&["up"]).stderr.contains("nothing to do"), "{tag}");
        binary.ok(&["down", "--yes"]);
        binary.ok(&["up"]);
        binary.ok(&["verify"]);
        database.execute(reset).await;
        assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "3", "4"], "{tag}");
        drop(connection);
        pool.close().await;
        database.drop().await;
    }
}

/// A pooler sends an error in the name of the server while the server is still at work: what becomes of the transaction is not known.
#[tokio::test]
async fn an_error_of_the_pooler_says_nothing_about_the_transaction() {
    let servers = Servers::start(&["postgres", "pgbouncer"]);
    let database = TestDatabase::on(Kind::Postgres, Some(servers.url("postgres").to_owned())).await;
    let folder = folder(Kind::Postgres, &TWO);
    let url = database.through(servers.url("pgbouncer"));
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    binary.ok(&["up"]);
    let (base, _) = url.rsplit_once('/').unwrap();
    let set_limit = |seconds: u32| {
        let mut console = std::process::Command::new("psql");
        console.args([&format!("{base}/pgbouncer"), "-qc", &format!("SET query_timeout = {seconds}")]);
        assert!(console.status().unwrap().success());
    };
    set_limit(2);
    folder.write("migrations/003_b.up.sql", "CREATE TABLE b (id int);\nSELECT pg_sleep(5);\nINSERT INTO b VALUES (1);");
    folder.write("migrations/003_b.down.sql", "DROP TABLE b;");
    let outcome = binary.run(&["up"]);
    assert!(outcome.stderr.contains("error[connection-lost]"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("no changes"), "{}", outcome.stderr);
    // The server commits.
    database.until("SELECT count(*) FROM pg_class WHERE relname = 'b'", "1").await;
    set_limit(0);
    binary.ok(&["up"]);
    assert_eq!(database.history().await, ["001|applied|1", "002|applied|1", "003|applied|3"]);
    assert_eq!(database.rows("SELECT id FROM b").await, ["1"]);
}
