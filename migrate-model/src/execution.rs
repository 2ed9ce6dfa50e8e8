//! How a file runs: groups its statements into units, each of which executes completely or not at all.
//!
//! A unit is either a transaction, which also commits its checkpoint, or a statement that runs alone. A plain file is one
//! transaction. If a statement cannot run in a transaction, each statement of the file is a unit. `BEGIN ... COMMIT` in the
//! file is a transaction unit.
//!
//! Sources: PostgreSQL 15 manual, the notes on each command; MariaDB knowledge base, "SQL statements that cause an implicit
//! commit"; SQLite, "PRAGMA Statements".

use crate::code::Code;
use crate::dialect::Dialect;
use crate::finding::Finding;
use crate::place::Place;
use crate::statement::Statement;
use crate::token::{Kind, Token, Tokens};
use std::fmt;
use std::ops::Range;

/// How a whole script runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionMode {
    /// The script and its record in one transaction.
    Wrapped,
    /// Statement by statement, with a checkpoint after each.
    None,
    /// In the transactions that the script contains.
    Explicit,
}

impl fmt::Display for TransactionMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TransactionMode::Wrapped => "in a transaction",
            TransactionMode::None => "outside a transaction",
            TransactionMode::Explicit => "in its own transaction",
        })
    }
}

/// A part of a script that executes completely or not at all, as far as the database guarantees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unit {
    /// Does the unit run in a transaction?
    pub in_transaction: bool,
    /// The `BEGIN` in the file, as an index into the statements.
    pub begin_statement: Option<usize>,
    /// The statements of the unit, as indices.
    pub statements: Range<usize>,
    /// The number of statements of the script that are done after the unit, including `BEGIN` and `COMMIT` in the file.
    pub done_after: usize,
}

/// Groups the statements of a script into units; also returns the problems that prevent its execution.
pub fn units(
    text: &str,
    statements: &[Statement],
    dialect: Dialect,
    no_transaction: bool,
    file: &str,
) -> (Vec<Unit>, Vec<Finding>) {
    let classes: Vec<Class> = statements.iter().map(|statement| class(statement.sql(text), dialect)).collect();
    let mut findings = Vec::new();
    let has_transactions = classes.iter().any(|class| matches!(class, Class::Begin | Class::Commit | Class::Rollback));
    if has_transactions {
        findings.extend(balance(text, statements, &classes, file));
        if !findings.is_empty() {
            return (Vec::new(), findings);
        }
    }
    let enum_value = enum_value_in_use(text, statements, &classes, dialect);
    let commits = classes.iter().any(|class| matches!(class, Class::ImplicitCommit | Class::LockTables));
    let not_in_transaction = classes.iter().any(|class| matches!(class, Class::NotInTransaction(_)));
    let single = no_transaction || commits || enum_value.is_some() || not_in_transaction;
    let units = if has_transactions {
        transaction_units(&classes, dialect)
    } else if single {
        single_units(&classes, 0..classes.len())
    } else {
        between_settings(&classes)
    };
    if has_transactions && let Some((adds, uses)) = enum_value {
        let together = |unit: &Unit| unit.in_transaction && unit.statements.contains(&adds) && unit.statements.contains(&uses);
        if units.iter().any(together) {
            findings.push(
                Finding::error(&ENUM_VALUE_IN_USE, "a new enum value is used in the transaction that adds it")
                    .at(Place::range(file, text, statements[uses].range.clone()))
                    .help("remove `BEGIN` and `COMMIT`: the file then runs statement by statement")
                    .help("or use the value in a separate migration"),
            );
        }
    }
    (units, findings)
}

/// The transaction mode of a script with these units.
pub fn transaction_mode(units: &[Unit]) -> TransactionMode {
    let transactions = units.iter().filter(|unit| unit.in_transaction).count();
    if units.iter().any(|unit| unit.begin_statement.is_some()) {
        TransactionMode::Explicit
    } else if units.is_empty() || (transactions == 1 && units.len() <= 3) {
        TransactionMode::Wrapped
    } else {
        TransactionMode::None
    }
}

