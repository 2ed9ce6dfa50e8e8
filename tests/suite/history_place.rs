//! The place of the history: found once, protected by its lock, and searched for before a first run.

use migrate_runtime::{Error, ErrorKind, Migrator, Resolution, Target, Version};
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use std::time::Duration;

/// Two migrations that do harm if they run twice, with these settings.
fn harmful(kind: Kind, settings: &str) -> TestFolder {
    let folder = TestFolder::new(&[
        ("001_a.sql", "CREATE TABLE IF NOT EXISTS log (n integer);\n"),
        ("002_b.sql", "INSERT INTO log VALUES (1);\n"),
    ]);
    folder.write("migrate.toml", &format!("service = \"shop\"\ndatabase = \"{}\"\n{settings}", kind.dialect().name()));
    folder
}

async fn up(folder: &TestFolder, database: &TestDatabase, url: &str) -> Result<usize, Error> {
    let set = folder.set(database.kind.dialect());
    Migrator::new(set).run(url).await.map(|report| report.done.len())
}

/// The error of a run that must not start: the code, and all of it as text.
async fn refusal(folder: &TestFolder, database: &TestDatabase, url: &str) -> (&'static str, String) {
    let error = up(folder, database, url).await.expect_err("the run must be refused");
    // `status` says the same, and would not run it either.
    let set = folder.set(database.kind.dialect());
    let status = Migrator::new(set).status(url).await.unwrap();
    let refusal = status.refusal().unwrap_or_else(|| panic!("status does not know of {error}"));
    assert_eq!((refusal.code(), refusal.message()), (error.code(), error.message()));
    assert_eq!(status.neighbors()[0].message, error.message());
    (error.code().name, error.report())
}

async fn databases() -> Vec<TestDatabase> {
    let mut databases = Vec::new();
    for kind in Kind::ALL {
        databases.push(TestDatabase::new(kind).await);
    }
    databases
}

async fn drop_all(databases: Vec<TestDatabase>) {
    for database in databases {
        database.drop().await;
    }
}

#[test]
fn every_spelling_of_the_folder_is_one_history() {
    let folder = harmful(Kind::Sqlite, "[history]\nrecords = \"shop_records\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let inside = Binary::inside(&folder.path().join("migrations")).variable("DATABASE_URL", "sqlite:../app.db");
    let absolute = folder.path().join("migrations").display().to_string();
    let outcome = binary.ok(&["up", "--source", "migrations"]);
    assert!(outcome.stderr.contains("Done `shop`: 2 migrations applied"), "{}", outcome.stderr);
    for source in ["./migrations", "migrations/", ".", "./migrations/.", "migrations/../migrations", &absolute] {
        let outcome = binary.ok(&["up", "--source", source]);
        assert!(outcome.stderr.contains("`shop`: nothing to do"), "{source}: {}", outcome.stderr);
    }
    for source in [".", "../migrations", ".."] {
        let outcome = inside.ok(&["up", "--source", source]);
        assert!(outcome.stderr.contains("`shop`: nothing to do"), "{source}: {}", outcome.stderr);
    }
    folder.write("migrate.toml", "nonsense = 1\n");
    assert_eq!(binary.run(&["up", "--source", "migrations"]).code, 4, "the settings beside a bare name are read");
}

/// The lock is named after the place of the history, whatever database a URL names.
#[tokio::test]
async fn runs_over_two_databases_of_a_url_exclude_each_other() {
    let (first, second) = (TestDatabase::new(Kind::MariaDb).await, TestDatabase::new(Kind::MariaDb).await);
    let place = TestDatabase::new(Kind::MariaDb).await;
    let schema = place.url.rsplit_once('/').unwrap().1;
    let folder = TestFolder::new(&[("001_wait.sql", &format!("SELECT GET_LOCK('{schema}', 60);"))]);
    folder.write("migrate.toml", &format!("service = \"shop\"\n[history]\nschema = \"{schema}\"\n"));
    let mut connection = place.connect().await;
    sqlx::query(sqlx::AssertSqlSafe(format!("SELECT GET_LOCK('{schema}', 0)"))).fetch_one(&mut connection).await.unwrap();
    let set = folder.set(Kind::MariaDb.dialect());
    let url = first.url.clone();
    let running = tokio::spawn({
        let set = set.clone();
        async move { Migrator::new(&set).run(&url).await }
    });
    first.until_runs(&format!("GET_LOCK(\\'{schema}\\', 60)")).await;
    let error = Migrator::new(&set).lock_wait(Duration::ZERO).run(&second.url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockNotObtained, "{error}");
    sqlx::Connection::close(connection).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap().done.len(), 1);
    assert!(Migrator::new(&set).run(&second.url).await.unwrap().done.is_empty());
    drop_all(vec![first, second, place]).await;
}

