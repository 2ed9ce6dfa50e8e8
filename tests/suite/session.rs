//! Every migration begins in the same session, whoever started the run, and nothing of it reaches the next migration or the
//! application.

use migrate_runtime::{ErrorKind, LockStrategy, Migrator, Resolution};
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder, pgbouncer};
use sqlx::{AssertSqlSafe, Connection, Row};

const DRIVER_URL: &str = "the URL is valid";

fn folder(kind: Kind, files: &[(&str, &str)], settings: &str) -> TestFolder {
    let folder = TestFolder::new(files);
    let database = kind.dialect().name();
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{database}\"\nlint = \"off\"\n{settings}"));
    folder
}

fn up(database: &TestDatabase, folder: &TestFolder) -> (bool, String) {
    let output = Binary::inside(folder.path()).command(&["up", "-D", &database.url]).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Applies files with the command and returns the table `o`, which the last file has filled.
async fn observed(kind: Kind, files: &[(&str, &str)]) -> Vec<String> {
    let database = TestDatabase::new(kind).await;
    let (done, messages) = up(&database, &folder(kind, files, ""));
    assert!(done, "{messages}");
    let rows = database.rows("SELECT n FROM o").await;
    database.drop().await;
    rows
}

#[tokio::test]
async fn nothing_of_a_postgres_migration_reaches_the_next() {
    for (first, question, expected) in [
        ("SET work_mem = '77MB';", "current_setting('work_mem')", "4MB"),
        ("SET app.tenant = 't1';", "coalesce(current_setting('app.tenant', true), 'null')", "null"),
        ("SELECT set_config('app.' || 'tenant', 't1', false);", "coalesce(current_setting('app.tenant', true), 'null')", "null"),
        ("SET transform_null_equals = on;", "current_setting('transform_null_equals')", "off"),
        ("DO $$ BEGIN PERFORM set_config('work_mem', '77MB', false); END $$;", "current_setting('work_mem')", "4MB"),
        ("PREPARE q AS SELECT 1;", "(SELECT count(*) FROM pg_prepared_statements)", "0"),
        ("LISTEN c;", "(SELECT count(*) FROM pg_listening_channels())", "0"),
        (
            "SELECT pg_advisory_lock(5);",
            "(SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objid = 5)",
            "0",
        ),
        ("CREATE TEMP TABLE p AS SELECT 1 AS id;", "(SELECT count(*) FROM p)", "0"),
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1;", "(SELECT count(*) FROM pg_cursors WHERE is_holdable)", "0"),
        (
            "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SET work_mem = \"77MB\"'; SELECT f();",
            "current_setting('work_mem')",
            "4MB",
        ),
    ] {
        let first = format!("CREATE TABLE p (id int); CREATE TABLE o (n text);\n{first}\n");
        let second = format!("INSERT INTO o SELECT {question};");
        let rows = observed(Kind::Postgres, &[("001_a.up.sql", &first), ("002_b.up.sql", &second)]).await;
        assert_eq!(rows, [expected], "{first}");
    }
}

#[tokio::test]
async fn a_temporary_table_does_not_collide_with_the_next_migration() {
    let files = [
        ("001_a.up.sql", "CREATE TABLE o (n int); CREATE TEMP TABLE p AS SELECT 1 AS n; INSERT INTO o SELECT n FROM p;"),
        ("002_b.up.sql", "CREATE TEMP TABLE p AS SELECT 2 AS n; INSERT INTO o SELECT n FROM p;"),
        ("003_c.up.sql", "CREATE TABLE p (n int); INSERT INTO p VALUES (3); INSERT INTO o SELECT n FROM p;"),
    ];
    for kind in [Kind::Postgres, Kind::Sqlite] {
        assert_eq!(observed(kind, &files).await, ["1", "2", "3"], "{kind:?}");
    }
    let files = files.map(|(name, text)| (name, text.replace("TEMP TABLE", "TEMPORARY TABLE")));
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(observed(Kind::MariaDb, &files).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn nothing_of_a_mariadb_migration_reaches_the_next() {
    for (first, question, expected) in [
        ("SET SESSION max_statement_time = 77;", "@@SESSION.max_statement_time", "0"),
        ("SET @x = 5;", "COALESCE(@x, 'null')", "null"),
        ("SELECT 5 INTO @x;", "COALESCE(@x, 'null')", "null"),
        ("SET sql_mode = 'ANSI_QUOTES';", "@@sql_mode LIKE '%ANSI_QUOTES%'", "0"),
        ("CREATE TABLE i (id INT AUTO_INCREMENT PRIMARY KEY); INSERT INTO i VALUES (NULL);", "LAST_INSERT_ID()", "0"),
        ("CREATE PROCEDURE p() SET @x = 5; CALL p();", "COALESCE(@x, 'null')", "null"),
    ] {
        let first = format!("CREATE TABLE o (n text);\n{first}\n");
        let second = format!("INSERT INTO o SELECT {question};");
        let rows = observed(Kind::MariaDb, &[("001_a.up.sql", &first), ("002_b.up.sql", &second)]).await;
        assert_eq!(rows, [expected], "{first}");
    }
}

#[tokio::test]
async fn nothing_of_a_sqlite_migration_reaches_the_next() {
    for (first, question, expected) in [
        ("ATTACH ':memory:' AS other;", "(SELECT count(*) FROM pragma_database_list WHERE name = 'other')", "0"),
        ("PRAGMA recursive_triggers = ON;", "(SELECT recursive_triggers FROM pragma_recursive_triggers)", "0"),
        ("CREATE TEMP VIEW v AS SELECT 1;", "(SELECT count(*) FROM temp.sqlite_master)", "0"),
    ] {
        let first = format!("CREATE TABLE o (n text);\n{first}\n");
        let second = format!("INSERT INTO o SELECT {question};");
        let rows = observed(Kind::Sqlite, &[("001_a.up.sql", &first), ("002_b.up.sql", &second)]).await;
        assert_eq!(rows, [expected], "{first}");
    }
}

/// The command, a pool and a lent connection give a script the same session.
#[tokio::test]
async fn an_application_and_the_command_give_the_same_session() {
    let files = [(
        "001_a.up.sql",
        "CREATE TABLE o (n text);\nCREATE TABLE cc AS SELECT '1' || '0' AS x;\nCREATE TABLE position (id INT);\n\
         INSERT INTO position (id) VALUES (1);\nCREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 3;\n\
         INSERT INTO o VALUES (@@sql_mode), (@@time_zone), (@@character_set_client), (@@collation_connection), (@@wait_timeout);\n\
         INSERT INTO o SELECT x FROM cc;\n",
    )];
    let read = async |database: &TestDatabase| {
        let mut rows = database.rows("SELECT n FROM o").await;
        let modes = "SELECT sql_mode, character_set_client, collation_connection FROM information_schema.ROUTINES WHERE ROUTINE_NAME = 'f' AND ROUTINE_SCHEMA = DATABASE()";
        rows.extend(database.rows(modes).await);
        rows
    };
    let command = TestDatabase::new(Kind::MariaDb).await;
    let folder = folder(Kind::MariaDb, &files, "");
    let (done, messages) = up(&command, &folder);
    assert!(done, "{messages}");
    let expected = read(&command).await;
    assert!(!expected.iter().any(|row| row.contains("IGNORE_SPACE") || row.contains("PIPES_AS_CONCAT")), "{expected:?}");
    command.drop().await;
    let set = folder.set(Kind::MariaDb.dialect());
    for lent in [false, true] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let pool = sqlx::mysql::MySqlPoolOptions::new().max_connections(1).connect(&database.url).await.unwrap();
        if lent {
            let mut connection = pool.acquire().await.unwrap();
            Migrator::new(&set).run(&mut *connection).await.unwrap();
        } else {
            Migrator::new(&set).run(&pool).await.unwrap();
        }
        assert_eq!(read(&database).await, expected, "lent: {lent}");
        let mode: String = sqlx::query_scalar("SELECT @@sql_mode").fetch_one(&pool).await.unwrap();
        assert!(mode.contains("PIPES_AS_CONCAT"), "the application's session is as the driver has set it: {mode}");
        pool.close().await;
        database.drop().await;
    }
}

#[tokio::test]
async fn a_pool_is_as_before_after_a_run() {
    let postgres = [
        ("001_a.up.sql", "CREATE TABLE p (id int);\nINSERT INTO p VALUES (1), (2), (3);"),
        (
            "002_b.up.sql",
            "SET app.tenant = 'leaked';\nSET work_mem = '77MB';\nCREATE TEMP TABLE p AS SELECT 99 AS id;\nINSERT INTO public.p SELECT id + 1 FROM p;",
        ),
    ];
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = folder(Kind::Postgres, &postgres, "session = \"SET search_path = public\"\n").set(Kind::Postgres.dialect());
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect(&database.url).await.expect(DRIVER_URL);
    Migrator::new(&set).run(&pool).await.unwrap();
    Migrator::new(&set).status(&pool).await.unwrap();
    assert!(Migrator::new(&set).is_up_to_date(&pool).await.unwrap());
    let question = "SELECT coalesce(current_setting('app.tenant', true), 'null') || ' ' || current_setting('work_mem') || ' ' || \
                    (SELECT count(*) FROM p) || ' ' || current_setting('search_path')";
    let answer: String = sqlx::query_scalar(question).fetch_one(&pool).await.unwrap();
    assert_eq!(answer, "null 4MB 4 \"$user\", public");
    pool.close().await;
    database.drop().await;
}

#[tokio::test]
async fn a_lent_connection_is_put_back() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let files = [(
        "001_a.up.sql",
        "CREATE TABLE o (n text);\nINSERT INTO o VALUES (current_setting('work_mem'));\nSET statement_timeout = '1h';\n\
         CREATE TEMP TABLE p AS SELECT 1 AS n;\nPREPARE q AS SELECT 1;\nLISTEN c;\nSELECT pg_advisory_lock(7), pg_advisory_lock(7);",
    )];
    let set = folder(Kind::Postgres, &files, "").set(Kind::Postgres.dialect());
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let prepare =
        "SET work_mem = '9MB'; SET timezone = 'Asia/Tokyo'; CREATE TEMP TABLE mine (id int); PREPARE m AS SELECT 1; LISTEN d";
    sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut connection).await.unwrap();
    Migrator::new(&set).lock(LockStrategy::Session).run(&mut connection).await.unwrap();
    let question = "SELECT concat_ws(' ', current_setting('work_mem'), current_setting('timezone'), current_setting('statement_timeout'), \
                    to_regclass('mine'), to_regclass('p'), (SELECT string_agg(name, '') FROM pg_prepared_statements WHERE name IN ('m', 'q')), \
                    (SELECT string_agg(c, '') FROM pg_listening_channels() c), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))";
    let answer: String = sqlx::raw_sql(AssertSqlSafe(question)).fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(answer, "9MB Asia/Tokyo 0 mine m d 0");
    assert_eq!(database.rows("SELECT n FROM o").await, ["4MB"], "the script does not see the settings of the application");
    connection.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn a_lent_mariadb_connection_is_put_back() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let files = [(
        "001_a.up.sql",
        "CREATE TABLE o (n text);\nINSERT INTO o VALUES (@@SESSION.max_statement_time);\nSET @x = 5;\nSET SESSION max_statement_time = 77;\n\
         CREATE TEMPORARY TABLE p AS SELECT 1 AS n;\nINSERT INTO o SELECT n FROM p;\nSET timestamp = 1000000000;\n\
         INSERT INTO o SELECT YEAR(NOW());\nSET @z = 1, @y = 2, @w = 3;\nSET insert_id = 77, last_insert_id = 78;",
    )];
    let set = folder(Kind::MariaDb, &files, "").set(Kind::MariaDb.dialect());
    let mut connection = sqlx::MySqlConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("SET SESSION max_statement_time = 9, @x = 'mine', last_insert_id = 5, timestamp = 86400 * 366, @z = x'ff00', @y = _latin1 x'e9', @w = 5.25")
        .execute(&mut connection)
        .await
        .unwrap();
    Migrator::new(&set).run(&mut connection).await.unwrap();
    let question = "SELECT CONCAT_WS(' ', @@SESSION.max_statement_time, @x, @@time_zone, YEAR(NOW()), LAST_INSERT_ID(), @@insert_id, HEX(@z), CHARSET(@y), HEX(@y), @w)";
    let answer: String = sqlx::raw_sql(question).fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(answer, "9.000000 mine +00:00 1971 5 0 FF00 latin1 E9 5.25");
    assert!(sqlx::raw_sql("SELECT * FROM p").fetch_all(&mut connection).await.is_err(), "the temporary table is dropped");
    assert_eq!(database.rows("SELECT n FROM o").await, ["0", "1", "2001"]);
    connection.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn a_database_in_memory_is_put_back() {
    let files = [
        (
            "001_a.up.sql",
            "CREATE TABLE p (id);\nATTACH ':memory:' AS other;\nPRAGMA recursive_triggers = ON;\nCREATE TEMP TABLE t (id);",
        ),
        ("002_b.up.sql", "CREATE TABLE t (id); INSERT INTO t VALUES (5);"),
    ];
    let set = folder(Kind::Sqlite, &files, "").set(Kind::Sqlite.dialect());
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    Migrator::new(&set).run(&pool).await.unwrap();
    let question = "SELECT (SELECT count(*) FROM pragma_database_list WHERE name = 'other') || ' ' || \
                    (SELECT recursive_triggers FROM pragma_recursive_triggers) || ' ' || (SELECT id FROM t) || ' ' || \
                    (SELECT count(*) FROM temp.sqlite_master)";
    let answer: String = sqlx::query_scalar(question).fetch_one(&pool).await.unwrap();
    assert_eq!(answer, "0 0 5 0");
}

/// What cannot be removed from a session that others use is refused before anything runs.
#[tokio::test]
async fn a_lent_connection_refuses_what_cannot_be_put_back() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = folder(Kind::Postgres, &[("001_a.up.sql", "CREATE TABLE t (id int); SET app.tenant = 'x';")], "");
    let set = set.set(Kind::Postgres.dialect());
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let error = Migrator::new(&set).lock(LockStrategy::Session).run(&mut connection).await.unwrap_err();
    assert_eq!(error.code().name, "needs-session", "{error}");
    assert!(database.tables().await.is_empty());
    connection.close().await.unwrap();
    database.drop().await;
}

