//! What a statement does to the session that runs it. Resumption, poolers, retries and the session of the next migration all
//! depend on it, and all ask here.
//!
//! A session is settings, roles, temporary objects, user variables, prepared statements, locks, attached databases, and the
//! values that functions such as `LAST_INSERT_ID()` return. An effect that the text does not show is unknown, and unknown is
//! never treated as none.
//!
//! Sources: PostgreSQL 15 manual, `SET`, `DISCARD`, 9.27; MySQL 8.4 manual, 13.7.6 and 12.15; MariaDB knowledge base, "SET";
//! SQLite, "PRAGMA Statements", "ATTACH DATABASE".

pub mod catalog;
mod dynamic;
pub(crate) mod functions;
mod mysql_set;
mod named;
mod reader;
pub mod sqlite;
pub mod superseded;
pub mod table_engines;
mod values;

use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::savepoint;
use crate::statement::{Reading, Statement};
use crate::token::{Kind, Token, Tokens, executable_sql};
use catalog::{Definitions, TriggerCatalog};
pub use named::{named_settings, read_custom_settings};
use reader::EffectReader;
use std::borrow::Cow;
use std::ops::Range;
pub use values::{FreshSession, follows, fresh_session, reads_earlier_sequences, reads_result, sequence_span, sources};

/// What a statement leaves in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SessionEffect {
    /// Nothing: later statements run as they would without it.
    None,
    /// A state that its text alone determines. In a new session, the statement sets it again and does nothing else.
    Setting,
    /// The session is reset: no earlier effect is left.
    Reset,
    /// A state that the statement cannot make again: a temporary table with its rows, a computed variable, a lock.
    Unrepeatable,
    /// The text does not show it: a function or a procedure that is defined elsewhere, or SQL that is computed.
    Unknown,
}

/// The effect of each statement of a script. `catalog`: the triggers of the database that it may fire.
pub fn of_script(text: &str, statements: &[Statement], dialect: Dialect, catalog: &TriggerCatalog) -> Vec<SessionEffect> {
    let definitions = Definitions::of(text, statements, dialect, catalog);
    let reader = EffectReader { dialect, definitions: &definitions, depth: 0 };
    let mut effects: Vec<SessionEffect> = statements.iter().map(|statement| reader.effect(statement.sql(text))).collect();
    if dialect == Dialect::Postgres {
        for at in covered(savepoint::rolled_back(text, statements, dialect)) {
            if is_transactional(statements[at].sql(text)) && effects[at] == SessionEffect::Setting {
                effects[at] = SessionEffect::None;
            }
        }
    }
    effects
}

/// The positions in ranges that may overlap, each once.
fn covered(mut ranges: Vec<Range<usize>>) -> Vec<usize> {
    ranges.sort_by_key(|range| range.start);
    let mut positions = Vec::new();
    let mut end = 0;
    for range in ranges {
        positions.extend(range.start.max(end)..range.end);
        end = end.max(range.end);
    }
    positions
}

/// Does PostgreSQL undo the effect of this statement with its transaction? Prepared statements, for example, stay.
fn is_transactional(sql: &str) -> bool {
    let tokens = meaningful(sql, Dialect::Postgres);
    ["SET", "RESET", "SELECT", "LISTEN", "UNLISTEN"].iter().any(|word| is(&tokens, sql, 0, word))
}

/// The effect of a single statement. Routines that other statements create are not known to it.
pub fn of_statement(sql: &str, dialect: Dialect) -> SessionEffect {
    EffectReader { dialect, definitions: &Definitions::default(), depth: 0 }.effect(sql)
}

/// Does a statement only change settings of its session? Such a statement has no checkpoint: a new session runs it again.
pub fn is_setting(sql: &str, dialect: Dialect) -> bool {
    of_statement(sql, dialect) == SessionEffect::Setting
}

/// Can a setting be set in a transaction with the same effect? A transaction that begins or ends here would be another one, and
/// SQLite ignores some settings there.
pub fn joins_transaction(sql: &str, dialect: Dialect) -> bool {
    let words = ["autocommit", "completion_type", "TRANSACTION"];
    dialect == Dialect::MySql && !words.iter().any(|word| contains_word(sql, word, dialect))
}

