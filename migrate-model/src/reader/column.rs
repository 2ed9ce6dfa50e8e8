//! Parses columns, types and constraints.

use super::condition;
use crate::cursor::Cursor;
use crate::dialect::Dialect;
use crate::syntax::{Column, Constraint, ConstraintKind, CreateIndex, Generated, Reference, Type};
use crate::token::Kind;
use std::ops::Range;

/// Words that end a default value.
const AFTER_DEFAULT: [&str; 27] = [
    "NOT",
    "NULL",
    "CONSTRAINT",
    "CHECK",
    "UNIQUE",
    "PRIMARY",
    "REFERENCES",
    "GENERATED",
    "COLLATE",
    "COMMENT",
    "AUTO_INCREMENT",
    "ON",
    "AFTER",
    "FIRST",
    "KEY",
    "STORAGE",
    "DEFERRABLE",
    "INVISIBLE",
    "VISIBLE",
    "VIRTUAL",
    "STORED",
    "PERSISTENT",
    "AS",
    "COLUMN_FORMAT",
    "USING",
    "CHARACTER",
    "INITIALLY",
];

/// Words that begin a column constraint and so end the type.
const AFTER_TYPE: [&str; 27] = [
    "NOT",
    "NULL",
    "CONSTRAINT",
    "CHECK",
    "UNIQUE",
    "PRIMARY",
    "REFERENCES",
    "GENERATED",
    "COLLATE",
    "COMMENT",
    "DEFAULT",
    "AUTO_INCREMENT",
    "ON",
    "AFTER",
    "FIRST",
    "KEY",
    "STORAGE",
    "COMPRESSION",
    "INVISIBLE",
    "VISIBLE",
    "AS",
    "COLUMN_FORMAT",
    "USING",
    "OPTIONS",
    "WITHOUT",
    "AUTOINCREMENT",
    "SRID",
];

/// Parses the definition of a column.
pub fn column(cursor: &mut Cursor<'_>) -> Option<Column> {
    let start = cursor.offset();
    let name = cursor.part()?;
    let mut column = Column {
        name,
        ty: None,
        not_null: false,
        says_null: false,
        default: None,
        generated: None,
        computed_from: Vec::new(),
        identity: false,
        primary: false,
        unique: false,
        checks: Vec::new(),
        references: None,
        key_name: None,
        on_update: false,
        placed: false,
        range: start..start,
    };
    if !cursor.peek_any(&AFTER_TYPE) && !cursor.peek_symbol(b',') && !cursor.peek_symbol(b')') {
        column.ty = ty(cursor);
    }
    if cursor.dialect == Dialect::MySql {
        serial(&mut column);
    }
    while !cursor.is_at_end() && !cursor.peek_symbol(b',') && !cursor.peek_symbol(b')') {
        clause(cursor, &mut column);
    }
    column.range = cursor.since(start);
    Some(column)
}

/// `SERIAL` is `BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE`. (MySQL manual, 11.1.1)
fn serial(column: &mut Column) {
    let Some(ty) = column.ty.as_mut().filter(|ty| ty.name == "serial") else { return };
    *ty = Type { name: "bigint".to_owned(), unsigned: true, ..Type::default() };
    column.not_null = true;
    column.identity = true;
    column.unique = true;
}