#[tokio::test]
async fn a_transaction_of_the_application_is_not_touched() {
    let files = [("001_a.up.sql", "CREATE TABLE t (id int);")];
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE mine (id int)").await;
        let set = folder(kind, &files, "").set(kind.dialect());
        macro_rules! check {
            ($connection:ty) => {{
                let mut connection = <$connection>::connect(&database.url).await.unwrap();
                let mut transaction = connection.begin().await.unwrap();
                sqlx::raw_sql("INSERT INTO mine VALUES (1)").execute(&mut *transaction).await.unwrap();
                let error = Migrator::new(&set).run(&mut *transaction).await.unwrap_err();
                assert_eq!(error.code().name, "in-transaction", "{error}");
                assert_eq!(Migrator::new(&set).status(&mut *transaction).await.unwrap_err().code().name, "in-transaction");
                sqlx::raw_sql("INSERT INTO mine VALUES (2)").execute(&mut *transaction).await.unwrap();
                transaction.rollback().await.unwrap();
                connection.close().await.unwrap();
            }};
        }
        match kind {
            Kind::Postgres => check!(sqlx::PgConnection),
            Kind::MariaDb => check!(sqlx::MySqlConnection),
            Kind::Sqlite => check!(sqlx::SqliteConnection),
        }
        assert_eq!(database.value("SELECT count(*) FROM mine").await, "0", "{kind:?}: the rollback undoes all");
        assert_eq!(database.tables().await, ["mine"], "{kind:?}");
        database.drop().await;
    }
}

