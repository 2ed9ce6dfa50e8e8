//! The query for the tables of the database: where each is, and its columns.
//!
//! A server has many databases, often with the same tables for another purpose, so only two are looked at: the one of the
//! connection and the one of the history.

use crate::history_sql::HistorySql;

/// A query with the columns schema, table, columns (`name:type`, one on each line), the schema of the history, `1`, or `2` for a
/// view, and `1` for the database of the connection: what this user cannot read is not listed. It returns the tables with at most
/// so many columns, those of this tool, and those with its names.
pub fn query(history_sql: &HistorySql, most_columns: usize) -> String {
    let names = history_sql.table_names().map(|name| history_sql.text(name)).join(", ");
    let place = history_sql.schema().map_or_else(|| "DATABASE()".to_owned(), |schema| history_sql.text(schema));
    let both = [Some("DATABASE()"), history_sql.schema().map(|_| place.as_str())];
    let tables = both.into_iter().flatten().map(|schema| tables_of(schema, &place)).collect::<Vec<_>>().join(" UNION ");
    format!(
        // Whatever the session has set: the list of columns must not be cut. MariaDB reads the first comment, MySQL the second.
        "/*M! SET STATEMENT group_concat_max_len = 1048576 FOR */ SELECT /*+ SET_VAR(group_concat_max_len = 1048576) */ \
         found.schema_name, found.table_name, found.column_list, found.place, CASE found.kind WHEN 'VIEW' THEN '2' ELSE '1' END, \
         CASE WHEN found.schema_name = DATABASE() THEN '1' ELSE '0' END FROM ({tables}) found \
         WHERE found.columns_count <= {most_columns} OR found.own > 0 OR found.table_name IN ({names}) ORDER BY 1, 2"
    )
}

/// Only `=` with a constant, for both views, keeps the server from opening the tables of all schemas.
fn tables_of(schema: &str, place: &str) -> String {
    format!(
        "SELECT c.TABLE_SCHEMA AS schema_name, c.TABLE_NAME AS table_name, \
         GROUP_CONCAT(CONCAT(c.COLUMN_NAME, ':', c.DATA_TYPE) SEPARATOR '\n') AS column_list, {place} AS place, MIN(t.TABLE_TYPE) AS kind, \
         COUNT(*) AS columns_count, COUNT(CASE WHEN c.COLUMN_NAME = 'sql_checksum' THEN 1 END) AS own \
         FROM information_schema.COLUMNS c JOIN information_schema.TABLES t ON t.TABLE_NAME = c.TABLE_NAME \
         WHERE c.TABLE_SCHEMA = {schema} AND t.TABLE_SCHEMA = {schema} AND t.TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'VIEW') \
         GROUP BY c.TABLE_SCHEMA, c.TABLE_NAME"
    )
}
