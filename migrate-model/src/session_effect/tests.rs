//! Statements of all dialects and their effects, by table.

use super::catalog::{RoutineBody, TriggerCatalog};
use super::*;
use crate::statement::split;
use SessionEffect::{None, Reset, Setting, Unknown, Unrepeatable};

fn check(dialect: Dialect, cases: &[(&str, SessionEffect)]) {
    for (sql, expected) in cases {
        assert_eq!(of_statement(sql, dialect), *expected, "{sql}");
    }
}

#[test]
fn postgres() {
    check(
        Dialect::Postgres,
        &[
            ("CREATE TABLE t (id int PRIMARY KEY, a varchar(20) DEFAULT now(), CHECK (a > f(1)))", None),
            ("CREATE TABLE temp (id int)", None),
            ("INSERT INTO t (a, b) VALUES (1, lower('x')), (2, NULL) ON CONFLICT (a) DO NOTHING", None),
            ("INSERT INTO public.t (a) SELECT count(*) FROM u WHERE (a, b) IN (SELECT 1, 2)", None),
            ("WITH x (a) AS (SELECT 1) UPDATE t SET a = x.a FROM x", None),
            ("SELECT setval('t_id_seq', (SELECT max(id) FROM t))", None),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", None),
            ("SET LOCAL search_path = app", None),
            ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", None),
            ("SET search_path TO app", Setting),
            ("SET SESSION AUTHORIZATION bob", Setting),
            ("SET ROLE owner", Setting),
            ("RESET ALL", Setting),
            ("DISCARD ALL", Reset),
            ("DISCARD TEMP", Unrepeatable),
            ("SELECT pg_catalog.set_config('search_path', '', false)", Setting),
            ("SELECT set_config('search_path', 'app', true)", None),
            ("SELECT set_config('search_path', x, false) FROM c", Unknown),
            ("SELECT set_config('a.b', '1', false), f()", Unknown),
            ("SELECT (set_config('search_path', 'app', false))", Unknown),
            ("CREATE TEMP TABLE p AS SELECT 1", Unrepeatable),
            ("CREATE TABLE c (s text DEFAULT set_config('search_path', 'app', false))", Unknown),
            ("ALTER TABLE c ADD CHECK (set_config('search_path', s, false) IS NOT NULL)", Unknown),
            ("UPDATE pg_settings SET setting = 'app' WHERE name = 'search_path'", Unknown),
            ("SELECT setting FROM pg_settings", None),
            ("DO $$ BEGIN UPDATE pg_settings SET setting = 'app' WHERE name = 'search_path'; END $$", Unknown),
            ("CREATE LOCAL TEMPORARY VIEW p AS SELECT 1", Unrepeatable),
            ("CREATE TEMP TABLE p (id int) ON COMMIT DROP", None),
            ("CREATE TABLE pg_temp.p (id int)", Unrepeatable),
            ("SELECT 1 AS id INTO TEMP p", Unrepeatable),
            ("SELECT * INTO LOCAL TEMPORARY users FROM t", Unrepeatable),
            ("WITH w AS (SELECT 1) SELECT * INTO TEMP users FROM w", Unrepeatable),
            ("SET search_path = pg_temp, public", Unrepeatable),
            ("SET search_path TO 'pg_temp', public", Unrepeatable),
            ("SET search_path = \"$user\", pg_temp, public", Unrepeatable),
            ("SET search_path = public, pg_temp", Setting),
            ("SELECT set_config('search_path', 'pg_temp', false)", Unknown),
            ("ALTER DATABASE d SET search_path = app", Unrepeatable),
            ("ALTER ROLE r RESET ALL", Unrepeatable),
            ("ALTER DATABASE d OWNER TO r", None),
            ("SELECT tenant.set('acme')", Unknown),
            ("SELECT pg_catalog.lower('a')", None),
            ("PREPARE q AS SELECT 1", Setting),
            ("PREPARE TRANSACTION 'x'", Unknown),
            ("LISTEN c", Setting),
            ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", Unrepeatable),
            ("SELECT pg_advisory_lock(1)", Unrepeatable),
            ("SELECT pg_advisory_xact_lock(1)", None),
            ("SELECT app_setup()", Unknown),
            ("INSERT INTO t SELECT f(a) FROM u", Unknown),
            ("UPDATE t SET a = \"F\"(b)", Unknown),
            ("CALL p()", Unknown),
            ("CALL p", Unknown),
            ("EXECUTE q(1)", Unknown),
            ("DO $$ BEGIN CREATE TYPE m AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$", None),
            ("DO $$ BEGIN IF EXISTS (SELECT 1 FROM t) THEN ALTER TABLE t ADD COLUMN a int; END IF; END $$", None),
            ("DO $$ DECLARE r record; BEGIN FOR r IN SELECT * FROM t LOOP UPDATE t SET a = r.a; END LOOP; END $$", None),
            ("DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN a int', 't'); END $$", None),
            ("DO $$ BEGIN EXECUTE 'SET search_path = app'; END $$", Unknown),
            ("DO $$ BEGIN EXECUTE command; END $$", Unknown),
            ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = app', current_database()); END $$", Unknown),
            ("DO $$ BEGIN EXECUTE format('ALTER %s %I SET search_path = app', kind, name); END $$", Unknown),
            ("DO $$ BEGIN EXECUTE 'ALTER ' || 'ROLE r' || ' SET work_mem = 1'; END $$", Unknown),
            ("DO $$ BEGIN EXECUTE 'CREATE ' || kind || ' x (a int)'; END $$", Unknown),
            ("DO $$ BEGIN EXECUTE 'ALTER TABLE t ADD a int; SET search_path = app'; END $$", Unknown),
            ("DO $$ BEGIN EXECUTE format('CREATE TABLE %I.t (a int)', place); END $$", Unknown),
            ("DO $$ BEGIN EXECUTE 'ALTER TABLE ' || quote_ident(t) || ' ADD a int'; END $$", None),
            ("DO $$ BEGIN EXECUTE format('INSERT INTO %1$I VALUES (%L, ''100%%'')', t, 5) USING a; END $$", None),
            ("DO $$ BEGIN EXECUTE $x$CREATE TEMP TABLE x (a int)$x$; END $$", Unknown),
            ("ALTER ROLE ALL IN DATABASE d SET work_mem = 1", Unrepeatable),
            ("DO $$ BEGIN SET search_path = app; END $$", Unrepeatable),
            ("DO $$ BEGIN PERFORM set_config('search_path', 'app', false); END $$", Unrepeatable),
            ("DO $$ BEGIN PERFORM f(); END $$", Unknown),
            ("DO $$ BEGIN IF a THEN CREATE TEMP TABLE x (a int); END IF; END $$", Unrepeatable),
            ("DO 'BEGIN NULL; END'", None),
        ],
    );
}

