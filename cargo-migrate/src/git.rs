//! What Git knows of a folder.

use crate::failure::CommandError;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

/// The files below a folder that are as a revision has them, as paths from that folder.
///
/// # Errors
/// When there is no Git, no repository or no such revision.
pub fn files_at(revision: &str, folder: &Path) -> Result<HashSet<String>, CommandError> {
    // A revision that begins with a dash would be an option.
    if revision.starts_with('-') {
        return Err(
            CommandError::usage(format!("`{revision}` is no revision")).help("name a branch, a tag or a commit: `--since main`")
        );
    }
    let output =
        Command::new("git").current_dir(folder).args(["ls-tree", "-r", "-z", "--name-only", revision, "--", "."]).output();
    let output =
        output.map_err(|error| CommandError::other(format!("Git cannot be started: {error}")).help("leave `--since` out"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned();
        return Err(CommandError::usage(format!("Git cannot tell what `{revision}` has: {said}"))
            .help("name a branch, a tag or a commit that is here: `git fetch` brings those of the server"));
    }
    let mut files = names(&output.stdout);
    let output =
        Command::new("git").current_dir(folder).args(["diff", "-z", "--name-only", "--relative", revision, "--", "."]).output();
    let output = output.map_err(|error| CommandError::other(format!("Git cannot be started: {error}")))?;
    for changed in names(&output.stdout) {
        files.remove(&changed);
    }
    Ok(files)
}

fn names(output: &[u8]) -> HashSet<String> {
    let text = String::from_utf8_lossy(output);
    text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
