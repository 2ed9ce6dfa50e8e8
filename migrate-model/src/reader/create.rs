//! Parses `CREATE`.

use super::alter::equals;
use super::column::{column, constraint, index, index_columns, ty};
use super::output::{Unnamed, is_complete, output};
use super::{condition, skip_past};
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::name::Name;
use crate::syntax::{CreateIndex, CreateTable, CreateView, Like, ObjectKind, Syntax};
use crate::token::Kind;
use std::collections::HashSet;

/// Parses the statement after `CREATE`.
pub fn create(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let or_replace = cursor.words(&["OR", "REPLACE"]);
    if cursor.dialect == Dialect::MySql {
        options(cursor);
    }
    cursor.any(&["LOCAL", "GLOBAL"]);
    let temporary = cursor.any(&["TEMP", "TEMPORARY"]);
    // The module of a virtual table (SQLite) determines its columns.
    let module = cursor.peek("VIRTUAL");
    cursor.any(&["UNLOGGED", "VIRTUAL", "RECURSIVE"]);
    if cursor.peek_any(&["UNIQUE", "FULLTEXT", "SPATIAL", "INDEX"]) {
        let index = create_index(cursor)?;
        return Some(Syntax::CreateIndex(CreateIndex { or_replace, ..index }));
    }
    if cursor.words(&["CONSTRAINT", "TRIGGER"]) || cursor.word("TRIGGER") {
        return create_trigger(cursor, or_replace, temporary);
    }
    if cursor.word("TABLE") || cursor.words(&["FOREIGN", "TABLE"]) {
        let table = create_table(cursor, temporary, or_replace)?;
        return Some(Syntax::CreateTable(Box::new(CreateTable { opaque: table.opaque || module, ..table })));
    }
    if cursor.peek("VIEW") || cursor.peek("MATERIALIZED") {
        return create_view(cursor, temporary, or_replace).map(Syntax::CreateView);
    }
    if cursor.word("TYPE") {
        let name = cursor.name()?;
        let labels = cursor.words(&["AS", "ENUM"]).then(|| labels(cursor));
        return Some(Syntax::CreateType { name, labels });
    }
    if cursor.word("DOMAIN") {
        return create_domain(cursor);
    }
    if cursor.peek_any(&["FUNCTION", "PROCEDURE", "AGGREGATE"]) {
        return create_routine(cursor, or_replace);
    }
    // `POLICY p ON t`, `RULE r AS ON DELETE TO t`.
    for (object, before_table) in [("POLICY", "ON"), ("RULE", "TO")] {
        if cursor.word(object) {
            skip_past(cursor, before_table);
            return Some(Syntax::Policy { table: cursor.name() });
        }
    }
    if cursor.word("TABLESPACE") {
        return Some(Syntax::Server { what: "CREATE TABLESPACE" });
    }
    if cursor.word("SUBSCRIPTION") {
        return Some(Syntax::Server { what: "CREATE SUBSCRIPTION" });
    }
    create_object(cursor, or_replace, temporary)
}

fn create_domain(cursor: &mut Cursor<'_>) -> Option<Syntax> {
    let name = cursor.name()?;
    cursor.word("AS");
    let base = ty(cursor)?;
    let constrained = cursor.has("CHECK") || cursor.has("NOT");
    Some(Syntax::CreateDomain { name, base, constrained })
}

fn create_routine(cursor: &mut Cursor<'_>, or_replace: bool) -> Option<Syntax> {
    let procedure = cursor.peek("PROCEDURE");
    cursor.skip();
    cursor.if_not_exists();
    let name = cursor.name()?;
    let definer = cursor.dialect == Dialect::Postgres && has_pair(cursor, "SECURITY", "DEFINER");
    let sets_path = has_pair(cursor, "SET", "SEARCH_PATH");
    let is_stable = cursor.has("IMMUTABLE") || cursor.has("STABLE");
    let commits = procedure && ends_transactions(cursor.sql.get(cursor.offset()..).unwrap_or_default());
    Some(Syntax::CreateRoutine { name, or_replace, definer, sets_path, is_stable, commits })
}

