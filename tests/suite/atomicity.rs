//! What is retried leaves nothing, what remains after a failure is asked, and a half-done migration can be given up.

use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};
use sqlx::{AssertSqlSafe, Connection};

fn folder(kind: Kind, files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(files);
    let database = kind.dialect().name();
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{database}\"\nlint = \"off\"\ndown = \"optional\"\n"));
    folder
}

fn run(database: &TestDatabase, folder: &TestFolder, arguments: &[&str]) -> Outcome {
    Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(arguments)
}

/// A transaction holds a row while `up` runs, and releases it after the first try.
async fn run_beside_a_lock(database: &TestDatabase, folder: &TestFolder, lock: &str) -> Outcome {
    let mut holder = database.connect().await;
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut holder).await.unwrap();
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = tokio::task::spawn_blocking(move || binary.run(&["up"])).await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    holder.close().await.unwrap();
    outcome
}

/// A block that commits is not run again after a lock timeout.
#[tokio::test]
async fn a_block_that_commits_is_not_retried() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 100), (2, 100)").await;
    for (file, text) in [
        (
            "001_a.up.sql",
            "DO $$ BEGIN UPDATE t SET n = n + 10 WHERE id = 1; COMMIT; UPDATE t SET n = n + 10 WHERE id = 2; END $$;",
        ),
        (
            "001_a.up.sql",
            "-- migrate: no-transaction\nCREATE OR REPLACE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET n = n + 10 WHERE id = 1; COMMIT; \
             UPDATE t SET n = n + 10 WHERE id = 2; END $$;\nCALL p();",
        ),
    ] {
        let text = format!("-- migrate: lock-timeout 300ms\n{text}");
        let folder = folder(Kind::Postgres, &[(file, &text)]);
        let outcome = run_beside_a_lock(&database, &folder, "BEGIN; UPDATE t SET n = n WHERE id = 2").await;
        assert_eq!(outcome.code, 7, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("may remain"), "{}", outcome.stderr);
        assert_eq!(database.rows("SELECT n FROM t ORDER BY id").await, ["110", "100"]);
        let again = run(&database, &folder, &["up"]);
        assert!(again.code == 5 && again.stderr.contains("resolve 001"), "{}", again.stderr);
        run(&database, &folder, &["resolve", "--not-applied", "--yes", "001"]);
        database.execute("UPDATE t SET n = 100; DELETE FROM migration_records").await;
    }
    database.drop().await;
}

/// Without `lock-timeout`, a block that runs alone waits for as long as the server allows.
#[tokio::test]
async fn a_block_that_commits_has_no_lock_timeout() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let text = "DO $$ BEGIN ALTER TABLE t ADD COLUMN x text; UPDATE t SET x = current_setting('lock_timeout'); COMMIT; END $$;";
    let folder =
        folder(Kind::Postgres, &[("001_a.up.sql", "CREATE TABLE t (id int); INSERT INTO t VALUES (1);"), ("002_b.up.sql", text)]);
    assert_eq!(run(&database, &folder, &["up"]).code, 0);
    assert_eq!(database.rows("SELECT x FROM t").await, ["0"]);
    database.drop().await;
}

#[tokio::test]
async fn a_failed_concurrent_build_leaves_no_index() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1), (1)").await;
    for sql in [
        "CREATE UNIQUE INDEX CONCURRENTLY i ON t (id);",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON public.t (id);",
        "CREATE UNIQUE INDEX CONCURRENTLY ON t (id);",
    ] {
        let folder = folder(Kind::Postgres, &[("001_a.up.sql", sql)]);
        let outcome = run(&database, &folder, &["up"]);
        assert_eq!(outcome.code, 7, "{sql}: {}", outcome.stderr);
        assert_eq!(database.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid").await, "0", "{sql}");
        assert!(database.history().await.is_empty(), "{sql}: nothing is done, so nothing is recorded");
    }
    database.drop().await;
}

/// An invalid index that another session is building is not taken for ours.
#[tokio::test]
async fn an_invalid_index_is_not_recorded() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE TABLE t (id int); CREATE TABLE u (id int); INSERT INTO t VALUES (1), (1)").await;
    let mut connection = database.connect().await;
    sqlx::raw_sql("CREATE UNIQUE INDEX CONCURRENTLY i ON t (id)").execute(&mut connection).await.unwrap_err();
    drop(connection);
    // The name is taken by an index of another table, so `IF NOT EXISTS` builds nothing.
    let folder = folder(Kind::Postgres, &[("001_a.up.sql", "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (id);")]);
    let outcome = run(&database, &folder, &["up"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(database.value("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass").await, "true");
    database.drop().await;
}

#[tokio::test]
async fn what_remains_of_a_table_without_transactions_is_said() {
    for engine in ["MyISAM", "Aria", "MEMORY"] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let create = format!("CREATE TABLE t (id INT) ENGINE={engine};");
        let folder = folder(
            Kind::MariaDb,
            &[("001_a.up.sql", &create), ("002_b.up.sql", "INSERT INTO t VALUES (1);\nINSERT INTO nope VALUES (1);")],
        );
        let first = run(&database, &folder, &["up"]);
        assert!(first.code == 7 && !first.stderr.contains("no changes made by"), "{engine}: {}", first.stderr);
        assert!(first.stderr.contains("not transactional"), "{engine}: {}", first.stderr);
        let second = run(&database, &folder, &["up"]);
        assert!(second.code == 5 && second.stderr.contains("partially-applied"), "{engine}: {}", second.stderr);
        assert_eq!(database.value("SELECT count(*) FROM t").await, "1", "{engine}");
        database.drop().await;
    }
}

