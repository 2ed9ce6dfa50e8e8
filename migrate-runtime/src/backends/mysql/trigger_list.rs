//! Queries for the triggers of tables, for the routines that they call, and for tables without transactions.

/// A query with the columns name, body and kind, for these names (literals): the triggers of the tables, the tables without
/// transactions, the views and the routines, in the current schema and in those of these names. A trigger belongs to the schema of
/// its table, and another application on the server may have tables of the same names.
pub fn triggers_sql(names: &str) -> String {
    // The columns of the views have different collations.
    let text = |column: &str| format!("CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin");
    let columns = |name: &str, body: &str| format!("{}, {}", text(&format!("LOWER({name})")), text(body));
    let is_near = |schema: &str| is_near(schema, names);
    let triggers = format!(
        "SELECT {}, 'trigger' FROM information_schema.TRIGGERS WHERE {} AND LOWER(EVENT_OBJECT_TABLE) IN ({names})",
        columns("EVENT_OBJECT_TABLE", "ACTION_STATEMENT"),
        is_near("EVENT_OBJECT_SCHEMA")
    );
    // A table that the server cannot open has no engine.
    let tables = format!(
        "SELECT {}, 'table' FROM information_schema.TABLES t LEFT JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE \
         WHERE {} AND LOWER(t.TABLE_NAME) IN ({names}) AND t.TABLE_TYPE NOT LIKE '%VIEW' AND COALESCE(e.TRANSACTIONS, 'NO') <> 'YES'",
        columns("t.TABLE_NAME", "NULL"),
        is_near("t.TABLE_SCHEMA")
    );
    let views = format!(
        "SELECT {}, 'view' FROM information_schema.VIEWS WHERE {} AND LOWER(TABLE_NAME) IN ({names})",
        columns("TABLE_NAME", "NULLIF(VIEW_DEFINITION, '')"),
        is_near("TABLE_SCHEMA")
    );
    let routines = format!(
        "SELECT {}, 'routine' FROM information_schema.ROUTINES WHERE {} AND LOWER(ROUTINE_NAME) IN ({names})",
        columns("ROUTINE_NAME", "ROUTINE_DEFINITION"),
        is_near("ROUTINE_SCHEMA")
    );
    [triggers, tables, views, routines].join(" UNION ALL ")
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
