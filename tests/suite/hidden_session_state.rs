//! What a statement leaves in its session although its text does not show it: triggers, sequences, `SET STATEMENT`, overloaded
//! routines, computed statements.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder, pgbouncer};
use sqlx::{AssertSqlSafe, Connection, MySqlConnection};

fn folder(kind: Kind, files: &[(&str, &str)]) -> TestFolder {
    let folder = TestFolder::new(files);
    let database = kind.dialect().name();
    folder.write("migrate.toml", &format!("service = \"app\"\ndatabase = \"{database}\"\nlint = \"off\"\n"));
    folder
}

fn up(url: &str, folder: &TestFolder) -> (bool, String) {
    let output = Binary::inside(folder.path()).command(&["up", "-D", url]).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A trigger of a table `t` that leaves a setting or a variable.
const TRIGGER: &str = "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS \
    $$ BEGIN PERFORM set_config('work_mem', '77MB', false); RETURN NEW; END $$;\n\
    CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();";

#[tokio::test]
async fn what_a_trigger_sets_does_not_pass_a_pooler() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let first = format!("CREATE TABLE t (id int);\nCREATE VIEW v AS SELECT * FROM t;\nCREATE TABLE o (n text);\n{TRIGGER}");
    let files = [
        ("001_a.up.sql", first.as_str()),
        ("002_b.up.sql", "INSERT INTO t VALUES (1);"),
        ("003_c.up.sql", "INSERT INTO o SELECT current_setting('work_mem');"),
        ("004_d.up.sql", "INSERT INTO v VALUES (1);\nCREATE INDEX CONCURRENTLY i ON t (id);\nINSERT INTO o VALUES ('later');"),
    ];
    let url = database.through(&pgbouncer());
    let (done, messages) = up(&url, &folder(Kind::Postgres, &files));
    assert!(!done && messages.contains("error[needs-session]"), "{messages}");
    assert_eq!(database.rows("SELECT n FROM o").await, ["4MB"], "the next migration does not see it");
    database.drop_by_force().await;
}

#[tokio::test]
async fn a_rest_is_not_resumed_after_a_trigger_that_sets_something() {
    let nested = "CREATE FUNCTION h() RETURNS void LANGUAGE sql AS $$ SELECT set_config('app.tenant', 'x', false) $$;\n\
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM h(); RETURN NEW; END $$;\n\
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();";
    let harmless = "CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.id := NEW.id + 1; RETURN NEW; END $$;\n\
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();";
    let cascade = "CREATE TABLE u (id int);\n\
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO u VALUES (1); RETURN NEW; END $$;\n\
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION g();\n\
        CREATE FUNCTION h() RETURNS trigger LANGUAGE plpgsql AS \
        $$ BEGIN PERFORM set_config('app.tenant', 'x', false); RETURN NEW; END $$;\n\
        CREATE TRIGGER h BEFORE INSERT ON u FOR EACH ROW EXECUTE FUNCTION h();";
    let vacuum = "INSERT INTO t VALUES (1);\nVACUUM t;\nINSERT INTO missing VALUES (1);\nDELETE FROM t;";
    let variable = "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @tenant = 5;";
    let table =
        "INSERT INTO t VALUES (1);\nCREATE TABLE x (id int);\nINSERT INTO missing VALUES (1);\nDELETE FROM t WHERE id = 1;";
    for (kind, trigger, file, resumes) in [
        (Kind::Postgres, TRIGGER, vacuum, false),
        (Kind::Postgres, nested, vacuum, false),
        (Kind::Postgres, harmless, vacuum, true),
        (Kind::MariaDb, variable, table, false),
        (Kind::MariaDb, "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.id = 7;", table, true),
        // The trigger of one table changes another, which has a trigger.
        (Kind::Postgres, cascade, vacuum, false),
        (
            Kind::MariaDb,
            "CREATE TABLE u (id int);\nCREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW INSERT INTO u VALUES (1);\n\
             CREATE TRIGGER h AFTER INSERT ON u FOR EACH ROW SET @tenant = 5;",
            table,
            false,
        ),
    ] {
        let database = TestDatabase::new(kind).await;
        database.execute(&format!("CREATE TABLE t (id int);\n{trigger}")).await;
        let folder = folder(kind, &[("001_a.up.sql", file)]);
        let (done, messages) = up(&database.url, &folder);
        assert!(!done, "{messages}");
        assert_eq!(messages.contains("--not-applied"), !resumes, "{trigger}: {messages}");
        database.execute("CREATE TABLE missing (id int)").await;
        let (done, messages) = up(&database.url, &folder);
        assert_eq!(done, resumes, "{trigger}: {messages}");
        database.drop().await;
    }
}

