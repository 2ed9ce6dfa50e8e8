//! What a database, or the way to it, answered instead of doing what it was asked: by kind, so that callers need not read
//! codes.

use crate::codes;
use crate::connection;
use crate::error::{Error, ErrorKind};
use migrate_model::code::Code;
use migrate_model::finding::Finding;
use migrate_model::read_only::READ_ONLY_SESSION;

/// What our own statement makes a server report when another process holds the lock.
pub const LOCK_LOST: &str = "the migration lock is no longer held";

/// What our own statement makes a server report, before the names, when the statements of a transaction have changed the session.
pub const SESSION_CHANGED: &str = "the session was changed: ";

/// The codes `insufficient_privilege`, `ER_DBACCESS_DENIED_ERROR`, `ER_TABLEACCESS_DENIED_ERROR`, `ER_COLUMNACCESS_DENIED_ERROR` and
/// `ER_SPECIFIC_ACCESS_DENIED_ERROR`.
const LACKS_PRIVILEGE: &[&str] = &["42501", "1044", "1142", "1143", "1227"];

/// How many bytes of a text of the server are kept.
const TEXT_LIMIT: usize = 16 << 10;

/// A text of the server, cut if it is very long: it goes into messages, the log of events and the terminal.
pub fn shortened(text: &str) -> String {
    if text.len() <= TEXT_LIMIT {
        return text.to_owned();
    }
    let end = (0..=TEXT_LIMIT).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{} ... ({} more bytes were cut)", &text[..end], text.len() - end)
}

/// What kind of error, as far as callers act differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendErrorKind {
    /// The server rejected a statement; the connection is still good.
    Rejected,
    /// No answer came, or the server ended the session: the outcome of the last statement is unknown.
    ConnectionLost,
    /// SQLite: another connection was writing for as long as one would wait.
    Busy,
    /// A lock on a table or row was not acquired in time, or lost to a deadlock or a certification: rolled back, and worth
    /// another try.
    LockTimeout,
    /// Another process holds the migration lock by now.
    LockLost,
    /// The statements of a transaction have changed the session, although their text does not show it; the transaction was rolled
    /// back, because the next one may run in another session.
    SessionChanged,
    /// The database can only be read.
    ReadOnly,
    /// The transactions of a connection that the application has lent are read-only by default.
    ReadOnlySession,
    /// A connection that the application has lent is in a transaction, which a run would commit or abort.
    InTransaction,
    /// The server rejected a statement of the setting `session`.
    Session,
    /// A table of the history is not one that can be trusted.
    Untrusted,
    /// The server has answered with a value that is not text; the connection is still good.
    Unreadable,
}

/// An error of a database, with what it said besides.
#[derive(Debug)]
pub struct BackendError {
    /// What kind.
    pub kind: BackendErrorKind,
    /// The message.
    pub message: String,
    /// PostgreSQL's `DETAIL`.
    pub detail: Option<String>,
    /// PostgreSQL's `HINT`, or ours.
    pub hint: Option<String>,
    /// SQLSTATE (PostgreSQL) or error number (MySQL, MariaDB, SQLite).
    pub code: Option<String>,
    /// Where in the text that was sent: characters, counted from 1.
    pub position: Option<usize>,
    /// What is wrong with the tables of the history.
    pub findings: Vec<Finding>,
    /// The error of sqlx.
    pub source: Option<sqlx::Error>,
}

impl BackendError {
    /// Reads an error of sqlx; the backend adds what only its database knows.
    pub fn of(error: sqlx::Error) -> Self {
        let database = error.as_database_error();
        let kind = match &error {
            sqlx::Error::Database(_) => BackendErrorKind::Rejected,
            error if connection::is_lost(error) => BackendErrorKind::ConnectionLost,
            _ => BackendErrorKind::Unreadable,
        };
        BackendError {
            kind,
            message: match &error {
                sqlx::Error::Database(database) => shortened(database.message()),
                sqlx::Error::Decode(source) => shortened(&source.to_string()),
                error => shortened(&error.to_string()),
            },
            detail: None,
            hint: None,
            code: database.and_then(|database| database.code()).map(|code| code.into_owned()),
            position: None,
            findings: Vec::new(),
            source: Some(error),
        }
    }

    /// Without the error of sqlx if one of these texts of it is very long, because it contains them whole.
    #[must_use]
    pub fn limited(mut self, texts: &[usize]) -> Self {
        let message = self.source.as_ref().and_then(|error| error.as_database_error()).map_or(0, |error| error.message().len());
        if texts.iter().chain([&message]).any(|length| *length > TEXT_LIMIT) {
            self.source = None;
        }
        self
    }

