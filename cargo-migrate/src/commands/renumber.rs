//! `renumber`: gives the next free version to a migration that has the version of another one, as after a merge of two branches.

use crate::command::Context;
use crate::database_url;
use crate::file_writer;
use crate::lock_file_guard::LockFileGuard;
use crate::migration_files::{self, Numbering};
use crate::packages;
use crate::recorded_history;
use crate::relative_paths;
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_model::files::folder::SourceFile;
use migrate_model::files::lock_file::LockFile;
use migrate_model::files::regular_file;
use migrate_model::target::Direction;
use migrate_runtime::Version;
use serde_json::json;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

/// Give the next free version to migrations that have the version of another one, as after a merge
#[derive(Debug, Args)]
pub struct Arguments {
    /// Files to renumber, by their names in the migrations folder, such as `003_add_email.up.sql`. Without this argument, each file that has the version of another one and is neither locked nor applied
    #[arg(value_name = "FILE")]
    files: Vec<String>,
}

/// Whether a migration may get another version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbered {
    /// It is locked or applied.
    ForGood,
    /// It may.
    ForNow,
}

/// The files of one migration.
struct Candidate<'a> {
    files: Vec<&'a SourceFile>,
    numbered: Numbered,
}

impl Candidate<'_> {
    fn name(&self) -> &str {
        self.files.first().map_or("", |file| file.name.as_str())
    }

    fn is_named(&self, names: &[String]) -> bool {
        // The name in the folder, or the path as messages show it.
        let is_file = |name: &String| {
            let is_path = |file: &&SourceFile| relative_paths::shown_path(&file.path) == *name;
            self.files.iter().any(|file| file.name == *name || is_path(file))
        };
        names.iter().any(is_file)
    }
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let project = packages::project(context)?;
    // A database that is configured must be asked: else an applied migration would get another version.
    let is_configured = database_url::is_configured(context, &project)?;
    let recorded = if is_configured { Some(recorded_history::required(context, &project).await?) } else { None };
    let mut guard = LockFileGuard::take(&project)?;
    let names = project.list_files();
    let mut lock = guard.read(&names)?;
    let is_applied = |file: &SourceFile| recorded.as_ref().is_some_and(|history| history.contains(&file.version, &file.title));
    let candidates = candidates(&names.files, &lock, &is_applied);
    let chosen = chosen(arguments, &candidates)?;
    let latest = recorded.as_ref().and_then(recorded_history::DatabaseRecords::latest_version);
    let mut version = migration_files::next_version(Numbering::SameAsLatest, &names, latest.as_ref())?;
    let mut renames = Vec::new();
    for candidate in chosen {
        for file in &candidate.files {
            renames.push(Rename::of(file, &version)?);
        }
        version = migration_files::version_after(&version);
    }
    carry_out(&renames)?;
    for rename in &renames {
        let (old, new) = (&rename.file.name, &rename.name);
        for draft in lock.drafts.iter_mut().filter(|draft| *draft == old) {
            draft.clone_from(new);
        }
    }
    guard.write(&lock).map_err(|error| undone(&renames, error))?;
    let mut renamed = Vec::new();
    for rename in &renames {
        let new = &rename.name;
        context.output.status("Renumbered", &format!("{} as {new}", relative_paths::shown_path(&rename.file.path)));
        renamed.push(json!({ "from": rename.file.name, "to": new }));
    }
    if renamed.is_empty() {
        context.output.message(format!("`{}`: no version is used twice", project.service));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "service": project.service, "renumbered": renamed }));
    }
    Ok(Exit::Done)
}

/// Renames all files, or none.
fn carry_out(renames: &[Rename<'_>]) -> Result<(), CommandError> {
    for (at, rename) in renames.iter().enumerate() {
        rename.carry_out().map_err(|error| undone(&renames[..=at], error))?;
    }
    Ok(())
}

/// The error, after these renames were undone.
fn undone(renames: &[Rename<'_>], error: CommandError) -> CommandError {
    let failed: Vec<String> = renames.iter().rev().filter_map(|rename| rename.undo().err()).collect();
    if failed.is_empty() { error.help("nothing was renamed") } else { error.help(failed.join("; ")) }
}

/// The migrations that share their version with another one.
fn candidates<'a>(files: &'a [SourceFile], lock: &LockFile, is_applied: &dyn Fn(&SourceFile) -> bool) -> Vec<Vec<Candidate<'a>>> {
    let is_locked = |file: &SourceFile| lock.locked.iter().any(|(name, _)| *name == file.name);
    let mut groups = Vec::new();
    for same_version in files.chunk_by(|left, right| left.version == right.version) {
        let mut by_title: Vec<(&str, Vec<&SourceFile>)> = Vec::new();
        for file in same_version {
            match by_title.iter_mut().find(|(title, _)| *title == file.title) {
                Some((_, files)) => files.push(file),
                None => by_title.push((&file.title, vec![file])),
            }
        }
        if by_title.iter().filter(|(_, files)| files.iter().any(|file| file.direction == Direction::Up)).count() > 1 {
            let candidate = |(_, files): (&str, Vec<&'a SourceFile>)| {
                let is_used = files.iter().any(|file| is_locked(file) || is_applied(file));
                Candidate { files, numbered: if is_used { Numbered::ForGood } else { Numbered::ForNow } }
            };
            groups.push(by_title.into_iter().map(candidate).collect());
        }
    }
    groups
}