/// Statements below the point of resumption see the settings that were in effect there.
#[tokio::test]
async fn a_resumed_file_has_the_settings_of_its_place() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let schema = "CREATE SCHEMA app; CREATE TABLE app.users (id int); CREATE TABLE public.users (id int); INSERT INTO public.users VALUES (1);";
    let second = "SELECT pg_catalog.set_config('search_path', 'app', false);\nCREATE INDEX CONCURRENTLY i ON users (id);\n\
                  BEGIN;\nSET work_mem = '9MB';\nCOMMIT;\nINSERT INTO missing VALUES (1);\nDELETE FROM users;\nCREATE TABLE o AS SELECT current_setting('work_mem') AS n;";
    let folder = folder(Kind::Postgres, &[("001_a.up.sql", schema), ("002_b.up.sql", second)], "");
    let (done, messages) = up(&database, &folder);
    assert!(!done && messages.contains("missing"), "{messages}");
    database.execute("CREATE TABLE app.missing (id int)").await;
    let (done, messages) = up(&database, &folder);
    assert!(done, "{messages}");
    assert_eq!(database.value("SELECT count(*) FROM public.users").await, "1", "the table of the other schema is not emptied");
    assert_eq!(database.rows("SELECT n FROM app.o").await, ["9MB"]);
    database.drop().await;
}

