//! What happens, as it happens.

use migrate_model::target::Direction;
use std::fmt;
use std::time::Duration;

/// Who holds the lock that is being waited for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionInfo {
    /// The server's number for the holder's connection.
    pub connection: String,
    /// Database user.
    pub user: Option<String>,
    /// Host and, where known, application.
    pub from: Option<String>,
    /// Since when it has been connected or working; as the database says it.
    pub since: Option<String>,
    /// What it is doing.
    pub statement: Option<String>,
    /// How to end it, in words.
    pub how_to_end: Option<String>,
}

impl fmt::Display for SessionInfo {
    /// One line: the connection, its user, host and age, and the beginning of its statement.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "connection {}", self.connection)?;
        let parts = [("of", &self.user), ("from", &self.from), ("since", &self.since), ("running", &self.statement)];
        for (word, value) in parts {
            let Some(value) = value else { continue };
            let words: Vec<&str> = value.split_whitespace().collect();
            let line: String = words.join(" ").chars().take(120).collect();
            write!(f, " {word} {line}")?;
        }
        Ok(())
    }
}

/// Something that happened during a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Another process holds the lock. Sent when the wait begins, and again when the holder changes.
    Waiting {
        /// Who, if the database tells.
        holder: Option<&'a SessionInfo>,
    },
    /// The whole set and the whole history were checked, and this many steps follow.
    Planned {
        /// How many steps.
        steps: usize,
    },
    /// A step begins.
    Started {
        /// The file name, as people know it.
        title: &'a str,
        /// Up or down.
        direction: Direction,
        /// Counted from 1.
        number: usize,
        /// Of how many.
        of: usize,
    },
    /// A statement did not get its lock in time. It was rolled back and will be tried again, so that those who wait behind
    /// it can go on meanwhile.
    Blocked {
        /// The file name, as people know it.
        title: &'a str,
        /// Who holds locks on its tables, if the database tells.
        blockers: &'a [SessionInfo],
        /// How many tries there were.
        tries: u32,
        /// After which time it is tried again.
        pause: Duration,
    },
    /// A step is done and recorded.
    Finished {
        /// The file name, as people know it.
        title: &'a str,
        /// Up or down.
        direction: Direction,
        /// How long it took.
        took: Duration,
    },
}
