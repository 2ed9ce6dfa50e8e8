//! Sessions that the application, the driver or the database has set up: a migration finds the session of any other run, and
//! the application finds its own afterwards.

use migrate_runtime::{LockStrategy, Migrator};
use migrate_tests::{Kind, TestDatabase, TestFolder};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection, Row, SqliteConnection};
use std::process::Command;

fn folder(kind: Kind, files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(files);
    let database = kind.dialect().name();
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{database}\"\nlint = \"off\"\n"));
    folder
}

/// The schema and the role that the application has set decide neither where the history is nor what a script sees.
#[tokio::test]
async fn settings_of_a_lent_connection_do_not_reach_a_migration() {
    let files = [
        (
            "001_a.up.sql",
            "CREATE TABLE t (n text);\nINSERT INTO t VALUES (current_setting('role')), (current_setting('work_mem'));",
        ),
        (
            "002_b.up.sql",
            "-- migrate: no-transaction\nINSERT INTO t VALUES (current_setting('work_mem'));\nSET search_path = app;",
        ),
        ("003_c.up.sql", "CREATE TABLE u (n text);"),
    ];
    for strategy in [LockStrategy::Session, LockStrategy::Lease] {
        let database = TestDatabase::new(Kind::Postgres).await;
        let role = format!("{}_app", database.url.rsplit_once('/').unwrap().1);
        database.execute(&format!("CREATE ROLE {role}; CREATE SCHEMA app AUTHORIZATION {role}")).await;
        let set = folder(Kind::Postgres, &files).set(Kind::Postgres.dialect());
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        let settings = format!("SET search_path = app; SET work_mem = '9MB'; SET ROLE {role}");
        sqlx::raw_sql(AssertSqlSafe(settings)).execute(&mut connection).await.unwrap();
        for run in [3, 0] {
            let report = Migrator::new(&set).lock(strategy).run(&mut connection).await.unwrap();
            assert_eq!(report.done.len(), run, "{strategy:?}");
        }
        assert_eq!(Migrator::new(&set).status(&mut connection).await.unwrap().history().records().len(), 3);
        let question =
            "SELECT concat_ws(' ', current_setting('search_path'), current_setting('work_mem'), current_setting('role'))";
        let answer: String = sqlx::raw_sql(question).fetch_one(&mut connection).await.unwrap().get(0);
        assert_eq!(answer, format!("app 9MB {role}"), "{strategy:?}");
        let tables =
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE tablename IN ('t', 'u', 'migration_records') ORDER BY 1";
        assert_eq!(database.rows(tables).await, ["public.migration_records", "public.t", "public.u"], "{strategy:?}");
        assert_eq!(database.rows("SELECT n FROM t").await, ["none", "4MB", "4MB"], "{strategy:?}");
        connection.close().await.unwrap();
        database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
        database.drop().await;
    }
}

