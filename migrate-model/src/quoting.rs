//! How the settings of a session change the reading of quotes: `standard_conforming_strings` of PostgreSQL, and
//! `NO_BACKSLASH_ESCAPES` and `ANSI_QUOTES` in the `sql_mode` of MySQL.
//!
//! The value is followed from statement to statement, through user variables and the expressions that scripts use for it. A value
//! that the text does not determine is unknown, never a guess: see `statement::split`.

use crate::assignment::{self, Scope, split_at, split_at_commas, system_variable, unquoted, user_variable};
use crate::dialect::Dialect;
use crate::savepoint::SavepointCommand;
use crate::token::{ExecutedBy, Kind, Quoting, Token, executed_by, executed_tokens};
use std::collections::BTreeMap;

const STANDARD_CONFORMING_STRINGS: &str = "standard_conforming_strings";
const SQL_MODE: &str = "sql_mode";

/// Whether a mode is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Off,
    On,
    Unknown,
}

impl Fact {
    fn of(on: bool) -> Fact {
        if on { Fact::On } else { Fact::Off }
    }

    /// On if one of two is on.
    fn or(self, other: Fact) -> Fact {
        match (self, other) {
            (Fact::On, _) | (_, Fact::On) => Fact::On,
            (Fact::Off, Fact::Off) => Fact::Off,
            _ => Fact::Unknown,
        }
    }

    /// Unknown where two differ.
    fn join(self, other: Fact) -> Fact {
        if self == other { self } else { Fact::Unknown }
    }

    /// Off stays off; everything else is unknown.
    fn changed(self) -> Fact {
        if self == Fact::Off { Fact::Off } else { Fact::Unknown }
    }

    fn or_assumed(self, assumed: bool) -> bool {
        match self {
            Fact::Off => false,
            Fact::On => true,
            Fact::Unknown => assumed,
        }
    }
}

/// What a value sets, or would set: a value of `sql_mode`, of a variable, or a part of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Modes {
    /// MySQL: `NO_BACKSLASH_ESCAPES`. PostgreSQL: `standard_conforming_strings`.
    plain_backslashes: Fact,
    ansi_quotes: Fact,
}

impl Modes {
    const OFF: Modes = Modes { plain_backslashes: Fact::Off, ansi_quotes: Fact::Off };
    const UNKNOWN: Modes = Modes { plain_backslashes: Fact::Unknown, ansi_quotes: Fact::Unknown };

    fn of(quoting: Quoting) -> Modes {
        Modes { plain_backslashes: Fact::of(!quoting.backslashes()), ansi_quotes: Fact::of(quoting.ansi_quotes()) }
    }

    /// The modes of a list of names, such as `ANSI,NO_BACKSLASH_ESCAPES`, or of a number.
    fn of_text(text: &str) -> Modes {
        if let Ok(bits) = text.trim().parse::<u64>() {
            return Modes { plain_backslashes: Fact::of(bits & (1 << 20) != 0), ansi_quotes: Fact::of(bits & 4 != 0) };
        }
        let has = |names: &[&str]| text.split(',').any(|mode| names.iter().any(|name| mode.trim().eq_ignore_ascii_case(name)));
        // The other names are combinations that contain it.
        let ansi = ["ANSI_QUOTES", "ANSI", "ORACLE", "POSTGRESQL", "MSSQL", "DB2", "MAXDB"];
        Modes { plain_backslashes: Fact::of(has(&["NO_BACKSLASH_ESCAPES"])), ansi_quotes: Fact::of(has(&ansi)) }
    }

    fn each(self, other: Modes, combine: fn(Fact, Fact) -> Fact) -> Modes {
        Modes {
            plain_backslashes: combine(self.plain_backslashes, other.plain_backslashes),
            ansi_quotes: combine(self.ansi_quotes, other.ansi_quotes),
        }
    }

    fn changed(self) -> Modes {
        self.each(self, |fact, _| fact.changed())
    }

