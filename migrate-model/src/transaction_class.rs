//! What a statement does to the transaction around it, from its first words.
//!
//! Sources: PostgreSQL 15 manual, the notes on each command; MariaDB knowledge base, "SQL statements that cause an implicit
//! commit" and "SET TRANSACTION"; MySQL 8.4 manual 13.3; SQLite, "PRAGMA Statements".

use crate::assignment::{self, Scope, set_statement};
use crate::dialect::Dialect;
use crate::do_block;
use crate::token::{Kind, Quoting, Token, Tokens, executed_tokens};

/// The effect of a statement on the surrounding transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    Begin,
    Commit,
    /// `COMMIT AND CHAIN`: also begins a transaction with the same characteristics.
    CommitAndChain,
    Rollback,
    /// Can run in a transaction.
    Plain,
    /// A setting that has no effect in a transaction, or fails there.
    Setting,
    /// Cannot run in a transaction; with the name of the statement for messages.
    NotInTransaction(&'static str),
    /// MySQL: causes an implicit commit before and after it.
    ImplicitCommit,
    /// MySQL: until `UNLOCK TABLES`, the session cannot write any other table, including the history tables.
    LockTables,
    UnlockTables,
    /// MySQL: each following statement is a part of a transaction until a `COMMIT`.
    AutocommitOff,
    /// MySQL: commits, and each following statement is its own transaction.
    AutocommitOn,
    /// Ends the transaction so that the record of the migration cannot be a part of it.
    Refused(Refusal),
}

/// Why a statement is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    pub message: &'static str,
    pub help: &'static [&'static str],
}

/// The tokens of a statement, without blanks and hints.
pub struct Words<'a> {
    pub sql: &'a str,
    pub tokens: Vec<Token>,
}

impl<'a> Words<'a> {
    /// The first tokens of a statement. They determine what it is.
    pub fn first(sql: &'a str, dialect: Dialect) -> Self {
        Words { sql, tokens: meaningful(sql, dialect).take(24).collect() }
    }

    /// Is the token at this position one of these words?
    pub fn is(&self, at: usize, words: &[&str]) -> bool {
        let Some(token) = self.tokens.get(at) else { return false };
        words.iter().any(|word| token.is_word(self.sql, word))
    }

    /// Are these the first words?
    pub fn start(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.is(at, &[word]))
    }

    /// Is this word among the tokens?
    pub fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.is_word(self.sql, word))
    }

    /// Do these two words follow each other?
    fn has_pair(&self, first: &str, second: &str) -> bool {
        self.tokens.windows(2).any(|pair| pair[0].is_word(self.sql, first) && pair[1].is_word(self.sql, second))
    }
}

fn meaningful(sql: &str, dialect: Dialect) -> impl Iterator<Item = Token> {
    Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint)
}

/// The class of a statement.
pub fn class(sql: &str, dialect: Dialect) -> Class {
    let mut words = Words::first(sql, dialect);
    let executable = words.tokens.first().is_some_and(|token| token.kind == Kind::Executable);
    if dialect == Dialect::MySql {
        // A list of assignments or tables may be long.
        if executable || words.is(0, &["SET", "FLUSH"]) {
            words.tokens = meaningful(sql, dialect).collect();
        }
        words.tokens = executed_tokens(sql, &words.tokens, Quoting::of(dialect));
        let executed = set_statement::executed_tokens(sql, &words.tokens).len();
        words.tokens.drain(..words.tokens.len() - executed);
    }
    match (transaction_control(&words, dialect), dialect) {
        (Some(class), _) => class,
        (None, Dialect::Postgres) => postgres(sql, &words),
        (None, Dialect::Sqlite) => sqlite(&words),
        (None, Dialect::MySql) => match mysql(&words) {
            // Some servers do not execute it, and it runs alone where that is not known to be unnecessary.
            Class::Plain if executable && !words.is(0, &["SET"]) => Class::ImplicitCommit,
            class => class,
        },
    }
}

