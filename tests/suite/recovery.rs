//! What is found out about a statement that was interrupted, and what is not: the system catalog is asked as the script would ask
//! it, a rejected question means that the outcome is unknown, and an operator decides about the state that was shown.

use migrate_runtime::{ErrorKind, Migrator, Resolution, Version};
use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};
use sqlx::Connection;
use std::process::Stdio;

const STARTED: &str = "UPDATE migration_records SET state = 'started' WHERE version = '001'";

fn folder(kind: Kind, sql: &str) -> TestFolder {
    let folder = TestFolder::new(&[("001_a.up.sql", &format!("-- migrate: no-transaction\n{sql}"))]);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    folder
}

fn name_of(database: &TestDatabase) -> String {
    database.url.rsplit_once('/').unwrap().1.to_owned()
}

/// The index of the schema that `"$user"` names exists, so it was not dropped.
#[tokio::test]
async fn names_mean_what_they_mean_to_the_role_of_the_script() {
    for change in ["SET ROLE", "SET SESSION AUTHORIZATION", "set_config('role'", "set_config('ROLE'"] {
        let database = TestDatabase::new(Kind::Postgres).await;
        let role = format!("{}_role", name_of(&database));
        database.execute(&format!("CREATE ROLE {role}; CREATE SCHEMA AUTHORIZATION {role}")).await;
        database.execute(&format!("CREATE TABLE {role}.t (id int); ALTER TABLE {role}.t OWNER TO {role}")).await;
        let change = match change.strip_prefix("set_config") {
            Some(call) => format!("SELECT pg_catalog.set_config{call}, '{role}', false)"),
            None => format!("{change} {role}"),
        };
        let sql = format!("{change};\nINSERT INTO t VALUES (1);\nDROP INDEX CONCURRENTLY i;\n");
        let migrator = Migrator::new(folder(Kind::Postgres, &sql).set(Kind::Postgres.dialect()));
        migrator.run(&database.url).await.unwrap_err();
        database.execute(STARTED).await;
        database.execute(&format!("CREATE INDEX i ON {role}.t (id)")).await;
        migrator.run(&database.url).await.unwrap();
        let exists = database.value(&format!("SELECT (to_regclass('{role}.i') IS NOT NULL)::text")).await;
        assert_eq!(exists, "false", "{change}");
        assert_eq!(database.value(&format!("SELECT count(*) FROM {role}.t")).await, "1", "{change}");
        database.execute(&format!("DROP SCHEMA {role} CASCADE; DROP OWNED BY {role}; DROP ROLE {role}")).await;
        database.drop().await;
    }
}

/// The table that only the role may see exists, so it was not dropped.
#[tokio::test]
async fn names_are_visible_as_to_the_role_of_the_script() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let name = name_of(&database);
    let (user, role) = (format!("u_{name}"), format!("r_{name}"));
    for statement in [
        format!("CREATE USER {user}@localhost IDENTIFIED BY 'secret'"),
        format!("CREATE ROLE {role}"),
        format!("GRANT ALL ON {name}.* TO {role}"),
        format!("GRANT {role} TO {user}@localhost"),
    ] {
        database.execute(&statement).await;
    }
    let url = database.url.replace("migrate:secret@", &format!("{user}:secret@"));
    let sql = format!("SET ROLE {role};\nCREATE TABLE made (id int);\nDROP TABLE x;\nINSERT INTO made VALUES (1);\n");
    let settings = "service = \"app\"\ndatabase = \"mysql\"\nlint = \"off\"\n";
    let folder = folder(Kind::MariaDb, &sql);
    folder.write("migrate.toml", settings);
    // The tables of the history exist, and the user may use them.
    let empty = TestFolder::new(&[("000_empty.up.sql", "SELECT 1;")]);
    empty.write("migrate.toml", settings);
    Migrator::new(empty.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
    folder.write("migrations/000_empty.up.sql", "SELECT 1;");
    for table in ["migration_records", "schema_versions", "migration_events", "migration_locks"] {
        database.execute(&format!("GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON {name}.{table} TO {user}@localhost")).await;
    }
    let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
    let error = migrator.run(&url).await.unwrap_err();
    assert!(error.report().contains("DROP TABLE x"), "{error}");
    database.execute(STARTED).await;
    database.execute("CREATE TABLE x (id int)").await;
    migrator.run(&url).await.unwrap();
    assert!(!database.tables().await.contains(&"x".to_owned()));
    assert_eq!(database.value("SELECT count(*) FROM made").await, "1");
    database.execute(&format!("DROP USER {user}@localhost; ")).await;
    database.execute(&format!("DROP ROLE {role}")).await;
    database.drop().await;
}

