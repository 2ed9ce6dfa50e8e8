//! What a session knows of earlier statements, and what this project writes between them: the values of sequences, the number of
//! rows, and settings of a SQLite file that wait for `VACUUM`. A script reads what it would read in the client of the database.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder, client};
use sqlx::ConnectOptions;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Applies files by the command and by the client, one session for each file, and compares the answers to a query. If the client
/// rejects a file, the command must reject it, too.
async fn compare(kind: Kind, files: &[(&str, &str)], query: &str) {
    let [ours, theirs] = [TestDatabase::new(kind).await, TestDatabase::new(kind).await];
    let folder = TestFolder::new(files);
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name()));
    let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &ours.url).run(&["up"]);
    let is_applied = files.iter().all(|(name, _)| client::apply(&theirs, &folder.path().join("migrations").join(name)).is_ok());
    assert_eq!(outcome.code == 0, is_applied, "{files:?}: {}", outcome.stderr);
    if is_applied {
        assert_eq!(ours.rows(query).await, theirs.rows(query).await, "{files:?}");
    }
    ours.drop().await;
    theirs.drop().await;
}

#[tokio::test]
async fn values_of_sequences_on_postgres() {
    let org = "CREATE TABLE org (id serial PRIMARY KEY, n text);\nCREATE TABLE usr (org_id bigint);\n";
    let alone = |statement: &str, reader: &str| {
        format!("-- migrate: no-transaction\n{org}INSERT INTO org (n) VALUES ('x'), ('y');\n{statement};\n{reader};")
    };
    let concurrently = "CREATE INDEX CONCURRENTLY on_i ON org (n)";
    for text in [
        alone(concurrently, "INSERT INTO usr VALUES (lastval())"),
        alone("VACUUM org", "INSERT INTO usr VALUES (lastval())"),
        alone(
            &format!("{concurrently};\nCREATE INDEX CONCURRENTLY on_j ON org (id);\nDROP INDEX CONCURRENTLY on_i"),
            "INSERT INTO usr VALUES (lastval());\nCREATE INDEX CONCURRENTLY on_i ON org (n);\nINSERT INTO usr VALUES (lastval())",
        ),
        alone(concurrently, "DO $$ BEGIN INSERT INTO usr VALUES (lastval()); END $$"),
        format!(
            "{org}CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT lastval()';\n{concurrently};\nINSERT INTO org (n) VALUES ('x'), ('y');\nCREATE INDEX CONCURRENTLY on_j ON org (n);\nINSERT INTO usr VALUES (f());"
        ),
        // There is none.
        format!("-- migrate: no-transaction\n{org}{concurrently};\nINSERT INTO usr VALUES (lastval());"),
    ] {
        compare(Kind::Postgres, &[("001_a.up.sql", &text)], "SELECT org_id FROM usr").await;
    }
    for (first, second) in [
        ("CREATE TABLE a (i int);", "CREATE TABLE usr (o bigint);\nINSERT INTO usr VALUES (lastval());"),
        ("CREATE SEQUENCE s;\nSELECT nextval('s');", "CREATE TABLE usr (o bigint);\nINSERT INTO usr VALUES (currval('s'));"),
        (
            "-- migrate: no-transaction\nCREATE TABLE a (i int);\nCREATE INDEX CONCURRENTLY i ON a (i);",
            "CREATE TABLE usr (o bigint);\nINSERT INTO usr VALUES (lastval());",
        ),
    ] {
        compare(Kind::Postgres, &[("001_a.up.sql", first), ("002_b.up.sql", second)], "SELECT o FROM usr").await;
    }
}

#[tokio::test]
async fn values_of_sequences_on_mariadb() {
    let first = "CREATE SEQUENCE s START WITH 500;\nCREATE TABLE x (i int);\nINSERT INTO x VALUES (NEXTVAL(s));";
    for reader in ["LASTVAL(s)", "PREVIOUS VALUE FOR s"] {
        let second = format!("CREATE TABLE o (i bigint);\nINSERT INTO o VALUES ({reader});");
        compare(Kind::MariaDb, &[("001_a.up.sql", first), ("002_b.up.sql", &second)], "SELECT coalesce(i, 'null') FROM o").await;
    }
}

