//! Asks a database for the triggers that scripts may fire: what a trigger leaves in the session, the text of a script does not
//! show. With the same query, asks MySQL which of the tables have no transactions.

use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::connection::TextRow;
use crate::error::Error;
use migrate_model::history::{History, RecordState};
use migrate_model::migration_set::MigrationSet;
use migrate_model::script::Script;
use migrate_model::session_effect::catalog::{RoutineBody, TriggerCatalog, changed_names, defined_names, names_in};
use migrate_model::session_effect::table_engines::{NamedObject, TableEngines};
use migrate_model::statement;
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// How deep triggers, views and routines that use each other are followed. What is deeper is unknown.
const MAX_DEPTH: usize = 6;

/// How long an answer of the catalog holds. Other sessions may change the catalog after each answer, even the latest one, so this
/// is about as long as a short migration takes.
const ANSWER_AGE: Duration = Duration::from_millis(100);

/// Where asking takes long, an answer holds this many times as long, so that a run spends no more than about 1 % of its time on it;
/// but never longer than the limit.
const AGE_PER_QUERY: u32 = 100;
const MAX_ANSWER_AGE: Duration = Duration::from_secs(1);

/// For how many of the next scripts, and for how many names, the catalog is asked in one query: more are not run while it holds.
const SCRIPTS_AHEAD: usize = 128;
const NAMES_AHEAD: usize = 500;

/// The names for which the catalog has nothing, so that the next scripts of a run need no query of their own. On MariaDB, each
/// query takes time in proportion to the number of tables of the database.
#[derive(Debug, Default)]
pub struct AbsentNames {
    asked: BTreeSet<String>,
    absent: BTreeSet<String>,
    asked_at: Option<Instant>,
    age: Duration,
}

impl AbsentNames {
    /// The triggers that a script may fire. If the catalog has to be asked, it is asked for the next scripts, too.
    ///
    /// # Errors
    /// When the system catalog cannot be read, or the connection is lost.
    pub async fn triggers_of(
        &mut self,
        backend: &mut dyn Backend,
        script: &Script,
        next: impl Iterator<Item = &Script>,
    ) -> Result<TriggerCatalog, Error> {
        let names = changed_names(&script.text, &script.statements, backend.dialect());
        if !backend.mixes_engines() || names.is_empty() {
            return read(backend, &names).await;
        }
        if !self.covers(&names) {
            self.ask(backend, names.clone(), next).await?;
        }
        if self.absent.is_superset(&names) { Ok(TriggerCatalog::default()) } else { read(backend, &names).await }
    }

    /// Forgets the names that a script may have defined; all if the script is not known.
    pub fn forget_defined(&mut self, script: Option<&Script>) {
        match script.and_then(|script| defined_names(&script.text, &script.statements)) {
            Some(defined) => {
                self.asked.retain(|name| !defined.contains(name));
                self.absent.retain(|name| !defined.contains(name));
            }
            None => *self = AbsentNames::default(),
        }
    }

    async fn ask(
        &mut self,
        backend: &mut dyn Backend,
        mut names: BTreeSet<String>,
        next: impl Iterator<Item = &Script>,
    ) -> Result<(), Error> {
        for script in next.take(SCRIPTS_AHEAD) {
            if names.len() >= NAMES_AHEAD {
                break;
            }
            names.extend(changed_names(&script.text, &script.statements, backend.dialect()));
        }
        *self = AbsentNames::default();
        let asked_at = Instant::now();
        let rows = backend.triggers(&list(&names)).await.map_err(unread)?;
        let present = rows.iter().filter_map(|row| Some(row.first()?.as_ref()?.to_lowercase())).collect();
        *self = AbsentNames::of_answer(names, &present, asked_at, asked_at.elapsed());
        Ok(())
    }

    /// Of the names that were asked for, the catalog has these. The query took this long.
    fn of_answer(asked: BTreeSet<String>, present: &BTreeSet<String>, asked_at: Instant, took: Duration) -> Self {
        // For the collation of the server, a name may be equal to one that is written differently. Then nothing is certain.
        let is_certain = present.is_subset(&asked);
        let absent = asked.difference(present).filter(|_| is_certain).cloned().collect();
        let age = took.saturating_mul(AGE_PER_QUERY).clamp(ANSWER_AGE, MAX_ANSWER_AGE);
        AbsentNames { asked, absent, asked_at: Some(asked_at), age }
    }

    /// Does the last answer say of all these names whether the catalog has them?
    fn covers(&self, names: &BTreeSet<String>) -> bool {
        self.asked_at.is_some_and(|at| at.elapsed() < self.age) && self.asked.is_superset(names)
    }
}