fn clause(cursor: &mut Cursor<'_>, column: &mut Column) {
    let name = if cursor.word("CONSTRAINT") { cursor.part() } else { None };
    if cursor.words(&["NOT", "NULL"]) {
        column.not_null = true;
    } else if cursor.word("NULL") {
        column.not_null = false;
        column.says_null = true;
    } else if cursor.word("DEFAULT") {
        // `DEFAULT NULL` is equivalent to no default.
        let null = cursor.peek("NULL");
        column.default = Some(value(cursor)).filter(|_| !null);
        column.says_null |= null;
    } else if cursor.word("PRIMARY") || cursor.dialect == Dialect::MySql && cursor.peek("KEY") {
        cursor.word("KEY");
        column.primary = true;
        column.key_name = name;
        column.not_null |= cursor.dialect != Dialect::Sqlite;
    } else if cursor.word("UNIQUE") {
        cursor.word("KEY");
        column.unique = true;
        column.key_name = name;
    } else if cursor.word("CHECK") {
        if let Some(condition) = cursor.parenthesis() {
            column.checks.push(condition::check(cursor, name, condition));
        }
    } else if cursor.word("REFERENCES") {
        column.references = reference(cursor).map(|reference| Reference { name, ..reference });
    } else if cursor.word("GENERATED") {
        identity_or_expression(cursor, column);
    } else if cursor.word("AS") {
        generated(cursor, column);
    } else if cursor.words(&["SERIAL", "DEFAULT", "VALUE"]) {
        // `NOT NULL AUTO_INCREMENT UNIQUE`
        (column.not_null, column.identity, column.unique) = (true, true, true);
    } else if cursor.any(&["AUTO_INCREMENT", "AUTOINCREMENT"]) {
        column.identity = true;
    } else if cursor.word("COLLATE") {
        let collation = cursor.name().map(|name| name.name);
        if let Some(ty) = &mut column.ty {
            ty.collation = collation;
        }
    } else if cursor.word("FIRST") {
        column.placed = true;
    } else if cursor.word("AFTER") {
        column.placed = true;
        cursor.part();
    } else if cursor.words(&["ON", "UPDATE"]) {
        column.on_update = true;
        value(cursor);
    } else if cursor.peek_symbol(b'(') {
        cursor.parenthesis();
    } else {
        cursor.skip();
    }
}

/// Parses the clause after `GENERATED`.
fn identity_or_expression(cursor: &mut Cursor<'_>, column: &mut Column) {
    let _ = cursor.word("ALWAYS") || cursor.words(&["BY", "DEFAULT"]);
    cursor.words(&["ON", "NULL"]);
    cursor.word("AS");
    if cursor.word("IDENTITY") {
        column.identity = true;
        column.not_null = true;
        cursor.parenthesis();
    } else {
        generated(cursor, column);
    }
}

fn generated(cursor: &mut Cursor<'_>, column: &mut Column) {
    if let Some(expression) = cursor.parenthesis() {
        column.computed_from = condition::words(&Cursor::new(cursor.sql, expression, cursor.dialect));
    }
    column.generated = Some(if cursor.any(&["STORED", "PERSISTENT"]) {
        Generated::Stored
    } else if cursor.word("VIRTUAL") {
        Generated::Virtual
    } else {
        Generated::Unsaid
    });
}

