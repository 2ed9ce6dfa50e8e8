//! What stands between a session and its locks: servers and poolers on which the lock of a session does not keep others out.

use std::fmt;

/// What a connection leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// One server, and a session of its own.
    SingleServer,
    /// A pooler that may give each transaction another session of the server.
    Pooler,
    /// CockroachDB, whose advisory locks do nothing (its manual, "PostgreSQL compatibility").
    Cockroach,
    /// YugabyteDB, which has advisory locks only since 2025.1, and not by default before (its manual, "Advisory locks").
    Yugabyte,
    /// A Galera cluster: `GET_LOCK` belongs to one node (MariaDB knowledge base, "Known limitations").
    Galera,
    /// MySQL Group Replication with several primaries: the same (MySQL manual 20.3.2).
    GroupReplication,
    /// TiDB, whose named locks come and go with its releases (its manual, "Locking functions").
    TiDb,
    /// Vitess, which keeps named locks on one shard, if at all (its manual, "MySQL compatibility").
    Vitess,
}

impl Endpoint {
    /// Of a connection that speaks PostgreSQL's protocol: what `version()` says, and whether a start-up parameter of ours
    /// reached the server's session, if that was tried.
    pub fn of_postgres(version: &str, reached: Option<bool>) -> Self {
        match version {
            version if version.contains("CockroachDB") => Endpoint::Cockroach,
            version if version.contains("-YB-") => Endpoint::Yugabyte,
            // A pooler opens the server's sessions itself, long before.
            _ if reached == Some(false) => Endpoint::Pooler,
            _ => Endpoint::SingleServer,
        }
    }

    /// Of a connection that speaks MySQL's protocol: the server's variables that [`VARIABLES`](Self::VARIABLES) names.
    pub fn of_mysql<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Self {
        let (mut several, mut group) = (false, false);
        let mut found = Endpoint::SingleServer;
        for (name, value) in variables {
            match name.to_ascii_lowercase().as_str() {
                "version" | "version_comment" if value.contains("TiDB") => found = Endpoint::TiDb,
                "version" | "version_comment" if value.to_ascii_lowercase().contains("vitess") => found = Endpoint::Vitess,
                "wsrep_on" if matches!(value, "ON" | "1") => found = Endpoint::Galera,
                "group_replication_group_name" => group = !value.is_empty(),
                "group_replication_single_primary_mode" => several = matches!(value, "OFF" | "0"),
                _ => {}
            }
        }
        match found {
            Endpoint::SingleServer if group && several => Endpoint::GroupReplication,
            found => found,
        }
    }

    /// The variables of a MySQL server that tell.
    pub const VARIABLES: [&str; 5] =
        ["version", "version_comment", "wsrep_on", "group_replication_group_name", "group_replication_single_primary_mode"];

    /// Does the lock of a session keep all others out?
    pub fn supports_session_locks(self) -> bool {
        self == Endpoint::SingleServer
    }

    /// Does what one transaction sets for its session reach the next?
    pub fn preserves_session(self) -> bool {
        self != Endpoint::Pooler
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Endpoint::SingleServer => "one server",
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
    fn what_speaks_like_postgresql() {
        let direct = Some(true);
        for (version, reached, found) in [
            ("PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu", direct, Endpoint::SingleServer),
            ("PostgreSQL 15.14 on x86_64-pc-linux-gnu", None, Endpoint::SingleServer),
            ("PostgreSQL 15.14 on x86_64-pc-linux-gnu", Some(false), Endpoint::Pooler),
            ("CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27)", direct, Endpoint::Cockroach),
            ("PostgreSQL 11.2-YB-2.20.1.3-b0 on x86_64-pc-linux-gnu", direct, Endpoint::Yugabyte),
            ("PostgreSQL 15.2-YB-2.25.1.0-b0 on x86_64-pc-linux-gnu", None, Endpoint::Yugabyte),
        ] {
            assert_eq!(Endpoint::of_postgres(version, reached), found, "{version}");
        }
    }

    #[test]
    fn what_speaks_like_mysql() {
        let plain = [("version", "10.11.14-MariaDB"), ("version_comment", "Debian 12"), ("wsrep_on", "OFF")];
        let group = [
            ("version", "8.0.36"),
            ("group_replication_group_name", "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"),
            ("group_replication_single_primary_mode", "OFF"),
        ];
        for (variables, found) in [
            (&plain[..], Endpoint::SingleServer),
            (&[("version", "10.11.14-MariaDB"), ("wsrep_on", "ON")], Endpoint::Galera),
            (&[("Version", "8.0.11-TiDB-v7.5.0")], Endpoint::TiDb),
            (&[("version", "8.0.30-Vitess")], Endpoint::Vitess),
            (&[("version", "8.0.30"), ("version_comment", "Version: 19.0.0 (Vitess)")], Endpoint::Vitess),
            (&group, Endpoint::GroupReplication),
            (&[group[0], group[1], ("group_replication_single_primary_mode", "ON")], Endpoint::SingleServer),
            (&[group[0], ("group_replication_group_name", ""), group[2]], Endpoint::SingleServer),
        ] {
            assert_eq!(Endpoint::of_mysql(variables.iter().copied()), found, "{variables:?}");
        }
    }
}
