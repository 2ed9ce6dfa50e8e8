//! Follows SQL text from the literal that contains it to the statement that executes it: through user variables and `PREPARE`.

use super::literal;
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::token::{Kind, Token};
use std::collections::HashMap;
use std::ops::Range;

/// A string literal that contains SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The index of the statement that contains it.
    pub statement: usize,
    /// Its text without quotes, in bytes of that statement.
    pub range: Range<usize>,
}

/// The SQL that a variable or a prepared statement can contain.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts {
    pub literals: Vec<Literal>,
    /// It can also contain text that is not among the literals.
    pub has_unknown: bool,
}

/// What a statement does with dynamic SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DynamicSql {
    /// It is an ordinary statement.
    None,
    /// It stores or releases a text, and executes nothing.
    Prepares,
    /// It executes one of these texts.
    Executes(Texts),
}

/// The texts in the variables and prepared statements of a session.
#[derive(Debug, Clone, Default)]
pub struct DynamicTexts {
    variables: HashMap<String, Texts>,
    prepared: HashMap<String, Texts>,
}

impl DynamicTexts {
    /// Reads a statement, which is a range of bytes of the statement number `statement` of a script. `conditional`: it may not be
    /// executed.
    pub fn follow(
        &mut self,
        sql: &str,
        range: Range<usize>,
        dialect: Dialect,
        statement: usize,
        conditional: bool,
    ) -> DynamicSql {
        let mut cursor = Cursor::new(sql, range, dialect);
        match dialect {
            Dialect::Sqlite => DynamicSql::None,
            _ if cursor.word("PREPARE") => self.prepare(&mut cursor, statement, conditional),
            _ if cursor.word("EXECUTE") => self.execute(&mut cursor, statement),
            _ if cursor.word("DEALLOCATE") => DynamicSql::Prepares,
            Dialect::MySql if cursor.word("DROP") && cursor.peek("PREPARE") => DynamicSql::Prepares,
            Dialect::MySql if cursor.word("SET") => {
                self.assign(&mut cursor, statement, conditional);
                DynamicSql::None
            }
            // `SELECT ... INTO @a` and `SELECT @a := ...`.
            _ => {
                self.forget_assigned(&cursor);
                DynamicSql::None
            }
        }
    }

    fn prepare(&mut self, cursor: &mut Cursor<'_>, statement: usize, conditional: bool) -> DynamicSql {
        // `PREPARE TRANSACTION 'id'` (PostgreSQL).
        let Some(name) = cursor.part().filter(|_| !cursor.peek_symbol(b'\'')) else { return DynamicSql::None };
        if cursor.dialect == Dialect::Postgres {
            cursor.parenthesis();
            if !cursor.word("AS") {
                return DynamicSql::None;
            }
            let start = cursor.offset();
            cursor.skip_all();
            let literal = Literal { statement, range: cursor.since(start) };
            self.prepared.insert(name, Texts { literals: vec![literal], has_unknown: false });
            return DynamicSql::Prepares;
        }
        cursor.word("FROM");
        let texts = self.expression(cursor, statement);
        store(&mut self.prepared, name, texts, conditional);
        DynamicSql::Prepares
    }

    fn execute(&mut self, cursor: &mut Cursor<'_>, statement: usize) -> DynamicSql {
        if cursor.dialect == Dialect::MySql && cursor.word("IMMEDIATE") {
            return DynamicSql::Executes(self.expression(cursor, statement));
        }
        let unknown = Texts { literals: Vec::new(), has_unknown: true };
        let texts = cursor.part().and_then(|name| self.prepared.get(&key(&name)).cloned());
        DynamicSql::Executes(texts.unwrap_or(unknown))
    }

    /// `SET @a = ..., @b = ...`
    fn assign(&mut self, cursor: &mut Cursor<'_>, statement: usize, conditional: bool) {
        while !cursor.is_at_end() {
            let is_variable = cursor.symbol(b'@') && !cursor.peek_symbol(b'@');
            let name = cursor.part();
            cursor.symbol(b':');
            cursor.symbol(b'=');
            if let Some(name) = name.filter(|_| is_variable) {
                let texts = self.expression(&mut cursor.clone(), statement);
                store(&mut self.variables, name, texts, conditional);
            }
            cursor.skip_clause();
            if !cursor.symbol(b',') {
                return;
            }
        }
    }

