//! Which scripts of the history a run may execute. Who may write `migration_records` decides what they contain.

use crate::backend::Backend;
use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::history_sql::HistorySql;
use crate::session;
use migrate_model::key::MigrationKey;
use migrate_model::plan::{Plan, ScriptSource};
use migrate_model::target::Direction;
use std::sync::Arc;

/// Which scripts of the history a run may execute.
#[derive(Debug, Clone, Default)]
pub enum StoredScripts {
    /// All of them.
    #[default]
    Any,
    /// Only these texts.
    Shown(Arc<[(MigrationKey, String)]>),
}

impl StoredScripts {
    /// Is this the text that may run?
    ///
    /// # Errors
    /// If not.
    pub fn check(&self, key: &MigrationKey, title: &str, text: &str) -> Result<(), Error> {
        let StoredScripts::Shown(scripts) = self else { return Ok(()) };
        match scripts.iter().find(|(script_key, _)| script_key == key) {
            Some((_, known)) if known == text => Ok(()),
            Some(_) => Err(rejected(format!("the stored down migration of `{title}` has changed since it was shown"))
                .help("find out who writes to `migration_records`, then run the same command again")),
            None => Err(rejected(format!("no file contains the down migration of `{title}`, and the SQL that is stored in the history has not been confirmed"))
                .help("run `cargo migrate down`, which shows the SQL and asks for confirmation; or revert with a version of the application that contains the file")),
        }
    }
}

fn rejected(message: String) -> Error {
    Error::new(ErrorKind::HistoryMismatch, &codes::STORED_SQL, message).note("state", "the stored SQL was not run")
}

/// The stored down migration of a version; empty if there is none.
///
/// # Errors
/// If it cannot be read.
pub async fn read(backend: &mut dyn Backend, history_sql: &HistorySql, key: &MigrationKey) -> Result<String, Error> {
    let text = session::stored_script(backend, history_sql, key.as_str(), Direction::Down).await;
    Ok(text.map_err(|error| error.into_history_error("cannot read the stored down migration"))?.unwrap_or_default())
}

/// Rejects a plan with a stored script that may not run, before its first step.
///
/// # Errors
/// If there is one, or if it cannot be read.
pub async fn check_plan(
    backend: &mut dyn Backend,
    history_sql: &HistorySql,
    plan: &Plan<'_>,
    allowed: &StoredScripts,
) -> Result<(), Error> {
    if matches!(allowed, StoredScripts::Any) {
        return Ok(());
    }
    for step in plan.steps.iter().filter(|step| matches!(step.source, ScriptSource::History)) {
        let text = read(backend, history_sql, &step.key).await?;
        allowed.check(&step.key, &step.title, &text)?;
    }
    Ok(())
}
