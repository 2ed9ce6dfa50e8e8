//! SQL as tokens, in three dialects.
//!
//! The tokens of a text are adjacent and cover every byte, and no text is rejected. A string, quoted name or comment that the
//! end of the text truncates is a token with `closed: false`.
//!
//! Sources: PostgreSQL 15 manual 4.1 and psql's lexer; MySQL 8.4 manual 11.1 and 11.7; SQLite's `tokenize.c` as documented
//! in "SQL As Understood By SQLite".

use crate::dialect::Dialect;
use std::ops::Range;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Space,
    /// `-- ...`, `# ...` or `/* ... */`.
    Comment,
    /// `/*+ ... */`: an optimizer hint, which affects the execution of the statement.
    Hint,
    /// `/*! ... */` or `/*M! ... */`: SQL that only MySQL or MariaDB executes.
    Executable,
    /// A keyword or an unquoted name.
    Word,
    /// A quoted name.
    QuotedName,
    /// A string in quotes, with its prefix.
    Text,
    /// A dollar-quoted string.
    DollarText,
    Number,
    /// Any other single character.
    Symbol,
}

/// A token: bytes `start..end` of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub start: usize,
    pub end: usize,
    /// False for a string, a quoted name or a comment without its end.
    pub closed: bool,
}

impl Token {
    /// The text inside a dollar-quoted string; to its end if it is not closed.
    pub fn dollar_content<'t>(&self, sql: &'t str) -> &'t str {
        let text = self.text(sql);
        let fence = text.get(1..).and_then(|rest| rest.find('$')).map_or(0, |end| end + 2);
        let end = if self.closed { text.len().saturating_sub(fence) } else { text.len() };
        // A text that is nothing but its quotes contains nothing.
        text.get(fence..end).unwrap_or_default()
    }

    /// The text of the token.
    pub fn text<'a>(&self, sql: &'a str) -> &'a str {
        &sql[self.start..self.end]
    }

    /// Is the token this keyword, in upper or lower case?
    pub fn is_word(&self, sql: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(sql).eq_ignore_ascii_case(word)
    }

    /// Is the token this symbol?
    pub fn is_symbol(&self, sql: &str, symbol: u8) -> bool {
        self.kind == Kind::Symbol && sql.as_bytes()[self.start] == symbol
    }

    /// Is the token white space or a comment, which the database ignores?
    pub fn is_blank(&self) -> bool {
        matches!(self.kind, Kind::Space | Kind::Comment)
    }
}

/// How quotes are read, where a setting of the session can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quoting {
    /// A backslash in a plain string is a character as any other.
    Standard,
    /// It is an escape character: `standard_conforming_strings = off` on PostgreSQL, and MySQL without `NO_BACKSLASH_ESCAPES`.
    Backslashes,
    /// MySQL: `"` encloses a name instead of a string (`ANSI_QUOTES`).
    AnsiQuotes,
    /// MySQL: `ANSI_QUOTES` without `NO_BACKSLASH_ESCAPES`.
    AnsiQuotesAndBackslashes,
}

impl Quoting {
    /// The quoting of a server with its default settings.
    pub fn of(dialect: Dialect) -> Quoting {
        Quoting::new(dialect == Dialect::MySql, false)
    }

    /// The quoting with these properties.
    pub fn new(backslashes: bool, ansi_quotes: bool) -> Quoting {
        match (backslashes, ansi_quotes) {
            (false, false) => Quoting::Standard,
            (true, false) => Quoting::Backslashes,
            (false, true) => Quoting::AnsiQuotes,
            (true, true) => Quoting::AnsiQuotesAndBackslashes,
        }
    }

    /// Is a backslash an escape character in plain strings?
    pub fn backslashes(self) -> bool {
        matches!(self, Quoting::Backslashes | Quoting::AnsiQuotesAndBackslashes)
    }

    /// Does `"` enclose a name in MySQL?
    pub fn ansi_quotes(self) -> bool {
        matches!(self, Quoting::AnsiQuotes | Quoting::AnsiQuotesAndBackslashes)
    }
}

/// A place of a text that differs from the plain tokens of its dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// These bytes are one token: a line that only the client interprets, the rows of `COPY`, or a delimiter.
    Token(Token),
    /// Quotes from this byte on are read in this way.
    Quoting(usize, Quoting),
}

