//! The query for the tables of the database: where each is, its columns, and whether this user can read it.

use crate::history_sql::HistorySql;

/// A query with the columns schema, table, columns (`name:type`, one on each line), the schema of the history, and `1` if the
/// user can read the table. It returns the tables with at most so many columns, those of this tool, and those with its names.
pub fn query(history_sql: &HistorySql, most_columns: usize) -> String {
    let names = history_sql.table_names().map(|name| history_sql.text(name)).join(", ");
    let place = place(history_sql);
    format!(
        "SELECT found.schema_name, found.table_name, found.column_list, found.place, found.readable FROM (\
         SELECT n.nspname::text AS schema_name, c.relname::text AS table_name, \
         string_agg(a.attname::text || ':' || pg_catalog.format_type(a.atttypid, NULL), pg_catalog.chr(10)) AS column_list, \
         {place} AS place, CASE WHEN pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
         AND pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN '1' ELSE '0' END AS readable, \
         count(*) AS columns, count(CASE WHEN a.attname = 'sql_checksum' THEN 1 END) AS own \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' \
         AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') \
         GROUP BY n.oid, n.nspname, c.oid, c.relname) found \
         WHERE found.columns <= {most_columns} OR found.own > 0 \
         OR (found.schema_name = found.place AND found.table_name IN ({names})) ORDER BY 1, 2"
    )
}

/// The schema of the history, as an expression: the one that is known, or else the first of `search_path` that contains the
/// table of records, or else the first one. A temporary schema would be lost with the session, also where `search_path` names it.
pub fn place(history_sql: &HistorySql) -> String {
    match history_sql.schema() {
        Some(schema) => format!("{}::text", history_sql.text(schema)),
        None => format!(
            "(SELECT s.name::text FROM unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY AS s (name, number) \
             WHERE s.name::text !~ '^pg_temp_' \
             ORDER BY pg_catalog.to_regclass(pg_catalog.quote_ident(s.name::text) || '.' || {}) IS NULL, s.number LIMIT 1)",
            history_sql.text(&history_sql.name(history_sql.records_name()))
        ),
    }
}