#[tokio::test]
async fn a_search_path_that_moved_does_not_begin_a_second_history() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let name = database.url.rsplit_once('/').unwrap().1.to_owned();
    let folder = TestFolder::new(&[
        ("001_a.sql", "CREATE TABLE IF NOT EXISTS public.log (n int);\nINSERT INTO public.log VALUES (1);\n"),
        ("002_b.sql", &format!("CREATE SCHEMA IF NOT EXISTS app;\nALTER DATABASE {name} SET search_path TO app;\n")),
    ]);
    assert_eq!(up(&folder, &database, &database.url).await.unwrap(), 2);
    let (code, text) = refusal(&folder, &database, &database.url).await;
    assert_eq!(code, "other-schema");
    for part in [
        "`public.migration_records` contains one with 2 migrations",
        "`app.migration_records`",
        "set `schema = \"public\"`",
        "set `schema = \"app\"`",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(database.value("SELECT count(*) FROM public.log").await, "1");
    assert_eq!(database.value("SELECT count(*) FROM pg_tables WHERE schemaname = 'app'").await, "0", "nothing was created");
    // The same by the URL, and by a role.
    let by_url = format!("{}?options=-c%20search_path%3Dpg_temp,app", database.url);
    assert_eq!(refusal(&folder, &database, &by_url).await.0, "other-schema");
    database.execute(&format!("CREATE ROLE {name}_r LOGIN; GRANT {name}_r TO CURRENT_USER; GRANT ALL ON SCHEMA app TO {name}_r; ALTER ROLE {name}_r SET search_path TO app")).await;
    let by_role = database.url.replace("postgres@", &format!("{name}_r@"));
    let (code, text) = refusal(&folder, &database, &by_role).await;
    assert_eq!(code, "other-schema");
    assert!(text.contains("cannot read `public.migration_records`"), "what it may not read, it does not know: {text}");
    // What the help says.
    folder.write("migrate.toml", "[history]\nschema = \"public\"\n");
    assert_eq!(up(&folder, &database, &database.url).await.unwrap(), 0);
    database.execute(&format!("DROP OWNED BY {name}_r; DROP ROLE {name}_r")).await;
    database.drop().await;
}

/// One history for each tenant: the schema is stated, or `search_path` is to decide.
#[tokio::test]
async fn a_schema_for_each_tenant() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE SCHEMA t1; CREATE SCHEMA t2; CREATE SCHEMA t3; CREATE SCHEMA t4").await;
    let through = |schema: &str| format!("{}?options=-csearch_path%3D{schema}", database.url);
    let stated = |schema: &str| harmful(Kind::Postgres, &format!("[history]\nschema = \"{schema}\"\n"));
    assert_eq!(up(&stated("t1"), &database, &through("t1")).await.unwrap(), 2);
    let status = Migrator::new(stated("t2").set(Kind::Postgres.dialect())).status(&through("t2")).await.unwrap();
    assert!(status.refusal().is_none());
    assert!(status.neighbors()[0].message.contains("`t1.migration_records` also contains a history of `shop`"));
    assert_eq!(up(&stated("t2"), &database, &through("t2")).await.unwrap(), 2);
    assert_eq!(refusal(&harmful(Kind::Postgres, ""), &database, &through("t3")).await.0, "other-schema");
    let by_path = harmful(Kind::Postgres, "[history]\nignore = [\"other-schema\"]\n");
    for schema in ["t3", "t4"] {
        assert_eq!(up(&by_path, &database, &through(schema)).await.unwrap(), 2);
        assert_eq!(database.value(&format!("SELECT count(*) FROM {schema}.log")).await, "1");
    }
    assert_eq!(up(&by_path, &database, &through("t3")).await.unwrap(), 0);
    database.drop().await;
}

