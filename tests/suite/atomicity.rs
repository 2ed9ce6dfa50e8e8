//! What is retried leaves nothing, what remains after a failure is asked, and a half-done migration can be given up.

use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};
use sqlx::{AssertSqlSafe, Connection};
use std::process::Stdio;
use std::time::{Duration, Instant};

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

/// A user without `pg_read_all_stats` does not see which index another user is building. That index may be the one that is invalid.
#[tokio::test]
async fn an_index_that_another_user_is_building_is_not_dropped() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let role = format!("owner_{}", std::process::id());
    database
        .execute(&format!(
            "CREATE ROLE {role} LOGIN; GRANT ALL ON SCHEMA public TO {role}; CREATE TABLE t (a int); CREATE TABLE o (a int); \
             ALTER TABLE t OWNER TO {role}"
        ))
        .await;
    let mut snapshot = database.connect().await;
    sqlx::raw_sql("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT * FROM o").execute(&mut snapshot).await.unwrap();
    let mut administrator = database.connect().await;
    let build =
        tokio::spawn(
            async move { sqlx::raw_sql("CREATE INDEX CONCURRENTLY i ON t (a)").execute(&mut administrator).await.map(drop) },
        );
    let oid = "SELECT max(indexrelid)::text FROM pg_index WHERE indrelid = 't'::regclass";
    let started = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase = 'waiting for old snapshots'";
    database.until(started, "1").await;
    let before = database.value(oid).await;
    let text = "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);\nINSERT INTO t VALUES (1);";
    let folder = folder(Kind::Postgres, &[("001_a.up.sql", text)]);
    let url = database.url.replace("postgres@", &format!("{role}@"));
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    let running = binary.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It waits for the other build, as psql does.
    let waits =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'CREATE INDEX%IF NOT EXISTS%'";
    database.until(waits, "1").await;
    sqlx::raw_sql("COMMIT").execute(&mut snapshot).await.unwrap();
    build.await.unwrap().unwrap();
    let outcome = Outcome::of(running.wait_with_output().unwrap());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(database.value(oid).await, before, "{}", outcome.stderr);
    drop(snapshot);
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    database.drop_by_force().await;
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
        assert!(first.stderr.contains("1 of 2 statements is done and recorded"), "{engine}: {}", first.stderr);
        let second = run(&database, &folder, &["up"]);
        assert!(second.code == 7 && second.stderr.contains("1 of 2 statements"), "{engine}: {}", second.stderr);
        folder.write("migrations/002_b.up.sql", "BEGIN; INSERT INTO t VALUES (1);\nINSERT INTO nope VALUES (1); COMMIT;");
        database.execute("DELETE FROM t; DELETE FROM migration_records WHERE version = '002'").await;
        let first = run(&database, &folder, &["up"]);
        assert!(first.code == 7 && first.stderr.contains("not transactional"), "{engine}: {}", first.stderr);
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
    let mut child = binary.command(&["up"]).stderr(Stdio::piped()).spawn().unwrap();
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
        let forever = Duration::MAX;
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
        ("001_a.up.sql", "CREATE TABLE o (n text); INSERT INTO o VALUES ('');"),
        (
            "002_b.up.sql",
            "-- no lock_timeout here\nALTER TABLE o ADD COLUMN m text DEFAULT current_setting('lock_timeout');\nUPDATE o SET n = current_setting('lock_timeout') || ' ' || current_setting('statement_timeout');",
        ),
    ];
    let folder = folder(Kind::Postgres, &files);
    let settings = folder.text("migrate.toml");
    folder.write("migrate.toml", &format!("session = \"SET statement_timeout = '77s'\"\n{settings}"));
    assert_eq!(run(&database, &folder, &["up"]).code, 0);
    assert_eq!(database.rows("SELECT m || ' ' || n FROM o").await, ["2s 0 77s"], "only what blocks traffic has the lock timeout");
    // A directive is about this file, and `session` about all.
    let set = "UPDATE o SET n = current_setting('lock_timeout') || ' ' || current_setting('statement_timeout');";
    let both = "session = [\"SET statement_timeout = '77s'\", \"SET lock_timeout = '8s'\"]";
    folder.write("migrate.toml", &format!("{both}\n{settings}"));
    for (version, header) in [
        ("003", "-- migrate: timeout 90s\n-- migrate: lock-timeout 7s\n"),
        ("004", "-- migrate: no-transaction\n-- migrate: timeout 90s\n"),
        ("005", ""),
    ] {
        folder.write(&format!("migrations/{version}_c.up.sql"), &format!("{header}{set}"));
        assert_eq!(run(&database, &folder, &["up"]).code, 0);
        let expected = match version {
            "003" => "7s 90s",
            "004" => "8s 90s",
            _ => "8s 77s",
        };
        assert_eq!(database.value("SELECT n FROM o").await, expected, "{version}");
    }
    database.drop().await;
    let database = TestDatabase::new(Kind::MariaDb).await;
    let set = "INSERT INTO o VALUES (@@SESSION.lock_wait_timeout);";
    let folder = self::folder(
        Kind::MariaDb,
        &[
            ("001_a.up.sql", "CREATE TABLE o (n int);"),
            ("002_b.up.sql", set),
            ("003_c.up.sql", &format!("-- migrate: lock-timeout 7s\n{set}")),
        ],
    );
    let settings = folder.text("migrate.toml");
    folder.write("migrate.toml", &format!("session = \"SET SESSION lock_wait_timeout = 8\"\n{settings}"));
    assert_eq!(run(&database, &folder, &["up"]).code, 0);
    assert_eq!(database.rows("SELECT n FROM o ORDER BY n DESC").await, ["8", "7"]);
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

