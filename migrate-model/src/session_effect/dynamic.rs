//! SQL that a block of PostgreSQL computes: `EXECUTE 'text' || ...` and `EXECUTE format('text', ...)`.

use super::reader::EffectReader;
use super::{SessionEffect, is, meaningful};
use crate::dialect::Dialect;
use crate::token::{Kind, Token};

/// Stands in the text for a quoted name or value.
const COMPUTED: &str = "migrate_computed_name";

impl EffectReader<'_> {
    /// The effect of a computed statement. Unknown unless all of it is text, apart from quoted names and values.
    pub(super) fn dynamic(&self, piece: &str) -> SessionEffect {
        let tokens = meaningful(piece, self.dialect);
        let text = if self.dialect == Dialect::Postgres { executed_text(piece, &tokens) } else { None };
        let Some(text) = text else { return SessionEffect::Unknown };
        let inner = meaningful(&text, self.dialect);
        // The computed schema of a new table may be that of temporary tables.
        let in_computed_schema =
            |at: usize| is(&inner, &text, at, COMPUTED) && inner.get(at + 1).is_some_and(|dot| dot.is_symbol(&text, b'.'));
        if inner.iter().any(|token| token.is_word(&text, "CREATE")) && (0..inner.len()).any(in_computed_schema) {
            return SessionEffect::Unknown;
        }
        let statements = inner.split(|token| token.is_symbol(&text, b';')).filter(|tokens| !tokens.is_empty());
        let sql = |tokens: &[Token]| text.get(tokens[0].start..tokens[tokens.len() - 1].end).unwrap_or_default().to_owned();
        let leaves_nothing = statements.map(sql).all(|sql| self.effect(&sql) == SessionEffect::None);
        if leaves_nothing { self.calls(piece, &tokens) } else { SessionEffect::Unknown }
    }
}

/// The text that `EXECUTE` runs; `None` if a part of it is computed in another way than by quoting.
fn executed_text(piece: &str, tokens: &[Token]) -> Option<String> {
    let end = tokens.iter().position(|token| token.is_word(piece, "INTO") || token.is_word(piece, "USING"));
    let tokens = tokens.get(1..end.unwrap_or(tokens.len()))?;
    if is(tokens, piece, 0, "format") {
        return formatted(&literal(piece, tokens.get(2)?)?);
    }
    let mut text = String::new();
    let mut rest = tokens;
    loop {
        let quotes = ["quote_ident", "quote_literal", "quote_nullable"].iter().any(|name| is(rest, piece, 0, name));
        let length = if quotes {
            text.push_str(COMPUTED);
            1 + parentheses(piece, &rest[1..])?
        } else {
            text.push_str(&literal(piece, rest.first()?)?);
            1
        };
        rest = &rest[length..];
        let operator = rest.len() > 2 && rest[0].is_symbol(piece, b'|') && rest[1].is_symbol(piece, b'|');
        match (rest.is_empty(), operator) {
            (true, _) => return Some(text),
            (false, true) => rest = &rest[2..],
            (false, false) => return None,
        }
    }
}

/// The number of tokens from a parenthesis to the one that closes it.
fn parentheses(piece: &str, tokens: &[Token]) -> Option<usize> {
    let mut depth = 0_u32;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol(piece, b'(') {
            depth += 1;
        } else if token.is_symbol(piece, b')') {
            depth = depth.checked_sub(1)?;
        }
        if depth == 0 {
            return (at > 0).then_some(at + 1);
        }
    }
    None
}

/// The value of a plain string or a dollar-quoted one.
fn literal(piece: &str, token: &Token) -> Option<String> {
    let text = token.text(piece);
    match token.kind {
        Kind::Text => Some(text.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'")),
        Kind::DollarText => {
            let fence = text.get(1..)?.find('$')? + 2;
            text.get(fence..text.len().checked_sub(fence)?).map(str::to_owned)
        }
        _ => None,
    }
}

/// A template of `format` with its `%I` and `%L` replaced; `None` if it inserts text as it is.
fn formatted(template: &str) -> Option<String> {
    let mut parts = template.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut after_percent = false;
    for part in parts {
        if after_percent {
            // The second half of `%%`.
            text.push('%');
            text.push_str(part);
            after_percent = false;
            continue;
        }
        after_percent = part.is_empty();
        if after_percent {
            continue;
        }
        let kind = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '$');
        let rest = kind.strip_prefix(['I', 'L'])?;
        text.push_str(COMPUTED);
        text.push_str(rest);
    }
    Some(text)
}
