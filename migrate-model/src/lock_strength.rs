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
    let syntax = || reader::read(sql, dialect);
    match dialect {
        // The transaction locks the whole file; the statement takes no lock of its own.
        Dialect::Sqlite => false,
        Dialect::MySql => !matches!(
            syntax(),
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
        Dialect::Postgres => match &syntax() {
            Syntax::AlterTable(alter) => !alter.actions.iter().all(|action| is_weak(&action.kind)),
            Syntax::CreateIndex(index) => !index.concurrently,
            created @ Syntax::CreateTable(_) => !effect::locked_tables_of(created).is_empty(),
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

/// What the error handlers in a text do with a lock timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockTimeoutHandling {
    /// It reaches the run.
    Reported,
    /// A handler may catch it: what waited for the lock would be skipped, and nothing would show it.
    Caught,
}

impl LockTimeoutHandling {
    /// What the handlers in a text of PostgreSQL do. (PostgreSQL 15 manual, 43.6.8 and appendix A) A comment may stand between
    /// their words, so only the order of the words decides.
    pub fn of(text: &str) -> Self {
        const CAUGHT_BY: [&str; 5] = ["others", "lock_not_available", "object_not_in_prerequisite_state", "55p03", "55000"];
        let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
        let mut words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        let is_caught = words.any(|word| is(word, "exception"))
            && words.any(|word| is(word, "when"))
            && words.any(|word| CAUGHT_BY.iter().any(|condition| is(word, condition)));
        if is_caught { LockTimeoutHandling::Caught } else { LockTimeoutHandling::Reported }
    }

    /// What happens to that of a statement of a script, whose handlers do `in_script`.
    pub fn of_statement(sql: &str, in_script: Self, dialect: Dialect) -> Self {
        match reader::read(sql, dialect) {
            // It may call the functions that the script defines.
            Syntax::Do { .. } => in_script,
            _ if may_call_function(sql, dialect) => LockTimeoutHandling::Caught,
            _ => LockTimeoutHandling::of(sql),
        }
    }
}

/// May a statement that changes the schema evaluate a function that is not built in: in a default value, a condition or a
/// conversion? The function may contain an error handler.
fn may_call_function(sql: &str, dialect: Dialect) -> bool {
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
        let before = start.checked_sub(1).map(|before| &tokens[before]);
        let follows = |words: &[&str]| before.is_some_and(|before| is_any(before, words));
        let is_method = follows(&["USING"]) && tokens.iter().any(|token| token.is_word(sql, "INDEX"));
        let is_table = is_method || follows(&["REFERENCES", "ON", "INDEX", "TABLE", "CONSTRAINT"]);
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
            ("DO $$ BEGIN NULL; EXCEPTION -- ignored\nWHEN /* all */ OTHERS THEN NULL; END $$", true),
            ("DO $$ BEGIN NULL; exception when duplicate_column or lock_not_available then END $$", true),
            ("DO $$ BEGIN NULL; EXCEPTION WHEN SQLSTATE '55P03' THEN END $$", true),
            ("DO $$ BEGIN CREATE TYPE e AS ENUM (); EXCEPTION WHEN duplicate_object THEN null; END $$", false),
            ("DO $$ BEGIN IF EXISTS (SELECT 1) THEN RAISE EXCEPTION 'not clean'; END IF; END $$", false),
            ("ALTER TABLE t ADD exception text", false),
        ] {
            assert_eq!(LockTimeoutHandling::of(sql) == LockTimeoutHandling::Caught, expected, "{sql}");
        }
        let function = "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS 'BEGIN NULL; EXCEPTION WHEN OTHERS THEN END';";
        let of = |sql: &str| LockTimeoutHandling::of_statement(sql, LockTimeoutHandling::of(function), Dialect::Postgres);
        assert_eq!(of("DO $$ BEGIN PERFORM f(); END $$"), LockTimeoutHandling::Caught);
        assert_eq!(of("ALTER TABLE t ADD a int"), LockTimeoutHandling::Reported);
        // Text that is not SQL has an answer, too.
        assert_eq!(["AS.f()", "DEFAULT . . f()"].map(of), [LockTimeoutHandling::Caught; 2]);
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
