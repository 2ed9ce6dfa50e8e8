//! SQL in string literals: `EXECUTE 'DROP TABLE t'`, `PREPARE s FROM 'DROP TABLE t'`.

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::token::Kind;
use std::ops::Range;

/// The text in the literal at the cursor, if the clause consists of one literal without a prefix. Skips the literal.
pub fn text(cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
    let token = *cursor.token().filter(|token| token.closed)?;
    let written = token.text(cursor.sql);
    let fence = match token.kind {
        Kind::Text if written.starts_with('\'') => 1,
        Kind::Text if written.starts_with('"') && cursor.dialect == Dialect::MySql => 1,
        Kind::DollarText => written[1..].find('$')? + 2,
        _ => return None,
    };
    cursor.skip();
    // Adjacent literals are one string.
    let is_alone = cursor.is_at_end() || cursor.peek_symbol(b';') || cursor.peek_symbol(b',');
    (is_alone && written.len() >= 2 * fence).then_some(token.start + fence..token.end - fence)
}

/// The text of `EXECUTE 'literal'` and `EXECUTE IMMEDIATE 'literal'` at the cursor.
pub fn executed(cursor: &Cursor<'_>) -> Option<Range<usize>> {
    let mut cursor = cursor.clone();
    if !cursor.word("EXECUTE") {
        return None;
    }
    if cursor.dialect == Dialect::MySql && !cursor.word("IMMEDIATE") {
        return None;
    }
    text(&mut cursor)
}

/// The text around a literal, with the quotes in the literal as the statement in it contains them. The length is the same, so
/// that ranges remain valid.
pub fn decoded(sql: &str, literal: &Range<usize>, dialect: Dialect) -> String {
    let mut decoded = sql.to_owned();
    let Some(quote) = sql[..literal.start].chars().next_back().filter(|quote| matches!(quote, '\'' | '"')) else {
        return decoded;
    };
    let mut inner = sql[literal.clone()].replace(&quote.to_string().repeat(2), &format!(" {quote}"));
    if dialect == Dialect::MySql {
        for escaped in ["\\'", "\\\""] {
            inner = inner.replace(escaped, &format!(" {}", &escaped[1..]));
        }
        inner = inner.replace("\\n", " \n");
    }
    decoded.replace_range(literal.clone(), &inner);
    decoded
}
