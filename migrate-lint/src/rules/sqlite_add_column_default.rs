//! The rule `sqlite-add-column-default`.

use crate::context::{Age, StatementContext};
use crate::rule::{Check, Rule, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;
use migrate_model::token::{Kind, Token, Tokens};

/// See its explanation.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-add-column-default",
        "SQLite adds a column to a table that has rows only with a constant default: an expression in parentheses, \
         CURRENT_TIME, CURRENT_DATE and CURRENT_TIMESTAMP are refused (by older releases for an empty table too).",
    ),
    level: Level::Error,
    on: &[Dialect::Sqlite],
    fix: "add the column without it and `UPDATE` the rows; or make the table anew",
    opt_in: false,
    down: true,
    check: Check::Statement(check),
    flagged: &[
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c text DEFAULT CURRENT_TIMESTAMP;"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int DEFAULT (random());"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int DEFAULT (1+1);"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c text DEFAULT ('x' || 'y');"]),
    ],
    not_flagged: &[
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int DEFAULT 5;"]),
        sqlite(&["CREATE TABLE t (a int, c text DEFAULT CURRENT_TIMESTAMP);"]),
        sqlite(&["CREATE TABLE t (a int); ALTER TABLE t ADD c int DEFAULT (5);"]),
        sqlite(&["CREATE TABLE t (a int);", "ALTER TABLE t ADD c int DEFAULT (-1); ALTER TABLE t ADD d int DEFAULT (true);"]),
        sqlite(&[
            "CREATE TABLE t (a int);",
            "ALTER TABLE t ADD c text DEFAULT ('x y'); ALTER TABLE t ADD d blob DEFAULT (x'00');",
        ]),
    ],
    verification: Verification::Seen("sqlite_refuses"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    for (table, action, range) in context.actions() {
        let ActionKind::AddColumn { column, .. } = action else { continue };
        let empty = context.age(&table) <= Age::File && !context.relation(&table).is_some_and(|relation| relation.has_rows);
        if empty {
            continue;
        }
        let Some(default) = column.default.clone().map(|default| context.sql[default].trim().to_ascii_uppercase()) else {
            continue;
        };
        if !is_constant(&default) {
            findings.add(RuleFinding::new(format!("SQLite adds no column whose default is {default}")).at(range));
        }
    }
}

/// A value that is written out: SQLite computes nothing for rows that are there, not even `1 + 1`.
fn is_constant(default: &str) -> bool {
    let tokens: Vec<Token> = Tokens::new(default, Dialect::Sqlite).filter(|token| !token.is_blank()).collect();
    let is = |token: &Token, symbol: u8| token.is_symbol(default, symbol);
    let inner: Vec<&Token> = tokens.iter().filter(|token| !is(token, b'(') && !is(token, b')')).collect();
    let inner = match &*inner {
        [sign, rest @ ..] if is(sign, b'-') || is(sign, b'+') => rest,
        all => all,
    };
    let moves = ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"];
    let alone = match inner {
        [only] => !moves.iter().any(|word| only.is_word(default, word)),
        // `x'00'`
        [prefix, text] => prefix.is_word(default, "X") && text.kind == Kind::Text,
        _ => false,
    };
    // A call without arguments is no value.
    alone && !tokens.windows(2).any(|pair| pair[0].kind == Kind::Word && is(&pair[1], b'('))
}
