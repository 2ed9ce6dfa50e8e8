//! A database for one test: made with a name of its own, dropped at the end.

use migrate_model::dialect::Dialect;
use migrate_runtime::database;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The kinds of databases that everything is tested on.
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
    /// All of them.
    pub const ALL: [Kind; 3] = [Kind::Postgres, Kind::MariaDb, Kind::Sqlite];

    /// The SQL it speaks.
    pub fn dialect(self) -> Dialect {
        match self {
            Kind::Postgres => Dialect::Postgres,
            Kind::MariaDb => Dialect::MySql,
            Kind::Sqlite => Dialect::Sqlite,
        }
    }

    /// The URL of the test server; SQLite has none.
    ///
    /// # Panics
    /// When there is no server: a test that cannot run must not look as if it had.
    pub fn server(self) -> Option<String> {
        let variable = match self {
            Kind::Postgres => "MIGRATE_TEST_POSTGRES",
            Kind::MariaDb => "MIGRATE_TEST_MARIADB",
            Kind::Sqlite => return None,
        };
        Some(variable_of_servers(variable))
    }
}

fn variable_of_servers(name: &str) -> String {
    let value = std::env::var(name);
    value.unwrap_or_else(|_| panic!("{name} is not set: run the tests with `tests/run.sh`, which starts the servers"))
}

/// The URL of PgBouncer in transaction mode, before the PostgreSQL server.
///
/// # Panics
/// When there is none.
pub fn pgbouncer() -> String {
    variable_of_servers("MIGRATE_TEST_PGBOUNCER")
}

/// The URLs of the nodes of the Galera cluster, and their processes.
///
/// # Panics
/// When there is none.
pub fn galera() -> Vec<(String, String)> {
    let words = |name: &str| variable_of_servers(name).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    words("MIGRATE_TEST_GALERA").into_iter().zip(words("MIGRATE_TEST_GALERA_PIDS")).collect()
}

/// A database of one test.
#[derive(Debug)]
pub struct TestDatabase {
    /// Which kind.
    pub kind: Kind,
    /// Its URL.
    pub url: String,
    _folder: Option<TempDir>,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

impl TestDatabase {
    /// Makes an empty one.
    ///
    /// # Panics
    /// When the server is not there.
    pub async fn new(kind: Kind) -> Self {
        Self::on(kind, kind.server()).await
    }

    /// Makes an empty one on a server.
    ///
    /// # Panics
    /// When the server is not there.
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

    /// The same database, by the address of another server.
    pub fn through(&self, server: &str) -> String {
        let base = server.rsplit_once('/').map_or(server, |(base, _)| base);
        let name = self.url.rsplit_once('/').map_or("", |(_, name)| name);
        format!("{base}/{name}")
    }

    /// A connection that speaks to any of them.
    pub async fn connect(&self) -> AnyConnection {
        connect(&self.url).await
    }

    /// Runs SQL.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.connect().await;
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query, as text, columns joined by `|`.
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

    /// The first value of a query.
    pub async fn value(&self, sql: &str) -> String {
        self.rows(sql).await.into_iter().next().unwrap_or_default()
    }

    /// Waits until a query answers so.
    ///
    /// # Panics
    /// When it does not within a minute.
    pub async fn until(&self, sql: &str, expected: &str) {
        until(async || self.value(sql).await == expected).await.unwrap_or_else(|| panic!("never {expected}: {sql}"));
    }

    /// `version state statements_done` of each row of the history.
    pub async fn history(&self) -> Vec<String> {
        self.rows("SELECT version, state, statements_done FROM migration_records ORDER BY service, version").await
    }

    /// Waits until one connection to this database carries out a statement that looks like this; its number.
    ///
    /// # Panics
    /// When none does within a minute, and on SQLite, which has no list of them.
    pub async fn until_runs(&self, statement: &str) -> String {
        let sql = match self.kind {
            Kind::Postgres => format!(
                "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{statement}%' \
                 AND datname = current_database() AND pid <> pg_backend_pid()"
            ),
            Kind::MariaDb => format!(
                "SELECT id FROM information_schema.processlist WHERE info LIKE '%{statement}%' \
                 AND db = database() AND id <> connection_id()"
            ),
            Kind::Sqlite => panic!("SQLite has no list of what is being carried out"),
        };
        let sole = async || self.rows(&sql).await.len() == 1;
        until(sole).await.unwrap_or_else(|| panic!("nobody carries out {statement}"));
        self.value(&sql).await
    }

    /// The names of the tables, without those of the history.
    pub async fn tables(&self) -> Vec<String> {
        let sql = match self.kind {
            Kind::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
            Kind::MariaDb => {
                "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = database() ORDER BY 1"
            }
            Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1",
        };
        let own = ["migration_records", "migration_events", "schema_versions", "migration_locks"];
        self.rows(sql).await.into_iter().filter(|table| !own.contains(&table.as_str())).collect()
    }

    /// Drops it on PostgreSQL, whoever is still connected: a pooler keeps connections.
    pub async fn drop_by_force(self) {
        let (server, name) = self.url.rsplit_once('/').expect("a URL with a database");
        let mut connection = connect(&format!("{server}/postgres")).await;
        let sql = format!("DROP DATABASE {name} WITH (FORCE)");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("the database is dropped");
    }

    /// Drops it.
    pub async fn drop(self) {
        let url = self.url.parse().expect("a valid URL");
        database::drop(&url).await.expect("the database can be dropped: every connection to it was closed");
    }
}

/// A connection to a URL, of any kind. On a node of a cluster it sees all that was committed on the others before.
pub async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.expect("a connection");
    if url.starts_with("mysql:") {
        sqlx::raw_sql("SET SESSION wsrep_sync_wait = 15").execute(&mut connection).await.expect("a setting of MariaDB");
    }
    connection
}

/// Waits until a condition holds; `None` when it does not within a minute.
pub async fn until(holds: impl AsyncFn() -> bool) -> Option<()> {
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(60) {
        if holds().await {
            return Some(());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}