/// What precedes the next token: PostgreSQL continues a string after a line end, with the escapes that it began with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Other,
    /// A string with escapes.
    EscapedText,
    /// A string with escapes, and a line end.
    EscapedTextAndLine,
}

/// Iterates over the tokens of a text.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    sql: &'a str,
    dialect: Dialect,
    at: usize,
    quoting: Quoting,
    deviations: &'a [Deviation],
    before: Before,
}

impl<'a> Tokens<'a> {
    /// Starts at the first byte of the text.
    pub fn new(sql: &'a str, dialect: Dialect) -> Self {
        Tokens { sql, dialect, at: 0, quoting: Quoting::of(dialect), deviations: &[], before: Before::Other }
    }

    /// Reads quotes in another way than a server with its default settings.
    #[must_use]
    pub fn quoting(mut self, quoting: Quoting) -> Self {
        self.quoting = quoting;
        self
    }

    /// Follows the deviations that splitting the text has found, in their order.
    #[must_use]
    pub fn following(mut self, deviations: &'a [Deviation]) -> Self {
        self.deviations = deviations;
        self
    }

    /// The byte where the next token begins.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Continues at another byte, which must be at a character boundary.
    pub fn jump(&mut self, offset: usize) {
        self.at = offset;
        self.before = Before::Other;
    }

    /// Sets how the quotes that follow are read.
    pub fn set_quoting(&mut self, quoting: Quoting) {
        self.quoting = quoting;
    }

    fn byte(&self, offset: usize) -> u8 {
        self.sql.as_bytes().get(offset).copied().unwrap_or(0)
    }

    /// The end of a quoted text whose opening quote ends at `from`, and whether it is closed.
    fn quoted(&self, from: usize, quote: u8, backslashes: bool) -> (usize, bool) {
        let bytes = self.sql.as_bytes();
        let mut at = from;
        while at < bytes.len() {
            if bytes[at] == quote {
                if self.byte(at + 1) != quote {
                    return (at + 1, true);
                }
                at += 2;
            } else if backslashes && bytes[at] == b'\\' {
                at += 2;
            } else {
                at += 1;
            }
        }
        (bytes.len(), false)
    }

    /// The end of a line comment. For PostgreSQL, a carriage return ends it, too.
    fn line_comment(&self) -> usize {
        let rest = self.sql[self.at..].bytes();
        let carriage_return = self.dialect == Dialect::Postgres;
        let ends = |byte: u8| byte == b'\n' || (carriage_return && byte == b'\r');
        rest.enumerate().find(|(_, byte)| ends(*byte)).map_or(self.sql.len(), |(length, _)| self.at + length)
    }

    /// The end of `/*! ... */`, whether it is closed, and whether too many others begin in it. It contains SQL, whose strings
    /// and comments may contain `*/`.
    fn executable_comment(&self) -> (usize, bool, bool) {
        let bytes = self.sql.as_bytes();
        let start = executable_start(self.sql, self.at);
        let mut inner = Tokens { at: start, deviations: &[], ..self.clone() };
        let mut is_nested = false;
        while inner.at < bytes.len() {
            if bytes[inner.at..].starts_with(b"*/") {
                return (inner.at + 2, true, is_nested);
            }
            if bytes[inner.at..].starts_with(b"/*") {
                // Such comments do not nest further.
                let begin = inner.at;
                inner.at = self.sql[begin..].find("*/").map_or(bytes.len(), |length| begin + length + 2);
                let comment = &self.sql[begin..inner.at];
                is_nested |= comment.matches("/*!").count() + comment.matches("/*M!").count() > MAX_NESTED_COMMENTS;
            } else if inner.next().is_none() {
                break;
            }
        }
        (bytes.len(), false, is_nested)
    }

    fn block_comment(&self) -> (Kind, usize, bool) {
        let bytes = self.sql.as_bytes();
        let nested = self.dialect == Dialect::Postgres;
        if is_executable(self.sql, self.at, self.dialect) {
            let (end, closed, is_nested) = self.executable_comment();
            // A file with a nested one is rejected: see `nests_executable_comments`.
            let kind = if is_nested || is_for_no_server(self.sql, self.at) { Kind::Comment } else { Kind::Executable };
            return (kind, end, closed);
        }
        let kind = if self.byte(self.at + 2) == b'+' { Kind::Hint } else { Kind::Comment };
        let mut depth = 1;
        let mut at = self.at + 2;
        while at < bytes.len() {
            match (bytes[at], self.byte(at + 1)) {
                (b'*', b'/') => {
                    depth -= 1;
                    at += 2;
                    if depth == 0 {
                        return (kind, at, true);
                    }
                }
                (b'/', b'*') if nested => {
                    depth += 1;
                    at += 2;
                }
                _ => at += 1,
            }
        }
        (kind, bytes.len(), false)
    }