/// A schema that the user may not use: whether the index exists cannot be asked.
#[tokio::test]
async fn a_rejected_question_is_an_unknown_outcome() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let user = format!("{}_user", name_of(&database));
    database.execute(&format!("CREATE ROLE {user} LOGIN; GRANT CREATE ON SCHEMA public TO {user}")).await;
    let url = database.url.replace("postgres@", &format!("{user}@"));
    let folder = folder(Kind::Postgres, "CREATE TABLE made (id int);\nDROP INDEX CONCURRENTLY hidden.i;\n");
    let old = TestFolder::new(&[("000_old.up.sql", "SELECT 1;")]);
    old.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    let old = Migrator::new(old.set(Kind::Postgres.dialect()));
    old.run(&url).await.unwrap();
    folder.write("migrations/000_old.up.sql", "SELECT 1;");
    let migrator = Migrator::new(folder.set(Kind::Postgres.dialect()));
    migrator.run(&url).await.unwrap_err();
    database.execute(STARTED).await;
    database.execute("CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int); CREATE INDEX i ON hidden.t (id)").await;
    // The old release needs to know nothing about it.
    assert!(old.run(&url).await.unwrap().done.is_empty());
    assert!(old.is_up_to_date(&url).await.unwrap());
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    for command in [&["status"][..], &["plan"], &["verify"]] {
        let outcome = binary.run(command);
        assert_ne!(outcome.code, 1, "{command:?}: {}", outcome.stderr);
    }
    let outcome = binary.run(&["up"]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("permission denied for schema hidden"), "{}", outcome.stderr);
    let outcome = binary.run(&["resolve", "--retry", "001"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("permission denied for schema hidden"), "{}", outcome.stderr);
    database.execute(&format!("GRANT ALL ON SCHEMA hidden TO {user}; ALTER TABLE hidden.t OWNER TO {user}")).await;
    migrator.run(&url).await.unwrap();
    assert_eq!(database.value("SELECT (to_regclass('hidden.i') IS NULL)::text").await, "true");
    database.execute(&format!("DROP OWNED BY {user} CASCADE; DROP ROLE {user}")).await;
    database.drop().await;
}

/// An operator has confirmed what `status` showed, and another process went on in the meantime.
#[tokio::test]
async fn a_decision_is_about_the_record_that_was_shown() {
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind, "CREATE TABLE made (id int);\nINSERT INTO missing VALUES (1);\nINSERT INTO late VALUES (1);\n");
        let migrator = Migrator::new(folder.set(kind.dialect()));
        migrator.run(&database.url).await.unwrap_err();
        let shown = migrator.status(&database.url).await.unwrap();
        let version: Version = "001".parse().unwrap();
        // The second statement runs now, and the third one fails.
        database.execute("CREATE TABLE missing (id int)").await;
        migrator.run(&database.url).await.unwrap_err();
        for resolution in [Resolution::MarkNotApplied, Resolution::MarkApplied, Resolution::Retry] {
            let error = migrator.resolve_as_shown(&database.url, &shown, &version, resolution).await.unwrap_err();
            assert!(error.report().contains("changed after it was shown"), "{error}");
        }
        assert_eq!(database.history().await, ["001|failed|2"]);
        let shown = migrator.status(&database.url).await.unwrap();
        migrator.resolve_as_shown(&database.url, &shown, &version, Resolution::MarkApplied).await.unwrap();
        let error = migrator.resolve(&database.url, &version, Resolution::Retry).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownVersion, "{error}");
        database.drop().await;
    }
}

