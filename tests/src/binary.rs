//! The real `cargo-migrate`, which the tests run as a process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The binary with a working directory and environment variables.
#[derive(Debug, Clone)]
pub struct Binary {
    folder: PathBuf,
    variables: Vec<(String, String)>,
}

/// The exit code and output of a run.
#[derive(Debug)]
pub struct Outcome {
    /// The exit code; -1 if a signal ended the process.
    pub code: i32,
    /// The data.
    pub stdout: String,
    /// The messages.
    pub stderr: String,
}

/// The binary in cargo's target folder, where this program is `<profile>/deps/<test>` or `<profile>/<program>`.
fn path() -> PathBuf {
    let program = std::env::current_exe().expect("the path of this program");
    let folder = program.parent().expect("a folder");
    let profile = if folder.ends_with("deps") { folder.parent().expect("a profile") } else { folder };
    let path = profile.join(format!("cargo-migrate{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} does not exist: `cargo test --workspace` builds it", path.display());
    path
}

impl Binary {
    /// The binary with a working directory, without a database URL.
    pub fn inside(folder: &Path) -> Self {
        Binary { folder: folder.to_owned(), variables: Vec::new() }
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command, to spawn.
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
            "CARGO_TERM_COLOR",
            "CLICOLOR_FORCE",
        ] {
            command.env_remove(name);
        }
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Runs the command and waits for its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(arguments).output().expect("the binary runs"))
    }

    /// Runs the command, which must exit with 0.
    pub fn ok(&self, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}\n{}{}", outcome.stdout, outcome.stderr);
        outcome
    }
}

impl Outcome {
    /// The outcome of a process.
    pub fn of(output: Output) -> Self {
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Exit code, stdout and stderr as one text, for a snapshot.
    pub fn shown(&self) -> String {
        let trimmed = |text: &str| text.lines().map(|line| format!("{}\n", line.trim_end())).collect::<String>();
        format!("exit {}\n--- stdout\n{}--- stderr\n{}", self.code, trimmed(&self.stdout), trimmed(&self.stderr))
    }
}