#[test]
fn mysql() {
    check(
        Dialect::MySql,
        &[
            ("CREATE TABLE t (id INT, a DECIMAL(10,2))", None),
            ("INSERT INTO t (a) VALUES (CONCAT('a', 'b'))", None),
            ("SET sql_mode = ''", Setting),
            ("SET NAMES utf8mb4", Setting),
            ("SET @a = 1, @b := 'x', SESSION time_zone = '+00:00'", Setting),
            ("SET @old = @@sql_mode, sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')", Setting),
            ("/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */", Setting),
            ("/*!40000 ALTER TABLE t DISABLE KEYS */", None),
            ("SET NAMES utf8mb4 /*!50000 , @x = f() */", Unrepeatable),
            ("SET /*!50000 @x = f(), */ @y = 1", Unrepeatable),
            ("SET ROLE /*!50000 NONE, @x = f() */", Unrepeatable),
            ("SET ROLE NONE /*M! , @x = f() */", Unrepeatable),
            ("SET NAMES /*!50503 utf8mb4 */", Setting),
            ("INSERT INTO t (a) /*!50000 SELECT f() */", Unknown),
            ("SELECT /*! f(1) */ 1", Unknown),
            ("CREATE TABLE t (a int) /*!50100 PARTITION BY HASH (a) */", None),
            ("INSERT INTO t VALUES (1) /*! ON DUPLICATE KEY UPDATE a = /*!50000 f() */ + 1 */", Unknown),
            ("SET @x = f()", Unrepeatable),
            ("SET @b = @@timestamp, @c = @@pseudo_thread_id", Unrepeatable),
            ("SET @b = @@in_transaction", Unrepeatable),
            ("SET @b = @@SESSION.warning_count", Unrepeatable),
            ("SET @b = 1 + @@`error_count`", Unrepeatable),
            ("SET @b = @@gtid_executed", Unrepeatable),
            ("SET @b = @@last_gtid", Unrepeatable),
            ("SET @b = @@insert_id", Unrepeatable),
            ("SET @b = @@rand_seed1", Unrepeatable),
            ("SET @b = CONCAT('x', @@hostname)", Unrepeatable),
            ("SET @b = @@GLOBAL.sql_mode", Unrepeatable),
            ("SET @b = @@collation_database", Unrepeatable),
            ("SET @b = @@no_such_variable", Unrepeatable),
            ("SET @b = CURRENT_USER", Unrepeatable),
            ("SET @b = NOT IN_SOME_FUTURE_KEYWORD", Unrepeatable),
            ("SET sql_mode = @@hostname", Unrepeatable),
            ("SET timestamp = @@timestamp", Unrepeatable),
            ("SET insert_id = 5", Unrepeatable),
            ("SET gtid_next = 'a:1'", Unrepeatable),
            ("/*!50003 SET @b = @@timestamp */", Unrepeatable),
            ("SET @b = @@SESSION.SQL_LOG_BIN, SESSION sql_log_bin = 0", Setting),
            ("SET @a = 1 + 2 * -3, @b = 'a' COLLATE utf8mb4_bin, @c = CONVERT('a' USING utf8mb4)", Setting),
            ("SET @a = CASE WHEN 1 IN (1, 2) THEN 'x' ELSE NULL END", Setting),
            ("SET @a = CAST('5' AS UNSIGNED) DIV 2, @b = _utf8mb4'x', @c = X'4D', @d = @a", Setting),
            ("SET @a = DATE '2020-01-01' + INTERVAL 1 DAY", Setting),
            ("SET sql_mode = ANSI, character_set_results = utf8mb4, time_zone = SYSTEM", Setting),
            ("SET @saved_cs_client = @@character_set_client", Setting),
            ("SET @OLD_TIME_ZONE=@@TIME_ZONE, @OLD_NOTES=@@local.sql_notes", Setting),
            ("SET SQL_MODE=@OLD_SQL_MODE", Setting),
            ("SET character_set_client = @saved_cs_client", Setting),
            ("SET NAMES utf8mb4 COLLATE utf8mb4_bin", Setting),
            ("SET ROLE admin", Setting),
            ("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", Setting),
            ("SET @x = NOW()", Unrepeatable),
            ("SET @x = NEXT VALUE FOR s", Unrepeatable),
            ("SET @x = UTC_TIMESTAMP", Unrepeatable),
            ("SET insert_id = 100", Unrepeatable),
            ("CALL p(@n)", Unrepeatable),
            ("SET @x = LAST_INSERT_ID()", Unrepeatable),
            ("SET @x = (SELECT MAX(id) FROM t)", Unrepeatable),
            ("SET GLOBAL max_connections = 5", Unrepeatable),
            ("SET GLOBAL max_connections = 5, @a = 1", Unrepeatable),
            ("SET PASSWORD = 'x'", None),
            ("SET STATEMENT max_statement_time = 1 FOR ALTER TABLE t ADD a INT", None),
            ("SET STATEMENT max_statement_time = 1 FOR SELECT f()", Unknown),
            ("SET STATEMENT max_statement_time = 1 FOR SELECT MAX(id) INTO @x FROM t", Unrepeatable),
            ("SET STATEMENT max_statement_time = 1 FOR CREATE TEMPORARY TABLE p (id INT)", Unrepeatable),
            ("SET DEFAULT ROLE r FOR u", Unrepeatable),
            ("PREPARE s FROM @sql", Setting),
            ("PREPARE s FROM CONCAT('SET @x = ', f())", Unknown),
            ("USE app", Setting),
            ("CREATE TEMPORARY TABLE p AS SELECT 1", Unrepeatable),
            ("SELECT MAX(id) INTO @x FROM t", Unrepeatable),
            ("SELECT @x := 1", Unrepeatable),
            ("INSERT INTO t SELECT a, @x FROM u", None),
            ("SELECT GET_LOCK('x', 1)", Unrepeatable),
            ("SELECT f(1)", Unknown),
            ("CALL p()", Unknown),
            ("EXECUTE s", Unknown),
            ("PREPARE s FROM 'SELECT 1'", Setting),
            ("BEGIN NOT ATOMIC DECLARE x INT; SET x = 1; INSERT INTO t VALUES (x); END", None),
            ("BEGIN NOT ATOMIC SET @x = 1; END", Unrepeatable),
        ],
    );
}

