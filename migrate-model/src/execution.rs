//! How a file runs: groups its statements into units, each of which executes completely or not at all.
//!
//! A unit is either a transaction, which also commits its checkpoint, or a statement that runs alone. A plain file is one
//! transaction. If a statement cannot run in a transaction, each statement of the file is a unit. `BEGIN ... COMMIT` in the
//! file is a transaction unit.

use crate::assignment::set_statement;
use crate::code::Code;
use crate::dialect::Dialect;
use crate::do_block::{self, DoBlock};
use crate::enum_value::{self, ENUM_VALUE_IN_USE, EnumValueUse, Use};
use crate::finding::Finding;
use crate::finding_list::FindingList;
use crate::place::SourceText;
use crate::reader;
use crate::savepoint::{self, SavepointCommand};
use crate::session_effect;
use crate::statement::Statement;
use crate::syntax::Syntax;
use crate::transaction_class::{Class, Words, class};
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
    source: &SourceText<'_>,
    statements: &[Statement],
    dialect: Dialect,
    no_transaction: bool,
) -> (Vec<Unit>, FindingList) {
    let text = source.text();
    let classes: Vec<Class> = statements.iter().map(|statement| class(statement.sql(text), dialect)).collect();
    let enum_value = if dialect == Dialect::Postgres { enum_value::first_use(text, statements) } else { None };
    let commits = |class: &Class| matches!(class, Class::ImplicitCommit | Class::LockTables | Class::NotInTransaction(_));
    let single = no_transaction || enum_value.is_some() || classes.iter().any(commits);
    let controls = |class: &Class| {
        matches!(
            class,
            Class::Begin | Class::Commit | Class::CommitAndChain | Class::Rollback | Class::AutocommitOff | Class::Refused(_)
        )
    };
    let wrapped = !single && !classes.iter().any(controls);
    if wrapped {
        return (between_settings(&classes), FindingList::default());
    }
    let mut findings = balance(source, statements, &classes, single);
    findings.extend(savepoints_outside(source, statements, &classes, dialect));
    if !findings.is_empty() {
        return (Vec::new(), findings);
    }
    let units = transaction_units(&classes, dialect);
    let units = if dialect == Dialect::Sqlite { join_savepoints(units, text, statements) } else { units };
    if let Some(EnumValueUse { adds, uses, how: Use::Value }) = enum_value {
        let together = |unit: &Unit| unit.in_transaction && unit.statements.contains(&adds) && unit.statements.contains(&uses);
        if units.iter().any(together) {
            findings.push(
                Finding::error(&ENUM_VALUE_IN_USE, "a new enum value is used in the transaction that adds it")
                    .at(source.place(statements[uses].range.clone()))
                    .help("remove `BEGIN` and `COMMIT`: the file then runs statement by statement")
                    .help("or use the value in a separate migration"),
            );
        }
    }
    (units, findings)
}

/// Can a statement be done without its checkpoint, so that its outcome is unknown after an interruption? On SQLite, only one that
/// may run again.
pub fn outcome_may_be_unknown(dialect: Dialect) -> bool {
    dialect != Dialect::Sqlite
}

/// The transaction mode of a script with these units.
pub fn transaction_mode(text: &str, statements: &[Statement], units: &[Unit]) -> TransactionMode {
    let transactions = units.iter().filter(|unit| unit.in_transaction).count();
    // Settings around the only transaction leave the script atomic.
    let sets = |at: usize| {
        let sql = statements.get(at).map_or("", |statement| statement.sql(text));
        let sql = sql.trim_start_matches(|first: char| "/*!M ".contains(first) || first.is_ascii_digit());
        ["SET", "PRAGMA"].iter().any(|start| sql.get(..start.len()).is_some_and(|first| first.eq_ignore_ascii_case(start)))
    };
    let only_sets = |unit: &Unit| unit.in_transaction || unit.statements.clone().all(sets);
    if units.iter().any(|unit| unit.begin_statement.is_some()) {
        TransactionMode::Explicit
    } else if units.is_empty() || (transactions == 1 && units.iter().all(only_sets)) {
        TransactionMode::Wrapped
    } else {
        TransactionMode::None
    }
}

