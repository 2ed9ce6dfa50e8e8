//! Refuses a script that drops or renames the schema or the database in which its own history is, or that creates, drops or writes
//! the tables of the history, as a dump of a whole database does.

use crate::codes;
use crate::error::{Error, ErrorKind};
use crate::history_sql::HistorySql;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::plan::{ScriptSource, Step};
use migrate_model::reader;
use migrate_model::script::Script;
use migrate_model::session_effect;
use migrate_model::syntax::{ActionKind, ObjectKind, Syntax};
use migrate_model::token::{Token, Tokens};

/// Why a step must not run: it would drop or move the history. On MySQL nothing could be undone then, and the migration could not be
/// recorded.
pub fn obstacle(history_sql: &HistorySql, step: &Step<'_>, dialect: Dialect) -> Option<Error> {
    let ScriptSource::File(script) = step.source else { return None };
    if let Some((at, table, action)) = table_change(history_sql, script, dialect) {
        let message = format!("`{}` {action} `{table}`, a table of the history of these migrations", step.title);
        let error = Error::new(ErrorKind::Setting, &codes::DROPS_HISTORY, message).at(Some(script.place(at)));
        let tables = history_sql.all_table_names().map(|table| format!("`{table}`")).join(", ");
        return Some(error.note("state", "aborted before running anything").help(format!(
            "remove these statements from the file; if it is a dump of a database, make it without the tables of the history: {tables}"
        )));
    }
    let schema = history_sql.schema()?;
    let action = |sql: &str| {
        let drops = drops(sql, schema, dialect).then_some("drops");
        drops.or_else(|| renames(sql, schema, dialect).then_some("renames"))
    };
    let actions = script.statements.iter().map(|statement| action(statement.sql(&script.text)));
    let (at, action) = actions.enumerate().find_map(|(at, action)| Some((at, action?)))?;
    let message = format!("`{}` {action} `{schema}`, which contains the history of these migrations", step.title);
    let error = Error::new(ErrorKind::Setting, &codes::DROPS_HISTORY, message).at(Some(script.place(at)));
    let error = error.note("state", "aborted before running anything");
    let error = error.help(format!("drop the objects in `{schema}` one by one; or store the history elsewhere: set `schema` under `[history]` in `migrate.toml`"));
    Some(error.help("to drop the database, create it again and apply all migrations, run `cargo migrate db reset`"))
}

/// The first statement that creates, drops, renames or writes a table of the history, with the table and what it does.
fn table_change(history_sql: &HistorySql, script: &Script, dialect: Dialect) -> Option<(usize, String, &'static str)> {
    let tables = history_sql.all_table_names();
    let text = script.text.to_ascii_lowercase();
    if !tables.iter().any(|table| text.contains(&table.to_ascii_lowercase())) {
        return None;
    }
    let mut hidden: Vec<String> = Vec::new();
    let is_history = |name: &Name| {
        // With a stated schema, a name without one is that of another table.
        let is_in_place = match &name.schema {
            Some(schema) => schema.eq_ignore_ascii_case(history_sql.schema().unwrap_or(MAIN)),
            None => history_sql.stated_schema().is_none(),
        };
        is_in_place && tables.iter().any(|table| name.name.eq_ignore_ascii_case(table))
    };
    script.statements.iter().enumerate().find_map(|(at, statement)| {
        let sql = statement.sql(&script.text);
        // A temporary table of this name takes the place of the history in the rest of the script.
        hidden.extend(temporary_table(sql, dialect));
        let parts = std::iter::once(sql).chain(session_effect::executable_parts(sql, dialect));
        let (name, action) = parts.into_iter().find_map(|sql| changed_table(sql, dialect, is_history))?;
        let is_hidden = name.schema.is_none() && hidden.iter().any(|table| table.eq_ignore_ascii_case(&name.name));
        (!is_hidden).then_some((at, name.name, action))
    })
}

/// The schema of the history on SQLite.
const MAIN: &str = "main";

fn temporary_table(sql: &str, dialect: Dialect) -> Option<String> {
    match reader::read(sql, dialect) {
        Syntax::CreateTable(table) if table.temporary => Some(table.name?.name),
        _ => None,
    }
}