/// Parses the definition of an object that has only a name.
fn create_object(cursor: &mut Cursor<'_>, or_replace: bool, temporary: bool) -> Option<Syntax> {
    let kind = if cursor.word("SEQUENCE") {
        ObjectKind::Sequence
    } else if cursor.word("EXTENSION") {
        ObjectKind::Extension
    } else if cursor.word("DATABASE") || cursor.dialect == Dialect::MySql && cursor.word("SCHEMA") {
        ObjectKind::Database
    } else if cursor.word("SCHEMA") {
        ObjectKind::Schema
    } else {
        return Some(Syntax::Other);
    };
    let if_not_exists = cursor.if_not_exists();
    if temporary {
        return Some(Syntax::Other);
    }
    cursor.word("AUTHORIZATION");
    let name = cursor.name()?;
    while kind == ObjectKind::Sequence && !cursor.is_at_end() && !cursor.words(&["OWNED", "BY"]) {
        cursor.skip();
    }
    let owner = owner(cursor);
    Some(Syntax::Create { kind, name, or_replace, if_not_exists, owner })
}

/// The table and the column after `OWNED BY`; `None` for `NONE`.
pub fn owner(cursor: &mut Cursor<'_>) -> Option<(Name, String)> {
    let mut parts: Vec<String> = Vec::new();
    while let Some(part) = cursor.part() {
        parts.push(part);
        if !cursor.symbol(b'.') {
            break;
        }
    }
    let column = parts.pop()?;
    let name = parts.pop()?;
    Some((Name { schema: parts.pop(), name }, column))
}

fn has_pair(cursor: &Cursor<'_>, first: &str, second: &str) -> bool {
    let rest = cursor.rest();
    rest.windows(2).any(|pair| pair[0].is_word(cursor.sql, first) && pair[1].is_word(cursor.sql, second))
}

fn labels(cursor: &mut Cursor<'_>) -> Vec<String> {
    let mut labels = Vec::new();
    cursor.symbol(b'(');
    while let Some(label) = cursor.string() {
        labels.push(label);
        if !cursor.symbol(b',') {
            break;
        }
    }
    labels
}

/// Skips `ALGORITHM = x DEFINER = user@host SQL SECURITY y AGGREGATE`.
fn options(cursor: &mut Cursor<'_>) {
    if !cursor.peek_any(&["ALGORITHM", "DEFINER", "SQL", "AGGREGATE"]) {
        return;
    }
    let heads = [
        "TABLE",
        "VIEW",
        "TRIGGER",
        "FUNCTION",
        "PROCEDURE",
        "UNIQUE",
        "FULLTEXT",
        "SPATIAL",
        "INDEX",
        "TEMPORARY",
        "SEQUENCE",
        "DATABASE",
        "SCHEMA",
        "EVENT",
    ];
    let before = cursor.position();
    for _ in 0..16 {
        if cursor.peek_any(&heads) {
            return;
        }
        cursor.skip();
    }
    cursor.rewind(before);
}

fn create_trigger(cursor: &mut Cursor<'_>, or_replace: bool, temporary: bool) -> Option<Syntax> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.name()?;
    let mut columns = Vec::new();
    while !cursor.is_at_end() && !cursor.word("ON") {
        if cursor.word("OF") && !cursor.is_at_end() {
            columns.extend(cursor.part());
            while cursor.symbol(b',') {
                columns.extend(cursor.part());
            }
        } else {
            cursor.skip();
        }
    }
    let table = cursor.name();
    let (mut function, mut tables) = (None, Vec::new());
    while !cursor.is_at_end() {
        if cursor.words(&["DISTINCT", "FROM"]) {
            continue;
        }
        if cursor.any(&["INTO", "FROM", "JOIN", "UPDATE"]) {
            if cursor.word("OR") {
                cursor.skip();
            }
            let before = cursor.position();
            match cursor.name() {
                Some(name) => tables.push(name),
                None => cursor.rewind(before),
            }
            continue;
        }
        if cursor.words(&["EXECUTE", "FUNCTION"]) || cursor.words(&["EXECUTE", "PROCEDURE"]) {
            function = cursor.name();
        }
        let row = cursor.any(&["NEW", "OLD"]);
        if row && cursor.symbol(b'.') {
            columns.extend(cursor.part());
        } else if !row {
            cursor.skip();
        }
    }
    Some(Syntax::CreateTrigger { name, table, columns, tables, function, or_replace, if_not_exists, temporary })
}

