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
mod functions;
mod mysql_set;
mod named;
pub mod table_engines;
mod values;

use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::do_block;
use crate::savepoint;
use crate::statement::{Reading, Statement};
use crate::token::{Kind, Token, Tokens, executable_sql};
use catalog::{BodyOwner, Definitions, KnownTrigger, TriggerCatalog};
use functions::is_harmless;
pub use named::{named_settings, read_custom_settings};
use std::collections::HashSet;
use std::ops::Range;
pub use values::{FreshSession, follows, fresh_session, reads_result, sources};

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
    let sources = sources(text, statements, dialect);
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
        Kind::Text | Kind::DollarText | Kind::Executable => token.text(text).contains(name),
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
        let named = token.is_word(text, "SET") && !is(&tokens, text, at + 1, "LOCAL");
        let start = at + 1 + usize::from(is(&tokens, text, at + 1, "SESSION"));
        if named && tokens.get(start + 1).is_some_and(|dot| dot.is_symbol(text, b'.')) && tokens.len() > start + 2 {
            names.push(text[tokens[start].start..tokens[start + 2].end].to_owned());
        }
        if token.is_word(text, "set_config") && tokens.get(at + 2).is_some_and(|name| name.kind == Kind::Text) {
            names.push(tokens[at + 2].text(text).trim_matches('\'').to_owned());
        }
    }
    names.retain(|name| name.contains('.'));
    names
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
    name.trim_matches(['"', '`', '[', ']', '\'']).to_lowercase()
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

/// Reads the effect of statements.
#[derive(Clone, Copy)]
struct EffectReader<'r> {
    dialect: Dialect,
    /// The routines and triggers that are known.
    definitions: &'r Definitions<'r>,
    /// How many bodies enclose this one.
    depth: u32,
}

impl<'r> EffectReader<'r> {
    fn effect(&self, sql: &str) -> SessionEffect {
        let sql = set_statement::executed(sql, self.dialect);
        let tokens = meaningful(sql, self.dialect);
        let start = tokens.iter().position(|token| !token.is_symbol(sql, b'(')).unwrap_or(0);
        let tokens = &tokens[start..];
        match self.dialect {
            _ if tokens.is_empty() => SessionEffect::None,
            Dialect::Postgres => self.postgres(sql, tokens),
            Dialect::MySql => self.mysql(sql, tokens),
            Dialect::Sqlite => sqlite(sql, tokens),
        }
    }

    fn postgres(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        let first = |words: &[&str]| words.iter().any(|word| is(tokens, sql, 0, word));
        let second = |words: &[&str]| words.iter().any(|word| is(tokens, sql, 1, word));
        if first(&["ALTER"]) && changes_new_sessions(sql, tokens) {
            // What a new session starts with is another than what this one has.
            SessionEffect::Unrepeatable
        } else if first(&["SET"]) && (mentions_temporary_schema(sql, tokens) || (has(tokens, sql, "seed") && !second(&["LOCAL"])))
        {
            // Random numbers that were drawn since are not drawn again.
            SessionEffect::Unrepeatable
        } else if first(&["SET"]) {
            let local = second(&["LOCAL", "TRANSACTION", "CONSTRAINTS"]);
            if local { SessionEffect::None } else { SessionEffect::Setting }
        } else if first(&["RESET", "DEALLOCATE", "LISTEN", "UNLISTEN", "LOAD"]) {
            SessionEffect::Setting
        } else if first(&["PREPARE"]) {
            if second(&["TRANSACTION"]) { SessionEffect::Unknown } else { SessionEffect::Setting }
        } else if first(&["DISCARD"]) {
            if second(&["ALL"]) { SessionEffect::Reset } else { SessionEffect::Unrepeatable }
        } else if first(&["DECLARE"]) {
            SessionEffect::Unrepeatable
        } else if has(tokens, sql, "pg_temp") || creates_temporary(sql, tokens) {
            if is_dropped_at_commit(sql, tokens) { SessionEffect::None } else { SessionEffect::Unrepeatable }
        } else if first(&["CREATE"]) && ["FUNCTION", "PROCEDURE", "TRIGGER", "RULE"].iter().any(|word| has(tokens, sql, word)) {
            SessionEffect::None
        } else if first(&["SELECT", "VALUES", "TABLE", "WITH", "INSERT", "UPDATE", "DELETE", "MERGE", "EXPLAIN"]) {
            self.postgres_query(sql, tokens)
        } else if first(&["DO"]) {
            match do_block::read(sql, Dialect::Postgres) {
                Some(block) => self.body(&block.body, !block.is_plpgsql),
                None => SessionEffect::Unknown,
            }
        } else if first(&["CALL"]) || (first(&["CREATE"]) && has(tokens, sql, "AS")) {
            self.calls(sql, tokens)
        } else if first(&["COPY", "TRUNCATE"]) {
            self.calls(sql, tokens).max(self.triggers(sql, tokens))
        } else if first(&POSTGRES_DDL) {
            // A default value or a check may set something whenever a row is written.
            if has(tokens, sql, "set_config") { SessionEffect::Unknown } else { SessionEffect::None }
        } else {
            SessionEffect::Unknown
        }
    }

