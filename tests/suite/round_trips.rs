//! The number of queries that a run sends, counted by a proxy.

use migrate_runtime::Migrator;
use migrate_tests::{Kind, Proxy, TestDatabase, TestFolder};

/// The number of queries of a run that applies the files, of a run without pending migrations, and of a run with one.
async fn count_queries(kind: Kind, files: &[(&str, &str)]) -> (usize, usize, usize) {
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
    folder.write("migrations/900_last.up.sql", "INSERT INTO t VALUES (9); INSERT INTO t VALUES (10);");
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
    let database = TestDatabase::new(Kind::MariaDb).await;
    let folder = TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t1 (id integer); INSERT INTO t1 VALUES (1);")]);
    let proxy = Proxy::before(Kind::MariaDb, &database.url).await;
    let (mut counts, mut took) = (Vec::new(), std::time::Duration::ZERO);
    for numbers in [2..3, 3..4, 4..44] {
        for number in numbers {
            let sql = format!("CREATE TABLE t{number} (id integer); INSERT INTO t{number} VALUES (1);");
            folder.write(&format!("migrations/{number:03}_t.up.sql"), &sql);
        }
        let before = proxy.count();
        let report = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&proxy.url).await.unwrap();
        counts.push((report.done.len(), proxy.count() - before));
        took = report.done.iter().map(|done| done.took).sum();
    }
    // The first run also creates the history tables, so the two others are compared. For each migration: the record, the lock
    // timeout, a table, a checkpoint, a row, the end and the settings. An answer of the catalog holds for 100 ms.
    let answers = usize::try_from(took.as_millis() / 100).unwrap() + 1;
    let (few, many) = (counts[1], counts[2]);
    assert!(many.1 <= few.1 + 7 * (many.0 - few.0) + answers, "{counts:?}, at most {answers} answers");
    database.drop().await;
}