    /// An error that no database reported: of our own checks.
    pub fn own(message: impl Into<String>) -> Self {
        BackendError {
            kind: BackendErrorKind::Rejected,
            message: message.into(),
            detail: None,
            hint: None,
            code: None,
            position: None,
            findings: Vec::new(),
            source: None,
        }
    }

    /// A query that always returns a row has returned none.
    pub fn unanswered() -> Self {
        BackendError::own("the server returned no row for a query that always returns one")
    }

    /// The error of a statement of the setting `session`.
    #[must_use]
    pub fn of_session(mut self, statement: &str) -> Self {
        if self.kind == BackendErrorKind::Rejected {
            self.kind = BackendErrorKind::Session;
            self.hint = Some(format!("the statement is: {statement}"));
        }
        self
    }

    /// The connection that the application has lent is in a transaction.
    pub fn in_transaction() -> Self {
        BackendError {
            kind: BackendErrorKind::InTransaction,
            ..BackendError::own("the connection that the application passed is in a transaction")
        }
    }

    /// The connection that the application has lent holds table locks.
    pub fn under_table_locks() -> Self {
        BackendError {
            kind: BackendErrorKind::InTransaction,
            hint: Some("run `UNLOCK TABLES` before you run migrations, or pass a pool or a URL".into()),
            ..BackendError::own("the connection that the application passed holds table locks (`LOCK TABLES`)")
        }
    }

    /// The application has lent a connection that must not write.
    pub fn read_only_session() -> Self {
        let message = "the transactions of this connection are read-only: `default_transaction_read_only` is on";
        BackendError { kind: BackendErrorKind::ReadOnlySession, ..BackendError::own(message) }
    }

    /// A statement of this many bytes, which the server does not accept in one message.
    pub fn too_long(bytes: usize, limit: usize) -> Self {
        let message = format!(
            "the statement has {bytes} bytes, but the server accepts less than {limit} bytes in one message (`max_allowed_packet`); it was not sent"
        );
        BackendError {
            hint: Some("divide the statement, or raise `max_allowed_packet` on the server".to_owned()),
            ..BackendError::own(message)
        }
    }

    /// Another process holds the migration lock.
    pub fn lock_lost() -> Self {
        BackendError { kind: BackendErrorKind::LockLost, ..BackendError::own(LOCK_LOST) }
    }

    /// Adds to the error of a step that its failure could not be recorded.
    pub fn note_unrecorded(&self, error: Error) -> Error {
        let error = error.note("also", format!("the failure could not be recorded in the history: {}", self.message));
        let code = self.code.as_deref().unwrap_or_default();
        if self.lacks_privilege() { error.help(history_help(code)) } else { error }
    }

    /// Names the table that contains a value that cannot be read.
    #[must_use]
    pub fn in_table(mut self, table: &str) -> Self {
        if self.kind == BackendErrorKind::Unreadable {
            self.message = format!("`{table}`: {}", self.message);
        }
        self
    }

    /// Whether the server rejected a statement because the user lacks a privilege.
    pub fn lacks_privilege(&self) -> bool {
        self.code.as_deref().is_some_and(|code| LACKS_PRIVILEGE.contains(&code))
    }

    /// Whether the connection is gone, so that the outcome of what was sent is unknown.
    pub fn is_connection_lost(&self) -> bool {
        self.kind == BackendErrorKind::ConnectionLost
    }

    /// An error of a run for which `what` failed: reading or writing the history. The kind decides before `what` does.
    pub fn into_history_error(self, what: &str) -> Error {
        match self.kind {
            BackendErrorKind::Busy => {
                let message = format!("another process is writing to the database: {}", self.message);
                self.add_to(Error::new(ErrorKind::LockNotObtained, &codes::LOCK_NOT_OBTAINED, message))
                    .help("wait until that process finishes, or end it; `--lock-wait` sets how long a command waits")
            }
            BackendErrorKind::LockLost => self.into_lock_lost_error(),
            BackendErrorKind::ReadOnly => self.into_read_only_error(),
            BackendErrorKind::ReadOnlySession => {
                let error = Error::new(ErrorKind::Setting, &READ_ONLY_SESSION, self.message);
                error
                    .note("state", "aborted before running anything")
                    .help("pass a connection whose transactions can write, or pass a pool or a URL")
            }
            BackendErrorKind::InTransaction => {
                let error = Error::new(ErrorKind::Setting, &codes::IN_TRANSACTION, self.message);
                match self.hint {
                    Some(hint) => error.note("state", "nothing was run, and the connection is unchanged").help(hint),
                    None => error
                        .note("state", "nothing was run, and the transaction is unchanged")
                        .help("commit or roll back this transaction before you run migrations, because a run commits transactions of its own"),
                }
            }
            BackendErrorKind::Session => self
                .into_error(
                    ErrorKind::Setting,
                    &codes::SESSION_REJECTED,
                    "a statement of `session` in `migrate.toml` was rejected",
                )
                .help("correct `session` in `migrate.toml`, or grant this user the privileges that the statement needs"),
            BackendErrorKind::ConnectionLost => self.into_lost_connection_error("the connection to the database was lost"),
            BackendErrorKind::Untrusted => self.into_untrusted_error(),
            BackendErrorKind::Unreadable => self
                .into_error(ErrorKind::History, &codes::HISTORY, what)
                .help("find out which program changed the row of this table, then restore the original value"),
            BackendErrorKind::Rejected | BackendErrorKind::LockTimeout | BackendErrorKind::SessionChanged => {
                let code = self.code.clone().unwrap_or_default();
                self.into_error(ErrorKind::History, &codes::HISTORY, what).help(history_help(&code))
            }
        }
    }