/// The rows of a table that is not transactional remain, so the file is not run again after a deadlock or a lock timeout,
/// also of the record itself.
#[tokio::test]
async fn what_remains_of_a_table_without_transactions_is_not_added_again() {
    for (engine, statements, lock, expected) in [
        (
            "MyISAM",
            "BEGIN;\nINSERT INTO m VALUES (1);\nUPDATE t SET n = n + 1 WHERE id = 2;\nCOMMIT;",
            "BEGIN; UPDATE t SET n = n WHERE id = 2",
            "1",
        ),
        // The record comes first.
        ("Aria", "INSERT INTO m VALUES (1);", "BEGIN; SELECT version FROM migration_records FOR UPDATE", "0"),
        (
            "MyISAM",
            "INSERT INTO t SELECT id + 10, n FROM t;\nINSERT INTO m VALUES (1);",
            "BEGIN; SELECT version FROM migration_records FOR UPDATE",
            "0",
        ),
    ] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let first = format!(
            "CREATE TABLE m (a INT) ENGINE={engine};\nCREATE TABLE t (id INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 100), (2, 100);"
        );
        let files = folder(Kind::MariaDb, &[("001_a.up.sql", &first)]);
        assert_eq!(run(&database, &files, &["up"]).code, 0);
        files.write("migrations/002_b.up.sql", statements);
        let settings = files.text("migrate.toml");
        files.write("migrate.toml", &format!("session = \"SET innodb_lock_wait_timeout = 1\"\n{settings}"));
        let outcome = run_beside_a_lock(&database, &files, lock).await;
        assert_eq!(database.value("SELECT count(*) FROM m").await, expected, "{engine} {statements}: {}", outcome.stderr);
        assert!(outcome.code != 0 && !outcome.stderr.contains("no changes made by"), "{statements}: {}", outcome.stderr);
        database.drop().await;
    }
}