/// The names by which a statement fires a trigger that sets a variable.
#[tokio::test]
async fn a_table_with_triggers_has_several_names() {
    let set = "FOR EACH ROW SET @tenant = 5";
    for (first, is_resumed) in [
        ("SET sql_mode = 'ANSI_QUOTES';\nINSERT INTO \"t\" VALUES (1);", false),
        ("INSERT INTO `we``ird` VALUES (1);", false),
        ("RENAME TABLE t TO told, a TO t;\nINSERT INTO t VALUES (1);", false),
        ("ALTER TABLE a RENAME TO b;\nINSERT INTO b VALUES (1);", false),
        ("ALTER TABLE plain RENAME TO b;\nINSERT INTO b VALUES (1);", true),
        ("INSERT INTO c0 VALUES (1);", false),
        ("INSERT INTO plain SELECT id FROM v7;", false),
    ] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let mut tables = format!(
            "CREATE TABLE t (id int); CREATE TABLE a (id int); CREATE TABLE plain (id int); CREATE TABLE kept (id int); CREATE TABLE `we``ird` (id int);\n\
             CREATE TABLE c7 (id int); CREATE TRIGGER ga BEFORE INSERT ON a {set}; CREATE TRIGGER gw BEFORE INSERT ON `we``ird` {set};\n\
             CREATE TRIGGER gt BEFORE INSERT ON t {set}; CREATE TRIGGER gc BEFORE INSERT ON c7 {set};\n\
             CREATE FUNCTION f() RETURNS int BEGIN SET @tenant = 5; RETURN 1; END;\nCREATE VIEW v0 AS SELECT f() AS id;\n"
        );
        // Each table fires the trigger of the next one, and each view reads the one before.
        for at in (0..7).rev() {
            tables += &format!(
                "CREATE TABLE c{at} (id int); CREATE TRIGGER gc{at} AFTER INSERT ON c{at} FOR EACH ROW INSERT INTO c{} VALUES (1);\n",
                at + 1
            );
        }
        for at in 0..7 {
            tables += &format!("CREATE VIEW v{} AS SELECT id FROM v{at};\n", at + 1);
        }
        database.execute(&tables).await;
        let file = format!("{first}\nCREATE TABLE x (id int);\nINSERT INTO missing VALUES (1);\nDELETE FROM kept;");
        let next = "CREATE TABLE o AS SELECT COALESCE(@tenant, 'null') AS n";
        let folder = folder(Kind::MariaDb, &[("001_a.up.sql", &file), ("002_b.up.sql", next)]);
        let (done, messages) = up(&database.url, &folder);
        assert!(!done && messages.contains(".missing"), "{first}: {messages}");
        database.execute("CREATE TABLE missing (id int)").await;
        let (done, messages) = up(&database.url, &folder);
        assert_eq!(done, is_resumed, "{first}: {messages}");
        if !done {
            Binary::inside(folder.path()).ok(&["resolve", "001", "--applied", "-D", &database.url, "--yes"]);
            assert!(up(&database.url, &folder).0);
        }
        assert_eq!(database.rows("SELECT n FROM o").await, ["null"], "{first}");
        database.drop().await;
    }
}

