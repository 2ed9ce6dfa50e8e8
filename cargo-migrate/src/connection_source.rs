//! The sources of a database URL, in their order, and which one gives it. Pure: the environment and the files are read by
//! `database_url`.
//!
//! A source is taken whole: the address and the credentials of a connection never come from two sources. A pull request can
//! change `.env`, and must not choose the host that a password of the environment is sent to.

use crate::env_file::{BadValue, EnvFile};
use migrate_cli::CommandError;
use migrate_model::dialect::Dialect;
use migrate_runtime::DatabaseUrl;
use std::net::Ipv6Addr;
use std::path::Path;
use url::Url;

/// The variables of which a URL can consist.
pub const PARTS: [&str; 6] = ["DB_HOST", "DB_PORT", "DB_USER", "DB_PASSWORD", "DB_NAME", "DB_SSLMODE"];

/// Reads a variable of the environment.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Where the URL of a database comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UrlOrigin {
    /// `--database-url`.
    Flag,
    /// Variables of the environment.
    Environment,
    /// A `.env` file, by its path in messages. It may be part of the repository.
    File(String),
}

/// A URL with its origin.
#[derive(Debug, PartialEq, Eq)]
pub struct SourcedUrl {
    pub text: String,
    pub origin: UrlOrigin,
    /// What another source sets and is not used.
    pub notes: Vec<String>,
}

/// Chooses the URL: from the flag, the environment, then each file. `None` if no source has one.
///
/// # Errors
/// If the values of the source are invalid or incomplete.
pub fn choose(
    flag: Option<&str>,
    environment: Environment<'_>,
    files: &[(String, EnvFile)],
    dialect: Option<Dialect>,
) -> Result<Option<SourcedUrl>, CommandError> {
    if let Some(url) = flag {
        return Ok(Some(SourcedUrl { text: url.to_owned(), origin: UrlOrigin::Flag, notes: Vec::new() }));
    }
    if let Some(url) = environment("DATABASE_URL") {
        return Ok(Some(SourcedUrl { text: url, origin: UrlOrigin::Environment, notes: Vec::new() }));
    }
    let in_files = |name: &str| files.iter().find(|(_, file)| file.get(name).ok().flatten().is_some()).map(|(path, _)| &**path);
    if is_address(environment, dialect) {
        let text = from_parts(environment, dialect).map_err(|missing| missing.error("the environment", &in_files))?;
        let unset = PARTS.iter().filter(|name| environment(name).is_none());
        let notes = unset.filter_map(|name| Some(not_combined(name, &format!("`{}`", in_files(name)?), "the environment")));
        return Ok(Some(SourcedUrl { text, origin: UrlOrigin::Environment, notes: notes.collect() }));
    }
    for (path, file) in files {
        if let Some(url) = of_file(path, file, environment, dialect)? {
            return Ok(Some(url));
        }
    }
    Ok(None)
}

/// The URL of a file. A relative path of SQLite is relative to the folder of this file: else each folder in which the command runs
/// would have a database of its own.
pub fn from_folder(text: String, folder: &Path) -> String {
    let scheme = "sqlite:";
    let Some(rest) = text.get(..scheme.len()).filter(|start| start.eq_ignore_ascii_case(scheme)).map(|_| &text[scheme.len()..])
    else {
        return text;
    };
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let file = rest.split_once('?').map_or(rest, |(file, _)| file);
    let is_relative = !file.is_empty() && !file.to_ascii_lowercase().starts_with("%2f") && Path::new(file).is_relative();
    // Names in memory, of which a part may be written as its code.
    let is_file = !file.starts_with(':') && !file.to_ascii_lowercase().starts_with("%3a");
    if folder.as_os_str().is_empty() || !is_relative || !is_file {
        return text;
    }
    let folder = folder.display().to_string().replace('%', "%25").replace('?', "%3F");
    format!("{scheme}{folder}/{}", rest.trim_start_matches("./"))
}

/// Whether the variables name a database.
fn is_address(variable: Environment<'_>, dialect: Option<Dialect>) -> bool {
    variable("DB_HOST").is_some() || (dialect == Some(Dialect::Sqlite) && variable("DB_NAME").is_some())
}

fn not_combined(name: &str, place: &str, chosen: &str) -> String {
    format!(
        "`{name}` in {place} is not used: the database is configured in {chosen}, and values of both places are never combined"
    )
}