/// `BEGIN`, `COMMIT`, `ROLLBACK` and their variants.
fn transaction_control(words: &Words<'_>, dialect: Dialect) -> Option<Class> {
    let commits = words.is(0, &["COMMIT"]) || (words.is(0, &["END"]) && dialect != Dialect::MySql);
    if dialect == Dialect::Postgres && words.is(1, &["PREPARED"]) && words.is(0, &["COMMIT", "ROLLBACK"]) {
        return Some(Class::NotInTransaction("COMMIT PREPARED or ROLLBACK PREPARED"));
    }
    if dialect == Dialect::Postgres && words.start(&["PREPARE", "TRANSACTION"]) {
        return Some(Class::Refused(PREPARES_TRANSACTION));
    }
    if words.is(0, &["ROLLBACK", "ABORT"]) && !words.has("TO") {
        return Some(Class::Rollback);
    }
    if commits {
        let releases = dialect == Dialect::MySql && words.has("RELEASE") && !words.has_pair("NO", "RELEASE");
        return Some(if releases {
            Class::Refused(RELEASES_CONNECTION)
        } else if words.has_pair("AND", "CHAIN") {
            Class::CommitAndChain
        } else {
            Class::Commit
        });
    }
    if dialect == Dialect::MySql && words.is(0, &["XA"]) && words.is(1, &["START", "BEGIN"]) {
        return Some(Class::Refused(XA_TRANSACTION));
    }
    // `BEGIN` with anything else is a compound statement of MySQL.
    let begins = match dialect {
        Dialect::MySql => words.tokens.len() == 1 || words.is(1, &["WORK"]),
        _ => true,
    };
    (words.start(&["START", "TRANSACTION"]) || (words.is(0, &["BEGIN"]) && begins)).then_some(Class::Begin)
}

const PREPARES_TRANSACTION: Refusal = Refusal {
    message: "this would end the transaction of the migration without committing it",
    help: &["remove it: a migration commits its transaction itself"],
};

const RELEASES_CONNECTION: Refusal =
    Refusal { message: "this would close the connection of the migration", help: &["remove `RELEASE`"] };

const XA_TRANSACTION: Refusal = Refusal {
    message: "the migration cannot be recorded in the history in an XA transaction",
    help: &["write `BEGIN` and `COMMIT`"],
};

fn postgres(sql: &str, words: &Words<'_>) -> Class {
    let database = ["DATABASE", "TABLESPACE"];
    let concurrently = words.has("CONCURRENTLY");
    if words.is(0, &["VACUUM"]) {
        Class::NotInTransaction("VACUUM")
    } else if words.is(0, &["CREATE"]) && concurrently && words.has("INDEX") {
        Class::NotInTransaction("CREATE INDEX CONCURRENTLY")
    } else if words.start(&["DROP", "INDEX", "CONCURRENTLY"]) {
        Class::NotInTransaction("DROP INDEX CONCURRENTLY")
    } else if words.is(0, &["REINDEX"]) && concurrently {
        Class::NotInTransaction("REINDEX CONCURRENTLY")
    } else if words.is(0, &["REINDEX"]) && ["DATABASE", "SCHEMA", "SYSTEM"].iter().any(|word| words.has(word)) {
        Class::NotInTransaction("REINDEX of more than one table")
    } else if words.start(&["ALTER", "TABLE"]) && words.has("DETACH") && concurrently {
        Class::NotInTransaction("DETACH PARTITION CONCURRENTLY")
    } else if words.is(0, &["CREATE"]) && words.is(1, &database) {
        Class::NotInTransaction("CREATE DATABASE or TABLESPACE")
    } else if words.is(0, &["DROP"]) && words.is(1, &database) {
        Class::NotInTransaction("DROP DATABASE or TABLESPACE")
    } else if words.start(&["ALTER", "DATABASE"]) && words.has("TABLESPACE") {
        Class::NotInTransaction("ALTER DATABASE ... SET TABLESPACE")
    } else if words.start(&["ALTER", "SYSTEM"]) {
        Class::NotInTransaction("ALTER SYSTEM")
    } else if words.start(&["DISCARD", "ALL"]) {
        Class::NotInTransaction("DISCARD ALL")
    } else if words.is(0, &["CREATE", "DROP"]) && words.is(1, &["SUBSCRIPTION"]) {
        Class::NotInTransaction("CREATE or DROP SUBSCRIPTION")
    } else if words.is(0, &["CLUSTER"]) && names_no_table(words) {
        Class::NotInTransaction("CLUSTER without a table")
    } else if words.is(0, &["DO"]) && commits_inside(sql) {
        Class::NotInTransaction("a DO block that commits")
    } else {
        Class::Plain
    }
}

/// Is nothing but options between the first word and the end: `CLUSTER`, `CLUSTER VERBOSE`, `CLUSTER (VERBOSE)`?
fn names_no_table(words: &Words<'_>) -> bool {
    let is_option = |at: usize| {
        words.is(at, &["VERBOSE", "true", "false", "on", "off"])
            || words.tokens[at].kind == Kind::Number
            || [b'(', b')', b','].iter().any(|symbol| words.tokens[at].is_symbol(words.sql, *symbol))
    };
    (1..words.tokens.len()).all(is_option)
}

