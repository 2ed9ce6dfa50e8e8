//! No command prints a password, whatever is wrong with the place that contains it; and nothing that runs is logged.

use migrate_runtime::{Event, Migrator, SessionInfo};
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tracing::field::{Field, Visit};
use tracing::span;

const MARKER: &str = "S3CR3T";

/// Passwords that are not percent-encoded, in URLs that are wrong in some way. The first one is right.
const URLS: &[&str] = &[
    "postgres://u:S3CR3T@127.0.0.1:1/db",
    "mysql://u:S3CR3T@127.0.0.1:1/db",
    "postgres://u:a/S3CR3T@127.0.0.1:1/db",
    "postgres://u:12/S3CR3T@127.0.0.1:1/db",
    "postgres://u:12?S3CR3T@127.0.0.1:1/db",
    "postgres://u:12#S3CR3T@127.0.0.1:1/db",
    "postgres://u:a@S3CR3T@127.0.0.1:1/db",
    "postgres://u:%zzS3CR3T@127.0.0.1:1/db",
    "postgres://u:%ffS3CR3T@127.0.0.1:1/db",
    "postgres://u:[S3CR3T@127.0.0.1:1/db",
    "postgres://u: S3CR3T @127.0.0.1:1/db",
    "mysql://u:a/S3CR3T@127.0.0.1:1/db",
    "mysql://u:12?S3CR3T@127.0.0.1:1/db",
    "mysql://u:%ffS3CR3T@127.0.0.1:1/db",
    "postgres://u@127.0.0.1:1/db?password=S3CR3T",
    "postgres://u@127.0.0.1:1/db?pasword=S3CR3T",
    "postgres://u:S3CR3T@/db?host=/nowhere",
    "mysql://u@127.0.0.1:1/db?password=S3CR3T",
    "postgres:/u:S3CR3T@127.0.0.1:1/db",
    "postgres:u:S3CR3T@127.0.0.1:1/db",
    "postgre://u:S3CR3T@127.0.0.1:1/db",
    "u:S3CR3T@127.0.0.1:1/db",
    "host=127.0.0.1 port=1 user=u password=S3CR3T",
    "postgres://u:S3CR3T@127.0.0.1:x/db",
    "postgres://u:S3CR3T@127.0.0.1:99999/db",
    "postgres://u:S3CR3T@[::1/db",
];

/// Lines of a `.env` that are wrong in some way.
const ENV_LINES: &[&str] = &[
    "DATABASE_URL=postgres://u:S3CR3T X@127.0.0.1:1/db",
    "DATABASE_URL='postgres://u:S3CR3T@127.0.0.1:1/db",
    "DATABASE_URL=\"postgres://u:S3CR3T\\q@127.0.0.1:1/db\"",
    "DATABASE_URL: postgres://u:S3CR3T@127.0.0.1:1/db",
    "DATABASE_URL postgres://u:S3CR3T@127.0.0.1:1/db",
    "export DATABASE_URL = postgres://u:S3CR3T@127.0.0.1:1/db x",
    "\u{feff}S3CR3T\nDATABASE_URL=oops://u:S3CR3T@h/db",
    "DATABASE_URL=postgres://u:$S3CR3T@127.0.0.1:1/db",
    "DB_HOST=127.0.0.1\nDB_NAME=db\nDB_PORT=1\nDB_PASSWORD=a S3CR3T",
    "DB_HOST=127.0.0.1\nDB_NAME=db\nDB_PORT=x\nDB_PASSWORD=S3CR3T",
    "DB_HOST=127.0.0.1\nDB_PASSWORD=S3CR3T",
    "DB_HOST=127.0.0.1\nDB_NAME=db\nDB_SSLMODE=x\nDB_PASSWORD=S3CR3T",
    "DB_HOST=u:S3CR3T@h\nDB_NAME=db",
    "DB_HOST=h\nDB_NAME=db\nDB_PORT=S3CR3T",
    "DB_HOST=h\nDB_NAME=db\nDB_SSLMODE=S3CR3T",
];

/// Each command of the help text, with what makes it run. A new one fails here.
fn commands(binary: &Binary) -> Vec<Vec<&'static str>> {
    let known: &[&[&str]] = &[
        &["init"],
        &["new", "create", "users", "table"],
        &["check"],
        &["lint"],
        &["lock"],
        &["lock", "--applied"],
        &["renumber"],
        &["up"],
        &["up", "--dry-run"],
        &["down", "--yes"],
        &["redo", "--yes"],
        &["status"],
        &["verify"],
        &["plan"],
        &["wait", "--timeout", "0s"],
        &["db", "create"],
        &["db", "drop", "--yes"],
        &["db", "reset", "--yes"],
        &["repair", "--yes"],
        &["resolve", "001", "--applied"],
        &["owners"],
        &["graph"],
        &["explain", "edited"],
        &["completions", "bash"],
        &["man", "man1"],
        &["help"],
    ];
    let help = binary.ok(&["--help"]).stdout;
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    for name in names {
        assert!(known.iter().any(|command| command[0] == name), "`{name}` is not tried here");
    }
    known.iter().map(|command| command.to_vec()).collect()
}

fn folder() -> TestFolder {
    let folder = TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t (id integer);"), ("001_t.down.sql", "DROP TABLE t;")]);
    folder.write("migrate.toml", "database = \"postgres\"\n");
    folder
}

