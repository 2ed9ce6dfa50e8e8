//! The URL of a database: parsed once, shown without its password.

use crate::backends::{self, Address, AddressError, BackendEntry, Destination};
use crate::codes;
use crate::error::{Error, ErrorKind};
use migrate_model::dialect::Dialect;
use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

/// The URL of a database.
///
/// `Display` and `Debug` show it without its password and parameters; if parameters override its host, port, user or database, they
/// show where the connection leads. The whole text is never printed.
///
/// ```
/// # fn main() -> Result<(), migrate_runtime::Error> {
/// let url: migrate_runtime::DatabaseUrl = "postgres://app:secret@db/shop?sslmode=require".parse()?;
/// assert_eq!(url.to_string(), "postgres://app@db/shop");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct DatabaseUrl {
    text: Arc<str>,
    masked: String,
    scheme: &'static str,
    entry: &'static BackendEntry,
    address: Arc<dyn Address>,
}

impl DatabaseUrl {
    /// The scheme as it is written, such as `postgresql` or `mariadb`.
    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// The SQL that the database reads.
    pub fn dialect(&self) -> Dialect {
        self.entry.dialect
    }

    /// Which database it is, independent of the user: its type, host, port and name, or the path of the file. Two URLs with different
    /// users or parameters can have one place.
    pub fn place(&self) -> String {
        format!("{}://{}", self.dialect(), self.address.place())
    }

    /// Whether it names a database in memory, which is gone with its connection.
    pub fn is_in_memory(&self) -> bool {
        self.address.is_in_memory()
    }

    /// The same URL with its user and password as parameters, if it has no host: `postgres://app@/shop?host=/run/postgresql`, which
    /// `psql` accepts and parsers of URLs do not.
    ///
    /// ```
    /// # use migrate_runtime::DatabaseUrl;
    /// let url = DatabaseUrl::with_user_as_parameter("postgres://app:a+b@/shop?host=/run/postgresql");
    /// assert_eq!(url, "postgres:///shop?host=/run/postgresql&user=app&password=a%2Bb");
    /// assert_eq!(DatabaseUrl::with_user_as_parameter("postgres://app@db/shop"), "postgres://app@db/shop");
    /// ```
    pub fn with_user_as_parameter(text: &str) -> Cow<'_, str> {
        let parts = || {
            let (scheme, rest) = text.split_once("://")?;
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let user = rest[..end].strip_suffix('@')?;
            Some((scheme, user, &rest[end..]))
        };
        let Some((scheme, user, rest)) = parts() else { return Cow::Borrowed(text) };
        let (user, password) = user.split_once(':').map_or((user, None), |(user, password)| (user, Some(password)));
        let mut url = format!("{scheme}://{rest}");
        for (name, value) in [("user", Some(user).filter(|user| !user.is_empty())), ("password", password)] {
            let Some(value) = value else { continue };
            let separator = if url.contains('?') { '&' } else { '?' };
            // In parameters, a `+` is a space.
            let value = value.replace('+', "%2B").replace('&', "%26");
            url.push_str(&format!("{separator}{name}={value}"));
        }
        Cow::Owned(url)
    }

    /// The database at an address that was not written as a URL.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn of_address(scheme: &'static str, destination: &Destination, address: Arc<dyn Address>) -> Self {
        DatabaseUrl::of_parts(scheme, show(scheme, destination), address)
    }

    pub(crate) fn of_parts(scheme: &'static str, masked: String, address: Arc<dyn Address>) -> Self {
        let (scheme, entry) = backends::of_scheme(scheme).expect("a backend knows its own scheme");
        DatabaseUrl { text: masked.as_str().into(), masked, scheme, entry, address }
    }

    pub(crate) fn address(&self) -> &dyn Address {
        &*self.address
    }
}

impl FromStr for DatabaseUrl {
    type Err = Error;

