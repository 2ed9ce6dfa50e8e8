//! `new`: makes a pair of files with the next free version, and adds them to the lock file as drafts.
//!
//! The lock file is held with a lock of the operating system meanwhile, so two that run at once take two versions.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::held_lock::HeldLock;
use crate::packages;
use crate::selection;
use crate::template::{self, Template};
use clap::Args;
use jiff::{Timestamp, ToSpan, tz::TimeZone};
use migrate_core::folder::{self, Names};
use migrate_core::target::Direction;
use migrate_core::version::Version;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::Write;
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
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, Failure> {
    let description = arguments.description.clone().unwrap_or_else(|| arguments.words.join(" "));
    let name = template::file_name(&description);
    if name.is_empty() {
        return Err(Failure::usage("a description needs letters or digits")
            .help("say what it does: `cargo migrate new create users table`"));
    }
    let project = packages::project(context)?;
    let dialect = selection::dialect_without_database(context, &project).ok();
    let folder = project.root.join(&project.settings.dirs[0]);
    fs::create_dir_all(&folder).map_err(|error| Failure::other(format!("cannot make `{}`: {error}", folder.display())))?;
    let mut held = HeldLock::take(&folder)?;
    let names = folder::names(&project.root, &project.settings);
    let mut lock = held.read(&names)?;
    let version = next_version(arguments, &names)?;
    let template = template::from_description(&description, dialect, &name);
    let files = files(&names, &version, &name, &template);
    for (path, text) in &files {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path);
        let written = file.as_mut().map_err(|error| std::io::Error::new(error.kind(), error.to_string()));
        written
            .and_then(|file| file.write_all(text.as_bytes()))
            .map_err(|error| Failure::other(format!("cannot write `{}`: {error}", path.display())))?;
    }
    lock.drafts.extend(files.iter().map(|(path, _)| path.clone()));
    held.write(&lock)?;
    let here = std::env::current_dir().unwrap_or_default();
    let shown = |path: &String| {
        let path = folder.join(path);
        let path: PathBuf = path.strip_prefix(&here).unwrap_or(&path).components().collect();
        path.display().to_string()
    };
    for (path, _) in &files {
        context.output.verb("Made", &shown(path));
    }
    if context.output.is_json() {
        let paths: Vec<String> = files.iter().map(|(path, _)| shown(path)).collect();
        context.output.json(&json!({ "service": project.service, "version": version.as_str(), "files": paths }));
    }
    Ok(Exit::Done)
}

/// In the convention of the folder: its newest file says how names are written there.
fn files(names: &Names, version: &Version, name: &str, template: &Template) -> Vec<(String, String)> {
    let newest = names.files.iter().rfind(|file| file.direction == Direction::Up);
    let (up, down) = (template.up.clone(), template.down.clone());
    match newest.map(|file| (file.layout.name, file.name.as_str())) {
        Some(("simple", _)) => {
            let mut files = vec![(format!("{version}_{name}.sql"), up)];
            if names.files.iter().any(|file| file.name.starts_with("rollback/")) {
                files.push((format!("rollback/{version}_{name}.sql"), down));
            }
            files
        }
        Some(("flyway", _)) => {
            let mut files = vec![(format!("V{version}__{name}.sql"), up)];
            if names.files.iter().any(|file| file.direction == Direction::Down) {
                files.push((format!("U{version}__{name}.sql"), down));
            }
            files
        }
        Some(("directory", path)) if path.ends_with("/migration.sql") => vec![(format!("{version}_{name}/migration.sql"), up)],
        Some(("directory", _)) => vec![(format!("{version}_{name}/up.sql"), up), (format!("{version}_{name}/down.sql"), down)],
        Some((_, path)) if path.ends_with("_up.sql") => {
            vec![(format!("{version}_{name}_up.sql"), up), (format!("{version}_{name}_down.sql"), down)]
        }
        _ => vec![(format!("{version}_{name}.up.sql"), up), (format!("{version}_{name}.down.sql"), down)],
    }
}

fn next_version(arguments: &Arguments, names: &Names) -> Result<Version, Failure> {
    let newest = names.files.last().map(|file| &file.version);
    let timestamp = match newest {
        _ if arguments.timestamp => true,
        _ if arguments.sequential => false,
        Some(newest) => newest.is_timestamp(),
        None => false,
    };
    if !timestamp {
        let first = || "001".parse().map_err(|_| Failure::other("`001` is no version"));
        return newest.map_or_else(first, |newest| Ok(newest.successor()));
    }
    // Two in one second, or a clock that is behind: the next second that is free.
    let mut now = Timestamp::now();
    loop {
        let dashes = newest.is_some_and(|newest| newest.as_str().contains('-'));
        let form = if dashes { "%Y-%m-%d-%H%M%S" } else { "%Y%m%d%H%M%S" };
        let text = now.to_zoned(TimeZone::UTC).strftime(form).to_string();
        let version: Version = text.parse().map_err(|_| Failure::other(format!("the time `{text}` is no version")))?;
        let free = names.files.iter().all(|file| file.version != version);
        let above =
            newest.is_none_or(|newest| !newest.is_timestamp() || *newest < version || now > Timestamp::now() + 3600.seconds());
        if free && above {
            return Ok(version);
        }
        now += 1.second();
    }
}
