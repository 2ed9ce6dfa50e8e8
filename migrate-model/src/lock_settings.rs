//! How runs over one history are kept apart.

use std::str::FromStr;
use std::time::Duration;

/// What keeps the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockStrategy {
    /// The session where that holds, else a lease: what the server is, and whether a pooler is in between, is found out.
    #[default]
    Auto,
    /// The database session: gone when the connection is.
    Session,
    /// A row with an expiry, renewed while its holder lives.
    Lease,
}

impl LockStrategy {
    /// All of them.
    pub const ALL: [LockStrategy; 3] = [LockStrategy::Auto, LockStrategy::Session, LockStrategy::Lease];

    /// As `migrate.toml` and the command line name it.
    pub fn name(self) -> &'static str {
        match self {
            LockStrategy::Auto => "auto",
            LockStrategy::Session => "session",
            LockStrategy::Lease => "lease",
        }
    }
}

impl FromStr for LockStrategy {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        LockStrategy::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// How runs are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockSettings {
    /// What keeps the lock.
    pub strategy: LockStrategy,
    /// How long a lease outlives its last renewal.
    pub lease: Duration,
}

impl LockSettings {
    /// Above this, a holder that died would hold up others for longer than anybody waits.
    pub const LONGEST_LEASE: Duration = Duration::from_secs(86_400);

    /// Below this, a pause of the scheduler or of the network would end a lease.
    pub const SHORTEST_LEASE: Duration = Duration::from_secs(2);
}

impl Default for LockSettings {
    fn default() -> Self {
        LockSettings { strategy: LockStrategy::Auto, lease: Duration::from_secs(30) }
    }
}
