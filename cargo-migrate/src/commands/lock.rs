//! `lock`: locks drafts and updates the lock file to match the folder.

use crate::command::Context;
use crate::loaded_project;
use crate::lock_file_guard::LockFileGuard;
use crate::lock_findings::apart_from_lock;
use crate::packages;
use crate::relative_paths;
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_cli::words::count_of;
use migrate_model::checksum::Checksum;
use migrate_model::files::check::{self, BELOW_LOCKED, CheckOptions, FILE_MISSING, LOCKED_FILE_CHANGED};
use migrate_model::files::folder::Folder;
use migrate_model::files::lock_file::{BAD_LOCK_FILE, LockFile};
use migrate_model::files::project::Project;
use migrate_model::finding::{Finding, Level};
use migrate_model::script::EMPTY_FILE;
use serde_json::json;
use std::collections::HashMap;

/// Lock the drafts (migration files that are not locked yet): record their checksums in the lock file, so that `check` and builds reject later edits
#[derive(Debug, Args)]
pub struct Arguments {
    /// Do not lock any file, only update the drafts in the lock file: new files are added (without a checksum, so that they can still be edited), and entries whose file does not exist are removed
    #[arg(long)]
    draft: bool,
    /// Accept locked files that were changed or removed, and new files with a lower version than a locked file. On a
    /// database to which the previous contents of such a file were applied, later runs can fail with `changed-after-apply` or,
    /// if an applied migration no longer has a file, with `missing-file`
    #[arg(long)]
    force: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut services = Vec::new();
    for project in packages::projects(context)? {
        let dialect = loaded_project::dialect_without_database(context, &project)?;
        let guard = LockFileGuard::take(&project)?;
        let folder = project.read(dialect);
        let (lock, newly_locked) = renewed(&project, &folder, arguments, context)?;
        guard.write(&lock)?;
        let (verb, text) = summary(arguments, &lock, newly_locked.len());
        context.output.status(verb, &format!("`{}`: {text}", project.service));
        for name in &newly_locked {
            context.output.verbose(format!("             {name}"));
        }
        services.push(json!({ "service": project.service, "locked": newly_locked, "drafts": lock.drafts }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(Exit::Done)
}

fn summary(arguments: &Arguments, lock: &LockFile, newly_locked: usize) -> (&'static str, String) {
    let (drafts, locked) = (count_of(lock.drafts.len(), "draft"), count_of(lock.locked.len(), "locked file"));
    let remaining = if lock.drafts.is_empty() { String::new() } else { format!(", {drafts} left") };
    match newly_locked {
        _ if arguments.draft => ("Updated", format!("{drafts}, {locked}")),
        0 => ("Locked", format!("nothing to lock; {locked}{remaining}")),
        count => ("Locked", format!("{}{remaining}", count_of(count, "file"))),
    }
}

/// The new content of the lock file, and the files that it newly locks.
///
/// # Errors
/// If the files contain errors, or if locked files changed and neither `--force` nor `--draft` permits it.
fn renewed(
    project: &Project,
    folder: &Folder,
    arguments: &Arguments,
    context: &Context<'_>,
) -> Result<(LockFile, Vec<String>), CommandError> {
    let findings = check::check(folder, &project.settings, CheckOptions::default());
    // With `--draft`, a draft may be incomplete. Other errors are rejected, because they may hide migrations.
    let incomplete = [&check::MISSING_DOWN, &EMPTY_FILE];
    let others = apart_from_lock(findings.clone()).into_iter();
    let others = others.filter(|finding| finding.is_error() && !(arguments.draft && incomplete.contains(&finding.code)));
    let forced = [&LOCKED_FILE_CHANGED, &FILE_MISSING, &BELOW_LOCKED];
    let guarded = findings.iter().filter(|finding| finding.is_error() && forced.contains(&finding.code));
    // With `--draft`, a file below a locked one becomes a draft; `check` still reports it.
    let guarded = guarded.filter(|finding| !(arguments.draft && finding.code == &BELOW_LOCKED));
    let damaged = findings.iter().filter(|finding| finding.code == &BAD_LOCK_FILE);
    let rejected: Vec<Finding> =
        if arguments.force { others.collect() } else { others.chain(guarded.cloned()).chain(damaged.cloned()).collect() };
    if !rejected.is_empty() {
        return Err(relative_paths::rejected(project, rejected));
    }
    if arguments.force && !context.output.is_json() {
        let accepted = |mut finding: Finding| {
            finding.level = Level::Warning;
            finding.help.clear();
            finding
        };
        let changed = findings.into_iter().filter(|finding| forced.contains(&finding.code)).map(accepted);
        let changed: Vec<Finding> = changed.collect();
        context.output.findings(&changed);
    }
    let old = folder.lock.clone().unwrap_or_default();
    let known: HashMap<&str, Checksum> = old.locked.iter().map(|(name, checksum)| (name.as_str(), *checksum)).collect();
    let mut lock = LockFile::default();
    let mut newly_locked = Vec::new();
    for (file, checksum) in &folder.files {
        if known.contains_key(file.name.as_str()) || !arguments.draft {
            if known.get(file.name.as_str()) != Some(checksum) {
                newly_locked.push(file.name.clone());
            }
            lock.locked.push((file.name.clone(), *checksum));
        } else {
            lock.drafts.push(file.name.clone());
        }
    }
    Ok((lock, newly_locked))
}
