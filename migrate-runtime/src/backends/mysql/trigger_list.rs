//! Asks for the triggers of tables, for the routines that they call, and for tables without transactions.
//!
//! MariaDB opens each table that a query of `information_schema` may return, and only `=` with a constant limits them. A server has
//! many tables, and may wait for the one that another session is changing. So the first queries list names, for which no table is
//! opened, and the others look up those tables that exist.

use super::MySql;
use super::history_dialect::DIALECT;
use crate::backend::Backend;
use crate::backend_error::BackendError;
use crate::connection::TextRow;

/// How many tables one query looks up.
const TABLES_PER_QUERY: usize = 32;

/// Of so few names, the first query also looks up the tables that have them as written, so that there is mostly no second one.
const FEW_NAMES: usize = 8;

/// What a query returns.
#[derive(Debug, Default)]
struct Answer {
    /// The schemas and names of tables and views.
    tables: Vec<(String, String)>,
    /// The schemas that have one of the names.
    schemas: Vec<String>,
    /// What [`read`] returns.
    rows: Vec<TextRow>,
}

/// Rows with the columns name, body and kind, for these names: the triggers of the tables, the tables without transactions, the
/// views and the routines, in the current schema and in those of these names. A trigger belongs to the schema of its table, and
/// another application on the server may have tables of the same names.
pub async fn read(mysql: &mut MySql<'_>, names: &[&str]) -> Result<Vec<TextRow>, BackendError> {
    let (literal, list) = (DIALECT.literal, DIALECT.literals(names));
    let guesses = if names.len() <= FEW_NAMES { names } else { &[] };
    let lookups = guesses.iter().map(|name| lookup("DATABASE()", &literal(name)));
    let first: Vec<String> = [first_list(&list)].into_iter().chain(lookups).collect();
    let mut answer = ask(mysql, &first.join(" UNION ALL ")).await?;
    answer.tables.retain(|(_, name)| !guesses.contains(&name.as_str()));
    for schema in std::mem::take(&mut answer.schemas) {
        answer.tables.extend(ask(mysql, &tables_of(&literal(&schema), &list)).await?.tables);
    }
    for tables in answer.tables.chunks(TABLES_PER_QUERY) {
        let lookups: Vec<String> = tables.iter().map(|(schema, name)| lookup(&literal(schema), &literal(name))).collect();
        answer.rows.extend(ask(mysql, &lookups.join(" UNION ALL ")).await?.rows);
    }
    Ok(answer.rows)
}

async fn ask(mysql: &mut MySql<'_>, sql: &str) -> Result<Answer, BackendError> {
    let mut answer = Answer::default();
    for row in mysql.query(sql).await? {
        match row.as_slice() {
            [Some(schema), Some(name), Some(kind)] if kind == "listed" => answer.tables.push((schema.clone(), name.clone())),
            [Some(schema), None, Some(kind)] if kind == "schema" => answer.schemas.push(schema.clone()),
            _ => answer.rows.push(row),
        }
    }
    Ok(answer)
}

/// The tables of the current schema, the schemas, and the routines of the current and of these schemas.
fn first_list(names: &str) -> String {
    let schemas = format!(
        "SELECT {}, NULL, 'schema' FROM information_schema.SCHEMATA WHERE NOT (SCHEMA_NAME <=> DATABASE()) AND {}",
        text("SCHEMA_NAME"),
        is_one_of("SCHEMA_NAME", names)
    );
    let routines = format!(
        "SELECT {}, {}, 'routine' FROM information_schema.ROUTINES WHERE {} AND {}",
        text("ROUTINE_NAME"),
        text("ROUTINE_DEFINITION"),
        is_near("ROUTINE_SCHEMA", names),
        is_one_of("ROUTINE_NAME", names)
    );
    [tables_of("DATABASE()", names), schemas, routines].join(" UNION ALL ")
}

fn tables_of(schema: &str, names: &str) -> String {
    format!(
        "SELECT {}, {}, 'listed' FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND {}",
        text("TABLE_SCHEMA"),
        text("TABLE_NAME"),
        is_one_of("TABLE_NAME", names)
    )
}

/// What is known of one table or view.
fn lookup(schema: &str, table: &str) -> String {
    let columns = |name: &str, body: &str| format!("{}, {}", text(name), text(body));
    let triggers = format!(
        "SELECT {}, 'trigger' FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {schema} AND EVENT_OBJECT_TABLE = {table}",
        columns("EVENT_OBJECT_TABLE", "ACTION_STATEMENT"),
    );
    // A table that the server cannot open has no engine.
    let tables = format!(
        "SELECT {}, 'table' FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
         WHERE t.TABLE_SCHEMA = {schema} AND t.TABLE_NAME = {table} AND t.TABLE_TYPE NOT LIKE '%VIEW' \
         AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'",
        columns("t.TABLE_NAME", "NULL"),
    );
    let views = format!(
        "SELECT {}, 'view' FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {table}",
        columns("TABLE_NAME", "NULLIF(VIEW_DEFINITION, '')"),
    );
    [triggers, tables, views].join(" UNION ALL ")
}

/// The columns of the views have different collations.
fn text(column: &str) -> String {
    format!("CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin")
}

/// A query with the columns name and body for the routines of these names, in the current schema and in those of the names of
/// `near`. Without privileges, the body is null.
pub fn routines_sql(names: &str, near: &str) -> String {
    format!(
        "SELECT ROUTINE_NAME, ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE {} AND {}",
        is_near("ROUTINE_SCHEMA", near),
        is_one_of("ROUTINE_NAME", names)
    )
}

/// Is a schema the current one, or does one of these names (literals) name it?
fn is_near(schema: &str, names: &str) -> String {
    format!("({schema} = DATABASE() OR {})", is_one_of(schema, names))
}

/// Is a column one of these names, as they are written or in lower case? Each server has lower case letters of its own.
fn is_one_of(column: &str, names: &str) -> String {
    format!("(LOWER({column}) IN ({names}) OR {column} IN ({names}))")
}