/// The triggers that a script may fire.
///
/// # Errors
/// When the system catalog cannot be read, or the connection is lost.
pub async fn of_script(backend: &mut dyn Backend, script: &Script) -> Result<TriggerCatalog, Error> {
    of_scripts(backend, std::iter::once(script)).await
}

/// The triggers that one of these scripts may fire.
///
/// # Errors
/// When the system catalog cannot be read, or the connection is lost.
pub async fn of_scripts(backend: &mut dyn Backend, scripts: impl Iterator<Item = &Script>) -> Result<TriggerCatalog, Error> {
    let dialect = backend.dialect();
    let names = scripts.flat_map(|script| changed_names(&script.text, &script.statements, dialect)).collect();
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
            let (statements, _) = statement::split(text, set.settings().reading(), "");
            names.extend(changed_names(text, &statements, backend.dialect()));
        }
    }
    let triggers = read(backend, &names).await?;
    history.set_triggers(triggers);
    Ok(())
}

async fn read(backend: &mut dyn Backend, names: &BTreeSet<String>) -> Result<TriggerCatalog, Error> {
    query(backend, names).await.map_err(unread)
}

fn unread(error: BackendError) -> Error {
    error.into_history_error("cannot read the triggers in the system catalog")
}

async fn query(backend: &mut dyn Backend, names: &BTreeSet<String>) -> Result<TriggerCatalog, BackendError> {
    let mut catalog = TriggerCatalog::default();
    let rows = backend.triggers(&list(names)).await?;
    let mut asked = names.clone();
    let mut known_operators = Vec::new();
    if backend.mixes_engines() {
        let mut objects = rows.iter().filter_map(named_object).collect();
        add_mentioned(backend, &mut asked, &mut objects).await?;
        catalog.engines = TableEngines::of(&objects);
        for (name, object) in objects {
            match object {
                NamedObject::Trigger(body) | NamedObject::View(body) => catalog.triggers.entry(name).or_default().push(body),
                NamedObject::Routine(body) => catalog.named.entry(name).or_default().push(body),
                NamedObject::Table => {}
            }
        }
    } else {
        let (operators, triggers): (Vec<TextRow>, Vec<TextRow>) = rows.into_iter().partition(is_operator);
        known_operators = operators.into_iter().filter_map(named_function).collect();
        add(&mut catalog.computed, triggers.iter().filter(|row| is_expression(row)).cloned().collect());
        add(&mut catalog.triggers, triggers);
    }
    add_called(backend, &mut asked, &mut catalog, &known_operators).await?;
    Ok(catalog)
}

/// Adds the routines that triggers call, and the triggers that they fire in turn.
async fn add_called(
    backend: &mut dyn Backend,
    asked: &mut BTreeSet<String>,
    catalog: &mut TriggerCatalog,
    operators: &[(String, String)],
) -> Result<(), BackendError> {
    for depth in 0..=MAX_DEPTH {
        catalog.use_operators(operators, asked);
        if catalog.triggers.is_empty() && catalog.operators.is_empty() {
            break;
        }
        if depth == MAX_DEPTH {
            let deeper = catalog.changed_names(backend.dialect());
            let unknown = deeper.into_iter().filter(|name| !asked.contains(name)).map(|name| (name, vec![RoutineBody::Hidden]));
            catalog.triggers.extend(unknown.collect::<Vec<_>>());
            break;
        }
        let missing = catalog.missing_names(backend.dialect());
        let near: BTreeSet<String> = asked.union(&missing).cloned().collect();
        let sql = backend.routines_sql(&list(&missing), &list(&near)).filter(|_| !missing.is_empty());
        let routines = if let Some(sql) = sql { backend.query(&sql).await? } else { Vec::new() };
        let mut is_complete = routines.is_empty();
        add(&mut catalog.routines, routines);
        let changed: BTreeSet<String> = catalog.changed_names(backend.dialect()).difference(asked).cloned().collect();
        // MySQL also returns tables, views and routines; those that triggers mention are known by now.
        let triggers: Vec<TextRow> = backend.triggers(&list(&changed)).await?.into_iter().filter(is_trigger).collect();
        is_complete &= triggers.is_empty();
        add(&mut catalog.triggers, triggers);
        asked.extend(changed);
        if is_complete {
            break;
        }
    }
    Ok(())
}