#[test]
fn sqlite_statements() {
    check(
        Dialect::Sqlite,
        &[
            ("CREATE TABLE temp (a)", None),
            ("CREATE TABLE temp.x (a)", Unrepeatable),
            ("CREATE TEMP TABLE x (a)", Unrepeatable),
            ("CREATE TABLE \"temp\".\"x\" (a)", Unrepeatable),
            ("CREATE TABLE 'temp'.x (a)", Unrepeatable),
            ("CREATE VIEW IF NOT EXISTS [TEMP].x AS SELECT 1", Unrepeatable),
            ("CREATE TABLE `temp`.x (a)", Unrepeatable),
            ("CREATE TABLE x (\"temp\")", None),
            ("ATTACH 'x.db' AS x", Setting),
            ("ATTACH ':memory:' AS x", Unrepeatable),
            ("PRAGMA foreign_keys = OFF", Setting),
            ("PRAGMA user_version = 5", None),
            ("PRAGMA main.foreign_keys = OFF", Setting),
            ("PRAGMA foreign_keys", None),
            ("PRAGMA foreign_keys(0)", Setting),
            ("PRAGMA journal_mode = OFF", Setting),
            ("PRAGMA main.journal_mode(memory)", Setting),
            ("PRAGMA journal_mode = WAL", None),
            ("PRAGMA table_info('foreign_keys')", None),
            ("PRAGMA something_new = 5", Unknown),
            ("SELECT load_extension('x')", Unknown),
            ("INSERT INTO t SELECT f(a) FROM u", None),
        ],
    );
}

