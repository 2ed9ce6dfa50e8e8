//! Several services in one database: one order over all of them, requirements that hold in both directions, and commands that know
//! who else uses a database.

use migrate_runtime::{Event, LockStrategy, MigrationSet, Migrator, ServiceReport};
use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};
use serde_json::Value;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

/// A workspace of services, each with files of these names and texts. A file without a down migration gets one that drops its table.
fn workspace(kind: Kind, services: &[(&str, &[(&str, &str)])]) -> TestFolder {
    let folder = TestFolder::default();
    let names: Vec<String> = services.iter().map(|(name, _)| format!("\"{name}\"")).collect();
    folder.write("Cargo.toml", &format!("[workspace]\nmembers = [{}]\nresolver = \"3\"\n", names.join(", ")));
    for (name, files) in services {
        folder.write(
            &format!("{name}/Cargo.toml"),
            &format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        );
        folder.write(&format!("{name}/src/lib.rs"), "");
        folder.write(&format!("{name}/migrate.toml"), &format!("database = \"{}\"\n", kind.dialect().name()));
        for (version, requires) in *files {
            let header = if requires.is_empty() { String::new() } else { format!("-- migrate: requires {requires}\n") };
            let table = format!("{name}_{version}");
            folder.write(
                &format!("{name}/migrations/{version}_x.up.sql"),
                &format!("{header}CREATE TABLE {table} (id integer);\n"),
            );
            folder.write(&format!("{name}/migrations/{version}_x.down.sql"), &format!("DROP TABLE {table};\n"));
        }
    }
    folder
}

/// `api` and `billing` depend on each other, in both directions.
fn both_directions(kind: Kind) -> TestFolder {
    workspace(kind, &[("api", &[("001", ""), ("002", "billing:002")]), ("billing", &[("001", "api:001"), ("002", "")])])
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}{}", outcome.stdout, outcome.stderr))
}

/// The migrations of a document in the order of execution: `api:001 billing:001`.
fn order(plan: &Value) -> String {
    let steps = plan["order"].as_array().unwrap().iter();
    steps
        .map(|step| format!("{}:{}", step["service"].as_str().unwrap(), step["version"].as_str().unwrap()))
        .collect::<Vec<_>>()
        .join(" ")
}

async fn applied(database: &TestDatabase) -> Vec<String> {
    database.rows("SELECT service, version FROM migration_records ORDER BY service, version").await
}

/// Runs a test on each database.
macro_rules! on_each_database {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn postgres() {
                super::$name(Kind::Postgres).await;
            }

            #[tokio::test]
            async fn mariadb() {
                super::$name(Kind::MariaDb).await;
            }

            #[tokio::test]
            async fn sqlite() {
                super::$name(Kind::Sqlite).await;
            }
        }
    )*};
}

on_each_database!(
    services_that_depend_on_each_other,
    what_is_required_is_brought,
    a_first_start_together,
    two_processes_with_two_services,
    what_others_require_is_not_reverted,
    other_services_are_not_dropped,
);

async fn services_that_depend_on_each_other(kind: Kind) {
    let database = TestDatabase::new(kind).await;
    let folder = both_directions(kind);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    // What is pending is no difference.
    if kind != Kind::Sqlite {
        binary.ok(&["verify", "--workspace"]);
    }
    let plan = json(&binary.ok(&["plan", "--workspace", "--format", "json"]));
    let expected = "api:001 billing:001 billing:002 api:002";
    assert_eq!(order(&plan), expected);
    let dry = binary.ok(&["up", "--workspace", "--dry-run"]).stdout;
    let heads: Vec<&str> = dry.lines().filter_map(|line| line.strip_prefix("-- apply ")).collect();
    assert_eq!(heads.len(), 4, "{dry}");
    assert!(heads[0].starts_with("api: `001") && heads[3].starts_with("api: `002"), "{dry}");
    let up = json(&binary.ok(&["up", "--workspace", "--format", "json"]));
    // One entry for each service, also if it had several turns.
    assert_eq!(up["services"].as_array().unwrap().len(), 2, "{up}");
    assert_eq!(up["services"][0]["done"].as_array().unwrap().len(), 2, "{up}");
    assert_eq!(applied(&database).await, ["api|001", "api|002", "billing|001", "billing|002"]);
    let events = database.rows("SELECT service, version FROM migration_events WHERE event = 'applied' ORDER BY id").await;
    assert_eq!(events.join(" ").replace('|', ":"), expected);
    // Back in the opposite order; to a version of both, too.
    binary.ok(&["down", "--workspace", "--to", "1", "--yes"]);
    assert_eq!(applied(&database).await, ["api|001", "billing|001"]);
    binary.ok(&["up", "--workspace"]);
    let redo = binary.ok(&["redo", "--workspace", "--steps", "2", "--yes"]).stderr;
    assert!(redo.contains("`api`: 2 migrations reverted and 2 applied"), "{redo}");
    assert_eq!(applied(&database).await, ["api|001", "api|002", "billing|001", "billing|002"]);
    binary.ok(&["down", "--workspace", "--all", "--yes"]);
    assert_eq!(applied(&database).await, [] as [&str; 0]);
    let events = database.rows("SELECT service, version FROM migration_events WHERE event = 'reverted' ORDER BY id DESC").await;
    assert_eq!(events[..4].join(" ").replace('|', ":"), expected);
    database.drop().await;
}

