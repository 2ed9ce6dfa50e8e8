//! `SET STATEMENT x = y FOR ...` of MariaDB: the statement after `FOR` is what runs, and the settings end with it.

use crate::dialect::Dialect;
use crate::token::{Token, Tokens};

/// The statement that a statement of MariaDB executes: what follows `SET STATEMENT ... FOR`, or all of it.
pub fn executed(sql: &str, dialect: Dialect) -> &str {
    let mut first = Tokens::new(sql, dialect).filter(|token| !token.is_blank());
    let is_set = dialect == Dialect::MySql && first.next().is_some_and(|token| token.is_word(sql, "SET"));
    if !is_set || !first.next().is_some_and(|token| token.is_word(sql, "STATEMENT")) {
        return sql;
    }
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).collect();
    let start = executed_tokens(sql, &tokens).first().map_or(sql.len(), |token| token.start);
    &sql[start..]
}

/// The same for the tokens of a statement, without blanks.
pub fn executed_tokens<'t>(sql: &str, mut tokens: &'t [Token]) -> &'t [Token] {
    let is = |tokens: &[Token], at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(sql, word));
    while is(tokens, 0, "SET") && is(tokens, 1, "STATEMENT") {
        match after_for(sql, tokens) {
            Some(rest) => tokens = rest,
            // Without a `FOR`, it is a syntax error.
            None => break,
        }
    }
    tokens
}

/// What follows the `FOR` that is not a word of an expression such as `SUBSTRING(a FROM 1 FOR 2)`.
fn after_for<'t>(sql: &str, tokens: &'t [Token]) -> Option<&'t [Token]> {
    let mut depth = 0_u32;
    for (at, token) in tokens.iter().enumerate() {
        if token.is_symbol(sql, b'(') {
            depth += 1;
        } else if token.is_symbol(sql, b')') {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && token.is_word(sql, "FOR") {
            return Some(&tokens[at + 1..]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_statement_after_for() {
        for (sql, expected) in [
            ("SET STATEMENT max_statement_time = 1 FOR INSERT INTO t VALUES (1)", "INSERT INTO t VALUES (1)"),
            ("set /* x */ statement a = SUBSTRING('x' FROM 1 FOR 1), b = 2 FOR CALL p()", "CALL p()"),
            ("SET STATEMENT a = 1 FOR SET STATEMENT b = 2 FOR SELECT 1", "SELECT 1"),
            ("SET a = 1", "SET a = 1"),
            ("SET STATEMENT a = 1", "SET STATEMENT a = 1"),
            ("SET STATEMENT", "SET STATEMENT"),
            ("SET STATEMENT a = (1 FOR SELECT 1", "SET STATEMENT a = (1 FOR SELECT 1"),
            ("SET STATEMENT a = 1 FOR SET STATEMENT b = 2", "SET STATEMENT b = 2"),
            ("SET STATEMENT a = 1 FOR", ""),
            ("SELECT 1 FOR UPDATE", "SELECT 1 FOR UPDATE"),
        ] {
            assert_eq!(executed(sql, Dialect::MySql), expected, "{sql}");
        }
        let deep = format!("{}SELECT 1", "SET STATEMENT a = 1 FOR ".repeat(50_000));
        assert_eq!(executed(&deep, Dialect::MySql), "SELECT 1");
        assert_eq!(executed("SET STATEMENT a = 1 FOR SELECT 1", Dialect::Sqlite), "SET STATEMENT a = 1 FOR SELECT 1");
    }
}
