//! Guarantees for all databases: one function for each, which runs on PostgreSQL, MariaDB and SQLite.

use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_runtime::{
    Direction, ErrorKind, Event, LockStrategy, MigrationState, Migrator, OutOfOrder, Resolution, Target, Version,
};
use migrate_tests::{Kind, TestDatabase, TestFolder};
use std::sync::{Arc, Mutex};
use std::time::Duration;

macro_rules! promises {
    ($($promise:ident),* $(,)?) => {
        $(mod $promise {
            use super::*;

            #[tokio::test]
            async fn postgres() {
                let database = TestDatabase::new(Kind::Postgres).await;
                super::$promise(&database).await;
                database.drop().await;
            }

            #[tokio::test]
            async fn mariadb() {
                let database = TestDatabase::new(Kind::MariaDb).await;
                super::$promise(&database).await;
                database.drop().await;
            }

            #[tokio::test]
            async fn sqlite() {
                let database = TestDatabase::new(Kind::Sqlite).await;
                super::$promise(&database).await;
                database.drop().await;
            }
        })*

        /// The list contains every function of this file that takes only a database.
        #[test]
        fn every_promise_is_listed() {
            let listed = [$(stringify!($promise)),*];
            let source = include_str!("conformance.rs");
            let written = source.lines().filter_map(|line| line.strip_prefix("async fn ")?.split_once("(database: &TestDatabase)"));
            for (name, _) in written {
                assert!(listed.contains(&name), "`{name}` is missing in the list");
            }
        }
    };
}

promises![
    applies_in_order_and_keeps_a_history,
    reverts_newest_first,
    migrates_up_and_down_to_a_version,
    a_run_without_pending_migrations_changes_nothing,
    reading_creates_nothing,
    a_failure_leaves_a_consistent_history,
    a_failed_transaction_leaves_nothing,
    resumes_at_the_statement_that_failed,
    an_edit_above_the_failure_is_refused,
    an_older_version_resumes_an_interrupted_revert,
    a_statement_that_shares_a_transaction_with_its_checkpoint_needs_no_resolve,
    an_unknown_outcome_requires_resolve,
    edited_missing_and_out_of_order_files_abort_the_run,
    out_of_order_files_are_applied_when_allowed,
    an_older_version_accepts_a_newer_history,
    an_older_version_reverts_with_the_stored_sql,
    a_missing_down_migration_aborts_before_the_first_step,
    services_are_independent,
    a_requirement_on_another_service_is_enforced,
    a_closed_gate_stops_the_run,
    a_connection_returns_to_its_pool_unlocked,
    a_borrowed_connection_works,
    settings_of_a_script_are_reset,
    names_are_quoted,
    long_names,
    a_run_that_panics_releases_the_lock,
    a_run_that_is_dropped_releases_the_lock,
    the_wrong_dialect_is_refused,
    an_unrelated_table_with_the_name_of_a_history_table_is_not_changed,
    sql_is_stored_verbatim,
    a_checkout_without_the_down_file_keeps_the_stored_sql,
    waits_for_the_database_until_the_timeout,
    a_run_emits_events,
    empty_files_are_recorded,
    a_failed_revert_is_not_up_to_date,
    completed_statements_are_skipped_when_a_file_becomes_one_unit,
    settings_of_a_file_apply_until_its_end,
    session_settings_apply_to_every_migration,
    a_gate_is_evaluated_once,
    a_repair_accepts_the_edited_file,
    a_blocked_statement_is_retried,
    a_resolution_records_the_current_file,
];

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Three up and three down migrations, in SQL that all three databases support.
fn three() -> TestFolder {
    TestFolder::new(&[
        ("001_a.up.sql", "CREATE TABLE a (id integer);\n"),
        ("001_a.down.sql", "DROP TABLE a;\n"),
        ("002_b.up.sql", "CREATE TABLE b (id integer);\nINSERT INTO b VALUES (1);\n"),
        ("002_b.down.sql", "DROP TABLE b;\n"),
        ("010_rows.up.sql", "INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\n"),
        ("010_rows.down.sql", "DELETE FROM a;\n"),
    ])
}

async fn applies_in_order_and_keeps_a_history(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    let report = Migrator::new(&set).run(&database.url).await.unwrap();
    let titles: Vec<&str> = report.done.iter().map(|done| done.title.as_str()).collect();
    assert_eq!(titles, ["001_a.up.sql", "002_b.up.sql", "010_rows.up.sql"]);
    assert_eq!(database.history().await, ["001|applied|1", "002|applied|2", "010|applied|2"]);
    assert_eq!(database.tables().await, ["a", "b"]);
    assert_eq!(database.value("SELECT count(*) FROM a").await, "2");
    let versions = database.rows("SELECT service, version, description, applied_count, digest FROM schema_versions").await;
    assert_eq!(versions, [format!("app|010|rows|3|{}", set.digest())]);
    let events = database.rows("SELECT version, event FROM migration_events ORDER BY id").await;
    assert_eq!(events, ["001|applied", "002|applied", "010|applied"]);
    let status = Migrator::new(&set).status(&database.url).await.unwrap();
    assert!(status.is_up_to_date());
    for migration in status.migrations() {
        let run = migration.run().unwrap();
        assert!(run.applied_at.as_deref().unwrap().ends_with('Z') && run.execution_ms.unwrap() < 60_000, "{run:?}");
    }
}

async fn reverts_newest_first(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    migrator.run(&database.url).await.unwrap();
    let report = migrator.run_to(&database.url, &Target::Down(2)).await.unwrap();
    let titles: Vec<&str> = report.done.iter().map(|done| done.title.as_str()).collect();
    assert_eq!(titles, ["010_rows.up.sql", "002_b.up.sql"]);
    assert_eq!(database.history().await, ["001|applied|1"]);
    assert_eq!(database.tables().await, ["a"]);
    migrator.run_to(&database.url, &Target::DownAll).await.unwrap();
    assert!(database.history().await.is_empty());
    assert!(database.tables().await.is_empty());
    assert_eq!(database.rows("SELECT applied_count FROM schema_versions").await, ["0"]);
    assert!(!migrator.is_up_to_date(&database.url).await.unwrap());
    migrator.run(&database.url).await.unwrap();
    assert!(migrator.is_up_to_date(&database.url).await.unwrap());
    let events = database.rows("SELECT count(*) FROM migration_events WHERE event = 'reverted'").await;
    assert_eq!(events, ["3"]);
}