    fn is_known(self) -> bool {
        ![self.plain_backslashes, self.ansi_quotes].contains(&Fact::Unknown)
    }
}

/// The values when a savepoint was set; `ROLLBACK TO` restores them.
#[derive(Debug, Clone)]
struct QuotingSavepoint {
    name: String,
    now: Modes,
    outer: Option<Modes>,
}

/// The quoting of a session while its statements run.
#[derive(Debug, Clone)]
pub struct SessionQuoting {
    dialect: Dialect,
    /// The value of a new session.
    server: Modes,
    now: Modes,
    /// The value before a `SET LOCAL`, which the end of the transaction restores.
    outer: Option<Modes>,
    /// PostgreSQL: the savepoints of the transaction.
    savepoints: Vec<QuotingSavepoint>,
    /// MySQL: user variables, in lower case.
    variables: BTreeMap<String, Modes>,
    /// MySQL: did a string contain `sql_mode`, which `EXECUTE` may run?
    hidden: Fact,
    /// What is assumed where the value is unknown.
    assumed: Quoting,
}

impl SessionQuoting {
    /// A new session of a server.
    pub fn new(dialect: Dialect, server: Quoting) -> Self {
        let server = Modes::of(server);
        SessionQuoting {
            dialect,
            server,
            now: server,
            outer: None,
            savepoints: Vec::new(),
            variables: BTreeMap::new(),
            hidden: Fact::Off,
            assumed: Quoting::of(dialect),
        }
    }

    /// Sets what is assumed where the text does not determine the value.
    pub fn assume(&mut self, quoting: Quoting) {
        self.assumed = quoting;
    }

    /// How quotes are read now.
    pub fn quoting(&self) -> Quoting {
        let backslashes = !self.now.plain_backslashes.or_assumed(!self.assumed.backslashes());
        Quoting::new(backslashes, self.now.ansi_quotes.or_assumed(self.assumed.ansi_quotes()))
    }

    /// Does the text determine the value?
    pub fn is_known(&self) -> bool {
        self.now.is_known()
    }

    /// Can a statement of this text change the value?
    pub fn concerns(&self, text: &str) -> bool {
        match self.dialect {
            Dialect::Postgres => self.now != self.server || contains(text, STANDARD_CONFORMING_STRINGS),
            Dialect::MySql => contains(text, SQL_MODE),
            Dialect::Sqlite => false,
        }
    }

    /// Follows a statement, of which `tokens` are those that are not blank.
    pub fn follow(&mut self, sql: &str, tokens: &[Token]) {
        let Some(first) = tokens.first() else { return };
        match self.dialect {
            Dialect::Postgres => self.follow_postgres(sql, tokens),
            Dialect::MySql if first.kind == Kind::Executable || first.is_word(sql, "SET") => self.follow_set(sql, tokens),
            Dialect::MySql => self.follow_mysql(sql, tokens),
            Dialect::Sqlite => {}
        }
    }

    fn follow_postgres(&mut self, sql: &str, tokens: &[Token]) {
        const NAME: &str = STANDARD_CONFORMING_STRINGS;
        let word =
            |at: usize, words: &[&str]| tokens.get(at).is_some_and(|token| words.iter().any(|word| token.is_word(sql, word)));
        if let Some(command) = SavepointCommand::read(sql, tokens, Dialect::Postgres) {
            return self.follow_savepoint(command);
        }
        if word(0, &["COMMIT", "END", "ROLLBACK", "ABORT"]) && !word(1, &["PREPARED"]) {
            self.now = self.outer.take().unwrap_or(self.now);
            self.savepoints.clear();
            return;
        }
        if word(0, &["RESET"]) && (word(1, &["ALL"]) || word(1, &[NAME])) || (word(0, &["DISCARD"]) && word(1, &["ALL"])) {
            self.now = self.server;
            return;
        }
        let mentions = tokens.iter().any(|token| contains(token.text(sql), NAME));
        let defines = ["CREATE", "ALTER", "COMMENT", "SHOW", "PREPARE"];
        if !mentions || word(0, &defines) {
            return;
        }
        let scoped = usize::from(word(1, &["SESSION", "LOCAL"]));
        if word(0, &["SET"]) && word(1 + scoped, &[NAME]) {
            let value = tokens.get(3 + scoped).map_or("", |token| token.text(sql)).trim_matches('\'').to_ascii_lowercase();
            self.set_postgres(&value, word(1, &["LOCAL"]));
        } else {
            match set_config(sql, tokens, NAME) {
                Some((value, local)) => self.set_postgres(&value.to_ascii_lowercase(), local),
                None => self.now = Modes::UNKNOWN,
            }
        }
    }

