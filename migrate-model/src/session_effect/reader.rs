//! Reads the effect of statements on their session, and of the bodies that they run.

use super::catalog::{BodyOwner, Definitions, KnownTrigger, computed_names};
use super::functions::{self, is_harmless};
use super::{
    SessionEffect, bare, executable_content, has, is, is_declared, may_be_name, meaningful, mysql_set, sqlite, user_variables,
    without_comment_marks,
};
use crate::assignment::set_statement;
use crate::dialect::Dialect;
use crate::do_block;
use crate::token::{Kind, Token, Tokens};
use std::collections::HashSet;

/// How many bodies and executable comments may enclose a statement whose effect is known.
const MAX_DEPTH: u32 = 16;

/// Reads the effect of statements.
#[derive(Clone, Copy)]
pub struct EffectReader<'r> {
    /// How it is read.
    pub dialect: Dialect,
    /// The routines and triggers that are known.
    pub definitions: &'r Definitions<'r>,
    /// How many bodies enclose this one.
    pub depth: u32,
}

impl<'r> EffectReader<'r> {
    /// The effect of a statement.
    pub fn effect(&self, sql: &str) -> SessionEffect {
        if self.depth > MAX_DEPTH {
            return SessionEffect::Unknown;
        }
        let sql = set_statement::executed(sql, self.dialect);
        let tokens = meaningful(sql, self.dialect);
        let start = tokens.iter().position(|token| !token.is_symbol(sql, b'(')).unwrap_or(0);
        let tokens = &tokens[start..];
        match self.dialect {
            _ if tokens.is_empty() => SessionEffect::None,
            Dialect::Postgres => self.postgres(sql, tokens),
            Dialect::MySql => self.mysql(sql, tokens),
            Dialect::Sqlite => sqlite::effect(sql, tokens),
        }
    }

