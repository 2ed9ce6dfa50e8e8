//! Down migrations that only the history contains: who may write `migration_records` decides what they are, so they are shown and asked
//! for before they run.

use migrate_runtime::{ErrorKind, HistoryWriters, MigrationKey, Migrator, Target};
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};

/// What an application user has written into the history.
const PLANTED: &str = "CREATE TABLE planted (id integer);";

fn folder(kind: Kind) -> TestFolder {
    let folder = TestFolder::new(&[
        ("001_a.up.sql", "CREATE TABLE a (id integer);"),
        ("001_a.down.sql", "DROP TABLE a;"),
        ("002_b.up.sql", "CREATE TABLE b (id integer);"),
        ("002_b.down.sql", "DROP TABLE b;"),
        ("003_c.up.sql", "CREATE TABLE c (id integer);"),
        ("003_c.down.sql", "DROP TABLE c;"),
    ]);
    let settings = format!("service = \"app\"\ndatabase = \"{}\"\nlint = \"off\"\n", kind.dialect().name());
    folder.write("migrate.toml", &settings);
    folder
}

/// A database whose version 002 has no file any more, and other stored SQL than that of its migration.
async fn changed(kind: Kind) -> (TestDatabase, TestFolder) {
    let (database, folder) = (TestDatabase::new(kind).await, folder(kind));
    Binary::inside(folder.path()).variable("DATABASE_URL", &database.url).ok(&["up"]);
    folder.remove("migrations/002_b.up.sql");
    folder.remove("migrations/002_b.down.sql");
    database.execute(&format!("UPDATE migration_records SET down_sql = '{PLANTED}' WHERE version = '002'")).await;
    (database, folder)
}

#[tokio::test]
async fn stored_sql_runs_only_when_it_is_asked_for() {
    for kind in Kind::ALL {
        let (database, folder) = changed(kind).await;
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        // 003 has a file and would come first: nothing of it runs either.
        for arguments in [&["down", "--to", "1", "--yes"][..], &["down", "--all", "--yes", "-q"], &["down", "--to", "1"]] {
            let outcome = binary.run(arguments);
            assert_eq!(outcome.code, 5, "{kind:?}: {arguments:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains("error[stored-sql]"), "{kind:?}: {arguments:?}: {}", outcome.stderr);
            assert!(outcome.stderr.contains(PLANTED), "{kind:?}: {arguments:?}: {}", outcome.stderr);
            assert_eq!(database.tables().await, ["a", "b", "c"], "{kind:?}: {arguments:?}");
        }
        // What has no file cannot be applied again.
        let outcome = binary.run(&["redo", "--steps", "2", "--yes", "--stored"]);
        assert!(outcome.code == 5 && !outcome.stderr.contains(PLANTED), "{}", outcome.stderr);
        let outcome = binary.run(&["down", "--to", "1", "--yes", "--format", "json"]);
        assert_eq!(outcome.code, 5, "{}", outcome.stderr);
        assert!(outcome.stdout.contains("\"stored-sql\""), "{}", outcome.stdout);
        let outcome = binary.ok(&["down", "--to", "1", "--dry-run"]);
        assert!(outcome.stdout.contains(PLANTED) && outcome.stdout.contains("as stored in the history"), "{}", outcome.stdout);
        let outcome = binary.run(&["down", "--to", "1", "--stored"]);
        assert_eq!(outcome.code, 2, "the loss of data is another question: {}", outcome.stderr);
        let outcome = binary.ok(&["down", "--to", "1", "--yes", "--stored"]);
        assert!(outcome.stderr.contains(PLANTED), "{}", outcome.stderr);
        assert_eq!(database.tables().await, ["a", "b", "planted"], "{kind:?}");
        database.drop().await;
    }
}

/// A migration with a file does not need the flag.
#[tokio::test]
async fn files_need_no_flag() {
    let (database, folder) = changed(Kind::Sqlite).await;
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["down", "--yes"]);
    assert_eq!(database.tables().await, ["a", "b"]);
    database.drop().await;
}

/// On a terminal, the question shows the SQL, and `--yes` does not answer it.
#[tokio::test]
async fn a_terminal_is_asked() {
    for (answer, code, tables) in [("n", 1, vec!["a", "b", "c"]), ("y", 0, vec!["a", "b", "planted"])] {
        let (database, folder) = changed(Kind::Sqlite).await;
        let program = Binary::inside(folder.path()).command(&[]).get_program().to_string_lossy().into_owned();
        let command = format!("{program} down --to 1 --yes");
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &command, "/dev/null"]).current_dir(folder.path()).env("DATABASE_URL", &database.url);
        script.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = script.spawn().unwrap();
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), format!("{answer}\n").as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        assert!(shown.contains(PLANTED) && shown.contains("run the stored SQL above"), "{shown}");
        assert_eq!(output.status.code(), Some(code), "{shown}");
        assert_eq!(database.tables().await, tables);
        database.drop().await;
    }
}

