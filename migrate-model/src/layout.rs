//! What a naming convention is.

use crate::target::Direction;
use crate::version::Version;

/// One naming convention of migration files.
#[derive(Debug)]
pub struct Layout {
    /// Its name in `migrate.toml`.
    pub name: &'static str,
    /// What its files look like.
    pub example: &'static str,
    /// Does it want a way down for every migration, where `migrate.toml` does not say?
    pub wants_down: bool,
    /// Reads a path inside the migrations folder, with `/` between folders.
    pub read: fn(&FolderHints, path: &str) -> NameMatch,
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// The folder around a path, as far as a convention asks for it.
#[derive(Debug, Default)]
pub struct FolderHints {
    /// Does any file end with `_down.sql`?
    pub underscore_pairs: bool,
}

/// What a convention makes of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameMatch {
    /// Nothing: it is not named like this.
    NoMatch,
    /// One direction of a migration.
    Matched(ParsedName),
    /// Belongs to the convention, but cannot be run by this release: why.
    Unsupported(&'static str),
}

/// What a path says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedName {
    /// Its version.
    pub version: Version,
    /// The words behind the version.
    pub name: String,
    /// Up or down.
    pub direction: Direction,
}

impl NameMatch {
    /// A name that begins with a version: the rest, without what parts them, is the name.
    pub fn numbered(stem: &str, direction: Direction) -> NameMatch {
        match Version::split_from(stem, false) {
            Some((version, rest)) => {
                let name = rest.trim_start_matches(['_', '-', '.']).trim_end_matches('.');
                NameMatch::Matched(ParsedName { version, name: name.to_owned(), direction })
            }
            None => NameMatch::NoMatch,
        }
    }
}
