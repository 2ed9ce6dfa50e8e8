//! `repair`: accepts files that were edited after they were applied, and updates their stored checksums.

use super::verify;
use crate::arguments;
use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use clap::Args;
use migrate_model::version::Version;
use migrate_runtime::{MigrationState, Migrator, url_without_password};
use serde_json::json;

/// Accept edited files: update stored checksums, run nothing
#[derive(Debug, Args)]
pub struct Arguments {
    /// Repair only these versions [default: all edited files]
    #[arg(value_name = "VERSION", value_parser = arguments::version)]
    migrations: Vec<Version>,
    /// Accept edited SQL, not only comments and white space: the database must already match the file
    #[arg(long)]
    sql: bool,
}

/// Runs the command.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let selected = loaded_project::load_with_database(context)?;
    if let ([version, ..], [_, _, ..]) = (arguments.migrations.as_slice(), selected.as_slice()) {
        return Err(CommandError::usage(format!("version {version} is ambiguous, because several packages are selected"))
            .help("select a package: `-p NAME`"));
    }
    let mut services = Vec::new();
    let mut not_accepted = 0;
    for loaded in &selected {
        let migrator = Migrator::new(&loaded.folder.set);
        let status = migrator.status(&loaded.url).await?;
        if let Some(unknown) = arguments.migrations.iter().find(|version| status.history().get(version).is_none()) {
            return Err(CommandError::usage(format!("version {unknown} is not in the history of `{}`", loaded.project.service))
                .help("see `cargo migrate status`"));
        }
        let mut repaired = Vec::new();
        for edit in verify::edits(&migrator, &status, &loaded.url).await? {
            if !arguments.migrations.is_empty() && !arguments.migrations.contains(&edit.version) {
                continue;
            }
            if !context.output.is_json() {
                context.output.data(edit.diff.trim_end());
            }
            if edit.standing == MigrationState::Changed && !arguments.sql {
                context.output.message(format!(
                    "`{}`: its SQL was changed; if the database already matches it, accept it with `--sql`",
                    edit.title
                ));
                not_accepted += 1;
                continue;
            }
            let question = format!("accept the edited `{}` on {}?", edit.title, url_without_password(&loaded.url));
            let confirmed = context.global.yes
                || context.output.confirm(&question).ok_or_else(|| {
                    CommandError::usage(format!("accepting the edited `{}` needs confirmation", edit.title))
                        .help("to confirm, add `--yes`")
                })?;
            if !confirmed {
                not_accepted += 1;
                continue;
            }
            migrator.repair(&loaded.url, &edit.version).await?;
            context.output.status("Repaired", &edit.title);
            repaired.push(json!({ "version": edit.version.as_str(), "name": edit.title, "diff": edit.diff }));
        }
        if repaired.is_empty() && not_accepted == 0 {
            context.output.message(format!("`{}`: nothing to repair", loaded.project.service));
        }
        services.push(
            json!({ "service": loaded.project.service, "database": url_without_password(&loaded.url), "repaired": repaired }),
        );
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(if not_accepted == 0 { Exit::Done } else { Exit::Diverged })
}