/// The library runs what was agreed to, and nothing else.
#[tokio::test]
async fn a_script_that_changed_after_it_was_shown_does_not_run() {
    for kind in Kind::ALL {
        let (database, folder) = changed(kind).await;
        let set = folder.set(kind.dialect());
        let key: MigrationKey = "002".parse().unwrap();
        let target = Target::DownTo("1".parse().unwrap());
        for shown in [vec![], vec![(key.clone(), "DROP TABLE b;".to_owned())]] {
            let error = Migrator::new(&set).only_stored_scripts(shown).run_to(&database.url, &target).await.unwrap_err();
            assert_eq!((error.kind(), error.code().name), (ErrorKind::HistoryMismatch, "stored-sql"), "{error}");
            assert_eq!(database.tables().await, ["a", "b", "c"], "{kind:?}");
        }
        let shown = [(key, PLANTED.to_owned())];
        Migrator::new(&set).only_stored_scripts(shown).run_to(&database.url, &target).await.unwrap();
        assert_eq!(database.tables().await, ["a", "b", "planted"], "{kind:?}");
        database.drop().await;
    }
}

/// PostgreSQL: `status` and `down` say who may have written the stored SQL.
#[tokio::test]
async fn who_may_write_the_history_is_said() {
    let (database, folder) = changed(Kind::Postgres).await;
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let app = format!("{}_app", database.url.rsplit_once('/').unwrap().1);
    let doubt = "stored SQL not confirmed";
    let outcome = binary.ok(&["status"]);
    assert!(!outcome.stderr.contains("stored-sql") && !outcome.stdout.contains(doubt), "{}", outcome.shown());
    database.execute(&format!("CREATE ROLE {app} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {app}")).await;
    assert!(!binary.ok(&["status"]).stderr.contains("stored-sql"));
    for (grant, revoke, help) in [
        (
            format!("GRANT INSERT, UPDATE ON migration_records TO {app}"),
            String::new(),
            format!("`REVOKE INSERT, UPDATE ON public.migration_records FROM {app}`"),
        ),
        (
            "GRANT DELETE ON migration_records TO PUBLIC".to_owned(),
            String::new(),
            "`REVOKE DELETE ON public.migration_records FROM PUBLIC`".to_owned(),
        ),
        (
            format!("GRANT TRUNCATE ON migration_records TO {app}"),
            String::new(),
            format!("`REVOKE TRUNCATE ON public.migration_records FROM {app}`"),
        ),
        (
            format!("GRANT UPDATE (down_sql) ON migration_records TO {app}"),
            String::new(),
            format!("`REVOKE UPDATE (down_sql) ON public.migration_records FROM {app}`"),
        ),
        (
            format!("GRANT pg_write_all_data TO {app}"),
            format!("REVOKE pg_write_all_data FROM {app}"),
            format!("`REVOKE pg_write_all_data FROM {app}`"),
        ),
    ] {
        database.execute(&grant).await;
        let outcome = binary.ok(&["status"]);
        assert!(outcome.stderr.contains("note[stored-sql]") && outcome.stderr.contains(&help), "{grant}: {}", outcome.stderr);
        assert!(outcome.stdout.contains(&format!("file MISSING, {doubt}")), "{grant}: {}", outcome.stdout);
        assert!(binary.ok(&["status", "--format", "json"]).stdout.contains("\"stored_sql\": \"not-confirmed\""));
        let outcome = binary.run(&["down", "--to", "1", "--yes"]);
        assert!(outcome.code == 5 && outcome.stderr.contains(doubt), "{grant}: {}", outcome.stderr);
        // The help is what takes it away.
        database.execute(&if revoke.is_empty() { help.trim_matches('`').to_owned() } else { revoke }).await;
        assert!(!binary.ok(&["status"]).stderr.contains("stored-sql"), "{grant}");
    }
    assert!(binary.ok(&["status", "--format", "json"]).stdout.contains("\"stored_sql\": \"confirmed\""));
    // A role that this user is a member of is trusted.
    database.execute(&format!("GRANT ALL ON migration_records TO {app}; GRANT {app} TO postgres")).await;
    assert!(!binary.ok(&["status"]).stderr.contains("stored-sql"));
    database.execute(&format!("DROP OWNED BY {app} CASCADE; DROP ROLE {app}")).await;
    database.drop().await;
}