#[tokio::test]
async fn numbers_of_rows_that_dynamic_sql_reads() {
    let first = "CREATE TABLE u (id int AUTO_INCREMENT PRIMARY KEY, n int);\nCREATE TABLE o (x bigint, y bigint);\n\
        CREATE PROCEDURE earlier() INSERT INTO o VALUES (5, ROW_COUNT());\n\
        CREATE PROCEDURE through() CALL earlier();\n\
        CREATE FUNCTION counted() RETURNS int DETERMINISTIC RETURN ROW_COUNT();\n\
        CREATE VIEW seen AS SELECT 6 AS x, counted() AS y;\n\
        CREATE TABLE w (x int, y bigint);\n\
        CREATE TRIGGER on_w BEFORE INSERT ON w FOR EACH ROW INSERT INTO o VALUES (NEW.x, ROW_COUNT());\n\
        DELIMITER //\n\
        CREATE PROCEDURE late() BEGIN DECLARE n int; IF 1 = 1 THEN SET n = ROW_COUNT(); END IF; INSERT INTO o VALUES (7, n); END//\n\
        DELIMITER ;";
    for second in [
        "PREPARE q FROM 'insert into o values (1, row_count())';\nINSERT INTO u (n) VALUES (1), (2);\nEXECUTE q;",
        "INSERT INTO u (n) VALUES (1), (2);\nEXECUTE IMMEDIATE 'INSERT INTO o VALUES (2, ROW_COUNT())';",
        "SET @s = 'INSERT INTO o VALUES (3, ROW_COUNT())';\nPREPARE q FROM @s;\nINSERT INTO u (n) VALUES (1), (2);\nEXECUTE q;",
        "INSERT INTO u (n) VALUES (1), (2);\nCALL earlier();",
        "INSERT INTO u (n) VALUES (1), (2);\nCALL through();",
        "INSERT INTO u (n) VALUES (1), (2);\nCALL late();",
        "INSERT INTO u (n) VALUES (1), (2);\nINSERT INTO o VALUES (8, counted());",
        "INSERT INTO u (n) VALUES (1), (2);\nINSERT INTO o SELECT x, y FROM seen;",
        "INSERT INTO u (n) VALUES (1), (2);\nINSERT INTO w VALUES (9, 0);",
        "CREATE TABLE x (id int);\nUPDATE u SET n = 1;\nINSERT INTO u (n) VALUES (1), (2);\nCALL earlier();\nCREATE TABLE y (id int);",
        "CREATE PROCEDURE p() INSERT INTO o VALUES (4, ROW_COUNT());\nINSERT INTO u (n) VALUES (1), (2);\nCALL p();",
    ] {
        compare(Kind::MariaDb, &[("001_a.up.sql", first), ("002_b.up.sql", second)], "SELECT concat(x, ' ', y) FROM o").await;
    }
    // Nothing has generated a number, although the record of what the catalog shows has one.
    for second in [
        "INSERT INTO u (n) VALUES (1);\nCREATE TABLE v (id int);\nUPDATE w SET x = 1;\nINSERT INTO o VALUES (13, LAST_INSERT_ID());",
        "CREATE TABLE IF NOT EXISTS o (x int);\nINSERT INTO o VALUES (11, LAST_INSERT_ID());",
        "DROP TABLE IF EXISTS nope;\nSET @l = LAST_INSERT_ID();\nINSERT INTO o VALUES (12, @l);",
    ] {
        compare(Kind::MariaDb, &[("001_a.up.sql", first), ("002_b.up.sql", second)], "SELECT concat(x, ' ', y) FROM o").await;
    }
    // More than one message.
    let [x, y] = ["x", "y"].map(|letter| letter.repeat(700_000));
    let long = format!("INSERT INTO u /* {x} */ (n) VALUES (1), (2);\nINSERT INTO o /* {y} */ VALUES (10, ROW_COUNT());");
    compare(Kind::MariaDb, &[("001_a.up.sql", first), ("002_b.up.sql", &long)], "SELECT concat(x, ' ', y) FROM o").await;
}

