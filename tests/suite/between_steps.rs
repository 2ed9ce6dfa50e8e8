//! A run that ends between two migrations: nothing of the next one has run, and the next run knows it, although its start may be
//! recorded with the end of the first one.

use migrate_runtime::{Direction, Event, MigrationState, Migrator, StopSignal, Target};
use migrate_tests::{Binary, Disconnect, Kind, Proxy, TestDatabase, TestFolder};
use sqlx::Connection;

/// The second migrations: their first statements create something, change something that the catalog does not show, and change rows.
const SECOND: [&str; 4] = [
    "CREATE TABLE u (id integer);\nCREATE TABLE w (id integer);",
    "ALTER TABLE t ADD COLUMN u integer;\nCREATE TABLE w (id integer);",
    "OPTIMIZE TABLE t;\nCREATE TABLE w (id integer);",
    "INSERT INTO t (id) VALUES (3);\nCREATE TABLE w (id integer);",
];

#[tokio::test]
async fn a_run_that_stops_leaves_no_record() {
    for second in SECOND {
        let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(second));
        let stop = StopSignal::new();
        let request = stop.clone();
        let observer = move |event: &Event<'_>| {
            if matches!(event, Event::Finished { .. }) {
                request.request();
            }
        };
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect())).on_event(observer).stop(&stop);
        let error = migrator.run(&database.url).await.unwrap_err();
        assert_eq!(error.code().name, "stopped", "{error}");
        assert_eq!(database.history().await, ["001|applied|2"], "{second}");
        goes_on(database, &folder, second).await;
    }
}

#[tokio::test]
async fn a_run_that_is_killed_is_continued_by_the_next_one() {
    for second in SECOND {
        let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(second));
        end_after_first(&database, &folder).await;
        let history = database.history().await;
        assert_eq!(history[0], "001|applied|2");
        // Where the catalog shows later whether the first statement has run, its start is recorded.
        let starts_early = second.starts_with("CREATE TABLE") || second.starts_with("ALTER TABLE");
        assert_eq!(history[1..], if starts_early { vec!["002|started|0"] } else { vec![] }, "{second}");
        goes_on(database, &folder, second).await;
    }
}

/// What must fail fails, also after a run that ended before it.
#[tokio::test]
async fn a_statement_that_was_not_sent_is_not_taken_as_completed() {
    for second in ["CREATE TABLE t (id integer);", "DROP TABLE missing;", "ALTER TABLE t ADD COLUMN id text;"] {
        let second = format!("{second}\nCREATE TABLE w (id integer);");
        let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(&second));
        end_after_first(&database, &folder).await;
        let error = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap_err();
        assert_eq!(error.code().name, "migration-failed", "{second}: {error}");
        assert_eq!(database.history().await, ["001|applied|2"], "{second}");
        database.drop().await;
    }
}

/// A migration whose first statement was not sent was not started: the run after it may also revert the one before.
#[tokio::test]
async fn what_had_not_started_is_in_the_way_of_nothing() {
    for target in [Target::Down(1), Target::UpTo("001".parse().unwrap())] {
        let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(SECOND[0]));
        folder.write("migrations/001_t.down.sql", "DROP TABLE t;");
        end_after_first(&database, &folder).await;
        assert_eq!(database.history().await, ["001|applied|2", "002|started|0"]);
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        let report = migrator.run_to(&database.url, &target).await.unwrap();
        let (reverted, history) = if target == Target::Down(1) { (1, vec![]) } else { (0, vec!["001|applied|2"]) };
        assert_eq!(report.done.len(), reverted, "{target:?}");
        assert_eq!(database.history().await, history, "{target:?}");
        let event = "SELECT event FROM migration_events WHERE version = '002'";
        assert_eq!(database.rows(event).await, ["recovered"], "{target:?}");
        database.drop().await;
    }
}

