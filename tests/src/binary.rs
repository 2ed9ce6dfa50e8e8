//! The real `cargo-migrate`, run as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary, and where it is run.
#[derive(Debug)]
pub struct Binary {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// What a run left.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code.
    pub code: i32,
    /// Data.
    pub stdout: String,
    /// Words.
    pub stderr: String,
}

/// Beside the tests in cargo's target folder: `target/<profile>/deps/<test>` or `target/<profile>/<program>`.
fn path() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let folder = own.parent().expect("a folder");
    let profile = if folder.ends_with("deps") { folder.parent().expect("a profile") } else { folder };
    let path = profile.join(format!("cargo-migrate{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is not there: `cargo test --workspace` builds it", path.display());
    path
}

impl Binary {
    /// Runs in a folder, without any database named.
    pub fn inside(folder: &Path) -> Self {
        Binary { folder: folder.to_owned(), variables: Vec::new() }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command, ready to be spawned.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(path());
        command.args(arguments).current_dir(&self.folder).stdin(std::process::Stdio::null());
        for name in [
            "DATABASE_URL",
            "DB_HOST",
            "DB_PORT",
            "DB_USER",
            "DB_PASSWORD",
            "DB_NAME",
            "DB_SSLMODE",
            "NO_COLOR",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().expect("the binary runs"))
    }

    /// Runs it; it must exit with 0.
    pub fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        outcome
    }
}

impl Outcome {
    /// Of a process that ended.
    pub fn of(output: Output) -> Self {
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Everything a person would see, for a snapshot.
    pub fn shown(&self) -> String {
        let trimmed = |text: &str| text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, trimmed(&self.stdout), trimmed(&self.stderr))
    }
}
