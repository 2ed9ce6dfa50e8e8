//! The bodies of functions and procedures, and the calls of them.

use super::other;
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::name::Name;
use crate::token::{Kind, Token, Tokens};
use std::ops::Range;

/// Words that begin the body of a routine of MySQL. `SQL SECURITY`, `DETERMINISTIC`, `COMMENT` and similar come before it.
const STARTS: [&str; 24] = [
    "BEGIN", "IF", "CASE", "LOOP", "WHILE", "REPEAT", "FOR", "CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "TRUNCATE",
    "CALL", "SET", "PREPARE", "EXECUTE", "RENAME", "REPLACE", "OPTIMIZE", "SELECT", "LOCK", "RETURN",
];

/// The name and the body of a function or procedure that a statement creates, if the body is SQL or a procedural language of SQL.
pub fn routine_body(sql: &str, dialect: Dialect) -> Option<(Name, Range<usize>)> {
    let mut cursor = Cursor::new(sql, 0..sql.len(), dialect);
    cursor.word("CREATE").then_some(())?;
    while !cursor.peek_any(&["FUNCTION", "PROCEDURE"]) {
        if cursor.is_at_end() || cursor.peek_any(&["TABLE", "VIEW", "TRIGGER", "EVENT", "AS", "BEGIN"]) {
            return None;
        }
        cursor.skip();
    }
    cursor.skip();
    cursor.if_not_exists();
    let name = cursor.name()?;
    cursor.parenthesis()?;
    let body = if dialect == Dialect::MySql { body_of_mysql(&mut cursor) } else { body_of_postgres(&mut cursor) };
    Some((name, body?))
}

fn body_of_mysql(cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
    while !cursor.peek_any(&STARTS) {
        if cursor.is_at_end() {
            return None;
        }
        // `RETURNS SET('a')`
        cursor.word("RETURNS");
        cursor.skip();
    }
    Some(cursor.offset()..cursor.sql.len())
}

/// After `AS`, or from `BEGIN ATOMIC`. Other languages than `sql` and `plpgsql` are not read.
fn body_of_postgres(cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
    let mut language = None;
    let mut body = None;
    while !cursor.is_at_end() {
        if cursor.word("LANGUAGE") {
            language = Some(cursor.text().trim_matches(['\'', '"']).to_ascii_lowercase());
            cursor.skip();
        } else if cursor.word("AS") {
            body = other::quoted_body(cursor).or(body);
            cursor.skip();
        } else if cursor.peek("BEGIN") && cursor.peek_at(1, "ATOMIC") {
            cursor.skip();
            cursor.skip();
            return Some(cursor.offset()..cursor.sql.len());
        } else {
            cursor.skip();
        }
    }
    body.filter(|_| matches!(language.as_deref(), Some("sql" | "plpgsql")))
}

/// The names before a parenthesis in a statement or a body, in lower case: functions that may be called.
pub fn called_names(sql: &str, dialect: Dialect) -> Vec<Name> {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).collect();
    let is_name = |at: usize| tokens.get(at).is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName));
    let is_symbol = |at: usize, symbol: u8| tokens.get(at).is_some_and(|token| token.is_symbol(sql, symbol));
    let is_word = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(sql, word));
    let text = |at: usize| tokens[at].text(sql).trim_matches(['"', '`']).to_ascii_lowercase();
    let mut names = Vec::new();
    for at in (0..tokens.len()).filter(|at| is_name(*at) && is_symbol(at + 1, b'(')) {
        let has_schema = at >= 2 && is_symbol(at - 1, b'.') && is_name(at - 2);
        let first = if has_schema { at - 2 } else { at };
        // `INSERT INTO t (a)` names a table.
        if first > 0 && is_word(first - 1, "INTO") {
            continue;
        }
        names.push(Name { schema: has_schema.then(|| text(at - 2)), name: text(at) });
    }
    for body in tokens.iter().filter(|token| token.kind == Kind::DollarText) {
        names.extend(called_names(body.dollar_content(sql), dialect));
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_routines() {
        let (postgres, mysql) = (Dialect::Postgres, Dialect::MySql);
        for (sql, dialect, expected) in [
            ("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", postgres, Some("f: SELECT 1")),
            ("CREATE OR REPLACE PROCEDURE s.m(a int) AS $$ BEGIN END $$ LANGUAGE plpgsql", postgres, Some("m:  BEGIN END ")),
            ("CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'x', 'y'", postgres, None),
            ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END", postgres, Some("f: SELECT 1; END")),
            (
                "CREATE PROCEDURE p() COMMENT 'x' SQL SECURITY INVOKER ALTER TABLE t ADD c int",
                mysql,
                Some("p: ALTER TABLE t ADD c int"),
            ),
            ("CREATE DEFINER=`a`@`%` PROCEDURE p(IN a INT) BEGIN DROP TABLE t; END", mysql, Some("p: BEGIN DROP TABLE t; END")),
            ("CREATE FUNCTION f() RETURNS SET('a') DETERMINISTIC RETURN 'a'", mysql, Some("f: RETURN 'a'")),
            ("CREATE TABLE t (a int)", mysql, None),
        ] {
            let body = routine_body(sql, dialect).map(|(name, body)| format!("{}: {}", name.name, &sql[body]));
            assert_eq!(body.as_deref(), expected, "{sql}");
        }
        for (sql, expected) in [
            ("SELECT s.\"f\"(1), G ( ) FROM t WHERE a IN (2)", "s.f g in"),
            ("DO $$ BEGIN PERFORM m(); END $$", "m"),
            ("INSERT INTO s.t (a) SELECT f(1)", "f"),
        ] {
            let names: Vec<String> = called_names(sql, postgres).iter().map(ToString::to_string).collect();
            assert_eq!(names.join(" "), expected, "{sql}");
        }
    }
}
