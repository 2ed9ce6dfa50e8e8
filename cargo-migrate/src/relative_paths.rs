//! Places as seen from the folder that the command runs in.

use migrate_model::finding::Finding;
use migrate_model::project::Project;
use std::path::PathBuf;

/// A finding whose place is a path from here, not from its package: several packages have a file of one name.
pub fn relative_to_cwd(project: &Project, mut finding: Finding) -> Finding {
    let here = std::env::current_dir().unwrap_or_default();
    // The folder itself is named as it was asked for.
    let own = project.root.display().to_string();
    if let Some(place) = finding.place.as_mut().filter(|place| place.file != own) {
        let path = std::path::absolute(project.root.join(&place.file)).unwrap_or_default();
        if let Ok(path) = path.strip_prefix(&here) {
            place.file = path.components().collect::<PathBuf>().display().to_string();
        }
    }
    finding
}
