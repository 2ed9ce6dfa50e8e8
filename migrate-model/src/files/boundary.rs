//! The folders that the files of a project may be in.
//!
//! `migrate.toml` and symbolic links are part of a repository, which may be a stranger's, and must not make the compiler
//! or the command read or write elsewhere. A user who wants that names the folder outside the repository: with
//! `--source`, or in the variable `MIGRATE_ALLOW_OUTSIDE`.

use crate::code::Code;
use crate::finding::Finding;
use std::path::{Component, Path, PathBuf};

/// The variable of the environment that lists further folders, separated as in `PATH`.
pub const ALLOW_OUTSIDE: &str = "MIGRATE_ALLOW_OUTSIDE";

/// A folder or a link that leads out of the repository.
pub static OUTSIDE_REPOSITORY: Code = Code::new(
    "outside-repository",
    "A folder that `dir` in `migrate.toml` sets, or the target of a symbolic link, is outside the repository. A repository may contain files of an untrusted author, so files outside it are neither read nor written. The \
     root of the repository is the nearest enclosing folder that contains `.git`; without one, it is the outermost \
     enclosing folder that contains `Cargo.toml` or `migrate.toml`. The folder `.git` itself counts as outside. To allow a folder outside the repository, specify it with `--source`, or list it in the environment variable `MIGRATE_ALLOW_OUTSIDE`, separated as in `PATH`.",
);

/// The folders that the files of a project may be in, with their links resolved.
#[derive(Debug, Clone, Default)]
pub struct Boundary {
    repository: PathBuf,
    allowed: Vec<PathBuf>,
}

impl Boundary {
    /// The repository of a folder, and the folders that the user allows in addition.
    pub fn of(root: &Path, allowed: &[PathBuf]) -> Self {
        let root = resolved(root).unwrap_or_default();
        let allowed = allowed.iter().filter_map(|folder| folder.canonicalize().ok()).collect();
        Boundary { repository: repository(&root).to_owned(), allowed }
    }

    /// Also allows a folder that the user names.
    pub fn allow(&mut self, folder: &Path) {
        self.allowed.extend(folder.canonicalize());
    }

    /// Whether a path is in the repository or in an allowed folder, after its links are followed. What does not exist yet
    /// would be created there.
    pub fn contains(&self, path: &Path) -> bool {
        let Some(path) = resolved(path) else { return false };
        let in_repository = path.strip_prefix(&self.repository).is_ok_and(|inner| {
            !self.repository.as_os_str().is_empty()
                && inner.components().all(|part| !part.as_os_str().eq_ignore_ascii_case(".git"))
        });
        in_repository || self.is_allowed(&path)
    }

    /// Whether a file may be read: it is not a link, or its target is in the folder or in an allowed one.
    pub fn contains_file(&self, file: &Path, folder: &Path) -> bool {
        if !file.is_symlink() {
            return true;
        }
        let (Ok(target), Ok(folder)) = (file.canonicalize(), folder.canonicalize()) else { return false };
        target.starts_with(folder) || self.is_allowed(&target)
    }

    fn is_allowed(&self, path: &Path) -> bool {
        self.allowed.iter().any(|allowed| path.starts_with(allowed))
    }
}

/// The finding for a path outside the boundary; `what` begins the sentence.
pub fn outside(what: &str) -> Finding {
    Finding::error(&OUTSIDE_REPOSITORY, format!("{what} is outside the repository"))
        .help("put the files into the repository")
        .help(format!("or allow the folder in the environment: `{ALLOW_OUTSIDE}=FOLDER`"))
}

/// The repository that contains a folder.
fn repository(folder: &Path) -> &Path {
    let with_git = folder.ancestors().find(|above| above.join(".git").exists());
    let is_project = |above: &&Path| ["Cargo.toml", "migrate.toml"].iter().any(|name| above.join(name).exists());
    with_git.or_else(|| folder.ancestors().filter(is_project).last()).unwrap_or(folder)
}

/// A path without links and `..`; what does not exist is appended to the nearest folder that does. `None` if that is not
/// possible.
fn resolved(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let existing = path.ancestors().find(|above| above.symlink_metadata().is_ok())?;
    let rest = path.strip_prefix(existing).ok()?;
    let is_plain = rest.components().all(|part| matches!(part, Component::Normal(_)));
    // A link whose target does not exist leads somewhere unknown.
    Some(existing.canonicalize().ok().filter(|_| is_plain)?.join(rest))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_in_the_repository() {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path();
        for folder in ["repo/.git/x", "repo/app/migrations", "repo/shared", "other/migrations"] {
            fs::create_dir_all(base.join(folder)).unwrap();
        }
        for (link, target) in [
            ("repo/inner", "shared"),
            ("repo/outer", "../other"),
            ("repo/git", ".git"),
            ("repo/broken", "../nowhere"),
            ("current", "repo"),
        ] {
            symlink(target, base.join(link)).unwrap();
        }
        let boundary = Boundary::of(&base.join("repo/app"), &[]);
        for (path, inside) in [
            ("repo/app/migrations", true),
            ("repo/app/../shared", true),
            ("repo/inner/new/folder", true),
            ("current/app", true),
            ("repo/app/missing/../../../other", false),
            ("repo/app/../../other", false),
            ("repo/outer", false),
            ("repo/outer/new", false),
            ("repo/broken", false),
            ("repo/broken/new", false),
            ("repo/.git", false),
            ("repo/git/x", false),
            ("other/migrations", false),
            ("repository-with-the-same-prefix", false),
        ] {
            assert_eq!(boundary.contains(&base.join(path)), inside, "{path}");
        }
        let allowed = Boundary::of(&base.join("repo/app"), &[base.join("other")]);
        assert!(allowed.contains(&base.join("repo/outer/migrations")) && !allowed.contains(base));
        // Through a link above, as `current`, the repository is the same.
        assert!(Boundary::of(&base.join("current/app"), &[]).contains(&base.join("repo/shared")));
    }

    #[test]
    fn links_of_a_mounted_folder_stay_in_it() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("mounted");
        fs::create_dir_all(folder.join("..2026_01/sub")).unwrap();
        fs::write(folder.join("..2026_01/migrate.lock"), "").unwrap();
        symlink("..2026_01", folder.join("..data")).unwrap();
        symlink("..data/migrate.lock", folder.join("migrate.lock")).unwrap();
        symlink("../elsewhere", folder.join("out")).unwrap();
        let boundary = Boundary::of(&folder, &[]);
        assert!(boundary.contains_file(&folder.join("migrate.lock"), &folder));
        assert!(boundary.contains_file(&folder.join("missing"), &folder));
        assert!(!boundary.contains_file(&folder.join("out"), &folder));
    }
}
