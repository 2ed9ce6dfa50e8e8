//! Analyzes conditions and queries: the columns and values in them.

use crate::cursor::Cursor;
use crate::syntax::Check;
use crate::token::Kind;
use std::collections::BTreeSet;
use std::ops::Range;

/// How deep conditions are read in parentheses that do not enclose all of the condition around them.
const MAX_DEPTH: usize = 16;

/// The `CHECK` constraint with this condition.
pub fn check(cursor: &Cursor<'_>, name: Option<String>, condition: Range<usize>) -> Check {
    let inner = Cursor::new(cursor.sql, condition.clone(), cursor.dialect);
    Check { name, not_null: not_null(&inner, MAX_DEPTH), mentions: words(&inner), literals: literals(&inner), condition }
}

/// The words from the cursor to the end of the clause: to the next comma, or to the parenthesis that closes the list.
pub fn words_of_clause(cursor: &Cursor<'_>) -> Vec<String> {
    let mut end = cursor.clone();
    let start = end.offset();
    end.skip_clause();
    words(&Cursor::new(cursor.sql, end.since(start), cursor.dialect))
}

/// The words after the cursor that may be columns.
pub fn words(cursor: &Cursor<'_>) -> Vec<String> {
    let mut cursor = cursor.clone();
    let mut words = Vec::new();
    let mut known = BTreeSet::new();
    // `*` means all columns only where a column could be: not in `count(*)` or `a * b`.
    let mut in_list = false;
    while !cursor.is_at_end() {
        let begins = cursor.peek_any(&["SELECT", "DISTINCT", "ALL"]) || cursor.peek_symbol(b',') || cursor.peek_symbol(b'.');
        let before = std::mem::replace(&mut in_list, begins);
        match cursor.token().map(|token| token.kind) {
            Some(Kind::Word | Kind::QuotedName) => match cursor.part() {
                Some(word) => {
                    if known.insert(word.clone()) {
                        words.push(word);
                    }
                }
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

/// The same words without the aliases of result columns.
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
        let Some(alias) = rest.part() else { continue };
        names.push(alias);
        // `AS x (a, b text)`
        if let Some(list) = rest.parenthesis() {
            names.extend(words(&Cursor::new(cursor.sql, list, cursor.dialect)));
        }
    }
    // An alias may also follow without `AS`: `sum(a) b`, `t.a b`.
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
    // Only the database knows whether such a word is the alias or a column.
    let names: BTreeSet<String> = names.into_iter().map(|name| name.to_ascii_lowercase()).collect();
    let is_alias = |word: &String| names.contains(&word.to_ascii_lowercase());
    words(cursor).into_iter().filter(|word| word == "*" || !is_alias(word)).collect()
}

/// The numbers and strings after the cursor.
pub fn literals(cursor: &Cursor<'_>) -> Vec<String> {
    let values = cursor.rest().iter().filter(|token| matches!(token.kind, Kind::Number | Kind::Text));
    values.map(|token| token.text(cursor.sql).to_owned()).collect()
}

/// Parses a column: `a`, `t.a`, `((a))`.
fn column(cursor: &mut Cursor<'_>) -> Option<String> {
    if !cursor.peek_symbol(b'(') {
        return cursor.name().map(|name| name.name);
    }
    let inner = cursor.parenthesis()?;
    let mut inner = Cursor::new(cursor.sql, inner, cursor.dialect).unwrapped();
    inner.name().map(|name| name.name).filter(|_| inner.is_at_end())
}

/// The column of `a IS NOT NULL`, `a NOTNULL` or `NOT (a IS NULL)`, if `AND` or the end follows.
fn not_null_column(cursor: &mut Cursor<'_>) -> Option<String> {
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

/// The columns that cannot be null if the condition is true: `a IS NOT NULL AND b IS NOT NULL AND ...`. Conditions that are
/// nested deeper than `depth` are not read.
fn not_null(cursor: &Cursor<'_>, depth: usize) -> Vec<String> {
    // `((a IS NOT NULL))`
    let mut cursor = cursor.unwrapped();
    if depth == 0 || cursor.has("OR") || cursor.has("BETWEEN") {
        return Vec::new();
    }
    let mut columns = Vec::new();
    while !cursor.is_at_end() {
        let before = cursor.position();
        match not_null_column(&mut cursor) {
            Some(name) => columns.push(name),
            None => {
                cursor.rewind(before);
                let inner = cursor.parenthesis().filter(|_| cursor.is_at_end() || cursor.peek("AND"));
                columns.extend(
                    inner.into_iter().flat_map(|range| not_null(&Cursor::new(cursor.sql, range, cursor.dialect), depth - 1)),
                );
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

/// The columns of `a IS NULL` in a condition.
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

/// Is the condition true for every row: `true`, `1 = 1`?
pub fn is_always(cursor: &Cursor<'_>) -> bool {
    let words: Vec<&str> = cursor.rest().iter().map(|token| token.text(cursor.sql)).collect();
    match words.as_slice() {
        [word] => word.eq_ignore_ascii_case("true") || *word == "1",
        [left, "=", right] => left == right && left.starts_with(|c: char| c.is_ascii_digit()),
        _ => false,
    }
}

/// Does the condition certainly select few rows: does it compare a column with a literal, or with a list of literals?
pub fn is_narrow(mut cursor: Cursor<'_>) -> bool {
    if cursor.has("OR") {
        return false;
    }
    let is_literal = |cursor: &Cursor<'_>| {
        cursor.token().is_some_and(|token| matches!(token.kind, Kind::Text | Kind::Number | Kind::DollarText))
    };
    while !cursor.is_at_end() {
        if cursor.name().is_some() {
            if cursor.symbol(b'=') && is_literal(&cursor) {
                return true;
            }
            if cursor.word("IN") && cursor.symbol(b'(') && is_literal(&cursor) {
                return true;
            }
        } else {
            cursor.skip();
        }
    }
    false
}
