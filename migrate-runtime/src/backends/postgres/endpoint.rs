//! What speaks the protocol of PostgreSQL: the server itself, poolers in front of it, and clusters.

use crate::endpoint::{Endpoint, EndpointKind};

/// A pooler that may run each transaction in another server session.
const POOLER: Endpoint = Endpoint { name: "a connection pooler", kind: EndpointKind::Pooler };
/// Whether there is a pooler cannot be determined, so there may be one.
const UNKNOWN: Endpoint = Endpoint { name: "a connection that may go through a pooler", kind: EndpointKind::Pooler };
/// Its advisory locks have no effect (its manual, "PostgreSQL compatibility").
const COCKROACH: Endpoint = Endpoint::cluster("CockroachDB");
/// Its advisory locks are enabled by default only since 2025.1 (its manual, "Advisory locks").
const YUGABYTE: Endpoint = Endpoint::cluster("YugabyteDB");

/// The endpoint of a connection: from the result of `version()`, and from whether a start-up parameter reaches the server
/// session, `None` if that is unknown.
pub fn detect(version: &str, passes_parameters: Option<bool>) -> Endpoint {
    if version.contains("CockroachDB") {
        COCKROACH
    } else if version.contains("-YB-") {
        YUGABYTE
    } else {
        match passes_parameters {
            Some(true) => Endpoint::SINGLE_SERVER,
            // A pooler opens its server sessions before the client connects.
            Some(false) => POOLER,
            None => UNKNOWN,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_the_postgresql_protocol() {
        let direct = Some(true);
        for (version, passes_parameters, endpoint) in [
            ("PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu", direct, Endpoint::SINGLE_SERVER),
            ("PostgreSQL 15.14 on x86_64-pc-linux-gnu", None, UNKNOWN),
            ("PostgreSQL 15.14 on x86_64-pc-linux-gnu", Some(false), POOLER),
            ("CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27)", direct, COCKROACH),
            ("PostgreSQL 11.2-YB-2.20.1.3-b0 on x86_64-pc-linux-gnu", direct, YUGABYTE),
            ("PostgreSQL 15.2-YB-2.25.1.0-b0 on x86_64-pc-linux-gnu", None, YUGABYTE),
        ] {
            assert_eq!(detect(version, passes_parameters), endpoint, "{version}");
        }
    }
}