/// The history of another service in a later schema of `search_path` is not the place of a tenant's history.
#[tokio::test]
async fn a_schema_for_each_tenant_before_a_shared_one() {
    let database = TestDatabase::new(Kind::Postgres).await;
    database.execute("CREATE SCHEMA t1; CREATE SCHEMA t2; CREATE SCHEMA t3").await;
    let platform = TestFolder::new(&[("001_p.sql", "CREATE TABLE p (n int);")]);
    platform.write("migrate.toml", "service = \"platform\"\n");
    assert_eq!(up(&platform, &database, &database.url).await.unwrap(), 1);
    let tenant = harmful(Kind::Postgres, "[history]\nignore = [\"other-schema\"]\n");
    let migrator = Migrator::new(tenant.set(Kind::Postgres.dialect()));
    for schema in ["t1", "t2"] {
        let url = format!("{}?options=-csearch_path%3D{schema}%2Cpublic", database.url);
        assert!(!migrator.is_up_to_date(&url).await.unwrap());
        assert_eq!(migrator.status(&url).await.unwrap().pending().len(), 2);
        assert_eq!(up(&tenant, &database, &url).await.unwrap(), 2);
        assert!(migrator.is_up_to_date(&url).await.unwrap());
        assert_eq!(database.value(&format!("SELECT count(*) FROM {schema}.log")).await, "1");
        assert_eq!(database.value(&format!("SELECT count(*) FROM {schema}.migration_records")).await, "2");
    }
    // Without `ignore`, the first run asks.
    let url = format!("{}?options=-csearch_path%3Dt3%2Cpublic", database.url);
    assert_eq!(refusal(&harmful(Kind::Postgres, ""), &database, &url).await.0, "other-schema");
    database.drop().await;
}

/// Files that got other versions are not applied again, also where versions may be added below others.
#[tokio::test]
async fn renumbered_files_are_not_applied_again() {
    let databases = databases().await;
    for database in &databases {
        let folder = harmful(database.kind, "out-of-order = \"allow\"\n");
        up(&folder, database, &database.url).await.unwrap();
        let mut names = ["001_a.sql", "002_b.sql"];
        // Below the versions that are applied, and above them.
        for others in [["000.1_a.sql", "000.2_b.sql"], ["20240101000000_a.sql", "20240102000000_b.sql"]] {
            for (from, to) in names.iter().zip(others) {
                let text = std::fs::read_to_string(folder.path().join("migrations").join(from)).unwrap();
                folder.remove(&format!("migrations/{from}"));
                folder.write(&format!("migrations/{to}"), &text);
            }
            names = others;
            let error = up(&folder, database, &database.url).await.unwrap_err().report();
            assert!(error.contains("its text was applied as `002_b`"), "{error}");
            assert_eq!(database.value("SELECT count(*) FROM log").await, "1");
        }
        // On purpose.
        folder.write("migrations/20240101000000_a.sql", "-- again\nCREATE TABLE IF NOT EXISTS log (n integer);\n");
        folder.write("migrations/20240102000000_b.sql", "-- again\nINSERT INTO log VALUES (1);\n");
        assert_eq!(up(&folder, database, &database.url).await.unwrap(), 2);
    }
    drop_all(databases).await;
}

/// A row of the history was lost. An older release, which has nothing to do, must not make the summary forget it, and nothing else
/// is reverted in place of the lost migration.
#[tokio::test]
async fn a_lost_record_is_not_forgotten() {
    let databases = databases().await;
    for database in &databases {
        let release = |files: usize| {
            let all = [
                ("001_a.up.sql", "CREATE TABLE log (n integer);\n"),
                ("001_a.down.sql", "DROP TABLE log;\n"),
                ("002_b.up.sql", "INSERT INTO log VALUES (1);\n"),
                ("002_b.down.sql", "DELETE FROM log WHERE n = 1;\n"),
                ("003_c.up.sql", "INSERT INTO log VALUES (3);\n"),
                ("003_c.down.sql", "DELETE FROM log WHERE n = 3;\n"),
            ];
            let folder = TestFolder::new(&all[..files]);
            folder.write("migrate.toml", &format!("service = \"shop\"\ndatabase = \"{}\"\n", database.kind.dialect().name()));
            folder
        };
        let (old, new) = (release(4), release(6));
        up(&old, database, &database.url).await.unwrap();
        assert_eq!(up(&new, database, &database.url).await.unwrap(), 1);
        database.execute("DELETE FROM migration_records WHERE version = '003'").await;
        assert_eq!(refusal(&new, database, &database.url).await.0, "records-lost");
        assert_eq!(up(&old, database, &database.url).await.unwrap(), 0, "the old release starts");
        assert_eq!(refusal(&new, database, &database.url).await.0, "records-lost");
        let log = database.rows("SELECT n FROM log ORDER BY n").await;
        for target in [Target::Down(1), Target::DownAll] {
            for folder in [&old, &new] {
                let migrator = Migrator::new(folder.set(database.kind.dialect()));
                let error = migrator.run_to(&database.url, &target).await.unwrap_err();
                assert_eq!(error.finding().code.name, "records-lost", "{error}");
            }
        }
        assert_eq!(database.rows("SELECT n FROM log ORDER BY n").await, log);
        database.execute("DELETE FROM migration_records").await;
        let migrator = Migrator::new(new.set(database.kind.dialect()));
        let error = migrator.run_to(&database.url, &Target::Down(1)).await.unwrap_err();
        assert_eq!(error.finding().code.name, "records-lost", "{error}");
    }
    drop_all(databases).await;
}

