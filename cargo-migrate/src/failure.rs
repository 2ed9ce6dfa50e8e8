//! Why a command failed, and with which exit code.

use crate::exit::Exit;
use migrate_model::code::Code;
use migrate_model::divergence::Divergence;
use migrate_model::finding::Finding;
use migrate_model::project::Project;
use migrate_runtime::{Error, ErrorKind};

/// Why a command failed.
#[derive(Debug)]
pub enum CommandError {
    /// Something is wrong with the files.
    Findings(Vec<Finding>),
    /// The run failed.
    Run {
        /// Why.
        error: Box<Error>,
        /// The project whose files it names, if they are one's.
        project: Option<Box<Project>>,
    },
    /// Files and history disagree.
    Diverged(Vec<Divergence>),
    /// The command was used wrongly.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Vec<String>,
    },
    /// Something else.
    Other {
        /// What happened.
        message: String,
        /// What to do.
        help: Vec<String>,
    },
}

/// Two packages with one service name.
pub static DUPLICATE_SERVICE: Code = Code::new(
    "duplicate-service",
    "Two packages of the workspace keep their history under the same service name, so each would take the other's migrations for its \
     own. Give one of them another name: `service = \"...\"` in its `migrate.toml`.",
);

/// All codes of this crate.
pub static CODES: &[&Code] = &[&DUPLICATE_SERVICE];

impl CommandError {
    /// Wrong usage.
    pub fn usage(message: impl Into<String>) -> Self {
        CommandError::Usage { message: message.into(), help: Vec::new() }
    }

    /// Any other failure.
    pub fn other(message: impl Into<String>) -> Self {
        CommandError::Other { message: message.into(), help: Vec::new() }
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let CommandError::Usage { help, .. } | CommandError::Other { help, .. } = &mut self {
            help.push(text.into());
        }
        self
    }

    /// Says whose files a failed run names.
    #[must_use]
    pub fn of(mut self, one: &Project) -> Self {
        if let CommandError::Run { project, .. } = &mut self {
            *project = Some(Box::new(one.clone()));
        }
        self
    }

    /// The exit code for it.
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