/// Does a setting decide which object an unqualified name refers to, or which objects the session can see, and do nothing else?
/// A role counts, too: `"$user"` of `search_path` is its name, and schemas that it may not use are left out.
pub fn decides_names(sql: &str, dialect: Dialect) -> bool {
    const NAMES: [&str; 6] = ["search_path", "SCHEMA", "ROLE", "AUTHORIZATION", "session_authorization", "ALL"];
    let tokens = meaningful(sql, dialect);
    let is_first = |words: &[&str]| words.iter().any(|word| is(&tokens, sql, 0, word));
    let names = |token: &Token| {
        let name = token.text(sql).trim_matches(['"', '\'']);
        NAMES.iter().any(|word| name.eq_ignore_ascii_case(word))
    };
    let decides = match dialect {
        // The name follows `SET`, `SET LOCAL` or `SET SESSION`.
        Dialect::Postgres if is_first(&["SET", "RESET"]) => tokens[..3.min(tokens.len())].iter().any(names),
        // A literal of `set_config`. One that is written in another way counts: to run it as well does no harm.
        Dialect::Postgres => is_first(&["SELECT"]) && tokens.iter().any(|token| token.kind == Kind::Text && names(token)),
        Dialect::MySql => is_first(&["USE"]) || is_first(&["SET"]) && is(&tokens, sql, 1, "ROLE"),
        Dialect::Sqlite => false,
    };
    decides && is_setting(sql, dialect)
}

/// The statements among the first `done` ones that a new session must run again, so that it has the settings that were in
/// effect after them.
pub fn settings_before(effects: &[SessionEffect], done: usize) -> Vec<usize> {
    let before = &effects[..done.min(effects.len())];
    let start = before.iter().rposition(|effect| *effect == SessionEffect::Reset).map_or(0, |at| at + 1);
    (start..before.len()).filter(|at| before[*at] == SessionEffect::Setting).collect()
}

/// The last of the first `done` statements whose effect a new session cannot have; `None` if there is none, or if the rest of
/// the script does not need it.
pub fn lost_state<'r>(text: &str, statements: &[Statement], done: usize, reading: impl Into<Reading<'r>>) -> Option<usize> {
    let Reading { dialect, catalog, .. } = reading.into();
    let effects = of_script(text, statements, dialect, catalog);
    let (before, rest) = statements.split_at(done.min(statements.len()));
    let sources = sources(text, statements, dialect, catalog);
    if let Some(source) = sources[before.len()..].iter().flatten().find(|source| **source < before.len()) {
        return Some(*source);
    }
    let start = effects[..before.len()].iter().rposition(|effect| *effect == SessionEffect::Reset).map_or(0, |at| at + 1);
    let lost = |at: &usize| effects[*at] >= SessionEffect::Unrepeatable;
    let at = (start..before.len()).rev().find(lost)?;
    if rest.iter().enumerate().all(|(after, _)| effects[before.len() + after] == SessionEffect::Setting) {
        return None;
    }
    let is_unknown = (start..before.len()).any(|at| effects[at] == SessionEffect::Unknown);
    if is_unknown || dialect != Dialect::MySql {
        return Some(at);
    }
    // On MySQL, variables, prepared statements and locks matter only to statements that name them.
    let has_temporary = before.iter().any(|statement| contains_word(statement.sql(text), "TEMPORARY", dialect));
    // A trigger may read a variable, too.
    let reads = |statement: &Statement| {
        let sql = set_statement::executed(statement.sql(text), dialect);
        let tokens = meaningful(sql, dialect);
        let writes = ["INSERT", "UPDATE", "DELETE", "REPLACE", "CALL", "LOAD"].iter().any(|word| is(&tokens, sql, 0, word));
        writes || reads_session(sql)
    };
    (has_temporary || rest.iter().any(reads)).then_some(at)
}

/// Does a MySQL statement read a value that earlier statements left in the session: a user variable, a prepared statement, or
/// what a function such as `LAST_INSERT_ID()` returns?
fn reads_session(sql: &str) -> bool {
    let tokens = meaningful(sql, Dialect::MySql);
    if let Some(executed) = without_comment_marks(sql, &tokens) {
        return reads_session(&executed);
    }
    user_variables(sql, &tokens).next().is_some()
        || ["EXECUTE", "HANDLER", "LAST_INSERT_ID", "RELEASE_LOCK"].iter().any(|word| has(&tokens, sql, word))
}