/// The records and their summary were lost together: the log of events says what was applied.
#[tokio::test]
async fn the_events_show_lost_records() {
    const BACK_TO_ONE: [&str; 2] = [
        "DELETE FROM migration_records WHERE version = '002'",
        "UPDATE schema_versions SET version = '001', applied_count = 1, digest = (SELECT d FROM first_digest)",
    ];
    let databases = databases().await;
    for database in &databases {
        let folder = TestFolder::new(&[
            ("001_a.up.sql", "CREATE TABLE IF NOT EXISTS log (n integer);\n"),
            ("001_a.down.sql", "DROP TABLE log;\n"),
            ("002_b.up.sql", "INSERT INTO log VALUES (1);\n"),
            ("002_b.down.sql", "DELETE FROM log;\n"),
        ]);
        let migrator = Migrator::new(folder.set(database.kind.dialect()));
        migrator.run_to(&database.url, &Target::UpTo("001".parse().unwrap())).await.unwrap();
        database.execute("CREATE TABLE first_digest AS SELECT digest AS d FROM schema_versions").await;
        for loss in [
            &BACK_TO_ONE[..],
            &["DELETE FROM migration_records", "DELETE FROM schema_versions"],
            &["DROP TABLE migration_records", "DROP TABLE schema_versions"],
            &["DROP TABLE migration_records", "DELETE FROM schema_versions"],
            &["DELETE FROM migration_records WHERE version = '002'", "DROP TABLE schema_versions"],
        ] {
            migrator.run(&database.url).await.unwrap();
            let log = database.value("SELECT count(*) FROM log").await;
            for statement in loss {
                database.execute(statement).await;
            }
            let status = migrator.status(&database.url).await.unwrap();
            assert!(status.has_lost_records(), "{loss:?}");
            let error = migrator.run(&database.url).await.unwrap_err();
            assert_eq!(error.code().name, "records-lost", "{loss:?}: {error}");
            assert!(error.report().contains("`002`"), "{error}");
            let error = migrator.run_to(&database.url, &Target::Down(1)).await.unwrap_err();
            assert_eq!(error.code().name, "records-lost", "{loss:?}: {error}");
            assert_eq!(database.value("SELECT count(*) FROM log").await, log, "{loss:?}");
            // What is accepted is not asked again.
            migrator.accept_records(&database.url).await.unwrap();
            assert!(!migrator.status(&database.url).await.unwrap().has_lost_records(), "{loss:?}");
        }
        let applied = migrator.run(&database.url).await.unwrap().done.len();
        assert_eq!(applied, 1, "001 has a record");
    }
    drop_all(databases).await;
}

/// A row of a version in the middle: as it is not applied any more, it would also be out of order, which is not what happened.
#[tokio::test]
async fn a_lost_row_in_the_middle_is_not_out_of_order() {
    let databases = databases().await;
    for database in &databases {
        let folder = TestFolder::new(&[
            ("001_a.sql", "CREATE TABLE a (n integer);\n"),
            ("002_b.sql", "CREATE TABLE b (n integer);\n"),
            ("003_c.sql", "CREATE TABLE c (n integer);\n"),
        ]);
        let migrator = Migrator::new(folder.set(database.kind.dialect()));
        migrator.run(&database.url).await.unwrap();
        database.execute("DELETE FROM migration_records WHERE version = '002'").await;
        let error = migrator.run(&database.url).await.unwrap_err();
        assert_eq!(error.code().name, "records-lost", "{error}");
        assert!(!error.report().contains("out-of-order"), "{error}");
        migrator.accept_records(&database.url).await.unwrap();
        let error = migrator.run(&database.url).await.unwrap_err();
        assert!(error.report().contains("out-of-order"), "{error}");
    }
    drop_all(databases).await;
}

