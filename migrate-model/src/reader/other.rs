//! Parses `DROP`, DML and all other statements.

use super::condition;
use super::create::reads;
use super::output::{Unnamed, output};
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::name::Name;
use crate::syntax::{CreateTable, DropStatement, Insert, ObjectKind, RowChange, Setting, Syntax};
use crate::token::Kind;
use std::ops::Range;

impl Cursor<'_> {
    /// Reads the name of a table that a statement of PostgreSQL names with or without its descendants: `t`, `t *`, `ONLY t`,
    /// `ONLY (t)`. The other databases have no such word.
    pub fn table(&mut self) -> Option<Name> {
        if self.dialect != Dialect::Postgres {
            return self.name();
        }
        let is_enclosed = self.word("ONLY") && self.symbol(b'(');
        let name = self.name()?;
        let _ = if is_enclosed { self.symbol(b')') } else { self.symbol(b'*') };
        Some(name)
    }

    /// Reads a comma-separated list of tables.
    pub fn tables(&mut self) -> Option<Vec<Name>> {
        let mut names = Vec::new();
        loop {
            names.push(self.table()?);
            if !self.symbol(b',') {
                return Some(names);
            }
        }
    }
}

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
    let only = cursor.dialect == Dialect::Postgres && cursor.has_anywhere("ONLY");
    let tables = cursor.tables()?;
    Some(Syntax::Truncate { tables, only, cascade: cursor.has("CASCADE") })
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
    let columns = if begins_query_in_parentheses(cursor) { Vec::new() } else { assigned_columns(cursor) };
    let from_query =
        !cursor.peek_any(&["VALUES", "VALUE", "DEFAULT", "SET"]) && (cursor.has_anywhere("SELECT") || cursor.peek("TABLE"));
    let reads_table = from_query && !reads(cursor).is_empty();
    let limited = from_query && cursor.has_anywhere("LIMIT");
    let filtered = from_query && cursor.has_anywhere("WHERE");
    let all_of = if from_query && columns.is_empty() { all_of(cursor) } else { None };
    let assigned = conflict_columns(cursor).into_iter().collect();
    Some(Syntax::Insert(Insert { table, columns, from_query, reads_table, limited, filtered, all_of, replaces, assigned }))
}

/// Does a query in parentheses follow, as in `INSERT INTO t (SELECT ...)`, and not a list of columns?
fn begins_query_in_parentheses(cursor: &Cursor<'_>) -> bool {
    let mut cursor = cursor.clone();
    let mut depth = 0;
    while cursor.symbol(b'(') {
        depth += 1;
    }
    depth > 1 || depth == 1 && cursor.peek_any(&["SELECT", "WITH", "VALUES", "TABLE"])
}

/// The columns of a list in parentheses; none if there is no list.
fn assigned_columns(cursor: &mut Cursor<'_>) -> Vec<String> {
    let mut columns = Vec::new();
    if !cursor.symbol(b'(') {
        return columns;
    }
    loop {
        assigned_column(cursor, &mut columns);
        cursor.skip_clause();
        if !cursor.symbol(b',') {
            cursor.symbol(b')');
            return columns;
        }
    }
}

/// Adds the column that is assigned at the cursor. On PostgreSQL, several fields or elements of one column can be assigned.
fn assigned_column(cursor: &mut Cursor<'_>, columns: &mut Vec<String>) {
    let Some(name) = cursor.name() else { return };
    // `a.b` is a column of a table in MySQL, and a field of a column in PostgreSQL.
    let is_postgres = cursor.dialect == Dialect::Postgres;
    let is_part = is_postgres && (name.schema.is_some() || cursor.peek_symbol(b'['));
    let column = if is_postgres { name.schema.unwrap_or(name.name) } else { name.name };
    if !is_part || !columns.contains(&column) {
        columns.push(column);
    }
}

