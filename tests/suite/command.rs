//! The command line: messages, JSON and exit codes of the real binary.

use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};
use std::process::Stdio;

/// Replaces the parts of an output that differ between runs with `[...]`.
fn settings() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\dZ?", "[time]              ");
    settings.add_filter(r"\b\d+(\.\d)? m?s\b", "[took]");
    settings.add_filter(r#"("execution_ms"): \d+"#, "$1: 0");
    settings.add_filter(r"/[^ `\n]*/\.tmp[^/ `\n]*", "[folder]");
    settings.add_filter(r"127\.0\.0\.1:\d+", "[server]");
    settings.add_filter(r"test_\d+_\d+", "[database]");
    settings
}

fn project() -> (TestFolder, Binary) {
    let folder = TestFolder::new(&[
        ("001_create_users.up.sql", "CREATE TABLE users (\n    id integer PRIMARY KEY\n);\n"),
        ("001_create_users.down.sql", "DROP TABLE users;\n"),
        ("002_add_email.up.sql", "ALTER TABLE users ADD COLUMN email text;\n"),
        ("002_add_email.down.sql", "ALTER TABLE users DROP COLUMN email;\n"),
    ]);
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"sqlite\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    (folder, binary)
}

macro_rules! shows {
    ($outcome:expr) => {
        settings().bind(|| insta::assert_snapshot!($outcome.shown()))
    };
    ($name:expr, $outcome:expr) => {
        settings().bind(|| insta::assert_snapshot!($name, $outcome.shown()))
    };
}

