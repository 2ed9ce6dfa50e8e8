//! Conditions, as far as they are looked into.

use crate::cursor::Cursor;
use crate::syntax::Check;
use crate::token::Kind;
use std::ops::Range;

/// A `CHECK` with this condition.
pub fn check(cursor: &Cursor<'_>, name: Option<String>, condition: Range<usize>) -> Check {
    let inner = Cursor::new(cursor.sql, condition.clone(), cursor.dialect);
    Check { name, not_null: not_null(inner.clone()), mentions: words(&inner), condition }
}

/// The words of a condition that may be columns.
pub fn words(cursor: &Cursor<'_>) -> Vec<String> {
    let mut cursor = cursor.clone();
    let mut words = Vec::new();
    while !cursor.is_at_end() {
        match cursor.token().map(|token| token.kind) {
            Some(Kind::Word | Kind::QuotedName) => match cursor.part() {
                Some(word) if !words.contains(&word) => words.push(word),
                Some(_) => {}
                None => cursor.skip(),
            },
            _ if cursor.peek_symbol(b'*') => {
                cursor.skip();
                words.push("*".to_owned());
            }
            _ => cursor.skip(),
        }
    }
    words
}

/// The columns that it says are not null whenever it holds: `a IS NOT NULL AND b IS NOT NULL AND ...`.
fn not_null(mut cursor: Cursor<'_>) -> Vec<String> {
    // `((a IS NOT NULL))`
    while cursor.peek_symbol(b'(') {
        let mark = cursor.mark();
        match cursor.parenthesis() {
            Some(inner) if cursor.is_at_end() => cursor = Cursor::new(cursor.sql, inner, cursor.dialect),
            _ => {
                cursor.go_back(mark);
                break;
            }
        }
    }
    if cursor.has("OR") || cursor.has("BETWEEN") {
        return Vec::new();
    }
    let mut columns = Vec::new();
    while !cursor.is_at_end() {
        let inner = cursor.parenthesis().map(|range| not_null(Cursor::new(cursor.sql, range, cursor.dialect)));
        match inner {
            Some(inner) if cursor.is_at_end() || cursor.peek("AND") => columns.extend(inner),
            _ => {
                let name = cursor.name();
                if let Some(name) =
                    name.filter(|_| cursor.words(&["IS", "NOT", "NULL"]) && (cursor.is_at_end() || cursor.peek("AND")))
                {
                    columns.push(name.name);
                }
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
