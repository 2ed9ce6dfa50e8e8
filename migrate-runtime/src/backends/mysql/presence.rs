//! Whether an object exists, from `information_schema`.

use crate::history_sql::HistorySql;
use migrate_model::effect::Object;
use migrate_model::name::Name;

/// A name in the character set of `information_schema`. Its collation takes `e` and `é` for the same, which the server does not.
fn utf8(history_sql: &HistorySql, name: &str) -> String {
    format!("CONVERT({} USING utf8mb3)", history_sql.text(name))
}

/// A query that returns 1 if the object exists, else 0. `None` for kinds that cannot be determined, or do not exist in MySQL.
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
        Object::Column(table, name) => inside("COLUMNS", "COLUMN_NAME", table, name),
        Object::Index(Some(table), name) => inside("STATISTICS", "INDEX_NAME", table, &name.name),
        Object::Constraint(table, name) => inside("TABLE_CONSTRAINTS", "CONSTRAINT_NAME", table, name),
        Object::Trigger(_, name) => {
            let name_of = ("BINARY TRIGGER_NAME", format!("BINARY {}", utf8(history_sql, &name.name)));
            exists("TRIGGERS", &[("TRIGGER_SCHEMA", schema(name)), name_of])
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
