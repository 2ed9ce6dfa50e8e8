//! The rule `mysql-row-count`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::dialect::Dialect;
use migrate_model::finding::Level;
use migrate_model::token::{Kind, Token, Tokens};

/// Flags `ROW_COUNT()`, which depends on how the client has connected.
pub static RULE: Rule = Rule {
    code: Code::new(
        "mysql-row-count",
        "After an `UPDATE` or an `INSERT ... ON DUPLICATE KEY UPDATE`, `ROW_COUNT()` returns the number of rows that were \
         changed. If the client has connected with the option CLIENT_FOUND_ROWS, it returns the number of rows that were \
         found, even if their values stay the same. The driver of a run (sqlx) always sets this option; the `mysql` and \
         `mariadb` clients do not. A script that decides by `ROW_COUNT()` can therefore have another effect in a run than in \
         such a client. The same applies to routines and triggers that it executes.",
    ),
    level: Level::Warning,
    on: &[Product::MySql, Product::MariaDb],
    fix: "query what the decision depends on, such as `SELECT COUNT(*)`; or, in the `UPDATE`, exclude the rows that already have \
          the new value",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        mysql(&[
            "CREATE TABLE t (id int, v int); CREATE TABLE l (n int);",
            "UPDATE t SET v = 1; INSERT INTO l SELECT ROW_COUNT();",
        ]),
        mysql(&["CREATE TABLE t (id int, v int);", "UPDATE t SET v = 1; SELECT row_count() INTO @n;"]),
        mysql(&[
            "CREATE TABLE t (id int, v int);",
            "DELIMITER //\nCREATE PROCEDURE p() BEGIN UPDATE t SET v = 1; IF ROW_COUNT() = 0 THEN INSERT INTO t VALUES (1, 1); END IF; END //\nDELIMITER ;\nCALL p();",
        ]),
    ],
    not_flagged: &[
        mysql(&["CREATE TABLE t (id int, row_count int);", "UPDATE t SET row_count = 1;"]),
        mysql(&["CREATE TABLE t (id int, v int);", "DELETE FROM t WHERE v = 1; INSERT INTO t SELECT 1, COUNT(*) FROM t;"]),
        mysql(&["CREATE TABLE t (id int, v text);", "UPDATE t SET v = 'ROW_COUNT()';"]),
    ],
    verification: Verification::Seen("row_count_counts_the_rows_found"),
};

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    // The text of a block is part of its statement.
    if context.parsed.in_block || !context.sql.to_ascii_lowercase().contains("row_count") {
        return;
    }
    let tokens: Vec<Token> = Tokens::new(context.sql, Dialect::MySql).filter(|token| !token.is_blank()).collect();
    let is_call = |pair: &&[Token]| {
        pair[0].kind == Kind::Word && pair[0].is_word(context.sql, "ROW_COUNT") && pair[1].is_symbol(context.sql, b'(')
    };
    if let Some(call) = tokens.windows(2).find(is_call) {
        let message = "`ROW_COUNT()` counts the rows that an `UPDATE` finds, also those that it does not change";
        findings.add(RuleFinding::new(message).at(&(call[0].start..call[0].end)));
    }
}
