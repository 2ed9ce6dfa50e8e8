//! Files, links, names and repositories of a stranger: what is in their place does not hang a command, is not read or written
//! outside the repository, runs no program, and is shown without effects on the terminal.

use migrate_model::visible;
use migrate_tests::{Binary, Kind, Outcome, TestDatabase, TestFolder};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

const FILES: &[(&str, &str)] = &[("001_a.up.sql", "CREATE TABLE a (id int);\n"), ("001_a.down.sql", "DROP TABLE a;\n")];

/// A project in the folder `repository`, beside the folder `outside` with a secret.
fn project() -> (TestFolder, Binary) {
    let folder = TestFolder::default();
    for (name, text) in FILES {
        folder.write(&format!("repository/migrations/{name}"), text);
    }
    folder.write("repository/migrate.toml", "service = \"shop\"\ndatabase = \"sqlite\"\n");
    folder.write("outside/secret", "SECRET-LINE\n");
    fs::create_dir(folder.path().join("repository/.git")).unwrap();
    let binary = Binary::inside(&folder.path().join("repository"));
    binary.ok(&["lock"]);
    (folder, binary)
}

fn all_text(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stdout, outcome.stderr)
}

fn make_pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn what_is_not_a_regular_file_is_not_read() {
    for name in
        ["migrations/migrate.lock", "migrate.toml", "Cargo.toml", "migrations/001_a.up.sql", "migrations/002_b.up.sql", ".env"]
    {
        for is_pipe in [true, false] {
            let (folder, binary) = project();
            let path = folder.path().join("repository").join(name);
            let _ = fs::remove_file(&path);
            if is_pipe {
                make_pipe(&path);
            } else {
                symlink("/dev/zero", &path).unwrap();
            }
            if name == "Cargo.toml" {
                folder.remove("repository/migrate.toml");
            }
            // Only commands that connect read `.env`.
            let commands: [&[&str]; 3] =
                if name == ".env" { [&["status"], &["up"], &["wait"]] } else { [&["check"], &["lint", "--offline"], &["lock"]] };
            for command in commands {
                let outcome = binary.run(command);
                let expected = ["a named pipe", "not a regular file", "is outside the", "a symbolic link"];
                assert!(
                    outcome.code > 0 && expected.iter().any(|part| outcome.stderr.contains(part)),
                    "{name} {command:?} {outcome:?}"
                );
            }
        }
    }
}

/// SQLite opens files beside the database, and waits for the other end of a pipe.
#[test]
fn a_pipe_beside_a_database_is_not_opened() {
    for suffix in ["", "-journal", "-wal", "-shm"] {
        for linked in [false, true] {
            let (folder, binary) = project();
            let beside = folder.path().join(format!("repository/app.db{suffix}"));
            let target = folder.path().join("repository/target");
            binary.ok(&["up", "--database-url", "sqlite:app.db"]);
            if suffix.is_empty() {
                fs::remove_file(&beside).unwrap();
            }
            if linked {
                make_pipe(&target);
                symlink("target", &beside).unwrap();
            } else {
                make_pipe(&beside);
            }
            for command in
                [&["up"][..], &["status"], &["verify"], &["plan"], &["wait", "--timeout", "100ms"], &["down"], &["db", "create"]]
            {
                let outcome = binary.run(&[command, &["--database-url", "sqlite:app.db"]].concat());
                let is_refused = outcome.code > 0 && outcome.stderr.contains("is not a regular file");
                assert!(is_refused, "{suffix} {linked} {command:?} {outcome:?}");
            }
        }
    }
}

#[test]
fn folders_out_of_the_repository_are_rejected() {
    let (folder, binary) = project();
    let outside = folder.path().join("outside");
    symlink("../outside", folder.path().join("repository/linked")).unwrap();
    let absolute = outside.display().to_string();
    for dir in [&*absolute, "/etc", "../outside", "migrations/../../outside", "linked", "linked/new", ".git"] {
        for list in [format!("[\"{dir}\"]"), format!("[\"migrations\", \"{dir}\"]")] {
            folder.write("repository/migrate.toml", &format!("service = \"shop\"\ndatabase = \"sqlite\"\ndir = {list}\n"));
            for command in [&["check"][..], &["lint", "--offline"], &["lock"], &["init"]] {
                let outcome = binary.run(command);
                let is_rejected = outcome.stderr.contains("error[outside-repository]");
                assert!(outcome.code == 4 && is_rejected, "{list} {command:?} {outcome:?}");
            }
        }
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{dir}");
        let binary = binary.run(&["new", "x"]);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1, "{dir} {binary:?}");
    }
    // On purpose, a folder may be anywhere.
    fs::create_dir(folder.path().join("outside/migrations")).unwrap();
    folder.write("repository/migrate.toml", "service = \"shop\"\ndatabase = \"sqlite\"\ndir = [\"../outside/migrations\"]\n");
    assert_eq!(binary.run(&["new", "x"]).code, 4);
    let allowed = Binary::inside(&folder.path().join("repository")).variable("MIGRATE_ALLOW_OUTSIDE", &absolute);
    allowed.ok(&["new", "x"]);
    let outcome = binary.run(&["check", "--source", "../outside/migrations", "--dialect", "sqlite"]);
    assert!(outcome.stderr.contains("1 migration") && !outcome.stderr.contains("outside-repository"), "{outcome:?}");
}