/// A history in the schema of the application does not count as that of the migrations.
#[tokio::test]
async fn a_lent_connection_reads_the_same_history_as_any_other() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = folder(Kind::Postgres, &[("001_a.up.sql", "CREATE TABLE t (n text);")]).set(Kind::Postgres.dialect());
    Migrator::new(&set).run(&database.url.parse::<migrate_runtime::DatabaseUrl>().unwrap()).await.unwrap();
    database.execute("CREATE SCHEMA app").await;
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("SET search_path = app").execute(&mut connection).await.unwrap();
    assert!(Migrator::new(&set).is_up_to_date(&mut connection).await.unwrap());
    assert!(Migrator::new(&set).run(&mut connection).await.unwrap().done.is_empty());
    connection.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn variables_of_a_lent_mariadb_connection_do_not_reach_a_migration() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let text = "CREATE TABLE o (n text);\nINSERT INTO o VALUES (COALESCE(@x, 'null')), (@@sql_mode LIKE '%ANSI_QUOTES%');\nSET @x = 5;\n\
                INSERT INTO o VALUES (@x);";
    let second = ("002_b.up.sql", "INSERT INTO o VALUES (COALESCE(@x, 'null'));");
    let set = folder(Kind::MariaDb, &[("001_a.up.sql", text), second]).set(Kind::MariaDb.dialect());
    let mut connection = MySqlConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("SET @x = 'mine', SESSION sql_mode = 'ANSI_QUOTES'").execute(&mut connection).await.unwrap();
    Migrator::new(&set).run(&mut connection).await.unwrap();
    let answer: String = sqlx::raw_sql("SELECT CONCAT_WS(' ', @x, @@sql_mode)").fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(answer, "mine ANSI_QUOTES");
    assert_eq!(database.rows("SELECT n FROM o").await, ["null", "0", "5", "null"]);
    connection.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn a_lent_connection_that_must_not_write_is_refused() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = folder(Kind::Postgres, &[("001_a.up.sql", "CREATE TABLE t (id int);")]).set(Kind::Postgres.dialect());
    for strategy in [LockStrategy::Session, LockStrategy::Auto] {
        let mut connection = PgConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql("SET default_transaction_read_only = on").execute(&mut connection).await.unwrap();
        let error = Migrator::new(&set).lock(strategy).run(&mut connection).await.unwrap_err();
        assert_eq!(error.code().name, "read-only-session", "{error}");
        assert!(Migrator::new(&set).status(&mut connection).await.is_ok());
        let value: String = sqlx::raw_sql("SHOW default_transaction_read_only").fetch_one(&mut connection).await.unwrap().get(0);
        assert_eq!(value, "on");
        connection.close().await.unwrap();
    }
    assert!(database.tables().await.is_empty());
    database.drop().await;
}

/// The oracle is psql: the driver must not overrule what the database or the role has set.
#[tokio::test]
async fn the_settings_of_the_database_are_those_that_psql_sees() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let name = database.url.rsplit_once('/').unwrap().1.to_owned();
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET DateStyle = 'ISO, DMY'; ALTER DATABASE {name} SET TimeZone = 'Asia/Tokyo'; \
             ALTER DATABASE {name} SET IntervalStyle = 'iso_8601'"
        ))
        .await;
    let question = "SELECT '03/04/2020'::date || ' ' || '2020-01-01 12:00'::timestamptz || ' ' || '1 day'::interval";
    let oracle = Command::new("psql").args([&database.url, "-Atc", question]).output().unwrap();
    let expected = String::from_utf8(oracle.stdout).unwrap().trim().to_owned();
    assert_eq!(expected, "2020-04-03 2020-01-01 12:00:00+09 P1D");
    let files = [
        ("001_a.up.sql", format!("CREATE TABLE o (n text);\nINSERT INTO o {question};\nSET TimeZone = 'UTC';")),
        ("002_b.up.sql", format!("INSERT INTO o {question};\nVACUUM;\nINSERT INTO o {question};")),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let set = folder(Kind::Postgres, &files).set(Kind::Postgres.dialect());
    for lent in [false, true] {
        if lent {
            let mut connection = PgConnection::connect(&database.url).await.unwrap();
            Migrator::new(&set).run(&mut connection).await.unwrap();
            let zone: String = sqlx::raw_sql("SHOW TimeZone").fetch_one(&mut connection).await.unwrap().get(0);
            assert_eq!(zone, "UTC", "the application's session is as the driver has set it");
            connection.close().await.unwrap();
        } else {
            Migrator::new(&set).run(&database.url.parse::<migrate_runtime::DatabaseUrl>().unwrap()).await.unwrap();
        }
        assert_eq!(database.rows("SELECT n FROM o").await, [&*expected, &*expected, &*expected], "lent: {lent}");
        database.execute("DROP TABLE o, migration_records, schema_versions, migration_events CASCADE").await;
    }
    database.drop().await;
}

