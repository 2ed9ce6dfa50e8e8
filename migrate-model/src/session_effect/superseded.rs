//! Settings that a later one replaces. A resumed file does not set them again: the role or the database that one of them names may
//! be gone.

use super::named::has_scope;
use super::{is, meaningful, named_settings};
use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::token::Token;

/// What a statement sets.
#[derive(Debug, PartialEq, Eq)]
enum SettingKey {
    /// The default database of MySQL.
    Database,
    /// The whole values of settings of PostgreSQL, by name.
    Settings(Vec<String>),
    /// A part of the values of settings of PostgreSQL, or values that are those in effect.
    Parts(Vec<String>),
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
            (SettingKey::Settings(before) | SettingKey::Parts(before), SettingKey::Settings(names)) => {
                before.iter().all(|name| names.contains(name))
            }
            (SettingKey::Other, _) | (_, SettingKey::Parts(_)) => false,
            (before, key) => before == key,
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
        return if names.is_empty() {
            SettingKey::Other
        } else if is_whole(sql, &tokens, &names) {
            SettingKey::Settings(names)
        } else {
            SettingKey::Parts(names)
        };
    }
    SettingKey::Other
}

/// Does a `SET` of PostgreSQL determine the whole value of what it names, for the session? Some take the value that is in effect,
/// or change a part of it.
fn is_whole(sql: &str, tokens: &[Token], names: &[String]) -> bool {
    let word = |at: usize, word: &str| is(tokens, sql, at, word);
    let scoped = usize::from(has_scope(sql, tokens, 1));
    let is_local = scoped == 1 && word(1, "LOCAL");
    let takes_current = (1..tokens.len()).any(|at| word(at, "FROM") && word(at + 1, "CURRENT"));
    // `SET DateStyle` sets the style of output, the order of the fields, or both. Of the characteristics of a transaction, those that
    // are not named stay.
    let changes_part = names.iter().any(|name| name == "datestyle") || names.len() > 1 && !word(1 + scoped, "AUTHORIZATION");
    !is_local && !takes_current && (word(0, "RESET") || !changes_part)
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
            ("SET SESSION search_path TO a; SET search_path = b", Dialect::Postgres, &[1]),
            ("SET search_path = a; SET search_path FROM CURRENT", Dialect::Postgres, &[0, 1]),
            ("SET search_path = a; SET LOCAL search_path = b", Dialect::Postgres, &[0, 1]),
            ("SET DateStyle TO DMY; SET datestyle TO ISO", Dialect::Postgres, &[0, 1]),
            ("SET \"datestyle\" TO DMY; SET SESSION \"DateStyle\" TO ISO", Dialect::Postgres, &[0, 1]),
            ("SET DateStyle TO DMY; RESET datestyle", Dialect::Postgres, &[1]),
            ("SET SESSION AUTHORIZATION a; RESET SESSION AUTHORIZATION", Dialect::Postgres, &[1]),
            ("SET TIME ZONE 'UTC'; SET timezone = 'CET'", Dialect::Postgres, &[1]),
            (
                "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET SESSION CHARACTERISTICS AS TRANSACTION DEFERRABLE",
                Dialect::Postgres,
                &[0, 1],
            ),
            ("SET session.a = '7'; SET session.b = '8'", Dialect::Postgres, &[0, 1]),
            ("SET session.a = '7'; SET session.a = '8'", Dialect::Postgres, &[1]),
            ("SET app.a.b = '1'; SET app.a.c = '2'; SET app.a.c = '3'", Dialect::Postgres, &[0, 2]),
            ("SET role.a = '1'; SET ROLE x", Dialect::Postgres, &[0, 1]),
            ("PREPARE s AS SELECT 1; DEALLOCATE s", Dialect::Postgres, &[]),
        ] {
            let (statements, _) = split(text, dialect, "f.sql");
            let all = (0..statements.len()).collect();
            assert_eq!(without_superseded(text, &statements, all, dialect), expected, "{text}");
        }
    }
}
