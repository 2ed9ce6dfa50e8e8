//! A cursor over the tokens of a statement, for the parser.

use crate::dialect::Dialect;
use crate::name::Name;
use crate::token::{Kind, Token, Tokens};
use std::ops::Range;
use std::rc::Rc;

/// A position among the tokens of a statement, without white space, comments and hints.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    pub sql: &'a str,
    pub dialect: Dialect,
    /// Shared, so that a copy of the cursor costs nothing.
    tokens: Rc<[Token]>,
    at: usize,
    /// How many statements enclose the one that is read.
    nested: u32,
}

/// How many statements may enclose another one, as in `EXPLAIN ANALYZE` or `SET STATEMENT ... FOR`. No server accepts more than a
/// few; without a limit, a file could exhaust the stack.
const MAX_NESTED: u32 = 32;

impl<'a> Cursor<'a> {
    /// A cursor at the first token of a range of bytes.
    pub fn new(sql: &'a str, range: Range<usize>, dialect: Dialect) -> Self {
        let mut tokens = Vec::with_capacity(range.len() / 5);
        collect(sql, range, dialect, &mut tokens);
        Cursor { sql, dialect, tokens: tokens.into(), at: 0, nested: 0 }
    }

    /// Reads a statement that may contain others; `None` if too many enclose it.
    pub fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<T> {
        if self.nested >= MAX_NESTED {
            return None;
        }
        self.nested += 1;
        let outcome = read(self);
        self.nested -= 1;
        outcome
    }