/// The columns after `SET`, up to a word that begins another clause.
fn set_columns(cursor: &mut Cursor<'_>, ends: &[&str]) -> Vec<String> {
    let mut columns = Vec::new();
    loop {
        if cursor.peek_symbol(b'(') {
            columns.extend(assigned_columns(cursor));
        } else {
            assigned_column(cursor, &mut columns);
        }
        to_comma_or(cursor, ends);
        if !cursor.symbol(b',') {
            return columns;
        }
    }
}

/// The columns of `ON CONFLICT ... DO UPDATE SET`.
fn conflict_columns(cursor: &Cursor<'_>) -> Option<Vec<String>> {
    let mut cursor = cursor.clone();
    while !cursor.is_at_end() {
        if cursor.words(&["DO", "UPDATE", "SET"]) {
            return Some(set_columns(&mut cursor, &["WHERE", "RETURNING"]));
        }
        if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
    None
}

/// The table of `SELECT * FROM t` without other tables.
fn all_of(cursor: &Cursor<'_>) -> Option<Name> {
    let [table] = <[Name; 1]>::try_from(reads(cursor)).ok()?;
    let mut cursor = cursor.clone();
    while cursor.symbol(b'(') {}
    let all = cursor.word("SELECT") && cursor.symbol(b'*') && cursor.word("FROM") && cursor.name().as_ref() == Some(&table);
    let joined = ["JOIN", "UNION", "EXCEPT", "INTERSECT"].iter().any(|word| cursor.has_anywhere(word));
    (all && !joined).then_some(table)
}

/// `MERGE`, as an `INSERT` from a query that reads a table.
pub fn merge(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.word("INTO");
    let table = cursor.table()?;
    let insert = Insert {
        table,
        columns: Vec::new(),
        from_query: true,
        reads_table: true,
        limited: false,
        filtered: true,
        all_of: None,
        replaces: false,
        assigned: merge_columns(cursor),
    };
    Some(Syntax::Insert(insert))
}

/// The columns that each `WHEN` clause of a `MERGE` assigns.
fn merge_columns(cursor: &mut Cursor<'_>) -> Vec<Vec<String>> {
    let mut clauses = Vec::new();
    while !cursor.is_at_end() {
        if cursor.words(&["THEN", "UPDATE", "SET"]) {
            clauses.push(set_columns(cursor, &["WHEN", "RETURNING"]));
        } else if cursor.words(&["THEN", "INSERT"]) {
            clauses.push(assigned_columns(cursor));
        } else if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
    clauses
}

/// Parses `UPDATE` after its first word.
pub fn update(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    while cursor.any(&["LOW_PRIORITY", "IGNORE"]) {}
    if cursor.word("OR") {
        cursor.skip();
    }
    let table = cursor.table()?;
    let (mut joined, mut matched) = (false, false);
    while !cursor.is_at_end() && !cursor.peek("SET") {
        joined |= cursor.peek("JOIN") || cursor.peek_symbol(b',');
        matched |= cursor.peek_any(&["ON", "USING", "NATURAL"]);
        cursor.skip();
    }
    cursor.word("SET");
    let columns = set_columns(cursor, &["WHERE", "FROM", "LIMIT", "ORDER", "RETURNING"]);
    joined |= cursor.peek("FROM");
    Some(Syntax::Update(change(cursor, table, columns, joined, matched)))
}

/// Parses `DELETE` after its first word.
pub fn delete(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    while cursor.any(&["LOW_PRIORITY", "QUICK", "IGNORE"]) {}
    let several = !cursor.word("FROM");
    let table = cursor.table()?;
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
            let mut query = cursor.clone();
            query.rewind(before.saturating_sub(1));
            return select_into(cursor, output(&query, Unnamed::Derived)).unwrap_or(Syntax::Opaque);
        }
    }
    Syntax::Query
}

