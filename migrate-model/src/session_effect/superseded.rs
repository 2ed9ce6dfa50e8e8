//! Settings that a later one replaces. A resumed file does not set them again: the role or the database that one of them names may
//! be gone.

use super::{is, meaningful, named_settings};
use crate::dialect::Dialect;
use crate::statement::Statement;

/// What a statement sets.
#[derive(Debug, PartialEq, Eq)]
enum SettingKey {
    /// The default database of MySQL.
    Database,
    /// Settings of PostgreSQL, by name.
    Settings(Vec<String>),
    /// A prepared statement, in lower case.
    Prepared(String),
    /// Something else.
    Other,
}

/// Of the settings at these positions, in order, those that the directly following one does not replace. A setting between two
/// others may need the first, such as a role.
pub fn without_superseded(text: &str, statements: &[Statement], settings: Vec<usize>, dialect: Dialect) -> Vec<usize> {
    let mut kept: Vec<(usize, SettingKey)> = Vec::new();
    for at in settings {
        let Some(statement) = statements.get(at) else { continue };
        let sql = statement.sql(text);
        let key = key(sql, dialect);
        let is_replaced = |before: &SettingKey| match (before, &key) {
            (SettingKey::Settings(before), SettingKey::Settings(names)) => before.iter().all(|name| names.contains(name)),
            (before, key) => *before != SettingKey::Other && before == key,
        };
        let replaces = kept.last().is_some_and(|(_, before)| is_replaced(before));
        if replaces {
            kept.pop();
        }
        // A statement that does not exist in a new session cannot be removed from it.
        let removes = matches!(key, SettingKey::Prepared(_)) && !is(&meaningful(sql, dialect), sql, 0, "PREPARE");
        if !(replaces && removes) {
            kept.push((at, key));
        }
    }
    kept.into_iter().map(|(at, _)| at).collect()
}

fn key(sql: &str, dialect: Dialect) -> SettingKey {
    let tokens = meaningful(sql, dialect);
    let is_first = |words: &[&str]| words.iter().any(|word| is(&tokens, sql, 0, word));
    if is_first(&["USE"]) && dialect == Dialect::MySql {
        return SettingKey::Database;
    }
    if is_first(&["PREPARE", "DEALLOCATE", "DROP"]) {
        let name = usize::from(!is_first(&["PREPARE"]) && is(&tokens, sql, 1, "PREPARE")) + 1;
        return tokens.get(name).map_or(SettingKey::Other, |token| SettingKey::Prepared(token.text(sql).to_lowercase()));
    }
    if is_first(&["SET", "RESET"]) && dialect == Dialect::Postgres {
        let names = named_settings(sql);
        return if names.is_empty() { SettingKey::Other } else { SettingKey::Settings(names) };
    }
    SettingKey::Other
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::split;

    #[test]
    fn settings_that_are_set_again() {
        for (text, dialect, expected) in [
            ("USE old; USE new", Dialect::MySql, &[1][..]),
            ("USE old; SET @a = 1; USE new", Dialect::MySql, &[0, 1, 2]),
            ("PREPARE s FROM 'SELECT 1'; DEALLOCATE PREPARE s", Dialect::MySql, &[]),
            ("PREPARE s FROM 'SELECT 1'; DROP PREPARE S; USE x", Dialect::MySql, &[2]),
            ("PREPARE s FROM 'SELECT 1'; PREPARE r FROM 'SELECT 1'", Dialect::MySql, &[0, 1]),
            ("SET a = 1; SET a = 2", Dialect::MySql, &[0, 1]),
            ("SET ROLE r; RESET ROLE", Dialect::Postgres, &[1]),
            ("SET ROLE r; SET session_replication_role = replica; RESET ROLE", Dialect::Postgres, &[0, 1, 2]),
            ("SET search_path = a; SET search_path = b; SET ROLE x", Dialect::Postgres, &[1, 2]),
            ("SET SESSION AUTHORIZATION a; RESET ROLE", Dialect::Postgres, &[0, 1]),
            ("PREPARE s AS SELECT 1; DEALLOCATE s", Dialect::Postgres, &[]),
        ] {
            let (statements, _) = split(text, dialect, "f.sql");
            let all = (0..statements.len()).collect();
            assert_eq!(without_superseded(text, &statements, all, dialect), expected, "{text}");
        }
    }
}