/// May a statement whose outcome is unknown run again without harm? False if in doubt.
pub fn is_idempotent(sql: &str, dialect: Dialect) -> bool {
    let tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint);
    let words = Words { sql, tokens: tokens.take(24).collect() };
    let repeatable = ["SET", "VACUUM", "ANALYZE", "REFRESH", "PRAGMA", "USE", "DEALLOCATE", "PREPARE"];
    let defines = words.is(0, &["CREATE", "DROP"]) && !words.has("CONCURRENTLY");
    let guarded = words.tokens.windows(2).any(|pair| {
        let replaces = pair[0].is_word(sql, "OR") && pair[1].is_word(sql, "REPLACE");
        let checks = pair[0].is_word(sql, "IF") && (pair[1].is_word(sql, "NOT") || pair[1].is_word(sql, "EXISTS"));
        replaces || checks
    });
    words.is(0, &repeatable) || (defines && guarded)
}

/// Can a statement that runs alone share a transaction with its checkpoint? Then its outcome is known even after a crash.
/// False if in doubt: a procedure may commit, and DDL on MySQL causes an implicit commit. In a file with
/// `-- migrate: no-transaction`, also false for statements that may need to run outside a transaction.
pub fn can_share_transaction(sql: &str, dialect: Dialect, no_transaction: bool) -> bool {
    let tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint);
    let words = Words { sql, tokens: tokens.take(24).collect() };
    let writes = ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "SELECT"];
    match (dialect, class(sql, dialect)) {
        // A block may commit, and a partitioned table is reindexed in a transaction for each partition.
        (Dialect::Postgres, Class::Plain) if no_transaction && words.is(0, &["DO", "REINDEX", "CALL", "ANALYZE", "REFRESH"]) => {
            false
        }
        (Dialect::Postgres, Class::Plain) => {
            let defines = [
                "MERGE", "COPY", "TRUNCATE", "CREATE", "ALTER", "DROP", "COMMENT", "GRANT", "REVOKE", "ANALYZE", "REFRESH",
                "REINDEX",
            ];
            // Before PostgreSQL 12, `ALTER TYPE ... ADD VALUE` could not run in a transaction.
            let adds_value = words.start(&["ALTER", "TYPE"]) && words.has("VALUE");
            let block = words.is(0, &["DO"]) && !sql.to_ascii_uppercase().contains("CALL");
            block || words.is(0, &writes) || (words.is(0, &defines) && !adds_value)
        }
        (Dialect::MySql, Class::Plain) => words.is(0, &writes),
        (Dialect::Sqlite, Class::Plain) => !words.is(0, &["PRAGMA"]),
        _ => false,
    }
}

/// A statement between `BEGIN` and `COMMIT` that cannot run in a transaction.
pub static CANNOT_RUN_IN_TRANSACTION: Code = Code::new(
    "cannot-run-in-transaction",
    "A statement between `BEGIN` and `COMMIT` cannot run in a transaction and would fail at run time. On PostgreSQL, such \
     statements are those with `CONCURRENTLY` (except `REFRESH`), `VACUUM`, `CREATE` and `DROP` of a database or tablespace, \
     `ALTER SYSTEM`, and a `DO` block that commits. On SQLite, they are `VACUUM` and `ATTACH`.\n\nRemove `BEGIN` and `COMMIT`. \
     The file then runs statement by statement, with a checkpoint after each, and resumes at the right statement after a crash. \
     Or move the statement into a separate migration, so that the others remain atomic.",
);

/// `BEGIN` without `COMMIT`, `COMMIT` without `BEGIN`, nested transactions, or `ROLLBACK`.
pub static UNBALANCED_TRANSACTION: Code = Code::new(
    "unbalanced-transaction",
    "`BEGIN` and `COMMIT` in a file must form pairs. Such a pair is the transaction that also commits the record of the \
     migration. A `COMMIT` without `BEGIN` would end the transaction of the migration early. With a `BEGIN` without `COMMIT`, or \
     inside another transaction, it is not clear what is atomic. After a `ROLLBACK`, the file would apply nothing. Write pairs, \
     or omit `BEGIN` and `COMMIT`: a file runs in one transaction by default.",
);

/// A new enum value that is used before it is committed.
pub static ENUM_VALUE_IN_USE: Code = Code::new(
    "enum-value-in-use",
    "PostgreSQL accepts `ALTER TYPE ... ADD VALUE` in a transaction, but rejects every use of the new value until that \
     transaction is committed (error 55P04, \"unsafe use of new value\"). A file that adds and uses a value between `BEGIN` \
          and `COMMIT` would therefore fail. \
     Without them, a file that adds and uses a value runs statement by statement.",
);