/// The same for a revert: the next run finds the migration applied.
#[tokio::test]
async fn a_revert_that_had_not_started_is_forgotten() {
    let folder = two_files("CREATE TABLE u (id integer);\nCREATE TABLE w (id integer);");
    folder.write("migrations/002_u.down.sql", "DROP TABLE w;\nDROP TABLE u;\nDROP TABLE IF EXISTS v;");
    let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
    let mut forgotten = 0;
    for at in 1.. {
        let database = TestDatabase::new(Kind::MariaDb).await;
        migrator.run(&database.url).await.unwrap();
        let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, Disconnect::Before).await;
        let _ = migrator.run_to(&proxy.url, &Target::Down(1)).await;
        let is_finished = !proxy.is_disconnected();
        if database.history().await == ["001|applied|2", "002|reverting|0"] && database.tables().await.contains(&"w".to_owned()) {
            assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 0, "{at}");
            assert_eq!(database.history().await, ["001|applied|2", "002|applied|2"], "{at}");
            assert!(migrator.is_up_to_date(&database.url).await.unwrap(), "{at}");
            forgotten += 1;
        }
        database.drop().await;
        if is_finished {
            break;
        }
    }
    assert!(forgotten > 0);
}

/// An interruption is forgotten only if the catalog shows that the first statement did nothing. Here it shows nothing, or what was
/// so before.
#[tokio::test]
async fn what_the_history_says_is_what_the_database_has() {
    let change = "ALTER TABLE t MODIFY id bigint NOT NULL";
    for first in [
        "ALTER TABLE t MODIFY id bigint NOT NULL",
        "ALTER TABLE t CHANGE id id bigint NOT NULL",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS id int, MODIFY id bigint NOT NULL",
        "ALTER TABLE t DROP COLUMN IF EXISTS nope, MODIFY id bigint NOT NULL",
        "ALTER TABLE t ADD COLUMN n int, MODIFY id bigint NOT NULL",
    ] {
        for direction in [Direction::Up, Direction::Down] {
            let folder = two_files("SELECT 1;");
            folder.write("migrations/001_t.down.sql", "DROP TABLE t;");
            let (up, down) = match direction {
                Direction::Up => (format!("{first};\nCREATE TABLE w (id integer);"), "SELECT 1;".to_owned()),
                Direction::Down => {
                    (format!("{change};\nCREATE TABLE w (id integer);"), format!("{};\nDROP TABLE w;", back(first)))
                }
            };
            folder.write("migrations/002_u.up.sql", &up);
            folder.write("migrations/002_u.down.sql", &down);
            let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
            let mut continued = 0;
            for at in 1.. {
                let database = TestDatabase::new(Kind::MariaDb).await;
                let (before, cut, after) = match direction {
                    Direction::Up => (Target::Up(1), Target::Latest, Target::UpTo("001".parse().unwrap())),
                    Direction::Down => (Target::Latest, Target::Down(1), Target::Latest),
                };
                migrator.run_to(&database.url, &before).await.unwrap();
                let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, Disconnect::After).await;
                let _ = migrator.run_to(&proxy.url, &cut).await;
                let is_finished = !proxy.is_disconnected();
                if migrator.run_to(&database.url, &after).await.is_ok() {
                    continued += usize::from(!is_finished);
                    let sql = "SELECT CONCAT(COLUMN_TYPE, IS_NULLABLE) FROM information_schema.COLUMNS \
                        WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't' AND COLUMN_NAME = 'id'";
                    let is_changed = database.value(sql).await.starts_with("bigint");
                    let history = database.history().await;
                    match history.iter().find(|row| row.starts_with("002|")).map(String::as_str) {
                        None => assert!(!is_changed, "{first}, {direction:?} at {at}: {history:?}"),
                        Some("002|applied|2" | "002|applied|1") => {
                            assert!(is_changed, "{first}, {direction:?} at {at}: {history:?}")
                        }
                        // It says that it is not known.
                        Some(_) => {}
                    }
                }
                database.drop().await;
                if is_finished {
                    break;
                }
            }
            assert!(continued > 0, "{first}, {direction:?}");
        }
    }
}