fn list(names: &BTreeSet<String>) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Adds the objects that those of a script of MySQL mention in turn.
async fn add_mentioned(
    backend: &mut dyn Backend,
    asked: &mut BTreeSet<String>,
    objects: &mut Vec<(String, NamedObject)>,
) -> Result<(), BackendError> {
    for depth in 0..=MAX_DEPTH {
        let mut missing = BTreeSet::new();
        for (_, object) in objects.iter() {
            if let Some(RoutineBody::Sql(text)) = object.body() {
                missing.extend(names_in(text, backend.dialect()).into_iter().filter(|name| !asked.contains(name)));
            }
        }
        if missing.is_empty() {
            break;
        }
        if depth == MAX_DEPTH {
            let hidden = |name: String| {
                [NamedObject::Routine(RoutineBody::Hidden), NamedObject::Trigger(RoutineBody::Hidden)]
                    .map(|object| (name.clone(), object))
            };
            objects.extend(missing.into_iter().flat_map(hidden));
            break;
        }
        // The schema of an object is one of the names that were asked before.
        asked.append(&mut missing);
        // The answer contains those that are known, too.
        *objects = backend.triggers(&list(asked)).await?.iter().filter_map(named_object).collect();
    }
    Ok(())
}

/// Is a row about a trigger? Without the third column, all are.
fn is_trigger(row: &TextRow) -> bool {
    row.get(2).is_none_or(|kind| kind.as_deref() == Some("trigger"))
}

fn is_expression(row: &TextRow) -> bool {
    matches!(row.get(2), Some(Some(kind)) if kind == "expression")
}

fn is_operator(row: &TextRow) -> bool {
    matches!(row.get(2), Some(Some(kind)) if kind == "operator")
}

/// The operator and its function.
fn named_function(row: TextRow) -> Option<(String, String)> {
    let mut columns = row.into_iter();
    Some((columns.next()??, columns.next()??))
}

/// A row of the columns name, body and kind. A body that the server does not return cannot be read.
fn named_object(row: &TextRow) -> Option<(String, NamedObject)> {
    let name = row.first()?.as_ref()?.to_lowercase();
    let body = row.get(1)?.clone().map_or(RoutineBody::Hidden, RoutineBody::Sql);
    let object = match row.get(2)?.as_deref()? {
        "table" => NamedObject::Table,
        "view" => NamedObject::View(body),
        "trigger" => NamedObject::Trigger(body),
        _ => NamedObject::Routine(body),
    };
    Some((name, object))
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

#[cfg(test)]
mod tests {
    use super::*;
    use migrate_model::dialect::Dialect;

    fn names(text: &str) -> BTreeSet<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn an_answer_holds_until_it_is_old_or_a_script_may_have_changed_it() {
        let script = |sql: &str| Script::read(sql.to_owned(), "", Dialect::MySql).0;
        let now = Instant::now;
        let answer = || AbsentNames::of_answer(names("a b c"), &names("c"), now() + ANSWER_AGE, Duration::ZERO);
        assert!(answer().covers(&names("a c")) && !answer().covers(&names("a d")));
        assert_eq!(answer().absent, names("a b"));
        assert!(!AbsentNames::default().covers(&names("a")));
        for (age, took, holds) in [
            (ANSWER_AGE, Duration::ZERO, false),
            (ANSWER_AGE, ANSWER_AGE / 10, true),
            (MAX_ANSWER_AGE, Duration::from_secs(10), false),
        ] {
            let asked_at = now().checked_sub(age).expect("the clock has run for longer");
            let answer = AbsentNames::of_answer(names("a"), &names(""), asked_at, took);
            assert_eq!(answer.covers(&names("a")), holds, "{age:?} {took:?}");
        }
        for (sql, covered, uncovered) in [
            ("CREATE TABLE a (id int); INSERT INTO b VALUES (1)", "b c", "a"),
            ("ALTER TABLE B ADD COLUMN x int", "a c", "b"),
            ("CREATE TRIGGER x BEFORE INSERT ON z FOR EACH ROW SET @x = 1", "", "a"),
            ("RENAME TABLE y TO z", "", "b"),
        ] {
            let mut answer = answer();
            answer.forget_defined(Some(&script(sql)));
            assert!(covered.is_empty() || answer.covers(&names(covered)), "{sql}");
            assert!(!answer.covers(&names(uncovered)), "{sql}");
        }
        let mut unknown = answer();
        unknown.forget_defined(None);
        assert!(!unknown.covers(&names("a")));
        // The server has found a name that is written differently.
        assert_eq!(AbsentNames::of_answer(names("a b"), &names("\u{e4}"), now(), Duration::ZERO).absent, names(""));
    }
}
