//! Objects that another user creates under the names of the history tables: no command of an administrator runs their code.

use migrate_runtime::Migrator;
use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder, until};
use sqlx::Connection;
use std::process::Stdio;

const COMMANDS: &[&[&str]] =
    &[&["status"], &["plan"], &["verify"], &["up", "--dry-run"], &["up"], &["down", "--yes"], &["status", "--check"]];

/// Columns as those of our tables, as the list of a query.
const RECORDS: &str = "'app'::text AS service, '001'::text AS version, ''::text AS name, repeat('0', 64) AS checksum, \
     repeat('0', 64) AS sql_checksum, 'started'::text AS state, 1 AS statements, 0 AS statements_done, now() AS started_at, \
     now() AS applied_at, 1::bigint AS execution_ms, ''::text AS applied_by, 'SELECT 1'::text AS up_sql, 'SELECT 1'::text AS down_sql";
const VERSIONS: &str =
    "'app'::text AS service, repeat('0', 64) AS digest, 1::bigint AS applied_count, ''::text AS latest, now() AS updated_at";

fn folder(kind: Kind) -> TestFolder {
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE a (id int);"), ("001_a.down.sql", "DROP TABLE a;")]);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    folder
}

/// A database in which `mallory` may create objects in `public`, with a function that notes who runs it.
struct Planted {
    database: TestDatabase,
    mallory: String,
    folder: TestFolder,
}

impl Planted {
    async fn new() -> Self {
        let database = TestDatabase::new(Kind::Postgres).await;
        let mallory = format!("{}_mallory", database.url.rsplit_once('/').unwrap().1);
        database
            .execute(&format!(
                "CREATE ROLE {mallory} LOGIN; GRANT CREATE ON SCHEMA public TO {mallory}; CREATE SCHEMA trap; \
                 CREATE TABLE trap.calls (who text); GRANT USAGE ON SCHEMA trap TO public; GRANT INSERT ON trap.calls TO public"
            ))
            .await;
        let planted = Planted { database, mallory, folder: folder(Kind::Postgres) };
        planted
            .plant(
                "CREATE FUNCTION public.evil() RETURNS text LANGUAGE plpgsql AS \
                 $$ BEGIN IF current_user <> session_user OR current_user NOT LIKE '%mallory' THEN \
                 INSERT INTO trap.calls VALUES (current_user); END IF; RETURN ''; END $$",
            )
            .await;
        planted
    }

    /// Runs SQL as `mallory`.
    async fn plant(&self, sql: &str) {
        let url = self.database.url.replace("postgres@", &format!("{}@", self.mallory));
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        let planted = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut connection).await;
        planted.unwrap_or_else(|error| panic!("{sql}: {error}"));
        connection.close().await.unwrap();
    }

    fn run(&self, command: &[&str]) -> Outcome {
        Binary::inside(self.folder.path()).variable("DATABASE_URL", &self.database.url).run(command)
    }

    async fn calls(&self) -> Vec<String> {
        self.database.rows("SELECT who FROM trap.calls").await
    }

    /// No command runs anything; each that must, says why. `reads`: reading is harmless, so that only writing is refused.
    async fn stays_harmless(self, what: &str, reads: bool) {
        let set = self.folder.set(Kind::Postgres.dialect());
        let ready = Migrator::new(&set).is_up_to_date(&self.database.url).await;
        assert!(ready.is_err() || reads && !ready.unwrap(), "{what}: never ready");
        for command in COMMANDS {
            let outcome = self.run(command);
            assert_eq!(self.calls().await, [""; 0], "{what}: {command:?}");
            let (code, stderr) = (outcome.code, outcome.stderr);
            assert!(stderr.contains("untrusted-history") || reads && code != 0, "{what}: {command:?}: {code} {stderr}");
            assert!(matches!(code, 1 | 3 | 5) || reads && code == 0, "{what}: {command:?}: {code} {stderr}");
        }
        let outcome = self.run(&["up"]);
        assert!(outcome.stderr.contains(&self.mallory), "{what}: {}", outcome.stderr);
        assert!(!self.database.tables().await.contains(&"a".to_owned()), "{what}");
        self.end().await;
    }

    async fn end(self) {
        let mallory = &self.mallory;
        self.database.execute(&format!("DROP OWNED BY {mallory} CASCADE; DROP ROLE {mallory}")).await;
        self.database.drop().await;
    }
}

