//! Rolling deploys and roll-backs: an old and a new release beside each other. What only the new release knows never makes the
//! old one unready, and never stops it.

use migrate_runtime::{Event, MigrationSet, Migrator};
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

/// How often a release is asked whether it is ready.
const PROBE: Duration = Duration::from_millis(50);

struct Releases {
    old: Arc<MigrationSet>,
    new: Arc<MigrationSet>,
    folder: TestFolder,
}

/// Both have 001; the new one has a slow 002 with a statement that fails while `nope` does not exist, and 003.
fn releases(kind: Kind) -> Releases {
    let slow = match kind {
        Kind::Postgres => "SELECT pg_sleep(0.4);",
        Kind::MariaDb => "DO SLEEP(0.4);",
        Kind::Sqlite => {
            "WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 400000) SELECT count(*) FROM n;"
        }
    };
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (id int);")]);
    let old = folder.set(kind.dialect());
    let second = format!(
        "-- migrate: no-transaction\nCREATE TABLE b (id int);\n{slow}\nINSERT INTO nope VALUES (1);\nCREATE TABLE c (id int);"
    );
    folder.write("migrations/002_b.up.sql", &second);
    folder.write("migrations/003_c.up.sql", "CREATE TABLE d (id int);");
    let new = folder.set(kind.dialect());
    Releases { old, new, folder }
}

/// Probes the old release until told to stop: it is ready, and it can start. Returns the number of probes.
async fn probe(database: &TestDatabase, old: &Arc<MigrationSet>, stop: &AtomicBool) -> usize {
    let mut probes = 0;
    let migrator = Migrator::new(old).lock_wait(Duration::from_secs(5));
    while !stop.load(Ordering::SeqCst) {
        assert!(migrator.is_up_to_date(&database.url).await.unwrap(), "the old release is ready at probe {probes}");
        let report =
            migrator.run(&database.url).await.unwrap_or_else(|error| panic!("the old release starts at probe {probes}: {error}"));
        assert!(report.done.is_empty());
        probes += 1;
        tokio::time::sleep(PROBE).await;
    }
    probes
}

async fn beside_each_other(kind: Kind) {
    let database = TestDatabase::new(kind).await;
    let Releases { old, new, folder } = releases(kind);
    Migrator::new(&old).run(&database.url).await.unwrap();
    // The new release fails, stays failed, and then succeeds.
    for nope_exists in [false, false, true] {
        if nope_exists {
            database.execute("CREATE TABLE nope (id int)").await;
        }
        let stop = AtomicBool::new(false);
        let started = Arc::new(AtomicUsize::new(0));
        let seen = started.clone();
        let run = async {
            let migrator = Migrator::new(&new).on_event(move |event| {
                seen.fetch_add(usize::from(matches!(event, Event::Started { .. })), Ordering::SeqCst);
            });
            let outcome = migrator.run(&database.url).await;
            // The old one is asked once more afterwards.
            tokio::time::sleep(PROBE * 2).await;
            stop.store(true, Ordering::SeqCst);
            outcome
        };
        let (outcome, probes) = tokio::join!(run, probe(&database, &old, &stop));
        assert_eq!(outcome.is_ok(), nope_exists, "{kind:?}: {outcome:?}");
        assert!(started.load(Ordering::SeqCst) > 0 && probes > 1, "{kind:?}: {probes} probes");
    }
    assert!(Migrator::new(&new).is_up_to_date(&database.url).await.unwrap());
    // Rolled back: the old release starts, with a warning, and `status` of it does not call the newer ones pending.
    let report = Migrator::new(&old).run(&database.url).await.unwrap();
    assert!(report.warnings.iter().all(|warning| warning.finding.code.name == "ahead"), "{kind:?}: {:?}", report.warnings);
    assert!(Migrator::new(&old).status(&database.url).await.unwrap().is_up_to_date());
    drop(folder);
    database.drop().await;
}

#[tokio::test]
async fn an_old_release_stays_ready_beside_a_new_one_on_postgres() {
    beside_each_other(Kind::Postgres).await;
}

#[tokio::test]
async fn an_old_release_stays_ready_beside_a_new_one_on_mariadb() {
    beside_each_other(Kind::MariaDb).await;
}

#[tokio::test]
async fn an_old_release_stays_ready_beside_a_new_one_on_sqlite() {
    beside_each_other(Kind::Sqlite).await;
}

/// A run with nothing to do does not wait for the lock that a newer release holds.
#[tokio::test]
async fn nothing_to_do_needs_no_lock() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (id int);")]);
        let old = folder.set(kind.dialect());
        let slow = if kind == Kind::Postgres { "SELECT pg_sleep(3);" } else { "DO SLEEP(3);" };
        folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id int);");
        folder.write("migrations/003_c.up.sql", slow);
        let new = folder.set(kind.dialect());
        Migrator::new(&old).run(&database.url).await.unwrap();
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        let migrator = Migrator::new(&new).on_event(move |event| {
            if matches!(event, Event::Started { number: 2, .. }) {
                let _ = sender.send(());
            }
        });
        let url = database.url.clone();
        let newer = tokio::spawn(async move { migrator.run(&url).await.map(drop) });
        receiver.recv().await.unwrap();
        let report = Migrator::new(&old).lock_wait(Duration::ZERO).run(&database.url).await.unwrap();
        assert!(report.done.is_empty());
        newer.await.unwrap().unwrap();
        database.drop().await;
    }
}

/// `status` says whether a migration that is started is being applied or was interrupted.
#[tokio::test]
async fn status_says_what_is_being_applied() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let slow = if kind == Kind::Postgres { "VACUUM a;\nSELECT pg_sleep(2);" } else { "CALL p();" };
        if kind == Kind::MariaDb {
            database.execute("CREATE PROCEDURE p() DO SLEEP(2)").await;
        }
        let text = format!("-- migrate: no-transaction\nCREATE TABLE a (id int);\n{slow}");
        let folder = TestFolder::new(&[("001_a.up.sql", &text)]);
        let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name());
        folder.write("migrate.toml", &settings);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let mut up = binary.command(&["up"]).spawn().unwrap();
        until(async || binary.run(&["status"]).stdout.contains("being applied")).await.expect("it is shown while it runs");
        assert!(up.wait().unwrap().success());
        database.execute("UPDATE migration_records SET state = 'started'").await;
        let status = binary.run(&["status"]);
        assert!(status.stdout.contains("PARTIALLY APPLIED"), "{kind:?}: {}", status.stdout);
        database.drop().await;
    }
}
