//! Whether an expression gives each row a value of its own, so that a table must be rewritten for it.
//!
//! Source: PostgreSQL 15 manual 38.7, and the functions of its `pg_proc` that are not volatile.

use migrate_model::dialect::Dialect;
use migrate_model::name::Name;
use migrate_model::token::{Kind, Token, Tokens};
use std::ops::Range;

/// Built-in functions of PostgreSQL 15 of which no form is volatile, sorted.
const STABLE_FUNCTIONS: &str = include_str!("stable_functions.txt");

/// The first function in an expression that is volatile, or that nobody knows, and then counts as such: what one makes
/// oneself is volatile unless it says otherwise (`own`).
pub fn volatile_function(sql: &str, expression: Range<usize>, own: impl Fn(&Name) -> bool) -> Option<String> {
    let text = sql.get(expression)?;
    let tokens: Vec<Token> = Tokens::new(text, Dialect::Postgres).filter(|token| !token.is_blank()).collect();
    let calls = tokens.windows(2).filter(|pair| pair[1].is_symbol(text, b'('));
    let names = calls.filter(|pair| matches!(pair[0].kind, Kind::Word | Kind::QuotedName)).map(|pair| pair[0]);
    // A type with its length is no call: `'x'::varchar(5)`, `numeric(5, 2)`.
    let is_type = |name: &Token| {
        let before = tokens.iter().rposition(|token| token.end <= name.start && !token.is_blank());
        before.is_some_and(|at| tokens[at].is_symbol(text, b':') || tokens[at].is_word(text, "AS"))
    };
    let plain = |token: &Token| match token.kind {
        Kind::QuotedName => token.text(text).trim_matches('"').to_owned(),
        _ => token.text(text).to_ascii_lowercase(),
    };
    let with_schema = |name: Token| {
        let at = tokens.iter().position(|token| token.start == name.start).unwrap_or_default();
        let dotted = at >= 2 && tokens[at - 1].is_symbol(text, b'.');
        Name { schema: dotted.then(|| plain(&tokens[at - 2])), name: plain(&name) }
    };
    let known = |name: &Name| name.schema.as_deref().is_none_or(|schema| schema == "pg_catalog") && is_stable(&name.name);
    names.filter(|name| !is_type(name)).map(with_schema).find(|name| !known(name) && !own(name)).map(|name| name.name)
}

fn is_stable(name: &str) -> bool {
    const SYNTAX: [&str; 25] = [
        // Of the extension `uuid-ossp`.
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
    SYNTAX.contains(&name) || STABLE_FUNCTIONS.lines().any(|steady| steady == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_volatile() {
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
        ] {
            assert_eq!(
                volatile_function(expression, 0..expression.len(), |name| name.name == "mine").as_deref(),
                function,
                "{expression}"
            );
        }
    }
}