#[test]
fn routines_of_the_same_script_are_known() {
    for (dialect, text, expected) in [
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); END $$; SELECT f();",
            None,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET a.b = 1; END $$; SELECT f();",
            Unrepeatable,
        ),
        // Also under the name of a function of the system.
        (
            Dialect::Postgres,
            "CREATE FUNCTION log(t text) RETURNS text LANGUAGE sql AS $$ SELECT set_config('a.b', t, false) $$; SELECT log('app'::text);",
            Unknown,
        ),
        (Dialect::MySql, "CREATE PROCEDURE p() INSERT INTO t VALUES (1); CALL p();", None),
        (Dialect::MySql, "CREATE PROCEDURE p() SET @x = 1; CALL p();", Unrepeatable),
        (Dialect::MySql, "CREATE PROCEDURE p() CALL p(); CALL p();", Unknown),
    ] {
        let (statements, _) = split(text, dialect, "f.sql");
        assert_eq!(of_script(text, &statements, dialect, &TriggerCatalog::default()).last(), Some(&expected), "{text}");
    }
}

#[test]
fn operators_and_other_users_of_a_routine_are_known() {
    let set = "CREATE FUNCTION f(a int, b int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '9MB'; RETURN 1; END $$;";
    let plain = "CREATE FUNCTION f(a int, b int) RETURNS int LANGUAGE sql AS $$ SELECT a + b $$;";
    for (definition, statement, expected) in [
        ("CREATE OPERATOR ## (FUNCTION = f, LEFTARG = int, RIGHTARG = int)", "SELECT 1 ## 2", Unrepeatable),
        ("CREATE OPERATOR ## (FUNCTION = f, LEFTARG = int, RIGHTARG = int)", "SELECT 1##2", Unrepeatable),
        ("CREATE OPERATOR ## (FUNCTION = f, LEFTARG = int, RIGHTARG = int)", "SELECT 1 + 2, '##'", None),
        ("CREATE OPERATOR app.## (LEFTARG = int, PROCEDURE = app.f, RIGHTARG = int)", "SELECT 1 OPERATOR(app.##) 2", Unknown),
        ("CREATE OPERATOR app.## (LEFTARG = int, PROCEDURE = app.f, RIGHTARG = int)", "SELECT 1 ## 2", Unrepeatable),
        ("CREATE OPERATOR <%> (RIGHTARG = int, FUNCTION = \"f\")", "UPDATE t SET a = <%>-a WHERE b <%> 3", Unrepeatable),
        ("CREATE OPERATOR ## (FUNCTION = g, LEFTARG = int)", "SELECT 1 ## 2", Unknown),
        ("CREATE OPERATOR ## (FUNCTION = f, LEFTARG = int)", "DO $$ BEGIN PERFORM 1 ## 2; END $$", Unrepeatable),
        ("CREATE VIEW v AS SELECT f(1, 2)", "SELECT * FROM v", Unrepeatable),
        ("CREATE TABLE d (a int DEFAULT f(1, 2))", "INSERT INTO d DEFAULT VALUES", Unrepeatable),
        ("CREATE TABLE d (a int CHECK (f(a, 2) > 0))", "UPDATE d SET a = 1", Unrepeatable),
        ("CREATE DOMAIN n AS int CHECK (f(VALUE, 1) = 1); CREATE TABLE d (a n)", "INSERT INTO d VALUES (1)", Unrepeatable),
        ("CREATE VIEW v AS SELECT 1 AS f", "SELECT * FROM w", None),
    ] {
        for (function, expected) in [(set, expected), (plain, if expected == Unknown { Unknown } else { None })] {
            let text = format!("{function} {definition}; {statement};");
            let (statements, _) = split(&text, Dialect::Postgres, "f.sql");
            let effects = of_script(&text, &statements, Dialect::Postgres, &TriggerCatalog::default());
            assert_eq!(effects.last(), Some(&expected), "{text}");
        }
    }
}