/// The effect of a statement on the surrounding transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Begin,
    Commit,
    Rollback,
    /// Can run in a transaction.
    Plain,
    /// SQLite: a setting that has no effect in a transaction, or fails there.
    Setting,
    /// Cannot run in a transaction; with the name of the statement for messages.
    NotInTransaction(&'static str),
    /// MySQL: causes an implicit commit before and after it.
    ImplicitCommit,
    /// MySQL: until `UNLOCK TABLES`, the session cannot write any other table, including the history tables.
    LockTables,
    UnlockTables,
}

struct Words<'a> {
    sql: &'a str,
    tokens: Vec<Token>,
}

impl Words<'_> {
    fn is(&self, at: usize, words: &[&str]) -> bool {
        let Some(token) = self.tokens.get(at) else { return false };
        words.iter().any(|word| token.is_word(self.sql, word))
    }

    fn start(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.is(at, &[word]))
    }

    fn has(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.is_word(self.sql, word))
    }
}

fn class(sql: &str, dialect: Dialect) -> Class {
    let tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint);
    let words = Words {
        sql,
        // The first words determine the class, except for `DO`, whose whole body is checked below.
        tokens: tokens.take(24).collect(),
    };
    if words.is(0, &["ROLLBACK", "ABORT"]) && !words.has("TO") {
        return Class::Rollback;
    }
    if words.is(0, &["COMMIT"]) || (words.is(0, &["END"]) && dialect != Dialect::MySql) {
        return Class::Commit;
    }
    if words.start(&["START", "TRANSACTION"]) || (words.is(0, &["BEGIN"]) && !words.is(1, &["NOT"])) {
        return Class::Begin;
    }
    match dialect {
        Dialect::Postgres => postgres(sql, &words),
        Dialect::MySql => mysql(&words),
        Dialect::Sqlite => sqlite(&words),
    }
}

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
    } else if words.is(0, &["CLUSTER"]) && words.tokens.len() == 1 {
        Class::NotInTransaction("CLUSTER without a table")
    } else if words.is(0, &["DO"]) && commits_inside(sql) {
        Class::NotInTransaction("a DO block that commits")
    } else {
        Class::Plain
    }
}

/// Does the body of a `DO` block contain `COMMIT` or `ROLLBACK` as a statement?
fn commits_inside(sql: &str) -> bool {
    let body = Tokens::new(sql, Dialect::Postgres).find(|token| token.kind == Kind::DollarText);
    let Some(body) = body else { return false };
    let body = body.text(sql);
    let fence = body[1..].find('$').map_or(body.len(), |at| at + 2);
    let body = body.get(fence..body.len().saturating_sub(fence)).unwrap_or_default();
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
        "SET",
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
    let executable_set = words.tokens.first().is_some_and(|token| {
        let text = token.text(words.sql).trim_start_matches("/*").trim_start_matches(['M', '!']);
        let text = text.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
        token.kind == Kind::Executable && text.get(..3).is_some_and(|word| word.eq_ignore_ascii_case("SET"))
    });
    if words.start(&["SET", "STATEMENT"]) {
        Class::ImplicitCommit
    } else if words.start(&["LOCK", "TABLES"]) || words.start(&["LOCK", "TABLE"]) {
        Class::LockTables
    } else if words.start(&["UNLOCK", "TABLES"]) || words.start(&["UNLOCK", "TABLE"]) {
        Class::UnlockTables
    } else if words.is(0, &plain) || temporary || executable_set {
        Class::Plain
    } else {
        Class::ImplicitCommit
    }
}

