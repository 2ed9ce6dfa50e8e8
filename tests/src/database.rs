//! A database for one test, with a unique name. The test drops it at its end.

use migrate_lint::server::{Product, Server};
use migrate_model::dialect::Dialect;
use migrate_runtime::database;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The databases that the tests run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
    /// SQLite.
    Sqlite,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 3] = [Kind::Postgres, Kind::MariaDb, Kind::Sqlite];

    /// The SQL dialect of the database.
    pub fn dialect(self) -> Dialect {
        match self {
            Kind::Postgres => Dialect::Postgres,
            Kind::MariaDb => Dialect::MySql,
            Kind::Sqlite => Dialect::Sqlite,
        }
    }

    /// The URL of the test server; `None` for SQLite.
    ///
    /// # Panics
    /// If the environment variable is not set. A test without its server must fail, not be skipped.
    pub fn server(self) -> Option<String> {
        let variable = match self {
            Kind::Postgres => "MIGRATE_TEST_POSTGRES",
            Kind::MariaDb => "MIGRATE_TEST_MARIADB",
            Kind::Sqlite => return None,
        };
        Some(server_variable(variable))
    }
}

fn server_variable(name: &str) -> String {
    let value = std::env::var(name);
    value.unwrap_or_else(|_| panic!("{name} is not set: run the tests with `tests/run.sh`, which starts the servers"))
}

/// The URL of the PgBouncer in transaction mode in front of the PostgreSQL server.
///
/// # Panics
/// If the environment variable is not set.
pub fn pgbouncer() -> String {
    server_variable("MIGRATE_TEST_PGBOUNCER")
}