    /// The end of the dollar-quoted string that begins here, and whether it is closed; `None` if no such string begins here.
    fn dollar_text(&self) -> Option<(usize, bool)> {
        let rest = &self.sql[self.at + 1..];
        let tag = rest.find(|c: char| !is_name_character(c)).unwrap_or(rest.len());
        let valid_start = !rest.starts_with(|c: char| c.is_ascii_digit());
        if !valid_start || !rest[tag..].starts_with('$') {
            return None;
        }
        let body = self.at + tag + 2;
        let fence = &self.sql[self.at..body];
        Some(match self.sql[body..].find(fence) {
            Some(length) => (body + length + fence.len(), true),
            None => (self.sql.len(), false),
        })
    }

    fn word_end(&self) -> usize {
        let dollar = self.dialect != Dialect::Sqlite;
        let bytes = self.sql.as_bytes();
        let mut at = self.at;
        // Byte by byte, because the macro runs without optimization. Every character outside ASCII can be part of a name.
        while at < bytes.len() {
            let byte = bytes[at];
            let inside = matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80..) || (dollar && byte == b'$');
            if !inside {
                break;
            }
            at += 1;
        }
        at
    }

    fn number_end(&self) -> usize {
        let bytes = self.sql.as_bytes();
        let mut at = self.at;
        while at < bytes.len() {
            let exponent_sign = matches!(bytes[at], b'+' | b'-')
                && matches!(bytes[at - 1], b'e' | b'E')
                && !self.sql[self.at..].starts_with("0x");
            // `1..n` is a range of PL/pgSQL.
            let is_range = bytes[at] == b'.' && bytes.get(at + 1) == Some(&b'.');
            let inside = bytes[at].is_ascii_alphanumeric() || (matches!(bytes[at], b'.' | b'_') && !is_range);
            let continues = inside || (at > self.at && exponent_sign);
            if !continues {
                break;
            }
            at += 1;
        }
        at
    }

    /// The end of a name of MySQL that begins with a digit, such as `2fa`. It must not be a number: digits, `1e5`, `0x1F` or `0b01`.
    /// Source: MySQL 8.0 manual, "Schema Object Names".
    fn digit_name_end(&self) -> Option<usize> {
        if self.dialect != Dialect::MySql {
            return None;
        }
        let rest = &self.sql.as_bytes()[self.at..];
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii();
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let text = &rest[..length];
        let all = |text: &[u8], is_digit: fn(&u8) -> bool| text.iter().all(is_digit);
        let is_number = match text {
            [b'0', b'x', digits @ ..] if !digits.is_empty() => all(digits, u8::is_ascii_hexdigit),
            [b'0', b'b', digits @ ..] if !digits.is_empty() => all(digits, |digit| matches!(digit, b'0' | b'1')),
            _ => {
                let mantissa = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(length);
                match &text[mantissa..] {
                    [] => true,
                    [b'e' | b'E'] => matches!(rest.get(length), Some(b'+' | b'-')),
                    [b'e' | b'E', exponent @ ..] => all(exponent, u8::is_ascii_digit),
                    _ => false,
                }
            }
        };
        (!is_number).then_some(self.at + length)
    }

    /// A string prefix such as `E'`, `U&'`, `X'`: its length, and whether a backslash escapes in the string.
    fn text_prefix(&self) -> Option<(usize, bool)> {
        let plain = self.quoting.backslashes();
        let [first, second, third] = [self.byte(self.at), self.byte(self.at + 1), self.byte(self.at + 2)];
        match (self.dialect, first, second, third) {
            (Dialect::Postgres, b'e' | b'E', b'\'', _) => Some((1, true)),
            (Dialect::Postgres, b'b' | b'B' | b'x' | b'X', b'\'', _) => Some((1, false)),
            (Dialect::Postgres | Dialect::MySql, b'n' | b'N', b'\'', _) => Some((1, plain)),
            (Dialect::Postgres, b'u' | b'U', b'&', b'\'') => Some((2, false)),
            (Dialect::MySql | Dialect::Sqlite, b'x' | b'X', b'\'', _) => Some((1, false)),
            (Dialect::MySql, b'b' | b'B', b'\'', _) => Some((1, false)),
            _ => None,
        }
    }

    /// Is a backslash an escape character in the string without prefix that begins here? On PostgreSQL, a string after a line
    /// end continues the string before it, and so does its prefix `E`.
    fn plain_text_backslashes(&self) -> bool {
        self.before == Before::EscapedTextAndLine || self.quoting.backslashes()
    }

    /// Records whether a string can continue after this token.
    fn follow_text(&mut self, token: Token) {
        let text = token.text(self.sql);
        self.before = match (token.kind, self.before) {
            (Kind::Text, _) if text.starts_with(['e', 'E']) => Before::EscapedText,
            (Kind::Text, Before::EscapedTextAndLine) if text.starts_with('\'') => Before::EscapedText,
            (Kind::Space, Before::EscapedText) if text.contains(['\n', '\r']) => Before::EscapedTextAndLine,
            (Kind::Space, before) => before,
            (Kind::Comment, before) if text.starts_with("--") => before,
            _ => Before::Other,
        };
    }

    /// The next token that a deviation prescribes, if one begins here.
    fn deviation(&mut self) -> Option<Token> {
        while let Some((first, rest)) = self.deviations.split_first() {
            match *first {
                Deviation::Token(token) if token.start <= self.at => {
                    self.deviations = rest;
                    // After an error, an earlier token may reach into this one.
                    if token.end > self.at || token.start == self.at {
                        let token = Token { start: self.at, ..token };
                        self.at = token.end;
                        self.before = Before::Other;
                        return Some(token);
                    }
                }
                Deviation::Quoting(start, quoting) if start <= self.at => {
                    self.deviations = rest;
                    self.quoting = quoting;
                }
                _ => break,
            }
        }
        None
    }

    fn space_end(&self) -> usize {
        let bytes = self.sql.as_bytes();
        let mut at = self.at + 1;
        while at < bytes.len() && is_space(bytes[at]) {
            at += 1;
        }
        at
    }

    /// The kind and the end of a token in quotes, and whether it is closed. `open` is the end of the opening quote.
    fn quoted_token(&self, kind: Kind, open: usize, quote: u8, backslashes: bool) -> (Kind, usize, bool) {
        let (end, closed) = self.quoted(open, quote, backslashes);
        (kind, end, closed)
    }

    /// The kind and the end of the token that begins here with this byte, and whether it is closed.
    fn kind_and_end(&self, first: u8) -> (Kind, usize, bool) {
        let second = self.byte(self.at + 1);
        let after_first = self.at + 1;
        match (self.dialect, first) {
            (_, byte) if is_space(byte) => (Kind::Space, self.space_end(), true),
            // For MySQL, `--` is a comment only before white space, a control character or the end.
            (Dialect::MySql, b'-') if second == b'-' && self.at + 2 < self.sql.len() && self.byte(self.at + 2) > b' ' => {
                (Kind::Symbol, after_first, true)
            }
            (_, b'-') if second == b'-' => (Kind::Comment, self.line_comment(), true),
            (Dialect::MySql, b'#') => (Kind::Comment, self.line_comment(), true),
            (_, b'/') if second == b'*' => self.block_comment(),
            (_, b'\'') => self.quoted_token(Kind::Text, after_first, b'\'', self.plain_text_backslashes()),
            (Dialect::MySql, b'"') if !self.quoting.ansi_quotes() => {
                self.quoted_token(Kind::Text, after_first, b'"', self.quoting.backslashes())
            }
            (_, b'"') => self.quoted_token(Kind::QuotedName, after_first, b'"', false),
            (Dialect::MySql | Dialect::Sqlite, b'`') => self.quoted_token(Kind::QuotedName, after_first, b'`', false),
            (Dialect::Sqlite, b'[') => match self.sql[self.at..].find(']') {
                Some(length) => (Kind::QuotedName, self.at + length + 1, true),
                None => (Kind::QuotedName, self.sql.len(), false),
            },
            (Dialect::Postgres, b'$') => match self.dollar_text() {
                Some((end, closed)) => (Kind::DollarText, end, closed),
                None => (Kind::Symbol, after_first, true),
            },
            (_, b'0'..=b'9') => match self.digit_name_end() {
                Some(end) => (Kind::Word, end, true),
                None => (Kind::Number, self.number_end(), true),
            },
            (_, byte) if byte == b'_' || byte.is_ascii_alphabetic() || !byte.is_ascii() => match self.text_prefix() {
                Some((prefix, backslashes)) => self.quoted_token(Kind::Text, after_first + prefix, b'\'', backslashes),
                None => (Kind::Word, self.word_end(), true),
            },
            _ => (Kind::Symbol, after_first, true),
        }
    }
}

