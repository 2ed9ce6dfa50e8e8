//! Whether a statement stops the traffic on a table: what it waits for behind others, everybody else waits for behind it.
//!
//! Sources: PostgreSQL 15 manual 13.3 and the notes on each command; MariaDB knowledge base, "Metadata Locking".

use crate::dialect::Dialect;
use crate::effect;
use crate::token::{Kind, Token, Tokens};

/// Does a statement take a lock that readers or writers of a table that is in use must wait for?
///
/// What cannot be told counts as one that does: it then gives up sooner and is tried again.
pub fn is_strong(sql: &str, dialect: Dialect) -> bool {
    let tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint);
    let tokens: Vec<Token> = tokens.collect();
    let is = |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)));
    let has = |word: &str| tokens.iter().any(|token| token.is_word(sql, word));
    match dialect {
        // The whole file is locked, by the transaction and not by the statement.
        Dialect::Sqlite => false,
        Dialect::MySql => !is(
            0,
            &[
                "INSERT", "UPDATE", "DELETE", "REPLACE", "SELECT", "WITH", "SET", "USE", "CALL", "DO", "PREPARE", "EXECUTE",
                "ANALYZE",
            ],
        ),
        Dialect::Postgres if has("CONCURRENTLY") => false,
        Dialect::Postgres if is(0, &["ALTER"]) => {
            let validates = is(1, &["TABLE"]) && !has("ADD") && !has("DROP") && !has("SET") && has("VALIDATE");
            !validates
                && is(
                    1,
                    &[
                        "TABLE",
                        "INDEX",
                        "MATERIALIZED",
                        "VIEW",
                        "FOREIGN",
                        "SEQUENCE",
                        "TRIGGER",
                        "POLICY",
                        "RULE",
                        "DOMAIN",
                        "TYPE",
                    ],
                )
        }
        Dialect::Postgres if is(0, &["CREATE"]) => {
            let touches =
                ["INDEX", "TRIGGER", "RULE", "POLICY"].iter().any(|word| is(1, &[word]) || is(2, &[word]) || is(3, &[word]));
            touches || (has("REFERENCES") || has("PARTITION") || has("INHERITS")) && !effect::tables(sql, dialect).is_empty()
        }
        Dialect::Postgres => {
            let full = is(0, &["VACUUM"]) && has("FULL");
            full || is(0, &["DROP", "TRUNCATE", "LOCK", "REINDEX", "CLUSTER", "REFRESH", "DO", "COMMENT"])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strong_and_weak() {
        for (sql, postgres, mysql) in [
            ("ALTER TABLE t ADD a int", true, true),
            ("ALTER TABLE t VALIDATE CONSTRAINT c", false, true),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID", true, true),
            ("CREATE INDEX i ON t (a)", true, true),
            ("CREATE UNIQUE INDEX CONCURRENTLY i ON t (a)", false, true),
            ("DROP INDEX CONCURRENTLY i", false, true),
            ("CREATE TABLE t (a int)", false, true),
            ("CREATE TABLE t (a int REFERENCES u)", true, true),
            ("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS ''", false, true),
            ("CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()", true, true),
            ("TRUNCATE t", true, true),
            ("INSERT INTO t VALUES (1)", false, false),
            ("UPDATE t SET a = 1", false, false),
            ("DO $$ BEGIN END $$", true, false),
            ("VACUUM t", false, true),
            ("VACUUM FULL t", true, true),
            ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", false, true),
        ] {
            assert_eq!(is_strong(sql, Dialect::Postgres), postgres, "PostgreSQL: {sql}");
            assert_eq!(is_strong(sql, Dialect::MySql), mysql, "MySQL: {sql}");
            assert!(!is_strong(sql, Dialect::Sqlite));
        }
    }
}