/// A workspace is a file of the repository, too: a member behind a link is another package.
#[test]
fn members_of_a_workspace_are_in_the_repository() {
    let folder = TestFolder::new(&[]);
    let package = |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    folder.write("repo/Cargo.toml", "[workspace]\nmembers = [\"inner\", \"m\"]\nresolver = \"2\"\n");
    for (path, name) in [("repo/inner", "inner"), ("victim", "victim")] {
        folder.write(&format!("{path}/Cargo.toml"), &package(name));
        folder.write(&format!("{path}/src/lib.rs"), "");
        folder.write(&format!("{path}/migrations/001_s.up.sql"), "DROP TABLE secret_thing;");
    }
    for git in ["repo/.git", "victim/.git"] {
        fs::create_dir_all(folder.path().join(git)).unwrap();
    }
    symlink("../victim", folder.path().join("repo/m")).unwrap();
    let binary = Binary::inside(&folder.path().join("repo"));
    for command in [
        "lint --workspace --dialect postgres",
        "lint -p victim --dialect postgres",
        "new y -p victim --dialect postgres",
        "lock -p victim --dialect postgres",
    ] {
        let outcome = binary.run(&command.split(' ').collect::<Vec<_>>());
        assert!(outcome.code == 4 && outcome.stderr.contains("error[outside-repository]"), "{command}: {outcome:?}");
        assert!(!all_text(&outcome).contains("secret_thing"), "{command}: {outcome:?}");
    }
    assert_eq!(fs::read_dir(folder.path().join("victim/migrations")).unwrap().count(), 1);
    assert!(!binary.run(&["check", "-p", "inner", "--dialect", "postgres"]).stderr.contains("outside-repository"));
}

#[test]
fn nothing_of_a_file_behind_a_link_is_shown_or_changed() {
    for (name, target) in [
        ("migrations/migrate.lock", "../../outside/secret"),
        ("migrations/001_a.up.sql", "../../outside/secret"),
        ("migrations/002_b.up.sql", "../../outside/secret"),
        ("migrate.toml", "../outside/secret"),
        (".env", "../outside/secret"),
        (".github", "../outside"),
    ] {
        let (folder, binary) = project();
        let path = folder.path().join("repository").join(name);
        let _ = fs::remove_file(&path);
        symlink(target, &path).unwrap();
        for command in ["check", "lint", "lock", "lock --force", "new x", "init", "init --ci", "status", "lint --fix --yes"] {
            let outcome = binary.run(&command.split(' ').collect::<Vec<_>>());
            assert!(!all_text(&outcome).contains("SECRET"), "{name} {command} {outcome:?}");
        }
        assert_eq!(folder.text("outside/secret"), "SECRET-LINE\n", "{name}");
        assert_eq!(fs::read_dir(folder.path().join("outside")).unwrap().count(), 1, "{name}");
    }
}

