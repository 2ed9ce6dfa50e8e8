//! Parses a statement: DDL and DML of PostgreSQL, MySQL/MariaDB and SQLite into one [`Syntax`].
//!
//! The parser is tolerant: a clause that cannot be parsed becomes opaque, and no statement is rejected. The engine (for locks
//! and effects), the macro and the safety rules use the result.
//!
//! Sources: PostgreSQL 15 and 18 manuals, part VI; MariaDB knowledge base, "SQL Statements"; MySQL 8.4 manual, 15;
//! SQLite, "SQL As Understood By SQLite".

mod alter;
mod block;
mod column;
mod condition;
mod create;
mod dynamic;
mod literal;
mod other;
mod output;
mod routine;

pub use self::dynamic::{DynamicSql, DynamicTexts, Literal};
pub use self::routine::{called_names, routine_body};

use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::name::Name;
use crate::syntax::{Control, Setting, Syntax};
use crate::token::Kind;
use std::ops::Range;

/// Parses a statement.
pub fn read(sql: &str, dialect: Dialect) -> Syntax {
    read_part(sql, 0..sql.len(), dialect)
}

/// Parses a statement that is a range of bytes of a longer text. The ranges in the result are relative to that text.
pub fn read_part(sql: &str, range: Range<usize>, dialect: Dialect) -> Syntax {
    let mut cursor = Cursor::new(sql, range, dialect);
    statement(&mut cursor).unwrap_or(Syntax::Opaque)
}

/// A statement inside a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InnerStatement {
    /// Its bytes in the text of the statement that contains it.
    pub range: Range<usize>,
    pub syntax: Syntax,
    /// The number of its branch, if it may not be executed although the statement that contains it succeeds. The statements of a
    /// branch are executed together.
    pub branch: Option<usize>,
}

/// The statements inside a statement: those in the body of a block, as far as they can be recognized, and the data-modifying
/// queries of a `WITH`.
pub fn inner_statements(sql: &str, syntax: &Syntax, dialect: Dialect) -> Vec<InnerStatement> {
    let mut statements = Vec::new();
    collect_inner(sql, 0..sql.len(), syntax, dialect, None, &mut statements);
    statements
}

/// The statement in a string literal, followed by the statements inside it.
pub fn statements_in_literal(sql: &str, literal: Range<usize>, branch: Option<usize>, dialect: Dialect) -> Vec<InnerStatement> {
    let mut statements = Vec::new();
    let decoded = literal::decoded(sql, [&literal], dialect);
    add_inner(&decoded, literal, branch, dialect, &mut statements);
    statements
}

/// The statements in the body of a routine.
pub fn statements_in_body(sql: &str, body: Range<usize>, branch: Option<usize>, dialect: Dialect) -> Vec<InnerStatement> {
    let mut statements = Vec::new();
    collect_inner(sql, 0..sql.len(), &Syntax::Do { body }, dialect, branch, &mut statements);
    statements
}

fn collect_inner(
    sql: &str,
    range: Range<usize>,
    syntax: &Syntax,
    dialect: Dialect,
    branch: Option<usize>,
    statements: &mut Vec<InnerStatement>,
) {
    match syntax {
        Syntax::Do { body } => {
            let used = statements.iter().filter_map(|inner| inner.branch).chain(branch).max().unwrap_or_default();
            let sql = literal::decoded(sql, [body], dialect);
            let inner_statements = block::statements(&mut Cursor::new(&sql, body.clone(), dialect));
            // The texts of `EXECUTE`, all at once: each copies the whole body.
            let sql = literal::decoded(&sql, inner_statements.iter().map(|inner| &inner.range), dialect);
            for inner in inner_statements {
                let inner_branch = inner.branch.map(|number| used + number).or(branch);
                add_inner(&sql, inner.range, inner_branch, dialect, statements);
            }
        }
        Syntax::Insert(_) | Syntax::Update(_) | Syntax::Delete(_) | Syntax::Opaque => {
            let mut cursor = Cursor::new(sql, range, dialect);
            if cursor.word("WITH") {
                let queries = queries(&mut cursor).unwrap_or_default();
                for query in queries.into_iter().filter(|query| changes(&cursor, query)) {
                    let decoded = literal::decoded(sql, [&query], dialect);
                    add_inner(&decoded, query, branch, dialect, statements);
                }
            }
        }
        _ => {}
    }
}

