//! Which tables of the history must not be used, from the catalog of MySQL and MariaDB. Tables have no owner there.

use crate::history_sql::HistorySql;
use crate::trust::{Purpose, TableName, TrustSql};

/// A subquery with two rows, where one is allowed: only our check has one.
const SUBQUERY_RETURNS_MORE_THAN_ONE_ROW: &str = "1242";

/// The SQL of the check.
pub const TRUST: TrustSql = TrustSql {
    problems,
    check: |problems| {
        format!(
            "SELECT (SELECT two.n FROM (SELECT 1 AS n UNION ALL SELECT 2) two WHERE bad.table_name IS NOT NULL) FROM ({problems}) bad"
        )
    },
    is_failure: |error| error.code.as_deref() == Some(SUBQUERY_RETURNS_MORE_THAN_ONE_ROW),
    // `information_schema` shows only the privileges of the current user.
    writers: None,
};

fn problems(history_sql: &HistorySql, tables: &[TableName<'_>], purpose: Purpose) -> String {
    // One lookup for each table: with a list of names, the server would open all tables of the database.
    let lookups = tables.iter().flat_map(|table| {
        let schema = table.schema.map_or_else(|| "DATABASE()".to_owned(), |schema| history_sql.text(schema));
        let name = history_sql.text(table.name);
        let kind = format!(
            "SELECT CONCAT(t.TABLE_SCHEMA, '.', t.TABLE_NAME) AS table_name, LOWER(t.TABLE_TYPE) AS problem, '' AS detail \
             FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = {schema} AND t.TABLE_NAME = {name} \
             AND t.TABLE_TYPE NOT IN ('BASE TABLE', 'SYSTEM VERSIONED', 'TEMPORARY')"
        );
        let trigger = format!(
            "SELECT CONCAT(g.EVENT_OBJECT_SCHEMA, '.', g.EVENT_OBJECT_TABLE), \
             CASE WHEN BINARY g.DEFINER <> BINARY CURRENT_USER() THEN 'trigger' ELSE 'trigger before' END, \
             CONCAT(g.TRIGGER_NAME, '\n', g.DEFINER) FROM information_schema.TRIGGERS g \
             WHERE g.EVENT_OBJECT_SCHEMA = {schema} AND g.EVENT_OBJECT_TABLE = {name} \
             AND (BINARY g.DEFINER <> BINARY CURRENT_USER() OR g.ACTION_TIMING = 'BEFORE')"
        );
        // A record must be rolled back with its migration.
        let engine = format!(
            "SELECT CONCAT(t.TABLE_SCHEMA, '.', t.TABLE_NAME), 'engine', t.ENGINE FROM information_schema.TABLES t \
             JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
             WHERE t.TABLE_SCHEMA = {schema} AND t.TABLE_NAME = {name} AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'"
        );
        [Some(kind), Some(engine).filter(|_| purpose == Purpose::Writing), Some(trigger).filter(|_| purpose == Purpose::Writing)]
    });
    lookups.flatten().collect::<Vec<String>>().join(" UNION ALL ")
}