/// Does the body of a `DO` block contain `COMMIT` or `ROLLBACK` as a statement?
fn commits_inside(sql: &str) -> bool {
    let Some(block) = do_block::read(sql, Dialect::Postgres) else { return false };
    let body = block.body.as_ref();
    if !block.is_plpgsql {
        // The functions of another language that commit have these words in their names.
        let body = body.to_ascii_lowercase();
        return body.contains("commit") || body.contains("rollback");
    }
    let tokens: Vec<Token> = Tokens::new(body, Dialect::Postgres).filter(|token| !token.is_blank()).collect();
    tokens.iter().enumerate().any(|(at, token)| {
        let ends = token.is_word(body, "COMMIT") || token.is_word(body, "ROLLBACK");
        let closed = tokens.get(at + 1).is_some_and(|next| next.is_symbol(body, b';') || next.is_word(body, "AND"));
        let begins = at == 0
            || tokens[at - 1].is_symbol(body, b';')
            || ["BEGIN", "THEN", "ELSE", "LOOP"].iter().any(|word| tokens[at - 1].is_word(body, word));
        ends && closed && begins
    })
}

fn mysql(words: &Words<'_>) -> Class {
    let plain = [
        "INSERT",
        "UPDATE",
        "DELETE",
        "REPLACE",
        "SELECT",
        "WITH",
        "DO",
        "VALUES",
        "SHOW",
        "EXPLAIN",
        "PREPARE",
        "DEALLOCATE",
        "USE",
        "SAVEPOINT",
        "RELEASE",
        "ROLLBACK",
        "HANDLER",
    ];
    let temporary = words.is(0, &["CREATE", "DROP"]) && words.is(1, &["TEMPORARY"]);
    if words.is(0, &["SET"]) {
        mysql_set(words)
    } else if words.start(&["LOCK", "TABLES"]) || words.start(&["LOCK", "TABLE"]) || flushes_with_lock(words) {
        Class::LockTables
    } else if words.start(&["UNLOCK", "TABLES"]) || words.start(&["UNLOCK", "TABLE"]) {
        Class::UnlockTables
    } else if words.is(0, &plain) || temporary {
        Class::Plain
    } else {
        Class::ImplicitCommit
    }
}

/// `FLUSH TABLES ... WITH READ LOCK` and `... FOR EXPORT`.
fn flushes_with_lock(words: &Words<'_>) -> bool {
    let scope = usize::from(words.is(1, &["LOCAL", "NO_WRITE_TO_BINLOG"]));
    let locks = words.has_pair("READ", "LOCK") || words.has_pair("FOR", "EXPORT");
    words.is(0, &["FLUSH"]) && words.is(1 + scope, &["TABLES", "TABLE"]) && locks
}

fn mysql_set(words: &Words<'_>) -> Class {
    // `SET PASSWORD` and `SET DEFAULT ROLE` write tables of the server.
    if words.is(1, &["PASSWORD"]) || words.start(&["SET", "DEFAULT", "ROLE"]) {
        return Class::ImplicitCommit;
    }
    // It is for the next transaction, and fails in one.
    if words.is(1, &["TRANSACTION"]) {
        return Class::Setting;
    }
    let mut class = Class::Plain;
    for assignment in assignment::read(words.sql, &words.tokens) {
        if assignment.scope != Scope::Session {
            continue;
        }
        if assignment.name == "autocommit" {
            let value = assignment.value.first().map_or("", |token| assignment::unquoted(token.text(words.sql)));
            let off = ["0", "off", "false"].iter().any(|word| value.eq_ignore_ascii_case(word));
            return if off { Class::AutocommitOff } else { Class::AutocommitOn };
        }
        if OUTSIDE_TRANSACTIONS.contains(&assignment.name.as_str()) {
            class = Class::Setting;
        }
    }
    class
}

/// Settings of a MySQL session that cannot be changed in a transaction.
const OUTSIDE_TRANSACTIONS: [&str; 12] = [
    "binlog_direct_non_transactional_updates",
    "binlog_format",
    "gtid_domain_id",
    "gtid_next",
    "gtid_seq_no",
    "skip_replication",
    "sql_log_bin",
    "transaction_isolation",
    "transaction_read_only",
    "tx_isolation",
    "tx_read_only",
    "wsrep_on",
];