/// The table for which `is_history` holds that a statement creates, drops, renames or writes.
fn changed_table(sql: &str, dialect: Dialect, is_history: impl Fn(&Name) -> bool) -> Option<(Name, &'static str)> {
    let moves = |kind: &ActionKind| matches!(kind, ActionKind::Rename(_) | ActionKind::SetSchema(_));
    let (names, action) = match reader::read(sql, dialect) {
        Syntax::CreateTable(table) if !table.temporary => (table.name.into_iter().collect(), "creates"),
        Syntax::Drop(drop) if drop.kind == ObjectKind::Table && !drop.temporary => (drop.names, "drops"),
        Syntax::AlterTable(alter) if alter.actions.iter().any(|action| moves(&action.kind)) => (vec![alter.table], "renames"),
        Syntax::RenameTables(renames) => (renames.into_iter().flat_map(|(from, to)| [from, to]).collect(), "renames"),
        Syntax::Truncate { tables, .. } => (tables, "truncates"),
        Syntax::Insert(insert) => (vec![insert.table], "writes to"),
        Syntax::Update(change) | Syntax::Delete(change) => (vec![change.table], "writes to"),
        Syntax::Copy { table: Some(table), from: true } => (vec![table], "writes to"),
        _ => return None,
    };
    names.into_iter().find(is_history).map(|name| (name, action))
}

fn drops(sql: &str, schema: &str, dialect: Dialect) -> bool {
    // Whether the case counts depends on the server.
    let is_history = |name: &str| name.eq_ignore_ascii_case(schema);
    let drops = |sql: &str| match reader::read(sql, dialect) {
        Syntax::Drop(drop) if matches!(drop.kind, ObjectKind::Schema | ObjectKind::Database) => {
            drop.names.iter().any(|name| is_history(&name.name))
        }
        _ => false,
    };
    // `mysqldump` writes `/*!40000 DROP DATABASE ... */`.
    drops(sql) || session_effect::executable_parts(sql, dialect).any(drops)
}

/// `ALTER SCHEMA s RENAME TO t`
fn renames(sql: &str, schema: &str, dialect: Dialect) -> bool {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).take(4).collect();
    let [alter, kind, name, rename] = tokens.as_slice() else { return false };
    let is_renaming = alter.is_word(sql, "ALTER") && kind.is_word(sql, "SCHEMA") && rename.is_word(sql, "RENAME");
    is_renaming && name.text(sql).trim_matches('"').eq_ignore_ascii_case(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_of_the_history_that_are_changed() {
        let is_history = |name: &Name| name.name == "migration_records";
        for (sql, expected) in [
            ("CREATE TABLE IF NOT EXISTS public.migration_records (id int)", Some("creates")),
            ("DROP TABLE IF EXISTS a, migration_records", Some("drops")),
            ("ALTER TABLE migration_records RENAME TO x", Some("renames")),
            ("ALTER TABLE migration_records OWNER TO app", None),
            ("TRUNCATE migration_records", Some("truncates")),
            ("INSERT INTO migration_records VALUES (1)", Some("writes to")),
            ("DELETE FROM migration_records", Some("writes to")),
            ("COPY migration_records FROM stdin", Some("writes to")),
            ("CREATE TEMP TABLE migration_records (id int)", None),
            ("INSERT INTO t SELECT version FROM migration_records", None),
            ("CREATE VIEW v AS SELECT * FROM migration_records", None),
        ] {
            let action = changed_table(sql, Dialect::Postgres, is_history).map(|(_, action)| action);
            assert_eq!(action, expected, "{sql}");
        }
    }

    #[test]
    fn schemas_that_are_renamed() {
        for (sql, expected) in [
            ("ALTER SCHEMA app RENAME TO old", true),
            ("alter schema \"app\" rename to old", true),
            ("ALTER SCHEMA other RENAME TO app", false),
            ("ALTER SCHEMA app OWNER TO o", false),
            ("ALTER TABLE app RENAME TO old", false),
        ] {
            assert_eq!(renames(sql, "app", Dialect::Postgres), expected, "{sql}");
        }
    }

    #[test]
    fn schemas_and_databases_that_are_dropped() {
        for (sql, dialect, expected) in [
            ("DROP DATABASE app", Dialect::MySql, true),
            ("drop schema if exists `App`", Dialect::MySql, true),
            ("/*!40000 DROP DATABASE IF EXISTS `app`*/", Dialect::MySql, true),
            ("DROP DATABASE other", Dialect::MySql, false),
            ("DROP TABLE app", Dialect::MySql, false),
            ("DROP SCHEMA app CASCADE", Dialect::Postgres, true),
            ("DROP SCHEMA IF EXISTS x, \"app\" CASCADE", Dialect::Postgres, true),
            ("DROP SCHEMA app_old CASCADE", Dialect::Postgres, false),
        ] {
            assert_eq!(drops(sql, "app", dialect), expected, "{sql}");
        }
    }
}