fn git(folder: &Path, arguments: &[&str]) {
    let identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").current_dir(folder).args(identity).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn git_runs_no_program_of_a_repository() {
    let (folder, binary) = project();
    let root = folder.path().join("repository");
    fs::remove_dir(root.join(".git")).unwrap();
    git(&root, &["init", "-q"]);
    folder.write("repository/.gitattributes", "*.sql diff=evil filter=evil merge=evil\n* diff=evil\n");
    git(&root, &["add", "."]);
    git(&root, &["commit", "-q", "-m", "first"]);
    let marker = folder.path().join("outside/ran");
    let program = folder.path().join("outside/program");
    fs::write(&program, format!("#!/bin/sh\necho \"$0 $@\" >> {}\ncat\n", marker.display())).unwrap();
    assert!(Command::new("chmod").arg("+x").arg(&program).status().unwrap().success());
    let program = program.display().to_string();
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "core.gitProxy",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "credential.helper",
        "pager.ls-tree",
        "pager.cat-file",
        "alias.ls-tree",
        "alias.cat-file",
        "remote.origin.uploadpack",
        "core.alternateRefsCommand",
        "uploadpack.packObjectsHook",
        "gpg.program",
        "trace2.eventTarget",
    ] {
        git(&root, &["config", key, &program]);
    }
    git(&root, &["config", "remote.origin.url", "ext::sh -c program"]);
    git(&root, &["config", "remote.origin.promisor", "true"]);
    git(&root, &["config", "core.hooksPath", &folder.path().join("outside").display().to_string()]);
    let _ = fs::remove_file(&marker);
    folder.write("repository/migrations/002_b.up.sql", "DROP TABLE a;\n");
    folder.write("repository/migrations/002_b.down.sql", "CREATE TABLE a (id int);\n");
    for revision in ["HEAD", "main", "HEAD~0", "0123456789012345678901234567890123456789", "nothing", "ext::x"] {
        let outcome = binary.run(&["lint", "--since", revision]);
        assert!(!marker.exists(), "{revision}: {}", fs::read_to_string(&marker).unwrap());
        let linted = outcome.stderr.contains("1 of 2 migrations") && outcome.stderr.contains("error[drop-table");
        assert_eq!(linted, ["HEAD", "main", "HEAD~0"].contains(&revision), "{revision}: {}", outcome.stderr);
    }
    // The same repository as a bare one in a folder, as any repository can contain it.
    fs::rename(root.join(".git"), folder.path().join("outside/git")).unwrap();
    for name in fs::read_dir(folder.path().join("outside/git")).unwrap().map(|entry| entry.unwrap().file_name()) {
        fs::rename(folder.path().join("outside/git").join(&name), root.join(&name)).unwrap();
    }
    git(&root, &["config", "--file", "config", "core.worktree", "."]);
    git(&root, &["config", "--file", "config", "core.bare", "false"]);
    let outcome = binary.run(&["lint", "--since", "HEAD"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("Git cannot list the files"), "{outcome:?}");
    assert!(!marker.exists(), "{}", fs::read_to_string(&marker).unwrap());
}

#[test]
fn control_characters_in_names_are_rejected() {
    for name in [
        "002_a\nb.up.sql",
        "002_\u{202e}x.up.sql",
        "002_\x1b[2Jx.up.sql",
        "002_\u{9b}x.up.sql",
        "003_x\ny/up.sql",
        "002_\r.up.sql",
    ] {
        let (folder, binary) = project();
        let lock = folder.text("repository/migrations/migrate.lock");
        folder.write(&format!("repository/migrations/{name}"), "SELECT 1;\n");
        for command in [&["check"][..], &["lock"], &["lock", "--draft"], &["lint", "--offline"]] {
            let outcome = binary.run(command);
            assert!(
                outcome.code == 4 && outcome.stderr.contains("error[bad-name]: the name `00"),
                "{name:?} {command:?} {outcome:?}"
            );
            shows_nothing_hidden(&outcome, name);
        }
        assert_eq!(folder.text("repository/migrations/migrate.lock"), lock, "{name:?}");
    }
    let (folder, binary) = project();
    folder.write("repository/migrate.toml", "service = \"shop\"\ndatabase = \"sqlite\"\ndir = [\"migrations\", \"a\\nb\"]\n");
    let outcome = binary.run(&["check"]);
    assert!(outcome.code == 4 && outcome.stderr.contains("error[bad-name]: the name `a\\nb`"), "{outcome:?}");
}

fn shows_nothing_hidden(outcome: &Outcome, context: &str) {
    let text = all_text(outcome).replace("\r\n", "\n");
    assert!(!text.contains(|letter| visible::is_hidden(letter) && letter != '\n'), "{context:?}: {text:?}");
}

/// Effects on a terminal: an escape sequence, its form of one character, a change of direction, a carriage return.
const EFFECTS: &str = "\x1b[2J\r\u{9b}31m\u{202e}";

