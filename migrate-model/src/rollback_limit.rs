//! What a rollback does not undo: positions of sequences, locks of the session, files, what runs in another session. Ordinary
//! statements leave nothing of that kind; what a function does whose body is not known is unknown.
//!
//! Sources: PostgreSQL 15 manual, 9.17, 9.27 and F.12; MariaDB knowledge base, "Sequence Functions"; MySQL 8.4 manual, 15.3.3.

use crate::dialect::Dialect;
use crate::session_effect::SessionEffect;
use crate::session_effect::catalog::{self, RoutineBody, TriggerCatalog};
use crate::statement::Statement;
use crate::token::{Kind, Token, Tokens};
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

/// Something that may remain after a rollback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RollbackLimit {
    /// A statement does this, by its name in SQL.
    Known(usize, String),
    /// A statement calls a routine whose body is not known, or runs SQL that is computed.
    Unknown(usize),
    /// A trigger, a view or a default value of the database may do this.
    Hidden(String),
}

impl fmt::Display for RollbackLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RollbackLimit::Known(at, name) => write!(f, "a rollback does not undo `{name}` (statement {})", at + 1),
            RollbackLimit::Hidden(name) => {
                write!(f, "a rollback does not undo `{name}`, which a trigger or a default value may have called")
            }
            RollbackLimit::Unknown(at) => {
                let number = at + 1;
                write!(
                    f,
                    "statement {number} runs code whose text is not known, and this code may have made changes that a rollback does not undo"
                )
            }
        }
    }
}

/// The first thing that statements which ran may have left although they were rolled back: one that is known, if there is one.
/// `effects` are those of [`crate::session_effect::of_script`].
pub fn of_statements(
    text: &str,
    statements: &[Statement],
    ran: Range<usize>,
    effects: &[SessionEffect],
    dialect: Dialect,
) -> Option<RollbackLimit> {
    let mut hiding = HashSet::new();
    let mut unknown = None;
    for (at, statement) in statements.iter().enumerate().take(ran.end).skip(ran.start) {
        let sql = statement.sql(text);
        let names = if hiding.is_empty() { None } else { Some(catalog::names_in(sql, dialect)) };
        let hidden = names.and_then(|names| names.into_iter().find(|name| hiding.contains(name)));
        let limit = named_in(sql, dialect).or(hidden);
        match (limit, defined_name(sql, dialect)) {
            (Some(_), Some(name)) => drop(hiding.insert(name)),
            (Some(limit), None) => return Some(RollbackLimit::Known(at, limit)),
            (None, Some(_)) => {}
            (None, None) if effects.get(at) == Some(&SessionEffect::Unknown) => unknown = unknown.or(Some(at)),
            (None, None) => {}
        }
    }
    unknown.map(RollbackLimit::Unknown)
}

/// What the triggers, default values and routines that a database has returned for a script may leave. Positions of sequences do
/// not count: every default value of an identity column takes one.
pub fn in_catalog(catalog: &TriggerCatalog, dialect: Dialect) -> Option<RollbackLimit> {
    let bodies = catalog.triggers.values().chain(catalog.routines.values()).flatten();
    let texts = bodies.filter_map(|body| if let RoutineBody::Sql(text) = body { Some(text.as_str()) } else { None });
    let mut names = texts.filter_map(|text| called_in_text(text, dialect)).filter(|name| name != "nextval");
    names.next().map(RollbackLimit::Hidden)
}

