//! Shows the files of a project by their paths from the current folder: several packages may contain files of the same name, and
//! a path of a package does not exist in the folder above it.

use migrate_cli::CommandError;
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use std::path::{Component, Path, PathBuf};

/// A path of a project, relative to the current folder.
pub fn shown(project: &Project, file: &str) -> String {
    // The root of the project is shown as given on the command line.
    let is_root = file == project.root.display().to_string();
    let relative = from_current_folder(&project.root.join(file)).filter(|_| !is_root);
    relative.unwrap_or_else(|| file.to_owned())
}

/// A path, relative to the current folder; absolute if the two have only the root of the file system in common.
pub fn shown_path(path: &Path) -> String {
    from_current_folder(path).unwrap_or_else(|| path.display().to_string())
}

/// `None` if the current folder cannot be determined: then a path that is certainly right is shown, although it is longer.
fn from_current_folder(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    Some(relative(&path, &std::env::current_dir().ok()?).display().to_string())
}

/// An absolute path, relative to a folder whose path contains no links.
fn relative(path: &Path, folder: &Path) -> PathBuf {
    let common: PathBuf = path.components().zip(folder.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
    let (Ok(rest), Ok(above)) = (path.strip_prefix(&common), folder.strip_prefix(&common)) else { return path.to_owned() };
    if common.parent().is_none() && folder.parent().is_some() {
        return path.to_owned();
    }
    above.components().map(|_| Component::ParentDir).chain(rest.components()).collect()
}

/// A finding whose place is relative to the current folder instead of its package.
pub fn relative_to_cwd(project: &Project, mut finding: Finding) -> Finding {
    if let Some(place) = &mut finding.place {
        place.file = shown(project, &place.file);
    }
    finding
}

/// The error about findings of a project.
pub fn rejected(project: &Project, findings: impl IntoIterator<Item = Finding>) -> CommandError {
    CommandError::Findings(findings.into_iter().map(|finding| relative_to_cwd(project, finding)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_from_a_folder() {
        for (path, folder, expected) in [
            ("/a/b/c.sql", "/a/b", "c.sql"),
            ("/a/b/./c.sql", "/a/b", "c.sql"),
            ("/a/.env", "/a/b/c", "../../.env"),
            ("/a/x/y.sql", "/a/b", "../x/y.sql"),
            ("/a/bc/d", "/a/b", "../bc/d"),
            ("/x/y", "/a/b", "/x/y"),
            ("/x/y", "/", "x/y"),
        ] {
            assert_eq!(relative(Path::new(path), Path::new(folder)), Path::new(expected), "{path} from {folder}");
        }
    }
}