async fn what_is_required_is_brought(kind: Kind) {
    let database = TestDatabase::new(kind).await;
    let folder = workspace(
        kind,
        &[
            ("api", &[("001", "billing:002")]),
            ("billing", &[("001", "users:001"), ("002", ""), ("003", "")]),
            ("users", &[("001", ""), ("002", "")]),
        ],
    );
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let plan = json(&binary.ok(&["plan", "-p", "api", "--format", "json"]));
    assert_eq!(order(&plan), "users:001 billing:001 billing:002 api:001");
    let up = binary.ok(&["up", "-p", "api"]);
    assert!(up.stderr.contains("Including `billing` up to 002, which `001_x.up.sql` of `api` requires"), "{}", up.stderr);
    assert_eq!(applied(&database).await, ["api|001", "billing|001", "billing|002", "users|001"]);
    // What is not needed any more is not brought.
    let again = binary.ok(&["up", "-p", "api"]);
    assert!(!again.stderr.contains("billing"), "{}", again.stderr);
    database.drop().await;
}

/// Twelve processes, each with the folder of one service alone.
async fn a_first_start_together(kind: Kind) {
    for _ in 0..3 {
        let database = TestDatabase::new(kind).await;
        let names: Vec<String> = (0..12).map(|number| format!("s{number}")).collect();
        // Each requires the one before; the first requires of the last what does not require it.
        let requires: Vec<String> = (0..12).map(|number: usize| format!("s{}:001", (number + 11) % 12)).collect();
        let files: Vec<[(&str, &str); 2]> = requires.iter().map(|required| [("001", ""), ("002", required.as_str())]).collect();
        let services: Vec<(&str, &[(&str, &str)])> =
            names.iter().zip(&files).map(|(name, files)| (name.as_str(), files.as_slice())).collect();
        let folder = workspace(kind, &services);
        std::fs::remove_file(folder.path().join("Cargo.toml")).unwrap();
        let start = |name: &String| {
            let package = folder.path().join(name);
            std::fs::remove_file(package.join("Cargo.toml")).unwrap();
            let binary = Binary::inside(&package).variable("DATABASE_URL", &database.url);
            binary.command(&["up", "--service", name]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let running: Vec<_> = names.iter().map(start).collect();
        for child in running {
            let outcome = Outcome::of(child.wait_with_output().unwrap());
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        }
        assert_eq!(applied(&database).await.len(), 24);
        database.drop().await;
    }
}

async fn what_others_require_is_not_reverted(kind: Kind) {
    let database = TestDatabase::new(kind).await;
    let folder = both_directions(kind);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["up", "--workspace"]);
    // An older checkout that has never heard of `api`.
    let older = workspace(kind, &[("billing", &[("001", ""), ("002", "")])]);
    for place in [folder.path(), older.path()] {
        let binary = Binary::inside(place).variable("DATABASE_URL", &database.url);
        for command in [
            &["down", "-p", "billing", "--yes"][..],
            &["redo", "-p", "billing", "--yes"],
            &["plan", "-p", "billing", "--down-to", "0"],
        ] {
            let outcome = binary.run(command);
            assert_eq!(outcome.code, 5, "{command:?} {}", outcome.stderr);
            assert!(outcome.stderr.contains("because api:002 requires it and is applied"), "{}", outcome.stderr);
            assert!(!outcome.stderr.contains("do not match"), "{}", outcome.stderr);
        }
    }
    let set = TestFolder::new(&[("001_x.up.sql", "CREATE TABLE billing_001 (id integer);")]).set(kind.dialect());
    let error = Migrator::new(set).service("billing").run_to(&database.url, &migrate_runtime::Target::DownAll).await.unwrap_err();
    assert_eq!(error.kind(), migrate_runtime::ErrorKind::HistoryMismatch);
    assert_eq!(applied(&database).await.len(), 4);
    let older = Binary::inside(older.path()).variable("DATABASE_URL", &database.url);
    older.ok(&["down", "-p", "billing", "--yes", "--force"]);
    assert_eq!(applied(&database).await, ["api|001", "api|002", "billing|001"]);
    // What is missing now has a name, and a command.
    let verify = binary.run(&["verify", "-p", "api"]);
    assert_eq!(verify.code, 5);
    assert!(
        verify.stderr.contains("`002_x.up.sql` of `api` is applied, but billing:002, which it requires, is not"),
        "{}",
        verify.stderr
    );
    assert!(verify.stderr.contains("cargo migrate up -p billing --to 002"), "{}", verify.stderr);
    binary.ok(&["up", "-p", "billing"]);
    binary.ok(&["verify", "-p", "api"]);
    database.drop().await;
}

async fn other_services_are_not_dropped(kind: Kind) {
    let database = TestDatabase::new(kind).await;
    let folder = workspace(kind, &[("api", &[("001", ""), ("002", "")]), ("billing", &[("001", "")])]);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["up", "--workspace"]);
    database.execute("CREATE TABLE kept (id integer)").await;
    for command in ["reset", "drop"] {
        let outcome = binary.run(&["db", command, "-p", "api", "--yes"]);
        assert_eq!(outcome.code, 4, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("`billing` (1 migration in"), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("--with-others"), "{}", outcome.stderr);
    }
    database.value("SELECT count(*) FROM kept").await;
    // What could not be applied afterwards is known before.
    folder.write("api/migrations/003_x.up.sql", "-- migrate: requires elsewhere:001\nCREATE TABLE api_003 (id integer);\n");
    let outcome = binary.run(&["db", "reset", "--workspace", "--yes"]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("nothing was dropped"), "{}", outcome.stderr);
    database.value("SELECT count(*) FROM kept").await;
    folder.remove("api/migrations/003_x.up.sql");
    let other = if kind == Kind::Postgres { "mariadb" } else { "postgres" };
    let settings = folder.text("billing/migrate.toml");
    folder.write("billing/migrate.toml", &format!("database = \"{other}\"\n"));
    let outcome = binary.run(&["db", "reset", "--workspace", "--yes"]);
    assert!(outcome.code == 1 && outcome.stderr.contains("nothing was dropped"), "{}", outcome.stderr);
    database.value("SELECT count(*) FROM kept").await;
    folder.write("billing/migrate.toml", &settings);
    binary.ok(&["db", "reset", "--workspace", "--yes"]);
    assert_eq!(applied(&database).await, ["api|001", "api|002", "billing|001"]);
    assert!(!database.tables().await.contains(&"kept".to_owned()));
    binary.ok(&["db", "drop", "-p", "api", "--yes", "--with-others"]);
}

