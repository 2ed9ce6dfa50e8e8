//! A statement that commits itself, of an object that is there already, or is not there any more: a run that is interrupted at any
//! message, and then repeated, ends as one that is not interrupted. What was there before the statement does not prove that it ran.

use migrate_runtime::Migrator;
use migrate_tests::{Disconnect, Kind, Proxy, TestDatabase, TestFolder};

struct Case {
    kind: Kind,
    /// What exists before.
    before: &'static str,
    up: &'static str,
    /// Whether an uninterrupted run is completed.
    succeeds: bool,
}

const fn fails(kind: Kind, before: &'static str, up: &'static str) -> Case {
    Case { kind, before, up, succeeds: false }
}

const fn succeeds(kind: Kind, before: &'static str, up: &'static str) -> Case {
    Case { kind, before, up, succeeds: true }
}

const MARIADB: &[Case] = &[
    fails(Kind::MariaDb, "CREATE TABLE u (old int)", "CREATE TABLE u (id int);\nCREATE TABLE w (id int);"),
    fails(Kind::MariaDb, "CREATE TABLE t (a int)", "ALTER TABLE t ADD COLUMN a text;\nCREATE TABLE w (id int);"),
    fails(Kind::MariaDb, "CREATE TABLE t (a int)", "DROP TABLE missing;\nCREATE TABLE w (id int);"),
    fails(
        Kind::MariaDb,
        "CREATE TABLE t (a int, b int, KEY i (b))",
        "CREATE TABLE v (id int);\nCREATE INDEX i ON t (a);\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::MariaDb,
        "CREATE TABLE t (a int)",
        "ALTER TABLE t ADD COLUMN b int;\nALTER TABLE t DROP COLUMN c;\nCREATE TABLE w (id int);",
    ),
    // The script itself has created the index, and the column.
    fails(Kind::MariaDb, "SELECT 1", "CREATE TABLE t (a int, KEY I (a));\nCREATE INDEX i ON t (a);\nCREATE TABLE w (id int);"),
    // Parts that no text names.
    fails(
        Kind::MariaDb,
        "CREATE TABLE u (x int)",
        "CREATE TABLE t LIKE u;\nALTER TABLE t ADD COLUMN x text;\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::MariaDb,
        "SELECT 1",
        "CREATE TABLE t (a int, b int, INDEX(a), INDEX(a, b));\nCREATE INDEX a_2 ON t (b);\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::MariaDb,
        "SELECT 1",
        "CREATE TABLE t (`a``b` int);\nALTER TABLE t ADD COLUMN `a``b` text;\nCREATE TABLE w (id int);",
    ),
    fails(Kind::MariaDb, "SELECT 1", "CREATE TABLE t (É int);\nALTER TABLE t ADD COLUMN é text;\nCREATE TABLE w (id int);"),
    // Names that the collation of the catalog takes for the same.
    succeeds(
        Kind::MariaDb,
        "CREATE TABLE t (e int)",
        "ALTER TABLE t ADD COLUMN é text;\nCREATE INDEX i ON t (e);\nCREATE INDEX í ON t (e);\nALTER TABLE t DROP INDEX i;",
    ),
    succeeds(
        Kind::MariaDb,
        // Triggers of tables of this name in other databases count, too.
        "CREATE TABLE with_triggers (e int)",
        "CREATE TRIGGER g BEFORE INSERT ON with_triggers FOR EACH ROW SET @x = 1;\nCREATE TRIGGER G BEFORE INSERT ON with_triggers FOR EACH ROW SET @x = 2;",
    ),
    fails(
        Kind::MariaDb,
        "CREATE TABLE p (id int PRIMARY KEY)",
        "CREATE TABLE t (a int, b int, FOREIGN KEY (a) REFERENCES p (id));\n\
         ALTER TABLE t ADD CONSTRAINT t_ibfk_1 FOREIGN KEY (b) REFERENCES p (id);\nCREATE TABLE w (id int);",
    ),
    fails(Kind::MariaDb, "SELECT 1", "CREATE TABLE t (a int);\nALTER TABLE t ADD COLUMN `A` text;\nCREATE TABLE w (id int);"),
    succeeds(
        Kind::MariaDb,
        "SELECT 1",
        "CREATE TABLE t (a int);\nCREATE INDEX i ON t (a);\nINSERT INTO t VALUES (1);\nCREATE INDEX k ON t (a);",
    ),
    fails(
        Kind::MariaDb,
        "CREATE DATABASE {name}_b; CREATE TABLE {name}_b.u (old int)",
        "CREATE TABLE u (id int);\nUSE {name}_b;\nCREATE TABLE u (id int);",
    ),
    fails(Kind::MariaDb, "CREATE TABLE v (old int)", "INSERT INTO v VALUES (1);\nCREATE VIEW v AS SELECT 1;"),
    succeeds(
        Kind::MariaDb,
        "CREATE TABLE u (old int)",
        "DROP TABLE IF EXISTS u;\nCREATE TABLE u (id int);\nDROP TABLE IF EXISTS x;\nCREATE TABLE IF NOT EXISTS u (x int);",
    ),
    succeeds(
        Kind::MariaDb,
        "CREATE TABLE t (a int)",
        "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int, ADD COLUMN b int;\nINSERT INTO t (b) VALUES (1);",
    ),
    succeeds(
        Kind::MariaDb,
        "CREATE FUNCTION p() RETURNS int RETURN 1",
        "CREATE PROCEDURE p() SELECT 1;\nDROP FUNCTION p;\nCREATE TABLE w (id int);",
    ),
    succeeds(
        Kind::MariaDb,
        "CREATE TABLE t (a int)",
        "RENAME TABLE t TO r;\nCREATE TABLE t (b int);\nALTER TABLE t RENAME TO s;\nCREATE TABLE t (c int);",
    ),
    // Constraints of different types with one name: of a unique key and a foreign key, and of a check of a column.
    succeeds(Kind::MariaDb, TWO_CONSTRAINTS, "ALTER TABLE t DROP FOREIGN KEY c;\nCREATE TABLE w (id int);"),
    succeeds(
        Kind::MariaDb,
        "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (a int, UNIQUE KEY c (a))",
        "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES p (id);\nCREATE TABLE w (id int);",
    ),
    succeeds(
        Kind::MariaDb,
        "CREATE TABLE t (x int CHECK (x > 0), j json, k int)",
        "ALTER TABLE t ADD CONSTRAINT x UNIQUE (x);\nALTER TABLE t ADD CONSTRAINT j UNIQUE (k);\nCREATE TABLE w (id int);",
    ),
    succeeds(
        Kind::MariaDb,
        "CREATE TABLE t (a int)",
        "ALTER TABLE t ADD CONSTRAINT c UNIQUE KEY k (a);\nALTER TABLE t RENAME TO u, ADD COLUMN c int;\nCREATE TABLE w (id int);",
    ),
];