async fn migrates_up_and_down_to_a_version(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    migrator.run_to(&database.url, &Target::UpTo(version("2"))).await.unwrap();
    assert_eq!(database.history().await, ["001|applied|1", "002|applied|2"]);
    migrator.run_to(&database.url, &Target::Up(5)).await.unwrap();
    assert_eq!(database.history().await.len(), 3);
    migrator.run_to(&database.url, &Target::DownTo(version("001"))).await.unwrap();
    assert_eq!(database.history().await, ["001|applied|1"]);
    let error = migrator.run_to(&database.url, &Target::UpTo(version("5"))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::UnknownVersion);
    assert!(error.report().contains("002 and 010"), "{error}");
}

async fn a_run_without_pending_migrations_changes_nothing(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    migrator.run(&database.url).await.unwrap();
    for _ in 0..2 {
        assert!(migrator.run(&database.url).await.unwrap().done.is_empty());
        assert!(migrator.run_to(&database.url, &Target::UpTo(version("10"))).await.unwrap().done.is_empty());
    }
    assert_eq!(database.value("SELECT count(*) FROM migration_events").await, "3");
}

async fn reading_creates_nothing(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    let status = migrator.status(&database.url).await.unwrap();
    assert!(!status.has_tables());
    assert_eq!(status.pending().len(), 3);
    assert_eq!(status.plan(&Target::Latest).unwrap().steps.len(), 3);
    assert!(!migrator.is_up_to_date(&database.url).await.unwrap());
    assert!(migrator.run_to(&database.url, &Target::Down(1)).await.unwrap().done.is_empty());
    let all = match database.kind {
        Kind::Postgres => "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'",
        Kind::MariaDb => "SELECT count(*) FROM information_schema.tables WHERE table_schema = database()",
        Kind::Sqlite => "SELECT count(*) FROM sqlite_master",
    };
    assert_eq!(database.value(all).await, "0");
}

async fn a_failure_leaves_a_consistent_history(database: &TestDatabase) {
    let folder = three();
    folder.write("migrations/003_wrong.up.sql", "CREATE TABLE c (id integer);\n\n  INSERT INTO nowhere\n  VALUES (1);\n");
    let set = folder.set(database.kind.dialect());
    let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::MigrationFailed);
    let place = error.place().unwrap();
    assert!(place.label().starts_with("migrations/003_wrong.up.sql:3:"), "{}", place.label());
    let text = error.report();
    assert!(text.contains("INSERT INTO nowhere") && text.contains("`001_a.up.sql` to `002_b.up.sql`"), "{text}");
    let history = database.history().await;
    match database.kind {
        // DDL causes an implicit commit on MariaDB, so the first statement is done.
        Kind::MariaDb => {
            assert_eq!(history, ["001|applied|1", "002|applied|2", "003|failed|1"]);
            assert!(text.contains("1 of 2 statements is done"), "{text}");
        }
        _ => {
            assert_eq!(history, ["001|applied|1", "002|applied|2"]);
            assert_eq!(database.tables().await, ["a", "b"]);
            assert!(text.contains("rolled back"), "{text}");
        }
    }
    let events = database.rows("SELECT version, event FROM migration_events ORDER BY id").await;
    assert_eq!(events.last().unwrap(), "003|failed");
    folder.write("migrations/003_wrong.up.sql", "CREATE TABLE c (id integer);\nINSERT INTO c VALUES (1);\n");
    let set = folder.set(database.kind.dialect());
    assert_eq!(Migrator::new(&set).run(&database.url).await.unwrap().done.len(), 2);
    assert_eq!(database.value("SELECT count(*) FROM c").await, "1");
}

async fn a_failed_transaction_leaves_nothing(database: &TestDatabase) {
    let folder = three();
    folder.write(
        "migrations/011_rows.up.sql",
        "INSERT INTO a VALUES (3);\nINSERT INTO a VALUES (4);\nINSERT INTO a (nothing) VALUES (5);\n",
    );
    let set = folder.set(database.kind.dialect());
    let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
    assert!(error.report().contains("rolled back; no changes made by `011_rows.up.sql` remain"), "{error}");
    assert!(error.place().unwrap().label().starts_with("migrations/011_rows.up.sql:3:"), "{error}");
    assert_eq!(database.value("SELECT count(*) FROM a").await, "2");
    assert_eq!(database.history().await.len(), 3);
}

/// A second migration that runs statement by statement on all three databases.
fn outside(statements: &str) -> TestFolder {
    TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (id integer);"),
        ("002_o.up.sql", &format!("-- migrate: no-transaction\n{statements}")),
    ])
}

async fn resumes_at_the_statement_that_failed(database: &TestDatabase) {
    let folder =
        outside("INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\nINSERT INTO u VALUES (3);\nINSERT INTO t VALUES (4);\n");
    let set = folder.set(database.kind.dialect());
    let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
    assert!(error.place().unwrap().label().starts_with("migrations/002_o.up.sql:4:"), "{error}");
    assert_eq!(database.history().await, ["001|applied|1", "002|failed|2"]);
    let status = Migrator::new(&set).status(&database.url).await.unwrap();
    assert!(matches!(status.migrations()[1].state, MigrationState::PartiallyApplied(_)));
    // A second failure changes nothing.
    Migrator::new(&set).run(&database.url).await.unwrap_err();
    assert_eq!(database.history().await, ["001|applied|1", "002|failed|2"]);
    // The file may be edited after the point of failure.
    folder.write(
        "migrations/002_o.up.sql",
        "-- migrate: no-transaction\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\nINSERT INTO t VALUES (30);\n",
    );
    let set = folder.set(database.kind.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2", "30"]);
    assert_eq!(database.history().await, ["001|applied|1", "002|applied|3"]);
    assert!(Migrator::new(&set).run(&database.url).await.unwrap().warnings.is_empty());
}

async fn an_edit_above_the_failure_is_refused(database: &TestDatabase) {
    let folder = outside("INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\nINSERT INTO u VALUES (3);\n");
    Migrator::new(folder.set(database.kind.dialect())).run(&database.url).await.unwrap_err();
    for (edited, difference) in [
        (
            "-- migrate: no-transaction\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (20);\nSELECT 3;\n",
            "- INSERT INTO t VALUES (2)\n            + INSERT INTO t VALUES (20)",
        ),
        ("-- migrate: no-transaction\nINSERT INTO t VALUES (1);\n", "- INSERT INTO t VALUES (2)"),
    ] {
        folder.write("migrations/002_o.up.sql", edited);
        let set = folder.set(database.kind.dialect());
        let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HistoryMismatch);
        assert_eq!(error.divergences()[0].finding.code.name, "changed-while-partially-applied", "{error}");
        assert!(error.report().contains(difference), "{error}");
    }
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2"]);
    // An operator may choose at which statement of the edited file the next run resumes.
    folder.write(
        "migrations/002_o.up.sql",
        "-- migrate: no-transaction\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (20);\nINSERT INTO t VALUES (3);\n",
    );
    let set = folder.set(database.kind.dialect());
    Migrator::new(&set).resolve(&database.url, &version("002"), Resolution::SkipTo(3)).await.unwrap();
    Migrator::new(&set).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2", "3"]);
}

