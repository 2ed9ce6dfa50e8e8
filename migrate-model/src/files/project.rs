//! Finds the project of a service: reads `migrate.toml` and determines the migration folders.
//!
//! The macro and the command use the same functions.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::files::boundary::{self, Boundary};
use crate::files::folder::{self, FileList, Folder, UNREADABLE};
use crate::files::regular_file::{self, SETTINGS_LIMIT};
use crate::files::settings::{self, DeclaredSet, Settings};
use crate::finding::Finding;
use crate::migration_set::SetSummary;
use crate::place::Place;
use std::fs;
use std::io::ErrorKind;
use std::path::{self, Component, Path, PathBuf};

/// The database type of the migrations is not set.
pub static NO_DIALECT: Code = Code::new(
    "no-dialect",
    "The database type of the migrations is not set. The macro `embed_migrations!` and `check` need the type to split SQL into statements. Set it in `migrate.toml`: `database = \"postgres\"`, `\"mysql\"`, `\"mariadb\"` or `\"sqlite\"`. The commands can also take the type from `--dialect` or from the database URL; the macro cannot.",
);

/// The package has several sets of migrations, and the given folder is not among them.
pub static NO_SUCH_SET: Code = Code::new(
    "no-such-set",
    "The `migrate.toml` of the package lists its sets of migrations under `[sets]`: the folder of each set, and the name of its service. The macro `embed_migrations!` must name the folder of one of them, and the commands work on no other folder of the package.",
);

/// The migrations of one service.
#[derive(Debug, Clone)]
pub struct Project {
    /// The base of relative paths: the folder of the package, or the given folder.
    pub root: PathBuf,
    /// The contents of `migrate.toml`; `dirs` is never empty.
    pub settings: Settings,
    /// The path of `migrate.toml`, if it was read.
    pub settings_file: Option<PathBuf>,
    /// The path of the `migrate.toml` of the package, if it was read and a set has one of its own.
    pub package_settings: Option<PathBuf>,
    /// The name of the history.
    pub service: String,
    /// Where files may be read and written.
    pub boundary: Boundary,
}

impl Project {
    /// The project of a package, whose `Cargo.toml` is in `root`. The migrations are in `dir` if it is given, else in the
    /// folders that `migrate.toml` sets, or in `migrations`. `allowed` lists folders outside the repository that the user
    /// allows.
    pub fn of_package(root: &Path, dir: Option<&str>, package: &str, allowed: &[PathBuf]) -> (Project, Vec<Finding>) {
        Project::within(Boundary::of(root, allowed), root, dir, package)
    }

    /// The projects of a package: one, or those that `[sets]` in its `migrate.toml` lists.
    pub fn all_of_package(root: &Path, package: &str, allowed: &[PathBuf]) -> Vec<(Project, Vec<Finding>)> {
        let (settings, _, findings) = read(root, settings::FILE, &Boundary::of(root, allowed));
        if settings.sets.is_empty() || !findings.is_empty() {
            return vec![Project::of_package(root, None, package, allowed)];
        }
        settings.sets.iter().map(|set| Project::of_package(root, Some(&set.folder), package, allowed)).collect()
    }

    fn within(boundary: Boundary, root: &Path, dir: Option<&str>, package: &str) -> (Project, Vec<Finding>) {
        let dir = dir.map(|dir| dir.trim_end_matches('/'));
        let inside = dir.filter(|dir| root.join(dir).join(settings::FILE).is_file());
        let (mut settings, mut file, mut findings) = read(root, settings::FILE, &boundary);
        let sets = std::mem::take(&mut settings.sets);
        let mut package_settings = None;
        if let Some(inside) = inside {
            // The findings of the package belong to its sets.
            findings.retain(|_| !sets.is_empty());
            package_settings = file.take().filter(|_| !sets.is_empty());
            let (inner, path, more) = read(root, &format!("{inside}/{}", settings::FILE), &boundary);
            (settings, file) = (inner, path);
            findings.extend(more);
            for inner in &mut settings.dirs {
                *inner = format!("{inside}/{inner}");
            }
        } else if dir.is_some() {
            settings.dirs.clear();
        }
        if let Err(finding) = apply_set(&mut settings, &sets, dir) {
            findings.push(*finding);
        }
        if settings.dirs.is_empty() {
            settings.dirs.push(dir.unwrap_or("migrations").to_owned());
        }
        let service = settings.service.clone().unwrap_or_else(|| package.to_owned());
        (Project { root: root.to_owned(), settings, settings_file: file, package_settings, service, boundary }, findings)
    }

