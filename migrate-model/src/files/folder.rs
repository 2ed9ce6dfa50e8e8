//! Reads the migration folders. Only this module, `project` and `regular_file` access the file system.
//!
//! All problems of a folder are reported together. Each file is read once: text, checksums and statements come from the
//! same bytes.

use crate::checksum::Checksum;
use crate::code::Code;
use crate::dialect::Dialect;
use crate::directives;
use crate::files::boundary::{self, Boundary};
use crate::files::lock_file::{self, LockFile};
use crate::files::parallel;
use crate::files::regular_file::{self, LOCK_LIMIT, MIGRATION_LIMIT};
use crate::files::settings::{self, Settings};
use crate::finding::Finding;
use crate::finding_list::FindingList;
use crate::layout::{FolderUse, Layout, NameMatch, ParsedName};
use crate::layouts;
use crate::migration::Migration;
use crate::migration_set::{MigrationSet, SetSummary};
use crate::place::{Place, Position, SourceText};
use crate::script::Script;
use crate::set_settings::SetSettings;
use crate::statement::Reading;
use crate::target::Direction;
use crate::version::Version;
use crate::visible;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A file that contains one direction of a migration.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The name in the lock file: the path inside the migrations folder.
    pub name: String,
    /// The path in messages, relative to the package.
    pub display_path: String,
    /// The path on disk.
    pub path: PathBuf,
    /// The version, with the name if `same-version` is `by-name`.
    pub version: Version,
    /// Up or down.
    pub direction: Direction,
    /// The layout that recognizes the name.
    pub layout: &'static Layout,
    /// The migration name: what follows the version.
    pub title: String,
}

/// The migration files of all folders, before any file is opened.
#[derive(Debug, Default)]
pub struct FileList {
    /// In version order, up before down.
    pub files: Vec<SourceFile>,
    /// Problems of folders and names.
    pub findings: Vec<Finding>,
    /// The migration folders, in the order of the settings.
    pub dirs: Vec<PathBuf>,
}

/// The contents of the migration folders.
#[derive(Debug)]
pub struct Folder {
    /// The migrations. Complete only if no finding is an error.
    pub set: MigrationSet,
    /// Problems of names, of the lock file and of up migrations.
    pub findings: Vec<Finding>,
    /// Problems of down migrations, which do not block `up`.
    pub down_findings: Vec<Finding>,
    /// The files with their checksums, in version order, up before down.
    pub files: Vec<(SourceFile, Checksum)>,
    /// The contents of `migrate.lock`, if it exists and is not empty.
    pub lock: Option<LockFile>,
    /// The path of `migrate.lock`, even if it does not exist.
    pub lock_path: PathBuf,
    /// `lock_path` as shown in messages.
    pub lock_display_path: String,
}

/// The migrations folder does not exist.
pub static NO_FOLDER: Code = Code::new(
    "no-folder",
    "The migrations folder does not exist, or is not a folder. It is `migrations/` in the folder of `Cargo.toml`, or the folder \
     that `dir` in `migrate.toml` sets. `cargo migrate init` creates it.",
);

/// A file or folder that cannot be read.
pub static UNREADABLE: Code = Code::new(
    "unreadable",
    "A file or folder cannot be read: access is denied, a link is broken, or the file is not a regular file. The file or folder may contain migrations, so it is not skipped. Correct the permissions, or replace it with a regular file or \
     folder.",
);

/// A file that is not UTF-8.
pub static NOT_UTF8: Code = Code::new(
    "not-utf8",
    "SQL is sent to the database as UTF-8, but this file contains bytes that are not valid UTF-8. Save the file as UTF-8, for example \
     with `iconv -f WINDOWS-1252 -t UTF-8`.",
);

/// A file that contains the character U+0000.
pub static NUL_CHARACTER: Code = Code::new(
    "nul-character",
    "The file contains the character U+0000. PostgreSQL rejects it, and SQLite treats it as the end of the text, so the SQL \
     after it would never run. Usually the file was saved as UTF-16. Save it as UTF-8.",
);

