//! Reads a migration set from a folder at run time.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::files::check::{self, BELOW_LOCKED, CheckOptions, DRAFT_MISSING, MISSING_DOWN, NO_LOCK_FILE, UNKNOWN_FILE};
use crate::files::folder::NO_FOLDER;
use crate::files::project::Project;
use crate::files::settings::FILE;
use crate::finding::{Finding, Level};
use crate::invalid_migrations::InvalidMigrations;
use crate::migration_set::MigrationSet;
use crate::place::Place;
use std::path::Path;

/// The program requests another dialect than `migrate.toml` sets.
pub static OTHER_DIALECT: Code = Code::new(
    "dialects-differ",
    "A program that reads a folder of migrations requests another SQL dialect than `database` in the `migrate.toml` of the folder sets. The migrations would be split into the wrong statements. Correct one of the two.",
);

/// What the macro rejects because of the source repository, and not because the files could not be applied.
static WARNINGS_ONLY: [&Code; 5] = [&BELOW_LOCKED, &DRAFT_MISSING, &MISSING_DOWN, &NO_LOCK_FILE, &UNKNOWN_FILE];

impl MigrationSet {
    /// Reads the migrations of a folder at run time. The settings are those of its `migrate.toml`, or of the nearest one above
    /// whose `dir` names the folder, as for `cargo migrate --source`. Without a setting `service`, the history has the name of the
    /// nearest package above the folder, else of the folder.
    ///
    /// The files must be what `embed_migrations!` accepts; but a lock file, and a down file for each up file, may be missing. What
    /// the macro reports as warnings is in [`warnings`](Self::warnings).
    ///
    /// # Errors
    /// If the folder or a file cannot be read or is invalid, or if `migrate.toml` does not set `database`; see
    /// [`from_dir_with_dialect`](Self::from_dir_with_dialect).
    pub fn from_dir(folder: impl AsRef<Path>) -> Result<MigrationSet, InvalidMigrations> {
        read(folder.as_ref(), None)
    }

    /// The same, for a folder whose `migrate.toml` does not set `database`, or that has none.
    ///
    /// # Errors
    /// As [`from_dir`](Self::from_dir), and if `migrate.toml` sets another database.
    pub fn from_dir_with_dialect(folder: impl AsRef<Path>, dialect: Dialect) -> Result<MigrationSet, InvalidMigrations> {
        read(folder.as_ref(), Some(dialect))
    }
}

fn read(folder: &Path, given: Option<Dialect>) -> Result<MigrationSet, InvalidMigrations> {
    let (project, mut findings) = Project::of_folder(folder, &[]);
    let dialect = match (project.settings.dialect, given) {
        (Some(set), Some(given)) if set != given => Err(other_dialect(&project, set, given)),
        (Some(dialect), _) | (None, Some(dialect)) => Ok(dialect),
        (None, None) if !folder.is_dir() => Err(Finding::error(&NO_FOLDER, format!("`{}` is not a folder", folder.display()))
            .at(Place::file(folder.display().to_string()))
            .help("correct the path; a relative path starts in the current folder of the process")),
        (None, None) => Err(project.no_dialect().help("or pass it: `MigrationSet::from_dir_with_dialect`")),
    };
    let dialect = dialect.map_err(|finding| {
        findings.push(finding);
        InvalidMigrations::of(std::mem::take(&mut findings))
    })?;
    let mut findings = InvalidMigrations::check(findings)?;
    let folder = project.read(dialect);
    findings.extend(check::check(&folder, &project.settings, CheckOptions::default()));
    for finding in &mut findings {
        if WARNINGS_ONLY.contains(&finding.code) {
            finding.level = finding.level.min(Level::Warning);
        }
    }
    Ok(folder.set.with_warnings(InvalidMigrations::check(findings)?))
}

fn other_dialect(project: &Project, set: Dialect, given: Dialect) -> Finding {
    let file = project.settings_file.as_deref().map_or_else(|| FILE.to_owned(), |file| file.display().to_string());
    Finding::error(&OTHER_DIALECT, format!("the migrations are written for {set}, but {given} was requested"))
        .at(Place::file(file))
        .help("correct `database` in `migrate.toml`, or request the same dialect")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn a_folder_with_or_without_settings() {
        let files = [("migrations/001_a.up.sql", "SELECT 1;"), ("migrations/002_b.up.sql", "SELECT 2;")];
        let plain = folder(&files);
        let set = MigrationSet::from_dir_with_dialect(plain.path().join("migrations"), Dialect::Sqlite).unwrap();
        assert_eq!((set.len(), set.service()), (2, plain.path().file_name().unwrap().to_str().unwrap()));
        let warnings: Vec<&str> = set.warnings().iter().map(|finding| finding.code.name).collect();
        assert_eq!(warnings, ["missing-down", "missing-down", "no-lock-file"]);
        let error = MigrationSet::from_dir(plain.path()).unwrap_err();
        assert_eq!(error.to_string(), "migrate.toml: the SQL dialect of the migrations is not set");
        fs::write(plain.path().join("migrate.toml"), "database = \"sqlite\"\nservice = \"shop\"\n").unwrap();
        for place in [plain.path().to_owned(), plain.path().join("migrations")] {
            let set = MigrationSet::from_dir(place).unwrap();
            assert_eq!((set.len(), set.service(), set.dialect()), (2, "shop", Dialect::Sqlite));
        }
        let error = MigrationSet::from_dir_with_dialect(plain.path(), Dialect::MySql).unwrap_err();
        assert_eq!(error.findings()[0].code.name, "dialects-differ");
    }

    #[test]
    fn programs_with_the_names_of_migrations() {
        let names = ["V1__a.sql", "V2__b.java", "V3__c.PY", "mod.rs", "V4__notes.txt", "V5__e.sql.bak", "lib/V6__f.go"];
        let set = folder(&names.map(|name| (name, "SELECT 1;")));
        let programs = |set: &MigrationSet| {
            let found = set.warnings().iter().filter(|finding| finding.code.name == "not-sql");
            found.map(|finding| finding.place.as_ref().unwrap().file.clone()).collect::<Vec<_>>()
        };
        let loaded = MigrationSet::from_dir_with_dialect(set.path(), Dialect::Sqlite).unwrap();
        assert_eq!((loaded.len(), programs(&loaded)), (1, vec!["V2__b.java".to_owned(), "V3__c.PY".to_owned()]));
        fs::write(
            set.path().join("migrate.toml"),
            "service = \"a\"\ndatabase = \"sqlite\"\ndir = \".\"\nignore = [\"V2__b.java\", \"V3__c.PY\"]\n",
        )
        .unwrap();
        let loaded = MigrationSet::from_dir(set.path()).unwrap();
        assert_eq!((loaded.len(), programs(&loaded)), (1, Vec::new()));
    }

    #[test]
    fn an_invalid_folder() {
        let bad = folder(&[("001_a.up.sql", "SELECT 'x"), ("0001_b.up.sql", "SELECT 1;"), ("x.sql", "SELECT 1;")]);
        let error = MigrationSet::from_dir_with_dialect(bad.path(), Dialect::Postgres).unwrap_err();
        let codes: Vec<&str> = error.findings().iter().take(3).map(|finding| finding.code.name).collect();
        assert_eq!(codes, ["bad-name", "duplicate-version", "unterminated"]);
        let missing = MigrationSet::from_dir_with_dialect(bad.path().join("nowhere"), Dialect::Postgres).unwrap_err();
        assert_eq!(missing.findings()[0].code.name, "no-folder");
    }
}
