//! `changes()`, `total_changes()` and `last_insert_rowid()` of SQLite: a file reads what it reads with `sqlite3`, although the
//! runtime writes its history on the same connection.

use migrate_tests::client::apply;
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};

fn folder(files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(files);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"sqlite\"\nlint = \"off\"\n");
    folder
}

const ALL: &str = "INSERT INTO l VALUES (changes(), total_changes(), last_insert_rowid());";

const TABLES: &str = "CREATE TABLE t (a); CREATE TABLE l (c, t, i);";

/// What is between the changes and the statement that reads.
const BETWEEN: &[&str] = &[
    "",
    "VACUUM;",
    "CREATE TABLE u (a); CREATE INDEX i ON t (a);",
    "CREATE TABLE u AS SELECT * FROM t; VACUUM;",
    "ALTER TABLE t ADD b DEFAULT 5; VACUUM; DROP TABLE IF EXISTS absent;",
    "PRAGMA user_version = 3; ANALYZE; REINDEX; SELECT 1;",
    "VACUUM; SELECT 1; VACUUM;",
    "INSERT INTO t SELECT 1 WHERE 0; VACUUM;",
    "INSERT OR IGNORE INTO t (rowid, a) VALUES (1, 1); VACUUM;",
    "PRAGMA foreign_keys = ON;",
    "UPDATE t SET a = 1; VACUUM; DELETE FROM t WHERE rowid = 1;",
];

#[tokio::test]
async fn a_file_reads_the_values_that_sqlite3_reads() {
    let mut texts: Vec<String> =
        BETWEEN.iter().map(|between| format!("{TABLES} INSERT INTO t VALUES (1), (2), (3); {between} {ALL}")).collect();
    for text in [
        // Nothing has changed before.
        "{tables} {all} VACUUM; {all}",
        "PRAGMA foreign_keys = OFF; {tables} {all}",
        "VACUUM; {tables} INSERT INTO l VALUES (changes(), 0, 0);",
        // Each of the functions alone, after several statements.
        "VACUUM; {tables} INSERT INTO t VALUES (1), (2); VACUUM; INSERT INTO l (c) VALUES (changes()); INSERT INTO l (i) VALUES (last_insert_rowid());",
        "VACUUM; {tables} INSERT INTO t VALUES (1), (2); INSERT INTO t SELECT a FROM t WHERE 0; VACUUM; INSERT INTO l (i) VALUES (last_insert_rowid());",
        "{tables} INSERT INTO t VALUES (1), (2); DELETE FROM t; VACUUM; UPDATE t SET a = 1; INSERT INTO l (t) VALUES (total_changes());",
        // Where there is a view, `VACUUM` itself sets the row id. Hidden in a view, a default value and a trigger.
        "{tables} CREATE VIEW v AS SELECT changes() AS c, last_insert_rowid() AS i; INSERT INTO t VALUES (1), (2); PRAGMA user_version = 5; INSERT INTO l SELECT c, 0, i FROM v;",
        "{tables} CREATE TABLE d (a, c DEFAULT (changes())); INSERT INTO t VALUES (1), (2); VACUUM; INSERT INTO d (a) VALUES (1); INSERT INTO l SELECT c, 0, 0 FROM d;",
        "{tables} CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO l VALUES (total_changes(), 0, last_insert_rowid()); END; VACUUM; INSERT INTO t VALUES (7);",
        // A virtual table has rows in other tables.
        "{tables} CREATE VIRTUAL TABLE f USING fts5(x); PRAGMA user_version = 5; {all}",
        "BEGIN; {tables} INSERT INTO t VALUES (1), (2); {all} COMMIT;",
    ] {
        texts.push(text.replace("{tables}", TABLES).replace("{all}", ALL));
    }
    for text in texts {
        let (oracle, database) = (TestDatabase::new(Kind::Sqlite).await, TestDatabase::new(Kind::Sqlite).await);
        // Another migration has written rows before.
        let folder = folder(&[
            ("001_first.up.sql", "CREATE TABLE other (a); INSERT INTO other VALUES (1), (2);"),
            ("002_a.up.sql", &text),
        ]);
        apply(&oracle, &folder.path().join("migrations/002_a.up.sql")).unwrap_or_else(|error| panic!("{text}: {error:?}"));
        Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).ok(&["up"]);
        let rows = "SELECT concat_ws(' ', c, t, i) FROM l ORDER BY rowid";
        assert_eq!(database.rows(rows).await, oracle.rows(rows).await, "{text}");
        oracle.drop().await;
        database.drop().await;
    }
}

/// A new connection has other values, and another transaction cannot be joined.
#[tokio::test]
async fn what_cannot_be_read_again_is_refused() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let text = format!("{TABLES} INSERT INTO t VALUES (1), (2);\nVACUUM;\nINSERT INTO missing VALUES (1);\n{ALL}");
    for reader in [ALL, "INSERT INTO l (c) VALUES (changes());", "INSERT INTO l (t) VALUES (total_changes());"] {
        let text = text.replace(ALL, reader);
        let folder = folder(&[("001_a.up.sql", &text)]);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        assert_ne!(binary.run(&["up"]).code, 0, "{reader}");
        database.execute("CREATE TABLE missing (a)").await;
        let again = binary.run(&["up"]);
        let is_whole = database.rows("SELECT coalesce(c, t, i) FROM l").await.concat();
        // What reads the row that a statement of this run has inserted, reads it.
        let expected = if reader.contains("total") { "" } else { "1" };
        assert!(again.code != 0 || is_whole == expected, "{reader}: {} {is_whole}", again.stderr);
        database.execute("DROP TABLE missing; DROP TABLE t; DROP TABLE l; DROP TABLE migration_records; DROP TABLE migration_events; DROP TABLE schema_versions").await;
    }
    let text = format!("BEGIN; {TABLES} INSERT INTO t VALUES (1), (2); COMMIT;\nVACUUM;\n{ALL}");
    let folder = folder(&[("001_a.up.sql", &text)]);
    let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
    assert!(outcome.stderr.contains("needs-session"), "{}", outcome.stderr);
    database.drop().await;
}

/// Statements that belong together and cannot be one transaction are counted one by one when a later one fails.
#[tokio::test]
async fn what_ran_before_a_failed_reader_does_not_run_again() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let text =
        "CREATE TABLE t (a); INSERT INTO t VALUES (1);\nPRAGMA foreign_keys = ON;\nINSERT INTO missing VALUES (changes());";
    let folder = folder(&[("001_a.up.sql", text)]);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let first = binary.run(&["up"]);
    assert!(first.code != 0 && !first.stderr.contains("nothing remains"), "{}", first.stderr);
    database.execute("CREATE TABLE missing (a)").await;
    let again = binary.run(&["up"]);
    assert!(again.code != 0 && again.stderr.contains("--not-applied"), "{}", again.stderr);
    assert_eq!(database.value("SELECT count(*) FROM t").await, "1");
    database.drop().await;
}