    /// Parses a URL with the scheme `postgres`, `postgresql`, `mysql`, `mariadb` or `sqlite`.
    ///
    /// # Errors
    /// When the scheme is missing or unknown, when this program was built without its database, or when the driver rejects
    /// the rest.
    fn from_str(text: &str) -> Result<Self, Error> {
        let masked = mask(text);
        let rejected = |why: &str| {
            let message = format!("`{masked}` is not a valid database URL: {why}");
            Error::new(ErrorKind::Setting, &codes::CONNECTION, message)
        };
        let invalid = |why: &str| {
            rejected(why).help(
                "use `postgres://user:password@host:5432/name`, `mysql://user:password@host:3306/name` or `sqlite:path/to/file.db`",
            )
        };
        let Some((scheme, rest)) = text.split_once(':') else { return Err(invalid("the scheme is missing")) };
        let Some((scheme, entry)) = backends::of_scheme(scheme) else {
            let known: Vec<String> = backends::schemes().map(|scheme| format!("`{scheme}`")).collect();
            return Err(invalid(&format!("the scheme must be one of {}", known.join(", "))));
        };
        let Some(parse) = entry.parse else {
            return Err(invalid(&format!("this program was built without support for {}", entry.dialect)));
        };
        if entry.needs_authority && !rest.starts_with("//") {
            return Err(invalid("`://` is missing after the scheme"));
        }
        let authority = rest.strip_prefix("//").unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        if entry.needs_authority && !is_host(host) {
            return Err(invalid("the text after the `:` of the host is not a port number").help(ENCODE_PASSWORD));
        }
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if entry.needs_authority && path[path.len().min(2 + authority.len())..].contains('@') {
            return Err(rejected("it contains an `@` after the host").help(ENCODE_PASSWORD));
        }
        // Drivers recognize a scheme in lower case only.
        let text = format!("{scheme}:{rest}");
        let address = parse(&text).map_err(|AddressError { message, help }| {
            let error = if help.is_empty() { invalid(&message) } else { help.into_iter().fold(rejected(&message), Error::help) };
            // A `?` or a `#` in a password.
            if authority.contains('@') || !rest.contains('@') { error } else { error.help(ENCODE_PASSWORD) }
        })?;
        let masked = address.destination().map_or_else(|| mask(&text), |destination| show(scheme, &destination));
        Ok(DatabaseUrl { masked, text: text.into(), scheme, entry, address: address.into() })
    }
}

/// What to do with a password that the parser takes for something else.
const ENCODE_PASSWORD: &str = "in a user name and a password, write `%2F` for `/`, `%3F` for `?`, `%23` for `#`, `%40` for `@`, `%3A` for `:` and `%25` for `%`";

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.masked)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({})", self.masked)
    }
}

impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for DatabaseUrl {}

impl Hash for DatabaseUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// The text without passwords, whatever it is: what cannot be told apart is left out.
fn mask(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
        _ if text.starts_with("sqlite:") => return text.split('?').next().unwrap_or_default().to_owned(),
        // Not a URL; which part of it is a password cannot be known.
        _ => return "...".to_owned(),
    };
    let place = rest.split(['?', '#', ';']).next().unwrap_or_default();
    let (user, host) = place.rsplit_once('@').map_or((None, place), |(user, host)| (Some(user), host));
    if scheme != "sqlite" && !is_host(host.split('/').next().unwrap_or_default()) {
        return format!("{scheme}://...");
    }
    match user {
        Some(user) => format!("{scheme}://{}@{host}", name_of(user)),
        // A `?` or a `#` in a password that is not written as `%3F` or `%23`.
        None if rest.contains('@') => format!("{scheme}://..."),
        None => format!("{scheme}://{place}"),
    }
}

/// A destination as a URL, without what may belong to a password in the wrong place.
fn show(scheme: &str, destination: &Destination) -> String {
    let Destination { user, server, socket_parameter, database } = destination;
    let user = name_of(user);
    let database = if database.contains(['@', ':']) { "..." } else { database };
    if server.contains('/') && !server.contains('@') {
        return format!("{scheme}://{user}@/{database}?{socket_parameter}={server}");
    }
    let server = if is_host(server) { server } else { "..." };
    format!("{scheme}://{user}@{server}/{database}")
}

/// The name of a user, without a password that follows it, even if the `:` is written as `%3A`.
fn name_of(user: &str) -> &str {
    let end = user.find(':').into_iter().chain(user.to_ascii_lowercase().find("%3a")).min();
    end.map_or(user, |end| &user[..end])
}

/// Whether a text is a host with or without a port, so that it contains no password: what follows its first `:` is a number,
/// and it contains no `@`, whether they are encoded or not.
fn is_host(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_port =
        |port: &str| port.chars().all(|digit| digit.is_ascii_digit()) && (port.is_empty() || port.parse::<u16>().is_ok());
    if lower.contains("%40") || lower.contains('@') {
        return false;
    }
    // The folder of a socket may contain a `:`, which is written as `%3A`.
    if lower.starts_with("%2f") {
        return lower.split_once(':').is_none_or(|(_, port)| is_port(port));
    }
    // An IPv6 address.
    if let Some((address, after)) = lower.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_address = address.chars().all(|letter| letter.is_ascii_hexdigit() || ":.%".contains(letter));
        return is_address && (after.is_empty() || after.strip_prefix(':').is_some_and(is_port));
    }
    lower.replace("%3a", ":").split_once(':').is_none_or(|(_, port)| is_port(port))
}

