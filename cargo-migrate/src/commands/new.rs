//! `new`: makes a pair of files with the next free version, and adds them to the lock file as drafts.
//!
//! The lock file is held with a lock of the operating system meanwhile, so two that run at once take two versions.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::lock_file_guard::LockFileGuard;
use crate::migration_files::{self, Numbering};
use crate::packages;
use crate::template;
use clap::Args;
use migrate_model::folder;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// Make a new pair of migration files
#[derive(Debug, Args)]
pub struct Arguments {
    /// What it does: `create users table`, `add email to users`, `index orders on user_id`, `drop old_table`
    #[arg(value_name = "DESCRIPTION", required_unless_present = "description", conflicts_with = "description")]
    words: Vec<String>,
    /// The same, as an option
    #[arg(long, value_name = "DESCRIPTION")]
    description: Option<String>,
    /// Take the next number
    #[arg(long, conflicts_with = "timestamp")]
    sequential: bool,
    /// Take the time, as in 20260102150405 (UTC)
    #[arg(long)]
    timestamp: bool,
}

/// Runs it.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let description = arguments.description.clone().unwrap_or_else(|| arguments.words.join(" "));
    let name = template::file_name(&description);
    if name.is_empty() {
        return Err(CommandError::usage("a description needs letters or digits")
            .help("say what it does: `cargo migrate new create users table`"));
    }
    let project = packages::project(context)?;
    let dialect = loaded_project::dialect_without_database(context, &project).ok();
    let folder = project.root.join(&project.settings.dirs[0]);
    fs::create_dir_all(&folder).map_err(|error| CommandError::other(format!("cannot make `{}`: {error}", folder.display())))?;
    let mut held = LockFileGuard::take(&folder)?;
    let names = folder::list_files(&project.root, &project.settings);
    let mut lock = held.read(&names)?;
    let numbering = match (arguments.timestamp, arguments.sequential) {
        (true, _) => Numbering::Time,
        (_, true) => Numbering::Number,
        _ => Numbering::SameAsLatest,
    };
    let version = migration_files::next_version(numbering, &names)?;
    let template = template::from_description(&description, dialect, &name);
    let files = migration_files::file_names(&names, &version, &name, &template);
    migration_files::write(&folder, &files)?;
    lock.drafts.extend(files.iter().map(|(path, _)| path.clone()));
    held.write(&lock)?;
    let here = std::env::current_dir().unwrap_or_default();
    let shown = |path: &String| {
        let path = folder.join(path);
        let path: PathBuf = path.strip_prefix(&here).unwrap_or(&path).components().collect();
        path.display().to_string()
    };
    for (path, _) in &files {
        context.output.status("Made", &shown(path));
    }
    if context.output.is_json() {
        let paths: Vec<String> = files.iter().map(|(path, _)| shown(path)).collect();
        context.output.json(&json!({ "service": project.service, "version": version.as_str(), "files": paths }));
    }
    Ok(Exit::Done)
}
