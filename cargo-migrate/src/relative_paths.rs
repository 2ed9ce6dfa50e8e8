//! Converts the places of findings to paths relative to the current folder.

use migrate_model::files::project::Project;
use migrate_model::finding::Finding;
use std::path::PathBuf;

/// Makes the place of a finding relative to the current folder instead of its package, because several packages may contain
/// files of the same name.
pub fn relative_to_cwd(project: &Project, mut finding: Finding) -> Finding {
    let current_dir = std::env::current_dir().unwrap_or_default();
    // The root of the project is shown as given on the command line.
    let root = project.root.display().to_string();
    if let Some(place) = finding.place.as_mut().filter(|place| place.file != root) {
        let path = std::path::absolute(project.root.join(&place.file)).unwrap_or_default();
        if let Ok(path) = path.strip_prefix(&current_dir) {
            place.file = path.components().collect::<PathBuf>().display().to_string();
        }
    }
    finding
}