/// The server rolls back by itself after a deadlock, and says with that error what it could not undo.
#[tokio::test]
async fn a_deadlock_after_a_table_without_transactions_is_not_retried() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let first = "CREATE TABLE m (a INT) ENGINE=MyISAM;\nCREATE TABLE k (a INT) ENGINE=MyISAM;\nCREATE TABLE t (id INT PRIMARY KEY, n INT);\n\
                 INSERT INTO t VALUES (1, 100), (2, 100);\nCREATE TABLE big (a INT);\nINSERT INTO big SELECT seq FROM seq_1_to_5000;";
    let files = folder(Kind::MariaDb, &[("001_a.up.sql", first)]);
    assert_eq!(run(&database, &files, &["up"]).code, 0);
    let second = "INSERT INTO m VALUES (1);\nUPDATE t SET n = n + 1 WHERE id = 1;";
    let marker = format!("deadlock in {}", database.url.rsplit_once('/').unwrap().1);
    let second = format!("BEGIN;\n{second}\nUPDATE /* {marker} */ t SET n = n + 1 WHERE id = 2;\nCOMMIT;");
    files.write("migrations/002_b.up.sql", &format!("-- migrate: lock-timeout 20s\n{second}"));
    let mut other = database.connect().await;
    // The victim is the transaction that has changed less, if both have changed such a table.
    sqlx::raw_sql("BEGIN; INSERT INTO k VALUES (1); UPDATE big SET a = 0; UPDATE t SET n = n WHERE id = 2")
        .execute(&mut other)
        .await
        .unwrap();
    let binary = Binary::inside(files.path()).variable("DATABASE_URL", &database.url);
    let outcome = tokio::task::spawn_blocking(move || binary.run(&["up"]));
    // The text of a message from this statement on. The statement before it is done.
    let waits = format!(
        "SELECT count(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() \
         AND INFO LIKE '%{marker}%' AND INFO NOT LIKE '%id = 1%'"
    );
    while database.value(&waits).await == "0" {
        tokio::task::yield_now().await;
    }
    sqlx::raw_sql("UPDATE t SET n = n WHERE id = 1").execute(&mut other).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&mut other).await.unwrap();
    let outcome = outcome.await.unwrap();
    assert_eq!(database.value("SELECT count(*) FROM m").await, "1", "{}", outcome.stderr);
    assert!(outcome.code == 7 && outcome.stderr.contains("1213"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("not transactional"), "{}", outcome.stderr);
    other.close().await.unwrap();
    database.drop().await;
}

/// A variable that the first try has changed would be another one in the second.
#[tokio::test]
async fn what_changes_its_session_is_not_retried() {
    for (statements, expected) in [
        ("SET @x = COALESCE(@x, 0) + 1;\nINSERT INTO u VALUES (@x);\nUPDATE t SET n = n + 1 WHERE id = 2;", 7),
        ("INSERT INTO u SELECT (@x := COALESCE(@x, 0) + 1);\nUPDATE t SET n = n + 1 WHERE id = 2;", 7),
        ("INSERT INTO u VALUES (SETVAL(s, NEXTVAL(s) + 10));\nUPDATE t SET n = n + 1 WHERE id = 2;", 7),
    ] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let first = "CREATE TABLE u (a INT);\nCREATE SEQUENCE s;\nCREATE TABLE t (id INT PRIMARY KEY, n INT);\nINSERT INTO t VALUES (1, 100), (2, 100);";
        let files = folder(Kind::MariaDb, &[("001_a.up.sql", first)]);
        assert_eq!(run(&database, &files, &["up"]).code, 0);
        files.write("migrations/002_b.up.sql", &format!("-- migrate: lock-timeout 1s\n{statements}"));
        let outcome = run_beside_a_lock(&database, &files, "BEGIN; UPDATE t SET n = n WHERE id = 2").await;
        assert!(outcome.code == expected && !outcome.stderr.contains("Blocked"), "{statements}: {}", outcome.stderr);
        assert_eq!(database.value("SELECT count(*) FROM u").await, "0", "{statements}");
        database.drop().await;
    }
}

