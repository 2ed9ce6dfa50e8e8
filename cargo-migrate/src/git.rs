//! Queries to Git about the files of a folder.

use migrate_cli::CommandError;
use std::collections::HashSet;
use std::path::Path;
use std::process::Command;

/// The files below a folder that are unchanged since a revision, as paths relative to that folder.
///
/// # Errors
/// If Git cannot be started, or if the folder is not in a repository or the revision does not exist.
pub fn files_at(revision: &str, folder: &Path) -> Result<HashSet<String>, CommandError> {
    // Git would parse a revision with a leading dash as an option.
    if revision.starts_with('-') {
        return Err(CommandError::usage(format!("`{revision}` is not a valid Git revision"))
            .help("use a branch, a tag or a commit: `--since main`"));
    }
    let output =
        Command::new("git").current_dir(folder).args(["ls-tree", "-r", "-z", "--name-only", revision, "--", "."]).output();
    let output = output.map_err(|error| CommandError::other(format!("cannot start Git: {error}")).help("omit `--since`"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        let message = message.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned();
        return Err(CommandError::usage(format!("Git cannot list the files of `{revision}`: {message}"))
            .help("use a branch, a tag or a commit of the local repository; `git fetch` downloads those of the remote"));
    }
    let mut files = names(&output.stdout);
    let output =
        Command::new("git").current_dir(folder).args(["diff", "-z", "--name-only", "--relative", revision, "--", "."]).output();
    let output = output.map_err(|error| CommandError::other(format!("cannot start Git: {error}")))?;
    for changed in names(&output.stdout) {
        files.remove(&changed);
    }
    Ok(files)
}

fn names(output: &[u8]) -> HashSet<String> {
    let text = String::from_utf8_lossy(output);
    text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