#[tokio::test]
async fn output_shows_hidden_characters_as_their_code() {
    for kind in Kind::ALL {
        let database = TestDatabase::new(kind).await;
        let folder = TestFolder::new(&[
            ("001_a.up.sql", "CREATE TABLE a (id int);\n"),
            ("001_a.down.sql", &format!("-- {EFFECTS}\nDROP TABLE a;\n")),
            ("002_b.up.sql", &format!("INSERT INTO missing_{EFFECTS} VALUES ('{EFFECTS}');\n")),
            ("002_b.down.sql", "SELECT 1;\n"),
        ]);
        let dialect = database.url.parse::<migrate_runtime::DatabaseUrl>().unwrap().dialect();
        folder.write("migrate.toml", &format!("service = \"shop{}\"\ndatabase = \"{}\"\n", "\\u202e", dialect.name()));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        for command in [
            "lock",
            "check",
            "lint",
            "lint --all",
            "lint --format json",
            "lint --format sarif",
            "lint --format github",
            "plan",
            "plan --format json",
            "up --dry-run",
            "up",
            "status",
            "status --format json",
            "verify",
            "owners",
            "owners --markdown",
            "down --dry-run",
            "down --yes",
        ] {
            let outcome = binary.run(&command.split(' ').collect::<Vec<_>>());
            shows_nothing_hidden(&outcome, &format!("{} {command}", dialect.name()));
        }
        database.drop().await;
    }
}

#[test]
fn a_carriage_return_in_a_string_of_a_locked_file_is_a_warning() {
    let (folder, binary) = project();
    folder.write("repository/migrations/001_a.up.sql", "CREATE TABLE a (id int);\r\n");
    folder.write("repository/migrations/002_b.up.sql", "INSERT INTO a VALUES ('x\r\ny'); -- '\r\n");
    folder.write("repository/migrations/002_b.down.sql", "-- 'a\r\nSELECT 1;\r\n");
    binary.ok(&["lock", "--draft"]);
    assert!(!binary.run(&["check"]).stderr.contains("carriage-return"), "a draft may still change");
    binary.ok(&["lock", "--force"]);
    let outcome = binary.ok(&["check"]);
    assert_eq!(outcome.stderr.matches("warning[carriage-return]: a string in `002_b.up.sql`").count(), 1, "{outcome:?}");
    assert_eq!(outcome.stderr.matches("carriage-return").count(), 1, "{outcome:?}");
}

/// Strings are also in executable comments, and quoted fields in the data of `COPY`.
#[test]
fn a_carriage_return_in_other_strings_of_a_locked_file_is_a_warning() {
    for (database, text, expected) in [
        ("mysql", "/*!50003 INSERT INTO a VALUES (\"x\r\ny\") */;\r\n", true),
        ("mysql", "/*!50003 INSERT INTO a\r\nVALUES ('x') */;\r\n", false),
        ("postgres", "COPY a FROM stdin WITH (FORMAT csv);\r\n1,\"x\r\ny\"\r\n\\.\r\n", true),
        ("postgres", "COPY a FROM stdin CSV;\r\n1,\"x\"\"\"\r\n2,y\r\n\\.\r\n", false),
        ("postgres", "COPY a FROM stdin;\r\n1\t\"x\r\n2\ty\r\n\\.\r\n", false),
    ] {
        let folder = TestFolder::new(&[("001_a.up.sql", text), ("001_a.down.sql", "SELECT 1;\n")]);
        folder.write("migrate.toml", &format!("service = \"shop\"\ndatabase = \"{database}\"\nlint = \"off\"\n"));
        let binary = Binary::inside(folder.path());
        binary.ok(&["lock"]);
        let messages = binary.ok(&["check"]).stderr;
        assert_eq!(messages.contains("warning[carriage-return]"), expected, "{text:?}: {messages}");
    }
}

#[tokio::test]
async fn texts_of_servers_and_histories_are_shown_as_their_code() {
    let text = "E'x\\x1b[2J\\u009b31m\\u202e\\rerror: y\\n'";
    let raise =
        |level: &str| format!("DO $$ BEGIN RAISE {level} USING MESSAGE = {text}, HINT = {text}, DETAIL = {text}; END $$;\n");
    let database = TestDatabase::new(Kind::Postgres).await;
    let folder = TestFolder::new(&[
        ("001_a.up.sql", &format!("CREATE TABLE a (id int);\n{}", raise("WARNING"))),
        ("001_a.down.sql", "DROP TABLE a;\n"),
        ("002_b.up.sql", &raise("EXCEPTION")),
        ("002_b.down.sql", "SELECT 1;\n"),
    ]);
    folder.write("migrate.toml", "service = \"shop\"\ndatabase = \"postgres\"\n");
    let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
    binary.ok(&["lock"]);
    let run_all = |commands: &[&str]| {
        for command in commands {
            let outcome = binary.run(&command.split(' ').collect::<Vec<_>>());
            shows_nothing_hidden(&outcome, command);
        }
    };
    run_all(&["up -v", "up", "status -v"]);
    let error = binary.run(&["up"]).stderr;
    assert!(error.contains("x\\u{1b}[2J\\u{9b}31m\\u{202e}\\rerror: y"), "{error}");
    assert_eq!(database.value("SELECT count(*)::text FROM migration_records").await, "1");
    let columns =
        format!("name = {text}, applied_by = {text}, tool = {text}, down_sql = 'SELECT 1; -- ' || {text}, up_sql = {text}");
    database.execute(&format!("UPDATE migration_records SET {columns}")).await;
    let commands =
        ["status -v", "status --format json", "plan", "up", "verify", "down --dry-run", "down --yes", "repair --yes", "owners"];
    run_all(&commands);
    let row = format!(
        "INSERT INTO migration_records (service, version, name, kind, checksum, sql_checksum, state, statements, statements_done, \
         started_at, applied_by, tool) SELECT service, '003' || {text}, {text}, kind, checksum, sql_checksum, 'started', 2, 1, \
         started_at, {text}, tool FROM migration_records LIMIT 1"
    );
    database.execute(&row).await;
    run_all(&commands);
    run_all(&["resolve 002", "wait --timeout 1s"]);
    database.drop().await;
}