    fn follow_savepoint(&mut self, command: SavepointCommand) {
        let position =
            |savepoints: &[QuotingSavepoint], name: &str| savepoints.iter().rposition(|savepoint| savepoint.name == name);
        match command {
            SavepointCommand::Set(name) => self.savepoints.push(QuotingSavepoint { name, now: self.now, outer: self.outer }),
            SavepointCommand::Release(name) => {
                let position = position(&self.savepoints, &name).unwrap_or(self.savepoints.len());
                self.savepoints.truncate(position);
            }
            SavepointCommand::RollBackTo(name) => match position(&self.savepoints, &name) {
                Some(position) => {
                    (self.now, self.outer) = (self.savepoints[position].now, self.savepoints[position].outer);
                    self.savepoints.truncate(position + 1);
                }
                None => self.now = Modes::UNKNOWN,
            },
        }
    }

    fn set_postgres(&mut self, value: &str, local: bool) {
        // PostgreSQL accepts every unambiguous beginning of these words.
        let begins = |words: &[&str]| !value.is_empty() && words.iter().any(|word| word.starts_with(value));
        let before = self.now;
        let plain_backslashes = match value {
            "default" => self.server.plain_backslashes,
            "on" | "1" => Fact::On,
            "off" | "of" | "0" => Fact::Off,
            _ if begins(&["true", "yes"]) => Fact::On,
            _ if begins(&["false", "no"]) => Fact::Off,
            _ => Fact::Unknown,
        };
        self.now = Modes { plain_backslashes, ..before };
        if local {
            self.outer.get_or_insert(before);
        }
    }

    /// `SET`, also in an executable comment.
    fn follow_set(&mut self, sql: &str, tokens: &[Token]) {
        let by_all =
            tokens.iter().filter(|token| token.kind == Kind::Executable).all(|token| executed_by(sql, *token) == ExecutedBy::All);
        let tokens = executed_tokens(sql, tokens, self.quoting());
        if !tokens.first().is_some_and(|token| token.is_word(sql, "SET")) {
            return self.follow_mysql(sql, &tokens);
        }
        self.note_hidden(sql, &tokens);
        let before = self.now;
        let assignments = assignment::read(sql, &tokens);
        // The values of all settings are computed before the first assignment.
        let settings: Vec<Option<Modes>> = assignments
            .iter()
            .map(|assignment| {
                let is_mode = matches!(assignment.scope, Scope::Session | Scope::Global) && assignment.name == SQL_MODE;
                is_mode.then(|| self.value_of(sql, assignment.value))
            })
            .collect();
        for (assignment, modes) in assignments.iter().zip(settings) {
            match (assignment.scope, modes) {
                // User variables are assigned one after another.
                (Scope::Variable, _) => {
                    let modes = self.value_of(sql, assignment.value);
                    self.variables.insert(assignment.name.clone(), modes);
                }
                (Scope::Session, Some(modes)) => self.now = modes,
                (Scope::Global, Some(modes)) => self.server = modes,
                _ => {}
            }
        }
        if !by_all {
            self.now = self.now.each(before, Fact::join);
        }
    }

