//! The errors of commands and their exit codes.

use crate::exit::Exit;
use crate::service::Service;
use migrate_model::code::Code;
use migrate_model::divergence;
use migrate_model::finding::Finding;
use migrate_runtime::{Divergence, Error, ErrorKind, codes};

/// The error of a command.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// The migration files contain errors.
    Findings(Vec<Finding>),
    /// A run failed.
    Run {
        /// Why.
        error: Box<Error>,
        /// The error, with a place that the user knows.
        finding: Box<Finding>,
    },
    /// The migration files do not match the database history, and nothing was started.
    HistoryMismatch(Vec<Divergence>),
    /// Several services cannot run; nothing was started.
    Several(Vec<CommandError>),
    /// A revert would run SQL of the history, and no person has agreed to it. Nothing was started.
    StoredSql(Box<Finding>),
    /// The command line is invalid.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Vec<String>,
    },
    /// Any other failure, such as a file that cannot be written.
    Other {
        /// What happened.
        message: String,
        /// What to do.
        help: Vec<String>,
    },
}

/// For errors that no code explains.
static NO_CODE: Code = Code::new("", "");

impl CommandError {
    /// An error about the command line.
    pub fn usage(message: impl Into<String>) -> Self {
        CommandError::Usage { message: message.into(), help: Vec::new() }
    }

    /// A command for one service, and a selection of several.
    pub fn several_services() -> Self {
        CommandError::usage("this command works on one service at a time")
            .help("select one by the name of its package or service: `-p NAME`")
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

    /// Shows the place of a failed run as the user of a service knows it, and whose it is if several are selected.
    #[must_use]
    pub fn of(mut self, service: &Service) -> Self {
        if let CommandError::Run { finding, .. } = &mut self {
            **finding = service.located((**finding).clone());
        }
        if service.show_name { self.note(format!("service: `{}` on {}", service.name, service.url)) } else { self }
    }

    /// Adds a note. It has no effect on `Usage` and `Other`.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        match &mut self {
            CommandError::Findings(findings) => findings.iter_mut().for_each(|finding| finding.notes.push(text.clone())),
            CommandError::HistoryMismatch(divergences) => {
                divergences.iter_mut().for_each(|divergence| divergence.finding.notes.push(text.clone()));
            }
            CommandError::Run { finding, .. } | CommandError::StoredSql(finding) => finding.notes.push(text),
            CommandError::Several(_) | CommandError::Usage { .. } | CommandError::Other { .. } => {}
        }
        self
    }

    /// The errors of several services as one; `Ok` if there is none.
    ///
    /// # Errors
    /// If there is one.
    pub fn all(mut errors: Vec<CommandError>) -> Result<(), CommandError> {
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => Err(CommandError::Several(errors)),
        }
    }

    /// The error as findings, which is how it is printed.
    pub fn findings(&self) -> Vec<Finding> {
        let of_divergence = |divergence: &Divergence| divergence.finding.clone();
        match self {
            CommandError::Findings(findings) => findings.clone(),
            CommandError::Several(errors) => errors.iter().flat_map(CommandError::findings).collect(),
            CommandError::StoredSql(finding) => vec![(**finding).clone()],
            CommandError::HistoryMismatch(divergences) => {
                let message = format!("no migration was run: {}", divergence::summarize(divergences));
                let mismatch = Finding::error(&codes::HISTORY_MISMATCH, message);
                divergences.iter().map(of_divergence).chain([mismatch]).collect()
            }
            CommandError::Usage { message, help } | CommandError::Other { message, help } => {
                let mut finding = Finding::error(&NO_CODE, message.clone());
                finding.help.clone_from(help);
                vec![finding]
            }
            CommandError::Run { error, finding } => {
                error.divergences().iter().map(of_divergence).chain([(**finding).clone()]).collect()
            }
        }
    }

    /// The exit code of the error.
    pub fn exit(&self) -> Exit {
        match self {
            CommandError::Findings(_) => Exit::Findings,
            CommandError::Several(errors) => errors.first().map_or(Exit::Failed, CommandError::exit),
            CommandError::HistoryMismatch(_) | CommandError::StoredSql(_) => Exit::HistoryMismatch,
            CommandError::Usage { .. } => Exit::Usage,
            CommandError::Other { .. } => Exit::Failed,
            CommandError::Run { error, .. } => match error.kind() {
                ErrorKind::HistoryMismatch | ErrorKind::OutOfOrder => Exit::HistoryMismatch,
                ErrorKind::LockNotObtained | ErrorKind::LockLost => Exit::Locked,
                ErrorKind::MigrationFailed | ErrorKind::TableLocked | ErrorKind::TimedOut | ErrorKind::GateClosed => {
                    Exit::MigrationFailed
                }
                ErrorKind::UnknownVersion => Exit::Usage,
                _ => Exit::Failed,
            },
        }
    }
}

impl From<Error> for CommandError {
    fn from(error: Error) -> Self {
        CommandError::Run { finding: Box::new(error.finding().clone()), error: Box::new(error) }
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> Self {
        CommandError::other(error.to_string())
    }
}
