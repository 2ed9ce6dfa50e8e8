//! PostgreSQL: a new value of an enum type cannot be used in the transaction that adds it. Finds the statements that use one.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::token::{Kind, Token, Tokens};
use crate::transaction_class::Words;
use std::collections::BTreeMap;

/// A new enum value that is used before it is committed.
pub static ENUM_VALUE_IN_USE: Code = Code::new(
    "enum-value-in-use",
    "PostgreSQL accepts `ALTER TYPE ... ADD VALUE` in a transaction, but rejects every use of the new value until that \
     transaction is committed (error 55P04, \"unsafe use of new value\"). A file that adds and uses a value between `BEGIN` \
     and `COMMIT` would therefore fail. Without `BEGIN` and `COMMIT`, a file that adds and uses a value runs statement by statement, each in its own transaction.",
);

/// How a statement uses a new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It contains the value.
    Value,
    /// It converts to the type, or reads all its values: which value, the data decide.
    Type,
}

/// A statement that adds a value, and the first later one that uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnumValueUse {
    pub adds: usize,
    pub uses: usize,
    pub how: Use,
}

/// `ALTER TYPE type ADD VALUE 'value'`: the name of the type without quotes, and the value.
struct AddedValue {
    type_name: String,
    value: String,
}

/// The first new value that a later statement uses; one that is certainly used before one that may be.
pub fn first_use(text: &str, statements: &[Statement]) -> Option<EnumValueUse> {
    let added: Vec<Option<AddedValue>> = statements.iter().map(|statement| added_value(statement.sql(text))).collect();
    // The first statement that adds a value, or a value of a type.
    let (mut values, mut types) = (BTreeMap::new(), BTreeMap::new());
    for (adds, value) in added.iter().enumerate().filter_map(|(adds, value)| Some((adds, value.as_ref()?))) {
        values.entry(value.value.as_str()).or_insert(adds);
        types.entry(value.type_name.as_str()).or_insert(adds);
    }
    let first = *values.values().min()?;
    let users = || statements.iter().enumerate().skip(first + 1).filter(|(at, _)| added[*at].is_none());
    let earliest = |how: Use, find: &dyn Fn(&Statement) -> Option<usize>| {
        let uses = users().filter_map(|(uses, statement)| Some((find(statement).filter(|adds| *adds < uses)?, uses)));
        uses.min().map(|(adds, uses)| EnumValueUse { adds, uses, how })
    };
    earliest(Use::Value, &|statement| used_value(text, statement, &values))
        .or_else(|| earliest(Use::Type, &|statement| used_type(statement.sql(text), &types)))
}

fn added_value(sql: &str) -> Option<AddedValue> {
    // Most statements are another one, and this runs unoptimised in every build.
    let words = sql.get(..5).filter(|first| first.eq_ignore_ascii_case("ALTER")).map(|_| Words::first(sql, Dialect::Postgres))?;
    if !words.start(&["ALTER", "TYPE"]) {
        return None;
    }
    let add = words.tokens.windows(2).position(|pair| pair[0].is_word(sql, "ADD") && pair[1].is_word(sql, "VALUE"))?;
    let value = words.tokens[add..].iter().find(|token| is_literal(**token))?;
    let type_name = words.tokens.get(add.checked_sub(1)?)?;
    Some(AddedValue { type_name: unquoted_name(type_name.text(sql)), value: decoded(value.text(sql)) })
}

fn is_literal(token: Token) -> bool {
    matches!(token.kind, Kind::Text | Kind::DollarText)
}

/// What adds the first of these values that a statement contains as a literal, in the body of a routine or block, or in the rows
/// of `COPY`.
fn used_value(text: &str, statement: &Statement, values: &BTreeMap<&str, usize>) -> Option<usize> {
    let rows = statement.copy_data.clone().map_or("", |data| &text[data]);
    let in_rows = values.iter().filter(|(value, _)| !rows.is_empty() && rows.contains(**value)).map(|(_, adds)| *adds).min();
    in_rows.into_iter().chain(contained_value(statement.sql(text), values, 0)).min()
}

fn contained_value(sql: &str, values: &BTreeMap<&str, usize>, depth: u32) -> Option<usize> {
    let literals = Tokens::new(sql, Dialect::Postgres).filter(|token| is_literal(*token));
    let adds = literals.filter_map(|token| {
        let content = decoded(token.text(sql));
        // A body is a literal that contains literals.
        let is_body = depth < 3 && content.contains(['\'', '$']);
        let inner = is_body.then(|| contained_value(&content, values, depth + 1)).flatten();
        values.get(content.as_str()).copied().into_iter().chain(inner).min()
    });
    adds.min()
}

