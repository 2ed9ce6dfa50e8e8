//! `lock`: locks drafts and updates the lock file to match the folder.

use crate::command::Context;
use crate::loaded_project;
use crate::lock_file_guard::LockFileGuard;
use crate::lock_findings::apart_from_lock;
use crate::packages;
use crate::recorded_history::{self, DatabaseRecords};
use crate::relative_paths;
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_cli::values;
use migrate_cli::words::count_of;
use migrate_model::checksum::Checksum;
use migrate_model::files::check::{self, BELOW_LOCKED, CheckOptions, FILE_MISSING, LOCKED_FILE_CHANGED};
use migrate_model::files::folder::{Folder, SourceFile};
use migrate_model::files::lock_file::{BAD_LOCK_FILE, LockFile};
use migrate_model::files::project::Project;
use migrate_model::finding::{Finding, Level};
use migrate_model::policy::OutOfOrder;
use migrate_model::script::EMPTY_FILE;
use migrate_model::target::Direction;
use migrate_runtime::Version;
use serde_json::json;
use std::collections::{HashMap, HashSet};

/// Lock the drafts (migration files that are not locked yet): record their checksums in the lock file, so that `check` and builds reject later edits
#[derive(Debug, Args)]
pub struct Arguments {
    /// Lock only the drafts with these versions; the others stay drafts
    #[arg(value_name = "VERSION", value_parser = values::version, conflicts_with_all = ["draft", "applied"])]
    versions: Vec<Version>,
    /// Lock only the drafts that the database has applied
    #[arg(long, conflicts_with = "draft")]
    applied: bool,
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
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let (mut services, mut renewals) = (Vec::new(), Vec::new());
    let projects = packages::projects(context)?;
    if let ([version, ..], [_, _, ..]) = (arguments.versions.as_slice(), projects.as_slice()) {
        return Err(CommandError::usage(format!("version {version} is ambiguous, because several packages are selected"))
            .help("select a package: `-p NAME`"));
    }
    for project in projects {
        let dialect = loaded_project::dialect_without_database(context, &project)?;
        let recorded = if arguments.applied { Some(recorded_history::required(context, &project).await?) } else { None };
        let guard = LockFileGuard::take(&project)?;
        let folder = project.read(dialect);
        let selection = Selection::of(arguments, recorded.as_ref(), &folder)?;
        let (lock, newly_locked) = renewed(&project, &folder, &selection, arguments, context)?;
        renewals.push((project, guard, lock, newly_locked));
    }
    // If one of the packages is rejected, no lock file is written.
    for (project, guard, lock, newly_locked) in renewals {
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

/// The drafts that are locked.
enum Selection {
    None,
    All,
    /// Those with these names.
    Some(HashSet<String>),
}

impl Selection {
    fn of(arguments: &Arguments, recorded: Option<&DatabaseRecords>, folder: &Folder) -> Result<Self, CommandError> {
        let files = || folder.files.iter().map(|(file, _)| file);
        if arguments.draft {
            return Ok(Selection::None);
        }
        if let Some(unknown) = arguments.versions.iter().find(|version| !files().any(|file| file.version == **version)) {
            return Err(CommandError::usage(format!("there is no migration with the version {unknown}"))
                .help("see `cargo migrate check`"));
        }
        // The down file of a migration may have another name than its up file.
        let ups = || files().filter(|file| file.direction == Direction::Up);
        let is_applied = |version: &Version| {
            ups().any(|up| up.version == *version && recorded.is_some_and(|records| records.contains(version, &up.title)))
        };
        let named = |file: &&SourceFile| arguments.versions.contains(&file.version) || is_applied(&file.version);
        if arguments.versions.is_empty() && recorded.is_none() {
            return Ok(Selection::All);
        }
        Ok(Selection::Some(files().filter(named).map(|file| file.name.clone()).collect()))
    }

    fn contains(&self, name: &str) -> bool {
        match self {
            Selection::None => false,
            Selection::All => true,
            Selection::Some(names) => names.contains(name),
        }
    }
}

/// Refuses to lock a migration above a draft, which could then no longer be locked.
fn refuse_skipped(project: &Project, folder: &Folder, lock: &LockFile) -> Result<(), CommandError> {
    let is_listed = |list: &[String], file: &SourceFile| list.contains(&file.name);
    let locked: Vec<String> = lock.locked.iter().map(|(name, _)| name.clone()).collect();
    let ups = || folder.files.iter().map(|(file, _)| file).filter(|file| file.direction == Direction::Up);
    let newest = ups().filter(|file| is_listed(&locked, file)).max_by(|left, right| left.version.cmp(&right.version));
    let skipped = newest.and_then(|newest| {
        let draft = ups().find(|file| is_listed(&lock.drafts, file) && file.version < newest.version)?;
        Some((draft, newest))
    });
    match skipped {
        Some((draft, newest)) if project.settings.run.policy.out_of_order == OutOfOrder::Error => {
            let message = format!(
                "`{}` is a draft with a lower version than `{}`, so it could not be locked later",
                draft.name, newest.name
            );
            Err(CommandError::usage(message)
                .help(format!("lock it as well: `cargo migrate lock {} {}`", draft.version, newest.version)))
        }
        _ => Ok(()),
    }
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
    selection: &Selection,
    arguments: &Arguments,
    context: &Context<'_>,
) -> Result<(LockFile, Vec<String>), CommandError> {
    let findings = check::check(folder, &project.settings, CheckOptions::default());
    // What stays a draft may be incomplete. Other errors are rejected, because they may hide migrations.
    let incomplete = [&check::MISSING_DOWN, &EMPTY_FILE];
    let others = apart_from_lock(findings.clone()).into_iter();
    let drafts = folder.files.iter().map(|(file, _)| file).filter(|file| !selection.contains(&file.name));
    let drafts: HashSet<&str> = drafts.map(|file| file.display_path.as_str()).collect();
    let is_draft = |finding: &Finding| finding.place.as_ref().is_some_and(|place| drafts.contains(place.file.as_str()));
    let others = others.filter(|finding| finding.is_error() && !(incomplete.contains(&finding.code) && is_draft(finding)));
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
        if known.contains_key(file.name.as_str()) || selection.contains(&file.name) {
            if known.get(file.name.as_str()) != Some(checksum) {
                newly_locked.push(file.name.clone());
            }
            lock.locked.push((file.name.clone(), *checksum));
        } else {
            lock.drafts.push(file.name.clone());
        }
    }
    if matches!(selection, Selection::Some(_)) {
        refuse_skipped(project, folder, &lock)?;
    }
    Ok((lock, newly_locked))
}