/// Another application on the server has a table of the same name, with triggers that the script does not fire.
#[tokio::test]
async fn triggers_of_another_database_do_not_count() {
    let other = TestDatabase::new(Kind::MariaDb).await;
    let triggers = "CREATE TABLE t (id int);\nCREATE FUNCTION f() RETURNS int RETURN GET_LOCK('f', 0);\n\
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @tenant = f(), @rows = ROW_COUNT();";
    other.execute(triggers).await;
    let harmless = "CREATE TABLE t (id int);\nCREATE FUNCTION f() RETURNS int RETURN 1;\n\
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.id = f();";
    for (table, resumes) in [("t".to_owned(), true), (format!("{}.t", other.value("SELECT DATABASE()").await), false)] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        database.execute(harmless).await;
        let rest = "CREATE TABLE x (id int);\nINSERT INTO missing VALUES (1);\nDELETE FROM t;";
        let file = format!("INSERT INTO {table} VALUES (1);\n{rest}");
        let folder = folder(Kind::MariaDb, &[("001_a.up.sql", &file)]);
        let (done, messages) = up(&database.url, &folder);
        assert!(!done && messages.contains(".missing"), "{table}: {messages}");
        database.execute("CREATE TABLE missing (id int)").await;
        let (done, messages) = up(&database.url, &folder);
        assert_eq!(done, resumes, "{table}: {messages}");
        database.drop().await;
    }
    other.drop().await;
}

#[tokio::test]
async fn a_variable_of_a_trigger_does_not_reach_the_next_migration() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let files = [
        // Before this one, the catalog is asked for all of them: there are no triggers yet.
        ("001_a.up.sql", "CREATE TABLE t (id int);\nCREATE TABLE o (n text);\nINSERT INTO t VALUES (1);"),
        ("002_b.up.sql", "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @x = 5;"),
        ("003_c.up.sql", "INSERT INTO t VALUES (1);"),
        ("004_d.up.sql", "INSERT INTO o SELECT COALESCE(@x, 'null');"),
    ];
    let (done, messages) = up(&database.url, &folder(Kind::MariaDb, &files));
    assert!(done, "{messages}");
    assert_eq!(database.rows("SELECT n FROM o").await, ["null"]);
    database.drop().await;
}

/// What a sequence or a generated key has left is in the session only.
#[tokio::test]
async fn a_generated_value_is_not_read_in_another_session() {
    let keys = "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY)";
    for (kind, before, file) in [
        (
            Kind::Postgres,
            "CREATE TABLE a (id serial)",
            "INSERT INTO a DEFAULT VALUES;\nVACUUM a;\nINSERT INTO missing VALUES (currval('a_id_seq'));",
        ),
        (Kind::Postgres, "CREATE SEQUENCE s", "SELECT nextval('s');\nVACUUM;\nINSERT INTO missing VALUES (lastval());"),
        (
            Kind::MariaDb,
            keys,
            "INSERT INTO a VALUES (NULL);\nCREATE TABLE x (id INT);\nINSERT INTO missing VALUES (LAST_INSERT_ID());",
        ),
        (
            Kind::MariaDb,
            "CREATE SEQUENCE s",
            "DO NEXT VALUE FOR s;\nCREATE TABLE x (id INT);\nINSERT INTO missing VALUES (PREVIOUS VALUE FOR s);",
        ),
        (
            Kind::MariaDb,
            "CREATE SEQUENCE s",
            "SELECT NEXTVAL(s);\nCREATE TABLE x (id INT);\nINSERT INTO missing VALUES (LASTVAL(s));",
        ),
    ] {
        let database = TestDatabase::new(kind).await;
        database.execute(before).await;
        let folder = folder(kind, &[("001_a.up.sql", file)]);
        let (done, messages) = up(&database.url, &folder);
        assert!(!done && messages.contains("missing"), "{file}: {messages}");
        database.execute("CREATE TABLE missing (id int)").await;
        let (done, messages) = up(&database.url, &folder);
        assert!(!done && messages.contains("--not-applied"), "{file}: {messages}");
        assert_eq!(database.value("SELECT count(*) FROM missing").await, "0", "{file}");
        if kind == Kind::Postgres {
            database.execute("DELETE FROM migration_records").await;
            let (done, messages) = up(&database.through(&pgbouncer()), &folder);
            assert!(!done && messages.contains("error[needs-session]"), "{file}: {messages}");
            database.drop_by_force().await;
        } else {
            database.drop().await;
        }
    }
}