    /// A statement of MySQL that is not `SET`.
    fn follow_mysql(&mut self, sql: &str, tokens: &[Token]) {
        let Some(first) = tokens.first() else { return };
        let into = tokens.iter().position(|token| token.is_word(sql, "INTO"));
        if first.is_word(sql, "SELECT")
            && let Some(into) = into
        {
            if let Some(name) = user_variable(sql, &tokens[into + 1..]) {
                let modes = self.value_of(sql, &tokens[1..into]);
                self.variables.insert(name, modes);
            }
        } else if first.is_word(sql, "EXECUTE") {
            self.note_hidden(sql, tokens);
            if self.hidden == Fact::On {
                self.now = Modes::UNKNOWN;
            }
        } else if first.is_word(sql, "PREPARE") {
            self.note_hidden(sql, tokens);
        }
    }

    fn note_hidden(&mut self, sql: &str, tokens: &[Token]) {
        let mut strings = tokens.iter().filter(|token| token.kind == Kind::Text);
        if strings.any(|token| contains(token.text(sql), SQL_MODE)) {
            self.hidden = Fact::On;
        }
    }

    /// What an expression would set; of one that is nested too deep, it is unknown.
    fn value_of(&self, sql: &str, tokens: &[Token]) -> Modes {
        if nesting(sql, tokens) > MOST_NESTED { Modes::UNKNOWN } else { self.value(sql, tokens) }
    }

    fn value(&self, sql: &str, tokens: &[Token]) -> Modes {
        let tokens = unwrapped(sql, tokens);
        if tokens.is_empty() {
            return Modes::UNKNOWN;
        }
        if tokens.iter().all(|token| token.kind == Kind::Text) {
            return Modes::of_text(&tokens.iter().map(|token| unquoted(token.text(sql))).collect::<String>());
        }
        if let [token] = tokens {
            return match token.kind {
                Kind::Word if token.is_word(sql, "DEFAULT") => self.server,
                // A literal of hexadecimal digits is a string.
                Kind::Number if token.text(sql).starts_with("0x") => Modes::UNKNOWN,
                Kind::Word | Kind::Number | Kind::QuotedName => Modes::of_text(unquoted(token.text(sql))),
                _ => Modes::UNKNOWN,
            };
        }
        if tokens[0].is_symbol(sql, b'@')
            && let Some(modes) = self.variable(sql, tokens)
        {
            return modes;
        }
        if let Some((name, arguments)) = call(sql, tokens) {
            return self.function(sql, &name, &split_at_commas(sql, arguments));
        }
        let alternatives = split_at(sql, tokens, b'|');
        if alternatives.len() > 1 {
            return self.any(sql, &alternatives);
        }
        self.unknown_expression(sql, tokens)
    }

    /// The value of a variable, if these are all the tokens.
    fn variable(&self, sql: &str, tokens: &[Token]) -> Option<Modes> {
        if let Some((global, name, rest)) = system_variable(sql, tokens) {
            let modes = if name != SQL_MODE {
                Modes::UNKNOWN
            } else if global {
                self.server
            } else {
                self.now
            };
            return rest.is_empty().then_some(modes);
        }
        let name = user_variable(sql, tokens)?;
        (tokens.len() == 2).then(|| self.variables.get(&name).copied().unwrap_or(Modes::UNKNOWN))
    }

    fn any(&self, sql: &str, parts: &[&[Token]]) -> Modes {
        parts.iter().fold(Modes::OFF, |modes, part| modes.each(self.value(sql, part), Fact::or))
    }

