//! What is allowed that is usually a mistake.

use std::str::FromStr;

/// What to do about a migration that is lower than the newest applied one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OutOfOrder {
    /// Stop before anything runs.
    #[default]
    Error,
    /// Say so and apply it.
    Warn,
    /// Apply it.
    Allow,
}

impl OutOfOrder {
    /// The name in `migrate.toml`.
    pub const fn name(self) -> &'static str {
        match self {
            OutOfOrder::Error => "error",
            OutOfOrder::Warn => "warn",
            OutOfOrder::Allow => "allow",
        }
    }
}

impl FromStr for OutOfOrder {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let all = [OutOfOrder::Error, OutOfOrder::Warn, OutOfOrder::Allow];
        all.into_iter().find(|late| late.name() == text).ok_or(())
    }
}

/// What a plan may pass over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Migrations that are lower than the newest applied one.
    pub out_of_order: OutOfOrder,
}
