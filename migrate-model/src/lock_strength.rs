//! Whether a statement blocks the traffic on a table: while it waits for its lock, later statements queue behind it.
//!
//! Sources: PostgreSQL 15 manual 13.3 and the notes on each command; MariaDB knowledge base, "Metadata Locking".

use crate::dialect::Dialect;
use crate::effect;
use crate::reader;
use crate::session_effect::functions;
use crate::syntax::{ActionKind, Syntax};
use crate::token::{Kind, Token, Tokens};

/// Does a statement take a lock that blocks reads or writes of an existing table?
///
/// A statement that cannot be analyzed counts as blocking: it then has a short lock timeout and is retried.
pub fn blocks_traffic(sql: &str, dialect: Dialect) -> bool {
    let syntax = reader::read(sql, dialect);
    match dialect {
        // The transaction locks the whole file; the statement takes no lock of its own.
        Dialect::Sqlite => false,
        Dialect::MySql => !matches!(
            syntax,
            Syntax::Insert(_)
                | Syntax::Update(_)
                | Syntax::Delete(_)
                | Syntax::Query
                | Syntax::Set(_)
                | Syntax::Call { .. }
                | Syntax::Do { .. }
                | Syntax::Transaction(_)
                | Syntax::Other
        ),
        Dialect::Postgres => match &syntax {
            Syntax::AlterTable(alter) => !alter.actions.iter().all(|action| is_weak(&action.kind)),
            Syntax::CreateIndex(index) => !index.concurrently,
            Syntax::CreateTable(_) => !effect::locked_tables_of(&syntax).is_empty(),
            Syntax::Drop(drop) => !drop.concurrently,
            Syntax::Reindex { concurrently, .. } | Syntax::Refresh { concurrently, .. } => !concurrently,
            Syntax::Vacuum { full, .. } => *full,
            Syntax::CreateTrigger { .. }
            | Syntax::RenameTrigger { .. }
            | Syntax::Policy { .. }
            | Syntax::AlterType { .. }
            | Syntax::AlterDomain { .. }
            | Syntax::AlterIndex { .. }
            | Syntax::Alter { .. }
            | Syntax::Truncate { .. }
            | Syntax::Lock { .. }
            | Syntax::Cluster { .. }
            | Syntax::Do { .. }
            | Syntax::Comment { .. }
            | Syntax::Opaque => true,
            _ => false,
        },
    }
}

/// Would a lock timeout do harm? A concurrent index build that is aborted leaves an invalid index behind, and it blocks no
/// traffic while it waits.
pub fn exempt_from_lock_timeout(sql: &str, dialect: Dialect) -> bool {
    match reader::read(sql, dialect) {
        Syntax::CreateIndex(index) => index.concurrently,
        Syntax::Drop(drop) => drop.concurrently,
        Syntax::Reindex { concurrently, .. } => concurrently,
        Syntax::AlterTable(alter) => {
            alter.actions.iter().any(|action| matches!(action.kind, ActionKind::Detach { concurrently: true, .. }))
        }
        _ => false,
    }
}

/// Does a block of PostgreSQL contain an error handler that catches a lock timeout? Then what waits for the lock would be skipped,
/// and nothing would show it. (PostgreSQL 15 manual, 43.6.8 and appendix A)
pub fn catches_lock_timeout(sql: &str) -> bool {
    const CAUGHT_BY: [&str; 5] = ["others", "lock_not_available", "object_not_in_prerequisite_state", "55p03", "55000"];
    let lower = sql.to_ascii_lowercase();
    let words: Vec<&str> =
        lower.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').filter(|word| !word.is_empty()).collect();
    let Some(handlers) = words.windows(2).position(|pair| pair == ["exception", "when"]) else { return false };
    words[handlers..].iter().any(|word| CAUGHT_BY.contains(word))
}

