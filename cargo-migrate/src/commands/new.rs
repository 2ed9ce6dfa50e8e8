//! `new`: creates the files of a migration with the next free version, and adds them to the lock file as drafts.
//!
//! Meanwhile it holds a file lock on the lock file, so two commands that run at the same time take two versions.

use crate::command::Context;
use crate::file_writer;
use crate::git;
use crate::known_schema::FilesSchema;
use crate::loaded_project;
use crate::lock_file_guard::LockFileGuard;
use crate::migration_files::{self, Numbering};
use crate::packages;
use crate::recorded_history;
use crate::relative_paths;
use crate::template;
use clap::Args;
use migrate_cli::CommandError;
use migrate_cli::Exit;
use migrate_model::files::lock_file;
use serde_json::json;

/// Create the files of a new migration
#[derive(Debug, Args)]
pub struct Arguments {
    /// Description, such as `create users table`, `add email:text:unique to users`, `index orders on user_id`, `drop table old_users`. If every word is understood, the files contain the SQL; otherwise they contain a place for it
    #[arg(value_name = "DESCRIPTION", required_unless_present = "description", conflicts_with = "description")]
    words: Vec<String>,
    /// Description, as an option instead of as arguments
    #[arg(long, value_name = "DESCRIPTION")]
    description: Option<String>,
    /// Use the next sequential number as the version [default unless the newest version is a timestamp]
    #[arg(long, conflicts_with = "timestamp")]
    sequential: bool,
    /// Use the current time (UTC) as the version, as in 20260102150405 [default if the newest version is a timestamp]
    #[arg(long)]
    timestamp: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let description = arguments.description.clone().unwrap_or_else(|| arguments.words.join(" "));
    let name = template::file_name(&template::without_types(&description));
    if name.is_empty() {
        return Err(CommandError::usage("the description must contain letters or digits")
            .help("describe the change: `cargo migrate new create users table`"));
    }
    let project = packages::project(context)?;
    let dialect = loaded_project::dialect_without_database(context, &project).ok();
    let folder = project.first_folder().map_err(|finding| relative_paths::rejected(&project, [*finding]))?;
    // A file that was removed after its migration failed half-way, or that another checkout has, must not give its version to another.
    let recorded = recorded_history::read(context, &project).await.and_then(|history| history.latest_version());
    file_writer::create_folder(&folder, &project.boundary)?;
    let mut guard = LockFileGuard::take(&project)?;
    let names = project.list_files();
    let mut lock = guard.read(&names)?;
    let numbering = match (arguments.timestamp, arguments.sequential) {
        (true, _) => Numbering::Time,
        (_, true) => Numbering::Number,
        _ => Numbering::SameAsLatest,
    };
    let version = migration_files::next_version(numbering, &names, recorded.as_ref())?;
    let known = FilesSchema::of(&project, dialect);
    let mut files = Vec::new();
    let mut next = version.clone();
    for template in template::from_description(&description, dialect, &name, &known) {
        let name = template::file_name(&format!("{name} {}", template.suffix));
        files.extend(migration_files::file_names(&names, &next, &name, &template));
        next = migration_files::version_after(&next);
    }
    migration_files::write(&folder, &files, &project.boundary)?;
    lock.drafts.extend(files.iter().map(|(path, _)| path.clone()));
    guard.write(&lock)?;
    let lock_path = folder.join(lock_file::FILE);
    let display_path = |path: &String| relative_paths::shown_path(&folder.join(path));
    for (path, _) in &files {
        context.output.status("Created", &display_path(path));
    }
    let has_sql = |text: &str| text.lines().any(|line| !line.is_empty() && !line.starts_with("--"));
    if !files.iter().any(|(_, text)| has_sql(text)) {
        context.output.message("write the SQL into the new files: not every word of the description was understood");
    }
    if git::ignores(&lock_path) {
        context.output.message(format!(
            "Git ignores `{}`: commit it with the migrations, because the build and other branches depend on it",
            relative_paths::shown_path(&lock_path)
        ));
    }
    if context.output.is_json() {
        let paths: Vec<String> = files.iter().map(|(path, _)| display_path(path)).collect();
        context.output.json(&json!({ "service": project.service, "version": version.as_str(), "files": paths }));
    }
    Ok(Exit::Done)
}