/// The opposite of a change of the column.
fn back(change: &str) -> String {
    change.replace("bigint NOT NULL", "int").replace("ADD COLUMN n int", "ADD COLUMN m int")
}

/// The tables of a database are dropped one after the other, so a database that still exists does not prove that none was.
#[tokio::test]
async fn a_database_that_exists_proves_nothing() {
    let folder = two_files("SELECT 1;");
    let mut interrupted = 0;
    for at in 1.. {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let other = format!("{}_other", database.value("SELECT DATABASE()").await);
        folder.write("migrations/002_u.up.sql", &format!("DROP DATABASE IF EXISTS {other};\nCREATE TABLE w (id integer);"));
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        migrator.run_to(&database.url, &Target::Up(1)).await.unwrap();
        database.execute(&format!("CREATE DATABASE {other}")).await;
        let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, Disconnect::Before).await;
        let _ = migrator.run(&proxy.url).await;
        if database.history().await.last().is_some_and(|row| row == "002|started|0") {
            interrupted += 1;
            let status = migrator.status(&database.url).await.unwrap();
            assert!(matches!(status.migrations()[1].state, MigrationState::PartiallyApplied(_)), "{at}");
        }
        database.execute(&format!("DROP DATABASE IF EXISTS {other}")).await;
        database.drop().await;
        if !proxy.is_disconnected() {
            break;
        }
    }
    assert!(interrupted > 0);
}

/// After a deadlock, the server has rolled back, and has said that rows of tables without transactions remain.
#[tokio::test]
async fn a_deadlock_at_the_record_says_what_remains() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let folder = TestFolder::new(&[(
        "001_t.up.sql",
        "CREATE TABLE m (id integer) ENGINE=MyISAM;\nCREATE TABLE t (id integer PRIMARY KEY, v integer);\n\
         CREATE TABLE big (id integer);\nINSERT INTO t VALUES (1, 1);",
    )]);
    Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
    folder.write("migrations/002_m.up.sql", "BEGIN;\nINSERT INTO m VALUES (1);\nUPDATE t SET v = 2 WHERE id = 1;\nCOMMIT;");
    folder.write("migrations/003_u.up.sql", SECOND[0]);
    // This session holds what the record needs, and has changed more rows and a table without transactions, too: so the server ends
    // the other transaction.
    let mut other = sqlx::MySqlConnection::connect(&database.url).await.unwrap();
    let begin = "BEGIN; INSERT INTO m VALUES (99); INSERT INTO big SELECT seq FROM seq_1_to_2000; \
        SELECT * FROM schema_versions FOR UPDATE";
    sqlx::raw_sql(begin).execute(&mut other).await.unwrap();
    let (set, url) = (folder.set(Kind::MariaDb.dialect()), database.url.clone());
    let run = tokio::spawn(async move { Migrator::new(&set).run(&url).await });
    database.until_runs("schema_versions` (").await;
    sqlx::raw_sql("UPDATE t SET v = 3 WHERE id = 1; ROLLBACK").execute(&mut other).await.unwrap();
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(database.value("SELECT count(*) FROM m WHERE id = 1").await, "1", "{}", error.report());
    let history = database.history().await;
    assert!(history.iter().any(|row| row.starts_with("002|unclear")), "{history:?} {}", error.report());
    other.close().await.unwrap();
    database.drop().await;
}

/// `status` shows what the next run starts from, and so does a release without the file.
#[tokio::test]
async fn all_views_agree_about_what_had_not_started() {
    let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(SECOND[0]));
    folder.write("migrations/001_t.down.sql", "DROP TABLE t;");
    end_after_first(&database, &folder).await;
    assert_eq!(database.history().await, ["001|applied|2", "002|started|0"]);
    let set = folder.set(Kind::MariaDb.dialect());
    let status = Migrator::new(&set).status(&database.url).await.unwrap();
    let states: Vec<_> = status.migrations().iter().map(|row| row.state).collect();
    assert_eq!(states, [MigrationState::Applied, MigrationState::Pending]);
    let old = TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t (id integer);\nINSERT INTO t (id) VALUES (1);")]);
    old.write("migrations/001_t.down.sql", "DROP TABLE t;");
    let old = Migrator::new(old.set(Kind::MariaDb.dialect()));
    assert_eq!(old.run_to(&database.url, &Target::Down(1)).await.unwrap().done.len(), 1);
    assert!(database.history().await.is_empty());
    database.drop().await;
}