/// A connection that excludes all others is used itself.
#[tokio::test]
async fn an_exclusive_sqlite_pool_is_used_itself() {
    use sqlx::sqlite::{SqliteConnectOptions, SqliteLockingMode, SqlitePoolOptions};
    let database = TestDatabase::new(Kind::Sqlite).await;
    let files =
        [("001_a.up.sql", "CREATE TABLE t (id);"), ("002_b.up.sql", "PRAGMA journal_mode = MEMORY;\nINSERT INTO t VALUES (1);")];
    let set = folder(Kind::Sqlite, &files).set(Kind::Sqlite.dialect());
    let options: SqliteConnectOptions = database.url.parse().unwrap();
    let options = options.locking_mode(SqliteLockingMode::Exclusive).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    sqlx::raw_sql("CREATE TABLE mine (id)").execute(&pool).await.unwrap();
    Migrator::new(&set).run(&pool).await.unwrap();
    let count: i64 = sqlx::query_scalar("SELECT count(*) FROM t").fetch_one(&pool).await.unwrap();
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&pool).await.unwrap();
    assert_eq!((count, mode.as_str()), (1, "delete"), "the journal mode of the application is put back");
    pool.close().await;
    database.drop().await;
}

/// Without a journal, SQLite rolls nothing back, and the run does not say that it did.
#[tokio::test]
async fn without_a_journal_nothing_counts_as_rolled_back() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let text = "PRAGMA journal_mode = OFF;\nCREATE TABLE t (id);\nINSERT INTO missing VALUES (1);";
    let set = folder(Kind::Sqlite, &[("001_a.up.sql", text)]).set(Kind::Sqlite.dialect());
    let error = Migrator::new(&set).run(&database.url.parse::<migrate_runtime::DatabaseUrl>().unwrap()).await.unwrap_err();
    assert!(!error.report().contains("no changes made by"), "{error}");
    assert!(format!("{error:?} {error}").contains("remain"), "{error:?}");
    database.drop().await;
}

/// A limit of rows would hide rows of the history.
#[tokio::test]
async fn a_row_limit_of_a_mariadb_session_hides_no_migration() {
    for limit in [2, 1, 0] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let folder = TestFolder::new(&[
            ("001_a.up.sql", "CREATE TABLE acc (n int);"),
            ("002_b.up.sql", "INSERT INTO acc VALUES (200);"),
            ("003_c.up.sql", "INSERT INTO acc VALUES (300);"),
        ]);
        Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&database.url).await.unwrap();
        folder.write("migrations/004_d.up.sql", "INSERT INTO acc VALUES (400);");
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        let mut connection = MySqlConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("SET sql_select_limit = {limit}"))).execute(&mut connection).await.unwrap();
        assert!(!migrator.is_up_to_date(&mut connection).await.unwrap(), "limit {limit}");
        let status = migrator.status(&mut connection).await.unwrap();
        assert_eq!(status.migrations().iter().filter(|row| row.is_unapplied()).count(), 1, "limit {limit}");
        assert_eq!(migrator.run(&mut connection).await.unwrap().done.len(), 1, "limit {limit}");
        assert!(migrator.is_up_to_date(&mut connection).await.unwrap(), "limit {limit}");
        let kept = sqlx::raw_sql("SELECT CAST(@@sql_select_limit AS CHAR) LIMIT 1").fetch_one(&mut connection).await.unwrap();
        assert_eq!(kept.get::<String, _>(0), limit.to_string());
        assert_eq!(database.rows("SELECT n FROM acc ORDER BY n").await, ["200", "300", "400"], "limit {limit}");
        drop(connection);
        let with_session =
            format!("service = \"app\"\ndatabase = \"mysql\"\nlint = \"off\"\nsession = [\"SET sql_select_limit = {limit}\"]\n");
        folder.write("migrate.toml", &with_session);
        let migrator = Migrator::new(folder.set(Kind::MariaDb.dialect()));
        assert!(migrator.is_up_to_date(&database.url).await.unwrap(), "session with limit {limit}");
        assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 0, "session with limit {limit}");
        database.drop().await;
    }
}

