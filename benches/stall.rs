//! The longest wait of clients while their table is altered during a long transaction: with `cargo migrate up`, which aborts
//! the statement after its lock timeout, compared with `psql` and `mariadb`, which set no lock timeout.
//!
//! 50 clients read and write the table in a loop. Another client has read the table and keeps its transaction open for 30 s.
//! A number as an argument sets another time in seconds. The arguments `psql` and `mariadb` select databases.

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

/// Creates the command that alters the table in the database of a URL.
type Tool<'a> = &'a dyn Fn(&str) -> Command;

/// The measurements of one run.
struct Measurements {
    /// The longest wait of a client for the result of a statement.
    longest: Duration,
    /// The number of statements that all clients executed.
    answered: u64,
    /// The time until the table was altered.
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
        if !chosen.is_empty() && !chosen.iter().any(|name| *name == client) {
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
            let run = runtime.block_on(alter(kind, held, tool));
            println!("{name:<18} {:>17} {:>12} {:>14.1}", run.longest.as_millis(), run.answered, run.took.as_secs_f64());
        }
    }
}

async fn alter(kind: Kind, held: Duration, tool: Tool<'_>) -> Measurements {
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
                        let sent = Instant::now();
                        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("an answer");
                        longest.fetch_max(sent.elapsed().as_millis() as u64, Ordering::Relaxed);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    // Real clients pause between statements.
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
    let start = Instant::now();
    let mut tool = tokio::process::Command::from(tool(&database.url));
    let output = tool.stdin(Stdio::null()).output().await.expect("the tool runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let took = start.elapsed();
    holding.await.expect("the transaction ends");
    done.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.expect("no client fails");
    }
    database.drop().await;
    let (longest, answered) = (longest.load(Ordering::Relaxed), answered.load(Ordering::Relaxed));
    Measurements { longest: Duration::from_millis(longest), answered, took }
}

fn client_of(kind: Kind, url: &str) -> Command {
    let mut command = migrate_benches::client(kind, url);
    command.args(if kind == Kind::Postgres { ["-c", ALTER] } else { ["-e", ALTER] });
    command
}