/// May a statement whose outcome is unknown run again without harm? False if in doubt.
pub fn is_idempotent(sql: &str, dialect: Dialect) -> bool {
    let sql = set_statement::executed(sql, dialect);
    let words = Words::first(sql, dialect);
    // `SET @x = f()` may write, and so may `ANALYZE UPDATE ...` of MariaDB.
    let is_setting = words.is(0, &["SET"]) && session_effect::is_setting(sql, dialect);
    let analyzes = words.is(0, &["ANALYZE"]) && (dialect != Dialect::MySql || words.is(1, &["TABLE"]) || words.is(2, &["TABLE"]));
    let repeatable = ["VACUUM", "REFRESH", "PRAGMA", "USE", "DEALLOCATE", "PREPARE"];
    let defines = words.is(0, &["CREATE", "DROP"]) && !words.has("CONCURRENTLY");
    let guarded = words.tokens.windows(2).any(|pair| {
        let replaces = pair[0].is_word(sql, "OR") && pair[1].is_word(sql, "REPLACE");
        let checks = pair[0].is_word(sql, "IF") && (pair[1].is_word(sql, "NOT") || pair[1].is_word(sql, "EXISTS"));
        replaces || checks
    });
    // With IF NOT EXISTS, a second run would not fill a table that the first has created; and the query may call a function that
    // writes.
    let fills = dialect == Dialect::MySql && words.is(0, &["CREATE"]) && is_filled(sql);
    // The backend continues from what the first run has left.
    let continues = dialect == Dialect::Postgres
        && (words.is(0, &["REINDEX"]) || words.is(0, &["ALTER"]) && words.has("DETACH") && words.has("CONCURRENTLY"));
    is_setting || analyzes || continues || words.is(0, &repeatable) || (defines && guarded && !fills)
}

/// Does a `CREATE TABLE` of MySQL fill its table from a query?
fn is_filled(sql: &str) -> bool {
    matches!(reader::read(sql, Dialect::MySql), Syntax::CreateTable(table) if table.as_query)
}

/// Can a statement that runs alone share a transaction with its checkpoint? Then its outcome is known even after a crash.
/// False if in doubt: a procedure may commit, and DDL on MySQL causes an implicit commit. In a file with
/// `-- migrate: no-transaction`, also false for statements that may need to run outside a transaction.
pub fn can_share_transaction(sql: &str, dialect: Dialect, no_transaction: bool) -> bool {
    let sql = set_statement::executed(sql, dialect);
    let words = Words::first(sql, dialect);
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
            let is_plain_block = |block: DoBlock<'_>| block.is_plpgsql && !block.body.to_ascii_uppercase().contains("CALL");
            let block = words.is(0, &["DO"]) && do_block::read(sql, Dialect::Postgres).is_some_and(is_plain_block);
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
    "A statement between `BEGIN` and `COMMIT` cannot run in a transaction and would fail at run time. On PostgreSQL, such statements include those with `CONCURRENTLY` (except `REFRESH`), `VACUUM`, `CREATE` and \
     `DROP` of a database or tablespace, `ALTER SYSTEM`, and a `DO` block that commits. On SQLite, they are `VACUUM`, \
     `ATTACH` and `DETACH`.\n\nRemove `BEGIN` and `COMMIT`. \
     The file then runs statement by statement. The history records each completed statement, so that the migration resumes at the right statement after a crash. \
     Alternatively, move the statement into a separate migration, so that the other statements remain atomic.",
);

/// `BEGIN` without `COMMIT`, `COMMIT` without `BEGIN`, nested transactions, or `ROLLBACK`.
pub static UNBALANCED_TRANSACTION: Code = Code::new(
    "unbalanced-transaction",
    "`BEGIN` and `COMMIT` in a file must form pairs, because the completed statements are recorded in the history in the same transaction. A `COMMIT` without `BEGIN` would end the transaction of the migration early. If a `BEGIN` has no \
     `COMMIT`, or is inside another transaction, it is unclear which statements are atomic. After a `ROLLBACK`, the file would apply nothing. Write pairs, \
     or omit `BEGIN` and `COMMIT`: a file runs in one transaction by default.",
);

/// Where a script is with its transactions while `balance` reads it.
#[derive(Default)]
struct OpenTransaction {
    /// The `BEGIN`, as an index into the statements.
    begin: Option<usize>,
    /// MySQL: the statement that has disabled autocommit.
    without_autocommit: Option<usize>,
    /// MySQL: a statement that no `COMMIT` has followed yet, while autocommit is off.
    uncommitted: Option<usize>,
}