/// What was reverted, given up or declared is not lost.
#[tokio::test]
async fn the_events_of_reverts_and_declarations() {
    let databases = databases().await;
    for database in &databases {
        let folder = TestFolder::new(&[
            ("001_a.up.sql", "CREATE TABLE a (n integer);\n"),
            ("001_a.down.sql", "DROP TABLE a;\n"),
            ("002_b.up.sql", "-- migrate: no-transaction\nCREATE TABLE b (n integer);\nINSERT INTO missing VALUES (1);\n"),
            ("002_b.down.sql", "DROP TABLE b;\n"),
        ]);
        let migrator = Migrator::new(folder.set(database.kind.dialect()));
        let resolve =
            async |resolution| migrator.resolve(&database.url, &"002".parse::<Version>().unwrap(), resolution).await.unwrap();
        for _ in 0..2 {
            migrator.run(&database.url).await.unwrap_err();
            resolve(Resolution::MarkApplied).await;
            migrator.run_to(&database.url, &Target::Down(2)).await.unwrap();
        }
        migrator.run(&database.url).await.unwrap_err();
        database.execute("DROP TABLE b").await;
        resolve(Resolution::MarkNotApplied).await;
        assert!(!migrator.status(&database.url).await.unwrap().has_lost_records());
        migrator.run(&database.url).await.unwrap_err();
        resolve(Resolution::MarkApplied).await;
        for table in ["migration_records", "schema_versions"] {
            database.execute(&format!("DELETE FROM {table}")).await;
        }
        let error = migrator.run(&database.url).await.unwrap_err();
        assert_eq!(error.code().name, "records-lost", "{error}");
        assert!(error.report().contains("`001`, `002`"), "what was declared applied is applied: {error}");
    }
    drop_all(databases).await;
}

/// Other names of tables are another place: the advice to choose other names led to a second history.
#[tokio::test]
async fn other_names_of_the_tables_do_not_begin_a_second_history() {
    let databases = databases().await;
    for database in &databases {
        let folder = harmful(database.kind, "");
        assert_eq!(up(&folder, database, &database.url).await.unwrap(), 2);
        let renamed = harmful(database.kind, "[history]\nrecords = \"r\"\nversions = \"v\"\nevents = \"e\"\n");
        let (code, text) = refusal(&renamed, database, &database.url).await;
        assert_eq!(code, "other-schema");
        assert!(text.contains("records = \"migration_records\""), "{text}");
        assert_eq!(database.value("SELECT count(*) FROM log").await, "1");
        assert_eq!(database.tables().await, ["log"], "nothing was created");
    }
    drop_all(databases).await;
}

#[tokio::test]
async fn another_service_name_does_not_begin_a_second_history() {
    let databases = databases().await;
    for database in &databases {
        let folder = harmful(database.kind, "");
        assert_eq!(up(&folder, database, &database.url).await.unwrap(), 2);
        let settings = format!("service = \"store\"\ndatabase = \"{}\"\n", database.kind.dialect().name());
        folder.write("migrate.toml", &settings);
        let (code, text) = refusal(&folder, database, &database.url).await;
        assert_eq!(code, "other-service");
        assert!(text.contains("2 of 2 migrations of `store` are applied under the service name `shop`"), "{text}");
        assert_eq!(database.value("SELECT count(*) FROM log").await, "1");
        // A folder that has grown since, and one whose comments were edited.
        folder.write("migrations/003_c.sql", "INSERT INTO log VALUES (3);\n");
        folder.write("migrations/002_b.sql", "-- edited\nINSERT INTO log VALUES (1);\n");
        assert_eq!(refusal(&folder, database, &database.url).await.0, "other-service");
        // Another folder that begins with the same file is another service.
        let other = TestFolder::new(&[
            ("001_a.sql", "CREATE TABLE IF NOT EXISTS log (n integer);\n"),
            ("002_own.sql", "INSERT INTO log VALUES (7);\n"),
        ]);
        assert_eq!(up(&other, database, &database.url).await.unwrap(), 2);
        folder.write("migrate.toml", &format!("{settings}[history]\nignore = [\"other-service\"]\n"));
        assert_eq!(up(&folder, database, &database.url).await.unwrap(), 3);
    }
    drop_all(databases).await;
}

