//! The names of the columns that a query returns: those that it states, and those that the database derives from expressions.
//!
//! Sources: PostgreSQL 15 manual, 7.3.2 "Column Labels", and the names that a server gives; MySQL 8.4 manual, 15.1.20.4
//! "CREATE TABLE ... SELECT".

use super::column::ty;
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::syntax::Type;
use crate::token::{Kind, Token};
use std::ops::Range;

/// The name of a column without an alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unnamed {
    /// It follows from the expression.
    Derived,
    /// The database chooses one that no other column has: in a view of MySQL.
    Distinct,
}

/// The names of the columns that the query at the cursor returns, as far as they are certain.
pub fn output(cursor: &Cursor<'_>, unnamed: Unnamed) -> Vec<String> {
    columns(cursor, unnamed).into_iter().flatten().collect()
}

/// Are the names of all columns of the query certain?
pub fn is_complete(cursor: &Cursor<'_>, unnamed: Unnamed) -> bool {
    let columns = columns(cursor, unnamed);
    !columns.is_empty() && columns.iter().all(|name| name.as_ref().is_some_and(|name| name != "*"))
}

/// For each column of the query its name, if it is certain.
fn columns(cursor: &Cursor<'_>, unnamed: Unnamed) -> Vec<Option<String>> {
    let mut cursor = cursor.clone();
    while cursor.symbol(b'(') {}
    if cursor.word("WITH") {
        while !cursor.is_at_end() && !cursor.peek("SELECT") {
            skip_one(&mut cursor);
        }
    }
    if !cursor.word("SELECT") || cursor.any(&["STRAIGHT_JOIN", "SQL_CALC_FOUND_ROWS"]) {
        return Vec::new();
    }
    let _ = cursor.word("ALL");
    if cursor.word("DISTINCT") && cursor.word("ON") {
        cursor.parenthesis();
    }
    let mut names = Vec::new();
    loop {
        let start = cursor.position();
        while !cursor.is_at_end() && !cursor.peek_symbol(b',') && !cursor.peek_symbol(b')') && !ends_list(&cursor) {
            // Words that would end the list elsewhere.
            let _ = cursor.words(&["WITHIN", "GROUP"])
                || cursor.words(&["DISTINCT", "FROM"])
                || cursor.words(&["WITH", "TIME", "ZONE"])
                || skip_one(&mut cursor);
        }
        let tokens = &cursor.all()[start..cursor.position()];
        names.push(tokens.first().zip(tokens.last()).and_then(|(first, last)| {
            let item = Cursor::new(cursor.sql, first.start..last.end, cursor.dialect);
            item_name(&item, unnamed)
        }));
        if !cursor.symbol(b',') {
            return names;
        }
    }
}

/// Skips one token, or a pair of parentheses.
fn skip_one(cursor: &mut Cursor<'_>) -> bool {
    if cursor.parenthesis().is_none() {
        cursor.skip();
    }
    true
}

/// Does a clause begin that follows the list of result columns?
fn ends_list(cursor: &Cursor<'_>) -> bool {
    let is_type = cursor.peek("WITH") && cursor.peek_at(1, "TIME");
    let clauses = [
        "FROM",
        "INTO",
        "WHERE",
        "GROUP",
        "HAVING",
        "WINDOW",
        "UNION",
        "INTERSECT",
        "EXCEPT",
        "ORDER",
        "LIMIT",
        "OFFSET",
        "FETCH",
        "FOR",
        "WITH",
    ];
    !is_type && cursor.peek_any(&clauses)
}

/// The name of a result column: its alias, a plain column, or the name that follows from its expression.
fn item_name(item: &Cursor<'_>, unnamed: Unnamed) -> Option<String> {
    let last = item.all().len().checked_sub(1)?;
    let mut tail = item.clone();
    if last > 1 {
        tail.rewind(last - 1);
        if tail.word("AS") {
            return tail.part();
        }
    }
    let mut rest = item.clone();
    let expression = expression(&mut rest);
    if rest.is_at_end() && item.dialect == Dialect::Postgres {
        return expression.map(|expression| expression.name);
    }
    if is_column(item) {
        return expression.map(|column| column.name);
    }
    // An alias without `AS`: after a whole expression, or after what can only be the end of one.
    tail.rewind(last);
    let ends_expression = last > 0 && is_end(item, &item.all()[last - 1]);
    let may_be_alias = matches!(item.all()[last].kind, Kind::Word | Kind::QuotedName);
    if last > 0 && may_be_alias && !is_reserved(&tail) && (expression.is_some() && rest.position() == last || ends_expression) {
        return tail.part().filter(|_| tail.is_at_end());
    }
    match (item.dialect, unnamed) {
        (Dialect::MySql, Unnamed::Derived) => Some(item.sql[item.all()[0].start..item.all()[last].end].to_owned()),
        (Dialect::Postgres, _) if is_operation(item, &rest) => Some(WITHOUT_NAME.to_owned()),
        _ => None,
    }
}