fn sqlite(words: &Words<'_>) -> Class {
    // In a transaction, these have no effect (`foreign_keys`) or fail.
    let settings = [
        "foreign_keys",
        "journal_mode",
        "synchronous",
        "page_size",
        "auto_vacuum",
        "wal_checkpoint",
        "locking_mode",
        "temp_store",
        "temp_store_directory",
    ];
    if words.is(0, &["VACUUM"]) {
        Class::NotInTransaction("VACUUM")
    } else if words.is(0, &["ATTACH", "DETACH"]) {
        Class::NotInTransaction("ATTACH or DETACH")
    } else if words.is(0, &["PRAGMA"]) && settings.iter().any(|setting| words.has(setting)) {
        Class::Setting
    } else {
        Class::Plain
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions() {
        use Dialect::{MySql, Postgres, Sqlite};
        for (dialect, sql, expected) in [
            (Postgres, "BEGIN ISOLATION LEVEL SERIALIZABLE", Class::Begin),
            (Postgres, "COMMIT AND CHAIN", Class::CommitAndChain),
            (Postgres, "END WORK AND CHAIN", Class::CommitAndChain),
            (Postgres, "COMMIT WORK AND NO CHAIN", Class::Commit),
            (Postgres, "COMMIT PREPARED 'x'", Class::NotInTransaction("COMMIT PREPARED or ROLLBACK PREPARED")),
            (Postgres, "PREPARE TRANSACTION 'x'", Class::Refused(PREPARES_TRANSACTION)),
            (Postgres, "ROLLBACK AND CHAIN", Class::Rollback),
            (Sqlite, "END TRANSACTION", Class::Commit),
            (MySql, "BEGIN WORK", Class::Begin),
            (MySql, "BEGIN NOT ATOMIC SELECT 1; END", Class::ImplicitCommit),
            (MySql, "BEGIN SELECT 1; END", Class::ImplicitCommit),
            (MySql, "COMMIT RELEASE", Class::Refused(RELEASES_CONNECTION)),
            (MySql, "COMMIT AND NO CHAIN NO RELEASE", Class::Commit),
            (MySql, "XA START 'x'", Class::Refused(XA_TRANSACTION)),
            (MySql, "XA RECOVER", Class::ImplicitCommit),
        ] {
            assert_eq!(class(sql, dialect), expected, "{sql}");
        }
    }

    #[test]
    fn statements_of_mysql() {
        for (sql, expected) in [
            ("SET autocommit=0", Class::AutocommitOff),
            ("SET @@SESSION.autocommit := OFF", Class::AutocommitOff),
            ("SET foreign_key_checks = 0, autocommit = 'off'", Class::AutocommitOff),
            ("/*!40101 SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, AUTOCOMMIT=0 */", Class::AutocommitOff),
            ("SET AUTOCOMMIT=@OLD_AUTOCOMMIT", Class::AutocommitOn),
            ("SET GLOBAL autocommit = 0", Class::Plain),
            ("SET @autocommit = 0", Class::Plain),
            ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", Class::Setting),
            ("SET SESSION TRANSACTION ISOLATION LEVEL SERIALIZABLE", Class::Plain),
            ("SET sql_log_bin = 0", Class::Setting),
            ("SET PASSWORD = 'x'", Class::ImplicitCommit),
            ("SET STATEMENT a = 1 FOR DROP TABLE t", Class::ImplicitCommit),
            ("SET STATEMENT a = 1 FOR INSERT INTO t VALUES (1)", Class::Plain),
            ("SET STATEMENT a = 1 FOR LOCK TABLES t WRITE", Class::LockTables),
            ("/*M!100100 SET STATEMENT a = 1 FOR CALL p() */", Class::ImplicitCommit),
            ("FLUSH TABLES t WITH READ LOCK", Class::LockTables),
            ("FLUSH LOCAL TABLES WITH READ LOCK AND DISABLE CHECKPOINT", Class::LockTables),
            ("FLUSH NO_WRITE_TO_BINLOG TABLE a, b FOR EXPORT", Class::LockTables),
            ("FLUSH TABLES", Class::ImplicitCommit),
            ("/*!40101 SET NAMES utf8 */", Class::Plain),
            ("/*M!100100 SET a=1 */ /*!50003 SET b=1 */", Class::Plain),
            ("/*!50003 CREATE*/ /*!50003 TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET @a = 1 */", Class::ImplicitCommit),
            ("/*!40000 INSERT INTO t VALUES (1) */", Class::ImplicitCommit),
            ("/*!40000 ALTER TABLE t DISABLE KEYS */", Class::ImplicitCommit),
        ] {
            assert_eq!(class(sql, Dialect::MySql), expected, "{sql}");
        }
    }
}