/// A `.sql` file whose name no layout recognizes.
pub static BAD_NAME: Code = Code::new(
    "bad-name",
    "The migrations folder contains a `.sql` file whose name is not a valid migration name, so it would never be applied. Usually \
     the version is missing. Rename the file (`001_create_users.up.sql`, `001_create_users.sql`, `V001__create_users.sql`), move \
     it elsewhere, or list it under `ignore` in `migrate.toml`.",
);

/// Two migrations with the same version.
pub static DUPLICATE_VERSION: Code = Code::new(
    "duplicate-version",
    "Two migrations have the same version (`001` and `1` are the same). Their order is undefined, and the history cannot \
     distinguish them. This happens when two branches both add a migration. `cargo migrate renumber` gives the next free \
     version to the file that is neither locked nor applied.",
);

/// A down migration without an up migration.
pub static DOWN_WITHOUT_UP: Code = Code::new(
    "down-without-up",
    "A down migration has a version without an up migration. Usually one file of a pair was renamed, or is missing from a \
     commit.",
);

/// Files of different layouts in one folder.
pub static MIXED_LAYOUTS: Code = Code::new(
    "mixed-layouts",
    "The folder contains files of different layouts (naming conventions). Often the name of one file is misspelled, so that it is read in another layout than intended. Rename the files, or list all their layouts under `layouts` in `migrate.toml`.",
);

/// The two files of a pair have different names.
pub static PAIR_NAMES_DIFFER: Code = Code::new(
    "pair-names-differ",
    "The up migration and the down migration of one version have different names. They form a pair, because only the version \
     counts, but a search by name finds only one of them. Rename one of them.",
);

/// A migration that is a program.
pub static NOT_SQL: Code = Code::new(
    "not-sql",
    "The name of this file is that of a migration, but the file is a program, not SQL, so it is never run. Other tools run such \
     migrations. Write the migration as a `.sql` file; or, if the application runs the program, list the file under `ignore` in \
     `migrate.toml`.",
);

/// The extensions of programs that other tools run as migrations.
const PROGRAMS: [&str; 17] =
    ["cjs", "cs", "ex", "exs", "go", "groovy", "java", "js", "kt", "mjs", "php", "pl", "py", "rb", "rs", "sh", "ts"];

/// A symbolic link to a target outside the folder.
pub static OUTSIDE_FOLDER: Code = Code::new(
    "outside-folder",
    "The target of a symbolic link is outside the folder that contains the link. The target is neither reviewed nor \
     locked with this folder, so the link is not followed. Put the file itself into the folder.",
);

/// Well-known `.sql` files that are not migrations.
const NO_MIGRATIONS: [&str; 5] = ["schema.sql", "structure.sql", "LATEST.sql", "seed.sql", "seeds.sql"];

/// Well-known sub-folders that contain no migrations.
const NO_MIGRATION_FOLDERS: [&str; 7] = ["tests", "test", "scripts", "seeds", "fixtures", "snapshots", "meta"];

/// The migration files in the folders of `settings`, which are relative to `root`.
pub fn list_files(root: &Path, settings: &Settings, boundary: &Boundary) -> FileList {
    let mut names = FileList::default();
    let default = ["migrations".to_owned()];
    let dirs = if settings.dirs.is_empty() { &default[..] } else { &settings.dirs[..] };
    for (at, dir) in dirs.iter().enumerate() {
        let path = root.join(dir);
        let display_dir = display_dir(dir);
        // The lock file is in the first folder. In it, the files of other folders have the folder as prefix.
        let prefix = if at == 0 { String::new() } else { format!("{}/", dir.trim_end_matches('/')) };
        if let Some(finding) = hidden_characters(dir) {
            names.findings.push(finding.at(Place::file(display_dir)));
        } else if !boundary.contains(&path) {
            let name = if display_dir.is_empty() { "." } else { display_dir.as_str() };
            names.findings.push(boundary::outside(&format!("the migrations folder `{name}`")).at(Place::file(name)));
        } else if path.is_dir() {
            let place = FolderPlace { display_dir: &display_dir, lock_prefix: &prefix, boundary };
            read_names(&path, place, settings, &mut names);
        } else {
            let name = match display_dir.trim_end_matches('/') {
                "" => root.display().to_string(),
                name => name.to_owned(),
            };
            names.findings.push(Finding::error(&NO_FOLDER, format!("there is no folder `{name}`")).at(Place::file(name)).help(
                "create it with `cargo migrate init`, or choose another folder with `--source` or with `dir` in `migrate.toml`",
            ));
        }
        names.dirs.push(path);
    }
    names.files.sort_by(|left, right| {
        let by_version = left.version.cmp(&right.version).then(left.direction.cmp(&right.direction));
        by_version.then_with(|| left.name.cmp(&right.name))
    });
    check_layouts(&mut names, settings);
    check_duplicates(&mut names);
    names
}