/// A failed `CREATE OR REPLACE TABLE ... SELECT` has dropped the old table, and that is said.
#[tokio::test]
async fn a_table_that_a_failed_statement_has_replaced_is_not_said_to_remain() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database
        .execute("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2); CREATE TABLE s (a INT); INSERT INTO s VALUES (1), (1)")
        .await;
    for (sql, remains, tables) in [
        ("CREATE TABLE u (a INT PRIMARY KEY) AS SELECT a FROM s;", "no changes remain", "2"),
        ("CREATE TABLE t AS SELECT a FROM s;", "no changes remain", "2"),
        ("CREATE OR REPLACE TABLE t AS SELECT nope FROM s;", "no changes remain", "2"),
        ("CREATE OR REPLACE TABLE t (a INT PRIMARY KEY) AS SELECT a FROM s;", "its rows are lost", "1"),
    ] {
        let files = folder(Kind::MariaDb, &[("001_a.up.sql", sql)]);
        let outcome = run(&database, &files, &["up"]);
        assert!(outcome.code == 7 && outcome.stderr.contains(remains), "{sql}: {}", outcome.stderr);
        assert!(remains == "no changes remain" || !outcome.stderr.contains("no changes remain"), "{sql}: {}", outcome.stderr);
        let count =
            "SELECT count(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN ('s', 't', 'u')";
        assert_eq!(database.value(count).await, tables, "{sql}");
    }
    database.drop().await;
}

/// The clock of a script is not that of the history.
#[tokio::test]
async fn a_time_that_a_script_sets_is_not_that_of_the_history() {
    for lock in ["", "lock = \"lease\"\n"] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let text = "SET @@timestamp = 1;\nSET time_zone = '+05:00';\nCREATE TABLE t (a DATETIME);\nINSERT INTO t VALUES (NOW());\nCREATE TABLE u (a INT);";
        let files = folder(Kind::MariaDb, &[("001_a.up.sql", text)]);
        let settings = files.text("migrate.toml");
        files.write("migrate.toml", &format!("{lock}{settings}"));
        let outcome = run(&database, &files, &["up"]);
        assert_eq!(outcome.code, 0, "{lock}: {}", outcome.stderr);
        assert_eq!(database.value("SELECT CAST(YEAR(a) AS CHAR) FROM t").await, "1970");
        let age = "SELECT CAST(ABS(TIMESTAMPDIFF(SECOND, applied_at, UTC_TIMESTAMP())) < 600 AS CHAR) FROM migration_records";
        assert_eq!(database.value(age).await, "1", "{lock}");
        database.drop().await;
    }
}