/// Checks that `BEGIN` and `COMMIT` form pairs, with only statements between them that can run in a transaction. `single`: does
/// each statement outside them run alone?
fn balance(source: &SourceText<'_>, statements: &[Statement], classes: &[Class], single: bool) -> FindingList {
    let mut findings = FindingList::default();
    let mut open = OpenTransaction::default();
    let mut report = |code, at: usize, message: String, help: &[&str]| {
        let place = source.place(statements[at].range.clone());
        let finding = Finding::error(code, message).at(place);
        findings.push(help.iter().fold(finding, |finding, help| finding.help(*help)));
    };
    for (at, class) in classes.iter().enumerate() {
        if let Some((code, message, help)) = imbalance(*class, &open, statements, single) {
            report(code, at, message, help);
        }
        follow(&mut open, at, *class, statements[at].sql(source.text()));
    }
    if let Some(first) = open.begin {
        let help = "write `COMMIT` at the end, or remove this `BEGIN`";
        report(&UNBALANCED_TRANSACTION, first, "this begins a transaction that the file does not commit".into(), &[help]);
    }
    if let Some(last) = open.uncommitted {
        let message = "autocommit is off, and the file does not commit this statement";
        report(&UNBALANCED_TRANSACTION, last, message.into(), &["write `COMMIT` after it"]);
    }
    findings
}

