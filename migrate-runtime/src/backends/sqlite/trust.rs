//! Which tables of the history must not be used, from the schema of a SQLite file. A file has one owner, but anything can be in it.

use crate::history_sql::HistorySql;
use crate::trust::{Purpose, TableName, TrustSql};

/// The SQL of the check. SQLite has no function that fails with a text; only our check can overflow.
pub const TRUST: TrustSql = TrustSql {
    problems,
    check: |problems| format!("SELECT abs(-9223372036854775807 - (bad.table_name IS NOT NULL)) FROM ({problems}) bad"),
    is_failure: |error| error.message.contains("integer overflow"),
    // Every user who may write the file.
    writers: None,
};

fn problems(history_sql: &HistorySql, tables: &[TableName<'_>], purpose: Purpose) -> String {
    let lookups = tables.iter().flat_map(|table| {
        let schema = table.schema.unwrap_or("main");
        let (master, name) = (format!("{}.sqlite_master", history_sql.name(schema)), history_sql.text(table.name));
        let label = history_sql.text(&format!("{schema}.{}", table.name));
        let kind = format!(
            "SELECT {label} AS table_name, CASE WHEN m.type = 'table' THEN 'virtual table' ELSE m.type END AS problem, '' AS detail \
             FROM {master} m WHERE lower(m.name) = lower({name}) AND (m.type <> 'table' OR m.sql LIKE 'CREATE VIRTUAL%')"
        );
        let trigger = format!(
            "SELECT {label}, 'trigger', m.name || char(10) || 'this database file' FROM {master} m \
             WHERE lower(m.tbl_name) = lower({name}) AND m.type = 'trigger'"
        );
        let schema_name = history_sql.text(schema);
        let generated = format!(
            "SELECT {label}, 'table with the computed column `' || x.name || '`', '' FROM pragma_table_xinfo({name}, {schema_name}) x WHERE x.hidden IN (2, 3)"
        );
        // Of a virtual table, `sqlite_master` contains only what its author wrote.
        let module = format!(
            "SELECT {label}, 'virtual table', '' FROM pragma_table_list({name}) l WHERE l.schema = {schema_name} AND l.type = 'virtual'"
        );
        [Some(kind), Some(module), Some(generated), Some(trigger).filter(|_| purpose == Purpose::Writing)]
    });
    lookups.flatten().collect::<Vec<String>>().join(" UNION ALL ")
}
