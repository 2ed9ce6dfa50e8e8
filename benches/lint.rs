//! The duration of `cargo migrate lint` of 1,000 and 5,000 files, compared with `check`, which parses the same files.

use migrate_benches::{Contestant, commands, in_turns, print, run, write_migrations};
use std::process::Command;
use std::time::Duration;

const ROUNDS: usize = 21;

fn main() {
    let commands = commands();
    for files in [1_000, 5_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut contestants: Vec<Contestant<'_>> = Vec::new();
        for (name, binary) in &commands {
            let root = folder.path().join(name);
            write_migrations(&root.join("migrations"), files / 2, true);
            std::fs::write(root.join("migrate.toml"), "database = \"postgres\"\nlint = \"off\"\n").expect("a file");
            let time = |arguments: &[&str]| -> Box<dyn FnMut() -> Duration> {
                let mut command = Command::new(binary);
                command.arg("--source").arg(&root).args(arguments).env_remove("DATABASE_URL");
                Box::new(move || run(&mut command))
            };
            run(Command::new(binary).arg("--source").arg(&root).args(["init"]));
            contestants.push((format!("{name} lint --all"), time(&["lint", "--all"])));
            contestants.push((format!("{name} check, lint off"), time(&["check"])));
        }
        print(&format!("{files} files"), &in_turns(ROUNDS, contestants));
    }
}