/// Does `/*! ... */` or `/*M! ... */` begin at this byte?
fn is_executable(sql: &str, at: usize, dialect: Dialect) -> bool {
    let marker = sql.as_bytes().get(at + 2..).unwrap_or_default();
    dialect == Dialect::MySql && (marker.starts_with(b"!") || marker.starts_with(b"M!"))
}

/// The first byte after the marker and the version of an executable comment that begins at this byte.
fn executable_start(sql: &str, at: usize) -> usize {
    let marker = if sql.as_bytes().get(at + 2) == Some(&b'M') { at + 4 } else { at + 3 };
    marker + executable_version(sql, at).len()
}

/// The version after the marker of an executable comment: 5 or 6 digits, or none.
fn executable_version(sql: &str, at: usize) -> &str {
    let marker = if sql.as_bytes().get(at + 2) == Some(&b'M') { at + 4 } else { at + 3 };
    let rest = sql.get(marker..).unwrap_or_default();
    let digits = rest.bytes().take(6).take_while(u8::is_ascii_digit).count();
    if digits >= 5 { &rest[..digits] } else { "" }
}

/// Is an executable comment for a version that no server has? mariadb-dump writes a command of its client in this way.
fn is_for_no_server(sql: &str, at: usize) -> bool {
    executable_version(sql, at) == "999999"
}

