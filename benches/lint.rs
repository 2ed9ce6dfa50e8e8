//! The duration of `cargo migrate lint` of 1,000 and 5,000 files, compared with `check`, which parses the same files.

use migrate_benches::{Contestant, command, in_turns, print, run, write_migrations};
use std::process::Command;
use std::time::Duration;

const ROUNDS: usize = 21;

fn main() {
    let binary = command();
    for files in [1_000, 5_000] {
        let folder = tempfile::tempdir().expect("a folder");
        write_migrations(&folder.path().join("migrations"), files / 2, true);
        std::fs::write(folder.path().join("migrate.toml"), "database = \"postgres\"\nlint = \"off\"\n").expect("a file");
        let time = |arguments: &[&str]| -> Box<dyn FnMut() -> Duration> {
            let mut command = Command::new(&binary);
            command.arg("--source").arg(folder.path()).args(arguments).env_remove("DATABASE_URL");
            Box::new(move || run(&mut command))
        };
        run(Command::new(&binary).arg("--source").arg(folder.path()).args(["init"]));
        let contestants: Vec<Contestant<'_>> =
            vec![("cargo migrate lint --all", time(&["lint", "--all"])), ("cargo migrate check, lint off", time(&["check"]))];
        print(&format!("{files} files"), &in_turns(ROUNDS, contestants));
    }
}