/// An older version reverts with the stored SQL, fails at the second statement, and resumes there.
async fn an_older_version_resumes_an_interrupted_revert(database: &TestDatabase) {
    let folder = TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (id integer);"),
        ("002_b.up.sql", "CREATE TABLE b (id integer);"),
        ("002_b.down.sql", "-- migrate: no-transaction\nINSERT INTO t VALUES (1);\nINSERT INTO u VALUES (2);\nDROP TABLE b;"),
    ]);
    folder.write("migrate.toml", "down = \"optional\"\n");
    Migrator::new(folder.set(database.kind.dialect())).run(&database.url).await.unwrap();
    folder.remove("migrations/002_b.up.sql");
    folder.remove("migrations/002_b.down.sql");
    let older = folder.set(database.kind.dialect());
    let migrator = Migrator::new(&older);
    migrator.run_to(&database.url, &Target::DownTo(version("1"))).await.unwrap_err();
    assert_eq!(database.history().await, ["001|applied|1", "002|revert-failed|1"]);
    database.execute("CREATE TABLE u (id integer)").await;
    migrator.run_to(&database.url, &Target::DownTo(version("1"))).await.unwrap();
    assert_eq!(database.history().await, ["001|applied|1"]);
    assert_eq!(database.rows("SELECT id FROM t").await, ["1"]);
    assert_eq!(database.tables().await, ["t", "u"]);
}

async fn a_statement_that_shares_a_transaction_with_its_checkpoint_needs_no_resolve(database: &TestDatabase) {
    let folder = outside("INSERT INTO t VALUES (1);\nINSERT INTO u VALUES (2);\nINSERT INTO t VALUES (3);\n");
    Migrator::new(folder.set(database.kind.dialect())).run(&database.url).await.unwrap_err();
    // The state after a process was killed during statement 2.
    database.execute("UPDATE migration_records SET state = 'started' WHERE version = '002'").await;
    database.execute("CREATE TABLE u (id integer)").await;
    Migrator::new(folder.set(database.kind.dialect())).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM u").await, ["2"]);
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "3"]);
}

async fn an_unknown_outcome_requires_resolve(database: &TestDatabase) {
    let procedure = match database.kind {
        Kind::Postgres => "CREATE PROCEDURE fill() LANGUAGE sql AS 'INSERT INTO u VALUES (2)'",
        Kind::MariaDb => "CREATE PROCEDURE fill() INSERT INTO u VALUES (2)",
        // On SQLite, each statement shares a transaction with its checkpoint, so no outcome is unknown.
        Kind::Sqlite => return,
    };
    let folder = outside("INSERT INTO t VALUES (1);\nCALL fill();\nINSERT INTO t VALUES (3);\n");
    Migrator::new(folder.set(database.kind.dialect())).run(&database.url).await.unwrap_err();
    // The state after a process was killed during statement 2, which may contain a commit.
    database.execute("UPDATE migration_records SET state = 'started' WHERE version = '002'").await;
    database.execute("CREATE TABLE u (id integer)").await;
    database.execute(procedure).await;
    let set = folder.set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    let error = migrator.run(&database.url).await.unwrap_err();
    assert_eq!(error.divergences()[0].finding.code.name, "partially-applied");
    assert!(error.report().contains("cargo migrate resolve 002 --skip-to 3"), "{error}");
    assert!(error.report().contains("statement 2 is: CALL fill()"), "{error}");
    let mut binary = migrate_tests::Binary::inside(folder.path()).command(&["--service", "app", "-D", &database.url, "resolve"]);
    let output = binary.args(["--retry", "002"]).output().unwrap();
    let mut up = migrate_tests::Binary::inside(folder.path()).command(&["--service", "app", "-D", &database.url, "up"]);
    let plan = String::from_utf8_lossy(&up.arg("--dry-run").output().unwrap().stdout).into_owned();
    assert!(plan.contains("resumed at statement 2\nCALL fill();") && !plan.contains("VALUES (1)"), "{plan}");
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(messages.contains("Inspected 002: interrupted at statement 2 of 3, `CALL fill()`"), "{messages}");
    database.execute("UPDATE migration_records SET state = 'started' WHERE version = '002'").await;
    let error = migrator.resolve(&database.url, &version("001"), Resolution::Retry).await.unwrap_err();
    assert!(error.report().contains("version 001 is not partially applied"), "{error}");
    for wrong in [1, 9] {
        let error = migrator.resolve(&database.url, &version("002"), Resolution::SkipTo(wrong)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownVersion, "{error}");
    }
    migrator.resolve(&database.url, &version("002"), Resolution::SkipTo(3)).await.unwrap();
    migrator.run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "3"]);
    assert!(database.rows("SELECT id FROM u").await.is_empty());
    assert_eq!(database.history().await, ["001|applied|1", "002|applied|3"]);
}

