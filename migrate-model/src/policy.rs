//! Which usual mistakes a run accepts.

use std::str::FromStr;

/// How an out-of-order migration is treated: one below the newest applied version.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutOfOrder {
    /// Abort before applying anything.
    #[default]
    Error,
    /// Report it and apply it.
    Warn,
    /// Apply it without a report.
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
        all.into_iter().find(|policy| policy.name() == text).ok_or(())
    }
}

/// Which mismatches a plan accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// Migrations below the newest applied version.
    pub out_of_order: OutOfOrder,
}