fn of_file(
    path: &str,
    file: &EnvFile,
    environment: Environment<'_>,
    dialect: Option<Dialect>,
) -> Result<Option<SourcedUrl>, CommandError> {
    let place = format!("`{path}`");
    let names = ["DATABASE_URL"].iter().chain(&PARTS);
    let values: Result<Vec<_>, _> = names.map(|name| file.get(name).map(|value| (*name, value))).collect();
    let values = values.map_err(|bad| match bad {
        BadValue::UnknownVariable(line) => {
            CommandError::usage(format!("line {line} of {place} refers to a variable that the file does not set")).help(
                "write the value itself, or `\\$` for a dollar sign. Environment variables are not substituted, because this file would then send their values to the server that it specifies",
            )
        }
        BadValue::TooLong(line) => {
            CommandError::usage(format!("the value in line {line} of {place} is too long: it has more than 64 KiB, or the variables in the values of the file add more than 4 MiB"))
                .help("shorten the value")
        }
        BadValue::Unreadable(line) => CommandError::usage(format!("cannot parse line {line} of {place}"))
            .help("write the line as `NAME=value`; put a value that contains blanks, quotes or `#` between single quotes: `NAME='value'`"),
    })?;
    let variable = |name: &str| values.iter().find(|(known, _)| *known == name).and_then(|(_, value)| value.clone());
    let text = match variable("DATABASE_URL") {
        Some(url) => url,
        None if is_address(&variable, dialect) => {
            let elsewhere = |name: &str| environment(name).map(|_| "the environment");
            from_parts(&variable, dialect).map_err(|missing| missing.error(&place, &elsewhere))?
        }
        None => return Ok(None),
    };
    let mut notes: Vec<String> = Vec::new();
    let unused = PARTS.iter().filter(|name| environment(name).is_some());
    notes.extend(unused.map(|name| not_combined(name, "the environment", &place)));
    let text = without_environment(text, environment, &place, &mut notes)?;
    Ok(Some(SourcedUrl { text, origin: UrlOrigin::File(path.to_owned()), notes }))
}

/// The URL of a file, completed so that no variable of libpq gives its address or its credentials.
///
/// # Errors
/// If the URL omits something that a variable sets and that has no default.
fn without_environment(
    text: String,
    environment: Environment<'_>,
    place: &str,
    notes: &mut Vec<String>,
) -> Result<String, CommandError> {
    // Only the driver of PostgreSQL reads variables; a URL that cannot be parsed is reported later.
    let is_postgres = text.split_once(':').is_some_and(|(scheme, _)| scheme.to_ascii_lowercase().starts_with("postgres"));
    let text = if is_postgres { DatabaseUrl::with_user_as_parameter(&text).into_owned() } else { text };
    let Some(mut url) = Url::parse(&text).ok().filter(|_| is_postgres) else { return Ok(text) };
    let has = |names: &[&str]| url.query_pairs().any(|(key, _)| names.contains(&&*key));
    let set = [
        ("PGHOST", "host", url.host_str().is_some_and(|host| !host.is_empty()) || has(&["host", "hostaddr"])),
        ("PGHOSTADDR", "host", url.host_str().is_some_and(|host| !host.is_empty()) || has(&["host", "hostaddr"])),
        ("PGUSER", "user", !url.username().is_empty() || has(&["user"])),
        ("PGDATABASE", "database", !url.path().trim_matches('/').is_empty() || has(&["dbname"])),
        ("PGSSLCERT", "`sslcert`", has(&["sslcert", "ssl-cert"])),
        ("PGSSLKEY", "`sslkey`", has(&["sslkey", "ssl-key"])),
    ];
    if let Some((name, what, _)) = set.iter().find(|(name, _, is_set)| !is_set && environment(name).is_some()) {
        let message = format!("the database URL in {place} contains no {what}, but `{name}` is set in the environment");
        return Err(CommandError::usage(message)
            .help("a URL from a file is not completed from the environment: write the complete URL into the file, or unset the variable")
            .help("or move the URL to `--database-url`, or to `DATABASE_URL` in the environment: such a URL is completed with the variables of libpq, such as `PGHOST`"));
    }
    let (has_port, has_password) = (url.port().is_some() || has(&["port"]), url.password().is_some() || has(&["password"]));
    if !has_port && environment("PGPORT").is_some() {
        url.query_pairs_mut().append_pair("port", "5432");
    }
    if !has_password && environment("PGPASSWORD").is_some() {
        // An empty password is a password, so the driver does not look for another one.
        url.query_pairs_mut().append_pair("password", "");
        notes.push(not_combined("PGPASSWORD", "the environment", place));
    }
    Ok(url.to_string())
}

