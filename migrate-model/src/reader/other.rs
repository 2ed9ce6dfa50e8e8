//! Parses `DROP`, DML and all other statements.

use super::condition;
use super::create::reads;
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::name::Name;
use crate::syntax::{CreateTable, DropStatement, Insert, ObjectKind, RowChange, Setting, Syntax};
use crate::token::Kind;
use std::ops::Range;

/// Parses the statement after `DROP`.
pub fn drop(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let temporary = cursor.word("TEMPORARY");
    if cursor.any(&["POLICY", "RULE"]) {
        while !cursor.is_at_end() && !cursor.word("ON") {
            cursor.skip();
        }
        return Some(Syntax::Policy { table: cursor.name() });
    }
    if cursor.word("TABLESPACE") {
        return Some(Syntax::Server { what: "DROP TABLESPACE" });
    }
    if cursor.word("SUBSCRIPTION") {
        return Some(Syntax::Server { what: "DROP SUBSCRIPTION" });
    }
    let Some(kind) = dropped_kind(cursor) else { return Some(Syntax::Other) };
    let concurrently = cursor.word("CONCURRENTLY");
    let if_exists = cursor.if_exists();
    let mut names = Vec::new();
    loop {
        names.push(cursor.name()?);
        // The arguments of a function.
        cursor.parenthesis();
        if !cursor.symbol(b',') {
            break;
        }
    }
    let table = if cursor.word("ON") { cursor.name() } else { None };
    let cascade = cursor.has("CASCADE");
    Some(Syntax::Drop(DropStatement { kind, names, table, if_exists, concurrently, cascade, temporary }))
}

fn dropped_kind(cursor: &mut Cursor<'_>) -> Option<ObjectKind> {
    if cursor.any(&["TABLE", "TABLES"]) || cursor.words(&["FOREIGN", "TABLE"]) {
        Some(ObjectKind::Table)
    } else if cursor.word("VIEW") {
        Some(ObjectKind::View)
    } else if cursor.words(&["MATERIALIZED", "VIEW"]) {
        Some(ObjectKind::MaterializedView)
    } else if cursor.word("INDEX") {
        Some(ObjectKind::Index)
    } else if cursor.word("SEQUENCE") {
        Some(ObjectKind::Sequence)
    } else if cursor.word("TYPE") {
        Some(ObjectKind::Type)
    } else if cursor.word("DOMAIN") {
        Some(ObjectKind::Domain)
    } else if cursor.any(&["FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"]) {
        Some(ObjectKind::Routine)
    } else if cursor.word("TRIGGER") {
        Some(ObjectKind::Trigger)
    } else if cursor.word("DATABASE") || cursor.dialect == Dialect::MySql && cursor.word("SCHEMA") {
        Some(ObjectKind::Database)
    } else if cursor.word("SCHEMA") {
        Some(ObjectKind::Schema)
    } else if cursor.word("EXTENSION") {
        Some(ObjectKind::Extension)
    } else {
        None
    }
}

/// Parses `TRUNCATE` after its first word.
pub fn truncate(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.word("TABLE");
    let tables = cursor.names()?;
    Some(Syntax::Truncate { tables, cascade: cursor.has("CASCADE") })
}

/// Parses `INSERT` and `REPLACE` after the first word.
pub fn insert(cursor: &mut Cursor<'_>, replaces: bool) -> Option<Syntax> {
    let mut replaces = replaces;
    while cursor.any(&["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE"]) {}
    if cursor.word("OR") {
        replaces |= cursor.peek("REPLACE");
        cursor.skip();
    }
    cursor.word("INTO");
    let table = cursor.name()?;
    if cursor.word("AS") {
        cursor.part();
    }
    let before = cursor.position();
    let columns = match cursor.columns() {
        Some((columns, false)) => columns,
        Some(_) => {
            cursor.rewind(before);
            Vec::new()
        }
        None => Vec::new(),
    };
    let from_query =
        !cursor.peek_any(&["VALUES", "VALUE", "DEFAULT", "SET"]) && (cursor.has_anywhere("SELECT") || cursor.peek("TABLE"));
    let reads_table = from_query && !reads(cursor).is_empty();
    let limited = from_query && cursor.has_anywhere("LIMIT");
    let filtered = from_query && cursor.has_anywhere("WHERE");
    let all_of = if from_query && columns.is_empty() { all_of(cursor) } else { None };
    Some(Syntax::Insert(Insert { table, columns, from_query, reads_table, limited, filtered, all_of, replaces }))
}