/// A setting that only seems to replace the one before does not take its place when the file resumes.
#[tokio::test]
async fn a_resumed_file_has_all_parts_of_its_settings() {
    for (settings, value) in [
        ("SET search_path = app; SET search_path FROM CURRENT;", "current_setting('search_path')"),
        ("SET DateStyle TO DMY; SET DateStyle TO German;", "current_setting('DateStyle')"),
        (
            "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE; SET SESSION CHARACTERISTICS AS TRANSACTION DEFERRABLE;",
            "concat(current_setting('default_transaction_isolation'), current_setting('default_transaction_deferrable'))",
        ),
        ("SET session.user_id = '7'; SET session.tenant = 'acme';", "concat(current_setting('session.user_id', true), '/acme')"),
        ("SET app.a.b = '1'; SET app.a.c = '2';", "concat(current_setting('app.a.b', true), '/2')"),
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute("CREATE SCHEMA app").await;
        let query = format!("INSERT INTO public.log SELECT {value};");
        let text = |number: &str| {
            format!("-- migrate: no-transaction\n{settings}\n{query}\nINSERT INTO public.n VALUES ({number});\n{query}\n")
        };
        database.execute("CREATE TABLE log (x text); CREATE TABLE n (i int)").await;
        let folder = folder(Kind::Postgres, &[("001_a.up.sql", &text("'nope'"))], "");
        let (done, messages) = up(&database, &folder);
        assert!(!done && messages.contains("nope"), "{messages}");
        folder.write("migrations/001_a.up.sql", &text("1"));
        let (done, messages) = up(&database, &folder);
        assert!(done, "{messages}");
        let rows = database.rows("SELECT x FROM log").await;
        assert!(rows.len() == 2 && rows[0] == rows[1], "{settings}: {rows:?}");
        database.drop().await;
    }
}

