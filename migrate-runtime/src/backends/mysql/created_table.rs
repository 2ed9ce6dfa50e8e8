//! What a failed `CREATE TABLE` has left. With `OR REPLACE`, or filled from a query, it works in several steps, and the server
//! does not undo all of them.

use crate::backend::Remains;
use crate::history_sql::HistorySql;
use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::reader;
use migrate_model::syntax::Syntax;

/// The table of a statement that replaces a table, or fills the one that it creates. `None` for any other statement.
pub fn created_in_steps(sql: &str) -> Option<Name> {
    match reader::read(sql, Dialect::MySql) {
        Syntax::CreateTable(table) if !table.temporary && (table.or_replace || table.as_query) => table.name,
        _ => None,
    }
}

/// A query that returns when the table was created. No row if it does not exist.
pub fn state_sql(history_sql: &HistorySql, table: &Name) -> String {
    let schema = table.schema.as_ref().map_or("DATABASE()".to_owned(), |schema| history_sql.text(schema));
    format!(
        "SELECT CONCAT_WS(' ', TABLE_TYPE, CREATE_TIME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {schema} AND TABLE_NAME = {}",
        history_sql.text(&table.name)
    )
}

/// Compares the states of the table before and after the failure. Returns what to tell the user, if they differ.
pub fn compare(table: &Name, before: Option<&str>, after: Option<&str>) -> (Remains, Option<String>) {
    let difference = match (before, after) {
        (before, after) if before == after => return (Remains::Nothing, None),
        (Some(_), None) => format!("table `{table}` existed before this statement and no longer exists: its rows are lost"),
        (None, _) => format!("table `{table}` was created, but may not contain all of its rows"),
        (Some(_), Some(_)) => format!("table `{table}` was replaced, and may not contain all of its rows"),
    };
    (Remains::Unclear, Some(difference))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_are_created_in_steps() {
        for (sql, expected) in [
            ("CREATE OR REPLACE TABLE s.t AS SELECT 1", Some("s.t")),
            ("CREATE OR REPLACE TABLE t (a int)", Some("t")),
            ("CREATE TABLE IF NOT EXISTS t SELECT 1 AS a", Some("t")),
            ("CREATE TABLE t (a int) ENGINE=MyISAM REPLACE AS SELECT 1 AS a", Some("t")),
            ("CREATE TABLE t (a int)", None),
            ("CREATE OR REPLACE TEMPORARY TABLE t AS SELECT 1", None),
            ("CREATE OR REPLACE VIEW t AS SELECT 1", None),
        ] {
            assert_eq!(created_in_steps(sql).map(|name| name.to_string()).as_deref(), expected, "{sql}");
        }
    }
}