/// Is the item only a column, such as `a` or `t.a`?
fn is_column(item: &Cursor<'_>) -> bool {
    let tokens = item.all().iter().enumerate();
    let mut parts = tokens.map(|(at, token)| match at % 2 {
        0 => matches!(token.kind, Kind::Word | Kind::QuotedName),
        _ => token.is_symbol(item.sql, b'.'),
    });
    item.all().len() % 2 == 1 && parts.all(|is_part| is_part)
}

/// Can only an alias follow this token of an expression?
fn is_end(item: &Cursor<'_>, token: &Token) -> bool {
    matches!(token.kind, Kind::Number) || token.is_symbol(item.sql, b')') || token.is_word(item.sql, "END")
}

/// Words that cannot be an alias without `AS`.
fn is_reserved(cursor: &Cursor<'_>) -> bool {
    cursor.peek_any(&["NULL", "TRUE", "FALSE", "UNKNOWN", "ISNULL", "NOTNULL", "END", "ELSE", "AND", "OR", "IS", "NOT", "OVER"])
}

/// The name of a column of PostgreSQL that has none.
const WITHOUT_NAME: &str = "?column?";

/// Does an operator follow the first operand, and is the last token a part of the last operand, and no alias?
fn is_operation(item: &Cursor<'_>, after_operand: &Cursor<'_>) -> bool {
    let symbols = b"+-*/%|<>=^&#~!@?";
    let words = ["AND", "OR", "IN", "LIKE", "ILIKE", "BETWEEN", "IS", "NOT"];
    let is_symbol = |token: &Token| symbols.iter().any(|symbol| token.is_symbol(item.sql, *symbol));
    let operates = after_operand.token().is_some_and(is_symbol) || after_operand.peek_any(&words);
    let tokens = item.all();
    let last_two = tokens.len().checked_sub(2).map(|at| (&tokens[at], &tokens[at + 1]));
    let ends = last_two.is_some_and(|(before, last)| {
        let is_any = |token: &Token, words: &[&str]| words.iter().any(|word| token.is_word(item.sql, word));
        matches!(last.kind, Kind::Number | Kind::Text)
            || last.is_symbol(item.sql, b')')
            || is_symbol(before)
            || is_any(before, &["AND", "OR", "NOT", "LIKE", "ILIKE", "BETWEEN"])
            || is_any(last, &["NULL", "TRUE", "FALSE", "UNKNOWN"])
    });
    operates && ends
}

/// The name that follows from an expression of PostgreSQL.
struct Derived {
    name: String,
    /// A cast to a type replaces the name.
    weak: bool,
}

fn strong(name: impl Into<String>) -> Option<Derived> {
    Some(Derived { name: name.into(), weak: false })
}

/// Reads an operand with the casts and subscripts after it.
fn expression(cursor: &mut Cursor<'_>) -> Option<Derived> {
    let mut derived = operand(cursor)?;
    loop {
        if cursor.peek_symbol(b':') && cursor.peek_symbol_at(1, b':') {
            cursor.skip();
            cursor.skip();
            derived = cast(derived, &ty(cursor)?);
        } else if cursor.word("COLLATE") {
            cursor.name()?;
        } else if cursor.peek_symbol(b'[') {
            while !cursor.is_at_end() && !cursor.symbol(b']') {
                cursor.skip();
            }
        } else if cursor.symbol(b'.') {
            derived = strong(cursor.part()?)?;
        } else if cursor.words(&["AT", "TIME", "ZONE"]) {
            operand(cursor)?;
            derived = strong("timezone")?;
        } else {
            return Some(derived);
        }
    }
}

fn cast(derived: Derived, ty: &Type) -> Derived {
    if derived.weak { Derived { name: internal_name(ty), weak: true } } else { derived }
}

/// The name of a type in the system catalog.
fn internal_name(ty: &Type) -> String {
    let name = match ty.name.as_str() {
        "smallint" => "int2",
        "int" => "int4",
        "bigint" => "int8",
        "boolean" => "bool",
        "char" => "bpchar",
        "real" => "float4",
        other => other,
    };
    name.to_owned()
}