    /// The project of a folder that is given without a package. Its `migrate.toml` is in the folder, or in the nearest folder
    /// above whose `dir` refers to the folder.
    ///
    /// Every spelling of a folder (`migrations`, `./migrations`, `.`, an absolute path) yields the same settings and the same
    /// service: the path is resolved once, and only messages show it as it was given.
    ///
    /// The folder is chosen by the user, so it may be anywhere.
    pub fn of_folder(folder: &Path, allowed: &[PathBuf]) -> (Project, Vec<Finding>) {
        // A folder that does not exist is reported when its files are listed.
        let absolute = folder.canonicalize().or_else(|_| path::absolute(folder)).unwrap_or_else(|_| folder.to_owned());
        let around =
            || Project::above(folder, &absolute, allowed).or_else(|| Project::of_package_around(folder, &absolute, allowed));
        let around =
            if absolute.join(settings::FILE).is_file() { Project::declared(folder, &absolute, allowed) } else { around() };
        if let Some((project, findings)) = around {
            return (project, findings);
        }
        let mut boundary = Boundary::of(folder, allowed);
        boundary.allow(folder);
        let (mut settings, file, mut findings) = read(folder, settings::FILE, &boundary);
        if settings.dirs.is_empty() {
            // The folder of a project, or the migrations folder itself.
            let inner = folder.join("migrations").is_dir() && !holds_sql(folder);
            settings.dirs.push(if inner { "migrations" } else { "." }.to_owned());
        }
        let service = settings.service.clone().map_or_else(|| default_service(&as_linked(folder, &absolute)), Ok);
        let service = service.unwrap_or_else(|finding| {
            findings.push(*finding);
            String::new()
        });
        (Project { root: folder.to_owned(), service, settings, settings_file: file, package_settings: None, boundary }, findings)
    }

    /// The project of the nearest folder above whose `migrate.toml` refers to a folder. A link to the folder counts as being
    /// where the link is.
    fn above(folder: &Path, absolute: &Path, allowed: &[PathBuf]) -> Option<(Project, Vec<Finding>)> {
        let given = as_linked(folder, absolute);
        let above = given.ancestors().skip(1).chain(absolute.ancestors().skip(1));
        for root in above.filter(|root| root.join(settings::FILE).is_file()) {
            let mut boundary = Boundary::of(root, allowed);
            boundary.allow(absolute);
            let (package, unreadable) =
                default_service(root).map_or_else(|finding| (String::new(), Some(*finding)), |name| (name, None));
            let set = set_at(root, absolute, &boundary);
            let (project, mut findings) = Project::within(boundary, &as_given(folder, root), set.as_deref(), &package);
            findings.extend(unreadable.filter(|_| project.settings.service.is_none()));
            if set.is_some() {
                return Some((project, findings));
            }
            let refers = |dir: &String| root.join(dir).canonicalize().is_ok_and(|path| path == absolute);
            if project.settings.dirs.iter().any(refers) {
                return Some((project, findings));
            }
        }
        None
    }

