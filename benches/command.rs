//! The duration of commands: `--help`, `check` of 1,000 migrations, and `up` without a pending migration.

use migrate_benches::{Contestant, commands, in_turns, lock, print, run, write_migrations};
use std::process::Command;
use std::time::Duration;

const ROUNDS: usize = 21;

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut contestants: Vec<Contestant<'_>> = Vec::new();
    for (name, binary) in commands() {
        let root = folder.path().join(name);
        let migrations = root.join("migrations");
        write_migrations(&migrations, 1_000, true);
        lock(&binary, &migrations);
        let ours = |arguments: &[&str]| {
            let mut command = Command::new(&binary);
            command.arg("--source").arg(&migrations).args(arguments).env_remove("DATABASE_URL");
            command
        };
        let url = format!("sqlite:{}", root.join("app.db").display());
        run(&mut ours(&["-D", &url, "up"]));
        contestants.extend([
            (format!("{name} --help"), time(ours(&["--help"]))),
            (format!("{name} check (2,000 files)"), time(ours(&["--dialect", "postgres", "check"]))),
            (format!("{name} up, nothing pending (2,000 files, SQLite)"), time(ours(&["-D", &url, "up"]))),
        ]);
    }
    contestants.push(("true".to_owned(), time(Command::new("true"))));
    print("the command", &in_turns(ROUNDS, contestants));
}

fn time(mut command: Command) -> Box<dyn FnMut() -> Duration> {
    Box::new(move || run(&mut command))
}