async fn edited_missing_and_out_of_order_files_abort_the_run(database: &TestDatabase) {
    let folder = three();
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    folder.write("migrations/011_d.up.sql", "CREATE TABLE d (id integer);");
    let aborts_with = async |code: &str| {
        let set = folder.set(dialect);
        let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
        let expected = if code == "out-of-order" { ErrorKind::OutOfOrder } else { ErrorKind::HistoryMismatch };
        assert_eq!(error.kind(), expected);
        let codes: Vec<&str> = error.divergences().iter().map(|divergence| divergence.finding.code.name).collect();
        assert_eq!(codes, [code], "{error}");
    };
    folder.write("migrations/001_a.up.sql", "CREATE TABLE a (id bigint);\n");
    aborts_with("changed-after-apply").await;
    folder.write("migrations/001_a.up.sql", "-- a comment\nCREATE TABLE a (id integer);\n");
    folder.remove("migrations/002_b.up.sql");
    folder.remove("migrations/002_b.down.sql");
    aborts_with("missing-file").await;
    folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id integer);\nINSERT INTO b VALUES (1);\n");
    folder.write("migrations/003_late.up.sql", "CREATE TABLE late (id integer);");
    aborts_with("out-of-order").await;
    assert_eq!(database.tables().await, ["a", "b"]);
    folder.remove("migrations/003_late.up.sql");
    // An edited comment causes only a warning.
    let set = folder.set(dialect);
    let report = Migrator::new(&set).run(&database.url).await.unwrap();
    assert_eq!(report.done.len(), 1);
    let warnings: Vec<_> = report.warnings.iter().map(|warning| (warning.finding.code.name, warning.finding.level)).collect();
    assert_eq!(warnings, [("cosmetic-change", Level::Warning)]);
}

async fn out_of_order_files_are_applied_when_allowed(database: &TestDatabase) {
    let folder = three();
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    folder.write("migrations/003_late.up.sql", "CREATE TABLE late (id integer);");
    let set = folder.set(dialect);
    let report = Migrator::new(&set).out_of_order(OutOfOrder::Warn).run(&database.url).await.unwrap();
    assert_eq!(report.warnings[0].finding.code.name, "out-of-order");
    assert_eq!(database.history().await.len(), 4);
    assert!(Migrator::new(&set).is_up_to_date(&database.url).await.unwrap());
    assert_eq!(database.value("SELECT digest FROM schema_versions").await, set.digest().to_string());
    assert_eq!(database.value("SELECT version FROM schema_versions").await, "010");
}

async fn an_older_version_accepts_a_newer_history(database: &TestDatabase) {
    let folder = three();
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    folder.remove("migrations/010_rows.up.sql");
    folder.remove("migrations/010_rows.down.sql");
    let set = folder.set(dialect);
    let report = Migrator::new(&set).run(&database.url).await.unwrap();
    assert!(report.done.is_empty());
    assert_eq!(report.warnings[0].finding.code.name, "ahead");
    assert!(Migrator::new(&set).is_up_to_date(&database.url).await.unwrap());
}

async fn an_older_version_reverts_with_the_stored_sql(database: &TestDatabase) {
    let folder = three();
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    folder.remove("migrations/010_rows.up.sql");
    folder.remove("migrations/010_rows.down.sql");
    let set = folder.set(dialect);
    let report = Migrator::new(&set).run_to(&database.url, &Target::DownTo(version("002"))).await.unwrap();
    assert!(report.done[0].from_history);
    assert_eq!(database.value("SELECT count(*) FROM a").await, "0");
    assert_eq!(database.history().await, ["001|applied|1", "002|applied|2"]);
}

async fn a_missing_down_migration_aborts_before_the_first_step(database: &TestDatabase) {
    let folder = three();
    folder.remove("migrations/002_b.down.sql");
    let dialect = database.kind.dialect();
    let set = folder.set(dialect);
    let migrator = Migrator::new(&set);
    migrator.run(&database.url).await.unwrap();
    let error = migrator.run_to(&database.url, &Target::DownAll).await.unwrap_err();
    assert_eq!(error.divergences()[0].finding.code.name, "no-down-migration");
    assert_eq!(database.history().await.len(), 3);
    migrator.run_to(&database.url, &Target::Down(1)).await.unwrap();
    assert!(migrator.run_to(&database.url, &Target::Down(1)).await.is_err());
    folder.write("migrations/002_b.down.sql", "-- nothing\n");
    let set = folder.set(dialect);
    let error = Migrator::new(&set).run_to(&database.url, &Target::Down(1)).await.unwrap_err();
    assert!(error.report().contains("contains no statement"), "{error}");
    assert_eq!(database.history().await.len(), 2);
}

fn service(name: &str, files: &[(&str, &str)], dialect: Dialect) -> Arc<migrate_runtime::MigrationSet> {
    let folder = TestFolder::new(files);
    folder.write("migrate.toml", &format!("service = {name:?}\n"));
    folder.set(dialect)
}

async fn services_are_independent(database: &TestDatabase) {
    let dialect = database.kind.dialect();
    let chat = service(
        "chat",
        &[("001_x.up.sql", "CREATE TABLE chat_x (id integer);"), ("001_x.down.sql", "DROP TABLE chat_x;")],
        dialect,
    );
    let ai = service(
        "ai",
        &[("001_x.up.sql", "CREATE TABLE ai_x (id integer);"), ("002_y.up.sql", "CREATE TABLE ai_y (id integer);")],
        dialect,
    );
    Migrator::new(&chat).run(&database.url).await.unwrap();
    assert_eq!(Migrator::new(&ai).status(&database.url).await.unwrap().pending().len(), 2);
    Migrator::new(&ai).run(&database.url).await.unwrap();
    Migrator::new(&chat).run_to(&database.url, &Target::DownAll).await.unwrap();
    assert!(Migrator::new(&ai).is_up_to_date(&database.url).await.unwrap());
    assert_eq!(database.tables().await, ["ai_x", "ai_y"]);
    let rows = database.rows("SELECT service, version FROM migration_records ORDER BY version").await;
    assert_eq!(rows, ["ai|001", "ai|002"]);
}

async fn a_requirement_on_another_service_is_enforced(database: &TestDatabase) {
    let dialect = database.kind.dialect();
    let chat = service("chat", &[("001_x.up.sql", "-- migrate: requires users:002\nCREATE TABLE chat_x (id integer);")], dialect);
    let users = service(
        "users",
        &[("001_u.up.sql", "CREATE TABLE u (id integer);"), ("002_v.up.sql", "CREATE TABLE v (id integer);")],
        dialect,
    );
    Migrator::new(&users).run_to(&database.url, &Target::Up(1)).await.unwrap();
    let error = Migrator::new(&chat).lock_wait(Duration::from_millis(100)).run(&database.url).await.unwrap_err();
    assert!(error.report().contains("requires users:002"), "{error}");
    Migrator::new(&users).run(&database.url).await.unwrap();
    Migrator::new(&chat).run(&database.url).await.unwrap();
}