#[tokio::test]
async fn a_view_is_not_read() {
    for records in [RECORDS.replace("''::text AS name", "public.evil() AS name"), RECORDS.replace("'app'::text", "evil()")] {
        let planted = Planted::new().await;
        planted.plant(&format!("CREATE VIEW migration_records AS SELECT {records}")).await;
        planted.stays_harmless("a view", false).await;
    }
    let planted = Planted::new().await;
    let versions = VERSIONS.replace("repeat('0', 64)", "repeat('0', 64) || evil()");
    planted.plant(&format!("CREATE VIEW schema_versions AS SELECT {versions}")).await;
    planted.plant(&format!("CREATE TABLE migration_records AS SELECT {RECORDS}")).await;
    planted.stays_harmless("a view with the summary", false).await;
}

#[tokio::test]
async fn a_rule_a_child_and_a_foreign_type_are_not_used() {
    let planted = Planted::new().await;
    planted
        .plant(&format!(
            "CREATE TABLE migration_records AS SELECT {RECORDS}; CREATE RULE r AS ON INSERT TO migration_records DO ALSO SELECT evil()"
        ))
        .await;
    planted.stays_harmless("a rule", false).await;
    let planted = Planted::new().await;
    planted
        .plant(&format!("CREATE TABLE migration_records AS SELECT {RECORDS}; CREATE TABLE child () INHERITS (migration_records)"))
        .await;
    planted.stays_harmless("a child", false).await;
    // A cast to text is a function of its own for such a type.
    let planted = Planted::new().await;
    let records = RECORDS.replace("1 AS statements,", "'x'::evil_type AS statements,");
    planted
        .plant(&format!(
            "CREATE TYPE evil_type AS ENUM ('x'); \
             CREATE FUNCTION evil_cast(evil_type) RETURNS text LANGUAGE sql AS 'SELECT evil()'; \
             CREATE FUNCTION evil_number(evil_type) RETURNS integer LANGUAGE sql AS 'SELECT length(evil())'; \
             CREATE CAST (evil_type AS text) WITH FUNCTION evil_cast(evil_type); \
             CREATE CAST (evil_type AS integer) WITH FUNCTION evil_number(evil_type) AS IMPLICIT; \
             CREATE TABLE migration_records AS SELECT {records}"
        ))
        .await;
    planted.stays_harmless("a type", false).await;
}

/// Expressions that the planner evaluates with the rights of the reader, before any row is read.
#[tokio::test]
async fn expressions_of_the_owner_are_not_planned() {
    for expression in [
        "CREATE INDEX ON migration_records (version) WHERE wrapped(1) = 1",
        "CREATE INDEX ON migration_records ((statements + wrapped(1)))",
        "CREATE STATISTICS public.st ON (wrapped(1) + length(service)), version FROM migration_records",
        "ALTER TABLE migration_records ADD CHECK (wrapped(1) = 1) NOT VALID",
        "ALTER TABLE migration_records ADD g int GENERATED ALWAYS AS (wrapped(1)) STORED",
    ] {
        let planted = Planted::new().await;
        planted
            .plant(&format!(
                "CREATE FUNCTION wrapped(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
                 $$ BEGIN PERFORM public.evil(); RETURN 1; END $$; \
                 CREATE TABLE migration_records AS SELECT {RECORDS}; {expression}"
            ))
            .await;
        planted.stays_harmless(expression, false).await;
    }
    // With this setting, the planner also evaluates the bound of a partition that is read directly.
    let planted = Planted::new().await;
    let name = planted.database.value("SELECT current_database()::text").await;
    planted.database.execute(&format!("ALTER DATABASE {name} SET constraint_exclusion = on")).await;
    let partition = format!(
        "CREATE FUNCTION wrapped(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
         $$ BEGIN PERFORM public.evil(); RETURN 1; END $$; \
         CREATE TABLE migration_records AS SELECT {RECORDS}; \
         CREATE TABLE par (LIKE migration_records) PARTITION BY LIST ((statements + wrapped(1))); \
         ALTER TABLE par ATTACH PARTITION migration_records FOR VALUES IN (1, 2, 3, NULL)"
    );
    planted.plant(&partition).await;
    planted.stays_harmless("partition", false).await;
    // The history of another tool, found anywhere in the database.
    let planted = Planted::new().await;
    planted
        .plant(
            "CREATE FUNCTION wrapped(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
             $$ BEGIN PERFORM public.evil(); RETURN 1; END $$; \
             CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL, installed_on timestamptz NOT NULL \
             DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL, execution_time bigint NOT NULL); \
             CREATE INDEX ON _sqlx_migrations (description) WHERE wrapped(1) = 1; \
             INSERT INTO _sqlx_migrations VALUES (99, 'zz', now(), true, '', 1)",
        )
        .await;
    let outcome = planted.run(&["up"]);
    assert!(outcome.stderr.contains("error[foreign-history]"), "{}", outcome.stderr);
    planted.run(&["status"]);
    assert_eq!(planted.calls().await, [""; 0]);
    planted.end().await;
}