/// May a statement that changes the schema evaluate a function that is not built in: in a default value, a condition or a
/// conversion? The function may contain an error handler.
pub fn may_call_function(sql: &str, dialect: Dialect) -> bool {
    let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).collect();
    let is_any = |token: &Token, words: &[&str]| words.iter().any(|word| token.is_word(sql, word));
    let Some(first) = tokens.iter().position(|token| is_any(token, &["DEFAULT", "CHECK", "USING", "AS", "WHERE"])) else {
        return false;
    };
    (first + 1..tokens.len()).any(|at| {
        let is_name = matches!(tokens[at].kind, Kind::Word | Kind::QuotedName);
        if !is_name || !tokens.get(at + 1).is_some_and(|next| next.is_symbol(sql, b'(')) {
            return false;
        }
        let mut start = at;
        while start >= 2 && tokens[start - 1].is_symbol(sql, b'.') {
            start -= 2;
        }
        let is_method = is_any(&tokens[start - 1], &["USING"]) && tokens.iter().any(|token| token.is_word(sql, "INDEX"));
        let is_table = is_method || is_any(&tokens[start - 1], &["REFERENCES", "ON", "INDEX", "TABLE", "CONSTRAINT"]);
        let name = tokens[at].text(sql).trim_matches('"').to_lowercase();
        !is_table && !is_any(&tokens[at], &["KEY", "INCLUDE"]) && !functions::is_harmless(&name)
    })
}

fn is_weak(action: &ActionKind) -> bool {
    matches!(action, ActionKind::Validate(_) | ActionKind::Weak | ActionKind::Detach { concurrently: true, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_handlers() {
        for (sql, expected) in [
            ("DO $$ BEGIN ALTER TABLE t ADD a int; EXCEPTION WHEN OTHERS THEN NULL; END $$", true),
            ("DO $$ BEGIN NULL; exception when duplicate_column or lock_not_available then END $$", true),
            ("DO $$ BEGIN NULL; EXCEPTION WHEN SQLSTATE '55P03' THEN END $$", true),
            ("DO $$ BEGIN CREATE TYPE e AS ENUM (); EXCEPTION WHEN duplicate_object THEN null; END $$", false),
            ("DO $$ BEGIN IF EXISTS (SELECT 1) THEN RAISE EXCEPTION 'not clean'; END IF; END $$", false),
            ("ALTER TABLE t ADD exception text", false),
        ] {
            assert_eq!(catches_lock_timeout(sql), expected, "{sql}");
        }
    }

    #[test]
    fn functions_in_expressions() {
        for (sql, expected) in [
            ("ALTER TABLE t ADD COLUMN x int DEFAULT f()", true),
            ("ALTER TABLE t ADD CHECK (app.f(a) = 1)", true),
            ("ALTER TABLE t ALTER a TYPE bigint USING f(a) + 1", true),
            ("ALTER TABLE t ADD COLUMN x timestamptz DEFAULT now(), ADD FOREIGN KEY (a) REFERENCES app.u (id)", false),
            ("ALTER TABLE t ADD COLUMN x varchar(20) DEFAULT lower('A') CHECK (length(x) > 0 AND x IN ('a', 'b'))", false),
            ("CREATE UNIQUE INDEX i ON t USING btree (lower(a)) INCLUDE (b) WHERE coalesce(a, '') <> ''", false),
            (
                "CREATE TABLE t (a numeric(10, 2) DEFAULT 0, PRIMARY KEY (a), UNIQUE (a), FOREIGN KEY (a) REFERENCES u (id))",
                false,
            ),
        ] {
            assert_eq!(may_call_function(sql, Dialect::Postgres), expected, "{sql}");
        }
    }

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
            assert_eq!(blocks_traffic(sql, Dialect::Postgres), postgres, "PostgreSQL: {sql}");
            assert_eq!(blocks_traffic(sql, Dialect::MySql), mysql, "MySQL: {sql}");
            assert!(!blocks_traffic(sql, Dialect::Sqlite));
        }
    }
}