    fn forget_assigned(&mut self, cursor: &Cursor<'_>) {
        let tokens = cursor.rest();
        let into = tokens.iter().position(|token| token.is_word(cursor.sql, "INTO"));
        for at in (1..tokens.len()).filter(|at| tokens[at - 1].is_symbol(cursor.sql, b'@')) {
            let is_assigned =
                tokens.get(at + 1).is_some_and(|next| next.is_symbol(cursor.sql, b':')) || into.is_some_and(|into| into < at);
            if let Some(texts) = self.variables.get_mut(&key(tokens[at].text(cursor.sql))).filter(|_| is_assigned) {
                texts.has_unknown = true;
            }
        }
    }

    /// The texts that an expression can have: a literal, a variable, or the literals among the arguments of a function such as
    /// `IF`.
    fn expression(&self, cursor: &mut Cursor<'_>, statement: usize) -> Texts {
        let before = cursor.position();
        if let Some(range) = literal::text(cursor) {
            return Texts { literals: vec![Literal { statement, range }], has_unknown: false };
        }
        cursor.rewind(before);
        if cursor.symbol(b'@') && !cursor.peek_symbol(b'@') {
            let name = cursor.part();
            let ends = cursor.is_at_end() || cursor.peek_symbol(b';') || cursor.peek_symbol(b',');
            if let Some(texts) = name.filter(|_| ends).and_then(|name| self.variables.get(&key(&name))) {
                return texts.clone();
            }
        }
        cursor.rewind(before);
        let start = cursor.offset();
        cursor.skip_clause();
        let range = cursor.since(start);
        let inner = Cursor::new(cursor.sql, range, cursor.dialect);
        let literals = arguments(&inner).map(|range| Literal { statement, range }).collect();
        Texts { literals, has_unknown: true }
    }
}

fn key(name: &str) -> String {
    name.trim_matches('`').to_lowercase()
}

fn store(texts: &mut HashMap<String, Texts>, name: String, new: Texts, conditional: bool) {
    let stored = texts.entry(key(&name)).or_insert_with(|| Texts { literals: Vec::new(), has_unknown: conditional });
    if conditional {
        stored.literals.extend(new.literals);
        stored.has_unknown |= new.has_unknown;
    } else {
        *stored = new;
    }
}

/// The literals that are a whole argument of a function, and begin like a statement.
fn arguments(cursor: &Cursor<'_>) -> impl Iterator<Item = Range<usize>> {
    const STATEMENTS: [&str; 10] =
        ["CREATE", "ALTER", "DROP", "RENAME", "TRUNCATE", "UPDATE", "DELETE", "INSERT", "REPLACE", "OPTIMIZE"];
    let (sql, tokens) = (cursor.sql, cursor.rest());
    let is_one_of = |token: Option<&Token>, symbols: &[u8]| {
        token.is_some_and(|token| symbols.iter().any(|symbol| token.is_symbol(sql, *symbol)))
    };
    let is_argument = |at: &usize| {
        let begins = is_one_of(at.checked_sub(1).and_then(|before| tokens.get(before)), b"(,");
        let token = &tokens[*at];
        let text = token.text(sql).trim_start_matches(['\'', '"']);
        let first = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let is_statement = token.kind == Kind::Text && token.closed && STATEMENTS.contains(&&*first);
        is_statement && begins && is_one_of(tokens.get(at + 1), b"),") && !is_concatenated(cursor, *at)
    };
    let arguments: Vec<Range<usize>> =
        (0..tokens.len()).filter(is_argument).map(|at| tokens[at].start + 1..tokens[at].end - 1).collect();
    arguments.into_iter()
}

/// Is the token number `at` an argument of `CONCAT`?
fn is_concatenated(cursor: &Cursor<'_>, at: usize) -> bool {
    let tokens = cursor.rest();
    let mut depth = 0_usize;
    for before in (0..at).rev() {
        if tokens[before].is_symbol(cursor.sql, b')') {
            depth += 1;
        } else if tokens[before].is_symbol(cursor.sql, b'(') && depth > 0 {
            depth -= 1;
        } else if tokens[before].is_symbol(cursor.sql, b'(') {
            let function = before.checked_sub(1).map(|name| tokens[name].text(cursor.sql)).unwrap_or_default();
            return function.to_ascii_uppercase().contains("CONCAT");
        }
    }
    false
}