/// The name in later statements that makes what a definition contains run: of a routine or view, or of the table of a trigger.
fn defined_name(sql: &str, dialect: Dialect) -> Option<String> {
    let tokens: Vec<Token> = meaningful(sql, dialect).take(32).collect();
    let kinds = ["FUNCTION", "PROCEDURE", "VIEW", "TRIGGER", "RULE", "TABLE", "EVENT"];
    let kind = tokens.iter().take(12).position(|token| kinds.iter().any(|word| token.is_word(sql, word)))?;
    if !tokens[0].is_word(sql, "CREATE")
        || tokens.iter().any(|token| token.is_word(sql, "SELECT") && tokens[kind].is_word(sql, "TABLE"))
    {
        return None;
    }
    let is_trigger = tokens[kind].is_word(sql, "TRIGGER");
    let before = if is_trigger { tokens.iter().position(|token| token.is_word(sql, "ON"))? } else { kind };
    let skipped = ["IF", "NOT", "EXISTS"];
    let mut name = (before + 1..tokens.len()).find(|at| !skipped.iter().any(|word| tokens[*at].is_word(sql, word)))?;
    while tokens.get(name + 1).is_some_and(|dot| dot.is_symbol(sql, b'.')) {
        name += 2;
    }
    Some(tokens.get(name)?.text(sql).trim_matches(['"', '`']).to_lowercase())
}

/// What a statement names that a rollback does not undo, also in strings and bodies.
fn named_in(sql: &str, dialect: Dialect) -> Option<String> {
    let tokens: Vec<Token> = meaningful(sql, dialect).collect();
    let is = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(sql, word));
    let has = |first: &str, second: &str| (0..tokens.len()).any(|at| is(at, first) && is(at + 1, second));
    let is_file = |at: usize| tokens.get(at).is_some_and(|token| token.kind == Kind::Text);
    match dialect {
        Dialect::Postgres if is(0, "COPY") => {
            let program = ["TO", "FROM"].into_iter().find(|way| has(way, "PROGRAM"));
            let file = (0..tokens.len()).any(|at| is(at, "TO") && is_file(at + 1));
            if program.is_some() || file {
                return Some(program.map_or("COPY ... TO 'file'".to_owned(), |way| format!("COPY ... {way} PROGRAM")));
            }
        }
        Dialect::MySql => {
            for (first, second) in
                [("INTO", "OUTFILE"), ("INTO", "DUMPFILE"), ("NEXT", "VALUE"), ("SET", "GLOBAL"), ("SET", "PERSIST")]
            {
                if has(first, second) {
                    return Some(format!("{first} {second}"));
                }
            }
        }
        _ => {}
    }
    let executes = ["DO", "CREATE", "EXECUTE", "PREPARE", "CALL", "BEGIN"].iter().any(|word| is(0, word));
    tokens.iter().enumerate().find_map(|(at, token)| match token.kind {
        Kind::Word | Kind::QuotedName => {
            let name = token.text(sql).trim_matches(['"', '`']).to_lowercase();
            let is_table = at > 0 && (is(at - 1, "INTO") || is(at - 1, "TABLE"));
            let called = !is_table && tokens.get(at + 1).is_some_and(|next| next.is_symbol(sql, b'('));
            (called && is_limit(&name, dialect)).then_some(name)
        }
        Kind::Text | Kind::DollarText if executes => called_in_text(token.text(sql), dialect),
        Kind::Executable => called_in_text(token.text(sql), dialect),
        _ => None,
    })
}

/// The function in a text that is followed by a parenthesis.
fn called_in_text(text: &str, dialect: Dialect) -> Option<String> {
    let lower = text.to_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let before = |(at, _): (usize, &str)| {
        let name = lower[..at].trim_end();
        let start = name.rfind(|c| !is_part(c)).map_or(0, |at| at + name[at..].chars().next().map_or(1, char::len_utf8));
        name.get(start..).filter(|name| is_limit(name, dialect)).map(str::to_owned)
    };
    let mut names = lower.match_indices('(').filter_map(before).peekable();
    let first = names.peek().cloned();
    // Another one tells more than the position of a sequence.
    names.find(|name| name != "nextval").or(first)
}

/// Does a rollback not undo what this function does? Its name is in lower case.
fn is_limit(name: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Postgres => {
            let advisory = name.starts_with("pg_advisory_") || name.starts_with("pg_try_advisory_");
            (advisory && !name.contains("_xact_"))
                || name.starts_with("dblink")
                || name.starts_with("pg_file_")
                || name.starts_with("pg_stat_reset")
                || POSTGRES.contains(&name)
        }
        Dialect::MySql => MYSQL.contains(&name),
        Dialect::Sqlite => name == "load_extension" || name == "writefile",
    }
}