#[tokio::test]
async fn a_pooler_refuses_what_a_later_statement_may_need() {
    for first in [
        "SELECT pg_catalog.set_config('search_path', 'app', false);",
        "SELECT f();",
        "SELECT set_config('search_path', n, false) FROM c;",
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS ''").await;
        database.execute("CREATE TABLE users (id int); CREATE TABLE c (n text); INSERT INTO users VALUES (1)").await;
        let text = format!("{first}\nCREATE INDEX CONCURRENTLY i ON users (id);\nDELETE FROM users;");
        let folder = folder(Kind::Postgres, &[("001_a.up.sql", &text)], "");
        let url = database.through(&pgbouncer());
        let output = Binary::inside(folder.path()).command(&["up", "-D", &url]).output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(messages.contains("error[needs-session]"), "{messages}");
        assert_eq!(database.value("SELECT count(*) FROM users").await, "1");
        database.drop_by_force().await;
    }
}

/// A resumed file does not set again what a later statement has replaced: the database or the role may be gone.
#[tokio::test]
async fn settings_that_were_replaced_are_not_set_again() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let name = if kind == Kind::MariaDb { database.value("SELECT database()").await } else { String::new() };
        let role = format!("gone_{}", std::process::id());
        let (setup, text) = match kind {
            Kind::Postgres => (
                format!("CREATE ROLE {role}"),
                format!(
                    "-- migrate: no-transaction\nSET ROLE {role};\nRESET ROLE;\nDROP ROLE {role};\nINSERT INTO missing VALUES (1);"
                ),
            ),
            _ => (
                format!("CREATE DATABASE {name}_old"),
                format!(
                    "USE {name}_old;\nCREATE TABLE a (id int);\nUSE {name};\nPREPARE s FROM 'SELECT 1 FROM {name}_old.a';\n\
                     DEALLOCATE PREPARE s;\nDROP DATABASE {name}_old;\nINSERT INTO missing VALUES (1);"
                ),
            ),
        };
        database.execute(&setup).await;
        let folder = folder(kind, &[("001_a.up.sql", &text)], "");
        assert!(!up(&database, &folder).0);
        database.execute("CREATE TABLE missing (id int)").await;
        let (done, messages) = up(&database, &folder);
        assert!(done, "{kind:?}: {messages}");
        assert_eq!(database.value("SELECT count(*) FROM missing").await, "1");
        database.drop().await;
    }
}

#[tokio::test]
async fn a_rest_that_may_need_a_lost_session_is_not_resumed() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE FUNCTION f() RETURNS void LANGUAGE sql AS ''; CREATE TABLE t (id int)").await;
    let text = "SELECT f();\nCREATE INDEX CONCURRENTLY i ON t (id);\nINSERT INTO missing VALUES (1);\nDELETE FROM t;";
    let folder = folder(Kind::Postgres, &[("001_a.up.sql", text)], "");
    assert!(!up(&database, &folder).0);
    database.execute("CREATE TABLE missing (id int)").await;
    let (done, messages) = up(&database, &folder);
    assert!(
        !done
            && messages.contains(
                "the session is lost, and the remaining statements may depend on what statement 1 did in that session: SELECT f()"
            ),
        "{messages}"
    );
    let migrator = Migrator::new(folder.set(Kind::Postgres.dialect()));
    let version: migrate_runtime::Version = "001".parse().unwrap();
    migrator.resolve(&database.url, &version, Resolution::Retry).await.unwrap();
    let (done, messages) = up(&database, &folder);
    assert!(done, "{messages}");
    assert_eq!(database.value("SELECT count(*) FROM missing").await, "1");
    database.drop().await;
}