    /// The project of a folder that `[sets]` of the package around it lists.
    fn declared(folder: &Path, absolute: &Path, allowed: &[PathBuf]) -> Option<(Project, Vec<Finding>)> {
        // A manifest that cannot be read is reported where the name of the package is needed.
        let (root, package) = nearest_package(absolute).ok()??;
        let mut boundary = Boundary::of(&root, allowed);
        boundary.allow(absolute);
        let set = set_at(&root, absolute, &boundary)?;
        Some(Project::within(boundary, &as_given(folder, &root), Some(&set), &package))
    }

    /// The project of a folder in a package whose `migrate.toml` does not name it: the settings are those of the package, as for
    /// `embed_migrations!("folder")`.
    fn of_package_around(folder: &Path, absolute: &Path, allowed: &[PathBuf]) -> Option<(Project, Vec<Finding>)> {
        let (root, package) = nearest_package(absolute).ok()??;
        let dir = absolute.strip_prefix(&root).ok()?.to_str().filter(|dir| !dir.is_empty())?;
        if !root.join(settings::FILE).is_file() {
            return None;
        }
        let mut boundary = Boundary::of(&root, allowed);
        boundary.allow(absolute);
        Some(Project::within(boundary, &as_given(folder, &root), Some(dir), &package))
    }

    /// Reads the migration folders.
    pub fn read(&self, dialect: Dialect) -> Folder {
        folder::read(&self.root, &self.settings, &self.boundary, dialect, &self.service)
    }

    /// The summary of the migrations, without parsing them; see [`folder::summarize`].
    pub fn summarize(&self) -> Option<SetSummary> {
        folder::summarize(&self.root, &self.settings, &self.boundary)
    }

    /// The migration files, without opening them.
    pub fn list_files(&self) -> FileList {
        folder::list_files(&self.root, &self.settings, &self.boundary)
    }

    /// The folder of new migrations and of the lock file.
    ///
    /// # Errors
    /// If it is outside the repository.
    pub fn first_folder(&self) -> Result<PathBuf, Box<Finding>> {
        let dir = self.settings.dirs.first().map_or("migrations", String::as_str);
        let folder = self.root.join(dir);
        if self.boundary.contains(&folder) {
            return Ok(folder);
        }
        Err(Box::new(boundary::outside(&format!("the migrations folder `{dir}`")).at(Place::file(dir))))
    }

    /// The finding for a project without a database type.
    pub fn no_dialect(&self) -> Finding {
        let file = self.settings_file.as_deref().map(|file| file.strip_prefix(&self.root).unwrap_or(file).display().to_string());
        Finding::error(&NO_DIALECT, "the SQL dialect of the migrations is not set")
            .at(Place::file(file.unwrap_or_else(|| settings::FILE.to_owned())))
            .help("set `database = \"postgres\"` (or `\"mysql\"`, `\"mariadb\"`, `\"sqlite\"`) in `migrate.toml`")
    }
}

/// Gives the settings of a set the service name that `[sets]` declares.
fn apply_set(settings: &mut Settings, sets: &[DeclaredSet], dir: Option<&str>) -> Result<(), Box<Finding>> {
    let Some(first) = sets.first() else { return Ok(()) };
    let names: Vec<String> = sets.iter().map(|set| format!("`{}`", set.folder)).collect();
    let finding = |message: String| Finding::error(&NO_SUCH_SET, message).at(first.place.clone());
    let Some(dir) = dir else {
        let message = format!("the package has several sets of migrations: {}", names.join(", "));
        let help = format!("name one of them: `embed_migrations!({:?})`, or `--source DIR` on the command line", first.folder);
        return Err(Box::new(finding(message).help(help)));
    };
    let Some(set) = sets.iter().find(|set| same_path(&set.folder, dir)) else {
        let message = format!("`{dir}` is not a set of migrations of this package");
        let help = format!("use one of {}, or add the folder to `[sets]`: `{dir:?} = \"SERVICE\"`", names.join(", "));
        return Err(Box::new(finding(message).help(help)));
    };
    if let Some(other) = settings.service.as_ref().filter(|other| **other != set.service) {
        let message =
            format!("the service of `{dir}` is `{}` in `[sets]`, but `{other}` in the folder's own `migrate.toml`", set.service);
        return Err(Box::new(
            Finding::error(&settings::BAD_SETTING, message).at(set.place.clone()).help("remove one of the two"),
        ));
    }
    settings.service = Some(set.service.clone());
    Ok(())
}