    /// `SELECT set_config('name', 'value', false)` is a setting, as pg_dump writes it.
    fn postgres_query(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        let into_temporary = (0..tokens.len()).any(|at| {
            let kind = at + 1 + usize::from(is(tokens, sql, at + 1, "LOCAL") || is(tokens, sql, at + 1, "GLOBAL"));
            is(tokens, sql, at, "INTO") && (is(tokens, sql, kind, "TEMP") || is(tokens, sql, kind, "TEMPORARY"))
        });
        if into_temporary {
            return SessionEffect::Unrepeatable;
        }
        // The rows of this view are the settings of the session.
        let writes_settings = has(tokens, sql, "pg_settings") && !is(tokens, sql, 0, "SELECT");
        if writes_settings {
            return SessionEffect::Unknown;
        }
        if !has(tokens, sql, "set_config") {
            return self.calls(sql, tokens).max(self.triggers(sql, tokens));
        }
        let qualified = usize::from(is(tokens, sql, 1, "pg_catalog")) * 2;
        let call = &tokens[(1 + qualified).min(tokens.len())..];
        let literal = |at: usize| call.get(at).is_some_and(|token| token.kind == Kind::Text);
        let symbol = |at: usize, symbol: u8| call.get(at).is_some_and(|token| token.is_symbol(sql, symbol));
        let plain = is(tokens, sql, 0, "SELECT")
            && !mentions_temporary_schema(sql, tokens)
            && is(call, sql, 0, "set_config")
            && (symbol(1, b'(') && literal(2) && symbol(3, b',') && literal(4) && symbol(5, b',') && symbol(7, b')'))
            && call.len() == 8;
        if plain && is(call, sql, 6, "true") {
            SessionEffect::None
        } else if plain && is(call, sql, 6, "false") {
            SessionEffect::Setting
        } else {
            SessionEffect::Unknown
        }
    }

