//! The parts of a `DO` statement of PostgreSQL: `DO [LANGUAGE name] 'body' [LANGUAGE name]`.

use crate::dialect::Dialect;
use crate::token::{Kind, Token, Tokens};
use std::borrow::Cow;

/// A `DO` statement.
pub struct DoBlock<'t> {
    /// The content of the body, as the server executes it.
    pub body: Cow<'t, str>,
    /// Is the body written in PL/pgSQL? The statements of another language are not known.
    pub is_plpgsql: bool,
}

/// Reads a `DO` statement. `None` for any other one, and for one without a body.
pub fn read(sql: &str, dialect: Dialect) -> Option<DoBlock<'_>> {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).collect();
    let mut rest = tokens.iter();
    rest.next().filter(|first| first.is_word(sql, "DO"))?;
    let (mut body, mut language) = (None, None);
    while let Some(token) = rest.next() {
        if token.is_word(sql, "LANGUAGE") {
            language = Some(content(rest.next()?.text(sql)));
        } else if matches!(token.kind, Kind::Text | Kind::DollarText) {
            body = Some(content(token.text(sql)));
        }
    }
    let is_plpgsql = language.is_none_or(|language| language.eq_ignore_ascii_case("plpgsql"));
    Some(DoBlock { body: body?, is_plpgsql })
}

/// What a string of any form, or a name in quotes, contains.
fn content(text: &str) -> Cow<'_, str> {
    if let Some(rest) = text.strip_prefix('$') {
        let fence = rest.find('$').map_or(text.len(), |at| at + 2);
        return text.get(fence..text.len().saturating_sub(fence)).unwrap_or_default().into();
    }
    let escapes = text.starts_with(['E', 'e']);
    let Some(start) = text.find(['\'', '"']) else { return text.into() };
    let quote = &text[start..=start];
    let inner = text[start + 1..].strip_suffix(quote).unwrap_or_default();
    let inner = inner.replace(&quote.repeat(2), quote);
    if !escapes {
        return inner.into();
    }
    let breaks = inner.replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t");
    breaks.replace("\\'", "'").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_block() {
        let dialect = Dialect::ALL[0];
        for (sql, body, is_plpgsql) in [
            ("DO $$ BEGIN COMMIT; END $$", " BEGIN COMMIT; END ", true),
            ("DO LANGUAGE 'plpgsql' $x$BEGIN END$x$", "BEGIN END", true),
            ("do language \"plpgsql\" 'BEGIN PERFORM ''a''; END'", "BEGIN PERFORM 'a'; END", true),
            ("DO $$BEGIN END$$ LANGUAGE PLPGSQL", "BEGIN END", true),
            ("DO E'BEGIN\\nCOMMIT; END' LANGUAGE plpgsql", "BEGIN\nCOMMIT; END", true),
            ("DO LANGUAGE plpython3u $$plpy.commit()$$", "plpy.commit()", false),
            ("DO $$plpy.commit()$$ LANGUAGE 'plpython3u'", "plpy.commit()", false),
        ] {
            let block = read(sql, dialect).unwrap();
            assert_eq!((block.body.as_ref(), block.is_plpgsql), (body, is_plpgsql), "{sql}");
        }
        assert!(read("SELECT 1", dialect).is_none() && read("DO", dialect).is_none());
    }
}
