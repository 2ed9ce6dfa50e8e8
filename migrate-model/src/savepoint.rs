//! Savepoints: which statements a later `ROLLBACK TO` undoes, and which transactions a `SAVEPOINT` of SQLite begins.
//!
//! Sources: PostgreSQL 15 manual, `SAVEPOINT`, and `SET` ("the effects of a `SET` command are rolled back"); SQLite,
//! "SAVEPOINT".

use crate::dialect::Dialect;
use crate::statement::Statement;
use crate::token::{Kind, Token, Tokens};
use std::ops::Range;

/// A statement about a savepoint, with the name in the form in which the database compares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SavepointCommand {
    /// `SAVEPOINT name`.
    Set(String),
    /// `RELEASE name`.
    Release(String),
    /// `ROLLBACK TO name`.
    RollBackTo(String),
}

impl SavepointCommand {
    /// Reads the tokens of a statement that are not blank; `None` if it is about something else.
    pub fn read(sql: &str, tokens: &[Token], dialect: Dialect) -> Option<Self> {
        let is =
            |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)));
        let name = |at: usize| tokens.get(at).and_then(|token| name(sql, *token, dialect));
        if is(0, &["SAVEPOINT"]) {
            return name(1).map(SavepointCommand::Set);
        }
        if is(0, &["RELEASE"]) {
            return name(1 + usize::from(is(1, &["SAVEPOINT"]) && tokens.len() > 2)).map(SavepointCommand::Release);
        }
        if !is(0, &["ROLLBACK", "ABORT"]) {
            return None;
        }
        let to = 1 + usize::from(is(1, &["WORK", "TRANSACTION"]));
        let at = to + 1 + usize::from(is(to + 1, &["SAVEPOINT"]) && tokens.len() > to + 2);
        is(to, &["TO"]).then(|| name(at))?.map(SavepointCommand::RollBackTo)
    }

    /// Reads a statement.
    pub fn of_statement(sql: &str, dialect: Dialect) -> Option<Self> {
        let first = Tokens::new(sql, dialect).find(|token| !token.is_blank())?;
        let begins = ["SAVEPOINT", "RELEASE", "ROLLBACK", "ABORT"].iter().any(|word| first.is_word(sql, word));
        let tokens = || Tokens::new(sql, dialect).filter(|token| !token.is_blank()).take(8).collect::<Vec<_>>();
        if begins { SavepointCommand::read(sql, &tokens(), dialect) } else { None }
    }
}

/// A name in the form in which the database compares it.
fn name(sql: &str, token: Token, dialect: Dialect) -> Option<String> {
    let text = token.text(sql);
    let quoted = matches!(token.kind, Kind::QuotedName | Kind::Text);
    match token.kind {
        Kind::Word | Kind::Number if !quoted => Some(text.to_lowercase()),
        Kind::QuotedName | Kind::Text => {
            let inner = text.trim_matches(['"', '`', '[', ']', '\'']);
            Some(if dialect == Dialect::Postgres { inner.to_owned() } else { inner.to_lowercase() })
        }
        _ => None,
    }
}

/// The statements that a later `ROLLBACK TO` undoes.
pub fn rolled_back(text: &str, statements: &[Statement], dialect: Dialect) -> Vec<Range<usize>> {
    let mut open: Vec<(String, usize)> = Vec::new();
    let mut ranges = Vec::new();
    for (at, statement) in statements.iter().enumerate() {
        match SavepointCommand::of_statement(statement.sql(text), dialect) {
            Some(SavepointCommand::Set(name)) => open.push((name, at)),
            Some(SavepointCommand::Release(name)) => {
                let position = open.iter().rposition(|(other, _)| *other == name).unwrap_or(open.len());
                open.truncate(position);
            }
            Some(SavepointCommand::RollBackTo(name)) => {
                if let Some(position) = open.iter().rposition(|(other, _)| *other == name) {
                    ranges.push(open[position].1..at);
                    open.truncate(position + 1);
                }
            }
            None => {}
        }
    }
    ranges
}

/// The transaction that a `SAVEPOINT` of SQLite begins outside a transaction: up to and including its `RELEASE`. `Err` with the
/// index of the `SAVEPOINT` if nothing releases it.
pub fn transaction_of(text: &str, statements: &[Statement], at: usize) -> Option<Result<Range<usize>, usize>> {
    let read = |at: usize| SavepointCommand::of_statement(statements[at].sql(text), Dialect::Sqlite);
    let Some(SavepointCommand::Set(first)) = read(at) else { return None };
    let mut open = vec![first];
    for next in at + 1..statements.len() {
        match read(next) {
            Some(SavepointCommand::Set(name)) => open.push(name),
            Some(SavepointCommand::Release(name)) => {
                let position = open.iter().rposition(|other| *other == name).unwrap_or(open.len());
                open.truncate(position);
            }
            _ => {}
        }
        if open.is_empty() {
            return Some(Ok(at..next + 1));
        }
    }
    Some(Err(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        use SavepointCommand::{Release, RollBackTo, Set};
        let (postgres, mysql, sqlite) = (Dialect::Postgres, Dialect::MySql, Dialect::Sqlite);
        for (dialect, sql, expected) in [
            (postgres, "SAVEPOINT A", Some(Set("a".into()))),
            (postgres, "savepoint \"A\"", Some(Set("A".into()))),
            (mysql, "SAVEPOINT `A`", Some(Set("a".into()))),
            (sqlite, "SAVEPOINT 'A'", Some(Set("a".into()))),
            (postgres, "RELEASE SAVEPOINT a", Some(Release("a".into()))),
            (sqlite, "RELEASE savepoint", Some(Release("savepoint".into()))),
            (postgres, "ROLLBACK TO a", Some(RollBackTo("a".into()))),
            (postgres, "ROLLBACK WORK TO SAVEPOINT a", Some(RollBackTo("a".into()))),
            (sqlite, "ROLLBACK TRANSACTION TO SAVEPOINT a", Some(RollBackTo("a".into()))),
            (postgres, "ROLLBACK", None),
            (postgres, "ROLLBACK AND CHAIN", None),
            (postgres, "SELECT 1", None),
        ] {
            assert_eq!(SavepointCommand::of_statement(sql, dialect), expected, "{sql}");
        }
    }

    #[test]
    fn what_is_undone() {
        for (text, expected) in [
            ("SAVEPOINT a; SELECT 1; ROLLBACK TO a; SELECT 2", "0..2"),
            ("SAVEPOINT a; SAVEPOINT b; RELEASE b; SELECT 1; ROLLBACK TO a", "0..4"),
            ("SAVEPOINT a; RELEASE a; ROLLBACK TO a", ""),
            ("SAVEPOINT a; SELECT 1; ROLLBACK TO a; SELECT 2; ROLLBACK TO a", "0..2 0..4"),
        ] {
            let statements = crate::statement::split(text, Dialect::Postgres, "f.sql").0;
            let ranges: Vec<String> =
                rolled_back(text, &statements, Dialect::Postgres).iter().map(|range| format!("{range:?}")).collect();
            assert_eq!(ranges.join(" "), expected, "{text}");
        }
    }
}