    fn mysql(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        if tokens[0].kind == Kind::Executable {
            // The effects of what other servers skip, and of the rest of the statement.
            let inner = executable_content(tokens[0].text(sql));
            let rest = sql.get(tokens[0].end..).unwrap_or_default();
            return self.effect(inner).max(if rest.trim().is_empty() { SessionEffect::None } else { self.effect(rest) });
        }
        if let Some(executed) = without_comment_marks(sql, tokens) {
            // The effects for servers that skip the comments, and for those that execute them.
            let skipped: Vec<Token> = tokens.iter().copied().filter(|token| token.kind != Kind::Executable).collect();
            return self.mysql(sql, &skipped).max(self.effect(&executed));
        }
        let first = |words: &[&str]| words.iter().any(|word| is(tokens, sql, 0, word));
        let second = |words: &[&str]| words.iter().any(|word| is(tokens, sql, 1, word));
        if first(&["SET"]) {
            mysql_set::effect(sql, tokens)
        } else if first(&["PREPARE"]) {
            // What is computed may be another statement in a new session.
            let is_fixed = is(tokens, sql, 2, "FROM")
                && tokens.get(3).is_some_and(|source| source.kind == Kind::Text || source.is_symbol(sql, b'@'))
                && tokens.len() <= 5;
            if is_fixed { SessionEffect::Setting } else { SessionEffect::Unknown }
        } else if first(&["USE", "DEALLOCATE"]) || (first(&["DROP"]) && second(&["PREPARE"])) {
            SessionEffect::Setting
        } else if first(&["EXECUTE"]) {
            SessionEffect::Unknown
        } else if creates_temporary(sql, tokens) || first(&["HANDLER", "XA"]) {
            SessionEffect::Unrepeatable
        } else if first(&["SELECT", "VALUES", "TABLE", "WITH", "INSERT", "REPLACE", "UPDATE", "DELETE", "DO", "LOAD", "EXPLAIN"])
        {
            self.mysql_query(sql, tokens)
        } else if first(&["CALL"]) && user_variables(sql, tokens).next().is_some() {
            // An OUT parameter.
            SessionEffect::Unrepeatable
        } else if first(&["CALL"]) {
            self.calls(sql, tokens)
        } else if (first(&["BEGIN"]) && tokens.len() > 1 && !second(&["WORK"]))
            || first(&["DECLARE", "IF", "FOR", "WHILE", "REPEAT", "LOOP", "CASE"])
        {
            self.body(sql, false)
        } else if first(&["CREATE"]) && ["FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"].iter().any(|word| has(tokens, sql, word)) {
            SessionEffect::None
        } else if first(&["CREATE"]) && (has(tokens, sql, "SELECT") || (has(tokens, sql, "AS") && has(tokens, sql, "VALUES"))) {
            self.mysql_query(sql, tokens)
        } else if first(&["SHOW"]) || (first(&["ANALYZE"]) && !second(&["TABLE", "LOCAL", "NO_WRITE_TO_BINLOG"])) {
            // `ANALYZE` of MariaDB executes the statement; `SHOW` evaluates its condition.
            self.mysql_query(sql, tokens)
        } else if first(&MYSQL_DDL) {
            SessionEffect::None
        } else {
            SessionEffect::Unknown
        }
    }

    fn mysql_query(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        let assigns = user_variables(sql, tokens).any(|at| {
            let into = at.checked_sub(1).is_some_and(|at| tokens[at].is_word(sql, "INTO"));
            into || tokens.get(at + 2).is_some_and(|next| next.is_symbol(sql, b':'))
        });
        let calls = self.calls(sql, tokens).max(self.triggers(sql, tokens));
        if assigns { calls.max(SessionEffect::Unrepeatable) } else { calls }
    }

    /// The effect of the functions and procedures that a statement calls.
    fn calls(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        let mut effect = SessionEffect::None;
        for at in (0..tokens.len()).filter(|at| tokens[*at].is_symbol(sql, b'(')) {
            let Some(name) = at.checked_sub(1).map(|at| &tokens[at]) else { continue };
            if !matches!(name.kind, Kind::Word | Kind::QuotedName) || is_declared(sql, tokens, at - 1) {
                continue;
            }
            let is_foreign = is_qualified_elsewhere(sql, tokens, at - 1);
            let name = bare(name.text(sql));
            if functions::takes_lock(&name) {
                effect = effect.max(SessionEffect::Unrepeatable);
            } else if is_foreign || !is_harmless(&name) || self.definitions.routines.contains_key(&*name) {
                effect = effect.max(self.routine(&name));
            }
        }
        if !self.definitions.operators.is_empty() {
            effect = effect.max(self.operators(sql, tokens));
        }
        if is(tokens, sql, 0, "CALL") && !tokens.iter().any(|token| token.is_symbol(sql, b'(')) {
            let name = tokens.last().map(|name| bare(name.text(sql))).unwrap_or_default();
            effect = effect.max(self.routine(&name));
        }
        effect
    }

    /// The effect of the operators of the script that a statement uses: those that are a part of a run of symbols.
    fn operators(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        let mut effect = SessionEffect::None;
        let mut start = 0;
        while start < tokens.len() {
            let mut end = start + 1;
            while tokens[start].kind == Kind::Symbol
                && tokens.get(end).is_some_and(|next| next.kind == Kind::Symbol && next.start == tokens[end - 1].end)
            {
                end += 1;
            }
            if tokens[start].kind == Kind::Symbol {
                let run = &sql[tokens[start].start..tokens[end - 1].end];
                for (_, function) in self.definitions.operators.iter().filter(|(symbols, _)| run.contains(symbols)) {
                    effect = effect.max(self.routine_of_operator(&bare(function)));
                }
            }
            start = end;
        }
        effect
    }