fn create_index(cursor: &mut Cursor<'_>) -> Option<CreateIndex> {
    let start = cursor.offset();
    let unique = cursor.word("UNIQUE");
    let fulltext = cursor.peek("FULLTEXT");
    let special = cursor.any(&["FULLTEXT", "SPATIAL"]);
    if !cursor.word("INDEX") {
        return None;
    }
    let concurrently = cursor.word("CONCURRENTLY");
    let if_not_exists = cursor.if_not_exists();
    let name = if cursor.peek("ON") { None } else { Some(cursor.name()?) };
    while cursor.word("USING") {
        cursor.skip();
    }
    if !cursor.word("ON") {
        return None;
    }
    let only = cursor.dialect == Dialect::Postgres && cursor.peek("ONLY");
    let table = cursor.table()?;
    let mut index = CreateIndex {
        name,
        table,
        unique,
        special,
        fulltext,
        concurrently,
        if_not_exists,
        or_replace: false,
        only,
        columns: Vec::new(),
        expressions: false,
        partial: false,
        mentions: Vec::new(),
        says_how: false,
        algorithm: None,
        lock: None,
        range: start..start,
    };
    index_columns(cursor, &mut index, condition::words)?;
    index.partial = cursor.has("WHERE");
    index.says_how = cursor.has("ALGORITHM") || cursor.has("LOCK");
    while !cursor.is_at_end() {
        if let Some(algorithm) = equals(cursor, "ALGORITHM") {
            index.algorithm = Some(algorithm);
        } else if let Some(lock) = equals(cursor, "LOCK") {
            index.lock = Some(lock);
        } else {
            cursor.skip();
        }
    }
    index.range = cursor.since(start);
    Some(index)
}

fn create_table(cursor: &mut Cursor<'_>, temporary: bool, or_replace: bool) -> Option<CreateTable> {
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.name()?;
    let mut table = CreateTable { temporary, or_replace, if_not_exists, ..CreateTable::default() };
    if cursor.words(&["PARTITION", "OF"]) {
        table.partition_of = cursor.name();
        let before = cursor.position();
        if cursor.peek_symbol(b'(') {
            cursor.parenthesis();
        }
        table.default_partition = cursor.peek("DEFAULT");
        cursor.rewind(before);
    }
    if cursor.word("OF") {
        table.opaque = true;
    }
    if cursor.word("LIKE") {
        table.like.extend(like(cursor));
    }
    if cursor.peek_symbol(b'(') {
        elements(cursor, &name, &mut table);
    }
    table.name = Some(name);
    while !cursor.is_at_end() {
        if cursor.word("INHERITS") {
            cursor.symbol(b'(');
            table.inherits = cursor.tables().unwrap_or_default();
            let parents = table.inherits.iter().cloned();
            table.like.extend(parents.map(|table| Like { table, indexes: false, checks: true, defaults: true }));
            table.opaque = true;
        } else if cursor.words(&["PARTITION", "BY"]) {
            table.partitioned = true;
            cursor.any(&["RANGE", "LIST", "HASH", "COLUMNS", "KEY"]);
            if let Some(key) = cursor.parenthesis() {
                table.partition_key = condition::words(&Cursor::new(cursor.sql, key, cursor.dialect));
            }
        } else if table_option(cursor, &mut table) {
        } else if cursor.peek("SELECT") || cursor.word("AS") {
            table.as_query = true;
            table.filtered = !is_whole(cursor);
            table.output = output(cursor, Unnamed::Derived);
            cursor.skip_all();
        } else {
            cursor.skip();
        }
    }
    Some(table)
}

