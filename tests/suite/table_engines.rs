//! Tables of MariaDB without transactions: what a statement has written to them stays, also where its record is missing.

use migrate_runtime::{Migrator, Target, TransactionMode};
use migrate_tests::{Binary, Disconnect, Kind, Proxy, TestDatabase, TestFolder};

/// What the file has written.
const ROWS: &str = "SELECT count(*) FROM m";

/// The server has done what the message asks for, and the client does not know it.
const AFTER: &[Disconnect] = &[Disconnect::After];

async fn database_with(objects: &str) -> TestDatabase {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute(objects).await;
    database
}

/// Applies a file over connections that are cut at each message, and then again. Returns how often the second run asked for an
/// operator.
async fn cut_everywhere(objects: &str, file: &str, moments: &[Disconnect]) -> usize {
    let folder = TestFolder::new(&[("001_a.up.sql", file)]);
    let set = folder.set(Kind::MariaDb.dialect());
    let database = database_with(objects).await;
    let proxy = Proxy::before(Kind::MariaDb, &database.url).await;
    Migrator::new(&set).run(&proxy.url).await.unwrap();
    assert_eq!(database.value(ROWS).await, "1", "{file}");
    database.drop().await;
    let mut asked = 0;
    for at in 1..=proxy.count() {
        for moment in moments.iter().copied() {
            let database = database_with(objects).await;
            let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, moment).await;
            let run = Migrator::new(&set).run(&proxy.url).await;
            // A faster run asks the catalog less often, so it may have fewer messages.
            assert!(run.is_ok() || proxy.is_disconnected(), "{file} {at} {moment:?}: {run:?}");
            let again = Migrator::new(&set).run(&database.url).await;
            let rows = database.value(ROWS).await;
            match again {
                Ok(_) => assert_eq!(rows, "1", "{objects} {file} {at} {moment:?}"),
                Err(error) => {
                    assert!(error.divergences().iter().any(|found| found.finding.code.name == "partially-applied"), "{error}");
                    assert!(rows == "0" || rows == "1", "{rows} rows: {objects} {file} {at} {moment:?}");
                    asked += 1;
                }
            }
            database.drop().await;
        }
    }
    asked
}

#[tokio::test]
async fn an_interrupted_insert_is_not_run_twice() {
    for engine in ["MyISAM", "Aria"] {
        let table = format!("CREATE TABLE m (a INT) ENGINE={engine}");
        assert!(
            cut_everywhere(&table, "INSERT INTO m VALUES (1);", &[Disconnect::Before, Disconnect::After]).await > 0,
            "{engine}"
        );
    }
    let table = "CREATE TABLE m (a INT) ENGINE=InnoDB";
    assert_eq!(cut_everywhere(table, "INSERT INTO m VALUES (1);", AFTER).await, 0, "a transaction needs no operator");
}

#[tokio::test]
async fn a_table_is_also_written_through_views_triggers_and_functions() {
    let table = "CREATE TABLE m (a INT) ENGINE=MyISAM; CREATE TABLE t (a INT)";
    for (objects, file) in [
        ("CREATE VIEW v AS SELECT a FROM m", "INSERT INTO v VALUES (1);"),
        ("CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW INSERT INTO m VALUES (1)", "INSERT INTO t VALUES (1);"),
        ("CREATE FUNCTION f() RETURNS INT BEGIN INSERT INTO m VALUES (1); RETURN 1; END", "SELECT f();"),
        (
            "CREATE PROCEDURE p() INSERT INTO m VALUES (1); \
             CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW CALL p()",
            "INSERT INTO t VALUES (1);",
        ),
    ] {
        assert!(cut_everywhere(&format!("{table}; {objects}"), file, AFTER).await > 0, "{file}");
    }
}