#[test]
fn triggers_are_part_of_what_fires_them() {
    let function = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('a.b', '1', false); RETURN NEW; END $$;";
    let trigger =
        "CREATE TRIGGER g BEFORE INSERT OR UPDATE OF a ON app.t FOR EACH ROW WHEN (NEW.a > 0) EXECUTE FUNCTION app.f();";
    let mariadb = "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @x = 1;";
    for (dialect, text, expected) in [
        (Dialect::Postgres, format!("{function} {trigger} INSERT INTO app.t VALUES (1);"), Unrepeatable),
        (Dialect::Postgres, format!("{function} {trigger} INSERT INTO u VALUES (1);"), None),
        (Dialect::Postgres, format!("{trigger} INSERT INTO t VALUES (1);"), Unknown),
        (Dialect::Postgres, format!("{function} {trigger} DO $$ BEGIN DELETE FROM t; END $$;"), Unrepeatable),
        (Dialect::MySql, format!("{mariadb} INSERT INTO t VALUES (1);"), Unrepeatable),
        (Dialect::MySql, format!("{mariadb} SET STATEMENT max_statement_time = 1 FOR REPLACE INTO t VALUES (1);"), Unrepeatable),
    ] {
        let (statements, _) = split(&text, dialect, "f.sql");
        assert_eq!(of_script(&text, &statements, dialect, &TriggerCatalog::default()).last(), Some(&expected), "{text}");
    }
    let mut catalog = TriggerCatalog::default();
    let body = "BEGIN PERFORM audit(NEW.id); RETURN NEW; END";
    catalog.triggers.insert("t".to_owned(), vec![RoutineBody::Sql(body.to_owned())]);
    let (statements, _) = split("UPDATE t SET a = 1", Dialect::Postgres, "f.sql");
    let effect = |catalog: &TriggerCatalog| of_script("UPDATE t SET a = 1", &statements, Dialect::Postgres, catalog)[0];
    assert_eq!(effect(&catalog), Unknown);
    assert!(catalog.missing_names(Dialect::Postgres).contains("audit"));
    catalog.routines.insert("audit".to_owned(), vec![RoutineBody::Sql("INSERT INTO l VALUES (1)".to_owned())]);
    assert_eq!(effect(&catalog), None);
    catalog.routines.entry("audit".to_owned()).or_default().push(RoutineBody::Hidden);
    assert_eq!(effect(&catalog), Unknown, "one of several routines of this name cannot be read");
}