/// What a function creates that the text of a migration does not name is removed before the next one.
#[tokio::test]
async fn a_hidden_temporary_table_does_not_reach_the_next_migration_of_a_lent_session() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let setup = "CREATE TABLE t (i int); CREATE FUNCTION g() RETURNS int LANGUAGE plpgsql AS \
        $$ BEGIN CREATE TEMP TABLE IF NOT EXISTS t (i int); RETURN 1; END $$; \
        CREATE TABLE o (i int DEFAULT g(), t text); CREATE VIEW v AS SELECT g() AS x";
    database.execute(setup).await;
    let folder = TestFolder::new(&[
        ("001_a.up.sql", "INSERT INTO o (t) VALUES ('x');"),
        ("002_b.up.sql", "INSERT INTO public.t SELECT 1; INSERT INTO t VALUES (5);"),
        ("003_c.up.sql", "INSERT INTO o SELECT x FROM v;"),
        ("004_d.up.sql", "INSERT INTO t VALUES (6);"),
    ]);
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    Migrator::new(folder.set(Kind::Postgres.dialect())).run(&mut connection).await.unwrap();
    drop(connection);
    assert_eq!(database.rows("SELECT i FROM public.t ORDER BY i").await, ["1", "5", "6"]);
    database.drop().await;
}

/// MySQL does not say which temporary tables a routine has created.
#[tokio::test]
async fn a_routine_does_not_run_in_a_lent_mariadb_session() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE t (i int)").await;
    database.execute("CREATE PROCEDURE p() BEGIN CREATE TEMPORARY TABLE t (i int); END").await;
    for text in ["CALL p();", "EXECUTE IMMEDIATE CONCAT('CREATE TEMPO', 'RARY TABLE t (i int)');"] {
        let folder = TestFolder::new(&[("001_a.up.sql", text), ("002_b.up.sql", "INSERT INTO t VALUES (5);")]);
        let mut connection = MySqlConnection::connect(&database.url).await.unwrap();
        let error = Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&mut connection).await.unwrap_err();
        assert_eq!(error.finding().code.name, "needs-session", "{text}: {error}");
    }
    database.drop().await;
}

/// A migration finds the settings of a new session, and the application finds its own afterwards.
#[tokio::test]
async fn settings_of_a_lent_sqlite_connection_do_not_reach_a_migration() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    database.execute("CREATE TABLE t (i int CHECK (i > 10))").await;
    let folder = TestFolder::new(&[("001_a.up.sql", "INSERT INTO t VALUES (5);")]);
    let migrator = Migrator::new(folder.set(Kind::Sqlite.dialect()));
    let mut connection = SqliteConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("PRAGMA case_sensitive_like = ON").execute(&mut connection).await.unwrap();
    let settings = "PRAGMA ignore_check_constraints = ON; PRAGMA recursive_triggers = ON; PRAGMA legacy_alter_table = ON; \
        PRAGMA foreign_keys = OFF; PRAGMA reverse_unordered_selects = ON";
    sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
    let error = migrator.run(&mut connection).await.unwrap_err().report();
    assert!(error.contains("CHECK constraint failed"), "{error}");
    for (name, value) in
        [("ignore_check_constraints", 1), ("recursive_triggers", 1), ("legacy_alter_table", 1), ("foreign_keys", 0)]
    {
        let kept = sqlx::raw_sql(AssertSqlSafe(format!("PRAGMA {name}"))).fetch_one(&mut connection).await.unwrap();
        assert_eq!(kept.get::<i64, _>(0), value, "{name}");
    }
    let like = sqlx::raw_sql("SELECT 'a' LIKE 'A'").fetch_one(&mut connection).await.unwrap();
    assert_eq!(like.get::<i64, _>(0), 0);
    drop(connection);
    database.drop().await;
}

/// What the application has attached, and its temporary triggers, are not what a migration means.
#[tokio::test]
async fn names_of_a_lent_sqlite_connection_are_not_used() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    database.execute("CREATE TABLE t (i int); CREATE TABLE log (i int)").await;
    for (own, text) in [
        ("ATTACH ':memory:' AS o; CREATE TABLE o.q (i int)", "INSERT INTO q VALUES (1);"),
        ("CREATE TEMP TRIGGER x AFTER INSERT ON main.t BEGIN INSERT INTO log VALUES (1); END", "INSERT INTO t VALUES (1);"),
        ("CREATE TEMP TABLE log (i int)", "INSERT INTO log VALUES (1);"),
    ] {
        let folder = TestFolder::new(&[("001_a.up.sql", text)]);
        let mut connection = SqliteConnection::connect(&database.url).await.unwrap();
        sqlx::raw_sql(own).execute(&mut connection).await.unwrap();
        let error = Migrator::new(folder.set(Kind::Sqlite.dialect())).run(&mut connection).await.unwrap_err();
        assert_eq!(error.finding().code.name, "needs-session", "{own}: {error}");
    }
    database.drop().await;
}

