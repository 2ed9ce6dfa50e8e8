//! Servers and disks for a single test, which restarts, fills or write-protects them.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// Servers that `tests/servers.sh` starts for one test. They stop on drop.
#[derive(Debug)]
pub struct Servers {
    folder: TempDir,
    variables: Vec<(String, String)>,
}

impl Servers {
    /// Starts servers, by their names in `tests/servers.sh`.
    ///
    /// # Panics
    /// If a server does not start.
    pub fn start(what: &[&str]) -> Self {
        Servers::start_with(what, &[])
    }

    /// The same, with TLS: with the files `server.crt` and `server.key` of a folder.
    ///
    /// # Panics
    /// If a server does not start.
    pub fn start_with_tls(what: &[&str], certificates: &Path) -> Self {
        Servers::start_with(what, &[("SERVERS_TLS", certificates)])
    }

    fn start_with(what: &[&str], variables: &[(&str, &Path)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let output = script("start", folder.path(), what, variables);
        let assignments = output.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        let variables = assignments.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Servers { folder, variables }
    }

    /// The URL of a server.
    ///
    /// # Panics
    /// If the server was not started.
    pub fn url(&self, what: &str) -> &str {
        let name = format!("MIGRATE_TEST_{}", what.to_uppercase());
        &self.variables.iter().find(|(variable, _)| *variable == name).expect("a server that was started").1
    }

    /// Kills a server and starts it again.
    pub fn restart(&self, what: &str) {
        script("restart", self.folder.path(), &[what], &[]);
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        script("stop", self.folder.path(), &[], &[]);
    }
}

fn script(action: &str, folder: &Path, what: &[&str], variables: &[(&str, &Path)]) -> String {
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("servers.sh");
    // The servers inherit the output and continue to run, so a pipe would not end.
    let outcome = folder.join("outcome");
    let file = std::fs::File::create(&outcome).expect("a file");
    let mut command = Command::new(script);
    command.arg(action).arg(folder).args(what).envs(variables.iter().copied());
    let status = command.stdout(file).status().expect("the script runs");
    let text = std::fs::read_to_string(&outcome).unwrap_or_default();
    assert!(status.success(), "servers.sh {action} {what:?}: {text}");
    text
}

/// A folder on a disk of 4 MiB; `None` if the user may not mount one.
pub fn small_disk() -> Option<PathBuf> {
    std::env::var_os("MIGRATE_TEST_SMALL_DISK").map(PathBuf::from)
}

/// A folder and a read-only mount of it; `None` if the user may not mount one.
pub fn read_only_disk() -> Option<(PathBuf, PathBuf)> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    Some((folder("MIGRATE_TEST_WRITABLE")?, folder("MIGRATE_TEST_READ_ONLY")?))
}
