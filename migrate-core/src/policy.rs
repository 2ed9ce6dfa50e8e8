//! What is allowed that is usually a mistake.

use std::str::FromStr;

/// What to do about a migration that is lower than the newest applied one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Late {
    /// Stop before anything runs.
    #[default]
    Error,
    /// Say so and apply it.
    Warn,
    /// Apply it.
    Allow,
}

impl Late {
    /// The name in `migrate.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            Late::Error => "error",
            Late::Warn => "warn",
            Late::Allow => "allow",
        }
    }
}

impl FromStr for Late {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [Late::Error, Late::Warn, Late::Allow];
        all.into_iter().find(|late| late.name() == text).ok_or(())
    }
}

/// What a plan may pass over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Migrations that are lower than the newest applied one.
    pub late: Late,
}