/// What adds the first value of one of these types that a statement names, also in the body of a block, if it reads or writes
/// rows.
fn used_type(sql: &str, types: &BTreeMap<&str, usize>) -> Option<usize> {
    let words = Words::first(sql, Dialect::Postgres);
    let runs =
        words.is(0, &["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "VALUES", "DO", "CALL", "REFRESH", "EXECUTE"]);
    // Conversions of the rows: `ALTER COLUMN c TYPE t USING c::text::t`, `CREATE TABLE ... AS SELECT`.
    let converts = words.is(0, &["ALTER"]) && words.has("USING") || words.is(0, &["CREATE"]) && words.has("SELECT");
    (runs || converts).then(|| named_type(sql, types, 0)).flatten()
}

fn named_type(sql: &str, types: &BTreeMap<&str, usize>, depth: u32) -> Option<usize> {
    let adds = Tokens::new(sql, Dialect::Postgres).filter_map(|token| match token.kind {
        Kind::Word | Kind::QuotedName => types.get(unquoted_name(token.text(sql)).as_str()).copied(),
        Kind::Text | Kind::DollarText if depth < 3 => named_type(&decoded(token.text(sql)), types, depth + 1),
        _ => None,
    });
    adds.min()
}

fn unquoted_name(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => name.to_lowercase(),
    }
}

/// The value of a literal: `'it''s'`, `E'it\'s'` and `$q$it's$q$` are one value.
fn decoded(literal: &str) -> String {
    if let Some(tag) = literal.strip_prefix('$') {
        let fence = tag.find('$').map_or(literal.len(), |at| at + 2);
        return literal.get(fence..literal.len().saturating_sub(fence)).unwrap_or_default().to_owned();
    }
    let Some(open) = literal.find('\'') else { return literal.to_owned() };
    let inner = literal[open + 1..].strip_suffix('\'').unwrap_or(&literal[open + 1..]);
    if !literal.starts_with(['e', 'E']) {
        return inner.replace("''", "'");
    }
    let mut value = String::new();
    let mut rest = inner.chars();
    while let Some(character) = rest.next() {
        match character {
            '\\' => value.extend(rest.next()),
            '\'' => {
                rest.next();
                value.push('\'');
            }
            character => value.push(character),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::split;

    fn first(text: &str) -> Option<(usize, usize, Use)> {
        let (statements, findings) = split(text, Dialect::Postgres, "f.sql");
        assert_eq!(findings, [], "{text}");
        first_use(text, &statements).map(|found| (found.adds, found.uses, found.how))
    }

    #[test]
    fn a_value_is_one_value_in_every_spelling() {
        for (add, uses) in [
            ("'new'", "INSERT INTO t VALUES ($q$new$q$)"),
            ("'it''s'", "INSERT INTO t VALUES (E'it\\'s')"),
            ("E'it\\'s'", "INSERT INTO t VALUES ('it''s')"),
            ("'new'", "DO $$ BEGIN INSERT INTO t VALUES ('new'); END $$"),
            ("'new'", "DO $$ BEGIN EXECUTE 'INSERT INTO t VALUES (''new'')'; END $$"),
            ("'new'", "COPY t (m) FROM stdin;\nnew\n\\.\n"),
            ("'new'", "CREATE TABLE u (m mood CHECK (m <> 'new'))"),
        ] {
            assert_eq!(first(&format!("ALTER TYPE mood ADD VALUE {add}; {uses};")), Some((0, 1, Use::Value)), "{uses}");
        }
    }

    #[test]
    fn the_type_may_mean_any_value() {
        for uses in [
            "SELECT enum_range(NULL::mood)",
            "INSERT INTO t SELECT x::text::public.mood FROM u",
            "UPDATE t SET m = x::\"mood\" FROM u",
            "DO $$ BEGIN UPDATE t SET m = x::MOOD; END $$",
            "ALTER TABLE t ALTER m TYPE mood USING m::text::mood",
            "CREATE TABLE u AS SELECT x::mood FROM u",
        ] {
            assert_eq!(
                first(&format!("ALTER TYPE app.mood ADD VALUE IF NOT EXISTS 'x' AFTER 'y'; {uses};")),
                Some((0, 1, Use::Type)),
                "{uses}"
            );
        }
    }

    #[test]
    fn other_statements_do_not_use_it() {
        for other in [
            "CREATE TABLE u (m mood DEFAULT 'old')",
            "ALTER TYPE mood RENAME VALUE 'old' TO 'older'",
            "ALTER TYPE mood ADD VALUE 'newest' AFTER 'new'",
            "INSERT INTO t VALUES ('newer')",
            "GRANT USAGE ON TYPE mood TO public",
        ] {
            assert_eq!(first(&format!("ALTER TYPE mood ADD VALUE 'new'; {other};")), None, "{other}");
        }
        assert_eq!(first("INSERT INTO t VALUES ('new'); ALTER TYPE mood ADD VALUE 'new';"), None);
    }
}