#[tokio::test]
async fn a_variable_is_not_a_setting_if_its_value_writes() {
    let files = [(
        "001_a.up.sql",
        "CREATE TABLE o (n INT);\nCREATE FUNCTION seed() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO o VALUES (7); RETURN 1; END;\nSET @x = seed();\nSET @y = seed();",
    )];
    assert_eq!(observed(Kind::MariaDb, &files).await, ["7", "7"]);
}

/// `ROW_COUNT()` and `LAST_INSERT_ID()` are those of the statement before, also in a file that is not one transaction.
#[tokio::test]
async fn results_of_the_previous_statement_are_kept() {
    let files = [(
        "001_a.up.sql",
        "CREATE TABLE o (n INT);\nCREATE TABLE i (id INT AUTO_INCREMENT PRIMARY KEY, o INT);\nINSERT INTO i VALUES (41, 1), (42, 1);\n\
         UPDATE i SET o = 2;\nINSERT INTO o VALUES (ROW_COUNT());\nINSERT INTO i (o) VALUES (5);\nCREATE TABLE x (id INT);\nINSERT INTO o VALUES (LAST_INSERT_ID());",
    )];
    assert_eq!(observed(Kind::MariaDb, &files).await, ["2", "43"]);
}

#[tokio::test]
async fn an_attached_database_is_attached_again() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let other = tempfile::TempDir::new().unwrap();
    let text = format!(
        "ATTACH '{}' AS other;\nCREATE TABLE other.a (id);\nINSERT INTO missing VALUES (1);\nINSERT INTO other.a VALUES (1);",
        other.path().join("other.db").display()
    );
    let folder = folder(Kind::Sqlite, &[("001_a.up.sql", &text)], "");
    assert!(!up(&database, &folder).0);
    database.execute("CREATE TABLE missing (id)").await;
    let (done, messages) = up(&database, &folder);
    assert!(done, "{messages}");
    database.drop().await;
}

#[tokio::test]
async fn session_statements_may_contain_comments_and_must_all_succeed() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let setting = match kind {
            Kind::Postgres => "SET work_mem = '9MB' -- enough",
            Kind::MariaDb => "SET SESSION max_statement_time = 9 -- enough",
            Kind::Sqlite => "PRAGMA recursive_triggers = ON -- enough",
        };
        let files = [("001_a.up.sql", "CREATE TABLE o (n text);"), ("002_b.up.sql", "CREATE TABLE t (n text);")];
        let (done, messages) = up(&database, &folder(kind, &files, &format!("session = \"{setting}\"\n")));
        assert!(done, "{kind:?}: {messages}");
        database.drop().await;
    }
    let database = TestDatabase::new(Kind::Postgres).await;
    let settings = "session = [\"SET work_mem = '9MB'\", \"SET nothing_like_this = 1\"]\n";
    let set = folder(Kind::Postgres, &[("001_a.up.sql", "CREATE TABLE t (id int);")], settings).set(Kind::Postgres.dialect());
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    Migrator::new(&set).lock(LockStrategy::Session).run(&mut connection).await.unwrap_err();
    let value: String = sqlx::raw_sql("SHOW work_mem").fetch_one(&mut connection).await.unwrap().get(0);
    assert_eq!(value, "4MB");
    connection.close().await.unwrap();
    database.drop().await;
}

/// Another role in `session`, and in a file that runs outside a transaction.
/// The transactions of a run are its own, whatever `session` says.
#[tokio::test]
async fn session_does_not_change_what_commits() {
    let files = [("001_a.up.sql", "CREATE TABLE t (id int);\nINSERT INTO t VALUES (1);"), ("002_b.up.sql", "CALL p();")];
    for setting in ["SET autocommit = 0", "SET SESSION completion_type = 1", "SET completion_type = 'RELEASE'"] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        database.execute("CREATE PROCEDURE p() INSERT INTO t VALUES (2)").await;
        let (done, messages) = up(&database, &folder(Kind::MariaDb, &files, &format!("session = \"{setting}\"\n")));
        assert!(done, "{setting}: {messages}");
        assert_eq!(database.rows("SELECT id FROM t ORDER BY id").await, ["1", "2"], "{setting}");
        database.drop().await;
    }
}

