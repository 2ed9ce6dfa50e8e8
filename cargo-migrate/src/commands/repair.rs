//! `repair`: takes files that were edited after they were applied as what ran.

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

/// Take edited files as what ran, without running anything
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only these; all that were edited, if none is named
    #[arg(value_name = "VERSION", value_parser = arguments::version)]
    migrations: Vec<Version>,
    /// Edited SQL too, and not only comments and white space: the database must already be as the file says
    #[arg(long)]
    sql: bool,
}

/// Runs it.
pub async fn run(arguments: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let selected = loaded_project::load_with_database(context)?;
    if let ([unknown, ..], [_, _, ..]) = (arguments.migrations.as_slice(), selected.as_slice()) {
        return Err(
            CommandError::usage(format!("version {unknown} can be one of several packages")).help("name the package: `-p NAME`")
        );
    }
    let mut services = Vec::new();
    let mut left = 0;
    for one in &selected {
        let migrator = Migrator::new(&one.folder.set);
        let status = migrator.status(&one.url).await?;
        if let Some(unknown) = arguments.migrations.iter().find(|version| status.history().get(version).is_none()) {
            return Err(CommandError::usage(format!("version {unknown} is not in the history of `{}`", one.project.service))
                .help("see `cargo migrate status`"));
        }
        let mut repaired = Vec::new();
        for edit in verify::edits(&migrator, &status, &one.url).await? {
            if !arguments.migrations.is_empty() && !arguments.migrations.contains(&edit.version) {
                continue;
            }
            if !context.output.is_json() {
                context.output.data(edit.diff.trim_end());
            }
            if edit.standing == MigrationState::Changed && !arguments.sql {
                context.output.message(format!(
                    "`{}`: its SQL was changed; `--sql` takes that too, if the database is as it says",
                    edit.title
                ));
                left += 1;
                continue;
            }
            let question = format!("take `{}` as what ran on {}?", edit.title, url_without_password(&one.url));
            let agreed = context.global.yes
                || context.output.confirm(&question).ok_or_else(|| {
                    CommandError::usage(format!("would take `{}` as what ran", edit.title))
                        .help("add `--yes` to do it without being asked")
                })?;
            if !agreed {
                left += 1;
                continue;
            }
            migrator.repair(&one.url, &edit.version).await?;
            context.output.status("Repaired", &edit.title);
            repaired.push(json!({ "version": edit.version.as_str(), "name": edit.title, "diff": edit.diff }));
        }
        if repaired.is_empty() && left == 0 {
            context.output.message(format!("`{}`: nothing to repair", one.project.service));
        }
        services
            .push(json!({ "service": one.project.service, "database": url_without_password(&one.url), "repaired": repaired }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(if left == 0 { Exit::Done } else { Exit::Diverged })
}
