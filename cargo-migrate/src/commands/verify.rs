//! `verify`: compares what ran with what the files say now.

use crate::command::{Context, Exit};
use crate::failure::Failure;
use crate::output::{as_finding, finding_json};
use crate::selection;
use clap::Args;
use migrate_core::divergence::Divergence;
use migrate_runtime::{Direction, Migrator, Standing, Target, url_without_password};
use serde_json::json;
use similar::TextDiff;

/// Compare what ran with what the files say now
#[derive(Debug, Args)]
pub struct Arguments {}

/// Runs it.
pub async fn run(_: &Arguments, context: &Context<'_>) -> Result<Exit, Failure> {
    let mut services = Vec::new();
    let mut clean = true;
    for one in &selection::with_database(context)? {
        let migrator = Migrator::new(&one.folder.set);
        let status = migrator.status(&one.url).await?;
        let plan = status.plan(&Target::Latest)?;
        let errors: Vec<Divergence> = plan.errors().cloned().collect();
        clean &= errors.is_empty();
        context.output.divergences(&plan.divergences);
        let rows = status.rows();
        let changed: Vec<_> = rows.iter().filter(|row| matches!(row.standing, Standing::Changed | Standing::Cosmetic)).collect();
        let versions: Vec<_> = changed.iter().filter_map(|row| row.record.map(|record| &record.version)).collect();
        let stored = match versions.is_empty() {
            true => Vec::new(),
            false => migrator.stored(&one.url, &versions, Direction::Up).await?,
        };
        let mut diffs = Vec::new();
        for (row, ran) in changed.iter().zip(stored) {
            let (Some(migration), Some(ran)) = (row.migration, ran) else { continue };
            let diff = TextDiff::from_lines(ran.as_str(), &migration.up.text);
            let text = diff.unified_diff().header(&format!("{} as it ran", migration.up.file), &migration.up.file).to_string();
            if !context.output.is_json() {
                context.output.data(text.trim_end());
            }
            diffs.push(json!({ "version": row.version().as_str(), "name": row.title(), "diff": text }));
        }
        let applied = status.history().applied().count();
        if errors.is_empty() {
            context.output.verb("Verified", &format!("`{}`: {applied} applied, as the files say", one.project.service));
        }
        services.push(json!({
            "service": one.project.service,
            "database": url_without_password(&one.url),
            "verified": errors.is_empty(),
            "divergences": plan.divergences.iter().map(|one| finding_json(&as_finding(one))).collect::<Vec<_>>(),
            "diffs": diffs,
        }));
    }
    if context.output.is_json() {
        context.output.json(&json!({ "services": services }));
    }
    Ok(if clean { Exit::Done } else { Exit::Diverged })
}
