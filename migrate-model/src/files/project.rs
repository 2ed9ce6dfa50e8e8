//! Finds the project of a service: reads `migrate.toml` and determines the migration folders.
//!
//! The macro and the command use the same functions.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::files::folder::{self, Folder, UNREADABLE};
use crate::files::settings::{self, Settings};
use crate::finding::Finding;
use crate::place::Place;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The database type of the migrations is not set.
pub static NO_DIALECT: Code = Code::new(
    "no-dialect",
    "The database type of the migrations is not set. The macro and `check` need it to split SQL into statements. Set it in \
     `migrate.toml`: `database = \"postgres\"`, `\"mysql\"`, `\"mariadb\"` or `\"sqlite\"`. The command also takes it from \
     `--dialect` or from the database URL.",
);

/// The migrations of one service.
#[derive(Debug, Clone)]
pub struct Project {
    /// The base of relative paths: the folder of the package, or the given folder.
    pub root: PathBuf,
    /// The contents of `migrate.toml`; `dirs` is never empty.
    pub settings: Settings,
    /// The path of `migrate.toml`, if the file exists.
    pub settings_file: Option<PathBuf>,
    /// The name of the history.
    pub service: String,
}

impl Project {
    /// The project of a package, whose `Cargo.toml` is in `root`. The migrations are in `dir` if it is given, else in the
    /// folders that `migrate.toml` sets, or in `migrations`.
    pub fn of_package(root: &Path, dir: Option<&str>, package: &str) -> (Project, Vec<Finding>) {
        let inside = dir.map(|dir| format!("{}/{}", dir.trim_end_matches('/'), settings::FILE));
        let (mut settings, file, findings) = match inside.filter(|file| root.join(file).is_file()) {
            Some(file) => {
                let (mut settings, path, findings) = read(root, &file);
                let dir = dir.unwrap_or_default().trim_end_matches('/');
                for inner in &mut settings.dirs {
                    *inner = format!("{dir}/{inner}");
                }
                (settings, path, findings)
            }
            None => {
                let (mut settings, path, findings) = read(root, settings::FILE);
                if dir.is_some() {
                    settings.dirs.clear();
                }
                (settings, path, findings)
            }
        };
        if settings.dirs.is_empty() {
            settings.dirs.push(dir.unwrap_or("migrations").to_owned());
        }
        let service = settings.service.clone().unwrap_or_else(|| package.to_owned());
        let project = Project { root: root.to_owned(), settings, settings_file: file, service };
        (project, findings)
    }

    /// The project of a folder that is given without a package. Its `migrate.toml` is in the folder, or in the parent folder if
    /// its `dir` refers to the folder.
    pub fn of_folder(folder: &Path) -> (Project, Vec<Finding>) {
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        let absolute = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        // The name of the history must not depend on how the folder is given, so the package name takes precedence.
        let package = [Some(absolute.as_path()), absolute.parent()].into_iter().flatten().find_map(package_name);
        let folder_name = name(&absolute).filter(|name| name != "migrations");
        let service =
            package.or(folder_name).or_else(|| absolute.parent().and_then(name)).unwrap_or_else(|| "default".to_owned());
        if !folder.join(settings::FILE).is_file()
            && let Some(parent) = parent.filter(|parent| parent.join(settings::FILE).is_file())
        {
            let (project, findings) = Project::of_package(parent, None, &service);
            let meant = |dir: &String| parent.join(dir).canonicalize().is_ok_and(|path| path == absolute);
            if project.settings.dirs.iter().any(meant) {
                return (project, findings);
            }
        }
        let (mut settings, file, findings) = read(folder, settings::FILE);
        if settings.dirs.is_empty() {
            // The folder of a project, or the migrations folder itself.
            let inner = folder.join("migrations").is_dir() && !holds_sql(folder);
            settings.dirs.push(if inner { "migrations" } else { "." }.to_owned());
        }
        let project = Project {
            root: folder.to_owned(),
            service: settings.service.clone().unwrap_or(service),
            settings,
            settings_file: file,
        };
        (project, findings)
    }

    /// Reads the migration folders.
    pub fn read(&self, dialect: Dialect) -> Folder {
        folder::read(&self.root, &self.settings, dialect, &self.service)
    }

    /// The finding for a project without a database type.
    pub fn no_dialect(&self) -> Finding {
        let file = self.settings_file.as_deref().map(|file| file.strip_prefix(&self.root).unwrap_or(file).display().to_string());
        Finding::error(&NO_DIALECT, "the database type of the migrations is not set")
            .at(Place::file(file.unwrap_or_else(|| settings::FILE.to_owned())))
            .help("set `database = \"postgres\"` (or `\"mysql\"`, `\"mariadb\"`, `\"sqlite\"`) in `migrate.toml`")
    }
}

fn holds_sql(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "sql"))
}

/// The package name in the `Cargo.toml` of a folder.
fn package_name(folder: &Path) -> Option<String> {
    let text = fs::read_to_string(folder.join("Cargo.toml")).ok()?;
    let manifest: toml::Table = toml::from_str(&text).ok()?;
    manifest.get("package")?.get("name")?.as_str().map(str::to_owned)
}

fn read(root: &Path, file: &str) -> (Settings, Option<PathBuf>, Vec<Finding>) {
    let path = root.join(file);
    match fs::read_to_string(&path) {
        Ok(text) => {
            let (settings, findings) = settings::read(&text, file);
            (settings, Some(path), findings)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (Settings::default(), None, Vec::new()),
        Err(error) => {
            let finding = Finding::error(&UNREADABLE, format!("cannot read `{file}`: {error}"))
                .at(Place::file(file))
                .help("grant this user read permission, and save the file as UTF-8");
            (Settings::default(), Some(path), vec![finding])
        }
    }
}