/// The words of other tools lead to the commands of this one.
#[test]
fn words_of_other_tools() {
    let (_folder, binary) = project();
    for (word, command) in
        [("run", "up"), ("migrate", "up"), ("revert", "down"), ("info", "status"), ("add", "new"), ("reset", "db reset")]
    {
        // Cargo passes the first `migrate`.
        let outcome = binary.run(&["migrate", word]);
        let tip = format!("tip: `cargo migrate {command}` ");
        assert!(outcome.code == 2 && outcome.stderr.contains(&tip), "{word}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("similar"), "{word}: {}", outcome.stderr);
        let command: Vec<&str> = command.split(' ').collect();
        assert!(binary.ok(&[&["help"], &command[..]].concat()).stdout.contains("Usage: cargo migrate"), "{word}");
    }
}

/// Colors are used when the user says so: in tables, messages, and errors about the command line.
#[test]
fn colors() {
    let (_folder, binary) = project();
    let always = binary.clone().variable("CARGO_TERM_COLOR", "always");
    for command in ["status", "up --to 9", "unknown"] {
        let arguments: Vec<&str> = command.split(' ').collect();
        let is_colored = |binary: &Binary, option: &[&str]| {
            let outcome = binary.run(&[option, &arguments].concat());
            (outcome.stdout + &outcome.stderr).contains('\u{1b}')
        };
        assert!(!is_colored(&binary, &[]), "{command}");
        assert!(is_colored(&binary, &["--color", "always"]), "{command}");
        assert!(is_colored(&always, &[]), "{command}");
        assert!(!is_colored(&always, &["--color=never"]), "{command}");
    }
}

/// A `.env` file above the package counts, and its SQLite file is beside it, whichever folder of the package is the current one.
#[test]
fn a_database_of_the_workspace() {
    let folder = TestFolder::new(&[]);
    folder.write("Cargo.toml", "[workspace]\nmembers = [\"app\"]\nresolver = \"2\"\n");
    folder.write(".env", "DATABASE_URL=sqlite:app.db\n");
    folder.write("app/Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    folder.write("app/src/lib.rs", "");
    folder.write("app/migrate.toml", "database = \"sqlite\"\n");
    folder.write("app/migrations/001_a.up.sql", "CREATE TABLE t (id integer PRIMARY KEY);\n");
    folder.write("app/migrations/001_a.down.sql", "DROP TABLE t;\n");
    for (at, inside) in ["app/src", "app", "."].into_iter().enumerate() {
        let outcome = Binary::inside(&folder.path().join(inside)).ok(&["up"]);
        assert_eq!(outcome.stderr.contains("nothing to do"), at > 0, "{inside}: {}", outcome.stderr);
        assert!(folder.path().join("app.db").is_file(), "{inside}");
    }
    // A nearer file precedes.
    folder.write("app/.env", "DATABASE_URL=sqlite://own.db?mode=rw\n");
    let outcome = Binary::inside(&folder.path().join("app/src")).run(&["status"]);
    assert!(outcome.stderr.contains("`../own.db` does not exist"), "{}", outcome.stderr);
}

/// A package with two sets, each with a history of its own. A set is selected by its service, its folder, or the current folder.
#[test]
fn a_package_with_several_sets() {
    let folder = TestFolder::new(&[]);
    folder.write("Cargo.toml", "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n");
    folder.write("src/lib.rs", "");
    folder.write("migrate.toml", "database = \"sqlite\"\n[sets]\n\"db/main\" = \"shop\"\n\"db/audit\" = \"shop-audit\"\n");
    let url = format!("sqlite:{}", folder.path().join("app.db").display());
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    binary.ok(&["init", "-p", "shop"]);
    binary.ok(&["init", "--source", "db/audit"]);
    binary.ok(&["new", "-p", "shop", "create users table name:text"]);
    let inside = Binary::inside(&folder.path().join("db/audit")).variable("DATABASE_URL", &url);
    inside.ok(&["new", "create entries table note:text"]);
    assert_eq!(binary.run(&["new", "x"]).code, 2, "the set is not named");
    let checked = binary.ok(&["check"]).stderr;
    assert!(checked.contains("`shop`: 1 migration") && checked.contains("`shop-audit`: 1 migration"), "{checked}");
    // The spellings of one set have one history.
    inside.ok(&["up"]);
    let again = binary.ok(&["up", "--source", "./db/audit/"]).stderr;
    assert!(again.contains("nothing to do"), "{again}");
    let rest = binary.ok(&["up"]).stderr;
    assert!(rest.contains("001_create_users_table") && !rest.contains("create_entries"), "{rest}");
    let undeclared = binary.run(&["status", "--source", "db"]);
    assert!(undeclared.code == 4 && undeclared.stderr.contains("no-such-set"), "{} {}", undeclared.code, undeclared.stderr);
    let misspelled = binary.run(&["up", "-p", "shop-adit"]);
    assert!(misspelled.stderr.contains("write `-p shop-audit`"), "{}", misspelled.stderr);
}

/// A package that enables one database of the library needs no setting for it, as for the macro.
#[test]
fn the_only_database_of_a_package_is_its_dialect() {
    let runtime = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrate-runtime");
    for (features, code) in [("\"sqlite\", \"files\"", 0), ("\"sqlite\", \"mysql\"", 4), ("\"files\"", 4)] {
        let folder = TestFolder::new(&[]);
        let package = "[package]\nname = \"app\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n";
        let dependency =
            format!("migrate-runtime = {{ path = {runtime:?}, default-features = false, features = [{features}] }}\n");
        folder.write("Cargo.toml", &format!("{package}{dependency}"));
        folder.write("src/lib.rs", "");
        folder.write("migrations/001_a.up.sql", "CREATE TABLE t (id integer PRIMARY KEY);\n");
        folder.write("migrations/001_a.down.sql", "DROP TABLE t;\n");
        let binary = Binary::inside(folder.path());
        binary.ok(&["lock", "--draft", "--dialect", "sqlite"]);
        let outcome = binary.run(&["check"]);
        assert_eq!(outcome.code, code, "{features}: {}", outcome.stderr);
        assert_eq!(outcome.stderr.contains("no-dialect"), code != 0, "{features}: {}", outcome.stderr);
    }
}

/// Version 0 is below the first migration.
#[test]
fn down_to_zero() {
    let (_folder, binary) = project();
    binary.ok(&["up"]);
    let outcome = binary.ok(&["down", "--to", "0", "--yes"]);
    assert!(outcome.stderr.contains("2 migrations reverted"), "{}", outcome.stderr);
    assert_eq!(binary.run(&["up", "--to", "0"]).code, 2);
}

/// With `--source`, the files are shown by their paths from the current folder, and options exclude each other on both sides of
/// the command.
#[test]
fn the_files_of_another_folder() {
    let folder = TestFolder::new(&[]);
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let created = binary.ok(&["--source", "new", "init"]);
    for file in ["new/", "new/migrate.toml", "new/migrate.lock"] {
        assert!(created.stderr.contains(&format!("Created {file}\n")), "{file}: {}", created.stderr);
    }
    binary.ok(&["--source", "new", "new", "create", "users", "table"]);
    folder.write("new/001_create_users_table.up.sql", "\n");
    for command in ["up", "lock", "check", "plan"] {
        let outcome = binary.run(&["--source", "new", command]);
        assert!(outcome.stderr.contains("--> new/001_create_users_table.up.sql"), "{command}: {}", outcome.stderr);
    }
    for arguments in
        [["--source", "new", "status", "-p", "x"].as_slice(), &["-p", "x", "status", "--workspace"], &["-q", "status", "-v"]]
    {
        let outcome = binary.run(arguments);
        assert!(outcome.code == 2 && outcome.stderr.contains("cannot be used with"), "{arguments:?}: {}", outcome.stderr);
    }
    folder.write("new/001_create_users_table.up.sql", "CREATE TABLE users (id integer);\n");
    binary.ok(&["--source", "new", "up"]);
    let unknown = binary.run(&["--source", "new", "resolve", "009", "--retry", "--yes"]);
    assert!(unknown.code == 2 && unknown.stderr.contains("there is no migration with version 009"), "{}", unknown.stderr);
    let outside = binary.run(&["--source", "new", "lint", "--since", "HEAD"]);
    assert!(outside.stderr.contains("run the command in a Git repository"), "{}", outside.stderr);
}

#[test]
fn first_steps_of_a_project() {
    let folder = TestFolder::default();
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"sqlite\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    shows!("init", binary.run(&["init"]));
    shows!("new", binary.run(&["new", "create", "users", "table"]));
    binary.ok(&["generate", "--description", "add email to users"]);
    shows!("check", binary.run(&["check"]));
    shows!("status_before", binary.run(&["status"]));
    shows!("plan", binary.run(&["plan"]));
    shows!("dry_run", binary.run(&["up", "--dry-run"]));
    assert!(!folder.path().join("app.db").exists(), "read-only commands must not create the database");
    shows!("up", binary.run(&["up"]));
    shows!("status_after", binary.run(&["status"]));
    shows!("up_again", binary.run(&["up"]));
    shows!("down_wants_yes", binary.run(&["down"]));
    shows!("down", binary.run(&["down", "--yes"]));
    let check = binary.run(&["status", "--check", "-q"]);
    assert_eq!(check.code, 3, "{}", check.stderr);
    binary.ok(&["up", "--steps", "1"]);
    binary.ok(&["status", "--check"]);
    shows!("redo", binary.run(&["redo", "--yes"]));
    assert_eq!(binary.run(&["check", "--locked"]).code, 4);
    shows!("lock", binary.run(&["lock"]));
    binary.ok(&["check", "--locked"]);
    shows!("verify", binary.run(&["verify"]));
}

#[test]
fn json_output() {
    let (_folder, binary) = project();
    for (name, arguments) in [
        ("json_plan", &["plan", "--format", "json"][..]),
        ("json_up", &["up", "--format", "json"]),
        ("json_status", &["status", "--format", "json"]),
        ("json_verify", &["verify", "--format", "json"]),
        ("json_down", &["down", "--yes", "--format", "json"]),
        ("json_error", &["up", "--to", "7", "--format", "json"]),
    ] {
        let outcome = binary.run(arguments);
        serde_json::from_str::<serde_json::Value>(&outcome.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
        shows!(name, outcome);
    }
}

#[test]
fn a_folder_full_of_mistakes() {
    let folder = TestFolder::new(&[
        ("001_a.up.sql", "SELECT 1;"),
        ("1_b.up.sql", "SELECT 1;"),
        ("002_c.up.sql", "-- migrate: no-transacton\nSELECT 1;"),
        ("002_c.down.sql", ""),
        ("003_d.down.sql", "SELECT 1;"),
        ("004_e.up.sql", "BEGIN;\nCREATE INDEX CONCURRENTLY i ON t (a);\nCOMMIT;\n"),
        ("004_e.down.sql", "SELECT 'open;"),
        ("notes.sql", "SELECT 1;"),
        ("V5__f.sql", "SELECT 1;"),
        ("006_g.up.sql", "\\connect other\nSELECT 1;"),
        ("2024/007_h.up.sql", "SELECT 1;"),
    ]);
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\n");
    let binary = Binary::inside(folder.path());
    let outcome = binary.run(&["check"]);
    assert_eq!(outcome.code, 4);
    shows!(outcome);
}

#[test]
fn check_rejects_changes_to_locked_files() {
    let (folder, binary) = project();
    binary.ok(&["init"]);
    binary.ok(&["lock"]);
    folder.write("migrations/003_c.up.sql", "SELECT 1;");
    folder.write("migrations/003_c.down.sql", "SELECT 1;");
    shows!("lock_unknown", binary.run(&["check"]));
    binary.ok(&["lock", "--draft"]);
    binary.ok(&["check"]);
    folder.write("migrations/001_create_users.up.sql", "CREATE TABLE users (id bigint);\n");
    folder.remove("migrations/002_add_email.down.sql");
    shows!("lock_changed", binary.run(&["check"]));
    assert_eq!(binary.run(&["lock"]).code, 4);
    folder.write("migrations/002_add_email.down.sql", "ALTER TABLE users DROP COLUMN email;\n");
    shows!("lock_force", binary.run(&["lock", "--force"]));
    binary.ok(&["check", "--locked"]);
    folder.write("migrations/002b_late.up.sql", "SELECT 1;");
    folder.write("migrations/002b_late.down.sql", "SELECT 1;");
    binary.ok(&["lock", "--draft"]);
    shows!("lock_below", binary.run(&["check"]));
    // The format of `sha256sum -c`.
    let lock = folder.text("migrations/migrate.lock");
    let line = lock.lines().find(|line| line.ends_with("003_c.up.sql")).unwrap();
    assert_eq!(line, "17db4fd369edb9244b9f91d9aeed145c3d04ad8ba6e95d06247f07a63527d11a  003_c.up.sql");
}

#[test]
fn a_merge_conflict_in_the_lock_file_is_an_error_until_it_is_resolved() {
    let (folder, binary) = project();
    binary.ok(&["init"]);
    binary.ok(&["lock"]);
    let text = folder.text("migrations/migrate.lock");
    folder.write("migrations/migrate.lock", &text.replace("# chain", "<<<<<<< ours\n# chain"));
    assert_eq!(binary.run(&["check"]).code, 4);
    assert_eq!(binary.run(&["lock", "--draft"]).code, 4);
    let without_chain: String =
        text.lines().filter(|line| !line.starts_with("# chain")).map(|line| format!("{line}\n")).collect();
    folder.write("migrations/migrate.lock", &without_chain);
    assert_eq!(binary.run(&["check"]).code, 4);
    binary.ok(&["lock", "--draft"]);
    assert_eq!(folder.text("migrations/migrate.lock"), text);
}

#[test]
fn concurrent_new_commands_take_different_versions() {
    let (folder, binary) = project();
    // The generated migrations create the same tables again, which `lint` reports.
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"sqlite\"\nlint = \"off\"\n");
    for kind in ["--sequential", "--timestamp"] {
        let spawn = |number: usize| {
            let mut command = binary.command(&["new", kind, "create", "table", &format!("table{number}")]);
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
        };
        for child in (0..6).map(spawn).collect::<Vec<_>>() {
            let outcome = Outcome::of(child.wait_with_output().unwrap());
            assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        }
        binary.ok(&["check"]);
    }
    let files = std::fs::read_dir(folder.path().join("migrations")).unwrap().count();
    assert_eq!(files, 4 + 2 * 6 * 2 + 1);
}

#[test]
fn a_draft_without_statements_is_not_applied() {
    let (_folder, binary) = project();
    binary.ok(&["new", "something", "else"]);
    let outcome = binary.run(&["up"]);
    assert_eq!(outcome.code, 4);
    assert!(outcome.stderr.contains("003_something_else.up.sql` is a draft that contains no statement"), "{}", outcome.stderr);
    // A draft above the target does not matter.
    binary.ok(&["up", "--to", "2"]);
    // `db reset` aborts before it drops anything, because the draft could not be applied again.
    assert_eq!(binary.run(&["redo", "--yes"]).code, 0);
    assert_eq!(binary.run(&["db", "reset", "--yes"]).code, 4);
    assert!(binary.ok(&["status"]).stdout.contains("applied"));
}

#[test]
fn edited_files_are_repaired_one_by_one() {
    let (folder, binary) = project();
    binary.ok(&["up"]);
    let first = folder.text("migrations/001_create_users.up.sql");
    folder.write("migrations/001_create_users.up.sql", &format!("-- People.\n{first}"));
    let second = folder.text("migrations/002_add_email.up.sql");
    folder.write("migrations/002_add_email.up.sql", &second.replace("email", "e_mail"));
    assert_eq!(binary.run(&["repair"]).code, 2, "without a terminal, the confirmation is missing");
    shows!("repair_comments", binary.run(&["repair", "--yes"]));
    assert_eq!(binary.run(&["up"]).code, 5);
    assert_eq!(binary.run(&["repair", "--yes", "--sql", "1"]).code, 0);
    assert_eq!(binary.run(&["up"]).code, 5);
    binary.ok(&["repair", "--yes", "--sql", "2"]);
    binary.ok(&["up"]);
    assert!(binary.ok(&["repair"]).stderr.contains("nothing to repair"));
}

/// A folder without migrations, a database in memory, an invalid name and a full output device must not exit with 0.
#[test]
fn failures_are_not_reported_as_success() {
    let empty = TestFolder::default();
    empty.write("somewhere/README.md", "no migrations");
    empty.write("m/deep/er/001_a.sql", "SELECT 1;");
    let binary = Binary::inside(empty.path()).variable("DATABASE_URL", "sqlite:app.db");
    for source in ["somewhere", "m", "somewhere/README.md"] {
        let outcome = binary.run(&["--source", source, "up"]);
        assert!([2, 4].contains(&outcome.code), "{source}: {}", outcome.stderr);
        assert!(!empty.path().join("app.db").exists(), "{source}");
    }
    let (folder, binary) = project();
    let code = |arguments: &[&str]| binary.run(arguments).code;
    for url in ["sqlite:", "sqlite::memory:", "sqlite://"] {
        assert_eq!(code(&["up", "-D", url]), 2, "{url}");
    }
    assert_eq!(code(&["up", "--service", ""]), 2);
    assert_eq!(code(&["up", "--steps", "0"]), 2);
    assert!(binary.run(&["up", "--steps", "-1"]).stderr.contains("must be at least 1"));
    for url in ["postgres:/u:sekret@h/db", "u:sekret@h/db", "postgres://u:se#kret@h/db", "host=h password=sekret"] {
        let outcome = binary.run(&["status", "-D", url]);
        assert!(outcome.code != 0 && !outcome.stderr.contains("kret"), "{}", outcome.stderr);
    }
    binary.ok(&["up"]);
    folder.write("migrations/001_create_users.up.sql", "CREATE TABLE users (id bigint);\n");
    let outcome = binary.run(&["status", "--check"]);
    assert_eq!(outcome.code, 5);
    assert!(!outcome.stderr.contains("up to date"), "{}", outcome.stderr);
    if cfg!(target_os = "linux") {
        let mut command = binary.command(&["status", "--format", "json"]);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(command.stdout(full).stderr(Stdio::null()).status().unwrap().code(), Some(1));
    }
}

#[cfg(unix)]
#[test]
fn special_files_are_rejected() {
    use std::os::unix::ffi::OsStrExt;
    let (folder, binary) = project();
    let migrations = folder.path().join("migrations");
    assert!(std::process::Command::new("mkfifo").arg(migrations.join("003_pipe.sql")).status().unwrap().success());
    std::fs::write(migrations.join(std::ffi::OsStr::from_bytes(b"004_\xff.sql")), "SELECT 1;").unwrap();
    std::os::unix::fs::symlink("nowhere", migrations.join("005_link.sql")).unwrap();
    let outcome = binary.run(&["up"]);
    assert_eq!(outcome.code, 4);
    for word in ["is not a regular file", "is not UTF-8", "is a broken symbolic link"] {
        assert!(outcome.stderr.contains(word), "{word}: {}", outcome.stderr);
    }
}

/// `a` requires a pending migration of `b`: the plan and the run both put `b` first.
#[test]
fn several_services_in_one_run() {
    let folder = TestFolder::default();
    folder.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n");
    for (package, text) in
        [("a", "-- migrate: requires b:001\nCREATE TABLE a (id integer);"), ("b", "CREATE TABLE b (id integer);")]
    {
        let manifest = format!("[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        folder.write(&format!("{package}/Cargo.toml"), &manifest);
        folder.write(&format!("{package}/src/lib.rs"), "");
        folder.write(&format!("{package}/migrate.toml"), "database = \"sqlite\"\n");
        folder.write(&format!("{package}/migrations/001_{package}.sql"), text);
    }
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let plan = binary.ok(&["--workspace", "plan"]).stdout;
    assert!(plan.find("001_b.sql") < plan.find("001_a.sql"), "{plan}");
    let dry = binary.ok(&["--workspace", "up", "--dry-run"]).stdout;
    assert!(dry.contains("CREATE TABLE a") && dry.contains("CREATE TABLE b"), "{dry}");
    // What one service requires is part of its plan.
    assert!(binary.ok(&["-p", "a", "plan"]).stdout.contains("001_b.sql"));
    assert_eq!(binary.run(&["-p", "a", "-p", "b", "--service", "x", "up"]).code, 2);
    // The JSON document contains the migrations that were applied before the failure.
    folder.write("a/migrations/002_a.sql", "CREATE TABLE a (id integer);");
    let outcome = binary.run(&["--workspace", "up", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.code, json["services"][0]["service"].as_str()), (7, Some("b")), "{json}");
    assert_eq!(json["error"][0]["code"], "migration-failed", "{json}");
    // Findings contain paths relative to the current folder.
    folder.write("b/migrations/nonsense.sql", "SELECT 1;");
    assert!(binary.run(&["--workspace", "check"]).stderr.contains("b/migrations/nonsense.sql"));
}

#[test]
fn exit_codes_and_bad_input() {
    let (folder, binary) = project();
    let code = |arguments: &[&str]| binary.run(arguments).code;
    assert_eq!(code(&["nonsense"]), 2);
    assert_eq!(code(&["up", "--to", "x"]), 2);
    shows!("unknown_version", binary.run(&["up", "--to", "7"]));
    shows!("no_server", binary.run(&["up", "-D", "postgres://me:secret@127.0.0.1:1/x", "--dialect", "postgres"]));
    shows!("no_url", Binary::inside(folder.path()).run(&["status"]));
    shows!("bad_url", binary.run(&["status", "-D", "oracle://me:secret@host/x", "--dialect", "sqlite"]));
    shows!("no_folder", binary.run(&["--source", "nowhere", "check"]));
    shows!("no_code", binary.run(&["explain", "out-of-ordr"]));
    let explained = binary.ok(&["explain", "out-of-order"]).stdout;
    assert!(explained.split_whitespace().collect::<Vec<_>>().join(" ").contains("out-of-order = \"allow\""), "{explained}");
    assert!(binary.ok(&["explain"]).stdout.lines().count() > 40);
    assert!(binary.ok(&["completions", "bash"]).stdout.contains("cargo-migrate"));
    binary.ok(&["up"]);
    assert_eq!(code(&["status", "--check"]), 0);
    folder.write("migrations/001_create_users.up.sql", "CREATE TABLE users (id bigint);\n");
    shows!("verify_changed", binary.run(&["verify"]));
    assert_eq!(code(&["up"]), 5);
}

#[test]
fn a_failing_migration_exits_with_7() {
    let (folder, binary) = project();
    folder.write(
        "migrations/003_wrong.up.sql",
        "-- Description: fails\n\nCREATE TABLE x (a integer);\n  INSERT INTO nowhere VALUES (1);\n",
    );
    let outcome = binary.run(&["up"]);
    assert_eq!(outcome.code, 7);
    shows!(outcome);
    assert!(binary.ok(&["status", "-q"]).stdout.contains("003_wrong.up.sql"));
}

#[test]
fn settings_that_are_not_understood() {
    let (folder, binary) = project();
    folder.write("migrate.toml", "service = \"shop\"\ndatabse = \"sqlite\"\n[history]\nrecord = \"x\"\n");
    let outcome = binary.run(&["status"]);
    assert_eq!(outcome.code, 4);
    shows!(outcome);
}

#[test]
fn files_that_cannot_be_read() {
    let (folder, binary) = project();
    std::fs::write(folder.path().join("migrations/003_latin1.up.sql"), b"SELECT 1;\n-- f\xfcr\n").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("migrations/004_link.up.sql")).unwrap();
    let outcome = binary.run(&["up"]);
    assert_eq!(outcome.code, 4);
    shows!(outcome);
}

#[test]
fn two_packages_with_one_service_name() {
    let folder = TestFolder::default();
    folder.write("Cargo.toml", "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n");
    for package in ["a", "b"] {
        folder.write(
            &format!("{package}/Cargo.toml"),
            &format!("[package]\nname = \"{package}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n"),
        );
        folder.write(&format!("{package}/src/lib.rs"), "");
        folder.write(&format!("{package}/migrate.toml"), "service = \"same\"\ndatabase = \"sqlite\"\n");
        folder.write(&format!("{package}/migrations/001_{package}.sql"), &format!("CREATE TABLE {package} (id integer);"));
    }
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
    let outcome = binary.run(&["--workspace", "status"]);
    assert_eq!(outcome.code, 4);
    assert!(outcome.stderr.contains("error[duplicate-service]"), "{}", outcome.stderr);
    assert_eq!(binary.run(&["status"]).code, 2);
    assert_eq!(binary.run(&["-p", "c", "status"]).code, 2);
    binary.ok(&["-p", "a", "up"]);
    folder.write("b/migrate.toml", "service = \"other\"\ndatabase = \"sqlite\"\n");
    shows!("workspace_up", binary.run(&["--workspace", "up"]));
    shows!("workspace_status", binary.run(&["--workspace", "status"]));
    // Inside a package, the command selects that package.
    let inside = Binary::inside(&folder.path().join("b")).variable("DATABASE_URL", "sqlite:../app.db");
    assert!(inside.ok(&["status"]).stderr.contains("`other`: up to date"));
    // `--source` with the folder of the package selects the same history.
    let by_folder = binary.ok(&["--source", "b/migrations", "status"]);
    assert!(by_folder.stderr.contains("`other`: up to date"), "{}", by_folder.stderr);
}

#[tokio::test]
async fn reading_needs_no_more_than_select() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let (folder, _) = project();
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    let role = format!("reader_{}", std::process::id());
    database.execute(&format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")).await;
    let reader = binary.variable("DATABASE_URL", &database.url.replace("postgres@", &format!("{role}@")));
    // Also before the history tables exist.
    assert_eq!(reader.run(&["status", "--check"]).code, 3);
    let refused = reader.run(&["up"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("permission denied"), "{}", refused.stderr);
    let owner = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    owner.ok(&["up"]);
    database.execute(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")).await;
    for arguments in [&["status", "--check"][..], &["plan"], &["verify"], &["up", "--dry-run"], &["up"]] {
        reader.ok(arguments);
    }
    database.execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
    database.drop().await;
}

#[tokio::test]
async fn databases_are_created_dropped_and_reset() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let (folder, _) = project();
        folder.write("migrate.toml", &format!("service = \"shop\"\ndatabase = \"{}\"\n", kind.dialect().name()));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        assert_eq!(binary.run(&["db", "drop"]).code, 2, "`db drop` requires a confirmation");
        binary.ok(&["db", "drop", "--yes"]);
        assert!(binary.ok(&["db", "drop", "--yes"]).stderr.contains("does not exist"));
        binary.ok(&["db", "create"]);
        assert!(binary.ok(&["db", "create"]).stderr.contains("already exists"));
        binary.ok(&["up", "--steps", "1"]);
        binary.ok(&["db", "reset", "--yes"]);
        assert_eq!(database.history().await.len(), 2);
        binary.ok(&["wait", "--timeout", "60s"]);
        database.drop().await;
    }
}

#[tokio::test]
async fn the_database_url_in_separate_variables() {
    let database = TestDatabase::new(Kind::Postgres).await;
    let (folder, _) = project();
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\n");
    let rest = database.url.strip_prefix("postgres://postgres@").unwrap();
    let (server, name) = rest.split_once('/').unwrap();
    let (host, port) = server.split_once(':').unwrap();
    folder.write(".env", &format!("DB_HOST={host}\nDB_PORT={port}\nDB_USER=postgres\nDB_NAME={name}\nDB_SSLMODE=disable\n"));
    Binary::inside(folder.path()).ok(&["up"]);
    assert_eq!(database.history().await.len(), 2);
    database.drop().await;
}

#[test]
fn what_a_run_has_reverted_is_not_reported_as_newer() {
    let (folder, binary) = project();
    binary.ok(&["up"]);
    std::fs::remove_file(folder.path().join("migrations/002_add_email.up.sql")).unwrap();
    std::fs::remove_file(folder.path().join("migrations/002_add_email.down.sql")).unwrap();
    let reverted = binary.run(&["down", "--yes", "--stored"]);
    assert!(reverted.stderr.contains("`002_add_email` was reverted with the SQL that was stored"), "{}", reverted.stderr);
    assert!(!reverted.stderr.contains("ahead"), "{}", reverted.stderr);
}

/// Each command has a page, with all of its options.
#[test]
fn manual_pages() {
    let (folder, binary) = project();
    let pages = folder.path().join("man/man1");
    let outcome = binary.ok(&["man", "man/man1"]);
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(page("cargo-migrate.1").contains(".SH SUBCOMMANDS"), "{outcome:?}");
    for command in ["init", "new", "check", "lint", "lock", "up", "down", "status", "db-create", "renumber", "man"] {
        let text = page(&format!("cargo-migrate-{command}.1"));
        let title = format!("cargo\\-migrate\\-{}", command.replace('-', "\\-"));
        assert!(text.contains(".TH ") && text.contains(&title), "{command}: {text}");
    }
    assert!(page("cargo-migrate-up.1").contains("\\-\\-lock\\-timeout"));
    let count = std::fs::read_dir(&pages).unwrap().count();
    assert!(outcome.stderr.contains(&format!("{count} manual pages in man/man1")), "{outcome:?}");
    assert!(!pages.join("cargo-migrate-help-up.1").exists());
}

/// With many migrations, a run that has nothing to do does not parse them, and says and reports the same.
#[test]
fn many_applied_migrations_are_not_parsed() {
    let folder = TestFolder::new(&[]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"sqlite\"\ndown = \"optional\"\n");
    for number in 1..=250 {
        folder.write(&format!("migrations/{number:03}_t.up.sql"), &format!("CREATE TABLE t{number} (id integer);\n"));
    }
    let url = format!("sqlite:{}", folder.path().join("a.db").display());
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &url);
    binary.ok(&["up"]);
    let outcome = binary.ok(&["up"]);
    assert_eq!(outcome.stderr.trim(), "Done `app`: nothing to do");
    let json: serde_json::Value = serde_json::from_str(&binary.ok(&["up", "--format", "json"]).stdout).unwrap();
    assert_eq!(json["services"][0]["done"].as_array().map(Vec::len), Some(0));
    // What differs is found as before.
    folder.write("migrations/007_t.up.sql", "CREATE TABLE t7 (id bigint);\n");
    assert_eq!(binary.run(&["up"]).code, 5);
    folder.write("migrations/251_t.up.sql", "CREATE TABLE t251 (id integer);\n");
    assert_eq!(binary.run(&["up"]).code, 5);
    folder.write("migrations/007_t.up.sql", "CREATE TABLE t7 (id integer);\n");
    assert!(binary.ok(&["up"]).stderr.contains("1 migration applied"));
    folder.write("migrations/x.sql", "SELECT 1;\n");
    assert_eq!(binary.run(&["up"]).code, 4);
}

/// `init` takes what other tools have left, or writes nothing.
#[test]
fn init_in_the_folder_of_another_tool() {
    let text = |folder: &TestFolder| std::fs::read_to_string(folder.path().join("migrate.toml")).unwrap();
    let sqlx = TestFolder::new(&[("20260101120000_a.sql", "SELECT 1;"), ("20260102120000_b.sql", "SELECT 2;")]);
    Binary::inside(sqlx.path()).ok(&["init", "--dialect", "postgres"]);
    assert!(text(&sqlx).contains("\ndown = \"optional\"\n") && text(&sqlx).contains("\nservice = \""), "{}", text(&sqlx));
    Binary::inside(sqlx.path()).ok(&["check"]);
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(other.path().join("prisma/migrations/20260101120000_a")).unwrap();
    std::fs::write(other.path().join("prisma/migrations/20260101120000_a/migration.sql"), "SELECT 1;").unwrap();
    let binary = Binary::inside(other.path());
    binary.ok(&["init", "--dialect", "postgres"]);
    assert!(binary.ok(&["check"]).stderr.contains("1 migration, no problems"));
    for marked in
        ["-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 2;\n", "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n"]
    {
        let folder = TestFolder::new(&[("001_a.sql", marked)]);
        let outcome = Binary::inside(folder.path()).run(&["init"]);
        assert_eq!(outcome.code, 4, "{}", outcome.stderr);
        assert!(outcome.stderr.contains("nothing was created") && outcome.stderr.contains("marked-file"), "{}", outcome.stderr);
        assert!(!folder.path().join("migrate.toml").exists() && !folder.path().join("migrations/migrate.lock").exists());
    }
}