#[test]
fn all_routines_of_a_name_count() {
    let text = "CREATE FUNCTION f(int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN SET a.b = 1; END $$;\n\
                CREATE FUNCTION f(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;\nSELECT f('x');";
    let (statements, _) = split(text, Dialect::Postgres, "f.sql");
    assert_eq!(of_script(text, &statements, Dialect::Postgres, &TriggerCatalog::default()).last(), Some(&Unrepeatable));
}

#[test]
fn what_a_new_session_sets_again() {
    let settings = |text: &str, done| {
        let (statements, _) = split(text, Dialect::Postgres, "f.sql");
        settings_before(&of_script(text, &statements, Dialect::Postgres, &TriggerCatalog::default()), done)
    };
    assert_eq!(settings("SET a = 1; VACUUM t; SET b = 1; VACUUM u;", 2), [0]);
    assert_eq!(settings("SET a = 1; DISCARD ALL; SET b = 1; VACUUM u;", 3), [2]);
    assert_eq!(settings("SET a = 1;", 9), [0]);
}

#[test]
fn what_a_new_session_lacks() {
    for (dialect, text, done, expected) in [
        (Dialect::Postgres, "CREATE TEMP TABLE a (x int); VACUUM t;", 1, Some(0)),
        (Dialect::Postgres, "SELECT f(); VACUUM t;", 1, Some(0)),
        (Dialect::Postgres, "SELECT f(); DISCARD ALL; VACUUM t;", 2, Option::None),
        (Dialect::Postgres, "SET a = 1; VACUUM t;", 1, Option::None),
        (Dialect::Postgres, "SELECT f(); SET a = 1;", 1, Option::None),
        (Dialect::MySql, "SET @a = (SELECT 1); CREATE TABLE t (a INT); INSERT INTO t VALUES (@a);", 2, Some(0)),
        (Dialect::MySql, "SET @a = (SELECT 1); INSERT INTO t VALUES (@a); CREATE TABLE t (a INT);", 2, Option::None),
        (Dialect::MySql, "CREATE TEMPORARY TABLE t (a INT); CREATE TABLE u (a INT);", 1, Some(0)),
        (Dialect::MySql, "CALL p(); CREATE TABLE u (a INT);", 1, Some(0)),
        (
            Dialect::MySql,
            "INSERT INTO a VALUES (1); CREATE TABLE t (a INT); INSERT INTO b VALUES (LAST_INSERT_ID());",
            2,
            Some(0),
        ),
        (Dialect::MySql, "DO NEXT VALUE FOR s; CREATE TABLE t (a INT); INSERT INTO b VALUES (PREVIOUS VALUE FOR s);", 2, Some(0)),
        (Dialect::MySql, "SELECT NEXTVAL(s); CREATE TABLE t (a INT); INSERT INTO b VALUES (LASTVAL(s));", 2, Some(0)),
        (Dialect::MySql, "SELECT s.nextval; CREATE TABLE t (a INT); INSERT INTO b SELECT s.currval;", 2, Some(0)),
        (Dialect::MySql, "INSERT INTO errors VALUES (1); INSERT INTO changes (identity) VALUES (1);", 1, Option::None),
        (Dialect::Postgres, "INSERT INTO a VALUES (1); VACUUM t; INSERT INTO b VALUES (currval('a_id_seq'));", 2, Some(0)),
        (Dialect::Postgres, "INSERT INTO a VALUES (1); VACUUM t; SELECT lastval();", 2, Some(0)),
        (Dialect::Postgres, "VACUUM t; INSERT INTO a VALUES (1); SELECT lastval();", 1, Option::None),
        (Dialect::Postgres, "SELECT nextval('s'); VACUUM t; SELECT nextval('s'); SELECT currval('s');", 2, Option::None),
        (Dialect::Postgres, "SELECT nextval('s'); VACUUM t; SELECT nextval('u'); SELECT currval('s');", 2, Some(0)),
    ] {
        let (statements, _) = split(text, dialect, "f.sql");
        assert_eq!(lost_state(text, &statements, done, dialect), expected, "{text}");
    }
}

