//! Conditions, as far as they are looked into.

use crate::cursor::Cursor;
use crate::syntax::Check;
use crate::token::Kind;
use std::ops::Range;

/// A `CHECK` with this condition.
pub fn check(cursor: &Cursor<'_>, name: Option<String>, condition: Range<usize>) -> Check {
    let inner = Cursor::new(cursor.sql, condition.clone(), cursor.dialect);
    Check { name, not_null: not_null(inner.clone()), mentions: words(&inner), literals: literals(&inner), condition }
}

/// The words of a condition that may be columns.
pub fn words(cursor: &Cursor<'_>) -> Vec<String> {
    let mut cursor = cursor.clone();
    let mut words = Vec::new();
    // `*` stands for columns only where one could stand: not in `count(*)`, not in `a * b`.
    let mut lists = false;
    while !cursor.is_at_end() {
        let begins = cursor.peek_any(&["SELECT", "DISTINCT", "ALL"]) || cursor.peek_symbol(b',') || cursor.peek_symbol(b'.');
        let before = std::mem::replace(&mut lists, begins);
        match cursor.token().map(|token| token.kind) {
            Some(Kind::Word | Kind::QuotedName) => match cursor.part() {
                Some(word) if !words.contains(&word) => words.push(word),
                Some(_) => {}
                None => cursor.skip(),
            },
            _ if cursor.peek_symbol(b'*') => {
                cursor.skip();
                if before {
                    words.push("*".to_owned());
                }
            }
            _ => cursor.skip(),
        }
    }
    words
}

/// The same without the names that are given to columns of the result.
pub fn uses(cursor: &Cursor<'_>) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = cursor.clone();
    // `CREATE VIEW v (a, b)`
    if let Some(list) = rest.parenthesis() {
        names.extend(words(&Cursor::new(cursor.sql, list, cursor.dialect)));
    }
    while !rest.is_at_end() {
        if !rest.word("AS") {
            rest.skip();
            continue;
        }
        let mut alias = rest.clone();
        names.extend(alias.part());
        // `AS x (a, b text)`
        if let Some(list) = alias.parenthesis() {
            names.extend(words(&Cursor::new(cursor.sql, list, cursor.dialect)));
        }
    }
    // A name may also be given without `AS`: `sum(a) b`, `t.a b`.
    let tokens = cursor.rest();
    for (at, token) in tokens.iter().enumerate().skip(1) {
        let is_name = matches!(token.kind, Kind::Word | Kind::QuotedName);
        let before = &tokens[at - 1];
        let is_value = match before.kind {
            Kind::Number | Kind::Text => true,
            Kind::Symbol => before.is_symbol(cursor.sql, b')'),
            Kind::Word | Kind::QuotedName => at > 1 && tokens[at - 2].is_symbol(cursor.sql, b'.'),
            _ => false,
        };
        let ends = tokens.get(at + 1).is_none_or(|next| next.is_symbol(cursor.sql, b',') || next.is_word(cursor.sql, "FROM"));
        if is_name && is_value && ends {
            names.push(token.text(cursor.sql).trim_matches('"').to_lowercase());
        }
    }
    // Whether it is meant or the column, only the database can tell.
    let word = |word: &String| word == "*" || !names.iter().any(|name| name.eq_ignore_ascii_case(word));
    words(cursor).into_iter().filter(word).collect()
}

/// The numbers and strings of what is left.
pub fn literals(cursor: &Cursor<'_>) -> Vec<String> {
    let values = cursor.rest().iter().filter(|token| matches!(token.kind, Kind::Number | Kind::Text));
    values.map(|token| token.text(cursor.sql).to_owned()).collect()
}

/// `a`, `t.a`, `((a))`.
fn column(cursor: &mut Cursor<'_>) -> Option<String> {
    if !cursor.peek_symbol(b'(') {
        return cursor.name().map(|name| name.name);
    }
    let inner = cursor.parenthesis()?;
    let mut inner = Cursor::new(cursor.sql, inner, cursor.dialect);
    column(&mut inner).filter(|_| inner.is_at_end())
}

