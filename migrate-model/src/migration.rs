//! The files of one version. Whether the version is applied is in its [`Record`](crate::history::Record).

use crate::directives::Phase;
use crate::layouts;
use crate::script::Script;
use crate::version::Version;
use std::borrow::Cow;

/// One version: an up migration, and usually a down migration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// The version as in the file name.
    pub version: Version,
    /// The migration name, such as `create_users`: what follows the version.
    pub name: Cow<'static, str>,
    /// The up migration.
    pub up: Script,
    /// The down migration.
    pub down: Option<Script>,
}

impl Migration {
    /// A migration of these scripts.
    pub fn new(version: Version, name: impl Into<Cow<'static, str>>, up: Script, down: Option<Script>) -> Self {
        Migration { version, name: name.into(), up, down }
    }

    /// The name in messages: the file name of the up migration, or its folder if the file name is `up.sql` or `migration.sql`.
    pub fn title(&self) -> &str {
        layouts::title(&self.up.file)
    }

    /// The phase of an expand-contract change that the migration belongs to.
    pub fn phase(&self) -> Option<Phase> {
        self.up.directives.phase
    }
}
