//! The query for the tables of the file and of attached files: where each is, and its columns.

use crate::history_sql::HistorySql;

/// A query with the columns schema (`main`, or that of an attached file), table, columns (`name:type`, one on each line), the
/// schema of the history, and twice `1`: everything in a file can be read, by its name alone. The size of the tables does not
/// matter here.
pub fn query(history_sql: &HistorySql, _: usize) -> String {
    let place = history_sql.text(history_sql.schema().unwrap_or("main"));
    // The type of a column may have a length, such as `varchar(128)`, or anything else in parentheses.
    format!(
        "SELECT found.schema_name, found.table_name, group_concat(found.column_text, char(10)), {place}, '1', '1' FROM (\
         SELECT l.schema AS schema_name, l.name AS table_name, i.name || ':' || \
         CASE WHEN instr(i.type, '(') > 0 THEN substr(i.type, 1, instr(i.type, '(') - 1) ELSE i.type END AS column_text \
         FROM pragma_table_list l JOIN pragma_table_info(l.name, l.schema) i \
         WHERE l.type = 'table' AND l.schema <> 'temp' AND l.name NOT LIKE 'sqlite\\_%' ESCAPE '\\') found \
         GROUP BY found.schema_name, found.table_name ORDER BY 1, 2"
    )
}