/// Does a PostgreSQL statement that changes its session do so only until its transaction is rolled back?
pub fn is_undone_by_rollback(sql: &str) -> bool {
    let tokens = meaningful(sql, Dialect::Postgres);
    !["PREPARE", "DEALLOCATE", "LOAD", "DISCARD", "EXECUTE"].iter().any(|word| is(&tokens, sql, 0, word))
}

/// Does a statement name a function whose effect a rollback does not undo: on a lock of the session, or on a sequence? Names
/// in strings and in bodies count.
pub fn outlives_rollback(sql: &str, dialect: Dialect) -> bool {
    let outlives = |name: &str| {
        let name = name.to_lowercase();
        functions::takes_lock(&name) || name.starts_with("pg_advisory_unlock") || name == "setval"
    };
    Tokens::new(sql, dialect).any(|token| match token.kind {
        Kind::Word | Kind::QuotedName => outlives(&bare(token.text(sql))),
        Kind::Text | Kind::DollarText | Kind::Executable => {
            token.text(sql).split(|c: char| !c.is_alphanumeric() && c != '_').any(outlives)
        }
        _ => false,
    })
}

/// The first statement that leaves something in its session that no later statement can remove; `None` if there is none. `effects`
/// are those of [`of_script`].
pub fn cannot_put_back(text: &str, statements: &[Statement], effects: &[SessionEffect], dialect: Dialect) -> Option<usize> {
    statements.iter().enumerate().position(|(at, statement)| {
        let sql = statement.sql(text);
        match dialect {
            // MySQL has no list of the temporary tables of a session, which a routine may have created.
            Dialect::MySql if effects.get(at) == Some(&SessionEffect::Unknown) => true,
            Dialect::Postgres => {
                // What a routine loads, it loads when it is called.
                !custom_settings(sql).is_empty() || loads_library(sql)
            }
            Dialect::MySql => ["GET_LOCK", "HANDLER"].iter().any(|word| contains_word(sql, word, dialect)),
            // It cannot be read, so it cannot be restored.
            Dialect::Sqlite => ["load_extension", "case_sensitive_like"].iter().any(|word| contains_word(sql, word, dialect)),
        }
    })
}

/// The first statement that makes another user that of the session of MariaDB, which only that user can undo.
pub fn changes_user(text: &str, statements: &[Statement], dialect: Dialect) -> Option<usize> {
    let changes = |sql: &str| {
        let tokens: Vec<Token> = Tokens::new(sql, dialect).filter(|token| !token.is_blank()).take(3).collect();
        is(&tokens, sql, 0, "SET") && is(&tokens, sql, 1, "SESSION") && is(&tokens, sql, 2, "AUTHORIZATION")
    };
    statements.iter().position(|statement| dialect == Dialect::MySql && changes(statement.sql(text)))
}

/// Does a text contain this name, as a word or in a string?
pub fn uses_name(text: &str, name: &str, dialect: Dialect) -> bool {
    Tokens::new(text, dialect).any(|token| match token.kind {
        Kind::Word | Kind::QuotedName => bare(token.text(text)) == name.to_lowercase(),
        Kind::Text | Kind::DollarText | Kind::Executable => token.text(text).to_lowercase().contains(&name.to_lowercase()),
        _ => false,
    })
}

/// The custom settings, such as `app.tenant`, that a PostgreSQL script sets for its session. They cannot be unset.
fn custom_settings(text: &str) -> Vec<String> {
    let tokens = meaningful(text, Dialect::Postgres);
    let mut names = Vec::new();
    if is(&tokens, text, 0, "DO") {
        names.extend(dollar_body(text).map(custom_settings).unwrap_or_default());
    }
    for (at, token) in tokens.iter().enumerate() {
        // Elsewhere, `SET` assigns a field of a column, or belongs to a routine or a role.
        let begins = at.checked_sub(1).is_none_or(|before| {
            let starts = ["BEGIN", "THEN", "ELSE", "LOOP"].iter().any(|word| is(&tokens, text, before, word));
            starts || tokens[before].is_symbol(text, b';')
        });
        let has_scope = named::has_scope(text, &tokens, at + 1);
        let for_transaction = has_scope && is(&tokens, text, at + 1, "LOCAL");
        if begins && token.is_word(text, "SET") && !for_transaction {
            names.extend(named::setting_name(text, &tokens, at + 1 + usize::from(has_scope)).map(str::to_owned));
        }
        if token.is_word(text, "set_config")
            && tokens.get(at + 2).is_some_and(|name| name.kind == Kind::Text)
            && !is_local(text, &tokens, at)
        {
            names.push(tokens[at + 2].text(text).trim_matches('\'').to_owned());
        }
    }
    names.retain(|name| name.contains('.'));
    names
}

