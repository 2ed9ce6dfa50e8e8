//! The duration of commands: `--help`, `check` of 1,000 migrations, and `up` without a pending migration.

use migrate_benches::{Contestant, command, in_turns, lock, print, run, write_migrations};
use std::process::Command;
use std::time::Duration;

const ROUNDS: usize = 21;

fn main() {
    let binary = command();
    let folder = tempfile::tempdir().expect("a folder");
    write_migrations(&folder.path().join("migrations"), 1_000, true);
    lock(&binary, &folder.path().join("migrations"));
    let ours = |arguments: &[&str]| {
        let mut command = Command::new(&binary);
        command.arg("--source").arg(folder.path().join("migrations")).args(arguments).env_remove("DATABASE_URL");
        command
    };
    let url = format!("sqlite:{}", folder.path().join("app.db").display());
    run(&mut ours(&["-D", &url, "up"]));
    let time = |command: Command| -> Box<dyn FnMut() -> Duration> {
        let mut command = command;
        Box::new(move || run(&mut command))
    };
    let contestants: Vec<Contestant<'_>> = vec![
        ("cargo migrate --help", time(ours(&["--help"]))),
        ("cargo migrate check (2,000 files)", time(ours(&["--dialect", "postgres", "check"]))),
        ("cargo migrate up, nothing pending (2,000 files, SQLite)", time(ours(&["-D", &url, "up"]))),
        ("true", time(Command::new("true"))),
    ];
    print("the command", &in_turns(ROUNDS, contestants));
}
