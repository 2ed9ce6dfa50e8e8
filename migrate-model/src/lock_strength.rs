//! Whether a statement blocks the traffic on a table: while it waits for its lock, later statements queue behind it.
//!
//! Sources: PostgreSQL 15 manual 13.3 and the notes on each command; MariaDB knowledge base, "Metadata Locking".

use crate::dialect::Dialect;
use crate::effect;
use crate::reader;
use crate::syntax::{ActionKind, Syntax};

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

fn is_weak(action: &ActionKind) -> bool {
    matches!(action, ActionKind::Validate(_) | ActionKind::Weak | ActionKind::Detach { concurrently: true, .. })
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
            assert_eq!(blocks_traffic(sql, Dialect::Postgres), postgres, "PostgreSQL: {sql}");
            assert_eq!(blocks_traffic(sql, Dialect::MySql), mysql, "MySQL: {sql}");
            assert!(!blocks_traffic(sql, Dialect::Sqlite));
        }
    }
}
