//! How long the traffic on a table stands still when it is altered behind a long transaction: `cargo migrate up`, which
//! gives up its place in the queue after its lock time-out, beside the database's own client, which sets none.
//!
//! 50 clients read and write the table in a loop; another has read from it and stays in its transaction for 30 s (the first
//! argument says another number). Further arguments choose among `psql` and `mariadb`.

use migrate_benches::command;
use migrate_tests::{Kind, TestDatabase};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CLIENTS: usize = 50;
const ALTER: &str = "ALTER TABLE busy ADD COLUMN more integer;";

/// The command that alters the table of a database.
type Tool<'a> = &'a dyn Fn(&str) -> Command;

/// What one run showed.
struct Seen {
    /// The longest that a client waited for an answer.
    longest: Duration,
    /// How many questions were answered.
    answered: u64,
    /// How long it took until the table was altered.
    took: Duration,
}

fn main() {
    let command = command();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let held = arguments.iter().find_map(|argument| argument.parse().ok()).map_or(Duration::from_secs(30), Duration::from_secs);
    let chosen: Vec<&String> = arguments.iter().filter(|argument| argument.parse::<u64>().is_err()).collect();
    println!("{:<18} {:>17} {:>12} {:>14}", "", "LONGEST STALL ms", "ANSWERS", "ALTERED AFTER s");
    for (kind, client) in [(Kind::Postgres, "psql"), (Kind::MariaDb, "mariadb")] {
        if !chosen.is_empty() && !chosen.iter().any(|one| *one == client) {
            continue;
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("migrations")).expect("a folder");
        fs::write(folder.path().join("migrations/001_alter.up.sql"), ALTER).expect("a file");
        fs::write(folder.path().join("migrations/001_alter.down.sql"), "ALTER TABLE busy DROP COLUMN more;").expect("a file");
        let ours = |url: &str| {
            let mut up = Command::new(&command);
            up.arg("--source").arg(folder.path().join("migrations")).args(["--quiet", "-D", url, "up"]);
            up
        };
        let theirs = |url: &str| client_of(kind, url);
        for ours_turn in [true, false] {
            let (name, tool): (&str, Tool<'_>) = if ours_turn { ("cargo migrate up", &ours) } else { (client, &theirs) };
            let seen = runtime.block_on(alter(kind, held, tool));
            println!("{name:<18} {:>17} {:>12} {:>14.1}", seen.longest.as_millis(), seen.answered, seen.took.as_secs_f64());
        }
    }
}

async fn alter(kind: Kind, held: Duration, tool: Tool<'_>) -> Seen {
    let database = TestDatabase::new(kind).await;
    database.execute("CREATE TABLE busy (id integer PRIMARY KEY, n integer NOT NULL)").await;
    let rows: Vec<String> = (0..CLIENTS).map(|id| format!("({id}, 0)")).collect();
    database.execute(&format!("INSERT INTO busy VALUES {}", rows.join(", "))).await;
    let done = Arc::new(AtomicBool::new(false));
    let longest = Arc::new(AtomicU64::new(0));
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|id| {
            let (url, done, longest, answered) = (database.url.clone(), done.clone(), longest.clone(), answered.clone());
            tokio::spawn(async move {
                let mut connection = AnyConnection::connect(&url).await.expect("a connection");
                while !done.load(Ordering::Relaxed) {
                    for sql in
                        [format!("SELECT n FROM busy WHERE id = {id}"), format!("UPDATE busy SET n = n + 1 WHERE id = {id}")]
                    {
                        let asked = Instant::now();
                        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("an answer");
                        longest.fetch_max(asked.elapsed().as_millis() as u64, Ordering::Relaxed);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    // People do not ask without a pause.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            })
        })
        .collect();
    let mut holder = database.connect().await;
    sqlx::raw_sql("BEGIN").execute(&mut holder).await.expect("a transaction");
    sqlx::raw_sql("SELECT count(*) FROM busy").execute(&mut holder).await.expect("a row");
    let holding = tokio::spawn(async move {
        tokio::time::sleep(held).await;
        sqlx::raw_sql("COMMIT").execute(&mut holder).await.expect("the end of the transaction");
    });
    let begun = Instant::now();
    let mut tool = tokio::process::Command::from(tool(&database.url));
    let output = tool.stdin(Stdio::null()).output().await.expect("the tool runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let took = begun.elapsed();
    holding.await.expect("the transaction ends");
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client fails");
    }
    database.drop().await;
    let (longest, answered) = (longest.load(Ordering::Relaxed), answered.load(Ordering::Relaxed));
    Seen { longest: Duration::from_millis(longest), answered, took }
}

fn client_of(kind: Kind, url: &str) -> Command {
    let mut command = migrate_benches::client(kind, url);
    command.args(if kind == Kind::Postgres { ["-c", ALTER] } else { ["-e", ALTER] });
    command
}