fn display_dir(dir: &str) -> String {
    match dir.trim_start_matches("./").trim_end_matches('/') {
        "" | "." => String::new(),
        dir => format!("{dir}/"),
    }
}

/// The maximum depth of sub-folders that are searched.
const DEPTH: usize = 4;

/// How a folder is called, and which targets its links may have.
#[derive(Clone, Copy)]
struct FolderPlace<'a> {
    display_dir: &'a str,
    lock_prefix: &'a str,
    boundary: &'a Boundary,
}

/// Collects the paths of the files in a folder and its sub-folders: relative, with `/` as separator, sorted.
fn collect_paths(folder: &Path, prefix: &str, place: FolderPlace<'_>, list: &mut FileList, paths: &mut Vec<String>) {
    let display_dir = place.display_dir;
    let unreadable = |error: &std::io::Error| {
        Finding::error(&UNREADABLE, format!("cannot read `{display_dir}{prefix}`: {error}"))
            .at(Place::file(folder.display().to_string()))
            .help("grant this user read permission")
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return list.findings.push(unreadable(&error)),
    };
    for entry in entries {
        let classified = match &entry {
            Ok(entry) => classify(entry, folder, prefix, place.boundary),
            Err(error) => {
                list.findings.push(unreadable(error));
                continue;
            }
        };
        match (classified, entry) {
            (Entry::File(name), _) => paths.push(format!("{prefix}{name}")),
            // Deeper files are not migrations, but they are reported.
            (Entry::Folder(name), Ok(entry)) if prefix.matches('/').count() < DEPTH => {
                collect_paths(&entry.path(), &format!("{prefix}{name}/"), place, list, paths);
            }
            (Entry::Folder(_) | Entry::Skipped, _) => {}
            (Entry::Rejected(name, finding), _) => {
                list.findings.push(finding.at(Place::file(format!("{display_dir}{prefix}{name}"))));
            }
        }
    }
    paths.sort_unstable();
}

/// What an entry of a folder is.
enum Entry {
    /// A file, by name.
    File(String),
    /// A folder that may contain migrations.
    Folder(String),
    /// Not a migration, and of no concern.
    Skipped,
    /// A name, and what is wrong with it.
    Rejected(String, Finding),
}