/// A history in an attached file, and one in the file itself.
#[tokio::test]
async fn a_history_in_an_attached_file_is_found() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let attached = TestDatabase::new(Kind::Sqlite).await;
    let folder = harmful(Kind::Sqlite, "");
    assert_eq!(up(&folder, &attached, &attached.url).await.unwrap(), 2);
    let attach = format!("session = [\"ATTACH '{}' AS old\"]\n", attached.url.trim_start_matches("sqlite:"));
    let (code, text) = refusal(&harmful(Kind::Sqlite, &attach), &database, &database.url).await;
    assert_eq!(code, "other-schema");
    assert!(text.contains("`old.migration_records`") && text.contains("`main.migration_records`"), "{text}");
    let stated = harmful(Kind::Sqlite, &format!("{attach}[history]\nschema = \"old\"\n"));
    assert_eq!(up(&stated, &database, &database.url).await.unwrap(), 0);
    drop_all(vec![database, attached]).await;
}

/// A run that is refused through the command: exit code, JSON, and what the other commands say.
#[test]
fn what_the_commands_say_about_a_foreign_history() {
    let folder = harmful(Kind::Sqlite, "");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let old = harmful(Kind::Sqlite, "");
    old.write("migrate.toml", "service = \"store\"\ndatabase = \"sqlite\"\n");
    let path = folder.path().join("app.db").display().to_string();
    Binary::inside(old.path()).ok(&["up", "-D", &format!("sqlite:{path}")]);
    for (arguments, code, part) in [
        (&["up"][..], 5, "error[other-service]"),
        (&["up", "--dry-run"], 5, "error[other-service]"),
        (&["plan"], 5, "note[other-service]"),
        (&["status"], 0, "note[other-service]"),
        (&["status", "--check"], 3, "note[other-service]"),
        (&["verify"], 0, "note[other-service]"),
        (&["down", "--all", "--yes"], 5, "error[other-service]"),
    ] {
        let outcome = binary.run(arguments);
        assert_eq!(outcome.code, code, "{arguments:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(part), "{arguments:?}: {}", outcome.stderr);
    }
    for command in ["status", "plan", "verify"] {
        let json = binary.run(&[command, "--format", "json"]).stdout;
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let note = &json["services"][0]["notes"][0];
        assert_eq!((note["code"].as_str(), note["level"].as_str()), (Some("other-service"), Some("note")), "{command}");
    }
    let error = binary.run(&["up", "--format", "json"]).stdout;
    assert!(error.contains("\"other-service\""), "{error}");
    binary.ok(&["up", "--service", "store"]);
    assert!(binary.run(&["explain", "other-service"]).stdout.contains("ignore"));
}

/// `up` and `status` read the same thing: a summary without its records is none.
#[tokio::test]
async fn a_truncated_history_is_pending_for_everyone() {
    let databases = databases().await;
    for database in &databases {
        let set = harmful(database.kind, "").set(database.kind.dialect());
        let migrator = Migrator::new(&set);
        assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 2);
        for delete in ["DELETE FROM migration_records WHERE version = '002'", "DELETE FROM migration_records"] {
            database.execute(delete).await;
            let status = migrator.status(&database.url).await.unwrap();
            assert!(!migrator.is_up_to_date(&database.url).await.unwrap());
            // Nothing is applied a second time unless somebody says that the database is as its records.
            assert!(status.has_lost_records() && status.refusal().is_some(), "{delete}");
            let error = migrator.run(&database.url).await.unwrap_err();
            assert_eq!(error.code().name, "records-lost", "{error}");
            migrator.accept_records(&database.url).await.unwrap();
            assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), status.pending().len(), "{delete}");
        }
        assert!(migrator.is_up_to_date(&database.url).await.unwrap());
        // A record of something else in place of the right one: the number is the same.
        database
            .execute(
                "UPDATE migration_records SET checksum = replace(checksum, '1', '2'), sql_checksum = replace(sql_checksum, '1', '2') \
                 WHERE version = '002'",
            )
            .await;
        let error = migrator.run(&database.url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HistoryMismatch, "{error}");
        assert!(!migrator.status(&database.url).await.unwrap().plan(&Target::Latest).unwrap().is_clear());
    }
    drop_all(databases).await;
}