/// How many executable comments may begin inside another one. MariaDB ends all of them at the first `*/`; what reads them here
/// goes one level deeper for each.
const MAX_NESTED_COMMENTS: usize = 8;

/// Whether a comment would be executed, but is nested too deep. Such a comment is a [`Kind::Comment`], and its file is
/// rejected.
pub fn nests_executable_comments(sql: &str, token: Token, dialect: Dialect) -> bool {
    token.kind == Kind::Comment && is_executable(sql, token.start, dialect) && !is_for_no_server(sql, token.start)
}

/// The SQL inside an executable comment.
pub fn executable_sql(sql: &str, token: Token) -> Range<usize> {
    let start = executable_start(sql, token.start).min(token.end);
    let end = if token.closed { token.end.saturating_sub(2) } else { token.end };
    start..end.max(start)
}

/// Which servers execute an executable comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecutedBy {
    /// All that are in use: its version is below 5.7.
    All,
    /// Some: those of a later version, or only MariaDB.
    Some,
}

/// Which servers execute an executable comment.
pub fn executed_by(sql: &str, token: Token) -> ExecutedBy {
    let version = executable_version(sql, token.start).parse().unwrap_or(0_u32);
    let only_mariadb = sql.as_bytes().get(token.start + 2) == Some(&b'M');
    if only_mariadb || version >= 50_700 { ExecutedBy::Some } else { ExecutedBy::All }
}

/// The tokens of a statement of MySQL, with those inside executable comments in place of the comments.
pub fn executed_tokens(sql: &str, tokens: &[Token], quoting: Quoting) -> Vec<Token> {
    let mut all = Vec::with_capacity(tokens.len());
    for token in tokens {
        if token.kind != Kind::Executable {
            all.push(*token);
            continue;
        }
        let range = executable_sql(sql, *token);
        let mut inner = Tokens::new(&sql[..range.end], Dialect::MySql).quoting(quoting);
        inner.jump(range.start);
        all.extend(inner.filter(|token| !token.is_blank()));
    }
    all
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)
}