    fn function(&self, sql: &str, name: &str, arguments: &[&[Token]]) -> Modes {
        match (name, arguments) {
            ("concat", _) if joins_whole_names(sql, arguments) => self.any(sql, arguments),
            ("concat_ws", [separator, rest @ ..]) if is_text(sql, separator, "','") => self.any(sql, rest),
            ("list_add", _) => self.any(sql, arguments),
            ("replace" | "list_drop", [list, removed, rest @ ..]) => {
                let added = rest.first().map_or(Modes::OFF, |added| self.value(sql, added));
                let (list, removed) = (self.value(sql, list), self.value(sql, removed));
                let plain_backslashes = match (list.plain_backslashes, removed.plain_backslashes) {
                    (_, Fact::On) => Fact::Off,
                    (list, Fact::Off) => list,
                    (list, Fact::Unknown) => list.changed(),
                };
                // A combination such as `ANSI` in the list may set it again.
                let ansi_quotes = if removed.ansi_quotes == Fact::Off { list.ansi_quotes } else { list.ansi_quotes.changed() };
                Modes { plain_backslashes, ansi_quotes }.each(added, Fact::or)
            }
            ("trim", [argument]) => match argument.iter().position(|token| token.is_word(sql, "FROM")) {
                Some(from) => self.value(sql, &argument[from + 1..]),
                None => self.value(sql, argument),
            },
            ("ltrim" | "rtrim" | "lower" | "upper", [argument]) => self.value(sql, argument),
            ("cast" | "convert" | "if" | "ifnull" | "nullif" | "coalesce" | "substring" | "substr" | "left" | "right", _) => {
                arguments.iter().fold(Modes::OFF, |modes, argument| modes.each(self.value(sql, argument), Fact::or)).changed()
            }
            _ => Modes::UNKNOWN,
        }
    }

    /// An expression that is not evaluated: what none of its parts can set is off.
    fn unknown_expression(&self, sql: &str, tokens: &[Token]) -> Modes {
        let reads_more = tokens.iter().enumerate().any(|(at, token)| {
            let calls = token.kind == Kind::Word && tokens.get(at + 1).is_some_and(|next| next.is_symbol(sql, b'('));
            calls || token.is_word(sql, "FROM")
        });
        if reads_more {
            return Modes::UNKNOWN;
        }
        let mut modes = Modes::OFF;
        let mut rest = tokens;
        while let Some(first) = rest.first() {
            if let Some((global, name, after)) = system_variable(sql, rest) {
                let value = if name != SQL_MODE {
                    Modes::UNKNOWN
                } else if global {
                    self.server
                } else {
                    self.now
                };
                modes = modes.each(value, Fact::or);
                rest = after;
                continue;
            }
            if let Some(name) = user_variable(sql, rest) {
                modes = modes.each(self.variables.get(&name).copied().unwrap_or(Modes::UNKNOWN), Fact::or);
                rest = &rest[2..];
                continue;
            }
            if matches!(first.kind, Kind::Text | Kind::Number) {
                modes = modes.each(Modes::of_text(unquoted(first.text(sql))), Fact::or);
            }
            rest = &rest[1..];
        }
        modes.changed()
    }
}

/// `set_config('name', 'value', local)` with literals: the value, and whether it is local.
fn set_config(sql: &str, tokens: &[Token], name: &str) -> Option<(String, bool)> {
    let at = tokens.iter().position(|token| token.is_word(sql, "set_config"))?;
    let others = tokens.iter().filter(|token| contains(token.text(sql), name)).count();
    let [open, first, _, value, _, local, ..] = tokens.get(at + 1..)? else { return None };
    let literals = open.is_symbol(sql, b'(') && first.kind == Kind::Text && value.kind == Kind::Text;
    let is_name = unquoted(first.text(sql)).eq_ignore_ascii_case(name);
    let local = match local.text(sql).trim_matches('\'').to_ascii_lowercase().as_str() {
        "true" | "t" => true,
        "false" | "f" => false,
        _ => return None,
    };
    (literals && is_name && others == 1).then(|| (unquoted(value.text(sql)).to_owned(), local))
}

/// Each level of an expression is read again with each level around it.
const MOST_NESTED: usize = 50;

/// The most parentheses and words `SELECT` that are around a part of an expression.
fn nesting(sql: &str, tokens: &[Token]) -> usize {
    let queries = tokens.iter().filter(|token| token.is_word(sql, "SELECT")).count();
    let (mut depth, mut deepest) = (0_usize, 0);
    for token in tokens {
        depth += usize::from(token.is_symbol(sql, b'('));
        depth = depth.saturating_sub(usize::from(token.is_symbol(sql, b')')));
        deepest = deepest.max(depth);
    }
    deepest + queries
}