/// The user of the session may set what the role of the application may not.
#[tokio::test]
async fn settings_of_a_superuser_are_put_back_before_its_role() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE t (i int);")]);
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let settings =
        "SET temp_file_limit = '5GB'; SET work_mem = '7MB'; SET session_replication_role = 'local'; SET ROLE pg_monitor";
    sqlx::raw_sql(settings).execute(&mut connection).await.unwrap();
    Migrator::new(folder.set(Kind::Postgres.dialect())).run(&mut connection).await.unwrap();
    let kept = "SELECT concat_ws(' ', current_setting('temp_file_limit'), current_setting('work_mem'), \
        current_setting('session_replication_role'), current_user)";
    let kept = sqlx::raw_sql(kept).fetch_one(&mut connection).await.unwrap();
    assert_eq!(kept.get::<String, _>(0), "5GB 7MB local pg_monitor");
    drop(connection);
    database.drop().await;
}

/// Temporary objects of the application take the place of nothing, also where a trigger, a default value or a type names it.
#[tokio::test]
async fn temporary_objects_of_a_lent_postgres_session_are_not_used() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let setup = "CREATE TYPE mood AS ENUM ('ok', 'bad'); CREATE TABLE log (i int); CREATE TABLE t (i int); \
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.i); RETURN NEW; END $$; \
        CREATE TRIGGER x AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION g()";
    database.execute(setup).await;
    let folder = TestFolder::new(&[
        ("001_a.up.sql", "CREATE TABLE feel (id int, m mood); INSERT INTO feel VALUES (1, 'ok');"),
        ("002_b.up.sql", "INSERT INTO t VALUES (1);"),
        ("003_c.up.sql", "SELECT 1 / 0;"),
    ]);
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let own = "CREATE TYPE pg_temp.mood AS ENUM ('ok', 'bad'); CREATE TEMP TABLE log (i int)";
    sqlx::raw_sql(own).execute(&mut connection).await.unwrap();
    let error = Migrator::new(folder.set(Kind::Postgres.dialect())).run(&mut connection).await.unwrap_err();
    assert!(error.report().contains("division by zero"), "{error}");
    let path = sqlx::raw_sql("SELECT current_setting('search_path')").fetch_one(&mut connection).await.unwrap();
    assert_eq!(path.get::<String, _>(0), "\"$user\", public");
    connection.close().await.unwrap();
    assert_eq!(database.rows("SELECT m::text FROM feel").await, ["ok"]);
    assert_eq!(database.rows("SELECT i FROM log").await, ["1"]);
    database.drop().await;
}

/// A custom setting of the application is not read.
#[tokio::test]
async fn a_custom_setting_of_a_lent_postgres_session_is_not_read() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE TABLE acct (t text); INSERT INTO acct VALUES ('a'), ('b')").await;
    let text = "DELETE FROM acct WHERE t <> current_setting('app.tenant', true);";
    let folder = TestFolder::new(&[("001_a.up.sql", text)]);
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("SET app.tenant = 'a'").execute(&mut connection).await.unwrap();
    let migrator = Migrator::new(folder.set(Kind::Postgres.dialect()));
    let error = migrator.run(&mut connection).await.unwrap_err();
    assert_eq!(error.finding().code.name, "needs-session", "{error}");
    migrator.run(&database.url).await.unwrap();
    assert_eq!(database.value("SELECT count(*) FROM acct").await, "2");
    connection.close().await.unwrap();
    database.drop().await;
}

