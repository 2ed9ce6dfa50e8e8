//! The time to apply 1,000 migrations, compared with the client of the database, which runs one transaction for each file.
//!
//! With `MIGRATE_BENCH_PEERS`, also with other tools; see `benches/peers.sh`.
//!
//! The arguments `psql`, `mariadb` and `sqlite3` select databases; without an argument, all are measured.
//!
//! `SERVERS_SYNC=on tests/servers.sh start DIR` starts servers that flush each commit to disk, as production servers do.

use migrate_benches::peers::peers;
use migrate_benches::{Contestant, client, client_name, commands, in_turns, migration, print, run, write_migrations};
use migrate_tests::{Kind, TestDatabase};
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

const COUNT: usize = 1_000;
const ROUNDS: usize = 5;

fn main() {
    let commands = commands();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let folder = tempfile::tempdir().expect("a folder");
    write_migrations(&folder.path().join("migrations"), COUNT, true);
    let piped = folder.path().join("all.sql");
    let in_transaction = |sql: String| format!("BEGIN;\n{sql}COMMIT;\n");
    fs::write(&piped, (1..=COUNT).map(migration).map(in_transaction).collect::<String>()).expect("a file");
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for kind in Kind::ALL.into_iter().filter(|kind| chosen.is_empty() || chosen.iter().any(|name| name == client_name(*kind))) {
        let with_new_database = |time: &dyn Fn(&str) -> Duration| {
            let database = runtime.block_on(TestDatabase::new(kind));
            let elapsed = time(&database.url);
            runtime.block_on(database.drop());
            elapsed
        };
        let ours = |binary: &Path, url: &str| {
            let mut up = Command::new(binary);
            run(up.args(["--source"]).arg(folder.path().join("migrations")).args(["--quiet", "-D", url, "up"]))
        };
        let theirs = |url: &str| run(client(kind, url).stdin(File::open(&piped).expect("a file")));
        let (with_new_database, ours) = (&with_new_database, &ours);
        let mut contestants: Vec<Contestant<'_>> = Vec::new();
        for (name, binary) in &commands {
            contestants.push((format!("{name} up"), Box::new(move || with_new_database(&|url| ours(binary, url)))));
        }
        for peer in peers() {
            let files = folder.path().join(peer.name);
            if !files.is_dir() {
                peer.write_migrations(&files, COUNT);
            }
            let name = peer.name.to_owned();
            let theirs = move |url: &str| run(&mut peer.up(kind, &files, url));
            contestants.push((name, Box::new(move || with_new_database(&theirs))));
        }
        contestants.push((client_name(kind).to_owned(), Box::new(|| with_new_database(&theirs))));
        print(&format!("{COUNT} migrations"), &in_turns(ROUNDS, contestants));
    }
}
