//! Server sessions behind PgBouncer in transaction mode, which other clients use after a migration: nothing that a script has
//! left is in them, and what other clients have prepared is.

use migrate_runtime::{DatabaseUrl, MigrationState, Migrator};
use migrate_tests::{Kind, TestDatabase, TestFolder, pgbouncer};
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, Row};

fn folder(files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(files);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\nlease = \"3s\"\n");
    folder
}

/// Connections in transactions on both server sessions of the pool.
async fn both_sessions(url: &str) -> Vec<PgConnection> {
    let options: PgConnectOptions = url.parse().unwrap();
    let options = options.extra_float_digits(None).statement_cache_capacity(0);
    let mut sessions = Vec::new();
    for _ in 0..2 {
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql("BEGIN").execute(&mut connection).await.unwrap();
        sessions.push(connection);
    }
    sessions
}

async fn value(connection: &mut PgConnection, sql: &str) -> Result<String, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await.map(|row| row.get(0))
}

/// Counts of what may be left, then settings.
const STATE: &str = "SELECT concat_ws(' ', \
    (SELECT count(*) FROM pg_prepared_statements WHERE from_sql AND name <> 'theirs'), \
    (SELECT count(*) FROM pg_listening_channels()), \
    (SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory'), \
    (SELECT count(*) FROM pg_cursors WHERE is_holdable), \
    (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()), \
    current_setting('work_mem'), current_user, session_user)";

/// Asserts that both server sessions are as new ones.
async fn assert_clean(url: &str, after: &str) {
    for mut session in both_sessions(url).await {
        assert_eq!(value(&mut session, STATE).await.unwrap(), "0 0 0 0 0 4MB postgres postgres", "after {after}");
        assert!(value(&mut session, "SELECT lastval()::text").await.is_err(), "a value of a sequence is left after {after}");
    }
}

const LEFT: &[&str] = &[
    "PREPARE q AS SELECT 1;",
    "PREPARE \"Its \"\"name\" (int) AS SELECT $1; EXECUTE \"Its \"\"name\" (1);",
    "DO $$ BEGIN EXECUTE 'PREPARE hidden AS SELECT 1'; END $$;",
    "SELECT prepares();",
    "PREPARE q AS SELECT 1; DEALLOCATE q; PREPARE \"all\" AS SELECT 2;",
    "LISTEN jobs;",
    "DO $$ BEGIN LISTEN jobs; END $$;",
    "SELECT pg_advisory_lock(7);",
    "SELECT pg_advisory_lock(7), pg_advisory_lock(7), pg_try_advisory_lock_shared(1, 2);",
    "DO $$ BEGIN PERFORM pg_advisory_lock(8); END $$;",
    "SELECT locks();",
    "DECLARE c CURSOR WITH HOLD FOR SELECT 1;",
    "CREATE TEMP TABLE x (a int); INSERT INTO x VALUES (1);",
    "SELECT 1 AS a INTO TEMP y;",
    "SELECT nextval('s');",
    "INSERT INTO numbered DEFAULT VALUES;",
    "SELECT set_config('work_mem', '9MB', false);",
    "SELECT sets();",
    "SELECT * FROM hiding;",
    "INSERT INTO checked VALUES (1);",
    "INSERT INTO t SELECT f FROM viewed;",
    "CREATE TABLE copied AS TABLE viewed;",
    "SELECT @@@ 5;",
    "SELECT 5::dom;",
    "ALTER TABLE t ADD COLUMN d dom DEFAULT 1;",
    "INSERT INTO watched VALUES (1);",
    "COMMENT ON TABLE t IS 'x';",
    "SET ROLE migrate_pooled; PREPARE q AS SELECT 1; SELECT pg_advisory_lock(9);",
    "SET SESSION AUTHORIZATION migrate_pooled; LISTEN jobs;",
];

const BEFORE: &str = "CREATE SEQUENCE s; CREATE TABLE numbered (id serial); CREATE TABLE t (n int);\n\
    CREATE FUNCTION prepares() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'PREPARE p AS SELECT 1'; END $$;\n\
    CREATE FUNCTION locks() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_lock(5); END $$;\n\
    CREATE FUNCTION sets() RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '9MB'; RETURN 1; END $$;\n\
    CREATE VIEW hiding AS SELECT sets() AS a;\n\
    CREATE FUNCTION h(int) RETURNS int LANGUAGE plpgsql AS \
    $$ BEGIN EXECUTE 'PREPARE hp AS SELECT 1'; PERFORM pg_advisory_lock(6); RETURN 1; END $$;\n\
    CREATE TABLE checked (a int CHECK (h(a) > 0)); CREATE VIEW viewed AS SELECT h(1) AS f;\n\
    CREATE OPERATOR @@@ (rightarg = int, function = h); CREATE DOMAIN dom AS int CHECK (h(value) > 0);\n\
    CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n\
    CREATE TABLE watched (a int); CREATE TRIGGER w BEFORE INSERT ON watched FOR EACH ROW WHEN (h(new.a) > 0) EXECUTE FUNCTION noted();\n\
    CREATE FUNCTION altered() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM h(1); END $$;\n\
    CREATE EVENT TRIGGER altered ON ddl_command_end WHEN tag IN ('COMMENT') EXECUTE FUNCTION altered();\n\
    DO $$ BEGIN CREATE ROLE migrate_pooled; EXCEPTION WHEN duplicate_object THEN NULL; END $$;\n\
    GRANT ALL ON SCHEMA public TO migrate_pooled;";