async fn a_closed_gate_stops_the_run(database: &TestDatabase) {
    let folder = three();
    folder.write("migrations/011_drop.up.sql", "-- migrate: gate SELECT count(*) = 0 FROM a\nDROP TABLE a;");
    let set = folder.set(database.kind.dialect());
    let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
    assert_eq!(error.code().name, "gate-closed");
    assert_eq!(database.history().await.len(), 3);
    database.execute("DELETE FROM a").await;
    Migrator::new(&set).run(&database.url).await.unwrap();
    assert_eq!(database.tables().await, ["b"]);
}

/// The pool has one connection. If that returned with the lock, or did not return, the next run would time out.
async fn a_connection_returns_to_its_pool_unlocked(database: &TestDatabase) {
    let folder = three();
    folder.write("migrations/020_wrong.up.sql", "INSERT INTO nowhere VALUES (1);");
    let set = folder.set(database.kind.dialect());
    let migrator = Migrator::new(&set).lock_wait(Duration::from_secs(60));
    macro_rules! over {
        ($options:ty) => {{
            let pool = <$options>::new()
                .max_connections(1)
                .acquire_timeout(Duration::from_secs(60))
                .connect(&database.url)
                .await
                .unwrap();
            for _ in 0..2 {
                let error = migrator.run(&pool).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::MigrationFailed, "{error}");
            }
            sqlx::query("SELECT 1").execute(&pool).await.unwrap();
            // Another connection acquires the lock immediately.
            let error = migrator.run(&database.url).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::MigrationFailed, "{error}");
            pool.close().await;
        }};
    }
    match database.kind {
        Kind::Postgres => over!(sqlx::postgres::PgPoolOptions),
        Kind::MariaDb => over!(sqlx::mysql::MySqlPoolOptions),
        Kind::Sqlite => over!(sqlx::sqlite::SqlitePoolOptions),
    }
}

async fn a_borrowed_connection_works(database: &TestDatabase) {
    use sqlx::Connection;
    let set = three().set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    macro_rules! over {
        ($connection:ty) => {{
            let mut connection = <$connection>::connect(&database.url).await.unwrap();
            assert_eq!(migrator.run(&mut connection).await.unwrap().done.len(), 3);
            assert!(migrator.is_up_to_date(&mut connection).await.unwrap());
            sqlx::query("SELECT 1").execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        }};
    }
    match database.kind {
        Kind::Postgres => over!(sqlx::PgConnection),
        Kind::MariaDb => over!(sqlx::MySqlConnection),
        Kind::Sqlite => over!(sqlx::SqliteConnection),
    }
}

async fn settings_of_a_script_are_reset(database: &TestDatabase) {
    use sqlx::Connection;
    // The settings also change how the following string literals are read.
    let (script, text, question) = match database.kind {
        Kind::Postgres => (
            "SET TIME ZONE 'Asia/Tokyo'; SET statement_timeout = 50000; SET standard_conforming_strings = off;",
            r"'it\'s'",
            "SELECT current_setting('search_path') || current_setting('timezone') || current_setting('statement_timeout') || current_setting('standard_conforming_strings')",
        ),
        Kind::MariaDb => (
            "SET SESSION sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'; SET foreign_key_checks = 0; SET time_zone = '+09:00'; SET timestamp = 1;",
            r"'it''s \'",
            "SELECT concat(@@sql_mode, @@foreign_key_checks, @@time_zone, @@timestamp > 1000)",
        ),
        Kind::Sqlite => (
            "PRAGMA foreign_keys = OFF; PRAGMA recursive_triggers = ON;",
            r"'it''s \'",
            "SELECT foreign_keys || '' FROM pragma_foreign_keys()",
        ),
    };
    // If the empty search path were not reset, the second table could not be created.
    let end = if database.kind == Kind::Postgres { "SELECT pg_catalog.set_config('search_path', '', false);" } else { "" };
    let folder = TestFolder::new(&[
        ("001_s.up.sql", &format!("{script} CREATE TABLE a (id integer, note varchar(20) DEFAULT {text}); {end}")),
        ("002_b.up.sql", "CREATE TABLE b (id integer);"),
    ]);
    let set = folder.set(database.kind.dialect());
    macro_rules! over {
        ($connection:ty) => {{
            let mut connection = <$connection>::connect(&database.url).await.unwrap();
            let before: String = sqlx::query_scalar(question).fetch_one(&mut connection).await.unwrap();
            Migrator::new(&set).run(&mut connection).await.unwrap();
            let after: String = sqlx::query_scalar(question).fetch_one(&mut connection).await.unwrap();
            assert_eq!(before, after);
            connection.close().await.unwrap();
        }};
    }
    match database.kind {
        Kind::Postgres => over!(sqlx::PgConnection),
        Kind::MariaDb => over!(sqlx::MySqlConnection),
        Kind::Sqlite => over!(sqlx::SqliteConnection),
    }
    assert_eq!(database.tables().await, ["a", "b"]);
    assert_eq!(database.history().await.len(), 2);
}

async fn names_are_quoted(database: &TestDatabase) {
    let folder = three();
    folder.write(
        "migrate.toml",
        "service = \"it's; \\\"DROP\\\" `x` ü\"\n[history]\nrecords = \"re'c; \\\"`ü\"\nversions = \"versions \"\nevents = 'e\\v'\nlocks = 'l`o\"c;k'\n",
    );
    let text = folder.text("migrate.toml").replace("versions \"", "ver sions\"");
    folder.write("migrate.toml", &text);
    let set = folder.set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 3);
    assert!(migrator.is_up_to_date(&database.url).await.unwrap());
    migrator.run_to(&database.url, &Target::DownAll).await.unwrap();
    assert_eq!(migrator.status(&database.url).await.unwrap().pending().len(), 3);
    if database.kind != Kind::Sqlite {
        let migrator = Migrator::new(&set).lock(LockStrategy::Lease);
        assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 3);
    }
}