fn sqlite(words: &Words<'_>) -> Class {
    // In a transaction, these have no effect (`foreign_keys`) or fail.
    let settings = ["foreign_keys", "journal_mode", "synchronous", "page_size", "auto_vacuum", "wal_checkpoint", "locking_mode"];
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

/// Checks that `BEGIN` and `COMMIT` form pairs, with only statements between them that can run in a transaction.
fn balance(text: &str, statements: &[Statement], classes: &[Class], file: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut open: Option<usize> = None;
    let mut report = |code, at: usize, message: String, help: &[&str]| {
        let place = Place::range(file, text, statements[at].range.clone());
        let finding = Finding::error(code, message).at(place);
        findings.push(help.iter().fold(finding, |finding, help| finding.help(*help)));
    };
    for (at, class) in classes.iter().enumerate() {
        match (class, open) {
            (Class::Begin, Some(first)) => {
                let message = format!("this begins a transaction inside the one that begins on line {}", statements[first].line);
                report(&UNBALANCED_TRANSACTION, at, message, &["write `COMMIT` between them, or remove this one"]);
            }
            (Class::Begin, None) => open = Some(at),
            (Class::Commit, Some(_)) => open = None,
            (Class::Commit, None) => {
                let help = "remove it: a file runs in one transaction by default";
                report(&UNBALANCED_TRANSACTION, at, "this commits a transaction that the file does not begin".into(), &[help]);
            }
            (Class::Rollback, _) => {
                let help = "remove it: a migration that fails is rolled back automatically";
                report(&UNBALANCED_TRANSACTION, at, "this would roll back the migration".into(), &[help]);
                open = None;
            }
            (Class::NotInTransaction(what), Some(first)) => {
                let message = format!("{what} cannot run in the transaction that begins on line {}", statements[first].line);
                let help = [
                    "remove `BEGIN` and `COMMIT`: the file then runs statement by statement",
                    "or move this statement into a separate migration, so that the other statements still run in one \
                     transaction",
                ];
                report(&CANNOT_RUN_IN_TRANSACTION, at, message, &help);
            }
            _ => {}
        }
    }
    if let Some(first) = open {
        let help = "write `COMMIT` at the end, or remove this `BEGIN`";
        report(&UNBALANCED_TRANSACTION, first, "this begins a transaction that the file does not commit".into(), &[help]);
    }
    findings
}

/// One unit for each transaction in the file; the statements between them run alone.
fn transaction_units(classes: &[Class], dialect: Dialect) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut at = 0;
    while at < classes.len() {
        if classes[at] != Class::Begin {
            let until = classes[at..].iter().position(|class| *class == Class::Begin).map_or(classes.len(), |n| at + n);
            units.extend(single_units(classes, at..until));
            at = until;
            continue;
        }
        let length = classes[at..].iter().position(|class| *class == Class::Commit).unwrap_or(classes.len() - at - 1);
        let inner = at + 1..at + length;
        let commits = |class: &Class| matches!(class, Class::ImplicitCommit | Class::LockTables | Class::UnlockTables);
        if dialect == Dialect::MySql && classes[inner.clone()].iter().any(commits) {
            // The first such statement commits the transaction implicitly, so the statements run alone.
            units.extend(single_units(classes, inner));
            if let Some(last) = units.last_mut() {
                last.done_after = at + length + 1;
            }
        } else {
            units.push(Unit { in_transaction: true, begin_statement: Some(at), statements: inner, done_after: at + length + 1 });
        }
        at += length + 1;
    }
    units
}

/// One unit for each statement; `LOCK TABLES` to `UNLOCK TABLES` is also one unit.
fn single_units(classes: &[Class], range: Range<usize>) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let unlock = classes[at..range.end].iter().position(|class| *class == Class::UnlockTables);
        let length = match (classes[at], unlock) {
            (Class::LockTables, Some(length)) => length + 1,
            (Class::LockTables, None) => range.end - at,
            _ => 1,
        };
        units.push(Unit { in_transaction: false, begin_statement: None, statements: at..at + length, done_after: at + length });
        at += length;
    }
    units
}

/// One transaction for all statements, split at the SQLite settings, which must run outside a transaction.
fn between_settings(classes: &[Class]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (at, class) in classes.iter().enumerate() {
        let in_transaction = *class != Class::Setting;
        match units.last_mut() {
            Some(last) if last.in_transaction && in_transaction => {
                last.statements.end = at + 1;
                last.done_after = at + 1;
            }
            _ => units.push(Unit { in_transaction, begin_statement: None, statements: at..at + 1, done_after: at + 1 }),
        }
    }
    units
}

