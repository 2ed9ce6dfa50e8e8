//! Parses every SQL file below a folder and prints the number of statements of each kind, and of opaque ones:
//! `cargo run --release -p migrate-tests --bin reading -- FOLDER [-v]`.

use migrate_model::dialect::Dialect;
use migrate_model::reader;
use migrate_model::statement;
use migrate_model::syntax::{ActionKind, Syntax};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let verbose = arguments.next().is_some();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let (mut files, mut statements, mut opaque, mut actions, mut opaque_actions) = (0, 0, 0, 0, 0);
    for file in sql_files(&folder) {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        let dialect = dialect(&file);
        files += 1;
        for statement in statement::split(&text, dialect, "").0 {
            statements += 1;
            let sql = statement.sql(&text);
            let syntax = reader::read(sql, dialect);
            let name = format!("{syntax:?}");
            let name: String = name.chars().take_while(char::is_ascii_alphanumeric).collect();
            *kinds.entry(name).or_default() += 1;
            if let Syntax::AlterTable(alter) = &syntax {
                actions += alter.actions.len();
                for action in alter.actions.iter().filter(|action| action.kind == ActionKind::Opaque) {
                    opaque_actions += 1;
                    if verbose {
                        println!("{dialect} {}: {}", file.display(), first_words(&sql[action.range.clone()]));
                    }
                }
            }
            if syntax == Syntax::Opaque {
                opaque += 1;
                if verbose {
                    println!("{dialect} {}: {}", file.display(), first_words(sql));
                }
            }
        }
    }
    println!(
        "{files} files, {statements} statements, {opaque} opaque; {actions} clauses of ALTER TABLE, {opaque_actions} opaque"
    );
    for (kind, count) in kinds {
        println!("{count:>7} {kind}");
    }
}

fn first_words(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().take(14).collect();
    words.join(" ")
}

/// The dialect, by the name of a folder in the path; PostgreSQL by default.
fn dialect(file: &Path) -> Dialect {
    let path = file.to_string_lossy().to_lowercase();
    if path.contains("sqlite") {
        Dialect::Sqlite
    } else if path.contains("mysql") || path.contains("mariadb") {
        Dialect::MySql
    } else {
        Dialect::Postgres
    }
}

fn sql_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sql") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
