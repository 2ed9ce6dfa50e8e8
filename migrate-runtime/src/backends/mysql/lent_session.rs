//! The session of a connection that the application has lent: its variables, as the server reports them, and how they are
//! restored.
//!
//! A session of our own is replaced by a new one. A lent one cannot be, so the server is asked what a script has changed. User
//! variables and temporary tables are not reported by all servers; their names are in the text of the script.

use crate::connection::TextRow;
use migrate_model::dialect::Dialect;
use migrate_model::token::{Kind, Quoting, Token, Tokens, executed_tokens};
use std::collections::BTreeMap;

/// Variables that a session does not set, or whose value changes by itself. Character sets are those of the driver.
const NOT_SETTINGS: [&str; 20] = [
    "timestamp",
    "insert_id",
    "last_insert_id",
    "identity",
    "rand_seed1",
    "rand_seed2",
    "pseudo_thread_id",
    "warning_count",
    "error_count",
    "in_transaction",
    "character_set_client",
    "character_set_connection",
    "character_set_results",
    "character_set_database",
    "character_set_server",
    "collation_connection",
    "collation_database",
    "last_gtid",
    "gtid_seq_no",
    "server_id",
];

/// The names of the variables that differ between two lists, with their values in `wanted`.
pub fn differences(current: &Variables, wanted: &Variables) -> Vec<(String, String)> {
    let differs = |(name, value): &(&String, &String)| {
        !NOT_SETTINGS.contains(&name.as_str()) && current.get(*name).is_some_and(|current| current != *value)
    };
    wanted.iter().filter(differs).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The values of variables by name.
pub type Variables = BTreeMap<String, String>;

/// Reads the rows of `SHOW VARIABLES`.
pub fn read_variables(rows: Vec<TextRow>) -> Variables {
    let pair = |row: TextRow| {
        let mut columns = row.into_iter().map(Option::unwrap_or_default);
        Some((columns.next()?, columns.next()?))
    };
    rows.into_iter().filter_map(pair).collect()
}

/// A statement that sets a variable. The server rejects a string for a numeric variable.
pub fn set_sql(name: &str, value: &str) -> String {
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let value = if is_number { value.to_owned() } else { format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''")) };
    format!("SET SESSION {name} = {value}")
}

/// The names of the user variables in a text, as `@name`.
pub fn user_variables(sql: &str) -> Vec<String> {
    let tokens = executed(sql);
    let mut names: Vec<String> = tokens
        .windows(2)
        .enumerate()
        .filter(|(at, pair)| {
            let attached = at.checked_sub(1).is_some_and(|at| tokens[at].end == pair[0].start && tokens[at].kind != Kind::Symbol);
            let system = at.checked_sub(1).is_some_and(|at| tokens[at].is_symbol(sql, b'@')) || pair[1].is_symbol(sql, b'@');
            pair[0].is_symbol(sql, b'@') && pair[0].end == pair[1].start && pair[1].kind != Kind::Symbol && !attached && !system
        })
        .map(|(_, pair)| sql[pair[0].start..pair[1].end].to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The tokens of a text, also those in executable comments.
fn executed(sql: &str) -> Vec<Token> {
    let tokens: Vec<Token> = Tokens::new(sql, Dialect::MySql).filter(|token| !token.is_blank()).collect();
    executed_tokens(sql, &tokens, Quoting::of(Dialect::MySql))
}

/// The names of the statements that a text prepares, as written.
pub fn prepared_statements(sql: &str) -> Vec<String> {
    let tokens = executed(sql);
    let removes = |at: usize| ["DEALLOCATE", "DROP"].iter().any(|word| tokens[at].is_word(sql, word));
    let prepared = tokens.windows(2).enumerate().filter(|(at, pair)| {
        pair[0].is_word(sql, "PREPARE") && pair[1].kind != Kind::Symbol && !at.checked_sub(1).is_some_and(removes)
    });
    prepared.map(|(_, pair)| pair[1].text(sql).to_owned()).collect()
}

/// The names of the temporary tables and sequences that a text creates, as written.
pub fn temporary_tables(sql: &str) -> Vec<String> {
    let tokens = executed(sql);
    let mut names = Vec::new();
    for (at, _) in tokens.iter().enumerate().filter(|(_, token)| token.is_word(sql, "TEMPORARY")) {
        let created = at.checked_sub(1).is_some_and(|at| tokens[at].is_word(sql, "CREATE") || tokens[at].is_word(sql, "REPLACE"));
        let skipped = ["TABLE", "SEQUENCE", "IF", "NOT", "EXISTS"];
        let mut rest = tokens[at + 1..].iter().skip_while(|token| skipped.iter().any(|word| token.is_word(sql, word)));
        let Some(first) = rest.next().filter(|_| created) else { continue };
        let is_qualified = rest.next().is_some_and(|dot| dot.is_symbol(sql, b'.'));
        let last = rest.next().filter(|_| is_qualified).unwrap_or(first);
        names.push(sql[first.start..last.end].to_owned());
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_a_script() {
        let sql = "SET @a = 1, @@sql_mode = ''; CREATE TEMPORARY TABLE IF NOT EXISTS `p` (x INT); GRANT ALL ON t TO u@h; \
                   SELECT @`b c` := @a; CREATE OR REPLACE TEMPORARY TABLE app.q AS SELECT 1; DROP TEMPORARY TABLE z; \
                   /*!50000 CREATE TEMPORARY TABLE r (x INT) */; CREATE /*M! TEMPORARY */ TABLE s (x INT);";
        assert_eq!(user_variables(sql), ["@`b c`", "@a"]);
        assert_eq!(temporary_tables(sql), ["`p`", "app.q", "r", "s"]);
        assert_eq!(prepared_statements("PREPARE q FROM 'SELECT 1'; EXECUTE q; DEALLOCATE PREPARE q; DROP PREPARE z"), ["q"]);
    }

    #[test]
    fn differences_between_sessions() {
        let variables = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let current: Variables = variables(&[("sql_mode", "ANSI"), ("timestamp", "1"), ("wait_timeout", "5"), ("own", "x")]);
        let wanted: Variables = variables(&[("sql_mode", "it's"), ("timestamp", "2"), ("wait_timeout", "9"), ("other", "y")]);
        let differences = differences(&current, &wanted);
        let sql: Vec<String> = differences.iter().map(|(name, value)| set_sql(name, value)).collect();
        assert_eq!(sql, ["SET SESSION sql_mode = 'it''s'", "SET SESSION wait_timeout = 9"]);
    }
}
