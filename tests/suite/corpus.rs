//! Real migration folders, if `MIGRATE_CORPUS` points to a collection: all are parsed and linted, and selected ones are applied.
//!
//! The files are not changed. The settings are in a `migrate.toml` in a temporary folder.

use migrate_lint::lint::{self, LintOptions};
use migrate_lint::{fix, rules};
use migrate_model::dialect::Dialect;
use migrate_model::files::project::Project;
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::syntax::Syntax;
use migrate_tests::{Binary, Kind, TestDatabase, TestFolder};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder with the collection, if there is one.
pub fn corpus() -> Option<PathBuf> {
    let corpus = std::env::var_os("MIGRATE_CORPUS").map(PathBuf::from);
    if corpus.is_none() {
        eprintln!("MIGRATE_CORPUS is not set: this run does not read real folders");
    }
    corpus
}

/// Adds the SQL files of a folder and its subfolders.
pub fn sql_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => sql_files(&path, files),
            path if path.extension().is_some_and(|extension| extension == "sql") => files.push(path),
            _ => {}
        }
    }
}

#[test]
fn every_file_is_read_in_every_dialect() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    sql_files(&corpus, &mut files);
    assert!(files.len() > 2000, "{} files", files.len());
    for file in files {
        let Ok(text) = String::from_utf8(fs::read(&file).unwrap()) else { continue };
        for dialect in Dialect::ALL {
            let (script, _) = Script::read(text.clone(), "f.sql", dialect);
            let mut end = 0;
            for statement in &script.statements {
                assert!(statement.range.start >= end, "{}", file.display());
                end = statement.range.end;
            }
        }
    }
}

/// Each folder is one history: lint does not panic, and fewer than 3 % of the statements are opaque.
#[test]
fn every_folder_is_linted() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    sql_files(&corpus, &mut files);
    let (mut statements, mut opaque) = (0, 0);
    for folder in files.iter().filter_map(|file| file.parent()).collect::<BTreeSet<_>>() {
        for dialect in Dialect::ALL {
            let folder = Project::of_folder(folder, &[]).0.read(dialect);
            let mut options = LintOptions::new(dialect);
            options.levels = rules::ALL.iter().map(|rule| (rule.code.name.to_owned(), Some(rule.level))).collect();
            lint::lint(folder.set.migrations(), &options);
            fix::fixes(folder.set.migrations(), &options);
        }
    }
    for file in files {
        let path = file.to_string_lossy().to_lowercase();
        let dialect = if path.contains("sqlite") {
            Dialect::Sqlite
        } else if path.contains("mysql") || path.contains("mariadb") {
            Dialect::MySql
        } else {
            Dialect::Postgres
        };
        let Ok(text) = String::from_utf8(fs::read(&file).unwrap()) else { continue };
        for statement in Script::read(text.clone(), "f.sql", dialect).0.statements {
            statements += 1;
            opaque += usize::from(reader::read(statement.sql(&text), dialect) == Syntax::Opaque);
        }
    }
    // The opaque ones are templates and unsupported dialects.
    assert!(opaque * 100 < statements * 3, "{opaque} of {statements} statements are opaque");
}

/// A set of migrations of the collection, and the expected result.
struct Set {
    name: &'static str,
    dirs: &'static [&'static str],
    settings: &'static str,
    applied: usize,
    /// A part of the error message, if a migration fails.
    fails: Option<&'static str>,
}

