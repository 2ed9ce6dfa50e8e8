//! `init`: creates the files of a project and does not change existing ones.

use crate::ci_files;
use crate::command::Context;
use crate::database_url;
use crate::file_writer;
use crate::loaded_project;
use crate::packages;
use crate::relative_paths;
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_lint::server::{Product, Server};
use migrate_model::dialect::Dialect;
use migrate_model::directives::MARKED_FILE;
use migrate_model::files::folder::{FileList, NO_FOLDER};
use migrate_model::files::lock_file::{self, LockFile};
use migrate_model::files::project::Project;
use migrate_model::files::settings;
use migrate_model::finding::Finding;
use migrate_model::target::Direction;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Create the migrations folder, `migrate.toml` and the lock file
#[derive(Debug, Args)]
pub struct Arguments {
    /// Add a GitHub Actions workflow and a Git hook that run `check` and `lint`
    #[arg(long)]
    ci: bool,
}

/// Runs the command.
pub fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut project = packages::project(context)?;
    if let Some(dir) = folder_of_other_tool(&project) {
        project.settings.dirs = vec![dir.to_owned()];
    }
    let url = database_url::of(context, &project).ok();
    let dialect = loaded_project::dialect(context, &project, url.as_ref());
    // What exists already decides the settings; and nothing is written if it cannot be used.
    let names = project.list_files();
    let errors = obstacles(&project, &names, dialect);
    if !errors.is_empty() {
        context.output.message("nothing was created");
        return Err(relative_paths::rejected(&project, errors));
    }
    let mut created = create_folders(&project)?;
    let file = project.root.join(settings::FILE);
    let dialect_or_default = dialect.unwrap_or(Dialect::Sqlite);
    if project.settings_file.is_none()
        && file_writer::create(&file, &template(&project, dialect_or_default, &names), &project.boundary)?
    {
        created.push(relative_paths::shown_path(&file));
        if dialect.is_none() {
            context
                .output
                .message("no database URL or dialect given: the new `migrate.toml` contains `database = \"sqlite\"`; change this setting if necessary");
        }
    }
    let lock = LockFile { locked: Vec::new(), drafts: names.files.iter().map(|file| file.name.clone()).collect() };
    let first = project.settings.dirs.first().map_or_else(|| project.root.clone(), |dir| project.root.join(dir));
    let first: PathBuf = first.components().collect();
    let lock_path = first.join(lock_file::FILE);
    if file_writer::create(&lock_path, &lock.write(), &project.boundary)? {
        created.push(relative_paths::shown_path(&lock_path));
    }
    let hook_created = arguments.ci.then(|| write_ci(&project, &mut created)).transpose()?;
    created.iter().for_each(|name| context.output.status("Created", name));
    if hook_created.is_some() && created.iter().any(|name| name.ends_with(ci_files::WORKFLOW)) {
        context.output.message(format!("set the repository and the revision of `cargo-migrate` in `{}`", ci_files::WORKFLOW));
    }
    if hook_created == Some(true) {
        context.output.message("enable the hook: `git config core.hooksPath .githooks`");
    }
    if created.is_empty() {
        context.output.message("all files already exist; nothing was changed");
    } else if lock.drafts.is_empty() {
        context.output.message("next: `cargo migrate new create users table`");
    } else {
        let drafts = match lock.drafts.len() {
            1 => "added 1 file as a draft".to_owned(),
            count => format!("added {count} files as drafts"),
        };
        context.output.message(format!(
            "{drafts}; if these files have already been applied to a database, lock them: `cargo migrate lock`"
        ));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "service": project.service, "created": created }));
    }
    Ok(Exit::Done)
}

/// Where other tools have their migrations by default: dbmate, Prisma, Supabase, Flyway.
const OTHER_FOLDERS: [&str; 4] = ["db/migrations", "prisma/migrations", "supabase/migrations", "src/main/resources/db/migration"];

/// The folder of another tool, if there are neither settings nor a folder of this one.
fn folder_of_other_tool(project: &Project) -> Option<&'static str> {
    let is_new = project.settings_file.is_none() && project.settings.dirs.iter().all(|dir| !project.root.join(dir).is_dir());
    OTHER_FOLDERS.into_iter().find(|dir| is_new && project.root.join(dir).is_dir())
}

/// Why the files that exist already cannot be used.
fn obstacles(project: &Project, names: &FileList, dialect: Option<Dialect>) -> Vec<Finding> {
    let is_missing = |finding: &Finding| finding.code == &NO_FOLDER;
    let mut errors: Vec<_> =
        names.findings.iter().filter(|finding| finding.is_error() && !is_missing(finding)).cloned().collect();
    if errors.is_empty() && !names.files.is_empty() {
        // Files that contain both directions, as those of dbmate and goose.
        let findings = project.read(dialect.unwrap_or(Dialect::Sqlite)).findings;
        errors.extend(findings.into_iter().filter(|finding| finding.code == &MARKED_FILE));
    }
    errors
}

/// Creates the migrations folders that do not exist, and names them.
fn create_folders(project: &Project) -> Result<Vec<String>, CommandError> {
    let mut created = Vec::new();
    for dir in &project.settings.dirs {
        // Without `.`, which does not exist in a folder that is to be created.
        let path: PathBuf = project.root.join(dir).components().collect();
        if !path.is_dir() {
            file_writer::create_folder(&path, &project.boundary)?;
            created.push(format!("{}/", relative_paths::shown_path(&path)));
        }
    }
    Ok(created)
}

/// Creates the workflow and the hook. Returns whether the hook is new.
fn write_ci(project: &Project, created: &mut Vec<String>) -> Result<bool, CommandError> {
    let root = ci_files::root(project);
    let files = [(ci_files::WORKFLOW, ci_files::workflow(project)), (ci_files::HOOK, ci_files::hook(project))];
    let mut hook_created = false;
    for (name, text) in files {
        let path = root.join(name);
        if file_writer::create(&path, &text, &project.boundary)? {
            created.push(relative_paths::shown_path(&path));
            hook_created |= name == ci_files::HOOK;
        }
    }
    if hook_created {
        executable(&root.join(ci_files::HOOK))?;
    }
    Ok(hook_created)
}

/// Makes a file executable on Unix.
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

fn template(project: &Project, dialect: Dialect, names: &FileList) -> String {
    let service = format!("service = {:?}", project.service);
    // A folder whose files have no down migrations keeps its convention.
    let has_down = names.files.is_empty() || names.files.iter().any(|file| file.direction == Direction::Down);
    let down = if has_down { "" } else { "\n# Up migrations without a down migration are accepted.\ndown = \"optional\"\n" };
    let dir = match project.settings.dirs.as_slice() {
        [dir] if OTHER_FOLDERS.contains(&dir.as_str()) => format!("\n# The folder of the migrations.\ndir = {dir:?}\n"),
        _ => String::new(),
    };
    // The safety rules tell MariaDB from MySQL.
    let server = project.settings.safety.server.as_ref().and_then(|(text, _)| text.parse::<Server>().ok());
    let is_mariadb = server.is_some_and(|server| server.product == Product::MariaDb);
    let name = if is_mariadb { "mariadb" } else { dialect.name() };
    format!(
        "# Settings of `cargo migrate` and `embed_migrations!`. `cargo migrate explain bad-setting` lists all keys.\n\n\
         # The database for which the migrations are written: postgres, mysql, mariadb or sqlite.\ndatabase = \"{name}\"\n\n\
         # The name under which the database records the applied migrations. It stays the same if the package is renamed.\n{service}\n{dir}{down}"
    )
}