/// `SET STATEMENT ... FOR` is what it executes: for the session, for transactions and for retries.
#[tokio::test]
async fn set_statement_is_what_it_executes() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE t (id int); CREATE PROCEDURE p() SET @x = 5").await;
    let text = "SET STATEMENT max_statement_time = 9 FOR INSERT INTO t VALUES (1);\n\
                SET STATEMENT max_statement_time = 9 FOR INSERT INTO missing VALUES (1);";
    let folder = folder(Kind::MariaDb, &[("001_a.up.sql", text)]);
    let (done, messages) = up(&database.url, &folder);
    assert!(!done && messages.contains("rolled back"), "a file of DML is one transaction: {messages}");
    assert_eq!(database.value("SELECT count(*) FROM t").await, "0");
    let text = "SET STATEMENT max_statement_time = 9 FOR CALL p();\nCREATE TABLE x (id INT);\nINSERT INTO missing VALUES (1);\n\
                INSERT INTO t VALUES (@x);";
    folder.write("migrations/001_a.up.sql", text);
    assert!(!up(&database.url, &folder).0);
    database.execute("CREATE TABLE missing (id int)").await;
    let (done, messages) = up(&database.url, &folder);
    assert!(!done && messages.contains("--not-applied"), "{messages}");
    database.drop().await;
}

/// The overload that sets nothing must not hide the one that does.
#[tokio::test]
async fn all_overloads_of_a_routine_count() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let text = "CREATE FUNCTION f(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;\n\
                CREATE FUNCTION f(int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET search_path = app; END $$;\n\
                CREATE FUNCTION f(boolean) RETURNS void LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;\n\
                SELECT f(1);\nVACUUM;\nINSERT INTO app.missing VALUES (1);\nDELETE FROM users;";
    database
        .execute("CREATE SCHEMA app; CREATE TABLE app.users (id int); CREATE TABLE users (id int); INSERT INTO users VALUES (1)")
        .await;
    let folder = folder(Kind::Postgres, &[("001_a.up.sql", text)]);
    assert!(!up(&database.url, &folder).0);
    database.execute("CREATE TABLE app.missing (id int)").await;
    let (done, messages) = up(&database.url, &folder);
    assert!(!done && messages.contains("--not-applied"), "{messages}");
    assert_eq!(database.value("SELECT count(*) FROM public.users").await, "1");
    database.drop().await;
}

#[tokio::test]
async fn a_temporary_table_in_any_spelling_is_temporary() {
    for name in ["\"temp\".\"users\"", "'temp'.users", "[temp].users", "`TEMP`.users"] {
        let database = TestDatabase::new(Kind::Sqlite).await;
        database.execute("CREATE TABLE users (id); INSERT INTO users VALUES (1)").await;
        let text = format!(
            "PRAGMA foreign_keys = OFF;\nBEGIN;\nCREATE TABLE {name} (id);\nCOMMIT;\nINSERT INTO missing VALUES (1);\nDELETE FROM users;"
        );
        let folder = folder(Kind::Sqlite, &[("001_a.up.sql", &text)]);
        assert!(!up(&database.url, &folder).0, "{name}");
        database.execute("CREATE TABLE missing (id)").await;
        let (done, messages) = up(&database.url, &folder);
        assert!(!done && messages.contains("--not-applied"), "{name}: {messages}");
        assert_eq!(database.value("SELECT count(*) FROM main.users").await, "1", "{name}");
        database.drop().await;
    }
}

