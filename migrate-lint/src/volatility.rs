//! Volatile functions in an expression: a default that calls one has another value in each row, so that adding the column
//! rewrites the table.
//!
//! Source: PostgreSQL 15 manual, 38.7, and the functions in its `pg_proc` that are not volatile.

use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::token::{Kind, Token, Tokens};
use std::ops::Range;

/// Built-in functions of PostgreSQL 15 without a volatile overload, sorted.
const STABLE_FUNCTIONS: &str = include_str!("stable_functions.txt");

/// The first function call in an expression that is volatile. An unknown function is assumed to be volatile, which is the
/// default of `CREATE FUNCTION`, unless `is_stable_or_type` returns true: for a stable function of the migrations, and for a type,
/// because `mood('sad')` is a cast.
pub fn volatile_function(sql: &str, expression: Range<usize>, is_stable_or_type: impl Fn(&Name) -> bool) -> Option<String> {
    let text = sql.get(expression)?;
    let tokens: Vec<Token> = Tokens::new(text, Dialect::Postgres).filter(|token| !token.is_blank()).collect();
    let calls = tokens.windows(2).filter(|pair| pair[1].is_symbol(text, b'('));
    let names = calls.filter(|pair| matches!(pair[0].kind, Kind::Word | Kind::QuotedName)).map(|pair| pair[0]);
    // A type with arguments is not a function call: `'x'::varchar(5)`.
    let is_type = |name: &Token| {
        let mut at = tokens.iter().position(|token| token.start == name.start).unwrap_or_default();
        // `::bit varying(3)` and `::pg_catalog.varchar(5)`
        at -= usize::from(at > 0 && name.is_word(text, "varying"));
        while at >= 2 && tokens[at - 1].is_symbol(text, b'.') {
            at -= 2;
        }
        let previous = at.checked_sub(1).map(|before| &tokens[before]);
        previous.is_some_and(|token| token.is_symbol(text, b':') || token.is_word(text, "AS"))
    };
    let unquoted = |token: &Token| match token.kind {
        Kind::QuotedName => token.text(text).trim_matches('"').to_owned(),
        _ => token.text(text).to_ascii_lowercase(),
    };
    let with_schema = |name: Token| {
        let index = tokens.iter().position(|token| token.start == name.start).unwrap_or_default();
        let is_qualified = index >= 2 && tokens[index - 1].is_symbol(text, b'.');
        Name { schema: is_qualified.then(|| unquoted(&tokens[index - 2])), name: unquoted(&name) }
    };
    let is_built_in = |name: &Name| name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog");
    let is_volatile = |name: &Name| !(is_built_in(name) && is_stable(&name.name) || is_stable_or_type(name));
    names.filter(|name| !is_type(name)).map(with_schema).find(is_volatile).map(|name| name.name)
}

fn is_stable(name: &str) -> bool {
    const SYNTAX: [&str; 25] = [
        // From the extension `uuid-ossp`.
        "uuid_nil",
        "array",
        "row",
        "case",
        "cast",
        "in",
        "any",
        "all",
        "values",
        "and",
        "or",
        "not",
        "exists",
        "current_timestamp",
        "current_time",
        "localtime",
        "localtimestamp",
        "trim",
        "overlay",
        "position",
        "substring",
        "normalize",
        "extract",
        "both",
        "collation",
    ];
    SYNTAX.contains(&name) || STABLE_FUNCTIONS.lines().any(|stable| stable == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volatile_functions() {
        for (expression, function) in [
            ("-1", None),
            ("now()", None),
            ("CURRENT_TIMESTAMP(3)", None),
            ("trim(both ' ' from ' x ')", None),
            ("pg_current_xact_id()", None),
            ("mine()", None),
            ("current_date", None),
            ("upper('x')", None),
            ("concat('a', 'b')", None),
            ("'{}'::varchar(20)", None),
            ("(1 + 2)", None),
            ("ARRAY[]::text[]", None),
            ("md5('x')", None),
            ("jsonb_build_object('a', 1)", None),
            ("md5(random()::text)", Some("random")),
            ("gen_random_uuid()", Some("gen_random_uuid")),
            ("clock_timestamp()", Some("clock_timestamp")),
            ("public.uuid_generate_v4()", Some("uuid_generate_v4")),
            ("nextval('s')", Some("nextval")),
            ("'x'::bit varying(3)", None),
            ("'x'::app.label(3)", None),
            ("CASE WHEN 't'::boolean THEN random() END", Some("random")),
            ("'x'::text || clock_timestamp()::text", Some("clock_timestamp")),
        ] {
            assert_eq!(
                volatile_function(expression, 0..expression.len(), |name| name.name == "mine").as_deref(),
                function,
                "{expression}"
            );
        }
    }
}
