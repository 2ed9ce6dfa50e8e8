//! TLS on real servers, with certificates of a private authority: each mode verifies what it must, and PostgreSQL is reached as `psql`
//! reaches it.

use migrate_tests::{Binary, Servers, TestFolder};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

/// Writes a certificate for the host `localhost`, of an authority or signed by itself, and the certificates of that authority and of
/// another one.
fn certificates(self_signed: bool) -> TempDir {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text).unwrap();
    let authority = |name: &str| {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        write(&format!("{name}.crt"), params.self_signed(&key).unwrap().pem());
        Issuer::new(params, key)
    };
    let (issuer, _) = (authority("authority"), authority("other"));
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = if self_signed { params.self_signed(&key) } else { params.signed_by(&key, &issuer) };
    write("server.crt", certificate.unwrap().pem());
    write("server.key", key.serialize_pem());
    folder
}

/// The outcome of a connection: rejected, or whether it is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Rejected,
    Plain,
    Encrypted,
}

/// Applies a migration that keeps whether its session is encrypted, and reads it.
fn reached(url: &str, dialect: &str, migration: &str, encrypted: &str) -> (Reached, String) {
    let folder = TestFolder::new(&[("001_a.up.sql", migration), ("001_a.down.sql", "DROP TABLE tls;")]);
    folder.write("migrate.toml", &format!("database = \"{dialect}\"\nlint = \"off\"\n"));
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", url);
    let outcome = binary.run(&["up"]);
    if outcome.code != 0 {
        return (Reached::Rejected, outcome.stderr);
    }
    // A gate is a query over the same kind of connection.
    folder.write("migrations/002_b.up.sql", &format!("-- migrate: gate {encrypted}\nSELECT 1;"));
    folder.write("migrations/002_b.down.sql", "SELECT 1;");
    let is_encrypted = binary.run(&["up"]).code == 0;
    binary.ok(&["down", "--all", "--yes"]);
    (if is_encrypted { Reached::Encrypted } else { Reached::Plain }, String::new())
}

fn psql(url: &str) -> Reached {
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let output = Command::new("psql").args(["-XAtc", sql, url]).output().unwrap();
    match (output.status.success(), output.stdout.first()) {
        (true, Some(b't')) => Reached::Encrypted,
        (true, _) => Reached::Plain,
        _ => Reached::Rejected,
    }
}

/// The URL with a host name, which the certificate names or not.
fn with_host(url: &str, host: &str, parameters: &[(&str, String)]) -> String {
    let query: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}?{}", url.replace("127.0.0.1", host), query.join("&"))
}

fn roots(folder: &Path) -> [Option<String>; 3] {
    let path = |name: &str| Some(folder.join(name).display().to_string());
    [None, path("authority.crt"), path("other.crt")]
}

#[test]
fn postgres_is_reached_as_psql_reaches_it() {
    for self_signed in [false, true] {
        let folder = certificates(self_signed);
        let servers = Servers::start_with_tls(&["postgres"], folder.path());
        for mode in ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] {
            for root in roots(folder.path()) {
                // What is not verified may fail to be verified, and then libpq connects without TLS (security.md).
                if root.is_some() && ["allow", "prefer"].contains(&mode) {
                    continue;
                }
                for host in ["localhost", "127.0.0.1"] {
                    let mut parameters = vec![("sslmode", mode.to_owned())];
                    parameters.extend(root.clone().map(|root| ("sslrootcert", root)));
                    let url = with_host(servers.url("postgres"), host, &parameters);
                    let migration = "CREATE TABLE tls (id int);";
                    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
                    let (ours, message) = reached(&url, "postgres", migration, encrypted);
                    let expected = if mode == "allow" { Reached::Encrypted } else { psql(&url) };
                    assert_eq!(ours, expected, "self-signed {self_signed}: {url}\n{message}");
                    if ours == Reached::Rejected {
                        assert!(message.contains("certificate"), "{url}\n{message}");
                    }
                }
            }
        }
    }
}

#[test]
fn mariadb_is_reached_as_the_mode_says() {
    use Reached::{Encrypted, Plain, Rejected};
    for self_signed in [false, true] {
        let folder = certificates(self_signed);
        let servers = Servers::start_with_tls(&["mariadb"], folder.path());
        for mode in ["DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"] {
            for root in roots(folder.path()) {
                for host in ["localhost", "127.0.0.1"] {
                    let is_trusted = !self_signed && root.as_ref().is_some_and(|root| root.ends_with("authority.crt"));
                    let expected = match mode {
                        "DISABLED" => Plain,
                        "PREFERRED" | "REQUIRED" => Encrypted,
                        "VERIFY_CA" if is_trusted => Encrypted,
                        "VERIFY_IDENTITY" if is_trusted && host == "localhost" => Encrypted,
                        _ => Rejected,
                    };
                    let mut parameters = vec![("ssl-mode", mode.to_owned())];
                    parameters.extend(root.clone().map(|root| ("ssl-ca", root)));
                    let url = with_host(servers.url("mariadb"), host, &parameters).replace("/mysql?", "/tls?");
                    let create = Command::new("mariadb")
                        .args([
                            "--no-defaults",
                            "-h127.0.0.1",
                            "-umigrate",
                            "-psecret",
                            "-e",
                            "CREATE DATABASE IF NOT EXISTS tls",
                        ])
                        .arg(format!("-P{}", servers.url("mariadb").rsplit([':', '/']).nth(1).unwrap()))
                        .status();
                    assert!(create.unwrap().success());
                    let encrypted =
                        "SELECT VARIABLE_VALUE <> '' FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_cipher'";
                    let (ours, message) = reached(&url, "mysql", "CREATE TABLE tls (id int);", encrypted);
                    assert_eq!(ours, expected, "self-signed {self_signed}: {url}\n{message}");
                    if ours == Rejected {
                        assert!(message.contains("certificate"), "{url}\n{message}");
                    }
                }
            }
        }
    }
}
