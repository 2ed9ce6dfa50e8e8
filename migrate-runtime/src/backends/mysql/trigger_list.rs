//! Queries for the triggers of tables, and for the routines that they call.

/// A query with the columns name and body: the triggers of the tables of these names (literals), in any schema.
pub fn triggers_sql(names: &str) -> String {
    format!(
        "SELECT LOWER(EVENT_OBJECT_TABLE), ACTION_STATEMENT FROM information_schema.TRIGGERS WHERE LOWER(EVENT_OBJECT_TABLE) IN ({names})"
    )
}

/// A query with the columns name and body for the routines of these names. Without privileges, the body is null.
pub fn routines_sql(names: &str) -> String {
    format!(
        "SELECT LOWER(ROUTINE_NAME), ROUTINE_DEFINITION FROM information_schema.ROUTINES WHERE LOWER(ROUTINE_NAME) IN ({names})"
    )
}