fn classify(entry: &fs::DirEntry, folder: &Path, prefix: &str, boundary: &Boundary) -> Entry {
    let name = match entry.file_name().into_string() {
        Ok(name) => name,
        Err(name) => {
            let name = name.to_string_lossy().into_owned();
            if !is_sql(&name) {
                return Entry::Skipped;
            }
            let shown_name = visible::one_line(&name);
            let finding = Finding::error(&BAD_NAME, format!("the name of `{prefix}{shown_name}` is not UTF-8"))
                .help("rename it; the lock file and the history store names as UTF-8");
            return Entry::Rejected(name, finding);
        }
    };
    if name.starts_with('.') || name == lock_file::FILE || name == settings::FILE {
        return Entry::Skipped;
    }
    // Listing the folder tells the kind of most entries. Of a link, and where it does not tell, the target is asked.
    let listed = entry.file_type().ok().filter(|kind| !kind.is_symlink());
    let is_link = listed.is_none() && entry.path().is_symlink();
    let kind = listed.map_or_else(|| fs::metadata(entry.path()).map(|metadata| metadata.file_type()), Ok);
    let is_read = is_link || is_sql(&name) || kind.as_ref().is_ok_and(fs::FileType::is_dir);
    if is_read && let Some(finding) = hidden_characters(&format!("{prefix}{name}")) {
        return Entry::Rejected(name, finding);
    }
    if is_link && kind.is_err() {
        let finding = Finding::error(&UNREADABLE, format!("`{prefix}{name}` is a broken symbolic link"));
        return Entry::Rejected(name, finding.help("put the file itself into the folder"));
    }
    if listed.is_none() && !boundary.contains_file(&entry.path(), folder) {
        let finding = outside_folder(&format!("{prefix}{name}"));
        return Entry::Rejected(name, finding);
    }
    match kind {
        Ok(kind) if kind.is_dir() && NO_MIGRATION_FOLDERS.contains(&name.as_str()) => Entry::Skipped,
        Ok(kind) if kind.is_dir() => Entry::Folder(name),
        // Reading a named pipe would block forever.
        Ok(kind) if is_sql(&name) && !kind.is_file() => {
            let finding = Finding::error(&UNREADABLE, format!("`{prefix}{name}` is not a regular file"));
            Entry::Rejected(name, finding.help("replace it with a regular file"))
        }
        _ => Entry::File(name),
    }
}

/// The finding for a name with control characters. A line break would end its line in the lock file, and others would change what
/// is displayed around the name.
fn hidden_characters(name: &str) -> Option<Finding> {
    let hidden = name.chars().find(|letter| visible::is_hidden(*letter))?;
    let message = format!("the name `{}` contains the control character U+{:04X}", visible::one_line(name), u32::from(hidden));
    Some(Finding::error(&BAD_NAME, message).help("rename it; a name must contain only printable characters"))
}

fn is_sql(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".sql")
}

/// The finding for a link that leads out of its folder.
pub fn outside_folder(name: &str) -> Finding {
    Finding::error(
        &OUTSIDE_FOLDER,
        format!("the target of the symbolic link `{name}` is outside the folder that contains the link"),
    )
    .help("put the file itself into the folder")
}

/// What is known about a folder before its files are parsed one by one.
struct FolderPaths {
    paths: Vec<String>,
    /// For each layout in the list, what it has detected.
    detected: Vec<bool>,
    /// What the sub-folders are for, where a layout uses them.
    uses: HashMap<String, FolderUse>,
}

impl FolderPaths {
    fn of(paths: Vec<String>) -> Self {
        let detected = layouts::ALL.iter().map(|layout| (layout.detect)(&paths)).collect();
        let mut uses = HashMap::new();
        for path in &paths {
            let Some((folder, _)) = path.split_once('/') else { continue };
            if let Some(folder_use) = layouts::ALL.iter().find_map(|layout| (layout.folder_use)(path)) {
                uses.insert(folder.to_owned(), folder_use);
            }
        }
        FolderPaths { paths, detected, uses }
    }

    /// The first layout that a path belongs to.
    fn parse(&self, path: &str) -> Option<(&'static Layout, NameMatch)> {
        let is_deeper = path.matches('/').count() > 1;
        let matches =
            layouts::ALL.iter().zip(&self.detected).map(|(layout, detected)| (*layout, (layout.parse)(*detected, path)));
        matches.into_iter().find(|(_, name)| !is_deeper && *name != NameMatch::NoMatch)
    }
}

fn is_ignored(path: &str, settings: &Settings) -> bool {
    let base = path.rsplit('/').next().unwrap_or(path);
    let folder = path.split_once('/').map(|(folder, _)| folder);
    let is_named = |ignored: &String| ignored == path || ignored == base || Some(ignored.trim_end_matches('/')) == folder;
    settings.ignore.iter().any(is_named) || NO_MIGRATIONS.contains(&base)
}

