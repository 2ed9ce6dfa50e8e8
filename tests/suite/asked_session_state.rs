//! What a script changes in its session through functions that its text does not name: the server is asked, so no list of the
//! places that may call a function is needed.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder, pgbouncer};

fn folder(text: &str) -> TestFolder {
    let folder = TestFolder::new(&[("001_a.up.sql", text)]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    folder
}

fn run(url: &str, folder: &TestFolder, arguments: &[&str]) -> (bool, String) {
    let output = Binary::inside(folder.path()).command(&[arguments, &["-D", url]].concat()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// A function that makes another schema the first one, and everything that may call it without naming it.
const SCHEMA: &str = "CREATE SCHEMA app; CREATE TABLE app.users (id int); CREATE TABLE public.users (id int);
    INSERT INTO app.users VALUES (1); INSERT INTO public.users VALUES (1);
    CREATE FUNCTION f(n int) RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN PERFORM set_config('search_path', 'app', false); RETURN n; END $$;
    CREATE FUNCTION same(n int, m int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM set_config('search_path', 'app', false); RETURN n = m; END $$;
    CREATE TABLE public.t (a int, b int DEFAULT public.f(1)); INSERT INTO public.t VALUES (1, 1);
    CREATE TABLE public.checked (a int CHECK (public.f(a) > 0));
    CREATE TABLE public.part (a int) PARTITION BY RANGE (a);
    CREATE VIEW public.v AS SELECT public.f(1) AS a;
    CREATE DOMAIN public.d AS int CHECK (public.f(VALUE) > 0);
    CREATE OPERATOR public.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = public.same);
    CREATE TYPE public.pair AS (a int, b int);
    CREATE FUNCTION public.paired(n int) RETURNS public.pair LANGUAGE plpgsql AS
        $$ BEGIN PERFORM set_config('search_path', 'app', false); RETURN (n, n); END $$;
    CREATE CAST (int AS public.pair) WITH FUNCTION public.paired(int);
    CREATE TABLE public.ruled (a int); CREATE RULE r AS ON INSERT TO public.ruled DO INSTEAD SELECT public.f(1);
    CREATE TABLE public.kept (a int); ALTER TABLE public.kept ENABLE ROW LEVEL SECURITY;
    CREATE FUNCTION public.f(n text) RETURNS text LANGUAGE sql AS $$ SELECT n $$;
    CREATE FUNCTION public.lower(n int) RETURNS int LANGUAGE sql AS 'SELECT public.f(n)';
    CREATE AGGREGATE public.total(int) (SFUNC = int4pl, STYPE = int, FINALFUNC = public.f, INITCOND = '0');
    CREATE FUNCTION public.temporary() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN CREATE TEMP TABLE users (id int); RETURN 1; END $$;
    CREATE TABLE public.makes (a int DEFAULT public.temporary(), b int);
    CREATE FUNCTION public.becomes() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN PERFORM set_config('role', 'migrate_asked', false); RETURN 1; END $$;
    CREATE TABLE public.becoming (a int DEFAULT public.becomes(), b int);
    DO $$ BEGIN CREATE ROLE migrate_asked; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
    CREATE FUNCTION public.tenant() RETURNS int LANGUAGE plpgsql AS
        $$ BEGIN PERFORM set_config('app.tenant', '7', false); RETURN 1; END $$;
    CREATE TABLE public.tenants (a int DEFAULT public.tenant(), b int);
    CREATE FUNCTION public.resets() RETURNS int LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'RESET ALL'; RETURN 1; END $$;
    CREATE TABLE public.resetting (a int DEFAULT public.resets(), b int);";

/// Statements that change the session, and the name of what they change.
const HIDDEN: &[(&str, &str)] = &[
    ("INSERT INTO public.t (a) VALUES (2);", "search_path"),
    ("COPY public.t (a) FROM stdin;\n2\n\\.\n", "search_path"),
    ("ALTER TABLE public.t ADD c int DEFAULT public.f(3);", "search_path"),
    ("ALTER TABLE public.t ALTER a TYPE bigint USING public.f(a);", "search_path"),
    ("ALTER TABLE public.t ADD CHECK (public.f(a) > 0);", "search_path"),
    ("INSERT INTO public.checked VALUES (1);", "search_path"),
    ("PREPARE q AS SELECT public.f(1) AS a; CREATE TABLE public.made AS EXECUTE q;", "search_path"),
    ("CREATE TABLE public.made AS SELECT * FROM public.v;", "search_path"),
    ("CREATE TABLE public.made AS TABLE public.v;", "search_path"),
    ("SELECT * FROM public.v;", "search_path"),
    ("INSERT INTO public.kept SELECT 1::public.d;", "search_path"),
    ("ALTER TABLE public.t ALTER a TYPE public.d;", "search_path"),
    ("DELETE FROM public.t WHERE a OPERATOR(public.===) 9;", "search_path"),
    ("SELECT 1::public.pair;", "search_path"),
    ("SELECT CAST(1 AS public.pair);", "search_path"),
    ("INSERT INTO public.ruled VALUES (1);", "search_path"),
    ("SELECT public.lower(1);", "search_path"),
    ("SELECT public.total(1);", "search_path"),
    ("MERGE INTO public.t USING public.v ON t.a = v.a WHEN MATCHED THEN DO NOTHING;", "search_path"),
    ("DO $$ BEGIN INSERT INTO public.t (a) VALUES (2); END $$;", "search_path"),
    ("INSERT INTO public.makes (b) VALUES (1);", "temporary table users"),
    ("INSERT INTO public.becoming (b) VALUES (1);", "role"),
    (
        "BEGIN; CREATE TEMP TABLE st (i int) ON COMMIT DROP; INSERT INTO public.makes (b) VALUES (1); COMMIT;",
        "temporary table users",
    ),
    ("INSERT INTO public.makes (b) SELECT length('fix: on commit drop');", "temporary table users"),
    ("SET search_path = public; INSERT INTO public.resetting (b) VALUES (1);", "all settings"),
    ("INSERT INTO public.tenants (b) VALUES (1);", "app.tenant"),
];

const REST: &str = "CREATE INDEX CONCURRENTLY i ON public.kept (a);\nINSERT INTO public.missing VALUES (1);\n\
    DELETE FROM users WHERE coalesce(current_setting('app.tenant', true), '') = current_setting('app.tenant', true);\n";

#[tokio::test]
async fn a_change_that_no_text_shows_is_noticed() {
    for (hidden, name) in HIDDEN {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute(SCHEMA).await;
        database
            .execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO migrate_asked; GRANT ALL ON SCHEMA public TO migrate_asked")
            .await;
        database.execute("ALTER TABLE public.kept OWNER TO migrate_asked").await;
        let folder = folder(&format!("{hidden}\n{REST}"));
        let (done, messages) = run(&database.url, &folder, &["up"]);
        assert!(
            !done && messages.contains("missing") && messages.contains("cannot resume automatically"),
            "{hidden}\n{messages}"
        );
        database.execute("CREATE TABLE public.missing (a int); GRANT ALL ON public.missing TO migrate_asked").await;
        let (_, plan) = run(&database.url, &folder, &["plan"]);
        let (done, messages) = run(&database.url, &folder, &["up"]);
        assert!(!done && messages.contains("error[partially-applied]"), "{hidden}\n{messages}");
        // Reading the text or asking the server has shown it.
        let shows = |text: &str| ["did in that session", name].iter().any(|cause| text.contains(cause));
        assert!(shows(&messages) && shows(&plan), "{hidden}\n{messages}\n{plan}");
        assert_eq!(database.value("SELECT count(*) FROM public.users").await, "1", "{hidden}");
        // An operator knows that the rest does not need it.
        let (done, messages) = run(&database.url, &folder, &["resolve", "001", "--retry"]);
        assert!(done, "{hidden}\n{messages}");
        let (done, messages) = run(&database.url, &folder, &["up"]);
        assert!(done, "{hidden}\n{messages}");
        database.drop().await;
    }
}

#[tokio::test]
async fn a_change_that_no_text_shows_does_not_pass_a_pooler() {
    for (hidden, name) in HIDDEN {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute(SCHEMA).await;
        database.execute("CREATE TABLE public.missing (a int)").await;
        let folder = folder(&format!("{hidden}\n{REST}"));
        let (done, messages) = run(&database.through(&pgbouncer()), &folder, &["up"]);
        assert!(!done && messages.contains("error[needs-session]"), "{hidden}\n{messages}");
        assert!(messages.contains(name) || messages.contains("needs a session of its own"), "{hidden}\n{messages}");
        assert_eq!(database.value("SELECT count(*) FROM public.users").await, "1", "{hidden}");
        assert_eq!(database.value("SELECT count(*) FROM app.users").await, "1", "{hidden}");
        database.drop_by_force().await;
    }
}

/// What is set for a transaction, or set and visible, or put back, does not prevent that the rest is resumed.
#[tokio::test]
async fn a_session_that_is_as_its_text_says_resumes() {
    for first in [
        "SET LOCAL search_path = app; INSERT INTO users VALUES (2);",
        "SELECT set_config('search_path', 'app', true); INSERT INTO users VALUES (2);",
        "DO $$ BEGIN SET LOCAL work_mem = '9MB'; END $$;",
        "SET work_mem = '9MB'; INSERT INTO public.kept VALUES (1);",
        "SET search_path = public; CREATE INDEX CONCURRENTLY j ON kept (a); SET work_mem = '8MB'; INSERT INTO kept VALUES (1);",
        "BEGIN; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; INSERT INTO public.kept VALUES (1); COMMIT;",
        "CREATE INDEX CONCURRENTLY j ON public.kept (a);",
        "VACUUM public.kept; ANALYZE public.kept;",
        "SET lock_timeout = '1s'; INSERT INTO public.kept VALUES (1);",
        "SET TIME ZONE 'Asia/Tokyo'; INSERT INTO public.kept VALUES (1); RESET TIME ZONE; INSERT INTO public.kept VALUES (2);",
        "SET LOCAL ROLE migrate_asked; SELECT 1;",
        "LISTEN jobs; INSERT INTO public.kept VALUES (1);",
        "ALTER TABLE public.t ADD z int DEFAULT 3, ALTER a TYPE bigint USING a + 1;",
    ] {
        let database = TestDatabase::new(Kind::Postgres).await;
        database.execute(SCHEMA).await;
        let folder =
            folder(&format!("{first}\nCREATE INDEX CONCURRENTLY i ON public.kept (a);\nINSERT INTO public.missing VALUES (1);"));
        let (done, messages) = run(&database.url, &folder, &["up"]);
        assert!(!done && messages.contains("missing"), "{first}\n{messages}");
        database.execute("CREATE TABLE public.missing (a int)").await;
        let (done, messages) = run(&database.url, &folder, &["up"]);
        assert!(done, "{first}\n{messages}");
        let kept = "SELECT count(*) FROM migration_records WHERE state = 'applied' \
            AND NOT EXISTS (SELECT 1 FROM migration_events WHERE event = 'session-changed')";
        assert_eq!(database.value(kept).await, "1", "{first}");
        database.drop().await;
    }
}

/// Through a pooler, too, a migration finds the time zone that an earlier one has set for the database.
#[tokio::test]
async fn a_pooled_session_has_the_time_zone_of_the_database() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let name = database.url.rsplit_once('/').unwrap().1;
    let first = format!(
        "CREATE TABLE t (n text); ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'; ALTER DATABASE {name} SET extra_float_digits = 0;"
    );
    let second = "INSERT INTO t VALUES (current_setting('timezone') || (0.1::float8 + 0.2::float8)::text);";
    let folder = TestFolder::new(&[("001_a.up.sql", &first), ("002_b.up.sql", second)]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    Binary::inside(folder.path()).variable("DATABASE_URL", &database.through(&pgbouncer())).ok(&["up"]);
    assert_eq!(database.rows("SELECT n FROM t").await, ["Asia/Tokyo0.3"]);
    database.drop_by_force().await;
}

/// What the driver overrules is asked in each new session, and the options of the connection count as in psql.
#[tokio::test]
async fn the_time_zone_is_that_of_a_new_session() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let name = database.url.rsplit_once('/').unwrap().1;
    let files = [
        (
            "001_a.up.sql",
            format!(
                "ALTER DATABASE {name} SET timezone = 'Asia/Tokyo'; ALTER DATABASE {name} SET datestyle = 'SQL, DMY'; CREATE TABLE t (n text, d date);"
            ),
        ),
        ("002_b.up.sql", "INSERT INTO t VALUES (current_setting('timezone'), '03/04/2024');".to_owned()),
        ("003_c.up.sql", format!("ALTER DATABASE {name} RESET timezone; CREATE TABLE u ();")),
        ("004_d.up.sql", "INSERT INTO t VALUES (current_setting('timezone'), '03/04/2024');".to_owned()),
    ];
    let files: Vec<(&str, &str)> = files.iter().map(|(file, text)| (*file, text.as_str())).collect();
    let folder = TestFolder::new(&files);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    let run = |url: &str| Binary::inside(folder.path()).variable("DATABASE_URL", url).ok(&["up"]);
    run(&database.url);
    assert_eq!(database.rows("SELECT n, d::text FROM t").await, ["Asia/Tokyo|2024-04-03", "UTC|2024-04-03"]);
    folder.write("migrations/005_e.up.sql", "INSERT INTO t VALUES (current_setting('timezone'), '03/04/2024');");
    run(&format!("{}?options=-c%20timezone%3DEurope/Berlin%20-c%20datestyle%3DSQL,MDY", database.url));
    assert_eq!(database.rows("SELECT n, d::text FROM t WHERE n LIKE 'Europe%'").await, ["Europe/Berlin|2024-03-04"]);
    database.drop().await;
}