fn operand(cursor: &mut Cursor<'_>) -> Option<Derived> {
    let token = *cursor.token()?;
    match token.kind {
        Kind::Number | Kind::Text | Kind::DollarText => {
            cursor.skip();
            Some(Derived { name: WITHOUT_NAME.to_owned(), weak: true })
        }
        Kind::Symbol if cursor.peek_symbol(b'(') => {
            let range = cursor.parenthesis()?;
            enclosed(&Cursor::new(cursor.sql, range, cursor.dialect))
        }
        Kind::Word if cursor.peek("CASE") => case(cursor),
        Kind::Word if cursor.peek("ARRAY") && (cursor.peek_symbol_at(1, b'[') || cursor.peek_symbol_at(1, b'(')) => {
            cursor.skip();
            cursor.parenthesis();
            strong("array")
        }
        Kind::Word if cursor.word("NULL") => Some(Derived { name: WITHOUT_NAME.to_owned(), weak: true }),
        Kind::Word if cursor.any(&["TRUE", "FALSE"]) => Some(Derived { name: "bool".to_owned(), weak: true }),
        Kind::Word if cursor.peek("INTERVAL") => {
            cursor.skip();
            let is_text = cursor.token().is_some_and(|token| token.kind == Kind::Text);
            cursor.skip();
            is_text.then(|| Derived { name: "interval".to_owned(), weak: true })
        }
        Kind::Word if cursor.peek_any(&["NOT", "NULL", "TRUE", "FALSE", "DISTINCT", "SELECT", "INTERVAL"]) => None,
        Kind::Word | Kind::QuotedName => named(cursor),
        _ => None,
    }
}

/// The name of what is in parentheses: an expression, a row or a query.
fn enclosed(inner: &Cursor<'_>) -> Option<Derived> {
    if inner.peek_any(&["SELECT", "WITH"]) {
        return columns(inner, Unnamed::Derived).into_iter().next().flatten().and_then(strong);
    }
    let mut rest = inner.clone();
    rest.skip_clause();
    if rest.peek_symbol(b',') {
        return strong("row");
    }
    let mut inner = inner.clone();
    expression(&mut inner).filter(|_| inner.is_at_end())
}

/// `CASE ... END` is named after the expression of its `ELSE`, if that has a name of its own.
fn case(cursor: &mut Cursor<'_>) -> Option<Derived> {
    let (mut depth, mut default) = (0, None);
    loop {
        cursor.token()?;
        if cursor.word("CASE") {
            depth += 1;
        } else if depth == 1 && cursor.word("ELSE") {
            default = Some(cursor.offset());
        } else if cursor.peek("END") {
            depth -= 1;
            let end = cursor.offset();
            cursor.skip();
            if depth == 0 {
                let default = default.and_then(|start| whole(cursor, start..end)).filter(|default| !default.weak);
                return Some(default.unwrap_or(Derived { name: "case".to_owned(), weak: true }));
            }
        } else {
            skip_one(cursor);
        }
    }
}

/// The name of the expression in a range of bytes.
fn whole(cursor: &Cursor<'_>, range: Range<usize>) -> Option<Derived> {
    let mut inner = Cursor::new(cursor.sql, range, cursor.dialect);
    expression(&mut inner).filter(|_| inner.is_at_end())
}

/// A column, a function call, or a type before a string.
fn named(cursor: &mut Cursor<'_>) -> Option<Derived> {
    let mut name = cursor.part()?;
    while cursor.peek_symbol(b'.') {
        cursor.skip();
        name = cursor.part()?;
    }
    if cursor.token().is_some_and(|token| token.kind == Kind::Text) {
        cursor.skip();
        return Some(Derived { name: internal_name(&Type { name, ..Type::default() }), weak: true });
    }
    let Some(arguments) = cursor.parenthesis() else { return strong(name) };
    let _ = cursor.words(&["WITHIN", "GROUP"]) && cursor.parenthesis().is_some();
    let _ = cursor.word("FILTER") && cursor.parenthesis().is_some();
    if cursor.word("OVER") && cursor.parenthesis().is_none() {
        cursor.part()?;
    }
    let arguments = Cursor::new(cursor.sql, arguments, cursor.dialect);
    match name.as_str() {
        "cast" => cast_call(&arguments),
        "trim" if arguments.peek("LEADING") => strong("ltrim"),
        "trim" if arguments.peek("TRAILING") => strong("rtrim"),
        "trim" => strong("btrim"),
        _ => strong(name),
    }
}

/// `CAST(a AS type)`.
fn cast_call(arguments: &Cursor<'_>) -> Option<Derived> {
    let mut rest = arguments.clone();
    let start = rest.offset();
    while !rest.is_at_end() && !rest.peek("AS") {
        skip_one(&mut rest);
    }
    let value = whole(arguments, start..rest.offset()).unwrap_or(Derived { name: WITHOUT_NAME.to_owned(), weak: true });
    rest.skip();
    Some(cast(value, &ty(&mut rest)?))
}
