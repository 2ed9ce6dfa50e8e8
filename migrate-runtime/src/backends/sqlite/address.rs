//! SQLite by URL: opening, and creating and removing the file.

use super::Sqlite;
use crate::backend::Backend;
use crate::backends::{Address, AddressError, OpenOptions, not_connected};
use crate::codes;
use crate::connection::ConnectionGuard;
use crate::connection_parameters::{Parameter, ParameterRule::*, Parameters};
use crate::database_source::Driver;
use crate::database_url::DatabaseUrl;
use crate::error::{Error, ErrorKind};
use async_trait::async_trait;
use percent_encoding::percent_decode_str;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// The parameters of sqlx.
const PARAMETERS: &[Parameter] = &[
    Parameter::new(&["mode"], OneOf(&["ro", "rw", "rwc", "memory"])),
    Parameter::new(&["cache"], OneOf(&["private", "shared"])),
    Parameter::new(&["immutable"], OneOf(&["true", "1", "false", "0"])),
    Parameter::new(&["vfs"], Honoured),
];

/// Parses a URL.
///
/// # Errors
/// When a parameter is unknown, or sqlx rejects the URL.
pub fn parse(url: &str) -> Result<Box<dyn Address>, AddressError> {
    Parameters::read(url.split_once('?').map_or("", |(_, query)| query), PARAMETERS)?;
    let options = SqliteConnectOptions::from_str(url)?.disable_statement_logging();
    let in_memory = options.get_filename().as_os_str().is_empty() || is_in_memory(url);
    // SQLite would read the rest as a URI, with rules of its own, and everything else here as a path.
    if !in_memory && options.get_filename().to_string_lossy().to_ascii_lowercase().starts_with("file:") {
        return Err(AddressError::new("a path that begins with `file:` is not supported").help("write the path: `sqlite:app.db`"));
    }
    Ok(Box::new(SqliteAddress { options, in_memory }))
}

/// Whether a URL names a database in memory, by the rules of sqlx: the file `:memory:`, or the parameter `mode=memory`.
fn is_in_memory(url: &str) -> bool {
    let rest = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let (file, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let is_mode = |parameter: &str| {
        parameter.split_once('=').is_some_and(|(key, value)| decode(key) == "mode" && decode(value) == "memory")
    };
    decode(file) == ":memory:" || parameters.split('&').any(is_mode)
}

#[derive(Debug)]
struct SqliteAddress {
    options: SqliteConnectOptions,
    in_memory: bool,
}

impl From<SqliteConnectOptions> for DatabaseUrl {
    /// The database of these options, for what a URL cannot express.
    fn from(options: SqliteConnectOptions) -> Self {
        let options = options.disable_statement_logging();
        let file = options.get_filename().to_string_lossy().into_owned();
        // The file name of sqlx for `SqliteConnectOptions::in_memory`.
        let in_memory = file.is_empty() || file == ":memory:" || file.starts_with("file:sqlx-in-memory-");
        let label = if in_memory { "sqlite::memory:".to_owned() } else { format!("sqlite:{file}") };
        DatabaseUrl::of_parts("sqlite", label, Arc::new(SqliteAddress { options, in_memory }))
    }
}

impl Driver for sqlx::Sqlite {
    fn on_pooled<'c>(
        connection: ConnectionGuard<'c, Self>,
        options: SqliteConnectOptions,
        open: OpenOptions,
    ) -> Box<dyn Backend + 'c> {
        Box::new(Sqlite::new(connection, Some(options), open))
    }

    fn on_lent<'c>(connection: ConnectionGuard<'c, Self>, open: OpenOptions) -> Box<dyn Backend + 'c> {
        Box::new(Sqlite::new(connection, None, open))
    }
}

#[async_trait]
impl Address for SqliteAddress {
    fn place(&self) -> String {
        let file = self.options.get_filename();
        // A file that does not exist yet is in a folder that does.
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let in_folder = || Some(parent.canonicalize().ok()?.join(file.file_name()?));
        let path = file.canonicalize().ok().or_else(in_folder);
        path.as_deref().unwrap_or(file).display().to_string()
    }

