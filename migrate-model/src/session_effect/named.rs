//! The settings that a PostgreSQL statement names when it sets them. Any other setting that changes while it runs is changed by
//! something that its text does not show: a function of a trigger, an operator, a view, a default value or a domain.

use super::{dollar_body, is, meaningful};
use crate::dialect::Dialect;
use crate::token::{Kind, Token};

/// What `SET` calls otherwise than the setting is called.
const OTHER_NAMES: &[(&[&str], &[&str])] = &[
    (&["TIME", "ZONE"], &["TimeZone"]),
    (&["NAMES"], &["client_encoding"]),
    (&["SCHEMA"], &["search_path"]),
    (&["AUTHORIZATION"], &["session_authorization", "role", "is_superuser"]),
    (&["SESSION", "AUTHORIZATION"], &["session_authorization", "role", "is_superuser"]),
    (&["XML"], &["xmloption"]),
    (&["TRANSACTION"], &TRANSACTION),
    (
        &["SESSION", "CHARACTERISTICS"],
        &["default_transaction_isolation", "default_transaction_read_only", "default_transaction_deferrable"],
    ),
];

const TRANSACTION: [&str; 3] = ["transaction_isolation", "transaction_read_only", "transaction_deferrable"];

/// The names of the settings that a PostgreSQL statement sets or resets, itself or in its body, each in lower case.
pub fn named_settings(sql: &str) -> Vec<String> {
    let mut names = Vec::new();
    let tokens = meaningful(sql, Dialect::Postgres);
    let head = &tokens[..tokens.len().min(ROUTINE_HEAD)];
    if is(&tokens, sql, 0, "CREATE") && head.iter().any(|token| token.is_word(sql, "FUNCTION") || token.is_word(sql, "PROCEDURE"))
    {
        // Its body and its options take effect when it is called.
        return names;
    }
    // A body may contain another one.
    let mut rest = Some(sql);
    while let Some(text) = rest {
        add_names(&mut names, text);
        rest = dollar_body(text).filter(|body| body.len() < text.len());
    }
    names.sort_unstable();
    names.dedup();
    names
}

fn add_names(names: &mut Vec<String>, sql: &str) {
    let tokens = meaningful(sql, Dialect::Postgres);
    for (at, token) in tokens.iter().enumerate() {
        if (token.is_word(sql, "SET") || token.is_word(sql, "RESET")) && begins_statement(sql, &tokens[..at]) {
            add_set(names, sql, &tokens, at + 1);
        }
        let argument = tokens.get(at + 2).filter(|argument| argument.kind == Kind::Text);
        if let Some(argument) = argument.filter(|_| token.is_word(sql, "set_config")) {
            names.push(argument.text(sql).trim_matches('\'').to_lowercase());
        }
    }
}

/// Within so many words, `CREATE [OR REPLACE]` names what it creates.
const ROUTINE_HEAD: usize = 4;

/// Does a statement begin after these tokens? `UPDATE t SET role = ...` sets a column.
fn begins_statement(sql: &str, before: &[Token]) -> bool {
    let Some(last) = before.last() else { return true };
    let words = ["BEGIN", "THEN", "ELSE", "LOOP", "ATOMIC"];
    last.is_symbol(sql, b';') || last.is_symbol(sql, b'>') || words.iter().any(|word| last.is_word(sql, word))
}

/// The setting that `SET [SESSION | LOCAL]` names at a position.
fn add_set(names: &mut Vec<String>, sql: &str, tokens: &[Token], start: usize) {
    let follows = |at: usize, words: &[&str]| words.iter().enumerate().all(|(offset, word)| is(tokens, sql, at + offset, word));
    let scoped = start + usize::from(has_scope(sql, tokens, start));
    let is_known = |at: usize, words: &[&str]| follows(at, words) && !is_dot(sql, tokens, at + words.len());
    let known = |at: usize| OTHER_NAMES.iter().find(|(words, _)| is_known(at, words)).map(|(_, settings)| *settings);
    if let Some(settings) = known(start).or_else(|| known(scoped)) {
        names.extend(settings.iter().map(|name| name.to_lowercase()));
        return;
    }
    names.extend(setting_name(sql, tokens, scoped).map(|name| name.replace('"', "").to_lowercase()));
}