fn assert_hidden(binary: &Binary, arguments: &[&str], what: &str) {
    let outcome = binary.run(arguments);
    let printed = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(!printed.contains(MARKER), "{what}: {arguments:?}\n{printed}");
    assert!(!printed.contains("panicked"), "{what}: {arguments:?}\n{printed}");
}

#[test]
fn no_command_prints_the_password_of_a_malformed_url() {
    for command in commands(&Binary::inside(folder().path())) {
        let folder = folder();
        for url in URLS {
            for format in [&[][..], &["--format", "json"]] {
                let arguments = [&command, &["--database-url", url][..], format].concat();
                assert_hidden(&Binary::inside(folder.path()), &arguments, "flag");
            }
            assert_hidden(&Binary::inside(folder.path()).variable("DATABASE_URL", url), &command, url);
        }
    }
}

#[test]
fn no_command_prints_the_password_of_a_malformed_env_file() {
    for command in commands(&Binary::inside(folder().path())) {
        let folder = folder();
        for line in ENV_LINES {
            folder.write(".env", line);
            assert_hidden(&Binary::inside(folder.path()), &command, line);
        }
        for password in ["a S3CR3T", "S3CR3T#?/@%", "%41S3CR3T"] {
            folder.write(".env", "");
            let parts =
                [("DB_HOST", "127.0.0.1"), ("DB_PORT", "1"), ("DB_USER", "u"), ("DB_NAME", "d"), ("DB_PASSWORD", password)];
            let binary = parts.iter().fold(Binary::inside(folder.path()), |binary, (name, value)| binary.variable(name, value));
            assert_hidden(&binary, &command, password);
        }
    }
}

/// The statement of the session that holds the lock, or blocks a table, is shown without its literals.
#[tokio::test]
async fn literals_of_other_sessions_are_not_shown() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE t (id integer, word text)").await;
        let mut other = database.connect().await;
        sqlx::raw_sql("BEGIN").execute(&mut other).await.unwrap();
        let insert = "INSERT INTO t VALUES (40414, 'S3CR3T'), (2, (SELECT max(word) FROM t)) -- S3CR3T";
        sqlx::raw_sql(insert).execute(&mut other).await.unwrap();
        let folder = TestFolder::new(&[("001_a.up.sql", "ALTER TABLE t ADD COLUMN a integer;")]);
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let (list, stop) = (seen.clone(), migrate_runtime::StopSignal::new());
        let request = stop.clone();
        let observer = move |event: &Event<'_>| {
            if let Event::Blocked { blockers, .. } = event {
                list.lock().unwrap().extend(blockers.iter().map(SessionInfo::to_string));
                request.request();
            }
        };
        let migrator = Migrator::new(folder.set(kind.dialect())).stop(&stop).on_event(observer);
        migrator.run(&database.url).await.unwrap_err();
        drop(other);
        let seen = seen.lock().unwrap().join("\n");
        assert!(!seen.is_empty() && !seen.contains(MARKER) && !seen.contains("40414"), "{kind:?}: {seen}");
        if kind == Kind::Postgres {
            assert!(seen.contains("INSERT INTO t VALUES (?, ?)"), "{seen}");
        }
        database.drop().await;
    }
}

/// Keeps everything that is logged, at every level.
struct Log(Arc<Mutex<String>>);

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.lock().unwrap().push_str(&format!(" {field}={value:?}"));
    }
}

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        attributes.record(&mut Log(self.0.clone()));
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        self.0.lock().unwrap().push_str(event.metadata().target());
        event.record(&mut Log(self.0.clone()));
        self.0.lock().unwrap().push('\n');
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

/// The driver logs each statement, and slow ones as a warning; not those of a migration, even if the pool of the application does.
#[tokio::test]
async fn no_script_is_logged() {
    // The driver of SQLite logs in a thread of its own, which this subscriber does not see.
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let wait = if kind == Kind::Postgres { "SELECT pg_sleep(1.2);" } else { "SELECT SLEEP(1.2);" };
        let sql = format!("CREATE TABLE t (word varchar(99));\nINSERT INTO t VALUES ('S3CR3T');\n{wait}\n");
        let folder =
            TestFolder::new(&[("001_a.up.sql", &sql), ("001_a.down.sql", "DELETE FROM t WHERE word = 'S3CR3T'; DROP TABLE t;")]);
        let migrator = Migrator::new(folder.set(kind.dialect()));
        let text: Arc<Mutex<String>> = Arc::default();
        let guard = tracing::subscriber::set_default(Log(text.clone()));
        macro_rules! over {
            ($pool:ty) => {{
                let pool = <$pool>::connect(&database.url).await.unwrap();
                migrator.run(&pool).await.unwrap();
                migrator.run_to(&pool, &migrate_runtime::Target::DownAll).await.unwrap();
                sqlx::raw_sql("SELECT 'of the application'").execute(&pool).await.unwrap();
                pool.close().await;
            }};
        }
        match kind {
            Kind::Postgres => over!(sqlx::PgPool),
            Kind::MariaDb => over!(sqlx::MySqlPool),
            Kind::Sqlite => unreachable!(),
        }
        drop(guard);
        let text = text.lock().unwrap().clone();
        assert!(text.contains("001_a") && text.contains("of the application"), "{kind:?}: {text}");
        assert!(!text.contains(MARKER) && !text.contains("CREATE TABLE t "), "{kind:?}: {text}");
        database.drop().await;
    }
}