/// What `plan` and the dry runs say is what the run does.
#[tokio::test]
async fn a_plan_knows_that_a_script_is_not_one_transaction() {
    let trigger = "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW INSERT INTO m VALUES (1)";
    for (engine, mode) in [("MyISAM", TransactionMode::None), ("InnoDB", TransactionMode::Wrapped)] {
        let database = database_with(&format!("CREATE TABLE t (a INT); CREATE TABLE m (a INT) ENGINE={engine}; {trigger}")).await;
        let folder = TestFolder::new(&[("001_a.up.sql", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2);")]);
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        let status = migrator.status(&database.url).await.unwrap();
        let plan = status.plan(&Target::Latest).unwrap();
        assert_eq!(migrator.transaction_modes(&database.url, &plan).await.unwrap(), [Some(mode)], "{engine}");
        folder.write("migrate.toml", "service = \"app\"\ndatabase = \"mariadb\"\n");
        for command in [&["plan"][..], &["up", "--dry-run"]] {
            let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).ok(command);
            assert!(outcome.stdout.contains(&mode.to_string()), "{engine}: {}", outcome.stdout);
        }
        database.drop().await;
    }
}

/// A name is found in any spelling: one that begins with a digit, quotes within quotes, letters of which the server and Rust have
/// different lower case letters.
#[tokio::test]
async fn a_table_is_found_in_any_spelling() {
    let apart = TestDatabase::new(Kind::MariaDb).await;
    let other = apart.url.rsplit_once('/').expect("a URL with a database").1;
    apart.execute("CREATE TABLE 1a (a INT) ENGINE=MyISAM").await;
    let of_other = [format!("{other}.1a"), format!("`{other}` . `1a`")];
    let names = [
        "2fa_tokens",
        "2$x",
        "0x1Z",
        "2f\u{e4}",
        "`a]`",
        "`'ab'`",
        "`[ab]`",
        "`ab```",
        "`a\"b`",
        "`\u{130}stanbul`",
        "`\u{1e9e}`",
        "`\u{23a}`",
    ];
    for name in names.iter().map(ToString::to_string).chain(of_other) {
        let database = if name.contains(other) {
            database_with("SET @x = 1").await
        } else {
            database_with(&format!("CREATE TABLE {name} (a INT) ENGINE=MyISAM")).await
        };
        for text in ["INSERT INTO {name} VALUES (1);", "DELETE FROM {name};"] {
            let text = text.replace("{name}", &name);
            let folder = TestFolder::new(&[("001_a.up.sql", &text)]);
            let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
            let status = migrator.status(&database.url).await.unwrap();
            let plan = status.plan(&Target::Latest).unwrap();
            let modes = migrator.transaction_modes(&database.url, &plan).await.unwrap();
            assert_eq!(modes, [Some(TransactionMode::None)], "{text}");
        }
        database.drop().await;
    }
    apart.drop().await;
}

/// The engine of a table is that which it has when the run is interrupted, not that which it had when the run began.
#[tokio::test]
async fn a_file_may_change_the_engine() {
    for (objects, file, expected) in [
        ("SELECT 1", "CREATE TABLE m (a INT) ENGINE=Aria; INSERT INTO m VALUES (1);", true),
        ("CREATE TABLE m (a INT) ENGINE=MyISAM", "ALTER TABLE m ENGINE=InnoDB; INSERT INTO m VALUES (1);", false),
    ] {
        let asked = cut_everywhere(objects, file, AFTER).await;
        assert!(asked > 0 || !expected, "{file}");
    }
}

/// Each statement has its own checkpoint, so only the one that failed runs again.
#[tokio::test]
async fn statements_before_the_failed_one_are_done() {
    let database = database_with("CREATE TABLE m (a INT) ENGINE=MyISAM; CREATE TABLE t (a INT PRIMARY KEY)").await;
    let folder =
        TestFolder::new(&[("001_a.up.sql", "INSERT INTO m VALUES (1); INSERT INTO t VALUES (1); INSERT INTO u VALUES (1);")]);
    let set = folder.set(Kind::MariaDb.dialect());
    Migrator::new(&set).run(&database.url).await.unwrap_err();
    database.execute("CREATE TABLE u (a INT)").await;
    Migrator::new(&set).run(&database.url).await.unwrap();
    for table in ["m", "t", "u"] {
        assert_eq!(database.value(&format!("SELECT count(*) FROM {table}")).await, "1", "{table}");
    }
    database.drop().await;
}