    /// An error about tables of the history that are not trusted.
    fn into_untrusted_error(self) -> Error {
        let mut findings = self.findings.into_iter();
        // It has changed since the query that failed.
        let unknown = || Finding::error(&codes::UNTRUSTED_HISTORY, self.message).help("run the same command again");
        let first = findings.next().unwrap_or_else(unknown);
        let error = Error::of_finding(ErrorKind::History, first).note("state", "no history table was read, and nothing was run");
        findings.fold(error, |error, finding| error.note("also", finding.message))
    }

    /// An error of a run that lost its lock.
    pub fn into_lock_lost_error(self) -> Error {
        self.add_to(Error::new(ErrorKind::LockLost, &codes::LOCK_LOST, LOCK_LOST))
            .help("if another process holds the lock now, run the same command again: the command waits for that process and then resumes")
            .help("if the migration released the lock (`pg_advisory_unlock_all()`, `DISCARD ALL`, `RELEASE_ALL_LOCKS()`), remove that statement")
    }

    /// An error of a run on a database that can only be read.
    pub fn into_read_only_error(self) -> Error {
        let message = format!("the database is read-only: {}", self.message);
        self.add_to(Error::new(ErrorKind::ReadOnly, &codes::READ_ONLY, message)).help(
            "connect to the primary instead of a replica, or check the setting `default_transaction_read_only` (PostgreSQL); for a SQLite file, check that the file and its folder are writable",
        )
    }

    /// An error about making a connection.
    pub fn into_connection_error(self, what: &str) -> Error {
        self.into_error(ErrorKind::Connection, &codes::CONNECTION, what)
    }

    /// An error about a connection that was open, and may be gone.
    pub fn into_lost_connection_error(self, what: &str) -> Error {
        if !self.is_connection_lost() {
            return self.into_connection_error(what);
        }
        self.into_error(ErrorKind::ConnectionLost, &codes::CONNECTION_LOST, what)
            .help("run the same command again: it determines how far this run got")
    }

    fn into_error(self, kind: ErrorKind, code: &'static Code, what: &str) -> Error {
        let error = Error::new(kind, code, format!("{what}: {}", self.message));
        self.add_to(error)
    }

    /// Adds what the database said besides its message.
    pub fn add_to(self, mut error: Error) -> Error {
        if let Some(detail) = self.detail {
            error = error.note("detail", detail);
        }
        if let Some(hint) = self.hint {
            error = error.note("hint", hint);
        }
        match self.source {
            Some(source) => error.because(source),
            None => error,
        }
    }
}

/// What to do when the history tables cannot be read or written, by code of any database.
fn history_help(code: &str) -> &'static str {
    match code {
        // The table exists and has other columns.
        "42703" | "1054" => {
            "find out which program created the table: if that program has applied these migrations, do not apply them again; otherwise rename the table"
        }
        // Galera: WSREP has not yet prepared node for application use.
        "1047" => {
            "this node is currently not part of its cluster; wait until it has joined the cluster, or connect to another node"
        }
        "1046" => "add the database name to the URL: `mysql://user@host/DATABASE`",
        "26" => "the file is not a SQLite database: correct its name in the URL",
        code if LACKS_PRIVILEGE.contains(&code) => {
            "grant this user the privileges on the history tables that the guide lists under \"Database privileges\". On \
             PostgreSQL, this includes USAGE on their schema, and row-level security must not hide rows of these tables from this user"
        }
        _ => "correct the problem that the database reports, then run the same command again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        assert_eq!(shortened(&"x".repeat(TEXT_LIMIT)), "x".repeat(TEXT_LIMIT));
        let cut = shortened(&format!("x{}", "é".repeat(TEXT_LIMIT)));
        assert_eq!(
            cut,
            format!("x{} ... (16385 more bytes were cut)", "é".repeat(TEXT_LIMIT / 2 - 1))
                .replace("16385", &(1 + TEXT_LIMIT * 2 - (TEXT_LIMIT - 1)).to_string())
        );
    }
}