/// A transaction of the file takes effect completely or not at all, so nobody can skip into it.
#[tokio::test]
async fn nobody_skips_into_a_transaction() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let folder = TestFolder::new(&[(
            "001_a.sql",
            "-- migrate: no-transaction\nCREATE TABLE a (n integer);\nBEGIN;\nINSERT INTO a VALUES (1);\nINSERT INTO missing VALUES (1);\n\
             COMMIT;\nCREATE TABLE b (n integer);\n",
        )]);
        let migrator = Migrator::new(folder.set(kind.dialect()));
        migrator.run(&database.url).await.unwrap_err();
        let version: Version = "001".parse().unwrap();
        for (statement, is_allowed) in [(3, false), (4, false), (5, false), (2, true), (6, true)] {
            let resolved = migrator.resolve(&database.url, &version, Resolution::SkipTo(statement)).await;
            assert_eq!(resolved.is_ok(), is_allowed, "{kind:?}: {statement}: {resolved:?}");
            if let Err(error) = resolved {
                assert!(error.report().contains("which consists of the statements 2 to 5"), "{error}");
            }
        }
        assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 1);
        assert_eq!(database.value("SELECT count(*) FROM a").await, "0");
        database.drop().await;
    }
}

/// On MariaDB, a table that is being created is locked. `status` does not wait for it, and says what runs.
#[tokio::test]
async fn status_does_not_wait_for_a_running_statement() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE a (id int)").await;
    database.execute("INSERT INTO a VALUES (1)").await;
    let folder = folder(Kind::MariaDb, "CREATE TABLE c AS SELECT id, SLEEP(5) AS s FROM a;");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let running = binary.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    database.until_runs("SLEEP(5)").await;
    let outcome = binary.ok(&["status"]);
    assert!(outcome.stdout.contains("being applied"), "{}{}", outcome.stdout, outcome.stderr);
    for command in [["plan"].as_slice(), &["verify"], &["up", "--dry-run"], &["down", "--dry-run"]] {
        let outcome = binary.run(command);
        assert!(outcome.stderr.contains("is being applied by another process"), "{command:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("resolve"), "{command:?}: {}", outcome.stderr);
    }
    let outcome = Outcome::of(running.wait_with_output().unwrap());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    database.drop().await;
}

/// A run would resume a statement that can be repeated. While another process runs it, `plan` and the others say so.
#[tokio::test]
async fn a_running_statement_is_not_taken_for_an_interrupted_one() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE TABLE a (id int)").await;
    let mut writer = database.connect().await;
    sqlx::raw_sql("BEGIN; INSERT INTO a VALUES (1)").execute(&mut writer).await.unwrap();
    let sql = "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY i ON a (id);\nCREATE INDEX CONCURRENTLY j ON a (id);\n";
    let folder = folder(Kind::Postgres, sql);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let running = binary.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    database.until_runs("CONCURRENTLY i").await;
    for (command, code) in [(["plan"].as_slice(), 0), (&["verify"], 5), (&["up", "--dry-run"], 0)] {
        let outcome = binary.run(command);
        assert_eq!(outcome.code, code, "{command:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("is being applied by another process"), "{command:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("partially applied"), "{command:?}: {}", outcome.stderr);
    }
    sqlx::raw_sql("COMMIT").execute(&mut writer).await.unwrap();
    let outcome = Outcome::of(running.wait_with_output().unwrap());
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(!binary.ok(&["plan"]).stderr.contains("another process"));
    writer.close().await.unwrap();
    database.drop().await;
}