/// `db drop` deletes databases, and nothing else.
#[test]
fn only_a_database_is_dropped() {
    let folder = TestFolder::new(&[("001_a.up.sql", "SELECT 1;"), ("001_a.down.sql", "SELECT 1;")]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"sqlite\"\n");
    folder.write("notes.txt", "text");
    let binary = Binary::inside(folder.path());
    let outcome = binary.run(&["db", "drop", "--yes", "-D", "sqlite:notes.txt"]);
    assert_ne!(outcome.code, 0);
    assert!(outcome.stderr.contains("is not a SQLite database"), "{}", outcome.stderr);
    assert!(folder.path().join("notes.txt").exists());
    binary.ok(&["up", "-D", "sqlite:app.db"]);
    binary.ok(&["db", "drop", "--yes", "-D", "sqlite:app.db"]);
    assert!(!folder.path().join("app.db").exists());
}

/// Cargo prints the line that it cannot read: a link to a file elsewhere would show it.
#[test]
#[cfg(unix)]
fn a_linked_manifest_is_not_shown() {
    let outside = TestFolder::new(&[]);
    outside.write("secret.toml", "service = \"x\"\nTOPSECRET=[\n");
    let folder = TestFolder::new(&[("001_a.up.sql", "SELECT 1;"), ("001_a.down.sql", "SELECT 1;")]);
    let _ = fs::remove_file(folder.path().join("Cargo.toml"));
    symlink(outside.path().join("secret.toml"), folder.path().join("Cargo.toml")).unwrap();
    let outcome = Binary::inside(folder.path()).run(&["check"]);
    assert_ne!(outcome.code, 0);
    assert!(outcome.stderr.contains("outside-repository") && !outcome.stderr.contains("TOPSECRET"), "{}", outcome.stderr);
}

/// What nobody sees in a terminal is shown as its code, also in the messages about arguments.
#[test]
fn hidden_characters_are_shown() {
    let folder = TestFolder::new(&[("001_a.up.sql", "-- migrate: al\u{3164} x\nSELECT 1;"), ("001_a.down.sql", "SELECT 1;")]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"sqlite\"\n");
    for arguments in [&["check"][..], &["up", "--to", "\u{202e}1"], &["--dialect", "x\u{115f}", "check"], &["ch\u{200b}eck"]] {
        let outcome = Binary::inside(folder.path()).run(arguments);
        assert_ne!(outcome.code, 0, "{arguments:?}");
        let raw = ['\u{3164}', '\u{202e}', '\u{115f}', '\u{200b}'];
        assert!(!outcome.stderr.contains(raw) && outcome.stderr.contains("\\u{"), "{arguments:?}: {}", outcome.stderr);
    }
}

/// The name of a service is printed on lines of its own: a line break in it would look like other output.
#[test]
fn the_name_of_a_service_is_one_line() {
    for name in [r"shop\n        Done `shop`", r"a\u001b[2J", r"a\u202eb", " a", ""] {
        let folder = TestFolder::new(&[("001_a.sql", "CREATE TABLE a (n integer);\n")]);
        folder.write("migrate.toml", &format!("service = \"{name}\"\ndatabase = \"sqlite\"\n"));
        let outcome = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db").run(&["check"]);
        assert!(outcome.code == 4 && outcome.stderr.contains("bad-setting"), "{name}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("\n        Done"), "{name}: {}", outcome.stderr);
    }
}