/// Names have at most 63 bytes on PostgreSQL and 64 characters on MySQL.
async fn long_names(database: &TestDatabase) {
    let dialect = database.kind.dialect();
    let folder = three();
    let table_name = |end: &str, length: usize| format!("{}{end}", "é".repeat((length - 1) / 2));
    let settings = |name: &str, service: &str| {
        format!("service = \"{service}\"\n[history]\nrecords = \"{name}\"\nversions = \"v{}\"\n", &name[2..])
    };
    // Both names have 31 characters, in 60 and 59 bytes.
    folder.write("migrate.toml", &settings(&table_name("ab", 60), &"s".repeat(190)));
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    Migrator::new(folder.set(dialect)).run_to(&database.url, &Target::DownAll).await.unwrap();
    folder.write("migrate.toml", &settings(&"x".repeat(64), "it"));
    let set = folder.set(dialect);
    let outcome = Migrator::new(&set).run(&database.url).await;
    match database.kind {
        Kind::Postgres => assert_eq!(outcome.unwrap_err().code().name, "unusable-name"),
        _ => assert_eq!(outcome.unwrap().done.len(), 3),
    }
    for (records, service) in [("y".repeat(65), "s".to_owned()), ("y".to_owned(), "s".repeat(191))] {
        folder.write("migrate.toml", &settings(&format!("{records}yy"), &service));
        let set = folder.set(dialect);
        let error = Migrator::new(&set).status(&database.url).await.unwrap_err();
        assert_eq!(error.code().name, "unusable-name", "{error}");
    }
}

/// Evaluates an expression with a pool of one connection, for the kind of the database.
macro_rules! over_one_connection {
    ($database:expr, |$pool:ident| $body:expr) => {{
        macro_rules! over {
            ($options:ty) => {{
                let $pool = <$options>::new().max_connections(1).connect(&$database.url).await.unwrap();
                $body;
                $pool.close().await;
            }};
        }
        match $database.kind {
            Kind::Postgres => over!(sqlx::postgres::PgPoolOptions),
            Kind::MariaDb => over!(sqlx::mysql::MySqlPoolOptions),
            Kind::Sqlite => over!(sqlx::sqlite::SqlitePoolOptions),
        }
    }};
}

async fn a_run_that_panics_releases_the_lock(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    over_one_connection!(database, |pool| {
        let (inside, shared) = (pool.clone(), set.clone());
        let panicked = tokio::spawn(async move {
            let panics = |event: &Event<'_>| assert!(!matches!(event, Event::Started { number: 2, .. }), "the test panics here");
            Migrator::new(shared).on_event(panics).run(&inside).await
        });
        assert!(panicked.await.unwrap_err().is_panic());
        let report = Migrator::new(&set).lock_wait(Duration::from_secs(60)).run(&pool).await.unwrap();
        assert_eq!(report.done.len(), 2);
    });
    assert_eq!(database.history().await.len(), 3);
}

async fn a_run_that_is_dropped_releases_the_lock(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    for number in 1..=3 {
        over_one_connection!(database, |pool| {
            let reached = std::sync::Arc::new(tokio::sync::Notify::new());
            let notify = reached.clone();
            let notify_at_step = move |event: &Event<'_>| {
                if matches!(event, Event::Started { number: started, .. } if *started == number) {
                    notify.notify_one();
                }
            };
            let migrator = Migrator::new(&set).on_event(notify_at_step);
            tokio::select! {
                biased;
                () = reached.notified() => {}
                report = migrator.run(&pool) => { report.unwrap(); }
            }
            let migrator = Migrator::new(&set).lock_wait(Duration::from_secs(60));
            migrator.run(&pool).await.unwrap();
            assert_eq!(database.history().await.len(), 3);
            assert_eq!(database.value("SELECT count(*) FROM b").await, "1");
            migrator.run_to(&pool, &Target::DownAll).await.unwrap();
        });
    }
}

async fn the_wrong_dialect_is_refused(database: &TestDatabase) {
    let wrong = if database.kind == Kind::Sqlite { Dialect::Postgres } else { Dialect::Sqlite };
    let set = three().set(wrong);
    let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongDialect);
}

async fn an_unrelated_table_with_the_name_of_a_history_table_is_not_changed(database: &TestDatabase) {
    database.execute("CREATE TABLE migration_records (id integer)").await;
    let set = three().set(database.kind.dialect());
    let error = Migrator::new(&set).run(&database.url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::History);
    assert_eq!(database.rows("SELECT * FROM migration_records").await, Vec::<String>::new());
    assert!(!database.tables().await.contains(&"a".to_owned()));
}

async fn sql_is_stored_verbatim(database: &TestDatabase) {
    let up = "CREATE TABLE a (id integer);\n-- it's \\ a 'quote' \"double\" `tick` ü € 🦀 $1 ${x} %s\n";
    let folder = TestFolder::new(&[("001_a.up.sql", up), ("001_a.down.sql", "DROP TABLE a; -- \\' ü")]);
    let set = folder.set(database.kind.dialect());
    let migrator = Migrator::new(&set);
    migrator.run(&database.url).await.unwrap();
    let key = version("001").into();
    let stored = migrator.stored_sql(&database.url, &[&key], Direction::Up).await.unwrap();
    assert_eq!(stored, [Some(up.to_owned())]);
    let stored = migrator.stored_sql(&database.url, &[&key], Direction::Down).await.unwrap();
    assert_eq!(stored, [Some("DROP TABLE a; -- \\' ü".to_owned())]);
}

/// `resolve --applied`, `repair` and a run that resumes, each from a checkout that has the up file only.
async fn a_checkout_without_the_down_file_keeps_the_stored_sql(database: &TestDatabase) {
    let dialect = database.kind.dialect();
    let failing = "CREATE TABLE a (id integer);\nSELECT nothing FROM nowhere;\n";
    let up = match database.kind {
        Kind::Postgres => format!("-- migrate: no-transaction\n{failing}"),
        _ => failing.to_owned(),
    };
    let complete = TestFolder::new(&[("001_a.up.sql", &up), ("001_a.down.sql", "DROP TABLE a;")]);
    let key = version("001").into();
    let stored = async |set: &Arc<migrate_runtime::MigrationSet>| {
        Migrator::new(set).stored_sql(&database.url, &[&key], Direction::Down).await.unwrap()
    };
    let expected = [Some("DROP TABLE a;".to_owned())];
    Migrator::new(complete.set(dialect)).run(&database.url).await.unwrap_err();
    let corrected = up.replace("SELECT nothing FROM nowhere", "SELECT 1");
    let partial = TestFolder::new(&[("001_a.up.sql", &corrected)]).set(dialect);
    if database.value("SELECT count(*) FROM migration_records").await == "1" {
        assert_eq!(stored(&partial).await, expected);
        Migrator::new(&partial).run(&database.url).await.unwrap();
        assert_eq!(stored(&partial).await, expected, "after a run that resumes");
        Migrator::new(&partial).run_to(&database.url, &Target::DownAll).await.unwrap();
        Migrator::new(complete.set(dialect)).run(&database.url).await.unwrap_err();
        Migrator::new(&partial).resolve(&database.url, version("001"), Resolution::MarkApplied).await.unwrap();
        assert_eq!(stored(&partial).await, expected, "after `resolve`");
    } else {
        // SQLite: the transaction left nothing.
        complete.write("migrations/001_a.up.sql", &corrected);
        Migrator::new(complete.set(dialect)).run(&database.url).await.unwrap();
    }
    Migrator::new(&partial).repair(&database.url, version("001")).await.unwrap();
    assert_eq!(stored(&partial).await, expected, "after `repair`");
    Migrator::new(&partial).run_to(&database.url, &Target::DownAll).await.unwrap();
    assert!(!database.tables().await.contains(&"a".to_owned()));
}