/// Adds a statement of a text in which literals are decoded, and the statements inside it.
fn add_inner(sql: &str, range: Range<usize>, branch: Option<usize>, dialect: Dialect, statements: &mut Vec<InnerStatement>) {
    let syntax = read_part(sql, range.clone(), dialect);
    statements.push(InnerStatement { range: range.clone(), syntax: syntax.clone(), branch });
    collect_inner(sql, range, &syntax, dialect, branch, statements);
}

/// The tables that a query reads, unless it certainly reads few of their rows.
pub fn tables_scanned(sql: &str, dialect: Dialect) -> Vec<Name> {
    scanned(&Cursor::new(sql, 0..sql.len(), dialect))
}

/// The tables that the queries in the body of a block read, unless they certainly read few of their rows. Statements that change
/// something have effects of their own.
pub fn tables_scanned_in_block(sql: &str, body: &Range<usize>, dialect: Dialect) -> Vec<Name> {
    let sql = literal::decoded(sql, [body], dialect);
    let all = Cursor::new(&sql, body.clone(), dialect);
    let mut names = Vec::new();
    for tokens in all.all().split(|token| token.is_symbol(&sql, b';')) {
        let Some((first, last)) = tokens.first().zip(tokens.last()) else { continue };
        let part = Cursor::new(&sql, first.start..last.end, dialect);
        let changes = ["INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "DROP", "EXECUTE", "EXISTS", "SETVAL"];
        if !changes.iter().any(|word| part.has_anywhere(word)) {
            names.extend(scanned(&part));
        }
    }
    names
}

/// A query that reads rows of tables by a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilteredRead {
    /// The tables.
    pub tables: Vec<Name>,
    /// The words of the query, among them the columns of its conditions.
    pub words: Vec<String>,
}