/// What is wrong with the parts of a URL.
#[derive(Debug, PartialEq, Eq)]
enum BadPart {
    Missing(&'static str),
    /// Its value may be a password in the wrong place, and is not shown.
    Invalid {
        name: &'static str,
        help: &'static str,
    },
}

impl BadPart {
    fn error<'a>(self, place: &str, elsewhere: &dyn Fn(&str) -> Option<&'a str>) -> CommandError {
        match self {
            BadPart::Missing(name) => {
                let error = CommandError::usage(format!("`DB_HOST` is set in {place}, but `{name}` is missing there"))
                    .help(format!("set `{name}` to the name of the database"));
                match elsewhere(name) {
                    Some(other) => {
                        error.help(format!("`{name}` in {other} is not used: values of both places are never combined"))
                    }
                    None => error,
                }
            }
            BadPart::Invalid { name, help } => {
                CommandError::usage(format!("the value of `{name}` in {place} is not valid")).help(help)
            }
        }
    }
}

/// Builds a URL from `DB_HOST` and the related variables. Without a known dialect, port 3306 selects MySQL and any other port
/// PostgreSQL.
fn from_parts(variable: Environment<'_>, dialect: Option<Dialect>) -> Result<String, BadPart> {
    let name = variable("DB_NAME").ok_or(BadPart::Missing("DB_NAME"))?;
    if dialect == Some(Dialect::Sqlite) {
        return Ok(format!("sqlite:{name}"));
    }
    let host = variable("DB_HOST").ok_or(BadPart::Missing("DB_HOST"))?;
    let port = variable("DB_PORT");
    let dialect = dialect.unwrap_or(match port.as_deref() {
        Some("3306") => Dialect::MySql,
        _ => Dialect::Postgres,
    });
    let invalid = |name, help| BadPart::Invalid { name, help };
    let bad_host = || invalid("DB_HOST", "use a host name, an IP address, or the absolute path of a socket");
    let mut url = Url::parse(&format!("{}://localhost", dialect.name())).map_err(|_| bad_host())?;
    let names = ParameterNames::of(dialect);
    // The folder of a socket of PostgreSQL, or the socket of MySQL.
    let socket = Some(&host).filter(|host| host.starts_with('/'));
    let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.clone() };
    let is_host = host.chars().all(|letter| letter.is_alphanumeric() || ".-_:[]%".contains(letter));
    if socket.is_none() {
        url.set_host(Some(&host).filter(|_| is_host).map(String::as_str)).map_err(|_| bad_host())?;
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad_host());
    }
    if let Some(port) = &port {
        let bad_port = || invalid("DB_PORT", "use a number from 1 to 65535");
        url.set_port(Some(port.parse().map_err(|_| bad_port())?)).map_err(|()| bad_port())?;
    }
    if let Some(user) = variable("DB_USER") {
        url.set_username(&escaped(&user)).map_err(|()| bad_host())?;
    }
    // The setters of `Url` percent-encode special characters, except `%`.
    url.set_password(variable("DB_PASSWORD").map(|password| escaped(&password)).as_deref()).map_err(|()| bad_host())?;
    url.set_path(&escaped(&name));
    if let Some(socket) = socket {
        url.query_pairs_mut().append_pair(names.socket, socket);
    }
    if let Some(mode) = variable("DB_SSLMODE") {
        let bad_mode = || invalid("DB_SSLMODE", "use `disable`, `prefer`, `require`, `verify-ca` or `verify-full`");
        let mode = tls_mode(&names, &mode).ok_or_else(bad_mode)?;
        url.query_pairs_mut().append_pair(names.tls_mode, mode);
    }
    Ok(url.to_string())
}

/// The modes of TLS, weakest first: the words of PostgreSQL and those of MySQL. `allow` of PostgreSQL, which attempts TLS last,
/// is `prefer`, which attempts it first.
const TLS_MODES: &[[&str; 2]] = &[
    ["disable", "DISABLED"],
    ["prefer", "PREFERRED"],
    ["require", "REQUIRED"],
    ["verify-ca", "VERIFY_CA"],
    ["verify-full", "VERIFY_IDENTITY"],
];

/// How the parameters of a URL are named.
struct ParameterNames {
    socket: &'static str,
    tls_mode: &'static str,
    /// Which column of `TLS_MODES` has the words.
    tls_words: usize,
}

impl ParameterNames {
    fn of(dialect: Dialect) -> Self {
        let (socket, tls_mode, tls_words) = match dialect {
            Dialect::MySql => ("socket", "ssl-mode", 1),
            _ => ("host", "sslmode", 0),
        };
        ParameterNames { socket, tls_mode, tls_words }
    }
}

/// The word for a mode of TLS, which is given in the words of either database.
fn tls_mode(names: &ParameterNames, mode: &str) -> Option<&'static str> {
    let mode = if mode.eq_ignore_ascii_case("allow") { "prefer" } else { mode };
    let is_mode = |word: &str| word.eq_ignore_ascii_case(mode);
    let words = TLS_MODES.iter().find(|words| words.iter().any(|word| is_mode(word)))?;
    words.get(names.tls_words).copied()
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25")
}

#[cfg(test)]
mod tests;