#[test]
fn what_must_follow_directly() {
    for (text, expected) in [
        ("INSERT INTO a VALUES (1); CREATE TABLE x (a INT); INSERT INTO b VALUES (LAST_INSERT_ID());", Some(0)),
        ("UPDATE a SET x = 1; INSERT INTO b VALUES (ROW_COUNT());", Some(0)),
        ("INSERT INTO a VALUES (1); INSERT INTO b VALUES (2);", Option::None),
    ] {
        let (statements, _) = split(text, Dialect::MySql, "f.sql");
        assert_eq!(follows(text, &statements, Dialect::MySql, &TriggerCatalog::default()).pop().flatten(), expected, "{text}");
    }
}

#[test]
fn custom_settings_of_a_script() {
    let text = "SET app.tenant = 'x'; SET LOCAL app.b = 1; SELECT set_config('app.c', '1', false); SET SESSION d.e = 1; SET work_mem = 1;";
    assert_eq!(custom_settings(text), ["app.tenant", "app.c", "d.e"]);
    for text in [
        "SELECT set_config('app.tenant', '7', true)",
        "UPDATE t SET addr.city = 'x'",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.x = '1' AS 'SELECT 1'",
        "ALTER FUNCTION f() SET app.x = '1'",
        "ALTER ROLE r SET app.x = '1'",
    ] {
        assert_eq!(custom_settings(text), [""; 0], "{text}");
    }
    assert_eq!(custom_settings("DO $$ BEGIN SET app.x = '1'; END $$"), ["app.x"]);
}

/// A name before a parenthesis is that of a table, or that of a function.
#[test]
fn functions_in_conditions_of_joins_are_called() {
    for (text, dialect, expected) in [
        ("INSERT INTO l SELECT a.i FROM a JOIN b ON f(a.i) = b.i", Dialect::MySql, Unknown),
        ("INSERT INTO l SELECT a.i FROM a JOIN b ON s.f(a.i) = b.i", Dialect::Postgres, Unknown),
        ("CREATE TABLE l AS SELECT a.i FROM a JOIN b ON f(a.i) = b.i", Dialect::MySql, Unknown),
        ("CREATE TABLE l AS SELECT a.i FROM a JOIN b ON f(a.i) = b.i", Dialect::Postgres, Unknown),
        ("MERGE INTO a USING b ON f(a.i) = b.i WHEN MATCHED THEN DELETE", Dialect::Postgres, Unknown),
        ("CREATE INDEX i ON t (a)", Dialect::Postgres, None),
        ("CREATE OR REPLACE UNIQUE INDEX i ON t (a)", Dialect::MySql, None),
        ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON s.t (a)", Dialect::Postgres, None),
        ("COPY t (i) FROM stdin", Dialect::Postgres, None),
        ("INSERT IGNORE t (i) VALUES (1)", Dialect::MySql, None),
        ("INSERT t (i) VALUES (1)", Dialect::MySql, None),
        ("REPLACE LOW_PRIORITY t(i) VALUES (1)", Dialect::MySql, None),
        ("INSERT t (i) VALUES (f(1))", Dialect::MySql, Unknown),
    ] {
        assert_eq!(of_statement(text, dialect), expected, "{text}");
    }
}