/// The finding for a program with the name of a migration; `None` for other files.
fn program(path: &str, paths: &FolderPaths) -> Option<Finding> {
    let (name, extension) = path.rsplit_once('.')?;
    let is_program = PROGRAMS.contains(&extension.to_ascii_lowercase().as_str());
    let is_named = || matches!(paths.parse(&format!("{name}.sql")), Some((_, NameMatch::Matched(_))));
    (is_program && is_named()).then(|| {
        Finding::warning(&NOT_SQL, format!("`{path}` has the name of a migration, but is not SQL, so it is never run"))
            .help("write it as SQL, or list it under `ignore` in `migrate.toml`")
    })
}

fn read_names(folder: &Path, place: FolderPlace<'_>, settings: &Settings, list: &mut FileList) {
    let FolderPlace { display_dir, lock_prefix, .. } = place;
    let mut paths = Vec::new();
    collect_paths(folder, "", place, list, &mut paths);
    let paths = FolderPaths::of(paths);
    let mut reported_folders = HashSet::new();
    for path in paths.paths.iter().filter(|path| !is_ignored(path, settings)) {
        let display_path = format!("{display_dir}{path}");
        if !is_sql(path) {
            list.findings.extend(program(path, &paths).map(|finding| finding.at(Place::file(display_path))));
            continue;
        }
        let sub_folder = path.split_once('/').map(|(folder, _)| folder);
        let finding = match paths.parse(path) {
            Some((layout, NameMatch::Matched(ParsedName { version, name: title, direction }))) => {
                let version = if settings.same_version_by_name { version.named(&title) } else { version };
                let name = format!("{lock_prefix}{path}");
                list.files.push(SourceFile { path: folder.join(path), name, display_path, version, direction, layout, title });
                continue;
            }
            Some((_, NameMatch::Unsupported(why))) => Finding::error(&BAD_NAME, why)
                .help("rename it to a versioned migration, or list it under `ignore` in `migrate.toml`"),
            Some((_, NameMatch::NoMatch)) | None => match sub_folder.map(|sub_folder| (sub_folder, paths.uses.get(sub_folder))) {
                // Other files in the folder of one migration are ignored.
                Some((_, Some(FolderUse::OneMigration))) => continue,
                None | Some((_, Some(FolderUse::DownMigrations))) => {
                    Finding::error(&BAD_NAME, format!("`{path}` has no version in its name"))
                        .help("name it like `001_create_users.up.sql`, or list it under `ignore` in `migrate.toml`")
                }
                // One finding for the whole folder.
                Some((sub_folder, None)) if !reported_folders.insert(sub_folder) => continue,
                Some((sub_folder, None)) => {
                    let message = format!("`{sub_folder}/` contains `.sql` files that are not read as migrations");
                    Finding::error(&BAD_NAME, message)
                        .help("move the migrations from this folder into the migrations folder itself; if this folder contains no migrations, list the folder under `ignore` in `migrate.toml`")
                }
            },
        };
        list.findings.push(finding.at(Place::file(display_path)));
    }
}

fn check_layouts(names: &mut FileList, settings: &Settings) {
    let mut by_layout: BTreeMap<&str, (usize, &SourceFile)> = BTreeMap::new();
    for file in &names.files {
        by_layout.entry(file.layout.name).or_insert((0, file)).0 += 1;
    }
    if by_layout.len() > 1 {
        let most = by_layout.values().map(|(count, _)| *count).max().unwrap_or(0);
        let main = by_layout.iter().find(|(_, (count, _))| *count == most).map_or("", |(name, _)| name);
        let allowed = |name: &str| settings.layouts.iter().any(|layout| layout.name == name);
        let odd: Vec<Finding> = by_layout
            .iter()
            .filter(|(name, _)| **name != main && !(allowed(name) && allowed(main)))
            .map(|(name, (_, file))| {
                let message = format!("`{}` has the layout `{name}`, but the other files have the layout `{main}`", file.name);
                Finding::error(&MIXED_LAYOUTS, message)
                    .at(Place::file(file.display_path.clone()))
                    .help("rename it to match the other files")
                    .help(format!("or allow both: `layouts = [\"{main}\", \"{name}\"]` in `migrate.toml`"))
            })
            .collect();
        names.findings.extend(odd);
    }
}