/// `a IS NOT NULL`, `a NOTNULL`, `NOT (a IS NULL)`: up to `AND` or the end.
fn says_not_null(cursor: &mut Cursor<'_>) -> Option<String> {
    let ends = |cursor: &Cursor<'_>| cursor.is_at_end() || cursor.peek("AND");
    if cursor.word("NOT") {
        let inner = cursor.parenthesis()?;
        let mut inner = Cursor::new(cursor.sql, inner, cursor.dialect);
        let name = column(&mut inner)?;
        let null = inner.words(&["IS", "NULL"]) || inner.word("ISNULL");
        return (null && inner.is_at_end() && ends(cursor)).then_some(name);
    }
    let name = column(cursor)?;
    let not_null = cursor.words(&["IS", "NOT", "NULL"]) || cursor.word("NOTNULL");
    (not_null && ends(cursor)).then_some(name)
}

/// The columns that it says are not null whenever it holds: `a IS NOT NULL AND b IS NOT NULL AND ...`.
fn not_null(mut cursor: Cursor<'_>) -> Vec<String> {
    // `((a IS NOT NULL))`
    while cursor.peek_symbol(b'(') {
        let mark = cursor.position();
        match cursor.parenthesis() {
            Some(inner) if cursor.is_at_end() => cursor = Cursor::new(cursor.sql, inner, cursor.dialect),
            _ => {
                cursor.rewind(mark);
                break;
            }
        }
    }
    if cursor.has("OR") || cursor.has("BETWEEN") {
        return Vec::new();
    }
    let mut columns = Vec::new();
    while !cursor.is_at_end() {
        let mark = cursor.position();
        match says_not_null(&mut cursor) {
            Some(name) => columns.push(name),
            None => {
                cursor.rewind(mark);
                let inner = cursor.parenthesis().filter(|_| cursor.is_at_end() || cursor.peek("AND"));
                columns.extend(inner.into_iter().flat_map(|range| not_null(Cursor::new(cursor.sql, range, cursor.dialect))));
            }
        }
        while !cursor.is_at_end() && !cursor.word("AND") {
            if cursor.parenthesis().is_none() {
                cursor.skip();
            }
        }
    }
    columns
}

/// Columns that a condition says are null: `WHERE a IS NULL`.
pub fn where_null(mut cursor: Cursor<'_>) -> Vec<String> {
    let mut columns = Vec::new();
    while !cursor.is_at_end() {
        match cursor.name() {
            Some(name) if cursor.words(&["IS", "NULL"]) => columns.push(name.name),
            Some(_) => {}
            None => cursor.skip(),
        }
    }
    columns
}

/// Is it true of every row: `true`, `1 = 1`?
pub fn is_always(cursor: &Cursor<'_>) -> bool {
    let words: Vec<&str> = cursor.rest().iter().map(|token| token.text(cursor.sql)).collect();
    matches!(words.as_slice(), [one] if one.eq_ignore_ascii_case("true") || *one == "1")
        || matches!(words.as_slice(), [one, "=", other] if one == other && one.starts_with(|c: char| c.is_ascii_digit()))
}

/// Is it about few rows for sure: some column equals a value that is written out, or is one of such values?
pub fn is_narrow(mut cursor: Cursor<'_>) -> bool {
    if cursor.has("OR") {
        return false;
    }
    while !cursor.is_at_end() {
        let name = cursor.name();
        if name.is_some() {
            let value = |cursor: &Cursor<'_>| {
                cursor.token().is_some_and(|token| matches!(token.kind, Kind::Text | Kind::Number | Kind::DollarText))
            };
            if cursor.symbol(b'=') && value(&cursor) {
                return true;
            }
            if cursor.word("IN") && cursor.symbol(b'(') && value(&cursor) {
                return true;
            }
        } else {
            cursor.skip();
        }
    }
    false
}
