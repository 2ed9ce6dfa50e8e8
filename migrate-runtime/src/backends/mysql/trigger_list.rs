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

/// What a query that lists names returns.
#[derive(Debug, Default)]
struct Listed {
    /// The schemas and names of tables and views.
    tables: Vec<(String, String)>,
    /// The schemas that have one of the names.
    schemas: Vec<String>,
    /// Rows of the routines, as [`read`] returns them.
    routines: Vec<TextRow>,
}

/// Rows with the columns name, body and kind, for these names: the triggers of the tables, the tables without transactions, the
/// views and the routines, in the current schema and in those of these names. A trigger belongs to the schema of its table, and
/// another application on the server may have tables of the same names.
pub async fn read(mysql: &mut MySql<'_>, names: &str) -> Result<Vec<TextRow>, BackendError> {
    let mut listed = list(mysql, &first_list(names)).await?;
    for schema in std::mem::take(&mut listed.schemas) {
        let schema = (DIALECT.literal)(&schema);
        listed.tables.extend(list(mysql, &tables_of(&schema, names)).await?.tables);
    }
    let mut rows = listed.routines;
    for tables in listed.tables.chunks(TABLES_PER_QUERY) {
        let literal = DIALECT.literal;
        let lookups: Vec<String> = tables.iter().map(|(schema, name)| lookup(&literal(schema), &literal(name))).collect();
        rows.extend(mysql.query(&lookups.join(" UNION ALL ")).await?);
    }
    Ok(rows)
}

async fn list(mysql: &mut MySql<'_>, sql: &str) -> Result<Listed, BackendError> {
    let mut listed = Listed::default();
    for row in mysql.query(sql).await? {
        let mut columns = row.into_iter();
        match (columns.next().flatten().as_deref(), columns.next().flatten(), columns.next().flatten()) {
            (Some("table"), Some(schema), Some(name)) => listed.tables.push((schema, name)),
            (Some("schema"), Some(schema), _) => listed.schemas.push(schema),
            (Some(_), name, body) => listed.routines.push(vec![name, body, Some("routine".to_owned())]),
            (None, ..) => {}
        }
    }
    Ok(listed)
}

/// The tables of the current schema, the schemas, and the routines of the current and of these schemas.
fn first_list(names: &str) -> String {
    let schemas = format!(
        "SELECT 'schema', {}, NULL FROM information_schema.SCHEMATA \
         WHERE NOT (SCHEMA_NAME <=> DATABASE()) AND LOWER(SCHEMA_NAME) IN ({names})",
        text("SCHEMA_NAME")
    );
    let routines = format!(
        "SELECT 'routine', {}, {} FROM information_schema.ROUTINES WHERE {} AND LOWER(ROUTINE_NAME) IN ({names})",
        text("LOWER(ROUTINE_NAME)"),
        text("ROUTINE_DEFINITION"),
        is_near("ROUTINE_SCHEMA", names)
    );
    [tables_of("DATABASE()", names), schemas, routines].join(" UNION ALL ")
}

fn tables_of(schema: &str, names: &str) -> String {
    format!(
        "SELECT 'table', {}, {} FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND LOWER(TABLE_NAME) IN ({names})",
        text("TABLE_SCHEMA"),
        text("TABLE_NAME")
    )
}

/// What is known of one table or view.
fn lookup(schema: &str, table: &str) -> String {
    let columns = |name: &str, body: &str| format!("{}, {}", text(&format!("LOWER({name})")), text(body));
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
        "SELECT LOWER(ROUTINE_NAME), ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE {} \
         AND LOWER(ROUTINE_NAME) IN ({names})",
        is_near("ROUTINE_SCHEMA", near)
    )
}

/// Is a schema the current one, or does one of these names (literals) name it?
fn is_near(schema: &str, names: &str) -> String {
    format!("({schema} = DATABASE() OR LOWER({schema}) IN ({names}))")
}