const TWO_CONSTRAINTS: &str = "CREATE TABLE p (id int PRIMARY KEY); \
    CREATE TABLE t (a int, UNIQUE KEY c (a), CONSTRAINT c FOREIGN KEY (a) REFERENCES p (id))";

/// What the catalog does not tell: after an interruption, an operator must look, and the statement does not run twice.
const MARIADB_NOT_TOLD: &[(&str, &str)] = &[
    (TWO_CONSTRAINTS, "ALTER TABLE t DROP CONSTRAINT c"),
    ("CREATE TABLE t (a int)", "ALTER TABLE t MODIFY a int SERIAL DEFAULT VALUE"),
    ("CREATE TABLE t (a date NOT NULL, b date NOT NULL, PERIOD FOR p (a, b))", "ALTER TABLE t DROP PERIOD FOR p"),
];

/// What fails in part: an operator must look, and the rest does not run.
const MARIADB_IN_PART: &[(&str, &str)] = &[
    ("CREATE TABLE a (id int)", "CREATE TABLE x (id int);\nDROP TABLE a, zz;\nCREATE TABLE w (id int);"),
    ("CREATE VIEW a AS SELECT 1", "DROP VIEW a, zz;\nCREATE TABLE w (id int);"),
];

const POSTGRES: &[Case] = &[
    fails(
        Kind::Postgres,
        "CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b)",
        "CREATE INDEX CONCURRENTLY i ON t (a);\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::Postgres,
        "SELECT 1",
        "CREATE TABLE t (a int UNIQUE);\nCREATE INDEX CONCURRENTLY t_a_key ON t (a);\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::Postgres,
        "CREATE TABLE t (a int)",
        "CREATE TABLE made (id int);\nDROP INDEX CONCURRENTLY missing;\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::Postgres,
        "CREATE SCHEMA app; CREATE TABLE app.t (a int, b int); CREATE INDEX i ON app.t (b); CREATE TABLE t (a int)",
        "SET search_path = app;\nCREATE INDEX CONCURRENTLY i ON t (a);\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::Postgres,
        "CREATE TABLE e (id int) PARTITION BY RANGE (id); CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (1) TO (2); \
         CREATE TABLE f (id int)",
        "CREATE TABLE made (id int);\nALTER TABLE e DETACH PARTITION missing CONCURRENTLY;\nCREATE TABLE w (id int);",
    ),
    fails(
        Kind::Postgres,
        "CREATE TABLE e (id int) PARTITION BY RANGE (id); CREATE TABLE e1 (id int)",
        "ALTER TABLE e DETACH PARTITION e1 CONCURRENTLY;\nCREATE TABLE w (id int);",
    ),
    succeeds(
        Kind::Postgres,
        "CREATE TABLE e (id int) PARTITION BY RANGE (id); CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (1) TO (2); \
         CREATE TABLE e2 PARTITION OF e FOR VALUES FROM (2) TO (3)",
        "ALTER TABLE e DETACH PARTITION e1 CONCURRENTLY;\nALTER TABLE e DETACH PARTITION e2 CONCURRENTLY;",
    ),
    succeeds(
        Kind::Postgres,
        "CREATE SCHEMA app; CREATE TABLE app.t (a int, b int); CREATE TABLE t (a int, b int); CREATE INDEX i ON t (b)",
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a);\nSET search_path = app;\n\
         CREATE INDEX CONCURRENTLY i ON t (a);\nDROP INDEX CONCURRENTLY IF EXISTS public.i;\nCREATE TABLE w (id int);",
    ),
];

