//! A run may be killed at any instant, and so may its connection: a sample of what the `soak` command does in full.

use migrate_tests::Kind;
use migrate_tests::interruptions::{Bench, Blow, Lock, Outcomes, Way};

async fn sample(kind: Kind, lock: Lock) {
    let mut cut = 0;
    for way in [Way::Up, Way::Down] {
        let bench = Bench::new(kind, way, lock).await;
        for (number, at) in places(kind, lock, bench.length).into_iter().enumerate() {
            let blow = Blow::ALL[number % Blow::ALL.len()];
            cut += usize::from(bench.cut(at, blow).await == Outcomes::Resumed);
        }
    }
    assert!(cut >= 10, "only {cut} runs were cut");
}

/// Every question once, or where a lease has to run out each time, every fifth; on SQLite, thirty moments of a run.
fn places(kind: Kind, lock: Lock, length: usize) -> Vec<usize> {
    match (kind, lock) {
        (Kind::Sqlite, _) => (1..=30).map(|number| length * number / 30).collect(),
        (_, Lock::Session) => (1..=length).collect(),
        _ => (3..=length).step_by(5).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    sample(Kind::Postgres, Lock::Session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    sample(Kind::MariaDb, Lock::Session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    sample(Kind::Sqlite, Lock::Session).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_with_a_lease() {
    sample(Kind::Postgres, Lock::Lease).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb_with_a_lease() {
    sample(Kind::MariaDb, Lock::Lease).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_pooler() {
    sample(Kind::Postgres, Lock::Pooler).await;
}
