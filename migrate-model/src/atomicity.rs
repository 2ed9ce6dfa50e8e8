//! Whether a statement that failed outside a transaction has left nothing, so that it may run again.

use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::token::{Kind, Token, Tokens};

/// Does nothing of a statement remain when it fails outside a transaction? False if in doubt: a block or a procedure may commit,
/// and a statement that works in several transactions may have committed some of them.
///
/// An index that a failed `CREATE INDEX CONCURRENTLY` leaves is invalid, and the backend drops it.
pub fn leaves_nothing(sql: &str, dialect: Dialect) -> bool {
    let sql = set_statement::executed(sql, dialect);
    let tokens: Vec<Token> =
        Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint).take(24).collect();
    let first = |words: &[&str]| tokens.first().is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)));
    let has = |word: &str| tokens.iter().any(|token| token.is_word(sql, word));
    match dialect {
        Dialect::Sqlite => true,
        Dialect::Postgres => {
            let concurrently = has("CONCURRENTLY");
            // Several tables are processed in several transactions.
            let several = first(&["CLUSTER", "REINDEX", "VACUUM", "ANALYZE"]) || (first(&["ALTER"]) && concurrently);
            let single = [
                "CREATE", "ALTER", "DROP", "TRUNCATE", "COMMENT", "GRANT", "REVOKE", "INSERT", "UPDATE", "DELETE", "MERGE",
                "COPY", "REFRESH", "LOCK", "SET", "RESET", "SELECT", "WITH", "VALUES", "SECURITY", "IMPORT",
            ];
            // A vacuum that runs twice does the same.
            first(&single) && !several || first(&["VACUUM", "ANALYZE", "REINDEX"]) && !concurrently
        }
        // DML outside a transaction may be of a table that is not transactional.
        Dialect::MySql => {
            // Of several tables or users, some may be dropped or changed.
            let has_several = tokens.iter().any(|token| token.is_symbol(sql, b','));
            let is_account = has("USER") || has("ROLE");
            first(&["CREATE", "ALTER", "TRUNCATE", "LOCK"]) && !is_account
                || first(&["DROP", "RENAME"]) && !has_several && !is_account
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{MySql, Postgres, Sqlite};

    #[test]
    fn what_may_run_again() {
        for (dialect, sql, expected) in [
            (Postgres, "ALTER TABLE t ADD COLUMN a int", true),
            (Postgres, "CREATE INDEX CONCURRENTLY i ON t (a)", true),
            (Postgres, "/* x */ INSERT INTO t VALUES (1)", true),
            (Postgres, "VACUUM t", true),
            (Postgres, "REINDEX TABLE t", true),
            (Postgres, "REINDEX TABLE CONCURRENTLY t", false),
            (Postgres, "ALTER TABLE t DETACH PARTITION p CONCURRENTLY", false),
            (Postgres, "DO $$ BEGIN COMMIT; END $$", false),
            (Postgres, "CALL p()", false),
            (Postgres, "EXECUTE q", false),
            (MySql, "ALTER TABLE t ADD a INT", true),
            (MySql, "SET STATEMENT lock_wait_timeout = 1 FOR ALTER TABLE t ADD a INT", true),
            (MySql, "SET STATEMENT max_statement_time = 1 FOR INSERT INTO t VALUES (1)", false),
            (MySql, "LOCK TABLES t WRITE", true),
            (MySql, "DROP TABLE a", true),
            (MySql, "DROP TABLE a, b", false),
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