    fn postgres(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        let first = |words: &[&str]| words.iter().any(|word| is(tokens, sql, 0, word));
        let second = |words: &[&str]| words.iter().any(|word| is(tokens, sql, 1, word));
        if first(&["ALTER"]) && changes_new_sessions(sql, tokens) {
            // What a new session starts with is another than what this one has.
            SessionEffect::Unrepeatable
        } else if first(&["SET"])
            && (creates_in_temporary_schema(sql, tokens) || (has(tokens, sql, "seed") && !second(&["LOCAL"])))
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
        } else if first(&["CALL"]) {
            self.calls(sql, tokens)
        } else if first(&["COPY", "TRUNCATE", "REFRESH"]) || (first(&["CREATE"]) && has(tokens, sql, "AS")) {
            self.calls(sql, tokens).max(self.triggers(sql, tokens))
        } else if first(&POSTGRES_DDL) {
            // A default value or a check may set something whenever a row is written.
            if has(tokens, sql, "set_config") { SessionEffect::Unknown } else { self.computed(sql) }
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
            return self.executable_comments(sql, tokens);
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

    /// The effects of what other servers skip at the start of a statement, and of the rest of it.
    fn executable_comments(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
        let is_comment = |token: &&Token| token.kind == Kind::Executable;
        let leading = tokens.iter().take_while(|token| is_comment(token) || token.is_symbol(sql, b'('));
        let leading: Vec<&Token> = leading.collect();
        let end = leading.last().map_or(0, |last| last.end);
        let enclosed = EffectReader { depth: self.depth + 1, ..*self };
        let comments = leading.into_iter().filter(is_comment);
        let effect = comments.map(|token| enclosed.effect(executable_content(token.text(sql)))).max();
        let rest = &sql[end..];
        let of_rest = if rest.trim().is_empty() { SessionEffect::None } else { self.effect(rest) };
        effect.unwrap_or(SessionEffect::None).max(of_rest)
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
    pub fn calls(&self, sql: &str, tokens: &[Token]) -> SessionEffect {
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
        let names = tokens.iter().filter(|token| may_be_name(token, sql, self.dialect));
        let names = names.map(|name| bare(name.text(sql))).filter(|name| self.definitions.triggers.contains_key(name));
        let effect = |name: String| self.remembered(BodyOwner::Triggers, &name, |reader| reader.read_triggers(&name));
        names.map(effect).max().unwrap_or(SessionEffect::None)
    }

    /// The effect of what `ALTER TABLE` and `CREATE INDEX` compute.
    fn computed(&self, sql: &str) -> SessionEffect {
        if self.definitions.computed.is_empty() {
            return SessionEffect::None;
        }
        let effect = |name: String| {
            self.remembered(BodyOwner::Computed, &name, |reader| reader.read_bodies(reader.definitions.computed.get(&name)))
        };
        let names = computed_names(sql).into_iter();
        names.filter(|name| self.definitions.computed.contains_key(name)).map(effect).max().unwrap_or(SessionEffect::None)
    }

    fn read_triggers(&self, name: &str) -> SessionEffect {
        self.read_bodies(self.definitions.triggers.get(name))
    }

    fn read_bodies(&self, bodies: Option<&Vec<KnownTrigger<'_>>>) -> SessionEffect {
        let triggers = bodies.into_iter().flatten();
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
pub fn creates_temporary(sql: &str, tokens: &[Token]) -> bool {
    let is_any = |at: usize, words: &[&str]| words.iter().any(|word| is(tokens, sql, at, word));
    let before = ["OR", "REPLACE", "GLOBAL", "LOCAL", "RECURSIVE"];
    let at = (1..tokens.len()).find(|at| !is_any(*at, &before)).unwrap_or(tokens.len());
    is(tokens, sql, 0, "CREATE") && is_any(at, &["TEMP", "TEMPORARY"])
}

/// `ON COMMIT DROP`.
fn is_dropped_at_commit(sql: &str, tokens: &[Token]) -> bool {
    (0..tokens.len()).any(|at| is(tokens, sql, at, "ON") && is(tokens, sql, at + 1, "COMMIT") && is(tokens, sql, at + 2, "DROP"))
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

/// `ALTER DATABASE ... SET`, `ALTER ROLE ... SET`, `ALTER SYSTEM`: later sessions start with other settings.
fn changes_new_sessions(sql: &str, tokens: &[Token]) -> bool {
    let kinds = ["DATABASE", "ROLE", "USER", "SYSTEM"];
    kinds.iter().any(|word| is(tokens, sql, 1, word)) && (has(tokens, sql, "SET") || has(tokens, sql, "RESET"))
}

/// Does `SET search_path = pg_temp, public` make new objects temporary? Only the first schema counts, or the second one if there is
/// no schema `$user`; PostgreSQL's manual (on `CREATE FUNCTION`) recommends `pg_temp` as the last one.
fn creates_in_temporary_schema(sql: &str, tokens: &[Token]) -> bool {
    if !has(tokens, sql, "search_path") {
        return mentions_temporary_schema(sql, tokens);
    }
    let first = tokens.iter().position(|token| token.is_symbol(sql, b'=') || token.is_word(sql, "TO")).map(|at| at + 1);
    let is_skipped = |token: &&Token| token.text(sql).contains("$user") || token.is_symbol(sql, b',');
    let mut schemas = tokens.iter().skip(first.unwrap_or(tokens.len())).skip_while(is_skipped);
    schemas.next().is_some_and(|schema| schema.text(sql).contains("pg_temp"))
}

/// Does a statement name the schema of temporary objects?
fn mentions_temporary_schema(sql: &str, tokens: &[Token]) -> bool {
    tokens.iter().any(|token| token.text(sql).contains("pg_temp"))
}

/// Is a name qualified with a schema other than that of the system?
fn is_qualified_elsewhere(sql: &str, tokens: &[Token], at: usize) -> bool {
    let schema = at.checked_sub(2).filter(|_| at >= 1 && tokens[at - 1].is_symbol(sql, b'.')).map(|at| tokens[at].text(sql));
    schema.is_some_and(|schema| !["pg_catalog", "information_schema"].contains(&bare(schema).as_str()))
}