/// A table of the history that does not exist: without the records, nothing is applied again; the others are created again.
#[tokio::test]
async fn a_dropped_table_of_the_history() {
    let databases = databases().await;
    for database in &databases {
        let folder = harmful(database.kind, "");
        let migrator = Migrator::new(folder.set(database.kind.dialect()));
        assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 2);
        for (number, table) in ["schema_versions", "migration_events"].iter().enumerate() {
            database.execute(&format!("DROP TABLE {table}")).await;
            folder.write(&format!("migrations/00{}_more.sql", number + 3), "INSERT INTO log VALUES (3);\n");
            assert_eq!(up(&folder, database, &database.url).await.unwrap(), 1, "{table}");
            assert_eq!(up(&folder, database, &database.url).await.unwrap(), 0, "{table}");
        }
        database.execute("DROP TABLE migration_records").await;
        let migrator = Migrator::new(folder.set(database.kind.dialect()));
        let status = migrator.status(&database.url).await.unwrap();
        assert!(status.has_lost_records() && status.refusal().is_some());
        let error = migrator.run(&database.url).await.unwrap_err();
        assert_eq!(error.code().name, "records-lost", "{error}");
        migrator.accept_records(&database.url).await.unwrap();
        database.execute("DROP TABLE log").await;
        assert_eq!(migrator.run(&database.url).await.unwrap().done.len(), 4);
    }
    drop_all(databases).await;
}

/// A summary that is wrong or missing: the records decide, and it is written again. On SQLite, a run once planned for ever.
#[tokio::test]
async fn a_wrong_summary_is_written_again() {
    let databases = databases().await;
    for database in &databases {
        let folder = harmful(database.kind, "");
        let set = folder.set(database.kind.dialect());
        up(&folder, database, &database.url).await.unwrap();
        let summary = "SELECT digest, applied_count, version FROM schema_versions";
        let right = database.rows(summary).await;
        for change in ["UPDATE schema_versions SET digest = 'x', version = '9'", "DELETE FROM schema_versions"] {
            database.execute(change).await;
            assert!(Migrator::new(&set).is_up_to_date(&database.url).await.unwrap());
            assert_eq!(up(&folder, database, &database.url).await.unwrap(), 0);
            assert_eq!(database.rows(summary).await, right, "{change}");
        }
        database.execute("UPDATE schema_versions SET digest = 'x'").await;
        folder.write("migrations/003_c.sql", "INSERT INTO log VALUES (3);\n");
        let run = tokio::time::timeout(Duration::from_secs(60), up(&folder, database, &database.url));
        assert_eq!(run.await.expect("the run ends").unwrap(), 1);
        assert_eq!(up(&folder, database, &database.url).await.unwrap(), 0);
    }
    drop_all(databases).await;
}

/// A file that was half applied and then got another version does not run a second time, nor is a newer file applied on top of a
/// half-applied one whose file is missing.
#[tokio::test]
async fn half_applied_files_are_not_renumbered() {
    let databases = databases().await;
    for database in &databases {
        let second = match database.kind {
            Kind::Postgres => "-- migrate: no-transaction\nUPDATE acct SET bal = bal + 10;\nINSERT INTO audit VALUES (1);\n",
            Kind::MariaDb => "UPDATE acct SET bal = bal + 10;\nALTER TABLE audit ADD COLUMN x int;\n",
            Kind::Sqlite => "UPDATE acct SET bal = bal + 10;\nPRAGMA foreign_keys = OFF;\nINSERT INTO audit VALUES (1);\n",
        };
        let folder = TestFolder::new(&[
            ("001_a.sql", "CREATE TABLE acct (id int, bal int);\nINSERT INTO acct VALUES (1, 100);\n"),
            ("002_b.sql", second),
        ]);
        let name = database.kind.dialect().name();
        folder.write("migrate.toml", &format!("service = \"shop\"\ndatabase = \"{name}\"\nlint = \"off\"\n"));
        assert!(up(&folder, database, &database.url).await.is_err());
        if database.value("SELECT count(*) FROM migration_records").await == "1" {
            assert_eq!(database.kind, Kind::Sqlite, "nothing of it remains");
            continue;
        }
        database.execute("CREATE TABLE audit (v int)").await;
        folder.remove("migrations/002_b.sql");
        // The rest may be edited, too.
        for text in [second.to_owned(), format!("{second}SELECT 1;\n")] {
            for number in ["000.5", "003"] {
                let file = format!("migrations/{number}_b.sql");
                folder.write(&file, &text);
                let error = up(&folder, database, &database.url).await.unwrap_err().report();
                assert!(error.contains("its text was partially applied as `002_b`"), "{number} {text}: {error}");
                folder.remove(&file);
            }
        }
        folder.write("migrations/003_c.sql", "CREATE TABLE c (id int);\n");
        let error = up(&folder, database, &database.url).await.unwrap_err().report();
        assert!(error.contains("`002_b` is partially applied, and its file is missing"), "{error}");
        assert_eq!(database.value("SELECT bal FROM acct").await, "110", "{:?}", database.kind);
    }
    drop_all(databases).await;
}

