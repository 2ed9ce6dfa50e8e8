//! Other migration tools, which `benches/peers.sh` installs: the same migrations in their layouts, and the commands that apply them.

use crate::migration;
use migrate_tests::Kind;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Another tool.
#[derive(Debug)]
pub struct Peer {
    /// Its name.
    pub name: &'static str,
    program: PathBuf,
}

/// The tools that are installed in the folder `MIGRATE_BENCH_PEERS`; none without this variable.
pub fn peers() -> Vec<Peer> {
    let Some(folder) = std::env::var_os("MIGRATE_BENCH_PEERS").map(PathBuf::from) else { return Vec::new() };
    let installed = |name: &'static str| Some(Peer { name, program: folder.join("bin").join(name) });
    ["sqlx", "refinery", "dbmate"].into_iter().filter_map(installed).filter(|peer| peer.program.exists()).collect()
}

impl Peer {
    /// Writes `count` migrations in the layout of the tool.
    ///
    /// # Panics
    /// If a file cannot be written.
    pub fn write_migrations(&self, folder: &Path, count: usize) {
        fs::create_dir_all(folder).expect("a folder");
        let write = |name: String, text: String| fs::write(folder.join(name), text).expect("a file");
        for number in 1..=count {
            let (up, down) = (migration(number), format!("DROP TABLE t{number};\n"));
            match self.name {
                "sqlx" => {
                    write(format!("{number:05}_t.up.sql"), up);
                    write(format!("{number:05}_t.down.sql"), down);
                }
                "refinery" => write(format!("V{number}__t.sql"), up),
                _ => write(format!("{number:05}_t.sql"), format!("-- migrate:up\n{up}\n-- migrate:down\n{down}")),
            }
        }
    }

    /// The command that applies what is pending. The database must exist.
    pub fn up(&self, kind: Kind, folder: &Path, url: &str) -> Command {
        let mut command = Command::new(&self.program);
        match self.name {
            "sqlx" => command.args(["migrate", "run", "--database-url", url, "--source"]).arg(folder),
            "refinery" => command.args(["migrate", "-e", "BENCH_URL", "-p"]).arg(folder).env("BENCH_URL", url),
            _ => {
                let url = match kind {
                    Kind::Postgres => format!("{url}?sslmode=disable"),
                    Kind::MariaDb | Kind::Sqlite => url.to_owned(),
                };
                command.args(["--no-dump-schema", "--url", &url, "-d"]).arg(folder).arg("migrate")
            }
        };
        command.current_dir(folder);
        command
    }
}