/// A block that commits is known as one, however its language and its body are written.
#[tokio::test]
async fn blocks_that_commit_are_known_in_any_form() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let files = [
        ("001_a.up.sql", "DO LANGUAGE 'plpgsql' $$ BEGIN COMMIT; END $$;"),
        ("002_b.up.sql", "DO LANGUAGE \"plpgsql\" 'BEGIN COMMIT; END';"),
        ("003_c.up.sql", "DO $$ BEGIN COMMIT; END $$ LANGUAGE 'plpgsql';"),
        ("004_d.up.sql", "DO E'BEGIN\\nCOMMIT; END' LANGUAGE plpgsql;"),
    ];
    let outcome = run(&database, &folder(Kind::Postgres, &files), &["up"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    database.drop().await;
}

/// A statement that works in several transactions is continued by the next run, and what it has left is said.
#[tokio::test]
async fn what_a_concurrent_statement_has_left_is_continued() {
    for (sql, said, left) in [
        (
            "ALTER TABLE p DETACH PARTITION p1 CONCURRENTLY;",
            "the detach of partition `p1` is pending",
            "SELECT count(*) FROM pg_inherits WHERE inhrelid = 'p1'::regclass",
        ),
        ("DROP INDEX CONCURRENTLY i;", "index `i` is invalid", "SELECT count(*) FROM pg_class WHERE relname = 'i'"),
        ("REINDEX TABLE CONCURRENTLY t;", "invalid indexes remain", "SELECT count(*) FROM pg_index WHERE NOT indisvalid"),
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        database
            .execute(
                "CREATE TABLE t (a int); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1); CREATE TABLE p (a int) \
                 PARTITION BY RANGE (a); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (9)",
            )
            .await;
        let files = folder(Kind::Postgres, &[("001_a.up.sql", &format!("-- migrate: timeout 2s\n{sql}"))]);
        // A reader, for whose end the statement waits.
        let outcome = run_beside_a_lock(&database, &files, "BEGIN; SELECT * FROM t; SELECT * FROM p").await;
        assert!(outcome.code == 7 && outcome.stderr.contains(said), "{sql}: {}", outcome.stderr);
        let again = run(&database, &files, &["up"]);
        assert_eq!(again.code, 0, "{sql}: {}", again.stderr);
        assert_eq!(database.value(left).await, "0", "{sql}");
        database.drop().await;
    }
}

/// The server has executed nothing of a statement that it cannot parse, whatever the statement is: the corrected file resumes there.
#[tokio::test]
async fn nothing_remains_of_a_statement_that_cannot_be_parsed() {
    for (kind, wrong, right) in [
        (Kind::Postgres, "ALTR TABLE t ADD b int", "ALTER TABLE t ADD b int"),
        (Kind::Postgres, "vacum t", "VACUUM t"),
        (Kind::Postgres, "DO $$ BEGIN selec 1; END $$", "DO $$ BEGIN PERFORM 1; END $$"),
        (Kind::MariaDb, "ALTR TABLE t ADD b int", "ALTER TABLE t ADD b int"),
        (Kind::MariaDb, "optimise TABLE t", "OPTIMIZE TABLE t"),
        (Kind::MariaDb, "UPDATE t SETT a = 1", "UPDATE t SET a = 1"),
    ] {
        let database = TestDatabase::new(kind).await;
        let name = kind.dialect().name();
        let file = |statement: &str| format!("-- migrate: no-transaction\nCREATE TABLE t (a int);\n{statement};\n");
        let folder = TestFolder::new(&[("001_a.up.sql", &file(wrong))]);
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{name}\"\nlint = \"off\"\n"));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let outcome = binary.run(&["up"]);
        assert!(outcome.code == 7 && outcome.stderr.contains("resumes at statement 2"), "{wrong}: {}", outcome.stderr);
        folder.write("migrations/001_a.up.sql", &file(right));
        binary.ok(&["up"]);
        database.drop().await;
    }
    // The statement before the one that the procedure builds is done.
    for (kind, procedure) in [
        (Kind::Postgres, "LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; EXECUTE 'selec 1'; END $$"),
        (Kind::MariaDb, "BEGIN INSERT INTO t VALUES (1); EXECUTE IMMEDIATE 'selec 1'; END"),
    ] {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE t (a int)").await;
        database.execute(&format!("CREATE PROCEDURE p() {procedure}")).await;
        let folder = TestFolder::new(&[("001_a.up.sql", "-- migrate: no-transaction\nCREATE TABLE u (a int);\nCALL p();\n")]);
        let name = kind.dialect().name();
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{name}\"\nlint = \"off\"\n"));
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
        assert!(outcome.stderr.contains("some changes of statement 2 may remain"), "{kind:?}: {}", outcome.stderr);
        database.drop().await;
    }
}

