//! Cuts many runs short and runs them again, on the servers that `tests/servers.sh` starts:
//!
//! `cargo run -p migrate-tests --bin soak -- 500 postgres mariadb sqlite postgres-lease mariadb-lease pgbouncer`

use migrate_tests::Kind;
use migrate_tests::interruptions::{Bench, Blow, Lock, Outcomes, Way};
use std::time::Instant;

/// Of the last three, each run waits until the lease of the one that was cut has run out, so they come only when named.
const PLACES: [(&str, Kind, Lock); 6] = [
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
    println!("{:<15} {:<5} {:<20} {:>5} {:>8} {:>10}", "DATABASE", "WAY", "CUT", "RUNS", "WERE CUT", "SECONDS");
    let meant = |(name, _, lock): &(&str, Kind, Lock)| match chosen.is_empty() {
        true => *lock == Lock::Session,
        false => chosen.iter().any(|one| one == name),
    };
    for (name, kind, lock) in PLACES.into_iter().filter(meant) {
        let mut left = count;
        for way in [Way::Up, Way::Down] {
            let bench = Bench::new(kind, way, lock).await;
            let share = if way == Way::Up { count.div_ceil(2) } else { left };
            left -= share;
            let blows: &[Blow] = if kind == Kind::Sqlite { &Blow::ALL[2..3] } else { &Blow::ALL };
            for (number, blow) in blows.iter().enumerate() {
                let runs = share / blows.len() + usize::from(number < share % blows.len());
                let begun = Instant::now();
                let mut cut = 0;
                for run in 0..runs {
                    // Every question in turn; on SQLite, moments evenly over a run and a little beyond.
                    let at = match kind {
                        Kind::Sqlite => bench.length * 11 * (run + 1) / (10 * runs),
                        _ => run % bench.length + 1,
                    };
                    cut += usize::from(bench.cut(at, *blow).await == Outcomes::Resumed);
                }
                let (way, blow) = (format!("{way:?}").to_lowercase(), shown(kind, *blow));
                let seconds = begun.elapsed().as_secs_f64();
                println!("{name:<15} {way:<5} {blow:<20} {runs:>5} {cut:>8} {seconds:>10.1}");
            }
        }
    }
    println!("after each cut, a plain run ended with 0, and schema, rows and history were those of an undisturbed run");
}

fn shown(kind: Kind, blow: Blow) -> String {
    let (what, side) = match blow {
        Blow::Connection(side) => ("connection", side),
        Blow::Process(side) => ("process", side),
    };
    match kind {
        Kind::Sqlite => format!("{what} at a moment"),
        _ => format!("{what} {}", format!("{side:?}").to_lowercase()),
    }
}
