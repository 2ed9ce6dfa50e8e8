//! A server that a file of the repository names gets no secret of the environment, and the reverse. The server of these
//! tests asks for a password and keeps what it gets.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A server of PostgreSQL that accepts no password.
struct PasswordCollector {
    port: u16,
    received: Arc<Mutex<Vec<String>>>,
}

impl PasswordCollector {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let received: Arc<Mutex<Vec<String>>> = Arc::default();
        let list = Arc::clone(&received);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                list.lock().unwrap().push("connected".to_owned());
                // The client may close the connection at any time.
                let _ = collect(stream, &list);
            }
        });
        PasswordCollector { port, received }
    }

    /// What was received since the last call.
    fn received(&self) -> String {
        std::mem::take(&mut *self.received.lock().unwrap()).join("\n")
    }
}

fn collect(mut stream: TcpStream, list: &Mutex<Vec<String>>) -> std::io::Result<()> {
    list.lock().unwrap().push(startup(&mut stream)?);
    // AuthenticationCleartextPassword
    stream.write_all(&[b'R', 0, 0, 0, 8, 0, 0, 0, 3])?;
    let mut kind = [0];
    stream.read_exact(&mut kind)?;
    let password = message(&mut stream)?;
    list.lock().unwrap().push(password);
    Ok(())
}

fn startup(stream: &mut TcpStream) -> std::io::Result<String> {
    let text = message(stream)?;
    // An SSLRequest is refused; the client then continues without TLS.
    if text.chars().count() == 4 {
        stream.write_all(b"N")?;
        return startup(stream);
    }
    Ok(text)
}

/// The content of a message, after its length.
fn message(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut content = vec![0; u32::from_be_bytes(length) as usize - 4];
    stream.read_exact(&mut content)?;
    Ok(content.iter().map(|byte| char::from(*byte)).collect())
}

fn project() -> TestFolder {
    let folder = TestFolder::new(&[("001_a.up.sql", "SELECT 1;\n"), ("001_a.down.sql", "SELECT 1;\n")]);
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\n");
    Binary::inside(folder.path()).ok(&["lock"]);
    folder
}

const SECRETS: [(&str, &str); 2] = [("PGPASSWORD", "secret-of-the-environment"), ("DB_PASSWORD", "secret-of-the-environment")];

#[test]
fn a_host_of_the_repository_gets_no_secret_of_the_environment() {
    let server = PasswordCollector::start();
    let folder = project();
    let port = server.port;
    for (env_file, is_asked) in [
        (format!("DATABASE_URL=postgres://u@127.0.0.1:{port}/x\n"), true),
        (format!("DATABASE_URL=postgres://u@127.0.0.1/x?port={port}\n"), true),
        (format!("DB_HOST=127.0.0.1\nDB_PORT={port}\nDB_USER=u\nDB_NAME=x\n"), true),
        (format!("DATABASE_URL=postgres://u:$PGPASSWORD@127.0.0.1:{port}/x\n"), false),
        (format!("DATABASE_URL=postgres://u:${{DB_PASSWORD}}@127.0.0.1:{port}/x\n"), false),
        (format!("DATABASE_URL=\"postgres://u@127.0.0.1:{port}/x?application_name=$PGPASSWORD\"\n"), false),
    ] {
        folder.write(".env", &env_file);
        let binary = SECRETS.iter().fold(Binary::inside(folder.path()), |binary, (name, value)| binary.variable(name, value));
        for command in [&["status"][..], &["up"], &["wait", "--timeout", "100ms"], &["db", "create"]] {
            let outcome = binary.run(command);
            let received = server.received();
            assert_ne!(outcome.code, 0, "{command:?}");
            assert!(!received.contains("secret"), "{env_file}{command:?}: {received}");
            assert_eq!(received.contains("connected"), is_asked, "{env_file}{command:?}: {}", outcome.stderr);
            let expected = if is_asked { "in the environment is not used" } else { "a variable that the file does not set" };
            assert!(outcome.stderr.contains(expected) && !outcome.stderr.contains("secret"), "{}", outcome.stderr);
        }
    }
}

#[test]
fn a_host_of_the_environment_gets_no_secret_of_the_repository() {
    let server = PasswordCollector::start();
    let folder = project();
    folder.write(".env", "DB_PASSWORD=secret-of-the-repository\nDB_USER=u\n");
    let port = server.port.to_string();
    let binary = Binary::inside(folder.path()).variable("DB_HOST", "127.0.0.1").variable("DB_PORT", &port);
    let outcome = binary.variable("DB_NAME", "x").run(&["status"]);
    let received = server.received();
    assert!(received.contains("connected") && !received.contains("secret"), "{received}");
    assert!(outcome.stderr.contains("`DB_PASSWORD` in `.env` is not used"), "{}", outcome.stderr);
    // The variables of libpq belong to the environment.
    let binary = Binary::inside(folder.path()).variable("PGPASSWORD", "own");
    let outcome = binary.variable("DATABASE_URL", &format!("postgres://u@127.0.0.1:{port}/x")).run(&["status"]);
    let received = server.received();
    assert!(received.contains("own"), "{received}{}", outcome.stderr);
}

/// `session` of a pull request, with the database of CI.
#[tokio::test]
async fn lint_runs_no_statement_of_the_repository() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE planted (n text)").await;
        let folder = project();
        let setting = if kind == Kind::Postgres { "SET work_mem = 4096" } else { "SET autocommit = 1" };
        let session = format!("session = ['INSERT INTO planted VALUES (1)', '{setting}; INSERT INTO planted VALUES (2)']");
        folder.write("migrate.toml", &format!("service = 'x'\ndatabase = '{}'\n{session}\n", kind.dialect().name()));
        let binary = Binary::inside(folder.path());
        for arguments in [&["lint", "-D", &database.url][..], &["new", "added", "-D", &database.url]] {
            let outcome = binary.run(arguments);
            assert!(!outcome.stderr.contains("cannot query"), "{}", outcome.stderr);
            assert_eq!(database.value("SELECT count(*) FROM planted").await, "0", "{arguments:?}");
        }
        database.drop().await;
    }
}

#[test]
fn lint_asks_only_a_database_that_the_user_names() {
    let server = PasswordCollector::start();
    let folder = project();
    let url = format!("postgres://u:hidden@127.0.0.1:{}/x", server.port);
    folder.write(".env", &format!("DATABASE_URL={url}\n"));
    let binary = Binary::inside(folder.path());
    let outcome = binary.ok(&["lint", "-v"]);
    assert_eq!(server.received(), "");
    assert!(
        outcome.stderr.contains("was not queried for deployed migrations, because only `.env` contains this URL"),
        "{}",
        outcome.stderr
    );
    let asked = format!("cannot query the database `postgres://u@127.0.0.1:{}/x` for deployed migrations", server.port);
    let in_environment = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    for (binary, arguments) in [(&binary, &["lint", "-D", &url][..]), (&in_environment, &["lint"])] {
        let outcome = binary.run(arguments);
        let received = server.received();
        assert!(received.contains("hidden"), "{received}{}", outcome.stderr);
        assert!(outcome.stderr.contains(&asked) && !outcome.stderr.contains("hidden"), "{}", outcome.stderr);
    }
}