/// Letters, digits, `_` and all characters outside ASCII, which can be part of a name in all three dialects.
fn is_name_character(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric() || !c.is_ascii()
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if let Some(token) = self.deviation() {
            return Some(token);
        }
        let first = *self.sql.as_bytes().get(self.at)?;
        let (kind, end, closed) = self.kind_and_end(first);
        // After a backslash at the end of the text, `end` is beyond the text.
        let mut end = end.min(self.sql.len());
        while !self.sql.is_char_boundary(end) {
            end += 1;
        }
        let token = Token { kind, start: self.at, end, closed };
        self.at = end;
        if self.dialect == Dialect::Postgres {
            self.follow_text(token);
        }
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tokens(dialect: Dialect, sql: &str) -> Vec<(Kind, &str)> {
        let significant = Tokens::new(sql, dialect).filter(|token| token.kind != Kind::Space);
        significant.map(|token| (token.kind, token.text(sql))).collect()
    }

    #[test]
    fn names_of_mysql_may_begin_with_a_digit() {
        let names = ["2fa_tokens", "2$x", "2f\u{e4}", "1a", "0x1Z", "0b12", "1day"].map(|name| (name, Kind::Word));
        let numbers = ["12", "0", "1e5", "1e+5", "0x1F", "0b01", "1.5e3"].map(|number| (number, Kind::Number));
        for (text, kind) in names.into_iter().chain(numbers) {
            assert_eq!(tokens(Dialect::MySql, text), [(kind, text)]);
            assert_ne!(tokens(Dialect::Postgres, text)[0].0, Kind::Word, "{text}");
        }
        let qualified = [(Kind::Word, "o"), (Kind::Symbol, "."), (Kind::Word, "1a"), (Kind::Symbol, "."), (Kind::Word, "x")];
        assert_eq!(tokens(Dialect::MySql, "o.1a.x"), qualified);
    }

    #[test]
    fn strings_of_postgres() {
        for text in [
            "'it''s; fine'",
            r"E'\''",
            r"'\'",
            r"U&'\0441'",
            "B'01'",
            "N'x'",
            "$$a;b$$",
            "$tag$ $$ ; $tag$",
            "$größe$ ; $größe$",
            "''",
        ] {
            let all = tokens(Dialect::Postgres, text);
            assert_eq!(all.len(), 1, "{text}: {all:?}");
        }
        assert_eq!(tokens(Dialect::Postgres, "U&\"d\\0061\"").last(), Some(&(Kind::QuotedName, "\"d\\0061\"")));
    }

    #[test]
    fn what_only_looks_like_a_dollar_quote() {
        assert_eq!(tokens(Dialect::Postgres, "$%NAME%$")[0], (Kind::Symbol, "$"));
        assert_eq!(tokens(Dialect::Postgres, "${name} ${name}")[0], (Kind::Symbol, "$"));
        assert_eq!(tokens(Dialect::Postgres, "a$b$ ;"), [(Kind::Word, "a$b$"), (Kind::Symbol, ";")]);
        assert_eq!(tokens(Dialect::Postgres, "$1 + $2")[0], (Kind::Symbol, "$"));
        assert_eq!(tokens(Dialect::MySql, "$$ ; $$")[1], (Kind::Symbol, "$"));
    }

    #[test]
    fn comments_of_each() {
        let nested = "/* a /* b */ ; */x";
        assert_eq!(tokens(Dialect::Postgres, nested), [(Kind::Comment, "/* a /* b */ ; */"), (Kind::Word, "x")]);
        assert_eq!(tokens(Dialect::Sqlite, nested)[0], (Kind::Comment, "/* a /* b */"));
        assert_eq!(tokens(Dialect::MySql, "--> x")[0], (Kind::Symbol, "-"));
        assert_eq!(tokens(Dialect::MySql, "--,x")[0], (Kind::Symbol, "-"));
        assert_eq!(tokens(Dialect::MySql, "--\nx")[0], (Kind::Comment, "--"));
        assert_eq!(tokens(Dialect::MySql, "--")[0], (Kind::Comment, "--"));
        assert_eq!(tokens(Dialect::Postgres, "--> x")[0], (Kind::Comment, "--> x"));
        assert_eq!(tokens(Dialect::MySql, "# it's\nx")[0], (Kind::Comment, "# it's"));
        assert_eq!(tokens(Dialect::Postgres, "# x")[0], (Kind::Symbol, "#"));
        assert_eq!(tokens(Dialect::MySql, "/*!40101 SET x='*/' */;")[0], (Kind::Executable, "/*!40101 SET x='*/' */"));
        assert_eq!(tokens(Dialect::MySql, "/*M!100 x*/")[0].0, Kind::Executable);
        assert_eq!(tokens(Dialect::Postgres, "/*+ hint */")[0].0, Kind::Hint);
    }

    #[test]
    fn a_carriage_return_ends_a_comment_of_postgres() {
        for (dialect, expected) in [(Dialect::Postgres, 2), (Dialect::MySql, 1), (Dialect::Sqlite, 1)] {
            assert_eq!(tokens(dialect, "-- head\rx").len(), expected, "{dialect:?}");
        }
    }

    #[test]
    fn strings_of_postgres_continue_after_a_line_end() {
        for (text, strings) in [
            ("E'a'\n  'it\\'s'", 2),
            ("E'a' -- b\n'\\''", 2),
            ("E'a'\r'\\''", 2),
            ("E'a'\n-- b\n  -- c\n'\\''", 2),
            ("E'a'\n'b'\n'\\''", 3),
            ("e'a'\n'\\''\n'\\''", 3),
        ] {
            let all: Vec<Token> = Tokens::new(text, Dialect::Postgres).filter(|token| token.kind == Kind::Text).collect();
            assert_eq!(all.len(), strings, "{text}");
            assert!(all.iter().all(|token| token.closed), "{text}");
        }
        for text in ["E'a' '\\'", "E'a' /* b */\n'\\'", "'a'\n'\\'", "E'a',\n'\\'", "U&'a'\n'\\'"] {
            assert!(Tokens::new(text, Dialect::Postgres).all(|token| token.closed), "{text}");
        }
    }

    #[test]
    fn executable_comments_contain_sql() {
        for text in
            ["/*!50003 BEGIN -- it's */\n SELECT 1; END */", "/*! 'a*/' */", "/*!50003 /* it's */ 1 */", "/*M!100100 # it's\n*/"]
        {
            assert_eq!(tokens(Dialect::MySql, &format!("{text};")), [(Kind::Executable, text), (Kind::Symbol, ";")]);
        }
        let sandbox = "/*M!999999\\- enable the sandbox mode */";
        assert_eq!(tokens(Dialect::MySql, sandbox), [(Kind::Comment, sandbox)]);
        let sql = |text: &str| text[executable_sql(text, Tokens::new(text, Dialect::MySql).next().unwrap())].to_owned();
        assert_eq!(sql("/*!40101 SET x */"), " SET x ");
        assert_eq!(sql("/*M! x"), " x");
        assert_eq!(sql("/*!*/"), "");
        assert_eq!(sql("/*!1234*/"), "1234");
    }

    #[test]
    fn quotes_follow_the_settings() {
        let with = |quoting: Quoting, text: &str| {
            let all: Vec<Kind> = Tokens::new(text, Dialect::MySql).quoting(quoting).map(|token| token.kind).collect();
            all
        };
        let plain = Quoting::Standard;
        let ansi = Quoting::AnsiQuotesAndBackslashes;
        assert_eq!(with(plain, r#"'\'"\";"#), [Kind::Text, Kind::Text, Kind::Symbol]);
        assert_eq!(with(ansi, r#"'\''"\";"#), [Kind::Text, Kind::QuotedName, Kind::Symbol]);
    }

    #[test]
    fn deviations_are_followed() {
        let text = "--x it's\nSELECT 'a\\';";
        let comment = Token { kind: Kind::Comment, start: 0, end: 8, closed: true };
        let quoting = Quoting::Standard;
        let deviations = [Deviation::Token(comment), Deviation::Quoting(9, quoting)];
        let all: Vec<(Kind, &str)> =
            Tokens::new(text, Dialect::MySql).following(&deviations).map(|token| (token.kind, token.text(text))).collect();
        assert_eq!(all[0], (Kind::Comment, "--x it's"));
        assert_eq!(all[4..], [(Kind::Text, "'a\\'"), (Kind::Symbol, ";")]);
    }

    #[test]
    fn strings_of_mysql_and_sqlite() {
        assert_eq!(tokens(Dialect::MySql, r#"'a\';' "b\";" `c``;`"#).len(), 3);
        assert_eq!(tokens(Dialect::Sqlite, r#"'a\' "b;" `c;` [d;]"#).len(), 4);
        assert!(!Tokens::new("'open", Dialect::Sqlite).next().unwrap().closed);
        assert!(!Tokens::new("'open\\", Dialect::MySql).next().unwrap().closed);
    }

    proptest! {
        #[test]
        fn tokens_are_the_text(sql in "([\\PC\n]|--|/\\*|\\*/|'|\"|\\$\\$|\\$a\\$|;|\\\\|[eE]'|`|\\[){0,40}") {
            for dialect in Dialect::ALL {
                let joined: String = Tokens::new(&sql, dialect).map(|token| token.text(&sql)).collect();
                prop_assert_eq!(&joined, &sql);
            }
        }
    }
}