    /// Whether all tokens were read.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len()
    }

    /// The current position, for [`rewind`](Self::rewind).
    pub fn position(&self) -> usize {
        self.at
    }

    /// Returns to an earlier position.
    pub fn rewind(&mut self, position: usize) {
        self.at = position;
    }

    /// The next token; `None` at the end.
    pub fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    /// The text of the next token; empty at the end.
    pub fn text(&self) -> &'a str {
        self.token().map_or("", |token| token.text(self.sql))
    }

    /// Skips one token.
    pub fn skip(&mut self) {
        self.at += 1;
    }

    /// The byte where the next token begins.
    pub fn offset(&self) -> usize {
        self.token().map_or(self.sql.len(), |token| token.start)
    }

    /// The bytes from `start` to the end of the previous token.
    pub fn since(&self, start: usize) -> Range<usize> {
        let end = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(start, |token| token.end);
        start..end.max(start)
    }

    /// Whether the next token is this word. Reads nothing.
    pub fn peek(&self, word: &str) -> bool {
        self.peek_at(0, word)
    }

    /// Whether the token after so many others is this word. Reads nothing.
    pub fn peek_at(&self, ahead: usize, word: &str) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.is_word(self.sql, word))
    }

    /// Whether the next token is one of these words. Reads nothing.
    pub fn peek_any(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.peek(word))
    }

    /// Whether the next token is this symbol. Reads nothing.
    pub fn peek_symbol(&self, symbol: u8) -> bool {
        self.token().is_some_and(|token| token.is_symbol(self.sql, symbol))
    }

    /// Whether the token after so many others is this symbol. Reads nothing.
    pub fn peek_symbol_at(&self, ahead: usize, symbol: u8) -> bool {
        self.tokens.get(self.at + ahead).is_some_and(|token| token.is_symbol(self.sql, symbol))
    }

    /// Skips this symbol; false if the next token is another one.
    pub fn symbol(&mut self, symbol: u8) -> bool {
        let matches = self.peek_symbol(symbol);
        self.at += usize::from(matches);
        matches
    }

    /// Skips this keyword; false if the next token is another one.
    pub fn word(&mut self, word: &str) -> bool {
        let matches = self.peek(word);
        self.at += usize::from(matches);
        matches
    }

    /// Skips these keywords in this order; if one is missing, skips none.
    pub fn words(&mut self, words: &[&str]) -> bool {
        let matches = words.iter().enumerate().all(|(ahead, word)| self.peek_at(ahead, word));
        self.at += if matches { words.len() } else { 0 };
        matches
    }

    /// Skips one of these keywords.
    pub fn any(&mut self, words: &[&str]) -> bool {
        words.iter().any(|word| self.word(word))
    }

    /// A cursor over the remaining tokens, without the parentheses that enclose all of them.
    pub fn unwrapped(&self) -> Self {
        let tokens = self.rest();
        let mut open = Vec::new();
        let mut ends = vec![None; tokens.iter().take_while(|token| token.is_symbol(self.sql, b'(')).count()];
        for (at, token) in tokens.iter().enumerate() {
            if token.is_symbol(self.sql, b'(') {
                open.push(at);
            } else if token.is_symbol(self.sql, b')') {
                let Some(start) = open.pop() else { break };
                if let Some(end) = ends.get_mut(start) {
                    *end = Some(at);
                }
            }
        }
        let encloses = |(start, end): &(usize, &Option<usize>)| end.is_some_and(|end| start + end + 1 == tokens.len());
        let pairs = ends.iter().enumerate().take_while(encloses).count();
        Cursor {
            sql: self.sql,
            dialect: self.dialect,
            tokens: tokens[pairs..tokens.len() - pairs].into(),
            at: 0,
            nested: self.nested,
        }
    }

    /// Do the remaining tokens contain this keyword outside parentheses?
    pub fn has(&self, word: &str) -> bool {
        let mut depth = 0_i32;
        self.tokens[self.at.min(self.tokens.len())..].iter().any(|token| {
            match token.text(self.sql) {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            depth == 0 && token.is_word(self.sql, word)
        })
    }

    /// Do the remaining tokens contain this keyword?
    pub fn has_anywhere(&self, word: &str) -> bool {
        self.tokens[self.at.min(self.tokens.len())..].iter().any(|token| token.is_word(self.sql, word))
    }

    /// Skips `IF NOT EXISTS`.
    pub fn if_not_exists(&mut self) -> bool {
        self.words(&["IF", "NOT", "EXISTS"])
    }

    /// Skips `IF EXISTS`.
    pub fn if_exists(&mut self) -> bool {
        self.words(&["IF", "EXISTS"])
    }

    /// Reads one part of a name.
    pub fn part(&mut self) -> Option<String> {
        let token = self.token()?;
        let text = token.text(self.sql);
        let unquoted = |open: char, close: char| {
            let inner = text.strip_prefix(open)?.strip_suffix(close)?;
            Some(inner.replace(&format!("{close}{close}"), &close.to_string()))
        };
        let quoted = token.kind == Kind::QuotedName;
        let name =
            match quoted.then(|| unquoted('"', '"').or_else(|| unquoted('`', '`')).or_else(|| unquoted('[', ']'))).flatten() {
                Some(name) => name,
                // SQLite accepts a string where it expects a name.
                None if token.kind == Kind::Text && self.dialect == Dialect::Sqlite => unquoted('\'', '\'')?,
                // Where MySQL expects a name, only a name in `ANSI_QUOTES` can stand in double quotes.
                None if token.kind == Kind::Text && self.dialect == Dialect::MySql => unquoted('"', '"')?,
                None if token.kind != Kind::Word => return None,
                None if self.dialect == Dialect::Postgres => text.to_lowercase(),
                None => text.to_owned(),
            };
        self.at += 1;
        Some(name)
    }

    /// Reads a name with an optional schema.
    pub fn name(&mut self) -> Option<Name> {
        let first = self.part()?;
        if !self.symbol(b'.') {
            return Some(Name { schema: None, name: first });
        }
        let second = self.part()?;
        // `database.schema.name`, which PostgreSQL accepts for the current database.
        if self.symbol(b'.') {
            return Some(Name { schema: Some(second), name: self.part()? });
        }
        Some(Name { schema: Some(first), name: second })
    }

    /// Reads a list in parentheses such as `(a DESC, b(10))`: the plain column names, without the options after them, and
    /// whether the list also contains expressions.
    pub fn columns(&mut self) -> Option<(Vec<String>, bool)> {
        if !self.symbol(b'(') {
            return None;
        }
        let (mut columns, mut expressions) = (Vec::new(), false);
        loop {
            let start = self.position();
            let name = self.part();
            let mut plain = name.is_some();
            // A function call; in MySQL, the length of a prefix.
            if plain && self.peek_symbol(b'(') && self.dialect != Dialect::MySql {
                plain = false;
            }
            if plain && !(self.peek_symbol(b',') || self.peek_symbol(b')') || self.peek_symbol(b'(')) {
                plain = self.token().is_some_and(|token| token.kind == Kind::Word || token.kind == Kind::QuotedName);
            }
            match name.filter(|_| plain) {
                Some(name) => columns.push(name),
                None => {
                    self.rewind(start);
                    expressions = true;
                }
            }
            self.skip_clause();
            if self.symbol(b',') {
                continue;
            }
            self.symbol(b')');
            return Some((columns, expressions));
        }
    }

    /// Reads a string; returns its text without quotes.
    pub fn string(&mut self) -> Option<String> {
        let token = self.token().filter(|token| token.kind == Kind::Text)?;
        let text = token.text(self.sql);
        let quote = text.find(['\'', '"'])?;
        let quote_text = &text[quote..=quote];
        let inner = text[quote + 1..].strip_suffix(quote_text)?;
        self.at += 1;
        Some(inner.replace(&quote_text.repeat(2), quote_text))
    }

    /// Reads an integer.
    pub fn number(&mut self) -> Option<u32> {
        let number = self.token().filter(|token| token.kind == Kind::Number)?.text(self.sql).parse().ok()?;
        self.at += 1;
        Some(number)
    }

    /// Skips a pair of parentheses and its contents; returns the range of bytes between them.
    pub fn parenthesis(&mut self) -> Option<Range<usize>> {
        if !self.symbol(b'(') {
            return None;
        }
        let start = self.offset();
        let mut depth = 1_usize;
        while let Some(token) = self.token() {
            match token.text(self.sql) {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let end = token.start.max(start);
                self.at += 1;
                return Some(start..end);
            }
            self.at += 1;
        }
        Some(start..self.sql.len().max(start))
    }

    /// Skips to a comma or a closing parenthesis outside nested parentheses, or to the end.
    pub fn skip_clause(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.token() {
            match token.text(self.sql) {
                "(" | "[" => depth += 1,
                ")" if depth == 0 => return,
                ")" | "]" => depth = depth.saturating_sub(1),
                "," if depth == 0 => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Skips to the end.
    pub fn skip_all(&mut self) {
        self.at = self.tokens.len();
    }

    /// All tokens, including those before the cursor.
    pub fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// The remaining tokens.
    pub fn rest(&self) -> &[Token] {
        &self.tokens[self.at.min(self.tokens.len())..]
    }
}

/// Collects the tokens of a range, including those in `/*! ... */`, which MySQL executes.
fn collect(sql: &str, range: Range<usize>, dialect: Dialect, tokens: &mut Vec<Token>) {
    let mut all = Tokens::new(&sql[..range.end], dialect);
    all.jump(range.start);
    for token in all {
        match token.kind {
            Kind::Space | Kind::Comment | Kind::Hint => {}
            Kind::Executable => {
                let text = token.text(sql);
                let head = text.find('!').map_or(text.len(), |at| at + 1);
                let digits = text[head..].bytes().take(6).take_while(u8::is_ascii_digit).count();
                // A version of 9 and five more digits does not exist: no server executes the comment.
                if digits == 6 && text[head..head + digits].starts_with('9') {
                    continue;
                }
                let end = if token.closed { token.end.saturating_sub(2) } else { token.end };
                let start = (token.start + head + digits).min(end);
                collect(sql, start..end, dialect, tokens);
            }
            _ => tokens.push(token),
        }
    }
}