/// The statement that adds an enum value, and a later one that contains the same text in a string.
fn enum_value_in_use(text: &str, statements: &[Statement], classes: &[Class], dialect: Dialect) -> Option<(usize, usize)> {
    if dialect != Dialect::Postgres {
        return None;
    }
    let added_value = |statement: &Statement| {
        let sql = statement.sql(text);
        let mut tokens = Tokens::new(sql, dialect).filter(|token| !token.is_blank());
        let alters = tokens.next()?.is_word(sql, "ALTER") && tokens.next()?.is_word(sql, "TYPE");
        let adds = alters && tokens.any(|token| token.is_word(sql, "VALUE"));
        let value = tokens.find(|token| token.kind == Kind::Text);
        value.filter(|_| adds && !sql.to_ascii_uppercase().contains("RENAME VALUE")).map(|token| token.text(sql))
    };
    let uses = |statement: &Statement, value: &str| {
        let sql = statement.sql(text);
        let plain = Tokens::new(sql, dialect).any(|token| token.kind == Kind::Text && token.text(sql) == value);
        let body = Tokens::new(sql, dialect).any(|token| token.kind == Kind::DollarText && token.text(sql).contains(value));
        plain || body
    };
    statements.iter().enumerate().filter(|(at, _)| classes[*at] == Class::Plain).find_map(|(at, statement)| {
        let value = added_value(statement)?;
        let later = statements.iter().enumerate().skip(at + 1);
        let mut later = later.filter(|(_, statement)| added_value(statement).is_none() && uses(statement, value));
        later.next().map(|(user, _)| (at, user))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::split;

    /// `[1 2] 3`: statements 1 and 2 in a transaction, 3 alone; with `own` for a transaction that the file contains.
    fn outline(dialect: Dialect, text: &str) -> String {
        let (statements, _) = split(text, dialect, "f.sql");
        let (units, findings) = units(text, &statements, dialect, false, "f.sql");
        assert_eq!(findings, [], "{text}");
        let show = |unit: &Unit| {
            let each: Vec<String> = unit.statements.clone().map(|at| (at + 1).to_string()).collect();
            let numbers = each.join(" ");
            match (unit.in_transaction, unit.begin_statement) {
                (true, None) => format!("[{numbers}]"),
                (true, Some(_)) => format!("own[{numbers}]"),
                (false, _) => numbers,
            }
        };
        let parts: Vec<String> = units.iter().map(show).collect();
        format!("{}; {}", parts.join(", "), transaction_mode(&units))
    }

    fn refused(dialect: Dialect, text: &str) -> Vec<(&'static str, String)> {
        let (statements, _) = split(text, dialect, "f.sql");
        let (_, findings) = units(text, &statements, dialect, false, "f.sql");
        findings.iter().map(|finding| (finding.code.name, finding.place.as_ref().unwrap().label())).collect()
    }

    #[test]
    fn postgres() {
        let outline = |text: &str| outline(Dialect::Postgres, text);
        assert_eq!(outline("CREATE TABLE t(); ALTER TABLE t ADD a int;"), "[1 2]; in a transaction");
        assert_eq!(outline(""), "; in a transaction");
        for never in [
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            "DROP INDEX CONCURRENTLY i",
            "REINDEX (VERBOSE) TABLE CONCURRENTLY t",
            "REINDEX DATABASE d",
            "VACUUM t",
            "CREATE DATABASE d",
            "ALTER SYSTEM SET a = 1",
            "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
            "DO $x$ BEGIN LOOP UPDATE t SET a = 1; COMMIT; END LOOP; END $x$",
            "CLUSTER",
        ] {
            assert_eq!(outline(&format!("{never}; SELECT 1;")), "1, 2; outside a transaction", "{never}");
        }
        for may in [
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "DO $$ BEGIN RAISE NOTICE 'COMMIT;'; END $$",
            "CREATE INDEX i ON t (a)",
            "CLUSTER t USING i",
            "SAVEPOINT a; ROLLBACK TO SAVEPOINT a",
            "ALTER TYPE e ADD VALUE 'x'; CREATE TABLE t (a e DEFAULT 'y')",
            "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
        ] {
            assert!(outline(may).ends_with("in a transaction"), "{may}");
        }
    }

    #[test]
    fn what_joins_its_mark() {
        let joins = |dialect: Dialect, sql: &str| can_share_transaction(sql, dialect, false);
        for sql in ["INSERT INTO t VALUES (1)", "UPDATE t SET a = 1", "WITH x AS (SELECT 1) DELETE FROM t"] {
            assert!(Dialect::ALL.into_iter().all(|dialect| joins(dialect, sql)), "{sql}");
        }
        for (sql, postgres, mysql, sqlite) in [
            ("CREATE TABLE t (a int)", true, false, true),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", false, false, true),
            ("ALTER TYPE e ADD VALUE 'x'", false, false, true),
            ("CALL p()", false, false, true),
            ("DO $$ BEGIN UPDATE t SET a = 1; END $$", true, false, true),
            ("DO $$ BEGIN CALL p(); END $$", false, false, true),
            ("VACUUM", false, false, false),
            ("PRAGMA user_version = 1", false, false, false),
            ("LOCK TABLES t WRITE", false, false, true),
        ] {
            assert_eq!(joins(Dialect::Postgres, sql), postgres, "PostgreSQL: {sql}");
            assert_eq!(joins(Dialect::MySql, sql), mysql, "MySQL: {sql}");
            assert_eq!(joins(Dialect::Sqlite, sql), sqlite, "SQLite: {sql}");
        }
    }

    #[test]
    fn a_new_enum_value_is_committed_before_it_is_used() {
        let file = "ALTER TYPE e ADD VALUE IF NOT EXISTS 'x' AFTER 'y'; UPDATE t SET a = 'x';";
        assert_eq!(outline(Dialect::Postgres, file), "1, 2; outside a transaction");
        assert_eq!(refused(Dialect::Postgres, &format!("BEGIN; {file} COMMIT;")), [("enum-value-in-use", "f.sql:1:60".into())]);
    }

    #[test]
    fn own_transactions() {
        assert_eq!(outline(Dialect::Postgres, "BEGIN; SELECT 1; SELECT 2; COMMIT;"), "own[2 3]; in its own transaction");
        assert_eq!(
            outline(Dialect::Postgres, "SET x = 1; START TRANSACTION; SELECT 1; END; VACUUM;"),
            "1, own[3], 5; in its own transaction"
        );
        assert_eq!(
            outline(Dialect::Sqlite, "PRAGMA foreign_keys=OFF; BEGIN; SELECT 1; COMMIT; PRAGMA foreign_keys=ON;"),
            "1, own[3], 5; in its own transaction"
        );
        assert_eq!(outline(Dialect::MySql, "BEGIN; INSERT INTO t VALUES (1); COMMIT;"), "own[2]; in its own transaction");
        assert_eq!(
            outline(Dialect::MySql, "BEGIN; INSERT INTO t VALUES (1); DROP TABLE u; COMMIT;"),
            "2, 3; outside a transaction"
        );
    }

    #[test]
    fn what_cannot_be_mixed() {
        assert_eq!(
            refused(Dialect::Postgres, "BEGIN;\nCREATE INDEX CONCURRENTLY i ON t (a);\nCOMMIT;"),
            [("cannot-run-in-transaction", "f.sql:2:1".into())]
        );
        assert_eq!(refused(Dialect::Sqlite, "BEGIN; VACUUM; COMMIT;")[0].0, "cannot-run-in-transaction");
        for text in ["COMMIT;", "BEGIN; SELECT 1;", "BEGIN; BEGIN; COMMIT;", "BEGIN; SELECT 1; ROLLBACK;", "ROLLBACK;"] {
            for dialect in Dialect::ALL {
                assert_eq!(refused(dialect, text)[0].0, "unbalanced-transaction", "{text}");
            }
        }
    }

    #[test]
    fn mysql() {
        let outline = |text: &str| outline(Dialect::MySql, text);
        assert_eq!(outline("INSERT INTO t VALUES (1); UPDATE t SET a = 2;"), "[1 2]; in a transaction");
        assert_eq!(outline("CREATE TABLE t (a int); INSERT INTO t VALUES (1);"), "1, 2; outside a transaction");
        assert_eq!(outline("PREPARE s FROM @x; EXECUTE s; DEALLOCATE PREPARE s;"), "1, 2, 3; outside a transaction");
        assert_eq!(outline("/*!40101 SET NAMES utf8 */; INSERT INTO t VALUES (1);"), "[1 2]; in a transaction");
        assert_eq!(outline("CREATE TEMPORARY TABLE x (a int); INSERT INTO x VALUES (1);"), "[1 2]; in a transaction");
        assert_eq!(
            outline("LOCK TABLES t WRITE; INSERT INTO t VALUES (1); UNLOCK TABLES; SELECT 1;"),
            "1 2 3, 4; outside a transaction"
        );
    }

    #[test]
    fn sqlite() {
        let outline = |text: &str| outline(Dialect::Sqlite, text);
        assert_eq!(outline("CREATE TABLE t (a); PRAGMA table_info(t);"), "[1 2]; in a transaction");
        assert_eq!(
            outline("PRAGMA foreign_keys=OFF; SELECT 1; SELECT 2; PRAGMA foreign_keys=ON;"),
            "1, [2 3], 4; in a transaction"
        );
        assert_eq!(outline("SELECT 1; VACUUM;"), "1, 2; outside a transaction");
    }
}