async fn waits_for_the_database_until_the_timeout(database: &TestDatabase) {
    Migrator::wait_for_database(&database.url.parse().unwrap(), Duration::from_secs(60)).await.unwrap();
    if database.kind == Kind::Sqlite {
        return;
    }
    // No server listens on this port, so connections are refused until the timeout.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (head, tail) = database.url.split_once("127.0.0.1:").unwrap();
    let nowhere = format!("{head}127.0.0.1:{port}/{}", tail.split_once('/').unwrap().1);
    let error = Migrator::wait_for_database(&nowhere.parse().unwrap(), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(!error.report().contains("secret"), "{error}");
}

async fn a_run_emits_events(database: &TestDatabase) {
    let set = three().set(database.kind.dialect());
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = seen.clone();
    let migrator = Migrator::new(&set).on_event(move |event| {
        let line = match event {
            Event::Planned { steps, .. } => format!("planned {steps}"),
            Event::Started { title, number, of, .. } => format!("{number}/{of} {title}"),
            Event::Finished { title, .. } => format!("done {title}"),
            other => format!("{other:?}"),
        };
        log.lock().unwrap().push(line);
    });
    migrator.run_to(&database.url, &Target::Up(2)).await.unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(*seen, ["planned 2", "1/2 001_a.up.sql", "done 001_a.up.sql", "2/2 002_b.up.sql", "done 002_b.up.sql"]);
}

async fn empty_files_are_recorded(database: &TestDatabase) {
    let folder = TestFolder::new(&[
        ("001_a.up.sql", ""),
        ("002_b.up.sql", "-- only a comment"),
        ("003_c.up.sql", "CREATE TABLE c (id integer)"),
    ]);
    let set = folder.set(database.kind.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap();
    assert_eq!(database.history().await, ["001|applied|0", "002|applied|0", "003|applied|1"]);
}

async fn a_failed_revert_is_not_up_to_date(database: &TestDatabase) {
    let folder = TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (id integer); CREATE TABLE u (id integer);"),
        ("001_t.down.sql", "-- migrate: no-transaction\nDROP TABLE t;\nDROP TABLE nowhere;\nDROP TABLE u;"),
    ]);
    let dialect = database.kind.dialect();
    let set = folder.set(dialect);
    let migrator = Migrator::new(&set);
    migrator.run(&database.url).await.unwrap();
    migrator.run_to(&database.url, &Target::Down(1)).await.unwrap_err();
    assert_eq!(database.history().await, ["001|revert-failed|1"]);
    assert!(!migrator.is_up_to_date(&database.url).await.unwrap());
    let error = migrator.run(&database.url).await.unwrap_err();
    assert_eq!(error.divergences()[0].finding.code.name, "partially-applied", "{error}");
    // The down script may be edited after the point of failure.
    folder.write("migrations/001_t.down.sql", "-- migrate: no-transaction\nDROP TABLE t;\nDROP TABLE u;");
    let set = folder.set(dialect);
    Migrator::new(&set).run_to(&database.url, &Target::Down(1)).await.unwrap();
    assert!(database.history().await.is_empty() && database.tables().await.is_empty());
    Migrator::new(&set).run(&database.url).await.unwrap();
}

async fn completed_statements_are_skipped_when_a_file_becomes_one_unit(database: &TestDatabase) {
    let folder = outside("INSERT INTO t VALUES (1);\nINSERT INTO nowhere VALUES (2);\n");
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap_err();
    assert_eq!(database.history().await, ["001|applied|1", "002|failed|1"]);
    // Without the directive, the file would be one transaction.
    folder.write("migrations/002_o.up.sql", "INSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n");
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2"]);
}