#[tokio::test]
async fn no_transaction_means_no_transaction() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database
        .execute("CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9); CREATE INDEX i ON p (id)")
        .await;
    let text =
        "-- migrate: no-transaction\nREINDEX TABLE p;\nDO $$ BEGIN EXECUTE 'SELECT 1'; COMMIT; END $$;\nDO 'BEGIN COMMIT; END';";
    let folder = folder(Kind::Postgres, &[("001_a.up.sql", text)]);
    let outcome = run(&database, &folder, &["up"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    database.drop().await;
}

/// What failed at its first statement has left nothing and is pending again, in both directions.
#[tokio::test]
async fn a_migration_of_which_nothing_is_done_is_not_recorded() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let files = [
            ("001_a.up.sql", "-- migrate: no-transaction\nCREATE TABLE a (id int);\nCREATE TABLE b (id int);"),
            ("001_a.down.sql", "-- migrate: no-transaction\nDROP TABLE nope;\nDROP TABLE a;"),
            ("002_b.up.sql", "-- migrate: no-transaction\nALTER TABLE nope ADD COLUMN x int;\nCREATE TABLE c (id int);"),
        ];
        let folder = folder(kind, &files);
        assert_eq!(run(&database, &folder, &["up"]).code, 7);
        assert_eq!(database.history().await, ["001|applied|2"], "{kind:?}");
        let outcome = run(&database, &folder, &["down", "--yes"]);
        assert_eq!(outcome.code, 7, "{kind:?}: {}", outcome.stderr);
        assert_eq!(database.history().await, ["001|applied|2"], "{kind:?}");
        folder.write("migrations/001_a.down.sql", "DROP TABLE a;\nDROP TABLE b;");
        assert_eq!(run(&database, &folder, &["down", "--yes"]).code, 0, "{kind:?}");
        assert!(database.tables().await.is_empty(), "{kind:?}");
        database.drop().await;
    }
}

#[tokio::test]
async fn a_half_done_migration_can_be_given_up() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let files = [
            ("001_a.up.sql", "-- migrate: no-transaction\nCREATE TABLE a (id int);\nALTER TABLE nope ADD COLUMN x int;"),
            ("001_a.down.sql", "-- migrate: no-transaction\nDROP TABLE a;\nDROP TABLE nope;"),
        ];
        let folder = folder(kind, &files);
        assert_eq!(run(&database, &folder, &["up"]).code, 7);
        let outcome = run(&database, &folder, &["down", "--yes"]);
        assert!(outcome.stderr.contains("resolve 001 --not-applied"), "{kind:?}: {}", outcome.stderr);
        database.execute("DROP TABLE a").await;
        let outcome = run(&database, &folder, &["resolve", "--not-applied", "--yes", "001"]);
        assert!(outcome.stderr.contains("statement 1 ran: CREATE TABLE a (id int)"), "{kind:?}: {}", outcome.stderr);
        assert!(database.history().await.is_empty(), "{kind:?}");
        // A revert, likewise.
        folder.write("migrations/001_a.up.sql", "CREATE TABLE a (id int);");
        assert_eq!(run(&database, &folder, &["up"]).code, 0, "{kind:?}");
        assert_eq!(run(&database, &folder, &["down", "--yes"]).code, 7, "{kind:?}");
        database.execute("CREATE TABLE a (id int)").await;
        assert_eq!(run(&database, &folder, &["resolve", "--not-applied", "--yes", "001"]).code, 0, "{kind:?}");
        assert_eq!(database.history().await, ["001|applied|1"], "{kind:?}");
        assert_eq!(run(&database, &folder, &["status", "--check"]).code, 0, "{kind:?}");
        assert_eq!(run(&database, &folder, &["up"]).code, 0, "{kind:?}");
        database.drop().await;
    }
}

#[tokio::test]
async fn an_empty_migration_is_reverted_by_an_empty_one() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind, &[("001_a.up.sql", "-- nothing yet\n"), ("001_a.down.sql", "-- nothing yet\n")]);
        folder.write("migrations/migrate.lock", "");
        folder.remove("migrations/migrate.lock");
        let set = folder.set(kind.dialect());
        migrate_runtime::Migrator::new(&set).run(&database.url).await.unwrap();
        migrate_runtime::Migrator::new(&set).run_to(&database.url, &migrate_runtime::Target::Down(1)).await.unwrap();
        assert!(database.history().await.is_empty(), "{kind:?}");
        database.drop().await;
    }
}