/// The table of `SELECT * FROM t` without other tables.
fn all_of(cursor: &Cursor<'_>) -> Option<Name> {
    let [table] = <[Name; 1]>::try_from(reads(cursor)).ok()?;
    let mut cursor = cursor.clone();
    let all = cursor.word("SELECT") && cursor.symbol(b'*') && cursor.word("FROM") && cursor.name().as_ref() == Some(&table);
    let joined = ["JOIN", "UNION", "EXCEPT", "INTERSECT"].iter().any(|word| cursor.has_anywhere(word));
    (all && !joined).then_some(table)
}

/// `MERGE`, as an `INSERT` from a query that reads a table.
pub fn merge(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.word("INTO");
    cursor.word("ONLY");
    let table = cursor.name()?;
    let insert = Insert {
        table,
        columns: Vec::new(),
        from_query: true,
        reads_table: true,
        limited: false,
        filtered: true,
        all_of: None,
        replaces: false,
    };
    Some(Syntax::Insert(insert))
}

/// Parses `UPDATE` after its first word.
pub fn update(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    while cursor.any(&["LOW_PRIORITY", "IGNORE", "ONLY"]) {}
    if cursor.word("OR") {
        cursor.skip();
    }
    let table = cursor.name()?;
    let (mut joined, mut matched) = (false, false);
    while !cursor.is_at_end() && !cursor.peek("SET") {
        joined |= cursor.peek("JOIN") || cursor.peek_symbol(b',');
        matched |= cursor.peek_any(&["ON", "USING", "NATURAL"]);
        cursor.skip();
    }
    cursor.word("SET");
    let mut columns = Vec::new();
    loop {
        if cursor.peek_symbol(b'(') {
            columns.extend(cursor.columns().unwrap_or_default().0);
        } else {
            // `a.b` is a column of a table in MySQL, and a field of a column in PostgreSQL.
            let mysql = cursor.dialect == Dialect::MySql;
            columns.extend(cursor.name().map(|name| if mysql { name.name } else { name.schema.unwrap_or(name.name) }));
        }
        to_comma_or(cursor, &["WHERE", "FROM", "LIMIT", "ORDER", "RETURNING"]);
        if !cursor.symbol(b',') {
            break;
        }
    }
    joined |= cursor.peek("FROM");
    Some(Syntax::Update(change(cursor, table, columns, joined, matched)))
}

/// Parses `DELETE` after its first word.
pub fn delete(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    while cursor.any(&["LOW_PRIORITY", "QUICK", "IGNORE"]) {}
    let several = !cursor.word("FROM");
    cursor.word("ONLY");
    let table = cursor.name()?;
    let joined = several || cursor.has("USING") || cursor.has("JOIN");
    // In PostgreSQL, the table itself is not part of the join.
    let matched = cursor.dialect == Dialect::MySql && (cursor.has("ON") || cursor.has("NATURAL"));
    Some(Syntax::Delete(change(cursor, table, Vec::new(), joined, matched)))
}