/// Privileges that are not those of the records themselves: a member can act as its role, and a view writes what it reads from.
#[tokio::test]
async fn members_and_views_are_writers() {
    let (database, folder) = changed(Kind::Postgres).await;
    let name = database.url.rsplit_once('/').unwrap().1.to_owned();
    let [owner, admin, group, app] = ["owner", "admin", "group", "app"].map(|role| format!("{name}_{role}"));
    database
        .execute(&format!(
            "CREATE ROLE {owner}; CREATE ROLE {group}; CREATE ROLE {admin} LOGIN IN ROLE {owner}, {group}; CREATE ROLE {app} LOGIN; \
             GRANT CREATE, USAGE ON SCHEMA public TO {owner}, {admin}, {app}; \
             CREATE VIEW counts AS SELECT count(*) FROM migration_records; GRANT ALL ON counts TO {app}; \
             CREATE MATERIALIZED VIEW copies AS SELECT * FROM migration_records; GRANT ALL ON copies TO {app}"
        ))
        .await;
    for table in ["migration_records", "schema_versions", "migration_events", "counts", "copies"] {
        database.execute(&format!("ALTER TABLE {table} OWNER TO {owner}")).await;
    }
    let url = database.url.replace("postgres@", &format!("{admin}@"));
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    let doubt = "stored SQL not confirmed";
    let outcome = binary.ok(&["status"]);
    assert!(!outcome.stderr.contains("stored-sql") && !outcome.stdout.contains(doubt), "{}", outcome.shown());
    for (grant, help) in [
        (format!("GRANT {owner} TO {app}"), format!("REVOKE {owner} FROM {app}")),
        (format!("GRANT UPDATE ON migration_records TO {group}; GRANT {group} TO {app}"), format!("REVOKE {group} FROM {app}")),
        (format!("GRANT {admin} TO {app}"), format!("REVOKE {admin} FROM {app}")),
        (
            format!(
                "CREATE VIEW v AS SELECT * FROM migration_records; CREATE VIEW w AS SELECT service, version, down_sql FROM v; \
                 ALTER VIEW v OWNER TO {owner}; ALTER VIEW w OWNER TO {owner}; GRANT UPDATE, DELETE ON w TO {app}"
            ),
            format!("REVOKE DELETE, UPDATE ON public.w FROM {app}"),
        ),
        (format!("GRANT INSERT (version) ON v TO {app}"), format!("REVOKE INSERT (version) ON public.v FROM {app}")),
        (
            format!(
                "CREATE TABLE inbox (sql text); ALTER TABLE inbox OWNER TO {owner}; GRANT INSERT ON inbox TO {app}; \
                 CREATE RULE r AS ON INSERT TO inbox DO INSTEAD UPDATE migration_records SET down_sql = new.sql"
            ),
            format!("REVOKE INSERT ON public.inbox FROM {app}"),
        ),
    ] {
        database.execute(&grant).await;
        let outcome = binary.ok(&["status"]);
        assert!(outcome.stderr.contains(&format!("note[stored-sql]: `{app}` can write")), "{grant}: {}", outcome.stderr);
        assert!(outcome.stderr.contains(&format!("`{help}`")), "{grant}: {}", outcome.stderr);
        assert!(outcome.stdout.contains(&format!("file MISSING, {doubt}")), "{grant}: {}", outcome.stdout);
        let outcome = binary.run(&["down", "--to", "1", "--yes"]);
        assert!(outcome.code == 5 && outcome.stderr.contains(doubt), "{grant}: {}", outcome.stderr);
        // The help is what takes it away.
        database.execute(&help).await;
        let outcome = binary.ok(&["status"]);
        assert!(!outcome.stderr.contains("stored-sql"), "{grant}: {}", outcome.stderr);
    }
    for role in [&app, &admin, &group, &owner] {
        database.execute(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await;
    }
    database.drop().await;
}

/// MariaDB shows no user the privileges of others, and a SQLite file has no users.
#[tokio::test]
async fn elsewhere_it_is_unknown_who_may_write() {
    for kind in [Kind::MariaDb, Kind::Sqlite] {
        let (database, folder) = changed(kind).await;
        let status = Migrator::new(folder.set(kind.dialect())).status(&database.url).await.unwrap();
        assert_eq!(*status.writers(), HistoryWriters::Unknown);
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        let outcome = binary.ok(&["status"]);
        // Only the row that stored SQL would be used for.
        assert_eq!(outcome.stdout.matches("stored SQL not confirmed").count(), 1, "{kind:?}: {}", outcome.stdout);
        assert!(!outcome.stderr.contains("stored-sql"), "{kind:?}: {}", outcome.stderr);
        database.drop().await;
    }
}
