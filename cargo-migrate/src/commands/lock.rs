//! `lock`: releases drafts, and brings the lock file in line with the folder.

use super::check::apart_from_lock;
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::lock_file_guard::LockFileGuard;
use crate::packages;
use clap::Args;
use migrate_model::check::{self, BELOW_LOCKED, CheckOptions, FILE_MISSING, LOCKED_FILE_CHANGED};
use migrate_model::checksum::Checksum;
use migrate_model::finding::Finding;
use migrate_model::folder::Folder;
use migrate_model::lock_file::{BAD_LOCK_FILE, LockFile};
use migrate_model::project::Project;
use serde_json::json;
use std::collections::HashMap;

/// Release the drafts: from now on they must not change
#[derive(Debug, Args)]
pub struct Arguments {
    /// Release nothing: add new files as drafts, drop drafts whose file is gone, mend the file after a merge
    #[arg(long)]
    draft: bool,
    /// Accept released files that were changed or removed. Databases that have them applied will refuse to go on
    #[arg(long)]
    force: bool,
}

/// Runs it.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut services = Vec::new();
    for project in packages::projects(context)? {
        let dialect = loaded_project::dialect_without_database(context, &project)?;
        let mut held = LockFileGuard::take(&project.root.join(&project.settings.dirs[0]))?;
        let folder = project.read(dialect);
        let (lock, released) = renewed(&project, &folder, arguments, context)?;
        held.write(&lock)?;
        let drafts = match lock.drafts.len() {
            0 => String::new(),
            1 => ", 1 draft".to_owned(),
            count => format!(", {count} drafts"),
        };
        let text = match released.len() {
            0 => format!("`{}`: nothing new to release; {} released{drafts}", project.service, files(lock.locked.len())),
            count => format!("`{}`: {} released{drafts}", project.service, files(count)),
        };
        context.output.status("Locked", &text);
        for name in &released {
            context.output.verbose(format!("             {name}"));
        }
        services.push(json!({ "service": project.service, "released": released, "drafts": lock.drafts }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(Exit::Done)
}

fn files(count: usize) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

/// The new lock file, and what it releases.
fn renewed(
    project: &Project,
    folder: &Folder,
    arguments: &Arguments,
    context: &Context<'_>,
) -> Result<(LockFile, Vec<String>), CommandError> {
    let findings = check::check(folder, &project.settings, CheckOptions::default());
    // Drafts may be unfinished; a file that cannot be read at all says nothing about which migrations there are.
    let unfinished = [&check::MISSING_DOWN, &check::EMPTY_FILE];
    let others = apart_from_lock(findings.clone()).into_iter();
    let others = others.filter(|finding| finding.is_error() && !(arguments.draft && unfinished.contains(&finding.code)));
    let forced = [&LOCKED_FILE_CHANGED, &FILE_MISSING, &BELOW_LOCKED];
    let guarded = findings.iter().filter(|finding| finding.is_error() && forced.contains(&finding.code));
    // A draft below a released file stays a draft; `check` keeps saying so.
    let guarded = guarded.filter(|finding| !(arguments.draft && finding.code == &BELOW_LOCKED));
    let torn = findings.iter().filter(|finding| finding.code == &BAD_LOCK_FILE);
    let stop: Vec<Finding> = match arguments.force {
        true => others.collect(),
        false => others.chain(guarded.cloned()).chain(torn.cloned()).collect(),
    };
    if !stop.is_empty() {
        return Err(CommandError::Findings(stop));
    }
    if arguments.force && !context.output.is_json() {
        let changed: Vec<Finding> = findings.into_iter().filter(|finding| forced.contains(&finding.code)).collect();
        context.output.findings(&changed);
    }
    let old = folder.lock.clone().unwrap_or_default();
    let known: HashMap<&str, Checksum> = old.locked.iter().map(|(name, sum)| (name.as_str(), *sum)).collect();
    let mut lock = LockFile::default();
    let mut released = Vec::new();
    for (file, sum) in &folder.files {
        if known.contains_key(file.name.as_str()) || !arguments.draft {
            if known.get(file.name.as_str()) != Some(sum) {
                released.push(file.name.clone());
            }
            lock.locked.push((file.name.clone(), *sum));
        } else {
            lock.drafts.push(file.name.clone());
        }
    }
    Ok((lock, released))
}
