//! The contract of a layout: a naming convention for migration files.

use crate::target::Direction;
use crate::version::Version;

/// A naming convention for migration files.
#[derive(Debug)]
pub struct Layout {
    /// The name in `layouts` of `migrate.toml`.
    pub name: &'static str,
    /// An example of a file name.
    pub example: &'static str,
    /// Does every migration require a down migration, if `migrate.toml` does not set `down`?
    pub wants_down: bool,
    /// Parses a path inside the migrations folder, with `/` as separator.
    pub read: fn(&FolderHints, path: &str) -> NameMatch,
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// What a layout needs to know about the other files of the folder.
#[derive(Debug, Default)]
pub struct FolderHints {
    /// Does the name of at least one file end with `_down.sql`?
    pub underscore_pairs: bool,
}

/// The result of parsing a path by a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameMatch {
    /// The path does not belong to the layout.
    NoMatch,
    /// One direction of a migration.
    Matched(ParsedName),
    /// The path belongs to the layout, but such files are not supported: the reason.
    Unsupported(&'static str),
}

/// The parts of a path that a layout recognizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedName {
    /// The version as written in the path.
    pub version: Version,
    /// The migration name: what follows the version.
    pub name: String,
    /// Up or down.
    pub direction: Direction,
}

impl NameMatch {
    /// Splits a name into the version at its start and the migration name, without the separators between them.
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
