//! Interrupts many runs and runs them again, on the servers that `tests/servers.sh` starts:
//!
//! `cargo run -p migrate-tests --bin soak -- 500 postgres mariadb sqlite postgres-lease mariadb-lease pgbouncer`

use migrate_tests::Kind;
use migrate_tests::interruptions::{Direction, Interruption, Lock, Recovery, Scenario};
use std::time::Instant;

/// The last three run only if an argument names them: each run waits until the lease of the interrupted run expires.
const DATABASES: [(&str, Kind, Lock); 6] = [
    ("postgres", Kind::Postgres, Lock::Session),
    ("mariadb", Kind::MariaDb, Lock::Session),
    ("sqlite", Kind::Sqlite, Lock::Session),
    ("postgres-lease", Kind::Postgres, Lock::Lease),
    ("mariadb-lease", Kind::MariaDb, Lock::Lease),
    ("pgbouncer", Kind::Postgres, Lock::Pooler),
];

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let count: usize = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(500);
    let chosen: Vec<String> = arguments.collect();
    println!(
        "{:<15} {:<9} {:<20} {:>5} {:>11} {:>10}",
        "DATABASE", "DIRECTION", "INTERRUPTION", "RUNS", "INTERRUPTED", "SECONDS"
    );
    let is_chosen = |(name, _, lock): &(&str, Kind, Lock)| {
        if chosen.is_empty() { *lock == Lock::Session } else { chosen.iter().any(|argument| argument == name) }
    };
    for (name, kind, lock) in DATABASES.into_iter().filter(is_chosen) {
        let mut left = count;
        for direction in [Direction::Up, Direction::Down] {
            let scenario = Scenario::new(kind, direction, lock).await;
            let share = if direction == Direction::Up { count.div_ceil(2) } else { left };
            left -= share;
            let interruptions: &[Interruption] = if kind == Kind::Sqlite { &Interruption::ALL[2..3] } else { &Interruption::ALL };
            for (number, interruption) in interruptions.iter().enumerate() {
                let runs = share / interruptions.len() + usize::from(number < share % interruptions.len());
                let start = Instant::now();
                let mut interrupted = 0;
                for run in 0..runs {
                    // Each message in turn; on SQLite, times spread evenly over 110 % of the duration of a run.
                    let at = match kind {
                        Kind::Sqlite => scenario.length * 11 * (run + 1) / (10 * runs),
                        _ => run % scenario.length + 1,
                    };
                    interrupted += usize::from(scenario.interrupt(at, *interruption).await == Recovery::Resumed);
                }
                let (direction, interruption) = (format!("{direction:?}").to_lowercase(), description(kind, *interruption));
                let seconds = start.elapsed().as_secs_f64();
                println!("{name:<15} {direction:<9} {interruption:<20} {runs:>5} {interrupted:>11} {seconds:>10.1}");
            }
        }
    }
    println!("after each interruption, a plain run exited with 0; schema, rows and history equal those of an uninterrupted run");
}

fn description(kind: Kind, interruption: Interruption) -> String {
    let (what, side) = match interruption {
        Interruption::Connection(side) => ("connection", side),
        Interruption::Process(side) => ("process", side),
    };
    match kind {
        Kind::Sqlite => format!("{what} after a time"),
        _ => format!("{what} {}", format!("{side:?}").to_lowercase()),
    }
}