/// The tokens without parentheses around them, and without `SELECT` of a query that reads no table.
fn unwrapped<'t>(sql: &str, mut tokens: &'t [Token]) -> &'t [Token] {
    loop {
        match tokens {
            [open, inner @ .., close] if open.is_symbol(sql, b'(') && close.is_symbol(sql, b')') && closes(sql, tokens) => {
                tokens = inner;
            }
            [select, rest @ ..] if select.is_word(sql, "SELECT") && !reads_table(sql, rest) => tokens = rest,
            _ => return tokens,
        }
    }
}

/// `FROM` outside parentheses.
fn reads_table(sql: &str, tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    tokens.iter().any(|token| {
        depth += usize::from(token.is_symbol(sql, b'('));
        depth = depth.saturating_sub(usize::from(token.is_symbol(sql, b')')));
        depth == 0 && token.is_word(sql, "FROM")
    })
}

/// Is the parenthesis that the first token opens closed by the last one?
fn closes(sql: &str, tokens: &[Token]) -> bool {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        depth += usize::from(token.is_symbol(sql, b'('));
        depth = depth.saturating_sub(usize::from(token.is_symbol(sql, b')')));
        depth == 0
    });
    end == Some(tokens.len() - 1)
}

/// `[schema.]name(arguments)`: the name in lower case, and the tokens in the parentheses.
fn call<'t>(sql: &str, tokens: &'t [Token]) -> Option<(String, &'t [Token])> {
    let open = tokens.iter().position(|token| token.is_symbol(sql, b'('))?;
    let name = tokens[..open].last().filter(|name| name.kind == Kind::Word)?;
    let qualified = match &tokens[..open] {
        [_] => true,
        [schema, dot, _] => schema.is_word(sql, "sys") && dot.is_symbol(sql, b'.'),
        _ => false,
    };
    let inside = tokens.get(open + 1..tokens.len() - 1)?;
    (qualified && closes(sql, &tokens[open..])).then(|| (name.text(sql).to_ascii_lowercase(), inside))
}

/// Does a text contain a word in lower case, also in upper case? Byte by byte, because the macro runs without optimization.
fn contains(text: &str, word: &str) -> bool {
    let (bytes, word) = (text.as_bytes(), word.as_bytes());
    let mut at = 0;
    while at + word.len() <= bytes.len() {
        if bytes[at] | 0x20 == word[0] && bytes[at..at + word.len()].eq_ignore_ascii_case(word) {
            return true;
        }
        at += 1;
    }
    false
}

/// Is an argument this literal?
fn is_text(sql: &str, argument: &[Token], literal: &str) -> bool {
    matches!(argument, [token] if token.text(sql) == literal)
}