/// Skips an expression, such as a default value, up to a word that begins another clause, or to the end of the clause.
pub fn value(cursor: &mut Cursor<'_>) -> Range<usize> {
    let start = cursor.offset();
    let mut first = true;
    while !cursor.is_at_end() && !cursor.peek_symbol(b',') && !cursor.peek_symbol(b')') {
        if !first && cursor.peek_any(&AFTER_DEFAULT) {
            break;
        }
        first = false;
        if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
    cursor.since(start)
}

/// Parses a type; names of several words become one name.
pub fn ty(cursor: &mut Cursor<'_>) -> Option<Type> {
    let quoted = cursor.token().is_some_and(|token| token.kind == Kind::QuotedName);
    let first = cursor.name()?;
    let mut ty = Type { schema: first.schema.filter(|schema| schema != "pg_catalog"), ..Type::default() };
    let mut name = if quoted { first.name } else { first.name.to_ascii_lowercase() };
    further_words(cursor, &mut name, quoted);
    optional_arguments(cursor, &mut ty);
    if matches!(name.as_str(), "timestamp" | "time") && cursor.dialect == Dialect::Postgres {
        if cursor.words(&["WITH", "TIME", "ZONE"]) {
            name.push_str("tz");
        } else {
            cursor.words(&["WITHOUT", "TIME", "ZONE"]);
        }
        optional_arguments(cursor, &mut ty);
    }
    if name == "interval" {
        while cursor.peek_any(&["YEAR", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND", "TO"]) {
            ty.members.push(cursor.text().to_ascii_lowercase());
            cursor.skip();
        }
        optional_arguments(cursor, &mut ty);
    }
    while type_option(cursor, &mut ty) {}
    ty.name = canonical(&name, cursor.dialect).to_owned();
    match cursor.dialect {
        Dialect::Postgres => postgres_name(&mut ty, &name, quoted),
        Dialect::MySql => mysql_arguments(&mut ty),
        Dialect::Sqlite => {}
    }
    Some(ty)
}

/// Appends the other words of a type name such as `double precision`.
fn further_words(cursor: &mut Cursor<'_>, name: &mut String, quoted: bool) {
    let several: &[&str] = match name.as_str() {
        "double" => &["precision"],
        "character" | "char" | "bit" | "nchar" | "national" | "long" => &["varying", "character", "char", "varchar", "varbinary"],
        _ => &[],
    };
    while several.iter().any(|word| cursor.peek(word)) && !cursor.peek_at(1, "SET") {
        append_word(cursor, name);
    }
    if cursor.dialect == Dialect::Sqlite && !quoted {
        // A type consists of any words.
        while cursor.token().is_some_and(|token| token.kind == Kind::Word) && !cursor.peek_any(&AFTER_TYPE) {
            append_word(cursor, name);
        }
    }
}

fn append_word(cursor: &mut Cursor<'_>, name: &mut String) {
    name.push(' ');
    name.push_str(&cursor.text().to_ascii_lowercase());
    cursor.skip();
}

/// Parses an option after a type; false if there is none at the cursor.
fn type_option(cursor: &mut Cursor<'_>, ty: &mut Type) -> bool {
    if cursor.word("ARRAY") || cursor.symbol(b'[') {
        ty.array = true;
        cursor.number();
        cursor.symbol(b']');
    } else if cursor.any(&["UNSIGNED", "ZEROFILL"]) {
        // `ZEROFILL` implies `UNSIGNED`. (MySQL manual, 11.1.1)
        ty.unsigned = true;
    } else if cursor.words(&["CHARACTER", "SET"]) || cursor.word("CHARSET") {
        cursor.symbol(b'=');
        ty.charset = Some(cursor.text().trim_matches(['\'', '"']).to_ascii_lowercase());
        cursor.skip();
    } else if cursor.word("COLLATE") {
        ty.collation = cursor.name().map(|name| name.name);
    } else {
        return cursor.any(&["SIGNED", "BINARY", "ASCII", "UNICODE", "BYTE"]);
    }
    true
}

/// Types of PostgreSQL whose name depends on their arguments or on quotes.
fn postgres_name(ty: &mut Type, name: &str, quoted: bool) {
    match (name, &*ty.arguments) {
        // The type `"char"` of one byte.
        ("char", _) if quoted => "\"char\"".clone_into(&mut ty.name),
        _ if quoted => {}
        // `float(n)` has at least n bits. (PostgreSQL manual, 8.1.3)
        ("float", [bits]) => {
            ty.name = if *bits < 25 { "float4".to_owned() } else { "float8".to_owned() };
            ty.arguments.clear();
        }
        // Without a length, `bpchar` is unlimited, but `char` has length 1.
        ("bpchar", []) => name.clone_into(&mut ty.name),
        _ => {}
    }
}

/// Makes default arguments explicit and removes those without effect. (MySQL manual, 11.1)
fn mysql_arguments(ty: &mut Type) {
    match (ty.name.as_str(), &*ty.arguments) {
        // The display width.
        ("int" | "bigint" | "smallint" | "tinyint" | "mediumint" | "year", _) => ty.arguments.clear(),
        ("datetime" | "timestamp" | "time", [0]) => ty.arguments.clear(),
        ("char" | "binary" | "bit", []) => ty.arguments = vec![1],
        ("decimal", []) => ty.arguments = vec![10, 0],
        ("decimal", [_]) => ty.arguments.push(0),
        ("float", [bits]) => {
            ty.name = if *bits < 25 { "float".to_owned() } else { "double".to_owned() };
            ty.arguments.clear();
        }
        _ => {}
    }
}

/// Parses the arguments of a type in parentheses, if there are any at the cursor.
fn optional_arguments(cursor: &mut Cursor<'_>, ty: &mut Type) {
    let before = cursor.position();
    if !cursor.symbol(b'(') {
        return;
    }
    loop {
        if let Some(number) = cursor.number() {
            ty.arguments.push(number);
        } else if let Some(member) = cursor.string() {
            ty.members.push(member);
        }
        cursor.skip_clause();
        if !cursor.symbol(b',') {
            break;
        }
    }
    cursor.rewind(before);
    cursor.parenthesis();
}

fn canonical(name: &str, dialect: Dialect) -> &str {
    match (dialect, name) {
        (Dialect::Postgres, "int4" | "integer" | "int") => "int",
        (Dialect::Postgres, "int8") => "bigint",
        (Dialect::Postgres, "int2") => "smallint",
        (Dialect::Postgres, "serial4") => "serial",
        (Dialect::Postgres, "serial8") => "bigserial",
        (Dialect::Postgres, "serial2") => "smallserial",
        (Dialect::Postgres, "character varying" | "char varying" | "national character varying") => "varchar",
        (Dialect::Postgres, "character" | "bpchar" | "national character" | "nchar") => "char",
        (Dialect::Postgres, "bool") => "boolean",
        (Dialect::Postgres, "decimal" | "dec") => "numeric",
        (Dialect::Postgres, "double precision" | "float" | "float8") => "float8",
        (Dialect::Postgres, "real" | "float4") => "float4",
        (Dialect::Postgres, "bit varying") => "varbit",
        (Dialect::MySql, "integer" | "int4") => "int",
        (Dialect::MySql, "int8") => "bigint",
        (Dialect::MySql, "int3" | "middleint") => "mediumint",
        (Dialect::MySql, "int2") => "smallint",
        (Dialect::MySql, "int1") => "tinyint",
        (Dialect::MySql, "float4") => "float",
        (Dialect::MySql, "float8") => "double",
        (Dialect::MySql, "long" | "long varchar") => "mediumtext",
        (Dialect::MySql, "long varbinary") => "mediumblob",
        (Dialect::MySql, "bool" | "boolean") => "tinyint",
        (Dialect::MySql, "numeric" | "dec" | "fixed") => "decimal",
        (Dialect::MySql, "double precision" | "real") => "double",
        (Dialect::MySql, "character varying") => "varchar",
        (Dialect::MySql, "character") => "char",
        (_, name) => name,
    }
}

/// Parses the clause after `REFERENCES`.
pub fn reference(cursor: &mut Cursor<'_>) -> Option<Reference> {
    let table = cursor.name()?;
    let columns = cursor.columns().map(|(columns, _)| columns).unwrap_or_default();
    let mut on_delete_changes = false;
    loop {
        if cursor.words(&["ON", "DELETE"]) {
            on_delete_changes = cursor.peek_any(&["CASCADE", "SET"]);
            action(cursor);
        } else if cursor.words(&["ON", "UPDATE"]) {
            action(cursor);
        } else if cursor.word("MATCH") || cursor.word("INITIALLY") {
            cursor.skip();
        } else if cursor.word("DEFERRABLE") || cursor.words(&["NOT", "DEFERRABLE"]) || cursor.words(&["NOT", "ENFORCED"]) {
        } else {
            return Some(Reference { name: None, table, columns, on_delete_changes });
        }
    }
}

fn action(cursor: &mut Cursor<'_>) {
    if cursor.word("NO") {
        cursor.word("ACTION");
    } else if cursor.word("SET") {
        cursor.any(&["NULL", "DEFAULT"]);
        cursor.parenthesis();
    } else {
        cursor.any(&["CASCADE", "RESTRICT"]);
    }
}

/// Parses a table constraint; `None` if there is none at the cursor.
pub fn constraint(cursor: &mut Cursor<'_>) -> Option<Constraint> {
    let (start, before) = (cursor.offset(), cursor.position());
    let mut name = None;
    if cursor.word("CONSTRAINT") {
        cursor.if_not_exists();
        // In MySQL, the name is optional.
        if !cursor.peek_any(&["PRIMARY", "UNIQUE", "FOREIGN", "CHECK"]) {
            name = cursor.part();
        }
    }
    let Some(kind) = kind(cursor, &mut name) else {
        cursor.rewind(before);
        return None;
    };
    let mut not_valid = false;
    while !cursor.is_at_end() && !cursor.peek_symbol(b',') && !cursor.peek_symbol(b')') {
        if cursor.words(&["NOT", "VALID"]) || cursor.words(&["NOT", "ENFORCED"]) {
            not_valid = true;
        } else if cursor.parenthesis().is_none() {
            cursor.skip();
        }
    }
    Some(Constraint { name, kind, not_valid, range: cursor.since(start) })
}

fn kind(cursor: &mut Cursor<'_>, name: &mut Option<String>) -> Option<ConstraintKind> {
    if cursor.word("CHECK") {
        let condition = cursor.parenthesis()?;
        return Some(ConstraintKind::Check(condition::check(cursor, name.clone(), condition)));
    }
    if cursor.words(&["PRIMARY", "KEY"]) {
        let (columns, using_index) = key(cursor, name);
        return Some(ConstraintKind::Primary { columns, using_index });
    }
    if cursor.word("UNIQUE") {
        cursor.any(&["KEY", "INDEX"]);
        cursor.words(&["NULLS", "NOT", "DISTINCT"]);
        let (columns, using_index) = key(cursor, name);
        return Some(ConstraintKind::Unique { columns, using_index });
    }
    if cursor.words(&["FOREIGN", "KEY"]) {
        cursor.if_not_exists();
        if !cursor.peek_symbol(b'(') {
            let index_name = cursor.part();
            *name = name.take().or(index_name);
        }
        let columns = cursor.columns()?.0;
        if !cursor.word("REFERENCES") {
            return None;
        }
        return Some(ConstraintKind::Foreign { columns, references: reference(cursor)? });
    }
    if cursor.word("EXCLUDE") {
        return Some(ConstraintKind::Exclude);
    }
    if cursor.words(&["NOT", "NULL"]) {
        return Some(ConstraintKind::NotNull { column: cursor.part()? });
    }
    None
}

fn key(cursor: &mut Cursor<'_>, name: &mut Option<String>) -> (Vec<String>, Option<String>) {
    if cursor.words(&["USING", "INDEX"]) {
        return (Vec::new(), cursor.part());
    }
    // MySQL: `UNIQUE KEY name USING BTREE (a)`.
    if !cursor.peek_symbol(b'(') && !cursor.peek("USING") {
        cursor.if_not_exists();
        // The name of the index takes precedence over that of `CONSTRAINT name`.
        *name = cursor.part().or(name.take());
    }
    if cursor.word("USING") {
        cursor.skip();
    }
    (cursor.columns().map(|(columns, _)| columns).unwrap_or_default(), None)
}

/// Parses an index in a table definition (MySQL); `None` if there is none at the cursor.
pub fn index(cursor: &mut Cursor<'_>, table: &crate::name::Name) -> Option<CreateIndex> {
    if cursor.dialect != Dialect::MySql {
        return None;
    }
    let (start, before) = (cursor.offset(), cursor.position());
    let unique = cursor.word("UNIQUE");
    let fulltext = cursor.peek("FULLTEXT");
    // Unlike the other two, `VECTOR` may be the name of a column.
    let is_vector = cursor.peek("VECTOR") && (cursor.peek_at(1, "INDEX") || cursor.peek_at(1, "KEY")) && cursor.word("VECTOR");
    let special = is_vector || cursor.any(&["FULLTEXT", "SPATIAL"]);
    if !cursor.any(&["INDEX", "KEY"]) && !special {
        cursor.rewind(before);
        return None;
    }
    let if_not_exists = cursor.if_not_exists();
    let unnamed = cursor.peek_symbol(b'(') || cursor.peek("USING");
    let name = if unnamed { None } else { cursor.part() };
    let mut index = CreateIndex {
        name: name.map(|name| table.beside(name)),
        table: table.clone(),
        unique,
        special,
        fulltext,
        concurrently: false,
        if_not_exists,
        or_replace: false,
        only: false,
        columns: Vec::new(),
        expressions: false,
        partial: false,
        mentions: Vec::new(),
        says_how: false,
        algorithm: None,
        lock: None,
        range: start..start,
    };
    index_columns(cursor, &mut index, condition::words_of_clause)?;
    index.range = cursor.since(start);
    Some(index)
}

/// Parses `USING method (columns)`. `words` are those of the definition.
pub fn index_columns(cursor: &mut Cursor<'_>, index: &mut CreateIndex, words: fn(&Cursor<'_>) -> Vec<String>) -> Option<()> {
    if cursor.word("USING") {
        cursor.skip();
    }
    index.mentions = words(cursor);
    let (columns, expressions) = cursor.columns()?;
    (index.columns, index.expressions) = (columns, expressions);
    if cursor.word("USING") {
        cursor.skip();
    }
    Some(())
}