/// The schema, without the history.
async fn schema(database: &TestDatabase, kind: Kind) -> Vec<String> {
    let columns = "SELECT concat(table_schema, '.', table_name, '.', column_name, ' ', data_type) AS line \
                   FROM information_schema.columns";
    let mut keys_of_mariadb = Vec::new();
    let own = match kind {
        Kind::Postgres => "table_schema IN ('public', 'app')",
        _ => "table_schema = DATABASE()",
    };
    if kind == Kind::MariaDb {
        let keys = "SELECT line FROM (SELECT concat(table_name, ' ', index_name, ' ', column_name) AS line FROM \
                    information_schema.statistics WHERE table_schema = DATABASE() UNION ALL SELECT concat(table_name, ' ', \
                    constraint_name, ' ', constraint_type) FROM information_schema.table_constraints \
                    WHERE table_schema = DATABASE()) AS k WHERE line NOT LIKE 'migration%' AND line NOT LIKE 'schema_versions%' \
                    ORDER BY 1";
        keys_of_mariadb = database.rows(keys).await;
    }
    let mut lines = database
        .rows(&format!(
            "{columns} WHERE {own} AND table_name NOT LIKE 'migration%' AND table_name <> 'schema_versions' ORDER BY 1"
        ))
        .await;
    lines.extend(keys_of_mariadb);
    if kind == Kind::Postgres {
        let indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname IN ('public', 'app') \
                       AND tablename NOT LIKE 'migration%' AND tablename <> 'schema_versions' ORDER BY 1";
        lines.extend(database.rows(indexes).await);
        lines.extend(
            database.rows("SELECT concat(inhparent::regclass, ' ', inhrelid::regclass) FROM pg_inherits ORDER BY 1").await,
        );
    }
    // The name of the database is not the same each time.
    let name = database.url.rsplit_once('/').expect("a URL with a database").1;
    lines.into_iter().map(|line| line.replace(name, "db")).collect()
}

