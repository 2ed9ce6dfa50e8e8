//! Asks a database for the triggers that scripts may fire: what a trigger leaves in the session, the text of a script does not
//! show.

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::connection::TextRow;
use crate::error::Error;
use migrate_model::history::{History, RecordState};
use migrate_model::migration_set::MigrationSet;
use migrate_model::script::Script;
use migrate_model::session_effect::catalog::{RoutineBody, TriggerCatalog, changed_names};
use migrate_model::statement;
use std::collections::{BTreeSet, HashMap};

/// How deep routines that call each other are followed. What is deeper is unknown.
const MAX_DEPTH: usize = 4;

/// The triggers that a script may fire.
///
/// # Errors
/// When the system catalog cannot be read, or the connection is lost.
pub async fn of_script(backend: &mut dyn Backend, script: &Script) -> Result<TriggerCatalog, Error> {
    let names = changed_names(&script.text, &script.statements, backend.dialect());
    read(backend, &names).await
}

/// Adds the triggers that the partially applied migrations of a history may have fired: the plan needs them, because a new
/// session lacks what they have left.
///
/// # Errors
/// When the system catalog cannot be read, or the connection is lost.
pub async fn add_to(backend: &mut dyn Backend, set: &MigrationSet, history: &mut History) -> Result<(), Error> {
    let partial: Vec<_> = history.records().iter().filter(|record| record.state != RecordState::Applied).collect();
    let mut names = BTreeSet::new();
    for record in partial {
        let migration = set.iter().find(|migration| record.key == migration.version);
        let scripts = migration.iter().flat_map(|migration| [Some(&migration.up), migration.down.as_ref()]).flatten();
        scripts.for_each(|script| names.extend(changed_names(&script.text, &script.statements, backend.dialect())));
        if let Some(text) = &record.pending_sql {
            let (statements, _) = statement::split(text, set.contents().reading(), "");
            names.extend(changed_names(text, &statements, backend.dialect()));
        }
    }
    let triggers = read(backend, &names).await?;
    history.set_triggers(triggers);
    Ok(())
}

async fn read(backend: &mut dyn Backend, names: &BTreeSet<String>) -> Result<TriggerCatalog, Error> {
    let catalog = query(backend, names).await;
    catalog.map_err(|error| error.into_history_error("cannot read the triggers in the system catalog"))
}

async fn query(backend: &mut dyn Backend, names: &BTreeSet<String>) -> Result<TriggerCatalog, BackendError> {
    let mut catalog = TriggerCatalog::default();
    let Some(sql) = backend.triggers_sql(&names.iter().map(String::as_str).collect::<Vec<_>>()).filter(|_| !names.is_empty())
    else {
        return Ok(catalog);
    };
    add(&mut catalog.triggers, backend.query(&sql).await?);
    if catalog.triggers.is_empty() {
        return Ok(catalog);
    }
    for _ in 0..MAX_DEPTH {
        let missing = catalog.missing_names(backend.dialect());
        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        let Some(sql) = backend.routines_sql(&missing).filter(|_| !missing.is_empty()) else { break };
        let rows = backend.query(&sql).await?;
        if rows.is_empty() {
            break;
        }
        add(&mut catalog.routines, rows);
    }
    Ok(catalog)
}

/// Adds rows of the columns name and body. A body that the server does not return cannot be read.
fn add(bodies: &mut HashMap<String, Vec<RoutineBody>>, rows: Vec<TextRow>) {
    for row in rows {
        let mut columns = row.into_iter();
        let Some(name) = columns.next().flatten() else { continue };
        let body = columns.next().flatten().map_or(RoutineBody::Hidden, RoutineBody::Sql);
        bodies.entry(name.to_lowercase()).or_default().push(body);
    }
}