/// Another session keeps the place of the next record locked: the end before it is recorded nevertheless.
#[tokio::test]
async fn a_start_that_waits_for_a_lock_does_not_undo_the_end_before_it() {
    for engine in ["InnoDB", "MyISAM"] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let folder = TestFolder::new(&[("000_z.up.sql", "CREATE TABLE z (id integer);")]);
        let settings = "session = [\"SET SESSION innodb_lock_wait_timeout = 1\"]\nservice = \"app\"\ndatabase = \"mariadb\"\n";
        folder.write("migrate.toml", &format!("{settings}lint = \"off\"\n"));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        binary.ok(&["up"]);
        database.execute("INSERT INTO z VALUES (1)").await;
        let first = format!("CREATE TABLE t (id integer) ENGINE={engine};\nINSERT INTO t SELECT id FROM z;");
        folder.write("migrations/001_t.up.sql", &first);
        folder.write("migrations/002_u.up.sql", SECOND[0]);
        // The last statement of the first migration waits for one session, and the start of the second for another.
        let mut reader = sqlx::MySqlConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql("LOCK TABLES z WRITE").execute(&mut reader).await.unwrap();
        let run = tokio::task::spawn_blocking(move || binary.run(&["up"]));
        let state = "SELECT CONCAT(MAX(state), MAX(statements_done)) FROM migration_records WHERE version = '001'";
        // That the table is there is recorded with the statement after it.
        let tables = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 't'";
        database.until(tables, "1").await;
        let mut other = sqlx::MySqlConnection::connect(&database.url).await.unwrap();
        let gap = "BEGIN; SELECT * FROM migration_records WHERE service = 'app' AND version = '002' FOR UPDATE";
        sqlx::raw_sql(gap).execute(&mut other).await.unwrap();
        sqlx::raw_sql("UNLOCK TABLES").execute(&mut reader).await.unwrap();
        database.until(state, "applied2").await;
        sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
        let _ = run.await.unwrap();
        reader.close().await.unwrap();
        let _ = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).ok(&["up"]);
        assert_eq!(database.value("SELECT count(*) FROM t").await, "1", "{engine}");
        other.close().await.unwrap();
        database.drop().await;
    }
}

/// A history that does not accept the start of the second migration has accepted the end of the first.
#[tokio::test]
async fn a_start_that_is_rejected_does_not_undo_the_end_before_it() {
    for first in ["CREATE TABLE t (id integer);", "CREATE TABLE t (id integer);\nINSERT INTO t VALUES (1);"] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let folder = TestFolder::new(&[("000_z.up.sql", "CREATE TABLE z (id integer);")]);
        Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
        database.execute("ALTER TABLE migration_records ADD CONSTRAINT few CHECK (version <> '002')").await;
        folder.write("migrations/001_t.up.sql", first);
        folder.write("migrations/002_u.up.sql", SECOND[0]);
        let error = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap_err();
        assert!(error.report().to_string().contains("few"), "{}", error.report());
        let statements = first.matches(';').count();
        assert_eq!(database.history().await, ["000|applied|1".to_owned(), format!("001|applied|{statements}")]);
        database.execute("ALTER TABLE migration_records DROP CONSTRAINT few").await;
        Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
        database.drop().await;
    }
}