/// On SQLite no lock keeps `resolve` out while a run goes on: what the run commits in the meantime is noticed.
#[tokio::test]
async fn a_decision_does_not_overtake_a_run_on_sqlite() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let folder = folder(Kind::Sqlite, "CREATE TABLE made (id int);\nINSERT INTO missing VALUES (1);\n");
    Migrator::new(folder.set(Kind::Sqlite.dialect())).run(&database.url).await.unwrap_err();
    let mut run = database.connect().await;
    sqlx::raw_sql("BEGIN IMMEDIATE; UPDATE migration_records SET state = 'applied', statements_done = 2")
        .execute(&mut run)
        .await
        .unwrap();
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let mut command = binary.command(&["resolve", "001", "--not-applied", "--yes"]);
    let resolve = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It has read the history once it waits to write: then it sleeps again and again.
    let file = format!("/proc/{}/status", resolve.id());
    let pauses = || {
        let text = std::fs::read_to_string(&file).unwrap();
        text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<u64>().ok()).unwrap()
    };
    let is_waiting = async || {
        let before = pauses();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        pauses() >= before + 5
    };
    migrate_tests::until(is_waiting).await.expect("it waits to write");
    sqlx::raw_sql("COMMIT").execute(&mut run).await.unwrap();
    let outcome = Outcome::of(resolve.wait_with_output().unwrap());
    assert!(outcome.code != 0 && outcome.stderr.contains("changed after it was shown"), "{}", outcome.stderr);
    assert_eq!(database.history().await, ["001|applied|2"]);
    database.drop().await;
}

/// A file that deletes its own record does not begin again, although the history seems to have been changed by another process.
#[tokio::test]
async fn a_run_whose_record_is_deleted_stops() {
    for change in ["INSERT INTO updates VALUES (1)", "SELECT 1"] {
        let database = TestDatabase::new(Kind::Sqlite).await;
        // A file must not change the history; a trigger can.
        database
            .execute(
                "CREATE TABLE log (n int); CREATE TABLE updates (n int); CREATE TABLE deletes (n int); \
                 CREATE TRIGGER u AFTER INSERT ON updates BEGIN UPDATE schema_versions SET digest = 'x'; END; \
                 CREATE TRIGGER d AFTER INSERT ON deletes BEGIN DELETE FROM migration_records WHERE version = '001'; END",
            )
            .await;
        let delete = "INSERT INTO deletes VALUES (1)";
        let folder = folder(Kind::Sqlite, &format!("INSERT INTO log VALUES (1);\n{change};\n{delete};\nSELECT 1;\nSELECT 2;\n"));
        let migrator = Migrator::new(folder.set(Kind::Sqlite.dialect()));
        if let Err(error) = migrator.run(&database.url).await {
            assert!(error.report().contains("while this run executed version 001"), "{error}");
        }
        assert_eq!(database.value("SELECT count(*) FROM log").await, "1", "{change}");
        database.drop().await;
    }
}

/// `redo` completes a revert that stopped, and applies the migration again.
#[tokio::test]
async fn redo_after_a_revert_that_stopped() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let folder = TestFolder::new(&[
            ("001_a.up.sql", "CREATE TABLE a (n integer);"),
            ("001_a.down.sql", "-- migrate: no-transaction\nDROP TABLE a;\nDELETE FROM missing;"),
        ]);
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name()));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        binary.ok(&["up"]);
        assert_eq!(binary.run(&["redo", "--yes"]).code, 7);
        database.execute("CREATE TABLE missing (n integer)").await;
        binary.ok(&["redo", "--yes"]);
        assert_eq!(database.history().await, ["001|applied|1"], "{kind:?}");
        assert_eq!(database.value("SELECT count(*) FROM a").await, "0", "{kind:?}");
        database.drop().await;
    }
}
