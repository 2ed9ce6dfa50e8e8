//! Whether a part of a script that failed may run again: nothing of it remains in the database, and its session is as it was.

use crate::assignment::{self, set_statement};
use crate::dialect::Dialect;
use crate::session_effect::catalog::TriggerCatalog;
use crate::session_effect::{self, SessionEffect};
use crate::statement::Statement;
use crate::token::{Kind, Token, Tokens};
use std::ops::Range;

/// Does nothing of a statement remain when it fails outside a transaction? False if in doubt: a block or a procedure may commit,
/// and a statement that works in several transactions may have committed some of them.
///
/// The backend asks the catalog of PostgreSQL what a failed statement with `CONCURRENTLY` has left, and either drops it or
/// continues from it.
pub fn leaves_nothing(sql: &str, dialect: Dialect) -> bool {
    let sql = set_statement::executed(sql, dialect);
    let tokens: Vec<Token> =
        Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint).take(24).collect();
    let first = |words: &[&str]| tokens.first().is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)));
    let has = |word: &str| tokens.iter().any(|token| token.is_word(sql, word));
    match dialect {
        Dialect::Sqlite => true,
        Dialect::Postgres => {
            let single = [
                "CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "GRANT", "REVOKE", "INSERT", "UPDATE", "DELETE", "MERGE",
                "COPY", "REFRESH", "LOCK", "SET", "RESET", "SELECT", "WITH", "VALUES", "SECURITY", "IMPORT",
            ];
            // A vacuum that runs twice does the same.
            first(&single) || first(&["VACUUM", "ANALYZE", "REINDEX"])
        }
        // DML outside a transaction may be of a table that is not transactional.
        Dialect::MySql => {
            // Of several tables, users or tables of a database, some may be dropped or changed.
            let has_several = tokens.iter().any(|token| token.is_symbol(sql, b',')) || has("DATABASE") || has("SCHEMA");
            let is_account = has("USER") || has("ROLE");
            // A function in the query of `CREATE TABLE ... SELECT` may write.
            let calls = first(&["CREATE"]) && session_effect::of_statement(sql, dialect) == SessionEffect::Unknown;
            first(&["CREATE", "ALTER", "TRUNCATE", "LOCK"]) && !is_account && !calls
                || first(&["DROP", "RENAME"]) && !has_several && !is_account
        }
    }
}

/// Has the server rejected a statement with this error before it executed anything of it, because it cannot parse the statement?
/// `at_statement`: the error points into the text of the statement. An error in SQL that a routine builds does not.
pub fn is_unparsed(sql: &str, code: Option<&str>, at_statement: bool, dialect: Dialect) -> bool {
    match dialect {
        // syntax_error
        Dialect::Postgres => code == Some("42601") && at_statement,
        // ER_PARSE_ERROR. A procedure or a block may have executed statements before one that it prepares.
        Dialect::MySql => {
            let sql = set_statement::executed(sql, dialect);
            let mut tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint);
            let runs_others = ["CALL", "EXECUTE", "BEGIN", "IF", "CASE", "LOOP", "REPEAT", "WHILE", "FOR"];
            let first = tokens.next();
            let is_labelled = tokens.next().is_some_and(|token| token.is_symbol(sql, b':'));
            code == Some("1064")
                && !is_labelled
                && first.is_some_and(|first| first.kind == Kind::Word && !runs_others.iter().any(|word| first.is_word(sql, word)))
        }
        Dialect::Sqlite => false,
    }
}

/// Does a part of a script that was rolled back find the session of its first try when it runs again? `effects` are those of
/// [`session_effect::of_script`]. False if in doubt.
///
/// PostgreSQL undoes settings and temporary objects with the transaction. Elsewhere, only settings before all other statements
/// may run again, if their values do not depend on the session.
pub fn finds_same_session(
    text: &str,
    statements: &[Statement],
    part: Range<usize>,
    in_transaction: bool,
    effects: &[SessionEffect],
    dialect: Dialect,
) -> bool {
    // Outside a transaction, only the first statement is tried again.
    let end = if in_transaction { part.end } else { (part.start + 1).min(part.end) };
    let mut only_settings = true;
    let follows = session_effect::follows(text, &statements[part.start..end], dialect, &TriggerCatalog::default());
    (part.start..end).all(|at| {
        let sql = statements[at].sql(text);
        let effect = effects.get(at).copied().unwrap_or(SessionEffect::Unknown);
        let leaves_session = match (effect, dialect) {
            (SessionEffect::None, _) => true,
            (SessionEffect::Reset | SessionEffect::Unknown, _) => false,
            (_, Dialect::Postgres) => in_transaction && session_effect::is_undone_by_rollback(sql),
            (SessionEffect::Unrepeatable, Dialect::Sqlite) => in_transaction,
            (SessionEffect::Setting, _) => only_settings && is_constant(sql, dialect),
            (SessionEffect::Unrepeatable, _) => false,
        };
        only_settings &= effect == SessionEffect::Setting;
        let reads_earlier_result = session_effect::reads_result(sql, dialect) && follows[at - part.start].is_none();
        leaves_session && !reads_earlier_result && !session_effect::outlives_rollback(sql, dialect)
    })
}