/// The condition of a trigger runs with the rights of the writer, whoever owns its function.
#[tokio::test]
async fn a_condition_of_a_trigger_prevents_a_run() {
    let planted = Planted::new().await;
    planted.run(&["up"]);
    planted.database.execute(&format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {}", planted.mallory)).await;
    planted
        .plant(
            "CREATE TRIGGER zz BEFORE INSERT OR UPDATE ON migration_records FOR EACH ROW WHEN (evil() = 'x') \
             EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        )
        .await;
    planted.folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id int);");
    planted.folder.write("migrations/002_b.down.sql", "DROP TABLE b;");
    let outcome = planted.run(&["up"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the trigger `zz` of `public.migration_records` has a condition"), "{}", outcome.stderr);
    assert_eq!(planted.calls().await, [""; 0]);
    planted.end().await;
}

/// The owner holds a lock on an ordinary table until the query of the administrator waits for it, and then replaces the table.
#[tokio::test]
async fn a_table_that_is_replaced_while_the_query_waits() {
    let planted = Planted::new().await;
    let versions = VERSIONS.replace("repeat('0', 64)", "repeat('0', 64) || evil()");
    planted.plant(&format!("CREATE TABLE migration_records AS SELECT {RECORDS}")).await;
    planted.plant(&format!("CREATE TABLE schema_versions AS SELECT {VERSIONS}")).await;
    let url = planted.database.url.replace("postgres@", &format!("{}@", planted.mallory));
    for (table, columns) in [("schema_versions", versions), ("migration_records", RECORDS.replace("'app'::text", "evil()"))] {
        let mut connection = sqlx::PgConnection::connect(&url).await.unwrap();
        let begin = format!("BEGIN; LOCK TABLE {table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(begin)).execute(&mut connection).await.unwrap();
        let mut binary = Binary::inside(planted.folder.path()).variable("DATABASE_URL", &planted.database.url).command(&["up"]);
        let child = binary.stderr(Stdio::piped()).spawn().unwrap();
        let waiting = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE NOT l.granted \
                       AND a.datname = current_database()";
        until(async || planted.database.value(waiting).await != "0").await.expect("the command waits for the table");
        let replace = format!("DROP TABLE {table}; CREATE VIEW {table} AS SELECT {columns}; COMMIT");
        sqlx::raw_sql(sqlx::AssertSqlSafe(replace)).execute(&mut connection).await.unwrap();
        let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains("untrusted-history"), "{table}: {stderr}");
        assert_eq!(planted.calls().await, [""; 0], "{table}");
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("DROP VIEW {table}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
    planted.end().await;
}

/// Reading an ordinary table runs nothing, whoever owns it. A run would write, and its defaults, checks and triggers would run.
#[tokio::test]
async fn tables_of_a_user_who_is_not_trusted_are_not_written() {
    let planted = Planted::new().await;
    let records = RECORDS.replace("'001'", "'000'");
    planted
        .plant(&format!(
            "CREATE TABLE migration_records AS SELECT {records} LIMIT 0; CREATE TABLE schema_versions AS SELECT {VERSIONS} LIMIT 0; \
             ALTER TABLE migration_records ALTER name SET DEFAULT evil(), ADD CHECK (evil() = '')"
        ))
        .await;
    planted.stays_harmless("a table with a default", true).await;
    let planted = Planted::new().await;
    planted
        .plant(&format!(
            "CREATE TABLE schema_versions AS SELECT {VERSIONS} LIMIT 0; \
             CREATE TABLE migration_records AS SELECT {RECORDS} LIMIT 0; \
             CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil(); RETURN NEW; END $$; \
             CREATE TRIGGER t BEFORE INSERT OR UPDATE ON schema_versions FOR EACH ROW EXECUTE FUNCTION fire()"
        ))
        .await;
    planted.stays_harmless("a table with a trigger", true).await;
}

/// The tables are those of the administrator; only the trigger is not.
#[tokio::test]
async fn a_trigger_of_another_user_prevents_a_run() {
    let planted = Planted::new().await;
    let empty = TestFolder::new(&[("000_x.up.sql", "SELECT 1;")]);
    empty.write("migrate.toml", "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    Binary::inside(empty.path()).variable("DATABASE_URL", &planted.database.url).ok(&["up"]);
    planted.database.execute(&format!("GRANT TRIGGER ON migration_records TO {}", planted.mallory)).await;
    planted
        .plant(
            "CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil(); RETURN NEW; END $$; \
             CREATE TRIGGER t BEFORE INSERT OR UPDATE ON migration_records FOR EACH ROW EXECUTE FUNCTION fire()",
        )
        .await;
    planted.folder.write("migrations/000_x.up.sql", "SELECT 1;");
    let outcome = planted.run(&["up"]);
    assert_eq!(planted.calls().await, [""; 0]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the trigger `t` of `public.migration_records`"), "{}", outcome.stderr);
    let outcome = planted.run(&["status"]);
    assert!(outcome.stderr.contains("note[untrusted-history]"), "{}", outcome.stderr);
    for command in [&["down", "--yes"][..], &["resolve", "--applied", "000"]] {
        let outcome = planted.run(command);
        assert!(outcome.stderr.contains("untrusted-history"), "{command:?}: {}", outcome.stderr);
    }
    assert_eq!(planted.calls().await, [""; 0]);
    // A trigger of the administrator is no problem.
    planted.database.execute("DROP TRIGGER t ON migration_records; ALTER FUNCTION fire() OWNER TO postgres").await;
    planted.database.execute("CREATE TABLE audit (n int)").await;
    planted
        .database
        .execute(
            "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN INSERT INTO public.audit VALUES (1); RETURN NULL; END $$; \
             CREATE TRIGGER t AFTER INSERT ON migration_records FOR EACH ROW EXECUTE FUNCTION audit()",
        )
        .await;
    assert_eq!(planted.run(&["up"]).code, 0);
    assert_eq!(planted.database.value("SELECT count(*) FROM audit").await, "1");
    planted.end().await;
}

/// A record that a trigger leaves out, that a rollback leaves, or that a crash removes would be wrong, whoever made it so.
#[tokio::test]
async fn tables_that_lose_or_keep_rows_are_not_written() {
    let before = "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
         CREATE TRIGGER t BEFORE INSERT OR UPDATE ON migration_records FOR EACH ROW EXECUTE FUNCTION nothing()";
    for (kind, change, expected) in [
        (Kind::Postgres, before, "runs before a row is written"),
        (Kind::Postgres, "ALTER TABLE schema_versions SET UNLOGGED", "is an unlogged table"),
        (
            Kind::MariaDb,
            "CREATE TRIGGER t BEFORE INSERT ON migration_records FOR EACH ROW SET NEW.version = '777'",
            "runs before a row is written",
        ),
        (Kind::MariaDb, "ALTER TABLE migration_records ENGINE = Aria", "does not support transactions"),
        (Kind::MariaDb, "ALTER TABLE schema_versions ENGINE = MyISAM", "does not support transactions"),
    ] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        binary.ok(&["up"]);
        database.execute(change).await;
        folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id int);");
        let outcome = binary.run(&["up"]);
        assert_eq!(outcome.code, 1, "{change}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(expected), "{change}: {}", outcome.stderr);
        assert!(!database.tables().await.contains(&"b".to_owned()), "{change}");
        assert_eq!(binary.run(&["status"]).code, 0, "{change}");
        database.drop().await;
    }
}

/// A file that drops the database or the schema of its history is refused before anything runs.
#[tokio::test]
async fn a_file_does_not_drop_its_history() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let name = if kind == Kind::Postgres { "public".to_owned() } else { database.value("SELECT database()").await };
        let text = match kind {
            Kind::Postgres => format!("CREATE TABLE b (id int);\nDROP SCHEMA {name} CASCADE;\nCREATE SCHEMA {name};"),
            _ => format!(
                "CREATE TABLE b (id int);\n/*!40000 DROP DATABASE IF EXISTS `{name}`*/;\nCREATE DATABASE `{name}`;\nUSE `{name}`;"
            ),
        };
        folder.write("migrations/002_b.up.sql", &text);
        let outcome = binary.run(&["up"]);
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
        assert!(
            outcome.stderr.contains("error[drops-history]") && outcome.stderr.contains("002_b.up.sql:2"),
            "{}",
            outcome.stderr
        );
        assert_eq!(database.tables().await, [""; 0]);
        database.drop().await;
    }
}

/// A file that drops or writes the tables of its history, as a dump of a whole database does, is refused before anything runs.
#[tokio::test]
async fn a_file_does_not_change_its_history() {
    for kind in [Kind::Postgres, Kind::MariaDb, Kind::Sqlite] {
        for text in [
            "CREATE TABLE b (id int);\nDROP TABLE migration_records;\nCREATE TABLE bb (id int);",
            "CREATE TABLE b (id int);\nDROP TABLE IF EXISTS migration_events;",
            "CREATE TABLE b (id int);\nCREATE TABLE migration_records (service text);",
            "CREATE TABLE b (id int);\nINSERT INTO migration_records (service) VALUES ('x');",
            "CREATE TABLE b (id int);\nDELETE FROM schema_versions;",
        ] {
            let database = TestDatabase::new(kind).await;
            let folder = folder(kind);
            let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
            folder.write("migrations/002_b.up.sql", text);
            let outcome = binary.run(&["up"]);
            assert_eq!(outcome.code, 1, "{text}: {}", outcome.stderr);
            let is_refused = outcome.stderr.contains("error[drops-history]") && outcome.stderr.contains("002_b.up.sql:2");
            assert!(is_refused, "{text}: {}", outcome.stderr);
            assert_eq!(database.tables().await, [""; 0]);
            database.drop().await;
        }
    }
}

/// A temporary table, or one in another place, is not the history, although it has the name.
#[tokio::test]
async fn a_table_with_the_name_of_the_history_is_another_one() {
    for (kind, text) in [
        (
            Kind::Sqlite,
            "CREATE TEMP TABLE migration_records (id int); INSERT INTO migration_records VALUES (1); DROP TABLE migration_records;",
        ),
        (Kind::Sqlite, "ATTACH ':memory:' AS aux; CREATE TABLE aux.migration_records (id int);"),
        (Kind::Postgres, "CREATE SCHEMA own; CREATE TABLE own.migration_records (id int);"),
        (Kind::Postgres, "CREATE TEMP TABLE migration_records (id int); INSERT INTO migration_records VALUES (1);"),
    ] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind);
        folder.write("migrations/002_b.up.sql", text);
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
        assert_eq!(outcome.code, 0, "{text}: {}", outcome.stderr);
        assert_eq!(database.value("SELECT count(*) FROM migration_records").await, "2");
        database.drop().await;
    }
}

/// A neighbor may only reference the records: what hangs on the referencing table would run at the commit of a revert.
#[tokio::test]
async fn a_foreign_key_to_the_history_prevents_a_run() {
    for (action, privileges) in [("ON DELETE CASCADE", "REFERENCES"), ("", "REFERENCES"), ("ON UPDATE SET NULL", "ALL")] {
        let planted = Planted::new().await;
        assert_eq!(planted.run(&["up"]).code, 0);
        planted.database.execute(&format!("GRANT {privileges} ON migration_records TO {}", planted.mallory)).await;
        planted
            .plant(&format!(
                "CREATE TABLE child (s text, v text, FOREIGN KEY (s, v) REFERENCES migration_records (service, version) {action}); \
                 INSERT INTO child VALUES ('app', '001'); \
                 CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil(); RETURN NULL; END $$; \
                 CREATE CONSTRAINT TRIGGER t AFTER DELETE OR UPDATE ON child DEFERRABLE INITIALLY DEFERRED \
                 FOR EACH ROW EXECUTE FUNCTION fire()"
            ))
            .await;
        let outcome = planted.run(&["status"]);
        assert!(outcome.stderr.contains("note[untrusted-history]"), "{action}: {}", outcome.stderr);
        for command in [&["down", "--yes"][..], &["redo", "--yes"]] {
            let outcome = planted.run(command);
            assert_eq!(outcome.code, 1, "{action}: {command:?}: {}", outcome.stderr);
            let message = format!("the table `public.child` of `{}` has a foreign key to", planted.mallory);
            assert!(outcome.stderr.contains(&message), "{action}: {}", outcome.stderr);
            assert_eq!(planted.calls().await, [""; 0], "{action}");
        }
        // Also on a table of the administrator, other users may have created a trigger.
        planted.database.execute("ALTER TABLE child OWNER TO postgres").await;
        let code = i32::from(!action.is_empty());
        if code == 1 {
            assert_eq!(planted.run(&["down", "--yes"]).code, code, "{action}");
        }
        planted.database.execute("DROP TABLE child").await;
        assert_eq!(planted.run(&["down", "--yes"]).code, 0, "{action}");
        planted.end().await;
    }
}

/// The function of the trigger is one of the administrator; its arguments are not.
#[tokio::test]
async fn arguments_of_a_trigger_prevent_a_run() {
    let planted = Planted::new().await;
    assert_eq!(planted.run(&["up"]).code, 0);
    planted
        .database
        .execute(&format!(
            "CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN IF TG_NARGS > 0 THEN EXECUTE TG_ARGV[0]; END IF; RETURN NULL; END $$; \
             GRANT TRIGGER ON migration_records TO {}",
            planted.mallory
        ))
        .await;
    planted
        .plant("CREATE TRIGGER t AFTER INSERT OR DELETE ON migration_records FOR EACH ROW EXECUTE FUNCTION audit('SELECT public.evil()')")
        .await;
    let outcome = planted.run(&["status"]);
    assert!(outcome.stderr.contains("note[untrusted-history]"), "{}", outcome.stderr);
    let outcome = planted.run(&["down", "--yes"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the trigger `t` of `public.migration_records` passes arguments"), "{}", outcome.stderr);
    assert_eq!(planted.calls().await, [""; 0]);
    planted.database.execute("DROP TRIGGER t ON migration_records").await;
    planted
        .database
        .execute("CREATE TRIGGER t AFTER INSERT OR DELETE ON migration_records FOR EACH ROW EXECUTE FUNCTION audit()")
        .await;
    assert_eq!(planted.run(&["down", "--yes"]).code, 0);
    planted.end().await;
}

/// `relhasrules` stays true until the next VACUUM.
#[tokio::test]
async fn a_rule_that_was_dropped_is_none() {
    let planted = Planted::new().await;
    assert_eq!(planted.run(&["up"]).code, 0);
    for table in ["migration_records", "schema_versions", "migration_events"] {
        let rule = format!("CREATE RULE r AS ON INSERT TO {table} DO ALSO NOTHING");
        planted.database.execute(&rule).await;
        let outcome = planted.run(&["status"]);
        assert!(outcome.stderr.contains("has rules"), "{table}: {}", outcome.stderr);
        planted.database.execute(&format!("DROP RULE r ON {table}")).await;
    }
    assert_eq!(planted.run(&["status"]).code, 0);
    assert_eq!(planted.run(&["down", "--yes"]).code, 0);
    // The first run of another service reads the same table.
    planted.folder.write("migrate.toml", "service = \"other\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    let outcome = planted.run(&["up"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    planted.end().await;
}

/// Whoever may create schemas chooses their names, and `"$user"` in `search_path` leads to one with the name of the administrator.
#[tokio::test]
async fn a_schema_with_the_name_of_the_administrator() {
    let copies = |tables: &[&str], mallory: &str| {
        let copy = |table: &&str| {
            format!(
                "CREATE TABLE postgres.{table} (LIKE public.{table} INCLUDING DEFAULTS INCLUDING IDENTITY); \
                 INSERT INTO postgres.{table} OVERRIDING SYSTEM VALUE SELECT * FROM public.{table}; \
                 ALTER TABLE postgres.{table} OWNER TO {mallory}; GRANT ALL ON postgres.{table} TO public; \
                 CREATE TRIGGER t BEFORE INSERT OR UPDATE OR DELETE ON postgres.{table} FOR EACH ROW EXECUTE FUNCTION fire();"
            )
        };
        tables.iter().map(copy).collect::<String>()
    };
    for tables in [&["migration_records", "schema_versions", "migration_events"][..], &["migration_records"]] {
        let planted = Planted::new().await;
        assert_eq!(planted.run(&["up"]).code, 0);
        let mallory = &planted.mallory;
        planted
            .database
            .execute(&format!(
                "CREATE SCHEMA postgres; GRANT ALL ON SCHEMA postgres TO public; ALTER SCHEMA postgres OWNER TO {mallory}; \
                 CREATE FUNCTION fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil(); RETURN NEW; END $$; \
                 ALTER FUNCTION fire() OWNER TO {mallory}; {}",
                copies(tables, mallory)
            ))
            .await;
        // The copy says that nothing is pending.
        for command in COMMANDS {
            let outcome = planted.run(command);
            assert_eq!(outcome.code, 1, "{command:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains("comes before `public.migration_records` in `search_path`"), "{}", outcome.stderr);
        }
        assert!(Migrator::new(planted.folder.set(Kind::Postgres.dialect())).is_up_to_date(&planted.database.url).await.is_err());
        // What is stated is not looked for.
        let settings = "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n";
        planted.folder.write("migrate.toml", &format!("{settings}[history]\nschema = \"public\"\n"));
        assert_eq!(planted.run(&["down", "--yes"]).code, 0);
        planted.folder.write("migrate.toml", settings);
        // Without a history to hide: the tables are still those of another user.
        planted.database.execute("DROP TABLE public.migration_records, public.schema_versions, public.migration_events").await;
        let outcome = planted.run(&["down", "--yes"]);
        assert_eq!(outcome.code, 1, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("which is not a trusted role"), "{}", outcome.stderr);
        assert_eq!(planted.calls().await, [""; 0]);
        planted.end().await;
    }
    // An empty schema: its owner could drop what the first run creates there.
    let planted = Planted::new().await;
    planted.database.execute(&format!("CREATE SCHEMA postgres AUTHORIZATION {}", planted.mallory)).await;
    let outcome = planted.run(&["up"]);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("the schema `postgres`, in which the first run would create"), "{}", outcome.stderr);
    assert!(planted.run(&["status"]).stderr.contains("note[untrusted-history]"));
    let settings = "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n";
    planted.folder.write("migrate.toml", &format!("{settings}[history]\nschema = \"public\"\n"));
    assert_eq!(planted.run(&["up"]).code, 0);
    // Nor does it begin a second history.
    planted.folder.write("migrate.toml", settings);
    let outcome = planted.run(&["up"]);
    assert!([1, 5].contains(&outcome.code), "{}", outcome.stderr);
    assert_eq!(planted.database.value("SELECT count(*) FROM pg_class WHERE relname = 'migration_records'").await, "1");
    planted.end().await;
}

/// Who is trusted: oneself, a superuser, the owner of the database, that of a schema that was chosen on purpose, a role that one is a member of.
#[tokio::test]
async fn owners_who_are_trusted() {
    let planted = Planted::new().await;
    let (database, mallory) = (&planted.database, &planted.mallory);
    let owner = format!("{mallory}_owner");
    let url = database.url.replace("postgres@", &format!("{mallory}@"));
    let up = |url: &str| Binary::inside(planted.folder.path()).variable("DATABASE_URL", url).run(&["up"]);
    // One's own tables.
    assert_eq!(up(&url).code, 0);
    let outcome = up(&database.url);
    assert_eq!(outcome.code, 0, "nothing to do: {}", outcome.stderr);
    planted.folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id int);");
    let outcome = up(&database.url);
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&format!("is owned by `{mallory}`")), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("ALTER TABLE public."), "{}", outcome.stderr);
    database.execute(&format!("GRANT {mallory} TO postgres")).await;
    let outcome = up(&database.url);
    assert_eq!(outcome.code, 0, "a member: {}", outcome.stderr);
    database.execute(&format!("REVOKE {mallory} FROM postgres")).await;
    // A role of a role.
    planted.folder.write("migrations/003_c.up.sql", "CREATE TABLE c (id int);");
    assert_eq!(up(&database.url).code, 1);
    database.execute(&format!("CREATE ROLE {owner}; GRANT {mallory} TO {owner}; GRANT {owner} TO postgres")).await;
    assert_eq!(up(&database.url).code, 0);
    database.execute(&format!("REVOKE {owner} FROM postgres; DROP ROLE {owner}")).await;
    // The owner of the schema, if the schema is chosen on purpose.
    planted.folder.write("migrations/004_d.up.sql", "CREATE TABLE d (id int);");
    database.execute(&format!("ALTER SCHEMA public OWNER TO {mallory}")).await;
    assert_eq!(up(&database.url).code, 1);
    let settings = "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n";
    planted.folder.write("migrate.toml", &format!("{settings}[history]\nschema = \"public\"\n"));
    let outcome = up(&database.url);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    planted.folder.write("migrate.toml", settings);
    database.execute("ALTER SCHEMA public OWNER TO postgres").await;
    // Tables of a superuser, for another user.
    for table in ["migration_records", "schema_versions", "migration_events"] {
        database.execute(&format!("ALTER TABLE {table} OWNER TO postgres; GRANT ALL ON {table} TO {mallory}")).await;
    }
    planted.folder.write("migrations/005_e.up.sql", "CREATE TABLE e (id int);");
    database.execute(&format!("GRANT CREATE ON SCHEMA public TO {mallory}")).await;
    let outcome = up(&url);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    planted.end().await;
}

/// A view with the columns of another tool's history is noticed, and not read.
#[tokio::test]
async fn a_history_behind_a_view_is_unknown() {
    let planted = Planted::new().await;
    planted.plant("CREATE VIEW schema_migrations AS SELECT 1::bigint AS version, evil() = '' AS dirty").await;
    let outcome = planted.run(&["up"]);
    assert_eq!(planted.calls().await, [""; 0]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("runs code of its owner when it is read"), "{}", outcome.stderr);
    planted.folder.write(
        "migrate.toml",
        "service = \"app\"\ndatabase = \"postgres\"\nlint = \"off\"\n[history]\nignore = [\"golang-migrate\"]\n",
    );
    assert_eq!(planted.run(&["up"]).code, 0);
    assert_eq!(planted.calls().await, [""; 0]);
    planted.end().await;
}

/// MariaDB and SQLite: a view is not read, and a trigger of another user prevents a run.
#[tokio::test]
async fn views_and_triggers_elsewhere() {
    for kind in [Kind::MariaDb, Kind::Sqlite] {
        let database = TestDatabase::new(kind).await;
        let folder = folder(kind);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let columns =
            "'app' AS service, '001' AS version, 'x' AS digest, 1 AS applied_count, 'applied' AS state, 'x' AS checksum";
        for table in ["migration_records", "schema_versions"] {
            database.execute(&format!("CREATE VIEW {table} AS SELECT {columns}")).await;
            for command in COMMANDS {
                let outcome = binary.run(command);
                assert_eq!(outcome.code, 1, "{kind:?}: {command:?}: {}", outcome.stderr);
                assert!(outcome.stderr.contains("untrusted-history"), "{kind:?}: {command:?}: {}", outcome.stderr);
                assert!(outcome.stderr.contains("is not an ordinary table, but a view"), "{}", outcome.stderr);
            }
            assert!(Migrator::new(folder.set(kind.dialect())).is_up_to_date(&database.url).await.is_err());
            database.execute(&format!("DROP VIEW {table}")).await;
        }
        binary.ok(&["up"]);
        let trigger = match kind {
            Kind::Sqlite => "CREATE TRIGGER t AFTER UPDATE ON schema_versions BEGIN DELETE FROM a; END",
            _ => "CREATE DEFINER = 'mallory'@'localhost' TRIGGER t AFTER UPDATE ON schema_versions FOR EACH ROW DELETE FROM a",
        };
        database.execute(trigger).await;
        folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id int);");
        let outcome = binary.run(&["up"]);
        assert_eq!(outcome.code, 1, "{kind:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("the trigger `t` of "), "{kind:?}: {}", outcome.stderr);
        database.execute("DROP TRIGGER t").await;
        binary.ok(&["up"]);
        database.drop().await;
    }
}

/// A column of a SQLite history that an expression computes: to read it could need any memory.
#[tokio::test]
async fn a_computed_column_is_not_read() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let folder = folder(Kind::Sqlite);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["up"]);
    database.execute("ALTER TABLE migration_records ADD COLUMN more text AS (hex(zeroblob(100)))").await;
    folder.write("migrations/002_b.up.sql", "CREATE TABLE b (id int);");
    for command in ["up", "status"] {
        let outcome = binary.run(&[command]);
        let expected = "`main.migration_records` is not an ordinary table, but a table with the computed column `more`";
        assert!(outcome.code == 1 && outcome.stderr.contains(expected), "{command}: {}", outcome.stderr);
    }
    database.drop().await;
}

/// System-versioned tables are ordinary ones, and a history of another tool in them is found.
#[tokio::test]
async fn system_versioned_tables_are_read() {
    let database = TestDatabase::new(Kind::MariaDb).await;
    let folder = folder(Kind::MariaDb);
    database
        .execute("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL) WITH SYSTEM VERSIONING")
        .await;
    database.execute("INSERT INTO schema_migrations VALUES (1, false)").await;
    let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).run(&["up"]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("foreign-history"), "{}", outcome.stderr);
    database.drop().await;
}
