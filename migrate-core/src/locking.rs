//! How runs over one history are kept apart.

use std::str::FromStr;
use std::time::Duration;

/// What keeps the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LockKind {
    /// The session where that holds, else a lease: what the server is, and whether a pooler is in between, is found out.
    #[default]
    Auto,
    /// The database session: gone when the connection is.
    Session,
    /// A row with an expiry, renewed while its holder lives.
    Lease,
}

impl LockKind {
    /// All of them.
    pub const ALL: [LockKind; 3] = [LockKind::Auto, LockKind::Session, LockKind::Lease];

    /// As `migrate.toml` and the command line name it.
    pub fn name(self) -> &'static str {
        match self {
            LockKind::Auto => "auto",
            LockKind::Session => "session",
            LockKind::Lease => "lease",
        }
    }
}

impl FromStr for LockKind {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        LockKind::ALL.into_iter().find(|kind| kind.name() == name).ok_or(())
    }
}

/// How runs are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locking {
    /// What keeps the lock.
    pub kind: LockKind,
    /// How long a lease outlives its last renewal.
    pub lease: Duration,
}

impl Locking {
    /// Above this, a holder that died would hold up others for longer than anybody waits.
    pub const LONGEST_LEASE: Duration = Duration::from_secs(86_400);

    /// Below this, a pause of the scheduler or of the network would end a lease.
    pub const SHORTEST_LEASE: Duration = Duration::from_secs(2);
}

impl Default for Locking {
    fn default() -> Self {
        Locking { kind: LockKind::Auto, lease: Duration::from_secs(30) }
    }
}
