//! `verify`: compares the SQL that was applied with the current files.

use crate::command::Context;
use crate::exit::Exit;
use crate::failure::CommandError;
use crate::loaded_project;
use crate::output::finding_json;
use clap::Args;
use migrate_model::divergence::Divergence;
use migrate_model::version::Version;
use migrate_runtime::{Direction, MigrationState, Migrator, StatusReport, Target, url_without_password};
use serde_json::json;
use similar::TextDiff;

/// Compare the SQL that was applied with the current files
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs the command.
pub async fn run(_: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut services = Vec::new();
    let mut clean = true;
    for loaded in &loaded_project::load_with_database(context)? {
        let migrator = Migrator::new(&loaded.folder.set);
        let status = migrator.status(&loaded.url).await?;
        let plan = status.plan(&Target::Latest)?;
        let errors: Vec<Divergence> = plan.errors().cloned().collect();
        clean &= errors.is_empty();
        context.output.divergences(&plan.divergences);
        let mut diffs = Vec::new();
        for edit in edits(&migrator, &status, &loaded.url).await? {
            if !context.output.is_json() {
                context.output.data(edit.diff.trim_end());
            }
            diffs.push(json!({ "version": edit.version.as_str(), "name": edit.title, "diff": edit.diff }));
        }
        let applied = status.history().applied().count();
        let rows = status.migrations();
        let count = |test: fn(&MigrationState) -> bool| rows.iter().filter(|row| test(&row.state)).count();
        let partially_applied = count(|state| matches!(state, MigrationState::PartiallyApplied(_)));
        clean &= partially_applied == 0;
        match (errors.is_empty(), partially_applied, count(|state| *state == MigrationState::CosmeticChange)) {
            (false, ..) => {}
            (true, 0, 0) => context
                .output
                .status("Verified", &format!("`{}`: {applied} applied, all match the files", loaded.project.service)),
            (true, 0, comments) => {
                let text = format!(
                    "`{}`: {applied} applied; only comments or white space changed in {comments} of them",
                    loaded.project.service
                );
                context.output.status("Verified", &text);
            }
            (true, count, _) => {
                let text = format!("`{}`: {count} partially applied; see `cargo migrate status`", loaded.project.service);
                context.output.message(text);
            }
        }
        services.push(json!({
            "service": loaded.project.service,
            "database": url_without_password(&loaded.url),
            "verified": errors.is_empty() && partially_applied == 0,
            "divergences": plan.divergences.iter().map(|divergence| finding_json(&divergence.finding)).collect::<Vec<_>>(),
            "diffs": diffs,
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(if clean { Exit::Done } else { Exit::Diverged })
}

/// An applied migration whose file was edited afterwards.
#[derive(Debug)]
pub struct Edit {
    pub version: Version,
    /// The file name, or the folder of the migration.
    pub title: String,
    /// `Changed` if the SQL was edited, `CosmeticChange` if only comments or white space were.
    pub standing: MigrationState,
    /// A unified diff from the stored SQL to the current file.
    pub diff: String,
}

/// The applied migrations whose files were edited afterwards.
pub async fn edits(migrator: &Migrator<'_>, status: &StatusReport<'_>, url: &str) -> Result<Vec<Edit>, CommandError> {
    let rows = status.migrations();
    let changed: Vec<_> =
        rows.iter().filter(|row| matches!(row.state, MigrationState::Changed | MigrationState::CosmeticChange)).collect();
    let versions: Vec<_> = changed.iter().filter_map(|row| row.record.map(|record| &record.version)).collect();
    let stored = if versions.is_empty() { Vec::new() } else { migrator.stored_sql(url, &versions, Direction::Up).await? };
    let edits = changed.iter().zip(stored).filter_map(|(row, stored)| {
        let (migration, stored) = (row.migration?, stored?);
        let diff = TextDiff::from_lines(stored.as_str(), &migration.up.text);
        let diff = diff.unified_diff().header(&format!("{} as applied", migration.up.file), &migration.up.file).to_string();
        Some(Edit { version: row.version().clone(), title: row.title(), standing: row.state, diff })
    });
    Ok(edits.collect())
}