/// A run of the library waits, says for what, and goes on; it has applied what the other service waits for.
#[tokio::test]
async fn a_run_waits_for_another_service() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let kind = Kind::Postgres;
    let folder = both_directions(kind);
    let set = |name: &str| {
        let set = TestFolder::default();
        for version in ["001", "002"] {
            for direction in ["up", "down"] {
                let file = format!("migrations/{version}_x.{direction}.sql");
                set.write(&file, &folder.text(&format!("{name}/{file}")));
            }
        }
        set.set(kind.dialect())
    };
    let (api, billing) = (set("api"), set("billing"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let events = seen.clone();
    let (found, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let waiting = Migrator::new(api.clone()).service("api").on_event(move |event| {
        if let Event::WaitingFor { title, requirement, .. } = event {
            events.lock().unwrap().push(format!("{title} {requirement}"));
            let _ = found.send(());
        }
    });
    let run = {
        let url = database.url.clone();
        tokio::spawn(async move { waiting.run(&url).await.map(|report| report.done.len()) })
    };
    waits.recv().await.unwrap();
    // Its first migration is applied, and its lock is free.
    assert_eq!(applied(&database).await, ["api|001"]);
    assert_eq!(*seen.lock().unwrap(), ["002_x.up.sql billing:002"]);
    let report = Migrator::new(billing).service("billing").run(&database.url).await.unwrap();
    assert_eq!(report.done.len(), 2);
    assert_eq!(run.await.unwrap().unwrap(), 2);
    assert_eq!(*seen.lock().unwrap(), ["002_x.up.sql billing:002"]);
    database.drop().await;
}

/// While it waits, a run gives up its lock and its session: a lease is acquired again as a lease, and what the first migration has
/// left does not reach the next.
async fn a_run_that_has_waited_is_as_safe_as_before(kind: Kind) {
    let database = TestDatabase::new(kind).await;
    database.execute("CREATE TABLE shadow (id integer)").await;
    let api = TestFolder::new(&[
        ("001_x.up.sql", "CREATE TEMPORARY TABLE shadow (id integer);"),
        ("002_x.up.sql", "-- migrate: requires billing:001\nINSERT INTO shadow VALUES (1);"),
    ]);
    let billing = TestFolder::new(&[("001_x.up.sql", "CREATE TABLE billing (id integer);")]);
    let (found, mut waits) = tokio::sync::mpsc::unbounded_channel();
    let waiting = Migrator::new(api.set(kind.dialect())).service("api").lock(LockStrategy::Lease).on_event(move |event| {
        if let Event::WaitingFor { .. } = event {
            let _ = found.send(());
        }
    });
    let url = database.url.clone();
    let run = tokio::spawn(async move { waiting.run(&url).await.map(|report| report.done.len()) });
    waits.recv().await.unwrap();
    let held = "SELECT count(*) FROM migration_locks WHERE service = 'api' AND holder <> ''";
    assert_eq!(database.value(held).await, "0");
    Migrator::new(billing.set(kind.dialect())).service("billing").run(&database.url).await.unwrap();
    assert_eq!(run.await.unwrap().unwrap(), 2);
    assert_eq!(database.value("SELECT max(fence) FROM migration_locks WHERE service = 'api'").await, "2");
    assert_eq!(database.rows("SELECT id FROM shadow").await, ["1"]);
    database.drop().await;
}

#[tokio::test]
async fn a_run_that_has_waited_on_postgres() {
    a_run_that_has_waited_is_as_safe_as_before(Kind::Postgres).await;
}

#[tokio::test]
async fn a_run_that_has_waited_on_mariadb() {
    a_run_that_has_waited_is_as_safe_as_before(Kind::MariaDb).await;
}

/// In memory, nobody else can apply anything: no wait.
#[tokio::test]
async fn no_run_waits_in_memory() {
    let set = TestFolder::new(&[("001_x.up.sql", "-- migrate: requires users:001\nSELECT 1;")]).set(Kind::Sqlite.dialect());
    let error = Migrator::new(set).run("sqlite::memory:").await.unwrap_err();
    assert!(error.report().contains("requires users:001"), "{}", error.report());
    // Also of several services; and the database is still there.
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect("sqlite::memory:").await.unwrap();
    let waiting = |name: &str, required: &str| {
        let text = format!("-- migrate: requires {required}\nSELECT 1");
        MigrationSet::builder(name, Kind::Sqlite.dialect())
            .migration("001", "x", format!("CREATE TABLE {name} (id integer)"), None)
            .migration("002", "y", text, None)
            .build()
            .unwrap()
    };
    let services = Migrator::all([waiting("a", "b:001"), waiting("b", "users:001")]);
    let none = services.clone().each(|migrator| migrator.lock_wait(std::time::Duration::ZERO));
    let error = none.run(&pool).await.unwrap_err();
    assert!(error.report().contains("requires users:001"), "{}", error.report());
    let tables = async || {
        let tables = "SELECT name FROM sqlite_master WHERE name IN ('a', 'b') ORDER BY 1";
        sqlx::query_scalar::<_, String>(tables).fetch_all(&pool).await.unwrap()
    };
    assert!(tables().await.is_empty(), "without a wait, nothing runs");
    let error = services.run(&pool).await.unwrap_err();
    assert!(error.report().contains("requires users:001") && !error.report().contains("waited"), "{}", error.report());
    assert_eq!(tables().await, ["a", "b"]);
}

/// Without the other service, the wait ends, with an error that does not blame the files; without a wait, nothing runs.
#[tokio::test]
async fn a_wait_has_a_limit() {
    let database = TestDatabase::new(Kind::Sqlite).await;
    let folder = TestFolder::new(&[
        ("001_x.up.sql", "CREATE TABLE x (id integer);"),
        ("002_y.up.sql", "-- migrate: requires users:001\nSELECT 1;"),
    ]);
    folder.write("migrate.toml", "database = \"sqlite\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = binary.run(&["up", "--lock-wait", "0s"]);
    assert_eq!((outcome.code, database.tables().await.len()), (5, 0), "{}", outcome.stderr);
    let outcome = binary.run(&["up", "--lock-wait", "300ms"]);
    assert_eq!(outcome.code, 5);
    for words in [
        "Waiting for users:001, which 002_y.up.sql requires",
        "waited: 300 ms",
        "applied earlier in this run: `001_x.up.sql`",
        "`002_y.up.sql` was not applied",
        "a required migration is not applied",
    ] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    let mut command = binary.command(&["up"]);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stderr.take().unwrap()), &mut line).unwrap();
    assert!(line.contains("Waiting for users:001"), "{line}");
    assert!(std::process::Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

/// What can be known of all services is known before the first of them changes anything.
#[tokio::test]
async fn all_services_are_planned_before_one_runs() {
    let folder = workspace(Kind::Sqlite, &[("a", &[("001", ""), ("002", "")]), ("b", &[("001", "")])]);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let count = || {
        if folder.path().join("app.db").is_file() {
            binary.ok(&["status", "--workspace", "-q"]).stdout.matches(" applied ").count()
        } else {
            0
        }
    };
    // A target that one of them does not have.
    let outcome = binary.run(&["up", "--workspace", "--to", "2"]);
    assert_eq!((outcome.code, count()), (2, 0), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("`b`"), "{}", outcome.stderr);
    // A database that cannot be reached, of the last of them.
    folder.write("b/.env", "DATABASE_URL=sqlite:nowhere/b.db\n");
    let apart = Binary::inside(folder.path());
    folder.write("a/.env", &format!("DATABASE_URL=sqlite:{}\n", folder.path().join("app.db").display()));
    let outcome = apart.run(&["up", "--workspace"]);
    assert_ne!(outcome.code, 0);
    assert_eq!(count(), 0, "{}", outcome.stderr);
    // A file that was changed after it was applied, of the last of them.
    folder.remove("b/.env");
    folder.remove("a/.env");
    binary.ok(&["up", "-p", "b"]);
    folder.write("b/migrations/001_x.up.sql", "CREATE TABLE changed (id integer);\n");
    let outcome = binary.run(&["up", "--workspace"]);
    assert_eq!((outcome.code, count()), (5, 0), "{}", outcome.stderr);
}

/// A requirement on a service of another database is answered there.
#[tokio::test]
async fn requirements_over_two_databases() {
    let folder = workspace(Kind::Sqlite, &[("a", &[("001", "b:001")]), ("b", &[("001", "")])]);
    for name in ["a", "b"] {
        folder.write(
            &format!("{name}/.env"),
            &format!("DATABASE_URL=sqlite:{}\n", folder.path().join(format!("{name}.db")).display()),
        );
    }
    let binary = Binary::inside(folder.path());
    binary.ok(&["up", "--workspace"]);
    assert!(binary.ok(&["verify", "--workspace"]).stderr.contains("`a`"));
    // The other one is applied already.
    folder.write("a/migrations/002_x.up.sql", "-- migrate: requires b:001\nCREATE TABLE a_002 (id integer);\n");
    binary.ok(&["up", "-p", "a"]);
}

#[test]
fn references_are_resolved_when_they_are_written() {
    let folder = workspace(
        Kind::Sqlite,
        &[
            ("api", &[("001", "biling:001"), ("002", "billing:009"), ("003", "004"), ("004", ""), ("005", "005")]),
            ("billing", &[("001", "")]),
        ],
    );
    let binary = Binary::inside(folder.path());
    for name in ["api", "billing"] {
        binary.ok(&["init", "-p", name]);
    }
    for selection in [&["--workspace"][..], &["-p", "api"]] {
        let outcome = binary.run(&[&["check"], selection].concat());
        assert_eq!(outcome.code, 4);
        for words in [
            "the workspace contains no service `biling`",
            "write `billing:001`",
            "`billing` has no version 009",
            "the nearest is 001",
            "requires version 004, which is applied after it",
            "`005_x.up.sql` requires itself",
            "api/migrations/001_x.up.sql:1:22",
        ] {
            assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
        }
    }
    let cyclic = workspace(Kind::Sqlite, &[("api", &[("001", "billing:001")]), ("billing", &[("001", "api:001")])]);
    let binary = Binary::inside(cyclic.path()).variable("DATABASE_URL", "sqlite:app.db");
    for command in [&["check", "--workspace"][..], &["up", "--workspace"], &["plan", "--workspace"]] {
        let outcome = binary.run(command);
        assert_eq!(outcome.code, 4, "{command:?} {}", outcome.stderr);
        assert!(outcome.stderr.contains("api:001 requires billing:001 requires api:001"), "{command:?} {}", outcome.stderr);
    }
}

/// Of two processes with two services each, one service waits for one of the other process, which waits for the other service: what
/// can run without a wait runs first. Only in this order is all of it possible.
async fn two_processes_with_two_services(kind: Kind) {
    let files: [(&str, &[(&str, &str)]); 4] = [
        ("a", &[("001", ""), ("002", "c:001"), ("003", "d:001")]),
        ("b", &[("001", ""), ("002", "a:002")]),
        ("c", &[("001", "b:001"), ("002", "b:002")]),
        ("d", &[("001", "a:002"), ("002", "c:002")]),
    ];
    let folder = workspace(kind, &files);
    std::fs::remove_file(folder.path().join("Cargo.toml")).unwrap();
    // By the command.
    let database = TestDatabase::new(kind).await;
    let start = |sources: [&str; 2]| {
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let arguments = ["up", "--lock-wait", "60s", "--source", sources[0], "--source", sources[1]];
        binary.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [start(["a", "b"]), start(["c", "d"])] {
        let outcome = Outcome::of(child.wait_with_output().unwrap());
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(outcome.stderr.matches("Done").count(), 2, "{}", outcome.stderr);
    }
    let all = applied(&database).await;
    assert_eq!(all.len(), 9);
    database.drop().await;
    // By the library.
    let database = TestDatabase::new(kind).await;
    let sets = files.map(|(name, _)| MigrationSet::from_dir(folder.path().join(name).join("migrations")).unwrap());
    let [a, b, c, d] = sets;
    let (left, right) = (Migrator::all([a, b]), Migrator::all([c, d]));
    let (left, right) = tokio::join!(left.run(&database.url), right.run(&database.url));
    let names = |reports: Vec<ServiceReport>| -> Vec<(String, usize)> {
        reports.into_iter().map(|report| (report.service, report.report.done.len())).collect()
    };
    assert_eq!(names(left.unwrap()), [("a".to_owned(), 3), ("b".to_owned(), 2)]);
    assert_eq!(names(right.unwrap()), [("c".to_owned(), 2), ("d".to_owned(), 2)]);
    assert_eq!(applied(&database).await, all);
    database.drop().await;
}

/// Gives each service a database file of its own.
fn apart(folder: &TestFolder, names: &[&str]) {
    for name in names {
        let file = folder.path().join(format!("{name}.db"));
        folder.write(&format!("{name}/.env"), &format!("DATABASE_URL=sqlite:{}\n", file.display()));
    }
}

/// What a service of another database requires is not reverted, whether that service is selected or not.
#[tokio::test]
async fn what_another_database_requires_is_not_reverted() {
    let folder = workspace(Kind::Sqlite, &[("a", &[("001", "b:001")]), ("b", &[("001", ""), ("002", "")])]);
    apart(&folder, &["a", "b"]);
    let binary = Binary::inside(folder.path());
    binary.ok(&["up", "--workspace"]);
    binary.ok(&["down", "-p", "b", "--yes"]);
    let rejected = |arguments: &[&str]| {
        let outcome = binary.run(arguments);
        assert_eq!(outcome.code, 5, "{arguments:?}: {}{}", outcome.stdout, outcome.stderr);
        for words in ["still-required", "001", "`a`"] {
            assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
        }
    };
    rejected(&["down", "-p", "b", "--yes"]);
    rejected(&["down", "-p", "b", "--dry-run"]);
    rejected(&["redo", "-p", "b", "--yes"]);
    rejected(&["plan", "-p", "b", "--down-to", "0"]);
    // What cannot be read may require anything.
    folder.write("a/.env", &format!("DATABASE_URL=sqlite:{}\n", folder.path().display()));
    let outcome = binary.run(&["down", "-p", "b", "--yes"]);
    assert_ne!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("--force"), "{}", outcome.stderr);
    apart(&folder, &["a"]);
    // Both, in the right order.
    binary.ok(&["down", "--workspace", "--all", "--yes"]);
    binary.ok(&["up", "--workspace", "--to", "1"]);
    binary.ok(&["down", "-p", "b", "--yes", "--force"]);
}

/// After a wait, what was known of other databases is still known.
#[tokio::test]
async fn a_wait_between_requirements_of_other_databases() {
    let folder = workspace(
        Kind::Sqlite,
        &[("a", &[("001", ""), ("002", "c:001"), ("003", "b:001")]), ("b", &[("001", "")]), ("d", &[("001", "")])],
    );
    apart(&folder, &["a", "b", "d"]);
    let binary = Binary::inside(folder.path());
    binary.ok(&["up", "-p", "b"]);
    let mut command = binary.command(&["up", "-p", "a", "-p", "d", "--lock-wait", "60s"]);
    let mut waiting = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(waiting.stderr.take().unwrap())).map(Result::unwrap);
    assert!(lines.any(|line| line.contains("Waiting for c:001")));
    let other = workspace(Kind::Sqlite, &[("c", &[("001", "")])]);
    let url = format!("sqlite:{}", folder.path().join("a.db").display());
    Binary::inside(other.path()).variable("DATABASE_URL", &url).ok(&["up", "-p", "c"]);
    let rest: Vec<String> = lines.collect();
    assert_eq!(waiting.wait().unwrap().code(), Some(0), "{rest:#?}");
}

/// A database is asked only if it has an answer that matters.
#[tokio::test]
async fn databases_that_do_not_matter_are_not_reached() {
    let folder =
        workspace(Kind::Sqlite, &[("a", &[("001", "b:001"), ("002", "")]), ("b", &[("001", "")]), ("c", &[("001", "")])]);
    folder.write("a/migrations/003_x.up.sql", "-- migrate: requires c:001\nSELECT 1;\n");
    folder.write("a/migrations/003_x.down.sql", "SELECT 1;\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    binary.ok(&["up", "-p", "b", "-p", "c"]);
    let unreachable = Binary::inside(folder.path());
    folder.write("a/.env", &format!("DATABASE_URL=sqlite:{}\n", folder.path().join("app.db").display()));
    for name in ["b", "c"] {
        folder.write(&format!("{name}/.env"), &format!("DATABASE_URL=sqlite:nowhere/{name}.db\n"));
    }
    unreachable.ok(&["up", "-p", "a", "--to", "2"]);
    unreachable.ok(&["plan", "-p", "a"]);
    unreachable.ok(&["up", "-p", "a"]);
    unreachable.ok(&["verify", "-p", "a"]);
}

/// What `plan` says is what `up` does: what can run, what waits, and for what.
#[tokio::test]
async fn a_plan_says_what_waits() {
    let folder = workspace(
        Kind::Sqlite,
        &[("a", &[("001", ""), ("002", "elsewhere:001")]), ("b", &[("001", ""), ("002", "a:002")]), ("c", &[("001", "")])],
    );
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let outcome = binary.run(&["plan", "--workspace"]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    for words in [
        "`a`: 1 of 2 to run; `002_x.up.sql` waits until another process has applied elsewhere:001",
        "`b`: 1 of 2 to run; the others wait",
        "`c`: 1 migration to run",
    ] {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    let outcome = binary.run(&["up", "--workspace", "--lock-wait", "200ms", "--format", "json"]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    let document = json(&outcome);
    let done = |at: usize| document["services"][at]["done"].as_array().map(Vec::len);
    assert_eq!((done(0), done(1), done(2), done(3)), (Some(1), Some(1), Some(1), None), "{document:#}");
    let error = document["error"].to_string();
    assert!(error.contains("elsewhere:001") && error.contains("applied earlier") && error.contains("`b`"), "{document:#}");
    // One that cannot run keeps the others back.
    folder.write("c/migrations/001_x.up.sql", "CREATE TABLE changed (id integer);\n");
    let outcome = binary.run(&["plan", "--workspace"]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("`b`: nothing would run, because another of these services cannot run"),
        "{}",
        outcome.stderr
    );
}

/// A service that is left out is waited for, not included; and what no service will ever apply is not waited for.
#[tokio::test]
async fn what_is_left_out_and_what_does_not_exist() {
    let folder = workspace(Kind::Sqlite, &[("api", &[("001", "billing:001")]), ("billing", &[("001", "")])]);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let outcome = binary.run(&["up", "--workspace", "--exclude", "billing", "--lock-wait", "200ms"]);
    assert_eq!(outcome.code, 5, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("Waiting for billing:001") && !outcome.stderr.contains("Including"), "{}", outcome.stderr);
    for (written, correction) in [("biling:001", "write `billing:001`"), ("billing:002", "`billing` has no version 002")] {
        folder.write("api/migrations/001_x.up.sql", &format!("-- migrate: requires {written}\nSELECT 1;\n"));
        for command in ["up", "plan"] {
            let outcome = binary.run(&[command, "-p", "api"]);
            assert!(outcome.code != 0 && outcome.stderr.contains(correction), "{written}: {}", outcome.stderr);
            assert!(!outcome.stderr.contains("Waiting"), "{}", outcome.stderr);
        }
    }
}

/// `check` and `lint` of one package know what the others own, also what a draft of another one will have done before.
#[test]
fn one_package_is_compared_with_the_workspace() {
    let folder = workspace(Kind::Postgres, &[("api", &[("001", ""), ("002", "")]), ("billing", &[("001", "api:001")])]);
    let write = |path: &str, text: &str| folder.write(path, text);
    let inside = Binary::inside(&folder.path().join("billing"));
    let commands = [["check"].as_slice(), &["lint", "--offline"]];
    write("billing/migrations/002_y.up.sql", "TRUNCATE api_001;\nDROP TABLE billing_001;\n");
    write("billing/migrations/002_y.down.sql", "CREATE TABLE billing_001 (id integer);\n");
    for command in commands {
        let outcome = inside.run(command);
        let says = "service `billing` truncates table `api_001`, which belongs to service `api`";
        assert!(outcome.code != 0 && outcome.stderr.contains(says), "{}", outcome.stderr);
        assert!(outcome.stderr.contains("compared with what `api` owns in the same database"), "{}", outcome.stderr);
        let of_api = Binary::inside(&folder.path().join("api")).run(command);
        assert!(!of_api.stderr.contains("foreign-table"), "{}", of_api.stderr);
    }
    // The table is handed over before.
    write("api/migrations/002_x.up.sql", "-- migrate: hands-over api_001 to billing\nCREATE TABLE api_002 (id integer);\n");
    let order = "-- migrate: requires api:002\n";
    write("billing/migrations/002_y.up.sql", &format!("{order}TRUNCATE api_001;\nDROP TABLE billing_001;\n"));
    for command in commands {
        let outcome = inside.run(command);
        assert!(!outcome.stderr.contains("foreign-table"), "{}", outcome.stderr);
    }
    let owners = json(&inside.ok(&["owners", "--format", "json"]));
    let rows: Vec<String> =
        owners["tables"].as_array().unwrap().iter().map(|row| format!("{}:{}", row["table"], row["owner"])).collect();
    assert_eq!(rows, ["\"api_001\":\"billing\"", "\"billing_001\":\"billing\""]);
}