    fn routine_of_operator(&self, function: &str) -> SessionEffect {
        let is_known_harmless = is_harmless(function) && !self.definitions.routines.contains_key(function);
        if is_known_harmless { SessionEffect::None } else { self.routine(function) }
    }

    /// The strongest effect of all routines of a name: which of them a call means depends on the types of its arguments.
    fn routine(&self, name: &str) -> SessionEffect {
        self.remembered(BodyOwner::Routine, name, |reader| reader.read_routine(name))
    }

    /// The effect of the bodies of a name, which are read once for all statements that run them.
    fn remembered(&self, body: BodyOwner, name: &str, read: impl Fn(&Self) -> SessionEffect) -> SessionEffect {
        let key = (body, self.depth, name.to_owned());
        let known = self.definitions.effects.borrow().get(&key).copied();
        known.unwrap_or_else(|| {
            let effect = read(self);
            self.definitions.effects.borrow_mut().insert(key, effect);
            effect
        })
    }

    fn read_routine(&self, name: &str) -> SessionEffect {
        let bodies = self.definitions.routines.get(name);
        let effect = |body: &Option<&str>| self.body(body.unwrap_or_default(), body.is_none());
        bodies.and_then(|bodies| bodies.iter().map(effect).max()).unwrap_or(SessionEffect::Unknown)
    }

    /// The effect of the triggers that a statement may fire: those of all tables that it names.
    fn triggers(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        if self.definitions.triggers.is_empty() {
            return SessionEffect::None;
        }
        let names = tokens.iter().filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedName));
        let names = names.map(|name| bare(name.text(sql))).filter(|name| self.definitions.triggers.contains_key(name));
        let effect = |name: String| self.remembered(BodyOwner::Triggers, &name, |reader| reader.read_triggers(&name));
        names.map(effect).max().unwrap_or(SessionEffect::None)
    }

    fn read_triggers(&self, name: &str) -> SessionEffect {
        let triggers = self.definitions.triggers.get(name).into_iter().flatten();
        let effect = |trigger: &KnownTrigger<'_>| match trigger {
            KnownTrigger::Sql(body) => self.body(body, false),
            KnownTrigger::Calls(name) => self.routine(&bare(name)),
            KnownTrigger::Hidden => SessionEffect::Unknown,
        };
        triggers.map(effect).max().unwrap_or(SessionEffect::None)
    }

    /// The effect of a block: the strongest of its statements. What a block sets depends on its conditions, so it is not a
    /// setting that can be made again.
    fn body(&self, body: &str, is_hidden: bool) -> SessionEffect {
        // Routines that call each other have no end.
        if is_hidden || self.depth > 4 {
            return SessionEffect::Unknown;
        }
        let reader = EffectReader { depth: self.depth + 1, ..*self };
        let tokens = meaningful(body, self.dialect);
        let starts = |at: usize| {
            let begins = ["BEGIN", "ATOMIC", "THEN", "ELSE", "LOOP", "DO", "REPEAT"];
            at == 0 || tokens[at - 1].is_symbol(body, b';') || begins.iter().any(|word| tokens[at - 1].is_word(body, word))
        };
        let mut effect = SessionEffect::None;
        let variables = if self.dialect == Dialect::MySql { declared_variables(body, &tokens) } else { HashSet::new() };
        for at in (0..tokens.len()).filter(|at| starts(*at)) {
            let end = (at + 1..tokens.len()).find(|end| starts(*end)).unwrap_or(tokens.len());
            let piece = &body[tokens[at].start..tokens[end - 1].end];
            effect = effect.max(reader.body_statement(piece.trim_end_matches(';'), &tokens[at], body, &variables));
        }
        match effect {
            SessionEffect::Setting | SessionEffect::Reset => SessionEffect::Unrepeatable,
            effect => effect,
        }
    }

    fn body_statement(&self, piece: &str, first: &Token, body: &str, variables: &HashSet<String>) -> SessionEffect {
        let word = first.text(body).to_ascii_uppercase();
        match word.as_str() {
            "EXECUTE" => self.dynamic(piece),
            "PERFORM" => self.effect(&format!("SELECT{}", &piece[word.len()..])),
            "SET" if self.dialect == Dialect::MySql && sets_variable(variables, piece) => {
                self.effect(&format!("DO ({})", &piece[3..]))
            }
            "SELECT" | "WITH" | "INSERT" | "UPDATE" | "DELETE" | "CALL" | "SET" => self.effect(piece),
            "DISCARD" | "RESET" | "PREPARE" | "LISTEN" | "UNLISTEN" | "LOAD" | "USE" => self.effect(piece),
            "END" | "BEGIN" => SessionEffect::None,
            word if POSTGRES_DDL.contains(&word) || MYSQL_DDL.contains(&word) => self.effect(piece),
            // A declaration, an assignment, a condition, a loop, `RETURN`, `RAISE`, `END`.
            word => {
                let tokens = meaningful(piece, self.dialect);
                let calls = self.calls(piece, &tokens);
                if self.dialect == Dialect::Postgres {
                    // `FOR r IN EXECUTE ...`, `OPEN c FOR EXECUTE ...`, `RETURN QUERY EXECUTE ...`.
                    let execute = tokens.iter().find(|token| token.is_word(piece, "EXECUTE"));
                    return execute.map_or(calls, |at| calls.max(self.dynamic(without_loop(&piece[at.start..]))));
                }
                let action = if word == "DECLARE" { handler_action(piece, &tokens) } else { None };
                if let Some(at) = action {
                    let action = &piece[tokens[at].start..];
                    return calls.max(self.body_statement(action, &meaningful(action, self.dialect)[0], action, variables));
                }
                let assigns = word == "GET" && user_variables(piece, &tokens).next().is_some();
                if assigns { calls.max(SessionEffect::Unrepeatable) } else { calls }
            }
        }
    }
}

