//! Tables of the history that do not exist, such as after a first run that ended between its `CREATE` statements: they are created
//! before anything runs.

use migrate_runtime::{LockStrategy, Migrator, Resolution, Version};
use migrate_tests::{Kind, TestDatabase, TestFolder};

const TABLES: [&str; 4] = ["migration_records", "schema_versions", "migration_events", "migration_locks"];

/// Every subset of the tables.
fn subsets(tables: &'static [&'static str]) -> impl Iterator<Item = Vec<&'static str>> {
    (0..1 << tables.len()).map(move |bits: usize| {
        tables.iter().enumerate().filter(|(at, _)| bits & (1 << at) != 0).map(|(_, table)| *table).collect()
    })
}

#[tokio::test]
async fn every_subset_of_empty_tables() {
    for (kind, lock, tables) in [
        (Kind::Postgres, LockStrategy::Session, &TABLES[..3]),
        (Kind::Postgres, LockStrategy::Lease, &TABLES[..]),
        (Kind::MariaDb, LockStrategy::Session, &TABLES[..3]),
        (Kind::MariaDb, LockStrategy::Lease, &TABLES[..]),
        (Kind::Sqlite, LockStrategy::Session, &TABLES[..3]),
    ] {
        let database = TestDatabase::new(kind).await;
        let first = TestFolder::new(&[("001_x.up.sql", "SELECT 1;")]);
        let migrator = |folder: &TestFolder| Migrator::new(folder.set(kind.dialect())).lock(lock);
        migrator(&first).run(&database.url).await.unwrap();
        let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (n integer);\nINSERT INTO a VALUES (1);")]);
        for missing in subsets(tables) {
            for table in tables {
                let change = if missing.contains(table) { "DROP TABLE" } else { "DELETE FROM" };
                database.execute(&format!("{change} {table}")).await;
            }
            let report = migrator(&folder).run(&database.url).await;
            assert_eq!(report.unwrap_or_else(|error| panic!("{kind:?}: {missing:?}: {error}")).done.len(), 1);
            for table in tables {
                assert_eq!(database.value(&format!("SELECT count(*) FROM {table}")).await, "1", "{kind:?}: {missing:?}");
            }
            assert!(migrator(&folder).is_up_to_date(&database.url).await.unwrap(), "{kind:?}: {missing:?}");
            database.execute("DROP TABLE a").await;
        }
        database.drop().await;
    }
}

/// What is recorded first is not that of a step: an interrupted migration, or the decision of an operator.
#[tokio::test]
async fn tables_are_created_before_a_recovery_and_a_resolution() {
    for (kind, second) in [
        (Kind::Postgres, "CREATE INDEX CONCURRENTLY b ON a (n);"),
        (Kind::MariaDb, "CREATE TABLE b (n integer);"),
        (Kind::Sqlite, "CREATE TABLE b (n integer);"),
    ] {
        let database = TestDatabase::new(kind).await;
        let script =
            format!("-- migrate: no-transaction\nCREATE TABLE a (n integer);\n{second}\nINSERT INTO missing VALUES (1);");
        let folder = TestFolder::new(&[("001_a.up.sql", &script)]);
        let migrator = Migrator::new(folder.set(kind.dialect()));
        migrator.run(&database.url).await.unwrap_err();
        database.execute("DROP TABLE migration_events").await;
        migrator.resolve(&database.url, "001".parse::<Version>().unwrap(), Resolution::Retry).await.unwrap();
        assert_eq!(database.value("SELECT count(*) FROM migration_events").await, "1", "{kind:?}");
        let done = if kind == Kind::Sqlite { 2 } else { 1 };
        let started = format!("UPDATE migration_records SET state = 'started', statements_done = {done}");
        database.execute("DROP TABLE schema_versions").await;
        database.execute(&started).await;
        let error = migrator.run(&database.url).await.unwrap_err();
        assert!(error.report().contains("INSERT INTO missing"), "{kind:?}: {error}");
        assert_eq!(database.value("SELECT count(*) FROM schema_versions").await, "0", "{kind:?}");
        let events = database.rows("SELECT event FROM migration_events ORDER BY id").await;
        assert!(events.contains(&"failed".to_owned()), "{kind:?}: {events:?}");
        assert_eq!(events.contains(&"recovered".to_owned()), kind != Kind::Sqlite, "{kind:?}: {events:?}");
        // Whether the object existed before the statement is lost with the events, so an operator decides.
        database.execute("DROP TABLE migration_events").await;
        database.execute(&started).await;
        let error = migrator.run(&database.url).await.unwrap_err();
        let expected = if kind == Kind::Sqlite { "INSERT INTO missing" } else { "it is not known whether that was so before" };
        assert!(error.report().contains(expected), "{kind:?}: {error}");
        database.drop().await;
    }
}
