//! Whether a statement blocks the traffic on a table: while it waits for its lock, later statements queue behind it.
//!
//! Sources: PostgreSQL 15 manual 13.3 and the notes on each command; MariaDB knowledge base, "Metadata Locking".

use crate::dialect::Dialect;
use crate::effect;
use crate::reader;
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

/// Does a text contain an error handler in a block or a routine? It may swallow a lock timeout, so that the statement is
/// skipped and nothing shows it.
pub fn handles_errors(sql: &str, dialect: Dialect) -> bool {
    let word = match dialect {
        Dialect::Postgres => "EXCEPTION",
        Dialect::MySql => "HANDLER",
        Dialect::Sqlite => return false,
    };
    let is_handler = |token: Token| match token.kind {
        Kind::Word => token.is_word(sql, word),
        Kind::Text | Kind::DollarText | Kind::Executable => contains_word(token.text(sql), word),
        _ => false,
    };
    Tokens::new(sql, dialect).any(is_handler)
}

fn contains_word(text: &str, word: &str) -> bool {
    let mut words = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
    words.any(|other| other.eq_ignore_ascii_case(word))
}

/// Can a statement execute a block or a routine, and so an error handler?
pub fn runs_code(sql: &str, dialect: Dialect) -> bool {
    matches!(
        reader::read(sql, dialect),
        Syntax::Do { .. }
            | Syntax::Call { .. }
            | Syntax::Query
            | Syntax::Insert(_)
            | Syntax::Update(_)
            | Syntax::Delete(_)
            | Syntax::Other
            | Syntax::Opaque
    )
}

fn is_weak(action: &ActionKind) -> bool {
    matches!(action, ActionKind::Validate(_) | ActionKind::Weak | ActionKind::Detach { concurrently: true, .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_handlers() {
        for (sql, dialect, expected) in [
            ("DO $$ BEGIN ALTER TABLE t ADD a int; EXCEPTION WHEN OTHERS THEN NULL; END $$", Dialect::Postgres, true),
            (
                "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN NULL; exception WHEN OTHERS THEN END'",
                Dialect::Postgres,
                true,
            ),
            ("DO $$ BEGIN RAISE NOTICE 'x'; END $$ -- EXCEPTION", Dialect::Postgres, false),
            ("BEGIN NOT ATOMIC DECLARE EXIT HANDLER FOR 1060 BEGIN END; ALTER TABLE t ADD a int; END", Dialect::MySql, true),
            ("ALTER TABLE t ADD handler_id int", Dialect::MySql, false),
        ] {
            assert_eq!(handles_errors(sql, dialect), expected, "{sql}");
        }
        assert!(runs_code("SELECT f()", Dialect::Postgres) && runs_code("CALL p()", Dialect::MySql));
        assert!(!runs_code("ALTER TABLE t ADD a int", Dialect::Postgres));
        assert!(!runs_code("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'", Dialect::Postgres));
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