/// Those that get a new version: one of each version stays.
fn chosen<'c, 'a>(arguments: &Arguments, groups: &'c [Vec<Candidate<'a>>]) -> Result<Vec<&'c Candidate<'a>>, CommandError> {
    let all = || groups.iter().flatten();
    let is_known = |file: &&String| all().any(|candidate| candidate.is_named(std::slice::from_ref(*file)));
    if let Some(unknown) = arguments.files.iter().find(|file| !is_known(file)) {
        return Err(CommandError::usage(format!("`{unknown}` is not a migration that has the version of another one"))
            .help("see `cargo migrate check`"));
    }
    if let Some(fixed) = all().find(|candidate| candidate.numbered == Numbered::ForGood && candidate.is_named(&arguments.files)) {
        return Err(CommandError::usage(format!("`{}` is locked or applied, so its version must stay", fixed.name()))
            .help("renumber the other migration with this version"));
    }
    let mut chosen = Vec::new();
    for group in groups {
        let is_chosen = |candidate: &&Candidate<'_>| {
            if arguments.files.is_empty() { candidate.numbered == Numbered::ForNow } else { candidate.is_named(&arguments.files) }
        };
        let movable: Vec<&Candidate<'_>> = group.iter().filter(is_chosen).collect();
        let names = || group.iter().map(|candidate| format!("`{}`", candidate.name())).collect::<Vec<_>>().join(" and ");
        if arguments.files.is_empty() && movable.is_empty() {
            return Err(CommandError::other(format!("{} are all locked or applied, so none of them can be renumbered", names()))
                .help("to apply files of the same version in the order of their names, set `same-version = \"by-name\"` in `migrate.toml`"));
        }
        if movable.len() == group.len() {
            let second = group.last().map_or("", Candidate::name);
            return Err(CommandError::usage(format!("{} have the same version, and none of them is locked or applied", names()))
                .help(format!("name the one that gets a new version, such as: `cargo migrate renumber {second}`")));
        }
        chosen.extend(movable);
    }
    Ok(chosen)
}

/// The new name of a file.
struct Rename<'a> {
    file: &'a SourceFile,
    name: String,
    target: PathBuf,
    /// The text.
    before: String,
    /// The text with the new name in its header; `None` if the header does not contain the name.
    text: Option<String>,
}

impl<'a> Rename<'a> {
    /// Reads the file, and changes nothing.
    ///
    /// # Errors
    /// If the file cannot be read, is a link, or the new name is taken.
    fn of(file: &'a SourceFile, version: &Version) -> Result<Self, CommandError> {
        let name = file.name.replacen(file.version.as_str(), version.as_str(), 1);
        let inside = file.name.matches('/').count() + 1;
        let folder = file.path.ancestors().nth(inside).unwrap_or(Path::new(""));
        let target = folder.join(&name);
        if target.exists() {
            return Err(cannot(&file.path, "rename", &format!("`{}` exists", relative_paths::shown_path(&target))));
        }
        file_writer::refuse_link(&file.path)?;
        let text = regular_file::read_text(&file.path, regular_file::MIGRATION_LIMIT);
        let text = text.map_err(|error| cannot(&file.path, "read", &error))?;
        Ok(Rename { file, text: with_new_name(&text, file, version), before: text, name, target })
    }

    fn carry_out(&self) -> Result<(), CommandError> {
        let path = &self.file.path;
        let failed = |error: std::io::Error| cannot(path, "rename", &error);
        if let Some(parent) = self.target.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::rename(path, &self.target).map_err(failed)?;
        // The folder of one migration, if this was the last file in it.
        if let Some(parent) = path.parent().filter(|parent| Some(*parent) != self.target.parent()) {
            let _ = fs::remove_dir(parent);
        }
        match &self.text {
            Some(text) => file_writer::replace(&self.target, text),
            None => Ok(()),
        }
    }

    /// Gives the file its former name and text, if it has the new name by now.
    ///
    /// # Errors
    /// What remains to be done, if that fails.
    fn undo(&self) -> Result<(), String> {
        if !self.target.exists() {
            return Ok(());
        }
        let path = &self.file.path;
        let restored = || {
            if self.text.is_some() {
                fs::write(&self.target, &self.before)?;
            }
            if let Some(parent) = path.parent() {
                fs::create_dir_all(parent)?;
            }
            fs::rename(&self.target, path)
        };
        let (new, old) = (relative_paths::shown_path(&self.target), relative_paths::shown_path(path));
        restored().map_err(|error: std::io::Error| format!("rename `{new}` back to `{old}` ({error})"))?;
        if let Some(parent) = self.target.parent().filter(|parent| Some(*parent) != path.parent()) {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }
}

fn cannot(path: &Path, what: &str, error: &dyn Display) -> CommandError {
    CommandError::other(format!("cannot {what} `{}`: {error}", relative_paths::shown_path(path)))
}

/// The text with the new name in the comments at its start, as in `-- Migration: 003_add_email`.
fn with_new_name(text: &str, file: &SourceFile, version: &Version) -> Option<String> {
    let start = file.name.find(file.version.as_str())?;
    let end = start + file.name[start..].find(&file.title)? + file.title.len();
    let old = &file.name[start..end];
    let new = old.replacen(file.version.as_str(), version.as_str(), 1);
    let is_comment = |line: &&str| line.trim().is_empty() || line.starts_with("--");
    let header: usize = text.split_inclusive('\n').take_while(is_comment).map(str::len).sum();
    text[..header].contains(old).then(|| format!("{}{}", text[..header].replace(old, &new), &text[header..]))
}