fn to_comma_or(cursor: &mut Cursor<'_>, words: &[&str]) {
    while !cursor.is_at_end() && !cursor.peek_symbol(b',') && !cursor.peek_any(words) {
        if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
}

/// Parses the statement after the table and the `SET` clause. `matched` means that a join condition restricts the rows.
fn change(cursor: &mut Cursor<'_>, table: Name, columns: Vec<String>, joined: bool, matched: bool) -> RowChange {
    let mut change = RowChange {
        table,
        columns,
        condition: matched,
        joined,
        narrow: false,
        where_null: Vec::new(),
        limit: None,
        inner_limit: cursor.has_anywhere("LIMIT"),
    };
    while !cursor.is_at_end() {
        if cursor.word("WHERE") {
            let start = cursor.offset();
            while !cursor.is_at_end() && !cursor.peek_any(&["LIMIT", "ORDER", "RETURNING"]) {
                if cursor.parenthesis().is_none() {
                    cursor.skip();
                }
            }
            let range = cursor.since(start);
            let condition = Cursor::new(cursor.sql, range, cursor.dialect);
            change.condition = matched || !condition::is_always(&condition);
            change.narrow = condition::is_narrow(condition.clone());
            change.where_null = condition::where_null(condition);
        } else if cursor.peek("LIMIT") {
            let start = cursor.offset();
            cursor.skip();
            cursor.skip();
            change.limit = Some(cursor.since(start));
        } else if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
    change
}

/// Parses `COPY` and `LOAD` after the first word.
pub fn copy(cursor: &mut Cursor<'_>) -> Syntax {
    // `LOAD DATA ... INTO TABLE t` (MySQL).
    if cursor.any(&["DATA", "XML"]) {
        while !cursor.is_at_end() && !cursor.words(&["INTO", "TABLE"]) {
            cursor.skip();
        }
        return Syntax::Copy { table: cursor.name(), from: true };
    }
    if cursor.peek_symbol(b'(') {
        return Syntax::Copy { table: None, from: false };
    }
    let table = cursor.name();
    cursor.parenthesis();
    Syntax::Copy { table, from: cursor.peek("FROM") }
}

/// `SELECT` and other queries; `set_config` is a setting, and `SELECT ... INTO` creates a table.
pub fn query(cursor: &mut Cursor<'_>, first: &str) -> Syntax {
    if first == "SELECT" {
        let before = cursor.position();
        let name = cursor.name().map(|name| name.name);
        if name.as_deref() == Some("set_config") && cursor.symbol(b'(') {
            let (name, _, value, _) = (cursor.string(), cursor.symbol(b','), cursor.string(), cursor.symbol(b','));
            if let (Some(name), Some(value)) = (name, value) {
                let setting = Setting { name: name.to_ascii_lowercase(), value: Some(value), local: cursor.peek("TRUE") };
                return Syntax::Set(vec![setting]);
            }
        }
        cursor.rewind(before);
        // `SELECT ... INTO t` creates a table.
        if cursor.dialect == Dialect::Postgres && cursor.has("INTO") {
            return select_into(cursor).unwrap_or(Syntax::Opaque);
        }
    }
    Syntax::Query
}

/// Parses `SELECT ... INTO TEMP t FROM ...`.
fn select_into(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    while !cursor.is_at_end() && !cursor.word("INTO") {
        if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
    let temporary = cursor.any(&["TEMP", "TEMPORARY"]);
    cursor.any(&["UNLOGGED", "TABLE"]);
    let name = Some(cursor.name()?);
    Some(Syntax::CreateTable(Box::new(CreateTable { name, temporary, as_query: true, ..CreateTable::default() })))
}

/// Parses `DO` after its first word.
pub fn block(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    if cursor.dialect != Dialect::Postgres {
        return Some(Syntax::Call { name: None });
    }
    if cursor.word("LANGUAGE") {
        cursor.skip();
    }
    let token = cursor.token()?;
    let text = token.text(cursor.sql);
    let fence = match token.kind {
        Kind::DollarText => text[1..].find('$')? + 2,
        Kind::Text => text.find('\'')? + 1,
        _ => return None,
    };
    let tail = if token.kind == Kind::DollarText { fence } else { 1 };
    let start = token.start + fence;
    Some(Syntax::Do { body: start..token.end.saturating_sub(tail).max(start) })
}

/// The statements of a PL/pgSQL body, and whether each runs only under a condition. A statement begins after a semicolon or
/// after a word such as `BEGIN` or `THEN`.
pub fn inner_statements(cursor: &mut Cursor<'_>) -> Vec<(Range<usize>, bool)> {
    const STARTS: [&str; 12] =
        ["CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "LOCK", "REFRESH", "COMMENT", "GRANT", "REVOKE"];
    let mut statements = Vec::new();
    let mut begins = true;
    let mut depth = 0_usize;
    while !cursor.is_at_end() {
        if begins && cursor.peek_any(&["IF", "CASE", "FOR", "WHILE", "LOOP", "FOREACH"]) {
            depth += 1;
        } else if begins && cursor.peek("END") && ["IF", "CASE", "LOOP"].iter().any(|word| cursor.peek_at(1, word)) {
            depth = depth.saturating_sub(1);
        }
        if begins && cursor.peek_any(&STARTS) {
            let start = cursor.offset();
            while !cursor.is_at_end() && !cursor.peek_symbol(b';') {
                cursor.skip();
            }
            statements.push((cursor.since(start), depth > 0));
        }
        if begins && let Some(statement) = executed(cursor) {
            statements.push((statement, depth > 0));
        }
        begins = cursor.peek_symbol(b';') || cursor.peek_any(&["BEGIN", "THEN", "ELSE", "LOOP"]);
        cursor.skip();
    }
    statements
}

/// Parses `LOCK` after its first word.
pub fn lock(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    if !cursor.any(&["TABLE", "TABLES"]) && cursor.dialect != Dialect::Postgres {
        return Some(Syntax::Other);
    }
    if cursor.dialect == Dialect::MySql {
        let tables = cursor.name().into_iter().collect();
        let mode = if cursor.has("WRITE") { "WRITE" } else { "READ" };
        return Some(Syntax::Lock { tables, mode: Some(mode.to_owned()) });
    }
    let tables = cursor.names()?;
    let mut mode = Vec::new();
    if cursor.word("IN") {
        while !cursor.is_at_end() && !cursor.peek("MODE") {
            mode.push(cursor.text().to_ascii_uppercase());
            cursor.skip();
        }
    }
    Some(Syntax::Lock { tables, mode: (!mode.is_empty()).then(|| mode.join(" ")) })
}

/// Parses `REFRESH` after its first word.
pub fn refresh(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    if !cursor.words(&["MATERIALIZED", "VIEW"]) {
        return None;
    }
    let concurrently = cursor.word("CONCURRENTLY");
    let view = cursor.name()?;
    Some(Syntax::Refresh { view, concurrently, no_data: cursor.words(&["WITH", "NO", "DATA"]) })
}

/// Skips `(VERBOSE, ...)` or `VERBOSE`; returns the range inside the parentheses.
pub fn options(cursor: &mut Cursor<'_>) -> Option<Range<usize>> {
    let options = cursor.parenthesis();
    cursor.word("VERBOSE");
    options
}

/// Parses `REINDEX` after its first word.
pub fn reindex(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    if cursor.dialect == Dialect::Sqlite {
        return Some(Syntax::Reindex { target: "TABLE".to_owned(), name: cursor.name(), concurrently: false });
    }
    let options = options(cursor);
    let option = options.is_some_and(|range| Cursor::new(cursor.sql, range, cursor.dialect).has_anywhere("CONCURRENTLY"));
    let target = cursor.text().to_ascii_uppercase();
    cursor.skip();
    let concurrently = cursor.word("CONCURRENTLY") || option;
    Some(Syntax::Reindex { target, name: cursor.name(), concurrently })
}

/// Parses the statement after `CLUSTER`.
pub fn cluster(cursor: &mut Cursor<'_>) -> Syntax {
    options(cursor);
    Syntax::Cluster { table: cursor.name() }
}

/// Parses the statement after `OPTIMIZE` or `REPAIR`.
pub fn optimize(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.any(&["LOCAL", "NO_WRITE_TO_BINLOG"]);
    cursor.word("TABLE").then(|| cursor.names()).flatten().map(|tables| Syntax::Optimize { tables })
}

/// Parses `VACUUM` after its first word.
pub fn vacuum(cursor: &mut Cursor<'_>) -> Syntax {
    let options = cursor.parenthesis();
    let mut full = options.is_some_and(|range| Cursor::new(cursor.sql, range, cursor.dialect).has_anywhere("FULL"));
    full |= cursor.dialect == Dialect::Sqlite;
    while cursor.peek_any(&["FULL", "FREEZE", "VERBOSE", "ANALYZE"]) {
        full |= cursor.peek("FULL");
        cursor.skip();
    }
    let tables = if cursor.dialect == Dialect::Sqlite { None } else { cursor.names() };
    Syntax::Vacuum { full, tables: tables.unwrap_or_default() }
}

/// Parses `COMMENT` after its first word.
pub fn comment(cursor: &mut Cursor<'_>) -> Syntax {
    cursor.word("ON");
    if cursor.word("TABLE") {
        return Syntax::Comment { table: cursor.name() };
    }
    if cursor.word("COLUMN") {
        // `schema.table.column`: the last part is the column.
        let mut parts = Vec::new();
        while let Some(part) = cursor.part() {
            parts.push(part);
            if !cursor.symbol(b'.') {
                break;
            }
        }
        parts.pop();
        let name = parts.pop();
        let schema = parts.pop();
        return Syntax::Comment { table: name.map(|name| Name { schema, name }) };
    }
    Syntax::Comment { table: None }
}

/// The statement in the string of `EXECUTE 'DROP TABLE t';`.
pub fn executed(cursor: &Cursor<'_>) -> Option<Range<usize>> {
    let mut cursor = cursor.clone();
    if !cursor.word("EXECUTE") {
        return None;
    }
    let text = cursor.token().filter(|token| token.kind == Kind::Text).map(|token| token.start + 1..token.end.max(1) - 1)?;
    cursor.skip();
    let alone = cursor.is_at_end() || cursor.peek_symbol(b';');
    let sql = cursor.sql.get(text.clone())?;
    // If the string contains escaped quotes, its bytes differ from those of the statement.
    (alone && cursor.sql.as_bytes().get(text.start - 1) == Some(&b'\'') && !sql.contains('\'')).then_some(text)
}