#[tokio::test]
async fn another_role_may_own_the_history_or_run_a_file() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let name = database.url.rsplit_once('/').unwrap().1;
    let (owner, user, other) = (format!("{name}_owner"), format!("{name}_user"), format!("{name}_other"));
    database
        .execute(&format!(
            "CREATE ROLE {owner}; CREATE ROLE {other}; CREATE ROLE {user} LOGIN NOINHERIT; GRANT {owner} TO {user}; GRANT {other} TO {owner}; GRANT {other} TO {user}; \
             CREATE SCHEMA app AUTHORIZATION {owner}; CREATE SCHEMA work AUTHORIZATION {other}; GRANT USAGE ON SCHEMA app TO {other}"
        ))
        .await;
    let url = database.url.replace("postgres@", &format!("{user}@"));
    let files = [
        ("001_a.up.sql", "CREATE TABLE app.t (id int);".to_owned()),
        (
            "002_b.up.sql",
            format!(
                "-- migrate: no-transaction\nSET ROLE {other};\nCREATE TABLE work.t (id int);\nCREATE INDEX CONCURRENTLY i ON work.t (id);\nINSERT INTO work.t VALUES (1);"
            ),
        ),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let settings = format!("session = \"SET ROLE {owner}\"\n[history]\nschema = \"app\"\n");
    let folder = folder(Kind::Postgres, &files, &settings);
    for arguments in [&["up"][..], &["up"], &["status"], &["up"]] {
        let output = Binary::inside(folder.path()).command(arguments).args(["-D", &url]).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let owners = "SELECT tablename || ' ' || tableowner FROM pg_tables WHERE tablename = 't' ORDER BY 1";
    assert_eq!(database.rows(owners).await, [format!("t {other}"), format!("t {owner}")]);
    let set = folder.set(Kind::Postgres.dialect());
    assert!(Migrator::new(&set).is_up_to_date(&url).await.unwrap());
    database.execute(&format!("DROP OWNED BY {owner}, {other}, {user}; DROP ROLE {owner}, {other}, {user}")).await;
    database.drop().await;
}

#[tokio::test]
async fn an_error_in_a_lent_session_leaves_no_lock() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = folder(Kind::Postgres, &[("001_a.up.sql", "CREATE TABLE t (id int);")], "").set(Kind::Postgres.dialect());
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    let version: migrate_runtime::Version = "009".parse().unwrap();
    for _ in 0..2 {
        let error = Migrator::new(&set).lock(LockStrategy::Session).repair(&mut connection, &version).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnknownVersion, "{error}");
        let locks: i64 =
            sqlx::query_scalar("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(locks, 0);
    }
    connection.close().await.unwrap();
    database.drop().await;
}

/// A temporary table of the application must not take the rows that are meant for the table of that name.
#[tokio::test]
async fn a_temporary_table_of_a_lent_connection_hides_no_table() {
    let files = [("001_a.up.sql", "CREATE TABLE users (id int);"), ("002_b.up.sql", "INSERT INTO users VALUES (1);")];
    let database = TestDatabase::new(Kind::Postgres).await;
    let set = folder(Kind::Postgres, &files, "").set(Kind::Postgres.dialect());
    let mut connection = sqlx::PgConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("CREATE TEMP TABLE users (id int)").execute(&mut connection).await.unwrap();
    let error = Migrator::new(&set).run(&mut connection).await.unwrap_err();
    assert_eq!(error.code().name, "needs-session", "{error}");
    sqlx::raw_sql("DROP TABLE users").execute(&mut connection).await.unwrap();
    Migrator::new(&set).run(&mut connection).await.unwrap();
    assert_eq!(database.value("SELECT count(*) FROM users").await, "1");
    connection.close().await.unwrap();
    database.drop().await;
    let database = TestDatabase::new(Kind::Sqlite).await;
    let set = folder(Kind::Sqlite, &files, "").set(Kind::Sqlite.dialect());
    let mut connection = sqlx::SqliteConnection::connect(&database.url).await.unwrap();
    sqlx::raw_sql("CREATE TEMP TABLE users (id int)").execute(&mut connection).await.unwrap();
    assert_eq!(Migrator::new(&set).run(&mut connection).await.unwrap_err().code().name, "needs-session");
    connection.close().await.unwrap();
    database.drop().await;
}

/// One history for each tenant, chosen by `session`.
#[tokio::test]
async fn the_place_of_the_history_follows_session() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE SCHEMA t1; CREATE SCHEMA t2").await;
    for schema in ["t1", "t2", "t2"] {
        let settings = format!("session = \"SET search_path = {schema}\"\n[history]\nignore = [\"other-schema\"]\n");
        let (done, messages) = up(&database, &folder(Kind::Postgres, &[("001_a.up.sql", "CREATE TABLE t (id int);")], &settings));
        assert!(done, "{schema}: {messages}");
    }
    let tables = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE tablename IN ('t', 'migration_records') ORDER BY 1";
    assert_eq!(database.rows(tables).await, ["t1.migration_records", "t1.t", "t2.migration_records", "t2.t"]);
    database.drop().await;
}