/// While another session changes a table, `information_schema` leaves it out, and only warns of it. That is no answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_another_session_changes_is_not_taken_for_missing() {
    let (database, folder) =
        (TestDatabase::new(Kind::MariaDb).await, two_files("ALTER TABLE t DROP COLUMN a;\nCREATE TABLE w (id integer);"));
    folder.write("migrations/001_t.up.sql", "CREATE TABLE t (id integer, a integer);\nCREATE TABLE z (id integer);");
    end_after_first(&database, &folder).await;
    assert_eq!(database.history().await, ["001|applied|2", "002|started|0"]);
    let rename = database.rename_that_waits("t", "z").await;
    let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
    let error = migrator.run(&database.url).await.unwrap_err();
    let told = error.report();
    assert!(told.contains("cannot determine whether column `t.a` exists") && told.contains("try again later"), "{told}");
    assert_eq!(database.history().await, ["001|applied|2", "002|started|0"]);
    rename.end(&database).await;
    goes_on(database, &folder, "after the other session").await;
}

/// A release without the file of a migration that had not started: all commands agree, and the record is forgotten.
#[tokio::test]
async fn a_release_without_the_file_forgets_what_had_not_started() {
    let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(SECOND[0]));
    end_after_first(&database, &folder).await;
    folder.remove("migrations/002_u.up.sql");
    let report = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
    assert!(report.done.is_empty() && report.warnings.is_empty(), "{report:?}");
    assert_eq!(database.history().await, ["001|applied|2"]);
    database.drop().await;
}

/// A decision about a migration that had not started, and that `status` shows as pending.
#[tokio::test]
async fn a_migration_that_had_not_started_needs_no_decision() {
    let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(SECOND[0]));
    end_after_first(&database, &folder).await;
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = binary.run(&["--service", "app", "resolve", "002", "--retry", "--yes"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("version 002 is not partially applied"), "{}", outcome.stderr);
    assert_eq!(database.history().await, ["001|applied|2"]);
    database.drop().await;
}

/// With what was there before, a `CREATE` or `DROP` does nothing, so that it has not started, or has left nothing.
#[tokio::test]
async fn a_condition_that_holds_leaves_nothing() {
    for first in ["DROP TABLE IF EXISTS nope", "CREATE TABLE IF NOT EXISTS t (x integer)", "DROP TABLE IF EXISTS nope, t"] {
        let (database, folder) =
            (TestDatabase::new(Kind::MariaDb).await, two_files(&format!("{first};\nCREATE TABLE w (id integer);")));
        folder.write("migrations/001_t.down.sql", "DROP TABLE t;");
        end_after_first(&database, &folder).await;
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        assert_eq!(migrator.run_to(&database.url, &Target::Down(1)).await.unwrap().done.len(), 1, "{first}");
        assert_eq!(database.history().await, Vec::<String>::new(), "{first}");
        database.drop().await;
    }
}

/// What the first migration creates may change how the second one runs.
#[tokio::test]
async fn triggers_of_the_first_count_for_the_second() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let first = "CREATE TABLE t (id integer);\nCREATE TABLE o (n text);\n\
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @rows = ROW_COUNT();";
    let second = "CREATE TABLE u (id integer);\nINSERT INTO o VALUES ('a'), ('b');\nINSERT INTO t VALUES (1);\n\
        INSERT INTO o SELECT concat('before the trigger: ', @rows);";
    let folder = TestFolder::new(&[("001_t.up.sql", first), ("002_u.up.sql", second)]);
    Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT n FROM o WHERE n LIKE 'before%'").await, ["before the trigger: 2"]);
    assert_eq!(database.history().await, ["001|applied|3", "002|applied|4"]);
    database.drop().await;
}

/// A run whose process ends when the first migration is complete.
async fn end_after_first(database: &TestDatabase, folder: &TestFolder) {
    let observer = |event: &Event<'_>| assert!(!matches!(event, Event::Finished { .. }), "the end of the process");
    let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect())).on_event(observer);
    let url = database.url.clone();
    let outcome = tokio::spawn(async move { migrator.run(&url).await }).await;
    assert!(outcome.is_err_and(|error| error.is_panic()));
}

