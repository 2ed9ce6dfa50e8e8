//! Statements that make the transactions of a session read-only, so that the record of the migration cannot be written.
//!
//! Sources: PostgreSQL 15 manual, `SET TRANSACTION`; MySQL 8.4 manual, 13.3.7; SQLite, "PRAGMA query_only".

use crate::assignment::{self, Scope};
use crate::code::Code;
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::finding_list::FindingList;
use crate::place::SourceText;
use crate::statement::Statement;
use crate::token::{Quoting, Token, Tokens, executed_tokens};

/// A statement that makes transactions read-only.
pub static READ_ONLY_SESSION: Code = Code::new(
    "read-only-session",
    "A statement makes the transactions of its session read-only. A run records the migration in the history in the same session, so it could not write the record. Remove the statement: statements that only read do not need a read-only transaction. The code also reports a \
     connection with `default_transaction_read_only = on` that the application passes to a run: pass another \
     connection, a pool or a URL.",
);

/// The statements that make transactions read-only.
pub fn problems(source: &SourceText<'_>, statements: &[Statement], dialect: Dialect) -> FindingList {
    // Every such statement contains this word, and nearly no file does.
    if !source.text().to_ascii_lowercase().contains("only") {
        return FindingList::default();
    }
    let problem = |statement: &Statement| {
        Finding::error(
            &READ_ONLY_SESSION,
            "this statement makes transactions read-only, so the migration could not be recorded in the history",
        )
        .at(source.place(statement.range.clone()))
        .help("remove `READ ONLY`, or remove the statement")
    };
    statements.iter().filter(|statement| makes_read_only(statement.sql(source.text()), dialect)).map(problem).collect()
}

/// Does a statement make the current transaction, or those after it, read-only?
fn makes_read_only(sql: &str, dialect: Dialect) -> bool {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).take(24).collect();
    let tokens = if dialect == Dialect::MySql { executed_tokens(sql, &tokens, Quoting::of(dialect)) } else { tokens };
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)));
    let begins = is(0, &["BEGIN"]) && dialect == Dialect::Postgres || is(0, &["START"]);
    let sets = is(0, &["SET"]) && tokens.iter().take(5).any(|token| token.is_word(sql, "TRANSACTION"));
    let read_only =
        || tokens.windows(2).any(|pair| pair[0].is_word(sql, "READ") && pair[1].is_word(sql, "ONLY")) && !is(1, &["GLOBAL"]);
    if begins || sets {
        return read_only();
    }
    match dialect {
        Dialect::Postgres => postgres_setting(sql, &tokens),
        Dialect::MySql => is(0, &["SET"]) && mysql_setting(sql, &tokens),
        Dialect::Sqlite => {
            let name = tokens.iter().position(|token| token.is_word(sql, "query_only"));
            name.filter(|_| is(0, &["PRAGMA"])).and_then(|name| tokens.get(name + 2)).is_some_and(|value| is_on(sql, *value))
        }
    }
}

/// `SET default_transaction_read_only = on`, also as a call of `set_config`.
fn postgres_setting(sql: &str, tokens: &[Token]) -> bool {
    let names = ["default_transaction_read_only", "transaction_read_only"];
    let is_name = |token: &Token| {
        let text = token.text(sql).trim_matches(['\'', '"']);
        names.iter().any(|name| text.eq_ignore_ascii_case(name))
    };
    let sets = |at: usize| tokens.first().is_some_and(|first| first.is_word(sql, "SET")) && at <= 2;
    let calls = |at: usize| at >= 2 && tokens[at - 2].is_word(sql, "set_config");
    let Some(at) = tokens.iter().position(is_name) else { return false };
    (sets(at) || calls(at)) && tokens.get(at + 2).is_some_and(|value| is_on(sql, *value))
}

fn mysql_setting(sql: &str, tokens: &[Token]) -> bool {
    assignment::read(sql, tokens).iter().any(|assignment| {
        let named = ["transaction_read_only", "tx_read_only"].contains(&assignment.name.as_str());
        named && assignment.scope == Scope::Session && matches!(assignment.value, [value] if is_on(sql, *value))
    })
}

fn is_on(sql: &str, value: Token) -> bool {
    let text = value.text(sql).trim_matches(['\'', '"']);
    ["on", "1", "true", "yes", "t", "y"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn read_only_sessions_are_errors() {
        use Dialect::{MySql, Postgres, Sqlite};
        for (dialect, text, is_problem) in [
            (Postgres, "BEGIN READ ONLY; SELECT 1; COMMIT;", true),
            (Postgres, "START TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY; SELECT 1; COMMIT;", true),
            (Postgres, "BEGIN READ WRITE; SELECT 1; COMMIT;", false),
            (Postgres, "SET TRANSACTION READ ONLY;", true),
            (Postgres, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;", true),
            (Postgres, "SET default_transaction_read_only = on;", true),
            (Postgres, "SET default_transaction_read_only = off;", false),
            (Postgres, "SET LOCAL transaction_read_only TO 'yes';", true),
            (Postgres, "SELECT set_config('default_transaction_read_only', 'on', false);", true),
            (Postgres, "SELECT current_setting('transaction_read_only'), 'on';", false),
            (MySql, "START TRANSACTION READ ONLY; SELECT 1; COMMIT;", true),
            (MySql, "SET SESSION TRANSACTION READ ONLY;", true),
            (MySql, "SET GLOBAL TRANSACTION READ ONLY;", false),
            (MySql, "SET @@session.tx_read_only = 1;", true),
            (MySql, "SET transaction_read_only = OFF;", false),
            (Sqlite, "PRAGMA query_only = ON;", true),
            (Sqlite, "PRAGMA main.query_only(1);", true),
            (Sqlite, "PRAGMA query_only = 0;", false),
        ] {
            let (_, findings) = Script::read(text.to_owned(), "f.sql", dialect);
            assert_eq!(findings.iter().any(|finding| finding.code == &READ_ONLY_SESSION), is_problem, "{text}");
        }
    }
}