/// What an earlier statement of the application has left for the next one, and its isolation level, do not reach a migration.
#[tokio::test]
async fn values_of_a_lent_mariadb_session_do_not_reach_a_migration() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let folder = TestFolder::new(&[(
        "001_a.up.sql",
        "CREATE TABLE o (n varchar(99)); CREATE TABLE a (id int auto_increment primary key, v int);\n\
         INSERT INTO o SELECT LAST_INSERT_ID(); INSERT INTO a (v) VALUES (1); INSERT INTO o SELECT id FROM a;\n\
         INSERT INTO o SELECT YEAR(NOW()) > 2000; INSERT INTO o SELECT @@SESSION.tx_isolation;\n\
         SET @Total = 5; SET @total = 6; PREPARE q FROM 'SELECT 1'; PREPARE z FROM 'SELECT 1'; DEALLOCATE PREPARE z;",
    )]);
    let mut connection = MySqlConnection::connect(&database.url).await.unwrap();
    let own = "SET SESSION TRANSACTION ISOLATION LEVEL READ UNCOMMITTED; SET timestamp = 1000; SELECT LAST_INSERT_ID(42); SET insert_id = 500; SET @total = 7";
    sqlx::raw_sql(own).execute(&mut connection).await.unwrap();
    Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&mut connection).await.unwrap();
    let gone = sqlx::raw_sql("EXECUTE q").execute(&mut connection).await.unwrap_err().to_string();
    assert!(gone.contains("Unknown prepared statement"), "{gone}");
    let own = sqlx::raw_sql("SELECT CAST(@total AS CHAR)").fetch_one(&mut connection).await.unwrap();
    assert_eq!(own.get::<String, _>(0), "7");
    let level = sqlx::raw_sql("SELECT @@SESSION.tx_isolation").fetch_one(&mut connection).await.unwrap();
    assert_eq!(level.get::<String, _>(0), "READ-UNCOMMITTED");
    connection.close().await.unwrap();
    assert_eq!(database.rows("SELECT n FROM o").await, ["0", "1", "1", "REPEATABLE-READ"]);
    database.drop().await;
}

/// The server executes what is in such a comment.
#[tokio::test]
async fn a_temporary_table_in_an_executable_comment_does_not_reach_the_next_migration() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE wk (x int)").await;
    let folder = TestFolder::new(&[
        ("001_a.up.sql", "/*!50000 CREATE TEMPORARY TABLE wk (x int) */; INSERT INTO wk VALUES (1);"),
        ("002_b.up.sql", "INSERT INTO wk VALUES (2);"),
    ]);
    let mut connection = MySqlConnection::connect(&database.url).await.unwrap();
    Migrator::new(folder.set(Kind::MariaDb.dialect())).run(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    assert_eq!(database.rows("SELECT x FROM wk").await, ["2"]);
    database.drop().await;
}

/// Under `LOCK TABLES` nothing could be asked, so that the settings of the application would be lost.
#[tokio::test]
async fn a_connection_that_holds_table_locks_is_left_as_it_is() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE app (id int)").await;
    let set = folder(Kind::MariaDb, &[("001_a.up.sql", "CREATE TABLE t (n int);")]).set(Kind::MariaDb.dialect());
    let mut connection = MySqlConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("SET time_zone = '+03:00', lock_wait_timeout = 77; LOCK TABLES app WRITE")
        .execute(&mut connection)
        .await
        .unwrap();
    let migrator = Migrator::new(&set);
    let errors = [
        migrator.run(&mut connection).await.map(drop).unwrap_err(),
        migrator.status(&mut connection).await.map(drop).unwrap_err(),
        migrator.is_up_to_date(&mut connection).await.map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(error.report().contains("LOCK TABLES"), "{error}");
    }
    let question = "SELECT CONCAT_WS(' ', @@time_zone, @@lock_wait_timeout)";
    let answer: String = sqlx::raw_sql(question).fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(answer, "+03:00 77");
    sqlx::raw_sql("UNLOCK TABLES").execute(&mut connection).await.unwrap();
    assert_eq!(migrator.run(&mut connection).await.unwrap().done.len(), 1);
    connection.close().await.unwrap();
    database.drop().await;
}