/// Does a comma stand between all arguments of `CONCAT`? Otherwise, a mode may be put together from pieces of its name.
fn joins_whole_names(sql: &str, arguments: &[&[Token]]) -> bool {
    let literal = |argument: &[Token]| match argument {
        [token] if token.kind == Kind::Text => Some(token.text(sql).trim_matches(['\'', '"'])),
        _ => None,
    };
    arguments.windows(2).all(|pair| {
        let ends = literal(pair[0]).is_some_and(|text| text.ends_with(','));
        ends || literal(pair[1]).is_some_and(|text| text.starts_with(','))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Tokens;

    /// The quoting after these statements of MySQL: `\` if a backslash escapes, `"` for `ANSI_QUOTES`, `?` if it is unknown.
    fn after(statements: &[&str]) -> String {
        let mut session = SessionQuoting::new(Dialect::MySql, Quoting::of(Dialect::MySql));
        for sql in statements {
            let tokens: Vec<Token> = Tokens::new(sql, Dialect::MySql).filter(|token| !token.is_blank()).collect();
            session.follow(sql, &tokens);
        }
        let escapes = match session.now.plain_backslashes {
            Fact::On => "",
            Fact::Off => "\\",
            Fact::Unknown => "?",
        };
        let ansi = match session.now.ansi_quotes {
            Fact::On => "\"",
            Fact::Off => "",
            Fact::Unknown => "?",
        };
        format!("{escapes}{ansi}")
    }

    #[test]
    fn spellings_of_sql_mode() {
        for (sql, expected) in [
            ("SET sql_mode = 'NO_BACKSLASH_ESCAPES'", ""),
            ("SET SESSION sql_mode = 'no_backslash_escapes,ANSI_QUOTES'", "\""),
            ("SET LOCAL sql_mode='ANSI'", "\\\""),
            ("SET @@SESSION.sql_mode := 'NO_BACKSLASH_ESCAPES'", ""),
            ("SET @@sql_mode=ANSI_QUOTES", "\\\""),
            ("SET `sql_mode` = ORACLE", "\\\""),
            ("SET sql_mode = 1048580", "\""),
            ("SET sql_mode = 4 | 1048576", "\""),
            ("SET @old = @@sql_mode, sql_mode = CONCAT(@@sql_mode, ',NO_BACKSLASH_ESCAPES')", ""),
            ("SET sql_mode = (SELECT CONCAT(@@sql_mode, ',ANSI_QUOTES'))", "\\\""),
            ("SET sql_mode = sys.list_add(@@session.sql_mode, 'NO_BACKSLASH_ESCAPES')", ""),
            ("SET sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_ALL_TABLES')", "\\"),
            ("SET sql_mode = (SELECT REPLACE(@@sql_mode, 'ONLY_FULL_GROUP_BY', ''))", "\\"),
            ("SET sql_mode = TRIM(BOTH ',' FROM @@sql_mode)", "\\"),
            ("SET sql_mode = DEFAULT", "\\"),
            ("SET sql_mode = ''", "\\"),
            ("/*!40101 SET SQL_MODE='NO_BACKSLASH_ESCAPES' */", ""),
            ("SET /*!40101 sql_mode = 'ANSI_QUOTES' */", "\\\""),
            ("/*!80000 SET SQL_MODE='NO_BACKSLASH_ESCAPES' */", "?"),
            ("/*M!100100 SET SQL_MODE='ANSI_QUOTES' */", "\\?"),
            ("SET foreign_key_checks = 0, sql_mode = 'ANSI_QUOTES', unique_checks = 0", "\\\""),
            ("SET GLOBAL sql_mode = 'NO_BACKSLASH_ESCAPES'", "\\"),
            ("SET GLOBAL max_connections = 5, sql_mode = 'NO_BACKSLASH_ESCAPES'", "\\"),
            ("SET GLOBAL max_connections = 5, SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'", ""),
            ("SET STATEMENT sql_mode = 'NO_BACKSLASH_ESCAPES' FOR SELECT 1", "\\"),
            ("SET sql_mode = @unknown", "??"),
            ("SET sql_mode = (SELECT mode FROM settings LIMIT 1)", "??"),
            ("SET sql_mode = f()", "??"),
            ("SET sql_mode = IF(@@version > '8', 'NO_BACKSLASH_ESCAPES', '')", "??"),
            ("SET @x = 'NO_BACKSLASH_ESCAPES'", "\\"),
            ("SET time_zone = '+00:00'", "\\"),
        ] {
            assert_eq!(after(&[sql]), expected, "{sql}");
        }
    }

    #[test]
    fn a_value_that_is_nested_too_deep_is_unknown() {
        let value = |open: &str, close: &str, count: usize| {
            after(&[&format!("SET sql_mode = {}'ANSI_QUOTES'{}", open.repeat(count), close.repeat(count))])
        };
        let unknown = after(&["SET sql_mode = f(1)"]);
        for (open, close) in [("REPLACE(", ", 'x', '')"), ("IFNULL(", ", '')"), ("(", ")"), ("SELECT ", "")] {
            assert_eq!(value(open, close, 4_000), unknown, "{open}");
        }
        assert_eq!(value("REPLACE(", ", 'ONLY_FULL_GROUP_BY', '')", 20), "\\\"");
    }

    #[test]
    fn a_mode_is_restored_from_a_variable() {
        let save = "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO' */";
        assert_eq!(after(&[save]), "");
        assert_eq!(after(&[save, "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */"]), "\\");
        assert_eq!(after(&["SELECT @@sql_mode INTO @a", "SET sql_mode='ANSI_QUOTES'", "SET sql_mode=@a"]), "\\");
        assert_eq!(after(&["SET @a = 'ANSI_QUOTES'", "SET @a = '', sql_mode = @a"]), "\\\"");
        assert_eq!(after(&["SET sql_mode = 'ANSI_QUOTES', @b = @@sql_mode", "SET sql_mode = ''", "SET sql_mode = @b"]), "\\\"");
        assert_eq!(after(&["SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET sql_mode = DEFAULT"]), "\\");
        let strip = "SET sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', '')";
        assert_eq!(after(&["SET sql_mode = 'NO_BACKSLASH_ESCAPES'", strip]), "\\");
    }

    #[test]
    fn dynamic_sql_is_unknown_only_if_it_can_set_the_mode() {
        assert_eq!(after(&["EXECUTE IMMEDIATE 'SET sql_mode = \"\"'"]), "??");
        assert_eq!(after(&["SET @s = 'SET sql_mode = 0'", "PREPARE s FROM @s", "EXECUTE s"]), "??");
        assert_eq!(after(&["PREPARE s FROM 'SELECT 1'", "EXECUTE s"]), "\\");
    }

    #[test]
    fn standard_conforming_strings() {
        let after = |statements: &[&str]| {
            let mut session = SessionQuoting::new(Dialect::Postgres, Quoting::of(Dialect::Postgres));
            for sql in statements {
                let tokens: Vec<Token> = Tokens::new(sql, Dialect::Postgres).filter(|token| !token.is_blank()).collect();
                session.follow(sql, &tokens);
            }
            session.now.plain_backslashes
        };
        for (statements, expected) in [
            (&["SET standard_conforming_strings = off"][..], Fact::Off),
            (&["SET SESSION standard_conforming_strings TO 'fal'"], Fact::Off),
            (&["SET standard_conforming_strings = off", "RESET standard_conforming_strings"], Fact::On),
            (&["SET standard_conforming_strings = off", "RESET ALL"], Fact::On),
            (&["SET standard_conforming_strings = off", "SET standard_conforming_strings TO DEFAULT"], Fact::On),
            (&["SELECT pg_catalog.set_config('standard_conforming_strings', 'off', false)"], Fact::Off),
            (&["BEGIN", "SET LOCAL standard_conforming_strings = off", "COMMIT"], Fact::On),
            (&["SAVEPOINT a", "SET standard_conforming_strings = off", "ROLLBACK TO A"], Fact::On),
            (&["SAVEPOINT a", "SET standard_conforming_strings = off", "RELEASE a"], Fact::Off),
            (&["SET standard_conforming_strings = off", "SAVEPOINT a", "RESET ALL", "ROLLBACK TO SAVEPOINT a"], Fact::Off),
            (&["SET LOCAL standard_conforming_strings = off", "SAVEPOINT a", "ROLLBACK TO a"], Fact::Off),
            (&["SET LOCAL standard_conforming_strings = off", "SAVEPOINT a", "ROLLBACK TO a", "COMMIT"], Fact::On),
            (&["SELECT set_config('standard_conforming_strings', x, false) FROM t"], Fact::Unknown),
            (&["DO $$ BEGIN SET standard_conforming_strings = off; END $$"], Fact::Unknown),
            (&["CREATE FUNCTION f() RETURNS int LANGUAGE sql SET standard_conforming_strings = off AS 'SELECT 1'"], Fact::On),
        ] {
            assert_eq!(after(statements), expected, "{statements:?}");
        }
    }
}
