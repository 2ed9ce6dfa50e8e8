//! Whether an object exists, from `information_schema`.

use crate::backend::Presence;
use crate::backend_error::BackendError;
use crate::history_sql::HistorySql;
use migrate_model::effect::{ConstraintType, Object};
use migrate_model::name::Name;

/// A name in the character set of `information_schema`. Its collation takes `e` and `é` for the same, which the server does not.
fn utf8(history_sql: &HistorySql, name: &str) -> String {
    format!("CONVERT({} USING utf8mb3)", history_sql.text(name))
}

/// Reads the answer.
///
/// # Errors
/// If the catalog does not tell.
#[expect(clippy::result_large_err, reason = "as of all operations of a backend")]
pub fn read(answer: Option<&str>) -> Result<Option<Presence>, BackendError> {
    let untold = || BackendError::own("the system catalog does not show it to this user, or shows several");
    Presence::of_answer(answer).map(Some).ok_or_else(untold)
}

/// A query that returns 1 if the object exists, else 0; or a question mark if the catalog does not tell: it shows the columns of a
/// table only to users with a privilege on them, and constraints of different types can have the same name. `None` for kinds that cannot be determined, or do not exist in MySQL.
pub fn presence_query(history_sql: &HistorySql, object: &Object) -> Option<String> {
    let schema = |name: &Name| name.schema.as_ref().map_or("DATABASE()".to_owned(), |schema| history_sql.text(schema));
    let exists = |view: &str, conditions: &[(&str, String)]| {
        let conditions: Vec<String> = conditions.iter().map(|(column, value)| format!("{column} = {value}")).collect();
        Some(format!("SELECT CAST(count(*) > 0 AS CHAR) FROM information_schema.{view} WHERE {}", conditions.join(" AND ")))
    };
    let named = |view: &str, prefix: &str, name: &Name| {
        exists(view, &[(&format!("{prefix}_SCHEMA"), schema(name)), (&format!("{prefix}_NAME"), history_sql.text(&name.name))])
    };
    let inside = |view: &str, column: &str, table: &Name, name: &str| {
        let table_name = history_sql.text(&table.name);
        let (column, name) = (format!("BINARY LOWER({column})"), format!("BINARY LOWER({})", utf8(history_sql, name)));
        exists(view, &[("TABLE_SCHEMA", schema(table)), ("TABLE_NAME", table_name), (&column, name)])
    };
    match object {
        Object::Table(name) | Object::View(name) | Object::Sequence(name) => named("TABLES", "TABLE", name),
        Object::Column(table, name) => {
            let place = format!("TABLE_SCHEMA = {} AND TABLE_NAME = {}", schema(table), history_sql.text(&table.name));
            Some(format!(
                "SELECT CASE WHEN count(*) = 0 AND (SELECT count(*) FROM information_schema.TABLES WHERE {place}) > 0 THEN '?' \
                 ELSE CAST(coalesce(sum(BINARY LOWER(COLUMN_NAME) = BINARY LOWER({})), 0) > 0 AS CHAR) END \
                 FROM information_schema.COLUMNS WHERE {place}",
                utf8(history_sql, name)
            ))
        }
        Object::Index(Some(table), name) => inside("STATISTICS", "INDEX_NAME", table, &name.name),
        Object::Constraint(table, name, ty) => {
            let of_type = match ty {
                ConstraintType::Any => "",
                ConstraintType::Unique => " AND CONSTRAINT_TYPE = 'UNIQUE'",
                ConstraintType::Foreign => " AND CONSTRAINT_TYPE = 'FOREIGN KEY'",
                ConstraintType::Check => " AND CONSTRAINT_TYPE = 'CHECK'",
            };
            Some(format!(
                "SELECT CASE WHEN count(*) > 1 THEN '?' ELSE CAST(count(*) AS CHAR) END FROM information_schema.TABLE_CONSTRAINTS \
                 WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} AND BINARY LOWER(CONSTRAINT_NAME) = BINARY LOWER({}){of_type}",
                schema(table),
                history_sql.text(&table.name),
                utf8(history_sql, name)
            ))
        }
        Object::Trigger(_, name) => {
            let name_of = ("BINARY TRIGGER_NAME", format!("BINARY {}", utf8(history_sql, &name.name)));
            // A trigger belongs to the schema of its table; by that column, the server need not open the tables of all schemas.
            exists("TRIGGERS", &[("EVENT_OBJECT_SCHEMA", schema(name)), ("TRIGGER_SCHEMA", schema(name)), name_of])
        }
        Object::Function(name) | Object::Procedure(name) => {
            let kind = if matches!(object, Object::Function(_)) { "'FUNCTION'" } else { "'PROCEDURE'" };
            let name_of = ("ROUTINE_NAME", history_sql.text(&name.name));
            exists("ROUTINES", &[("ROUTINE_SCHEMA", schema(name)), name_of, ("ROUTINE_TYPE", kind.to_owned())])
        }
        Object::Schema(name) => exists("SCHEMATA", &[("SCHEMA_NAME", history_sql.text(name))]),
        Object::Index(None, _) | Object::Partition(..) | Object::Type(_) | Object::EnumValue(..) | Object::Extension(_) => None,
    }
}