/// `LOCK TABLES` is tried again: nothing of its part has run.
#[tokio::test]
async fn lock_tables_is_tried_again() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE t (id INT)").await;
    let text = "-- migrate: lock-timeout 1s\nLOCK TABLES t WRITE;\nINSERT INTO t VALUES (1);\nUNLOCK TABLES;";
    let folder = folder(Kind::MariaDb, &[("001_a.up.sql", text)]);
    let mut holder = database.connect().await;
    sqlx::raw_sql("BEGIN; SELECT * FROM t").execute(&mut holder).await.unwrap();
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let mut child = binary.command(&["up"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // The message of the first failed try.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    assert!(lines.any(|line| line.unwrap().contains("Blocked")), "it is tried again");
    sqlx::raw_sql("ROLLBACK").execute(&mut holder).await.unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(database.value("SELECT count(*) FROM t").await, "1");
    holder.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn limits_without_end_do_not_overflow() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let set = folder(kind, &[("001_a.up.sql", "CREATE TABLE t (id int);")]).set(kind.dialect());
        let forever = std::time::Duration::MAX;
        let migrator = migrate_runtime::Migrator::new(&set).timeout(forever).lock_wait(forever).lock_timeout(forever);
        migrator.run(&database.url).await.unwrap();
        migrate_runtime::Migrator::wait_for_database(&database.url.parse().unwrap(), forever).await.unwrap();
        database.drop().await;
    }
}

/// Limits of `session` and of the file take precedence; a comment is neither.
#[tokio::test]
async fn limits_are_overridden_by_statements_only() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let files = [
        ("001_a.up.sql", "CREATE TABLE o (n text);"),
        (
            "002_b.up.sql",
            "-- no lock_timeout here\nALTER TABLE o ADD COLUMN m text;\nINSERT INTO o VALUES (current_setting('lock_timeout'), current_setting('statement_timeout'));",
        ),
    ];
    let folder = folder(Kind::Postgres, &files);
    let settings = folder.text("migrate.toml");
    folder.write("migrate.toml", &format!("session = \"SET statement_timeout = '77s'\"\n{settings}"));
    assert_eq!(run(&database, &folder, &["up"]).code, 0);
    assert_eq!(database.rows("SELECT n || ' ' || m FROM o").await, ["2s 77s"]);
    database.drop().await;
}

/// Texts that the server cannot store do not prevent the migration from being applied.
#[tokio::test]
async fn texts_that_cannot_be_stored_are_left_out() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let long = format!("CREATE TABLE t (id INT); -- {}\n", "é\\".repeat(1_300_000));
    let down = format!("DROP TABLE t; -- {}\n", "é\\".repeat(1_300_000));
    let folder = folder(Kind::MariaDb, &[("001_a.up.sql", &long), ("001_a.down.sql", &down)]);
    let outcome = run(&database, &folder, &["up"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(database.history().await, ["001|applied|1"]);
    database.drop().await;
    let postgres = TestDatabase::new(Kind::Postgres).await;
    let name = format!("{}_latin", postgres.url.rsplit_once('/').unwrap().1);
    postgres.execute(&format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")).await;
    let url = postgres.url.replace(postgres.url.rsplit_once('/').unwrap().1, &name);
    let folder = self::folder(Kind::Postgres, &[("001_a.up.sql", "-- an arrow: →\nCREATE TABLE t (id int);")]);
    let output = Binary::inside(folder.path()).run(&["up", "-D", &url]);
    assert_eq!(output.code, 0, "{}", output.stderr);
    postgres.execute(&format!("DROP DATABASE {name}")).await;
    postgres.drop().await;
}

/// A file that is removed after its migration failed half-way: `up` says so, and `new` does not give its version out again.
#[tokio::test]
async fn a_half_done_migration_without_a_file_is_not_forgotten() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let second = "-- migrate: no-transaction\nCREATE TABLE b (id int);\nALTER TABLE nope ADD COLUMN x int;";
        let folder = folder(kind, &[("001_a.up.sql", "CREATE TABLE a (id int);"), ("002_b.up.sql", second)]);
        assert_eq!(run(&database, &folder, &["up"]).code, 7);
        folder.remove("migrations/002_b.up.sql");
        let outcome = run(&database, &folder, &["up"]);
        assert_eq!(outcome.code, 0, "{kind:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("partially applied"), "{kind:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("resolve 002 --not-applied"), "{kind:?}: {}", outcome.stderr);
        let outcome = run(&database, &folder, &["new", "create", "c", "table"]);
        assert!(outcome.stderr.contains("003_create_c_table"), "{kind:?}: {}", outcome.stderr);
        database.drop().await;
    }
}
