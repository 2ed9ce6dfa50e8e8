//! Events of a run, for progress output.

use crate::error::Error;
use migrate_model::directives::Requirement;
use migrate_model::target::Direction;
use std::fmt;
use std::time::Duration;

/// A database session that holds a lock, as far as the server reveals it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// The identifier of the connection on the server; for a lease, the identifier of its holder.
    pub connection: String,
    /// The database user.
    pub user: Option<String>,
    /// The host, and the application if it is known.
    pub from: Option<String>,
    /// When the connection or its transaction started, in a form that depends on the database.
    pub since: Option<String>,
    /// The current or last statement, with `?` in place of its literals: they may be passwords or values of the application.
    pub statement: Option<String>,
    /// How to end the session, as a phrase that starts with a verb.
    pub how_to_end: Option<String>,
}

impl fmt::Display for SessionInfo {
    /// Writes one line: the connection, its user, host and age, and the start of its statement. Each part is limited to 120
    /// characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.connection)?;
        let parts =
            [(" of user", &self.user), (" from", &self.from), (", started", &self.since), (", last statement:", &self.statement)];
        for (word, value) in parts {
            let Some(value) = value else { continue };
            let words: Vec<&str> = value.split_whitespace().collect();
            let line: String = words.join(" ").chars().take(120).collect();
            write!(f, "{word} {line}")?;
        }
        Ok(())
    }
}

/// An event of a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process holds the migration lock. Sent when the wait starts, and again when the holder changes.
    #[non_exhaustive]
    Waiting {
        /// The holder, if the database reveals it.
        holder: Option<&'a SessionInfo>,
    },
    /// A migration requires one of another service that is not applied yet; the run waits until another process has applied it.
    #[non_exhaustive]
    WaitingFor {
        /// The file name of the migration that waits.
        title: &'a str,
        /// What it requires.
        requirement: &'a Requirement,
    },
    /// The migration files and the history were compared, and the run starts its steps.
    #[non_exhaustive]
    Planned {
        /// The number of migrations to apply or revert.
        steps: usize,
    },
    /// A migration starts.
    #[non_exhaustive]
    Started {
        /// The file name; without a file, version and name.
        title: &'a str,
        /// Whether it is applied or reverted.
        direction: Direction,
        /// The number of the step, from 1.
        number: usize,
        /// The number of steps of the plan.
        of: usize,
    },
    /// A statement timed out waiting for a lock. It was rolled back and is retried after a pause, during which the sessions that
    /// queue behind it continue.
    #[non_exhaustive]
    Blocked {
        /// The file name; without a file, version and name.
        title: &'a str,
        /// The sessions that hold locks on its tables, if the database reveals them.
        blockers: &'a [SessionInfo],
        /// The number of attempts so far.
        tries: u32,
        /// The pause before the next attempt.
        pause: Duration,
    },
    /// The run ended with an error, which it returns.
    #[non_exhaustive]
    Failed {
        /// The error.
        error: &'a Error,
    },
    /// A migration is complete and recorded.
    #[non_exhaustive]
    Finished {
        /// The file name; without a file, version and name.
        title: &'a str,
        /// Whether it is applied or reverted.
        direction: Direction,
        /// The duration, including gates and retries; of an applied migration, the one that the history records.
        took: Duration,
    },
}
