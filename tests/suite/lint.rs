//! The commands `lint` and `owners`: messages, output formats and exit codes.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use std::process::Command;

fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"/[^ `\n]*/\.tmp[^/ `\n]*", "[folder]");
    settings
}

macro_rules! shows {
    ($name:expr, $outcome:expr) => {
        settings().bind(|| insta::assert_snapshot!($name, $outcome.shown()))
    };
}

/// One locked migration and one draft.
fn project() -> (TestFolder, Binary) {
    let folder = TestFolder::new(&[
        ("001_create_orders.up.sql", "CREATE TABLE orders (id bigint PRIMARY KEY, user_id int, note text);\n"),
        ("001_create_orders.down.sql", "DROP TABLE orders;\n"),
    ]);
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\n");
    let binary = Binary::inside(folder.path());
    binary.ok(&["lock"]);
    folder.write(
        "migrations/002_index_orders.up.sql",
        "ALTER TABLE orders ADD COLUMN paid boolean NOT NULL DEFAULT false;\nCREATE INDEX orders_user ON orders (user_id);\n\
         ALTER TABLE orders ADD CONSTRAINT user_ok CHECK (user_id > 0);\nALTER TABLE orders DROP COLUMN note;\n",
    );
    folder.write("migrations/002_index_orders.down.sql", "DROP INDEX orders_user;\nALTER TABLE orders DROP COLUMN paid;\n");
    binary.ok(&["lock", "--draft"]);
    (folder, binary)
}

#[test]
fn findings_of_a_draft_in_every_format() {
    let (folder, binary) = project();
    shows!("human", binary.run(&["lint"]));
    shows!("verbose", binary.run(&["lint", "-v"]));
    shows!("json", binary.run(&["lint", "--format", "json"]));
    shows!("github", binary.run(&["lint", "--format", "github"]));
    let sarif = binary.run(&["lint", "--format", "sarif"]);
    assert_eq!(sarif.code, 4);
    let sarif: serde_json::Value = serde_json::from_str(&sarif.stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(
        sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"],
        "migrations/002_index_orders.up.sql"
    );
    // `check` and the macro report the same findings.
    let check = binary.run(&["check"]);
    assert_eq!(check.code, 4);
    assert!(check.stderr.contains("error[index-not-concurrent]"), "{}", check.stderr);
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\nlint = \"off\"\n");
    binary.ok(&["check"]);
}

#[test]
fn allow_directives_and_rule_settings() {
    let (folder, binary) = project();
    folder.write(
        "migrations/002_index_orders.up.sql",
        "-- migrate: allow index-not-concurrent: nobody writes at night\nCREATE INDEX orders_user ON orders (user_id);\n\
         -- migrate: allow drop-colum: it is not read\nALTER TABLE orders DROP COLUMN note;\n\
         -- migrate: allow rename-table: none here\nSELECT 1;\n",
    );
    folder.write("migrations/002_index_orders.down.sql", "SELECT 1;\n");
    folder.write(
        "migrate.toml",
        "service = \"shop\"\ndatabase = \"postgres\"\n[rules]\ndrop-column = \"warning\"\ndown-not-inverse = \"off\"\n",
    );
    shows!("allowed", binary.run(&["lint"]));
    let strict = binary.run(&["lint", "--strict"]);
    assert_eq!(strict.code, 4);
    folder.write(
        "migrate.toml",
        "service = \"shop\"\ndatabase = \"postgres\"\nserver = \"oracle 9\"\n[rules]\ndrop-colum = \"off\"\n",
    );
    shows!("bad_settings", binary.run(&["lint"]));
}