/// The URLs of the nodes of the Galera cluster, with their process ids.
///
/// # Panics
/// If the environment variables are not set.
pub fn galera() -> Vec<(String, String)> {
    let words = |name: &str| server_variable(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    words("MIGRATE_TEST_GALERA").into_iter().zip(words("MIGRATE_TEST_GALERA_PIDS")).collect()
}

/// A database for one test.
#[derive(Debug)]
pub struct TestDatabase {
    /// PostgreSQL, MariaDB or SQLite.
    pub kind: Kind,
    /// The URL, with user and password.
    pub url: String,
    _folder: Option<TempDir>,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// A session that renames tables; see [`TestDatabase::rename_that_waits`].
#[derive(Debug)]
pub struct WaitingRename {
    id: String,
    renaming: tokio::task::JoinHandle<bool>,
    reader: AnyConnection,
}

impl WaitingRename {
    /// Ends the session before it has renamed anything.
    ///
    /// # Panics
    /// If the tables were renamed.
    pub async fn end(self, database: &TestDatabase) {
        database.execute(&format!("KILL {}", self.id)).await;
        assert!(!self.renaming.await.expect("no panic"), "the tables were renamed");
        self.reader.close().await.expect("the end of the connection");
    }
}

impl TestDatabase {
    /// Creates an empty database on the test server.
    ///
    /// # Panics
    /// If the server is not available.
    pub async fn new(kind: Kind) -> Self {
        Self::on(kind, kind.server()).await
    }

    /// Creates an empty database on a server.
    ///
    /// # Panics
    /// If the server is not available.
    pub async fn on(kind: Kind, server: Option<String>) -> Self {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let (url, folder) = match server {
            Some(server) => {
                let base = server.rsplit_once('/').map_or(server.as_str(), |(base, _)| base);
                (format!("{base}/test_{}_{number}", std::process::id()), None)
            }
            None => {
                let folder = TempDir::new().expect("a temporary folder");
                (format!("sqlite:{}", folder.path().join("test.db").display()), Some(folder))
            }
        };
        database::create(&url.parse().expect("a valid URL")).await.expect("a new database");
        TestDatabase { kind, url, _folder: folder }
    }

    /// The product and the version of the server, as it reports them.
    ///
    /// # Panics
    /// If the version is not two numbers, followed by anything.
    pub async fn server_version(&self) -> Server {
        let (product, sql) = match self.kind {
            Kind::Postgres => (Product::Postgres, "SHOW server_version"),
            Kind::MariaDb => (Product::MariaDb, "SELECT version()"),
            Kind::Sqlite => (Product::Sqlite, "SELECT sqlite_version()"),
        };
        let version = self.value(sql).await;
        let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().expect("a number"));
        let mut next = || numbers.next().expect("two numbers");
        Server { product, version: (next(), next()) }
    }

    /// The URL of this database with the address of another server, such as a pooler or a node.
    pub fn through(&self, server: &str) -> String {
        let base = server.rsplit_once('/').map_or(server, |(base, _)| base);
        let name = self.url.rsplit_once('/').map_or("", |(_, name)| name);
        format!("{base}/{name}")
    }

    /// A new connection to the database.
    pub async fn connect(&self) -> AnyConnection {
        connect(&self.url).await
    }

    /// Runs one or more statements on a new connection.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query as text, with columns separated by `|`.
    pub async fn rows(&self, sql: &str) -> Vec<String> {
        let mut connection = self.connect().await;
        let rows =
            sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let value = |row: &sqlx::any::AnyRow, at: usize| {
            let text = row.try_get::<Option<String>, _>(at).map(|value| value.unwrap_or("NULL".into()));
            text.or_else(|_| row.try_get::<i64, _>(at).map(|value| value.to_string()))
                .or_else(|_| row.try_get::<i32, _>(at).map(|value| value.to_string()))
                .or_else(|_| row.try_get::<bool, _>(at).map(|value| value.to_string()))
                .or_else(|_| row.try_get::<Vec<u8>, _>(at).map(|value| String::from_utf8_lossy(&value).into_owned()))
                .unwrap_or_else(|error| panic!("column {at} of {sql}: {error}"))
        };
        rows.iter().map(|row| (0..row.len()).map(|at| value(row, at)).collect::<Vec<_>>().join("|")).collect()
    }

    /// The first row of a query; empty if there is none.
    pub async fn value(&self, sql: &str) -> String {
        self.rows(sql).await.into_iter().next().unwrap_or_default()
    }

    /// Waits until a query returns the expected value.
    ///
    /// # Panics
    /// If it does not within a minute.
    pub async fn until(&self, sql: &str, expected: &str) {
        until(async || self.value(sql).await == expected)
            .await
            .unwrap_or_else(|| panic!("not {expected} within a minute: {sql}"));
    }

    /// `version|state|statements_done` of each record in the history.
    pub async fn history(&self) -> Vec<String> {
        self.rows("SELECT version, state, statements_done FROM migration_records ORDER BY service, version").await
    }

    /// Waits until exactly one connection executes a statement that contains a text. Returns the id of the connection.
    ///
    /// # Panics
    /// If no connection does within a minute, and on SQLite, which has no list of connections.
    pub async fn until_runs(&self, statement: &str) -> String {
        let sql = match self.kind {
            Kind::Postgres => format!(
                "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{statement}%' \
                 AND query NOT LIKE '%pg_stat_activity%' AND datname = current_database()"
            ),
            Kind::MariaDb => format!(
                "SELECT id FROM information_schema.processlist WHERE info LIKE '%{statement}%' \
                 AND info NOT LIKE '%processlist%' AND db = database()"
            ),
            Kind::Sqlite => panic!("SQLite has no list of running statements"),
        };
        // An earlier question of this function may still be in the list.
        let runs_once = async || self.rows(&sql).await.len() == 1;
        until(runs_once).await.unwrap_or_else(|| panic!("no connection executes {statement}"));
        self.value(&sql).await
    }

    /// Renames two tables of MariaDB in another session, which holds the first of them while it waits for the second.
    pub async fn rename_that_waits(&self, held: &str, waited_for: &str) -> WaitingRename {
        let mut reader = self.connect().await;
        for sql in ["BEGIN".to_owned(), format!("SELECT 1 FROM {waited_for}")] {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut reader).await.expect("a lock on the table");
        }
        let mut other = self.connect().await;
        let sql = format!("RENAME TABLE {held} TO {held}_new, {waited_for} TO {waited_for}_new");
        let statement = sql.clone();
        let renaming = tokio::spawn(async move { sqlx::query(AssertSqlSafe(statement)).execute(&mut other).await.is_ok() });
        let id = self.until_runs(&sql).await;
        WaitingRename { id, renaming, reader }
    }

    /// The names of the tables, without the history tables.
    pub async fn tables(&self) -> Vec<String> {
        let sql = match self.kind {
            Kind::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
            Kind::MariaDb => {
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = database() ORDER BY 1"
            }
            Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1",
        };
        let history_tables = ["migration_records", "migration_events", "schema_versions", "migration_locks"];
        self.rows(sql).await.into_iter().filter(|table| !history_tables.contains(&table.as_str())).collect()
    }

    /// Drops the database on PostgreSQL and closes its connections, because a pooler keeps connections open.
    pub async fn drop_by_force(self) {
        let (server, name) = self.url.rsplit_once('/').expect("a URL with a database");
        let mut connection = connect(&format!("{server}/postgres")).await;
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the database is dropped");
    }

    /// Drops the database.
    pub async fn drop(self) {
        let url = self.url.parse().expect("a valid URL");
        database::drop(&url).await.expect("the database can be dropped: every connection to it was closed");
    }
}

/// A connection to a database of any kind. On a node of a cluster, it waits for earlier commits of the other nodes.
pub async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("a connection");
    if url.starts_with("mysql:") {
        sqlx::raw_sql("SET SESSION wsrep_sync_wait = 15").execute(&mut connection).await.expect("a setting of MariaDB");
    }
    connection
}

/// Waits until a condition is true; `None` if it is not within a minute.
pub async fn until(holds: impl AsyncFn() -> bool) -> Option<()> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        if holds().await {
            return Some(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}