/// Does a call of `set_config` with literals set its value only for the transaction?
fn is_local(text: &str, tokens: &[Token], at: usize) -> bool {
    let symbol = |at: usize, symbol: u8| tokens.get(at).is_some_and(|token| token.is_symbol(text, symbol));
    let is_true = ["true", "'t'", "'true'", "'on'", "'yes'", "'1'"];
    let third = tokens.get(at + 6).is_some_and(|token| is_true.iter().any(|word| token.text(text).eq_ignore_ascii_case(word)));
    symbol(at + 3, b',') && symbol(at + 5, b',') && third && symbol(at + 7, b')')
}

/// Does a PostgreSQL statement load a library, itself or in a body or a string that may be executed? No session can unload it.
fn loads_library(sql: &str) -> bool {
    let tokens = meaningful(sql, Dialect::Postgres);
    let loads = is(&tokens, sql, 0, "LOAD");
    let executes = ["DO", "CREATE", "EXECUTE"].iter().any(|word| is(&tokens, sql, 0, word));
    let in_body = |token: &Token| match token.kind {
        Kind::DollarText => token.text(sql).get(1..).is_some_and(loads_in_text),
        Kind::Text => loads_in_text(token.text(sql)),
        _ => false,
    };
    loads || (executes && tokens.iter().any(in_body))
}

/// `LOAD 'library'` at the start of a statement in a text, whatever its quotes are.
fn loads_in_text(text: &str) -> bool {
    let tokens = meaningful(text, Dialect::Postgres);
    let starts = |at: usize| {
        at == 0
            || tokens[at - 1].kind == Kind::Symbol
            || ["BEGIN", "THEN", "ELSE", "LOOP"].iter().any(|word| is(&tokens, text, at - 1, word))
    };
    let loads = (0..tokens.len()).any(|at| is(&tokens, text, at, "LOAD") && starts(at));
    loads || text.to_uppercase().contains("LOAD ''")
}

/// The content of the first dollar-quoted string.
fn dollar_body(sql: &str) -> Option<&str> {
    let body = Tokens::new(sql, Dialect::Postgres).find(|token| token.kind == Kind::DollarText)?.text(sql);
    let fence = body[1..].find('$')? + 2;
    body.get(fence..body.len().saturating_sub(fence))
}

/// What follows the parameter list of a routine.
fn tokens_after_parentheses(sql: &str, dialect: Dialect) -> Option<&str> {
    let mut depth = 0_u32;
    for token in Tokens::new(sql, dialect) {
        if token.is_symbol(sql, b'(') {
            depth += 1;
        } else if token.is_symbol(sql, b')') {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return sql.get(token.end..);
            }
        }
    }
    None
}

fn meaningful(sql: &str, dialect: Dialect) -> Vec<Token> {
    Tokens::new(sql, dialect).filter(|token| !token.is_blank() && token.kind != Kind::Hint).collect()
}

fn is(tokens: &[Token], sql: &str, at: usize, word: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.is_word(sql, word))
}

fn has(tokens: &[Token], sql: &str, word: &str) -> bool {
    tokens.iter().any(|token| token.is_word(sql, word))
}

fn contains_word(sql: &str, word: &str, dialect: Dialect) -> bool {
    has(&meaningful(sql, dialect), sql, word)
}

/// A name without quotes, in lower case.
fn bare(name: &str) -> String {
    unquoted(name).to_lowercase()
}

