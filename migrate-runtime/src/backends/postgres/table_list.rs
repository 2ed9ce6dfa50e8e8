//! The query for the tables of the database: where each is, its columns, and whether this user can read it.

use crate::history_sql::HistorySql;

/// Common table expressions. `path`: the schemas that `search_path` names, also those that the server passes over because the user
/// may not use them. `passed`: those before the schema of the history.
fn passed_over(history_sql: &HistorySql) -> String {
    let (place, equal) = (place(history_sql), history_sql.dialect().names.equal);
    let is_searched = if history_sql.stated_schema().is_some() { "false" } else { "true" };
    format!(
        "WITH path AS (SELECT CASE WHEN named.name {equal} '$user' THEN CURRENT_USER::pg_catalog.text ELSE named.name END AS name, \
         named.number FROM (SELECT coalesce(pg_catalog.replace(entry.parts[1], '\"\"', '\"'), pg_catalog.lower(entry.parts[2])) \
         AS name, entry.number FROM pg_catalog.regexp_matches(pg_catalog.current_setting('search_path'), \
         '\"((?:[^\"]|\"\")*)\"|([^,\"[:space:]]+)', 'g') WITH ORDINALITY AS entry (parts, number)) named), \
         passed AS (SELECT path.name FROM path WHERE {is_searched} AND path.number OPERATOR(pg_catalog.<) \
         coalesce((SELECT pg_catalog.min(first.number) FROM path first WHERE first.name {equal} {place}), 1000000)) "
    )
}

/// A query with the columns schema, table, columns (`name:type`, one on each line), the schema of the history, access, and `1` if
/// the schema is in `search_path`. The access is `1` if the user can read the table, `2` if to read it may run code of its owner,
/// `3` if the user may not use its schema, and `4` if the server therefore looks for the history in a later schema of
/// `search_path`. Without tables, only the schema of the history is not null; without such a schema, this one is. It returns the
/// tables with at most so many columns, those of this tool, and those with its names.
pub fn query(history_sql: &HistorySql, most_columns: usize) -> String {
    let names = history_sql.table_names().map(|name| history_sql.text(name)).join(", ");
    let (place, equal) = (place(history_sql), history_sql.dialect().names.equal);
    format!(
        "{}SELECT listed.schema_name, listed.table_name, listed.column_list, located.place, listed.readable, listed.reached FROM \
         (SELECT {place} AS place) located LEFT JOIN (SELECT found.schema_name, found.table_name, found.column_list, found.readable, \
         CASE WHEN found.schema_name {equal} ANY (pg_catalog.current_schemas(false)::pg_catalog.text[]) THEN '1' ELSE '0' END AS reached FROM (\
         SELECT n.nspname::pg_catalog.text AS schema_name, c.relname::pg_catalog.text AS table_name, \
         pg_catalog.string_agg(pg_catalog.concat(a.attname, ':', pg_catalog.format_type(a.atttypid, NULL)), pg_catalog.chr(10)) \
         AS column_list, \
         {place} AS place, CASE WHEN NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE') THEN \
         CASE WHEN EXISTS (SELECT 1 FROM passed WHERE passed.name {equal} n.nspname::pg_catalog.text) THEN '4' ELSE '3' END \
         WHEN c.relkind OPERATOR(pg_catalog.<>) 'r' \
         OR EXISTS (SELECT 1 FROM pg_catalog.pg_rewrite w WHERE w.ev_class {equal} c.oid) \
         OR pg_catalog.bool_or(y.typnamespace OPERATOR(pg_catalog.<>) y.system) THEN '2' \
         WHEN pg_catalog.has_table_privilege(c.oid, 'SELECT') THEN '1' ELSE '0' END AS readable, \
         pg_catalog.count(*) AS columns, pg_catalog.count(CASE WHEN a.attname {equal} 'sql_checksum' THEN 1 END) AS own \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid {equal} c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid {equal} c.oid AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped \
         JOIN (SELECT t.oid, t.typnamespace, s.oid AS system FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace s \
         ON s.nspname {equal} 'pg_catalog') y ON y.oid {equal} a.atttypid \
         WHERE c.relkind {equal} ANY ('{{r,p,f,v,m}}') AND c.relpersistence OPERATOR(pg_catalog.<>) 't' \
         AND n.nspname OPERATOR(pg_catalog.<>) ALL ('{{pg_catalog,information_schema,pg_toast}}') \
         GROUP BY n.oid, n.nspname, c.oid, c.relname, c.relkind) found \
         WHERE found.columns OPERATOR(pg_catalog.<=) {most_columns} OR found.own OPERATOR(pg_catalog.>) 0 \
         OR (found.schema_name {equal} found.place AND found.table_name {equal} ANY (ARRAY[{names}]))) listed ON true ORDER BY 1, 2",
        passed_over(history_sql)
    )
}

/// The schema of the history, as an expression: the one that is known, or else the first of `search_path`. A history in a later
/// schema may be that of another tenant or service; the first run of a service finds it and asks. A temporary schema would be
/// lost with the session, also where `search_path` names it.
pub fn place(history_sql: &HistorySql) -> String {
    match history_sql.schema() {
        Some(schema) => format!("{}::pg_catalog.text", history_sql.text(schema)),
        None => "(SELECT s.name::pg_catalog.text FROM pg_catalog.unnest(pg_catalog.current_schemas(false)) WITH ORDINALITY \
                 AS s (name, number) WHERE NOT pg_catalog.starts_with(s.name::pg_catalog.text, 'pg_temp_') \
                 ORDER BY s.number LIMIT 1)"
            .to_owned(),
    }
}