/// The sentence about a rollback says what it does not undo, and keeps quiet where there is nothing.
#[tokio::test]
async fn what_a_rollback_does_not_undo_is_said() {
    let plain = "no changes made by `001_a.up.sql` remain";
    for (kind, text, expected) in [
        (Kind::Postgres, "INSERT INTO t VALUES (1);", plain),
        (Kind::Postgres, "SELECT pg_notify('a', 'b');", plain),
        (Kind::Postgres, "SELECT setval('s', 50);", "a rollback does not undo `setval` (statement 1)"),
        (Kind::Postgres, "DO $$ BEGIN PERFORM nextval('s'); END $$;", "a rollback does not undo `nextval` (statement 1)"),
        (Kind::Postgres, "COPY t TO PROGRAM 'cat > /dev/null';", "a rollback does not undo `COPY ... TO PROGRAM` (statement 1)"),
        (Kind::Postgres, "SELECT pg_advisory_lock(1);", "a rollback does not undo `pg_advisory_lock` (statement 1)"),
        (Kind::Postgres, "SELECT hides();", "statement 1 runs code whose text is not known"),
        (Kind::MariaDb, "INSERT INTO t VALUES (1);", plain),
        (Kind::MariaDb, "DO SETVAL(s, 50);", "a rollback does not undo `setval` (statement 1)"),
        (Kind::MariaDb, "INSERT INTO t VALUES (NEXT VALUE FOR s);", "a rollback does not undo `NEXT VALUE` (statement 1)"),
        (Kind::MariaDb, "DO hides();", "statement 1 runs code whose text is not known"),
        (Kind::Sqlite, "INSERT INTO t VALUES (1);", plain),
    ] {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE t (a int)").await;
        if kind != Kind::Sqlite {
            database.execute("CREATE SEQUENCE s").await;
        }
        match kind {
            Kind::Postgres => {
                database.execute("CREATE FUNCTION hides() RETURNS bigint LANGUAGE sql AS $$ SELECT setval('s', 9) $$").await;
            }
            Kind::MariaDb => database.execute("CREATE FUNCTION hides() RETURNS int RETURN SETVAL(s, 9)").await,
            Kind::Sqlite => {}
        }
        let folder = TestFolder::new(&[("001_a.up.sql", &format!("{text}\nINSERT INTO missing VALUES (1);"))]);
        let name = kind.dialect().name();
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{name}\"\nlint = \"off\"\n"));
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
        assert!(outcome.code == 7 && outcome.stderr.contains(expected), "{text}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.contains("no changes made by"), expected == plain, "{text}: {}", outcome.stderr);
        database.drop().await;
    }
}