/// What leaves something that a rest may need, in forms that are easily overlooked.
#[tokio::test]
async fn a_rest_is_not_resumed_after_hidden_session_state() {
    for (kind, before) in [
        (Kind::Postgres, "SELECT * INTO TEMPORARY users FROM public.users;"),
        (Kind::Postgres, "WITH w AS (SELECT * FROM public.users) SELECT * INTO TEMP users FROM w;"),
        (Kind::Postgres, "SET search_path = pg_temp, public;\nCREATE TABLE users AS SELECT * FROM public.users;"),
        (
            Kind::Postgres,
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app, public', current_database()); END $$;",
        ),
        (Kind::MariaDb, "CREATE PROCEDURE c(OUT n INT) SELECT COUNT(*) INTO n FROM users;\nCALL c(@n);"),
        (Kind::MariaDb, "SET @b = UTC_TIMESTAMP;"),
        (Kind::Sqlite, "ATTACH ':memory:' AS w;\nCREATE TABLE IF NOT EXISTS w.ids AS SELECT id FROM users;"),
    ] {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE users (id int); INSERT INTO users VALUES (1), (2)").await;
        let vacuum = if kind == Kind::Postgres { "VACUUM public.users;" } else { "CREATE TABLE x (a int);" };
        let audit = if kind == Kind::Postgres { "public.audit" } else { "audit" };
        let text = format!("-- migrate: no-transaction\n{before}\n{vacuum}\nINSERT INTO {audit} VALUES (1);\nDELETE FROM users;");
        let folder = folder(kind, &[("001_a.up.sql", &text)], "");
        assert!(!up(&database, &folder).0, "{before}");
        database.execute(&format!("CREATE TABLE {audit} (a int)")).await;
        let (done, messages) = up(&database, &folder);
        assert!(!done && messages.contains("--not-applied"), "{before}: {messages}");
        let users = if kind == Kind::Postgres { "public.users" } else { "users" };
        assert_eq!(database.value(&format!("SELECT count(*) FROM {users}")).await, "2", "{before}");
        database.drop().await;
    }
}

/// Between two migrations, the connection is replaced, and the server allows no second one.
#[tokio::test]
async fn one_connection_is_enough() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let user = format!("{}_one", database.url.rsplit('/').next().unwrap());
        let (setup, cleanup, first) = match kind {
            Kind::Postgres => (
                vec![format!("CREATE ROLE {user} LOGIN CONNECTION LIMIT 1"), format!("GRANT CREATE ON SCHEMA public TO {user}")],
                format!("DROP OWNED BY {user}; DROP ROLE {user}"),
                "-- migrate: no-transaction\nSET work_mem = '77MB';\nCREATE TABLE a (id int);\nSELECT setseed(0.5);",
            ),
            _ => (
                ["localhost", "%"]
                    .iter()
                    .flat_map(|host| {
                        [
                            format!("CREATE USER '{user}'@'{host}' IDENTIFIED BY 'secret' WITH MAX_USER_CONNECTIONS 1"),
                            format!("GRANT ALL ON *.* TO '{user}'@'{host}'"),
                        ]
                    })
                    .collect(),
                format!("DROP USER '{user}'@'localhost', '{user}'@'%'"),
                "CREATE TABLE a (id int);\nCREATE TEMPORARY TABLE b (id int);",
            ),
        };
        for statement in setup {
            database.execute(&statement).await;
        }
        let as_superuser = if kind == Kind::Postgres { "postgres@" } else { "migrate:" };
        let url = database.url.replacen(as_superuser, &format!("{user}{}", &as_superuser[as_superuser.len() - 1..]), 1);
        let folder = folder(
            kind,
            &[
                ("001_a.up.sql", first),
                ("002_b.up.sql", first.replace(" a ", " c ").as_str()),
                ("003_c.up.sql", "CREATE TABLE d (id int);"),
            ],
            "",
        );
        let output = Binary::inside(folder.path()).command(&["up", "-D", &url]).output().unwrap();
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{kind:?}: {messages}");
        assert!(!messages.contains("Waiting"), "a run waits for nobody: {messages}");
        database.execute(&cleanup).await;
        database.drop().await;
    }
}