/// The folder of `[sets]` in the `migrate.toml` of a folder that is the given one.
fn set_at(root: &Path, absolute: &Path, boundary: &Boundary) -> Option<String> {
    let (settings, ..) = read(root, settings::FILE, boundary);
    let is_it = |set: &DeclaredSet| {
        let folder = root.join(&set.folder);
        folder.canonicalize().is_ok_and(|path| path == absolute) || folder.components().eq(absolute.components())
    };
    settings.sets.into_iter().find(is_it).map(|set| set.folder)
}

/// Are two relative paths the same, but for `.` and slashes?
fn same_path(left: &str, right: &str) -> bool {
    let parts = |path| Path::new(path).components().filter(|part| *part != Component::CurDir).collect::<Vec<_>>();
    parts(left) == parts(right)
}

/// The name of a history for which no setting gives one: the nearest package that contains the folder, as for the macro, or else
/// the folder, or its parent if the folder is named `migrations`. Packages above a Git repository do not count. The path must be
/// absolute.
///
/// # Errors
/// If a `Cargo.toml` cannot be read.
pub fn default_service(folder: &Path) -> Result<String, Box<Finding>> {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    if let Some((_, package)) = nearest_package(folder)? {
        return Ok(package);
    }
    let folder_name = name(folder).filter(|name| name != "migrations");
    Ok(folder_name.or_else(|| folder.parent().and_then(name)).unwrap_or_else(|| "default".to_owned()))
}

/// The folder and the name of the nearest package that contains a folder.
fn nearest_package(folder: &Path) -> Result<Option<(PathBuf, String)>, Box<Finding>> {
    for folder in folder.ancestors() {
        if let Some(package) = package_name(folder)? {
            return Ok(Some((folder.to_owned(), package)));
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Ok(None)
}

/// The absolute path of a folder as it was given, so that a link such as `current` is where it is; the resolved path if the
/// given one contains `..`.
fn as_linked(folder: &Path, resolved: &Path) -> PathBuf {
    let given = path::absolute(folder).ok().filter(|given| !given.components().any(|part| part == Component::ParentDir));
    let given = given.map(|given| given.components().filter(|part| *part != Component::CurDir).collect());
    given.unwrap_or_else(|| resolved.to_owned())
}

/// A folder above a given one, spelled as the user has spelled the given one where that is possible.
fn as_given(folder: &Path, above: &Path) -> PathBuf {
    let is_plain = folder.components().next_back().is_some_and(|part| matches!(part, Component::Normal(_)));
    let parent = folder.parent().filter(|_| is_plain);
    let parent = parent.map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
    let is_same = |parent: &&Path| path::absolute(parent).is_ok_and(|parent| parent == above);
    parent.filter(is_same).unwrap_or(above).to_owned()
}

fn holds_sql(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| entry.path().extension().is_some_and(|extension| extension == "sql"))
}

/// The package name in the `Cargo.toml` of a folder.
fn package_name(package: &Path) -> Result<Option<String>, Box<Finding>> {
    let path = package.join("Cargo.toml");
    if !Boundary::default().contains_file(&path, package) {
        let name = path.display().to_string();
        return Err(Box::new(folder::outside_folder(&name).at(Place::file(name))));
    }
    let text = match regular_file::read_text(&path, SETTINGS_LIMIT) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Box::new(unreadable(&path.display().to_string(), &error))),
    };
    let manifest: Option<toml::Table> = toml::from_str(&text).ok();
    Ok(manifest.and_then(|manifest| Some(manifest.get("package")?.get("name")?.as_str()?.to_owned())))
}