/// Whether a text is a scheme (RFC 3986, 3.1), so that what precedes `://` contains no password.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || ['+', '-', '.'].contains(&letter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (url, safe) in [
            ("postgres://me:secret@host:5432/db?sslmode=require&password=x", "postgres://me@host:5432/db"),
            ("postgres://me:p@ss@host/db", "postgres://me@host/db"),
            ("host=h password=secret sslrootcert=file:///x", "..."),
            ("u:secret@h/db?ssl=file:///x", "..."),
            ("postgres:u:secret@h/db?x=http://y", "..."),
            ("postgres://127.0.0.1:1/db;password=secret", "postgres://127.0.0.1:1/db"),
            ("mysql://host/db", "mysql://host/db"),
            ("postgres://u:S3CRET%40127.0.0.1:1/x", "postgres://..."),
            ("postgres://u:S3CRET127.0.0.1/x", "postgres://..."),
            ("mysql://u:S3CRET%40h/x", "mysql://..."),
            ("mysql://u:123456/x", "mysql://..."),
            ("postgres://u:S3/CRET%40h/x", "postgres://..."),
            ("postgres://u%3AS3CRET%40h/x", "postgres://..."),
            ("postgres://u%3aS3CRET@h/x", "postgres://u@h/x"),
            ("postgres://u:p@S3CRET%40h/x", "postgres://..."),
            ("postgres://[::1]:5432/x", "postgres://[::1]:5432/x"),
            ("postgres://[::1]S3CRET/x", "postgres://..."),
            ("postgres://%2Frun%2Fa%3Ab/x", "postgres://%2Frun%2Fa%3Ab/x"),
            ("postgres://u:p@h:/x", "postgres://u@h:/x"),
            ("sqlite://:memory:", "sqlite://:memory:"),
            ("sqlite:app.db?mode=rwc", "sqlite:app.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            ("postgres://u:se#cret@h/db", "postgres://..."),
            ("postgres://u:se?cret@h/db", "postgres://..."),
            ("postgres://h/db?password=a@b", "postgres://..."),
            ("postgres:/u:secret@h/db", "..."),
            ("u:secret@h/db", "..."),
            ("host=h password=secret", "..."),
        ] {
            assert_eq!(mask(url), safe);
        }
    }

    #[test]
    fn what_is_parsed() {
        let parse = |text: &str| text.parse::<DatabaseUrl>();
        for (text, scheme, dialect) in [
            ("postgres://app:secret@db/shop", "postgres", Dialect::Postgres),
            ("postgresql://db/shop", "postgresql", Dialect::Postgres),
            ("mysql://db/shop", "mysql", Dialect::MySql),
            ("mariadb://app:secret@db/shop", "mariadb", Dialect::MySql),
            ("sqlite:shop.db", "sqlite", Dialect::Sqlite),
            ("SQLITE:shop.db", "sqlite", Dialect::Sqlite),
            ("Postgres://db/shop", "postgres", Dialect::Postgres),
            ("sqlite://shop.db?mode=ro", "sqlite", Dialect::Sqlite),
        ] {
            let url = parse(text).unwrap();
            assert_eq!((url.scheme(), url.dialect(), url.is_in_memory()), (scheme, dialect, false), "{text}");
            assert!(!format!("{url} {url:?}").contains("secret"), "{url:?}");
        }
        assert!(parse("sqlite::memory:").unwrap().is_in_memory());
        // What is shown is where the connection leads.
        for (text, shown) in [
            ("postgres://a:secret@x/y?host=127.0.0.1&port=5433&dbname=z&user=b", "postgres://b@127.0.0.1:5433/z"),
            ("postgresql://a@x:5433/y?dbname=z", "postgresql://a@x:5433/z"),
            ("postgres://a@x/y?host=/run/pg", "postgres://a@/y?host=/run/pg"),
            ("postgres://a:secret@x/y?sslmode=require", "postgres://a@x/y"),
            ("mysql://a:secret@x/y?socket=/run/db.sock", "mysql://a@/y?socket=/run/db.sock"),
            ("postgres://a@x/y?host=::1", "postgres://a@[::1]:5432/y"),
            ("postgres://a%3Asecret@x/y?port=5433", "postgres://a@x:5433/y"),
            ("postgres://a:secret@/y?host=/run/pg", "postgres://a@/y?host=/run/pg"),
            ("postgres://x/y?user=a:secret&dbname=postgres://a:secret@x/z", "postgres://a@x:5432/..."),
            ("postgres://b@x/y?host=a:secret@x", "postgres://b@.../y"),
        ] {
            assert_eq!(parse(text).unwrap().to_string(), shown, "{text}");
        }
        for text in [
            "",
            "shop.db",
            "oracle://u:secret@db/x",
            "postgres:secret",
            "postgres:/db/secret",
            "postgres://u:secret@h:port/x",
            "mysql://u%3Asecret%40h/x",
            "postgres://u:12/secret@h/x",
            "mysql://u:12?secret@h/x",
            "postgres://u:12#secret@h/x",
            "postgres://u:a@12/secret@h/x",
        ] {
            let error = parse(text).unwrap_err().report();
            assert!(error.contains("is not a valid database URL") && !error.contains("secret"), "{error}");
        }
    }
}