fn check_duplicates(names: &mut FileList) {
    let mut findings = Vec::new();
    let is_duplicate = |left: &SourceFile, right: &SourceFile| left.version == right.version && left.direction == right.direction;
    for pair in names.files.windows(2).filter(|pair| is_duplicate(&pair[0], &pair[1])) {
        let [first, second] = pair else { continue };
        findings.push(
            Finding::error(&DUPLICATE_VERSION, format!("`{}` and `{}` have the same version", first.name, second.name))
                .at(Place::file(second.display_path.clone()))
                .help("give the next free version to the file that has not been applied to any database: `cargo migrate renumber`")
                .help("or, if this is intended, set `same-version = \"by-name\"` in `migrate.toml`: files of the same version are then applied in the order of their names"),
        );
    }
    for pair in names.files.chunk_by(|left, right| left.version == right.version) {
        match pair {
            [down] if down.direction == Direction::Down => findings.push(
                Finding::error(
                    &DOWN_WITHOUT_UP,
                    format!("`{}` reverts version {}, which has no up migration", down.name, down.version),
                )
                .at(Place::file(down.display_path.clone()))
                .help("add or rename the up migration, or remove this file"),
            ),
            [up, down] if up.direction < down.direction && up.title != down.title => findings.push(
                Finding::warning(
                    &PAIR_NAMES_DIFFER,
                    format!("`{}` is the down migration of `{}`, but has a different name", down.name, up.name),
                )
                .at(Place::file(down.display_path.clone()))
                .help("rename one of them"),
            ),
            _ => {}
        }
    }
    names.findings.append(&mut findings);
}

/// After so many findings in all files, only a few of each further file are kept.
const MAX_LISTED: usize = 50_000;
const LISTED_OF_FILE: usize = 10;

/// Reads the migration folders of `settings`, which are relative to `root`.
pub fn read(root: &Path, settings: &Settings, boundary: &Boundary, dialect: Dialect, service: &str) -> Folder {
    let FileList { files, mut findings, dirs } = list_files(root, settings, boundary);
    let lock_path = dirs.first().map_or_else(|| root.join(lock_file::FILE), |dir| dir.join(lock_file::FILE));
    let display_dir = settings.dirs.first().map_or("migrations/".to_owned(), |dir| display_dir(dir));
    let lock_display_path = format!("{display_dir}{}", lock_file::FILE);
    let lock = read_lock(&lock_path, &lock_display_path, boundary, &mut findings);
    let mut down_findings = Vec::new();
    let mut read_files = Vec::with_capacity(files.len());
    let mut migrations: Vec<Migration> = Vec::with_capacity(files.len());
    let reading = Reading::after(&settings.run.session, dialect);
    let listed = AtomicUsize::new(0);
    let scripts = parallel::map(&files, |file| -> Result<(Script, Vec<Finding>), Box<Finding>> {
        let (script, problems) = Script::read(read_text(file)?, &file.display_path, reading);
        if listed.fetch_add(problems.len(), Ordering::Relaxed) > MAX_LISTED {
            let mut shortened: FindingList = problems.into_iter().collect();
            shortened.truncate(LISTED_OF_FILE);
            return Ok((script, shortened.into_vec(&file.display_path)));
        }
        Ok((script, problems))
    });
    for (file, script) in files.into_iter().zip(scripts) {
        let findings = match file.direction {
            Direction::Up => &mut findings,
            Direction::Down => &mut down_findings,
        };
        let (script, problems) = match script {
            Ok(read) => read,
            Err(finding) => {
                findings.push(*finding);
                continue;
            }
        };
        findings.extend(problems);
        if file.direction == Direction::Up {
            let source = SourceText::new(&script.file, &script.text);
            findings.extend(directives::down_part(&source, &script.statements, dialect));
        }
        read_files.push((file.clone(), script.checksum));
        match (file.direction, migrations.last_mut()) {
            (Direction::Down, Some(last)) if last.version == file.version && last.down.is_none() => last.down = Some(script),
            (Direction::Down, _) => {}
            (Direction::Up, _) => {
                migrations.push(Migration { version: file.version, name: Cow::Owned(file.title), up: script, down: None })
            }
        }
    }
    let settings = SetSettings { service: service.to_owned(), dialect, run: settings.run.clone() };
    let set = MigrationSet::new(settings, migrations);
    Folder { set, findings, down_findings, files: read_files, lock, lock_path, lock_display_path }
}