/// The queries of a statement that have a condition: without an index on a column of the condition, each of them reads all rows.
/// `body`: the body of a block, whose queries are looked at. Statements that change something have effects of their own.
pub fn filtered_reads(sql: &str, body: Option<&Range<usize>>, dialect: Dialect) -> Vec<FilteredRead> {
    let decoded = literal::decoded(sql, body, dialect);
    let text = &*decoded;
    let all = Cursor::new(text, body.cloned().unwrap_or(0..text.len()), dialect);
    let mut reads = Vec::new();
    for tokens in all.all().split(|token| token.is_symbol(text, b';')) {
        let Some((first, last)) = tokens.first().zip(tokens.last()) else { continue };
        let part = Cursor::new(text, first.start..last.end, dialect);
        let changes = ["INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "ALTER", "DROP", "EXECUTE"];
        let has_any = |words: &[&str]| words.iter().any(|word| part.has_anywhere(word));
        if has_any(&["WHERE", "SETVAL"]) && has_any(&["SELECT", "PERFORM"]) && !has_any(&changes) {
            reads.push(FilteredRead { tables: create::reads(&part), words: condition::words(&part) });
        }
    }
    reads
}

fn scanned(cursor: &Cursor<'_>) -> Vec<Name> {
    let mut table = cursor.clone();
    if table.word("TABLE") && !cursor.has_anywhere("LIMIT") && !cursor.has_anywhere("FETCH") {
        return table.table().into_iter().collect();
    }
    if cursor.has_anywhere("LIMIT") || cursor.has_anywhere("FETCH") || condition::is_narrow(cursor.clone()) {
        return Vec::new();
    }
    create::reads(cursor)
}

/// Does a body of PostgreSQL build SQL at run time? `EXECUTE` of a single string literal does not; it is parsed like any other
/// statement. [`DynamicTexts`] follows the statements of MySQL.
pub fn executes_text(sql: &str, body: Range<usize>, dialect: Dialect) -> bool {
    let mut cursor = Cursor::new(sql, body, dialect);
    while dialect == Dialect::Postgres && !cursor.is_at_end() {
        let trigger = cursor.peek_at(1, "FUNCTION") || cursor.peek_at(1, "PROCEDURE");
        if cursor.peek("EXECUTE") && !trigger && literal::executed(&cursor).is_none() {
            return true;
        }
        cursor.skip();
    }
    false
}

fn statement(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.nested(any_statement)
}

/// Reads a statement of any kind.
fn any_statement(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let first = cursor.text().to_ascii_uppercase();
    let before = cursor.position();
    cursor.skip();
    match first.as_str() {
        "CREATE" => create::create(cursor),
        "ALTER" => alter::alter(cursor),
        "DROP" => other::drop(cursor),
        "RENAME" => alter::rename_tables(cursor),
        "TRUNCATE" => other::truncate(cursor),
        "INSERT" | "REPLACE" => other::insert(cursor, first == "REPLACE"),
        "UPDATE" => other::update(cursor),
        "DELETE" => other::delete(cursor),
        "MERGE" => other::merge(cursor),
        "WITH" => with(cursor),
        "COPY" | "LOAD" => Some(other::copy(cursor)),
        "EXPLAIN" if cursor.dialect == Dialect::Postgres => explain(cursor),
        "SELECT" | "TABLE" | "VALUES" | "SHOW" | "DESCRIBE" | "DESC" | "EXPLAIN" | "HANDLER" | "CHECKSUM" => {
            Some(other::query(cursor, &first))
        }
        "(" => Some(Syntax::Query),
        // `SET STATEMENT max_statement_time = 5 FOR ALTER TABLE ...` (MariaDB)
        "SET" if cursor.dialect == Dialect::MySql && cursor.word("STATEMENT") => {
            skip_past(cursor, "FOR");
            statement(cursor)
        }
        "SET" | "RESET" => Some(settings(cursor, first == "RESET")),
        "PRAGMA" => pragma(cursor),
        "DO" => other::block(cursor),
        "BEGIN" if cursor.dialect == Dialect::MySql && cursor.peek("NOT") => Some(compound(cursor, before)),
        "IF" | "CASE" | "FOR" | "WHILE" | "LOOP" | "REPEAT" if cursor.dialect == Dialect::MySql => Some(compound(cursor, before)),
        _ if cursor.dialect == Dialect::MySql && cursor.peek_symbol(b':') => Some(compound(cursor, before)),
        "CALL" => Some(Syntax::Call { name: cursor.name() }),
        "EXECUTE" | "EXEC" | "PREPARE" => Some(Syntax::Call { name: None }),
        "LOCK" => other::lock(cursor),
        "REFRESH" => other::refresh(cursor),
        "REINDEX" => other::reindex(cursor),
        "CLUSTER" => Some(other::cluster(cursor)),
        "VACUUM" => Some(other::vacuum(cursor)),
        "OPTIMIZE" | "REPAIR" => other::optimize(cursor),
        "BEGIN" | "START" | "COMMIT" | "END" | "ROLLBACK" | "ABORT" | "SAVEPOINT" | "RELEASE" => {
            cursor.rewind(before);
            control(cursor).map(Syntax::Transaction)
        }
        "GRANT" | "REVOKE" => Some(Syntax::Privilege { revoke: first == "REVOKE" }),
        "COMMENT" => Some(other::comment(cursor)),
        "USE" => Some(Syntax::Set(vec![Setting { name: "use".to_owned(), value: cursor.part(), local: false }])),
        "DISCARD" if cursor.peek("ALL") => Some(Syntax::Server { what: "DISCARD ALL" }),
        "ANALYZE" | "DISCARD" | "DEALLOCATE" | "NOTIFY" | "LISTEN" | "UNLISTEN" | "UNLOCK" | "FLUSH" | "ATTACH" | "DETACH"
        | "SECURITY" | "REASSIGN" | "CHECKPOINT" | "DELIMITER" | "KILL" | "INSTALL" | "UNINSTALL" | "PURGE" | "IMPORT"
        | "DECLARE" | "FETCH" | "CLOSE" | "MOVE" | "SIGNAL" | "CACHE" | "CHECK" | "BACKUP" => Some(Syntax::Other),
        _ => None,
    }
}

/// `EXPLAIN ANALYZE` executes the statement, and `EXPLAIN` only plans it.
fn explain(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let mut analyzes = other::is_option_on(cursor, "ANALYZE");
    analyzes |= cursor.word("ANALYZE") || cursor.word("ANALYSE");
    cursor.word("VERBOSE");
    if analyzes { statement(cursor) } else { Some(Syntax::Other) }
}

/// A compound statement outside a routine (MariaDB).
fn compound(cursor: &mut Cursor<'_>, first: usize) -> Syntax {
    cursor.rewind(first);
    let start = cursor.offset();
    cursor.skip_all();
    Syntax::Do { body: cursor.since(start) }
}

/// Skips to the token after this keyword.
fn skip_past(cursor: &mut Cursor<'_>, word: &str) {
    while !cursor.is_at_end() && !cursor.word(word) {
        cursor.skip();
    }
}

/// `WITH ... SELECT` and similar: the statement after the queries determines the result.
fn with(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let queries = queries(cursor)?;
    let main = statement(cursor)?;
    let changes = queries.iter().any(|query| changes(cursor, query));
    Some(if changes && matches!(main, Syntax::Query) { Syntax::Opaque } else { main })
}

/// The queries after `WITH`.
fn queries(cursor: &mut Cursor<'_>) -> Option<Vec<Range<usize>>> {
    cursor.word("RECURSIVE");
    let mut queries = Vec::new();
    loop {
        cursor.part()?;
        cursor.parenthesis();
        if !cursor.word("AS") {
            return None;
        }
        cursor.word("NOT");
        cursor.word("MATERIALIZED");
        queries.push(cursor.parenthesis()?);
        if !cursor.symbol(b',') {
            return Some(queries);
        }
    }
}

fn changes(cursor: &Cursor<'_>, query: &Range<usize>) -> bool {
    let inner = Cursor::new(cursor.sql, query.clone(), cursor.dialect);
    inner.peek_any(&["INSERT", "UPDATE", "DELETE", "MERGE"])
}

fn control(cursor: &mut Cursor<'_>) -> Option<Control> {
    if cursor.any(&["BEGIN", "START"]) {
        return Some(Control::Begin);
    }
    if cursor.any(&["COMMIT", "END"]) {
        return Some(Control::Commit);
    }
    if cursor.any(&["ROLLBACK", "ABORT"]) {
        cursor.any(&["WORK", "TRANSACTION", "TRAN"]);
        if cursor.word("TO") {
            cursor.word("SAVEPOINT");
            return Some(Control::RollbackTo(cursor.part()?));
        }
        return Some(Control::Rollback);
    }
    if cursor.word("SAVEPOINT") {
        return Some(Control::Savepoint(cursor.part()?));
    }
    Some(Control::Other)
}

fn settings(cursor: &mut Cursor<'_>, reset: bool) -> Syntax {
    let mut settings = Vec::new();
    while !cursor.is_at_end() {
        let local = cursor.word("LOCAL");
        let _ = cursor.any(&["SESSION", "GLOBAL", "PERSIST"]);
        let is_user_variable = cursor.peek_symbol(b'@') && !cursor.peek_symbol_at(1, b'@');
        while cursor.symbol(b'@') || cursor.symbol(b'.') {
            cursor.any(&["SESSION", "GLOBAL", "LOCAL"]);
        }
        let sign = if is_user_variable { "@" } else { "" };
        let mut name = format!("{sign}{}", cursor.text().to_ascii_lowercase());
        cursor.skip();
        if cursor.symbol(b'.') {
            name = format!("{name}.{}", cursor.text().to_ascii_lowercase());
            cursor.skip();
        }
        if name == "time" && cursor.word("ZONE") {
            "timezone".clone_into(&mut name);
        } else if !cursor.word("TO") {
            cursor.symbol(b':');
            cursor.symbol(b'=');
        }
        let value = match cursor.token() {
            _ if reset || cursor.peek("DEFAULT") => None,
            // A list of schemas.
            Some(_) if name == "search_path" => {
                let names = cursor.rest().iter().map(|token| token.text(cursor.sql).trim_matches('\''));
                Some(names.collect())
            }
            Some(token) if token.kind == Kind::Text => cursor.string(),
            Some(token) => Some(token.text(cursor.sql).trim_matches('"').to_ascii_lowercase()),
            None => None,
        };
        settings.push(Setting { name, value, local });
        // After a comma, PostgreSQL expects another value of the list, and MySQL another setting.
        match cursor.dialect {
            Dialect::MySql => cursor.skip_clause(),
            _ => cursor.skip_all(),
        }
        if !cursor.symbol(b',') {
            break;
        }
    }
    Syntax::Set(settings)
}

fn pragma(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let name = cursor.name()?.name.to_ascii_lowercase();
    let value = (cursor.symbol(b'=') || cursor.symbol(b'(')).then(|| {
        let minus = if cursor.symbol(b'-') { "-" } else { "" };
        format!("{minus}{}", cursor.text().trim_matches(['\'', '"']).to_ascii_lowercase())
    });
    Some(Syntax::Pragma { name, value })
}

#[cfg(test)]
mod tests;