/// `EXECUTE ... LOOP` without the word that begins the loop.
fn without_loop(piece: &str) -> &str {
    let piece = piece.trim_end();
    let end = piece.len().saturating_sub("LOOP".len());
    if piece.is_char_boundary(end) && piece[end..].eq_ignore_ascii_case("LOOP") { &piece[..end] } else { piece }
}

/// The first token of the statement that a handler executes: `DECLARE CONTINUE HANDLER FOR SQLEXCEPTION, 1146 statement`.
fn handler_action(piece: &str, tokens: &[Token]) -> Option<usize> {
    let handler = (0..tokens.len()).find(|at| is(tokens, piece, *at, "HANDLER"))?;
    let mut at = handler + 2;
    loop {
        at += match tokens.get(at)? {
            token if token.is_word(piece, "NOT") => 2,
            token if token.is_word(piece, "SQLSTATE") && is(tokens, piece, at + 1, "VALUE") => 3,
            token if token.is_word(piece, "SQLSTATE") => 2,
            _ => 1,
        };
        if !tokens.get(at)?.is_symbol(piece, b',') {
            return Some(at);
        }
        at += 1;
    }
}

/// Statements that change only the schema or the data, and nothing of the session.
const POSTGRES_DDL: [&str; 31] = [
    "CREATE",
    "ALTER",
    "DROP",
    "COMMENT",
    "GRANT",
    "REVOKE",
    "TRUNCATE",
    "ANALYZE",
    "ANALYSE",
    "VACUUM",
    "REINDEX",
    "CLUSTER",
    "REFRESH",
    "COPY",
    "LOCK",
    "NOTIFY",
    "CHECKPOINT",
    "SECURITY",
    "IMPORT",
    "REASSIGN",
    "SHOW",
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "SAVEPOINT",
    "RELEASE",
    "ROLLBACK",
    "ABORT",
    "CLOSE",
    "FETCH",
];

/// As [`POSTGRES_DDL`], for MySQL and MariaDB. `LOCK TABLES` ends with its unit.
const MYSQL_DDL: [&str; 31] = [
    "CREATE",
    "ALTER",
    "DROP",
    "RENAME",
    "TRUNCATE",
    "GRANT",
    "REVOKE",
    "ANALYZE",
    "CHECK",
    "CHECKSUM",
    "OPTIMIZE",
    "REPAIR",
    "FLUSH",
    "LOCK",
    "UNLOCK",
    "SHOW",
    "DESCRIBE",
    "DESC",
    "INSTALL",
    "UNINSTALL",
    "START",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "KILL",
    "PURGE",
    "BINLOG",
    "CACHE",
    "SIGNAL",
];

