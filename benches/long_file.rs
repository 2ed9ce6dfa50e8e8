//! The time to apply one file of N and of 2N statements that does not run in a transaction, and to resume it near its end. The
//! time must grow with the number of statements, not with its square.
//!
//! The arguments `psql` and `mariadb` select databases; without an argument, both are measured.

use migrate_benches::{Contestant, client_name, command, in_turns, print, run};
use migrate_tests::{Kind, TestDatabase, TestFolder};
use std::process::Command;
use std::time::{Duration, Instant};

const COUNT: usize = 4_000;
const ROUNDS: usize = 3;

fn main() {
    let binary = command();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for kind in [Kind::Postgres, Kind::MariaDb]
        .into_iter()
        .filter(|kind| chosen.is_empty() || chosen.iter().any(|name| name == client_name(*kind)))
    {
        let apply = |statements: usize| -> Duration {
            let database = runtime.block_on(TestDatabase::new(kind));
            let folder = folder(kind, &inserts(statements));
            let elapsed = run(&mut up(&binary, &folder, &database.url));
            runtime.block_on(database.drop());
            elapsed
        };
        let resume = |statements: usize| -> Duration {
            let database = runtime.block_on(TestDatabase::new(kind));
            let folder = folder(kind, &format!("{}INSERT INTO missing VALUES (1);\n", inserts(statements)));
            up(&binary, &folder, &database.url).output().expect("a run that fails at the last statement");
            runtime.block_on(database.execute("CREATE TABLE missing (id int)"));
            let start = Instant::now();
            run(&mut up(&binary, &folder, &database.url));
            let elapsed = start.elapsed();
            runtime.block_on(database.drop());
            elapsed
        };
        let contestants: Vec<Contestant<'_>> =
            vec![("apply 2N".to_owned(), Box::new(|| apply(2 * COUNT))), ("apply N".to_owned(), Box::new(|| apply(COUNT)))];
        print(&format!("{}, N = {COUNT}", client_name(kind)), &in_turns(ROUNDS, contestants));
        let contestants: Vec<Contestant<'_>> = vec![
            ("resume after 2N".to_owned(), Box::new(|| resume(2 * COUNT))),
            ("resume after N".to_owned(), Box::new(|| resume(COUNT))),
        ];
        print(&format!("{}, N = {COUNT}", client_name(kind)), &in_turns(ROUNDS, contestants));
    }
}

/// A file that does not run in a transaction, with so many statements that write.
fn inserts(statements: usize) -> String {
    let inserts = (1..statements).map(|number| format!("INSERT INTO t VALUES ({number});\n"));
    format!("-- migrate: no-transaction\nCREATE TABLE t (id int);\n{}", inserts.collect::<String>())
}

fn folder(kind: Kind, text: &str) -> TestFolder {
    let folder = TestFolder::new(&[("001_t.up.sql", text)]);
    let database = kind.dialect().name();
    folder.write("migrate.toml", &format!("service = \"bench\"\ndatabase = \"{database}\"\nlint = \"off\"\n"));
    folder
}

fn up(binary: &std::path::Path, folder: &TestFolder, url: &str) -> Command {
    let mut command = Command::new(binary);
    command.args(["up", "--quiet", "-D", url]).current_dir(folder.path());
    command
}
