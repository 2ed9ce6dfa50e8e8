//! Shows the files of a project by their paths from the current folder: several packages may contain files of the same name, and
//! a path of a package does not exist in the folder above it.

use migrate_cli::CommandError;
use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use std::path::{Path, PathBuf};

/// A path of a project, relative to the current folder; unchanged if it is not in this folder.
pub fn shown(project: &Project, file: &str) -> String {
    // The root of the project is shown as given on the command line.
    let is_root = file == project.root.display().to_string();
    let relative = from_current_folder(&project.root.join(file)).filter(|_| !is_root);
    relative.unwrap_or_else(|| file.to_owned())
}

/// A path, relative to the current folder; unchanged if it is not in this folder.
pub fn shown_path(path: &Path) -> String {
    from_current_folder(path).unwrap_or_else(|| path.display().to_string())
}

/// `None` if the path is not in the current folder, or if that folder cannot be determined: then a path that is certainly right is
/// shown, although it is longer.
fn from_current_folder(path: &Path) -> Option<String> {
    let path = std::path::absolute(path).ok()?;
    let relative = path.strip_prefix(std::env::current_dir().ok()?).ok()?;
    Some(relative.components().collect::<PathBuf>().display().to_string())
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