/// Is there a scope after `SET`? The same word before a dot is the class of a custom setting, as in `SET session.user_id = '7'`.
pub(super) fn has_scope(sql: &str, tokens: &[Token], start: usize) -> bool {
    ["LOCAL", "SESSION"].iter().any(|word| is(tokens, sql, start, word)) && !is_dot(sql, tokens, start + 1)
}

/// The name of a setting at a position, with all its parts, as written.
pub(super) fn setting_name<'s>(sql: &'s str, tokens: &[Token], start: usize) -> Option<&'s str> {
    let first = tokens.get(start)?;
    let mut last = start;
    while is_dot(sql, tokens, last + 1) && last + 2 < tokens.len() {
        last += 2;
    }
    Some(&sql[first.start..tokens[last].end])
}

fn is_dot(sql: &str, tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|token| token.is_symbol(sql, b'.'))
}

/// The custom settings, such as `app.tenant`, that a PostgreSQL script reads with `current_setting`, each in lower case.
pub fn read_custom_settings(text: &str, dialect: Dialect) -> Vec<String> {
    if dialect == Dialect::Postgres { read_in(text) } else { Vec::new() }
}

fn read_in(text: &str) -> Vec<String> {
    let tokens = meaningful(text, Dialect::Postgres);
    let mut names = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let argument = tokens.get(at + 2).filter(|argument| argument.kind == Kind::Text);
        if let Some(argument) = argument.filter(|_| token.is_word(text, "current_setting")) {
            names.push(argument.text(text).trim_matches('\'').to_lowercase());
        }
        if token.kind == Kind::DollarText {
            names.extend(dollar_body(token.text(text)).map(read_in).unwrap_or_default());
        }
    }
    names.retain(|name| {
        name.contains('.') && name.bytes().all(|byte| byte == b'.' || byte == b'_' || byte.is_ascii_alphanumeric())
    });
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_a_statement_names() {
        for (sql, expected) in [
            ("SET search_path = app", "search_path"),
            ("SET LOCAL Work_Mem TO '1MB'", "work_mem"),
            ("SET SESSION app.tenant = 'x'", "app.tenant"),
            ("SET LOCAL TIME ZONE 'UTC'", "timezone"),
            ("SET ROLE joe", "role"),
            ("SET LOCAL SESSION AUTHORIZATION joe", "is_superuser role session_authorization"),
            ("SET SCHEMA 'app'", "search_path"),
            ("RESET \"DateStyle\"", "datestyle"),
            ("SELECT pg_catalog.set_config('App.x', 'y', true), 1", "app.x"),
            ("DO $$ BEGIN SET LOCAL a = 1; PERFORM set_config('b', '', true); END $$", "a b"),
            ("INSERT INTO t VALUES ('SET x = 1')", ""),
            ("UPDATE sites SET search_path = '/', role = 'x'", ""),
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql SET search_path = a AS $$ SELECT set_config('b', '', true) $$",
                "",
            ),
            ("ALTER ROLE joe SET search_path = app", ""),
            ("DO $$ << a >> BEGIN IF true THEN SET a = 1; ELSE RESET b; END IF; UPDATE t SET c = 1; END $$", "a b"),
            ("SET", ""),
        ] {
            assert_eq!(named_settings(sql).join(" "), expected, "{sql}");
        }
        let text =
            "SELECT current_setting('app.B', true), current_setting('x'); DO $$ BEGIN PERFORM current_setting('app.a'); END $$";
        assert_eq!(read_custom_settings(text, Dialect::Postgres), ["app.a", "app.b"]);
    }
}