/// The summary of the migrations, from the bytes of the up files alone: enough to find out that a database has applied exactly
/// these. `None` if there is any problem, which [`read`] reports.
pub fn summarize(root: &Path, settings: &Settings, boundary: &Boundary) -> Option<SetSummary> {
    let FileList { mut files, mut findings, dirs } = list_files(root, settings, boundary);
    let lock_path = dirs.first().map_or_else(|| root.join(lock_file::FILE), |dir| dir.join(lock_file::FILE));
    read_lock(&lock_path, lock_file::FILE, boundary, &mut findings);
    files.retain(|file| file.direction == Direction::Up);
    if !findings.is_empty() {
        return None;
    }
    let checksums = parallel::map(&files, |file| {
        let text = read_text(file).ok()?;
        Some(Checksum::of_file(text.strip_prefix('\u{feff}').unwrap_or(&text).as_bytes()))
    });
    let checksums: Vec<Checksum> = checksums.into_iter().collect::<Option<_>>()?;
    Some(SetSummary::of(files.iter().map(|file| &file.version).zip(&checksums)))
}

/// The lock file, if there is one and it may be read.
fn read_lock(path: &Path, display_path: &str, boundary: &Boundary, findings: &mut Vec<Finding>) -> Option<LockFile> {
    let folder = path.parent().unwrap_or(path);
    // A folder outside the repository was reported when its files were listed.
    if !boundary.contains(folder) {
        return None;
    }
    if !boundary.contains_file(path, folder) {
        findings.push(outside_folder(display_path).at(Place::file(display_path)));
        return None;
    }
    match regular_file::read_text(path, LOCK_LIMIT) {
        // An interrupted `cargo migrate new` leaves an empty lock file.
        Ok(text) if text.is_empty() => None,
        Ok(text) => {
            let (lock, problems) = lock_file::read(&text, display_path);
            findings.extend(problems);
            Some(lock)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => {
            let finding = Finding::error(&UNREADABLE, format!("cannot read the lock file: {error}"));
            findings.push(finding.at(Place::file(display_path)).help("replace it with a regular file that this user can read"));
            None
        }
    }
}

fn read_text(file: &SourceFile) -> Result<String, Box<Finding>> {
    let bytes = regular_file::read_listed(&file.path, MIGRATION_LIMIT).map_err(|error| {
        Finding::error(&UNREADABLE, format!("cannot read `{}`: {error}", file.name))
            .at(Place::file(file.display_path.clone()))
            .help(match error.kind() {
                ErrorKind::FileTooLarge => "split the file into several migrations",
                ErrorKind::PermissionDenied => "grant this user read permission",
                _ => "replace it with a regular file that this user can read",
            })
    })?;
    // `contains` is fast even in an unoptimized build.
    if bytes.contains(&0)
        && let Some(at) = bytes.iter().position(|byte| *byte == 0)
    {
        let line = bytes[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        let finding = Finding::error(&NUL_CHARACTER, format!("line {line} contains a NUL character"))
            .at(Place::file(file.display_path.clone()))
            .help("remove it; if the file was saved as UTF-16, save it as UTF-8");
        return Err(Box::new(finding));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let byte = error.as_bytes()[valid];
        let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
        let at = Position::of(&before, before.len());
        let message = format!("byte 0x{byte:02x} at line {}, column {} is not valid UTF-8", at.line, at.column);
        let finding =
            Finding::error(&NOT_UTF8, message).at(Place::file(file.display_path.clone())).help("save the file as UTF-8");
        Box::new(finding)
    })
}
