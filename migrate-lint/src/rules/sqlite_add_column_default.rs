//! The rule `sqlite-add-column-default`.

use crate::context::{Age, StatementContext};
use crate::rule::{Rule, RuleCheck, Verification, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::syntax::ActionKind;
use migrate_model::token::{Kind, Token, Tokens};

/// Flags `ADD COLUMN` with a default that is not a constant on a SQLite table that may have rows.
pub static RULE: Rule = Rule {
    code: Code::new(
        "sqlite-add-column-default",
        "SQLite can add a column to a table with rows only if the default of the column is a constant. It rejects \
         CURRENT_TIME, CURRENT_DATE, CURRENT_TIMESTAMP and every expression other than a literal. Older versions of \
         SQLite reject these defaults even if the table is empty.",
    ),
    level: Level::Error,
    on: &[Product::Sqlite],
    fix: "add the column without the default, and set its value in the existing rows with `UPDATE`, or rebuild the table",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
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
    verification: Verification::Refused,
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
            let message = format!("SQLite rejects `ADD COLUMN` with the default {default}, which is not a constant");
            findings.add(RuleFinding::new(message).at(range));
        }
    }
}

/// Whether the default is a literal. SQLite evaluates no expression for existing rows, not even `1 + 1`.
fn is_constant(default: &str) -> bool {
    let tokens: Vec<Token> = Tokens::new(default, Dialect::Sqlite).filter(|token| !token.is_blank()).collect();
    let is_symbol = |token: &Token, symbol: u8| token.is_symbol(default, symbol);
    let inner: Vec<&Token> = tokens.iter().filter(|token| !is_symbol(token, b'(') && !is_symbol(token, b')')).collect();
    let inner = match &*inner {
        [sign, rest @ ..] if is_symbol(sign, b'-') || is_symbol(sign, b'+') => rest,
        all => all,
    };
    let time_keywords = ["CURRENT_TIMESTAMP", "CURRENT_DATE", "CURRENT_TIME"];
    let is_literal = match inner {
        [only] => !time_keywords.iter().any(|word| only.is_word(default, word)),
        // `x'00'`
        [prefix, text] => prefix.is_word(default, "X") && text.kind == Kind::Text,
        _ => false,
    };
    // `f()` has one token besides the parentheses, but is a call.
    is_literal && !tokens.windows(2).any(|pair| pair[0].kind == Kind::Word && is_symbol(&pair[1], b'('))
}
