//! SQL as tokens, in three dialects.
//!
//! The tokens of a text are adjacent and cover every byte, and no text is rejected. A string, quoted name or comment that the
//! end of the text truncates is a token with `closed: false`.
//!
//! Sources: PostgreSQL 15 manual 4.1 and psql's lexer; MySQL 8.4 manual 11.1 and 11.7; SQLite's `tokenize.c` as documented
//! in "SQL As Understood By SQLite".

use crate::dialect::Dialect;

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

/// Iterates over the tokens of a text.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    sql: &'a str,
    dialect: Dialect,
    at: usize,
    /// Is a backslash an escape character in plain strings, as with `standard_conforming_strings = off` on PostgreSQL?
    backslashes: bool,
}

impl<'a> Tokens<'a> {
    /// Starts at the first byte of the text.
    pub fn new(sql: &'a str, dialect: Dialect) -> Self {
        Tokens { sql, dialect, at: 0, backslashes: dialect == Dialect::MySql }
    }

    /// The byte where the next token begins.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Continues at another byte, which must be at a character boundary.
    pub fn jump(&mut self, offset: usize) {
        self.at = offset;
    }

    /// Sets whether a backslash is an escape character in the plain strings that follow.
    pub fn set_backslashes(&mut self, on: bool) {
        self.backslashes = on;
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

    fn line_comment(&self) -> usize {
        self.sql[self.at..].find('\n').map_or(self.sql.len(), |length| self.at + length)
    }

    fn block_comment(&self) -> (Kind, usize, bool) {
        let bytes = self.sql.as_bytes();
        let nested = self.dialect == Dialect::Postgres;
        let kind = match (self.dialect, self.byte(self.at + 2), self.byte(self.at + 3)) {
            (Dialect::MySql, b'!', _) | (Dialect::MySql, b'M', b'!') => Kind::Executable,
            (_, b'+', _) => Kind::Hint,
            _ => Kind::Comment,
        };
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
                // `/*! ... */` contains SQL, whose strings may contain `*/`.
                (quote @ (b'\'' | b'"' | b'`'), _) if kind == Kind::Executable => {
                    at = self.quoted(at + 1, quote, quote != b'`').0;
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
            let inside = bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'.' | b'_');
            let continues = inside || (at > self.at && exponent_sign);
            if !continues {
                break;
            }
            at += 1;
        }
        at
    }

    /// A string prefix such as `E'`, `U&'`, `X'`: its length, and whether a backslash escapes in the string.
    fn text_prefix(&self) -> Option<(usize, bool)> {
        let plain = self.backslashes;
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
            (_, b'\'') => self.quoted_token(Kind::Text, after_first, b'\'', self.backslashes),
            (Dialect::MySql, b'"') => self.quoted_token(Kind::Text, after_first, b'"', self.backslashes),
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
            (_, b'0'..=b'9') => (Kind::Number, self.number_end(), true),
            (_, byte) if byte == b'_' || byte.is_ascii_alphabetic() || !byte.is_ascii() => match self.text_prefix() {
                Some((prefix, backslashes)) => self.quoted_token(Kind::Text, after_first + prefix, b'\'', backslashes),
                None => (Kind::Word, self.word_end(), true),
            },
            _ => (Kind::Symbol, after_first, true),
        }
    }
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
        let first = *self.sql.as_bytes().get(self.at)?;
        let (kind, end, closed) = self.kind_and_end(first);
        // After a backslash at the end of the text, `end` is beyond the text.
        let mut end = end.min(self.sql.len());
        while !self.sql.is_char_boundary(end) {
            end += 1;
        }
        let token = Token { kind, start: self.at, end, closed };
        self.at = end;
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
