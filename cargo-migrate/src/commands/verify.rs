//! `verify`: compares what ran with what the files say now.

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

/// Compare what ran with what the files say now
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs it.
pub async fn run(_: &Arguments, context: &Context<'_>) -> Result<Exit, CommandError> {
    let mut services = Vec::new();
    let mut clean = true;
    for one in &loaded_project::load_with_database(context)? {
        let migrator = Migrator::new(&one.folder.set);
        let status = migrator.status(&one.url).await?;
        let plan = status.plan(&Target::Latest)?;
        let errors: Vec<Divergence> = plan.errors().cloned().collect();
        clean &= errors.is_empty();
        context.output.divergences(&plan.divergences);
        let mut diffs = Vec::new();
        for edit in edits(&migrator, &status, &one.url).await? {
            if !context.output.is_json() {
                context.output.data(edit.diff.trim_end());
            }
            diffs.push(json!({ "version": edit.version.as_str(), "name": edit.title, "diff": edit.diff }));
        }
        let applied = status.history().applied().count();
        let rows = status.migrations();
        let count = |test: fn(&MigrationState) -> bool| rows.iter().filter(|row| test(&row.state)).count();
        let unfinished = count(|standing| matches!(standing, MigrationState::PartiallyApplied(_)));
        clean &= unfinished == 0;
        match (errors.is_empty(), unfinished, count(|standing| *standing == MigrationState::CosmeticChange)) {
            (false, ..) => {}
            (true, 0, 0) => {
                context.output.status("Verified", &format!("`{}`: {applied} applied, as the files say", one.project.service))
            }
            (true, 0, comments) => {
                let text =
                    format!("`{}`: {applied} applied; in {comments} of them, comments were changed since", one.project.service);
                context.output.status("Verified", &text);
            }
            (true, unfinished, _) => {
                let text = format!("`{}`: {unfinished} begun and not finished; see `cargo migrate status`", one.project.service);
                context.output.message(text);
            }
        }
        services.push(json!({
            "service": one.project.service,
            "database": url_without_password(&one.url),
            "verified": errors.is_empty() && unfinished == 0,
            "divergences": plan.divergences.iter().map(|one| finding_json(&one.finding)).collect::<Vec<_>>(),
            "diffs": diffs,
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(if clean { Exit::Done } else { Exit::Diverged })
}

/// An applied migration whose file was edited since.
#[derive(Debug)]
pub struct Edit {
    /// Which.
    pub version: Version,
    /// What people call it.
    pub title: String,
    /// Were comments edited, or SQL?
    pub standing: MigrationState,
    /// From what ran to what the file says now, as a unified diff.
    pub diff: String,
}

/// The applied migrations whose files were edited since.
pub async fn edits(migrator: &Migrator<'_>, status: &StatusReport<'_>, url: &str) -> Result<Vec<Edit>, CommandError> {
    let rows = status.migrations();
    let changed: Vec<_> =
        rows.iter().filter(|row| matches!(row.state, MigrationState::Changed | MigrationState::CosmeticChange)).collect();
    let versions: Vec<_> = changed.iter().filter_map(|row| row.record.map(|record| &record.version)).collect();
    let stored = match versions.is_empty() {
        true => Vec::new(),
        false => migrator.stored_sql(url, &versions, Direction::Up).await?,
    };
    let edits = changed.iter().zip(stored).filter_map(|(row, ran)| {
        let (migration, ran) = (row.migration?, ran?);
        let diff = TextDiff::from_lines(ran.as_str(), &migration.up.text);
        let diff = diff.unified_diff().header(&format!("{} as it ran", migration.up.file), &migration.up.file).to_string();
        Some(Edit { version: row.version().clone(), title: row.title(), standing: row.state, diff })
    });
    Ok(edits.collect())
}