/// Dynamic SQL, handlers and statements in places where they were taken for a part of something else.
#[test]
fn statements_inside_of_others() {
    use Dialect::{MySql, Postgres};
    let set = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN SET work_mem = '9MB'; RETURN 1; END $$; ";
    for (dialect, text, is_none) in [
        (
            Postgres,
            "DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT set_config(''a.b'', ''c'', false)' LOOP END LOOP; END $$",
            false,
        ),
        (Postgres, "DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE 'SELECT 1' LOOP END LOOP; END $$", true),
        (Postgres, "DO $$ DECLARE r record; BEGIN FOR r IN EXECUTE query LOOP END LOOP; END $$", false),
        (
            Postgres,
            "DO $$ DECLARE c refcursor; BEGIN OPEN c FOR EXECUTE 'SELECT set_config(''a.b'', ''c'', false)'; END $$",
            false,
        ),
        (Postgres, "DO $$ BEGIN FOR i IN 1..f(1) LOOP END LOOP; END $$", false),
        (Postgres, "DO $$ BEGIN FOR i IN 1..10 LOOP PERFORM 1.5 + 2.; END LOOP; END $$", true),
        (
            MySql,
            "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION CREATE TEMPORARY TABLE u (a int); INSERT INTO t VALUES (1); END",
            false,
        ),
        (
            MySql,
            "BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR 1146, SQLSTATE VALUE '42S02', NOT FOUND SET @x = 7; INSERT INTO t VALUES (1); END",
            false,
        ),
        (
            MySql,
            "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR SQLEXCEPTION GET DIAGNOSTICS CONDITION 1 @x = MYSQL_ERRNO; SELECT 1; END",
            false,
        ),
        (MySql, "BEGIN NOT ATOMIC DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN END; INSERT INTO t VALUES (1); END", true),
        (
            MySql,
            "BEGIN NOT ATOMIC DECLARE v int; DECLARE CONTINUE HANDLER FOR NOT FOUND SET v = 1; INSERT INTO t VALUES (1); END",
            true,
        ),
        (MySql, "ANALYZE SELECT unknown_function(1)", false),
        (MySql, "ANALYZE FORMAT=JSON UPDATE t SET a = unknown_function(1)", false),
        (MySql, "ANALYZE TABLE t", true),
        (MySql, "SHOW TABLES WHERE unknown_function(1) = 7", false),
        (MySql, "SHOW TABLES", true),
        (MySql, "CREATE TABLE k AS (VALUES (unknown_function(7)))", false),
    ] {
        let text = if dialect == Postgres { format!("{set}{text};") } else { text.to_owned() };
        let (statements, _) = split(&text, dialect, "f.sql");
        let effects = of_script(&text, &statements, dialect, &TriggerCatalog::default());
        assert_eq!(effects.last() == Some(&None), is_none, "{text}: {effects:?}");
    }
}

#[test]
fn nested_statements_and_comments_have_a_limit() {
    let deep = 20_000;
    for (sql, expected) in [
        ("SET STATEMENT a = 1".to_owned(), Setting),
        (format!("{}SELECT 1", "SET STATEMENT a = 1 FOR ".repeat(deep)), None),
        (format!("{}SELECT 1", "/*! */ ".repeat(deep)), None),
        (format!("{}SELECT 1{}", "/*! ".repeat(deep), " */".repeat(deep)), Unknown),
        (format!("{}SELECT 1", "(/*! */".repeat(deep)), None),
    ] {
        let start: String = sql.chars().take(40).collect();
        let effect = of_statement(&sql, Dialect::MySql);
        assert!(effect == expected || effect == Unknown, "{start}: {effect:?}");
    }
    named_settings(&format!("DO {}x{}", "$$ $a$ ".repeat(deep), " $a$ $$".repeat(deep)));
    catalog::names_in(&format!("{}x", "/*! ".repeat(deep)), Dialect::MySql);
}