/// Parses `SELECT ... INTO TEMP t FROM ...`.
fn select_into(cursor: &mut Cursor<'_>, output: Vec<String>) -> Option<Syntax> {
    while !cursor.is_at_end() && !cursor.word("INTO") {
        if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
    let temporary = cursor.any(&["TEMP", "TEMPORARY"]);
    cursor.any(&["UNLOGGED", "TABLE"]);
    let name = Some(cursor.name()?);
    Some(Syntax::CreateTable(Box::new(CreateTable { name, temporary, as_query: true, output, ..CreateTable::default() })))
}

/// Parses `DO` after its first word.
pub fn block(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    if cursor.dialect != Dialect::Postgres {
        return Some(Syntax::Call { name: None });
    }
    if cursor.word("LANGUAGE") {
        cursor.skip();
    }
    Some(Syntax::Do { body: quoted_body(cursor)? })
}

/// The text of a body in quotes at the cursor, without its quotes.
pub fn quoted_body(cursor: &Cursor<'_>) -> Option<Range<usize>> {
    let token = cursor.token()?;
    let text = token.text(cursor.sql);
    let fence = match token.kind {
        Kind::DollarText => text[1..].find('$')? + 2,
        Kind::Text => text.find('\'')? + 1,
        _ => return None,
    };
    let mark = if token.kind == Kind::DollarText { &text[..fence] } else { "'" };
    // The body of a file that is not complete may have no end.
    let content = &text[fence..];
    let content = content.strip_suffix(mark).unwrap_or(content);
    let start = token.start + fence;
    Some(start..start + content.len())
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
    let tables = cursor.tables()?;
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

/// Skips `(VERBOSE, ...)`; returns whether this option is on. An option without a value is on. (PostgreSQL manual, VACUUM)
pub fn is_option_on(cursor: &mut Cursor<'_>, option: &str) -> bool {
    let Some(options) = cursor.parenthesis() else { return false };
    let mut inner = Cursor::new(cursor.sql, options, cursor.dialect);
    let mut is_on = false;
    while !inner.is_at_end() {
        if inner.word(option) {
            let value = inner.text().trim_matches(['\'', '"']).to_ascii_lowercase();
            is_on = !matches!(value.as_str(), "false" | "off" | "0");
        }
        inner.skip_clause();
        if !inner.symbol(b',') {
            break;
        }
    }
    is_on
}

/// Parses `REINDEX` after its first word.
pub fn reindex(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    if cursor.dialect == Dialect::Sqlite {
        return Some(Syntax::Reindex { target: "TABLE".to_owned(), name: cursor.name(), concurrently: false });
    }
    let option = is_option_on(cursor, "CONCURRENTLY");
    cursor.word("VERBOSE");
    let target = cursor.text().to_ascii_uppercase();
    cursor.skip();
    let concurrently = cursor.word("CONCURRENTLY") || option;
    Some(Syntax::Reindex { target, name: cursor.name(), concurrently })
}

/// Parses the statement after `CLUSTER`.
pub fn cluster(cursor: &mut Cursor<'_>) -> Syntax {
    cursor.parenthesis();
    cursor.word("VERBOSE");
    Syntax::Cluster { table: cursor.name() }
}

/// Parses the statement after `OPTIMIZE` or `REPAIR`.
pub fn optimize(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    cursor.any(&["LOCAL", "NO_WRITE_TO_BINLOG"]);
    cursor.word("TABLE").then(|| cursor.tables()).flatten().map(|tables| Syntax::Optimize { tables })
}

/// Parses `VACUUM` after its first word.
pub fn vacuum(cursor: &mut Cursor<'_>) -> Syntax {
    let mut full = is_option_on(cursor, "FULL");
    full |= cursor.dialect == Dialect::Sqlite;
    while cursor.peek_any(&["FULL", "FREEZE", "VERBOSE", "ANALYZE"]) {
        full |= cursor.peek("FULL");
        cursor.skip();
    }
    let tables = if cursor.dialect == Dialect::Sqlite { None } else { cursor.tables() };
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