const fn whole(name: &'static str, dirs: &'static [&'static str], applied: usize) -> Set {
    Set { name, dirs, settings: "", applied, fails: None }
}

async fn apply(kind: Kind, sets: &[Set]) {
    let Some(corpus) = corpus() else { return };
    for set in sets {
        let database = TestDatabase::new(kind).await;
        let project = TestFolder::default();
        let dirs: Vec<String> = set.dirs.iter().map(|dir| format!("'{}'", corpus.join(dir).display())).collect();
        project.write("migrate.toml", &format!("service = '{}'\ndir = [{}]\n{}\n", set.name, dirs.join(", "), set.settings));
        let binary = Binary::inside(project.path()).variable("DATABASE_URL", &database.url);
        let binary = binary.variable("MIGRATE_ALLOW_OUTSIDE", &corpus.display().to_string());
        let outcome = binary.run(&["up"]);
        match set.fails {
            None => assert_eq!(outcome.code, 0, "{}: {}", set.name, outcome.stderr),
            Some(word) => {
                assert_eq!(outcome.code, 7, "{}: {}", set.name, outcome.stderr);
                assert!(outcome.stderr.contains(word), "{}: {}", set.name, outcome.stderr);
            }
        }
        let applied = "SELECT count(*) FROM migration_records WHERE state = 'applied'";
        assert_eq!(database.value(applied).await, set.applied.to_string(), "{}", set.name);
        assert_eq!(database.value("SELECT count(*) FROM migration_records").await, set.applied.to_string(), "{}", set.name);
        if set.fails.is_none() {
            binary.ok(&["status", "--check"]);
            binary.ok(&["verify"]);
        }
        database.drop().await;
    }
}

const BY_NAME: &str = "same-version = 'by-name'";

#[tokio::test]
async fn on_postgres() {
    const CONDUCTOR: &[&str] = &[
        "conductor/migrations/postgres-persistence/src/main/resources/db/migration_postgres",
        "conductor/migrations/postgres-persistence/src/main/resources/db/migration_postgres_notify",
        "conductor/migrations/scheduler/postgres-persistence/src/main/resources/db/migration_scheduler",
    ];
    apply(
        Kind::Postgres,
        &[
            whole("atuin", &["atuin/migrations/atuin-server-postgres/migrations"], 20),
            whole("svix", &["svix-webhooks/migrations"], 16),
            whole("cdk-mint", &["cdk/migrations/mint/migrations/postgres"], 28),
            Set { settings: BY_NAME, ..whole("cdk-wallet", &["cdk/migrations/wallet/migrations/postgres"], 21) },
            whole("pocket-id", &["pocket-id/migrations/postgres"], 64),
            Set { settings: BY_NAME, ..whole("conductor", CONDUCTOR, 21) },
            whole("graph-node", &["graph-node/migrations"], 125),
            whole("umami", &["umami/migrations"], 19),
            whole("triggerdev", &["triggerdev-drizzle/migrations"], 6),
        ],
    )
    .await;
}

#[tokio::test]
async fn on_sqlite() {
    apply(
        Kind::Sqlite,
        &[
            whole("atuin-client", &["atuin/migrations/atuin-client/migrations"], 12),
            whole("atuin-records", &["atuin/migrations/atuin-client/record-migrations"], 3),
            whole("atuin-meta", &["atuin/migrations/atuin-client/meta-migrations"], 1),
            whole("atuin-kv", &["atuin/migrations/atuin-kv/migrations"], 1),
            whole("atuin-scripts", &["atuin/migrations/atuin-scripts/migrations"], 2),
            whole("atuin-ai", &["atuin/migrations/atuin-ai/migrations"], 3),
            whole("atuin-server", &["atuin/migrations/atuin-server-sqlite/migrations"], 7),
            whole("conductor", &["conductor/migrations/sqlite-persistence/src/main/resources/db/migration_sqlite"], 7),
            // The application defines a function that SQLite lacks.
            Set { fails: Some("no such function: normalize"), ..whole("pocket-id", &["pocket-id/migrations/sqlite"], 33) },
        ],
    )
    .await;
}

#[tokio::test]
async fn on_mariadb() {
    const CONDUCTOR: &[&str] = &["conductor/migrations/mysql-persistence/src/main/resources/db/migration"];
    apply(
        Kind::MariaDb,
        &[
            whole("conductor", CONDUCTOR, 10),
            whole("diesel-mysql", &["diesel-own/migrations/migrations/mysql"], 13),
            whole("diesel-mariadb", &["diesel-own/migrations/migrations/mariadb"], 13),
        ],
    )
    .await;
}
