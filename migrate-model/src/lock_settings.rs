//! How concurrent runs on one history exclude each other.

use std::str::FromStr;
use std::time::Duration;

/// The locking strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LockStrategy {
    /// A session-level lock if the server supports it and no pooler is in between, else a lease; determined for each connection.
    #[default]
    Auto,
    /// A session-level lock of the database, which is released when the connection ends.
    Session,
    /// A row with an expiry time, which its holder renews periodically.
    Lease,
    /// No run waits for another one, and nothing prevents two runs at the same time: for tests with a database of their own. Where
    /// only a lease is possible (a pooler, Galera), it remains. Only in code; not a value of `migrate.toml`.
    None,
}

impl LockStrategy {
    /// The strategies that a setting can select.
    pub const ALL: [LockStrategy; 3] = [LockStrategy::Auto, LockStrategy::Session, LockStrategy::Lease];

    /// The name in `migrate.toml` and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            LockStrategy::Auto => "auto",
            LockStrategy::Session => "session",
            LockStrategy::Lease => "lease",
            LockStrategy::None => "none",
        }
    }
}

impl FromStr for LockStrategy {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        LockStrategy::ALL.into_iter().find(|strategy| strategy.name() == name).ok_or(())
    }
}

/// The locking strategy and its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockSettings {
    pub strategy: LockStrategy,
    /// How long a lease remains valid after its last renewal.
    pub lease: Duration,
}

impl LockSettings {
    /// The upper limit. After a crash, other processes wait until the lease of the crashed one expires.
    pub const LONGEST_LEASE: Duration = Duration::from_secs(86_400);

    /// The lower limit. A shorter lease could expire during a delay of the scheduler or of the network.
    pub const SHORTEST_LEASE: Duration = Duration::from_secs(2);
}

impl Default for LockSettings {
    fn default() -> Self {
        LockSettings { strategy: LockStrategy::Auto, lease: Duration::from_secs(30) }
    }
}
