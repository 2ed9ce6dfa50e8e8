//! SQL in string literals: `EXECUTE 'DROP TABLE t'`, `PREPARE s FROM 'DROP TABLE t'`.

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::token::Kind;
use std::borrow::Cow;
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

/// The text around literals, with the quotes in each literal as the statement in it contains them. The length is the same, so
/// that ranges remain valid. Other ranges are left as they are.
pub fn decoded<'a, 'r>(sql: &'a str, literals: impl IntoIterator<Item = &'r Range<usize>>, dialect: Dialect) -> Cow<'a, str> {
    let mut decoded = Cow::Borrowed(sql);
    for literal in literals {
        if let Some(inner) = decoded_literal(sql, literal, dialect) {
            decoded.to_mut().replace_range(literal.clone(), &inner);
        }
    }
    decoded
}

/// The text of a literal, if its quotes must be decoded.
fn decoded_literal(sql: &str, literal: &Range<usize>, dialect: Dialect) -> Option<String> {
    let quote = sql[..literal.start].chars().next_back().filter(|quote| matches!(quote, '\'' | '"'))?;
    if !sql[literal.clone()].contains([quote, '\\']) {
        return None;
    }
    let mut inner = sql[literal.clone()].replace(&quote.to_string().repeat(2), &format!(" {quote}"));
    if dialect == Dialect::MySql {
        for escaped in ["\\'", "\\\""] {
            inner = inner.replace(escaped, &format!(" {}", &escaped[1..]));
        }
        inner = inner.replace("\\n", " \n");
    }
    Some(inner)
}