async fn settings_of_a_file_apply_until_its_end(database: &TestDatabase) {
    let (text, question, answer) = match database.kind {
        Kind::Postgres => (
            "CREATE SCHEMA app; SET search_path TO app; CREATE TABLE a (id int);\nCREATE INDEX CONCURRENTLY i1 ON a (id);\nCREATE INDEX CONCURRENTLY i2 ON a (id);",
            "SELECT schemaname::text FROM pg_indexes WHERE indexname LIKE 'i_'",
            &["app", "app"][..],
        ),
        Kind::MariaDb => (
            "SET foreign_key_checks = 0; CREATE TABLE a (id int, CONSTRAINT f FOREIGN KEY (id) REFERENCES later (id));\nCREATE TABLE b (id int, CONSTRAINT g FOREIGN KEY (id) REFERENCES later (id));",
            "SELECT CAST(count(*) AS CHAR) FROM information_schema.referential_constraints WHERE constraint_schema = database()",
            &["2"][..],
        ),
        Kind::Sqlite => (
            "PRAGMA foreign_keys = OFF;\nBEGIN; CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE c (id integer REFERENCES p (id)); COMMIT;\nBEGIN; INSERT INTO c VALUES (7); COMMIT;",
            "SELECT id FROM c",
            &["7"][..],
        ),
    };
    let folder = TestFolder::new(&[("001_s.up.sql", text), ("002_t.up.sql", "CREATE TABLE t (id integer);")]);
    let set = folder.set(database.kind.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap();
    assert_eq!(database.rows(question).await, answer);
    assert!(database.tables().await.contains(&"t".to_owned()), "the next file runs with the original settings of the session");
}

async fn session_settings_apply_to_every_migration(database: &TestDatabase) {
    let (session, files) = match database.kind {
        Kind::Postgres => (
            "SET search_path TO app",
            [
                ("001_a.up.sql", "CREATE TABLE a (id int);"),
                ("002_b.up.sql", "SET search_path TO public; CREATE TABLE x (id int);"),
                ("003_c.up.sql", "CREATE TABLE c (id int);"),
            ],
        ),
        Kind::MariaDb => (
            "SET FOREIGN_KEY_CHECKS = 0",
            [
                ("001_a.up.sql", "CREATE TABLE a (id int, FOREIGN KEY (id) REFERENCES later (id));"),
                ("002_b.up.sql", "SET @offset = 1; CREATE TABLE b (id int);"),
                ("003_c.up.sql", "CREATE TABLE c (id int, FOREIGN KEY (id) REFERENCES later (id));"),
            ],
        ),
        Kind::Sqlite => (
            "PRAGMA foreign_keys = OFF",
            [
                ("001_a.up.sql", "CREATE TABLE p (id integer PRIMARY KEY); CREATE TABLE a (id integer REFERENCES p (id));"),
                ("002_b.up.sql", "PRAGMA foreign_keys = ON; CREATE TABLE b (id integer);"),
                ("003_c.up.sql", "INSERT INTO a VALUES (7);"),
            ],
        ),
    };
    if database.kind == Kind::Postgres {
        database.execute("CREATE SCHEMA app").await;
    }
    let folder = TestFolder::new(&files);
    folder.write("migrate.toml", &format!("session = [{session:?}]\n"));
    let set = folder.set(database.kind.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap();
    if database.kind == Kind::Postgres {
        assert_eq!(
            database
                .rows("SELECT tablename::text FROM pg_tables WHERE schemaname = 'app' AND tablename IN ('a', 'c') ORDER BY 1")
                .await,
            ["a", "c"]
        );
    }
    assert!(Migrator::new(&set).is_up_to_date(&database.url).await.unwrap());
}

async fn a_blocked_statement_is_retried(database: &TestDatabase) {
    // SQLite locks the whole file, not a table.
    if database.kind == Kind::Sqlite {
        return;
    }
    let folder = TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (id integer); CREATE TABLE u (id integer);"),
        ("002_a.up.sql", "-- migrate: lock-timeout 200ms\nALTER TABLE t ADD a integer; INSERT INTO u VALUES (1);"),
    ]);
    let set = folder.set(database.kind.dialect());
    Migrator::new(&set).run_to(&database.url, &Target::Up(1)).await.unwrap();
    let mut blocker = database.connect().await;
    sqlx::raw_sql("BEGIN; INSERT INTO t VALUES (1)").execute(&mut blocker).await.unwrap();
    let (sender, mut blocked) = tokio::sync::mpsc::unbounded_channel();
    let migrator = Migrator::new(&set).on_event(move |event| {
        if let Event::Blocked { title, blockers, tries, .. } = event {
            sender.send(((*title).to_owned(), blockers.len(), *tries)).unwrap();
        }
    });
    let commit_after_two_attempts = async {
        let mut seen = Vec::new();
        while seen.len() < 2 {
            seen.push(blocked.recv().await.unwrap());
        }
        sqlx::raw_sql("COMMIT").execute(&mut blocker).await.unwrap();
        seen
    };
    let (report, seen) = tokio::join!(migrator.run(&database.url), commit_after_two_attempts);
    assert_eq!(report.unwrap().done.len(), 1);
    // MariaDB does not tell whose transaction blocks, and other tests use the server.
    let seen: Vec<(&str, bool, u32)> = seen.iter().map(|(title, blockers, tries)| (&**title, *blockers >= 1, *tries)).collect();
    assert_eq!(seen, [("002_a.up.sql", true, 1), ("002_a.up.sql", true, 2)]);
    assert_eq!(database.rows("SELECT id FROM u").await, ["1"]);
    assert_eq!(database.history().await, ["001|applied|2", "002|applied|2"]);
}

async fn a_repair_accepts_the_edited_file(database: &TestDatabase) {
    let folder = three();
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    let before = database.rows("SELECT version, execution_ms, statements FROM migration_records ORDER BY version").await;
    folder.write("migrations/001_a.up.sql", "CREATE TABLE a (id bigint /* it's; new */);\n");
    let set = folder.set(dialect);
    let migrator = Migrator::new(&set);
    assert_eq!(migrator.run(&database.url).await.unwrap_err().kind(), ErrorKind::HistoryMismatch);
    migrator.repair(&database.url, &version("001")).await.unwrap();
    assert!(migrator.run(&database.url).await.unwrap().warnings.is_empty());
    assert_eq!(database.value("SELECT digest FROM schema_versions").await, set.digest().to_string());
    let stored = migrator.stored_sql(&database.url, &[&version("001").into()], Direction::Up).await.unwrap();
    assert_eq!(stored[0].as_deref(), Some("CREATE TABLE a (id bigint /* it's; new */);\n"));
    // No SQL ran, and the record keeps the time of the original run.
    assert_eq!(database.rows("SELECT version, execution_ms, statements FROM migration_records ORDER BY version").await, before);
    assert_eq!(database.value("SELECT count(*) FROM migration_events WHERE event = 'repaired'").await, "1");
    assert!(migrator.repair(&database.url, &version("7")).await.is_err());
}

async fn a_gate_is_evaluated_once(database: &TestDatabase) {
    let folder = TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (id integer);"),
        (
            "002_g.up.sql",
            "-- migrate: no-transaction\n-- migrate: gate SELECT count(*) = 0 FROM t\nINSERT INTO t VALUES (1);\nINSERT INTO nowhere VALUES (2);",
        ),
    ]);
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap_err();
    let text = folder.text("migrations/002_g.up.sql").replace("nowhere", "t");
    folder.write("migrations/002_g.up.sql", &text);
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2"]);
}

async fn a_resolution_records_the_current_file(database: &TestDatabase) {
    let folder = outside("INSERT INTO t VALUES (1);\nINSERT INTO nowhere VALUES (2);\n");
    let dialect = database.kind.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap_err();
    folder.write("migrations/002_o.up.sql", "-- migrate: no-transaction\nINSERT INTO t VALUES (1);\nINSERT INTO t VALUES (2);\n");
    let set = folder.set(dialect);
    let migrator = Migrator::new(&set);
    database.execute("INSERT INTO t VALUES (2)").await;
    migrator.resolve(&database.url, &version("2"), Resolution::MarkApplied).await.unwrap();
    let report = migrator.run(&database.url).await.unwrap();
    assert!(report.done.is_empty() && report.warnings.is_empty(), "{:?}", report.warnings);
    assert_eq!(database.value("SELECT digest FROM schema_versions").await, set.digest().to_string());
}