/// `CREATE TEMPORARY ...` with any words between them.
fn creates_temporary(sql: &str, tokens: &[Token]) -> bool {
    let is_any = |at: usize, words: &[&str]| words.iter().any(|word| is(tokens, sql, at, word));
    let before = ["OR", "REPLACE", "GLOBAL", "LOCAL", "RECURSIVE"];
    let at = (1..tokens.len()).find(|at| !is_any(*at, &before)).unwrap_or(tokens.len());
    is(tokens, sql, 0, "CREATE") && is_any(at, &["TEMP", "TEMPORARY"])
}

/// `CREATE TABLE temp.t`, on SQLite, which reads a string as a name, too.
fn names_temporary(sql: &str, tokens: &[Token]) -> bool {
    let is_name = |token: &Token| matches!(token.kind, Kind::Word | Kind::QuotedName | Kind::Text);
    let is_temporary = |at: usize| is_name(&tokens[at]) && bare(tokens[at].text(sql)) == "temp";
    let schema = |at: usize| is_temporary(at) && tokens.get(at + 1).is_some_and(|dot| dot.is_symbol(sql, b'.'));
    is(tokens, sql, 0, "CREATE") && (1..tokens.len()).any(schema)
}

/// `ON COMMIT DROP`.
fn is_dropped_at_commit(sql: &str, tokens: &[Token]) -> bool {
    (0..tokens.len()).any(|at| is(tokens, sql, at, "ON") && is(tokens, sql, at + 1, "COMMIT") && is(tokens, sql, at + 2, "DROP"))
}

/// Is the name before a parenthesis the name of a table with its columns, and not of a function?
fn is_declared(sql: &str, tokens: &[Token], at: usize) -> bool {
    let mut first = at;
    while first >= 2 && tokens[first - 1].is_symbol(sql, b'.') {
        first -= 2;
    }
    // A function of the system, whatever its name is.
    let before = first.checked_sub(1).map(|at| &tokens[at]);
    before.is_some_and(|before| {
        ["INTO", "TABLE", "AS", "REFERENCES", "EXISTS", "VIEW", "ON", "INDEX", "RECURSIVE", "WITH"]
            .iter()
            .any(|word| before.is_word(sql, word))
    })
}

/// The variables that the body of a routine declares, in lower case, as in `DECLARE a, b INT`.
fn declared_variables(body: &str, tokens: &[Token]) -> HashSet<String> {
    let mut names = HashSet::new();
    let mut in_declaration = false;
    for token in tokens {
        if token.is_word(body, "DECLARE") {
            in_declaration = true;
        } else if token.is_symbol(body, b';') || token.is_word(body, "HANDLER") {
            in_declaration = false;
        } else if in_declaration && token.kind != Kind::Symbol {
            names.insert(token.text(body).to_lowercase());
        }
    }
    names
}

