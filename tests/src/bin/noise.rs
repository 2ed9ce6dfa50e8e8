//! Counts the findings of the safety rules in real folders: errors and warnings for each 1,000 statements of up migrations.
//! `cargo run --release -p migrate-tests --bin noise -- FOLDER [-v]`.

use migrate_lint::lint::{LintOptions, lint};
use migrate_model::dialect::Dialect;
use migrate_model::files::project::Project;
use migrate_model::finding::Level;
use migrate_model::migration::Migration;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let root = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let verbose = arguments.next().is_some();
    let mut folders = BTreeSet::new();
    collect(&root, &mut folders);
    let (mut migrations, mut statements, mut places) = (0, 0, 0);
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for path in folders {
        let dialect = dialect(&path);
        let folder = Project::of_folder(&path, &[]).0.read(dialect);
        let rejected: BTreeSet<&str> = folder
            .findings
            .iter()
            .filter(|finding| finding.is_error())
            .filter_map(|finding| finding.place.as_ref().map(|place| &*place.file))
            .collect();
        // Migrations in files with errors are not counted.
        let valid_migrations = folder.set.migrations().iter().filter(|migration| !rejected.contains(&*migration.up.file));
        let history: Vec<Migration> = valid_migrations.cloned().collect();
        migrations += history.len();
        statements += history.iter().map(|migration| migration.up.statements.len()).sum::<usize>();
        for finding in lint(&history, &LintOptions::new(dialect)) {
            // Notes and findings in down migrations are not counted.
            let file = finding.place.as_ref().map(|place| place.file.clone()).unwrap_or_default();
            let is_down = history.iter().any(|migration| migration.down.as_ref().is_some_and(|down| down.file == file));
            if finding.level == Level::Note || is_down {
                continue;
            }
            places += 1 + finding.notes.iter().filter(|note| note.starts_with("and in line")).count();
            *counts.entry((finding.code.name, finding.level.name())).or_default() += 1;
            if verbose {
                let label = finding.place.as_ref().map(|place| place.label()).unwrap_or_default();
                println!("{}/{label}: {}[{}]: {}", path.display(), finding.level.name(), finding.code, finding.message);
            }
        }
    }
    let mut sorted: Vec<_> = counts.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for ((code, level), count) in sorted {
        println!("{count:>6} {level:<8} {code}");
    }
    let total: usize = counts.values().sum();
    println!(
        "{migrations} migrations, {statements} statements: {total} findings ({places} places), {:.0} for each 1,000 statements",
        1000.0 * total as f64 / statements.max(1) as f64
    );
}

/// Collects folders that contain migrations. If each migration has its own folder, their parent is collected.
fn collect(folder: &Path, folders: &mut BTreeSet<PathBuf>) {
    let entries: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let names: Vec<String> = entries
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect();
    let single = names.iter().all(|name| matches!(name.as_str(), "up.sql" | "down.sql" | "migration.sql"));
    if !names.is_empty() {
        let parent = folder.parent().filter(|_| single);
        folders.insert(parent.unwrap_or(folder).to_owned());
    }
    entries.iter().filter(|path| path.is_dir()).for_each(|path| collect(path, folders));
}

/// The dialect, by the name of a folder in the path; PostgreSQL by default.
fn dialect(folder: &Path) -> Dialect {
    let path = folder.to_string_lossy().to_lowercase();
    if path.contains("sqlite") {
        Dialect::Sqlite
    } else if path.contains("mysql") || path.contains("mariadb") {
        Dialect::MySql
    } else {
        Dialect::Postgres
    }
}