/// Parses an option after the definition of a table; false if there is none at the cursor.
fn table_option(cursor: &mut Cursor<'_>, table: &mut CreateTable) -> bool {
    let value = |cursor: &mut Cursor<'_>| {
        cursor.symbol(b'=');
        let text = cursor.text().trim_matches(['\'', '"']).to_ascii_lowercase();
        cursor.skip();
        Some(text)
    };
    if cursor.word("CHARSET") || cursor.words(&["CHARACTER", "SET"]) {
        table.charset = value(cursor);
    } else if cursor.dialect == Dialect::MySql && cursor.word("ENGINE") {
        table.engine = value(cursor);
    } else if cursor.dialect == Dialect::MySql && cursor.word("ROW_FORMAT") {
        cursor.symbol(b'=');
        table.compressed = cursor.word("COMPRESSED");
    } else if cursor.word("COLLATE") {
        table.collation = value(cursor);
    } else {
        return false;
    }
    true
}

fn elements(cursor: &mut Cursor<'_>, name: &Name, table: &mut CreateTable) {
    cursor.symbol(b'(');
    // `CREATE TABLE t (SELECT ...)`, MySQL.
    if cursor.peek("SELECT") {
        table.as_query = true;
    }
    loop {
        let before = cursor.position();
        if cursor.word("LIKE") {
            table.like.extend(like(cursor));
            cursor.skip_clause();
        } else if cursor.peek("PERIOD") && cursor.peek_at(1, "FOR") {
            cursor.skip_clause();
        } else if let Some(index) = index(cursor, name) {
            table.indexes.push(index);
            cursor.skip_clause();
        } else if let Some(constraint) = constraint(cursor) {
            table.constraints.push(constraint);
        } else if let Some(column) = column(cursor) {
            table.columns.push(column);
        } else {
            table.opaque = true;
            cursor.skip_clause();
        }
        // In SQLite, the commas between table constraints are optional.
        if cursor.symbol(b',') {
            continue;
        }
        if cursor.symbol(b')') || cursor.is_at_end() {
            return;
        }
        if cursor.position() == before {
            cursor.skip();
        }
    }
}

/// Parses the clause after `LIKE`. MySQL copies everything except foreign keys; in PostgreSQL, the last option for a part counts.
fn like(cursor: &mut Cursor<'_>) -> Option<Like> {
    let table = cursor.name()?;
    let all = cursor.dialect == Dialect::MySql;
    let mut like = Like { table, indexes: all, checks: all, defaults: all };
    while cursor.peek_any(&["INCLUDING", "EXCLUDING"]) {
        let including = cursor.word("INCLUDING") || !cursor.word("EXCLUDING");
        let all = cursor.peek("ALL");
        like.indexes = if all || cursor.peek("INDEXES") { including } else { like.indexes };
        like.checks = if all || cursor.peek("CONSTRAINTS") { including } else { like.checks };
        like.defaults = if all || cursor.peek("DEFAULTS") { including } else { like.defaults };
        cursor.skip();
    }
    Some(like)
}

fn create_view(cursor: &mut Cursor<'_>, temporary: bool, or_replace: bool) -> Option<CreateView> {
    let materialized = cursor.word("MATERIALIZED");
    cursor.word("VIEW");
    let if_not_exists = cursor.if_not_exists();
    let name = cursor.name()?;
    let (mut reads, mut mentions) = (reads(cursor), condition::words(cursor));
    let mut uses = condition::uses(cursor);
    // `AS TABLE t`
    let before = cursor.position();
    if cursor.words(&["AS", "TABLE"]) {
        reads.extend(cursor.name());
        mentions.push("*".to_owned());
        uses.push("*".to_owned());
    }
    cursor.rewind(before);
    // With several queries, it is not clear which one `*` belongs to.
    if cursor.rest().iter().filter(|token| token.is_word(cursor.sql, "SELECT")).count() > 1 {
        uses.retain(|word| word != "*");
    }
    let whole = reads.len() == 1 && is_whole(cursor);
    let (output, output_is_complete) = view_columns(cursor);
    Some(CreateView {
        name,
        materialized,
        or_replace,
        if_not_exists,
        temporary,
        whole,
        reads,
        mentions,
        uses,
        output,
        output_is_complete,
    })
}

