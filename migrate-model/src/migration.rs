//! What the files say about one version. It never knows whether it was applied; that is a [`Record`](crate::history::Record).

use crate::directives::Phase;
use crate::script::Script;
use crate::version::Version;
use std::borrow::Cow;

/// One version: a way up, and usually a way down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its version, as the file name has it.
    pub version: Version,
    /// The name behind the version, such as `create_users`.
    pub name: Cow<'static, str>,
    /// How it is applied.
    pub up: Script,
    /// How it is reverted.
    pub down: Option<Script>,
}

impl Migration {
    /// What people call it: the file name of the way up, or its folder's when that is only `up.sql`.
    pub fn title(&self) -> &str {
        let file = &*self.up.file;
        match file.rsplit_once('/') {
            Some((folder, "up.sql" | "migration.sql")) => folder.rsplit('/').next().unwrap_or(folder),
            Some((_, name)) => name,
            None => file,
        }
    }

    /// Where it stands in an expand-contract change.
    pub fn phase(&self) -> Option<Phase> {
        self.up.directives.phase
    }
}
