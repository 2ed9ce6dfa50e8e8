//! The client of a database: `psql`, `mariadb` or `sqlite3`. It is the oracle for how a file is read; the dump of a database shows
//! what a file has done.

use crate::database::{Kind, TestDatabase};
use std::path::Path;
use std::process::{Command, Stdio};

/// The tables of a history, which a dump does not contain.
const HISTORY_TABLES: [&str; 4] = ["migration_events", "migration_locks", "schema_versions", "migration_records"];

/// A file that the client does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// Nothing of the file remains.
    RolledBack,
    /// A part of the file may remain.
    Partial,
}

/// Applies a file by the client of the database.
///
/// # Errors
/// If the client stops at an error.
///
/// # Panics
/// If the client cannot be started.
pub fn apply(database: &TestDatabase, file: &Path) -> Result<(), Rejection> {
    let outcome = match database.kind {
        Kind::Postgres => return psql(database, file),
        Kind::MariaDb => {
            let mut command = mariadb("mariadb", database);
            command.args(["--default-character-set=utf8mb4", database_name(database)]);
            outcome(command.stdin(open(file))).map(drop)
        }
        Kind::Sqlite => outcome(Command::new("sqlite3").arg("-bail").arg(sqlite_file(database)).stdin(open(file))).map(drop),
    };
    outcome.map_err(|_| Rejection::Partial)
}

/// What `mariadb` prints of the warnings of each statement of a text.
///
/// # Panics
/// If the client rejects the text.
pub fn mariadb_warnings(database: &TestDatabase, text: &str) -> String {
    let mut command = mariadb("mariadb", database);
    command.args(["--default-character-set=utf8mb4", "--show-warnings", "-e", text, database_name(database)]);
    outcome(command.stdin(Stdio::null())).expect("the client accepts the text")
}

/// The schema and the data of a database as SQL, without its history. Values that differ in each run are replaced.
///
/// # Panics
/// If the database cannot be dumped.
pub async fn dump(database: &TestDatabase) -> String {
    let drops = HISTORY_TABLES.map(|table| format!("DROP TABLE IF EXISTS {table};")).concat();
    if database.kind != Kind::Sqlite {
        database.execute(&drops).await;
    }
    let mut command = match database.kind {
        Kind::Postgres => {
            let mut command = Command::new("pg_dump");
            command.args(["--no-owner", "--dbname", &database.url]);
            command
        }
        Kind::MariaDb => {
            let mut command = mariadb("mariadb-dump", database);
            command.args(["--skip-comments", "--routines", "--events", "--skip-extended-insert", database_name(database)]);
            command
        }
        Kind::Sqlite => {
            let mut command = Command::new("sqlite3");
            // Our connection may still be about to close.
            command.arg(sqlite_file(database)).args([".timeout 10000", &drops]);
            command.args(["PRAGMA user_version; PRAGMA application_id; PRAGMA page_size; PRAGMA auto_vacuum; PRAGMA encoding; PRAGMA journal_mode;", ".dump"]);
            command
        }
    };
    let text = outcome(command.stdin(Stdio::null())).expect("the database can be dumped");
    let is_random = |line: &&str| line.starts_with("\\restrict") || line.starts_with("\\unrestrict");
    let lines: Vec<&str> = text.lines().filter(|line| !is_random(line)).collect();
    without_run_values(&lines.join("\n"))
}

/// Tries a file in a transaction, and without one only if that is why it failed.
fn psql(database: &TestDatabase, file: &Path) -> Result<(), Rejection> {
    let run = |options: &[&str]| {
        let mut command = Command::new("psql");
        command.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=sqlstate"]).args(options);
        outcome(command.arg("-f").arg(file).arg(&database.url).stdin(Stdio::null())).map(drop)
    };
    match run(&["-1"]) {
        Ok(()) => Ok(()),
        // active_sql_transaction, invalid_transaction_termination, unsafe_new_enum_value_usage
        Err(message) if ["25001", "2D000", "55P04"].iter().any(|code| message.contains(code)) => {
            run(&[]).map_err(|_| Rejection::Partial)
        }
        Err(_) => Err(Rejection::RolledBack),
    }
}

/// A client of MariaDB with the address and the user of a URL `mysql://user:password@host:port/name`.
fn mariadb(program: &str, database: &TestDatabase) -> Command {
    let address = database.url.trim_start_matches("mysql://").split('/').next().expect("an address");
    let (login, host) = address.split_once('@').expect("a user");
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let (host, port) = host.split_once(':').unwrap_or((host, "3306"));
    let mut command = Command::new(program);
    command.args(["--no-defaults", "--protocol=TCP", "-h", host, "-P", port, "-u", user, &format!("-p{password}")]);
    command
}

fn database_name(database: &TestDatabase) -> &str {
    database.url.rsplit_once('/').expect("a URL with a database").1
}

fn sqlite_file(database: &TestDatabase) -> &str {
    database.url.trim_start_matches("sqlite:")
}

fn open(file: &Path) -> std::fs::File {
    std::fs::File::open(file).expect("a file to read")
}

fn outcome(command: &mut Command) -> Result<String, String> {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

/// Replaces times and UUIDs, which differ in each run.
fn without_run_values(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let inside_word = result.ends_with(|c: char| c.is_ascii_alphanumeric());
        let patterns = ["dddd-dd-dd dd:dd:dd", "dddd-dd-ddTdd:dd:dd", "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "1ddddddddd"];
        match patterns.iter().find(|pattern| !inside_word && matches(rest, pattern)) {
            Some(pattern) => {
                result.push('~');
                rest = rest[pattern.len()..].trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
            }
            None => {
                result.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    result
}

/// Does a text begin with this pattern? `d` is a digit, `x` is a hexadecimal digit.
fn matches(text: &str, pattern: &str) -> bool {
    let matches = |(byte, pattern): (u8, u8)| match pattern {
        b'd' => byte.is_ascii_digit(),
        b'x' => byte.is_ascii_hexdigit(),
        other => byte == other,
    };
    text.len() >= pattern.len() && text.bytes().zip(pattern.bytes()).all(matches)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_run_are_replaced() {
        for (text, expected) in [
            ("VALUES (1,'2025-01-02 03:04:05.678+00');", "VALUES (1,'~+00');"),
            ("a 6a2f41a3-c54c-fce8-32d2-0324e1c32e22 b", "a ~ b"),
            ("1764190000, 1764190000123, 12, x1764190000", "~, ~, 12, x1764190000"),
        ] {
            assert_eq!(without_run_values(text), expected);
        }
    }
}