/// What is computed may be anything.
#[tokio::test]
async fn a_computed_statement_is_not_assumed_to_leave_nothing() {
    for (kind, before) in [
        (
            Kind::Postgres,
            "DO $$ BEGIN EXECUTE format('ALTER %s %I SET search_path = app, public', 'DATABASE', current_database()); END $$;",
        ),
        (Kind::Postgres, "DO $$ BEGIN EXECUTE 'ALTER TABLE users ADD n int; SET search_path = app'; END $$;"),
        (Kind::Postgres, "DO $$ BEGIN EXECUTE 'CREATE ' || 'TEMP TABLE users (id int)'; END $$;"),
        (Kind::MariaDb, "PREPARE s FROM CONCAT('SET @x', ' = 5');\nEXECUTE s;"),
    ] {
        let database = TestDatabase::new(kind).await;
        database.execute("CREATE TABLE users (id int); INSERT INTO users VALUES (1)").await;
        let (between, audit) = match kind {
            Kind::Postgres => ("VACUUM public.users;", "public.audit"),
            _ => ("CREATE TABLE x (a int);", "audit"),
        };
        let text =
            format!("-- migrate: no-transaction\n{before}\n{between}\nINSERT INTO {audit} VALUES (1);\nDELETE FROM users;");
        let folder = folder(kind, &[("001_a.up.sql", &text)]);
        assert!(!up(&database.url, &folder).0, "{before}");
        database.execute(&format!("CREATE TABLE {audit} (a int)")).await;
        let (done, messages) = up(&database.url, &folder);
        assert!(!done && messages.contains("--not-applied"), "{before}: {messages}");
        database.drop().await;
    }
}

/// What a system variable has is another in a new session, unless the session starts with it.
#[tokio::test]
async fn the_value_of_a_system_variable_is_not_computed_again() {
    let computed =
        ["@@timestamp", "@@pseudo_thread_id", "@@last_insert_id", "@@SESSION.identity", "@@rand_seed1", "@@in_transaction"];
    for value in computed.into_iter().chain(["@@last_gtid", "@@GLOBAL.gtid_current_pos", "CURRENT_USER", "@@sql_mode"]) {
        let database = TestDatabase::new(Kind::MariaDb).await;
        database.execute("CREATE TABLE t (a text)").await;
        let text = format!(
            "SET @b = {value}, @c = 1;\nCREATE TABLE x (a INT);\nINSERT INTO missing VALUES (1);\nINSERT INTO t VALUES (@b);"
        );
        let folder = folder(Kind::MariaDb, &[("001_a.up.sql", &text)]);
        assert!(!up(&database.url, &folder).0, "{value}");
        database.execute("CREATE TABLE missing (a int)").await;
        let (done, messages) = up(&database.url, &folder);
        let is_setting = value == "@@sql_mode";
        assert!(done == is_setting && (is_setting || messages.contains("--not-applied")), "{value}: {messages}");
        assert_eq!(database.value("SELECT count(*) FROM t").await, if is_setting { "1" } else { "0" }, "{value}");
        database.drop().await;
    }
}

/// A setting between an `INSERT` and what reads its id does not let the history come between them.
#[tokio::test]
async fn a_setting_does_not_separate_a_value_from_its_reader() {
    for between in ["SET @x = 1;", "SET NAMES utf8mb4;", "SET @x = 1, @y = 2; SET sql_mode = '';", "USE DATABASE;"] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        let between = between.replace("DATABASE", database.url.rsplit_once('/').unwrap().1);
        database.execute("CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT = 77; CREATE TABLE l (n INT)").await;
        let text =
            format!("CREATE TABLE x (a INT);\nINSERT INTO a VALUES ();\n{between}\nINSERT INTO l VALUES (LAST_INSERT_ID());");
        let folder = folder(Kind::MariaDb, &[("001_a.up.sql", &text)]);
        let (done, messages) = up(&database.url, &folder);
        assert!(done, "{between}: {messages}");
        assert_eq!(database.value("SELECT n FROM l").await, "77", "{between}");
        database.drop().await;
    }
}