#[tokio::test]
async fn nothing_of_a_script_is_left_in_the_server_session() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute(BEFORE).await;
    let url = database.through(&pgbouncer());
    let target: DatabaseUrl = url.parse().unwrap();
    let folder = folder(&[]);
    for (at, text) in LEFT.iter().enumerate() {
        folder.write(&format!("migrations/{:03}_a.up.sql", at + 1), text);
        Migrator::new(folder.set(Kind::Postgres.dialect())).run(&target).await.unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_clean(&url, text).await;
    }
    database.drop_by_force().await;
}

/// Prepared statements, locks and values of sequences survive a rollback.
#[tokio::test]
async fn nothing_of_a_failed_script_is_left_in_the_server_session() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute(BEFORE).await;
    database.execute("CREATE TABLE deferred (a int PRIMARY KEY, b int REFERENCES deferred DEFERRABLE INITIALLY DEFERRED)").await;
    let url = database.through(&pgbouncer());
    let target: DatabaseUrl = url.parse().unwrap();
    let failures = [
        "INSERT INTO missing VALUES (1);",
        "INSERT INTO t VALUES (1); SELECT 1 / 0;",
        // The commit fails.
        "INSERT INTO deferred VALUES (1, 9);",
        // Nothing runs, not even `BEGIN`.
        "SELECT FROM WHERE;",
    ];
    for failure in failures {
        for left in LEFT {
            let text = format!("{left}\n{failure}");
            let folder = folder(&[("001_a.up.sql", &text)]);
            let outcome = Migrator::new(folder.set(Kind::Postgres.dialect())).run(&target).await;
            assert!(outcome.is_err(), "{text}");
            assert_clean(&url, &text).await;
        }
    }
    assert_eq!(database.value("SELECT count(*) FROM t").await, "0");
    database.drop_by_force().await;
}

#[tokio::test]
async fn what_other_clients_have_prepared_stays() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let url = database.through(&pgbouncer());
    let mut clients = both_sessions(&url).await;
    for session in &mut clients {
        sqlx::raw_sql("PREPARE theirs AS SELECT 1").execute(session).await.unwrap();
    }
    // Without it, the pooler would close the server session.
    for session in &mut clients {
        sqlx::raw_sql("COMMIT").execute(session).await.unwrap();
    }
    let folder = folder(&[("001_a.up.sql", "PREPARE q AS SELECT 1; SELECT pg_advisory_lock(1); CREATE TABLE t (a int);")]);
    let target: DatabaseUrl = url.parse().unwrap();
    Migrator::new(folder.set(Kind::Postgres.dialect())).run(&target).await.unwrap();
    for mut session in both_sessions(&url).await {
        assert_eq!(value(&mut session, STATE).await.unwrap(), "0 0 0 0 0 4MB postgres postgres");
        let theirs = "SELECT count(*)::text FROM pg_prepared_statements WHERE name = 'theirs'";
        assert_eq!(value(&mut session, theirs).await.unwrap(), "1");
    }
    database.drop_by_force().await;
}

/// No session can unload a library.
#[tokio::test]
async fn a_library_is_not_loaded_into_a_server_session_of_others() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let target: DatabaseUrl = database.through(&pgbouncer()).parse().unwrap();
    for text in ["LOAD 'plpgsql';", "DO $$ BEGIN LOAD 'plpgsql'; END $$;", "DO $$ BEGIN EXECUTE 'LOAD ''plpgsql'''; END $$;"] {
        let folder = folder(&[("001_a.up.sql", text)]);
        let error = Migrator::new(folder.set(Kind::Postgres.dialect())).run(&target).await.unwrap_err();
        assert_eq!(error.code().name, "needs-session", "{text}: {error}");
    }
    database.drop_by_force().await;
}

/// A pool sets up each connection of the application. A run opens its own, without that, so readers must not use the other one.
#[tokio::test]
async fn what_a_pool_sets_up_does_not_lead_to_another_history() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE SCHEMA app").await;
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (id int);")]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    let two = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (id int);"), ("002_b.up.sql", "CREATE TABLE b (id int);")]);
    two.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n[history]\nschema = \"app\"\n");
    let dialect = Kind::Postgres.dialect();
    Migrator::new(folder.set(dialect)).run(&database.url).await.unwrap();
    Migrator::new(two.set(dialect)).run(&format!("{}?options=-csearch_path%3Dapp", database.url)).await.unwrap();
    two.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    let migrator = Migrator::new(two.set(dialect));
    let pool = |setup: &'static str| {
        let options = sqlx::postgres::PgPoolOptions::new().max_connections(2);
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move { sqlx::raw_sql(setup).execute(connection).await.map(drop) })
        });
        options.connect_lazy(&database.url).unwrap()
    };
    let (moved, plain) = (pool("SET search_path = app"), pool("SELECT 1"));
    for pool in [&moved, &plain] {
        assert!(!migrator.is_up_to_date(pool).await.unwrap());
        assert!(migrator.status(pool).await.unwrap().migrations().iter().any(|row| row.state == MigrationState::Pending));
    }
    assert_eq!(migrator.run(&moved).await.unwrap().done.len(), 1);
    for pool in [&moved, &plain] {
        assert!(migrator.is_up_to_date(pool).await.unwrap());
        assert!(migrator.run(pool).await.unwrap().done.is_empty());
    }
    assert_eq!(database.value("SELECT count(*) FROM public.migration_records").await, "2");
    moved.close().await;
    plain.close().await;
    database.drop().await;
}