/// What is wrong with a statement of this class here.
fn imbalance(
    class: Class,
    open: &OpenTransaction,
    statements: &[Statement],
    single: bool,
) -> Option<(&'static Code, String, &'static [&'static str])> {
    match (class, open.begin) {
        (Class::Begin, Some(first)) => {
            let message = format!("this begins a transaction inside the one that begins on line {}", statements[first].line);
            Some((&UNBALANCED_TRANSACTION, message, &["write `COMMIT` before this statement, or remove this statement"]))
        }
        (Class::Commit | Class::CommitAndChain, None) if open.without_autocommit.is_none() => {
            let help: &[&str] = if single {
                &["remove it: this file runs statement by statement, and each statement is its own transaction"]
            } else {
                &["remove it: a file runs in one transaction by default"]
            };
            Some((&UNBALANCED_TRANSACTION, "this commits a transaction that the file does not begin".into(), help))
        }
        (Class::Rollback, _) => {
            let help = &["remove it: a migration that fails is rolled back automatically"];
            Some((&UNBALANCED_TRANSACTION, "this statement would roll back the migration".into(), help))
        }
        (Class::Refused(refusal), _) => Some((&UNBALANCED_TRANSACTION, refusal.message.into(), refusal.help)),
        (Class::NotInTransaction(what), Some(first)) => {
            let message = format!("{what} cannot run in the transaction that begins on line {}", statements[first].line);
            let help = &[
                "remove `BEGIN` and `COMMIT`: the file then runs statement by statement",
                "or move this statement into a separate migration, so that the other statements still run in one transaction",
            ];
            Some((&CANNOT_RUN_IN_TRANSACTION, message, help))
        }
        _ => None,
    }
}

/// Follows the transaction over a statement.
fn follow(open: &mut OpenTransaction, at: usize, class: Class, sql: &str) {
    // `CALL` and the like run alone, but do not commit what they have done.
    let writes = ["INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "CALL", "EXECUTE", "LOAD", "DO"];
    let is_write = || writes.iter().any(|word| sql.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
    match class {
        Class::Begin => (open.begin, open.uncommitted) = (Some(at), None),
        Class::Commit | Class::Rollback => (open.begin, open.uncommitted) = (None, None),
        Class::CommitAndChain => open.uncommitted = None,
        Class::AutocommitOff => open.without_autocommit = Some(at),
        Class::AutocommitOn => (open.without_autocommit, open.uncommitted) = (None, None),
        _ if open.without_autocommit.is_some() && open.begin.is_none() && is_write() => open.uncommitted = Some(at),
        Class::ImplicitCommit | Class::LockTables | Class::UnlockTables => open.uncommitted = None,
        _ => {}
    }
}

/// One unit for each transaction in the file; the statements between them run alone. While autocommit of MySQL is off, each
/// group of statements up to a `COMMIT` or an implicit commit is a transaction.
fn transaction_units(classes: &[Class], dialect: Dialect) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    let mut implicit = false;
    let mut at = 0;
    while at < classes.len() {
        let start = at;
        at = match classes[at] {
            Class::Begin => explicit_transaction(&mut units, classes, at, dialect),
            // What it commits is in the unit before it.
            Class::Commit | Class::CommitAndChain => {
                if let Some(last) = units.last_mut() {
                    last.done_after = at + 1;
                }
                at + 1
            }
            Class::Plain if implicit => {
                let end = at + classes[at..].iter().take_while(|class| **class == Class::Plain).count();
                units.push(Unit { in_transaction: true, begin_statement: None, statements: at..end, done_after: end });
                end
            }
            _ => {
                let unit = single_unit(classes, at..classes.len());
                let end = unit.done_after;
                units.push(unit);
                end
            }
        };
        let switch = classes[start..at].iter().rfind(|class| matches!(class, Class::AutocommitOff | Class::AutocommitOn));
        implicit = switch.map_or(implicit, |switch| *switch == Class::AutocommitOff);
    }
    units
}

/// Savepoints outside a transaction: PostgreSQL rejects them, and on SQLite the outermost one begins a transaction, which the
/// file must release.
fn savepoints_outside(source: &SourceText<'_>, statements: &[Statement], classes: &[Class], dialect: Dialect) -> Option<Finding> {
    let text = source.text();
    let mut open = OpenTransaction::default();
    let mut at = 0;
    while at < classes.len() {
        let sql = statements[at].sql(text);
        let finding = |message: &str, help: &str| {
            let place = source.place(statements[at].range.clone());
            Some(Finding::error(&UNBALANCED_TRANSACTION, message).at(place).help(help))
        };
        let outside = open.begin.is_none() && SavepointCommand::of_statement(sql, dialect).is_some();
        match dialect {
            Dialect::Postgres if outside => {
                return finding(
                    "a savepoint needs a transaction, but this statement runs outside a transaction",
                    "write `BEGIN` before it and `COMMIT` after its `RELEASE`",
                );
            }
            Dialect::Sqlite if outside => match savepoint::transaction_of(text, statements, at) {
                Some(Ok(range)) => at = range.end - 1,
                Some(Err(_)) => {
                    return finding(
                        "this savepoint begins a transaction, and the file does not release the savepoint",
                        "write `RELEASE` with the name of this savepoint at the end",
                    );
                }
                None => {}
            },
            _ => {}
        }
        follow(&mut open, at, classes[at], sql);
        at += 1;
    }
    None
}

/// SQLite: joins the units from an outermost `SAVEPOINT` to its `RELEASE`, which are one transaction.
fn join_savepoints(units: Vec<Unit>, text: &str, statements: &[Statement]) -> Vec<Unit> {
    let mut joined: Vec<Unit> = Vec::new();
    for unit in units {
        if joined.last().is_some_and(|last| unit.statements.start < last.statements.end) {
            continue;
        }
        let begins = if unit.in_transaction { None } else { savepoint::transaction_of(text, statements, unit.statements.start) };
        joined.push(match begins {
            Some(Ok(range)) => Unit { in_transaction: true, begin_statement: None, done_after: range.end, statements: range },
            _ => unit,
        });
    }
    joined
}

/// Adds the units of the transaction that begins at `begin`, and of those that `COMMIT AND CHAIN` begins after it. Returns the
/// index of the statement after it.
fn explicit_transaction(units: &mut Vec<Unit>, classes: &[Class], begin: usize, dialect: Dialect) -> usize {
    let ends = |class: &Class| matches!(class, Class::Commit | Class::CommitAndChain);
    let commits = |class: &Class| {
        let implicit = [Class::ImplicitCommit, Class::LockTables, Class::UnlockTables, Class::AutocommitOff, Class::AutocommitOn];
        dialect == Dialect::MySql && implicit.contains(class)
    };
    let mut start = begin + 1;
    loop {
        let end = classes[start..].iter().position(ends).map_or(classes.len() - 1, |length| start + length);
        let inner = start..end;
        if classes[inner.clone()].iter().any(commits) {
            // The first such statement commits the transaction implicitly, so the statements run alone.
            units.extend(single_units(classes, inner));
            if let Some(last) = units.last_mut() {
                last.done_after = end + 1;
            }
        } else {
            units.push(Unit { in_transaction: true, begin_statement: Some(begin), statements: inner, done_after: end + 1 });
        }
        if classes[end] != Class::CommitAndChain {
            return end + 1;
        }
        start = end + 1;
    }
}

/// One unit for each statement; `LOCK TABLES` to `UNLOCK TABLES` is also one unit.
fn single_units(classes: &[Class], range: Range<usize>) -> Vec<Unit> {
    let mut units = Vec::new();
    let mut at = range.start;
    while at < range.end {
        let unit = single_unit(classes, at..range.end);
        at = unit.done_after;
        units.push(unit);
    }
    units
}

/// The first unit of a range whose statements run alone.
fn single_unit(classes: &[Class], range: Range<usize>) -> Unit {
    let mut end = range.start + 1;
    if classes[range.start] == Class::LockTables {
        // `BEGIN` unlocks, too.
        let unlock = classes[range.clone()].iter().position(|class| matches!(class, Class::UnlockTables | Class::Begin));
        end = unlock.map_or(range.end, |length| range.start + length);
        end += usize::from(classes.get(end) == Some(&Class::UnlockTables) && end < range.end);
    }
    Unit { in_transaction: false, begin_statement: None, statements: range.start..end, done_after: end }
}

/// One transaction for all statements, split at the settings that must run outside a transaction.
fn between_settings(classes: &[Class]) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (at, class) in classes.iter().enumerate() {
        let in_transaction = !matches!(class, Class::Setting | Class::AutocommitOn);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statement::split;

    /// `[1 2] 3`: statements 1 and 2 in a transaction, 3 alone; with `own` for a transaction that the file contains.
    fn outline(dialect: Dialect, text: &str) -> String {
        let (statements, _) = split(text, dialect, "f.sql");
        let (units, findings) = units(&SourceText::new("f.sql", text), &statements, dialect, false);
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
        format!("{}; {}", parts.join(", "), transaction_mode(text, &statements, &units))
    }

    fn refused(dialect: Dialect, text: &str) -> Vec<(&'static str, String)> {
        let (statements, _) = split(text, dialect, "f.sql");
        let (_, findings) = units(&SourceText::new("f.sql", text), &statements, dialect, false);
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
            "DO LANGUAGE 'plpgsql' $$ BEGIN COMMIT; END $$",
            "DO LANGUAGE \"plpgsql\" 'BEGIN COMMIT; END'",
            "DO $$ BEGIN COMMIT; END $$ LANGUAGE 'plpgsql'",
            "DO LANGUAGE plpython3u $$plpy.commit()$$",
            "DO E'BEGIN\\nCOMMIT; END'",
            "DO $x$ BEGIN LOOP UPDATE t SET a = 1; COMMIT; END LOOP; END $x$",
            "CLUSTER",
            "CLUSTER VERBOSE",
            "CLUSTER (VERBOSE)",
        ] {
            assert_eq!(outline(&format!("{never}; SELECT 1;")), "1, 2; outside a transaction", "{never}");
        }
        for may in [
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "DO $$ BEGIN RAISE NOTICE 'COMMIT;'; END $$",
            "CREATE INDEX i ON t (a)",
            "CLUSTER t USING i",
            "CLUSTER (VERBOSE) t",
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
    fn chained_transactions() {
        for dialect in [Dialect::Postgres, Dialect::MySql] {
            assert_eq!(
                outline(dialect, "BEGIN; SELECT 1; COMMIT AND CHAIN; SELECT 2; COMMIT AND NO CHAIN; SELECT 3;"),
                "own[2], own[4], 6; in its own transaction"
            );
            assert_eq!(refused(dialect, "BEGIN; SELECT 1; COMMIT AND CHAIN; SELECT 2;")[0].0, "unbalanced-transaction");
        }
    }

    #[test]
    fn transactions_without_autocommit() {
        let outline = |text: &str| outline(Dialect::MySql, text);
        assert_eq!(
            outline("CREATE TABLE t (id int); set autocommit=0; INSERT INTO t VALUES (1); commit;"),
            "1, 2, [3]; outside a transaction"
        );
        assert_eq!(outline("SET autocommit=0; INSERT INTO t VALUES (1); COMMIT;"), "1, [2]; in a transaction");
        assert_eq!(
            outline(
                "SET autocommit=0; DELETE FROM t; DROP TABLE u; DELETE FROM v; DELETE FROM w; COMMIT; SET autocommit=1; DELETE FROM x;"
            ),
            "1, [2], 3, [4 5], 7, 8; outside a transaction"
        );
        assert_eq!(
            outline("SET autocommit=0; START TRANSACTION; DELETE FROM t; COMMIT; DELETE FROM u; SET autocommit=@old;"),
            "1, own[3], [5], 6; in its own transaction"
        );
        assert_eq!(
            outline(
                "LOCK TABLES t WRITE; set autocommit=0; INSERT INTO t VALUES (1); UNLOCK TABLES; commit; DELETE FROM t; COMMIT;"
            ),
            "1 2 3 4, [6]; outside a transaction"
        );
        assert_eq!(outline("SET autocommit=1; INSERT INTO t VALUES (1); DELETE FROM t;"), "1, [2 3]; in a transaction");
        for text in ["SET autocommit=0; INSERT INTO t VALUES (1);", "SET autocommit=0; CALL p();"] {
            assert_eq!(refused(Dialect::MySql, text), [("unbalanced-transaction", "f.sql:1:19".into())], "{text}");
        }
        let last = "SET autocommit=0; INSERT INTO t VALUES (1); COMMIT; SET foreign_key_checks=1; SELECT 1;";
        assert_eq!(refused(Dialect::MySql, last), []);
    }

    #[test]
    fn settings_of_the_next_transaction() {
        let outline = |text: &str| outline(Dialect::MySql, text);
        assert_eq!(
            outline("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; INSERT INTO t VALUES (1); DELETE FROM t;"),
            "1, [2 3]; in a transaction"
        );
        assert_eq!(outline("SET SESSION sql_log_bin = 0; INSERT INTO t VALUES (1);"), "1, [2]; in a transaction");
    }

    #[test]
    fn what_ends_the_transaction_of_the_migration_is_refused() {
        for (dialect, text) in [
            (Dialect::Postgres, "INSERT INTO t VALUES (1); PREPARE TRANSACTION 'x';"),
            (Dialect::MySql, "XA START 'x'; INSERT INTO t VALUES (1); XA END 'x'; XA COMMIT 'x' ONE PHASE;"),
            (Dialect::MySql, "BEGIN; INSERT INTO t VALUES (1); COMMIT RELEASE;"),
        ] {
            assert_eq!(refused(dialect, text)[0].0, "unbalanced-transaction", "{text}");
        }
        assert_eq!(outline(Dialect::Postgres, "COMMIT PREPARED 'x'; SELECT 1;"), "1, 2; outside a transaction");
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
    fn savepoints_outside_transactions() {
        let outline = |text: &str| outline(Dialect::Sqlite, text);
        assert_eq!(
            outline("VACUUM; SAVEPOINT a; SELECT 1; SAVEPOINT b; SELECT 2; RELEASE b; ROLLBACK TO a; RELEASE a; SELECT 3;"),
            "1, [2 3 4 5 6 7 8], 9; outside a transaction"
        );
        assert_eq!(outline("SAVEPOINT a; SELECT 1; RELEASE a;"), "[1 2 3]; in a transaction");
        assert_eq!(outline("BEGIN; SAVEPOINT a; RELEASE a; COMMIT;"), "own[2 3]; in its own transaction");
        let left = "VACUUM; SAVEPOINT a; SAVEPOINT b; RELEASE b;";
        assert_eq!(refused(Dialect::Sqlite, left), [("unbalanced-transaction", "f.sql:1:9".into())]);
        let outside = "CREATE INDEX CONCURRENTLY i ON t (a); SAVEPOINT a; RELEASE a;";
        assert_eq!(refused(Dialect::Postgres, outside), [("unbalanced-transaction", "f.sql:1:39".into())]);
        let inside = "VACUUM; BEGIN; SAVEPOINT a; RELEASE a; COMMIT;";
        assert_eq!(refused(Dialect::Postgres, inside), []);
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
        assert_eq!(
            outline("FLUSH TABLES t WITH READ LOCK; SELECT COUNT(*) FROM t; UNLOCK TABLES; INSERT INTO t VALUES (2);"),
            "1 2 3, 4; outside a transaction"
        );
        assert_eq!(
            outline("DELIMITER $$\nINSERT INTO a VALUES (1);\nCREATE TABLE b (id INT);\nINSERT INTO nope VALUES (3);\n$$"),
            "1, 2, 3; outside a transaction"
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