const POSTGRES: [&str; 16] = [
    "setval",
    "nextval",
    "lo_export",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_rotate_logfile",
    "pg_switch_wal",
    "pg_create_restore_point",
    "pg_create_physical_replication_slot",
    "pg_create_logical_replication_slot",
    "pg_drop_replication_slot",
    "pg_replication_slot_advance",
    "pg_logical_emit_message",
    "pg_log_backend_memory_contexts",
    "pg_promote",
];

const MYSQL: [&str; 8] =
    ["setval", "nextval", "get_lock", "release_lock", "release_all_locks", "sys_exec", "sys_eval", "sys_set"];

fn meaningful(sql: &str, dialect: Dialect) -> impl Iterator<Item = Token> + '_ {
    Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session_effect::{self, catalog::TriggerCatalog};
    use crate::statement::split;

    #[test]
    fn what_is_not_undone() {
        use Dialect::{MySql, Postgres, Sqlite};
        let known = |at: usize, name: &str| Some(RollbackLimit::Known(at, name.to_owned()));
        for (dialect, text, expected) in [
            (Postgres, "INSERT INTO t VALUES (1); UPDATE t SET a = now(); SELECT pg_notify('a', 'b')", None),
            (Postgres, "CREATE TABLE t (setval int DEFAULT 5); TRUNCATE t RESTART IDENTITY; NOTIFY x", None),
            (Postgres, "INSERT INTO setval (a) VALUES ('setval of it')", None),
            (Postgres, "SELECT 1; SELECT pg_catalog.setval('s', 5)", known(1, "setval")),
            (Postgres, "INSERT INTO t VALUES (nextval('s'))", known(0, "nextval")),
            (Postgres, "DO $$ BEGIN PERFORM setval ('s', 5); END $$", known(0, "setval")),
            (Postgres, "SELECT dblink_exec('dbname=x', 'DROP TABLE t')", known(0, "dblink_exec")),
            (Postgres, "COPY t TO PROGRAM 'cat'", known(0, "COPY ... TO PROGRAM")),
            (Postgres, "COPY t TO '/tmp/x'", known(0, "COPY ... TO 'file'")),
            (Postgres, "COPY t FROM '/tmp/x'", None),
            (Postgres, "SELECT lo_export(1, '/tmp/x')", known(0, "lo_export")),
            (Postgres, "SELECT pg_advisory_lock(1)", known(0, "pg_advisory_lock")),
            (Postgres, "SELECT pg_advisory_xact_lock(1)", None),
            (Postgres, "SELECT hides()", Some(RollbackLimit::Unknown(0))),
            (Postgres, "SELECT hides(); SELECT setval('s', 1)", known(1, "setval")),
            (Postgres, "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ SELECT setval('s', 1) $$; SELECT f()", known(1, "f")),
            (Postgres, "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS $$ SELECT setval('s', 1) $$; SELECT 1", None),
            (MySql, "INSERT INTO t VALUES (1), (UUID())", None),
            (MySql, "SELECT SETVAL(s, 5)", known(0, "setval")),
            (MySql, "INSERT INTO t VALUES (NEXT VALUE FOR s)", known(0, "NEXT VALUE")),
            (MySql, "SELECT 1 INTO OUTFILE '/tmp/x'", known(0, "INTO OUTFILE")),
            (MySql, "SET GLOBAL max_connections = 5", known(0, "SET GLOBAL")),
            (MySql, "SELECT GET_LOCK('a', 1)", known(0, "get_lock")),
            (MySql, "SELECT f(1)", Some(RollbackLimit::Unknown(0))),
            (Sqlite, "INSERT INTO t VALUES (random())", None),
        ] {
            let (statements, _) = split(text, dialect, "f.sql");
            let effects = session_effect::of_script(text, &statements, dialect, &TriggerCatalog::default());
            let all = 0..statements.len();
            assert_eq!(of_statements(text, &statements, all, &effects, dialect), expected, "{text}");
        }
    }
}