#[test]
fn lint_since_a_revision() {
    let (folder, binary) = project();
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "-q"]);
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "all"]);
    let outcome = binary.run(&["lint", "--since", "HEAD"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("0 of 2 migrations (new or changed since HEAD), no findings"), "{}", outcome.stderr);
    folder.write("migrations/003_more.up.sql", "DROP TABLE orders;\n");
    folder.write("migrations/003_more.down.sql", "SELECT 1;\n");
    let outcome = binary.run(&["lint", "--since", "HEAD"]);
    assert_eq!(outcome.code, 4);
    assert!(outcome.stderr.contains("error[drop-table]") && !outcome.stderr.contains("002_"), "{}", outcome.stderr);
    // A file that was changed since the revision is checked, too.
    folder.remove("migrations/003_more.up.sql");
    folder.remove("migrations/003_more.down.sql");
    let text = folder.text("migrations/002_index_orders.up.sql");
    folder.write("migrations/002_index_orders.up.sql", &format!("{text}DROP TABLE orders;\n"));
    let outcome = binary.run(&["lint", "--since", "HEAD"]);
    assert!(outcome.stderr.contains("1 of 2 migrations") && outcome.stderr.contains("error[drop-table]"), "{}", outcome.stderr);
    let outcome = binary.run(&["lint", "--since", "nowhere"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.stderr.contains("Git cannot list the files of `nowhere`"), "{}", outcome.stderr);
}

#[tokio::test]
async fn applied_migrations_count_as_deployed() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let (folder, binary) = project();
    let connected = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let outcome = connected.run(&["lint"]);
    let url: migrate_runtime::DatabaseUrl = database.url.parse().unwrap();
    let selection = format!("the drafts and the migrations that are not applied in `{url}`");
    assert!(outcome.stderr.contains(&format!("2 of 2 migrations ({selection})")), "{}", outcome.stderr);
    // The first migration is locked, so that another database may have it.
    assert!(outcome.stderr.contains("error[index-not-concurrent]"), "{}", outcome.stderr);
    connected.ok(&["up", "--to", "1"]);
    let outcome = connected.run(&["lint"]);
    assert!(outcome.stderr.contains("error[index-not-concurrent]"), "{}", outcome.stderr);
    // A draft that was applied to a development database is still a draft.
    connected.ok(&["up"]);
    let outcome = connected.run(&["lint"]);
    assert!(outcome.stderr.contains(&format!("1 of 2 migrations ({selection})")), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("error[index-not-concurrent]"), "{}", outcome.stderr);
    let outcome = connected.run(&["lint", "--offline"]);
    assert!(outcome.stderr.contains("1 of 2 migrations (the migration that is not locked)"), "{}", outcome.stderr);
    // The command does not wait for a database that does not answer.
    let nowhere = Binary::inside(folder.path()).variable("DATABASE_URL", "postgres://x@127.0.0.1:1/x");
    let outcome = nowhere.run(&["lint"]);
    assert!(outcome.stderr.contains("the migration that is not locked"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("cannot query the database `postgres://x@127.0.0.1:1/x`"), "{}", outcome.stderr);
    drop(binary);
    database.drop().await;
}

/// The files that `lint --fix` writes are applied without a change.
#[tokio::test]
async fn fixes_are_written_and_can_be_applied() {
    let (folder, binary) = project();
    folder.write(
        "migrations/002_index_orders.up.sql",
        "ALTER TABLE orders ADD COLUMN paid boolean;\nCREATE INDEX orders_user ON orders (user_id);\n\
         ALTER TABLE orders ADD CONSTRAINT user_ok CHECK (user_id > 0);\nUPDATE orders SET paid = true;\n",
    );
    shows!("fix_wants_an_answer", binary.run(&["lint", "--fix"]));
    let fixed = binary.run(&["lint", "--fix", "--yes"]);
    assert_eq!(fixed.code, 0, "{}", fixed.stderr);
    let outcome = binary.run(&["lint"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    binary.ok(&["check"]);
    let database = TestDatabase::new(Kind::Postgres).await;
    let connected = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    connected.ok(&["up", "--to", "1"]);
    database.execute("INSERT INTO orders SELECT i, i, 'x' FROM generate_series(1, 2500) i").await;
    connected.ok(&["up"]);
    assert_eq!(database.value("SELECT count(*) FROM orders WHERE paid").await, "2500");
    assert_eq!(database.value("SELECT convalidated::text FROM pg_constraint WHERE conname = 'user_ok'").await, "true");
    connected.ok(&["down", "--all", "--yes"]);
    connected.ok(&["up"]);
    database.drop().await;
}

/// Committed batches remain after a failure, the error reports this, and the next run updates the other rows.
#[tokio::test]
async fn batches_resume_after_a_row_that_failed() {
    let (folder, binary) = project();
    folder.write("migrations/002_index_orders.up.sql", "UPDATE orders SET note = 'late';\n");
    folder.write("migrations/002_index_orders.down.sql", "SELECT 1;\n");
    let fixed = binary.run(&["lint", "--fix", "--yes"]);
    assert_eq!(fixed.code, 0, "{}", fixed.stderr);
    let database = TestDatabase::new(Kind::Postgres).await;
    let connected = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    connected.ok(&["up", "--to", "1"]);
    database.execute("INSERT INTO orders SELECT i, i, 'x' FROM generate_series(1, 2500) i").await;
    database.execute("ALTER TABLE orders ADD CONSTRAINT odd CHECK (id <> 2400 OR note <> 'late')").await;
    let failed = connected.run(&["up"]);
    assert!(failed.stderr.contains("some changes of statement 1 may remain"), "{}", failed.stderr);
    assert_eq!(database.value("SELECT count(*) FROM orders WHERE note = 'late'").await, "2000");
    database.execute("ALTER TABLE orders DROP CONSTRAINT odd").await;
    // The block continues where it stopped, as an operator can see.
    connected.ok(&["resolve", "--retry", "002"]);
    connected.ok(&["up"]);
    assert_eq!(database.value("SELECT count(*) FROM orders WHERE note = 'late'").await, "2500");
    database.drop().await;
}

#[test]
fn mysql_and_mariadb_have_different_findings() {
    let folder = TestFolder::new(&[
        ("001_users.up.sql", "CREATE TABLE users (id int PRIMARY KEY);\n"),
        ("002_likes.up.sql", "CREATE TABLE likes (user_id int REFERENCES users (id));\n"),
    ]);
    let is_reported = |dialect: &str| {
        let source = folder.path().join("migrations").display().to_string();
        let outcome = Binary::inside(folder.path()).run(&["lint", "--source", &source, "--dialect", dialect]);
        outcome.stderr.contains("mysql-references-ignored") || outcome.stdout.contains("mysql-references-ignored")
    };
    assert!(is_reported("mysql"), "MySQL ignores the clause");
    assert!(!is_reported("mariadb"), "MariaDB creates the foreign key");
}

#[test]
fn owners_of_tables() {
    let folder = TestFolder::default();
    folder.write("Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"users\", \"chat\"]\n");
    for (package, up) in [
        ("users", "CREATE TABLE users (id bigint PRIMARY KEY);\nCREATE TABLE likes (id bigint PRIMARY KEY);\n"),
        (
            "chat",
            "CREATE TABLE rooms (id bigint PRIMARY KEY);\nALTER TABLE users ADD COLUMN room bigint;\nCREATE TABLE likes (id int PRIMARY KEY);\n",
        ),
    ] {
        folder.write(
            &format!("{package}/Cargo.toml"),
            &format!("[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        );
        folder.write(&format!("{package}/src/lib.rs"), "");
        folder.write(&format!("{package}/migrate.toml"), "database = \"postgres\"\ndown = \"optional\"\n");
        folder.write(&format!("{package}/migrations/001_first.up.sql"), up);
    }
    let binary = Binary::inside(folder.path());
    shows!("owners", binary.run(&["--workspace", "owners"]));
    shows!("owners_markdown", binary.run(&["--workspace", "owners", "--markdown"]));
    shows!("owners_json", binary.run(&["--workspace", "owners", "--format", "json"]));
    shows!("lint_over_all", binary.run(&["--workspace", "lint"]));
}

#[test]
fn init_writes_a_workflow_and_a_hook() {
    let folder = TestFolder::default();
    std::fs::create_dir(folder.path().join(".git")).unwrap();
    let outcome = Binary::inside(folder.path()).run(&["init", "--ci", "--dialect", "postgres"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    insta::assert_snapshot!("workflow", folder.text(".github/workflows/migrations.yml"));
    insta::assert_snapshot!("hook", folder.text(".githooks/pre-commit"));
}

#[test]
fn explain_shows_a_rule() {
    let folder = TestFolder::default();
    shows!("explain_rule", Binary::inside(folder.path()).run(&["explain", "validate-same-tx"]));
}

/// A draft that a server would not understand, and statements of `session`.
#[test]
fn check_reports_unknown_statements_and_short_dates() {
    let folder = TestFolder::new(&[
        ("20260115120000_orders.sql", "CREATE TABLE orders (id bigint PRIMARY KEY);\n"),
        ("20260301_users.sql", "CREAT TABLE users (id bigint PRIMARY KEY);\n"),
        ("202601151300_items.sql", "CREATE TABLE items (id bigint PRIMARY KEY);\n"),
        ("202512311300_old.sql", "CREATE TABLE old (id bigint PRIMARY KEY);\n"),
    ]);
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\ndown = \"optional\"\n");
    let binary = Binary::inside(folder.path());
    binary.ok(&["lock", "--draft"]);
    let outcome = binary.run(&["check"]);
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    for expected in [
        "error[unknown-statement]: no database has a statement that begins with `CREAT`",
        "write `CREATE`",
        "warning[short-timestamp]: `20260301_users.sql` sorts before `20260115120000_orders.sql`, although the date of the first is later",
        "`20260301000000`",
        "warning[short-timestamp]: `202601151300_items.sql` sorts before `20260115120000_orders.sql`, although the time of the first is later",
        "append the rest of the time to the version: `20260115130000`",
    ] {
        assert!(outcome.stderr.contains(expected), "{expected}: {}", outcome.stderr);
    }
    assert_eq!(outcome.stderr.matches("short-timestamp").count(), 2, "{}", outcome.stderr);
}

#[test]
fn a_database_that_does_not_answer_is_reported_in_one_line() {
    let (folder, binary) = project();
    let without = binary.run(&["lint"]);
    let lines = |stderr: &str| stderr.lines().filter(|line| line.contains("cannot query the database")).count();
    assert_eq!(lines(&without.stderr), 0, "{}", without.stderr);
    for url in ["postgres://nobody@127.0.0.1:1/none", "oracle://nowhere/none"] {
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", url);
        let outcome = binary.run(&["lint"]);
        assert_eq!((outcome.code, lines(&outcome.stderr)), (without.code, 1), "{}", outcome.stderr);
        let line = outcome.stderr.lines().find(|line| line.contains("cannot query the database")).unwrap();
        assert!(line.ends_with("; only the migration that is not locked is linted"), "{line}");
        let json = binary.run(&["lint", "--format", "json"]);
        assert_eq!(lines(&json.stderr), 1, "{}", json.stderr);
        assert_eq!(lines(&binary.run(&["lint", "--offline"]).stderr), 0);
    }
}

#[test]
fn the_session_of_the_settings_holds_for_lint() {
    let folder = TestFolder::new(&[
        (
            "001_family.sql",
            "CREATE TABLE p (id int PRIMARY KEY);\nCREATE TABLE c (p int, CONSTRAINT f FOREIGN KEY (p) REFERENCES p (id));\n",
        ),
        ("002_drop.sql", "-- migrate: phase contract\nDROP TABLE p;\n"),
    ]);
    let lint = |session: &str| {
        folder.write("migrate.toml", &format!("service = \"shop\"\ndatabase = \"mariadb\"\ndown = \"optional\"\n{session}\n"));
        Binary::inside(folder.path()).run(&["lint", "--offline"]).stderr
    };
    assert!(lint("").contains("mysql-drop-with-dependents"));
    assert!(!lint("session = [\"SET FOREIGN_KEY_CHECKS=0\"]").contains("mysql-drop-with-dependents"));
}

/// `check` has the formats of code hosts, too, with paths from the root of the repository.
#[test]
fn formats_of_check() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join(".git")).unwrap();
    let app = root.path().join("the app/migrations");
    std::fs::create_dir_all(&app).unwrap();
    std::fs::write(root.path().join("the app/migrate.toml"), "database = \"postgres\"\n").unwrap();
    std::fs::write(app.join("001_a.up.sql"), "SELECT 'open").unwrap();
    let binary = Binary::inside(&root.path().join("the app"));
    let sarif = binary.run(&["check", "--format", "sarif"]);
    assert_eq!(sarif.code, 4);
    let document: serde_json::Value = serde_json::from_str(&sarif.stdout).unwrap();
    let uris: Vec<&str> = document["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|result| result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].as_str())
        .collect();
    assert!(uris.contains(&"the%20app/migrations/001_a.up.sql"), "{uris:?}");
    let rules = document["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    assert!(rules.iter().all(|rule| rule["help"]["text"].is_string()));
    let github = binary.run(&["check", "--format", "github"]);
    assert!(github.stdout.contains("::error file=the app/migrations/001_a.up.sql,line=1,col=8"), "{}", github.stdout);
}