/// Does a setting have the same value whenever it is set?
fn is_constant(sql: &str, dialect: Dialect) -> bool {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint).collect();
    let reads = |token: &Token| token.is_symbol(sql, b'@');
    let is_set = tokens.first().is_some_and(|first| first.is_word(sql, "SET"));
    let assignments = if is_set { assignment::read(sql, &tokens) } else { Vec::new() };
    if assignments.is_empty() {
        return !tokens.iter().any(|token| reads(token) || token.kind == Kind::Executable);
    }
    assignments.iter().all(|assignment| !assignment.value.iter().any(reads))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::split;
    use Dialect::{MySql, Postgres, Sqlite};

    #[test]
    fn what_finds_its_session_again() {
        for (dialect, text, expected) in [
            (MySql, "INSERT INTO t VALUES (1); UPDATE t SET a = 2", true),
            (MySql, "SET @x = 1; INSERT INTO t VALUES (@x)", true),
            (MySql, "SET NAMES utf8mb4, foreign_key_checks = 0; INSERT INTO t VALUES (1)", true),
            (MySql, "INSERT INTO t VALUES (@x); SET @x = 1", false),
            (MySql, "SET @x = @x + 1; INSERT INTO t VALUES (@x)", false),
            (MySql, "SET @old = @@sql_mode, sql_mode = ''; INSERT INTO t VALUES (1)", false),
            (MySql, "SELECT a INTO @x FROM t; INSERT INTO t VALUES (@x)", false),
            (MySql, "UPDATE t SET a = (@n := @n + 1)", false),
            (MySql, "CREATE TEMPORARY TABLE x (a int); INSERT INTO t SELECT a FROM x", false),
            (MySql, "SELECT GET_LOCK('a', 1); INSERT INTO t VALUES (1)", false),
            (MySql, "SELECT SETVAL(s, 10); INSERT INTO t VALUES (1)", false),
            (MySql, "SELECT f(1); INSERT INTO t VALUES (1)", false),
            (MySql, "INSERT INTO t VALUES (1); INSERT INTO u VALUES (LAST_INSERT_ID())", true),
            (MySql, "INSERT INTO u VALUES (LAST_INSERT_ID()); INSERT INTO t VALUES (1)", false),
            (Postgres, "SET LOCAL x.y = 1; SET search_path = a; CREATE TEMP TABLE x (a int); INSERT INTO t VALUES (1)", true),
            (Postgres, "DO $$ BEGIN UPDATE t SET a = 1; END $$", true),
            (Postgres, "SELECT f()", false),
            (Postgres, "SELECT pg_advisory_lock(1)", false),
            (Postgres, "DO $$ BEGIN PERFORM pg_advisory_lock(1); END $$", false),
            (Postgres, "SELECT setval('s', (SELECT last_value FROM s) + 10)", false),
            (Postgres, "PREPARE q AS SELECT 1", false),
            (Sqlite, "CREATE TEMP TABLE x (a int); INSERT INTO t SELECT a FROM x", true),
        ] {
            let (statements, _) = split(text, dialect, "f.sql");
            let effects = session_effect::of_script(text, &statements, dialect, &TriggerCatalog::default());
            let found = finds_same_session(text, &statements, 0..statements.len(), true, &effects, dialect);
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn what_may_run_again() {
        for (dialect, sql, expected) in [
            (Postgres, "ALTER TABLE t ADD COLUMN a int", true),
            (Postgres, "CREATE INDEX CONCURRENTLY i ON t (a)", true),
            (Postgres, "/* x */ INSERT INTO t VALUES (1)", true),
            (Postgres, "VACUUM t", true),
            (Postgres, "REINDEX TABLE t", true),
            (Postgres, "REINDEX TABLE CONCURRENTLY t", true),
            (Postgres, "ALTER TABLE t DETACH PARTITION p CONCURRENTLY", true),
            (Postgres, "DO $$ BEGIN COMMIT; END $$", false),
            (Postgres, "CALL p()", false),
            (Postgres, "EXECUTE q", false),
            (MySql, "ALTER TABLE t ADD a INT", true),
            (MySql, "SET STATEMENT lock_wait_timeout = 1 FOR ALTER TABLE t ADD a INT", true),
            (MySql, "SET STATEMENT max_statement_time = 1 FOR INSERT INTO t VALUES (1)", false),
            (MySql, "LOCK TABLES t WRITE", true),
            (MySql, "DROP TABLE a", true),
            (MySql, "DROP TABLE a, b", false),
            (MySql, "DROP DATABASE a", false),
            (MySql, "CREATE TABLE t AS SELECT upper(a) FROM u", true),
            (MySql, "CREATE TABLE t AS SELECT writes(a) FROM u", false),
            (MySql, "CREATE USER a, b", false),
            (MySql, "GRANT ALL ON t TO u", false),
            (MySql, "CALL p()", false),
            (MySql, "EXECUTE s", false),
            (MySql, "INSERT INTO t VALUES (1)", false),
            (MySql, "BEGIN NOT ATOMIC COMMIT; END", false),
            (Sqlite, "INSERT INTO t VALUES (1)", true),
        ] {
            assert_eq!(leaves_nothing(sql, dialect), expected, "{sql}");
        }
    }
}
