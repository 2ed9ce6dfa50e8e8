//! `init`: makes what a project needs, and nothing twice.

use crate::ci_files;
use crate::command::Context;
use crate::database_url;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::packages;
use clap::Args;
use migrate_model::dialect::Dialect;
use migrate_model::folder;
use migrate_model::lock_file::{self, LockFile};
use migrate_model::project::Project;
use migrate_model::settings;
use serde_json::json;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Make the migrations folder, `migrate.toml` and the lock file
#[derive(Debug, Args)]
pub struct Arguments {
    /// Also a workflow for GitHub Actions and a hook for Git that run `check` and `lint`
    #[arg(long)]
    ci: bool,
}

/// Runs it.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let project = packages::project(context)?;
    let url = database_url::of(context, &project).ok();
    let dialect = loaded_project::dialect(context, &project, url.as_deref());
    let mut made = Vec::new();
    for dir in &project.settings.dirs {
        let path = project.root.join(dir);
        if !path.is_dir() {
            fs::create_dir_all(&path)
                .map_err(|error| CommandError::other(format!("cannot make `{}`: {error}", path.display())))?;
            made.push(format!("{dir}/"));
        }
    }
    let file = project.root.join(settings::FILE);
    let chosen = dialect.unwrap_or(Dialect::Sqlite);
    if project.settings_file.is_none() && write_new(&file, &template(context, &project, chosen))? {
        made.push(settings::FILE.to_owned());
        if dialect.is_none() {
            context.output.message("no database was named, so `migrate.toml` says `sqlite`; change it there if that is wrong");
        }
    }
    let names = folder::list_files(&project.root, &project.settings);
    let wrong: Vec<_> = names.findings.iter().filter(|finding| finding.is_error()).cloned().collect();
    if !wrong.is_empty() {
        return Err(CommandError::Findings(wrong));
    }
    let lock = LockFile { locked: Vec::new(), drafts: names.files.iter().map(|file| file.name.clone()).collect() };
    let first = names.dirs.first().cloned().unwrap_or_else(|| project.root.clone());
    if write_new(&first.join(lock_file::FILE), &lock.write())? {
        made.push(format!("{}/{}", project.settings.dirs[0], lock_file::FILE));
    }
    let hook = arguments.ci.then(|| write_ci(&project, &mut made)).transpose()?;
    for name in &made {
        context.output.status("Made", name);
    }
    if hook == Some(true) {
        context.output.message("turn the hook on: `git config core.hooksPath .githooks`");
    }
    if made.is_empty() {
        context.output.message("everything is there already; nothing was changed");
    } else if lock.drafts.is_empty() {
        context.output.message("next: `cargo migrate new create users table`");
    } else {
        let drafts = match lock.drafts.len() {
            1 => "1 file is a draft now".to_owned(),
            count => format!("{count} files are drafts now"),
        };
        context.output.message(format!("{drafts}; release what is applied anywhere with `cargo migrate lock`"));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "service": project.service, "made": made }));
    }
    Ok(Exit::Done)
}

/// Writes the workflow and the hook; was the hook new?
fn write_ci(project: &Project, made: &mut Vec<String>) -> Result<bool, CommandError> {
    let root = ci_files::root(project);
    let files = [(ci_files::WORKFLOW, ci_files::workflow(project)), (ci_files::HOOK, ci_files::hook(project))];
    let mut hook = false;
    for (name, text) in files {
        let path = root.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)
                .map_err(|error| CommandError::other(format!("cannot make `{}`: {error}", parent.display())))?;
        }
        if write_new(&path, &text)? {
            made.push(name.to_owned());
            hook |= name == ci_files::HOOK;
        }
    }
    if hook {
        executable(&root.join(ci_files::HOOK))?;
    }
    Ok(hook)
}

/// Lets a file be run.
fn executable(path: &Path) -> Result<(), CommandError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

fn template(context: &Context<'_>, project: &Project, dialect: Dialect) -> String {
    let service = match &context.global.service {
        Some(_) => format!("service = {:?}", project.service),
        None => format!("# service = {:?}", project.service),
    };
    let name = dialect.name();
    format!(
        "# Settings for `cargo migrate` and `embed_migrations!`; all of them: `cargo migrate explain bad-setting`.\n\n\
         # The database that the migrations are written for: postgres, mysql, mariadb or sqlite.\ndatabase = \"{name}\"\n\n\
         # The name under which the history is kept; the package's name by default.\n{service}\n"
    )
}

/// Writes a file that is not there yet; false if it is.
fn write_new(path: &Path, text: &str) -> Result<bool, CommandError> {
    let cannot = |error: std::io::Error| CommandError::other(format!("cannot write `{}`: {error}", path.display()));
    match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => file.write_all(text.as_bytes()).map(|()| true).map_err(cannot),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(cannot(error)),
    }
}
