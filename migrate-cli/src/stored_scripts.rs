//! Down migrations that only the history contains: they are shown, and a person agrees to them, before they run.

use crate::command::Context;
use crate::failure::CommandError;
use crate::service::Service;
use crate::words::count_migrations;
use migrate_model::finding::Finding;
use migrate_runtime::{Direction, MigrationKey, Migrator, Plan, StatusReport, codes};

/// What `status` and a revert say about stored SQL that others may have written.
pub const STORED_NOT_CONFIRMED: &str = "stored SQL not confirmed";

/// A down migration as the history contains it.
#[derive(Debug, Clone)]
pub struct StoredScript {
    /// The service that it belongs to.
    pub service: String,
    /// The version.
    pub key: MigrationKey,
    /// What users call it.
    pub title: String,
    /// The text.
    pub sql: String,
    /// Why it cannot be confirmed to be the text of the migration.
    pub doubt: Option<String>,
}

/// The stored down migration of a version; empty if there is none.
///
/// # Errors
/// If the history cannot be read.
pub async fn read(service: &Service, key: &MigrationKey) -> Result<String, CommandError> {
    let migrator = Migrator::new(service.set.clone());
    let stored = migrator.stored_sql(&service.url, &[key], Direction::Down).await?;
    Ok(stored.into_iter().next().flatten().unwrap_or_default())
}

/// The stored down migrations that a plan runs.
///
/// # Errors
/// If the history cannot be read.
pub async fn of_plan(service: &Service, status: &StatusReport, plan: &Plan<'_>) -> Result<Vec<StoredScript>, CommandError> {
    let mut scripts = Vec::new();
    for step in plan.steps.iter().filter(|step| step.file_script().is_none()) {
        scripts.push(StoredScript {
            service: service.name.clone(),
            key: step.key.clone(),
            title: step.title.clone(),
            sql: read(service, &step.key).await?,
            doubt: status.writers().doubt(),
        });
    }
    Ok(scripts)
}

/// Prints the scripts.
pub fn show(scripts: &[StoredScript], context: &Context<'_>) {
    for script in scripts {
        let head = format!(
            "-- revert `{}` with the SQL that is stored in the history, because no file contains its down migration",
            script.title
        );
        context.output.subject(format!("{head}\n{}\n", script.sql.trim_end()));
    }
    for doubt in doubts(scripts) {
        context.output.subject(format!("{STORED_NOT_CONFIRMED}: {doubt}"));
    }
}

fn doubts(scripts: &[StoredScript]) -> Vec<&str> {
    let mut doubts: Vec<&str> = scripts.iter().filter_map(|script| script.doubt.as_deref()).collect();
    doubts.sort_unstable();
    doubts.dedup();
    doubts
}

/// The error where no terminal is available.
pub fn rejected(scripts: &[StoredScript]) -> CommandError {
    let titles: Vec<String> = scripts.iter().take(3).map(|script| format!("`{}`", script.title)).collect();
    let more = if scripts.len() > titles.len() { " and more" } else { "" };
    let message = format!(
        "{} would be reverted with SQL that only the history contains: {}{more}",
        count_migrations(scripts.len()),
        titles.join(", ")
    );
    let mut finding = Finding::error(&codes::STORED_SQL, message).note("nothing was reverted");
    for doubt in doubts(scripts) {
        finding = finding.note(format!("{STORED_NOT_CONFIRMED}: {doubt}"));
    }
    CommandError::StoredSql(Box::new(
        finding
            .help("read the SQL above (`--dry-run` also shows it); to run the SQL, use `--stored --yes`")
            .help("or revert with the version of the application that contains the down migrations"),
    ))
}
