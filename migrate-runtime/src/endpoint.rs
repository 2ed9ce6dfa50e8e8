//! What a connection is connected to: servers, poolers and clusters, and whether a session-level lock excludes other processes
//! there. Which products a backend recognizes is a matter of its folder.

use std::fmt;

/// What a connection is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endpoint {
    /// The name in messages, with an article where it needs one.
    pub name: &'static str,
    /// What its sessions and locks are worth.
    pub kind: EndpointKind,
}

/// What sessions and session-level locks are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointKind {
    /// The session belongs to the connection, and its locks exclude all other processes.
    SingleServer,
    /// The session belongs to the connection. Its locks do not exclude all other processes: they are local to a node, have no
    /// effect, or depend on the version.
    Cluster,
    /// Each transaction may run in another server session.
    Pooler,
}

impl Endpoint {
    /// A single server, with a session that belongs to the connection.
    pub const SINGLE_SERVER: Endpoint = Endpoint { name: "a single server", kind: EndpointKind::SingleServer };

    /// A product on several nodes.
    pub const fn cluster(name: &'static str) -> Self {
        Endpoint { name, kind: EndpointKind::Cluster }
    }

    /// Whether a session-level lock excludes all other processes.
    pub fn supports_session_locks(self) -> bool {
        self.kind == EndpointKind::SingleServer
    }

    /// Whether a session setting is still in effect after the transaction that changed it.
    pub fn preserves_session(self) -> bool {
        self.kind != EndpointKind::Pooler
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
