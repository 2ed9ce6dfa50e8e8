//! What identifies a migration in a history.

use crate::version::{InvalidVersion, Version};
use std::fmt;
use std::str::FromStr;

/// What identifies a migration in a history: its version or, for a repeatable migration, which has none, its name.
///
/// Versions are ordered by number, and repeatable migrations by name after all versions: that is the order in which they run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MigrationKey {
    /// A versioned migration.
    Version(Version),
    /// A repeatable migration, with the prefix `R__` that its file name and its record have.
    Repeatable(String),
}

/// What a repeatable migration begins with.
const REPEATABLE: &str = "R__";

impl MigrationKey {
    /// The text in the column `version` of the history.
    pub fn as_str(&self) -> &str {
        match self {
            MigrationKey::Version(version) => version.as_str(),
            MigrationKey::Repeatable(name) => name,
        }
    }

    /// The text that enters the digest: the same for each spelling of a version.
    pub fn canonical(&self) -> String {
        match self {
            MigrationKey::Version(version) => version.canonical(),
            MigrationKey::Repeatable(name) => name.clone(),
        }
    }

    /// The version, if it has one.
    pub fn version(&self) -> Option<&Version> {
        match self {
            MigrationKey::Version(version) => Some(version),
            MigrationKey::Repeatable(_) => None,
        }
    }
}

impl fmt::Display for MigrationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MigrationKey {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        if text.len() > REPEATABLE.len() && text.starts_with(REPEATABLE) {
            return Ok(MigrationKey::Repeatable(text.to_owned()));
        }
        text.parse().map(MigrationKey::Version)
    }
}

impl From<Version> for MigrationKey {
    fn from(version: Version) -> Self {
        MigrationKey::Version(version)
    }
}

impl From<&Version> for MigrationKey {
    fn from(version: &Version) -> Self {
        MigrationKey::Version(version.clone())
    }
}

impl From<&MigrationKey> for MigrationKey {
    fn from(key: &MigrationKey) -> Self {
        key.clone()
    }
}

impl PartialEq<Version> for MigrationKey {
    fn eq(&self, version: &Version) -> bool {
        self.version() == Some(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_text() {
        let mut keys: Vec<MigrationKey> = ["R__views", "10", "R__audit", "2"].map(|text| text.parse().unwrap()).into();
        keys.sort();
        assert_eq!(keys.iter().map(MigrationKey::as_str).collect::<Vec<_>>(), ["2", "10", "R__audit", "R__views"]);
        assert_eq!(keys[0].version(), Some(&"02".parse().unwrap()));
        for invalid in ["", "R__", "views"] {
            assert!(invalid.parse::<MigrationKey>().is_err(), "{invalid}");
        }
    }
}
