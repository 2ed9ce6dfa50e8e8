//! The errors of commands and their exit codes.

use crate::exit::Exit;
use migrate_model::code::Code;
use migrate_model::divergence::Divergence;
use migrate_model::finding::Finding;
use migrate_model::project::Project;
use migrate_runtime::{Error, ErrorKind};

/// The error of a command.
#[derive(Debug)]
pub enum CommandError {
    /// The migration files contain errors.
    Findings(Vec<Finding>),
    /// The run failed.
    Run {
        error: Box<Error>,
        /// The project that was running; the paths in the error are relative to it.
        project: Option<Box<Project>>,
    },
    /// The migration files do not match the database history.
    Diverged(Vec<Divergence>),
    /// The command line is invalid.
    Usage { message: String, help: Vec<String> },
    /// Any other failure, such as a file that cannot be written.
    Other { message: String, help: Vec<String> },
}

/// Two packages have the same service name.
pub static DUPLICATE_SERVICE: Code = Code::new(
    "duplicate-service",
    "Two packages of the workspace store their histories under the same service name. Each would treat the migrations of the other \
     as its own. Set another name for one of them: `service = \"...\"` in its `migrate.toml`.",
);

/// The codes of this crate.
pub static CODES: &[&Code] = &[&DUPLICATE_SERVICE];

impl CommandError {
    /// An error about the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        CommandError::Usage { message: message.into(), help: Vec::new() }
    }

    /// An error without a code.
    pub fn other(message: impl Into<String>) -> Self {
        CommandError::Other { message: message.into(), help: Vec::new() }
    }

    /// Adds a help text. It has an effect only on `Usage` and `Other`.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let CommandError::Usage { help, .. } | CommandError::Other { help, .. } = &mut self {
            help.push(text.into());
        }
        self
    }

    /// Adds the project to the error of a run, so that its paths can be resolved.
    #[must_use]
    pub fn of(mut self, failed: &Project) -> Self {
        if let CommandError::Run { project, .. } = &mut self {
            *project = Some(Box::new(failed.clone()));
        }
        self
    }

    /// The exit code of the error.
    pub fn exit(&self) -> Exit {
        match self {
            CommandError::Findings(_) => Exit::Findings,
            CommandError::Diverged(_) => Exit::Diverged,
            CommandError::Usage { .. } => Exit::Usage,
            CommandError::Other { .. } => Exit::Failed,
            CommandError::Run { error, .. } => match error.kind() {
                ErrorKind::Diverged => Exit::Diverged,
                ErrorKind::LockNotObtained => Exit::Locked,
                ErrorKind::MigrationFailed => Exit::MigrationFailed,
                ErrorKind::UnknownVersion => Exit::Usage,
                _ => Exit::Failed,
            },
        }
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        CommandError::Run { error: Box::new(error), project: None }
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        CommandError::other(error.to_string())
    }
}
