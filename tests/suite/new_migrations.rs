//! `cargo migrate new`: what it writes for a description runs on a server, up, down and up again; and it writes no SQL where it does
//! not understand every word.

use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};

/// Descriptions, and the databases for which SQL is written.
const DESCRIPTIONS: &[(&str, &[Kind])] = &[
    ("create table plain", &Kind::ALL),
    ("create the user preferences table", &Kind::ALL),
    ("create invoices with user:references:users code:text:unique total paid:boolean items_count issued_at", &[]),
    ("create invoices user:references:users code:text:unique total:money note:string(80)", &Kind::ALL),
    ("create invoices total:numeric(10,2) rank:smallint", &Kind::ALL),
    ("create invoices owner:nonsense", &[]),
    ("add owner:string(x) to users", &[]),
    ("create invoices user:references:users code:text:unique total:money due:date items:integer", &Kind::ALL),
    ("add email to users", &Kind::ALL),
    ("add phone, total, items_count, is_active, seen_at, born_on and payload to the users table", &Kind::ALL),
    ("add key:text and order:integer to users", &Kind::ALL),
    ("add code:string:unique to users", &Kind::ALL),
    ("add boss:references:users to users", &Kind::ALL),
    ("remove name from users", &Kind::ALL),
    ("drop column name from users", &Kind::ALL),
    ("rename name to full_name in users", &Kind::ALL),
    ("rename users to people", &Kind::ALL),
    ("rename table users to people", &Kind::ALL),
    ("index users on name", &Kind::ALL),
    ("add unique index on users name, team_id", &Kind::ALL),
    ("add unique to users name", &Kind::ALL),
    ("add foreign key to users team_id references teams", &[Kind::Postgres, Kind::MariaDb]),
    ("make users name not null", &[Kind::Postgres]),
    ("set default of users name to unnamed", &[Kind::Postgres, Kind::MariaDb]),
    ("set default of users team_id to 1", &[Kind::Postgres, Kind::MariaDb]),
    ("add check on users team_id >= 0", &[Kind::Postgres, Kind::MariaDb]),
    ("create view user_names of users", &Kind::ALL),
    ("create enum mood happy sad", &[Kind::Postgres]),
    ("add value closed to enum state", &[Kind::Postgres]),
    ("create schema reports", &[Kind::Postgres]),
    ("create sequence numbers", &[Kind::Postgres]),
    ("create extension pgcrypto", &[Kind::Postgres]),
    ("delete inactive users", &[]),
    ("remove duplicates from users", &[]),
    ("drop users", &[]),
    ("clean up old rows", &[]),
];

fn first_files(kind: Kind) -> TestFolder {
    let id = match kind {
        Kind::Postgres => "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        Kind::MariaDb => "bigint NOT NULL AUTO_INCREMENT PRIMARY KEY",
        Kind::Sqlite => "integer PRIMARY KEY",
    };
    let mut up = format!(
        "CREATE TABLE teams (id {id});\nCREATE TABLE users (id {id}, name varchar(100), team_id bigint);\nINSERT INTO users (name) VALUES ('a');\n"
    );
    let mut down = "DROP TABLE users;\nDROP TABLE teams;\n".to_owned();
    if kind == Kind::Postgres {
        up.push_str("CREATE TYPE state AS ENUM ('open');\n");
        down.push_str("DROP TYPE state;\n");
    }
    let folder = TestFolder::new(&[("001_first.up.sql", &up), ("001_first.down.sql", &down)]);
    folder.write("migrate.toml", &format!("database = \"{}\"\n", kind.dialect().name()));
    folder
}