/// Statements that are one transaction because one reads a value of another are rolled back together, and run again together.
#[tokio::test]
async fn a_failed_reader_is_rolled_back_with_what_it_reads() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    database.execute("CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY)").await;
    let text = "CREATE TABLE x (a INT);\nINSERT INTO a VALUES ();\nSET @x = 1;\nINSERT INTO missing VALUES (LAST_INSERT_ID());";
    let folder = folder(Kind::MariaDb, &[("001_a.up.sql", text)]);
    assert!(!up(&database.url, &folder).0);
    assert_eq!(database.value("SELECT count(*) FROM a").await, "0");
    database.execute("CREATE TABLE missing (a int)").await;
    let (done, messages) = up(&database.url, &folder);
    assert!(done, "{messages}");
    assert_eq!(database.rows("SELECT id FROM a").await, database.rows("SELECT a FROM missing").await);
    database.drop().await;
}

/// An operator of the script is a call of its function.
#[tokio::test]
async fn what_an_operator_sets_does_not_get_lost() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let text = "CREATE FUNCTION f(a int, b int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET search_path = app; RETURN 1; END $$;\n\
                CREATE OPERATOR ## (FUNCTION = f, LEFTARG = int, RIGHTARG = int);\n\
                SELECT 1 ## 2;\nVACUUM public.users;\nINSERT INTO app.missing VALUES (1);\nDELETE FROM users;";
    database
        .execute("CREATE SCHEMA app; CREATE TABLE app.users (id int); CREATE TABLE users (id int); INSERT INTO users VALUES (1)")
        .await;
    let folder = folder(Kind::Postgres, &[("001_a.up.sql", text)]);
    assert!(!up(&database.url, &folder).0);
    database.execute("CREATE TABLE app.missing (id int)").await;
    let (done, messages) = up(&database.url, &folder);
    assert!(!done && messages.contains("--not-applied"), "{messages}");
    assert_eq!(database.value("SELECT count(*) FROM public.users").await, "1");
    database.drop().await;
}

/// The functions that a view calls run with each statement that names the view, or a view of it.
#[tokio::test]
async fn the_query_of_a_mariadb_view_is_read() {
    let schema = "CREATE TABLE o (a int); CREATE TABLE p (n int);
        CREATE FUNCTION f() RETURNS int BEGIN SET @tenant = 7; RETURN 1; END;
        CREATE FUNCTION plain(n int) RETURNS int RETURN n + 1;
        CREATE VIEW v AS SELECT f() AS a; CREATE VIEW w AS SELECT * FROM v; CREATE VIEW x AS SELECT a FROM w WHERE a > 0;
        CREATE VIEW harmless AS SELECT plain(n) AS a, concat(n, 'x') AS b FROM p";
    for (first, resumes) in [
        ("SELECT * FROM v;", false),
        ("INSERT INTO o SELECT * FROM w;", false),
        ("INSERT INTO o SELECT * FROM x;", false),
        ("CREATE TABLE y AS SELECT * FROM w;", false),
        ("CREATE TABLE y (b int) SELECT a FROM v;", false),
        ("DELETE FROM o WHERE a IN (SELECT a FROM v);", false),
        ("DO (SELECT a FROM x);", false),
        ("CREATE VIEW z AS SELECT * FROM x; INSERT INTO o SELECT * FROM z;", false),
        ("CREATE OR REPLACE VIEW z (a) AS SELECT f(); INSERT INTO o SELECT a FROM z;", false),
        ("ANALYZE SELECT * FROM x;", false),
        ("INSERT INTO o SELECT a FROM harmless;", true),
        ("CREATE TABLE y AS SELECT * FROM harmless;", true),
        ("CREATE VIEW z AS SELECT * FROM harmless; INSERT INTO o SELECT a FROM z;", true),
    ] {
        let database = TestDatabase::new(Kind::MariaDb).await;
        for statement in
            schema.split(";\n").flat_map(|line| if line.contains("BEGIN") { vec![line] } else { line.split("; ").collect() })
        {
            database.execute(statement).await;
        }
        let text = format!("{first}\nCREATE TABLE c (a int);\nINSERT INTO missing VALUES (1);\nINSERT INTO o VALUES (@tenant);");
        let folder = folder(Kind::MariaDb, &[("001_a.up.sql", &text)]);
        let (done, messages) = up(&database.url, &folder);
        assert!(!done && messages.contains("missing"), "{first}\n{messages}");
        database.execute("CREATE TABLE missing (a int)").await;
        let (done, messages) = up(&database.url, &folder);
        assert_eq!(done, resumes, "{first}\n{messages}");
        database.drop().await;
    }
}

