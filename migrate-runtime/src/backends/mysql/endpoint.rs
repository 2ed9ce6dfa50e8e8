//! What speaks the protocol of MySQL: MySQL and MariaDB themselves, and clusters.

use crate::endpoint::Endpoint;

/// `GET_LOCK` is local to a node (MariaDB knowledge base, "Known limitations").
pub const GALERA: Endpoint = Endpoint::cluster("a Galera cluster");
/// `GET_LOCK` is local to a node (MySQL manual 20.3.2).
const GROUP_REPLICATION: Endpoint = Endpoint::cluster("MySQL Group Replication in multi-primary mode");
/// Its support of named locks depends on the version (its manual, "Locking functions").
const TIDB: Endpoint = Endpoint::cluster("TiDB");
/// A named lock exists on one shard, if at all (its manual, "MySQL compatibility").
const VITESS: Endpoint = Endpoint::cluster("Vitess");

/// The variables of a server from which [`detect`] determines the endpoint.
pub const VARIABLES: &[&str] =
    &["version", "version_comment", "wsrep_on", "group_replication_group_name", "group_replication_single_primary_mode"];

/// The endpoint of a connection, from the server's values of [`VARIABLES`].
pub fn detect<'v>(variables: impl IntoIterator<Item = (&'v str, &'v str)>) -> Endpoint {
    let (mut several_primaries, mut in_group) = (false, false);
    let mut endpoint = Endpoint::SINGLE_SERVER;
    for (name, value) in variables {
        match name.to_ascii_lowercase().as_str() {
            "version" | "version_comment" if value.contains("TiDB") => endpoint = TIDB,
            "version" | "version_comment" if value.to_ascii_lowercase().contains("vitess") => endpoint = VITESS,
            "wsrep_on" if matches!(value, "ON" | "1") => endpoint = GALERA,
            "group_replication_group_name" => in_group = !value.is_empty(),
            "group_replication_single_primary_mode" => several_primaries = matches!(value, "OFF" | "0"),
            _ => {}
        }
    }
    if endpoint == Endpoint::SINGLE_SERVER && in_group && several_primaries { GROUP_REPLICATION } else { endpoint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_of_the_mysql_protocol() {
        let plain = [("version", "10.11.14-MariaDB"), ("version_comment", "Debian 12"), ("wsrep_on", "OFF")];
        let group = [
            ("version", "8.0.36"),
            ("group_replication_group_name", "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"),
            ("group_replication_single_primary_mode", "OFF"),
        ];
        for (variables, endpoint) in [
            (&plain[..], Endpoint::SINGLE_SERVER),
            (&[("version", "10.11.14-MariaDB"), ("wsrep_on", "ON")], GALERA),
            (&[("Version", "8.0.11-TiDB-v7.5.0")], TIDB),
            (&[("version", "8.0.30-Vitess")], VITESS),
            (&[("version", "8.0.30"), ("version_comment", "Version: 19.0.0 (Vitess)")], VITESS),
            (&group, GROUP_REPLICATION),
            (&[group[0], group[1], ("group_replication_single_primary_mode", "ON")], Endpoint::SINGLE_SERVER),
            (&[group[0], ("group_replication_group_name", ""), group[2]], Endpoint::SINGLE_SERVER),
        ] {
            assert_eq!(detect(variables.iter().copied()), endpoint, "{variables:?}");
        }
    }
}
