//! Queries to Git about the files of a folder.
//!
//! The repository may be a stranger's, and its configuration can name programs: a file monitor, filters, drivers for
//! differences, commands for a connection. Only `ls-tree`, `cat-file` and `check-ignore` are used, which run none of these,
//! and the files are compared here.

use migrate_cli::CommandError;
use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Settings that no configuration of a repository overrides.
const SETTINGS: [&str; 8] = [
    // A folder that looks like a bare repository is not one: any repository can contain such a folder.
    "safe.bareRepository=explicit",
    "core.fsmonitor=false",
    "core.hooksPath=/dev/null",
    "core.sshCommand=false",
    "core.askPass=false",
    "credential.helper=",
    "protocol.allow=never",
    "diff.external=",
];

/// Variables that would make Git read another repository, or run a program.
const VARIABLES: [&str; 17] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_PAGER",
    "GIT_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_PROXY_COMMAND",
    "GIT_ASKPASS",
    "GIT_EXEC_PATH",
];

/// The given files, with their paths relative to a folder and their texts, that are the same in a revision. Line ends are
/// not compared, because Git may convert them.
///
/// # Errors
/// If Git cannot be started, or if the folder is not in a repository or the revision does not exist.
pub fn unchanged_since<'a>(revision: &str, folder: &Path, files: &[(&'a str, &str)]) -> Result<HashSet<&'a str>, CommandError> {
    // Git would parse a revision with a leading dash as an option.
    if revision.starts_with('-') {
        return Err(CommandError::usage(format!("`{revision}` is not a valid Git revision"))
            .help("use a branch, a tag or a commit: `--since main`"));
    }
    let output = git(folder, &["ls-tree", "-r", "-z", "-l", revision, "--", "."]).output().map_err(not_started)?;
    if !output.status.success() {
        let has_repository = git(folder, &["rev-parse", "--git-dir"]).output().is_ok_and(|output| output.status.success());
        let help = if has_repository {
            "use a branch, a tag or a commit of the local repository; `git fetch` downloads those of the remote"
        } else {
            "run the command in a Git repository, or omit `--since`"
        };
        let message = format!("Git cannot list the files of `{revision}`: {}", reason(&output));
        return Err(CommandError::usage(message).help(help));
    }
    let objects = objects(&output.stdout);
    // An object that is longer than the file with any line ends is another text, and is not read.
    let may_be_same = |text: &str, size: u64| size <= (text.len() + text.matches('\n').count()) as u64;
    let candidates = files.iter().filter_map(|(path, text)| Some((*path, *text, objects.get(*path)?)));
    let candidates: Vec<(&str, &str, &str)> = candidates
        .filter(|(_, text, object)| may_be_same(text, object.size))
        .map(|(path, text, object)| (path, text, object.id.as_str()))
        .collect();
    compare(folder, &candidates)
}

fn not_started(error: std::io::Error) -> CommandError {
    CommandError::other(format!("cannot start Git: {error}")).help("omit `--since`")
}

/// The first line of an error of Git.
fn reason(output: &Output) -> String {
    let message = String::from_utf8_lossy(&output.stderr);
    message.lines().next().unwrap_or_default().trim_start_matches("fatal: ").to_owned()
}

/// A call of Git that reads the repository of a folder.
fn git(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["--no-pager", "--no-optional-locks", "--literal-pathspecs"]);
    command.args(SETTINGS.iter().flat_map(|setting| ["-c", *setting])).args(arguments).stdin(Stdio::null());
    VARIABLES.iter().for_each(|name| {
        command.env_remove(name);
    });
    // Objects that a partial clone lacks are not fetched.
    command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_ALLOW_PROTOCOL", "none").env("GIT_TERMINAL_PROMPT", "0");
    command
}

#[derive(Debug, PartialEq, Eq)]
struct GitObject {
    id: String,
    size: u64,
}

/// The files in the output of `ls-tree -z -l`, by path: `mode SP type SP id SP size TAB path NUL`.
fn objects(output: &[u8]) -> HashMap<String, GitObject> {
    let text = String::from_utf8_lossy(output);
    let lines = text.split('\0').filter_map(|line| {
        let (description, path) = line.split_once('\t')?;
        let mut words = description.split_whitespace();
        let (mode, id, size) = (words.next()?, words.nth(1)?, words.next()?);
        // Links and submodules have no content of their own.
        let is_file = mode.starts_with("100");
        Some((path.to_owned(), GitObject { id: id.to_owned(), size: size.parse().ok()? })).filter(|_| is_file)
    });
    lines.collect()
}

/// The paths of the candidates whose text is that of their object.
fn compare<'a>(folder: &Path, candidates: &[(&'a str, &str, &str)]) -> Result<HashSet<&'a str>, CommandError> {
    let mut child = git(folder, &["cat-file", "--batch"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(not_started)?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let mut unchanged = HashSet::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut input = input?;
            candidates.iter().try_for_each(|(_, _, id)| writeln!(input, "{id}")).ok()
        });
        let mut output = BufReader::new(output?);
        for (path, text, _) in candidates {
            // Without an answer, the file counts as changed.
            let object = next_object(&mut output)?;
            if without_carriage_returns(&object) == without_carriage_returns(text.as_bytes()) {
                unchanged.insert(*path);
            }
        }
        Some(())
    });
    let _ = child.wait();
    Ok(unchanged)
}

/// An object in the output of `cat-file --batch`: `id SP type SP size LF content LF`. An object that is missing is empty.
fn next_object(output: &mut impl BufRead) -> Option<Vec<u8>> {
    let mut line = String::new();
    output.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let Some(size) = line.trim_end().rsplit_once(' ').and_then(|(_, size)| size.parse::<u64>().ok()) else {
        return Some(Vec::new());
    };
    let mut content = Vec::new();
    output.take(size).read_to_end(&mut content).ok()?;
    output.read_exact(&mut [0]).ok()?;
    Some(content)
}

/// A text with line ends of one kind.
fn without_carriage_returns(text: &[u8]) -> Vec<u8> {
    let is_part_of_line_end = |at: usize| text[at] == b'\r' && text.get(at + 1) == Some(&b'\n');
    (0..text.len()).filter(|at| !is_part_of_line_end(*at)).map(|at| text[at]).collect()
}

/// Does Git ignore a file? No, if it is not in a repository, or Git cannot be started.
pub fn ignores(file: &Path) -> bool {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return false };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut command = git(folder, &["check-ignore", "--quiet", "--", &name.to_string_lossy()]);
    command.output().is_ok_and(|output| output.status.success())
}
