//! The name of the session-level lock of a history.
//!
//! It is the place that the lock protects: the schema of the history tables, their name, and the service. The database of the
//! URL does not matter: two runs with different ones may use the same tables, and `GET_LOCK` is not limited to a database.

use migrate_model::checksum::Checksum;

/// An expression for the name of the lock. `GET_LOCK` accepts at most 64 characters.
///
/// Where the server ignores the case of the names of schemas and tables, their spelling does not matter.
pub fn expression(schema: &str, records: &str, service: &str) -> String {
    let name = |schema: &str, records: &str| {
        let checksum = Checksum::of_pieces(["migrate", schema, records, service]).to_string();
        format!("'migrate.{}'", &checksum[..40])
    };
    let (exact, folded) = (name(schema, records), name(&schema.to_lowercase(), &records.to_lowercase()));
    if exact == folded { exact } else { format!("IF(@@lower_case_table_names = 0, {exact}, {folded})") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spelling_counts_where_the_server_says_so() {
        let name = expression("ops", "migration_records", "shop");
        assert_eq!(name.len(), "'migrate.'".len() + 40);
        assert_ne!(expression("ops", "migration_records", "Shop"), name, "the service is compared exactly");
        assert_ne!(expression("app", "migration_records", "shop"), name);
        let other_spelling = expression("Ops", "migration_records", "shop");
        assert!(other_spelling.starts_with("IF(@@lower_case_table_names = 0, '") && other_spelling.contains(&name));
    }
}