/// What a rollback does not undo would happen again in the second try, also where only a trigger or a default value does it.
#[tokio::test]
async fn what_a_rollback_does_not_undo_is_not_retried() {
    let hidden = "CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(5); RETURN 1; END $$;
        CREATE FUNCTION tg() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(5); RETURN NEW; END $$;
        CREATE TABLE fired (a int); CREATE TRIGGER x BEFORE INSERT ON fired FOR EACH ROW EXECUTE FUNCTION tg();
        CREATE TABLE defaulted (a int DEFAULT g(), b int); CREATE TABLE plain (a int);
        CREATE TABLE numbered (a serial, b int); CREATE TABLE u (a int);
        CREATE FUNCTION compiled() RETURNS uuid LANGUAGE internal STABLE AS 'gen_random_uuid';
        CREATE TABLE searched (a text, v tsvector, id uuid DEFAULT public.compiled());
        CREATE TRIGGER v BEFORE INSERT ON searched FOR EACH ROW
            EXECUTE FUNCTION tsvector_update_trigger(v, 'pg_catalog.english', a);
        CREATE FUNCTION h(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(5); RETURN 1; END $$;
        CREATE VIEW viewed AS SELECT h(1) AS f; CREATE OPERATOR @@@ (rightarg = int, function = h);
        CREATE TABLE checked (a int CHECK (h(a) > 0)); CREATE DOMAIN dom AS int CHECK (h(value) > 0);
        CREATE TABLE typed (a dom); CREATE TABLE ruled (a int); CREATE RULE r AS ON INSERT TO ruled DO ALSO SELECT h(1);
        CREATE FUNCTION positive(int) RETURNS bool LANGUAGE sql AS 'SELECT $1 > 0';
        CREATE TABLE harmless (a int CHECK (positive(a)));";
    let folder_of_files = tempfile::tempdir().unwrap();
    let file = folder_of_files.path().join("out").display().to_string();
    std::fs::set_permissions(folder_of_files.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    for (first, is_retried) in [
        (format!("COPY (SELECT 1) TO PROGRAM 'cat >> {file}';"), false),
        (format!("COPY plain FROM PROGRAM 'echo 1 >> {file}; echo 5';"), false),
        ("INSERT INTO fired VALUES (1);".to_owned(), false),
        ("INSERT INTO defaulted (b) VALUES (1);".to_owned(), false),
        ("INSERT INTO plain VALUES (1);".to_owned(), true),
        ("INSERT INTO numbered (b) VALUES (1);".to_owned(), true),
        // Compiled functions of the system, called by a name that the reader of SQL does not take for one of them.
        ("INSERT INTO searched (a) VALUES ('x');".to_owned(), true),
        ("INSERT INTO defaulted VALUES (1, 1) ON CONFLICT DO NOTHING;".to_owned(), false),
        // Functions that only a view, an operator, a check, a domain or a rule names.
        ("INSERT INTO plain SELECT f FROM viewed;".to_owned(), false),
        ("SELECT @@@ 5;".to_owned(), false),
        ("INSERT INTO checked VALUES (1);".to_owned(), false),
        ("SELECT 5::dom;".to_owned(), false),
        ("INSERT INTO typed VALUES (1);".to_owned(), false),
        ("INSERT INTO ruled VALUES (1);".to_owned(), false),
        ("CREATE TABLE copied AS TABLE viewed;".to_owned(), false),
        ("ALTER TABLE plain ALTER a TYPE dom;".to_owned(), false),
        ("INSERT INTO harmless VALUES (1);".to_owned(), true),
        // The check of the altered table does not run.
        ("ALTER TABLE checked ADD COLUMN b int;".to_owned(), true),
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute(hidden).await;
        let text = format!("-- migrate: lock-timeout 300ms\n-- migrate: timeout 3s\n{first}\nALTER TABLE u ADD COLUMN b int;");
        let files = folder(Kind::Postgres, &[("001_a.up.sql", &text)]);
        let outcome = run_beside_a_lock(&database, &files, "BEGIN; LOCK TABLE u").await;
        let is_blocked = outcome.stderr.contains("Blocked");
        assert_eq!(is_blocked, is_retried, "{first}: {}", outcome.stderr);
        assert_eq!(outcome.code, 7, "{first}: {}", outcome.stderr);
        assert!(is_retried || !outcome.stderr.contains("no changes made by"), "{first}: {}", outcome.stderr);
        database.drop().await;
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 2, "each program ran once");
}

/// To name a time limit is not to set it.
#[tokio::test]
async fn a_time_limit_that_is_only_named_stays() {
    for first in [
        "SELECT 1 AS lock_timeout;",
        "SELECT 'lock_timeout';",
        "DO $$ BEGIN RAISE NOTICE 'no lock_timeout'; END $$;",
        "SELECT setting FROM pg_settings WHERE name = 'lock_timeout';",
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        let text = format!(
            "CREATE TABLE o ();\nINSERT INTO o DEFAULT VALUES;\n{first}\nALTER TABLE o ADD COLUMN n text DEFAULT current_setting('lock_timeout');"
        );
        let files = folder(Kind::Postgres, &[("001_a.up.sql", &text)]);
        assert_eq!(run(&database, &files, &["up"]).code, 0, "{first}");
        assert_eq!(database.value("SELECT n FROM o").await, "2s", "{first}");
        database.drop().await;
    }
}

/// The lock timeout that a run sets by itself does not reach an error handler, which would skip the statement.
#[tokio::test]
async fn no_handler_catches_a_lock_timeout_that_nobody_asked_for() {
    let addw = "CREATE FUNCTION addw() RETURNS void LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE t ADD COLUMN w int; \
        EXCEPTION WHEN OTHERS THEN NULL; END $$;";
    let trigger = "CREATE FUNCTION addt() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE t ADD COLUMN w int; RETURN NEW; \
        EXCEPTION WHEN OTHERS THEN RETURN NEW; END $$; CREATE TRIGGER addt BEFORE INSERT ON o FOR EACH ROW EXECUTE FUNCTION addt();";
    let value = "CREATE FUNCTION addv() RETURNS int LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE t ADD COLUMN w int; RETURN 1; \
        EXCEPTION WHEN OTHERS THEN RETURN 1; END $$;";
    let block = "DO $$ BEGIN ALTER TABLE t ADD COLUMN w int; EXCEPTION WHEN OTHERS THEN NULL; END $$;";
    let procedure =
        "CREATE PROCEDURE addw() BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; ALTER TABLE t ADD COLUMN w INT; END";
    let compound = "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION BEGIN END; ALTER TABLE t ADD COLUMN w INT; END;";
    let delimited = format!("DELIMITER //\n{procedure} //\nDELIMITER ;\nCALL addw();");
    for (kind, before, text) in [
        (Kind::Postgres, "", block.to_owned()),
        (Kind::Postgres, addw, "ALTER TABLE o ADD COLUMN x int;\nSELECT addw();".to_owned()),
        (Kind::Postgres, "", format!("{addw}\nALTER TABLE o ADD COLUMN x int;\nSELECT addw();")),
        (Kind::Postgres, addw, "ALTER TABLE o ADD COLUMN x int;\nDO $$ BEGIN PERFORM addw(); END $$;".to_owned()),
        (Kind::Postgres, "", format!("{addw}\nDO $$ BEGIN PERFORM addw(); END $$;")),
        (Kind::Postgres, trigger, "ALTER TABLE o ADD COLUMN x int;\nINSERT INTO o VALUES (1);".to_owned()),
        (Kind::Postgres, trigger, "ALTER TABLE o ADD COLUMN x int;\nCOPY o (id) FROM stdin;\n1\n\\.\n".to_owned()),
        (Kind::Postgres, value, "ALTER TABLE o ADD COLUMN x int DEFAULT addv();".to_owned()),
        (Kind::Postgres, value, "CREATE TABLE z AS SELECT addv();\nALTER TABLE o ADD COLUMN x int;".to_owned()),
        (Kind::MariaDb, "", format!("ALTER TABLE o ADD z INT;\n{compound}")),
        (Kind::MariaDb, procedure, "ALTER TABLE o ADD z INT;\nCALL addw();".to_owned()),
        (Kind::MariaDb, "", delimited),
    ] {
        let database = TestDatabase::new(kind).await;
        database
            .execute("CREATE TABLE t (id int); CREATE TABLE o (id int); INSERT INTO t VALUES (1); INSERT INTO o VALUES (5)")
            .await;
        if !before.is_empty() {
            let mut connection = database.connect().await;
            sqlx::raw_sql(AssertSqlSafe(before.to_owned())).execute(&mut connection).await.unwrap();
        }
        let mut reader = database.connect().await;
        sqlx::raw_sql("START TRANSACTION; SELECT * FROM t").execute(&mut reader).await.unwrap();
        let folder = folder(kind, &[("001_a.up.sql", &text)]);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let mut run = binary.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Longer than the limit of a run: the statement waits, and the run goes on.
        let waits = match kind {
            Kind::Postgres => {
                "SELECT (count(*) = 1)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() \
                 AND query_start < clock_timestamp() - interval '3 s'"
            }
            _ => {
                "SELECT IF(COUNT(*) = 1, 'true', 'false') FROM information_schema.processlist \
                 WHERE state LIKE 'Waiting for table metadata lock' AND db = DATABASE() AND time >= 3"
            }
        };
        let start = Instant::now();
        while database.value(waits).await != "true" && run.try_wait().unwrap().is_none() {
            assert!(start.elapsed() < Duration::from_secs(60), "{text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        sqlx::raw_sql("ROLLBACK").execute(&mut reader).await.unwrap();
        let outcome = Outcome::of(run.wait_with_output().unwrap());
        assert_eq!(outcome.code, 0, "{text}: {}", outcome.stderr);
        let columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 't' AND column_name = 'w' AND table_schema IN ('public', DATABASE)";
        let columns = columns.replace("DATABASE", if kind == Kind::Postgres { "'public'" } else { "DATABASE()" });
        assert_eq!(database.value(&columns).await, "1", "{text}: the column was added");
        reader.close().await.unwrap();
        database.drop().await;
    }
}
