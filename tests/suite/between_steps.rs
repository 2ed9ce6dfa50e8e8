//! A run that ends between two migrations: nothing of the next one is recorded.

use migrate_runtime::{Event, Migrator, StopSignal};
use migrate_tests::{Kind, TestDatabase, TestFolder};

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
        let observer = |event: &Event<'_>| assert!(!matches!(event, Event::Finished { .. }), "the end of the process");
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect())).on_event(observer);
        let url = database.url.clone();
        let outcome = tokio::spawn(async move { migrator.run(&url).await }).await;
        assert!(outcome.is_err_and(|error| error.is_panic()));
        let history = database.history().await;
        assert_eq!(history[0], "001|applied|2");
        assert_eq!(history.len(), 1, "{second}");
        goes_on(database, &folder, second).await;
    }
}

/// What must fail fails, also after a run that ended before it.
#[tokio::test]
async fn a_statement_that_was_not_sent_is_not_taken_as_completed() {
    for second in ["CREATE TABLE t (id integer);", "DROP TABLE missing;", "ALTER TABLE t ADD COLUMN id text;"] {
        let second = format!("{second}\nCREATE TABLE w (id integer);");
        let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, two_files(&second));
        let observer = |event: &Event<'_>| assert!(!matches!(event, Event::Finished { .. }), "the end of the process");
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect())).on_event(observer);
        let url = database.url.clone();
        assert!(tokio::spawn(async move { migrator.run(&url).await }).await.is_err_and(|error| error.is_panic()));
        let error = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap_err();
        assert_eq!(error.code().name, "migration-failed", "{second}: {error}");
        assert_eq!(database.history().await, ["001|applied|2"], "{second}");
        database.drop().await;
    }
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
