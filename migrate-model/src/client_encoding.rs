//! Statements that tell a PostgreSQL server to read the rest of the file in another encoding than UTF-8.

use crate::code::Code;
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::finding_list::FindingList;
use crate::place::SourceText;
use crate::statement::Statement;
use crate::token::{Kind, Token, Tokens};

/// A statement that sets another client encoding.
pub static CLIENT_ENCODING: Code = Code::new(
    "client-encoding",
    "The file sets a client encoding other than UTF-8. Migration files are UTF-8, so the server would misread the text after this statement and store characters other \
     than those in the file. Remove the statement, or write `SET \
     client_encoding = 'UTF8'`. If the file is in another encoding, convert it to UTF-8.",
);

/// The statements that set a client encoding other than UTF-8.
pub fn problems(source: &SourceText<'_>, statements: &[Statement], dialect: Dialect) -> FindingList {
    let text = source.text().to_ascii_lowercase();
    // Every such statement contains one of these words, and nearly no file does.
    if dialect != Dialect::Postgres || !["names", "client_encoding"].iter().any(|word| text.contains(word)) {
        return FindingList::default();
    }
    let sets_other = |statement: &&Statement| encoding(statement.sql(source.text())).is_some_and(|name| !is_utf8(&name));
    let problem = |statement: &Statement| {
        Finding::error(&CLIENT_ENCODING, "the file is UTF-8, but this statement sets another client encoding")
            .at(source.place(statement.range.clone()))
            .help("remove the statement; the server converts UTF-8 to the encoding of the database")
    };
    statements.iter().filter(sets_other).map(problem).collect()
}

/// The client encoding that a statement sets.
fn encoding(sql: &str) -> Option<String> {
    let tokens: Vec<Token> = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank()).take(12).collect();
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(sql, word));
    let value = |at: usize| tokens.get(at).map(|token| token.text(sql).trim_matches(['\'', '"']).to_owned());
    if is(0, "SET") {
        let start = 1 + usize::from(is(1, "SESSION") || is(1, "LOCAL"));
        return match (is(start, "NAMES"), is(start, "client_encoding")) {
            (true, _) => value(start + 1),
            (_, true) => value(start + 2),
            _ => None,
        };
    }
    let name = tokens.iter().position(|token| token.kind == Kind::Text && token.text(sql) == "'client_encoding'")?;
    let called = name.checked_sub(2).is_some_and(|at| is(at, "set_config"));
    value(name + 2).filter(|_| called)
}

/// Is this a name of UTF-8 on PostgreSQL? `DEFAULT` is the encoding of the database or of the client.
fn is_utf8(name: &str) -> bool {
    let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    ["utf8", "unicode", "default"].contains(&letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;

    #[test]
    fn other_encodings_are_errors() {
        for (text, is_problem) in [
            ("SET client_encoding = 'UTF8';", false),
            ("SET client_encoding TO \"utf-8\";", false),
            ("SET NAMES 'UNICODE';", false),
            ("SET client_encoding TO DEFAULT;", false),
            ("SET client_encoding = 'LATIN1';", true),
            ("SET SESSION client_encoding TO win1252;", true),
            ("SET NAMES 'LATIN1';", true),
            ("SELECT pg_catalog.set_config('client_encoding', 'LATIN1', false);", true),
            ("SELECT 'client_encoding', 'LATIN1';", false),
        ] {
            let (_, findings) = Script::read(text.to_owned(), "f.sql", Dialect::Postgres);
            assert_eq!(findings.iter().any(|finding| finding.code == &CLIENT_ENCODING), is_problem, "{text}");
        }
    }
}
