//! What a connection is connected to: servers, poolers and clusters, and whether a session-level lock excludes other processes
//! there.

use std::fmt;

/// What a connection is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// A single server, with a session that belongs to the connection.
    SingleServer,
    /// A pooler that may run each transaction in another server session.
    Pooler,
    /// CockroachDB, whose advisory locks have no effect (its manual, "PostgreSQL compatibility").
    Cockroach,
    /// YugabyteDB, whose advisory locks are enabled by default only since 2025.1 (its manual, "Advisory locks").
    Yugabyte,
    /// A Galera cluster, where `GET_LOCK` is local to a node (MariaDB knowledge base, "Known limitations").
    Galera,
    /// MySQL Group Replication with several primaries, where `GET_LOCK` is local to a node (MySQL manual 20.3.2).
    GroupReplication,
    /// TiDB, whose support of named locks depends on the version (its manual, "Locking functions").
    TiDb,
    /// Vitess, where a named lock exists on one shard, if at all (its manual, "MySQL compatibility").
    Vitess,
}

impl Endpoint {
    /// The endpoint of a connection with PostgreSQL's protocol: from the result of `version()`, and from whether a start-up
    /// parameter reaches the server session. `None` if that is unknown.
    pub fn of_postgres(version: &str, passes_parameters: Option<bool>) -> Self {
        if version.contains("CockroachDB") {
            Endpoint::Cockroach
        } else if version.contains("-YB-") {
            Endpoint::Yugabyte
        } else if passes_parameters == Some(false) {
            // A pooler opens its server sessions before the client connects.
            Endpoint::Pooler
        } else {
            Endpoint::SingleServer
        }
    }

    /// The endpoint of a connection with MySQL's protocol, from the server's values of [`VARIABLES`](Self::VARIABLES).
    pub fn of_mysql<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let (mut several_primaries, mut in_group) = (false, false);
        let mut endpoint = Endpoint::SingleServer;
        for (name, value) in variables {
            match name.to_ascii_lowercase().as_str() {
                "version" | "version_comment" if value.contains("TiDB") => endpoint = Endpoint::TiDb,
                "version" | "version_comment" if value.to_ascii_lowercase().contains("vitess") => endpoint = Endpoint::Vitess,
                "wsrep_on" if matches!(value, "ON" | "1") => endpoint = Endpoint::Galera,
                "group_replication_group_name" => in_group = !value.is_empty(),
                "group_replication_single_primary_mode" => several_primaries = matches!(value, "OFF" | "0"),
                _ => {}
            }
        }
        match endpoint {
            Endpoint::SingleServer if in_group && several_primaries => Endpoint::GroupReplication,
            endpoint => endpoint,
        }
    }

    /// The variables of a MySQL server from which [`of_mysql`](Self::of_mysql) determines the endpoint.
    pub const VARIABLES: [&str; 5] =
        ["version", "version_comment", "wsrep_on", "group_replication_group_name", "group_replication_single_primary_mode"];

    /// Whether a session-level lock excludes all other processes.
    pub fn supports_session_locks(self) -> bool {
        self == Endpoint::SingleServer
    }

    /// Whether a session setting is still in effect after the transaction that changed it.
    pub fn preserves_session(self) -> bool {
        self != Endpoint::Pooler
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::SingleServer => "a single server",
            Endpoint::Pooler => "a connection pooler",
            Endpoint::Cockroach => "CockroachDB",
            Endpoint::Yugabyte => "YugabyteDB",
            Endpoint::Galera => "a Galera cluster",
            Endpoint::GroupReplication => "MySQL Group Replication with several primaries",
            Endpoint::TiDb => "TiDB",
            Endpoint::Vitess => "Vitess",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_the_postgresql_protocol() {
        let direct = Some(true);
        for (version, passes_parameters, endpoint) in [
            ("PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu", direct, Endpoint::SingleServer),
            ("PostgreSQL 15.14 on x86_64-pc-linux-gnu", None, Endpoint::SingleServer),
            ("PostgreSQL 15.14 on x86_64-pc-linux-gnu", Some(false), Endpoint::Pooler),
            ("CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27)", direct, Endpoint::Cockroach),
            ("PostgreSQL 11.2-YB-2.20.1.3-b0 on x86_64-pc-linux-gnu", direct, Endpoint::Yugabyte),
            ("PostgreSQL 15.2-YB-2.25.1.0-b0 on x86_64-pc-linux-gnu", None, Endpoint::Yugabyte),
        ] {
            assert_eq!(Endpoint::of_postgres(version, passes_parameters), endpoint, "{version}");
        }
    }

    #[test]
    fn endpoints_of_the_mysql_protocol() {
        let plain = [("version", "10.11.14-MariaDB"), ("version_comment", "Debian 12"), ("wsrep_on", "OFF")];
        let group = [
            ("version", "8.0.36"),
            ("group_replication_group_name", "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"),
            ("group_replication_single_primary_mode", "OFF"),
        ];
        for (variables, endpoint) in [
            (&plain[..], Endpoint::SingleServer),
            (&[("version", "10.11.14-MariaDB"), ("wsrep_on", "ON")], Endpoint::Galera),
            (&[("Version", "8.0.11-TiDB-v7.5.0")], Endpoint::TiDb),
            (&[("version", "8.0.30-Vitess")], Endpoint::Vitess),
            (&[("version", "8.0.30"), ("version_comment", "Version: 19.0.0 (Vitess)")], Endpoint::Vitess),
            (&group, Endpoint::GroupReplication),
            (&[group[0], group[1], ("group_replication_single_primary_mode", "ON")], Endpoint::SingleServer),
            (&[group[0], ("group_replication_group_name", ""), group[2]], Endpoint::SingleServer),
        ] {
            assert_eq!(Endpoint::of_mysql(variables.iter().copied()), endpoint, "{variables:?}");
        }
    }
}
