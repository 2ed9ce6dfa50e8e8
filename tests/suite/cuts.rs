//! A run may be killed at any instant, and so may its connection: a sample of what the `soak` command does in full.

use migrate_tests::Kind;
use migrate_tests::cuts::{Bench, Blow, Outcomes, Way};

async fn sample(kind: Kind) {
    let mut cut = 0;
    for way in [Way::Up, Way::Down] {
        let bench = Bench::new(kind, way).await;
        for (number, at) in places(kind, bench.length).into_iter().enumerate() {
            let blow = Blow::ALL[number % Blow::ALL.len()];
            cut += usize::from(bench.cut(at, blow).await == Outcomes::Resumed);
        }
    }
    assert!(cut >= 10, "only {cut} runs were cut");
}

/// Every question once; on SQLite, thirty moments of a run.
fn places(kind: Kind, length: usize) -> Vec<usize> {
    match kind {
        Kind::Sqlite => (1..=30).map(|number| length * number / 30).collect(),
        _ => (1..=length).collect(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    sample(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    sample(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    sample(Kind::Sqlite).await;
}