/// `FOUND_ROWS()` returns how many rows the last query had, also after other statements: nothing of ours is between them.
#[tokio::test]
async fn found_rows_are_those_of_the_script() {
    let before = "CREATE TABLE o (n int, q varchar(9));\nCREATE TABLE a (id int auto_increment primary key, v int);\n\
        INSERT INTO a (v) VALUES (1), (2), (3);\n";
    for rest in [
        "SELECT SQL_CALC_FOUND_ROWS id FROM a LIMIT 1;\nCREATE TABLE z (i int);\nINSERT INTO o SELECT FOUND_ROWS(), 'q';",
        "SELECT SQL_CALC_FOUND_ROWS id FROM a LIMIT 1;\nINSERT INTO a (v) VALUES (0);\nSET @n = FOUND_ROWS();\nINSERT INTO o VALUES (@n, 'q');",
        "SELECT id FROM a WHERE id < 3;\nDROP TABLE IF EXISTS zz;\nINSERT INTO o VALUES (FOUND_ROWS(), 'q');",
        "CREATE FUNCTION nf() RETURNS int RETURN FOUND_ROWS();\nSELECT SQL_CALC_FOUND_ROWS id FROM a LIMIT 1;\n\
         ALTER TABLE o ADD COLUMN x int;\nINSERT INTO o (n) SELECT nf();",
    ] {
        let text = format!("{before}{rest}\n");
        let client = TestDatabase::new(Kind::MariaDb).await;
        let database = TestDatabase::new(Kind::MariaDb).await;
        let mut connection = MySqlConnection::connect(&client.url).await.unwrap();
        for statement in text.trim_end().trim_end_matches(';').split(";\n") {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
        }
        drop(connection);
        let (done, messages) = up(&database.url, &folder(Kind::MariaDb, &[("001_a.up.sql", &text)]));
        assert!(done, "{rest}\n{messages}");
        let expected = client.rows("SELECT n FROM o").await;
        assert_eq!(database.rows("SELECT n FROM o").await, expected, "{rest}");
        client.drop().await;
        database.drop().await;
    }
}

/// The dump of a binary log sets the number of the connection, which the lock does not depend on.
#[tokio::test]
async fn a_script_may_set_the_number_of_its_connection() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let files = [
        ("001_a.up.sql", "SET @@SESSION.pseudo_thread_id = 7;\nCREATE TABLE a (n INT);\nINSERT INTO a VALUES (1);"),
        ("002_b.up.sql", "INSERT INTO a SELECT CONNECTION_ID() = 7;"),
    ];
    let (done, messages) = up(&database.url, &folder(Kind::MariaDb, &files));
    assert!(done, "{messages}");
    assert_eq!(database.rows("SELECT n FROM a").await, ["1", "0"], "the next migration has the number of its own connection");
    database.drop().await;
}

/// Two tables of one name, of which a search path decides; and what sets that path when a command of this name runs.
fn two_tables(tag: &str) -> String {
    format!(
        "CREATE SCHEMA app; CREATE TABLE users (i int); CREATE TABLE app.users (i int); CREATE TABLE big (i int);\n\
         INSERT INTO users VALUES (1); INSERT INTO app.users VALUES (2);\n\
         CREATE FUNCTION moves() RETURNS event_trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM set_config('search_path', 'app,public', false); END $$;\n\
         CREATE EVENT TRIGGER moves ON ddl_command_end WHEN tag IN ('{tag}') EXECUTE FUNCTION moves();"
    )
}