/// `page_size` and `auto_vacuum` of a file with tables wait in the connection for `VACUUM`.
#[tokio::test]
async fn the_form_of_a_sqlite_file_survives_a_failure() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let text = "PRAGMA auto_vacuum = INCREMENTAL;\nPRAGMA page_size = 8192;\nCREATE UNIQUE INDEX ua ON t (a);\nVACUUM;";
    let folder =
        TestFolder::new(&[("001_t.up.sql", "CREATE TABLE t (a int);\nINSERT INTO t VALUES (1), (1);"), ("002_a.up.sql", text)]);
    folder.write("migrate.toml", "database = \"sqlite\"\nlint = \"off\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    assert_eq!(binary.run(&["up"]).code, 7);
    database.execute("DELETE FROM t WHERE rowid = 2").await;
    binary.ok(&["up"]);
    let form = "SELECT (SELECT auto_vacuum FROM pragma_auto_vacuum) || ' ' || (SELECT page_size FROM pragma_page_size)";
    assert_eq!(database.rows(form).await, ["2 8192"]);
    database.drop().await;
}

/// A statement that runs alone waits for other writers, as one in a transaction does.
#[tokio::test(flavor = "multi_thread")]
async fn a_vacuum_waits_for_other_writers() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let text = format!("-- migrate: no-transaction\n{}INSERT INTO t VALUES (2);", "VACUUM;\n".repeat(40));
    let folder = TestFolder::new(&[
        ("001_t.up.sql", "CREATE TABLE t (a int);\nCREATE TABLE w (a int);\nINSERT INTO w VALUES (0);"),
        ("002_a.up.sql", &text),
    ]);
    folder.write("migrate.toml", "database = \"sqlite\"\nlint = \"off\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["up", "--to", "1"]);
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (stop, url) = (Arc::clone(&stop), database.url.clone());
            tokio::spawn(async move {
                let options: sqlx::sqlite::SqliteConnectOptions = url.parse().unwrap();
                let mut connection = options.busy_timeout(Duration::from_secs(30)).connect().await.unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let write = "BEGIN IMMEDIATE; UPDATE w SET a = a + 1; COMMIT;";
                    sqlx::raw_sql(write).execute(&mut connection).await.unwrap();
                }
            })
        })
        .collect();
    let outcome = tokio::task::spawn_blocking(move || binary.run(&["up", "--lock-wait", "60s"])).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(database.rows("SELECT a FROM t").await, ["2"]);
    database.drop().await;
}

/// `redo` reverts nothing that it could not apply again.
#[tokio::test]
async fn redo_is_rejected_as_a_whole() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let name = |at: usize, direction: &str| format!("migrations/{at:03}_t.{direction}.sql");
        let folder = TestFolder::new(&[]);
        for at in 1..=3 {
            folder.write(&name(at, "up"), &format!("CREATE TABLE t{at} (id int);"));
            folder.write(&name(at, "down"), &format!("DROP TABLE t{at};"));
        }
        folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name()));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        binary.ok(&["up"]);
        let rejects = async |arguments: &[&str], part: &str| {
            let outcome = binary.run(arguments);
            assert_eq!(outcome.code, 5, "{kind:?} {arguments:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains(part), "{kind:?} {arguments:?}: {}", outcome.stderr);
            assert_eq!(database.rows("SELECT count(*) FROM migration_records WHERE state = 'applied'").await, ["3"]);
        };
        // A file of an earlier one is missing, then that of the newest one.
        for at in [2, 3] {
            let [up, down] = ["up", "down"].map(|direction| folder.path().join(name(at, direction)));
            let texts = [std::fs::read_to_string(&up).unwrap(), std::fs::read_to_string(&down).unwrap()];
            std::fs::remove_file(&up).unwrap();
            std::fs::remove_file(&down).unwrap();
            rejects(&["redo", "--steps", "2", "--yes", "--stored"], "could not be applied again").await;
            rejects(&["redo", "--steps", "2", "--yes", "--stored", "--dry-run"], "could not be applied again").await;
            folder.write(&name(at, "up"), &texts[0]);
            folder.write(&name(at, "down"), &texts[1]);
        }
        folder.write(&name(1, "up"), "CREATE TABLE t1 (id bigint);");
        rejects(&["redo", "--yes"], "changed-after-apply").await;
        folder.write(&name(1, "up"), "CREATE TABLE t1 (id int);");
        folder.write(&name(3, "up"), "-- migrate: requires 099\nCREATE TABLE t3 (id int);");
        rejects(&["redo", "--yes"], "requires").await;
        folder.write(&name(3, "up"), "CREATE TABLE t3 (id int);");
        binary.ok(&["redo", "--steps", "3", "--yes"]);
        database.drop().await;
    }
}
