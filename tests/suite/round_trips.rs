//! The number of queries that a run sends, counted by a proxy.

use migrate_runtime::Migrator;
use migrate_tests::{Kind, Proxy, TestDatabase, TestFolder};

/// The number of queries of a run that applies the files, of a run without pending migrations, and of a run with one.
async fn count_queries(kind: Kind, files: &[(&str, &str)]) -> (usize, usize, usize) {
    count_queries_of(kind, files, "INSERT INTO t VALUES (9); INSERT INTO t VALUES (10);").await
}

async fn count_queries_of(kind: Kind, files: &[(&str, &str)], last: &str) -> (usize, usize, usize) {
    let database = TestDatabase::new(kind).await;
    let folder = TestFolder::new(files);
    let proxy = Proxy::before(kind, &database.url).await;
    // Opening a connection sends queries, too.
    Migrator::wait_for_database(&proxy.url.parse().unwrap(), std::time::Duration::from_secs(60)).await.unwrap();
    let connecting = proxy.count();
    let set = folder.set(kind.dialect());
    Migrator::new(&set).run(&proxy.url).await.unwrap();
    let all = proxy.count() - connecting;
    Migrator::new(&set).run(&proxy.url).await.unwrap();
    let nothing = proxy.count() - connecting;
    folder.write("migrations/900_last.up.sql", last);
    let set = folder.set(kind.dialect());
    Migrator::new(&set).run(&proxy.url).await.unwrap();
    let single = proxy.count() - connecting;
    database.drop().await;
    (all, nothing, single)
}

const FILES: [(&str, &str); 3] = [
    ("001_t.up.sql", "CREATE TABLE t (id integer);"),
    ("002_a.up.sql", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);"),
    ("003_b.up.sql", "INSERT INTO t VALUES (3);"),
];

#[tokio::test]
async fn postgres_sends_one_query_for_each_migration() {
    let (all, nothing, single) = count_queries(Kind::Postgres, &FILES).await;
    assert_eq!(nothing, 1, "one query without pending migrations");
    // Digest, settings, lock, leases, history, other histories (only before a first run), schema and tables; one query for each
    // migration; lock.
    assert_eq!(all, 8 + 3 + 1);
    // Digest and history without the lock; settings, lock, leases, history and the number of records; one query; lock.
    assert_eq!(single, 7 + 1 + 1);
}

#[tokio::test]
async fn mariadb_sends_one_query_without_pending_migrations() {
    let (_, nothing, single) = count_queries(Kind::MariaDb, &FILES).await;
    assert_eq!(nothing, 1, "one query without pending migrations");
    // Digest and history without the lock; settings of the server, settings, kind of server, autocommit, lock, leases and
    // history; triggers and engines of its tables; the script and its record; settings and lock.
    assert!(single <= 10 + 4 + 1, "{single}");
}

#[tokio::test]
async fn mariadb_asks_its_catalog_for_several_migrations_at_once() {
    let file = |number: usize| format!("CREATE TABLE t{number} (id integer); INSERT INTO t{number} VALUES (1);");
    let of = async |count: usize| {
        let texts: Vec<(String, String)> = (1..=count).map(|number| (format!("{number:03}_t.up.sql"), file(number))).collect();
        let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        count_queries_of(Kind::MariaDb, &files, "CREATE TABLE u (id integer); INSERT INTO u VALUES (1);").await.0
    };
    let since = std::time::Instant::now();
    let queries = of(22).await - of(2).await;
    // For each of the twenty: the record, the lock timeout, a table, a checkpoint, a row, the end and the settings. An answer of
    // the catalog holds for 100 ms.
    let answers = usize::try_from(since.elapsed().as_millis() / 100).unwrap();
    assert!(queries <= 20 * 7 + answers, "{queries} queries, at most {answers} answers");
}
