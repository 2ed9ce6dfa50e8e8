//! The contract of a layout: a naming convention for migration files.
//!
//! A layout contains everything that is specific to its names: how a path is parsed, what the down migration of a file is
//! called, what new files are called, and which sub-folders belong to it.

use crate::target::Direction;
use crate::version::Version;

/// A naming convention for migration files. Paths are relative to the migrations folder, with `/` as separator.
#[derive(Debug)]
pub struct Layout {
    /// The name in `layouts` of `migrate.toml`.
    pub name: &'static str,
    /// An example of a file name.
    pub example: &'static str,
    /// Whether every migration requires a down migration, if `migrate.toml` does not set `down`.
    pub wants_down: bool,
    /// What the layout must know about all paths of a folder before it parses one; `parse` gets the answer.
    pub detect: fn(paths: &[String]) -> bool,
    /// Parses a path.
    pub parse: fn(detected: bool, path: &str) -> NameMatch,
    /// The path of the down migration of an up migration.
    pub down_path: fn(up: &str) -> String,
    /// The paths of a new migration.
    pub new_paths: fn(&NewMigration<'_>) -> NewPaths,
    /// What the sub-folder of a path is for, if the layout uses it.
    pub folder_use: fn(path: &str) -> Option<FolderUse>,
    /// What users call a migration with this up path, if it is not the file name.
    pub title: fn(path: &str) -> Option<&str>,
}

impl PartialEq for Layout {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
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

/// A migration that is about to be created.
#[derive(Debug, Clone, Copy)]
pub struct NewMigration<'a> {
    /// Its version.
    pub version: &'a Version,
    /// Its name, as it is to be in the path.
    pub name: &'a str,
    /// The up paths of the folder that have this layout, in version order.
    pub ups: &'a [&'a str],
    /// The down paths of the folder that have this layout.
    pub downs: &'a [&'a str],
}

/// The paths of a new migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPaths {
    /// The up migration.
    pub up: String,
    /// The down migration, where the folder has such files.
    pub down: Option<String>,
}

/// What a sub-folder is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FolderUse {
    /// One migration; other files in it are ignored.
    OneMigration,
    /// Down migrations only; any other `.sql` file in it is an error.
    DownMigrations,
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
