//! Other databases on the server: what happens to them does not hinder a run, and their number does not slow it down.

use migrate_runtime::Migrator;
use migrate_tests::{Binary, Disconnect, Kind, Proxy, TestDatabase, TestFolder};
use sqlx::{Connection, Row};
use std::collections::BTreeSet;

/// Migrations that change, create and drop whatever the catalog is asked about.
const FILES: &[(&str, &str)] = &[
    ("001_a.up.sql", "CREATE TABLE a (id integer);\nCREATE TABLE m (id integer) ENGINE=MyISAM;\nINSERT INTO m VALUES (1);"),
    ("001_a.down.sql", "DROP TABLE m;\nDROP TABLE a;"),
    ("002_b.up.sql", "CREATE TRIGGER g BEFORE INSERT ON a FOR EACH ROW SET @n = 1;\nCREATE VIEW w AS SELECT id FROM a;"),
    ("002_b.down.sql", "DROP VIEW w;\nDROP TRIGGER g;"),
    ("003_c.up.sql", "CREATE PROCEDURE p() INSERT INTO a VALUES (1);\nINSERT INTO a VALUES (2);\nINSERT INTO w VALUES (3);"),
    ("003_c.down.sql", "DROP PROCEDURE p;"),
    ("004_d.up.sql", "ALTER TABLE a ADD COLUMN n integer, ADD INDEX i (n), ADD CONSTRAINT c CHECK (n > 0);\nCREATE SEQUENCE s;"),
    ("004_d.down.sql", "DROP SEQUENCE s;\nALTER TABLE a DROP CONSTRAINT c, DROP INDEX i, DROP COLUMN n;"),
];

fn folder(settings: &str) -> TestFolder {
    let folder = TestFolder::new(FILES);
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"mysql\"\nlint = \"off\"\n{settings}"));
    folder
}

fn use_everything(binary: &Binary) {
    for arguments in [
        &["status"][..],
        &["plan"],
        &["up", "--dry-run"],
        &["up", "--to", "2"],
        &["status"],
        &["up"],
        &["verify"],
        &["redo", "--yes"],
        &["plan"],
        &["down", "--all", "--yes"],
    ] {
        let outcome = binary.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
    }
}

fn name(database: &TestDatabase) -> &str {
    database.url.rsplit_once('/').expect("a URL with a database").1
}

/// What a run sends that continues one which was interrupted after a message; all messages of the other run.
async fn resumed(at: usize, texts: &mut BTreeSet<String>) -> Vec<String> {
    let (database, folder) = (TestDatabase::new(Kind::MariaDb).await, folder(""));
    let set = folder.set(Kind::MariaDb.dialect());
    let interrupted = Proxy::disconnecting(Kind::MariaDb, &database.url, at, Disconnect::After).await;
    let _ = Migrator::new(&set).run(&interrupted.url).await;
    let proxy = Proxy::before(Kind::MariaDb, &database.url).await;
    let _ = Migrator::new(&set).run(&proxy.url).await;
    texts.extend(proxy.texts().into_iter().map(|text| text.replace(name(&database), "{name}")));
    database.drop().await;
    interrupted.texts()
}

/// `EXPLAIN` says how many databases the server looks at. No query of this crate needs all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_opens_the_tables_of_all_databases() {
    let mut texts = BTreeSet::new();
    let messages = resumed(usize::MAX, &mut texts).await;
    for (at, message) in messages.iter().enumerate() {
        if ["CREATE ", "ALTER TABLE a"].iter().any(|statement| message.starts_with(statement)) {
            resumed(at + 1, &mut texts).await;
        }
    }
    let database = TestDatabase::new(Kind::MariaDb).await;
    let proxy = Proxy::before(Kind::MariaDb, &database.url).await;
    for settings in ["", &format!("[history]\nschema = \"{}\"\n", name(&database))] {
        let folder = folder(settings);
        use_everything(&Binary::inside(folder.path()).variable("DATABASE_URL", &proxy.url));
    }
    texts.extend(proxy.texts());
    let queries: Vec<&str> =
        texts.iter().flat_map(|text| text.split(";\n")).filter(|sql| sql.contains("information_schema.")).collect();
    for view in ["TABLES", "COLUMNS", "TRIGGERS", "VIEWS", "STATISTICS", "TABLE_CONSTRAINTS"] {
        let is_asked = |sql: &&str| sql.contains(&format!("information_schema.{view} "));
        assert!(queries.iter().any(is_asked), "{view} is in none of {} queries", queries.len());
    }
    let mut connection = sqlx::MySqlConnection::connect(&database.url).await.unwrap();
    for sql in queries {
        let sql = sql.replace("{name}", name(&database)).replace("/*M! SET STATEMENT group_concat_max_len = 1048576 FOR */", "");
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(format!("EXPLAIN {sql}"))).fetch_all(&mut connection).await;
        for row in rows.unwrap_or_else(|error| panic!("{sql}: {error}")) {
            let extra: Option<String> = row.get("Extra");
            assert!(!extra.unwrap_or_default().contains("all databases"), "{sql}");
        }
    }
    connection.close().await.unwrap();
    database.drop().await;
}

/// A session that renames two tables holds one of them while it waits for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_that_is_locked_in_another_database_is_not_waited_for() {
    let (locked, database) = (TestDatabase::new(Kind::MariaDb).await, TestDatabase::new(Kind::MariaDb).await);
    locked.execute("CREATE TABLE a (id integer); CREATE TABLE z (id integer)").await;
    let rename = locked.rename_that_waits("a", "z").await;
    let folder = folder("");
    use_everything(&Binary::inside(folder.path()).variable("DATABASE_URL", &database.url));
    rename.end(&locked).await;
    locked.drop().await;
    database.drop().await;
}