/// A service that was split off takes its files along, with other versions.
#[tokio::test]
async fn a_service_that_was_split_off_does_not_apply_its_files_again() {
    let databases = databases().await;
    for database in &databases {
        let name = database.kind.dialect().name();
        let settings = |service: &str| format!("service = \"{service}\"\ndatabase = \"{name}\"\nlint = \"off\"\n");
        let (create, fill) = ("CREATE TABLE invoices (v int);\n", "INSERT INTO invoices VALUES (1);\n");
        let old = TestFolder::new(&[
            ("001_a.sql", "CREATE TABLE IF NOT EXISTS o1 (id int);"),
            ("002_b.sql", "CREATE TABLE IF NOT EXISTS o2 (id int);"),
            ("003_c.sql", "CREATE TABLE IF NOT EXISTS o3 (id int);"),
            ("004_d.sql", create),
            ("005_e.sql", fill),
        ]);
        old.write("migrate.toml", &settings("mono"));
        up(&old, database, &database.url).await.unwrap();
        let new = TestFolder::new(&[("001_a.sql", create), ("002_b.sql", fill)]);
        new.write("migrate.toml", &settings("billing"));
        assert_eq!(refusal(&new, database, &database.url).await.0, "other-service");
        // Another service that only begins in the same way is no such one.
        let other = TestFolder::new(&[
            ("001_a.sql", "CREATE TABLE IF NOT EXISTS o1 (id int);"),
            ("002_b.sql", "CREATE TABLE IF NOT EXISTS p2 (id int);"),
        ]);
        other.write("migrate.toml", &settings("other"));
        assert_eq!(up(&other, database, &database.url).await.unwrap(), 2);
    }
    drop_all(databases).await;
}

/// Without a schema, there is no history to read. `status` does not show everything as pending then.
#[tokio::test]
async fn a_search_path_without_a_schema() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = harmful(Kind::Postgres, "");
    for path in ["nowhere", ""] {
        let url = format!("{}?options=-csearch_path%3D{path}", database.url);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
        for command in ["status", "verify", "plan"] {
            let output = binary.run(&[command]);
            assert!(output.stderr.contains("note[history]: no schema of `search_path` exists"), "{command}: {}", output.stderr);
            assert_eq!(output.code, i32::from(command == "plan"), "{command}: {}", output.stderr);
        }
        let output = binary.run(&["up"]);
        assert!(output.code == 1 && output.stderr.contains("no schema of `search_path` exists"), "{}", output.stderr);
        // The same with a history that the session cannot see.
        up(&folder, &database, &database.url).await.unwrap();
    }
    assert_eq!(database.value("SELECT count(*) FROM log").await, "1");
    database.drop().await;
}

/// On MySQL, the history is in the database of the URL, so `session` must not select another one for the tables.
#[tokio::test]
async fn a_session_that_selects_another_database_is_refused() {
    let (database, other) = (TestDatabase::new(Kind::MariaDb).await, TestDatabase::new(Kind::MariaDb).await);
    let [name, other_name] = [&database, &other].map(|database| database.url.rsplit('/').next().unwrap_or_default().to_owned());
    let folder = TestFolder::new(&[("001_a.up.sql", "CREATE TABLE t (id int PRIMARY KEY);")]);
    let settings = |more: &str| format!("service = \"app\"\ndatabase = \"mysql\"\nlint = \"off\"\n{more}");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    folder.write("migrate.toml", &settings(&format!("session = [\"SET @a = 1\", \"use {other_name}\"]\n")));
    let outcome = binary.run(&["up"]);
    assert!(outcome.code == 1 && outcome.stderr.contains(&format!("selects the database `{other_name}`")), "{}", outcome.stderr);
    assert_eq!(other.value("SELECT count(*) FROM information_schema.tables WHERE table_schema = database()").await, "0");
    // The same database, or a place of the history that is stated.
    folder.write("migrate.toml", &settings(&format!("session = [\"USE {name}\"]\n")));
    binary.ok(&["up"]);
    let stated = format!("session = [\"USE {other_name}\"]\n[history]\nschema = \"{name}\"\n");
    folder.write("migrate.toml", &settings(&stated));
    binary.ok(&["up"]);
    other.drop().await;
    database.drop().await;
}