/// A name without the quotes around it.
fn unquoted(name: &str) -> Cow<'_, str> {
    let closing = match name.chars().next() {
        Some(quote @ ('"' | '`' | '\'')) => quote,
        Some('[') => ']',
        _ => return Cow::Borrowed(name),
    };
    let inner = name[1..].strip_suffix(closing).unwrap_or(&name[1..]);
    let doubled = [closing, closing].iter().collect::<String>();
    if inner.contains(&doubled) { Cow::Owned(inner.replace(&doubled, &closing.to_string())) } else { Cow::Borrowed(inner) }
}

/// Can a token be a name? A text of MySQL in double quotes is one with `ANSI_QUOTES`.
fn may_be_name(token: &Token, sql: &str, dialect: Dialect) -> bool {
    let is_text = || dialect == Dialect::MySql && token.kind == Kind::Text && token.text(sql).starts_with('"');
    matches!(token.kind, Kind::Word | Kind::QuotedName) || is_text()
}

/// The positions of `@name`, but not of `@@setting` and `user@host`.
fn user_variables<'t>(sql: &'t str, tokens: &'t [Token]) -> impl Iterator<Item = usize> + 't {
    (0..tokens.len()).filter(move |at| {
        let (at, token) = (*at, &tokens[*at]);
        let named = tokens.get(at + 1).is_some_and(|next| next.start == token.end && next.kind != Kind::Symbol);
        let before = at.checked_sub(1).map(|at| &tokens[at]);
        let attached = before
            .is_some_and(|before| before.is_symbol(sql, b'@') || (before.end == token.start && before.kind != Kind::Symbol));
        token.is_symbol(sql, b'@') && named && !attached
    })
}

/// Is the name before a parenthesis the name of a table with its columns, and not of a function?
fn is_declared(sql: &str, tokens: &[Token], at: usize) -> bool {
    let mut first = at;
    while first >= 2 && tokens[first - 1].is_symbol(sql, b'.') {
        first -= 2;
    }
    let Some(before) = first.checked_sub(1).map(|at| &tokens[at]) else { return false };
    let is_before = |words: &[&str]| words.iter().any(|word| before.is_word(sql, word));
    // `CREATE INDEX i ON t (a)`; the condition of a join calls functions: `JOIN b ON f(a.id) = b.id`.
    if before.is_word(sql, "ON") {
        return is(tokens, sql, 0, "CREATE") && (1..4).any(|at| is(tokens, sql, at, "INDEX"));
    }
    // `INSERT IGNORE t (id)` of MySQL, and the rows of `COPY t (id)`.
    let is_target = (is(tokens, sql, 0, "INSERT") || is(tokens, sql, 0, "REPLACE"))
        && tokens[..first].iter().all(|token| {
            ["INSERT", "REPLACE", "IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED"]
                .iter()
                .any(|word| token.is_word(sql, word))
        });
    let is_copied = first == 1 && is(tokens, sql, 0, "COPY");
    is_target || is_copied || is_before(&["INTO", "TABLE", "AS", "REFERENCES", "EXISTS", "VIEW", "INDEX", "RECURSIVE", "WITH"])
}

/// A statement with spaces in place of the marks of its executable comments; `None` if it has none.
fn without_comment_marks(sql: &str, tokens: &[Token]) -> Option<String> {
    let mut executed = String::new();
    let mut end = tokens.first()?.start;
    for token in tokens.iter().filter(|token| token.kind == Kind::Executable) {
        executed.push_str(&sql[end..token.start]);
        executed.push(' ');
        executed.push_str(&sql[executable_sql(sql, *token)]);
        executed.push(' ');
        end = token.end;
    }
    executed.push_str(&sql[end..]);
    tokens.iter().any(|token| token.kind == Kind::Executable).then_some(executed)
}

/// The SQL in the executable comments of a MySQL statement.
pub fn executable_parts(sql: &str, dialect: Dialect) -> impl Iterator<Item = &str> {
    let executable = Tokens::new(sql, dialect).filter(move |token| dialect == Dialect::MySql && token.kind == Kind::Executable);
    executable.map(move |token| executable_content(token.text(sql)))
}

/// The SQL in `/*!40101 ... */`.
fn executable_content(text: &str) -> &str {
    let text = text.trim_start_matches("/*").trim_start_matches('M').trim_start_matches('!');
    text.trim_start_matches(|c: char| c.is_ascii_digit()).trim_end_matches("*/")
}

#[cfg(test)]
mod tests;