async fn what_is_written_runs(kind: Kind) {
    for (description, kinds) in DESCRIPTIONS {
        let (database, folder) = (TestDatabase::new(kind).await, first_files(kind));
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", &database.url);
        binary.ok(&["init", "--yes"]);
        binary.ok(&["up"]);
        let outcome = binary.ok(&["new", description]);
        let is_told = outcome.stderr.contains("not every word of the description was understood");
        assert_eq!(is_told, !kinds.contains(&kind), "{description}: {outcome:?}");
        let list = std::fs::read_dir(folder.path().join("migrations")).unwrap();
        let names: Vec<String> = list.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let new = |end: &str| names.iter().filter(|name| name.ends_with(end) && !name.starts_with("001")).collect::<Vec<_>>();
        let ups = new(".up.sql");
        assert!(!ups.is_empty() && ups.len() == new(".down.sql").len(), "{description}: {names:?}");
        let is_sql = |name: &&String| {
            folder.text(&format!("migrations/{name}")).lines().any(|line| !line.is_empty() && !line.starts_with("--"))
        };
        assert_eq!(ups.iter().all(is_sql), kinds.contains(&kind), "{kind:?}: {description}");
        if kinds.contains(&kind) {
            for step in [&["up"][..], &["down", "--yes"], &["up"]] {
                let outcome = binary.run(step);
                let texts: Vec<String> = ups.iter().map(|name| folder.text(&format!("migrations/{name}"))).collect();
                assert_eq!(outcome.code, 0, "{kind:?}: {description}: {step:?}\n{}\n{}", texts.join("\n"), outcome.stderr);
            }
            let is_renamed_or_dropped = ["rename", "drop", "remove"].iter().any(|word| description.starts_with(word));
            let lint = binary.run(&["lint", "--offline"]);
            assert!(lint.code == 0 || is_renamed_or_dropped, "{kind:?}: {description}\n{}", lint.stderr);
            binary.ok(&["down", "--all", "--yes"]);
        } else {
            assert_eq!(binary.run(&["up"]).code, 4, "{kind:?}: {description}");
        }
        database.drop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    what_is_written_runs(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_mariadb() {
    what_is_written_runs(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    what_is_written_runs(Kind::Sqlite).await;
}

/// Two files of one description have versions one after the other, also as times.
#[test]
fn two_migrations_for_one_description() {
    for (first, expected) in [("001_first", "003_"), ("20260101000059_first", "2")] {
        let folder = TestFolder::new(&[(&format!("{first}.up.sql"), "SELECT 1;"), (&format!("{first}.down.sql"), "SELECT 1;")]);
        folder.write("migrate.toml", "database = \"postgres\"\n");
        let binary = Binary::inside(folder.path());
        binary.ok(&["init", "--yes"]);
        binary.ok(&["new", "make users name not null"]);
        let names = std::fs::read_dir(folder.path().join("migrations")).unwrap();
        let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(".up.sql"));
        names.sort();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(
            names[2].starts_with(expected) && names[2].ends_with("_make_users_name_not_null_set_not_null.up.sql"),
            "{names:?}"
        );
        binary.ok(&["check"]);
    }
}

fn names(folder: &TestFolder) -> Vec<String> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.path().join("migrations")).unwrap() {
        let path = entry.unwrap().path();
        match std::fs::read_dir(&path) {
            Ok(inner) => names.extend(inner.map(|file| file.unwrap().path())),
            Err(_) => names.push(path),
        }
    }
    let root = folder.path().join("migrations");
    let mut names: Vec<String> = names.iter().map(|path| path.strip_prefix(&root).unwrap().display().to_string()).collect();
    names.retain(|name| name.ends_with(".sql"));
    names.sort();
    names
}

/// After a merge, the migration that is neither locked nor applied gets the next version.
#[test]
fn a_duplicate_version_is_renumbered() {
    let pair = |name: &str, table: &str| {
        [
            (format!("{name}.up.sql"), format!("-- Migration: {name}\n\nCREATE TABLE {table} (id integer);\n")),
            (format!("{name}.down.sql"), format!("-- Rollback: {name}\n\nDROP TABLE {table};\n")),
        ]
    };
    let write = |folder: &TestFolder, name: &str, table: &str| {
        for (file, text) in pair(name, table) {
            folder.write(&format!("migrations/{file}"), &text);
        }
    };
    for is_applied in [false, true] {
        let folder = TestFolder::new(&[]);
        folder.write("migrate.toml", "database = \"sqlite\"\n");
        let binary = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:app.db");
        write(&folder, "001_first", "first");
        write(&folder, "002_theirs", "theirs");
        binary.ok(&["init"]);
        if is_applied {
            binary.ok(&["up"]);
        } else {
            binary.ok(&["lock"]);
        }
        assert!(binary.ok(&["renumber"]).stderr.contains("no version is used twice"));
        write(&folder, "002_ours", "ours");
        binary.run(&["lock", "--draft"]);
        let check = binary.run(&["check"]);
        assert!(check.code == 4 && check.stderr.contains("cargo migrate renumber"), "{check:?}");
        let theirs = binary.run(&["renumber", "002_theirs.up.sql"]);
        assert!(theirs.code == 2 && theirs.stderr.contains("its version must stay"), "{theirs:?}");
        let outcome = binary.ok(&["renumber", "--format", "json"]);
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
        assert_eq!(json["renumbered"][0], serde_json::json!({ "from": "002_ours.up.sql", "to": "003_ours.up.sql" }));
        let expected = ["001_first", "002_theirs", "003_ours"].map(|name| [format!("{name}.down.sql"), format!("{name}.up.sql")]);
        assert_eq!(names(&folder), expected.concat());
        assert_eq!(folder.text("migrations/003_ours.down.sql"), "-- Rollback: 003_ours\n\nDROP TABLE ours;\n");
        assert!(!folder.text("migrations/migrate.lock").contains("002_ours"));
        binary.run(&["lock", "--draft"]);
        binary.ok(&["check"]);
        binary.ok(&["up"]);
        binary.ok(&["down", "--all", "--yes"]);
    }
}

/// A name of 255 bytes cannot get a longer version, and then the other file of the pair keeps its name, too.
#[test]
fn all_files_are_renumbered_or_none() {
    let folder =
        TestFolder::new(&[("99_theirs.up.sql", "CREATE TABLE a (id integer);"), ("99_theirs.down.sql", "DROP TABLE a;")]);
    folder.write("migrate.toml", "service = \"app\"\ndatabase = \"sqlite\"\n");
    let binary = Binary::inside(folder.path());
    binary.ok(&["init"]);
    binary.ok(&["lock"]);
    let name = format!("99_{}", "x".repeat(243));
    let texts = [("up", format!("-- Migration: {name}\nCREATE TABLE b (id integer);\n")), ("down", "DROP TABLE b;\n".to_owned())];
    for (direction, text) in &texts {
        folder.write(&format!("migrations/{name}.{direction}.sql"), text);
    }
    let (files, lock) = (names(&folder), folder.text("migrations/migrate.lock"));
    let outcome = binary.run(&["renumber"]);
    assert!(outcome.code != 0 && outcome.stderr.contains("nothing was renamed"), "{outcome:?}");
    assert_eq!((names(&folder), folder.text("migrations/migrate.lock")), (files, lock));
    for (direction, text) in &texts {
        assert_eq!(folder.text(&format!("migrations/{name}.{direction}.sql")), *text);
    }
}

/// If both are drafts, the user says which one; folders and Flyway names are renumbered, too.
#[test]
fn the_migration_to_renumber_is_named() {
    for (theirs, ours, expected) in [
        ("002_theirs.up.sql", "002_ours.up.sql", "003_ours"),
        ("2_theirs/up.sql", "2_ours/up.sql", "3_ours"),
        ("V2__theirs.sql", "V2__ours.sql", "V3__ours"),
        ("20260101000000_theirs.sql", "20260101000000_ours.sql", "2"),
    ] {
        let stem = ours.trim_end_matches("/up.sql").trim_end_matches(".up.sql").trim_end_matches(".sql");
        let text = format!("-- Migration: {stem}\nSELECT 2;");
        let folder = TestFolder::new(&[(theirs, "SELECT 1;"), (ours, &text)]);
        folder.write("migrate.toml", "database = \"sqlite\"\ndown = \"optional\"\n");
        let binary = Binary::inside(folder.path());
        binary.run(&["init"]);
        let outcome = binary.run(&["renumber"]);
        assert!(outcome.code == 2 && outcome.stderr.contains("cargo migrate renumber "), "{ours}: {outcome:?}");
        assert_eq!(names(&folder).len(), 2);
        // It may have applied both, so it must be asked.
        let unreachable = Binary::inside(folder.path()).variable("DATABASE_URL", "sqlite:migrate.toml");
        assert_ne!(unreachable.run(&["renumber", ours]).code, 0);
        assert_eq!(names(&folder).len(), 2);
        assert!(names(&folder).contains(&ours.to_owned()));
        let outcome = binary.run(&["renumber", ours]);
        assert_eq!(outcome.code, 0, "{ours}: {outcome:?}");
        let names = names(&folder);
        assert!(names.contains(&theirs.to_owned()) && !names.contains(&ours.to_owned()), "{names:?}");
        assert!(names.iter().any(|name| name.starts_with(expected) && name != theirs), "{names:?}");
        let text = names.iter().map(|name| folder.text(&format!("migrations/{name}"))).find(|text| text.ends_with("2;")).unwrap();
        let is_kept = text.starts_with(&format!("-- Migration: {expected}")) && !text.contains(stem);
        assert!(is_kept && binary.run(&["check"]).code == 0, "{names:?} {:?}", binary.run(&["check"]));
        assert_eq!(binary.run(&["renumber", "001_missing.up.sql"]).code, 2);
    }
}

/// Single drafts are locked by version, and those that a database has applied.
#[test]
fn single_drafts_are_locked() {
    let folder = TestFolder::new(&[]);
    folder.write("migrate.toml", "database = \"sqlite\"\n");
    for (name, table) in [("001_a", "a"), ("002_b", "b"), ("003_c", "c")] {
        folder.write(&format!("migrations/{name}.up.sql"), &format!("CREATE TABLE {table} (id integer);\n"));
        folder.write(&format!("migrations/{name}.down.sql"), &format!("DROP TABLE {table};\n"));
    }
    // What stays a draft may be incomplete.
    folder.write("migrations/004_d.up.sql", "-- later\n");
    let binary = Binary::inside(folder.path());
    binary.ok(&["init"]);
    let locked = || {
        let lock = folder.text("migrations/migrate.lock");
        let names = lock.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once("  "));
        let mut names: Vec<String> = names.map(|(_, name)| name.to_owned()).collect();
        names.retain(|name| name.ends_with(".up.sql"));
        names
    };
    assert!(locked().is_empty());
    let outcome = binary.run(&["lock", "9"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("no migration with the version 9"), "{outcome:?}");
    let outcome = binary.run(&["lock", "2"]);
    assert!(outcome.code == 2 && outcome.stderr.contains("cargo migrate lock 001 002"), "{outcome:?}");
    assert!(locked().is_empty());
    binary.ok(&["lock", "1"]);
    assert_eq!(locked(), ["001_a.up.sql"]);
    let outcome = binary.run(&["lock", "4"]);
    assert!(outcome.code == 4 && outcome.stderr.contains("missing-down"), "{outcome:?}");
    let outcome = binary.run(&["lock", "--applied"]);
    assert_eq!(outcome.code, 2, "no database: {outcome:?}");
    let binary = binary.variable("DATABASE_URL", "sqlite:app.db");
    binary.ok(&["up", "--to", "2"]);
    binary.ok(&["lock", "--applied"]);
    assert_eq!(locked(), ["001_a.up.sql", "002_b.up.sql"]);
    folder.write("migrations/002_b.up.sql", "CREATE TABLE edited (id integer);\n");
    assert_eq!(binary.run(&["lock", "3"]).code, 4, "a locked file was changed");
    assert_eq!(binary.run(&["lock", "--applied", "--draft"]).code, 2);
}
