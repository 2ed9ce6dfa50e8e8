//! The time of a run that has nothing to do, with 1,000 and with 5,000 applied migrations on PostgreSQL.
//!
//! With `MIGRATE_BENCH_PEERS`, compared with other tools; see `benches/peers.sh`.

use migrate_benches::peers::peers;
use migrate_benches::{Contestant, commands, in_turns, print, run, write_migrations};
use migrate_tests::{Kind, TestDatabase};
use std::process::Command;

const ROUNDS: usize = 21;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    for count in [1_000, 5_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut contestants: Vec<Contestant<'_>> = Vec::new();
        let mut databases = Vec::new();
        let mut add = |name: String, mut up: Command, database: TestDatabase| {
            run(&mut up);
            databases.push(database);
            contestants.push((name, Box::new(move || run(&mut up))));
        };
        let files = folder.path().join("migrations");
        write_migrations(&files, count, true);
        for (name, binary) in commands() {
            let database = runtime.block_on(TestDatabase::new(Kind::Postgres));
            let mut up = Command::new(&binary);
            up.arg("--source").arg(&files).args(["--quiet", "-D", &database.url, "up"]);
            add(format!("{name} up"), up, database);
        }
        for peer in peers() {
            let files = folder.path().join(peer.name);
            peer.write_migrations(&files, count);
            let database = runtime.block_on(TestDatabase::new(Kind::Postgres));
            let up = peer.up(Kind::Postgres, &files, &database.url);
            add(peer.name.to_owned(), up, database);
        }
        print(&format!("{count} migrations, nothing pending"), &in_turns(ROUNDS, contestants));
        for database in databases {
            runtime.block_on(database.drop());
        }
    }
}