    async fn open(&self, open: OpenOptions, url: &DatabaseUrl) -> Result<Box<dyn Backend>, Error> {
        let file = self.options.get_filename();
        if !open.create && !self.in_memory && !file.exists() {
            let message = format!("database file `{}` does not exist", file.display());
            return Err(Error::new(ErrorKind::NoDatabase, &codes::CONNECTION, message)
                .help("create it with `cargo migrate up` or `cargo migrate db create`"));
        }
        if !self.in_memory {
            refuse_special_files(file).map_err(|error| not_connected(url, error.into()))?;
        }
        // Waiting is done here, where it can be reported and ended.
        let options = self.options.clone().busy_timeout(open.max_wait.min(Duration::from_millis(100)));
        let connection = options.clone().create_if_missing(open.create).connect().await;
        let connection = connection.map_err(|error| not_connected(url, error))?;
        Ok(Box::new(Sqlite::new(ConnectionGuard::owned(connection), Some(options), open)))
    }

    async fn create_database(&self) -> Result<Option<bool>, sqlx::Error> {
        if self.in_memory {
            return Ok(None);
        }
        let existed = self.options.get_filename().exists();
        refuse_special_files(self.options.get_filename())?;
        self.options.clone().create_if_missing(true).connect().await?.close().await?;
        Ok(Some(!existed))
    }

    async fn drop_database(&self) -> Result<Option<bool>, sqlx::Error> {
        if self.in_memory {
            return Ok(None);
        }
        let file = self.options.get_filename();
        let existed = file.exists();
        if existed && !is_database(file)? {
            let message = format!("`{}` is not an SQLite database, so it was not deleted", file.display());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, message).into());
        }
        for file in SUFFIXES.map(|suffix| with_suffix(file, suffix)) {
            match std::fs::remove_file(&file) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(Some(existed))
    }

    fn connection_help(&self, code: &str) -> Option<&'static str> {
        match code {
            // SQLITE_READONLY, SQLITE_CANTOPEN
            "8" | "14" => Some("check that the file and its folder exist and are writable"),
            _ => None,
        }
    }

    fn is_in_memory(&self) -> bool {
        self.in_memory
    }
}

/// What SQLite adds to the name of a database for the other files that it opens (SQLite manual, "Temporary Files Used By SQLite").
const SUFFIXES: [&str; 4] = ["", "-wal", "-shm", "-journal"];

/// Refuses a database if it, or a file beside it that SQLite opens, exists and is not a regular file: SQLite would wait for ever for
/// the other end of a named pipe.
///
/// # Errors
/// Which file it is.
pub(super) fn refuse_special_files(file: &Path) -> std::io::Result<()> {
    // SQLite follows links and opens the other files beside their target.
    let target = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    for file in SUFFIXES.map(|suffix| with_suffix(&target, suffix)) {
        if file.metadata().is_ok_and(|metadata| !metadata.is_file()) {
            let message = format!("`{}` is not a regular file, so the database was not opened", file.display());
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
        }
    }
    Ok(())
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Whether a file is a database of SQLite, or empty, as a database is before anything is written (SQLite manual, "Database File
/// Format", 1.3.1).
fn is_database(file: &Path) -> std::io::Result<bool> {
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut start = Vec::new();
    std::fs::File::open(file)?.take(16).read_to_end(&mut start)?;
    Ok(start.is_empty() || start == b"SQLite format 3\0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_in_memory_are_recognized() {
        for (url, in_memory) in [
            ("sqlite::memory:", true),
            ("sqlite://:memory:", true),
            ("sqlite:%3Amemory%3A", true),
            ("sqlite:x.db?mode=memory", true),
            ("sqlite:x.db?cache=shared&mode=%6Demory", true),
            ("sqlite:x.db?mode=ro", false),
            ("sqlite:/tmp/mode=memory/x.db", false),
            ("sqlite:x:memory:y.db", false),
        ] {
            assert_eq!(parse(url).unwrap().is_in_memory(), in_memory, "{url}");
        }
    }

    #[test]
    fn parameters_are_honoured_or_rejected() {
        for (query, message, help) in [
            ("mode=rx", "`mode` must be one of `ro`", "`mode`"),
            ("mode=ro&mode=rwc", "`mode` is given more than once", "once"),
            ("Mode=ro", "`Mode` is unknown", "`mode=WORD`"),
            ("key=x", "`key` is unknown", "`vfs`"),
        ] {
            let error = parse(&format!("sqlite:x.db?{query}")).unwrap_err();
            assert!(error.message.contains(message), "{query}: {error:?}");
            assert!(error.help.iter().any(|text| text.contains(help)), "{query}: {error:?}");
        }
    }
}
