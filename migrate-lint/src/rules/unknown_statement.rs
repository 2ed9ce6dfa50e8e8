//! The rule `unknown-statement`.

use crate::context::StatementContext;
use crate::rule::{Rule, RuleCheck, Verification, mysql, postgres, sqlite};
use crate::rule_finding::{RuleFinding, RuleFindings};
use crate::server::Product;
use migrate_model::code::Code;
use migrate_model::finding::Level;
use migrate_model::suggestion;
use migrate_model::syntax::Syntax;
use migrate_model::token::{Kind, Tokens};

/// Flags a statement whose first word begins no statement of any database.
pub static RULE: Rule = Rule {
    code: Code::new(
        "unknown-statement",
        "The statement begins with a word that is not the first word of any statement of PostgreSQL, MySQL, MariaDB, \
         SQLite or a compatible database. The word contains a typo, and the migration fails.",
    ),
    level: Level::Error,
    on: &[Product::Postgres, Product::MySql, Product::MariaDb, Product::Sqlite],
    fix: "correct the first word of the statement",
    opt_in: false,
    down: true,
    check: RuleCheck::Statement(check),
    flagged: &[
        postgres(&["CREAT TABLE t (a int);"]),
        mysql(&["ALTR TABLE t ADD a int;"]),
        sqlite(&["DELET FROM t;"]),
        postgres(&["-- Some words.\n/* And more. */ selct 1;"]),
    ],
    not_flagged: &[
        postgres(&["CREATE TABLE t (a int);"]),
        postgres(&["(SELECT 1) UNION SELECT 2;"]),
        mysql(&["DELIMITER //\nBEGIN NOT ATOMIC SELECT 1; END//\n"]),
        sqlite(&["PRAGMA user_version = 1;"]),
    ],
    verification: Verification::Refused,
};

/// The first words of all statements, in the order of the alphabet.
const FIRST_WORDS: [&str; 117] = [
    "ABORT",
    "ADMIN",
    "ALTER",
    "ANALYSE",
    "ANALYZE",
    "ATTACH",
    "BACKUP",
    "BATCH",
    "BEGIN",
    "BINLOG",
    "CACHE",
    "CALL",
    "CANCEL",
    "CASE",
    "CHANGE",
    "CHECK",
    "CHECKPOINT",
    "CHECKSUM",
    "CLONE",
    "CLOSE",
    "CLUSTER",
    "COMMENT",
    "COMMIT",
    "COPY",
    "CREATE",
    "DEALLOCATE",
    "DECLARE",
    "DELETE",
    "DELIMITER",
    "DESC",
    "DESCRIBE",
    "DETACH",
    "DISCARD",
    "DO",
    "DROP",
    "END",
    "EXEC",
    "EXECUTE",
    "EXPLAIN",
    "EXPORT",
    "FETCH",
    "FLASHBACK",
    "FLUSH",
    "FOR",
    "GET",
    "GRANT",
    "HANDLER",
    "HELP",
    "IF",
    "IMPORT",
    "INSERT",
    "INSPECT",
    "INSTALL",
    "ITERATE",
    "KILL",
    "LEAVE",
    "LISTEN",
    "LOAD",
    "LOCK",
    "LOOP",
    "MERGE",
    "MOVE",
    "NOTIFY",
    "OPEN",
    "OPTIMIZE",
    "PAUSE",
    "PLAN",
    "PRAGMA",
    "PREPARE",
    "PURGE",
    "QUERY",
    "REASSIGN",
    "RECOVER",
    "REFRESH",
    "REINDEX",
    "RELEASE",
    "RENAME",
    "REPACK",
    "REPAIR",
    "REPEAT",
    "REPLACE",
    "RESET",
    "RESIGNAL",
    "RESTART",
    "RESTORE",
    "RESUME",
    "RETURN",
    "REVERT",
    "REVOKE",
    "ROLLBACK",
    "SAVEPOINT",
    "SECURITY",
    "SELECT",
    "SET",
    "SHOW",
    "SHUTDOWN",
    "SIGNAL",
    "SLAVE",
    "SPLIT",
    "START",
    "STOP",
    "TABLE",
    "TRACE",
    "TRUNCATE",
    "UNINSTALL",
    "UNLISTEN",
    "UNLOCK",
    "UPDATE",
    "UPSERT",
    "USE",
    "VACUUM",
    "VALUES",
    "VEXPLAIN",
    "WAIT",
    "WHILE",
    "WITH",
    "XA",
];

fn check(context: &StatementContext<'_>, findings: &mut RuleFindings) {
    if context.parsed.in_block || *context.syntax() != Syntax::Opaque {
        return;
    }
    let mut tokens = Tokens::new(context.sql, context.schema.dialect()).filter(|token| !token.is_blank());
    let Some(first) = tokens.next().filter(|first| first.kind == Kind::Word) else { return };
    let word = first.text(context.sql);
    if FIRST_WORDS.iter().any(|known| known.eq_ignore_ascii_case(word)) {
        return;
    }
    let finding =
        RuleFinding::new(format!("no database has a statement that begins with `{word}`")).at(&(first.start..first.end));
    findings.add(match suggestion::nearest(&word.to_ascii_uppercase(), FIRST_WORDS) {
        Some(nearest) => finding.fix(format!("write `{nearest}`")),
        None => finding,
    });
}
