//! Servers that go silent, or answer without an end, at any message of a run: every command ends in time and says so, and the next
//! run is as after a lost connection.

use migrate_runtime::{ErrorKind, Migrator};
use migrate_tests::{Binary, FalseAnswer, Kind, Outcome, Proxy, TestDatabase, TestFolder};
use std::time::{Duration, Instant};

/// Longer than a query may take, and far from for ever.
const LONGEST: Duration = Duration::from_secs(100);

fn folder(kind: Kind) -> TestFolder {
    let folder = TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (id integer);"),
        ("002_a.up.sql", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);"),
    ]);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    folder
}

/// A session may be left that waits for the client.
async fn end(database: TestDatabase) {
    match database.kind {
        Kind::Postgres => database.drop_by_force().await,
        _ => database.drop().await,
    }
}

/// A health check above all: it must not hang, whatever comes instead of the first answer.
async fn health_checks(kind: Kind, answers: &[FalseAnswer]) {
    let database = TestDatabase::new(kind).await;
    let folder = folder(kind);
    let set = folder.set(kind.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap();
    // The messages of connecting come first.
    let proxy = Proxy::before(kind, &database.url).await;
    Migrator::wait_for_database(&proxy.url.parse().unwrap(), Duration::from_secs(60)).await.unwrap();
    let connecting = proxy.count();
    let checks = answers.iter().flat_map(|answer| [(*answer, connecting + 1), (*answer, 1)]);
    let checks = checks.map(async |(answer, at)| {
        let proxy = Proxy::answering(kind, &database.url, at, answer).await;
        let since = Instant::now();
        let error = Migrator::new(&set).is_up_to_date(&proxy.url).await.unwrap_err();
        assert!(since.elapsed() < LONGEST, "{kind:?}, {answer:?} at {at}: {:?}", since.elapsed());
        assert!(
            matches!(error.kind(), ErrorKind::Connection | ErrorKind::ConnectionLost | ErrorKind::History),
            "{answer:?} at {at}: {error}"
        );
        if answer == FalseAnswer::Silence {
            assert!(error.report().contains("30"), "{answer:?} at {at}: {error}");
        }
    });
    futures_util::future::join_all(checks).await;
    assert!(Migrator::new(&set).is_up_to_date(&database.url).await.unwrap());
    end(database).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_checks_on_postgres() {
    use FalseAnswer::{Garbage, Impossible, Notices, Results, Rows, Silence, Trickle};
    health_checks(Kind::Postgres, &[Silence, Garbage, Impossible, Trickle, Rows, Results, Notices]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_checks_on_mariadb() {
    use FalseAnswer::{Garbage, Impossible, Results, Rows, Silence, Trickle};
    health_checks(Kind::MariaDb, &[Silence, Garbage, Impossible, Trickle, Rows, Results]).await;
}

/// The server goes silent, or answers what cannot be read, at each message of a run.
async fn runs(kind: Kind) {
    let whole = TestDatabase::new(kind).await;
    let proxy = Proxy::before(kind, &whole.url).await;
    let folder = folder(kind);
    let set = folder.set(kind.dialect());
    Migrator::new(&set).run(&proxy.url).await.unwrap();
    let messages = proxy.count();
    end(whole).await;
    let answers = [FalseAnswer::Silence, FalseAnswer::Impossible];
    let answers = (1..=messages).flat_map(|at| answers.map(|answer| (at, answer)));
    let runs = answers.map(async |(at, answer)| {
        let database = TestDatabase::new(kind).await;
        let proxy = Proxy::answering(kind, &database.url, at, answer).await;
        let migrator = Migrator::new(&set).timeout(Duration::from_secs(3));
        let run = tokio::time::timeout(LONGEST, migrator.run(&proxy.url)).await;
        let run = run.unwrap_or_else(|_| panic!("{kind:?}, {answer:?} at {at}"));
        assert!(run.is_err() || proxy.is_disconnected(), "{kind:?}, {answer:?} at {at}");
        // The server has not got the message, and its sessions end with the connections.
        let migrator = Migrator::new(&set).lock_wait(Duration::from_secs(60));
        migrator.run(&database.url).await.unwrap_or_else(|error| panic!("{kind:?}, {answer:?} at {at}: {error}"));
        assert_eq!(database.value("SELECT count(*) FROM t").await, "2", "{kind:?}, {answer:?} at {at}");
        end(database).await;
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_on_postgres() {
    runs(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn runs_on_mariadb() {
    runs(Kind::MariaDb).await;
}

/// The command ends, too, and says what to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_end() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind);
        let proxy = Proxy::before(kind, &database.url).await;
        Migrator::wait_for_database(&proxy.url.parse().unwrap(), Duration::from_secs(60)).await.unwrap();
        let connecting = proxy.count();
        let commands: [&[&str]; 4] = [&["status"], &["up", "--timeout", "3s"], &["plan"], &["verify"]];
        let ends = commands.map(|command| fails_in_time(&folder, kind, &database.url, connecting + 1, command));
        for (command, messages) in futures_util::future::join_all(ends).await {
            assert!(messages.contains("has not answered within 30.0 s"), "{kind:?} {command:?}: {messages}");
        }
        end(database).await;
    }
}

/// A server that is silent during the login does not stop these commands for ever, either.
#[tokio::test]
async fn commands_for_databases_end() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind);
        let commands: [&[&str]; 3] = [&["db", "create"], &["db", "drop", "--yes"], &["db", "reset", "--yes"]];
        let ends = commands.map(|command| fails_in_time(&folder, kind, &database.url, 1, command));
        for (command, messages) in futures_util::future::join_all(ends).await {
            // At the connection, or at the question who uses the database.
            let is_silence = messages.contains("no answer within 30 s") || messages.contains("has not answered within 30");
            assert!(is_silence, "{kind:?} {command:?}: {messages}");
        }
        end(database).await;
    }
}

/// Runs a command against a server that is silent from a message on: it fails in time, with the returned messages.
async fn fails_in_time<'c>(
    folder: &TestFolder,
    kind: Kind,
    url: &str,
    message: usize,
    command: &'c [&'c str],
) -> (&'c [&'c str], String) {
    let proxy = Proxy::answering(kind, url, message, FalseAnswer::Silence).await;
    let since = Instant::now();
    let mut process =
        tokio::process::Command::from(Binary::inside(folder.path()).variable("DATABASE_URL", &proxy.url).command(command));
    let outcome = Outcome::of(process.output().await.unwrap());
    assert!(since.elapsed() < LONGEST, "{kind:?} {command:?}: {:?}", since.elapsed());
    assert_eq!(outcome.code, 1, "{kind:?} {command:?}: {}", outcome.stderr);
    (command, outcome.stderr)
}