fn unreadable(file: &str, error: &std::io::Error) -> Finding {
    Finding::error(&UNREADABLE, format!("cannot read `{file}`: {error}"))
        .at(Place::file(file))
        .help("replace it with a regular UTF-8 file that this user can read")
}

fn read(root: &Path, file: &str, boundary: &Boundary) -> (Settings, Option<PathBuf>, Vec<Finding>) {
    let path = root.join(file);
    if !boundary.contains(path.parent().unwrap_or(root)) {
        return (Settings::default(), None, vec![boundary::outside(&format!("`{file}`")).at(Place::file(file))]);
    }
    if !boundary.contains_file(&path, path.parent().unwrap_or(root)) {
        return (Settings::default(), None, vec![folder::outside_folder(file).at(Place::file(file))]);
    }
    match regular_file::read_text(&path, SETTINGS_LIMIT) {
        Ok(text) => {
            let (settings, findings) = settings::read(&text, file);
            (settings, Some(path), findings)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => (Settings::default(), None, Vec::new()),
        Err(error) => {
            let finding = unreadable(file, &error);
            (Settings::default(), None, vec![finding])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of projects; each file with its text.
    fn projects(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    /// The service, and the table of its records.
    fn place(folder: &Path) -> (String, String) {
        let (project, findings) = Project::of_folder(folder, &[]);
        assert_eq!(findings, []);
        (project.service, project.settings.run.history.records)
    }

    /// `embed_migrations!("db/changes")` and `--source db/changes` have one history.
    #[test]
    fn a_folder_of_a_package_has_its_settings() {
        let folder = projects(&[
            ("app/Cargo.toml", "[package]\nname = 'app'\n"),
            ("app/migrate.toml", "[history]\nrecords = 'app_records'\n"),
            ("app/db/changes/1_a.sql", "SELECT 1;"),
            ("named/Cargo.toml", "[package]\nname = 'crate-name'\n"),
            ("named/migrate.toml", "service = 'shop'\n"),
            ("named/db/changes/1_a.sql", "SELECT 1;"),
            ("bare/Cargo.toml", "[package]\nname = 'bare'\n"),
            ("bare/db/changes/1_a.sql", "SELECT 1;"),
            ("repository/Cargo.toml", "[package]\nname = 'outer'\n"),
            ("repository/inner/.git/HEAD", "x"),
            ("repository/inner/changes/1_a.sql", "SELECT 1;"),
        ]);
        for (package, name) in [("app", "app"), ("named", "crate-name"), ("bare", "bare")] {
            let root = folder.path().join(package);
            let (of_macro, _) = Project::of_package(&root, Some("db/changes"), name, &[]);
            let expected = (of_macro.service.clone(), of_macro.settings.run.history.records.clone());
            assert_eq!(place(&root.join("db/changes")), expected, "{package}");
            let (of_command, _) = Project::of_folder(&root.join("db/changes"), &[]);
            let listed = |project: &Project| project.list_files().files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
            assert_eq!(listed(&of_command).len(), listed(&of_macro).len());
        }
        assert_eq!(place(&folder.path().join("repository/inner/changes")).0, "changes");
    }

    /// Macro, command and library find a declared set and its service by one rule.
    #[test]
    fn a_package_has_the_sets_that_it_declares() {
        let sets = "database = 'sqlite'\n[sets]\n'db/audit' = 'shop-audit'\n'db/main' = 'shop'\n";
        let folder = projects(&[
            ("Cargo.toml", "[package]\nname = 'shop-app'\n"),
            ("migrate.toml", sets),
            ("db/main/1_a.sql", "SELECT 1;"),
            ("db/audit/migrate.toml", "database = 'postgres'\ndown = 'optional'\n"),
            ("db/audit/sql/1_a.sql", "SELECT 1;"),
        ]);
        let root = folder.path().canonicalize().unwrap();
        let services: Vec<String> = Project::all_of_package(&root, "shop-app", &[])
            .into_iter()
            .map(|(project, findings)| {
                assert_eq!(findings, []);
                project.service
            })
            .collect();
        assert_eq!(services, ["shop-audit", "shop"]);
        for (folder, service, dialect) in [
            ("db/audit", "shop-audit", Dialect::Postgres),
            ("./db/main/", "shop", Dialect::Sqlite),
            ("db/main", "shop", Dialect::Sqlite),
        ] {
            let (of_macro, findings) = Project::of_package(&root, Some(folder), "shop-app", &[]);
            assert_eq!(findings, [], "{folder}");
            let (of_command, findings) = Project::of_folder(&root.join(folder), &[]);
            assert_eq!(findings, [], "{folder}");
            for project in [of_macro, of_command] {
                assert_eq!((project.service.as_str(), project.settings.dialect), (service, Some(dialect)), "{folder}");
                assert_eq!(project.package_settings.is_some(), folder == "db/audit", "{folder}");
            }
        }
        // Neither a folder that is not declared, nor none.
        for folder in [Some("db/other"), None] {
            let (_, findings) = Project::of_package(&root, folder, "shop-app", &[]);
            assert_eq!(findings.iter().map(|finding| finding.code.name).collect::<Vec<_>>(), ["no-such-set"], "{folder:?}");
        }
        // One service, one name.
        fs::write(root.join("db/audit/migrate.toml"), "service = 'audit'\n").unwrap();
        let (_, findings) = Project::of_package(&root, Some("db/audit"), "shop-app", &[]);
        assert_eq!(findings.len(), 1, "{findings:?}");
    }

    #[test]
    fn the_settings_of_a_folder_do_not_depend_on_its_spelling() {
        let settings = "service = 'shop'\n[history]\nrecords = 'shop_records'\n";
        let nested = "dir = 'db/sql'\n[history]\nrecords = 'nested_records'\n";
        let folder = projects(&[
            ("a/migrate.toml", settings),
            ("a/migrations/1_a.sql", "SELECT 1;"),
            ("b/migrate.toml", nested),
            ("b/db/sql/1_a.sql", "SELECT 1;"),
        ]);
        let root = folder.path().canonicalize().unwrap();
        let shop = ("shop".to_owned(), "shop_records".to_owned());
        for spelling in ["a", "a/", "a/migrations", "a/migrations/", "a/./migrations", "a/migrations/.", "b/../a/migrations"] {
            assert_eq!(place(&root.join(spelling)), shop, "{spelling}");
        }
        // Without `service`, the name is that of the folder of `migrate.toml`, as without `--source`.
        for spelling in ["b", "b/db/sql", "b/db/../db/sql/."] {
            assert_eq!(place(&root.join(spelling)), ("b".to_owned(), "nested_records".to_owned()), "{spelling}");
        }
    }

    #[test]
    fn a_folder_that_no_settings_refer_to_has_none() {
        let folder = projects(&[("a/migrate.toml", "service = 'shop'\n"), ("a/other/1_a.sql", "SELECT 1;")]);
        assert_eq!(place(&folder.path().join("a/other")), ("other".to_owned(), "migration_records".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_linked_folder_has_the_settings_beside_the_link() {
        let folder = projects(&[("a/migrate.toml", "service = 'shop'\n"), ("releases/7/migrations/1_a.sql", "SELECT 1;")]);
        let root = folder.path();
        std::os::unix::fs::symlink(root.join("releases/7/migrations"), root.join("a/migrations")).unwrap();
        assert_eq!(place(&root.join("a/migrations")).0, "shop");
        // Each release has a folder of its own, and a link to the latest one.
        let app = projects(&[("releases/7/migrations/1_a.sql", "SELECT 1;")]);
        std::os::unix::fs::symlink(app.path().join("releases/7"), app.path().join("current")).unwrap();
        assert_eq!(place(&app.path().join("current/migrations")).0, "current");
        assert_eq!(place(&app.path().join("current/./migrations/")).0, "current");
    }
}