/// Interrupts a run after each message, from the record of its start.
async fn interrupted_anywhere(case: &Case) {
    let Case { kind, before, up, succeeds } = *case;
    let start = async || {
        let database = TestDatabase::new(kind).await;
        let name = database.url.rsplit_once('/').expect("a URL with a database").1;
        database.execute(&before.replace("{name}", name)).await;
        let up = format!("-- migrate: no-transaction\n{}", up.replace("{name}", name));
        let folder = TestFolder::new(&[("001_a.up.sql", &up)]);
        (Migrator::new(folder.set(kind.dialect())), database)
    };
    let (migrator, database) = start().await;
    let proxy = Proxy::before(kind, &database.url).await;
    assert_eq!(migrator.run(&proxy.url).await.is_ok(), succeeds, "{up}");
    let (expected, history) = (schema(&database, kind).await, database.history().await);
    let texts = proxy.texts();
    let first = texts.iter().position(|text| text.contains("'started'")).expect("a record of the start");
    end(database, before).await;
    let mut interruptions = 0;
    for at in first + 1..=texts.len() {
        let (migrator, database) = start().await;
        let proxy = Proxy::disconnecting(kind, &database.url, at, Disconnect::After).await;
        let interrupted = migrator.run(&proxy.url).await;
        interruptions += usize::from(proxy.is_disconnected());
        let what = format!("{up}\nmessage {at}: {}", texts.get(at - 1).map_or("", |text| text));
        let again = migrator.run(&database.url).await;
        assert_eq!(again.is_ok(), succeeds, "{what}\n{interrupted:?}\n{again:?}");
        assert_eq!(schema(&database, kind).await, expected, "{what}");
        assert_eq!(database.history().await, history, "{what}");
        end(database, before).await;
    }
    assert!(interruptions >= 4, "{interruptions} of {} messages: {up}", texts.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_in_part_is_not_applied() {
    for (before, up) in MARIADB_IN_PART {
        let folder = TestFolder::new(&[("001_a.up.sql", up)]);
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        let mut at = 0;
        loop {
            at += 1;
            let database = TestDatabase::new(Kind::MariaDb).await;
            database.execute(before).await;
            let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, Disconnect::After).await;
            let _ = migrator.run(&proxy.url).await;
            let is_disconnected = proxy.is_disconnected();
            let again = migrator.run(&database.url).await;
            assert!(again.is_err(), "message {at}: {up}");
            assert!(!database.tables().await.contains(&"w".to_owned()), "message {at}: {up}");
            database.drop().await;
            if !is_disconnected {
                break;
            }
        }
        assert!(at > 10, "{at} messages");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_catalog_does_not_tell_runs_once() {
    for (before, statement) in MARIADB_NOT_TOLD {
        let folder = TestFolder::new(&[("001_a.up.sql", &format!("{statement};\nCREATE TABLE w (id int);"))]);
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        let start = async || {
            let database = TestDatabase::new(Kind::MariaDb).await;
            database.execute(before).await;
            let untouched = schema(&database, Kind::MariaDb).await;
            (database, untouched)
        };
        let (database, untouched) = start().await;
        database.execute(statement).await;
        let once = schema(&database, Kind::MariaDb).await;
        database.drop().await;
        let mut asked = 0;
        for at in 1.. {
            let (database, _) = start().await;
            let proxy = Proxy::disconnecting(Kind::MariaDb, &database.url, at, Disconnect::After).await;
            let _ = migrator.run(&proxy.url).await;
            let is_disconnected = proxy.is_disconnected();
            match migrator.run(&database.url).await {
                Ok(_) => assert!(database.tables().await.contains(&"w".to_owned()), "message {at}: {statement}"),
                Err(error) => {
                    assert_eq!(error.divergences().len(), 1, "message {at}: {statement}: {error:?}");
                    let now = schema(&database, Kind::MariaDb).await;
                    assert!(now == once || now == untouched, "message {at}: {statement}: {now:?}");
                    asked += 1;
                }
            }
            database.drop().await;
            if !is_disconnected {
                break;
            }
        }
        assert!(asked > 0, "{statement}");
    }
}

/// After the drop, the name means an index of another schema: an operator must look, and nothing else is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_of_another_schema_is_not_dropped() {
    let folder = TestFolder::new(&[("001_a.up.sql", "SET search_path = app, public;\nDROP INDEX CONCURRENTLY i;\n")]);
    let migrator = Migrator::new(folder.set(Kind::Postgres.dialect()));
    let mut at = 0;
    loop {
        at += 1;
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute("CREATE SCHEMA app; CREATE TABLE t (a int); CREATE TABLE app.t (a int)").await;
        database.execute("CREATE INDEX i ON t (a); CREATE INDEX i ON app.t (a)").await;
        let proxy = Proxy::disconnecting(Kind::Postgres, &database.url, at, Disconnect::After).await;
        let _ = migrator.run(&proxy.url).await;
        let is_disconnected = proxy.is_disconnected();
        let _ = migrator.run(&database.url).await;
        assert_eq!(database.value("SELECT (to_regclass('public.i') IS NOT NULL)::text").await, "true", "message {at}");
        database.drop().await;
        if !is_disconnected {
            break;
        }
    }
    assert!(at > 8, "{at} messages");
}

async fn end(database: TestDatabase, before: &str) {
    if before.contains("{name}_b") {
        let name = database.url.rsplit_once('/').expect("a URL with a database").1.to_owned();
        database.execute(&format!("DROP DATABASE {name}_b")).await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    for case in MARIADB {
        interrupted_anywhere(case).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    for case in POSTGRES {
        interrupted_anywhere(case).await;
    }
}