fn two_files(second: &str) -> TestFolder {
    let first = "CREATE TABLE t (id integer);\nINSERT INTO t (id) VALUES (1);";
    TestFolder::new(&[("001_t.up.sql", first), ("002_u.up.sql", second)])
}

async fn goes_on(database: TestDatabase, folder: &TestFolder, second: &str) {
    let report = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await;
    let report = report.unwrap_or_else(|error| panic!("{second}: {error:?}"));
    assert_eq!(report.done.len(), 1);
    assert_eq!(database.history().await, ["001|applied|2", "002|applied|2"], "{second}");
    database.drop().await;
}

/// That a statement which commits itself is done is recorded with the transaction after it. Wherever the run is interrupted, neither
/// runs twice; if the table has an engine without transactions, an operator decides about the transaction.
#[tokio::test]
async fn a_statement_is_recorded_with_the_transaction_after_it() {
    for engine in ["InnoDB", "MyISAM"] {
        let mut decided = 0;
        for (at, disconnect) in (1..).flat_map(|at| [(at, Disconnect::Before), (at, Disconnect::After)]) {
            let database = TestDatabase::new(Kind::MariaDb).await;
            let folder = TestFolder::new(&[("000_z.up.sql", "CREATE TABLE z (id integer);")]);
            Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
            let text = format!(
                "CREATE TABLE t (id integer) ENGINE={engine};\nINSERT INTO t VALUES (1);\nALTER TABLE t ADD COLUMN n integer;\nUPDATE t SET n = 1;"
            );
            folder.write("migrations/001_t.up.sql", &text);
            let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
            let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, disconnect).await;
            let _ = migrator.run(&proxy.url).await;
            let is_finished = !proxy.is_disconnected();
            match migrator.run(&database.url).await {
                Ok(_) => {
                    assert_eq!(database.rows("SELECT id, n FROM t").await, ["1|1"], "{engine} {at}");
                    assert_eq!(database.history().await, ["000|applied|1", "001|applied|4"], "{engine} {at}");
                }
                Err(error) => {
                    assert_eq!(engine, "MyISAM", "{at} {}", error.report());
                    assert!(error.report().to_string().contains("partially-applied"), "{at} {}", error.report());
                    decided += 1;
                }
            }
            database.drop().await;
            if is_finished {
                break;
            }
        }
        assert_eq!(decided > 0, engine == "MyISAM", "{engine}");
    }
}

/// A transaction that fails says, and records, that the statement before it is done.
#[tokio::test]
async fn a_failed_transaction_records_the_statement_before_it() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let folder = TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t (id integer);\nINSERT INTO nowhere VALUES (1);")]);
    let error = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap_err();
    assert!(error.report().to_string().contains("1 of 2 statements is done"), "{}", error.report());
    assert_eq!(database.history().await, ["001|failed|1"]);
    folder.write("migrations/001_t.up.sql", "CREATE TABLE t (id integer);\nINSERT INTO t VALUES (1);");
    Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
    assert_eq!(database.rows("SELECT id FROM t").await, ["1"]);
    database.drop().await;
}

/// A temporary table hides the real one from the statement, and not from the catalog: what was dropped is recorded at once.
#[tokio::test]
async fn a_statement_on_a_temporary_table_is_recorded_at_once() {
    let text = "CREATE TEMPORARY TABLE t (id integer);\nDROP TABLE t;\nINSERT INTO u VALUES (1);";
    let folder = TestFolder::new(&[("001_t.up.sql", text)]);
    let mut seen = Vec::new();
    for at in 1.. {
        let database = TestDatabase::new(Kind::MariaDb).await;
        database.execute("CREATE TABLE t (id integer); CREATE TABLE u (id integer);").await;
        let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, Disconnect::Before).await;
        let _ = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&proxy.url).await;
        let is_finished = !proxy.is_disconnected();
        let tables =
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'migration_records'";
        if database.value(tables).await == "1" {
            seen.extend(database.history().await);
        }
        database.drop().await;
        if is_finished {
            break;
        }
    }
    assert!(seen.contains(&"001|started|2".to_owned()), "{seen:?}");
}