/// Does `SET x = 1` in the body of a routine set one of its variables, or a column of the new row?
fn sets_variable(variables: &HashSet<String>, piece: &str) -> bool {
    let target = Tokens::new(piece, Dialect::MySql).filter(|token| !token.is_blank() && token.kind != Kind::Hint).nth(1);
    let name = target.map(|target| target.text(piece).to_lowercase());
    name.is_some_and(|name| name == "new" || variables.contains(&name))
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

/// The SQL in `/*!40101 ... */`.
fn executable_content(text: &str) -> &str {
    let text = text.trim_start_matches("/*").trim_start_matches('M').trim_start_matches('!');
    text.trim_start_matches(|c: char| c.is_ascii_digit()).trim_end_matches("*/")
}

/// `ALTER DATABASE ... SET`, `ALTER ROLE ... SET`, `ALTER SYSTEM`: later sessions start with other settings.
fn changes_new_sessions(sql: &str, tokens: &[Token]) -> bool {
    let kinds = ["DATABASE", "ROLE", "USER", "SYSTEM"];
    kinds.iter().any(|word| is(tokens, sql, 1, word)) && (has(tokens, sql, "SET") || has(tokens, sql, "RESET"))
}

/// `SET search_path = pg_temp, public`: later statements create temporary objects.
fn mentions_temporary_schema(sql: &str, tokens: &[Token]) -> bool {
    tokens.iter().any(|token| token.text(sql).contains("pg_temp"))
}

/// Is a name qualified with a schema other than that of the system?
fn is_qualified_elsewhere(sql: &str, tokens: &[Token], at: usize) -> bool {
    let schema = at.checked_sub(2).filter(|_| at >= 1 && tokens[at - 1].is_symbol(sql, b'.')).map(|at| tokens[at].text(sql));
    schema.is_some_and(|schema| !["pg_catalog", "information_schema"].contains(&bare(schema).as_str()))
}

fn sqlite(sql: &str, tokens: &[Token]) -> SessionEffect {
    let in_memory = |token: &Token| matches!(token.text(sql), "':memory:'" | "''") || token.text(sql).contains("mode=memory");
    if is(tokens, sql, 0, "ATTACH") && tokens.iter().any(in_memory) {
        SessionEffect::Unrepeatable
    } else if is(tokens, sql, 0, "ATTACH") && tokens.iter().any(|token| token.is_symbol(sql, b'(') || token.is_symbol(sql, b'|'))
    {
        // The name of the file is computed.
        SessionEffect::Unrepeatable
    } else if is(tokens, sql, 0, "ATTACH") || is(tokens, sql, 0, "DETACH") {
        SessionEffect::Setting
    } else if is(tokens, sql, 0, "PRAGMA") {
        pragma(sql, tokens)
    } else if creates_temporary(sql, tokens) || names_temporary(sql, tokens) {
        SessionEffect::Unrepeatable
    } else if ["load_extension", "fts3_tokenizer"].iter().any(|word| has(tokens, sql, word)) {
        SessionEffect::Unknown
    } else {
        SessionEffect::None
    }
}

/// The effect of `PRAGMA name`, `PRAGMA schema.name = value` or `PRAGMA name(value)`.
fn pragma(sql: &str, tokens: &[Token]) -> SessionEffect {
    let qualified = usize::from(tokens.get(2).is_some_and(|dot| dot.is_symbol(sql, b'.'))) * 2;
    let Some(name) = tokens.get(1 + qualified).map(|name| bare(name.text(sql))) else { return SessionEffect::Unknown };
    let reads = tokens.len() <= 2 + qualified;
    if name == "journal_mode" {
        // Only WAL is stored in the file.
        let of_file = ["wal", "delete"].iter().any(|mode| tokens.iter().any(|token| bare(token.text(sql)) == *mode));
        if reads || of_file { SessionEffect::None } else { SessionEffect::Setting }
    } else if FILE_PRAGMAS.contains(&name.as_str()) {
        SessionEffect::None
    } else if SESSION_PRAGMAS.contains(&name.as_str()) {
        if reads { SessionEffect::None } else { SessionEffect::Setting }
    } else {
        SessionEffect::Unknown
    }
}

/// PRAGMAs that read, change the file, or execute an action once. Source: SQLite, "PRAGMA Statements".
const FILE_PRAGMAS: [&str; 29] = [
    "application_id",
    "auto_vacuum",
    "collation_list",
    "compile_options",
    "data_version",
    "database_list",
    "encoding",
    "foreign_key_check",
    "foreign_key_list",
    "freelist_count",
    "function_list",
    "incremental_vacuum",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "module_list",
    "optimize",
    "page_count",
    "page_size",
    "pragma_list",
    "quick_check",
    "schema_version",
    "shrink_memory",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
    "wal_checkpoint",
];

/// PRAGMAs that are settings of the connection. Source: SQLite, "PRAGMA Statements".
const SESSION_PRAGMAS: [&str; 35] = [
    "analysis_limit",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "case_sensitive_like",
    "cell_size_check",
    "checkpoint_fullfsync",
    "count_changes",
    "default_cache_size",
    "defer_foreign_keys",
    "empty_result_callbacks",
    "foreign_keys",
    "full_column_names",
    "fullfsync",
    "hard_heap_limit",
    "ignore_check_constraints",
    "journal_size_limit",
    "legacy_alter_table",
    "locking_mode",
    "max_page_count",
    "mmap_size",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "short_column_names",
    "soft_heap_limit",
    "synchronous",
    "temp_store",
    "threads",
    "trusted_schema",
    "wal_autocheckpoint",
    "writable_schema",
];

#[cfg(test)]
mod tests;