/// The creation of the history tables fires event triggers, too.
#[tokio::test]
async fn the_first_migration_has_a_session_like_any_other() {
    for through_pooler in [false, true] {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute(&two_tables("CREATE TABLE")).await;
        let url = if through_pooler { database.through(&pgbouncer()) } else { database.url.clone() };
        let (done, messages) = up(&url, &folder(Kind::Postgres, &[("001_a.up.sql", "INSERT INTO users VALUES (100);")]));
        assert!(done, "{messages}");
        assert_eq!(database.rows("SELECT i FROM public.users ORDER BY 1").await, ["1", "100"]);
        database.drop_by_force().await;
    }
}

/// What a default value has prepared is in the way of no migration after it.
#[tokio::test]
async fn what_hidden_code_has_prepared_does_not_reach_the_next_migration() {
    let before = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS \
        $$ BEGIN EXECUTE 'PREPARE p AS SELECT 1'; EXECUTE 'DECLARE c CURSOR WITH HOLD FOR SELECT 1'; RETURN 1; END $$;\n\
        CREATE TABLE t (i int DEFAULT f());";
    for through_pooler in [false, true] {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute(before).await;
        let url = if through_pooler { database.through(&pgbouncer()) } else { database.url.clone() };
        let next = "PREPARE p AS INSERT INTO t VALUES (2);\nEXECUTE p;\nDECLARE c CURSOR FOR SELECT 1;";
        let files = [("001_a.up.sql", "INSERT INTO t DEFAULT VALUES;"), ("002_b.up.sql", next)];
        let (done, messages) = up(&url, &folder(Kind::Postgres, &files));
        assert!(done, "{messages}");
        assert_eq!(database.rows("SELECT i FROM t ORDER BY 1").await, ["1", "2"]);
        database.drop_by_force().await;
    }
}

/// A word `SET` that sets nothing in the session does not explain why a setting is another one.
#[tokio::test]
async fn a_set_within_a_statement_is_not_a_setting() {
    let function = "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = pg_catalog AS 'SELECT 1'";
    let triggers = "CREATE TABLE sites (search_path text); INSERT INTO sites VALUES ('');\n\
        CREATE FUNCTION s(text) RETURNS bool LANGUAGE plpgsql AS \
        $$ BEGIN PERFORM set_config('search_path', 'app,public', false); RETURN true; END $$;\n\
        CREATE FUNCTION g() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n\
        CREATE TRIGGER g BEFORE UPDATE ON sites FOR EACH ROW WHEN (s(new.search_path)) EXECUTE FUNCTION g();";
    for (tag, before, statement) in
        [("CREATE FUNCTION", "", function), ("DROP VIEW", triggers, "UPDATE sites SET search_path = '/srv/www'")]
    {
        for through_pooler in [false, true] {
            let database = TestDatabase::new(Kind::Postgres).await;
            database.execute(&format!("{before}\n{}", two_tables(tag))).await;
            let url = if through_pooler { database.through(&pgbouncer()) } else { database.url.clone() };
            let text = format!(
                "-- migrate: no-transaction\n{statement};\nCREATE INDEX CONCURRENTLY i ON public.big (i);\n\
                 INSERT INTO public.missing VALUES (1);\nDELETE FROM users;"
            );
            let folder = folder(Kind::Postgres, &[("001_a.up.sql", &text)]);
            let (done, messages) = up(&url, &folder);
            assert!(!done, "{messages}");
            database.execute("CREATE TABLE missing (i int)").await;
            let (done, messages) = up(&url, &folder);
            assert!(!done, "{statement}, {through_pooler}: {messages}");
            assert_eq!(database.rows("SELECT i FROM public.users UNION ALL SELECT i FROM app.users").await, ["1", "2"]);
            database.drop_by_force().await;
        }
    }
}