/// The columns of a view, and whether they are all: those in parentheses after its name, or else those of the query.
fn view_columns(cursor: &Cursor<'_>) -> (Vec<String>, bool) {
    let mut cursor = cursor.clone();
    if let Some((columns, _)) = cursor.columns() {
        return (columns, true);
    }
    skip_past(&mut cursor, "AS");
    let is_mysql = cursor.dialect == Dialect::MySql;
    let unnamed = if is_mysql { Unnamed::Distinct } else { Unnamed::Derived };
    (output(&cursor, unnamed), is_complete(&cursor, unnamed))
}

/// Does the body of a procedure contain `COMMIT` or `ROLLBACK`? The body is a string, so its words are compared directly.
fn ends_transactions(body: &str) -> bool {
    let mut words = body.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|word| word.eq_ignore_ascii_case("COMMIT") || word.eq_ignore_ascii_case("ROLLBACK"))
}

/// Does a query return every row unchanged?
fn is_whole(cursor: &Cursor<'_>) -> bool {
    let restrictions =
        ["WHERE", "LIMIT", "OFFSET", "FETCH", "GROUP", "HAVING", "DISTINCT", "UNION", "INTERSECT", "EXCEPT", "JOIN", "SAMPLE"];
    !restrictions.iter().any(|word| cursor.has_anywhere(word))
}

/// The tables after `FROM` and `JOIN`.
pub fn reads(cursor: &Cursor<'_>) -> Vec<Name> {
    let mut cursor = cursor.clone();
    let mut names: Vec<Name> = Vec::new();
    let mut known = HashSet::new();
    while !cursor.is_at_end() {
        // `FROM` can also be part of an expression.
        if cursor.any(&["EXTRACT", "SUBSTRING", "TRIM", "OVERLAY"]) {
            cursor.parenthesis();
        } else if cursor.word("DISTINCT") {
            cursor.word("FROM");
        } else if cursor.any(&["FROM", "JOIN", "USING"]) {
            loop {
                cursor.word("LATERAL");
                let word = cursor.token().is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName));
                let Some(name) = word.then(|| cursor.table()).flatten() else { break };
                // A name before a parenthesis is a function.
                if !cursor.peek_symbol(b'(') && known.insert(name.clone()) {
                    names.push(name);
                }
                // An alias may precede the comma.
                cursor.word("AS");
                if !cursor.peek_symbol(b',') && cursor.token().is_some_and(|token| token.kind == Kind::Word) {
                    let before = cursor.position();
                    cursor.skip();
                    if !cursor.peek_symbol(b',') {
                        cursor.rewind(before);
                    }
                }
                if !cursor.symbol(b',') {
                    break;
                }
            }
        } else {
            cursor.skip();
        }
    }
    // The queries of a `WITH` are not tables: `a AS (SELECT ...)`, `RECURSIVE a`.
    let words: Vec<_> = cursor.all().iter().map(|token| token.text(cursor.sql)).collect();
    let lower = |word: &str| word.trim_matches('"').to_ascii_lowercase();
    let begins = |word: &str| ["(", "NOT", "MATERIALIZED"].iter().any(|start| word.eq_ignore_ascii_case(start));
    let defined = words.windows(3).filter(|triple| triple[1].eq_ignore_ascii_case("AS") && begins(triple[2]));
    let recursive = words.windows(2).filter(|pair| pair[0].eq_ignore_ascii_case("RECURSIVE"));
    let queries: HashSet<String> = defined.map(|triple| lower(triple[0])).chain(recursive.map(|pair| lower(pair[1]))).collect();
    names.retain(|name| name.schema.is_some() || !queries.contains(&name.name.to_ascii_lowercase()));
    names
}
