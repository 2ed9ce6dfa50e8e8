//! The process or the connection of a run may end at any time. These tests take a sample of the cases of the `soak` command.

use migrate_tests::Kind;
use migrate_tests::interruptions::{Direction, Interruption, Lock, Recovery, Scenario};

async fn sample(kind: Kind, lock: Lock) {
    let mut interrupted = 0;
    for direction in [Direction::Up, Direction::Down] {
        let scenario = Scenario::new(kind, direction, lock).await;
        for (number, at) in points(kind, lock, scenario.length).into_iter().enumerate() {
            let interruption = Interruption::ALL[number % Interruption::ALL.len()];
            interrupted += usize::from(scenario.interrupt(at, interruption).await == Recovery::Resumed);
        }
    }
    assert!(interrupted >= 10, "only {interrupted} runs were interrupted");
}

/// Every message once; with a lease, which must expire each time, every fifth message; on SQLite, 30 times of a run.
fn points(kind: Kind, lock: Lock, length: usize) -> Vec<usize> {
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
